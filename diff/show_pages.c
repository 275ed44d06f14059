// Pages in the text of a comparison: a line an area, or a line a range with the bytes that changed.
#include <inttypes.h>
#include <string.h>

#include "diff/changed_lines.h"
#include "diff/show_lines.h"
#include "format/area_words.h"
#include "format/file_words.h"
#include "format/limits.h"
#include "format/text_add.h"

// Each range with what it is, unless all are the same.
static void ranges_text(const struct crimg_area_pages *p, char *out, size_t size)
{
	bool alike = true;
	for (unsigned i = 1; i < p->count; i++)
		alike &= p->shown[i].kind == p->shown[0].kind;
	out[0] = '\0';
	for (unsigned i = 0; i < p->count; i++) {
		const struct crimg_pages_range *r = &p->shown[i];
		crimg_text_add(out, size, "%s%" PRIx64, i > 0 ? ", " : "", r->start);
		if (r->end - r->start > CRIMG_PAGE_BYTES)
			crimg_text_add(out, size, "-%" PRIx64, r->end);
		if (!alike)
			crimg_text_add(out, size, " %s", crimg_pages_word(r->kind));
		if (r->kind == CRIMG_PAGES_MOVED)
			crimg_text_add(out, size, " from %" PRIx64, r->from);
	}
}

void crimg_show_area(struct crimg_diff_lines *t)
{
	struct crimg_area_pages *p = &t->pages;
	char counts[160], line[CRIMG_LINE_BYTES] = "", words[CRIMG_FILE_TEXT_MAX], permissions[5], ranges[640];
	int side = p->area[CRIMG_B] != NULL ? CRIMG_B : CRIMG_A;
	const struct crimg_area *area = &p->of[side];
	if (!p->open)
		return;
	crimg_page_counts(p->counts, counts, sizeof counts);
	if (p->area[side] != NULL) {
		struct crimg_diff_side *s = &t->d->side[side];
		crimg_area_words(s->image, &s->files, t->pair->task[side], area->vma, words, sizeof words,
		                 &t->d->damage);
		crimg_text_add(line, sizeof line, "%" PRIx64 "-%" PRIx64 " %s ", area->start, area->end,
		               crimg_area_permissions(area->vma, permissions));
		crimg_safe_add(line, sizeof line, words);
		crimg_text_add(line, sizeof line, "%s", words[0] != '\0' ? "  " : " ");
	} else if (p->name[0] != '\0') {
		crimg_text_add(line, sizeof line, "%s  ", p->name);
	}
	fprintf(t->out, "    %s~%s %s%s: %s", crimg_tint_code(t, CRIMG_TINT_CHANGED), crimg_tint_code(t, CRIMG_TINT_NONE), line,
	        counts, (ranges_text(p, ranges, sizeof ranges), ranges));
	if (p->left_out > 0)
		fprintf(t->out, ", and %" PRIu64 " more ranges (--all shows them)", p->left_out);
	fputc('\n', t->out);
	*p = (struct crimg_area_pages){ .open = false };
}

static void add_range(struct crimg_diff_lines *t, const struct crimg_page_change *c)
{
	const struct crimg_pages_range *r = c->range;
	struct crimg_area_pages *p = &t->pages;
	uint64_t pages = crimg_pages_in(r);
	if (p->open && (p->area[CRIMG_A] != r->area[CRIMG_A] || p->area[CRIMG_B] != r->area[CRIMG_B]
	                || p->id != c->map[CRIMG_B].id))
		crimg_show_area(t);
	if (!p->open && c->segment != NULL)
		crimg_safe_text(p->name, sizeof p->name, c->segment, strlen(c->segment));
	p->id = c->map[CRIMG_B].id;
	for (int s = CRIMG_A; !p->open && s <= CRIMG_B; s++) {
		p->area[s] = r->area[s];
		if (r->area[s] != NULL)
			p->of[s] = *r->area[s];
	}
	p->open = true;
	p->counts[r->kind] += pages;
	if (p->count == CRIMG_RANGES_SHOWN)
		p->left_out++;
	else
		p->shown[p->count++] = *r;
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t w = 0;
	for (int i = 7; i >= 0; i--)
		w = w << 8 | p[i];
	return w;
}

