// The set of September 2011: what is in its files, and how they belong together.
#include "readers/criuearly_file.h"

#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"

static int read_areas(struct early_input *f, struct early_process *p, struct crimg_err *err)
{
	const uint8_t *bytes;
	for (;;) {
		uint64_t at = f->w.offset;
		if (early_need(f, CRIMG_EARLY_AREA_BYTES, &bytes, "an area, or zeros, which end them", err) < 0)
			return -1;
		if (crimg_all_zero(bytes, CRIMG_EARLY_AREA_BYTES))
			return 0;
		if (early_add_area(f, p, bytes, CRIMG_EARLY_AREA_BYTES, at, err) < 0)
			return -1;
	}
}

static int read_core(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	uint64_t at = f->w.offset;
	if (early_need(f, CRIMG_EARLY_CORE_BYTES, &bytes, "a core", err) < 0)
		return -1;
	if (crimg_get_u16(bytes) != CRIMG_EARLY_CORE_VERSION || crimg_get_u16(bytes + 2) != CRIMG_EARLY_CORE_X86_64)
		return early_fail_version(f, bytes, err);
	p->core = early_keep(f, EARLY_CORE, bytes, CRIMG_EARLY_CORE_BYTES, at, err);
	return p->core == NULL || read_areas(f, p, err) < 0 ? -1
	                                                     : early_read_pages(f, &p->pages, EARLY_ENDS_WITH_MARK, err);
}

static int read_fds(struct early_input *f, void *context, struct crimg_err *err)
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
		if ((rc = early_take(f, length, &bytes, err)) <= 0)
			return rc;
		if (bytes[0] != CRIMG_EARLY_FD_FILE && bytes[0] != CRIMG_EARLY_FD_MAP)
			return early_fail(f, CRIMG_E_FORMAT, at, "neither a descriptor (1) nor a mapping (2) found", err);
		const uint8_t *kept = early_keep(f, EARLY_FD, bytes, length, at, err);
		struct early_file *file = kept != NULL ? early_add_file(&p->files, err) : NULL;
		if (file == NULL)
			return -1;
		file->id = ++f->e->last_file;
		file->type = EARLY_TYPE_FILE;
		file->is_map = kept[0] == CRIMG_EARLY_FD_MAP;
		file->flags = crimg_get_u16(kept + 2);
		file->position = crimg_get_u32(kept + 4);
		file->number = crimg_get_u64(kept + 8);
		file->name = (const char *)kept + CRIMG_EARLY_FD_BYTES;
		if (!file->is_map && file->number > INT32_MAX)
			return early_fail(f, CRIMG_E_FORMAT, at + 8, "a number that is no descriptor's found", err);
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

