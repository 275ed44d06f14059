// A tiny container of files.
#include "fuzz/members.h"

#include <stdlib.h>
#include <string.h>

#include "format/cursor.h"
#include "format/schema.h"

static int read_name(struct crimg_cursor *c, uint8_t kind, char out[256])
{
	uint8_t n;
	const uint8_t *text;
	if (crimg_cursor_u8(c, &n, "", NULL) < 0)
		return -1;
	if (kind < MEMBERS_LINK) {
		crimg_kind_file((enum crimg_kind)(kind % CRIMG_KIND_COUNT), n, out);
		return 0;
	}
	if (crimg_cursor_bytes(c, n, &text, "", NULL) < 0)
		return -1;
	memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

static void add(struct crimg_store *store, const char *name, bool link, const uint8_t *data,
                size_t length)
{
	for (size_t i = 0; i < store->count; i++)
		if (strcmp(store->members[i].name, name) == 0)
			return;
	char *target = link ? strndup((const char *)data, length) : NULL;
	if (!link || (target != NULL && target[0] != '\0')) {
		int rc = crimg_store_add(store, name, link ? CRIMG_MEMBER_LINK : CRIMG_MEMBER_FILE,
		                         link ? 0 : length, target, (uintptr_t)data, NULL);
		(void)rc; // a name that leaves the root
	}
	free(target);
}

struct crimg_store *members_store(const uint8_t *data, size_t size)
{
	struct crimg_cursor c = crimg_cursor_make(data, size, "members", 0);
	struct crimg_store *store;
	uint8_t kind;
	uint32_t length;
	char name[256];
	if (crimg_store_open_memory("image", &store, NULL) < 0)
		return NULL;
	while (store->count < 256 && crimg_cursor_u8(&c, &kind, "", NULL) == 0
	       && read_name(&c, kind, name) == 0 && crimg_cursor_u32(&c, &length, "", NULL) == 0) {
		const uint8_t *bytes;
		size_t n = length < crimg_cursor_left(&c) ? length : crimg_cursor_left(&c);
		if (crimg_cursor_bytes(&c, n, &bytes, "", NULL) < 0)
			break;
		add(store, name, kind == MEMBERS_LINK, bytes, n);
	}
	if (crimg_store_seal(store, NULL) == 0)
		return store;
	crimg_store_close(store);
	return NULL;
}
