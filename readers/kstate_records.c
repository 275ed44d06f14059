// Which objects there are, and the small ones.
#include "readers/kstate_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/limits.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1
#define KERNEL_TEXT_BYTES 96

static int list_type(const struct kstate *k, enum crimg_kst_type type, struct kstate_list *out,
                     struct crimg_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < k->count; i++)
		count += k->objects[i].type == type;
	out->items = calloc(count + 1, sizeof *out->items);
	if (out->items == NULL)
		return crimg_fail_nomem(err, count * sizeof *out->items);
	for (size_t i = 0; i < k->count; i++)
		if (k->objects[i].type == type)
			out->items[out->count++] = &k->objects[i];
	return 0;
}

static uint32_t count_numbers(const struct kstate_object *pid)
{
	return (pid->length - CRIMG_KST_PID_NUMBERS) / 4;
}

uint32_t kstate_pid(const struct kstate_image *m, const struct kstate_object *pid)
{
	return pid != NULL && m->level < count_numbers(pid)
		? kstate_u32(pid, CRIMG_KST_PID_NUMBERS + 4 * m->level)
		: 0;
}

static uint32_t task_pid(const struct kstate_image *m, const struct kstate_object *task)
{
	return kstate_pid(m, kstate_ref(&m->k, task, CRIMG_KST_TASK_PID));
}

// Tasks without a number cannot be told from each other: they stay in the records alone.
static void leave_unnumbered(struct kstate_image *m)
{
	struct kstate_list *list = &m->tasks_list;
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t pid = task_pid(m, list->items[i]);
		if (pid > 0 && pid <= INT32_MAX)
			list->items[kept++] = list->items[i];
		else
			crimg_fail(&m->k.damage, CRIMG_E_FORMAT, m->k.source->name,
			           list->items[i]->offset + CRIMG_KST_TASK_PID,
			           "TASK_STRUCT: number %u found, a positive one in the namespace of the first "
			           "task wanted", pid);
	}
	list->count = kept;
}

// Whatever shares its signal structure is one process, and the leader stands before its threads.
static int32_t leader_of(const struct kstate_image *m, const int32_t *leaders, size_t i)
{
	const struct kstate_object *signal =
		kstate_ref(&m->k, m->tasks_list.items[i], CRIMG_KST_TASK_SIGNAL);
	return signal == NULL ? 0 : leaders[signal - m->k.objects];
}

static int group_tasks(struct kstate_image *m, struct crimg_err *err)
{
	const struct kstate_list *list = &m->tasks_list;
	struct model_task_key *keys = calloc(list->count + 1, sizeof *keys);
	int32_t *leaders = calloc(m->k.count + 1, sizeof *leaders); // by signal structure
	m->leads = calloc(list->count + 1, sizeof *m->leads);
	if (keys == NULL || leaders == NULL || m->leads == NULL) {
		free(keys);
		free(leaders);
		return crimg_fail_nomem(err, list->count * sizeof *keys);
	}
	for (size_t i = 0; i < list->count; i++) {
		int32_t pid = (int32_t)task_pid(m, list->items[i]), leader = leader_of(m, leaders, i);
		const struct kstate_object *signal =
			kstate_ref(&m->k, list->items[i], CRIMG_KST_TASK_SIGNAL);
		if (signal != NULL && leader == 0)
			leaders[signal - m->k.objects] = pid;
		m->leads[i] = leader == 0;
		keys[i] = (struct model_task_key){ pid, leader != 0 ? leader : pid, i };
	}
	free(leaders);
	return model_tasks_init(&m->tasks, keys, list->count, m->k.source->name, err);
}

int kstate_image_build(struct kstate_image *m, struct crimg_err *err)
{
	m->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (list_type(&m->k, CRIMG_KST_TASK, &m->tasks_list, err) < 0
	    || list_type(&m->k, CRIMG_KST_FILE, &m->files, err) < 0
	    || list_type(&m->k, CRIMG_KST_UTS_NS, &m->names, err) < 0)
		return -1;
	const struct kstate_object *first = m->tasks_list.count == 0
		? NULL
		: kstate_ref(&m->k, m->tasks_list.items[0], CRIMG_KST_TASK_PID);
	m->level = first != NULL ? count_numbers(first) - 1 : 0;
	leave_unnumbered(m);
	return group_tasks(m, err);
}

