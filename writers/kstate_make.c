// Tasks, in the order in which a kernel would have met them, and the objects they bring along.
#include "writers/kstate_make.h"

#include <inttypes.h>
#include <stdlib.h>

#include "format/files.h"
#include "writers/kstate_things.h"

#define RELEASE "made by crimg"
#define NS_KINDS 5

struct maker {
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct kstate_things things;
	uint32_t last_pid;
	size_t creds; // of the first task: images do not tell who opened a file
};

static size_t of_number(struct maker *k, enum crimg_kst_type type, uint64_t number)
{
	return kstate_thing(&k->things, type, &number, sizeof number, NULL);
}

static size_t put_pid(struct maker *k, uint32_t number)
{
	size_t thing = of_number(k, CRIMG_KST_PID, number);
	kstate_set_u32(&k->things, thing, CRIMG_KST_PID_NUMBERS, number);
	if (number > k->last_pid)
		k->last_pid = number;
	return thing;
}

static uint64_t caps_of(const uint32_t *words, size_t count)
{
	return (count > 0 ? words[0] : 0) | (count > 1 ? (uint64_t)words[1] << 32 : 0);
}

// Wherever they are the same they are one object: the bytes are the key.
static size_t put_creds(struct maker *k, const CredsEntry *e)
{
	uint64_t values[8] = { 0 };
	const struct {
		uint32_t at, value;
	} numbers[] = {
		{ CRIMG_KST_CRED_UID, e->uid },     { CRIMG_KST_CRED_GID, e->gid },
		{ CRIMG_KST_CRED_SUID, e->suid },   { CRIMG_KST_CRED_SGID, e->sgid },
		{ CRIMG_KST_CRED_EUID, e->euid },   { CRIMG_KST_CRED_EGID, e->egid },
		{ CRIMG_KST_CRED_FSUID, e->fsuid }, { CRIMG_KST_CRED_FSGID, e->fsgid },
	};
	const struct {
		uint32_t at;
		uint64_t value;
	} sets[] = {
		{ CRIMG_KST_CRED_INHERITABLE, caps_of(e->cap_inh, e->n_cap_inh) },
		{ CRIMG_KST_CRED_PERMITTED, caps_of(e->cap_prm, e->n_cap_prm) },
		{ CRIMG_KST_CRED_EFFECTIVE, caps_of(e->cap_eff, e->n_cap_eff) },
		{ CRIMG_KST_CRED_BOUNDING, caps_of(e->cap_bnd, e->n_cap_bnd) },
	};
	for (size_t i = 0; i < 8; i++)
		values[i / 2] |= (uint64_t)numbers[i].value << (i % 2 * 32);
	for (size_t i = 0; i < 4; i++)
		values[4 + i] = sets[i].value;
	size_t thing = kstate_thing(&k->things, CRIMG_KST_CRED, values, sizeof values, NULL);
	for (size_t i = 0; i < 8; i++)
		kstate_set_u32(&k->things, thing, numbers[i].at, numbers[i].value);
	for (size_t i = 0; i < 4; i++)
		kstate_set_u64(&k->things, thing, sets[i].at, sets[i].value);
	return thing;
}

static size_t put_signal(struct maker *k, const struct crimg_task *task)
{
	struct crimg_list limits = { NULL, 0 };
	size_t thing = of_number(k, CRIMG_KST_SIGNAL, task->pid);
	if (crimg_task_list(k->image, task, CRIMG_PART_RLIMITS, &limits, &k->things.err) < 0)
		return KSTATE_NOTHING;
	for (uint32_t i = 0; i < CRIMG_KST_LIMITS; i++) {
		const RlimitEntry *e = i < limits.count ? limits.items[i] : NULL;
		uint64_t soft = e != NULL && e->cur != UINT64_MAX ? e->cur : CRIMG_KST_INFINITY;
		uint64_t hard = e != NULL && e->max != UINT64_MAX ? e->max : CRIMG_KST_INFINITY;
		kstate_set_u64(&k->things, thing, CRIMG_KST_SIGNAL_LIMITS + 16 * i, soft);
		kstate_set_u64(&k->things, thing, CRIMG_KST_SIGNAL_LIMITS + 16 * i + 8, hard);
	}
	return thing;
}

