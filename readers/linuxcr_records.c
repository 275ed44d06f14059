// Which objects there are, and the small ones.
#include "readers/linuxcr_records.h"

#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/pagemap.h"
#include "format/search.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1
#define INIT_PID 1
#define CGROUPS_OF_PARENT 1u // a set that no cgroup.img describes: the tasks stay where they are started

void linuxcr_from(struct model_entry *out, const struct linuxcr_record *r)
{
	out->offset = r->offset;
	out->length = CRIMG_LCR_HEADER_BYTES + (uint64_t)r->length;
}

struct linuxcr_object *linuxcr_task_object(const struct linuxcr *c, const struct linuxcr_task *t,
					   unsigned which)
{
	static const uint32_t types[] = {CRIMG_LCR_OBJ_FILE_TABLE, CRIMG_LCR_OBJ_MM,
					 CRIMG_LCR_OBJ_FS,         CRIMG_LCR_OBJ_SEM_UNDO,
					 CRIMG_LCR_OBJ_SIGHAND,    CRIMG_LCR_OBJ_SIGNAL};
	if (t->objs == NULL)
		return NULL;
	uint32_t at = 4 * (which > 2 && !c->stream.profile.task_v23 ? which - 1 : which);
	struct linuxcr_object *o = linuxcr_find(c, types[which], linuxcr_ref(t->objs, at));
	return o != NULL && o->body != NULL ? o : NULL;
}

const struct linuxcr_task *linuxcr_living(const struct linuxcr_image *m,
					  const struct model_process *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct linuxcr_task *t = &m->c.tasks[m->tasks.by_process[p->first + i]];
		if (t->objs != NULL)
			return t;
	}
	return NULL;
}

uint64_t linuxcr_segment_id(const struct linuxcr_object *inode)
{
	// A segment of System V is known by its number, which is never negative; one without a name
	// gets a number that none of those has.
	if (inode->body != NULL && inode->body->kind == CRIMG_LCR_IPC_SHM)
		return linuxcr_u32(inode->body, CRIMG_LCR_PERMS_ID);
	return 0x80000000u + (uint64_t)inode->ref;
}

// Namespaces and objects of whoever restores, by numbers that no object of the stream has: what a task
// shares with it is not made anew.
static TaskKobjIdsEntry outside(const struct linuxcr_image *m)
{
	TaskKobjIdsEntry e = TASK_KOBJ_IDS_ENTRY__INIT;
	uint32_t next = (uint32_t)m->last_ref;
	uint32_t *const shared[] = {&e.vm_id,      &e.files_id,   &e.fs_id,      &e.sighand_id,
				    &e.pid_ns_id,  &e.net_ns_id,  &e.ipc_ns_id,  &e.uts_ns_id,
				    &e.mnt_ns_id,  &e.user_ns_id, &e.time_ns_id, &e.cgroup_ns_id};
	for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
		*shared[i] = ++next;
	e.has_pid_ns_id = e.has_net_ns_id = e.has_ipc_ns_id = e.has_uts_ns_id = true;
	e.has_mnt_ns_id = e.has_user_ns_id = e.has_time_ns_id = e.has_cgroup_ns_id = true;
	return e;
}

static int put_inventory(struct linuxcr_image *m, size_t object, uint64_t index,
			 struct model_entry *out, struct crimg_err *err)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = outside(m);
	(void)object;
	if (index > 0)
		return 0;
	e.img_version = IMAGE_VERSION;
	e.has_fdinfo_per_id = e.fdinfo_per_id = true;
	e.has_ns_per_id = e.ns_per_id = true;
	e.root_ids = &ids;
	e.has_root_cg_set = true;
	e.root_cg_set = CGROUPS_OF_PARENT;
	e.has_lsmtype = true; // labels, if any, are in the records alone
	e.lsmtype = LSMTYPE__NO_LSM;
	return model_encode(&e.base, out, err);
}

static bool has_task(const struct linuxcr_image *m, int32_t pid)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, m->c.task_count, m->c.tasks[m->tasks.by_tid[at]].pid < pid);
	return at < m->c.task_count && m->c.tasks[m->tasks.by_tid[at]].pid == pid;
}

