// The vDSO of another kernel. Its pages, as the image has them, come to their old place as plain
// memory, for the task has their addresses everywhere; but each function begins with a jump to this
// kernel's of that name, which is mapped elsewhere. The old code would read the time from pages
// that no kernel keeps any more: they are zeros, which to every kernel's code means "ask by a
// system call", should a handler of a signal return into it.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "format/checked.h"
#include "producer/restart_memory.h"
#include "producer/restart_vdso.h"
#include "producer/vdso_redirect.h"

// Both sides of the bridge: the bytes of the image, and of this kernel where they are now. name has
// room for 64.
static int load(struct crimg_actor *a, const struct crimg_vdso_part *code, char *name,
                struct crimg_vdso_image *old, struct crimg_vdso_image *new, struct crimg_err *err)
{
	snprintf(name, 64, "the vDSO of task %u", a->task->pid);
	old->name = name;
	new->name = "this kernel's vDSO";
	old->bytes = malloc(old->length);
	new->bytes = malloc(new->length);
	if (old->bytes == NULL || new->bytes == NULL)
		return crimg_fail_nomem(err, old->length + new->length);
	int rc = crimg_space_read(&a->space, old->address, old->bytes, old->length, err);
	if (rc == 0)
		return crimg_restart_fail_vdso(a, "of which the image does not have all", err);
	return rc < 0 ? -1 : crimg_puppet_read(&a->puppets[0], code->start, new->bytes, new->length, err);
}

// As near behind the old one as neither an area of the task's nor the stage is: short jumps reach it.
static uint64_t find_place(const struct crimg_restart *r, const struct crimg_space *space,
                           uint64_t at, uint64_t bytes)
{
	while (at < CRIMG_USER_END) {
		const struct crimg_area *next = crimg_space_next(space, at);
		uint64_t end = next != NULL ? crimg_min_u64(next->start, CRIMG_USER_END) : CRIMG_USER_END;
		bool staged = at < r->stage.end && at + bytes > r->stage.start;
		if (at < end && end - at >= bytes && !staged)
			return at;
		if (next == NULL)
			break;
		at = next->end;
	}
	return crimg_restart_gap(r, space, bytes);
}

int crimg_restart_check_standing(const struct crimg_actor *a, const struct crimg_old_vdso *old,
                                 struct crimg_err *err)
{
	for (size_t i = 0; i < a->task->thread_count; i++) {
		const CoreEntry *core = a->task->threads[i].core;
		if (core == NULL || core->thread_info == NULL || core->thread_info->gpregs == NULL)
			continue;
		uint64_t ip = core->thread_info->gpregs->ip;
		if (ip >= old->code && ip < old->end)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			                  "thread %u: it is inside the vDSO, at 0x%" PRIx64
			                  ", which is that of another kernel: restart it under the kernel it "
			                  "ran on", a->task->threads[i].tid, ip);
	}
	return 0;
}

int crimg_restart_plan_bridge(struct crimg_restart *r, struct crimg_actor *a,
                              const struct crimg_vdso *vdso, const struct crimg_old_vdso *old,
                              struct crimg_err *err)
{
	const struct crimg_vdso_part *code = crimg_vdso_code(vdso);
	uint64_t first = vdso->parts[0].start, bytes = vdso->parts[vdso->count - 1].end - first;
	if (crimg_restart_is_32(a->task))
		return crimg_restart_fail_vdso(a, "those of 32-bit tasks are not bridged", err);
	if (old->end - old->code > CRIMG_STAGE_PARK_BYTES)
		return crimg_restart_fail_vdso(a, "longer than any", err);
	struct crimg_map_range place = { find_place(r, &a->space, old->end, bytes), 0 };
	place.end = place.start + bytes;
	struct crimg_vdso_image was = { .length = (size_t)(old->end - old->code), .address = old->code };
	struct crimg_vdso_image is = { .length = (size_t)(code->end - code->start),
		                       .address = place.start + (code->start - first) };
	char name[64];
	int rc = crimg_restart_check_standing(a, old, err) < 0
		|| load(a, code, name, &was, &is, err) < 0
		|| crimg_vdso_redirect(&was, &is, err) < 0 ? -1 : 0;
	free(is.bytes);
	if (rc < 0) {
		free(was.bytes);
		return -1;
	}
	a->bridge = place;
	a->bridge_code = was.bytes;
	crimg_lines_add(&r->notes, "task %u: the vDSO is that of another kernel: its functions go on in "
	                "this kernel's, which is at 0x%" PRIx64 " besides", a->task->pid, is.address);
	return 0;
}

static int map_old(struct crimg_puppet *p, const struct crimg_area *area, uint64_t prot,
                   struct crimg_err *err)
{
	return CRIMG_DO(p, err, "mapping what was the vDSO", NULL, SYS_mmap, area->start,
	                area->end - area->start, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	                UINT64_MAX, 0);
}

int crimg_restart_build_bridge(struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	struct crimg_old_vdso old;
	if (a->bridge_code == NULL || !crimg_restart_old_vdso(&a->space, &old))
		return 0;
	for (size_t i = 0; i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		bool code = (area->vma->status & CRIMG_VMA_VDSO) != 0;
		if ((code || (area->vma->status & CRIMG_VMA_VVAR) != 0)
		    && map_old(p, area, code ? PROT_READ | PROT_WRITE : PROT_READ, err) < 0)
			return -1;
	}
	if (crimg_puppet_flush(p, err) < 0
	    || crimg_puppet_write(p, old.code, a->bridge_code, old.end - old.code, err) < 0)
		return -1;
	free(a->bridge_code);
	a->bridge_code = NULL;
	return CRIMG_DO(p, err, "protecting what was the vDSO", NULL, SYS_mprotect, old.code,
	                old.end - old.code, PROT_READ | PROT_EXEC);
}
