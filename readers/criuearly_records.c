// Which objects there are, and their messages.
#include "readers/criuearly_records.h"

#include <stdio.h>

#include "format/limits.h"
#include "format/pagemap.h"
#include "format/tasks.h"
#include "readers/joined_source.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1
// Files that have no place go here: their names are those of other kinds today.
#define OTHERS "early/"
#define OUTSIDE "outside/" // those that do not lie where the image does

void early_image_fini(struct early_image *m)
{
	model_payloads_fini(&m->payloads);
	crimg_arena_fini(&m->arena);
	early_fini(&m->e);
}

void *early_make(struct early_image *m, size_t count, size_t size, struct crimg_err *err)
{
	void *p = count > SIZE_MAX / 4 / size ? NULL : crimg_arena_alloc(&m->arena, (count + 1) * size);
	if (p == NULL)
		crimg_fail_nomem(err, count * size);
	return p;
}

static int put_inventory(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                         struct crimg_err *err)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	(void)m;
	(void)object;
	if (index > 0)
		return 0;
	e.img_version = IMAGE_VERSION;
	e.has_fdinfo_per_id = e.fdinfo_per_id = true;
	return model_encode(&e.base, out, err);
}

static int put_pstree(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                      struct crimg_err *err)
{
	PstreeEntry e = PSTREE_ENTRY__INIT;
	(void)object;
	if (index >= m->e.process_count)
		return 0;
	const struct early_process *p = &m->e.processes[index];
	crimg_arena_reset(&m->arena);
	e.threads = early_make(m, p->tid_count + 1, sizeof *e.threads, err);
	if (e.threads == NULL)
		return -1;
	e.threads[e.n_threads++] = p->pid;
	for (uint32_t i = 0; i < p->tid_count; i++)
		if (crimg_get_u32(p->tids + 4 * (size_t)i) != p->pid)
			e.threads[e.n_threads++] = crimg_get_u32(p->tids + 4 * (size_t)i);
	e.pid = p->pid;
	e.ppid = p->ppid;
	e.pgid = p->pgid;
	e.sid = p->sid;
	return model_encode(&e.base, out, err);
}

// Of 2011, and where a core says nothing, each process was given its own of everything.
static uint32_t shared_id(const struct early_image *m, size_t object, uint32_t which)
{
	const uint8_t *core = m->e.is_2012 ? m->e.processes[object].core : NULL;
	uint32_t id = core != NULL ? crimg_get_u32(core + CRIMG_EARLY_CORE_2012_IDS + 4 * which) : 0;
	return id != 0 ? id : (uint32_t)object + 1;
}

static uint64_t table_id(const struct early_image *m, size_t object)
{
	return m->e.processes[object].table;
}

static int put_ids(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                   struct crimg_err *err)
{
	TaskKobjIdsEntry e = TASK_KOBJ_IDS_ENTRY__INIT;
	if (index > 0)
		return 0;
	e.vm_id = shared_id(m, object, 0);
	e.files_id = m->e.processes[object].table;
	e.fs_id = shared_id(m, object, 2);
	e.sighand_id = shared_id(m, object, 3);
	return model_encode(&e.base, out, err);
}

static void put_area_2011(VmaEntry *v, const struct early_area *a)
{
	uint32_t status = crimg_get_u32(a->data + CRIMG_EARLY_AREA_STATUS);
	v->prot = crimg_get_u32(a->data + CRIMG_EARLY_AREA_PROT);
	v->flags = crimg_get_u32(a->data + CRIMG_EARLY_AREA_FLAGS);
	v->status = status & CRIMG_EARLY_STATUS_KEPT;
	v->shmid = (status & CRIMG_EARLY_STATUS_FILES) != 0 ? a->file : a->segment;
}

static void put_area_2012(VmaEntry *v, const struct early_area *a)
{
	v->prot = crimg_get_u32(a->data + CRIMG_EARLY_AREA_2012_PROT);
	v->flags = crimg_get_u32(a->data + CRIMG_EARLY_AREA_2012_FLAGS);
	v->status = crimg_get_u32(a->data + CRIMG_EARLY_AREA_2012_STATUS) & CRIMG_EARLY_STATUS_2012_KEPT;
	v->shmid = crimg_get_u64(a->data + CRIMG_EARLY_AREA_2012_SHMID);
}

