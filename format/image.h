// The index of one image: all its metadata in memory, found by kind and number, decoded on demand.
// Page contents and payloads stay where they are. Knows records; knows nothing of formats.
#ifndef CRIMG_FORMAT_IMAGE_H
#define CRIMG_FORMAT_IMAGE_H

#include "format/driver.h"
#include "format/pagemap.h"

struct crimg_image_entry {
	const uint8_t *data;        // encoded message, in the image's arena; NULL for a tail
	size_t length;
	const ProtobufCMessage *message; // decoded by crimg_image_message(); NULL before
	struct crimg_payload_ref payload;
	uint64_t offset, span;      // bytes in the object's file
	bool tail;                  // bytes behind the only entry: payload alone
	bool broken;                // does not decode: told once, then passed over
};

// Messages that were put together; the array lives as long as the image.
struct crimg_list {
	const void *const *items;
	size_t count;
};

// Entries, which may have payload; the array lives as long as the image.
struct crimg_entries {
	const struct crimg_image_entry *const *items;
	size_t count;
};

struct crimg_image_object {
	struct crimg_object object; // name and target in the image's arena
	const char *origin;         // name of the source for errors
	struct crimg_payload_ref payload; // of raw objects
	struct crimg_image_entry *entries; // pagemaps: only the head (the rest is in map)
	size_t count, capacity;
	uint64_t entries_in_file;
	uint64_t metadata_bytes;    // of all entries, without payload
	struct crimg_pagemap *map;  // of PAGEMAP and PAGEMAP_SHMEM; else NULL
	bool wide_counts;           // its page counts are 64 bits wide (CRIU 4.2 or later)
	struct crimg_image_index *index; // for crimg_image_select(), in the arena; NULL before
	bool sorted;                // its runs are in address order: they can be searched
};

struct crimg_image {
	char *path;
	const char *format;         // name of the driver
	const char *root;           // of the names: "" or "checkpoint/", where inventory.img lies
	bool archive;               // a tar or zip
	bool directory;             // a directory; neither: one file or a pipe
	struct crimg_reader reader; // open: payloads are read through it; no driver: there is none
	struct crimg_image_object *objects; // sorted by kind, then number, then name
	size_t count, capacity;
	struct crimg_arena
		arena; // messages live here; tools may put what lives as long beside them
	struct crimg_image *parent; // owned; opened by crimg_image_parent()
	bool parent_tried;
	bool parent_failed;         // that was told
	unsigned depth;             // 0 for the image the user named
};

// Reads all metadata of the image at path. With a damaged image, what was readable is kept: *out is
// set and -1 returned with err filled; test *out. *out is NULL when nothing could be opened.
CRIMG_MUST_CHECK int crimg_image_open(const char *path, const char *format, const char *tmpdir,
                                      struct crimg_image **out, struct crimg_err *err);
// The same for an input that is open already, which is taken over whatever happens.
CRIMG_MUST_CHECK int crimg_image_open_input(struct crimg_input *in, const char *format,
                                            struct crimg_image **out, struct crimg_err *err);
// The same, and tells listener (NULL is allowed) every error on the way, not only the first.
struct crimg_image_listener {
	void (*error)(void *context, const struct crimg_err *err);
	void *context;
};
CRIMG_MUST_CHECK int crimg_image_open_all(struct crimg_input *in, const char *format,
                                          const struct crimg_image_listener *listener,
                                          struct crimg_image **out, struct crimg_err *err);
// crimg_image_open() with filters (format/filter.h) between the reader and the index: put puts them
// there. contents: these will be read, in any order, also when the image comes from a pipe or is packed.
struct crimg_image_filters {
	int (*put)(void *context, struct crimg_reader *reader, struct crimg_err *err);
	void *context;
	bool contents;
};
CRIMG_MUST_CHECK int crimg_image_open_filtered(const char *path, const char *format,
                                               const char *tmpdir, const struct crimg_image_filters *filters,
                                               struct crimg_image **out, struct crimg_err *err);
void crimg_image_close(struct crimg_image *image); // NULL is allowed