static size_t put_names(struct maker *k, uint32_t id)
{
	static const char *const empty = "(none)";
	size_t thing = of_number(k, CRIMG_KST_UTS_NS, id);
	const UtsnsEntry *e = crimg_image_get(k->image, CRIMG_KIND_UTSNS, id, NULL);
	const struct {
		uint32_t at;
		const char *text;
	} names[] = {
		{ CRIMG_KST_UTS_SYSNAME, "Linux" },
		{ CRIMG_KST_UTS_NODENAME, e != NULL ? e->nodename : empty },
		{ CRIMG_KST_UTS_RELEASE, RELEASE },
		{ CRIMG_KST_UTS_MACHINE, "i686" },
		{ CRIMG_KST_UTS_DOMAIN, e != NULL ? e->domainname : empty },
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		kstate_set_text(&k->things, thing, names[i].at, names[i].text, CRIMG_KST_NAME_BYTES);
	return thing;
}

static size_t put_namespaces(struct maker *k, const struct crimg_task *task)
{
	const TaskKobjIdsEntry *ids = task->ids;
	const uint32_t key[NS_KINDS] = {
		ids != NULL ? ids->uts_ns_id : 0, ids != NULL ? ids->ipc_ns_id : 0,
		ids != NULL ? ids->mnt_ns_id : 0, ids != NULL ? ids->pid_ns_id : 0,
		ids != NULL ? ids->net_ns_id : 0,
	};
	bool fresh;
	size_t set = kstate_thing(&k->things, CRIMG_KST_NSPROXY, key, sizeof key, &fresh);
	if (!fresh)
		return set;
	kstate_set_ref(&k->things, set, CRIMG_KST_NSPROXY_UTS, put_names(k, key[0]));
	kstate_set_ref(&k->things, set, CRIMG_KST_NSPROXY_IPC, of_number(k, CRIMG_KST_IPC_NS, key[1]));
	kstate_set_ref(&k->things, set, CRIMG_KST_NSPROXY_MNT, of_number(k, CRIMG_KST_MNT_NS, key[2]));
	kstate_set_ref(&k->things, set, CRIMG_KST_NSPROXY_PID, of_number(k, CRIMG_KST_PID_NS, key[3]));
	kstate_set_ref(&k->things, set, CRIMG_KST_NSPROXY_NET, of_number(k, CRIMG_KST_NET_NS, key[4]));
	return set;
}

static void put_file(struct maker *k, const struct crimg_file *file)
{
	uint64_t id = file->id, position = 0;
	bool fresh;
	const FownEntry *owner = crimg_file_owner(file);
	size_t thing = kstate_thing(&k->things, CRIMG_KST_FILE, &id, sizeof id, &fresh);
	if (!fresh)
		return;
	(void)crimg_file_position(file, &position);
	kstate_set_u32(&k->things, thing, CRIMG_KST_FILE_FLAGS, crimg_file_flags(file));
	kstate_set_u64(&k->things, thing, CRIMG_KST_FILE_POS, position);
	kstate_set_ref(&k->things, thing, CRIMG_KST_FILE_CRED, k->creds);
	if (owner == NULL)
		return;
	kstate_set_u32(&k->things, thing, CRIMG_KST_FILE_OWNER_TYPE, owner->pid_type);
	kstate_set_u32(&k->things, thing, CRIMG_KST_FILE_OWNER_UID, owner->uid);
	kstate_set_u32(&k->things, thing, CRIMG_KST_FILE_OWNER_EUID, owner->euid);
	kstate_set_u32(&k->things, thing, CRIMG_KST_FILE_OWNER_SIGNAL, owner->signum);
	if (owner->pid != 0)
		kstate_set_ref(&k->things, thing, CRIMG_KST_FILE_OWNER, put_pid(k, owner->pid));
}

// Descriptor tables do not tell what they hold: the files they do are there all the same.
static size_t put_table(struct maker *k, const struct crimg_task *task)
{
	struct crimg_list fds = { NULL, 0 };
	uint64_t id = task->ids != NULL ? task->ids->files_id : UINT64_MAX - task->pid;
	bool fresh;
	size_t thing = kstate_thing(&k->things, CRIMG_KST_FILES, &id, sizeof id, &fresh);
	if (!fresh || crimg_task_list(k->image, task, CRIMG_PART_FDS, &fds, &k->things.err) < 0)
		return thing;
	for (size_t i = 0; i < fds.count; i++) {
		const FdinfoEntry *fd = fds.items[i];
		const struct crimg_file *file = crimg_files_find(&k->files, fd->id);
		if (file != NULL && file->message != NULL)
			put_file(k, file);
	}
	return thing;
}

static size_t put_fs(struct maker *k, const struct crimg_task *task)
{
	size_t thing = of_number(k, CRIMG_KST_FS, task->ids != NULL ? task->ids->fs_id : UINT64_MAX - task->pid);
	uint32_t umask = task->fs != NULL && task->fs->has_umask ? task->fs->umask : 022;
	kstate_set_u32(&k->things, thing, CRIMG_KST_FS_UMASK, umask);
	return thing;
}

static int check_thread(const struct crimg_thread *thread, const CredsEntry *creds, struct crimg_err *err)
{
	if (thread->core == NULL || creds == NULL)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "thread %" PRIu32 " has no %s in the image, and a LinuxC/R image has no task "
		                  "without", thread->tid, thread->core == NULL ? "core" : "credentials");
	if (creds->secbits != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "thread %" PRIu32 " has securebits 0x%" PRIx32 ": a kernel that writes LinuxC/R "
		                  "images refuses such tasks", thread->tid, creds->secbits);
	return 0;
}