static int put_pstree(struct linuxcr_image *m, size_t object, uint64_t index,
		      struct model_entry *out, struct crimg_err *err)
{
	PstreeEntry e = PSTREE_ENTRY__INIT;
	(void)object;
	if (index >= m->tasks.process_count)
		return 0;
	const struct model_process *p = &m->tasks.processes[index];
	const struct linuxcr_task *t = &m->c.tasks[m->tasks.by_process[p->first]];
	crimg_arena_reset(&m->arena);
	e.threads = crimg_arena_alloc(&m->arena, p->count * sizeof *e.threads);
	if (e.threads == NULL)
		return crimg_fail_nomem(err, p->count * sizeof *e.threads);
	e.pid = (uint32_t)p->pid;
	e.ppid = has_task(m, t->ppid) ? (uint32_t)t->ppid : 0; // whoever is outside is 0
	e.pgid = (uint32_t)t->pgid;
	e.sid = (uint32_t)t->sid;
	for (size_t i = 0; i < p->count; i++)
		e.threads[e.n_threads++] = (uint32_t)m->c.tasks[m->tasks.by_process[p->first + i]].pid;
	return model_encode(&e.base, out, err);
}

static size_t count_cores(const struct linuxcr_image *m)
{
	return m->c.task_count;
}

static uint64_t tid_of(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)m->c.tasks[m->tasks.by_tid[object]].pid;
}

static size_t count_processes(const struct linuxcr_image *m)
{
	return m->tasks.process_count;
}

static uint64_t pid_of(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)m->tasks.processes[object].pid;
}

static uint32_t namespace_of(const struct linuxcr *c, const struct linuxcr_task *t, uint32_t at)
{
	struct linuxcr_object *o =
		t->ns == NULL ? NULL : linuxcr_find(c, CRIMG_LCR_OBJ_NS, linuxcr_ref(t->ns, 0));
	return o != NULL && o->body != NULL ? linuxcr_u32(o->body, at) : 0;
}

static uint32_t object_ref(const struct linuxcr *c, const struct linuxcr_task *t, unsigned which)
{
	const struct linuxcr_object *o = linuxcr_task_object(c, t, which);
	return o != NULL ? (uint32_t)o->ref : 0;
}

static int put_ids(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err)
{
	TaskKobjIdsEntry e = outside(m);
	const struct linuxcr_task *t = linuxcr_living(m, &m->tasks.processes[object]);
	if (index > 0 || t == NULL)
		return 0;
	e.files_id = object_ref(&m->c, t, 0);
	e.vm_id = object_ref(&m->c, t, 1);
	e.fs_id = object_ref(&m->c, t, 2);
	e.sighand_id = object_ref(&m->c, t, 4);
	e.uts_ns_id = namespace_of(&m->c, t, 0);
	e.ipc_ns_id = namespace_of(&m->c, t, 4);
	if (m->tasks.processes[0].pid == INIT_PID)
		e.pid_ns_id = linuxcr_u32(t->ns, 0); // of a container: its own
	linuxcr_from(out, t->objs);
	return model_encode(&e.base, out, err);
}

static size_t count_tables(const struct linuxcr_image *m)
{
	return linuxcr_count(&m->c, CRIMG_LCR_OBJ_FILE_TABLE);
}

static uint64_t table_id(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)linuxcr_nth(&m->c, CRIMG_LCR_OBJ_FILE_TABLE, object)->ref;
}

// What a stream tells of itself: release and machine of the kernel stand behind the header.
static void put_origin(const struct linuxcr_image *m, KernelOriginEntry *origin, char *kernel,
		       size_t size)
{
	const struct linuxcr_record *release = m->c.header->next;
	const struct linuxcr_record *version = release != NULL ? release->next : NULL;
	const struct linuxcr_record *machine = version != NULL ? version->next : NULL;
	origin->format = "linux-cr";
	origin->maker = "checkpoint(2)";
	origin->has_seconds = true;
	origin->seconds = linuxcr_u64(m->c.header, CRIMG_LCR_HEADER_TIME);
	origin->told_by = "the stream's header";
	if (release == NULL || machine == NULL || release->length == 0 || machine->length == 0)
		return;
	snprintf(kernel, size, "Linux %.*s %.*s",
		 (int)strnlen((const char *)release->data, release->length),
		 (const char *)release->data,
		 (int)strnlen((const char *)machine->data, machine->length),
		 (const char *)machine->data);
	origin->kernel = kernel;
}

