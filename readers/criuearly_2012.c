// The last set of packed structures, of July 2012: the files whose fields are certain. The others are left to whoever
// lists what was not read.
#include "readers/criuearly_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"

// Entries, each with the threads that a process has.
static int read_pstree(struct early_input *f, void *context, struct crimg_err *err)
{
	const uint8_t *bytes;
	uint32_t threads;
	(void)context;
	for (;;) {
		uint64_t at = f->w.offset;
		int rc = early_take_counted(f, CRIMG_EARLY_PSTREE_2012_BYTES, 16, "threads", &bytes, &threads, err);
		if (rc <= 0)
			return rc;
		const uint8_t *kept = early_keep(f, EARLY_PSTREE, bytes,
						 CRIMG_EARLY_PSTREE_2012_BYTES + 4 * (size_t)threads, at, err);
		if (kept == NULL)
			return -1;
		struct early_process p = { .pid = crimg_get_u32(kept), .ppid = crimg_get_u32(kept + 4),
		                           .pgid = crimg_get_u32(kept + 8), .sid = crimg_get_u32(kept + 12),
		                           .tids = kept + CRIMG_EARLY_PSTREE_2012_BYTES, .tid_count = threads };
		if (p.pid == 0 || p.pid > INT32_MAX)
			return early_fail(f, CRIMG_E_FORMAT, at, "a number that is no process's found", err);
		if (early_add_process(f->e, p, err) < 0 || early_add_thread(f->e, p.pid, NULL, err) < 0)
			return -1;
		for (uint32_t i = 0; i < threads; i++) {
			uint32_t tid = crimg_get_u32(p.tids + 4 * (size_t)i);
			if (tid == 0 || tid > INT32_MAX)
				return early_fail(f, CRIMG_E_FORMAT, at, "a number that is no thread's found", err);
			if (tid != p.pid && early_add_thread(f->e, tid, NULL, err) < 0)
				return -1;
		}
	}
}

