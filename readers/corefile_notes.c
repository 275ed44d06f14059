// Note by note.
#include "readers/corefile_notes.h"

#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"

#define NOTE_HEADER_BYTES 12u
#define MESSAGE_ROOM 1024u // what a message of one note has beside its bytes

struct corefile_walk corefile_walk_make(const struct corefile_elf *elf)
{
	return (struct corefile_walk){ .elf = elf, .cursor = crimg_cursor_make("", 0, "", 0) };
}

bool corefile_note_is(const struct corefile_note *note, const char *owner, uint32_t type)
{
	return note->type == type && note->owner_length == strlen(owner)
	       && memcmp(note->owner, owner, note->owner_length) == 0;
}

// Name and desc end at a multiple of 4 in both classes. Nothing need follow the last.
static int skip_padding(struct crimg_cursor *c, uint32_t length, struct crimg_err *err)
{
	const uint8_t *zeros;
	size_t wanted = -length & 3, left = crimg_cursor_left(c);
	return crimg_cursor_bytes(c, wanted < left ? wanted : left, &zeros, "padding of a note",
	                          err);
}

static int take_note(struct crimg_cursor *c, struct corefile_note *note, struct crimg_err *err)
{
	uint32_t name_length, length;
	const uint8_t *name;
	uint64_t at = crimg_cursor_offset(c);
	*note = (struct corefile_note){ .offset = at };
	if (crimg_cursor_u32(c, &name_length, "length of a note's owner", err) < 0
	    || crimg_cursor_u32(c, &length, "length of a note", err) < 0
	    || crimg_cursor_u32(c, &note->type, "type of a note", err) < 0
	    || crimg_cursor_bytes(c, name_length, &name, "owner of a note", err) < 0
	    || skip_padding(c, name_length, err) < 0)
		return -1;
	note->owner = (const char *)name;
	note->owner_length = strnlen(note->owner, name_length);
	note->desc.offset = crimg_cursor_offset(c);
	note->desc.length = length;
	if (crimg_cursor_bytes(c, length, &note->desc.data, "note", err) < 0
	    || skip_padding(c, length, err) < 0)
		return -1;
	note->length = crimg_cursor_offset(c) - at;
	if (note->length > CRIMG_MAX_MESSAGE_BYTES - MESSAGE_ROOM)
		return crimg_fail(
			err, CRIMG_E_LIMIT, c->name, at, "a note of %llu bytes, at most %u wanted",
			(unsigned long long)note->length, CRIMG_MAX_MESSAGE_BYTES - MESSAGE_ROOM);
	return 0;
}

// These stand among the notes of a thread, or behind the last, but tell of the process.
static bool is_of_process(const struct corefile_note *note)
{
	static const struct {
		const char *owner;
		uint32_t type;
	} rows[] = {
		{ "CORE", CRIMG_NT_PRPSINFO }, { "CORE", CRIMG_NT_AUXV },
		{ "CORE", CRIMG_NT_FILE },     { "LINUX", CRIMG_NT_XSAVE_LAYOUT },
		{ "GDB", CRIMG_NT_GDB_TDESC },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (corefile_note_is(note, rows[i].owner, rows[i].type))
			return true;
	return false;
}

// NT_PRSTATUS opens a thread; one of a wrong size opens one that has no name.
static void find_thread(struct corefile_walk *walk, struct corefile_note *note)
{
	bool is_32 = walk->elf->is_32;
	if (corefile_note_is(note, "CORE", CRIMG_NT_PRSTATUS)) {
		walk->has_tid = note->desc.length == CRIMG_PRSTATUS_BYTES(is_32);
		walk->tid = walk->has_tid
		                    ? crimg_get_u32(note->desc.data + CRIMG_PRSTATUS_PID(is_32))
		                    : 0;
	}
	note->has_tid = walk->has_tid && !is_of_process(note);
	note->tid = note->has_tid ? walk->tid : 0;
}

int corefile_walk_next(struct corefile_walk *walk, struct corefile_note *note,
                       struct crimg_err *err)
{
	struct crimg_cursor *c = &walk->cursor;
	// Less than a header of zeros is what fills a segment up.
	while (crimg_cursor_left(c) == 0
	       || (crimg_cursor_left(c) < NOTE_HEADER_BYTES
	           && crimg_all_zero(c->data + c->at, crimg_cursor_left(c)))) {
		if (walk->part == walk->elf->part_count)
			return 0;
		const struct corefile_part *p = &walk->elf->parts[walk->part++];
		*c = crimg_cursor_make(walk->elf->notes.data + p->at, p->length,
		                       walk->elf->source->name, p->offset);
	}
	if (take_note(c, note, err) < 0) {
		c->at = c->length;
		return -1;
	}
	find_thread(walk, note);
	return 1;
}
