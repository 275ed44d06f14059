// Terminals: settings, size, input that nobody has read.
#include "readers/cpt_records.h"

enum { DRIVER_CONSOLE = 2, DRIVER_SERIAL = 3, DRIVER_PTY = 4 };

#define PTY_MASTER_DEVICE (5u << 20 | 2u) // /dev/ptmx
#define PTY_SLAVE_MAJOR 136u
#define CONTROL_CHARACTERS 19u // as CRIU's message has them
#define LONGEST_INPUT 4096u
#define MASTER_SUBTYPE 1u

static TtyType type_of(const struct cpt *c, const struct cpt_object *t)
{
	switch (cpt_get(c, t, CRIMG_CPT_TTY_DRV_TYPE)) {
	case DRIVER_PTY:
		return TTY_TYPE__PTY;
	case DRIVER_CONSOLE:
		return TTY_TYPE__CONSOLE;
	case DRIVER_SERIAL:
		return TTY_TYPE__SERIAL;
	default:
		return TTY_TYPE__UNKNOWN;
	}
}

static int put_settings(struct cpt_image *m, TtyInfoEntry *e, const struct cpt_object *t,
			struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	TermiosEntry *s = cpt_make(m, 1, sizeof *s, err);
	WinsizeEntry *w = cpt_make(m, 1, sizeof *w, err);
	if (s == NULL || w == NULL)
		return -1;
	termios_entry__init(s);
	winsize_entry__init(w);
	s->c_iflag = cpt_u32(c, t, CRIMG_CPT_TTY_C_IFLAG);
	s->c_oflag = cpt_u32(c, t, CRIMG_CPT_TTY_C_OFLAG);
	s->c_cflag = cpt_u32(c, t, CRIMG_CPT_TTY_C_CFLAG);
	s->c_lflag = cpt_u32(c, t, CRIMG_CPT_TTY_C_LFLAG);
	s->c_line = cpt_u32(c, t, CRIMG_CPT_TTY_C_LINE);
	if ((s->c_cc = cpt_make(m, CONTROL_CHARACTERS, sizeof *s->c_cc, err)) == NULL)
		return -1;
	for (; s->n_c_cc < CONTROL_CHARACTERS; s->n_c_cc++)
		s->c_cc[s->n_c_cc] =
			(uint32_t)cpt_at(c, t, CRIMG_CPT_TTY_C_CC, (unsigned)s->n_c_cc);
	w->ws_row = cpt_u32(c, t, CRIMG_CPT_TTY_WS_ROW);
	w->ws_col = cpt_u32(c, t, CRIMG_CPT_TTY_WS_COL);
	w->ws_ypixel = cpt_u32(c, t, CRIMG_CPT_TTY_WS_PROW);
	w->ws_xpixel = cpt_u32(c, t, CRIMG_CPT_TTY_WS_PCOL);
	e->termios = s;
	e->winsize = w;
	return 0;
}

CPT_ENTRY(cpt_put_tty_info)
{
	const struct cpt *c = &m->c;
	TtyInfoEntry e = TTY_INFO_ENTRY__INIT;
	TtyPtyEntry pty = TTY_PTY_ENTRY__INIT;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_TTY))
		return 0;
	const struct cpt_object *t = cpt_nth(c, CRIMG_CPT_OBJ_TTY, (size_t)index);
	uint32_t number = cpt_u32(c, t, CRIMG_CPT_TTY_INDEX);
	bool master = cpt_get(c, t, CRIMG_CPT_TTY_DRV_SUBTYPE) == MASTER_SUBTYPE;
	crimg_arena_reset(&m->arena);
	e.id = cpt_id(t);
	e.type = type_of(c, t);
	e.packet_mode = cpt_get(c, t, CRIMG_CPT_TTY_PACKET) != 0;
	e.sid = cpt_u32(c, t, CRIMG_CPT_TTY_SESSION);
	e.pgrp = cpt_u32(c, t, CRIMG_CPT_TTY_PGRP);
	if (e.type == TTY_TYPE__PTY) {
		e.rdev = cpt_device(master ? PTY_MASTER_DEVICE
					   : (uint64_t)PTY_SLAVE_MAJOR << 20 | (number & 0xfffff));
		pty.index = number;
		e.pty = &pty;
	}
	if (put_settings(m, &e, t, err) < 0)
		return -1;
	cpt_from(out, t);
	return model_encode(&e.base, out, err);
}

CPT_ENTRY(cpt_put_tty_data)
{
	const struct cpt *c = &m->c;
	(void)object;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < cpt_count(c, CRIMG_CPT_OBJ_TTY); m->cursor++) {
		const struct cpt_object *t = cpt_nth(c, CRIMG_CPT_OBJ_TTY, m->cursor);
		const struct cpt_object *bits = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_BITS);
		TtyDataEntry e = TTY_DATA_ENTRY__INIT;
		if (bits == NULL)
			continue;
		m->cursor++;
		crimg_arena_reset(&m->arena);
		e.tty_id = cpt_id(t);
		e.data.data = cpt_read(c, bits, LONGEST_INPUT, &e.data.len, &m->arena, err);
		if (e.data.data == NULL)
			return -1;
		cpt_from(out, bits);
		return model_encode(&e.base, out, err);
	}
	return 0;
}
