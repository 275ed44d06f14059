// Terminals: their state as entries of tty-info.img, and the names of the files that open them. No image
// with a terminal was at hand: places are from the exported headers. What waits to be read in a line
// discipline is in the records alone.
#include <stdio.h>
#include <string.h>

#include "readers/linuxcr_records.h"

#define DRIVER_SYSTEM 1u
#define DRIVER_CONSOLE 2u
#define DRIVER_SERIAL 3u
#define DRIVER_PTY 4u
#define PTY_MASTER 1u
#define FLAG_EXCLUSIVE 0x8u
#define FLAG_PTY_LOCK 0x10000u
#define MAJOR_PTS 136u
#define MAJOR_TTYAUX 5u
#define MINOR_PTMX 2u
#define CONTROL_WORDS 19u

static uint16_t driver_of(const struct linuxcr_object *o)
{
	return linuxcr_u16(o->body, CRIMG_LCR_TTY_DRIVER);
}

static bool is_master(const struct linuxcr_object *o)
{
	return driver_of(o) == DRIVER_PTY
	       && linuxcr_u16(o->body, CRIMG_LCR_TTY_SUBTYPE) == PTY_MASTER;
}

void linuxcr_tty_name(const struct linuxcr_object *o, char out[LINUXCR_TTY_NAME])
{
	uint32_t index = linuxcr_u32(o->body, CRIMG_LCR_TTY_INDEX);
	if (is_master(o))
		snprintf(out, LINUXCR_TTY_NAME, "/dev/ptmx");
	else if (driver_of(o) == DRIVER_SYSTEM)
		snprintf(out, LINUXCR_TTY_NAME, "/dev/console");
	else
		snprintf(out, LINUXCR_TTY_NAME, "/dev/%s%u",
			 driver_of(o) == DRIVER_PTY      ? "pts/"
			 : driver_of(o) == DRIVER_SERIAL ? "ttyS"
							 : "tty",
			 index);
}

static TtyType type_of(const struct linuxcr_object *o)
{
	switch (driver_of(o)) {
	case DRIVER_PTY:
		return TTY_TYPE__PTY;
	case DRIVER_CONSOLE:
		return TTY_TYPE__VT;
	case DRIVER_SERIAL:
		return TTY_TYPE__SERIAL;
	case DRIVER_SYSTEM:
		return TTY_TYPE__CONSOLE;
	default:
		return TTY_TYPE__UNKNOWN;
	}
}

static uint32_t device_of(const struct linuxcr_object *o)
{
	if (driver_of(o) != DRIVER_PTY)
		return 0;
	return is_master(o) ? MAJOR_TTYAUX << 8 | MINOR_PTMX
			    : MAJOR_PTS << 8 | linuxcr_u32(o->body, CRIMG_LCR_TTY_INDEX);
}

// Modes were half as wide at first. CRIU keeps the control characters byte by byte in its first words.
static void put_modes(TermiosEntry *e, const struct linuxcr_record *r, uint32_t *controls)
{
	bool wide = r->length >= CRIMG_LCR_TTY_PAYLOAD_V23;
	uint32_t each = wide ? 4 : 2, at = CRIMG_LCR_TTY_MODES;
	uint32_t *const modes[] = {&e->c_iflag, &e->c_oflag, &e->c_cflag, &e->c_lflag};
	termios_entry__init(e);
	for (uint32_t i = 0; i < 4; i++)
		*modes[i] = wide ? linuxcr_u32(r, at + each * i) : linuxcr_u16(r, at + each * i);
	at += 4 * each;
	if (wide) {
		e->c_ispeed = linuxcr_u32(r, at);
		e->c_ospeed = linuxcr_u32(r, at + 4);
		at += 8;
	}
	e->c_line = at < r->length ? r->data[at] : 0;
	memset(controls, 0, CONTROL_WORDS * sizeof *controls);
	for (uint32_t i = 0, count = wide ? 19 : 8; i < count && at + 1 + i < r->length; i++)
		controls[i / 4] |= (uint32_t)r->data[at + 1 + i] << 8 * (i % 4);
	e->c_cc = controls;
	e->n_c_cc = CONTROL_WORDS;
}

static void put_size(WinsizeEntry *e, const struct linuxcr_record *r)
{
	bool wide = r->length >= CRIMG_LCR_TTY_PAYLOAD_V23;
	uint32_t at = wide ? CRIMG_LCR_TTY_SIZE_V23 : CRIMG_LCR_TTY_SIZE_V19;
	winsize_entry__init(e);
	e->ws_row = linuxcr_u16(r, at);
	e->ws_col = linuxcr_u16(r, at + 2);
	e->ws_xpixel = linuxcr_u16(r, at + 4);
	e->ws_ypixel = linuxcr_u16(r, at + 6);
}

// Whose terminal it is: the first process that says so.
static void put_owner(const struct linuxcr_image *m, TtyInfoEntry *e, const struct linuxcr_object *o)
{
	uint32_t at = 16u * linuxcr_u16(m->c.header, CRIMG_LCR_CONST_RLIMITS) + CRIMG_LCR_SIGNAL_TTY;
	for (size_t i = 0; i < m->c.task_count; i++) {
		const struct linuxcr_object *signal = linuxcr_task_object(&m->c, &m->c.tasks[i], 5);
		if (signal == NULL || linuxcr_ref(signal->body, at) != o->ref)
			continue;
		e->sid = (uint32_t)m->c.tasks[i].sid;
		e->pgrp = linuxcr_u32(signal->body, at + 4);
		return;
	}
}

int linuxcr_put_tty(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	TtyInfoEntry e = TTY_INFO_ENTRY__INIT;
	TermiosEntry modes;
	WinsizeEntry size;
	TtyPtyEntry pty = TTY_PTY_ENTRY__INIT;
	uint32_t controls[CONTROL_WORDS], unlocked[CONTROL_WORDS] = {0};
	(void)object;
	if (index == 0)
		m->cursor = 0;
	while (m->cursor < linuxcr_count(&m->c, CRIMG_LCR_OBJ_TTY)) {
		const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_TTY, m->cursor++);
		if (o->body == NULL || o->partial)
			continue;
		uint64_t flags = linuxcr_u64(o->body, CRIMG_LCR_TTY_FLAGS);
		put_modes(&modes, o->body, controls);
		put_size(&size, o->body);
		put_owner(m, &e, o);
		e.id = (uint32_t)o->ref;
		e.type = type_of(o);
		e.locked = (flags & FLAG_PTY_LOCK) != 0;
		e.exclusive = (flags & FLAG_EXCLUSIVE) != 0;
		e.packet_mode = o->first != NULL && o->first->length > CRIMG_LCR_LDISC_PACKET
				&& o->first->data[CRIMG_LCR_LDISC_PACKET] != 0;
		e.rdev = device_of(o);
		e.termios = &modes;
		TermiosEntry none = modes;
		none.c_iflag = none.c_oflag = none.c_cflag = none.c_lflag = none.c_line = 0;
		none.c_cc = unlocked;
		e.termios_locked = &none;
		e.winsize = &size;
		pty.index = linuxcr_u32(o->body, CRIMG_LCR_TTY_INDEX);
		e.pty = e.type == TTY_TYPE__PTY ? &pty : NULL;
		linuxcr_from(out, o->body);
		return model_encode(&e.base, out, err);
	}
	return 0;
}
