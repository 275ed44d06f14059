// The container: header, sections one behind the other, objects within objects, the trailer.
#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"
#include "readers/cpt_model.h"

#define MAX_DEPTH 16
#define PADDING 8u // less than this may stand behind the last object

// Of one section, or of an object that is open.
struct level {
	size_t object; // SIZE_MAX: the section
	uint64_t end;
};

struct walk {
	struct cpt *c;
	struct crimg_window window;
	const struct cpt_section *section;
	struct level stack[MAX_DEPTH];
	size_t depth;
};

void cpt_damage(struct cpt *c, uint64_t offset, const char *format, ...)
{
	char text[CRIMG_ERR_TEXT_MAX];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	crimg_fail(&c->damage, CRIMG_E_FORMAT, c->source->name, offset, "%s", text);
}

// 4122 was a timer's number before it was that of a mount's data; the section tells.
static enum crimg_cpt_object kind_of(uint32_t number, uint32_t section)
{
	if (section == CRIMG_CPT_SECT_POSIX_TIMERS
	    && number == crimg_cpt_objects[CRIMG_CPT_OBJ_MOUNT_DATA].number)
		return CRIMG_CPT_OBJ_POSIX_TIMER;
	for (unsigned i = 0; i < CRIMG_CPT_OBJ_UNKNOWN; i++)
		if (crimg_cpt_objects[i].number == number)
			return (enum crimg_cpt_object)i;
	return CRIMG_CPT_OBJ_UNKNOWN;
}

static const char *owner_name(const struct walk *w)
{
	size_t owner = w->stack[w->depth - 1].object;
	return owner == SIZE_MAX ? "section" : crimg_cpt_objects[w->c->objects[owner].kind].name;
}

// 1: the header at hand is an object's that fits. 0: it is not, and that was said.
static int check_header(struct walk *w, const struct cpt_object *o)
{
	uint64_t at = o->offset, left = w->stack[w->depth - 1].end - at;
	const struct crimg_cpt_object_info *info = &crimg_cpt_objects[o->kind];
	if (o->header < info->header) {
		cpt_damage(w->c, at, "%s: a header of %u bytes found, at least %u wanted",
			   info->name, o->header, info->header);
		return 0;
	}
	if (o->length < o->header || o->length > left) {
		cpt_damage(w->c, at,
			   "%s: a length of %llu bytes found, %u (its header) to %llu (what is "
			   "left of the %s) wanted",
			   info->name, (unsigned long long)o->length, o->header,
			   (unsigned long long)left, owner_name(w));
		return 0;
	}
	return 1;
}

static int add_object(struct walk *w, struct cpt_object *o, struct crimg_err *err)
{
	struct cpt *c = w->c;
	void *array = c->objects;
	const uint8_t *data;
	size_t got;
	if (c->count >= CRIMG_MAX_OBJECTS)
		return crimg_fail(err, CRIMG_E_LIMIT, c->source->name, o->offset,
				  "more than %u objects", CRIMG_MAX_OBJECTS);
	if (crimg_window_peek(&w->window, o->header, &data, &got, err) < 0)
		return -1;
	if (got < o->header)
		return crimg_fail(err, CRIMG_E_CUT, c->source->name, o->offset,
				  "the file ends in the header of an object");
	uint8_t *copy = crimg_arena_alloc(&c->arena, o->header);
	if (copy == NULL)
		return crimg_fail_nomem(err, o->header);
	memcpy(copy, data, o->header);
	o->data = copy;
	if (crimg_grow(&array, &c->capacity, c->count, sizeof *c->objects, err) < 0)
		return -1;
	c->objects = array;
	c->objects[c->count++] = *o;
	return 0;
}

static void close_levels(struct walk *w, uint64_t at)
{
	while (w->depth > 1 && w->stack[w->depth - 1].end <= at)
		w->c->objects[w->stack[--w->depth].object].end = w->c->count;
}

// The object at the window's place. 1: it was read. 0: there is none that can be. -1.
static int read_object(struct walk *w, struct crimg_err *err)
{
	const uint8_t *head;
	size_t got;
	if (crimg_window_peek(&w->window, CRIMG_CPT_OBJECT_BYTES, &head, &got, err) < 0)
		return -1;
	if (got < CRIMG_CPT_OBJECT_BYTES)
		return crimg_fail(err, CRIMG_E_CUT, w->c->source->name, w->window.offset,
				  "the file ends in the header of an object");
	struct cpt_object o = {
		.offset = w->window.offset,
		.length = crimg_get_u64(head),
		.number = crimg_get_u32(head + 8),
		.header = crimg_get_u16(head + 12),
		.content = crimg_get_u16(head + 14),
		.section = w->section->number,
	};
	o.kind = kind_of(o.number, o.section);
	if (!check_header(w, &o))
		return 0;
	o.end = w->c->count + 1;
	if (add_object(w, &o, err) < 0)
		return -1;
	bool deeper = crimg_cpt_objects[o.kind].follows == CRIMG_CPT_OBJECTS;
	if (deeper && w->depth == MAX_DEPTH) {
		cpt_damage(w->c, o.offset, "more than %u objects within each other", MAX_DEPTH);
		return 0;
	}
	if (deeper)
		w->stack[w->depth++] = (struct level){w->c->count - 1, o.offset + o.length};
	return crimg_window_skip(&w->window, deeper ? o.header : o.length, err) < 0 ? -1 : 1;
}