static void put_area(const struct early_image *m, VmaEntry *v, const struct early_area *a)
{
	vma_entry__init(v);
	v->start = crimg_get_u64(a->data + CRIMG_EARLY_AREA_START);
	v->end = crimg_get_u64(a->data + CRIMG_EARLY_AREA_END);
	v->pgoff = crimg_get_u64(a->data + CRIMG_EARLY_AREA_PGOFF);
	v->fd = -1;
	(m->e.is_2012 ? put_area_2012 : put_area_2011)(v, a);
}

static int put_bounds(struct early_image *m, const uint8_t *p, MmEntry *e, struct crimg_err *err)
{
	uint64_t *const fields[CRIMG_EARLY_MM_BOUNDS] = {
		&e->mm_start_code, &e->mm_end_code, &e->mm_start_data, &e->mm_end_data, &e->mm_start_stack,
		&e->mm_start_brk, &e->mm_brk, &e->mm_arg_start, &e->mm_arg_end, &e->mm_env_start, &e->mm_env_end,
	};
	e->mm_saved_auxv = early_make(m, CRIMG_EARLY_AUXV, sizeof *e->mm_saved_auxv, err);
	if (e->mm_saved_auxv == NULL)
		return -1;
	for (size_t i = 0; i < CRIMG_EARLY_MM_BOUNDS; i++)
		*fields[i] = crimg_get_u64(p + 8 * i);
	for (; e->n_mm_saved_auxv < CRIMG_EARLY_AUXV; e->n_mm_saved_auxv++)
		e->mm_saved_auxv[e->n_mm_saved_auxv] = crimg_get_u64(p + CRIMG_EARLY_MM_AUXV + 8 * e->n_mm_saved_auxv);
	e->exe_file_id = crimg_get_u32(p + CRIMG_EARLY_MM_EXE);
	return 0;
}

// Of 2011 it has no bounds: CRIU's message must name some. Of 2012 it is left out of a process that has ended.
static int put_mm(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                  struct crimg_err *err)
{
	const struct early_process *p = &m->e.processes[object];
	MmEntry e = MM_ENTRY__INIT;
	if (index > 0 || p->core == NULL || (m->e.is_2012 && p->mm == NULL && p->area_count == 0))
		return 0;
	crimg_arena_reset(&m->arena);
	VmaEntry *list = early_make(m, p->area_count, sizeof *list, err);
	e.vmas = early_make(m, p->area_count, sizeof *e.vmas, err);
	if (list == NULL || e.vmas == NULL || (p->mm != NULL && put_bounds(m, p->mm, &e, err) < 0))
		return -1;
	for (; e.n_vmas < p->area_count; e.n_vmas++) {
		put_area(m, &list[e.n_vmas], &p->areas[e.n_vmas]);
		e.vmas[e.n_vmas] = &list[e.n_vmas];
	}
	return model_encode(&e.base, out, err);
}

static int put_fs(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                  struct crimg_err *err)
{
	const uint8_t *p = m->e.processes[object].fs;
	FsEntry e = FS_ENTRY__INIT;
	if (index > 0 || p == NULL)
		return 0;
	e.cwd_id = crimg_get_u32(p);
	e.root_id = crimg_get_u32(p + 4);
	return model_encode(&e.base, out, err);
}

static int put_action(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                      struct crimg_err *err)
{
	const uint8_t *p = m->e.processes[object].actions;
	SaEntry e = SA_ENTRY__INIT;
	if (p == NULL || index >= CRIMG_EARLY_ACTIONS)
		return 0;
	p += (size_t)index * CRIMG_EARLY_ACTION_BYTES;
	e.sigaction = crimg_get_u64(p);
	e.flags = crimg_get_u64(p + 8);
	e.restorer = crimg_get_u64(p + 16);
	e.mask = crimg_get_u64(p + 24);
	return model_encode(&e.base, out, err);
}

// Descriptors of a process: mappings have none.
static int put_fd(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                  struct crimg_err *err)
{
	const struct early_process *p = &m->e.processes[object];
	FdinfoEntry e = FDINFO_ENTRY__INIT;
	if (index == 0)
		m->item = 0;
	while (m->item < p->files.count && p->files.list[m->item].is_map)
		m->item++;
	if (p->shares_files || m->item == p->files.count)
		return 0;
	const struct early_file *f = &p->files.list[m->item++];
	e.id = f->id;
	e.fd = (uint32_t)f->number;
	e.type = (FdTypes)f->type;
	e.flags = m->e.is_2012 ? f->flags : 0;
	return model_encode(&e.base, out, err);
}

