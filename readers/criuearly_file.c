// What both sets of packed structures have in common: a magic number, structures, pages.
#include "readers/criuearly_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"
#include "readers/joined_source.h"

bool early_number(const char *base, const char *name, uint64_t *out)
{
	size_t length = strlen(name);
	char *end;
	if (strncmp(base, name, length) != 0 || base[length] != '-' || base[length + 1] < '0' || base[length + 1] > '9')
		return false;
	errno = 0;
	*out = strtoull(base + length + 1, &end, 10);
	return errno == 0 && strcmp(end, ".img") == 0;
}

const char *early_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

int early_fail(struct early_input *f, enum crimg_code code, uint64_t at, const char *text, struct crimg_err *err)
{
	return crimg_fail(err, code, f->source->name, at, "%s", text);
}

int early_fail_version(struct early_input *f, const uint8_t *core, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->source->name, CRIMG_EARLY_MAGIC_BYTES,
	                  "version %u of machine %u found, version 1 of machine 1 (x86-64) wanted",
	                  crimg_get_u16(core), crimg_get_u16(core + 2));
}

int early_take(struct early_input *f, size_t length, const uint8_t **out, struct crimg_err *err)
{
	size_t got;
	uint64_t at = f->w.offset;
	if (crimg_window_peek(&f->w, length, out, &got, err) < 0)
		return -1;
	if (got == 0)
		return 0;
	if (got < length)
		return crimg_fail(err, CRIMG_E_CUT, f->source->name, at,
		                  "the file ends: %zu bytes found, %zu wanted", got, length);
	return crimg_window_skip(&f->w, length, err) < 0 ? -1 : 1;
}

int early_need(struct early_input *f, size_t length, const uint8_t **out, const char *what, struct crimg_err *err)
{
	int rc = early_take(f, length, out, err);
	return rc != 0 ? rc
	               : crimg_fail(err, CRIMG_E_CUT, f->source->name, f->w.offset, "the file ends, %s wanted", what);
}

int early_take_counted(struct early_input *f, size_t fixed, size_t count_at, const char *what, const uint8_t **out,
		       uint32_t *count, struct crimg_err *err)
{
	const uint8_t *bytes;
	size_t got;
	uint64_t at = f->w.offset;
	if (crimg_window_peek(&f->w, fixed, &bytes, &got, err) < 0)
		return -1;
	*count = got >= fixed ? crimg_get_u32(bytes + count_at) : 0;
	uint64_t length = fixed + 4 * (uint64_t)*count;
	if (f->source->size != CRIMG_SIZE_UNKNOWN && got > 0 && !crimg_in_range(at, length, f->source->size))
		return crimg_fail(err, CRIMG_E_CUT, f->source->name, at, "the file ends within a process and its %s", what);
	return early_take(f, (size_t)length, out, err);
}

const uint8_t *early_keep(struct early_input *f, enum early_record_type type, const uint8_t *data, size_t length,
                           uint64_t at, struct crimg_err *err)
{
	struct early *e = f->e;
	void *array = e->records;
	uint8_t *copy = crimg_arena_alloc(&e->arena, length + 1);
	if (copy == NULL) {
		crimg_fail(err, e->arena.exhausted ? CRIMG_E_LIMIT : CRIMG_E_NOMEM, f->source->name, at,
		           "no memory for what is in it");
		return NULL;
	}
	if (crimg_grow(&array, &e->record_capacity, e->record_count, sizeof *e->records, err) < 0)
		return NULL;
	memcpy(copy, data, length);
	copy[length] = 0;
	e->records = array;
	e->records[e->record_count++] = (struct early_record){ type, copy, (uint32_t)length, at };
	return copy;
}

