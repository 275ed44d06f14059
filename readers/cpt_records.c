// Which objects there are, and the small ones.
#include "readers/cpt_records.h"

#include "format/limits.h"
#include "format/pagemap.h"
#include "format/search.h"
#include "readers/cpt_padding.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1

static const uint8_t route_magic[] = {0x24, 0x12, 0x31, 0x45}; // what "ip route save" writes first

static TaskKobjIdsEntry host_ids(void)
{
	TaskKobjIdsEntry e = TASK_KOBJ_IDS_ENTRY__INIT;
	e.has_pid_ns_id = e.has_net_ns_id = e.has_ipc_ns_id = e.has_uts_ns_id = e.has_mnt_ns_id =
		e.has_user_ns_id = true;
	e.pid_ns_id = 1;
	e.net_ns_id = 2;
	e.ipc_ns_id = 3;
	e.uts_ns_id = 4;
	e.mnt_ns_id = 5;
	e.user_ns_id = 6;
	return e;
}

static CPT_ENTRY(put_inventory)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = host_ids();
	(void)m;
	(void)object;
	if (index > 0)
		return 0;
	e.img_version = IMAGE_VERSION;
	e.has_fdinfo_per_id = e.fdinfo_per_id = true;
	e.has_ns_per_id = e.ns_per_id = true;
	e.root_ids = &ids;
	return model_encode(&e.base, out, err);
}

// Of the task that comes at this place when they are sorted by it.
static int32_t pid_at(const struct cpt_image *m, size_t place)
{
	return (int32_t)cpt_get(&m->c, cpt_task(m, m->tasks.by_tid[place]), CRIMG_CPT_TASK_PID);
}

// The real parent; a thread that is no leader stands for its process.
static uint32_t parent_of(const struct cpt_image *m, const struct cpt_object *t)
{
	int32_t parent = (int32_t)cpt_u32(&m->c, t, CRIMG_CPT_TASK_RPPID);
	size_t count = cpt_count(&m->c, CRIMG_CPT_OBJ_TASK), at;
	CRIMG_COUNT_BEFORE(at, count, pid_at(m, at) < parent);
	return at < count && pid_at(m, at) == parent
		       ? cpt_u32(&m->c, cpt_task(m, m->tasks.by_tid[at]), CRIMG_CPT_TASK_TGID)
		       : 0;
}

static CPT_ENTRY(put_pstree)
{
	const struct cpt *c = &m->c;
	PstreeEntry e = PSTREE_ENTRY__INIT;
	(void)object;
	if (index >= m->tasks.process_count)
		return 0;
	const struct model_process *p = &m->tasks.processes[index];
	const struct cpt_object *t = cpt_task(m, m->tasks.by_process[p->first]);
	crimg_arena_reset(&m->arena);
	if ((e.threads = cpt_make(m, p->count, sizeof *e.threads, err)) == NULL)
		return -1;
	e.pid = (uint32_t)p->pid;
	e.ppid = parent_of(m, t);
	e.pgid = cpt_u32(c, t, CRIMG_CPT_TASK_PGRP);
	e.sid = cpt_u32(c, t, CRIMG_CPT_TASK_SESSION);
	for (size_t i = 0; i < p->count; i++)
		e.threads[e.n_threads++] =
			cpt_u32(c, cpt_task(m, m->tasks.by_process[p->first + i]),
				CRIMG_CPT_TASK_PID);
	cpt_from(out, t);
	return model_encode(&e.base, out, err);
}

static size_t count_tasks(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_TASK);
}

static uint64_t tid_of(const struct cpt_image *m, size_t object)
{
	return cpt_get(&m->c, cpt_task(m, m->tasks.by_tid[object]), CRIMG_CPT_TASK_PID);
}

static size_t count_processes(const struct cpt_image *m)
{
	return m->tasks.process_count;
}

static uint64_t pid_of(const struct cpt_image *m, size_t object)
{
	return (uint32_t)m->tasks.processes[object].pid;
}

