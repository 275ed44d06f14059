// The three sorts of System V objects, each with what is in it.
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/restart_sysv.h"

#define COPY_BYTES (1u << 20)
#define ZERO_BYTES (64u << 10) // as much is looked at for being zero
#define MESSAGE_HEAD_MAX 256u  // an encoded ipc_msg is of 20 bytes at most

static uint64_t making_flags(const IpcDescEntry *d)
{
	return (d->mode & 0777) | IPC_CREAT | IPC_EXCL;
}

// As the kernel's ipc64_perm.
static struct ipc_perm owner(const IpcDescEntry *d)
{
	return (struct ipc_perm){ .uid = d->uid, .gid = d->gid, .mode = (mode_t)(d->mode & 0777) };
}

static int fail_contents(const struct crimg_sysv_maker *m, const char *what, const IpcDescEntry *d,
			 struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, m->r->options->path, CRIMG_NO_OFFSET,
			  "%s %u: its contents are not those that its entry tells of: take a whole "
			  "image",
			  what, d->id);
}

// A segment on its way into the puppet.
struct pouring {
	struct crimg_sysv_maker *m;
	const IpcShmEntry *e;
	struct crimg_payload_ref old; // contents behind the entry, as CRIU 2 wrote them
	bool paged;                   // else there
	uint64_t address;
	uint8_t *buf;
};

// Up to *n bytes at offset from; or none, when *hole bytes are zero.
static int read_some(struct pouring *p, uint64_t from, size_t *n, uint64_t *hole,
		     struct crimg_err *err)
{
	struct crimg_image *image = p->m->r->image;
	enum crimg_pages_state state;
	uint64_t end, id = p->e->desc->id;
	*hole = 0;
	if (!p->paged)
		return crimg_image_read(image, p->old.number, from, p->buf, *n, err);
	if (crimg_memory_state(image, CRIMG_KIND_PAGEMAP_SHMEM, id, from, &state, &end, err) < 0)
		return -1;
	if (state == CRIMG_PAGES_LOST)
		return fail_contents(p->m, "System V segment", p->e->desc, err);
	if (state == CRIMG_PAGES_NONE) {
		*n = 0;
		*hole = end - from;
		return 0;
	}
	*n = (size_t)crimg_min_u64(*n, end - from);
	return crimg_memory_read(image, CRIMG_KIND_PAGEMAP_SHMEM, id, from, p->buf, *n, err) < 0
		       ? -1
		       : 0;
}

// Zeros are in a new segment already.
static int write_some(struct pouring *p, uint64_t to, size_t length, struct crimg_err *err)
{
	for (size_t at = 0, n; at < length; at += n) {
		n = (size_t)crimg_min_u64(ZERO_BYTES, length - at);
		if (!crimg_all_zero(p->buf + at, n)
		    && crimg_puppet_write(p->m->p, p->address + to + at, p->buf + at, n, err) < 0)
			return -1;
	}
	return 0;
}