void kstate_image_fini(struct kstate_image *m)
{
	model_tasks_fini(&m->tasks);
	free(m->leads);
	free(m->tasks_list.items);
	free(m->files.items);
	free(m->names.items);
	model_payloads_fini(&m->payloads);
	crimg_buf_fini(&m->pads);
	crimg_arena_fini(&m->arena);
	kstate_fini(&m->k);
}

static const struct kstate_object *task_at(const struct kstate_image *m, size_t by_process)
{
	return m->tasks_list.items[m->tasks.by_process[by_process]];
}

static int put_inventory(struct kstate_image *m, size_t object, uint64_t index,
                         struct model_entry *out, struct crimg_err *err)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	(void)m;
	(void)object;
	if (index > 0)
		return 0;
	e.img_version = IMAGE_VERSION;
	e.has_fdinfo_per_id = e.fdinfo_per_id = true;
	e.has_ns_per_id = e.ns_per_id = true;
	return model_encode(&e.base, out, err);
}

static int put_pstree(struct kstate_image *m, size_t object, uint64_t index,
                      struct model_entry *out, struct crimg_err *err)
{
	PstreeEntry e = PSTREE_ENTRY__INIT;
	(void)object;
	if (index >= m->tasks.process_count)
		return 0;
	const struct model_process *p = &m->tasks.processes[index];
	const struct kstate_object *task = task_at(m, p->first);
	crimg_arena_reset(&m->arena);
	e.threads = crimg_arena_alloc(&m->arena, p->count * sizeof *e.threads);
	if (e.threads == NULL)
		return crimg_fail_nomem(err, p->count * sizeof *e.threads);
	e.pid = (uint32_t)p->pid;
	e.pgid = kstate_pid(m, kstate_ref(&m->k, task, CRIMG_KST_TASK_GROUP));
	e.sid = kstate_pid(m, kstate_ref(&m->k, task, CRIMG_KST_TASK_SESSION));
	for (size_t i = 0; i < p->count; i++)
		e.threads[e.n_threads++] = task_pid(m, task_at(m, p->first + i));
	kstate_from(out, task);
	return model_encode(&e.base, out, err);
}

static uint32_t number_of(const struct kstate_image *m, const struct kstate_object *from, uint32_t at)
{
	return from != NULL ? kstate_number(&m->k, kstate_ref(&m->k, from, at)) : 0;
}

static int put_ids(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                   struct crimg_err *err)
{
	TaskKobjIdsEntry e = TASK_KOBJ_IDS_ENTRY__INIT;
	const struct kstate_object *task = task_at(m, m->tasks.processes[object].first);
	const struct kstate_object *set = kstate_ref(&m->k, task, CRIMG_KST_TASK_NSPROXY);
	if (index > 0)
		return 0;
	e.vm_id = number_of(m, task, CRIMG_KST_TASK_MM);
	e.files_id = number_of(m, task, CRIMG_KST_TASK_FILES);
	e.fs_id = number_of(m, task, CRIMG_KST_TASK_FS);
	e.sighand_id = number_of(m, task, CRIMG_KST_TASK_SIGHAND);
	const struct {
		protobuf_c_boolean *has;
		uint32_t *to, at;
	} namespaces[] = {
		{ &e.has_uts_ns_id, &e.uts_ns_id, CRIMG_KST_NSPROXY_UTS },
		{ &e.has_ipc_ns_id, &e.ipc_ns_id, CRIMG_KST_NSPROXY_IPC },
		{ &e.has_mnt_ns_id, &e.mnt_ns_id, CRIMG_KST_NSPROXY_MNT },
		{ &e.has_pid_ns_id, &e.pid_ns_id, CRIMG_KST_NSPROXY_PID },
		{ &e.has_net_ns_id, &e.net_ns_id, CRIMG_KST_NSPROXY_NET },
	};
	for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
		*namespaces[i].to = number_of(m, set, namespaces[i].at);
		*namespaces[i].has = *namespaces[i].to != 0;
	}
	kstate_from(out, task);
	return model_encode(&e.base, out, err);
}

