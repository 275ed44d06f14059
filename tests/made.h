// An image made by hand for a suite: members in memory, from messages.
#ifndef CRIMG_TESTS_MADE_H
#define CRIMG_TESTS_MADE_H

#include <CUnit/Basic.h>
#include <string.h>

#include "format/image.h"

static struct {
	struct crimg_store *store;
	struct crimg_buf bufs[64];
	size_t count;
	struct crimg_buf *open;
} made;

// One more image, beside those that were made since made_begin().
static inline void made_begin_another(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	made.open = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_store_open_memory("made", &made.store, &err), 0);
}

static inline void made_begin(void)
{
	made.count = 0;
	made_begin_another();
}

static inline void made_seal(const char *name)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_store_add_memory(made.store, name, made.open->data,
	                                             made.open->length, &err), 0);
}

// A file of this kind up to its first entry; raw ones are empty.
static inline void made_file(enum crimg_kind kind)
{
	const struct crimg_kind_info *info = crimg_kind_info(kind);
	made.open = &made.bufs[made.count++];
	*made.open = CRIMG_BUF_INIT;
	if (info->magic != 0 && kind != CRIMG_KIND_INVENTORY)
		CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, CRIMG_MAGIC_COMMON, NULL), 0);
	if (info->magic != 0)
		CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, info->magic, NULL), 0);
}

static inline void made_bytes(const void *data, size_t length)
{
	CU_ASSERT_EQUAL_FATAL(crimg_buf_append(made.open, data, length, NULL), 0);
}

static inline void made_entry(const void *message)
{
	size_t at = made.open->length;
	CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, 0, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_message_encode(message, made.open, NULL), 0);
	uint32_t length = (uint32_t)(made.open->length - at - 4);
	for (int i = 0; i < 4; i++)
		made.open->data[at + (size_t)i] = (uint8_t)(length >> 8 * i);
}

// One file of one entry.
static inline void made_one(const char *name, enum crimg_kind kind, const void *message)
{
	made_file(kind);
	made_entry(message);
	made_seal(name);
}

static inline struct crimg_image *made_open(int wanted, struct crimg_err *err)
{
	struct crimg_input in = { .path = strdup("made"), .store = made.store };
	struct crimg_image *image = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_store_seal(in.store, err), 0);
	CU_ASSERT_EQUAL(crimg_image_open_input(&in, "criu", &image, err), wanted);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

static inline void made_end(struct crimg_image *image)
{
	crimg_image_close(image);
	for (size_t i = 0; i < made.count; i++)
		crimg_buf_fini(&made.bufs[i]);
}

#endif