static int pour(struct pouring *p, struct crimg_err *err)
{
	uint64_t size = p->e->size, hole;
	if (p->paged)
		size = (size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	else if (p->old.length < size)
		return fail_contents(p->m, "System V segment", p->e->desc, err);
	for (uint64_t at = 0; at < size;) {
		size_t n = (size_t)crimg_min_u64(COPY_BYTES, size - at);
		if (read_some(p, at, &n, &hole, err) < 0 || write_some(p, at, n, err) < 0)
			return -1;
		if (hole >= size - at)
			break;
		at += n + hole;
	}
	return 0;
}

static int fill_segment(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
			struct crimg_err *err)
{
	const IpcShmEntry *e = (const void *)entry->message;
	struct pouring p = { m, e, entry->payload, e->has_in_pagemaps && e->in_pagemaps, 0, NULL };
	struct crimg_call attach = { .what = "attaching a System V segment",
				     .number = SYS_shmat,
				     .args = { e->desc->id } };
	int64_t at;
	if (crimg_puppet_try(m->p, attach, &at, err) < 0)
		return -1;
	if (at < 0)
		return crimg_puppet_fail(m->p, &attach, at, err);
	p.address = (uint64_t)at;
	p.buf = malloc(COPY_BYTES);
	int rc = p.buf != NULL ? pour(&p, err) : crimg_fail_nomem(err, COPY_BYTES);
	free(p.buf);
	if (rc < 0)
		return -1;
	return CRIMG_DO(m->p, err, "detaching a System V segment", NULL, SYS_shmdt, p.address);
}

int crimg_sysv_segment(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
		       struct crimg_err *err)
{
	const IpcShmEntry *e = (const void *)entry->message;
	const IpcDescEntry *d = e->desc;
	struct shmid_ds set = { .shm_perm = owner(d) };
	struct crimg_call get = { .what = "a System V segment",
				  .number = SYS_shmget,
				  .args = { d->key, e->size, making_flags(d) } };
	if (crimg_sysv_make(m, d, get, err) < 0 || fill_segment(m, entry, err) < 0)
		return -1;
	return CRIMG_DO(m->p, err, "the owner of a System V segment", NULL, SYS_shmctl, d->id,
			IPC_SET, crimg_puppet_lend(m->p, &set, sizeof set));
}

static int set_values(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
		      struct crimg_err *err)
{
	const IpcSemEntry *e = (const void *)entry->message;
	size_t bytes = 2 * (size_t)e->nsems;
	uint64_t at = 0;
	uint8_t *values = malloc(bytes + 1);
	if (values == NULL)
		return crimg_fail_nomem(err, bytes);
	int rc = crimg_image_read(m->r->image, entry->payload.number, 0, values, bytes, err);
	if (rc == 0)
		rc = crimg_sysv_borrow(m, values, bytes, &at, err);
	free(values);
	return rc < 0 ? -1
		      : CRIMG_DO(m->p, err, "the values of System V semaphores", NULL, SYS_semctl,
				 e->desc->id, 0, SETALL, at);
}

int crimg_sysv_semaphores(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
			  struct crimg_err *err)
{
	const IpcSemEntry *e = (const void *)entry->message;
	const IpcDescEntry *d = e->desc;
	struct semid_ds set = { .sem_perm = owner(d) };
	struct crimg_call get = { .what = "System V semaphores",
				  .number = SYS_semget,
				  .args = { d->key, e->nsems, making_flags(d) } };
	if (2 * (uint64_t)e->nsems > entry->payload.length)
		return fail_contents(m, "System V semaphores", d, err);
	if (crimg_sysv_make(m, d, get, err) < 0 || set_values(m, entry, err) < 0)
		return -1;
	return CRIMG_DO(m->p, err, "the owner of System V semaphores", NULL, SYS_semctl, d->id, 0,
			IPC_SET, crimg_puppet_lend(m->p, &set, sizeof set));
}

struct message {
	uint64_t type, at; // where its text begins in the payload
	uint32_t bytes;
};

// Its head: a length, and an ipc_msg of as many bytes, which head has room for.
static int read_head(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry, uint64_t at,
		     uint8_t head[MESSAGE_HEAD_MAX], uint32_t *length, struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	struct crimg_image *image = m->r->image;
	uint8_t size[4];
	if (!crimg_in_range(at, sizeof size, entry->payload.length))
		return fail_contents(m, "System V message queue", e->desc, err);
	if (crimg_image_read(image, entry->payload.number, at, size, sizeof size, err) < 0)
		return -1;
	*length = crimg_get_u32(size);
	if (*length > MESSAGE_HEAD_MAX || !crimg_in_range(at + 4, *length, entry->payload.length))
		return fail_contents(m, "System V message queue", e->desc, err);
	return crimg_image_read(image, entry->payload.number, at + 4, head, *length, err);
}

// The message at *at, which moves behind it.
static int next_message(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
			uint64_t *at, struct message *out, struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	uint8_t head[MESSAGE_HEAD_MAX];
	uint32_t length = 0;
	if (read_head(m, entry, *at, head, &length, err) < 0)
		return -1;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const void *decoded = crimg_message_decode(&ipc_msg__descriptor, head, length, &arena,
						   "ipc_msg", *at, err);
	const IpcMsg *text = decoded;
	if (text != NULL)
		*out = (struct message){ text->mtype, *at + 4 + length, text->msize };
	crimg_arena_fini(&arena);
	if (text == NULL)
		return -1;
	if (!crimg_in_range(out->at, out->bytes, entry->payload.length))
		return fail_contents(m, "System V message queue", e->desc, err);
	*at = out->at + ((uint64_t)out->bytes + 7) / 8 * 8;
	return 0;
}

static int send(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
		const struct message *message, struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	size_t length = 8 + (size_t)message->bytes;
	uint64_t at = 0;
	uint8_t *buf = malloc(length);
	if (buf == NULL)
		return crimg_fail_nomem(err, length);
	crimg_put_u64(buf, message->type);
	int rc = crimg_image_read(m->r->image, entry->payload.number, message->at, buf + 8,
				  message->bytes, err);
	if (rc == 0)
		rc = crimg_sysv_borrow(m, buf, length, &at, err);
	free(buf);
	return rc < 0 ? -1
		      : CRIMG_DO(m->p, err, "a message of a System V queue", NULL, SYS_msgsnd,
				 e->desc->id, at, message->bytes, IPC_NOWAIT);
}

static int set_queue(struct crimg_sysv_maker *m, const IpcDescEntry *d, uint64_t bytes,
		     struct crimg_err *err)
{
	struct msqid_ds set = { .msg_perm = owner(d), .msg_qbytes = bytes };
	return CRIMG_DO(m->p, err, "the owner and room of a System V queue", NULL, SYS_msgctl,
			d->id, IPC_SET, crimg_puppet_lend(m->p, &set, sizeof set));
}

int crimg_sysv_queue(struct crimg_sysv_maker *m, const struct crimg_image_entry *entry,
		     struct crimg_err *err)
{
	const IpcMsgEntry *e = (const void *)entry->message;
	const IpcDescEntry *d = e->desc;
	struct crimg_call get = { .what = "a System V queue",
				  .number = SYS_msgget,
				  .args = { d->key, making_flags(d) } };
	struct message message;
	uint64_t at = 0, bytes = 0;
	for (uint32_t i = 0; i < e->qnum; i++, bytes += message.bytes)
		if (next_message(m, entry, &at, &message, err) < 0)
			return -1;
	// One that was made smaller afterwards may hold more than it takes.
	if (crimg_sysv_make(m, d, get, err) < 0
	    || set_queue(m, d, bytes > e->qbytes ? bytes : e->qbytes, err) < 0)
		return -1;
	at = 0;
	for (uint32_t i = 0; i < e->qnum; i++)
		if (next_message(m, entry, &at, &message, err) < 0
		    || send(m, entry, &message, err) < 0)
			return -1;
	return bytes > e->qbytes ? set_queue(m, d, e->qbytes, err) : 0;
}
