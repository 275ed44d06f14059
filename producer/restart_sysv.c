// System V objects: made by the root of the tasks in their namespace, each under its old number, which the kernel
// takes from a sysctl. Who made it is told apart from who owns it: both may use it, so the root is the former
// for a moment.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/restart_sysv.h"

#define COPY_BYTES (1u << 20)
#define ZERO_BYTES (64u << 10)     // as much is looked at for being zero
#define LENT_MAX (CRIMG_LEND_MAX_BYTES / 2)
#define MESSAGE_HEAD_MAX 256u      // an encoded ipc_msg is of 20 bytes at most

struct maker {
	struct crimg_restart *r;
	struct crimg_puppet *p;
	uint64_t next_id;          // descriptor of the puppet's: says which number comes next
};

static const struct sort {
	enum crimg_kind kind;
	const char *what, *next_id;
} sorts[] = {
	{ CRIMG_KIND_IPCNS_SHM, "System V shared memory", "/proc/sys/kernel/shm_next_id" },
	{ CRIMG_KIND_IPCNS_SEM, "System V semaphores", "/proc/sys/kernel/sem_next_id" },
	{ CRIMG_KIND_IPCNS_MSG, "System V message queues", "/proc/sys/kernel/msg_next_id" },
};

// The namespace that they are in; 0: none of their own.
static uint32_t own_namespace(const struct crimg_restart *r)
{
	return (r->namespaces & CLONE_NEWIPC) != 0 ? r->tasks.list[0].ids->ipc_ns_id : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct crimg_segment *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

const struct crimg_segment *crimg_restart_segment(const struct crimg_restart *r, uint64_t id)
{
	struct crimg_segment key = { .id = id };
	return r->segment_count == 0 ? NULL
		: bsearch(&key, r->segments, r->segment_count, sizeof key, by_id);
}

static void load_segments(struct crimg_restart *r)
{
	struct crimg_image_object *o = crimg_image_find(r->image, CRIMG_KIND_IPCNS_SHM, own_namespace(r));
	r->segments = calloc(o->count + 1, sizeof *r->segments);
	if (r->segments == NULL) {
		r->refused.failed = true;
		return;
	}
	for (size_t i = 0; i < o->count; i++) {
		const IpcShmEntry *e = crimg_image_message(r->image, o, i, NULL);
		if (e != NULL)
			r->segments[r->segment_count++] =
				(struct crimg_segment){ e->desc->id, e->size, e->desc->mode };
		if (e != NULL && e->has_hugetlb_flag && e->hugetlb_flag != 0)
			crimg_lines_add(&r->refused, "%s: segment %u has huge pages of hugetlbfs: not restarted yet: "
			                "criu restore brings it back", o->object.name, e->desc->id);
	}
	qsort(r->segments, r->segment_count, sizeof *r->segments, by_id);
}

static void refuse_area(struct crimg_restart *r, const struct crimg_task *t, const struct crimg_area *area)
{
	const struct crimg_segment *s = crimg_restart_segment(r, area->vma->shmid);
	uint64_t offset = crimg_area_offset(area, area->start);
	if ((area->vma->status & CRIMG_VMA_SYSV) == 0)
		return;
	if (own_namespace(r) == 0)
		crimg_lines_add(&r->refused, "task %u (%s): area 0x%llx-0x%llx: System V shared memory of everybody: "
		                "it is restarted only in an ipc namespace of its own: run the program in one "
		                "(unshare --ipc)", t->pid, crimg_task_comm(t), (unsigned long long)area->start,
		                (unsigned long long)area->end);
	else if (s == NULL || offset % CRIMG_PAGE_BYTES != 0
	         || !crimg_in_range(offset, area->end - area->start,
	                            (s->size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES))
		crimg_lines_add(&r->refused, "task %u (%s): area 0x%llx-0x%llx: System V segment %llu %s: take a whole "
		                "image", t->pid, crimg_task_comm(t), (unsigned long long)area->start,
		                (unsigned long long)area->end, (unsigned long long)area->vma->shmid,
		                s == NULL ? "is missing in the image" : "ends before it");
}

void crimg_restart_refuse_sysv(struct crimg_restart *r)
{
	uint32_t own = own_namespace(r);
	for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
		for (struct crimg_image_object *o = crimg_image_first(r->image, sorts[i].kind); o != NULL;
		     o = crimg_image_next(r->image, o))
			if (o->count > 0 && (own == 0 || o->object.id != own))
				crimg_lines_add(&r->refused, "%s: %s of a namespace that the tasks are not in: not "
				                "restarted", o->object.name, sorts[i].what);
	if (own != 0 && crimg_image_find(r->image, CRIMG_KIND_IPCNS_SHM, own) != NULL)
		load_segments(r);
	for (size_t i = 0; i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].space.count; k++)
			refuse_area(r, &r->tasks.list[i], &r->actors[i].space.areas[k]);
}

static int become(struct crimg_puppet *p, int64_t user, int64_t group, bool first_group, struct crimg_err *err)
{
	const uint64_t same = UINT64_MAX;
	if (first_group && CRIMG_DO(p, err, "its maker's group", NULL, SYS_setresgid, same, (uint64_t)group, same) < 0)
		return -1;
	if (CRIMG_DO(p, err, "its maker", NULL, SYS_setresuid, same, (uint64_t)user, same) < 0)
		return -1;
	return first_group ? 0 : CRIMG_DO(p, err, "its maker's group", NULL, SYS_setresgid, same, (uint64_t)group, same);
}

// The call that makes an object: as its number and maker say.
static int make(struct maker *m, const IpcDescEntry *d, struct crimg_call call, struct crimg_err *err)
{
	char text[16];
	size_t n = (size_t)snprintf(text, sizeof text, "%u", d->id);
	bool other = d->cuid != geteuid() || d->cgid != getegid();
	call.exact = true;
	call.wanted = d->id;
	if (CRIMG_DO(m->p, err, "the number of a System V object", NULL, SYS_pwrite64, m->next_id,
	             crimg_puppet_lend(m->p, text, n), n, 0) < 0
	    || (other && become(m->p, d->cuid, d->cgid, true, err) < 0) || crimg_puppet_add(m->p, call, err) < 0)
		return -1;
	return other ? become(m->p, geteuid(), getegid(), false, err) : 0;
}

static uint64_t making_flags(const IpcDescEntry *d)
{
	return (d->mode & 0777) | IPC_CREAT | IPC_EXCL;
}

// As the kernel's ipc64_perm.
static struct ipc_perm owner(const IpcDescEntry *d)
{
	return (struct ipc_perm){ .uid = d->uid, .gid = d->gid, .mode = (mode_t)(d->mode & 0777) };
}

// Data for the puppet, which it has until its memory goes.
static int borrow(struct maker *m, const void *data, size_t length, uint64_t *at, struct crimg_err *err)
{
	int64_t result;
	struct crimg_call call = { .what = "room for the contents of System V objects", .number = SYS_mmap,
		                   .args = { 0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		                             UINT64_MAX, 0 } };
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

static int fail_contents(const struct maker *m, const char *what, const IpcDescEntry *d, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, m->r->options->path, CRIMG_NO_OFFSET,
	                  "%s %u: its contents are not those that its entry tells of: take a whole image", what, d->id);
}

// Segments

// Bytes [from, from + n) of a segment: n, or fewer; 0 of them: *hole bytes are zero.
static int read_segment(struct maker *m, const struct crimg_image_entry *entry, const IpcShmEntry *e, uint64_t from,
                        uint8_t *buf, size_t *n, uint64_t *hole, struct crimg_err *err)
{
	enum crimg_pages_state state;
	uint64_t end;
	*hole = 0;
	if (!e->has_in_pagemaps || !e->in_pagemaps)
		return crimg_image_read(m->r->image, entry->payload.number, from, buf, *n, err);
	if (crimg_memory_state(m->r->image, CRIMG_KIND_PAGEMAP_SHMEM, e->desc->id, from, &state, &end, err) < 0)
		return -1;
	if (state == CRIMG_PAGES_LOST)
		return fail_contents(m, "System V segment", e->desc, err);
	if (state == CRIMG_PAGES_NONE) {
		*n = 0;
		*hole = end - from;
		return 0;
	}
	*n = (size_t)crimg_min_u64(*n, end - from);
	return crimg_memory_read(m->r->image, CRIMG_KIND_PAGEMAP_SHMEM, e->desc->id, from, buf, *n, err) < 0 ? -1 : 0;
}

// Zeros are in a new segment already.
static int write_segment(struct maker *m, uint64_t address, const uint8_t *buf, size_t length, struct crimg_err *err)
{
	for (size_t at = 0, n; at < length; at += n) {
		n = (size_t)crimg_min_u64(ZERO_BYTES, length - at);
		if (!crimg_all_zero(buf + at, n) && crimg_puppet_write(m->p, address + at, buf + at, n, err) < 0)
			return -1;
	}
	return 0;
}

static int pour_segment(struct maker *m, const struct crimg_image_entry *entry, const IpcShmEntry *e,
                        uint64_t address, struct crimg_err *err)
{
	uint64_t pages = (e->size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES, hole;
	bool paged = e->has_in_pagemaps && e->in_pagemaps;
	uint64_t size = paged ? pages : e->size;
	uint8_t *buf = malloc(COPY_BYTES);
	int rc = buf == NULL ? crimg_fail_nomem(err, COPY_BYTES) : 0;
	if (rc == 0 && !paged && entry->payload.length < size)
		rc = fail_contents(m, "System V segment", e->desc, err);
	for (uint64_t at = 0; rc == 0 && at < size;) {
		size_t n = (size_t)crimg_min_u64(COPY_BYTES, size - at);
		rc = read_segment(m, entry, e, at, buf, &n, &hole, err);
		if (rc == 0)
			rc = write_segment(m, address + at, buf, n, err);
		if (hole >= size - at)
			break;
		at += n + hole;
	}
	free(buf);
	return rc;
}

static int make_segment(struct maker *m, const struct crimg_image_entry *entry, struct crimg_err *err)
{
	const IpcShmEntry *e = (const void *)entry->message;
	const IpcDescEntry *d = e->desc;
	struct shmid_ds set = { .shm_perm = owner(d) };
	struct crimg_call attach = { .what = "attaching a System V segment", .number = SYS_shmat, .args = { d->id } };
	int64_t at;
	if (make(m, d, (struct crimg_call){ .what = "a System V segment", .number = SYS_shmget,
	                                    .args = { d->key, e->size, making_flags(d) } }, err) < 0
	    || crimg_puppet_try(m->p, attach, &at, err) < 0)
		return -1;
	if (at < 0 && at >= -4095)
		return crimg_puppet_fail(m->p, &attach, at, err);
	if (pour_segment(m, entry, e, (uint64_t)at, err) < 0
	    || CRIMG_DO(m->p, err, "detaching a System V segment", NULL, SYS_shmdt, (uint64_t)at) < 0)
		return -1;
	return CRIMG_DO(m->p, err, "the owner of a System V segment", NULL, SYS_shmctl, d->id, IPC_SET,
	                crimg_puppet_lend(m->p, &set, sizeof set));
}

// Semaphores

static int make_semaphores(struct maker *m, const struct crimg_image_entry *entry, struct crimg_err *err)
{
	const IpcSemEntry *e = (const void *)entry->message;
	const IpcDescEntry *d = e->desc;
	struct semid_ds set = { .sem_perm = owner(d) };
	size_t bytes = 2 * (size_t)e->nsems;
	uint64_t at = 0;
	if (bytes > entry->payload.length)
		return fail_contents(m, "System V semaphores", d, err);
	if (make(m, d, (struct crimg_call){ .what = "System V semaphores", .number = SYS_semget,
	                                    .args = { d->key, e->nsems, making_flags(d) } }, err) < 0)
		return -1;
	uint8_t *values = malloc(bytes + 1);
	if (values == NULL)
		return crimg_fail_nomem(err, bytes);
	int rc = crimg_image_read(m->r->image, entry->payload.number, 0, values, bytes, err);
	if (rc == 0)
		rc = borrow(m, values, bytes, &at, err);
	free(values);
	if (rc < 0 || CRIMG_DO(m->p, err, "the values of System V semaphores", NULL, SYS_semctl, d->id, 0, SETALL, at) < 0)
		return -1;
	return CRIMG_DO(m->p, err, "the owner of System V semaphores", NULL, SYS_semctl, d->id, 0, IPC_SET,
	                crimg_puppet_lend(m->p, &set, sizeof set));
}

// Queues

struct message {
	uint64_t type, at;  // where its text begins in the payload
	uint32_t bytes;
};

// The message at *at, which moves behind it.
static int next_message(struct maker *m, const struct crimg_image_entry *entry, uint64_t *at, struct message *out,
                        struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	uint8_t head[4 + MESSAGE_HEAD_MAX];
	uint64_t length = entry->payload.length;
	struct crimg_image *image = m->r->image;
	if (!crimg_in_range(*at, 4, length))
		return fail_contents(m, "System V message queue", e->desc, err);
	if (crimg_image_read(image, entry->payload.number, *at, head, 4, err) < 0)
		return -1;
	uint32_t size = crimg_get_u32(head);
	if (size > MESSAGE_HEAD_MAX || !crimg_in_range(*at + 4, size, length))
		return fail_contents(m, "System V message queue", e->desc, err);
	if (crimg_image_read(image, entry->payload.number, *at + 4, head + 4, size, err) < 0)
		return -1;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const void *decoded = crimg_message_decode(&ipc_msg__descriptor, head + 4, size, &arena, "ipc_msg", *at, err);
	const IpcMsg *text = decoded;
	if (text != NULL)
		*out = (struct message){ text->mtype, *at + 4 + size, text->msize };
	crimg_arena_fini(&arena);
	if (text == NULL)
		return -1;
	if (!crimg_in_range(out->at, out->bytes, length))
		return fail_contents(m, "System V message queue", e->desc, err);
	*at = out->at + ((uint64_t)out->bytes + 7) / 8 * 8;
	return 0;
}

static int send(struct maker *m, const struct crimg_image_entry *entry, const struct message *message,
                struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	size_t length = 8 + (size_t)message->bytes;
	uint64_t at = 0;
	uint8_t *buf = malloc(length);
	if (buf == NULL)
		return crimg_fail_nomem(err, length);
	crimg_put_u64(buf, message->type);
	int rc = crimg_image_read(m->r->image, entry->payload.number, message->at, buf + 8, message->bytes, err);
	if (rc == 0)
		rc = borrow(m, buf, length, &at, err);
	free(buf);
	return rc < 0 ? -1 : CRIMG_DO(m->p, err, "a message of a System V queue", NULL, SYS_msgsnd, e->desc->id, at,
	                              message->bytes, IPC_NOWAIT);
}

static int set_queue(struct maker *m, const IpcDescEntry *d, uint64_t bytes, struct crimg_err *err)
{
	struct msqid_ds set = { .msg_perm = owner(d), .msg_qbytes = bytes };
	return CRIMG_DO(m->p, err, "the owner and room of a System V queue", NULL, SYS_msgctl, d->id, IPC_SET,
	                crimg_puppet_lend(m->p, &set, sizeof set));
}

static int make_queue(struct maker *m, const struct crimg_image_entry *entry, struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	struct message message;
	uint64_t at = 0, bytes = 0;
	for (uint32_t i = 0; i < e->qnum; i++, bytes += message.bytes)
		if (next_message(m, entry, &at, &message, err) < 0)
			return -1;
	// A queue that was made smaller afterwards may hold more than it takes.
	if (make(m, e->desc, (struct crimg_call){ .what = "a System V queue", .number = SYS_msgget,
	                                          .args = { e->desc->key, making_flags(e->desc) } }, err) < 0
	    || set_queue(m, e->desc, bytes > e->qbytes ? bytes : e->qbytes, err) < 0)
		return -1;
	at = 0;
	for (uint32_t i = 0; i < e->qnum; i++)
		if (next_message(m, entry, &at, &message, err) < 0 || send(m, entry, &message, err) < 0)
			return -1;
	return bytes > e->qbytes ? set_queue(m, e->desc, e->qbytes, err) : 0;
}

static int make_object(struct maker *m, const struct sort *sort, const struct crimg_image_entry *entry,
                       struct crimg_err *err)
{
	switch (sort->kind) {
	case CRIMG_KIND_IPCNS_SHM: return make_segment(m, entry, err);
	case CRIMG_KIND_IPCNS_SEM: return make_semaphores(m, entry, err);
	default: return make_queue(m, entry, err);
	}
}

static int make_sort(struct maker *m, const struct sort *sort, struct crimg_image_object *o, struct crimg_err *err)
{
	struct crimg_call call = { .what = "opening", .object = sort->next_id, .number = SYS_open };
	int64_t fd;
	call.args[0] = crimg_puppet_lend(m->p, sort->next_id, strlen(sort->next_id) + 1);
	call.args[1] = O_WRONLY | O_CLOEXEC;
	if (crimg_puppet_try(m->p, call, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return crimg_puppet_fail(m->p, &call, fd, err);
	m->next_id = (uint64_t)fd;
	for (size_t i = 0; i < o->count; i++) {
		if (o->entries[i].tail)
			continue;
		if (crimg_image_message(m->r->image, o, i, err) == NULL)
			return err->code != CRIMG_OK ? -1
				: crimg_fail(err, CRIMG_E_FORMAT, o->origin, o->entries[i].offset,
				             "an entry that cannot be decoded found, one of %s wanted", sort->what);
		if (make_object(m, sort, &o->entries[i], err) < 0)
			return -1;
	}
	return CRIMG_DO(m->p, err, "closing", NULL, SYS_close, m->next_id);
}

int crimg_restart_make_sysv(struct crimg_restart *r, struct crimg_puppet *p, struct crimg_err *err)
{
	struct maker m = { .r = r, .p = p };
	for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
		struct crimg_image_object *o = crimg_image_find(r->image, sorts[i].kind, own_namespace(r));
		if (o != NULL && o->count > 0 && make_sort(&m, &sorts[i], o, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_seal_sysv(struct crimg_restart *r, struct crimg_puppet *p, struct crimg_err *err)
{
	for (size_t i = 0; i < r->segment_count; i++) {
		const struct crimg_segment *s = &r->segments[i];
		if ((s->mode & SHM_LOCKED) != 0
		    && CRIMG_DO(p, err, "locking a System V segment", NULL, SYS_shmctl, s->id, SHM_LOCK, 0) < 0)
			return -1;
		if ((s->mode & SHM_DEST) != 0
		    && CRIMG_DO(p, err, "removing a System V segment", NULL, SYS_shmctl, s->id, IPC_RMID, 0) < 0)
			return -1;
	}
	return 0;
}
