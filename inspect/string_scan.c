// 64 bytes at a time become a mask of printable ones; what is done is done for each run of these, not for
// each byte. A UTF-16 text is seen as runs of length 1 with one NUL between them.
#include "inspect/string_scan.h"

#include <string.h>

#include "format/checked.h"

#define BLOCK 64u

void crimg_string_scan_init(struct crimg_string_scan *s, uint64_t min, crimg_string_fn *show,
                            void *context)
{
	s->min = min > 0 ? min : 1;
	s->show = show;
	s->context = context;
	s->next = 0;
	s->ascii.length = s->wide.length = 0;
	s->wide_confirmed = false;
}

// The high bit of each byte of x that is printable: 0x20 to 0x7e, or a tab. No sum carries into the next
// byte.
static inline uint64_t printable8(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t low = x & ~high, not_tab = x ^ 9 * ones;
	uint64_t from_space = low + 0x60 * ones, delete_key = low + ones;
	uint64_t tab = ~(((not_tab & ~high) + 0x7f * ones) | not_tab);
	return ((from_space & ~delete_key & ~x) | tab) & high;
}

// Bit i: byte i is printable. Gathers the high bits of eight bytes by one multiplication.
static inline uint64_t printable64(const uint8_t *p)
{
	uint64_t mask = 0;
	for (unsigned i = 0; i < 8; i++)
		mask |= (printable8(crimg_get_u64(p + 8 * i)) >> 7) * UINT64_C(0x0102040810204080) >> 56
			<< 8 * i;
	return mask;
}

static uint64_t printable_tail(const uint8_t *p, size_t length)
{
	uint8_t block[BLOCK] = { 0 };
	memcpy(block, p, length);
	return printable64(block);
}

static void append(struct crimg_string_part *part, const char *text, size_t length)
{
	size_t room = sizeof part->text - part->kept;
	size_t n = length < room ? length : room;
	memcpy(part->text + part->kept, text, n);
	part->kept += n;
	part->length += length;
	part->last = text[length - 1];
}

static void show_part(const struct crimg_string_scan *s, const struct crimg_string_part *part,
                      bool utf16)
{
	struct crimg_string string = { part->start, utf16, part->text, part->kept, part->length };
	if (part->length >= s->min)
		s->show(s->context, &string);
}

// The wide text ends; its last character is one only when a NUL follows.
static void end_wide(struct crimg_string_scan *s, bool confirmed)
{
	struct crimg_string_part *w = &s->wide;
	if (!confirmed && w->length > 0) {
		w->length--;
		w->kept = (size_t)crimg_min_u64(w->kept, w->length);
	}
	if (w->length >= s->min)
		show_part(s, w, true);
	w->length = 0;
	s->wide_confirmed = false;
}

// One piece while it is looked at.
struct piece {
	struct crimg_string_scan *s;
	const uint8_t *data;
	uint64_t address;
};

static inline uint64_t wide_last(const struct crimg_string_scan *s)
{
	return s->wide.start + 2 * (s->wide.length - 1);
}

// True when the byte behind the wide text's last character is a NUL; it is in this piece or told before.
static inline bool nul_follows(const struct piece *p)
{
	return p->s->wide_confirmed || p->data[wide_last(p->s) + 1 - p->address] == 0;
}

// A whole run of printable bytes at start, as far as UTF-16 goes: a single one goes on with the text, and
// the last of any run may begin one.
static inline void wide_run(const struct piece *p, uint64_t start, uint64_t length, char last)
{
	struct crimg_string_scan *s = p->s;
	struct crimg_string_part *w = &s->wide;
	if (w->length > 0) {
		bool nul = nul_follows(p);
		if (nul && length == 1 && start == wide_last(s) + 2) {
			append(w, &last, 1);
			s->wide_confirmed = false;
			return;
		}
		if (w->length >= s->min)
			end_wide(s, nul);
	}
	w->start = start + length - 1;
	w->length = w->kept = 1;
	w->text[0] = w->last = last;
	s->wide_confirmed = false;
}

// A run within this piece, or the end of one that began before it.
static inline void end_run(const struct piece *p, size_t from, size_t to)
{
	struct crimg_string_scan *s = p->s;
	struct crimg_string_part *a = &s->ascii;
	const char *text = (const char *)p->data + from;
	if (from == 0 && a->length > 0) {
		if (to > 0)
			append(a, text, to);
		wide_run(p, a->start, a->length, a->last);
		show_part(s, a, false);
		a->length = 0;
		return;
	}
	wide_run(p, p->address + from, to - from, text[to - from - 1]);
	if (to - from >= s->min) {
		struct crimg_string string = { p->address + from, false, text,
			                       (size_t)crimg_min_u64(to - from, CRIMG_STRING_KEPT),
			                       to - from };
		s->show(s->context, &string);
	}
}

// A run that touches the end of the piece waits for the next one.
static void keep_run(const struct piece *p, size_t from, size_t to)
{
	struct crimg_string_part *a = &p->s->ascii;
	if (from > 0 || a->length == 0) {
		a->start = p->address + from;
		a->length = a->kept = 0;
	}
	append(a, (const char *)p->data + from, to - from);
}

// What the next piece cannot see: whether a NUL follows the wide text's last character. That byte is in
// this piece, since it ended the run that the character is of.
static void keep_wide(const struct piece *p)
{
	struct crimg_string_scan *s = p->s;
	if (s->wide.length == 0 || s->wide_confirmed)
		return;
	s->wide_confirmed = nul_follows(p);
	if (!s->wide_confirmed)
		end_wide(s, false);
}

void crimg_string_scan_bytes(struct crimg_string_scan *s, uint64_t address, const uint8_t *data,
                             size_t length)
{
	const struct piece p = { s, data, address };
	if (length == 0)
		return;
	if (address != s->next)
		crimg_string_scan_end(s);
	bool open = s->ascii.length > 0;
	size_t from = 0; // of the open run
	for (size_t base = 0; base < length; base += BLOCK) {
		unsigned count = (unsigned)crimg_min_u64(BLOCK, length - base);
		uint64_t mask = count == BLOCK ? printable64(data + base)
		                               : printable_tail(data + base, count);
		for (unsigned at = 0; at < count; open = !open) {
			uint64_t rest = (open ? ~mask : mask) >> at;
			at = rest != 0 ? at + (unsigned)__builtin_ctzll(rest) : BLOCK;
			if (at >= count) // a run that is open stays so: behind count is padding
				break;
			if (open)
				end_run(&p, from, base + at);
			else
				from = base + at;
		}
	}
	if (open)
		keep_run(&p, from, length);
	keep_wide(&p);
	s->next = address + length;
}

void crimg_string_scan_end(struct crimg_string_scan *s)
{
	end_wide(s, true);
	show_part(s, &s->ascii, false);
	s->ascii.length = 0;
}
