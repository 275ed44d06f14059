// System V IPC: segments, queues and semaphores of a namespace, in this order.
#include <string.h>

#include "format/limits.h"
#include "writers/kstream.h"

#define IDS_PER_SEQUENCE 32768u
#define NO_USER UINT32_MAX         // who locked a segment
#define FIRST_PIECE (CRIMG_PAGE_BYTES - 48u) // of a message: behind the kernel's own head
#define NEXT_PIECE (CRIMG_PAGE_BYTES - 8u)
#define SEMAPHORE_BYTES 24u        // the kernel's structure: value, pid, a list's two pointers

static void put_perms(struct kstream_out *o, const IpcDescEntry *e)
{
	kstream_zeros(o, CRIMG_LCR_PERMS_ID);
	kstream_u32(o, e->id);
	kstream_u32(o, e->key);
	kstream_u32(o, e->uid);
	kstream_u32(o, e->gid);
	kstream_u32(o, e->cuid);
	kstream_u32(o, e->cgid);
	kstream_u32(o, e->mode);
	kstream_u32(o, 0);
	kstream_u64(o, e->id / IDS_PER_SEQUENCE);
	kstream_u64(o, 0); // security label
}

static void put_segment(struct kstream *k, const struct crimg_image_entry *entry, const void *message)
{
	struct kstream_out *o = &k->out;
	const IpcShmEntry *e = message;
	int32_t inode = kstream_segment(k, e->desc->id, NULL);
	kstream_begin(o, CRIMG_LCR_IPC_SHM);
	put_perms(o, e->desc);
	kstream_u64(o, e->size);
	kstream_zeros(o, 3 * 8 + 2 * 4); // times, pids
	kstream_u32(o, NO_USER);
	kstream_u32(o, 0);
	kstream_ref(o, inode);
	kstream_u32(o, 0);
	kstream_end(o);
	kstream_sysv_pages(k, e->desc->id, entry, e);
	if (e->hugetlb_flag != 0)
		kstream_lose(k, "ipcns-shm", "hugetlb_flag", "segment %u gets pages of usual size", e->desc->id);
}

// A message and its text, in pieces as the kernel holds it. Returns false when there is none at *at.
static bool put_message(struct kstream *k, const uint8_t *bytes, uint64_t length, uint64_t *at)
{
	struct kstream_out *o = &k->out;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const IpcMsg *m = NULL;
	bool good = false;
	uint64_t head = *at + 4 <= length ? crimg_get_u32(bytes + *at) : 0;
	if (*at + 4 <= length && crimg_in_range(*at + 4, head, length)) {
		const void *decoded = crimg_message_decode(&ipc_msg__descriptor, bytes + *at + 4, (size_t)head,
		                                           &arena, "ipc_msg", *at, NULL);
		m = decoded;
	}
	*at += 4 + head;
	if (m != NULL && crimg_in_range(*at, m->msize, length)) {
		good = true;
		kstream_begin(o, CRIMG_LCR_IPC_MSG_MSG);
		kstream_u64(o, m->mtype);
		kstream_u32(o, m->msize);
		kstream_u32(o, 0); // security label
		kstream_end(o);
		for (uint32_t done = 0, n; done < m->msize; done += n) {
			n = (uint32_t)crimg_min_u64(m->msize - done, done == 0 ? FIRST_PIECE : NEXT_PIECE);
			kstream_begin(o, CRIMG_LCR_BUFFER);
			kstream_bytes(o, bytes + *at + done, n);
			kstream_end(o);
		}
		*at += ((uint64_t)m->msize + 7) / 8 * 8;
	}
	crimg_arena_fini(&arena);
	return good;
}

// The bytes of all messages of a queue; -1: the payload is not what the entry says.
static uint64_t queue_bytes(const uint8_t *bytes, uint64_t length, uint32_t count)
{
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	uint64_t at = 0, total = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t head = at + 4 <= length ? crimg_get_u32(bytes + at) : length;
		const IpcMsg *m = NULL;
		crimg_arena_reset(&arena);
		if (at + 4 <= length && crimg_in_range(at + 4, head, length)) {
			const void *decoded = crimg_message_decode(&ipc_msg__descriptor, bytes + at + 4,
			                                           (size_t)head, &arena, "ipc_msg", at, NULL);
			m = decoded;
		}
		if (m == NULL || !crimg_in_range(at + 4 + head, m->msize, length)) {
			total = UINT64_MAX;
			break;
		}
		total += m->msize;
		at += 4 + head + ((uint64_t)m->msize + 7) / 8 * 8;
	}
	crimg_arena_fini(&arena);
	return total;
}

static void fail_contents(struct kstream *k, const char *what, uint32_t id)
{
	if (!kstream_failed(&k->out))
		crimg_fail(&k->out.err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		           "%s %u: its contents are not those that its entry tells of", what, id);
}

