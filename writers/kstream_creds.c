// Credentials, users and groups; and the set of namespaces of a task.
#include <string.h>

#include "writers/kstream.h"

#define CAP_WORDS 2u
#define UTS_WIDTH 65u

// Groups are one object wherever they are the same.
static int32_t put_groups(struct kstream *k, const CredsEntry *e)
{
	struct kstream_out *o = &k->out;
	int32_t ref;
	if (!kstream_object(k, CRIMG_LCR_OBJ_GROUPINFO, e->groups, e->n_groups * sizeof *e->groups, &ref))
		return ref;
	kstream_begin(o, CRIMG_LCR_GROUPINFO);
	kstream_u32(o, (uint32_t)e->n_groups);
	for (size_t i = 0; i < e->n_groups; i++)
		kstream_u32(o, e->groups[i]);
	kstream_u32(o, 0); // the array begins 4 bytes before the fixed part ends
	kstream_end(o);
	return ref;
}

static int32_t put_user(struct kstream *k, uint32_t uid)
{
	struct kstream_out *o = &k->out;
	int32_t ref, ns;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_USER, uid, &ref))
		return ref;
	if (kstream_object_of(k, CRIMG_LCR_OBJ_USER_NS, 0, &ns)) {
		kstream_begin(o, CRIMG_LCR_USER_NS);
		kstream_u64(o, 0); // nobody's: the first
		kstream_end(o);
	}
	kstream_begin(o, CRIMG_LCR_USER);
	kstream_u32(o, uid);
	kstream_ref(o, ns);
	kstream_end(o);
	return ref;
}

static void put_caps(struct kstream_out *o, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < CAP_WORDS; i++)
		kstream_u32(o, i < count ? words[i] : 0);
}

// Threads of a process share them while they are the same.
static const uint8_t *key_of(const struct crimg_task *task, const CredsEntry *e, struct crimg_buf *out,
                             size_t *length, struct crimg_err *err)
{
	if (crimg_buf_u32(out, task->pid, err) < 0 || crimg_message_encode(&e->base, out, err) < 0)
		return NULL;
	*length = out->length;
	return out->data;
}

int32_t kstream_creds(struct kstream *k, const struct crimg_task *task, const CredsEntry *creds)
{
	struct kstream_out *o = &k->out;
	CredsEntry none = CREDS_ENTRY__INIT;
	const CredsEntry *e = creds != NULL ? creds : &none;
	struct crimg_buf text = CRIMG_BUF_INIT;
	size_t length = 0;
	int32_t ref = 0;
	const uint8_t *key = kstream_failed(o) ? NULL : key_of(task, e, &text, &length, &o->err);
	bool fresh = key != NULL && kstream_object(k, CRIMG_LCR_OBJ_CRED, key, length, &ref);
	crimg_buf_fini(&text);
	if (!fresh)
		return ref;
	int32_t groups = put_groups(k, e), user = put_user(k, e->uid);
	const uint32_t ids[] = { e->uid, e->suid, e->euid, e->fsuid, e->gid, e->sgid, e->egid, e->fsgid };
	kstream_begin(o, CRIMG_LCR_CRED);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		kstream_u32(o, ids[i]);
	kstream_ref(o, user);
	kstream_ref(o, groups);
	kstream_u64(o, 0); // security label
	put_caps(o, e->cap_inh, e->n_cap_inh);
	put_caps(o, e->cap_prm, e->n_cap_prm);
	put_caps(o, e->cap_eff, e->n_cap_eff);
	put_caps(o, e->cap_bnd, e->n_cap_bnd);
	kstream_u32(o, e->secbits);
	kstream_u32(o, 0);
	kstream_end(o);
	return ref;
}

// Names that an image does not tell are what a system without names has.
static int32_t put_uts(struct kstream *k, uint32_t id)
{
	struct kstream_out *o = &k->out;
	int32_t ref;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_UTS_NS, id, &ref))
		return ref;
	const UtsnsEntry *e = crimg_image_get(k->image, CRIMG_KIND_UTSNS, id, NULL);
	if (e == NULL)
		kstream_lose_of(k, CRIMG_KIND_UTSNS, id, "", "not in the image: the system's names become (none)");
	kstream_begin(o, CRIMG_LCR_UTS_NS);
	kstream_text(o, "Linux", UTS_WIDTH);
	kstream_text(o, e != NULL ? e->nodename : "(none)", UTS_WIDTH);
	kstream_text(o, "2.6.33", UTS_WIDTH);
	kstream_text(o, "", UTS_WIDTH);
	kstream_text(o, "x86_64", UTS_WIDTH);
	kstream_text(o, e != NULL ? e->domainname : "(none)", UTS_WIDTH);
	kstream_zeros(o, 2);
	kstream_end(o);
	return ref;
}

int32_t kstream_namespaces(struct kstream *k, const struct crimg_task *task)
{
	struct kstream_out *o = &k->out;
	const TaskKobjIdsEntry *ids = task->ids;
	uint32_t uts = ids != NULL && ids->has_uts_ns_id ? ids->uts_ns_id : 0;
	uint32_t ipc = ids != NULL && ids->has_ipc_ns_id ? ids->ipc_ns_id : 0;
	int32_t ref;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_NS, (uint64_t)uts << 32 | ipc, &ref))
		return ref;
	int32_t refs[] = { put_uts(k, uts), 0 };
	refs[1] = kstream_ipc(k, ipc);
	kstream_begin(o, CRIMG_LCR_NS);
	kstream_ref(o, refs[0]);
	kstream_ref(o, refs[1]);
	if (o->rc2)
		kstream_u64(o, 0); // the network is not in it
	kstream_end(o);
	return ref;
}