// All objects of a section; what cannot be read ends it, and the next section is read.
static int read_section(struct walk *w, struct crimg_err *err)
{
	uint64_t end = w->section->offset + w->section->length;
	int rc = 1;
	w->stack[0] = (struct level){SIZE_MAX, end};
	w->depth = 1;
	crimg_window_seek(&w->window, w->section->offset + w->section->header);
	while (rc > 0 && w->window.offset < end) {
		close_levels(w, w->window.offset);
		uint64_t left = w->stack[w->depth - 1].end - w->window.offset;
		if (left < PADDING)
			rc = crimg_window_skip(&w->window, left, err) < 0 ? -1 : 1;
		else
			rc = read_object(w, err);
	}
	close_levels(w, UINT64_MAX);
	return rc;
}

// Why the kernel gave up.
static void tell_error(struct cpt *c, const struct cpt_section *s)
{
	uint8_t text[256] = {0};
	size_t got, wanted = (size_t)crimg_min_u64(s->length - s->header, sizeof text - 1);
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (crimg_source_read(c->source, s->offset + s->header, text, wanted, &got, &ignored) == 0
	    && got > 0)
		cpt_damage(c, s->offset, "the kernel gave up the checkpoint: %s", (char *)text);
}

int cpt_load_objects(struct cpt *c, struct crimg_err *err)
{
	struct walk w = {.c = c, .window = crimg_window_make(c->source, c->head)};
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < c->section_count; i++) {
		w.section = &c->sections[i];
		if (w.section->number == CRIMG_CPT_SECT_ERROR)
			tell_error(c, w.section);
		else
			rc = read_section(&w, err);
	}
	crimg_window_fini(&w.window);
	return rc < 0 ? -1 : 0;
}

static int add_section(struct cpt *c, const struct cpt_section *s, struct crimg_err *err)
{
	void *array = c->sections;
	if (c->section_count >= CRIMG_MAX_OBJECTS)
		return crimg_fail(err, CRIMG_E_LIMIT, c->source->name, s->offset,
				  "more than %u sections", CRIMG_MAX_OBJECTS);
	if (crimg_grow(&array, &c->section_capacity, c->section_count, sizeof *c->sections, err)
	    < 0)
		return -1;
	c->sections = array;
	c->sections[c->section_count++] = *s;
	return 0;
}

// Sections only lead forwards, so their walk ends. The trailer's is the last.
static int walk_sections(struct cpt *c, struct crimg_err *err)
{
	uint64_t at = c->head, size = c->source->size;
	while (at < size) {
		uint8_t head[CRIMG_CPT_SECTION_BYTES];
		if (size - at < sizeof head) {
			cpt_damage(c, at, "%llu bytes left, the header of a section wanted",
				   (unsigned long long)(size - at));
			return 0;
		}
		if (crimg_source_read_exact(c->source, at, head, sizeof head, err) < 0)
			return -1;
		struct cpt_section s = {crimg_get_u32(head + 8), at, crimg_get_u64(head),
					crimg_get_u16(head + 12)};
		if (s.number >= CRIMG_CPT_SECT_COUNT || s.header < CRIMG_CPT_SECTION_BYTES
		    || s.length < s.header || s.length > size - at) {
			cpt_damage(c, at,
				   "section %u with a header of %u bytes and %llu in all found, 0 "
				   "to %u with at least %u and at most %llu (what is left) wanted",
				   s.number, s.header, (unsigned long long)s.length,
				   CRIMG_CPT_SECT_COUNT - 1u, CRIMG_CPT_SECTION_BYTES,
				   (unsigned long long)(size - at));
			return 0;
		}
		if (add_section(c, &s, err) < 0)
			return -1;
		at += s.length;
		if (s.number == CRIMG_CPT_SECT_TRAILER)
			break;
	}
	if (at != size || c->section_count == 0
	    || c->sections[c->section_count - 1].number != CRIMG_CPT_SECT_TRAILER)
		cpt_damage(c, at, "%llu bytes behind the last section found, a trailer that ends "
				  "the file wanted",
			   (unsigned long long)(size - at));
	return 0;
}

