// What of an image a kernel stream has no place for.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "writers/kstream.h"

#define NO_USER UINT32_MAX

void kstream_lose(struct kstream *k, const char *object, const char *field, const char *format, ...)
{
	char what[512];
	va_list list;
	if (k->ledger == NULL || kstream_failed(&k->out))
		return;
	va_start(list, format);
	vsnprintf(what, sizeof what, format, list);
	va_end(list);
	(void)(crimg_ledger_add(k->ledger, object, field, what, &k->out.err) < 0);
}

void kstream_note_of(struct kstream *k, enum crimg_kind kind, uint64_t id, const char *field,
                     const char *what)
{
	char object[CRIMG_FILE_NAME_MAX];
	crimg_kind_file(kind, id, object);
	if (k->ledger != NULL && !kstream_failed(&k->out))
		(void)(crimg_ledger_note(k->ledger, object, field, what, &k->out.err) < 0);
}

void kstream_lose_of(struct kstream *k, enum crimg_kind kind, uint64_t id, const char *field,
                     const char *what)
{
	char object[CRIMG_FILE_NAME_MAX];
	crimg_kind_file(kind, id, object);
	kstream_lose(k, object, field, "%s", what);
}

// note: a kernel stream never held it, and its tasks lived without.
static const struct {
	enum crimg_kind kind;
	bool note;
	const char *what;
} kinds[] = {
	{ CRIMG_KIND_STATS_DUMP, true, "statistics of the dump" },
	{ CRIMG_KIND_STATS_RESTORE, true, "statistics of the restore" },
	{ CRIMG_KIND_CPUINFO, true, "features of the processor" },
	{ CRIMG_KIND_CGROUP, true, "control groups" },
	{ CRIMG_KIND_CORE, true, "the kernel's own flags of a task, but for two" },
	{ CRIMG_KIND_IDS, true, "which namespaces of pids, mounts, networks, users, groups and times tasks are in" },
	{ CRIMG_KIND_FILES, true, "sizes, modes and build ids of files, by which CRIU knows them; capacities of pipes" },
	{ CRIMG_KIND_TIMENS, true, "how the clocks of its time namespace stood" },
	{ CRIMG_KIND_OPAQUE, true, "files that are no part of the image" },
	{ CRIMG_KIND_ELF_NOTES, true, "notes of the ELF core that this was" },
	{ CRIMG_KIND_SECCOMP, false, "filters of system calls" },
	{ CRIMG_KIND_APPARMOR, false, "profiles" },
	{ CRIMG_KIND_FILE_LOCKS, false, "locks of files" },
	{ CRIMG_KIND_TTY_DATA, false, "what terminals hold" },
	{ CRIMG_KIND_USERNS, false, "user namespaces" },
	{ CRIMG_KIND_MNTS, false, "mount namespaces" },
	{ CRIMG_KIND_NETDEV, false, "network devices" },
	{ CRIMG_KIND_NETNS, false, "network namespaces" },
	{ CRIMG_KIND_BINFMT_MISC, false, "binary formats" },
	{ CRIMG_KIND_BINFMT_MISC_0, false, "binary formats" },
	{ CRIMG_KIND_AUTOFS, false, "automatic mounts" },
	{ CRIMG_KIND_BPFMAP_DATA, false, "BPF maps" },
	{ CRIMG_KIND_GHOST_FILE, false, "contents of deleted files" },
	{ CRIMG_KIND_IFADDR, false, "network addresses" },
	{ CRIMG_KIND_ROUTE, false, "routes" },
	{ CRIMG_KIND_ROUTE6, false, "routes" },
	{ CRIMG_KIND_RULE, false, "rules of routing" },
	{ CRIMG_KIND_IPTABLES, false, "rules of the packet filter" },
	{ CRIMG_KIND_IP6TABLES, false, "rules of the packet filter" },
	{ CRIMG_KIND_NFTABLES, false, "rules of the packet filter" },
	{ CRIMG_KIND_NETNS_CT, false, "tracked connections" },
	{ CRIMG_KIND_NETNS_EXP, false, "expected connections" },
	{ CRIMG_KIND_TMPFS, false, "contents of file systems in memory" },
	{ CRIMG_KIND_TMPFS_DEV, false, "contents of file systems in memory" },
};

