// System V objects: which are made, by the root of the tasks, in their namespace, each under its
// old number, which the kernel takes from a sysctl. Who made an object may use it like its owner,
// so the root is whoever did for a moment. What is in them: restart_objects.c.
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/restart_sysv.h"

#define LENT_MAX (CRIMG_LEND_MAX_BYTES / 2)

static const struct sort {
	enum crimg_kind kind;
	const char *what, *next_id;
	int (*make)(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
		    struct crimg_err *err);
} sorts[] = {
	{ CRIMG_KIND_IPCNS_SHM, "System V shared memory", "/proc/sys/kernel/shm_next_id",
	  crimg_sysv_segment },
	{ CRIMG_KIND_IPCNS_SEM, "System V semaphores", "/proc/sys/kernel/sem_next_id",
	  crimg_sysv_semaphores },
	{ CRIMG_KIND_IPCNS_MSG, "System V message queues", "/proc/sys/kernel/msg_next_id",
	  crimg_sysv_queue },
};

// The namespace that they are in; 0: none of their own.
static uint32_t own_namespace(const struct crimg_restart *r)
{
	return (r->namespaces & CLONE_NEWIPC) != 0 ? r->tasks.list[0].ids->ipc_ns_id : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct crimg_sysv *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

const struct crimg_sysv *crimg_restart_sysv(const struct crimg_restart *r, uint64_t id)
{
	struct crimg_sysv key = { .id = id };
	return r->segment_count == 0
		       ? NULL
		       : bsearch(&key, r->segments, r->segment_count, sizeof key, by_id);
}

static void load_segments(struct crimg_restart *r, struct crimg_image_object *o)
{
	r->segments = calloc(o->count + 1, sizeof *r->segments);
	if (r->segments == NULL) {
		r->refused.failed = true;
		return;
	}
	for (size_t i = 0; i < o->count; i++) {
		const IpcShmEntry *e = crimg_image_message(r->image, o, i, NULL);
		if (e == NULL)
			continue; // told when it is to be made
		r->segments[r->segment_count++] =
			(struct crimg_sysv){ e->desc->id, e->size, e->desc->mode };
		if (e->has_hugetlb_flag && e->hugetlb_flag != 0)
			crimg_lines_add(&r->refused,
					"%s: segment %u has huge pages of hugetlbfs: not "
					"restarted yet: criu restore brings it back",
					o->object.name, e->desc->id);
	}
	qsort(r->segments, r->segment_count, sizeof *r->segments, by_id);
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
}

// Why an area of a segment cannot be, or NULL.
static const char *fault_of(const struct crimg_restart *r, const struct crimg_area *area)
{
	const struct crimg_sysv *s = crimg_restart_sysv(r, area->vma->shmid);
	uint64_t offset = crimg_area_offset(area, area->start);
	if (own_namespace(r) == 0)
		return "System V shared memory of everybody: restarted only in an ipc namespace of "
		       "its "
		       "own: run the program in one (unshare --ipc)";
	if (s == NULL)
		return "its System V segment is missing in the image: take a whole image";
	if (offset % CRIMG_PAGE_BYTES != 0
	    || !crimg_in_range(offset, area->end - area->start, whole_pages(s->size)))
		return "its System V segment ends before it: take a whole image";
	return NULL;
}

static void refuse_areas(struct crimg_restart *r, const struct crimg_actor *a)
{
	for (size_t i = 0; i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		const char *why =
			(area->vma->status & CRIMG_VMA_SYSV) == 0 ? NULL : fault_of(r, area);
		if (why != NULL)
			crimg_lines_add(&r->refused,
					"task %u (%s): area 0x%" PRIx64 "-0x%" PRIx64 ": %s",
					a->task->pid, crimg_task_comm(a->task), area->start,
					area->end, why);
	}
}

void crimg_restart_refuse_sysv(struct crimg_restart *r)
{
	uint32_t own = own_namespace(r);
	struct crimg_image_object *o;
	for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
		for (o = crimg_image_first(r->image, sorts[i].kind); o != NULL;
		     o = crimg_image_next(r->image, o))
			if (o->count > 0 && (own == 0 || o->object.id != own))
				crimg_lines_add(
					&r->refused,
					"%s: %s of a namespace that the tasks are not in: not "
					"restarted",
					o->object.name, sorts[i].what);
	o = own != 0 ? crimg_image_find(r->image, CRIMG_KIND_IPCNS_SHM, own) : NULL;
	if (o != NULL)
		load_segments(r, o);
	for (size_t i = 0; i < r->tasks.count; i++)
		refuse_areas(r, &r->actors[i]);
}

static int set_group(struct crimg_puppet *p, uint32_t group, struct crimg_err *err)
{
	return CRIMG_DO(p, err, "its maker's group", NULL, SYS_setresgid, UINT64_MAX, group,
			UINT64_MAX);
}

static int set_user(struct crimg_puppet *p, uint32_t user, struct crimg_err *err)
{
	return CRIMG_DO(p, err, "its maker", NULL, SYS_setresuid, UINT64_MAX, user, UINT64_MAX);
}

int crimg_sysv_make(struct crimg_sysv_maker *m, const IpcDescEntry *d, struct crimg_call call,
		    struct crimg_err *err)
{
	char text[16];
	size_t n = (size_t)snprintf(text, sizeof text, "%u", d->id);
	bool other = d->cuid != geteuid() || d->cgid != getegid();
	call.exact = true;
	call.wanted = d->id;
	if (CRIMG_DO(m->p, err, "the number of a System V object", NULL, SYS_pwrite64, m->next_id,
		     crimg_puppet_lend(m->p, text, n), n, 0)
	    < 0)
		return -1;
	// The group first, while it may; and back the other way.
	if (other && (set_group(m->p, d->cgid, err) < 0 || set_user(m->p, d->cuid, err) < 0))
		return -1;
	if (crimg_puppet_add(m->p, call, err) < 0)
		return -1;
	return other && (set_user(m->p, geteuid(), err) < 0 || set_group(m->p, getegid(), err) < 0)
		       ? -1
		       : 0;
}

int crimg_sysv_borrow(struct crimg_sysv_maker *m, const void *data, size_t length, uint64_t *at,
		      struct crimg_err *err)
{
	int64_t result;
	struct crimg_call call = {
		.what = "room for the contents of System V objects",
		.number = SYS_mmap,
		.args = { 0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  UINT64_MAX },
	};
	if (length <= LENT_MAX) {
		*at = crimg_puppet_lend(m->p, data, length);
		return 0;
	}
	if (crimg_puppet_try(m->p, call, &result, err) < 0)
		return -1;
	if (result < 0)
		return crimg_puppet_fail(m->p, &call, result, err);
	*at = (uint64_t)result;
	return crimg_puppet_write(m->p, *at, data, length, err);
}

static int open_next_id(struct crimg_sysv_maker *m, const char *path, struct crimg_err *err)
{
	struct crimg_call call = { .what = "opening", .object = path, .number = SYS_open };
	int64_t fd;
	call.args[0] = crimg_puppet_lend(m->p, path, strlen(path) + 1);
	call.args[1] = O_WRONLY | O_CLOEXEC;
	if (crimg_puppet_try(m->p, call, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return crimg_puppet_fail(m->p, &call, fd, err);
	m->next_id = (uint64_t)fd;
	return 0;
}

static int make_sort(struct crimg_sysv_maker *m, const struct sort *sort,
		     struct crimg_image_object *o, struct crimg_err *err)
{
	if (open_next_id(m, sort->next_id, err) < 0)
		return -1;
	for (size_t i = 0; i < o->count; i++) {
		if (o->entries[i].tail)
			continue;
		if (crimg_image_message(m->r->image, o, i, err) == NULL)
			return err->code != CRIMG_OK ? -1
						     : crimg_fail(err, CRIMG_E_FORMAT, o->origin,
								  o->entries[i].offset,
								  "an entry that cannot be decoded "
								  "found, one of %s wanted",
								  sort->what);
		if (sort->make(m, &o->entries[i], err) < 0)
			return -1;
	}
	return CRIMG_DO(m->p, err, "closing", NULL, SYS_close, m->next_id);
}

int crimg_restart_make_sysv(struct crimg_restart *r, struct crimg_puppet *p, struct crimg_err *err)
{
	struct crimg_sysv_maker m = { .r = r, .p = p };
	for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
		struct crimg_image_object *o =
			crimg_image_find(r->image, sorts[i].kind, own_namespace(r));
		if (o != NULL && o->count > 0 && make_sort(&m, &sorts[i], o, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_seal_sysv(struct crimg_restart *r, struct crimg_puppet *p, struct crimg_err *err)
{
	for (size_t i = 0; i < r->segment_count; i++) {
		const struct crimg_sysv *s = &r->segments[i];
		if ((s->mode & SHM_LOCKED) != 0
		    && CRIMG_DO(p, err, "locking a System V segment", NULL, SYS_shmctl, s->id,
				SHM_LOCK, 0)
			       < 0)
			return -1;
		if ((s->mode & SHM_DEST) != 0
		    && CRIMG_DO(p, err, "removing a System V segment", NULL, SYS_shmctl, s->id,
				IPC_RMID, 0)
			       < 0)
			return -1;
	}
	return 0;
}
