// The index of one image: all its metadata in memory, found by kind and number, decoded on demand.
// Page contents and payloads stay where they are. Knows records; knows nothing of formats.
#ifndef CRIMG_FORMAT_IMAGE_H
#define CRIMG_FORMAT_IMAGE_H

#include "format/driver.h"
#include "format/pagemap.h"

struct crimg_image_entry {
	const uint8_t *data;        // encoded message, in the image's arena
	size_t length;
	const ProtobufCMessage *message; // decoded by crimg_image_message(); NULL before
	struct crimg_payload_ref payload;
	uint64_t offset, span;      // bytes in the object's file
	bool tail;
};

struct crimg_image_object {
	struct crimg_object object; // name and target in the image's arena
	const char *origin;         // name of the source for errors
	struct crimg_payload_ref payload; // of raw objects
	struct crimg_image_entry *entries; // pagemaps: only the head (the rest is in map)
	size_t count;
	uint64_t entries_in_file;
	struct crimg_pagemap *map;  // of PAGEMAP and PAGEMAP_SHMEM; else NULL
};

struct crimg_image {
	char *path;
	const char *format;         // name of the driver
	struct crimg_reader reader; // open: payloads are read through it
	struct crimg_image_object *objects; // sorted by kind, then number, then name
	size_t count, capacity;
	struct crimg_arena arena;
};

// Reads all metadata of the image at path. With a damaged image, what was readable is kept: *out is set
// and -1 returned with err filled; test *out. *out is NULL when nothing could be opened.
CRIMG_MUST_CHECK int crimg_image_open(const char *path, const char *format, const char *tmpdir,
                                      struct crimg_image **out, struct crimg_err *err);
void crimg_image_close(struct crimg_image *image);

// The object of this kind and number, or NULL; the first of a kind; the next of the same kind.
struct crimg_image_object *crimg_image_find(struct crimg_image *image, enum crimg_kind kind,
                                            uint64_t id);
struct crimg_image_object *crimg_image_first(struct crimg_image *image, enum crimg_kind kind);
struct crimg_image_object *crimg_image_next(struct crimg_image *image,
                                            struct crimg_image_object *object);
// Entry i of an object, decoded once; NULL with err filled when it cannot be.
const void *crimg_image_message(struct crimg_image *image, struct crimg_image_object *object,
                                size_t i, struct crimg_err *err);
// The only (first) entry of kind and number, decoded; NULL without error when there is none.
const void *crimg_image_get(struct crimg_image *image, enum crimg_kind kind, uint64_t id,
                            struct crimg_err *err);
// Exactly length bytes of a payload.
CRIMG_MUST_CHECK int crimg_image_read(struct crimg_image *image, uint64_t payload, uint64_t offset,
                                      void *buf, size_t length, struct crimg_err *err);

// What a whole image must hold and this one does not: inventory, process tree, core of every thread,
// page maps and the bytes they point at. A pre-dump (inventory version 0) needs no tasks. 0: complete;
// 1: err tells the first thing that is missing (file, found, wanted); -1: err.
CRIMG_MUST_CHECK int crimg_image_missing(struct crimg_image *image, struct crimg_err *err);

#endif