static bool has_kind(struct crimg_image *image, enum crimg_kind kind)
{
	const struct crimg_image_object *o = crimg_image_first(image, kind);
	const SeccompEntry *seccomp = kind == CRIMG_KIND_SECCOMP ? crimg_image_get(image, kind, 0, NULL) : NULL;
	if (seccomp != NULL)
		return seccomp->n_seccomp_filters > 0;
	return o != NULL && (o->count > 0 || o->payload.number != CRIMG_NO_PAYLOAD);
}

void kstream_lose_kinds(struct kstream *k)
{
	char object[CRIMG_FILE_NAME_MAX], what[128];
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (k->ledger == NULL || kstream_failed(&k->out) || !has_kind(k->image, kinds[i].kind))
			continue;
		snprintf(object, sizeof object, "%s", crimg_kind_info(kinds[i].kind)->file);
		if (strchr(object, '%') != NULL)
			*strchr(object, '%') = '*';
		snprintf(what, sizeof what, "left out: %s", kinds[i].what);
		int rc = kinds[i].note ? crimg_ledger_note(k->ledger, object, "", what, &k->out.err)
		                       : crimg_ledger_add(k->ledger, object, "", what, &k->out.err);
		(void)rc;
	}
}

static bool any(const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] != 0)
			return true;
	return false;
}

// A field of the core, and whether it says what a kernel stream has no place for.
struct loss {
	bool lost;
	const char *field, *what;
};

static void lose_fields(struct kstream *k, uint32_t tid, const struct loss *losses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (losses[i].lost)
			kstream_lose_of(k, CRIMG_KIND_CORE, tid, losses[i].field, losses[i].what);
}

void kstream_lose_task(struct kstream *k, const struct crimg_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;
	const MmEntry *mm = task->mm;
	struct crimg_list timers = { .count = 0 };
	if (tc == NULL || kstream_failed(&k->out)
	    || crimg_task_list(k->image, task, CRIMG_PART_POSIX_TIMERS, &timers, &k->out.err) < 0)
		return;
	const struct loss losses[] = {
		{ tc->personality != 0, "tc.personality", "no place: it becomes the usual one" },
		{ tc->has_oom_score_adj && tc->oom_score_adj != 0, "tc.oom_score_adj", "no place" },
		{ tc->has_child_subreaper && tc->child_subreaper, "tc.child_subreaper", "no place" },
		{ timers.count > 0, "tc.timers.posix", "no place: POSIX timers are gone" },
		{ tc->has_membarrier_registration_mask && tc->membarrier_registration_mask != 0,
		  "tc.membarrier_registration_mask", "no place" },
		{ mm != NULL && mm->n_aios > 0, "aios", "no place: contexts of asynchronous input and output are gone" },
		{ mm != NULL && mm->has_thp_disabled && mm->thp_disabled, "thp_disabled", "no place" },
	};
	lose_fields(k, task->pid, losses, sizeof losses / sizeof losses[0]);
	if (tc->has_loginuid && tc->loginuid != NO_USER)
		kstream_note_of(k, CRIMG_KIND_CORE, task->pid, "tc.loginuid", "left out: who logged in");
}

void kstream_lose_thread(struct kstream *k, const struct crimg_thread *thread)
{
	const ThreadCoreEntry *tc = thread->core->thread_core;
	if (tc == NULL)
		return;
	const CredsEntry *creds = tc->creds;
	bool scheduled = (tc->has_sched_nice && tc->sched_nice != 0)
		|| (tc->has_sched_policy && tc->sched_policy != 0)
		|| (tc->has_sched_prio && tc->sched_prio != 0);
	const struct loss losses[] = {
		{ scheduled, "thread_core.sched_policy", "no place: it is scheduled as usual" },
		{ tc->has_seccomp_mode && tc->seccomp_mode != 0, "thread_core.seccomp_mode",
		  "no place: its system calls are not filtered" },
		{ tc->rseq_entry != NULL && tc->rseq_entry->rseq_abi_pointer != 0, "thread_core.rseq_entry",
		  "these kernels have no restartable sequences" },
		{ creds != NULL && creds->lsm_profile != NULL && creds->lsm_profile[0] != '\0',
		  "thread_core.creds.lsm_profile", "no security module in the stream" },
		{ creds != NULL && creds->has_no_new_privs && creds->no_new_privs != 0,
		  "thread_core.creds.no_new_privs", "no place" },
		{ creds != NULL && any(creds->cap_amb, creds->n_cap_amb), "thread_core.creds.cap_amb", "no place" },
	};
	lose_fields(k, thread->tid, losses, sizeof losses / sizeof losses[0]);
}