static CPT_ENTRY(put_ids)
{
	const struct cpt *c = &m->c;
	TaskKobjIdsEntry e = host_ids();
	const struct cpt_object *t = cpt_living(m, &m->tasks.processes[object]), *ns;
	if (index > 0 || t == NULL)
		return 0;
	ns = cpt_ref(c, t, CRIMG_CPT_TASK_NAMESPACE);
	e.vm_id = cpt_id(cpt_ref(c, t, CRIMG_CPT_TASK_MM));
	e.files_id = cpt_id(cpt_ref(c, t, CRIMG_CPT_TASK_FILES));
	e.fs_id = cpt_id(cpt_ref(c, t, CRIMG_CPT_TASK_FS));
	e.sighand_id = cpt_id(cpt_ref(c, t, CRIMG_CPT_TASK_SIGHAND));
	e.pid_ns_id = CPT_NS_PID;
	e.net_ns_id = CPT_NS_NET;
	e.ipc_ns_id = CPT_NS_IPC;
	e.uts_ns_id = CPT_NS_UTS;
	e.mnt_ns_id = CPT_NS_MNT + (ns != NULL ? (uint32_t)ns->nth : 0);
	cpt_from(out, t);
	return model_encode(&e.base, out, err);
}

// Root, then working directory, in the order of the image.
static CPT_ENTRY(put_fs)
{
	const struct cpt *c = &m->c;
	FsEntry e = FS_ENTRY__INIT;
	const struct cpt_object *t = cpt_living(m, &m->tasks.processes[object]);
	const struct cpt_object *fs = t == NULL ? NULL : cpt_ref(c, t, CRIMG_CPT_TASK_FS);
	if (index > 0 || fs == NULL)
		return 0;
	const struct cpt_object *root = cpt_child(c, fs, NULL, CRIMG_CPT_OBJ_FILE);
	const struct cpt_object *cwd =
		root == NULL ? NULL : cpt_child(c, fs, root, CRIMG_CPT_OBJ_FILE);
	e.root_id = cpt_id(root);
	e.cwd_id = cpt_id(cwd);
	e.has_umask = true;
	e.umask = cpt_u32(c, fs, CRIMG_CPT_FS_UMASK);
	cpt_from(out, fs);
	return model_encode(&e.base, out, err);
}

static size_t count_tables(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_FILES);
}

static uint64_t from_one(const struct cpt_image *m, size_t object)
{
	(void)m;
	return object + 1;
}

// The names stand one behind the other: of the node, of its domain.
static CPT_ENTRY(put_uts)
{
	const struct cpt *c = &m->c;
	UtsnsEntry e = UTSNS_ENTRY__INIT;
	const struct cpt_object *node = cpt_in_section(c, CRIMG_CPT_SECT_UTSNAME, NULL);
	(void)object;
	if (index > 0 || node == NULL)
		return 0;
	crimg_arena_reset(&m->arena);
	const struct cpt_object *domain = cpt_in_section(c, CRIMG_CPT_SECT_UTSNAME, node);
	e.nodename = cpt_text(c, node, &m->arena, err);
	e.domainname = cpt_text(c, domain, &m->arena, err);
	if (e.nodename == NULL || e.domainname == NULL)
		return -1;
	cpt_from(out, node);
	return model_encode(&e.base, out, err);
}

static uint64_t uts_id(const struct cpt_image *m, size_t object)
{
	(void)m;
	return CPT_NS_UTS + object;
}

static uint64_t ipc_id(const struct cpt_image *m, size_t object)
{
	(void)m;
	return CPT_NS_IPC + object;
}

static uint64_t net_id(const struct cpt_image *m, size_t object)
{
	(void)m;
	return CPT_NS_NET + object;
}

static size_t count_mounts(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_NAMESPACE);
}

static uint64_t mount_id(const struct cpt_image *m, size_t object)
{
	(void)m;
	return CPT_NS_MNT + object;
}

