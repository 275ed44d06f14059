// Reading forwards: header, objects one after the other; every reference is held against the objects that
// were read before it.
#include "readers/kstate_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"

static const uint8_t *keep(struct kstate *k, const uint8_t *bytes, size_t length, uint64_t at,
                           struct crimg_err *err)
{
	uint8_t *kept = crimg_arena_alloc(&k->arena, length + 1);
	if (kept != NULL)
		memcpy(kept, bytes, length);
	else
		crimg_fail(err, k->arena.exhausted ? CRIMG_E_LIMIT : CRIMG_E_NOMEM, k->source->name, at,
		           "no memory for the objects (%zu bytes held)", k->arena.held_bytes);
	return kept;
}

static int check_header(const struct kstate *k, const uint8_t *p, struct crimg_err *err)
{
	const char *name = k->source->name;
	uint64_t version = crimg_get_u64(p + CRIMG_KST_VERSION_AT);
	uint32_t arch = crimg_get_u32(p + CRIMG_KST_ARCH_AT);
	if (version != CRIMG_KST_VERSION)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_KST_VERSION_AT,
		                  "image version 0x%llx found, 1 wanted: what the postings of April and May 2009 "
		                  "wrote is not known", (unsigned long long)version);
	if (arch != CRIMG_KST_ARCH_X86_32)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_KST_ARCH_AT,
		                  "machine %u found, 1 (x86-32) wanted: these kernels ran on no other", arch);
	return 0;
}

static int read_header(struct kstate *k, struct crimg_window *w, struct crimg_err *err)
{
	const uint8_t *p;
	size_t got, span = (size_t)crimg_kst_round(CRIMG_KST_HEADER_BYTES);
	if (crimg_window_peek(w, span, &p, &got, err) < 0)
		return -1;
	if (!crimg_is_kstate(p, got))
		return crimg_fail(err, CRIMG_E_MAGIC, k->source->name, 0,
		                  "no signature found, %s wanted", CRIMG_KST_SIGNATURE);
	if (got < CRIMG_KST_HEADER_BYTES)
		return crimg_fail(err, CRIMG_E_CUT, k->source->name, got,
		                  "the image ends: %zu bytes found, %u of a header wanted", got,
		                  CRIMG_KST_HEADER_BYTES);
	if (check_header(k, p, err) < 0)
		return -1;
	k->header_span = (uint32_t)(got < span ? got : span);
	k->header = keep(k, p, k->header_span, 0, err);
	return k->header == NULL ? -1 : crimg_window_skip(w, k->header_span, err);
}

// Type and length of the object that comes next. 1, 0 at the end, -1.
static int peek_object(const struct kstate *k, struct crimg_window *w, struct kstate_object *o,
                       struct crimg_err *err)
{
	const uint8_t *p;
	size_t got;
	if (crimg_window_peek(w, CRIMG_KST_OBJECT_BYTES, &p, &got, err) < 0)
		return -1;
	if (got == 0)
		return 0;
	*o = (struct kstate_object){ .offset = w->offset };
	if (got < CRIMG_KST_OBJECT_BYTES)
		return crimg_fail(err, CRIMG_E_CUT, k->source->name, o->offset,
		                  "%zu bytes found, the 8 of an object's header wanted", got);
	o->found = crimg_get_u32(p);
	o->length = crimg_get_u32(p + 4);
	if (o->length < CRIMG_KST_OBJECT_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, k->source->name, o->offset + 4,
		                  "object of type %u: length %u found, at least 8 wanted", o->found, o->length);
	if (o->length > CRIMG_MAX_MESSAGE_BYTES / 2)
		return crimg_fail(err, CRIMG_E_LIMIT, k->source->name, o->offset + 4,
		                  "object of type %u: length %u found, at most %u wanted", o->found, o->length,
		                  CRIMG_MAX_MESSAGE_BYTES / 2);
	return 1;
}

// Bytes and gap. The last object need not have its gap.
static int take_object(struct kstate *k, struct crimg_window *w, struct kstate_object *o,
                       struct crimg_err *err)
{
	const uint8_t *p;
	void *array = k->objects;
	size_t got, span = (size_t)crimg_kst_round(o->length);
	if (crimg_window_peek(w, span, &p, &got, err) < 0)
		return -1;
	if (got < o->length)
		return crimg_fail(err, CRIMG_E_CUT, k->source->name, o->offset,
		                  "object of type %u: %u bytes wanted, the image ends after %zu: the kernel does "
		                  "not tell when writing failed", o->found, o->length, got);
	if (k->count >= CRIMG_MAX_INDEX_BYTES / sizeof *k->objects)
		return crimg_fail(err, CRIMG_E_LIMIT, k->source->name, o->offset, "more than %zu objects",
		                  k->count);
	if (crimg_grow(&array, &k->capacity, k->count, sizeof *k->objects, err) < 0)
		return -1;
	k->objects = array;
	o->span = (uint32_t)(got < span ? got : span);
	o->data = keep(k, p, o->span, o->offset, err);
	if (o->data == NULL)
		return -1;
	k->objects[k->count++] = *o;
	return crimg_window_skip(w, o->span, err);
}

static int find_posting(struct kstate *k, const struct kstate_object *first, struct crimg_err *err)
{
	k->posting = crimg_kst_posting(first->found, first->length);
	return k->posting != CRIMG_KST_UNKNOWN
		? 0
		: crimg_fail(err, CRIMG_E_UNSUPPORTED, k->source->name, first->offset,
	                     "a first object of type %u in %u bytes found, one of the postings of February "
	                     "(F) or March 2009 (M) wanted: no other layout is known", first->found,
	                     first->length);
}

