// What stands around the entries of one object in a JSON image: its name, kind and framing, or its raw
// bytes, link target, emptiness. Knows the outer shape of the documents; knows nothing of entries.
#ifndef CRIMG_READERS_JSON_HEAD_H
#define CRIMG_READERS_JSON_HEAD_H

#include "readers/json_build.h"
#include "readers/json_payload.h"

struct json_head {
	// in the caller's arena; NULL: not given
	char *name, *link, *magic, *kind, *framing, *schema;
	uint64_t id;
	bool has_id, dir;
	bool has_entries;
	uint64_t entries;      // offset of the list
	struct json_cut raw;
};

// What a head is read with; all borrowed.
struct json_head_reader {
	struct json_scan *scan;
	struct json_payloads *payloads;
	struct json_builder *builder;  // for errors and strings
	struct crimg_arena *arena;     // strings live here
	struct crimg_buf text;         // owned: one value at a time
};

// Where the reading of a head stopped.
enum json_head_stop {
	JSON_HEAD_END,         // behind its '}'
	JSON_HEAD_ENTRIES,     // before the list of entries, which is not taken
	JSON_HEAD_OBJECTS,     // before the list of objects of a whole image
};

void json_head_reader_fini(struct json_head_reader *r);
// The members of an object whose '{' was taken; first: none of them was taken before. Other keys than
// those above are refused. skim: entries are passed over, not stopped at.
CRIMG_MUST_CHECK int json_head_read(struct json_head_reader *r, struct json_head *head, bool first,
                                    bool skim, enum json_head_stop *stop, struct crimg_err *err);
// What the head says, as an object; image: within a whole image, where names are required.
CRIMG_MUST_CHECK int json_head_object(struct json_head_reader *r, const struct json_head *head,
                                      bool image, struct crimg_object *out, struct crimg_err *err);

#endif