static int add_page(struct early_pages *pages, uint64_t address, uint64_t offset, struct crimg_err *err)
{
	void *array = pages->list;
	if (crimg_grow(&array, &pages->capacity, pages->count, sizeof *pages->list, err) < 0)
		return -1;
	pages->list = array;
	pages->list[pages->count++] = (struct early_page){ address, offset };
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct early_page *x = a, *y = b;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int sort_pages(struct early_input *f, struct early_pages *pages, struct crimg_err *err)
{
	if (pages->count > 0)
		qsort(pages->list, pages->count, sizeof *pages->list, by_address);
	for (size_t i = 1; i < pages->count; i++)
		if (pages->list[i].address == pages->list[i - 1].address) {
			pages->count = i;
			return early_fail(f, CRIMG_E_FORMAT, pages->list[i].offset - f->start, "a page found twice", err);
		}
	return 0;
}

// Their bytes are not read.
static int list_pages(struct early_input *f, struct early_pages *pages, enum early_end end, struct crimg_err *err)
{
	const uint8_t *p;
	for (;;) {
		uint64_t at = f->w.offset;
		int rc = end == EARLY_ENDS_WITH_FILE ? early_take(f, CRIMG_EARLY_PAGE_HEAD, &p, err)
			: early_need(f, CRIMG_EARLY_PAGE_HEAD, &p, "a page, or one of address 0, which ends them", err);
		if (rc <= 0)
			return rc;
		uint64_t address = crimg_get_u64(p), from = f->w.offset;
		if (f->source->size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(from, CRIMG_PAGE_BYTES, f->source->size))
			return early_fail(f, CRIMG_E_CUT, from, "the file ends within a page", err);
		if (crimg_window_skip(&f->w, CRIMG_PAGE_BYTES, err) < 0)
			return -1;
		if (address == 0 && end == EARLY_ENDS_WITH_MARK)
			return 0;
		if (address % CRIMG_PAGE_BYTES != 0 || address > UINT64_MAX - CRIMG_PAGE_BYTES)
			return early_fail(f, CRIMG_E_FORMAT, at, "an address that is none of a page found", err);
		if (add_page(pages, address, f->start + from, err) < 0)
			return -1;
	}
}

int early_read_pages(struct early_input *f, struct early_pages *pages, enum early_end end, struct crimg_err *err)
{
	int rc = list_pages(f, pages, end, err);
	return sort_pages(f, pages, err) < 0 ? -1 : rc;
}

int early_add_area(struct early_input *f, struct early_process *p, const uint8_t *bytes, size_t length, uint64_t at,
                   struct crimg_err *err)
{
	void *array = p->areas;
	if (p->area_count > 0 && crimg_get_u64(bytes) <= crimg_get_u64(p->areas[p->area_count - 1].data))
		return early_fail(f, CRIMG_E_FORMAT, at, "an area that does not begin behind the one before it found", err);
	const uint8_t *kept = early_keep(f, EARLY_AREA, bytes, length, at, err);
	if (kept == NULL || crimg_grow(&array, &p->area_capacity, p->area_count, sizeof *p->areas, err) < 0)
		return -1;
	p->areas = array;
	p->areas[p->area_count++] = (struct early_area){ .data = kept };
	return 0;
}

int early_add_process(struct early *e, struct early_process p, struct crimg_err *err)
{
	void *array = e->processes;
	if (crimg_grow(&array, &e->process_capacity, e->process_count, sizeof *e->processes, err) < 0)
		return -1;
	e->processes = array;
	e->processes[e->process_count++] = p;
	return 0;
}

int early_add_thread(struct early *e, uint32_t tid, const uint8_t *core, struct crimg_err *err)
{
	void *array = e->threads;
	if (crimg_grow(&array, &e->thread_capacity, e->thread_count, sizeof *e->threads, err) < 0)
		return -1;
	e->threads = array;
	e->threads[e->thread_count++] = (struct early_thread){ tid, core };
	return 0;
}

struct early_file *early_add_file(struct early_files *files, struct crimg_err *err)
{
	void *array = files->list;
	if (crimg_grow(&array, &files->capacity, files->count, sizeof *files->list, err) < 0)
		return NULL;
	files->list = array;
	struct early_file *file = &files->list[files->count++];
	*file = (struct early_file){ .name = "" };
	return file;
}

static int open_file(struct early *e, const struct crimg_member *m, uint32_t magic, struct early_input *f,
                     struct crimg_err *err)
{
	const uint8_t *p;
	size_t number = (size_t)(m - e->store->members);
	*f = (struct early_input){ .e = e, .start = joined_source_start(e->joined, number) };
	e->read[number] = true;
	if (crimg_store_open_member(e->store, m, &f->source, err) < 0)
		return -1;
	f->w = crimg_window_make(f->source, 0);
	if (early_need(f, CRIMG_EARLY_MAGIC_BYTES, &p, "a magic number", err) < 0)
		return -1;
	uint32_t found = crimg_get_u32(p);
	const char *base = early_base(m->name);
	if (found == CRIMG_EARLY_PSTREE_2012 && magic == CRIMG_EARLY_PSTREE)
		return early_fail(f, CRIMG_E_UNSUPPORTED, 0, "an image of a snapshot between those of September 2011 and of "
		                  "July 2012, whose layouts changed often, found: one of these wanted", err);
	if (found != magic)
		return crimg_fail(err, CRIMG_E_MAGIC, f->source->name, 0, "magic 0x%08x found, 0x%08x wanted", found, magic);
	return early_keep(f, EARLY_FILE_NAME, (const uint8_t *)base, strlen(base), 0, err) == NULL ? -1 : 0;
}

int early_read_file(struct early *e, const struct crimg_member *m, uint32_t magic, early_read_fn *read, void *context,
                     struct crimg_err *err)
{
	struct early_input f;
	int rc = open_file(e, m, magic, &f, err);
	if (rc == 0)
		rc = read(&f, context, err);
	crimg_window_fini(&f.w);
	crimg_source_close(f.source);
	return rc;
}

static bool is_fatal(const struct early *e, const struct crimg_err *err)
{
	return err->code == CRIMG_E_NOMEM || err->code == CRIMG_E_IO || e->arena.exhausted;
}

int early_read_some(struct early *e, const struct crimg_member *m, uint32_t magic, early_read_fn *read, void *context,
                     struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	if (early_read_file(e, m, magic, read, context, &why) == 0)
		return 0;
	if (is_fatal(e, &why)) {
		*err = why;
		return -1;
	}
	if (e->damage.code == CRIMG_OK)
		e->damage = why;
	return 0;
}

int early_read_of(struct early *e, const char *name, uint32_t pid, uint32_t magic, early_read_fn *read, void *context,
                  struct crimg_err *err)
{
	char path[CRIMG_MAX_NAME_BYTES + 64];
	snprintf(path, sizeof path, "%s%s-%u.img", e->root, name, pid);
	const struct crimg_member *m = crimg_store_find(e->store, path);
	return m != NULL && m->type == CRIMG_MEMBER_FILE ? early_read_some(e, m, magic, read, context, err) : 0;
}