static void tell(struct kstate *k, enum crimg_code code, const struct kstate_object *o, uint32_t at,
                 const char *what)
{
	crimg_fail(&k->damage, code, k->source->name, o->offset + at, "%s", what);
}

static void find_type(struct kstate *k, struct kstate_object *o)
{
	char what[160];
	o->type = crimg_kst_type(k->posting, o->found);
	if (o->type == CRIMG_KST_UNKNOWN_TYPE) {
		snprintf(what, sizeof what, "an object of type %u (%u bytes) found, which the posting does not "
		         "define; it is kept", o->found, o->length);
		tell(k, CRIMG_E_FORMAT, o, 0, what);
	} else if (!crimg_kst_fits(o->type, o->length)) {
		snprintf(what, sizeof what, "%s: %u bytes found, %u wanted%s; it is kept, not understood",
		         crimg_kst_layouts[o->type].name, o->length, crimg_kst_layouts[o->type].length,
		         o->type == CRIMG_KST_PID ? " and 4 a number, one at least" : "");
		tell(k, CRIMG_E_FORMAT, o, 4, what);
		o->type = CRIMG_KST_UNKNOWN_TYPE;
	}
}

// The last object that begins at offset or before it.
static struct kstate_object *object_at(const struct kstate *k, uint64_t offset)
{
	size_t behind;
	CRIMG_COUNT_BEFORE(behind, k->count, k->objects[behind].offset <= offset);
	return behind > 0 ? &k->objects[behind - 1] : NULL;
}

// An object of this type before `from` that begins where the reference says, or NULL.
static struct kstate_object *target(const struct kstate *k, const struct kstate_object *from,
                                    uint64_t offset, enum crimg_kst_type type)
{
	struct kstate_object *o = object_at(k, offset);
	return o != NULL && o < from && o->offset == offset && o->type == type ? o : NULL;
}

static void tell_reference(struct kstate *k, const struct kstate_object *o,
                           const struct crimg_kst_ref *ref, uint64_t offset)
{
	char what[240], where[96];
	const struct kstate_object *near = object_at(k, offset);
	if (offset >= o->offset)
		snprintf(where, sizeof where, "which is not before it");
	else if (near == NULL)
		snprintf(where, sizeof where, "which is in the header");
	else
		snprintf(where, sizeof where, "where %s%s is", near->offset == offset ? "" : "the middle of ",
		         crimg_kst_layouts[near->type].name);
	snprintf(what, sizeof what, "%s: %s: reference 0x%llx found, %s; an earlier %s wanted",
	         crimg_kst_layouts[o->type].name, ref->field, (unsigned long long)offset, where,
	         crimg_kst_layouts[ref->type].name);
	tell(k, CRIMG_E_FORMAT, o, ref->at, what);
}

static void check_references(struct kstate *k, const struct kstate_object *o)
{
	const struct crimg_kst_layout *layout = &crimg_kst_layouts[o->type];
	for (const struct crimg_kst_ref *ref = layout->refs; ref->field != NULL; ref++) {
		uint64_t offset = kstate_u64(o, ref->at);
		struct kstate_object *to = target(k, o, offset, ref->type);
		if (to != NULL)
			to->references++;
		else if (offset != CRIMG_KST_NONE || !ref->optional)
			tell_reference(k, o, ref, offset);
	}
}

struct kstate_object *kstate_ref(const struct kstate *k, const struct kstate_object *o, uint32_t at)
{
	for (const struct crimg_kst_ref *ref = crimg_kst_layouts[o->type].refs; ref->field != NULL; ref++)
		if (ref->at == at)
			return target(k, o, kstate_u64(o, at), ref->type);
	return NULL;
}

static int read_object(struct kstate *k, struct crimg_window *w, struct crimg_err *err)
{
	struct kstate_object o;
	int rc = peek_object(k, w, &o, err);
	if (rc <= 0)
		return rc;
	if (k->count == 0 && find_posting(k, &o, err) < 0)
		return -1;
	if (take_object(k, w, &o, err) < 0)
		return -1;
	struct kstate_object *taken = &k->objects[k->count - 1];
	find_type(k, taken);
	check_references(k, taken);
	return 1;
}

static bool ends_all(const struct kstate *k, enum crimg_code code)
{
	return k->count == 0 || k->arena.exhausted || code == CRIMG_E_NOMEM || code == CRIMG_E_IO;
}

static int read_objects(struct kstate *k, struct crimg_window *w, struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	int rc;
	while ((rc = read_object(k, w, &why)) > 0)
		;
	if (rc == 0 && k->count == 0)
		return crimg_fail(err, CRIMG_E_CUT, k->source->name, w->offset,
		                  "the image ends behind its header, an object wanted");
	if (rc == 0)
		return 0;
	if (ends_all(k, why.code)) {
		if (err != NULL && err->code == CRIMG_OK)
			*err = why;
		return -1;
	}
	if (k->damage.code == CRIMG_OK)
		k->damage = why;
	return 0;
}

int kstate_load(struct kstate *k, struct crimg_source *source, struct crimg_err *err)
{
	struct crimg_window w = crimg_window_make(source, 0);
	k->source = source;
	k->damage = CRIMG_ERR_INIT;
	k->arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	int rc = read_header(k, &w, err) < 0 ? -1 : read_objects(k, &w, err);
	crimg_window_fini(&w);
	return rc;
}

void kstate_fini(struct kstate *k)
{
	free(k->objects);
	crimg_arena_fini(&k->arena);
}
