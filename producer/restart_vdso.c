// The vDSO of a task: this kernel's goes to where the task knows it. When the image's is that of
// another kernel, restart_bridge.c says what stands there, and this kernel's goes elsewhere.
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "format/limits.h"
#include "producer/restart_memory.h"
#include "producer/restart_vdso.h"

int crimg_restart_park_vdso(const struct crimg_restart *r, struct crimg_puppet *p,
                            const struct crimg_vdso *vdso, struct crimg_err *err)
{
	for (size_t i = 0; i < vdso->count; i++) {
		const struct crimg_vdso_part *part = &vdso->parts[i];
		uint64_t bytes = part->end - part->start;
		uint64_t to = r->stage.park + (part->start - vdso->parts[0].start);
		// Its mother, which has no vDSO, may have put it there.
		if (to != part->start
		    && CRIMG_DO(p, err, "moving the vDSO aside", NULL, SYS_mremap, part->start, bytes,
		                bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) < 0)
			return -1;
	}
	return 0;
}

bool crimg_restart_old_vdso(const struct crimg_space *space, struct crimg_old_vdso *out)
{
	*out = (struct crimg_old_vdso){ 0, 0, 0 };
	for (size_t i = 0; i < space->count; i++) {
		const struct crimg_area *a = &space->areas[i];
		if ((a->vma->status & CRIMG_VMA_VVAR) != 0 && out->data == 0)
			out->data = a->start;
		if ((a->vma->status & CRIMG_VMA_VDSO) != 0) {
			out->code = out->code == 0 ? a->start : out->code;
			out->end = a->end;
		}
	}
	return out->code != 0;
}

const struct crimg_vdso_part *crimg_vdso_code(const struct crimg_vdso *vdso)
{
	for (size_t i = vdso->count; i > 0; i--)
		if (vdso->parts[i - 1].code)
			return &vdso->parts[i - 1];
	return NULL;
}

// The bytes in the image, where it has them, against those that the kernel gave. 1: they are the same.
static int same_code(struct crimg_actor *a, const struct crimg_old_vdso *old,
                     const struct crimg_vdso_part *code, struct crimg_err *err)
{
	uint8_t page[CRIMG_PAGE_BYTES], here[CRIMG_PAGE_BYTES];
	for (uint64_t at = 0; at < code->end - code->start; at += sizeof page) {
		int rc = crimg_space_read(&a->space, old->code + at, page, sizeof page, err);
		if (rc < 0)
			return -1;
		if (rc > 0 && crimg_puppet_read(&a->puppets[0], code->start + at, here, sizeof here, err) < 0)
			return -1;
		if (rc > 0 && memcmp(page, here, sizeof page) != 0)
			return 0;
	}
	return 1;
}

int crimg_restart_check_vdso(struct crimg_restart *r, struct crimg_actor *a,
                             const struct crimg_vdso *vdso, const struct crimg_old_vdso *old,
                             struct crimg_err *err)
{
	const struct crimg_vdso_part *code = crimg_vdso_code(vdso);
	if (code == NULL || vdso->parts[vdso->count - 1].end - vdso->parts[0].start
	    > CRIMG_STAGE_PARK_BYTES)
		return crimg_restart_fail_vdso(a, "this one has no vDSO that can be moved", err);
	if (old->end - old->code == code->end - code->start
	    && (old->data == 0 || old->code - old->data == code->start - vdso->parts[0].start)) {
		int rc = same_code(a, old, code, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return crimg_restart_plan_bridge(r, a, vdso, old, err);
}

int crimg_restart_place_vdso(const struct crimg_restart *r, struct crimg_actor *a,
                             const struct crimg_vdso *vdso, const struct crimg_old_vdso *old,
                             struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	uint64_t first = vdso->parts[0].start;
	uint64_t to = a->bridge.start != 0 ? a->bridge.start
		: old->code - (crimg_vdso_code(vdso)->start - first);
	for (size_t i = 0; i < vdso->count; i++) {
		const struct crimg_vdso_part *part = &vdso->parts[i];
		uint64_t bytes = part->end - part->start, at = part->start - first;
		if (CRIMG_DO(p, err, "moving the vDSO to its place", NULL, SYS_mremap, r->stage.park + at,
		             bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to + at) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_fail_vdso(const struct crimg_actor *a, const char *why, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
	                  "task %u: the vDSO is that of another kernel (%s): restart it under the kernel "
	                  "it ran on", a->task->pid, why);
}
