// Files of packed structures, one after the other.
#include "readers/criuearly_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"
#include "readers/joined_source.h"

// A file being read.
struct file {
	struct early *e;
	struct crimg_source *source;
	struct crimg_window w;
	uint64_t start; // in the joined source
};

// The number in "NAME-12.img"; false: it is not such a name.
static bool number_of(const char *base, const char *name, uint64_t *out)
{
	size_t length = strlen(name);
	char *end;
	if (strncmp(base, name, length) != 0 || base[length] != '-' || base[length + 1] < '0' || base[length + 1] > '9')
		return false;
	errno = 0;
	*out = strtoull(base + length + 1, &end, 10);
	return errno == 0 && strcmp(end, ".img") == 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

const struct crimg_member *early_pstree(const struct crimg_store *store)
{
	uint64_t number;
	for (size_t i = 0; i < store->count; i++)
		if (store->members[i].type == CRIMG_MEMBER_FILE
		    && number_of(base_of(store->members[i].name), "pstree", &number))
			return &store->members[i];
	return NULL;
}

static int fail(struct file *f, enum crimg_code code, uint64_t at, const char *text, struct crimg_err *err)
{
	return crimg_fail(err, code, f->source->name, at, "%s", text);
}

// Lends length bytes and moves on. 1; 0: the file ends here; -1.
static int take(struct file *f, size_t length, const uint8_t **out, struct crimg_err *err)
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

// The same, and the end is damage.
static int need(struct file *f, size_t length, const uint8_t **out, const char *what, struct crimg_err *err)
{
	int rc = take(f, length, out, err);
	return rc != 0 ? rc
	               : crimg_fail(err, CRIMG_E_CUT, f->source->name, f->w.offset, "the file ends, %s wanted", what);
}

// Keeps a structure, in order; NULL: memory.
static const uint8_t *keep(struct file *f, enum early_record_type type, const uint8_t *data, size_t length,
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

static int sort_pages(struct file *f, struct early_pages *pages, struct crimg_err *err)
{
	if (pages->count > 0)
		qsort(pages->list, pages->count, sizeof *pages->list, by_address);
	for (size_t i = 1; i < pages->count; i++)
		if (pages->list[i].address == pages->list[i - 1].address) {
			pages->count = i;
			return fail(f, CRIMG_E_FORMAT, pages->list[i].offset - f->start, "a page found twice", err);
		}
	return 0;
}

// Pages up to one of address 0. Their bytes are not read.
static int list_pages(struct file *f, struct early_pages *pages, struct crimg_err *err)
{
	const uint8_t *p;
	for (;;) {
		uint64_t at = f->w.offset;
		if (need(f, CRIMG_EARLY_PAGE_HEAD, &p, "a page, or one of address 0, which ends them", err) < 0)
			return -1;
		uint64_t address = crimg_get_u64(p), from = f->w.offset;
		if (f->source->size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(from, CRIMG_PAGE_BYTES, f->source->size))
			return fail(f, CRIMG_E_CUT, from, "the file ends within a page", err);
		if (crimg_window_skip(&f->w, CRIMG_PAGE_BYTES, err) < 0)
			return -1;
		if (address == 0)
			return 0;
		if (address % CRIMG_PAGE_BYTES != 0 || address > UINT64_MAX - CRIMG_PAGE_BYTES)
			return fail(f, CRIMG_E_FORMAT, at, "an address that is none of a page found", err);
		if (add_page(pages, address, f->start + from, err) < 0)
			return -1;
	}
}

// Also those before damage.
static int read_pages(struct file *f, struct early_pages *pages, struct crimg_err *err)
{
	int rc = list_pages(f, pages, err);
	return sort_pages(f, pages, err) < 0 ? -1 : rc;
}

static int read_areas(struct file *f, struct early_process *p, struct crimg_err *err)
{
	const uint8_t *bytes;
	for (;;) {
		uint64_t at = f->w.offset;
		void *array = p->areas;
		if (need(f, CRIMG_EARLY_AREA_BYTES, &bytes, "an area, or zeros, which end them", err) < 0)
			return -1;
		if (crimg_all_zero(bytes, CRIMG_EARLY_AREA_BYTES))
			return 0;
		if (p->area_count > 0 && crimg_get_u64(bytes) <= crimg_get_u64(p->areas[p->area_count - 1].data))
			return fail(f, CRIMG_E_FORMAT, at, "an area that does not begin behind the one before it found", err);
		const uint8_t *kept = keep(f, EARLY_AREA, bytes, CRIMG_EARLY_AREA_BYTES, at, err);
		if (kept == NULL
		    || crimg_grow(&array, &p->area_capacity, p->area_count, sizeof *p->areas, err) < 0)
			return -1;
		p->areas = array;
		p->areas[p->area_count++] = (struct early_area){ .data = kept };
	}
}

static int read_core(struct file *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	uint64_t at = f->w.offset;
	if (need(f, CRIMG_EARLY_CORE_BYTES, &bytes, "a core", err) < 0)
		return -1;
	if (crimg_get_u16(bytes) != CRIMG_EARLY_CORE_VERSION || crimg_get_u16(bytes + 2) != CRIMG_EARLY_CORE_X86_64)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->source->name, at,
		                  "version %u of machine %u found, version 1 of machine 1 (x86-64) wanted",
		                  crimg_get_u16(bytes), crimg_get_u16(bytes + 2));
	p->core = keep(f, EARLY_CORE, bytes, CRIMG_EARLY_CORE_BYTES, at, err);
	return p->core == NULL || read_areas(f, p, err) < 0 ? -1 : read_pages(f, &p->pages, err);
}

static struct early_file *add_file(struct early *e, struct early_process *p, struct crimg_err *err)
{
	void *array = p->files;
	if (crimg_grow(&array, &p->file_capacity, p->file_count, sizeof *p->files, err) < 0)
		return NULL;
	p->files = array;
	struct early_file *file = &p->files[p->file_count++];
	*file = (struct early_file){ .id = ++e->last_file, .name = "" };
	return file;
}

static int read_fds(struct file *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	size_t got;
	int rc;
	for (;;) {
		uint64_t at = f->w.offset;
		if (crimg_window_peek(&f->w, CRIMG_EARLY_FD_BYTES, &bytes, &got, err) < 0)
			return -1;
		size_t length = CRIMG_EARLY_FD_BYTES + (got > 1 ? bytes[1] : 0u);
		if ((rc = take(f, length, &bytes, err)) <= 0)
			return rc;
		if (bytes[0] != CRIMG_EARLY_FD_FILE && bytes[0] != CRIMG_EARLY_FD_MAP)
			return fail(f, CRIMG_E_FORMAT, at, "neither a descriptor (1) nor a mapping (2) found", err);
		const uint8_t *kept = keep(f, EARLY_FD, bytes, length, at, err);
		struct early_file *file = kept != NULL ? add_file(f->e, p, err) : NULL;
		if (file == NULL)
			return -1;
		file->is_map = kept[0] == CRIMG_EARLY_FD_MAP;
		file->flags = crimg_get_u16(kept + 2);
		file->position = crimg_get_u32(kept + 4);
		file->number = crimg_get_u64(kept + 8);
		file->name = (const char *)kept + CRIMG_EARLY_FD_BYTES;
		if (!file->is_map && file->number > INT32_MAX)
			return fail(f, CRIMG_E_FORMAT, at + 8, "a number that is no descriptor's found", err);
	}
}

static int add_pipe(struct early *e, struct early_pipe pipe, struct crimg_err *err)
{
	void *array = e->pipes;
	if (crimg_grow(&array, &e->pipe_capacity, e->pipe_count, sizeof *e->pipes, err) < 0)
		return -1;
	e->pipes = array;
	e->pipes[e->pipe_count++] = pipe;
	return 0;
}

static int read_pipes(struct file *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	int rc;
	while ((rc = take(f, CRIMG_EARLY_PIPE_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_PIPE_BYTES;
		const uint8_t *kept = keep(f, EARLY_PIPE, bytes, CRIMG_EARLY_PIPE_BYTES, at, err);
		struct early_file *file = kept != NULL ? add_file(f->e, p, err) : NULL;
		if (file == NULL)
			return -1;
		struct early_pipe pipe = { crimg_get_u32(kept + 4), crimg_get_u32(kept + 12), f->start + f->w.offset };
		file->is_pipe = true;
		file->number = crimg_get_u32(kept);
		file->pipe = pipe.pipe;
		file->flags = crimg_get_u32(kept + 8);
		if (file->number > INT32_MAX)
			return fail(f, CRIMG_E_FORMAT, at, "a number that is no descriptor's found", err);
		if (f->source->size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(f->w.offset, pipe.bytes, f->source->size))
			return fail(f, CRIMG_E_CUT, f->w.offset, "the file ends within what is in a pipe", err);
		if (add_pipe(f->e, pipe, err) < 0 || crimg_window_skip(&f->w, pipe.bytes, err) < 0)
			return -1;
	}
	return rc;
}

static int by_start(const void *key, const void *item)
{
	uint64_t start = *(const uint64_t *)key, other = crimg_get_u64(((const struct early_area *)item)->data);
	return start < other ? -1 : start > other;
}

static int add_use(struct early *e, struct early_use use, struct crimg_err *err)
{
	void *array = e->uses;
	if (crimg_grow(&array, &e->use_capacity, e->use_count, sizeof *e->uses, err) < 0)
		return -1;
	e->uses = array;
	e->uses[e->use_count++] = use;
	return 0;
}

// Which segment an area is of is told by its start.
static int read_shmem(struct file *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	int rc;
	while ((rc = take(f, CRIMG_EARLY_SHMEM_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_SHMEM_BYTES;
		const uint8_t *kept = keep(f, EARLY_SHMEM, bytes, CRIMG_EARLY_SHMEM_BYTES, at, err);
		if (kept == NULL)
			return -1;
		struct early_use use = { crimg_get_u64(kept + 16), crimg_get_u64(kept), crimg_get_u64(kept + 8) };
		struct early_area *a = p->area_count == 0 ? NULL
			: bsearch(&use.start, p->areas, p->area_count, sizeof *p->areas, by_start);
		if (add_use(f->e, use, err) < 0)
			return -1;
		if (a != NULL)
			a->segment = use.segment;
		else
			return fail(f, CRIMG_E_FORMAT, at, "shared memory found where no such area begins", err);
	}
	return rc;
}

static int by_use(const void *a, const void *b)
{
	const struct early_use *x = a, *y = b;
	return x->segment < y->segment ? -1 : x->segment > y->segment;
}

// The first that is of this segment.
static size_t first_use(const struct early *e, uint64_t segment)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, e->use_count, e->uses[at].segment < segment);
	return at;
}

// Pages are told by their address in whoever dumped them: one at the start of the segment could not be told
// otherwise, for address 0 ends them.
static int place_segment(struct file *f, struct early_segment *s, struct crimg_err *err)
{
	const struct early *e = f->e;
	size_t n = s->pages.count;
	for (size_t i = first_use(e, s->id); n > 0 && i < e->use_count && e->uses[i].segment == s->id; i++) {
		if (s->pages.list[0].address < e->uses[i].start || s->pages.list[n - 1].address >= e->uses[i].end)
			continue;
		for (size_t k = 0; k < n; k++)
			s->pages.list[k].address -= e->uses[i].start;
		return 0;
	}
	s->pages.count = 0;
	return n == 0 ? 0
	                           : fail(f, CRIMG_E_UNSUPPORTED, 4,
	                                  "pages of shared memory outside of every area that maps it", err);
}

static int read_segment(struct file *f, void *context, struct crimg_err *err)
{
	struct early_segment *s = context;
	return read_pages(f, &s->pages, err) < 0 ? -1 : place_segment(f, s, err);
}

static int add_process(struct early *e, uint32_t pid, uint32_t ppid, struct crimg_err *err)
{
	void *array = e->processes;
	if (crimg_grow(&array, &e->process_capacity, e->process_count, sizeof *e->processes, err) < 0)
		return -1;
	e->processes = array;
	e->processes[e->process_count++] = (struct early_process){ .pid = pid, .ppid = ppid };
	return 0;
}

// Entries, and for each child one more, which knows its parent: the two are joined when all are sorted.
static int read_pstree(struct file *f, void *context, struct crimg_err *err)
{
	const uint8_t *bytes;
	size_t got;
	int rc;
	(void)context;
	for (;;) {
		uint64_t at = f->w.offset;
		if (crimg_window_peek(&f->w, CRIMG_EARLY_PSTREE_BYTES, &bytes, &got, err) < 0)
			return -1;
		uint32_t children = got >= CRIMG_EARLY_PSTREE_BYTES ? crimg_get_u32(bytes + 4) : 0;
		uint64_t length = CRIMG_EARLY_PSTREE_BYTES + 4 * (uint64_t)children;
		if (f->source->size != CRIMG_SIZE_UNKNOWN && got > 0 && !crimg_in_range(at, length, f->source->size))
			return fail(f, CRIMG_E_CUT, at, "the file ends within a process and its children", err);
		if ((rc = take(f, (size_t)length, &bytes, err)) <= 0)
			return rc;
		const uint8_t *kept = keep(f, EARLY_PSTREE, bytes, (size_t)length, at, err);
		uint32_t pid = crimg_get_u32(bytes);
		if (kept == NULL || add_process(f->e, pid, 0, err) < 0)
			return -1;
		if (pid == 0 || pid > INT32_MAX)
			return fail(f, CRIMG_E_FORMAT, at, "a number that is no process's found", err);
		for (uint32_t i = 0; i < children; i++)
			if (add_process(f->e, crimg_get_u32(kept + CRIMG_EARLY_PSTREE_BYTES + 4 * i), pid, err) < 0)
				return -1;
	}
}

static int by_pid(const void *a, const void *b)
{
	const struct early_process *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->ppid < y->ppid ? -1 : x->ppid > y->ppid;
}

// Of a process without an entry of its own there is at least a core.
static void join_processes(struct early *e)
{
	size_t kept = 0;
	if (e->process_count > 0)
		qsort(e->processes, e->process_count, sizeof *e->processes, by_pid);
	for (size_t i = 0; i < e->process_count; i++) {
		if (kept > 0 && e->processes[kept - 1].pid == e->processes[i].pid)
			e->processes[kept - 1].ppid = e->processes[i].ppid;
		else
			e->processes[kept++] = e->processes[i];
	}
	e->process_count = kept;
}

typedef int read_fn(struct file *f, void *context, struct crimg_err *err);

static int open_file(struct early *e, const struct crimg_member *m, uint32_t magic, struct file *f,
                     struct crimg_err *err)
{
	const uint8_t *p;
	*f = (struct file){ .e = e, .start = joined_source_start(e->joined, (size_t)(m - e->store->members)) };
	if (crimg_store_open_member(e->store, m, &f->source, err) < 0)
		return -1;
	f->w = crimg_window_make(f->source, 0);
	if (need(f, 4, &p, "a magic number", err) < 0)
		return -1;
	uint32_t found = crimg_get_u32(p);
	if (found == CRIMG_EARLY_PSTREE_2012)
		return fail(f, CRIMG_E_UNSUPPORTED, 0, "an image of CRIU 0.x, or of its packed structures of early 2012, found: "
		            "those of September 2011, or an image of CRIU 1.0 or later wanted", err);
	const char *base = base_of(m->name);
	if (found != magic)
		return crimg_fail(err, CRIMG_E_MAGIC, f->source->name, 0, "magic 0x%08x found, 0x%08x wanted", found, magic);
	return keep(f, EARLY_FILE_NAME, (const uint8_t *)base, strlen(base), 0, err) == NULL ? -1 : 0;
}

static int read_file(struct early *e, const struct crimg_member *m, uint32_t magic, read_fn *read, void *context,
                     struct crimg_err *err)
{
	struct file f;
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

// Damage in a file ends that file; the rest is read.
static int read_some(struct early *e, const struct crimg_member *m, uint32_t magic, read_fn *read, void *context,
                     struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	if (read_file(e, m, magic, read, context, &why) == 0)
		return 0;
	if (is_fatal(e, &why)) {
		*err = why;
		return -1;
	}
	if (e->damage.code == CRIMG_OK)
		e->damage = why;
	return 0;
}

// Files of a process, in the order in which they must be read.
static const struct {
	const char *name;
	uint32_t magic;
	read_fn *read;
} files[] = {
	{ "core", CRIMG_EARLY_CORE, read_core },
	{ "fdinfo", CRIMG_EARLY_FDINFO, read_fds },
	{ "pipes", CRIMG_EARLY_PIPES, read_pipes },
	{ "shmem", CRIMG_EARLY_SHMEM, read_shmem },
};

static int read_process(struct early *e, struct early_process *p, struct crimg_err *err)
{
	char name[CRIMG_MAX_NAME_BYTES + 64];
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(name, sizeof name, "%s%s-%u.img", e->root, files[i].name, p->pid);
		const struct crimg_member *m = crimg_store_find(e->store, name);
		if (m != NULL && m->type == CRIMG_MEMBER_FILE
		    && read_some(e, m, files[i].magic, files[i].read, p, err) < 0)
			return -1;
		if (p->core == NULL)
			return 0; // its other files tell of areas that are not there
	}
	return 0;
}

static int by_map(const void *a, const void *b)
{
	const struct early_file *x = a, *y = b;
	if (x->is_map != y->is_map)
		return x->is_map ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

// An area of a file has an entry with its start among the descriptors.
static void join_maps(struct early_process *p)
{
	size_t maps = 0;
	if (p->file_count > 0)
		qsort(p->files, p->file_count, sizeof *p->files, by_map);
	while (maps < p->file_count && p->files[maps].is_map)
		maps++;
	for (size_t i = 0; i < p->area_count; i++) {
		uint64_t start = crimg_get_u64(p->areas[i].data + CRIMG_EARLY_AREA_START);
		struct early_file key = { .is_map = true, .number = start };
		const struct early_file *f = maps == 0 ? NULL : bsearch(&key, p->files, maps, sizeof key, by_map);
		if (f != NULL)
			p->areas[i].file = f->id;
	}
}

static int read_segments(struct early *e, struct crimg_err *err)
{
	size_t below = strlen(e->root);
	for (size_t i = 0; i < e->store->count; i++) {
		const struct crimg_member *m = &e->store->members[i];
		void *array = e->segments;
		uint64_t id;
		if (m->type != CRIMG_MEMBER_FILE || strncmp(m->name, e->root, below) != 0
		    || !number_of(m->name + below, "pages-shmem", &id))
			continue;
		if (crimg_grow(&array, &e->segment_capacity, e->segment_count, sizeof *e->segments, err) < 0)
			return -1;
		e->segments = array;
		e->segments[e->segment_count++] = (struct early_segment){ .id = id };
		if (read_some(e, m, CRIMG_EARLY_PAGES, read_segment, &e->segments[e->segment_count - 1], err) < 0)
			return -1;
	}
	return 0;
}

static int by_segment(const void *a, const void *b)
{
	const struct early_segment *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_number(const void *key, const void *item)
{
	uint32_t pid = *(const uint32_t *)key, other = ((const struct early_process *)item)->pid;
	return pid < other ? -1 : pid > other;
}

// Whether a member was read: it is the tree, or of a process that is in it, or a segment.
static bool is_known(const struct early *e, const char *base)
{
	uint64_t id;
	if (number_of(base, "pstree", &id) || number_of(base, "pages-shmem", &id))
		return true;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		uint32_t pid = number_of(base, files[i].name, &id) && id <= UINT32_MAX ? (uint32_t)id : 0;
		if (pid != 0 && e->process_count > 0
		    && bsearch(&pid, e->processes, e->process_count, sizeof *e->processes, by_number) != NULL)
			return true;
	}
	return false;
}

static int list_others(struct early *e, struct crimg_err *err)
{
	size_t below = strlen(e->root);
	for (size_t i = 0; i < e->store->count; i++) {
		const struct crimg_member *m = &e->store->members[i];
		void *array = e->others;
		if (m->type != CRIMG_MEMBER_FILE
		    || (strncmp(m->name, e->root, below) == 0 && is_known(e, m->name + below)))
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
	const struct crimg_member *tree = early_pstree(store);
	e->store = store;
	e->damage = CRIMG_ERR_INIT;
	e->arena = crimg_arena_make((size_t)CRIMG_MAX_INDEX_BYTES);
	if (tree == NULL)
		return crimg_store_fail(store, NULL, err, CRIMG_E_FORMAT, CRIMG_NO_OFFSET,
		                        "no pstree-PID.img is in it, with which early CRIU images begin");
	e->root = strndup(tree->name, (size_t)(base_of(tree->name) - tree->name));
	if (e->root == NULL)
		return crimg_fail_nomem(err, strlen(tree->name));
	if (joined_source_open(store, &e->joined, err) < 0
	    || read_file(e, tree, CRIMG_EARLY_PSTREE, read_pstree, NULL, err) < 0)
		return -1;
	join_processes(e);
	for (size_t i = 0; i < e->process_count; i++) {
		if (read_process(e, &e->processes[i], err) < 0)
			return -1;
		join_maps(&e->processes[i]);
	}
	if (e->use_count > 0)
		qsort(e->uses, e->use_count, sizeof *e->uses, by_use);
	if (read_segments(e, err) < 0)
		return -1;
	if (e->segment_count > 0)
		qsort(e->segments, e->segment_count, sizeof *e->segments, by_segment);
	return list_others(e, err);
}

void early_fini(struct early *e)
{
	for (size_t i = 0; i < e->process_count; i++) {
		free(e->processes[i].areas);
		free(e->processes[i].files);
		free(e->processes[i].pages.list);
	}
	for (size_t i = 0; i < e->segment_count; i++)
		free(e->segments[i].pages.list);
	free(e->processes);
	free(e->pipes);
	free(e->uses);
	free(e->segments);
	free(e->records);
	free(e->others);
	free(e->root);
	crimg_source_close(e->joined);
	crimg_arena_fini(&e->arena);
}
