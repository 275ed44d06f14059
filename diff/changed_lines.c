#include "diff/changed_lines.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"

#define STEP ((size_t)64 << 10)
#define LINE CRIMG_HEXDUMP_BYTES

static int read_side(const struct crimg_page_change *c, int side, uint64_t at, uint8_t *buf,
                     size_t length, struct crimg_err *err)
{
	const struct crimg_map_name *m = &c->map[side];
	if (c->space[side] == NULL)
		return crimg_memory_read(m->image, m->kind, m->id, at, buf, length, err);
	const struct crimg_space *s = c->space[side];
	int rc = crimg_space_read(s, at, buf, length, err);
	return rc != 0 ? rc // else: pages without an area
		: crimg_memory_read(s->image, CRIMG_KIND_PAGEMAP, s->task->pid, at, buf, length, err);
}

static bool differs(const uint8_t *a, const uint8_t *b, size_t i, size_t lines)
{
	return i < lines && memcmp(a + i * LINE, b + i * LINE, LINE) != 0;
}

// Whether a line that differs is within `around` lines of line i.
static bool is_near(const uint8_t *a, const uint8_t *b, size_t i, size_t lines, unsigned around)
{
	size_t from = i > around ? i - around : 0;
	for (size_t k = from; k <= i + around && k < lines; k++)
		if (differs(a, b, k, lines))
			return true;
	return false;
}

static void show_block(const struct crimg_line_visitor *v, uint64_t address, const uint8_t *a,
                       const uint8_t *b, size_t length)
{
	size_t lines = length / LINE;
	bool gap = true;
	for (size_t i = 0; i < lines; i++) {
		bool same = !differs(a, b, i, lines);
		if (same && !is_near(a, b, i, lines, v->around)) {
			gap = true;
			continue;
		}
		struct crimg_changed_line line = { address + i * LINE, { a + i * LINE, b + i * LINE }, same,
			                           gap };
		v->line(v->context, &line);
		gap = false;
	}
}

int crimg_changed_lines(const struct crimg_page_change *change,
                        const struct crimg_line_visitor *visitor, struct crimg_err *err)
{
	const struct crimg_pages_range *r = change->range;
	uint8_t *buf = malloc(2 * STEP);
	int rc = buf == NULL ? crimg_fail_nomem(err, 2 * STEP) : 1;
	for (uint64_t at = r->start; rc > 0 && at < r->end;) {
		size_t n = (size_t)crimg_min_u64(STEP, r->end - at);
		rc = read_side(change, 0, at, buf, n, err);
		if (rc > 0)
			rc = read_side(change, 1, at, buf + STEP, n, err);
		if (rc > 0)
			show_block(visitor, at, buf, buf + STEP, n);
		at += n;
	}
	free(buf);
	return rc < 0 ? -1 : 0;
}