static int put_core(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                    struct crimg_err *err)
{
	size_t i = m->tasks.by_tid[object];
	return index > 0 ? 0 : kstate_put_core(m, m->tasks_list.items[i], m->leads[i], out, err);
}

// Of directories it has none: CRIU's message must name some.
static int put_fs(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                  struct crimg_err *err)
{
	FsEntry e = FS_ENTRY__INIT;
	const struct kstate_object *fs =
		kstate_ref(&m->k, task_at(m, m->tasks.processes[object].first), CRIMG_KST_TASK_FS);
	if (index > 0 || fs == NULL)
		return 0;
	e.has_umask = true;
	e.umask = kstate_u32(fs, CRIMG_KST_FS_UMASK);
	kstate_from(out, fs);
	return model_encode(&e.base, out, err);
}

// What an image tells of itself.
static void put_origin(const struct kstate_image *m, KernelOriginEntry *e, char *kernel, size_t size)
{
	const char *release = (const char *)m->k.header + CRIMG_KST_RELEASE_AT;
	bool f = m->k.posting == CRIMG_KST_F;
	snprintf(kernel, size, "Linux %.*s i386", (int)strnlen(release, CRIMG_KST_NAME_BYTES), release);
	e->format = "kstate";
	e->maker = f ? "LinuxC/R, posting of February 2009 (F)" : "LinuxC/R, posting of March 2009 (M)";
	e->kernel = kernel;
	e->has_skeleton = e->skeleton = true;
	e->has_closed = e->closed = !f;
}

// What lies in a gap means nothing: the payload has zeros there, and other bytes are told beside it.
static int take_gap(uint8_t *data, uint32_t length, uint32_t span, struct crimg_buf *pads,
                    struct crimg_err *err)
{
	pads->length = 0;
	if (crimg_all_zero(data + length, span - length))
		return 0;
	if (crimg_buf_u32(pads, length, err) < 0 || crimg_buf_u32(pads, span - length, err) < 0
	    || crimg_buf_append(pads, data + length, span - length, err) < 0)
		return -1;
	memset(data + length, 0, span - length);
	return 0;
}

static int put_bytes(struct kstate_image *m, const uint8_t *data, uint32_t length, uint32_t span,
                     KernelRecordEntry *e, struct crimg_err *err)
{
	uint8_t *copy = crimg_arena_alloc(&m->arena, span);
	if (copy == NULL)
		return crimg_fail_nomem(err, span);
	memcpy(copy, data, span);
	if (take_gap(copy, length, span, &m->pads, err) < 0)
		return -1;
	e->has_payload = true;
	e->payload = (ProtobufCBinaryData){ .len = span, .data = copy };
	e->has_pads = m->pads.length > 0;
	e->pads = (ProtobufCBinaryData){ .len = m->pads.length, .data = m->pads.data };
	return 0;
}

// The image's header is the first record; it has no type.
static int put_header(struct kstate_image *m, struct model_entry *out, struct crimg_err *err)
{
	KernelRecordEntry e = KERNEL_RECORD_ENTRY__INIT;
	KernelOriginEntry origin = KERNEL_ORIGIN_ENTRY__INIT;
	char kernel[KERNEL_TEXT_BYTES];
	put_origin(m, &origin, kernel, sizeof kernel);
	e.origin = &origin;
	out->length = CRIMG_KST_HEADER_BYTES;
	return put_bytes(m, m->k.header, CRIMG_KST_HEADER_BYTES, m->k.header_span, &e, err) < 0
		? -1
		: model_encode(&e.base, out, err);
}

static int put_record(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                      struct crimg_err *err)
{
	KernelRecordEntry e = KERNEL_RECORD_ENTRY__INIT;
	(void)object;
	crimg_arena_reset(&m->arena);
	if (index == 0)
		return put_header(m, out, err);
	if (index > m->k.count)
		return 0;
	const struct kstate_object *o = &m->k.objects[index - 1];
	const struct crimg_kst_layout *layout = &crimg_kst_layouts[o->type];
	e.type = o->found;
	if (put_bytes(m, o->data, o->length, o->span, &e, err) < 0)
		return -1;
	if (m->k.posting == CRIMG_KST_M && layout->held) {
		e.object = crimg_arena_text(&m->arena, layout->name, strlen(layout->name));
		if (e.object == NULL)
			return crimg_fail_nomem(err, strlen(layout->name));
		e.has_references = true;
		e.references = o->references;
	}
	kstate_from(out, o);
	return model_encode(&e.base, out, err);
}