// What the trailer says must be what the walk found.
static void check_index(struct cpt *c)
{
	if (cpt_count(c, CRIMG_CPT_OBJ_TRAILER) == 0)
		return;
	const struct cpt_object *t = cpt_nth(c, CRIMG_CPT_OBJ_TRAILER, 0);
	const uint8_t *end = cpt_bytes(c, t, CRIMG_CPT_TRAILER_SIGNATURE);
	uint64_t found[CRIMG_CPT_INDEXED_SECTIONS];
	memset(found, 0xff, sizeof found);
	for (size_t i = c->section_count; i-- > 0;)
		if (c->sections[i].number < CRIMG_CPT_INDEXED_SECTIONS)
			found[c->sections[i].number] = c->sections[i].offset;
	if (end == NULL || crimg_get_u32(end) != CRIMG_CPT_SIGNATURE
	    || cpt_get(c, t, CRIMG_CPT_TRAILER_NSECT) != CRIMG_CPT_INDEXED_SECTIONS)
		cpt_damage(c, t->offset, "TRAILER: %llu sections and no signature found, %u and "
					 "the signature wanted",
			   (unsigned long long)cpt_get(c, t, CRIMG_CPT_TRAILER_NSECT),
			   CRIMG_CPT_INDEXED_SECTIONS);
	for (unsigned i = 0; i < CRIMG_CPT_INDEXED_SECTIONS; i++) {
		uint64_t said = cpt_at(c, t, CRIMG_CPT_TRAILER_SECTIONS, i);
		if (said != found[i])
			cpt_damage(c, t->offset + 24 + 8 * (uint64_t)i,
				   "TRAILER: section %u at %lld found, at %lld wanted", i,
				   (long long)said, (long long)found[i]);
	}
}

static int read_major(struct cpt *c, struct crimg_err *err)
{
	const char *name = c->source->name;
	if (crimg_source_read_exact(c->source, 0, c->major, sizeof c->major, err) < 0)
		return -1;
	c->head = crimg_get_u16(c->major + CRIMG_CPT_MAJOR_LENGTH);
	c->version = crimg_get_u16(c->major + CRIMG_CPT_MAJOR_VERSION);
	c->arch = crimg_get_u16(c->major + CRIMG_CPT_MAJOR_ARCH);
	c->hz = crimg_get_u16(c->major + CRIMG_CPT_MAJOR_HZ);
	uint32_t page = crimg_get_u16(c->major + CRIMG_CPT_MAJOR_PAGE_SIZE);
	if (crimg_get_u32(c->major) != CRIMG_CPT_SIGNATURE)
		return crimg_fail(err, CRIMG_E_MAGIC, name, 0,
				  "signature 0x%08x found, 0x%08x (an OpenVZ image) wanted",
				  crimg_get_u32(c->major), CRIMG_CPT_SIGNATURE);
	if (c->version < CRIMG_CPT_VERSION_FIRST || c->version > CRIMG_CPT_VERSION_LAST)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_CPT_MAJOR_VERSION,
				  "version 0x%x found, 0x%x to 0x%x wanted", c->version,
				  CRIMG_CPT_VERSION_FIRST, CRIMG_CPT_VERSION_LAST);
	if (c->arch != CRIMG_CPT_ARCH_I386 && c->arch != CRIMG_CPT_ARCH_X86_64)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_CPT_MAJOR_ARCH,
				  "machine %u%s found, 0 (i386) or 1 (x86-64) wanted", c->arch,
				  c->arch == CRIMG_CPT_ARCH_IA64 ? " (ia64)" : "");
	if (c->head < CRIMG_CPT_MAJOR_BYTES || page != CRIMG_PAGE_BYTES || c->hz == 0)
		return crimg_fail(err, CRIMG_E_FORMAT, name, 0,
				  "a header of %llu bytes with pages of %u and HZ %u found, at "
				  "least %u, %u and more than 0 wanted",
				  (unsigned long long)c->head, page, c->hz, CRIMG_CPT_MAJOR_BYTES,
				  CRIMG_PAGE_BYTES);
	return 0;
}

int cpt_load(struct cpt *c, struct crimg_source *source, struct crimg_err *err)
{
	c->source = source;
	c->arena = crimg_arena_make(CRIMG_MAX_INDEX_BYTES);
	if (read_major(c, err) < 0 || walk_sections(c, err) < 0 || cpt_load_objects(c, err) < 0
	    || cpt_sort_objects(c, err) < 0)
		return -1;
	check_index(c);
	cpt_check_references(c);
	return cpt_load_pages(c, err);
}

void cpt_fini(struct cpt *c)
{
	for (size_t i = 0; c->spaces != NULL && i < cpt_count(c, CRIMG_CPT_OBJ_MM); i++)
		free(c->spaces[i].list);
	for (size_t i = 0; c->inodes != NULL && i < cpt_count(c, CRIMG_CPT_OBJ_INODE); i++)
		free(c->inodes[i].list);
	free(c->spaces);
	free(c->inodes);
	free(c->sections);
	free(c->objects);
	free(c->by_kind);
	crimg_arena_fini(&c->arena);
}