static int put_record(struct linuxcr_image *m, size_t object, uint64_t index,
		      struct model_entry *out, struct crimg_err *err)
{
	KernelRecordEntry e = KERNEL_RECORD_ENTRY__INIT;
	KernelOriginEntry origin = KERNEL_ORIGIN_ENTRY__INIT;
	char kernel[160];
	(void)object;
	const struct linuxcr_record *r = m->record = index == 0          ? m->c.stream.first
						     : m->record == NULL ? NULL
									 : m->record->next;
	if (r == NULL)
		return 0;
	union {
		const uint8_t *lent;
		uint8_t *data; // protobuf-c asks for this; encoding changes nothing
	} payload = {.lent = r->data};
	if (r == m->c.header) {
		put_origin(m, &origin, kernel, sizeof kernel);
		e.origin = &origin;
	}
	e.type = r->type;
	e.has_payload = r->length > 0;
	e.payload = (ProtobufCBinaryData){.len = r->length, .data = payload.data};
	e.has_beyond = r->beyond > 0;
	e.beyond = r->beyond;
	e.has_pages = e.has_pages_id = r->pages > 0;
	e.pages = r->pages;
	e.pages_id = r->owner != NULL ? (uint32_t)r->owner->pages_id : 0;
	linuxcr_from(out, r);
	return model_encode(&e.base, out, err);
}

static size_t count_uts(const struct linuxcr_image *m)
{
	return linuxcr_count(&m->c, CRIMG_LCR_OBJ_UTS_NS);
}

static uint64_t uts_id(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)linuxcr_nth(&m->c, CRIMG_LCR_OBJ_UTS_NS, object)->ref;
}

// One text of the names that stand one behind the other, each as wide as the header says.
static char *name_at(struct linuxcr_image *m, const struct linuxcr_record *r, unsigned which)
{
	static const uint32_t widths[] = {CRIMG_LCR_CONST_SYSNAME, CRIMG_LCR_CONST_NODENAME,
					  CRIMG_LCR_CONST_RELEASE, CRIMG_LCR_CONST_VERSION,
					  CRIMG_LCR_CONST_MACHINE, CRIMG_LCR_CONST_DOMAIN};
	uint32_t at = 0, width;
	for (unsigned i = 0; i < which; i++)
		at += linuxcr_u16(m->c.header, widths[i]);
	width = linuxcr_u16(m->c.header, widths[which]);
	if (!crimg_in_range(at, width, r->length))
		at = width = 0;
	const char *text = (const char *)r->data + at;
	return crimg_arena_text(&m->arena, text, strnlen(text, width));
}

static int put_uts(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err)
{
	UtsnsEntry e = UTSNS_ENTRY__INIT;
	const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_UTS_NS, object);
	if (index > 0 || o->body == NULL)
		return 0;
	crimg_arena_reset(&m->arena);
	e.nodename = name_at(m, o->body, 1);
	e.domainname = name_at(m, o->body, 5);
	if (e.nodename == NULL || e.domainname == NULL)
		return crimg_fail_nomem(err, o->body->length);
	linuxcr_from(out, o->body);
	return model_encode(&e.base, out, err);
}

static size_t count_ipc(const struct linuxcr_image *m)
{
	return linuxcr_count(&m->c, CRIMG_LCR_OBJ_IPC_NS);
}

static uint64_t ipc_id(const struct linuxcr_image *m, size_t object)
{
	return (uint64_t)linuxcr_nth(&m->c, CRIMG_LCR_OBJ_IPC_NS, object)->ref;
}

static int put_pages_of(const struct linuxcr_object *o, uint64_t index, struct model_entry *out,
			struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	if (index == 0) {
		head.pages_id = (uint32_t)o->pages_id;
		return model_encode(&head.base, out, err);
	}
	if (index > o->run_count)
		return 0;
	const struct linuxcr_run *run = &o->runs[index - 1];
	e.vaddr = run->start;
	e.has_flags = e.has_nr_pages = true;
	e.nr_pages = run->pages;
	e.flags = CRIMG_PE_PRESENT;
	out->offset = run->offset;
	out->length = run->pages * CRIMG_PAGE_BYTES;
	return model_encode(&e.base, out, err);
}

