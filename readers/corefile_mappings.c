// NT_FILE: count, unit of offsets, rows of start, end, offset, then as many paths.
#include "readers/corefile_mappings.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/search.h"

// A row is kept when its path is there and its numbers make sense.
static bool take_row(struct crimg_cursor *rows, bool is_32, uint64_t unit, const char *path,
                     struct corefile_mapping *out, struct crimg_err *damage)
{
	struct corefile_mapping m = { .path = path };
	uint64_t at = crimg_cursor_offset(rows), units;
	if (corefile_word(rows, is_32, &m.start, "start of a mapping", damage) < 0
	    || corefile_word(rows, is_32, &m.end, "end of a mapping", damage) < 0
	    || corefile_word(rows, is_32, &units, "offset of a mapping", damage) < 0)
		return false;
	if (m.start >= m.end || (m.start | m.end) % CRIMG_PAGE_BYTES != 0
	    || !crimg_mul_u64(units, unit, &m.offset)) {
		crimg_fail(damage, CRIMG_E_FORMAT, rows->name, at,
		           "NT_FILE: a mapping from 0x%llx to 0x%llx, offset 0x%llx times 0x%llx",
		           (unsigned long long)m.start, (unsigned long long)m.end,
		           (unsigned long long)units, (unsigned long long)unit);
		return false;
	}
	*out = m;
	return true;
}

// The next path, or NULL.
static const char *take_path(struct crimg_cursor *paths, struct crimg_err *damage)
{
	const uint8_t *from = paths->data + paths->at, *path;
	size_t left = crimg_cursor_left(paths);
	const uint8_t *nul = left > 0 ? memchr(from, 0, left) : NULL;
	uint64_t length = nul != NULL ? (uint64_t)(nul - from) + 1 : left + 1;
	return crimg_cursor_bytes(paths, length, &path, "NT_FILE: path of a mapping", damage) < 0
	               ? NULL
	               : (const char *)path;
}

static int take_rows(struct crimg_cursor *c, bool is_32, struct corefile_process *p,
                     struct crimg_err *damage, struct crimg_err *err)
{
	uint64_t count, unit, row_bytes = is_32 ? 12 : 24;
	struct crimg_cursor rows;
	if (corefile_word(c, is_32, &count, "count of mappings", damage) < 0
	    || corefile_word(c, is_32, &unit, "unit of offsets", damage) < 0)
		return 0;
	uint64_t most = crimg_cursor_left(c) / row_bytes;
	if (count > most) {
		crimg_fail(damage, CRIMG_E_FORMAT, c->name, c->base,
		           "NT_FILE: room for %llu mappings found, %llu wanted",
		           (unsigned long long)most, (unsigned long long)count);
		return 0;
	}
	if (crimg_cursor_sub(c, count * row_bytes, &rows, "rows of mappings", damage) < 0)
		return 0;
	p->mappings = calloc((size_t)count + 1, sizeof *p->mappings);
	if (p->mappings == NULL)
		return crimg_fail_nomem(err, (size_t)count * sizeof *p->mappings);
	for (uint64_t i = 0; i < count; i++) {
		const char *path = take_path(c, damage);
		if (path == NULL)
			return 0;
		if (take_row(&rows, is_32, unit, path, &p->mappings[p->mapping_count], damage))
			p->mapping_count++;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct corefile_mapping *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_path(const void *a, const void *b)
{
	const struct corefile_mapping *const *x = a, *const *y = b;
	int order = strcmp((*x)->path, (*y)->path);
	return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

// Numbers the paths in the order of addresses, each once.
static int number_paths(struct corefile_process *p, struct crimg_err *err)
{
	size_t count = p->mapping_count;
	struct corefile_mapping **sorted = calloc(count + 1, sizeof *sorted);
	p->paths = calloc(count + 1, sizeof *p->paths);
	if (sorted == NULL || p->paths == NULL) {
		free(sorted);
		return crimg_fail_nomem(err, count * sizeof *sorted);
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = &p->mappings[i];
	qsort(sorted, count, sizeof *sorted, by_path);
	// Of equal paths the first in memory sorts first: the others take over its path's address.
	for (size_t i = 1; i < count; i++)
		if (strcmp(sorted[i]->path, sorted[i - 1]->path) == 0)
			sorted[i]->path = sorted[i - 1]->path;
	for (size_t i = 0; i < count; i++)
		sorted[i]->file = i > 0 && sorted[i]->path == sorted[i - 1]->path;
	for (size_t i = 0; i < count; i++)
		if (p->mappings[i].file == 0) {
			p->paths[p->path_count++] = p->mappings[i].path;
			p->mappings[i].file = (uint32_t)p->path_count;
		}
	for (size_t i = 1; i < count; i++)
		if (sorted[i]->path == sorted[i - 1]->path)
			sorted[i]->file = sorted[i - 1]->file;
	free(sorted);
	return 0;
}

int corefile_mappings_load(const struct corefile_elf *elf, const struct corefile_bytes *note,
                           struct corefile_process *p, struct crimg_err *damage,
                           struct crimg_err *err)
{
	if (note->data == NULL)
		return 0;
	struct crimg_cursor c =
		crimg_cursor_make(note->data, note->length, elf->source->name, note->offset);
	if (take_rows(&c, elf->is_32, p, damage, err) < 0)
		return -1;
	if (p->mapping_count == 0)
		return 0;
	qsort(p->mappings, p->mapping_count, sizeof *p->mappings, by_start);
	return number_paths(p, err);
}

const struct corefile_mapping *corefile_mapping_at(const struct corefile_process *p,
                                                   uint64_t address)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, p->mapping_count, p->mappings[low].start <= address);
	return low > 0 && p->mappings[low - 1].end > address ? &p->mappings[low - 1] : NULL;
}