// An index of records that somebody else reads (a writer's stream): make, put the OBJECT and MESSAGE
// records that are wanted, in the order of a reader, seal. Contents cannot be read through it, and it
// knows no parent.
CRIMG_MUST_CHECK int crimg_image_make(const char *path, struct crimg_image **out,
                                      struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_image_put(struct crimg_image *image, const struct crimg_record *record,
                                     struct crimg_err *err);
void crimg_image_seal(struct crimg_image *image); // from here on objects are found

// The object of this kind and number, or NULL; the first of a kind; the next of the same kind. Of
// several objects with one kind and number only the first by name is seen.
struct crimg_image_object *crimg_image_find(struct crimg_image *image, enum crimg_kind kind,
                                            uint64_t id);
struct crimg_image_object *crimg_image_first(struct crimg_image *image, enum crimg_kind kind);
struct crimg_image_object *crimg_image_next(struct crimg_image *image,
                                            struct crimg_image_object *object);
// The object with exactly this name ("config.dump"), or NULL.
struct crimg_image_object *crimg_image_member(struct crimg_image *image, const char *name);
// Entry i of an object, decoded once; NULL with err filled when it cannot be, NULL without for a tail
// and for entries that failed before.
const void *crimg_image_message(struct crimg_image *image, struct crimg_image_object *object,
                                size_t i, struct crimg_err *err);
// The only (first) entry of kind and number, decoded; NULL without error when there is none.
const void *crimg_image_get(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                            struct crimg_err *err);

// All entries of all objects of a kind, in order. What cannot be decoded is passed over with err
// filled.
struct crimg_image_walk {
	enum crimg_kind kind;
	struct crimg_image_object *object; // of the message that came last
	size_t next;
};

struct crimg_image_walk crimg_image_walk_make(enum crimg_kind kind);
// The next message, or NULL at the end.
const void *crimg_image_walk(struct crimg_image *image, struct crimg_image_walk *walk,
                             struct crimg_err *err);

// The entries of a kind without number whose field (a number: "id", "pipe_id") is value, in the
// order of the file. The first call for a kind sorts, so many calls are cheap as long as they name
// the same field.
CRIMG_MUST_CHECK int crimg_image_select(struct crimg_image *image, enum crimg_kind kind,
                                        const char *field, uint64_t value, struct crimg_list *out,
                                        struct crimg_err *err);
// The first of them; NULL without error when there is none. err may be NULL.
const void *crimg_image_select_one(struct crimg_image *image, enum crimg_kind kind,
                                   const char *field, uint64_t value, struct crimg_err *err);
// The same as entries, decoded: message is set, payload is theirs.
CRIMG_MUST_CHECK int crimg_image_select_entries(struct crimg_image *image, enum crimg_kind kind,
                                                const char *field, uint64_t value,
                                                struct crimg_entries *out, struct crimg_err *err);

// Whether what the metadata promise stands behind them, as far as that shows without reading contents: see whole in
// format/driver.h. To be called once.
CRIMG_MUST_CHECK int crimg_image_whole(struct crimg_image *image, bool thorough, struct crimg_err *err);

// Exactly length bytes of a payload.
CRIMG_MUST_CHECK int crimg_image_read(struct crimg_image *image, uint64_t payload, uint64_t offset,
                                      void *buf, size_t length, struct crimg_err *err);
// Where the bytes of a payload from offset on lie in a file as they are, and the digest that they were
// written with: see format/driver.h. 1; 0: there is no such thing; -1: err.
CRIMG_MUST_CHECK int crimg_image_locate(struct crimg_image *image, uint64_t payload, uint64_t offset,
                                        struct crimg_span *out, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_image_digest(struct crimg_image *image, uint64_t payload, uint64_t offset,
                                        struct crimg_digest *out, struct crimg_err *err);
// Up to limit bytes of a raw object (its first bytes, or its last ones with tail), into a fresh
// buffer.
CRIMG_MUST_CHECK int crimg_image_contents(struct crimg_image *image,
                                          const struct crimg_image_object *object, size_t limit,
                                          bool tail, struct crimg_buf *out, struct crimg_err *err);

// The image that this one's `parent` link names, opened once. NULL without error when there is no
// link.
struct crimg_image *crimg_image_parent(struct crimg_image *image, struct crimg_err *err);
// The target of the `parent` link, or NULL.
const char *crimg_image_parent_link(struct crimg_image *image);

// Who wrote the records of an image that a kernel wrote itself, whichever format it has now; NULL: CRIU did.
const KernelOriginEntry *crimg_image_origin(struct crimg_image *image);
// True for an image whose format has no place for memory, registers, descriptors, paths and parents: it tells who
// was there and what they shared, and nothing can be restored from it.
bool crimg_image_is_skeleton(struct crimg_image *image);

// What a whole image must hold and this one does not.
enum crimg_lack {
	CRIMG_LACK_SENSE,        // something that is needed does not decode
	CRIMG_LACK_INVENTORY,
	CRIMG_LACK_TASKS,        // no process
	CRIMG_LACK_CORE,
	CRIMG_LACK_MM,
	CRIMG_LACK_PAGEMAP,
	CRIMG_LACK_PAGES,        // the whole file
	CRIMG_LACK_PAGE_BYTES,   // pages end before their map does
	CRIMG_LACK_PAGE_ENTRIES, // pages go on behind what their map tells of
	CRIMG_LACK_PARENT,
};

struct crimg_lack_listener {
	// err tells file, found and wanted; it is lent for the call.
	void (*lacks)(void *context, enum crimg_lack lack, const struct crimg_err *err);
	void *context;
};

// Tells everything that is lacking, in the parents too; true when something is. A pre-dump (inventory
// version 0) needs no tasks, a skeleton nothing of what it has no place for. Reads no page contents.
bool crimg_image_lacks(struct crimg_image *image, const struct crimg_lack_listener *listener);

// The first of these, CRIMG_LACK_PAGE_ENTRIES aside: 0: complete; 1: err tells what is missing (file,
// found, wanted); -1: err.
CRIMG_MUST_CHECK int crimg_image_missing(struct crimg_image *image, struct crimg_err *err);

#endif
