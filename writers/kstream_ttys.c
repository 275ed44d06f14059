// Pseudo-terminals: modes, size, and the two ends. Other terminals have no place: what they were is a device of the
// machine. No image with a terminal was at hand: places are those of the published headers.
#include <string.h>

#include "writers/kstream.h"

#define DRIVER_PTY 4u
#define PTY_MASTER 1u
#define PTY_SLAVE 2u
#define FLAG_EXCLUSIVE 0x8u
#define FLAG_PTY_LOCK 0x10000u
#define MODE_CANONICAL 0x2u // of c_lflag
#define PTMX_RDEV (5u << 8 | 2u)
#define CONTROLS_V20 8u
#define CONTROLS_RC2 19u
#define LDISC_BYTES 552u
#define LDISC_CANONICAL_AT 31u // of it; what else it says is what a fresh one does

static const TtyInfoEntry *info_of(struct kstream *k, uint32_t id)
{
	return kstream_failed(&k->out) ? NULL
		: crimg_image_select_one(k->image, CRIMG_KIND_TTY_INFO, "id", id, &k->out.err);
}

static bool is_master(const TtyInfoEntry *e)
{
	return e->rdev == PTMX_RDEV;
}

static const TtyInfoEntry *pty_of(struct kstream *k, const struct crimg_file *f)
{
	const TtyFileEntry *file = f->message;
	const TtyInfoEntry *e = info_of(k, file->tty_info_id);
	return e != NULL && e->type == TTY_TYPE__PTY && e->pty != NULL ? e : NULL;
}

bool kstream_tty_has_place(struct kstream *k, const struct crimg_file *f)
{
	return pty_of(k, f) != NULL;
}

// The other end, if a file of it is here; 0: it is not.
static int32_t other_end(struct kstream *k, const TtyInfoEntry *e)
{
	for (size_t i = 0; i < k->files.count; i++) {
		const struct crimg_file *f = &k->files.list[i];
		const TtyInfoEntry *other = f->type == FD_TYPES__TTY && f->message != NULL ? pty_of(k, f) : NULL;
		if (other != NULL && other->pty->index == e->pty->index && is_master(other) != is_master(e))
			return kstream_number_of(k, CRIMG_LCR_OBJ_TTY, other->id, NULL);
	}
	return 0;
}

static uint32_t control(const TermiosEntry *t, size_t i)
{
	return t != NULL && i / 4 < t->n_c_cc ? t->c_cc[i / 4] >> 8 * (i % 4) & 0xff : 0;
}

// Modes were half as wide at first.
static void put_modes(struct kstream_out *o, const TermiosEntry *t)
{
	const uint32_t modes[] = { t != NULL ? t->c_iflag : 0, t != NULL ? t->c_oflag : 0,
		                   t != NULL ? t->c_cflag : 0, t != NULL ? t->c_lflag : 0 };
	for (size_t i = 0; i < 4; i++) {
		if (o->rc2)
			kstream_u32(o, modes[i]);
		else
			kstream_u16(o, modes[i]);
	}
	if (o->rc2) {
		kstream_u32(o, t != NULL ? t->c_ispeed : 0);
		kstream_u32(o, t != NULL ? t->c_ospeed : 0);
	}
	kstream_u8(o, t != NULL ? t->c_line : 0);
	for (size_t i = 0; i < (o->rc2 ? CONTROLS_RC2 : CONTROLS_V20); i++)
		kstream_u8(o, control(t, i));
	kstream_zeros(o, o->rc2 ? 4 : 7);
}

static void put_discipline(struct kstream_out *o, const TtyInfoEntry *e)
{
	uint8_t bytes[LDISC_BYTES] = { 0 };
	bytes[CRIMG_LCR_LDISC_PACKET] = e->packet_mode ? 1 : 0;
	bytes[LDISC_CANONICAL_AT] = e->termios != NULL && (e->termios->c_lflag & MODE_CANONICAL) != 0;
	kstream_begin(o, CRIMG_LCR_TTY_LDISC);
	kstream_bytes(o, bytes, sizeof bytes);
	kstream_end(o);
}

static void lose_of_tty(struct kstream *k, const TtyInfoEntry *e)
{
	bool more = false, locked = false;
	for (size_t i = CONTROLS_V20; i < CONTROLS_RC2; i++)
		more = more || control(e->termios, i) != 0;
	for (size_t i = 0; i < CONTROLS_RC2; i++)
		locked = locked || control(e->termios_locked, i) != 0;
	if (more && !k->out.rc2)
		kstream_lose(k, "tty-info.img", "termios", "terminal %u: v20 has a place for 8 control characters, and none "
		             "for speeds", e->pty->index);
	if (locked)
		kstream_lose(k, "tty-info.img", "termios_locked", "terminal %u: what is locked of its modes has no place",
		             e->pty->index);
	if (e->sid != 0)
		kstream_lose(k, "tty-info.img", "sid", "terminal %u is no longer that of session %u", e->pty->index, e->sid);
}

int32_t kstream_tty(struct kstream *k, const struct crimg_file *f)
{
	struct kstream_out *o = &k->out;
	const TtyInfoEntry *e = pty_of(k, f);
	const WinsizeEntry *size = e != NULL ? e->winsize : NULL;
	int32_t ref = 0;
	if (e == NULL || !kstream_object_of(k, CRIMG_LCR_OBJ_TTY, e->id, &ref))
		return ref;
	int32_t link = other_end(k, e);
	lose_of_tty(k, e);
	kstream_begin(o, CRIMG_LCR_TTY);
	kstream_u16(o, DRIVER_PTY);
	kstream_u16(o, is_master(e) ? PTY_MASTER : PTY_SLAVE);
	kstream_ref(o, link);
	kstream_u64(o, 0); // a file, told by the FILE itself
	kstream_u32(o, e->pty->index);
	kstream_u32(o, 0); // line discipline
	kstream_u64(o, (e->exclusive ? FLAG_EXCLUSIVE : 0) | (e->locked ? FLAG_PTY_LOCK : 0));
	put_modes(o, e->termios);
	kstream_u16(o, size != NULL ? size->ws_row : 0);
	kstream_u16(o, size != NULL ? size->ws_col : 0);
	kstream_u16(o, size != NULL ? size->ws_xpixel : 0);
	kstream_u16(o, size != NULL ? size->ws_ypixel : 0);
	kstream_end(o);
	put_discipline(o, e);
	return ref;
}
