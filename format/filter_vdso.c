// Puts something in the place of a vDSO whose contents the image does not have: the kernel that made it
// is gone, and nobody restores what he cannot read. A page that says ENOSYS wherever it is entered: a C
// library that asks it for the time falls back to the system call. To 32-bit tasks it is the way into
// the kernel besides, at the place that their auxiliary vector names.
// Source: SPEC.md, chapter "Kernel streams".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/filter.h"
#include "format/limits.h"
#include "format/space.h"

#define MAP_SHARED_ANONYMOUS 0x21u
#define MAX_PAGES 16u
#define AT_SYSINFO 32u
#define ELF_MACHINE_386 3u
#define ELF_MACHINE_X86_64 62u
#define ELF_TYPE_DYN 3u
#define OP_NOP 0x90
#define OP_INT3 0xcc

// One shared segment for all address spaces of a width: they ran on the same kernel.
struct standin {
	uint64_t pages;   // of the longest area; 0: none was seen
	uint64_t sysinfo; // 32-bit: where the kernel is entered, in the segment
	uint32_t pages_id;
	uint64_t payload;
	struct crimg_object map, contents;
	uint8_t *bytes;
};

// What is ours to give, and of which segment, in the order of records.
static const struct part {
	enum { PART_MAP, PART_HEAD, PART_RUN, PART_PAGES, PART_CONTENTS } type;
	size_t segment;
} parts[] = {
	{ PART_MAP, 0 },   { PART_HEAD, 0 },  { PART_RUN, 0 },      { PART_MAP, 1 },      { PART_HEAD, 1 },
	{ PART_RUN, 1 },   { PART_PAGES, 0 }, { PART_PAGES, 1 },    { PART_CONTENTS, 0 }, { PART_CONTENTS, 1 },
};
#define PAGES_FROM 6u
#define CONTENTS_FROM 8u
#define PART_COUNT (sizeof parts / sizeof parts[0])

struct vdso_state {
	struct crimg_filter base;
	struct crimg_ledger *ledger;
	struct crimg_arena arena;
	struct crimg_buf encoded;
	struct standin segments[2]; // 64 bits, 32 bits
	uint32_t last_pages_id;
	uint64_t payloads;          // announced so far
	struct crimg_record held;   // of inner, until ours before it were given
	bool holds, ended;
	size_t given;               // of parts
};

static void put_code(uint8_t *page, size_t at, const uint8_t *code, size_t length)
{
	if (at + length <= CRIMG_PAGE_BYTES)
		memcpy(page + at, code, length);
}

// A header without program headers: whoever looks for symbols finds that there are none.
static void put_header(uint8_t *page, bool is_32)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	size_t length = is_32 ? 52 : 64;
	memset(page, 0, length);
	memcpy(page, ident, sizeof ident);
	page[4] = is_32 ? 1 : 2;
	crimg_put_u16(page + 16, ELF_TYPE_DYN);
	crimg_put_u16(page + 18, is_32 ? ELF_MACHINE_386 : ELF_MACHINE_X86_64);
	crimg_put_u32(page + 20, 1);
	crimg_put_u16(page + length - 12, (uint16_t)length);
}

static int fill(struct standin *s, bool is_32, struct crimg_err *err)
{
	static const uint8_t no_such_call[] = { 0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3 };
	static const uint8_t enter_kernel[] = { 0xcd, 0x80, 0xc3 };
	size_t length = (size_t)s->pages * CRIMG_PAGE_BYTES;
	s->bytes = malloc(length);
	if (s->bytes == NULL)
		return crimg_fail_nomem(err, length);
	memset(s->bytes, is_32 ? OP_INT3 : OP_NOP, length);
	for (size_t at = 0; !is_32 && at < length; at += CRIMG_PAGE_BYTES)
		put_code(s->bytes + at, CRIMG_PAGE_BYTES - sizeof no_such_call, no_such_call,
		         sizeof no_such_call);
	put_header(s->bytes, is_32);
	if (is_32 && s->sysinfo >= 64 && s->sysinfo < CRIMG_PAGE_BYTES)
		put_code(s->bytes, (size_t)s->sysinfo, enter_kernel, sizeof enter_kernel);
	return 0;
}

// The auxiliary vector of a 32-bit task is in pairs of halves.
static bool find_sysinfo(const MmEntry *mm, uint64_t *value)
{
	for (size_t i = 0; i < mm->n_mm_saved_auxv; i++) {
		*value = mm->mm_saved_auxv[i] >> 32;
		if ((uint32_t)mm->mm_saved_auxv[i] == AT_SYSINFO && *value != 0)
			return true;
	}
	return false;
}

