// Areas with the same addresses are the same one. Of the others, those that overlap make a cluster: one that
// grew or shrank, was split, or joined. What is left came or went, or, when the like of it is at another
// address, moved.
#include "diff/mappings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/messages.h"
#include "diff/open_files.h"
#include "format/area_words.h"
#include "format/limits.h"
#include "format/names.h"
#include "format/search.h"
#include "format/text_add.h"

#define LINE_BYTES (CRIMG_FILE_TEXT_MAX + 160u)

struct areas {
	const struct crimg_area **list; // owned; those that have no partner yet, by address
	size_t count;
};

struct mapping_diff {
	struct crimg_diff *d;
	const struct crimg_task_pair *pair;
	const struct crimg_space *space[2];
	struct areas left[2];
};

static const char *words_of(struct mapping_diff *m, int side, const struct crimg_area *area,
                            char *out, size_t size)
{
	struct crimg_diff_side *s = &m->d->side[side];
	return crimg_area_words(s->image, &s->files, m->space[side]->task, area->vma, out, size,
	                        &m->d->damage);
}

// "rw-p 16 KiB", "r-xp 1.3 MiB +0x26000": all but addresses and name.
static const char *line_of(const struct crimg_area *area, char *out, size_t size)
{
	char permissions[5], bytes[32];
	snprintf(out, size, "%s %s", crimg_area_permissions(area->vma, permissions),
	         crimg_bytes_text(area->end - area->start, bytes, sizeof bytes));
	if (area->vma->pgoff != 0)
		crimg_text_add(out, size, " +0x%" PRIx64, crimg_area_offset(area, area->start));
	return out;
}

static const char *range_of(const struct crimg_area *area, char *out, size_t size)
{
	snprintf(out, size, "%" PRIx64 "-%" PRIx64, area->start, area->end);
	return out;
}

static void tell_area(struct mapping_diff *m, int side, const struct crimg_area *area)
{
	char subject[64], name[CRIMG_FILE_TEXT_MAX], line[96];
	struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
	struct crimg_scope s = { .d = m->d, .group = CRIMG_DIFF_MAPPINGS, .pair = m->pair };
	s.subject = range_of(area, subject, sizeof subject);
	s.name = words_of(m, side, area, name, sizeof name);
	value[side] = crimg_text_value(line_of(area, line, sizeof line));
	crimg_tell(&s, side == CRIMG_A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, NULL, value[CRIMG_A],
	           value[CRIMG_B]);
}

// Attributes. A core tells permissions, files and their offsets, nothing else.
static uint64_t file_of(const VmaEntry *vma)
{
	return (vma->status & (CRIMG_VMA_FILE | CRIMG_VMA_MEMFD)) != 0 ? vma->shmid : 0;
}

static uint64_t segment_of(const VmaEntry *vma)
{
	return (vma->status & (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) != 0 ? vma->shmid : 0;
}

static void compare_flags(const struct crimg_scope *s, const char *field, enum crimg_names names,
                          uint64_t a, uint64_t b)
{
	char x[512], y[512];
	if (a == b)
		return;
	crimg_flags_text(names, a, x, sizeof x);
	crimg_flags_text(names, b, y, sizeof y);
	crimg_tell(s, CRIMG_CHANGE_CHANGED, field, crimg_text_value(x[0] != '\0' ? x : "0"),
	           crimg_text_value(y[0] != '\0' ? y : "0"));
}

static void compare_backing(const struct crimg_scope *s, const VmaEntry *a, const VmaEntry *b)
{
	char x[CRIMG_FILE_TEXT_MAX], y[CRIMG_FILE_TEXT_MAX];
	uint32_t i = (uint32_t)file_of(a), k = (uint32_t)file_of(b);
	struct crimg_scope file = *s;
	file.subject = "mapped file";
	if (!crimg_same_file(&file, i, k))
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "file",
		           crimg_text_value(crimg_file_name(s->d, CRIMG_A, i, x, sizeof x)),
		           crimg_text_value(crimg_file_name(s->d, CRIMG_B, k, y, sizeof y)));
	if (!crimg_same_reference(s->d, CRIMG_REF_SEGMENT, segment_of(a), segment_of(b)))
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "segment", crimg_u64_value(segment_of(a)),
		           crimg_u64_value(segment_of(b)));
}