static int put_thread(struct maker *k, const struct crimg_task *task, const struct crimg_thread *thread,
                      struct crimg_err *err)
{
	const TaskKobjIdsEntry *ids = task->ids;
	const CredsEntry *creds = crimg_thread_creds(k->image, task, thread, &k->things.err);
	uint64_t own = UINT64_MAX - task->pid; // no number of an object
	if (check_thread(thread, creds, err) < 0)
		return -1;
	size_t cred = put_creds(k, creds);
	if (k->creds == KSTATE_NOTHING)
		k->creds = cred;
	size_t thing = of_number(k, CRIMG_KST_TASK, thread->tid);
	kstate_set_text(&k->things, thing, CRIMG_KST_TASK_COMM, crimg_thread_comm(task, thread),
	                CRIMG_KST_COMM_BYTES - 1);
	const struct {
		uint32_t at;
		size_t to;
	} refs[] = {
		{ CRIMG_KST_TASK_REAL_CRED, cred },
		{ CRIMG_KST_TASK_EFFECTIVE_CRED, cred },
		{ CRIMG_KST_TASK_MM, of_number(k, CRIMG_KST_MM, ids != NULL ? ids->vm_id : own) },
		{ CRIMG_KST_TASK_PID, put_pid(k, thread->tid) },
		{ CRIMG_KST_TASK_GROUP, put_pid(k, task->pgid) },
		{ CRIMG_KST_TASK_SESSION, put_pid(k, task->sid) },
		{ CRIMG_KST_TASK_FS, put_fs(k, task) },
		{ CRIMG_KST_TASK_FILES, put_table(k, task) },
		{ CRIMG_KST_TASK_NSPROXY, put_namespaces(k, task) },
		{ CRIMG_KST_TASK_SIGNAL, put_signal(k, task) },
		{ CRIMG_KST_TASK_SIGHAND, of_number(k, CRIMG_KST_SIGHAND, ids != NULL ? ids->sighand_id : own) },
	};
	for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++)
		kstate_set_ref(&k->things, thing, refs[i].at, refs[i].to);
	return 0;
}

// The root first; then, of each task, its other threads, then its children: the list is walked while it grows.
static int order_tasks(const struct maker *k, size_t **out, size_t *count, struct crimg_err *err)
{
	size_t n = k->tasks.count, *order = calloc(n + 1, sizeof *order);
	size_t *first = calloc(n + 1, sizeof *first), *next = calloc(n + 1, sizeof *next);
	bool denied = order == NULL || first == NULL || next == NULL;
	*count = 0;
	// first[i]: the first child of task i - 1, of none for 0; next: the one behind it. As index + 1.
	for (size_t i = n; !denied && i > 0; i--) {
		size_t parent = k->tasks.list[i - 1].parent == CRIMG_NO_TASK ? 0 : k->tasks.list[i - 1].parent + 1;
		next[i] = first[parent];
		first[parent] = i;
	}
	for (size_t i = denied ? 0 : first[0]; i != 0; i = next[i])
		order[(*count)++] = i - 1;
	for (size_t at = 0; !denied && at < *count; at++)
		for (size_t i = first[order[at] + 1]; i != 0; i = next[i])
			order[(*count)++] = i - 1;
	free(first);
	free(next);
	if (denied) {
		free(order);
		return crimg_fail_nomem(err, n * sizeof *order);
	}
	*out = order;
	return 0;
}

static int put_tasks(struct maker *k, struct crimg_err *err)
{
	size_t *order = NULL, count, put = 0;
	if (order_tasks(k, &order, &count, err) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct crimg_task *task = &k->tasks.list[order[i]];
		for (size_t t = 0; t < task->thread_count && rc == 0; t++, put++)
			rc = put_thread(k, task, &task->threads[t], err);
	}
	free(order);
	if (rc == 0 && put == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "no living process is in the image, and a LinuxC/R image begins with one");
	return rc;
}

static void finish_namespaces(struct maker *k)
{
	for (size_t i = 0; i < k->things.count; i++)
		if (k->things.list[i].type == CRIMG_KST_PID_NS)
			kstate_set_u32(&k->things, i, CRIMG_KST_PID_NS_LAST, k->last_pid);
}

int kstate_make(struct crimg_image *image, enum crimg_kst_posting posting, struct crimg_ledger *ledger,
                struct crimg_buf *out, struct crimg_err *err)
{
	struct maker k = { .image = image, .things = kstate_things_make(), .creds = KSTATE_NOTHING };
	int rc = crimg_tasks_load(image, &k.tasks, err) < 0 || crimg_files_load(image, &k.files, err) < 0
				|| put_tasks(&k, err) < 0
			? -1
			: 0;
	if (rc == 0) {
		finish_namespaces(&k);
		rc = kstate_lay(&k.things, posting, RELEASE, out, err);
	}
	if (rc == 0 && ledger != NULL)
		rc = kstate_losses(image, posting, ledger, err);
	crimg_files_fini(&k.files);
	crimg_tasks_fini(&k.tasks);
	kstate_things_fini(&k.things);
	return rc;
}