static bool is_empty_vdso(const VmaEntry *v)
{
	uint64_t length = v->end - v->start;
	return (v->status & CRIMG_VMA_VDSO) != 0 && (v->status & CRIMG_VMA_REGULAR) == 0
		&& v->end > v->start && length % CRIMG_PAGE_BYTES == 0
		&& length / CRIMG_PAGE_BYTES <= MAX_PAGES;
}

static int stand_in(struct vdso_state *s, const struct crimg_record *r, const MmEntry *mm, VmaEntry *v,
                    struct crimg_err *err)
{
	char name[CRIMG_FILE_NAME_MAX], what[160];
	uint64_t sysinfo = 0, pages = (v->end - v->start) / CRIMG_PAGE_BYTES;
	bool is_32 = find_sysinfo(mm, &sysinfo);
	struct standin *segment = &s->segments[is_32];
	if (pages > segment->pages)
		segment->pages = pages;
	if (is_32)
		segment->sysinfo = sysinfo - v->start;
	v->status = CRIMG_VMA_REGULAR | CRIMG_VMA_ANON_SHARED;
	v->flags = MAP_SHARED_ANONYMOUS;
	v->shmid = CRIMG_VDSO_SEGMENT + is_32;
	v->pgoff = 0;
	crimg_kind_file(r->object->kind, r->object->id, name);
	snprintf(what, sizeof what, "the vDSO at 0x%llx is not in the image; %s", (unsigned long long)v->start,
	         is_32 ? "one that only enters the kernel is in its place"
	               : "one whose functions say ENOSYS is in its place");
	return crimg_ledger_note(s->ledger, name, "vmas", what, err);
}

static int look_at_mm(struct vdso_state *s, struct crimg_record *r, struct crimg_err *err)
{
	bool changed = false;
	crimg_arena_reset(&s->arena);
	void *m = crimg_message_decode(&mm_entry__descriptor, r->data, r->length, &s->arena, r->origin,
	                               r->origin_offset, err);
	MmEntry *mm = m;
	for (size_t i = 0; mm != NULL && i < mm->n_vmas; i++) {
		if (!is_empty_vdso(mm->vmas[i]))
			continue;
		changed = true;
		if (stand_in(s, r, mm, mm->vmas[i], err) < 0)
			return -1;
	}
	if (mm == NULL)
		return -1;
	return changed ? crimg_filter_replace(r, m, &s->encoded, err) : 0;
}

static int look_at_head(struct vdso_state *s, const struct crimg_record *r, struct crimg_err *err)
{
	crimg_arena_reset(&s->arena);
	const void *m = crimg_message_decode(&pagemap_head__descriptor, r->data, r->length, &s->arena,
	                                     r->origin, r->origin_offset, err);
	const PagemapHead *head = m;
	if (head != NULL && head->pages_id > s->last_pages_id)
		s->last_pages_id = head->pages_id;
	return head == NULL ? -1 : 0;
}

static int look(struct vdso_state *s, struct crimg_record *r, struct crimg_err *err)
{
	if (r->type != CRIMG_RECORD_CONTENT && r->payload.number != CRIMG_NO_PAYLOAD)
		s->payloads = r->payload.number + 1;
	if (r->type != CRIMG_RECORD_MESSAGE || r->tail)
		return 0;
	if (r->object->kind == CRIMG_KIND_MM)
		return look_at_mm(s, r, err);
	bool map = r->object->kind == CRIMG_KIND_PAGEMAP || r->object->kind == CRIMG_KIND_PAGEMAP_SHMEM;
	return map && r->index == 0 ? look_at_head(s, r, err) : 0;
}

static int give_message(struct vdso_state *s, struct standin *segment, const ProtobufCMessage *m,
                        uint64_t index, struct crimg_record *r, struct crimg_err *err)
{
	*r = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = &segment->map, .index = index,
		.payload = { .number = CRIMG_NO_PAYLOAD }, .origin = "",
	};
	return crimg_filter_replace(r, m, &s->encoded, err) < 0 ? -1 : 1;
}

