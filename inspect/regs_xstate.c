// Components of the extended state: what the header lists, what the image holds, and what only the
// ELF note that the image came from holds. Notes are hostile: every offset is checked.
#include "inspect/regs_parts.h"

#include <inttypes.h>
#include <string.h>

#include "format/checked.h"
#include "format/text_add.h"

#define COMPONENTS_FROM (CRIMG_FXSAVE_BYTES + CRIMG_XSAVE_HEADER_BYTES)
#define COMPACTED (UINT64_C(1) << 63)
#define AMD_LENGTH_LEAST 2432u // layouts of AMD's CPUs, all of whose components CRIU's message has
#define AMD_LENGTH_MOST 2440u

// Bits that the note lists or that its CPU has; 0 when there is no note in standard form.
static uint64_t note_bits(const struct crimg_regs *r)
{
	const uint8_t *p = r->note.data;
	if (r->note.length < COMPONENTS_FROM
	    || (crimg_get_u64(p + CRIMG_FXSAVE_BYTES + 8) & COMPACTED) != 0)
		return 0;
	return crimg_get_u64(p + CRIMG_XSAVE_XCR0) | crimg_get_u64(p + CRIMG_FXSAVE_BYTES);
}

static uint64_t listed_bits(const struct crimg_regs *r)
{
	const UserX86XsaveEntry *xsave = r->info->fpregs->xsave;
	uint64_t bits = xsave != NULL ? xsave->xstate_bv : 0;
	if (note_bits(r) != 0)
		bits |= crimg_get_u64(r->note.data + CRIMG_FXSAVE_BYTES);
	return bits;
}

static bool is_amd(const struct crimg_regs *r)
{
	return r->note.length >= AMD_LENGTH_LEAST && r->note.length <= AMD_LENGTH_MOST;
}

// Where the note has a component; false when it has it not.
static bool in_note(const struct crimg_regs *r, unsigned bit)
{
	if (bit >= CRIMG_XSAVE_COMPONENTS || (note_bits(r) >> bit & 1) == 0 || is_amd(r))
		return false;
	const struct crimg_xsave_component *c = &crimg_xsave_components[bit];
	return c->size > 0 && crimg_in_range(c->offset, c->size, r->note.length);
}

bool crimg_xstate_part(const struct crimg_regs *r, unsigned bit, struct crimg_xstate_part *out)
{
	const struct crimg_xsave_component *c =
		bit < CRIMG_XSAVE_COMPONENTS ? &crimg_xsave_components[bit] : NULL;
	uint8_t space[1024];
	uint64_t named = listed_bits(r) | crimg_x86_xcr0(r->info->fpregs) | note_bits(r);
	if ((named >> bit & 1) == 0)
		return false;
	*out = (struct crimg_xstate_part){ .listed = (listed_bits(r) >> bit & 1) != 0 };
	if (c != NULL) {
		out->name = c->name;
		out->placed = c->size > 0;
		out->offset = c->offset;
		out->size = c->size;
		out->held = crimg_x86_component(r->info->fpregs, bit, space, sizeof space);
	}
	if (out->held == 0 && in_note(r, bit)) {
		out->raw = r->note.data + out->offset;
		out->held = out->size;
	}
	out->present = out->held > 0;
	return true;
}

// The end of what a component covers at offset, or offset when none does; *next is where the next
// begins.
static size_t covered_until(const struct crimg_regs *r, size_t offset, size_t *next)
{
	size_t end = offset;
	*next = r->note.length;
	for (unsigned i = CRIMG_XSAVE_YMM; i < CRIMG_XSAVE_COMPONENTS; i++) {
		const struct crimg_xsave_component *c = &crimg_xsave_components[i];
		if (!in_note(r, i))
			continue;
		if (c->offset <= offset && offset - c->offset < c->size
		    && c->offset + c->size > end)
			end = c->offset + c->size;
		if (c->offset > offset && c->offset < *next)
			*next = c->offset;
	}
	return end;
}

// Zeros are looked for piece by piece, so that every byte is looked at once, however long the note.
bool crimg_xstate_rest(const struct crimg_regs *r, size_t *offset, size_t *end)
{
	size_t at = *offset < COMPONENTS_FROM ? COMPONENTS_FROM : *offset, next;
	while (!is_amd(r) && at < r->note.length) {
		size_t covered = covered_until(r, at, &next);
		if (covered > at) {
			at = covered;
			continue;
		}
		if (next - at > CRIMG_XSTATE_PIECE)
			next = at + CRIMG_XSTATE_PIECE;
		if (!crimg_all_zero(r->note.data + at, next - at)) {
			*offset = at;
			*end = next;
			return true;
		}
		at = next;
	}
	return false;
}

// Keys are told in runs of the same right: bit 0 forbids access, bit 1 writing.
char *crimg_pkru_text(uint32_t pkru, char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned key = 0, last; key < 16; key = last + 1) {
		unsigned right = pkru >> 2 * key & 3;
		for (last = key; last < 15 && (pkru >> 2 * (last + 1) & 3) == right;)
			last++;
		if (right == 0)
			continue;
		crimg_text_add(out, size, "%skey", out[0] != '\0' ? ", " : "");
		if (last > key)
			crimg_text_add(out, size, "s %u-%u", key, last);
		else
			crimg_text_add(out, size, " %u", key);
		crimg_text_add(out, size, "%s", (right & 1) != 0 ? " no access" : " read only");
	}
	return out;
}

char *crimg_cet_text(uint64_t cet, char *out, size_t size)
{
	static const char *const names[] = { "SH_STK_EN", "WR_SHSTK_EN", "ENDBR_EN", "LEG_IW_EN",
		                             "NO_TRACK_EN", "SUPPRESS_DIS" };
	const unsigned count = sizeof names / sizeof names[0];
	out[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		if ((cet >> i & 1) != 0)
			crimg_text_add(out, size, "%s%s", out[0] != '\0' ? " " : "", names[i]);
	if (cet >> count != 0)
		crimg_text_add(out, size, "%s0x%" PRIx64, out[0] != '\0' ? " " : "",
		               cet >> count << count);
	return out;
}
