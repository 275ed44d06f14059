// Padding, which no kernel cleared: it is told apart from what means something, so that images compare by
// what they say and still come back byte for byte.
#include "readers/cpt_padding.h"

#include "format/limits.h"

// The bytes of one entry that count.
struct piece {
	uint64_t at;
	size_t length;
	uint8_t *counts; // of each: 1 or 0
};

static void is_padding(struct piece *p, uint64_t from, uint64_t to)
{
	uint64_t begin = from > p->at ? from - p->at : 0;
	uint64_t end = to > p->at ? crimg_min_u64(to - p->at, p->length) : 0;
	if (begin < end)
		memset(p->counts + begin, 0, (size_t)(end - begin));
}

static void header_of(struct piece *p, const struct cpt *c, const struct cpt_object *o)
{
	uint64_t known = crimg_min_u64(o->header, crimg_cpt_objects[o->kind].longest);
	if (o->offset < p->at)
		return; // its header is in an entry before
	is_padding(p, o->offset + CRIMG_CPT_OBJECT_BYTES, o->offset + known);
	for (unsigned i = c->fields[o->kind]; i < CRIMG_CPT_FIELD_COUNT; i++) {
		const struct crimg_cpt_field_info *f = &crimg_cpt_fields[i];
		if (f->object != o->kind)
			break;
		size_t bytes = (size_t)f->size * f->count;
		uint64_t from = o->offset + f->offset - p->at;
		if (cpt_has(c, o, (enum crimg_cpt_field)i) && from < p->length)
			memset(p->counts + from, 1,
			       (size_t)crimg_min_u64(bytes, p->length - from));
	}
}

// Where what an object says ends, before its own end.
static uint64_t end_of(const struct cpt *c, const struct cpt_object *o, const uint8_t *data,
		       const struct piece *p)
{
	uint64_t body = cpt_body(o), skip = body > p->at ? body - p->at : 0;
	bool text = o->kind == CRIMG_CPT_OBJ_NAME && o->header == CRIMG_CPT_OBJECT_BYTES;
	if (o->kind == CRIMG_CPT_OBJ_PAGES)
		return body + (crimg_get_u64(o->data + 24) - crimg_get_u64(o->data + 16));
	if (o->kind == CRIMG_CPT_OBJ_NET_ROUTE)
		return body + cpt_route_bytes(c, o);
	if (text && skip <= p->length) {
		size_t n = strnlen((const char *)data + skip, p->length - (size_t)skip);
		return skip + n < p->length ? p->at + skip + n + 1 : UINT64_MAX;
	}
	return body + cpt_data_bytes(c, o);
}

// The name in a control group is padded too.
static void group_name(struct piece *p, const struct cpt *c, const struct cpt_object *o,
		       const uint8_t *data)
{
	if (o->offset != p->at || p->length < o->header)
		return;
	const uint8_t *body = data + o->header;
	size_t left = p->length - o->header;
	uint64_t n = cpt_group_name(c, o, body, left);
	if (n == 0)
		return;
	size_t text = strnlen((const char *)body + CRIMG_CPT_OBJECT_BYTES,
			      (size_t)n - CRIMG_CPT_OBJECT_BYTES);
	is_padding(p, cpt_body(o) + CRIMG_CPT_OBJECT_BYTES + text + 1, cpt_body(o) + n);
}

// What stands behind an object that others follow, or behind the last that are in one: up to where the next
// begins, if it is not more than aligning takes.
static void gap_behind(struct piece *p, uint64_t end)
{
	uint64_t last = p->at + p->length;
	if (last > end && last - end < 8)
		is_padding(p, end, last);
}

static int tell(struct piece *p, uint8_t *data, struct crimg_buf *pads, struct crimg_err *err)
{
	for (size_t i = 0, n; i < p->length; i += n) {
		for (n = 1; i + n < p->length && p->counts[i + n] == p->counts[i]; n++)
			;
		if (p->counts[i] != 0 || crimg_all_zero(data + i, n))
			continue;
		if (crimg_buf_u32(pads, (uint32_t)i, err) < 0
		    || crimg_buf_u32(pads, (uint32_t)n, err) < 0
		    || crimg_buf_append(pads, data + i, n, err) < 0)
			return -1;
		memset(data + i, 0, n);
	}
	return 0;
}

int cpt_take_padding(struct cpt_image *m, const struct cpt_object *o, uint64_t at, uint8_t *data,
		     size_t length, struct crimg_buf *pads, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	struct piece p = {.at = at, .length = length, .counts = cpt_make(m, length, 1, err)};
	pads->length = 0;
	if (p.counts == NULL)
		return -1;
	memset(p.counts, 1, length);
	if (at == 0)
		is_padding(&p, CRIMG_CPT_MAJOR_ARCH + 2, CRIMG_CPT_MAJOR_ARCH + 4);
	if (o == NULL)
		return tell(&p, data, pads, err);
	header_of(&p, c, o);
	if (o->kind == CRIMG_CPT_OBJ_CGROUP)
		group_name(&p, c, o, data);
	bool deeper = crimg_cpt_objects[o->kind].follows == CRIMG_CPT_OBJECTS;
	uint64_t end = deeper ? cpt_body(o) : o->offset + o->length;
	if (!deeper)
		is_padding(&p, end_of(c, o, data, &p), end);
	gap_behind(&p, end);
	return tell(&p, data, pads, err);
}

// Messages of the kernel, each at a multiple of 4, until there is none.
uint64_t cpt_route_bytes(const struct cpt *c, const struct cpt_object *o)
{
	enum { HEADER = 16 };
	uint64_t at = 0, all = cpt_body_bytes(o);
	while (all - at >= HEADER) {
		uint8_t head[4];
		struct crimg_err ignored = CRIMG_ERR_INIT;
		if (crimg_source_read_exact(c->source, cpt_body(o) + at, head, 4, &ignored) < 0)
			break;
		uint64_t n = ((uint64_t)crimg_get_u32(head) + 3) / 4 * 4;
		if (n < HEADER || n > all - at)
			break;
		at += n;
	}
	return at;
}
