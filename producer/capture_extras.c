// What threads and processes have that CRIU's messages have no place for: where and how they may run, how
// precisely timers wake them, what the CPU may do for them, names of memory.
#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/capture.h"
#include "producer/extras.h"
#include "producer/proc.h"

#define CPU_WORDS 1024u  // as many CPUs as any kernel has
#define NODE_WORDS 16u   // the same of nodes of memory
#define SLOT_BYTES 8u    // of r->data, for what a call writes

// prctl() with an answer, or -1 where this kernel, or this CPU, has no such thing.
static int ask(struct crimg_remote *r, long nr, uint64_t a, uint64_t b, int64_t *value,
	       struct crimg_err *err)
{
	const uint64_t args[6] = {a, b};
	return crimg_remote_call(r, nr, args, value, err);
}

static size_t words_used(const uint64_t *words, size_t count)
{
	while (count > 0 && words[count - 1] == 0)
		count--;
	return count;
}

static int keep_words(struct crimg_capture *c, const uint64_t *words, size_t count, uint64_t **out,
		      size_t *out_count, struct crimg_err *err)
{
	count = words_used(words, count);
	*out = crimg_capture_alloc(c, (count + 1) * sizeof **out, err);
	if (*out == NULL)
		return -1;
	memcpy(*out, words, count * sizeof **out);
	*out_count = count;
	return 0;
}

// Whoever may run on all CPUs that are there may do so on any others.
static int read_cpus(struct crimg_capture *c, pid_t tid, ThreadExtraEntry *e, struct crimg_err *err)
{
	uint64_t words[CPU_WORDS] = {0};
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int count = 0;
	if (syscall(SYS_sched_getaffinity, tid, sizeof words, words) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: its CPUs cannot be asked for", (int)tid);
	for (size_t i = 0; i < CPU_WORDS; i++)
		count += __builtin_popcountll(words[i]);
	e->has_any_cpu = e->any_cpu = count >= online;
	return e->any_cpu ? 0 : keep_words(c, words, CPU_WORDS, &e->cpus, &e->n_cpus, err);
}

// Of SCHED_DEADLINE, its times; of others, a slice that is not as long as ours.
static int read_scheduling(pid_t tid, ThreadExtraEntry *e, struct crimg_err *err)
{
	struct crimg_sched_attr a = {.size = sizeof a}, own = a;
	if (syscall(SYS_sched_getattr, tid, &a, sizeof a, 0) < 0
	    || syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) < 0)
		return crimg_fail_sys(err, errno, NULL, "task %d: its scheduling cannot be read", (int)tid);
	bool deadline = a.policy == CRIMG_SCHED_DEADLINE;
	e->has_sched_flags = deadline && (a.flags & CRIMG_SCHED_FLAGS_KEPT) != 0;
	e->sched_flags = a.flags & CRIMG_SCHED_FLAGS_KEPT;
	e->has_sched_runtime_ns = a.runtime_ns != 0 && (deadline || a.runtime_ns != own.runtime_ns);
	e->sched_runtime_ns = a.runtime_ns;
	e->has_sched_deadline_ns = e->has_sched_period_ns = deadline;
	e->sched_deadline_ns = a.deadline_ns;
	e->sched_period_ns = a.period_ns;
	e->has_util_min = e->has_util_max = a.util_min != 0 || (a.util_max != 0 && a.util_max != 1024);
	e->util_min = a.util_min;
	e->util_max = a.util_max;
	return 0;
}

static void read_io_priority(pid_t tid, ThreadExtraEntry *e)
{
	long value = syscall(SYS_ioprio_get, CRIMG_IOPRIO_WHO_PROCESS, tid);
	e->has_io_priority = value >= 0 && value >> CRIMG_IOPRIO_CLASS_SHIFT != 0;
	e->io_priority = (uint32_t)value;
}

// What the CPU may do for it. Only what a program can choose is told.
static int read_cpu_control(struct crimg_remote *r, ThreadExtraEntry *e, struct crimg_err *err)
{
	protobuf_c_boolean *const has[] = {&e->has_store_bypass, &e->has_indirect_branch,
					   &e->has_l1d_flush};
	uint32_t *const to[] = {&e->store_bypass, &e->indirect_branch, &e->l1d_flush};
	int64_t value;
	int tsc = PR_TSC_ENABLE;
	for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
		if (ask(r, SYS_prctl, PR_GET_SPECULATION_CTRL, i, &value, err) < 0)
			return -1;
		uint32_t mode = value > 0 ? (uint32_t)value : 0;
		*to[i] = mode & ~(uint32_t)PR_SPEC_PRCTL;
		*has[i] = (mode & PR_SPEC_PRCTL) != 0
			  && *to[i] != (i == PR_SPEC_L1D_FLUSH ? PR_SPEC_DISABLE : PR_SPEC_ENABLE);
	}
	if (ask(r, SYS_prctl, PR_GET_TSC, r->data, &value, err) < 0
	    || (value == 0 && crimg_proc_get(r->tid, r->data, &tsc, sizeof tsc, err) < 0))
		return -1;
	e->has_tsc_denied = e->tsc_denied = value == 0 && tsc == PR_TSC_SIGSEGV;
	if (ask(r, SYS_arch_prctl, CRIMG_ARCH_GET_CPUID, 0, &value, err) < 0)
		return -1;
	e->has_cpuid_denied = e->cpuid_denied = value == 0;
	return 0;
}

