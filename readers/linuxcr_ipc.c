// System V IPC: the objects of a namespace stand one behind the other in its list.
#include <string.h>

#include "readers/linuxcr_records.h"

static void put_perms(IpcDescEntry *e, const struct linuxcr_record *r)
{
	ipc_desc_entry__init(e);
	e->id = linuxcr_u32(r, CRIMG_LCR_PERMS_ID);
	e->key = linuxcr_u32(r, CRIMG_LCR_PERMS_KEY);
	e->uid = linuxcr_u32(r, CRIMG_LCR_PERMS_UID);
	e->gid = linuxcr_u32(r, CRIMG_LCR_PERMS_GID);
	e->cuid = linuxcr_u32(r, CRIMG_LCR_PERMS_CUID);
	e->cgid = linuxcr_u32(r, CRIMG_LCR_PERMS_CGID);
	e->mode = linuxcr_u32(r, CRIMG_LCR_PERMS_MODE);
}

int linuxcr_put_ipc_var(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err)
{
	IpcVarEntry e = IPC_VAR_ENTRY__INIT;
	const struct linuxcr_record *r = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_IPC_NS, object)->body;
	uint32_t semaphores[4];
	if (index > 0 || r == NULL)
		return 0;
	e.shm_ctlmax = linuxcr_u64(r, 0);
	e.shm_ctlall = linuxcr_u64(r, 8);
	e.shm_ctlmni = linuxcr_u32(r, 16);
	e.msg_ctlmax = linuxcr_u32(r, 20);
	e.msg_ctlmnb = linuxcr_u32(r, 24);
	e.msg_ctlmni = linuxcr_u32(r, 28);
	for (uint32_t i = 0; i < 4; i++)
		semaphores[i] = linuxcr_u32(r, 32 + 4 * i);
	e.sem_ctls = semaphores;
	e.n_sem_ctls = 4;
	// Message queues of POSIX came to namespaces later: the kernel's defaults.
	e.mq_queues_max = 256;
	e.has_mq_msg_default = e.has_mq_msgsize_default = true;
	e.mq_msg_max = e.mq_msg_default = 10;
	e.mq_msgsize_max = e.mq_msgsize_default = 8192;
	linuxcr_from(out, r);
	return model_encode(&e.base, out, err);
}

// The next record of this kind in the namespace's list; entries are asked for in order.
static const struct linuxcr_record *next_of(struct linuxcr_image *m, size_t object, uint64_t index,
				      uint32_t kind)
{
	const struct linuxcr_record *r = index == 0
					   ? linuxcr_nth(&m->c, CRIMG_LCR_OBJ_IPC_NS, object)->first
				   : m->record == NULL ? NULL
						       : m->record->sibling;
	while (r != NULL && r->kind != kind)
		r = r->sibling;
	return m->record = r;
}

int linuxcr_put_ipc_shm(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err)
{
	IpcShmEntry e = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc;
	const struct linuxcr_record *r = next_of(m, object, index, CRIMG_LCR_IPC_SHM);
	if (r == NULL)
		return 0;
	put_perms(&desc, r);
	e.desc = &desc;
	e.size = linuxcr_u64(r, CRIMG_LCR_SHM_SIZE);
	e.has_in_pagemaps = e.in_pagemaps = true;
	linuxcr_from(out, r);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}

// CRIU keeps 16 bits a semaphore, filled up to 8 bytes.
int linuxcr_put_ipc_sem(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err)
{
	IpcSemEntry e = IPC_SEM_ENTRY__INIT;
	IpcDescEntry desc;
	const struct linuxcr_record *r = next_of(m, object, index, CRIMG_LCR_IPC_SEM);
	if (r == NULL)
		return 0;
	uint32_t count = linuxcr_u32(r, CRIMG_LCR_SEM_NSEMS);
	const struct linuxcr_record *values = count == 0 ? NULL : r->sibling;
	if (values == NULL)
		count = 0;
	size_t bytes = ((size_t)count * 2 + 7) / 8 * 8;
	uint8_t *payload = linuxcr_stream_alloc(&m->c.stream, bytes + 1, err);
	if (payload == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		crimg_put_u16(payload + 2 * (size_t)i,
			      linuxcr_u16(values, values->length / count * i));
	put_perms(&desc, r);
	e.desc = &desc;
	e.nsems = count;
	linuxcr_from(out, r);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0 || model_payload_add(&m->payloads, payload, 0, bytes, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}

// One message: its length, its head, its bytes filled up to 8. *last is its last record.
static int add_message(struct linuxcr_image *m, const struct linuxcr_record *r,
		       struct crimg_err *err)
{
	IpcMsg e = IPC_MSG__INIT;
	struct crimg_buf head = CRIMG_BUF_INIT;
	uint32_t size = linuxcr_u32(r, CRIMG_LCR_MSG_MSG_SIZE);
	static const uint8_t zeros[8] = {0};
	e.mtype = linuxcr_u64(r, 0);
	e.msize = size;
	uint8_t *copy = NULL;
	size_t length = 0;
	if (crimg_message_encode(&e.base, &head, err) == 0
	    && (copy = linuxcr_stream_alloc(&m->c.stream, head.length + 4, err)) != NULL) {
		crimg_put_u32(copy, (uint32_t)head.length);
		memcpy(copy + 4, head.data, head.length);
		length = head.length + 4;
	}
	crimg_buf_fini(&head);
	if (copy == NULL || model_payload_add(&m->payloads, copy, 0, length, err) < 0)
		return -1;
	uint32_t left = size;
	for (r = r->sibling; left > 0 && r != NULL && r->kind == CRIMG_LCR_BUFFER; r = r->sibling) {
		if (model_payload_add(&m->payloads, r->data, 0, r->length, err) < 0)
			return -1;
		left -= r->length;
	}
	return model_payload_add(&m->payloads, zeros, 0, (8 - size % 8) % 8, err);
}

static bool is_whole(const struct linuxcr_record *r)
{
	uint64_t bytes = 0;
	uint32_t size = linuxcr_u32(r, CRIMG_LCR_MSG_MSG_SIZE);
	for (r = r->sibling; bytes < size && r != NULL && r->kind == CRIMG_LCR_BUFFER;
	     r = r->sibling)
		bytes += r->length;
	return bytes == size;
}

int linuxcr_put_ipc_msg(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err)
{
	IpcMsgEntry e = IPC_MSG_ENTRY__INIT;
	IpcDescEntry desc;
	const struct linuxcr_record *r = next_of(m, object, index, CRIMG_LCR_IPC_MSG);
	if (r == NULL)
		return 0;
	put_perms(&desc, r);
	e.desc = &desc;
	e.qbytes = (uint32_t)linuxcr_u64(r, CRIMG_LCR_MSG_QBYTES);
	linuxcr_from(out, r);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	for (r = r->sibling; r != NULL; r = r->sibling) {
		if (r->kind == CRIMG_LCR_BUFFER)
			continue;
		if (r->kind != CRIMG_LCR_IPC_MSG_MSG || !is_whole(r))
			break;
		if (add_message(m, r, err) < 0)
			return -1;
		e.qnum++;
	}
	return model_encode(&e.base, out, err);
}