// At the first address that is in both; of areas that moved, at their beginnings.
static void compare_offsets(const struct crimg_scope *s, const struct crimg_area *a,
                            const struct crimg_area *b)
{
	bool overlap = a->start < b->end && b->start < a->end;
	uint64_t first = a->start > b->start ? a->start : b->start;
	uint64_t x = crimg_area_offset(a, overlap ? first : a->start);
	uint64_t y = crimg_area_offset(b, overlap ? first : b->start);
	if (x != y && (file_of(a->vma) != 0 || segment_of(a->vma) != 0))
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "offset", crimg_hex_value(x), crimg_hex_value(y));
}

// The path of a mapped file without what says that it is gone, which cores have in the name; NULL for what
// is no file, or is shared memory that a core takes for one.
static const char *path_of(struct mapping_diff *m, int side, const struct crimg_area *area, char *out,
                           size_t size)
{
	static const char gone[] = " (deleted)";
	uint64_t id = (area->vma->status & CRIMG_VMA_FILE) != 0 ? area->vma->shmid : UINT64_MAX;
	const struct crimg_file *f =
		id > UINT32_MAX ? NULL : crimg_files_find(&m->d->side[side].files, (uint32_t)id);
	if (f == NULL || f->type != FD_TYPES__REG || f->path == NULL)
		return NULL;
	snprintf(out, size, "%s", f->path->name);
	size_t n = strlen(out);
	if (n >= sizeof gone && strcmp(out + n - (sizeof gone - 1), gone) == 0)
		out[n - (sizeof gone - 1)] = '\0';
	return out;
}

// One of the images is a core, which has names of files and nothing of what else is shared.
static void compare_told_by_cores(struct mapping_diff *m, const struct crimg_scope *s,
                                  const struct crimg_area *a, const struct crimg_area *b)
{
	char x[CRIMG_MAX_NAME_BYTES + 1], y[CRIMG_MAX_NAME_BYTES + 1], p[5], q[5];
	const char *was = path_of(m, CRIMG_A, a, x, sizeof x), *is = path_of(m, CRIMG_B, b, y, sizeof y);
	crimg_area_permissions(a->vma, p);
	crimg_area_permissions(b->vma, q);
	p[3] = q[3] = '\0'; // shared or private: not told
	crimg_compare_texts(s, "permissions", p, q);
	if (was == NULL || is == NULL)
		return;
	crimg_compare_texts(s, "file", was, is);
	compare_offsets(s, a, b);
}

static void compare_attributes(struct mapping_diff *m, const struct crimg_scope *s,
                               const struct crimg_area *a, const struct crimg_area *b)
{
	const VmaEntry *x = a->vma, *y = b->vma;
	char p[5], q[5];
	if (crimg_one_core(m->d)) {
		compare_told_by_cores(m, s, a, b);
		return;
	}
	crimg_compare_texts(s, "permissions", crimg_area_permissions(x, p), crimg_area_permissions(y, q));
	compare_offsets(s, a, b);
	compare_backing(s, x, y);
	compare_flags(s, "flags", CRIMG_NAMES_MMAP_FLAGS, x->flags, y->flags);
	compare_flags(s, "status", CRIMG_NAMES_VMA_STATUS, x->status, y->status);
	compare_flags(s, "advice", CRIMG_NAMES_MADVISE, x->madv, y->madv);
}

// The scope of an area of both; name and subject have room for its texts.
static struct crimg_scope area_scope(struct mapping_diff *m, const struct crimg_area *b,
                                     char subject[64], char name[CRIMG_FILE_TEXT_MAX])
{
	struct crimg_scope s = { .d = m->d, .group = CRIMG_DIFF_MAPPINGS, .pair = m->pair };
	s.subject = range_of(b, subject, 64);
	s.name = words_of(m, CRIMG_B, b, name, CRIMG_FILE_TEXT_MAX);
	return s;
}

static void compare_areas(struct mapping_diff *m, enum crimg_change_what what,
                          const struct crimg_area *a, const struct crimg_area *b)
{
	char subject[64], name[CRIMG_FILE_TEXT_MAX], x[64], y[64];
	struct crimg_scope s = area_scope(m, b, subject, name);
	if (what != CRIMG_CHANGE_CHANGED)
		crimg_tell(&s, what, NULL, crimg_text_value(range_of(a, x, sizeof x)),
		           crimg_text_value(range_of(b, y, sizeof y)));
	compare_attributes(m, &s, a, b);
}

