// What of tasks and their memory cannot be restarted: said with the object and advice, before anything is
// created. What of open files: restart_refuse_files.c.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"
#include "producer/restart_parts.h"

#define USER_END UINT64_C(0x7ffffffff000) // of addresses that a task may have mapped

static void refuse(struct crimg_restart *r, const struct crimg_task *t, const char *what,
                   const char *advice)
{
	crimg_lines_add(&r->refused, "task %u (%s): %s: %s", t->pid, crimg_task_comm(t), what,
	                advice);
}

// Kinds of objects that belong to no task.
static void refuse_objects(struct crimg_restart *r)
{
	static const struct {
		enum crimg_kind kind;
		const char *what, *advice;
	} rows[] = {
		{ CRIMG_KIND_BPFMAP_DATA, "BPF maps", "criu restore brings them back" },
		{ CRIMG_KIND_AUTOFS, "autofs mounts", "criu restore brings them back" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct crimg_image_object *o = crimg_image_first(r->image, rows[i].kind);
		if (o != NULL && o->count > 0)
			crimg_lines_add(&r->refused, "%s: %s: not restarted yet: %s", o->object.name,
			                rows[i].what, rows[i].advice);
	}
}

static void refuse_area(struct crimg_restart *r, const struct crimg_task *t, const struct crimg_area *a)
{
	static const struct {
		uint32_t bits;
		const char *what;
	} rows[] = {
		{ CRIMG_VMA_SOCKET, "a mapped socket" }, { CRIMG_VMA_AIO, "a ring of asynchronous I/O" },
		{ CRIMG_VMA_SHADOW_STACK, "a shadow stack" }, { 1u << 17, "a page of uprobes" },
		{ 1u << 27, "memory of a plugin" },
	};
	const VmaEntry *v = a->vma;
	const char *what = NULL;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((v->status & rows[i].bits) != 0)
			what = rows[i].what;
	if ((v->flags & 0x40000) != 0)
		what = "huge pages of hugetlbfs";
	if ((v->status & CRIMG_VMA_VSYSCALL) == 0
	    && (a->end > USER_END || ((a->start | a->end) & (CRIMG_PAGE_BYTES - 1)) != 0))
		what = "an address that no task can have";
	if (what != NULL)
		crimg_lines_add(&r->refused,
		                "task %u (%s): area 0x%" PRIx64 "-0x%" PRIx64
		                ": %s: not restarted yet: criu restore may do it",
		                t->pid, crimg_task_comm(t), a->start, a->end, what);
}

static void refuse_memory(struct crimg_restart *r, const struct crimg_actor *a)
{
	const struct crimg_task *t = a->task;
	if (t->mm == NULL) {
		refuse(r, t, "the image has no memory of it", "take a whole image");
		return;
	}
	if (t->mm->n_aios > 0)
		refuse(r, t, "uses asynchronous I/O", "that is not restarted yet; criu restore does");
	for (size_t i = 0; i < a->space.count; i++)
		refuse_area(r, t, &a->space.areas[i]);
}

static void refuse_thread(struct crimg_restart *r, const struct crimg_task *t,
                          const struct crimg_thread *thread)
{
	const CoreEntry *core = thread->core;
	const ThreadInfoX86 *info = core != NULL ? core->thread_info : NULL;
	const CredsEntry *creds = core != NULL && core->thread_core != NULL
		? core->thread_core->creds : NULL;
	if (info == NULL || core->mtype != CORE_ENTRY__MARCH__X86_64 || info->gpregs == NULL) {
		refuse(r, t, "has no registers of an x86-64 CPU", "restart it where it ran");
		return;
	}
	if (creds != NULL && creds->lsm_profile != NULL && creds->lsm_profile[0] != '\0'
	    && strcmp(creds->lsm_profile, "unconfined") != 0)
		refuse(r, t, "is confined by a security module",
		       "such a profile is not restarted yet; criu restore does");
	crimg_restart_refuse_regs(r, t, thread);
}

static void refuse_32(struct crimg_restart *r)
{
	for (size_t i = 0; i < r->tasks.count; i++)
		if (crimg_restart_is_32(&r->tasks.list[i])) {
			if (!crimg_restart_can_32())
				refuse(r, &r->tasks.list[i], "runs 32-bit code",
				       "this kernel runs none: restart it under one with CONFIG_IA32_EMULATION, not "
				       "switched off (ia32_emulation=0)");
			return;
		}
}

static void refuse_task(struct crimg_restart *r, size_t i)
{
	const struct crimg_actor *a = &r->actors[i];
	const struct crimg_task *t = a->task;
	if (t->core == NULL || t->core->tc == NULL) {
		refuse(r, t, "the image has no core of it", "take a whole image");
		return;
	}
	if (t->state == CRIMG_TASK_DEAD) {
		if (t->parent == CRIMG_NO_TASK)
			refuse(r, t, "is dead", "there is nothing to restart");
		return;
	}
	if (t->state != CRIMG_TASK_ALIVE && t->state != CRIMG_TASK_STOPPED)
		refuse(r, t, "has an unknown state", "was the image made by something newer?");
	refuse_memory(r, a);
	for (size_t k = 0; k < t->thread_count; k++)
		refuse_thread(r, t, &t->threads[k]);
}

void crimg_restart_refuse_tasks(struct crimg_restart *r)
{
	refuse_objects(r);
	crimg_restart_refuse_namespaces(r);
	refuse_32(r);
	for (size_t i = 0; i < r->tasks.count; i++)
		refuse_task(r, i);
	for (size_t i = 0; i < r->tasks.count; i++)
		if (i > 0 && r->tasks.list[i].parent == CRIMG_NO_TASK)
			refuse(r, &r->tasks.list[i], "has no parent in the image",
			       "an image of one tree is wanted");
}
