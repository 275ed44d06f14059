#include "inspect/area_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "inspect/file_text.h"

static const struct {
	uint32_t bit;
	const char *name;
} named[] = {
	{ CRIMG_VMA_VSYSCALL, "[vsyscall]" }, { CRIMG_VMA_VDSO, "[vdso]" },
	{ CRIMG_VMA_VVAR, "[vvar]" },         { CRIMG_VMA_HEAP, "[heap]" },
	{ CRIMG_VMA_AIO, "[aio]" },           { CRIMG_VMA_SOCKET, "[socket]" },
};

char *crimg_area_text(struct crimg_view *view, const struct crimg_task *task, const VmaEntry *vma,
                      char *out, size_t size)
{
	out[0] = '\0';
	if ((vma->status & CRIMG_VMA_FILE) != 0)
		crimg_file_text_by_id(view, (uint32_t)vma->shmid, out, size);
	else if ((vma->status & CRIMG_VMA_SYSV) != 0)
		snprintf(out, size, "System V segment %" PRIu64, vma->shmid);
	else if ((vma->status & CRIMG_VMA_ANON_SHARED) != 0)
		snprintf(out, size, "shared memory %" PRIu64, vma->shmid);
	else if (task->mm != NULL && vma->start <= task->mm->mm_start_stack
	         && task->mm->mm_start_stack < vma->end)
		snprintf(out, size, "[stack]");
	for (size_t i = 0; out[0] == '\0' && i < sizeof named / sizeof named[0]; i++)
		if ((vma->status & named[i].bit) != 0)
			snprintf(out, size, "%s", named[i].name);
	return out;
}

char *crimg_area_permissions(const VmaEntry *vma, char out[5])
{
	out[0] = (vma->prot & CRIMG_PROT_READ) != 0 ? 'r' : '-';
	out[1] = (vma->prot & CRIMG_PROT_WRITE) != 0 ? 'w' : '-';
	out[2] = (vma->prot & CRIMG_PROT_EXEC) != 0 ? 'x' : '-';
	out[3] = (vma->flags & CRIMG_MAP_SHARED) != 0 ? 's' : 'p';
	out[4] = '\0';
	return out;
}