// Which kind of file it is the image does not tell: flags, position and owner are those of any.
static int put_file(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                    struct crimg_err *err)
{
	FileEntry e = FILE_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FownEntry owner = FOWN_ENTRY__INIT;
	(void)object;
	if (index >= m->files.count)
		return 0;
	const struct kstate_object *o = m->files.items[index];
	e.type = FD_TYPES__REG;
	e.id = reg.id = kstate_number(&m->k, o);
	e.reg = &reg;
	reg.flags = kstate_u32(o, CRIMG_KST_FILE_FLAGS);
	reg.pos = kstate_u64(o, CRIMG_KST_FILE_POS);
	reg.fown = &owner;
	reg.name = "";
	owner.uid = kstate_u32(o, CRIMG_KST_FILE_OWNER_UID);
	owner.euid = kstate_u32(o, CRIMG_KST_FILE_OWNER_EUID);
	owner.signum = kstate_u32(o, CRIMG_KST_FILE_OWNER_SIGNAL);
	owner.pid_type = kstate_u32(o, CRIMG_KST_FILE_OWNER_TYPE);
	owner.pid = kstate_pid(m, kstate_ref(&m->k, o, CRIMG_KST_FILE_OWNER));
	kstate_from(out, o);
	return model_encode(&e.base, out, err);
}

static char *name_at(struct kstate_image *m, const struct kstate_object *o, uint32_t at)
{
	const char *text = (const char *)o->data + at;
	return crimg_arena_text(&m->arena, text, strnlen(text, CRIMG_KST_NAME_BYTES));
}

static int put_names(struct kstate_image *m, size_t object, uint64_t index, struct model_entry *out,
                     struct crimg_err *err)
{
	UtsnsEntry e = UTSNS_ENTRY__INIT;
	const struct kstate_object *o = m->names.items[object];
	if (index > 0)
		return 0;
	crimg_arena_reset(&m->arena);
	e.nodename = name_at(m, o, CRIMG_KST_UTS_NODENAME);
	e.domainname = name_at(m, o, CRIMG_KST_UTS_DOMAIN);
	if (e.nodename == NULL || e.domainname == NULL)
		return crimg_fail_nomem(err, o->length);
	kstate_from(out, o);
	return model_encode(&e.base, out, err);
}

static size_t count_processes(const struct kstate_image *m)
{
	return m->tasks.process_count;
}

static uint64_t pid_of(const struct kstate_image *m, size_t object)
{
	return (uint64_t)m->tasks.processes[object].pid;
}

static size_t count_tasks(const struct kstate_image *m)
{
	return m->tasks_list.count;
}

static uint64_t tid_of(const struct kstate_image *m, size_t object)
{
	return task_pid(m, m->tasks_list.items[m->tasks.by_tid[object]]);
}

static size_t count_names(const struct kstate_image *m)
{
	return m->names.count;
}

static uint64_t names_id(const struct kstate_image *m, size_t object)
{
	return kstate_number(&m->k, m->names.items[object]);
}

// In the order of kinds.def.
static const MODEL_STEP(struct kstate_image) steps[] = {
	{ CRIMG_KIND_INVENTORY, .entry = put_inventory },
	{ CRIMG_KIND_PSTREE, .entry = put_pstree },
	{ CRIMG_KIND_IDS, count_processes, pid_of, .entry = put_ids },
	{ CRIMG_KIND_CORE, count_tasks, tid_of, .entry = put_core },
	{ CRIMG_KIND_FS, count_processes, pid_of, .entry = put_fs },
	{ CRIMG_KIND_KERNEL_RECORDS, .entry = put_record },
	{ CRIMG_KIND_FILES, .entry = put_file },
	{ CRIMG_KIND_UTSNS, count_names, names_id, .entry = put_names },
};

MODEL_FORMAT(kstate_format, steps);