// One area that became several, or the other way: told with all pieces in order.
static void tell_pieces(struct mapping_diff *m, int one, const struct crimg_area *whole,
                        const struct crimg_area *const *pieces, size_t count)
{
	char subject[64], name[CRIMG_FILE_TEXT_MAX], line[96], all[1024] = "", x[64];
	struct crimg_scope s = { .d = m->d, .group = CRIMG_DIFF_MAPPINGS, .pair = m->pair };
	struct crimg_value value[2];
	s.subject = range_of(whole, subject, sizeof subject);
	s.name = words_of(m, one, whole, name, sizeof name);
	for (size_t i = 0; i < count; i++)
		crimg_text_add(all, sizeof all, "%s%s %s", i > 0 ? ", " : "",
		               range_of(pieces[i], x, sizeof x),
		               line_of(pieces[i], line, sizeof line));
	value[one] = crimg_text_value(line_of(whole, line, sizeof line));
	value[1 - one] = crimg_text_value(all);
	crimg_tell(&s, one == CRIMG_A ? CRIMG_CHANGE_SPLIT : CRIMG_CHANGE_JOINED, NULL, value[CRIMG_A],
	           value[CRIMG_B]);
}

// Areas with the same addresses are compared and taken out.
static void take_equal(struct mapping_diff *m)
{
	const struct crimg_space *a = m->space[CRIMG_A], *b = m->space[CRIMG_B];
	size_t i = 0, k = 0;
	while ((i < a->count || k < b->count) && !crimg_diff_failed(m->d)) {
		const struct crimg_area *x = i < a->count ? &a->areas[i] : NULL;
		const struct crimg_area *y = k < b->count ? &b->areas[k] : NULL;
		if (x != NULL && y != NULL && x->start == y->start && x->end == y->end) {
			compare_areas(m, CRIMG_CHANGE_CHANGED, x, y);
			i++;
			k++;
		} else if (y == NULL || (x != NULL && x->start <= y->start)) {
			m->left[CRIMG_A].list[m->left[CRIMG_A].count++] = x;
			i++;
		} else {
			m->left[CRIMG_B].list[m->left[CRIMG_B].count++] = y;
			k++;
		}
	}
}

static bool same_kind(struct mapping_diff *m, const struct crimg_area *a, const struct crimg_area *b)
{
	char x[CRIMG_FILE_TEXT_MAX], y[CRIMG_FILE_TEXT_MAX];
	return strcmp(words_of(m, CRIMG_A, a, x, sizeof x), words_of(m, CRIMG_B, b, y, sizeof y)) == 0;
}

// A cluster: areas [i, i_end) of a and [k, k_end) of b that hang together. True when it was told as a whole.
static bool tell_cluster(struct mapping_diff *m, size_t i, size_t i_end, size_t k, size_t k_end)
{
	const struct crimg_area *const *a = m->left[CRIMG_A].list, *const *b = m->left[CRIMG_B].list;
	size_t n = i_end - i, o = k_end - k;
	if (n == 0 || o == 0 || !same_kind(m, a[i], b[k]))
		return false;
	uint64_t size_a = a[i_end - 1]->end - a[i]->start, size_b = b[k_end - 1]->end - b[k]->start;
	if (n == 1 && o == 1 && size_a != size_b)
		compare_areas(m, size_b > size_a ? CRIMG_CHANGE_GROWN : CRIMG_CHANGE_SHRUNK, a[i], b[k]);
	else if (n == 1 && o > 1 && size_b <= size_a)
		tell_pieces(m, CRIMG_A, a[i], b + k, o);
	else if (o == 1 && n > 1 && size_a <= size_b)
		tell_pieces(m, CRIMG_B, b[k], a + i, n);
	else
		return false;
	return true;
}

// Walks what is left, cluster by cluster; what makes none is kept.
static void tell_clusters(struct mapping_diff *m)
{
	struct areas *a = &m->left[CRIMG_A], *b = &m->left[CRIMG_B];
	size_t kept_a = 0, kept_b = 0;
	for (size_t i = 0, k = 0; i < a->count || k < b->count;) {
		size_t i_end = i, k_end = k;
		uint64_t end = 0;
		do { // whatever begins before the end of what is in it
			bool from_a = k_end == b->count
				|| (i_end < a->count && a->list[i_end]->start <= b->list[k_end]->start);
			const struct crimg_area *next = from_a ? a->list[i_end++] : b->list[k_end++];
			end = next->end > end ? next->end : end;
		} while ((i_end < a->count && a->list[i_end]->start < end)
		         || (k_end < b->count && b->list[k_end]->start < end));
		bool told = tell_cluster(m, i, i_end, k, k_end);
		for (; i < i_end; i++)
			if (!told)
				a->list[kept_a++] = a->list[i];
		for (; k < k_end; k++)
			if (!told)
				b->list[kept_b++] = b->list[k];
	}
	a->count = kept_a;
	b->count = kept_b;
}

