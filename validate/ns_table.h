// The namespaces that a task's ids tell of, in the order of clone's flags: one table for all passes.
#ifndef CRIMG_VALIDATE_NS_TABLE_H
#define CRIMG_VALIDATE_NS_TABLE_H

#include "format/schema.h"

struct crimg_ns_info {
	const char *word;     // "uts"
	size_t has, value;    // offsets of the presence flag and the number in TaskKobjIdsEntry
	enum crimg_kind kind; // the contents that the image must hold unless it is the dumper's; OPAQUE: none, or
	                      // engines that set it up themselves have it left out
	bool usual;           // engines share it with the outside unless told
};

#define CRIMG_NS_COUNT 8
extern const struct crimg_ns_info crimg_ns_table[CRIMG_NS_COUNT];

// Whether ids tell of namespace i (below CRIMG_NS_COUNT); *out is its number.
bool crimg_ns_of(const TaskKobjIdsEntry *ids, size_t i, uint32_t *out);

#endif