static int read_chosen(struct crimg_remote *r, ThreadExtraEntry *e, struct crimg_err *err)
{
	int64_t slack, failure, flusher;
	if (ask(r, SYS_prctl, PR_GET_TIMERSLACK, 0, &slack, err) < 0
	    || ask(r, SYS_prctl, PR_MCE_KILL_GET, 0, &failure, err) < 0
	    || ask(r, SYS_prctl, PR_GET_IO_FLUSHER, 0, &flusher, err) < 0)
		return -1;
	e->has_timer_slack_ns = slack > 0; // who runs in real time has none
	e->timer_slack_ns = (uint64_t)slack;
	e->has_memory_failure = failure == PR_MCE_KILL_LATE || failure == PR_MCE_KILL_EARLY;
	e->memory_failure = (uint32_t)failure;
	e->has_io_flusher = e->io_flusher = flusher == 1;
	return 0;
}

static int read_memory_policy(struct crimg_capture *c, struct crimg_remote *r, ThreadExtraEntry *e,
			      struct crimg_err *err)
{
	const uint64_t args[6] = {r->data, r->data + SLOT_BYTES, NODE_WORDS * 64 + 1};
	uint64_t nodes[NODE_WORDS];
	int64_t value;
	int mode;
	if (crimg_remote_call(r, SYS_get_mempolicy, args, &value, err) < 0)
		return -1;
	if (value != 0)
		return 0; // a kernel without NUMA
	if (crimg_proc_get(r->tid, r->data, &mode, sizeof mode, err) < 0
	    || crimg_proc_get(r->tid, r->data + SLOT_BYTES, nodes, sizeof nodes, err) < 0)
		return -1;
	if (mode == MPOL_DEFAULT)
		return 0;
	e->has_memory_policy = true;
	e->memory_policy = (uint32_t)mode;
	return keep_words(c, nodes, NODE_WORDS, &e->memory_nodes, &e->n_memory_nodes, err);
}

int crimg_capture_thread_extras(struct crimg_capture *c, struct crimg_remote *r, struct crimg_err *err)
{
	ThreadExtraEntry e = THREAD_EXTRA_ENTRY__INIT;
	e.tid = (uint32_t)r->tid;
	read_io_priority(r->tid, &e);
	if (read_cpus(c, r->tid, &e, err) < 0 || read_scheduling(r->tid, &e, err) < 0
	    || read_chosen(r, &e, err) < 0 || read_cpu_control(r, &e, err) < 0
	    || read_memory_policy(c, r, &e, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_THREAD_EXTRAS, 0, &e.base, err);
}

int crimg_capture_refuse_dispatch(pid_t tid, struct crimg_err *err)
{
	struct {
		uint64_t mode, selector, start, length;
	} config = {0};
	if (ptrace((enum __ptrace_request)CRIMG_PTRACE_GET_DISPATCH, tid, (void *)sizeof config, &config) < 0
	    || config.mode == 0)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "task %d gets its system calls as signals (PR_SET_SYSCALL_USER_DISPATCH)", (int)tid);
}

// Whoever leads a session may have made all of it nicer.
static void read_autogroup(struct crimg_capture *c, const struct crimg_live_task *t, ProcessExtraEntry *e)
{
	struct crimg_err missing = CRIMG_ERR_INIT;
	const char *text = t->sid == t->pid ? crimg_capture_text(c, t->pid, "autogroup", &missing) : NULL;
	const char *nice = text != NULL ? strstr(text, " nice ") : NULL;
	e->autogroup_nice = nice != NULL ? atoi(nice + 6) : 0;
	e->has_autogroup_nice = e->autogroup_nice != 0;
}

int crimg_capture_process_extras(struct crimg_capture *c, struct crimg_remote *r,
				 const struct crimg_live_task *t, struct crimg_err *err)
{
	ProcessExtraEntry e = PROCESS_EXTRA_ENTRY__INIT;
	struct crimg_err missing = CRIMG_ERR_INIT;
	int64_t no_write_exec, merge, huge_pages;
	e.pid = (uint32_t)t->pid;
	const char *text = crimg_capture_text(c, t->pid, "coredump_filter", &missing);
	e.has_coredump_filter = text != NULL && text[0] != '\0';
	e.coredump_filter = e.has_coredump_filter ? (uint32_t)strtoul(text, NULL, 16) : 0;
	read_autogroup(c, t, &e);
	if (ask(r, SYS_prctl, CRIMG_PR_GET_MDWE, 0, &no_write_exec, err) < 0
	    || ask(r, SYS_prctl, CRIMG_PR_GET_MEMORY_MERGE, 0, &merge, err) < 0
	    || ask(r, SYS_prctl, PR_GET_THP_DISABLE, 0, &huge_pages, err) < 0)
		return -1;
	e.has_no_write_exec = no_write_exec > 0;
	e.no_write_exec = (uint32_t)no_write_exec;
	e.has_merge_pages = e.merge_pages = merge == 1;
	e.has_huge_pages = huge_pages > 1;
	e.huge_pages = (uint32_t)huge_pages & ~1u;
	e.names = c->names;
	e.n_names = c->name_count;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_PROCESS_EXTRAS, 0, &e.base, err);
}
