// An OpenVZ CPT image, read: its sections, all its objects with their headers, and where pages lie. Values
// stay in the headers; format/layout_cpt.def says where. Knows the container; knows no messages.
#ifndef CRIMG_READERS_CPT_MODEL_H
#define CRIMG_READERS_CPT_MODEL_H

#include "format/buf.h"
#include "format/layout_cpt.h"
#include "format/source.h"

struct cpt_object {
	uint64_t offset, length;    // in the file; with all that is in it
	const uint8_t *data;        // the header, as long as it says itself
	uint16_t header, content;
	uint32_t number;            // as found
	enum crimg_cpt_object kind; // UNKNOWN: passed over, and kept
	uint32_t section;
	size_t end; // index of the first object that is not in it
	size_t nth; // of its kind
};

struct cpt_section {
	uint32_t number;
	uint64_t offset, length;
	uint32_t header;
};

// Pages that follow each other in memory and in the file.
struct cpt_run {
	uint64_t start; // address, or offset in the inode, in bytes
	uint64_t bytes; // the last of an inode may be no whole page
	uint64_t offset; // of the contents; CRIMG_NO_OFFSET: zeros
	bool own;        // they lie in the object itself, not in an earlier address space
};

struct cpt_runs {
	struct cpt_run *list; // in the order of addresses; owned
	size_t count, capacity;
	uint64_t pages;
};

struct cpt {
	struct crimg_source *source; // borrowed
	struct crimg_err damage;     // the first thing that was wrong; what could be read is there
	struct crimg_arena arena;    // headers
	uint8_t major[CRIMG_CPT_MAJOR_BYTES];
	uint32_t version, arch, hz;
	uint64_t head;                // bytes before the first section
	struct cpt_section *sections; // in the order of the file
	size_t section_count, section_capacity;
	struct cpt_object *objects; // in the order of the file: what is in an object follows it
	size_t count, capacity;
	size_t starts[CRIMG_CPT_OBJ_COUNT + 1]; // by_kind[starts[k], starts[k + 1]) are of kind k
	size_t *by_kind;
	unsigned fields[CRIMG_CPT_OBJ_COUNT]; // the first row of each in the table
	struct cpt_runs *spaces, *inodes; // of each MM, of each INODE
	size_t run_count;                 // of all
};

// Says what is wrong unless something was said before; reading goes on.
void cpt_damage(struct cpt *c, uint64_t offset, const char *format, ...) CRIMG_PRINTF(3, 4);

// Fields. 0 when the header is too short for it or the image too old.
bool cpt_has(const struct cpt *c, const struct cpt_object *o, enum crimg_cpt_field field);
uint64_t cpt_at(const struct cpt *c, const struct cpt_object *o, enum crimg_cpt_field field,
		unsigned index);
static inline uint64_t cpt_get(const struct cpt *c, const struct cpt_object *o,
			       enum crimg_cpt_field field)
{
	return cpt_at(c, o, field, 0);
}
static inline uint32_t cpt_u32(const struct cpt *c, const struct cpt_object *o,
			       enum crimg_cpt_field field)
{
	return (uint32_t)cpt_at(c, o, field, 0);
}
// The bytes of an array; NULL when they are not there.
const uint8_t *cpt_bytes(const struct cpt *c, const struct cpt_object *o,
			 enum crimg_cpt_field field);

// Objects. NULL when there is none.
const struct cpt_object *cpt_find(const struct cpt *c, uint64_t offset);
const struct cpt_object *cpt_ref(const struct cpt *c, const struct cpt_object *o,
				 enum crimg_cpt_field field);
static inline size_t cpt_count(const struct cpt *c, enum crimg_cpt_object kind)
{
	return c->starts[kind + 1] - c->starts[kind];
}
static inline const struct cpt_object *cpt_nth(const struct cpt *c, enum crimg_cpt_object kind,
					       size_t i)
{
	return &c->objects[c->by_kind[c->starts[kind] + i]];
}
// The next object directly in `in` behind `after` (NULL: the first), of a kind or of any.
const struct cpt_object *cpt_child(const struct cpt *c, const struct cpt_object *in,
				   const struct cpt_object *after, enum crimg_cpt_object kind);
// The next object directly in a section.
const struct cpt_object *cpt_in_section(const struct cpt *c, uint32_t section,
					const struct cpt_object *after);

// What stands behind the header.
static inline uint64_t cpt_body(const struct cpt_object *o)
{
	return o->offset + o->header;
}
static inline uint64_t cpt_body_bytes(const struct cpt_object *o)
{
	return o->length - o->header;
}
// The same, without the padding of those that count their bytes.
uint64_t cpt_data_bytes(const struct cpt *c, const struct cpt_object *o);
// Its first bytes, at most limit, in arena, with a zero behind them; NULL with err filled.
uint8_t *cpt_read(const struct cpt *c, const struct cpt_object *o, uint64_t limit, size_t *length,
		  struct crimg_arena *arena, struct crimg_err *err);
// The text of a NAME, "" for NULL.
char *cpt_text(const struct cpt *c, const struct cpt_object *name, struct crimg_arena *arena,
	       struct crimg_err *err);

// Parts of loading.
CRIMG_MUST_CHECK int cpt_load_objects(struct cpt *c, struct crimg_err *err);
CRIMG_MUST_CHECK int cpt_sort_objects(struct cpt *c, struct crimg_err *err);
void cpt_check_references(struct cpt *c);
CRIMG_MUST_CHECK int cpt_load_pages(struct cpt *c, struct crimg_err *err);
// All of it. -1: no image that can be read, or memory; what is wrong further on is damage.
CRIMG_MUST_CHECK int cpt_load(struct cpt *c, struct crimg_source *source, struct crimg_err *err);
void cpt_fini(struct cpt *c);

#endif