static int put_pages_of(const struct cpt_runs *runs, uint32_t pages_id, uint64_t index,
			struct model_entry *out, struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	if (index == 0) {
		head.pages_id = pages_id;
		return model_encode(&head.base, out, err);
	}
	if (index > runs->count)
		return 0;
	const struct cpt_run *r = &runs->list[index - 1];
	e.vaddr = r->start;
	e.has_flags = e.has_nr_pages = true;
	e.nr_pages = (r->bytes + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES;
	e.flags = CRIMG_PE_PRESENT;
	if (r->offset != CRIMG_NO_OFFSET) {
		out->offset = r->offset;
		out->length = r->bytes;
	}
	return model_encode(&e.base, out, err);
}

static CPT_ENTRY(put_pagemap)
{
	const struct cpt_object *t = cpt_living(m, &m->tasks.processes[object]);
	const struct cpt_object *mm = t == NULL ? NULL : cpt_ref(&m->c, t, CRIMG_CPT_TASK_MM);
	return mm == NULL ? 0 : put_pages_of(&m->c.spaces[mm->nth], cpt_id(mm), index, out, err);
}

static size_t count_segments(const struct cpt_image *m)
{
	return m->segment_count;
}

static uint64_t segment_id(const struct cpt_image *m, size_t object)
{
	const struct cpt_object *inode = cpt_nth(&m->c, CRIMG_CPT_OBJ_INODE, m->segments[object]);
	const struct cpt_object *shm = cpt_child(&m->c, inode, NULL, CRIMG_CPT_OBJ_SYSV_SHM);
	// A segment of System V is known by its number, which is never negative.
	return shm != NULL ? cpt_get(&m->c, shm, CRIMG_CPT_SYSV_SHM_ID)
			   : 0x80000000u + cpt_id(inode);
}

static CPT_ENTRY(put_segment)
{
	uint32_t pages = (uint32_t)(cpt_count(&m->c, CRIMG_CPT_OBJ_MM) + object + 1);
	return put_pages_of(&m->c.inodes[m->segments[object]], pages, index, out, err);
}

static size_t count_inodes(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_INODE);
}

static size_t count_pages(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_MM) + m->segment_count;
}

// Address spaces, then segments, are numbered as their pages objects.
static int announce_pages(struct cpt_image *m, size_t object, struct crimg_err *err)
{
	size_t spaces = cpt_count(&m->c, CRIMG_CPT_OBJ_MM);
	const struct cpt_runs *runs = object < spaces
					      ? &m->c.spaces[object]
					      : &m->c.inodes[m->segments[object - spaces]];
	if (model_payload_begin(&m->payloads, err) < 0)
		return -1;
	for (size_t i = 0; i < runs->count; i++) {
		const struct cpt_run *r = &runs->list[i];
		uint64_t rest = (CRIMG_PAGE_BYTES - r->bytes % CRIMG_PAGE_BYTES) % CRIMG_PAGE_BYTES;
		if (model_payload_add(&m->payloads, NULL, r->offset, r->bytes, err) < 0
		    || model_payload_zero(&m->payloads, rest, err) < 0)
			return -1;
	}
	return 0;
}

static const struct cpt_object *routes(const struct cpt_image *m)
{
	return cpt_count(&m->c, CRIMG_CPT_OBJ_NET_ROUTE) > 0
		       ? cpt_nth(&m->c, CRIMG_CPT_OBJ_NET_ROUTE, 0)
		       : NULL;
}

// Rules of the first kind are those of IPv4; either may be missing or empty.
static const struct cpt_object *rules(const struct cpt_image *m, size_t which)
{
	const struct cpt_object *o = NULL;
	while ((o = cpt_in_section(&m->c, CRIMG_CPT_SECT_NET_IPTABLES, o)) != NULL)
		if ((o->content == CRIMG_CPT_CONTENT_NAME) == (which == 0))
			return o;
	return NULL;
}

static size_t count_routes(const struct cpt_image *m)
{
	return routes(m) != NULL;
}

static size_t count_rules(const struct cpt_image *m)
{
	return rules(m, 0) != NULL;
}

static size_t count_rules6(const struct cpt_image *m)
{
	return rules(m, 1) != NULL;
}

static int announce_routes(struct cpt_image *m, size_t object, struct crimg_err *err)
{
	const struct cpt_object *o = routes(m);
	(void)object;
	if (model_payload_begin(&m->payloads, err) < 0
	    || model_payload_add(&m->payloads, route_magic, 0, sizeof route_magic, err) < 0)
		return -1;
	return model_payload_add(&m->payloads, NULL, cpt_body(o), cpt_route_bytes(&m->c, o), err);
}

