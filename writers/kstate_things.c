// Finding things by key, and laying them out.
#include "writers/kstate_things.h"

#include <stdlib.h>

#include "format/limits.h"

struct kstate_things kstate_things_make(void)
{
	return (struct kstate_things){ .arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES) };
}

void kstate_things_fini(struct kstate_things *t)
{
	free(t->list);
	free(t->slots);
	crimg_arena_fini(&t->arena);
}

static uint64_t hash(enum crimg_kst_type type, const uint8_t *key, size_t length)
{
	uint64_t h = 0xcbf29ce484222325u ^ type;
	for (size_t i = 0; i < length; i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

// Where the thing is, or would be.
static size_t slot_of(const struct kstate_things *t, enum crimg_kst_type type, const void *key,
                      size_t length)
{
	size_t at = (size_t)hash(type, key, length) & (t->slot_count - 1);
	for (; t->slots[at] != 0; at = (at + 1) & (t->slot_count - 1)) {
		const struct kstate_thing *o = &t->list[t->slots[at] - 1];
		if (o->type == type && o->key_length == length && memcmp(o->key, key, length) == 0)
			break;
	}
	return at;
}

// Twice as many slots as things, at least.
static int make_room(struct kstate_things *t)
{
	size_t wanted = t->slot_count == 0 ? 64 : t->slot_count * 2;
	if (t->slot_count > 2 * t->count)
		return 0;
	size_t *slots = calloc(wanted, sizeof *slots);
	if (slots == NULL)
		return crimg_fail_nomem(&t->err, wanted * sizeof *slots);
	free(t->slots);
	t->slots = slots;
	t->slot_count = wanted;
	for (size_t i = 0; i < t->count; i++)
		t->slots[slot_of(t, t->list[i].type, t->list[i].key, t->list[i].key_length)] = i + 1;
	return 0;
}

static uint8_t *zeroed(struct kstate_things *t, size_t length)
{
	uint8_t *p = crimg_arena_alloc(&t->arena, length + 1);
	if (p != NULL)
		memset(p, 0, length);
	else
		crimg_fail_nomem(&t->err, length);
	return p;
}

static int make(struct kstate_things *t, enum crimg_kst_type type, const void *key, size_t key_length)
{
	void *array = t->list;
	uint32_t length = crimg_kst_layouts[type].length + (type == CRIMG_KST_PID ? 4 : 0);
	uint8_t *body = zeroed(t, length), *kept = zeroed(t, key_length);
	if (body == NULL || kept == NULL
	    || crimg_grow(&array, &t->capacity, t->count, sizeof *t->list, &t->err) < 0)
		return -1;
	memcpy(kept, key, key_length);
	t->list = array;
	struct kstate_thing *o = &t->list[t->count++];
	*o = (struct kstate_thing){ .type = type, .key = kept, .key_length = key_length, .body = body,
	                            .length = length };
	for (size_t i = 0; i < CRIMG_KST_MAX_REFS; i++)
		o->refs[i] = KSTATE_NOTHING;
	crimg_put_u32(body, type);
	crimg_put_u32(body + 4, length);
	return 0;
}

size_t kstate_thing(struct kstate_things *t, enum crimg_kst_type type, const void *key, size_t key_length,
                    bool *fresh)
{
	if (fresh != NULL)
		*fresh = false;
	if (t->err.code != CRIMG_OK || make_room(t) < 0)
		return KSTATE_NOTHING;
	size_t slot = slot_of(t, type, key, key_length);
	if (t->slots[slot] != 0)
		return t->slots[slot] - 1;
	if (make(t, type, key, key_length) < 0)
		return KSTATE_NOTHING;
	if (fresh != NULL)
		*fresh = true;
	t->slots[slot] = t->count;
	return t->count - 1;
}

void kstate_set_u32(struct kstate_things *t, size_t thing, uint32_t at, uint32_t value)
{
	if (thing != KSTATE_NOTHING)
		crimg_put_u32(t->list[thing].body + at, value);
}

void kstate_set_u64(struct kstate_things *t, size_t thing, uint32_t at, uint64_t value)
{
	if (thing != KSTATE_NOTHING)
		crimg_put_u64(t->list[thing].body + at, value);
}

void kstate_set_text(struct kstate_things *t, size_t thing, uint32_t at, const char *text, size_t width)
{
	if (thing != KSTATE_NOTHING)
		memcpy(t->list[thing].body + at, text, strnlen(text, width));
}

void kstate_set_ref(struct kstate_things *t, size_t thing, uint32_t at, size_t to)
{
	if (thing == KSTATE_NOTHING)
		return;
	const struct crimg_kst_ref *refs = crimg_kst_layouts[t->list[thing].type].refs;
	for (size_t i = 0; refs[i].field != NULL; i++)
		if (refs[i].at == at)
			t->list[thing].refs[i] = to;
}

static int pad(struct crimg_buf *out, struct crimg_err *err)
{
	static const uint8_t zeros[CRIMG_KST_ALIGN];
	return crimg_buf_append(out, zeros, (size_t)(crimg_kst_round(out->length) - out->length), err);
}

static int lay(struct kstate_things *t, struct kstate_thing *o, struct crimg_buf *out,
               struct crimg_err *err)
{
	const struct crimg_kst_ref *refs = crimg_kst_layouts[o->type].refs;
	for (size_t i = 0; refs[i].field != NULL; i++) {
		uint64_t to = o->refs[i] == KSTATE_NOTHING ? CRIMG_KST_NONE : t->list[o->refs[i]].at;
		crimg_put_u64(o->body + refs[i].at, to);
	}
	o->at = out->length;
	return crimg_buf_append(out, o->body, o->length, err) < 0 ? -1 : pad(out, err);
}

static int lay_header(const char *release, struct crimg_buf *out, struct crimg_err *err)
{
	uint8_t head[CRIMG_KST_HEADER_BYTES] = { 0 };
	memcpy(head, CRIMG_KST_SIGNATURE, CRIMG_KST_SIGNATURE_BYTES);
	crimg_put_u64(head + CRIMG_KST_VERSION_AT, CRIMG_KST_VERSION);
	memcpy(head + CRIMG_KST_RELEASE_AT, release, strnlen(release, CRIMG_KST_NAME_BYTES));
	crimg_put_u32(head + CRIMG_KST_ARCH_AT, CRIMG_KST_ARCH_X86_32);
	return crimg_buf_append(out, head, sizeof head, err) < 0 ? -1 : pad(out, err);
}

// What each posting lays out, the first to the last.
static const struct {
	const enum crimg_kst_type *list;
	size_t count;
} orders[] = {
	[CRIMG_KST_F] = { (const enum crimg_kst_type[]){ CRIMG_KST_UTS_NS, CRIMG_KST_CRED }, 2 },
	[CRIMG_KST_M] = { (const enum crimg_kst_type[]){
		CRIMG_KST_PID,    CRIMG_KST_CRED,   CRIMG_KST_FILE,    CRIMG_KST_FILES,  CRIMG_KST_FS,
		CRIMG_KST_UTS_NS, CRIMG_KST_IPC_NS, CRIMG_KST_MNT_NS,  CRIMG_KST_PID_NS, CRIMG_KST_NET_NS,
		CRIMG_KST_SIGHAND, CRIMG_KST_SIGNAL, CRIMG_KST_MM,     CRIMG_KST_NSPROXY, CRIMG_KST_TASK,
	}, 15 },
};

int kstate_lay(struct kstate_things *t, enum crimg_kst_posting posting, const char *release,
               struct crimg_buf *out, struct crimg_err *err)
{
	if (t->err.code != CRIMG_OK) {
		if (err != NULL)
			*err = t->err;
		return -1;
	}
	if (lay_header(release, out, err) < 0)
		return -1;
	for (size_t i = 0; i < orders[posting].count; i++)
		for (size_t k = 0; k < t->count; k++) {
			if (t->list[k].type != orders[posting].list[i])
				continue;
			crimg_put_u32(t->list[k].body, crimg_kst_number(posting, t->list[k].type));
			if (lay(t, &t->list[k], out, err) < 0)
				return -1;
		}
	return 0;
}
