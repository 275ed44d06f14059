#include "format/build_id.h"

#include <stdlib.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/cursor.h"

#define MAX_HEADERS 4096u
#define MAX_NOTES_BYTES 65536u
#define PT_NOTE_TYPE 4u
#define NT_GNU_BUILD_ID_TYPE 3u

static bool read_at(int fd, uint64_t offset, void *buf, size_t length)
{
	return offset <= INT64_MAX && pread(fd, buf, length, (off_t)offset) == (ssize_t)length;
}

static uint64_t padded(uint32_t length)
{
	return ((uint64_t)length + 3) & ~UINT64_C(3);
}

static size_t find_in_notes(const uint8_t *notes, size_t length, uint8_t *out)
{
	struct crimg_cursor c = crimg_cursor_make(notes, length, NULL, 0);
	for (;;) {
		uint32_t name_length, desc_length, type;
		const uint8_t *name, *desc;
		if (crimg_cursor_u32(&c, &name_length, "", NULL) < 0
		    || crimg_cursor_u32(&c, &desc_length, "", NULL) < 0
		    || crimg_cursor_u32(&c, &type, "", NULL) < 0
		    || crimg_cursor_bytes(&c, padded(name_length), &name, "", NULL) < 0
		    || crimg_cursor_bytes(&c, desc_length, &desc, "", NULL) < 0)
			return 0;
		if (type == NT_GNU_BUILD_ID_TYPE && name_length == 4 && memcmp(name, "GNU", 4) == 0
		    && desc_length > 0 && desc_length <= CRIMG_BUILD_ID_MAX) {
			memcpy(out, desc, desc_length);
			return desc_length;
		}
		uint64_t rest = padded(desc_length) - desc_length;
		if (crimg_cursor_bytes(&c, rest, &name, "", NULL) < 0)
			return 0;
	}
}

static size_t read_notes(int fd, uint64_t offset, uint64_t size, uint8_t *out)
{
	if (size < 16 || size > MAX_NOTES_BYTES)
		return 0;
	uint8_t *notes = malloc((size_t)size);
	size_t found = 0;
	if (notes != NULL && read_at(fd, offset, notes, (size_t)size))
		found = find_in_notes(notes, (size_t)size, out);
	free(notes);
	return found;
}

size_t crimg_build_id_read(int fd, uint8_t out[CRIMG_BUILD_ID_MAX])
{
	uint8_t head[64], p[56];
	if (!read_at(fd, 0, head, sizeof head) || memcmp(head, "\177ELF", 4) != 0 || head[5] != 1)
		return 0;
	bool wide = head[4] == 2;
	uint64_t at = wide ? crimg_get_u64(head + 32) : crimg_get_u32(head + 28);
	size_t step = wide ? 56 : 32, found = 0;
	unsigned count = crimg_get_u16(head + (wide ? 56 : 44));
	for (unsigned i = 0; i < count && i < MAX_HEADERS && found == 0; i++, at += step) {
		if (!read_at(fd, at, p, step))
			return 0;
		if (crimg_get_u32(p) == PT_NOTE_TYPE)
			found = wide ? read_notes(fd, crimg_get_u64(p + 8), crimg_get_u64(p + 32), out)
			             : read_notes(fd, crimg_get_u32(p + 4), crimg_get_u32(p + 16), out);
	}
	return found;
}