static void put_owner(FownEntry *e, const uint8_t *p)
{
	fown_entry__init(e);
	if (p == NULL)
		return;
	e->uid = crimg_get_u32(p);
	e->euid = crimg_get_u32(p + 4);
	e->signum = crimg_get_u32(p + 8);
	e->pid_type = crimg_get_u32(p + 12);
	e->pid = crimg_get_u32(p + 16);
}

static int put_file(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                    struct crimg_err *err)
{
	FileEntry e = FILE_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	PipeEntry pipe = PIPE_ENTRY__INIT;
	FownEntry owner;
	union {
		const char *lent;
		char *text; // protobuf-c asks for this; encoding changes nothing
	} name;
	(void)object;
	if (index >= m->e.opened.count)
		return 0;
	const struct early_file *f = &m->e.opened.list[index];
	bool is_pipe = f->type == EARLY_TYPE_PIPE;
	put_owner(&owner, f->owner);
	name.lent = f->name;
	e.id = reg.id = pipe.id = f->id;
	reg.flags = pipe.flags = f->flags;
	reg.fown = pipe.fown = &owner;
	reg.pos = f->position;
	reg.name = name.text;
	pipe.pipe_id = f->pipe;
	e.type = (FdTypes)f->type;
	e.pipe = is_pipe ? &pipe : NULL;
	e.reg = is_pipe ? NULL : &reg;
	return model_encode(&e.base, out, err);
}

static int put_record(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                      struct crimg_err *err)
{
	KernelRecordEntry e = KERNEL_RECORD_ENTRY__INIT;
	KernelOriginEntry origin = KERNEL_ORIGIN_ENTRY__INIT;
	(void)object;
	if (index >= m->e.record_count)
		return 0;
	const struct early_record *r = &m->e.records[index];
	union {
		const uint8_t *lent;
		uint8_t *data;
	} payload = { .lent = r->data };
	if (index == 0) {
		origin.format = "criu-early";
		origin.maker = m->e.is_2012 ? "crtools, a snapshot of July 2012" : "crtools, a snapshot of September 2011";
		e.origin = &origin;
	}
	e.type = r->type;
	e.has_payload = true;
	e.payload = (ProtobufCBinaryData){ .len = r->length, .data = payload.data };
	out->offset = r->offset;
	out->length = r->length;
	return model_encode(&e.base, out, err);
}

// The end of the run that begins with page i.
static size_t run_end(const struct early_pages *p, size_t i)
{
	size_t end = i + 1;
	while (end < p->count && p->list[end].address == p->list[end - 1].address + CRIMG_PAGE_BYTES)
		end++;
	return end;
}

static int put_run(struct early_image *m, const struct early_pages *p, uint64_t id, uint64_t index,
                   struct model_entry *out, struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	if (index == 0) {
		m->item = 0;
		head.pages_id = (uint32_t)id;
		return model_encode(&head.base, out, err);
	}
	if (m->item == p->count)
		return 0;
	size_t end = run_end(p, m->item);
	e.vaddr = p->list[m->item].address;
	e.has_nr_pages = e.has_flags = true;
	e.nr_pages = end - m->item;
	e.flags = CRIMG_PE_PRESENT;
	m->item = end;
	return model_encode(&e.base, out, err);
}

// Of processes, then of segments: so are their pages numbered.
static int put_pagemap(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                       struct crimg_err *err)
{
	const struct early_process *p = &m->e.processes[object];
	return p->core == NULL ? 0 : put_run(m, &p->pages, object + 1, index, out, err);
}

static int put_segment(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                       struct crimg_err *err)
{
	return put_run(m, &m->e.segments[object].pages, m->e.process_count + object + 1, index, out, err);
}