static int put_pagemap(struct linuxcr_image *m, size_t object, uint64_t index,
		       struct model_entry *out, struct crimg_err *err)
{
	const struct linuxcr_task *t = linuxcr_living(m, &m->tasks.processes[object]);
	const struct linuxcr_object *o = t == NULL ? NULL : linuxcr_task_object(&m->c, t, 1);
	return o == NULL ? 0 : put_pages_of(o, index, out, err);
}

static size_t count_segments(const struct linuxcr_image *m)
{
	return m->segment_count;
}

static uint64_t segment_id(const struct linuxcr_image *m, size_t object)
{
	return linuxcr_segment_id(m->segments[object]);
}

static int put_segment(struct linuxcr_image *m, size_t object, uint64_t index,
		       struct model_entry *out, struct crimg_err *err)
{
	return put_pages_of(m->segments[object], index, out, err);
}

static int put_pipe(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	(void)object;
	return linuxcr_put_pipe_data(m, false, index, out, err);
}

static int put_fifo(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err)
{
	(void)object;
	return linuxcr_put_pipe_data(m, true, index, out, err);
}

static size_t count_pages(const struct linuxcr_image *m)
{
	return linuxcr_count(&m->c, CRIMG_LCR_OBJ_MM) + m->segment_count;
}

static uint64_t pages_id(const struct linuxcr_image *m, size_t object)
{
	(void)m;
	return object + 1;
}

// Address spaces, then segments, are numbered as their pages objects.
static int announce_pages(struct linuxcr_image *m, size_t object, struct crimg_err *err)
{
	size_t spaces = linuxcr_count(&m->c, CRIMG_LCR_OBJ_MM);
	const struct linuxcr_object *o = object < spaces
						 ? linuxcr_nth(&m->c, CRIMG_LCR_OBJ_MM, object)
						 : m->segments[object - spaces];
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	for (size_t i = 0; i < o->run_count; i++)
		if (model_payload_add(&m->payloads, NULL, o->runs[i].offset,
				      o->runs[i].pages * CRIMG_PAGE_BYTES, err)
		    < 0)
			return -1;
	return 0;
}

// In the order of kinds.def.
static const MODEL_STEP(struct linuxcr_image) steps[] = {
	{CRIMG_KIND_INVENTORY, .entry = put_inventory},
	{CRIMG_KIND_PSTREE, .entry = put_pstree},
	{CRIMG_KIND_IDS, count_processes, pid_of, .entry = put_ids},
	{CRIMG_KIND_CORE, count_cores, tid_of, .entry = linuxcr_put_core},
	{CRIMG_KIND_MM, count_processes, pid_of, .entry = linuxcr_put_mm},
	{CRIMG_KIND_FS, count_processes, pid_of, .entry = linuxcr_put_fs},
	{CRIMG_KIND_FDINFO, count_tables, table_id, .entry = linuxcr_put_fd},
	{CRIMG_KIND_KERNEL_RECORDS, .entry = put_record},
	{CRIMG_KIND_FILES, .entry = linuxcr_put_file},
	{CRIMG_KIND_TTY_INFO, .entry = linuxcr_put_tty},
	{CRIMG_KIND_UTSNS, count_uts, uts_id, .entry = put_uts},
	{CRIMG_KIND_IPC_VAR, count_ipc, ipc_id, .entry = linuxcr_put_ipc_var},
	{CRIMG_KIND_PAGEMAP, count_processes, pid_of, .entry = put_pagemap},
	{CRIMG_KIND_PAGEMAP_SHMEM, count_segments, segment_id, .entry = put_segment},
	{CRIMG_KIND_PIPES_DATA, .entry = put_pipe},
	{CRIMG_KIND_FIFO_DATA, .entry = put_fifo},
	{CRIMG_KIND_SK_QUEUES, .entry = linuxcr_put_queue},
	{CRIMG_KIND_TCP_STREAM, linuxcr_count_sockets, linuxcr_socket_id,
	 .entry = linuxcr_put_tcp},
	{CRIMG_KIND_IPCNS_SHM, count_ipc, ipc_id, .entry = linuxcr_put_ipc_shm},
	{CRIMG_KIND_IPCNS_SEM, count_ipc, ipc_id, .entry = linuxcr_put_ipc_sem},
	{CRIMG_KIND_IPCNS_MSG, count_ipc, ipc_id, .entry = linuxcr_put_ipc_msg},
	{CRIMG_KIND_PAGES, count_pages, pages_id, .announce = announce_pages},
};

MODEL_FORMAT(linuxcr_format, steps);