// What is the same of an area that moved: size, permissions, offset, then its name.
static int by_shape(const struct crimg_area *x, const struct crimg_area *y)
{
	uint64_t p[] = { x->end - x->start, x->vma->prot, x->vma->pgoff, x->vma->flags };
	uint64_t q[] = { y->end - y->start, y->vma->prot, y->vma->pgoff, y->vma->flags };
	for (size_t i = 0; i < sizeof p / sizeof p[0]; i++)
		if (p[i] != q[i])
			return p[i] < q[i] ? -1 : 1;
	return 0;
}

static int by_shape_and_place(const void *a, const void *b)
{
	const struct crimg_area *const *x = a, *const *y = b;
	int order = by_shape(*x, *y);
	return order != 0 ? order : (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

// Of areas of one shape, so many are looked at for one of the same name.
#define LIKE_MAX 256u

struct like {
	bool taken;
	size_t from;  // of the first of a shape: before this all are taken
};

// An area of a, sorted by shape, that b is the like of; NULL when there is none.
static const struct crimg_area *take_like(struct mapping_diff *m, struct like *like,
                                          const struct crimg_area *b)
{
	const struct areas *a = &m->left[CRIMG_A];
	size_t low;
	CRIMG_COUNT_BEFORE(low, a->count, by_shape(a->list[low], b) < 0);
	size_t i = low < a->count && like[low].from > low ? like[low].from : low;
	while (i < a->count && like[i].taken && by_shape(a->list[i], b) == 0)
		i++;
	if (low < a->count)
		like[low].from = i;
	for (unsigned n = 0; n < LIKE_MAX && i < a->count && by_shape(a->list[i], b) == 0; n++, i++) {
		if (like[i].taken || !same_kind(m, a->list[i], b))
			continue;
		like[i].taken = true;
		return a->list[i];
	}
	return NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct crimg_area *const *x = a, *const *y = b;
	return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

static void tell_rest(struct mapping_diff *m)
{
	struct areas *a = &m->left[CRIMG_A], *b = &m->left[CRIMG_B];
	struct like *like = calloc(a->count + 1, sizeof *like);
	size_t gone = 0;
	if (like == NULL) {
		crimg_fail_nomem(&m->d->fault, a->count * sizeof *like);
		return;
	}
	qsort(a->list, a->count, sizeof *a->list, by_shape_and_place);
	for (size_t k = 0; k < b->count && !crimg_diff_failed(m->d); k++) {
		const struct crimg_area *was = take_like(m, like, b->list[k]);
		if (was != NULL)
			compare_areas(m, CRIMG_CHANGE_MOVED, was, b->list[k]);
		else
			tell_area(m, CRIMG_B, b->list[k]);
	}
	for (size_t i = 0; i < a->count; i++)
		if (!like[i].taken)
			a->list[gone++] = a->list[i];
	qsort(a->list, gone, sizeof *a->list, by_place);
	for (size_t i = 0; i < gone && !crimg_diff_failed(m->d); i++)
		tell_area(m, CRIMG_A, a->list[i]);
	free(like);
}

void crimg_compare_mappings(struct crimg_diff *d, const struct crimg_task_pair *pair,
                            const struct crimg_space *a, const struct crimg_space *b)
{
	struct mapping_diff m = { .d = d, .pair = pair, .space = { a, b } };
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		m.left[side].list = calloc(m.space[side]->count + 1, sizeof *m.left[side].list);
		if (m.left[side].list == NULL)
			crimg_fail_nomem(&d->fault, m.space[side]->count * sizeof *m.left[side].list);
	}
	if (!crimg_diff_failed(d)) {
		take_equal(&m);
		tell_clusters(&m);
		tell_rest(&m);
	}
	free(m.left[CRIMG_A].list);
	free(m.left[CRIMG_B].list);
}