static int put_pipe_data(struct early_image *m, size_t object, uint64_t index, struct model_entry *out,
                         struct crimg_err *err)
{
	PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
	(void)object;
	if (index == 0)
		m->item = 0;
	while (m->item < m->e.pipe_count && m->e.pipes[m->item].bytes == 0)
		m->item++;
	if (m->item == m->e.pipe_count)
		return 0;
	const struct early_pipe *p = &m->e.pipes[m->item++];
	if (model_payload_begin(&m->payloads, err) < 0
	    || model_payload_add(&m->payloads, NULL, p->offset, p->bytes, err) < 0)
		return -1;
	e.pipe_id = p->pipe;
	e.bytes = p->bytes;
	out->has_payload = true;
	return model_encode(&e.base, out, err);
}

static size_t count_processes(const struct early_image *m)
{
	return m->e.process_count;
}

static uint64_t pid_of(const struct early_image *m, size_t object)
{
	return m->e.processes[object].pid;
}

static size_t count_threads(const struct early_image *m)
{
	return m->e.thread_count;
}

static uint64_t tid_of(const struct early_image *m, size_t object)
{
	return m->e.threads[object].tid;
}

static uint64_t pages_id(const struct early_image *m, size_t object)
{
	(void)m;
	return object + 1;
}

static size_t count_segments(const struct early_image *m)
{
	return m->e.segment_count;
}

static uint64_t segment_id(const struct early_image *m, size_t object)
{
	return m->e.segments[object].id;
}

static size_t count_others(const struct early_image *m)
{
	return m->e.other_count;
}

static size_t count_pages(const struct early_image *m)
{
	return m->e.process_count + m->e.segment_count;
}

static int announce_other(struct early_image *m, size_t object, struct crimg_err *err)
{
	size_t member = m->e.others[object];
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	return model_payload_add(&m->payloads, NULL, joined_source_start(m->e.joined, member),
	                         m->e.store->members[member].size, err);
}

// Of processes, then of segments.
static int announce_pages(struct early_image *m, size_t object, struct crimg_err *err)
{
	size_t n = m->e.process_count;
	const struct early_pages *p = object < n ? &m->e.processes[object].pages : &m->e.segments[object - n].pages;
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	for (size_t i = 0; i < p->count; i++)
		if (model_payload_add(&m->payloads, NULL, p->list[i].offset, CRIMG_PAGE_BYTES, err) < 0)
			return -1;
	return 0;
}

static const char *other_name(struct early_image *m, size_t object)
{
	const char *name = m->e.store->members[m->e.others[object]].name;
	size_t below = strlen(m->e.root);
	bool inside = strncmp(name, m->e.root, below) == 0;
	size_t size = sizeof OUTSIDE + strlen(name);
	char *out = crimg_arena_alloc(&m->e.arena, size);
	if (out != NULL)
		snprintf(out, size, "%s%s", inside ? OTHERS : OUTSIDE, name + (inside ? below : 0));
	return out;
}

// In the order of kinds.def.
static const MODEL_STEP(struct early_image) steps[] = {
	{ CRIMG_KIND_INVENTORY, .entry = put_inventory },
	{ CRIMG_KIND_PSTREE, .entry = put_pstree },
	{ CRIMG_KIND_IDS, count_processes, pid_of, .entry = put_ids },
	{ CRIMG_KIND_CORE, count_threads, tid_of, .entry = early_put_core },
	{ CRIMG_KIND_MM, count_processes, pid_of, .entry = put_mm },
	{ CRIMG_KIND_FS, count_processes, pid_of, .entry = put_fs },
	{ CRIMG_KIND_FDINFO, count_processes, table_id, .entry = put_fd },
	{ CRIMG_KIND_SIGACT, count_processes, pid_of, .entry = put_action },
	{ CRIMG_KIND_KERNEL_RECORDS, .entry = put_record },
	{ CRIMG_KIND_FILES, .entry = put_file },
	{ CRIMG_KIND_PAGEMAP, count_processes, pid_of, .entry = put_pagemap },
	{ CRIMG_KIND_PAGEMAP_SHMEM, count_segments, segment_id, .entry = put_segment },
	{ CRIMG_KIND_PIPES_DATA, .entry = put_pipe_data },
	{ CRIMG_KIND_OPAQUE, count_others, .announce = announce_other, .name = other_name },
	{ CRIMG_KIND_PAGES, count_pages, pages_id, .announce = announce_pages },
};

MODEL_FORMAT(early_format, steps);