static int read_pipes(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	int rc;
	while ((rc = early_take(f, CRIMG_EARLY_PIPE_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_PIPE_BYTES;
		const uint8_t *kept = early_keep(f, EARLY_PIPE, bytes, CRIMG_EARLY_PIPE_BYTES, at, err);
		struct early_file *file = kept != NULL ? early_add_file(&p->files, err) : NULL;
		if (file == NULL)
			return -1;
		struct early_pipe pipe = { crimg_get_u32(kept + 4), crimg_get_u32(kept + 12), f->start + f->w.offset };
		file->id = ++f->e->last_file;
		file->type = EARLY_TYPE_PIPE;
		file->number = crimg_get_u32(kept);
		file->pipe = pipe.pipe;
		file->flags = crimg_get_u32(kept + 8);
		if (file->number > INT32_MAX)
			return early_fail(f, CRIMG_E_FORMAT, at, "a number that is no descriptor's found", err);
		if (f->source->size != CRIMG_SIZE_UNKNOWN && !crimg_in_range(f->w.offset, pipe.bytes, f->source->size))
			return early_fail(f, CRIMG_E_CUT, f->w.offset, "the file ends within what is in a pipe", err);
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
static int read_shmem(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_process *p = context;
	const uint8_t *bytes;
	int rc;
	while ((rc = early_take(f, CRIMG_EARLY_SHMEM_BYTES, &bytes, err)) > 0) {
		uint64_t at = f->w.offset - CRIMG_EARLY_SHMEM_BYTES;
		const uint8_t *kept = early_keep(f, EARLY_SHMEM, bytes, CRIMG_EARLY_SHMEM_BYTES, at, err);
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
			return early_fail(f, CRIMG_E_FORMAT, at, "shared memory found where no such area begins", err);
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
static int place_segment(struct early_input *f, struct early_segment *s, struct crimg_err *err)
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
	                           : early_fail(f, CRIMG_E_UNSUPPORTED, 4,
	                                  "pages of shared memory outside of every area that maps it", err);
}

static int read_segment(struct early_input *f, void *context, struct crimg_err *err)
{
	struct early_segment *s = context;
	return early_read_pages(f, &s->pages, EARLY_ENDS_WITH_MARK, err) < 0 ? -1 : place_segment(f, s, err);
}

// Entries, and for each child one more, which knows its parent: the two are joined when all are sorted.
static int read_pstree(struct early_input *f, void *context, struct crimg_err *err)
{
	const uint8_t *bytes;
	uint32_t children;
	(void)context;
	for (;;) {
		uint64_t at = f->w.offset;
		int rc = early_take_counted(f, CRIMG_EARLY_PSTREE_BYTES, 4, "children", &bytes, &children, err);
		if (rc <= 0)
			return rc;
		const uint8_t *kept = early_keep(f, EARLY_PSTREE, bytes,
						 CRIMG_EARLY_PSTREE_BYTES + 4 * (size_t)children, at, err);
		uint32_t pid = crimg_get_u32(bytes);
		if (kept == NULL || early_add_process(f->e, (struct early_process){ .pid = pid }, err) < 0)
			return -1;
		if (pid == 0 || pid > INT32_MAX)
			return early_fail(f, CRIMG_E_FORMAT, at, "a number that is no process's found", err);
		for (uint32_t i = 0; i < children; i++)
			if (early_add_process(f->e, (struct early_process){
				.pid = crimg_get_u32(kept + CRIMG_EARLY_PSTREE_BYTES + 4 * i), .ppid = pid }, err) < 0)
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

// Files of a process, in the order in which they must be read.
static const struct {
	const char *name;
	uint32_t magic;
	early_read_fn *read;
} files[] = {
	{ "core", CRIMG_EARLY_CORE, read_core },
	{ "fdinfo", CRIMG_EARLY_FDINFO, read_fds },
	{ "pipes", CRIMG_EARLY_PIPES, read_pipes },
	{ "shmem", CRIMG_EARLY_SHMEM, read_shmem },
};

static int read_process(struct early *e, struct early_process *p, struct crimg_err *err)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (early_read_of(e, files[i].name, p->pid, files[i].magic, files[i].read, p, err) < 0)
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
	if (p->files.count > 0)
		qsort(p->files.list, p->files.count, sizeof *p->files.list, by_map);
	while (maps < p->files.count && p->files.list[maps].is_map)
		maps++;
	for (size_t i = 0; i < p->area_count; i++) {
		uint64_t start = crimg_get_u64(p->areas[i].data + CRIMG_EARLY_AREA_START);
		struct early_file key = { .is_map = true, .number = start };
		const struct early_file *f = maps == 0 ? NULL : bsearch(&key, p->files.list, maps, sizeof key, by_map);
		if (f != NULL)
			p->areas[i].file = f->id;
	}
}

static int finish_process(struct early *e, struct early_process *p, struct crimg_err *err)
{
	join_maps(p);
	for (size_t i = 0; i < p->files.count; i++) {
		struct early_file *file = early_add_file(&e->opened, err);
		if (file == NULL)
			return -1;
		*file = p->files.list[i];
	}
	return early_add_thread(e, p->pid, p->core, err);
}

static int read_all(struct early *e, struct crimg_err *err)
{
	join_processes(e);
	for (size_t i = 0; i < e->process_count; i++) {
		e->processes[i].table = (uint32_t)i + 1;
		if (read_process(e, &e->processes[i], err) < 0 || finish_process(e, &e->processes[i], err) < 0)
			return -1;
	}
	if (e->use_count > 0)
		qsort(e->uses, e->use_count, sizeof *e->uses, by_use);
	return 0;
}

const struct early_set early_set_2011 = { CRIMG_EARLY_PSTREE, CRIMG_EARLY_PAGES, read_pstree, read_all, read_segment };