// Where the words of a line point to, when one that changed may be a pointer.
static void put_pointers(struct crimg_diff_lines *t, const struct crimg_changed_line *l)
{
	char name[2][CRIMG_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < CRIMG_HEXDUMP_BYTES; i += 8) {
		uint64_t was = word_at(l->bytes[CRIMG_A] + i), is = word_at(l->bytes[CRIMG_B] + i);
		if (was == is || t->change->segment != NULL)
			continue;
		crimg_address_name(t->d->side[CRIMG_A].namer, t->pair->task[CRIMG_A], was, name[CRIMG_A],
		                   sizeof name[CRIMG_A]);
		crimg_address_name(t->d->side[CRIMG_B].namer, t->pair->task[CRIMG_B], is, name[CRIMG_B],
		                   sizeof name[CRIMG_B]);
		if (name[CRIMG_A][0] == '\0' && name[CRIMG_B][0] == '\0')
			continue;
		char safe[2][CRIMG_ADDRESS_TEXT_MAX];
		for (int s = CRIMG_A; s <= CRIMG_B; s++)
			crimg_safe_text(safe[s], sizeof safe[s], name[s], strlen(name[s]));
		fprintf(t->out, "        %" PRIx64 ": 0x%" PRIx64 " %s → 0x%" PRIx64 " %s\n", l->address + i,
		        was, safe[CRIMG_A], is, safe[CRIMG_B]);
	}
}

static void put_line(void *context, const struct crimg_changed_line *l)
{
	struct crimg_diff_lines *t = context;
	static const enum crimg_tint tints[] = { CRIMG_TINT_GONE, CRIMG_TINT_ADDED };
	char line[CRIMG_HEXDUMP_LINE_MAX];
	for (int side = l->same ? CRIMG_B : CRIMG_A; side <= CRIMG_B; side++) {
		size_t n = crimg_hexdump_line(line, crimg_address_digits(false), l->address,
		                              l->bytes[side], CRIMG_HEXDUMP_BYTES);
		fprintf(t->out, "      %s%s %.*s%s\n", l->same ? "" : crimg_tint_code(t, tints[side]),
		        l->same ? " " : side == CRIMG_A ? "-" : "+", (int)n, line,
		        l->same ? "" : crimg_tint_code(t, CRIMG_TINT_NONE));
	}
	if (t->show->pointers && !l->same)
		put_pointers(t, l);
}

static void put_range(struct crimg_diff_lines *t, const struct crimg_page_change *c)
{
	char name[128];
	const struct crimg_pages_range *r = c->range;
	fprintf(t->out, "    %s~%s %" PRIx64 "-%" PRIx64 "  %s", crimg_tint_code(t, CRIMG_TINT_CHANGED),
	        crimg_tint_code(t, CRIMG_TINT_NONE), r->start, r->end, crimg_pages_word(r->kind));
	if (r->kind == CRIMG_PAGES_MOVED)
		fprintf(t->out, " from %" PRIx64, r->from);
	if (c->segment != NULL)
		fprintf(t->out, " in %s", crimg_safe_text(name, sizeof name, c->segment, strlen(c->segment)));
	fputc('\n', t->out);
	if (!t->show->bytes || r->kind != CRIMG_PAGES_CHANGED)
		return;
	struct crimg_line_visitor visitor = { put_line, t, t->show->context };
	t->change = c;
	if (crimg_changed_lines(c, &visitor, &t->d->damage) < 0)
		return; // noted in damage
}

void crimg_show_range(struct crimg_diff_lines *t, const struct crimg_page_change *change)
{
	if (t->show->bytes || t->show->all)
		put_range(t, change);
	else
		add_range(t, change);
}
