// Which set it is, and what all sets have in common of reading one.
#include "readers/criuearly_file.h"

#include <stdlib.h>

#include "format/limits.h"
#include "readers/joined_source.h"

#define LEAST_MESSAGE 8u     // of pstree_entry: four required fields
#define FIRST_FIELD 0x08u    // its tag: pid, a varint

// Whether a file goes on as messages behind their lengths up to its end: 1, 0, or -1. The packed structure of a
// root has its parent, 0, where the first message would begin.
static int is_messages(struct crimg_window *w, struct crimg_err *err)
{
	const uint8_t *p;
	size_t got;
	for (;;) {
		if (crimg_window_peek(w, 5, &p, &got, err) < 0)
			return -1;
		if (got == 0)
			return 1;
		uint32_t length = got >= 5 ? crimg_get_u32(p) : 0;
		if (length < LEAST_MESSAGE || p[4] != FIRST_FIELD
		    || (w->source->size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(w->offset + 4, length, w->source->size)))
			return 0;
		if (crimg_window_skip(w, 4 + (uint64_t)length, err) < 0)
			return -1;
	}
}

// The same of packed structures, of a whole file.
static int is_packed(struct crimg_store *store, const struct crimg_member *m, struct crimg_err *err)
{
	struct crimg_source *source;
	const uint8_t *p;
	size_t got;
	if (crimg_store_open_member(store, m, &source, err) < 0)
		return -1;
	struct crimg_window w = crimg_window_make(source, 0);
	int rc = crimg_window_peek(&w, CRIMG_EARLY_MAGIC_BYTES, &p, &got, err);
	bool is_tree = rc >= 0 && got >= CRIMG_EARLY_MAGIC_BYTES && crimg_get_u32(p) == CRIMG_EARLY_PSTREE_2012;
	if (is_tree && (rc = crimg_window_skip(&w, CRIMG_EARLY_MAGIC_BYTES, err)) >= 0)
		rc = is_messages(&w, err);
	crimg_window_fini(&w);
	crimg_source_close(source);
	return rc < 0 ? -1 : is_tree && rc == 0;
}

// The first file that is named so, or of which a process is.
static const struct crimg_member *find_tree(const struct crimg_store *store, bool numbered)
{
	uint64_t number;
	for (size_t i = 0; i < store->count; i++) {
		const struct crimg_member *m = &store->members[i];
		const char *base = early_base(m->name);
		if (m->type == CRIMG_MEMBER_FILE
		    && (numbered ? early_number(base, "pstree", &number) : strcmp(base, "pstree.img") == 0))
			return m;
	}
	return NULL;
}

int early_pstree(struct crimg_store *store, const struct crimg_member **tree, bool *is_2012, struct crimg_err *err)
{
	const struct crimg_member *m = find_tree(store, true);
	bool late = m == NULL;
	int rc = 1;
	if (late && (m = find_tree(store, false)) != NULL)
		rc = is_packed(store, m, err);
	if (rc < 0)
		return -1;
	*tree = rc == 1 ? m : NULL;
	*is_2012 = late;
	return 0;
}

static int read_segments(struct early *e, const struct early_set *set, struct crimg_err *err)
{
	size_t below = strlen(e->root);
	for (size_t i = 0; i < e->store->count; i++) {
		const struct crimg_member *m = &e->store->members[i];
		void *array = e->segments;
		uint64_t id;
		if (m->type != CRIMG_MEMBER_FILE || strncmp(m->name, e->root, below) != 0
		    || !early_number(m->name + below, "pages-shmem", &id))
			continue;
		if (crimg_grow(&array, &e->segment_capacity, e->segment_count, sizeof *e->segments, err) < 0)
			return -1;
		e->segments = array;
		e->segments[e->segment_count++] = (struct early_segment){ .id = id };
		if (early_read_some(e, m, set->pages, set->read_segment, &e->segments[e->segment_count - 1], err) < 0)
			return -1;
	}
	return 0;
}

static int by_segment(const void *a, const void *b)
{
	const struct early_segment *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int list_others(struct early *e, struct crimg_err *err)
{
	for (size_t i = 0; i < e->store->count; i++) {
		const struct crimg_member *m = &e->store->members[i];
		void *array = e->others;
		if (m->type != CRIMG_MEMBER_FILE || e->read[i])
			continue;
		if (crimg_grow(&array, &e->other_capacity, e->other_count, sizeof *e->others, err) < 0)
			return -1;
		e->others = array;
		e->others[e->other_count++] = i;
	}
	return 0;
}

int early_load(struct early *e, struct crimg_store *store, struct crimg_err *err)
{
	const struct crimg_member *tree;
	e->store = store;
	e->damage = CRIMG_ERR_INIT;
	e->arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	if (early_pstree(store, &tree, &e->is_2012, err) < 0)
		return -1;
	const struct early_set *set = e->is_2012 ? &early_set_2012 : &early_set_2011;
	if (tree == NULL)
		return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "no pstree-PID.img is in it, and no pstree.img of packed structures, with which "
		                        "early CRIU images begin");
	e->root = strndup(tree->name, (size_t)(early_base(tree->name) - tree->name));
	e->read = calloc(store->count, sizeof *e->read);
	if (e->root == NULL || e->read == NULL)
		return crimg_fail_nomem(err, strlen(tree->name));
	if (joined_source_open(store, &e->joined, err) < 0
	    || early_read_file(e, tree, set->pstree, set->read_tree, NULL, err) < 0
	    || set->read_files(e, err) < 0 || read_segments(e, set, err) < 0)
		return -1;
	if (e->segment_count > 0)
		qsort(e->segments, e->segment_count, sizeof *e->segments, by_segment);
	return list_others(e, err);
}

void early_fini(struct early *e)
{
	for (size_t i = 0; i < e->process_count; i++) {
		free(e->processes[i].areas);
		free(e->processes[i].files.list);
		free(e->processes[i].pages.list);
	}
	for (size_t i = 0; i < e->segment_count; i++)
		free(e->segments[i].pages.list);
	free(e->processes);
	free(e->threads);
	free(e->opened.list);
	free(e->pipes);
	free(e->uses);
	free(e->segments);
	free(e->records);
	free(e->read);
	free(e->others);
	free(e->root);
	crimg_source_close(e->joined);
	crimg_arena_fini(&e->arena);
}