static int give(struct vdso_state *s, const struct part *part, struct crimg_record *r,
                struct crimg_err *err)
{
	struct standin *segment = &s->segments[part->segment];
	uint64_t length = segment->pages * CRIMG_PAGE_BYTES;
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry run = PAGEMAP_ENTRY__INIT;
	*r = (struct crimg_record){ .payload = { .number = CRIMG_NO_PAYLOAD }, .origin = "" };
	switch (part->type) {
	case PART_MAP:
		segment->pages_id = ++s->last_pages_id;
		segment->map = (struct crimg_object){ .kind = CRIMG_KIND_PAGEMAP_SHMEM,
		                                      .id = CRIMG_VDSO_SEGMENT + part->segment, .name = "" };
		r->object = &segment->map;
		return 1;
	case PART_HEAD:
		head.pages_id = segment->pages_id;
		return give_message(s, segment, &head.base, 0, r, err);
	case PART_RUN:
		run.has_flags = run.has_nr_pages = true;
		run.nr_pages = segment->pages;
		run.flags = CRIMG_PE_PRESENT;
		return give_message(s, segment, &run.base, 1, r, err);
	case PART_PAGES:
		segment->payload = s->payloads++;
		segment->contents = (struct crimg_object){ .kind = CRIMG_KIND_PAGES, .name = "",
		                                           .framing = CRIMG_FRAMING_RAW,
		                                           .id = segment->pages_id };
		r->object = &segment->contents;
		r->payload = (struct crimg_payload_ref){ segment->payload, length };
		return fill(segment, part->segment == 1, err) < 0 ? -1 : 1;
	default:
		r->type = CRIMG_RECORD_CONTENT;
		r->payload = (struct crimg_payload_ref){ segment->payload, length };
		r->content_length = length;
		r->bytes = segment->bytes;
		return 1;
	}
}

// How many parts stand before the record in hand.
static size_t due(const struct vdso_state *s)
{
	if (s->ended)
		return PART_COUNT;
	if (s->held.type == CRIMG_RECORD_CONTENT)
		return CONTENTS_FROM;
	return s->held.type == CRIMG_RECORD_OBJECT && s->held.object->kind > CRIMG_KIND_PAGEMAP_SHMEM
		? PAGES_FROM : 0;
}

static int vdso_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct vdso_state *s = reader->state;
	if (!s->holds && !s->ended) {
		int rc = crimg_reader_next(&s->base.inner, &s->held, err);
		if (rc < 0 || (rc > 0 && look(s, &s->held, err) < 0))
			return -1;
		s->holds = rc > 0;
		s->ended = rc == 0;
	}
	while (s->given < due(s)) {
		const struct part *part = &parts[s->given++];
		if (s->segments[part->segment].pages > 0)
			return give(s, part, r, err);
	}
	if (!s->holds)
		return 0;
	*r = s->held;
	s->holds = false;
	return 1;
}

// The segment that payload is, or NULL.
static const struct standin *of_ours(const struct vdso_state *s, uint64_t payload)
{
	for (size_t i = 0; i < 2; i++)
		if (s->segments[i].bytes != NULL && s->segments[i].payload == payload)
			return &s->segments[i];
	return NULL;
}

static int vdso_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
                     size_t length, struct crimg_err *err)
{
	const struct standin *segment = of_ours(reader->state, payload);
	if (segment == NULL)
		return crimg_filter_read(reader, payload, offset, buf, length, err);
	if (!crimg_in_range(offset, length, segment->pages * CRIMG_PAGE_BYTES))
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "bytes behind the vDSO are wanted");
	memcpy(buf, segment->bytes + offset, length);
	return 0;
}

static int vdso_locate(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
                       struct crimg_span *out, struct crimg_err *err)
{
	return of_ours(reader->state, payload) != NULL ? 0
		: crimg_filter_locate(reader, payload, offset, out, err);
}

static int vdso_digest(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
                       struct crimg_digest *out, struct crimg_err *err)
{
	return of_ours(reader->state, payload) != NULL ? 0
		: crimg_filter_digest(reader, payload, offset, out, err);
}

static void vdso_close(struct crimg_reader *reader)
{
	struct vdso_state *s = reader->state;
	crimg_reader_close(&s->base.inner);
	crimg_arena_fini(&s->arena);
	crimg_buf_fini(&s->encoded);
	for (size_t i = 0; i < 2; i++)
		free(s->segments[i].bytes);
	free(s);
}

static const struct crimg_reader_driver vdso_driver = {
	.name = "vdso",
	.next = vdso_next,
	.read = vdso_read,
	.locate = vdso_locate,
	.digest = vdso_digest,
	.close = vdso_close,
};

int crimg_filter_vdso(struct crimg_reader *reader, struct crimg_ledger *ledger, struct crimg_err *err)
{
	struct vdso_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->base.inner = *reader;
	s->ledger = ledger;
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	reader->driver = &vdso_driver;
	reader->state = s;
	return 0;
}