// Text up to its zero byte, which is none of it.
static int announce_text(struct cpt_image *m, const struct cpt_object *o, struct crimg_err *err)
{
	enum { LONGEST = 16 << 20 };
	size_t length;
	crimg_arena_reset(&m->arena);
	uint8_t *text = cpt_read(&m->c, o, LONGEST, &length, &m->arena, err);
	if (text == NULL || model_payload_begin(&m->payloads, err) < 0)
		return -1;
	return model_payload_add(&m->payloads, NULL, cpt_body(o), strnlen((char *)text, length),
				 err);
}

static int announce_rules(struct cpt_image *m, size_t object, struct crimg_err *err)
{
	(void)object;
	return announce_text(m, rules(m, 0), err);
}

static int announce_rules6(struct cpt_image *m, size_t object, struct crimg_err *err)
{
	(void)object;
	return announce_text(m, rules(m, 1), err);
}

// In the order of kinds.def.
static const MODEL_STEP(struct cpt_image) steps[] = {
	{CRIMG_KIND_INVENTORY, .entry = put_inventory},
	{CRIMG_KIND_PSTREE, .entry = put_pstree},
	{CRIMG_KIND_IDS, count_processes, pid_of, .entry = put_ids},
	{CRIMG_KIND_CORE, count_tasks, tid_of, .entry = cpt_put_core},
	{CRIMG_KIND_MM, count_processes, pid_of, .entry = cpt_put_mm},
	{CRIMG_KIND_FS, count_processes, pid_of, .entry = put_fs},
	{CRIMG_KIND_FDINFO, count_tables, from_one, .entry = cpt_put_fd},
	{CRIMG_KIND_KERNEL_RECORDS, .entry = cpt_put_kernel},
	{CRIMG_KIND_CGROUP, .entry = cpt_put_cgroup},
	{CRIMG_KIND_FILES, .entry = cpt_put_file},
	{CRIMG_KIND_REMAP_FPATH, .entry = cpt_put_remap},
	{CRIMG_KIND_FILE_LOCKS, .entry = cpt_put_lock},
	{CRIMG_KIND_TTY_INFO, .entry = cpt_put_tty_info},
	{CRIMG_KIND_TTY_DATA, .entry = cpt_put_tty_data},
	{CRIMG_KIND_UTSNS, NULL, uts_id, .entry = put_uts},
	{CRIMG_KIND_IPC_VAR, NULL, ipc_id, .entry = cpt_put_ipc_var},
	{CRIMG_KIND_MNTS, count_mounts, mount_id, .entry = cpt_put_mount},
	{CRIMG_KIND_NETDEV, NULL, net_id, .entry = cpt_put_netdev},
	{CRIMG_KIND_PAGEMAP, count_processes, pid_of, .entry = put_pagemap},
	{CRIMG_KIND_PAGEMAP_SHMEM, count_segments, segment_id, .entry = put_segment},
	{CRIMG_KIND_PIPES_DATA, .entry = cpt_put_pipe_data},
	{CRIMG_KIND_FIFO_DATA, .entry = cpt_put_fifo_data},
	{CRIMG_KIND_SK_QUEUES, .entry = cpt_put_queue},
	{CRIMG_KIND_TCP_STREAM, cpt_count_sockets, from_one, .entry = cpt_put_tcp},
	{CRIMG_KIND_IPCNS_SHM, NULL, ipc_id, .entry = cpt_put_ipc_shm},
	{CRIMG_KIND_IPCNS_SEM, NULL, ipc_id, .entry = cpt_put_ipc_sem},
	{CRIMG_KIND_IPCNS_MSG, NULL, ipc_id, .entry = cpt_put_ipc_msg},
	{CRIMG_KIND_GHOST_FILE, count_inodes, from_one, .entry = cpt_put_ghost},
	{CRIMG_KIND_ROUTE, count_routes, net_id, .announce = announce_routes},
	{CRIMG_KIND_IPTABLES, count_rules, net_id, .announce = announce_rules},
	{CRIMG_KIND_IP6TABLES, count_rules6, net_id, .announce = announce_rules6},
	{CRIMG_KIND_PAGES, count_pages, from_one, .announce = announce_pages},
};

MODEL_FORMAT(cpt_format, steps);
