// System V IPC. Messages and what undoes semaphores stand unpadded; lengths lead on.
#include "format/limits.h"
#include "readers/cpt_records.h"

// The first fields of the three kinds are the same, one behind the other.
static void put_perms(const struct cpt *c, IpcDescEntry *e, const struct cpt_object *o,
		      enum crimg_cpt_field key, enum crimg_cpt_field id)
{
	ipc_desc_entry__init(e);
	e->key = cpt_u32(c, o, key);
	e->uid = cpt_u32(c, o, (enum crimg_cpt_field)(key + 1));
	e->gid = cpt_u32(c, o, (enum crimg_cpt_field)(key + 2));
	e->cuid = cpt_u32(c, o, (enum crimg_cpt_field)(key + 3));
	e->cgid = cpt_u32(c, o, (enum crimg_cpt_field)(key + 4));
	e->mode = cpt_u32(c, o, (enum crimg_cpt_field)(key + 5));
	e->id = cpt_u32(c, o, id);
}

CPT_ENTRY(cpt_put_ipc_var)
{
	const struct cpt *c = &m->c;
	IpcVarEntry e = IPC_VAR_ENTRY__INIT;
	uint32_t semaphores[4];
	(void)object;
	if (index > 0 || cpt_count(c, CRIMG_CPT_OBJ_VEINFO) == 0)
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_VEINFO, 0);
	e.shm_ctlmax = cpt_get(c, o, CRIMG_CPT_VEINFO_SHM_CTL_MAX);
	e.shm_ctlall = cpt_get(c, o, CRIMG_CPT_VEINFO_SHM_CTL_ALL);
	e.shm_ctlmni = cpt_u32(c, o, CRIMG_CPT_VEINFO_SHM_CTL_MNI);
	e.msg_ctlmax = cpt_u32(c, o, CRIMG_CPT_VEINFO_MSG_CTL_MAX);
	e.msg_ctlmnb = cpt_u32(c, o, CRIMG_CPT_VEINFO_MSG_CTL_MNB);
	e.msg_ctlmni = cpt_u32(c, o, CRIMG_CPT_VEINFO_MSG_CTL_MNI);
	for (unsigned i = 0; i < 4; i++)
		semaphores[i] = (uint32_t)cpt_at(c, o, CRIMG_CPT_VEINFO_SEM_CTL_ARR, i);
	e.sem_ctls = semaphores;
	e.n_sem_ctls = 4;
	cpt_from(out, o);
	return model_encode(&e.base, out, err);
}

CPT_ENTRY(cpt_put_ipc_shm)
{
	const struct cpt *c = &m->c;
	IpcShmEntry e = IPC_SHM_ENTRY__INIT;
	IpcDescEntry desc;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_SYSV_SHM))
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_SYSV_SHM, (size_t)index);
	put_perms(c, &desc, o, CRIMG_CPT_SYSV_SHM_KEY, CRIMG_CPT_SYSV_SHM_ID);
	e.desc = &desc;
	e.size = cpt_get(c, o, CRIMG_CPT_SYSV_SHM_SEGSZ);
	e.has_in_pagemaps = e.in_pagemaps = true;
	cpt_from(out, o);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}

// Value and process of each; CRIU keeps 16 bits a value, filled up to 8 bytes.
CPT_ENTRY(cpt_put_ipc_sem)
{
	enum { EACH = 8, LONGEST = 1 << 22 };
	struct cpt *c = &m->c;
	IpcSemEntry e = IPC_SEM_ENTRY__INIT;
	IpcDescEntry desc;
	size_t length;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_SYSV_SEM))
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_SYSV_SEM, (size_t)index);
	crimg_arena_reset(&m->arena);
	uint8_t *values = cpt_read(c, o, LONGEST, &length, &m->arena, err);
	if (values == NULL)
		return -1;
	size_t count = length / EACH, bytes = (count * 2 + 7) / 8 * 8;
	uint8_t *payload = crimg_arena_alloc(&c->arena, bytes + 1); // contents come later
	if (payload == NULL)
		return crimg_fail_nomem(err, bytes);
	memset(payload, 0, bytes + 1);
	for (size_t i = 0; i < count; i++)
		crimg_put_u16(payload + 2 * i, (uint16_t)crimg_get_u32(values + EACH * i));
	put_perms(c, &desc, o, CRIMG_CPT_SYSV_SEM_KEY, CRIMG_CPT_SYSV_SEM_ID);
	e.desc = &desc;
	e.nsems = (uint32_t)count;
	cpt_from(out, o);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0
	    || model_payload_add(&m->payloads, payload, 0, bytes, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}

// One message: the length of its head, its head, its bytes filled up to 8.
static int add_message(struct cpt_image *m, const struct cpt_object *o, struct crimg_err *err)
{
	struct cpt *c = &m->c;
	IpcMsg e = IPC_MSG__INIT;
	struct crimg_buf head = CRIMG_BUF_INIT;
	uint64_t size = crimg_min_u64(cpt_get(c, o, CRIMG_CPT_SYSVMSG_MSG_SIZE), cpt_body_bytes(o));
	uint8_t *copy = NULL;
	size_t length = 0;
	e.mtype = cpt_get(c, o, CRIMG_CPT_SYSVMSG_MSG_TYPE);
	e.msize = (uint32_t)size;
	if (crimg_message_encode(&e.base, &head, err) == 0) {
		length = head.length + 4;
		copy = crimg_arena_alloc(&c->arena, length);
		if (copy == NULL)
			crimg_fail_nomem(err, length);
	}
	if (copy != NULL) {
		crimg_put_u32(copy, (uint32_t)head.length);
		memcpy(copy + 4, head.data, head.length);
	}
	crimg_buf_fini(&head);
	if (copy == NULL || model_payload_add(&m->payloads, copy, 0, length, err) < 0
	    || model_payload_add(&m->payloads, NULL, cpt_body(o), size, err) < 0)
		return -1;
	return model_payload_zero(&m->payloads, (8 - size % 8) % 8, err);
}

CPT_ENTRY(cpt_put_ipc_msg)
{
	const struct cpt *c = &m->c;
	IpcMsgEntry e = IPC_MSG_ENTRY__INIT;
	IpcDescEntry desc;
	const struct cpt_object *message = NULL;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_SYSVMSG))
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_SYSVMSG, (size_t)index);
	put_perms(c, &desc, o, CRIMG_CPT_SYSVMSG_KEY, CRIMG_CPT_SYSVMSG_ID);
	e.desc = &desc;
	e.qbytes = cpt_u32(c, o, CRIMG_CPT_SYSVMSG_QBYTES);
	cpt_from(out, o);
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	while ((message = cpt_child(c, o, message, CRIMG_CPT_OBJ_SYSVMSG_MSG)) != NULL) {
		if (add_message(m, message, err) < 0)
			return -1;
		e.qnum++;
	}
	return model_encode(&e.base, out, err);
}
