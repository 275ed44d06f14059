#include "format/area_words.h"

#include <inttypes.h>
#include <stdio.h>

#include "format/file_words.h"

static const struct {
	uint32_t bit;
	const char *name;
} named[] = {
	{ CRIMG_VMA_VSYSCALL, "[vsyscall]" }, { CRIMG_VMA_VDSO, "[vdso]" },
	{ CRIMG_VMA_VVAR, "[vvar]" },         { CRIMG_VMA_HEAP, "[heap]" },
	{ CRIMG_VMA_AIO, "[aio]" },           { CRIMG_VMA_SOCKET, "[socket]" },
};

static void file_area(struct crimg_image *image, const struct crimg_files *files, const VmaEntry *vma,
                      char *out, size_t size, struct crimg_err *damage)
{
	struct crimg_file_words words;
	crimg_file_words_by_id(image, files, (uint32_t)vma->shmid, &words, damage);
	snprintf(out, size, words.note[0] != '\0' ? "%s (%s)" : "%s", words.name, words.note);
}

char *crimg_area_words(struct crimg_image *image, const struct crimg_files *files,
                       const struct crimg_task *task, const VmaEntry *vma, char *out, size_t size,
                       struct crimg_err *damage)
{
	out[0] = '\0';
	if ((vma->status & CRIMG_VMA_FILE) != 0)
		file_area(image, files, vma, out, size, damage);
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