static void put_queue(struct kstream *k, const struct crimg_image_entry *entry, const void *message)
{
	struct kstream_out *o = &k->out;
	const IpcMsgEntry *e = message;
	const uint8_t *bytes = kstream_content(k->contents, entry->payload);
	uint64_t length = bytes != NULL ? entry->payload.length : 0, at = 0;
	uint64_t total = queue_bytes(bytes, length, e->qnum);
	if (total == UINT64_MAX) {
		fail_contents(k, "message queue", e->desc->id);
		return;
	}
	kstream_begin(o, CRIMG_LCR_IPC_MSG);
	put_perms(o, e->desc);
	kstream_zeros(o, 3 * 8); // times
	kstream_u64(o, total);
	kstream_u64(o, e->qnum);
	kstream_u64(o, e->qbytes);
	kstream_u64(o, 0); // pids
	kstream_end(o);
	for (uint32_t i = 0; i < e->qnum && put_message(k, bytes, length, &at); i++)
		;
}

static void put_semaphores(struct kstream *k, const struct crimg_image_entry *entry, const void *message)
{
	struct kstream_out *o = &k->out;
	const IpcSemEntry *e = message;
	const uint8_t *bytes = kstream_content(k->contents, entry->payload);
	if (e->nsems > 0 && (bytes == NULL || entry->payload.length / 2 < e->nsems)) {
		fail_contents(k, "semaphores", e->desc->id);
		return;
	}
	kstream_begin(o, CRIMG_LCR_IPC_SEM);
	put_perms(o, e->desc);
	kstream_zeros(o, 2 * 8); // times
	kstream_u32(o, e->nsems);
	kstream_u32(o, 0);
	kstream_end(o);
	if (e->nsems == 0)
		return;
	kstream_begin(o, CRIMG_LCR_BUFFER);
	for (uint32_t i = 0; i < e->nsems; i++) {
		kstream_u32(o, crimg_get_u16(bytes + 2 * (size_t)i));
		kstream_zeros(o, SEMAPHORE_BYTES - 4);
	}
	kstream_end(o);
}

static const struct {
	uint32_t type;
	enum crimg_kind kind;
	void (*put)(struct kstream *k, const struct crimg_image_entry *entry, const void *message);
} lists[] = {
	{ CRIMG_LCR_IPC_SHM, CRIMG_KIND_IPCNS_SHM, put_segment },
	{ CRIMG_LCR_IPC_MSG, CRIMG_KIND_IPCNS_MSG, put_queue },
	{ CRIMG_LCR_IPC_SEM, CRIMG_KIND_IPCNS_SEM, put_semaphores },
};

static void put_list(struct kstream *k, size_t which, uint32_t ns)
{
	struct kstream_out *o = &k->out;
	struct crimg_image_object *list = crimg_image_find(k->image, lists[which].kind, ns);
	size_t count = 0;
	for (size_t i = 0; list != NULL && i < list->count; i++)
		count += crimg_image_message(k->image, list, i, NULL) != NULL;
	kstream_begin(o, CRIMG_LCR_IPC);
	kstream_u32(o, lists[which].type);
	kstream_u32(o, (uint32_t)count);
	kstream_end(o);
	for (size_t i = 0; list != NULL && i < list->count && !kstream_failed(o); i++) {
		const void *message = crimg_image_message(k->image, list, i, NULL);
		if (message != NULL)
			lists[which].put(k, &list->entries[i], message);
	}
}

// What an image does not tell is what those kernels begin with.
static void put_settings(struct kstream_out *o, const IpcVarEntry *e)
{
	static const uint32_t semaphores[] = { 250, 32000, 32, 128 };
	kstream_begin(o, CRIMG_LCR_IPC_NS);
	kstream_u64(o, e != NULL ? e->shm_ctlmax : UINT64_C(0x2000000));
	kstream_u64(o, e != NULL ? e->shm_ctlall : UINT64_C(0x200000));
	kstream_u32(o, e != NULL ? e->shm_ctlmni : 4096);
	kstream_u32(o, e != NULL ? e->msg_ctlmax : 8192);
	kstream_u32(o, e != NULL ? e->msg_ctlmnb : 16384);
	kstream_u32(o, e != NULL ? e->msg_ctlmni : 16);
	for (size_t i = 0; i < 4; i++)
		kstream_u32(o, e != NULL && i < e->n_sem_ctls ? e->sem_ctls[i] : semaphores[i]);
	kstream_end(o);
}

int32_t kstream_ipc(struct kstream *k, uint32_t ns)
{
	int32_t ref;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_IPC_NS, ns, &ref))
		return ref;
	const IpcVarEntry *settings = crimg_image_get(k->image, CRIMG_KIND_IPC_VAR, ns, NULL);
	put_settings(&k->out, settings);
	if (settings == NULL)
		kstream_note_of(k, CRIMG_KIND_IPC_VAR, ns, "", "not in the image: the limits are those kernels' own");
	else if (settings->mq_queues_max != 0)
		kstream_note_of(k, CRIMG_KIND_IPC_VAR, ns, "mq_queues_max", "left out: limits of POSIX message queues");
	if (settings != NULL && settings->shm_rmid_forced != 0)
		kstream_lose_of(k, CRIMG_KIND_IPC_VAR, ns, "shm_rmid_forced", "no place");
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		put_list(k, i, ns);
	return ref;
}