static int by_pid(const void *a, const void *b)
{
	const struct early_process *x = a, *y = b;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_tid(const void *a, const void *b)
{
	const struct early_thread *x = a, *y = b;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

// Each number is there once.
static int sort_threads(struct early *e, struct crimg_err *err)
{
	if (e->process_count > 0) {
		qsort(e->processes, e->process_count, sizeof *e->processes, by_pid);
		qsort(e->threads, e->thread_count, sizeof *e->threads, by_tid);
	}
	for (size_t i = 1; i < e->thread_count; i++)
		if (e->threads[i].tid == e->threads[i - 1].tid)
			return crimg_fail(err, CRIMG_E_FORMAT, e->joined->name, CRIMG_NO_OFFSET,
			                  "%spstree.img: process or thread %u found twice", e->root, e->threads[i].tid);
	return 0;
}

// A structure that is all there is in a file.
static const uint8_t *read_one(struct early_input *f, enum early_record_type type, size_t length, const char *what,
                               struct crimg_err *err)
{
	const uint8_t *bytes;
	size_t got;
	uint64_t at = f->w.offset;
	if (early_need(f, length, &bytes, what, err) < 0)
		return NULL;
	const uint8_t *kept = early_keep(f, type, bytes, length, at, err);
	if (kept == NULL || crimg_window_peek(&f->w, 1, &bytes, &got, err) < 0)
		return NULL;
	if (got == 0)
		return kept;
	early_fail(f, CRIMG_E_FORMAT, f->w.offset, "more found behind all that such a file holds", err);
	return NULL;
}

static int read_core(struct early_input *f, void *context, struct crimg_err *err)
{
	const uint8_t **core = context;
	const uint8_t *p = read_one(f, EARLY_CORE, CRIMG_EARLY_CORE_2012_BYTES, "a core", err);
	if (p == NULL)
		return -1;
	if (crimg_get_u16(p) != CRIMG_EARLY_CORE_VERSION || crimg_get_u16(p + 2) != CRIMG_EARLY_CORE_X86_64)
		return early_fail_version(f, p, err);
	*core = p;
	return 0;
}

static int read_mm(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	p->mm = read_one(f, EARLY_MM, CRIMG_EARLY_MM_BYTES, "the bounds of memory", err);
	return p->mm == NULL ? -1 : 0;
}

static int read_fs(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	p->fs = read_one(f, EARLY_FS, CRIMG_EARLY_FS_BYTES, "the directories of a process", err);
	return p->fs == NULL ? -1 : 0;
}

static int read_actions(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	p->actions = read_one(f, EARLY_ACTIONS, (size_t)CRIMG_EARLY_ACTIONS * CRIMG_EARLY_ACTION_BYTES,
	                      "the actions of 62 signals", err);
	return p->actions == NULL ? -1 : 0;
}

static int read_areas(struct early_input *f, void *context, struct crimg_err *err)
{
	const uint8_t *bytes;
	int rc;
	while ((rc = early_take(f, CRIMG_EARLY_AREA_2012_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_AREA_2012_BYTES;
		if (early_add_area(f, context, bytes, CRIMG_EARLY_AREA_2012_BYTES, at, err) < 0)
			return -1;
	}
	return rc;
}

static int read_pages(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	return early_read_pages(f, &p->pages, EARLY_ENDS_WITH_FILE, err);
}

// Addresses are within the segment.
static int read_segment(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_segment *s = context;
	return early_read_pages(f, &s->pages, EARLY_ENDS_WITH_FILE, err);
}

static int read_fds(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	int rc;
	while ((rc = early_take(f, CRIMG_EARLY_FD_2012_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_FD_2012_BYTES;
		const uint8_t *kept = early_keep(f, EARLY_FD, bytes, CRIMG_EARLY_FD_2012_BYTES, at, err);
		if (kept == NULL)
			return -1;
		if (crimg_get_u32(kept) > INT32_MAX)
			return early_fail(f, CRIMG_E_FORMAT, at, "a number that is no descriptor's found", err);
		if (kept[4] >= CRIMG_EARLY_FD_TYPES)
			return early_fail(f, CRIMG_E_FORMAT, at + 4, "a type that no descriptor has found", err);
		struct early_file *file = early_add_file(&p->files, err);
		if (file == NULL)
			return -1;
		file->number = crimg_get_u32(kept);
		file->type = kept[4];
		file->flags = kept[5];
		file->id = crimg_get_u32(kept + 6);
	}
	return rc;
}

static int read_reg_files(struct early_input *f, void *context, struct crimg_err *err)
{
	const uint8_t *bytes;
	size_t got;
	int rc;
	(void)context;
	for (;;) {
		uint64_t at = f->w.offset;
		if (crimg_window_peek(&f->w, CRIMG_EARLY_REG_FILE_BYTES, &bytes, &got, err) < 0)
			return -1;
		size_t length = CRIMG_EARLY_REG_FILE_BYTES
			+ (got >= CRIMG_EARLY_REG_FILE_BYTES ? crimg_get_u16(bytes + 6) : 0u);
		if ((rc = early_take(f, length, &bytes, err)) <= 0)
			return rc;
		const uint8_t *kept = early_keep(f, EARLY_REG_FILE, bytes, length, at, err);
		struct early_file *file = kept != NULL ? early_add_file(&f->e->opened, err) : NULL;
		if (file == NULL)
			return -1;
		file->type = EARLY_TYPE_FILE;
		file->id = crimg_get_u32(kept);
		file->flags = crimg_get_u16(kept + 4);
		file->position = crimg_get_u64(kept + 8);
		file->owner = kept + CRIMG_EARLY_REG_FILE_OWNER;
		file->name = (const char *)kept + CRIMG_EARLY_REG_FILE_BYTES;
	}
}

// Files of a process beside its cores.
static const struct {
	const char *name;
	uint32_t magic;
	early_read_fn *read;
} files[] = {
	{ "mm", CRIMG_EARLY_MM_2012, read_mm },
	{ "vmas", CRIMG_EARLY_VMAS_2012, read_areas },
	{ "pages", CRIMG_EARLY_PAGES_2012, read_pages },
	{ "fdinfo", CRIMG_EARLY_FDINFO_2012, read_fds },
	{ "fs", CRIMG_EARLY_FS_2012, read_fs },
	{ "sigacts", CRIMG_EARLY_ACTIONS_2012, read_actions },
};

static int read_process(struct early *e, struct early_process *p, struct crimg_err *err)
{
	struct early_thread key = { .tid = p->pid };
	const struct early_thread *leader = bsearch(&key, e->threads, e->thread_count, sizeof key, by_tid);
	p->core = leader != NULL ? leader->core : NULL;
	for (size_t i = 0; p->core != NULL && i < sizeof files / sizeof files[0]; i++)
		if (early_read_of(e, files[i].name, p->pid, files[i].magic, files[i].read, p, err) < 0)
			return -1;
	return 0;
}

static int by_table(const void *a, const void *b)
{
	const struct early_process *const *x = a, *const *y = b;
	if ((*x)->table != (*y)->table)
		return (*x)->table < (*y)->table ? -1 : 1;
	return by_pid(*x, *y);
}

// Each process wrote its descriptors, also those that it has in common with another.
static int find_shared(struct early *e, struct crimg_err *err)
{
	struct early_process **order = calloc(e->process_count + 1, sizeof(struct early_process *));
	if (order == NULL)
		return crimg_fail_nomem(err, e->process_count * sizeof *order);
	for (size_t i = 0; i < e->process_count; i++)
		order[i] = &e->processes[i];
	qsort(order, e->process_count, sizeof(struct early_process *), by_table);
	for (size_t i = 1; i < e->process_count; i++)
		order[i]->shares_files = order[i]->table == order[i - 1]->table;
	free(order);
	return 0;
}

static int read_all(struct early *e, struct crimg_err *err)
{
	char name[CRIMG_MAX_NAME_BYTES + 64];
	if (sort_threads(e, err) < 0)
		return -1;
	for (size_t i = 0; i < e->thread_count; i++)
		if (early_read_of(e, "core", e->threads[i].tid, CRIMG_EARLY_CORE_2012, read_core, &e->threads[i].core,
		                  err) < 0)
			return -1;
	for (size_t i = 0; i < e->process_count; i++) {
		struct early_process *p = &e->processes[i];
		if (read_process(e, p, err) < 0)
			return -1;
		uint32_t table = p->core != NULL ? crimg_get_u32(p->core + CRIMG_EARLY_CORE_2012_IDS + 4) : 0;
		p->table = table != 0 ? table : (uint32_t)i + 1;
	}
	snprintf(name, sizeof name, "%sreg-files.img", e->root);
	const struct crimg_member *m = crimg_store_find(e->store, name);
	if (m != NULL && m->type == CRIMG_MEMBER_FILE
	    && early_read_some(e, m, CRIMG_EARLY_REG_FILES_2012, read_reg_files, NULL, err) < 0)
		return -1;
	return find_shared(e, err);
}

const struct early_set early_set_2012 = { CRIMG_EARLY_PSTREE_2012, CRIMG_EARLY_PAGES_2012, read_pstree, read_all,
	                                  read_segment };
