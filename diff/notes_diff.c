#include "diff/notes_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout_elfcore.h"

// A note with the thread that it is of, by its number in the second image.
struct note {
	const ElfNoteEntry *entry;
	uint64_t tid;
	size_t place;
};

// Types whose contents records have: they were compared there.
static bool is_told(uint32_t type)
{
	static const uint32_t types[] = {
		CRIMG_NT_PRSTATUS, CRIMG_NT_FPREGSET, CRIMG_NT_PRPSINFO, CRIMG_NT_AUXV, CRIMG_NT_FILE,
		CRIMG_NT_386_TLS, CRIMG_NT_X86_XSTATE, CRIMG_NT_PRXFPREG,
	};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (type == types[i])
			return true;
	return false;
}

static int compare(const struct note *x, const struct note *y)
{
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->entry->type != y->entry->type)
		return x->entry->type < y->entry->type ? -1 : 1;
	return 0;
}

static int by_thread_and_type(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	int order = compare(x, y);
	return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

static struct note *sorted(struct crimg_diff *d, int side, const struct crimg_list *list)
{
	struct note *notes = calloc(list->count + 1, sizeof *notes);
	for (size_t i = 0; notes != NULL && i < list->count; i++) {
		const ElfNoteEntry *e = list->items[i];
		notes[i] = (struct note){ e, e->has_tid ? e->tid : 0, i };
		if (side == CRIMG_A) // stays as it is when its thread has no partner
			(void)crimg_references_find(d->references, CRIMG_REF_PID, CRIMG_A, notes[i].tid,
			                            &notes[i].tid);
	}
	if (notes != NULL)
		qsort(notes, list->count, sizeof *notes, by_thread_and_type);
	return notes;
}

static struct crimg_value value_of(const struct note *n)
{
	return n == NULL ? CRIMG_NO_VALUE : crimg_bytes_value(n->entry->desc.data, n->entry->desc.len);
}

static void tell(const struct crimg_scope *scope, const struct note *a, const struct note *b)
{
	const struct note *n = a != NULL ? a : b;
	struct crimg_scope s = *scope;
	char field[80];
	if (n->tid != 0)
		snprintf(field, sizeof field, "note type 0x%" PRIx32 " of %" PRIu64, n->entry->type, n->tid);
	else
		snprintf(field, sizeof field, "note type 0x%" PRIx32, n->entry->type);
	s.folded = is_told(n->entry->type);
	crimg_tell(&s, a == NULL ? CRIMG_CHANGE_ADDED : b == NULL ? CRIMG_CHANGE_GONE
	                                                          : CRIMG_CHANGE_CHANGED,
	           field, value_of(a), value_of(b));
}

static bool same(const ElfNoteEntry *x, const ElfNoteEntry *y)
{
	return x->desc.len == y->desc.len
		&& (x->desc.len == 0 || memcmp(x->desc.data, y->desc.data, x->desc.len) == 0);
}

static void merge(const struct crimg_scope *s, const struct note *a, size_t count_a,
                  const struct note *b, size_t count_b)
{
	for (size_t i = 0, k = 0; i < count_a || k < count_b;) {
		int order = i == count_a ? 1 : k == count_b ? -1 : compare(&a[i], &b[k]);
		const struct note *x = order <= 0 ? &a[i++] : NULL, *y = order >= 0 ? &b[k++] : NULL;
		if (x == NULL || y == NULL || !same(x->entry, y->entry))
			tell(s, x, y);
	}
}

void crimg_compare_notes(const struct crimg_scope *s, struct crimg_image_object *a,
                         struct crimg_image_object *b)
{
	struct crimg_list x, y;
	crimg_entry_messages(s->d, CRIMG_A, a, &x);
	crimg_entry_messages(s->d, CRIMG_B, b, &y);
	struct note *m = sorted(s->d, CRIMG_A, &x), *n = sorted(s->d, CRIMG_B, &y);
	if (m != NULL && n != NULL)
		merge(s, m, x.count, n, y.count);
	else
		crimg_fail_nomem(&s->d->fault, (x.count + y.count) * sizeof *m);
	free(m);
	free(n);
}
