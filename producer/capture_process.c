// What a process is beyond its threads: signals, timers, limits, names, and what it alone knows of its
// memory.
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "producer/capture.h"
#include "producer/proc.h"

#define LIMIT_NAME_WIDTH 26         // in /proc/PID/limits
#define GET_REGISTRATIONS (1u << 9) // MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3

enum { ALIVE = 1, DEAD = 2, STOPPED = 3 }; // task_state

static const char *parse_limit(const char *p, uint64_t *out)
{
	char *end;
	p += strspn(p, " ");
	if (strncmp(p, "unlimited", 9) == 0) {
		*out = UINT64_MAX;
		return p + 9;
	}
	*out = strtoull(p, &end, 10);
	return end;
}

// One line a limit, in the order of their numbers, below a line of headings.
static int read_limits(struct crimg_capture *c, pid_t pid, TaskCoreEntry *tc, struct crimg_err *err)
{
	const char *p = crimg_capture_text(c, pid, "limits", err);
	TaskRlimitsEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	RlimitEntry *entries = crimg_capture_alloc(c, RLIM_NLIMITS * sizeof *entries, err);
	RlimitEntry **list = crimg_capture_alloc(c, RLIM_NLIMITS * sizeof *list, err);
	if (p == NULL || e == NULL || entries == NULL || list == NULL)
		return -1;
	task_rlimits_entry__init(e);
	e->rlimits = list;
	for (size_t i = 0; i < RLIM_NLIMITS; i++) {
		p = strchr(p, '\n');
		if (p == NULL || strnlen(p + 1, LIMIT_NAME_WIDTH) < LIMIT_NAME_WIDTH)
			return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
					  "process %d: %zu resource limits found, %d wanted", (int)pid, i,
					  RLIM_NLIMITS);
		rlimit_entry__init(&entries[i]);
		p = parse_limit(parse_limit(p + 1 + LIMIT_NAME_WIDTH, &entries[i].cur),
				&entries[i].max);
		e->rlimits[e->n_rlimits++] = &entries[i];
	}
	tc->rlimits = e;
	return 0;
}

// What /proc tells with a file each. Files that this kernel lacks tell nothing.
static int read_numbers(struct crimg_capture *c, pid_t pid, TaskCoreEntry *tc, struct crimg_err *err)
{
	struct crimg_err missing = CRIMG_ERR_INIT;
	const char *text = crimg_capture_text(c, pid, "stat", err);
	if (text == NULL)
		return -1;
	tc->flags = (uint32_t)crimg_stat_number(text, 9);
	text = crimg_capture_text(c, pid, "personality", err);
	if (text == NULL)
		return -1;
	tc->personality = (uint32_t)strtoul(text, NULL, 16);
	text = crimg_capture_text(c, pid, "oom_score_adj", err);
	if (text == NULL)
		return -1;
	tc->has_oom_score_adj = true;
	tc->oom_score_adj = atoi(text);
	text = crimg_capture_text(c, pid, "loginuid", &missing);
	tc->has_loginuid = text != NULL;
	tc->loginuid = text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;
	return 0;
}

static int ask_process(struct crimg_remote *r, TaskCoreEntry *tc, struct crimg_err *err)
{
	int subreaper;
	int64_t barriers;
	const uint64_t args[6] = {GET_REGISTRATIONS};
	if (crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_CHILD_SUBREAPER, r->data, 0, 0, NULL, err)
		    < 0
	    || crimg_proc_get(r->tid, r->data, &subreaper, sizeof subreaper, err) < 0
	    || crimg_remote_call(r, SYS_membarrier, args, &barriers, err) < 0)
		return -1;
	tc->has_child_subreaper = true;
	tc->child_subreaper = subreaper != 0;
	tc->has_membarrier_registration_mask = barriers > 0;
	tc->membarrier_registration_mask = barriers > 0 ? (uint32_t)barriers : 0;
	return 0;
}

// The end of the heap, and flags of the whole memory.
static int ask_memory(struct crimg_remote *r, MmEntry *mm, struct crimg_err *err)
{
	int64_t brk, dumpable, no_huge_pages;
	if (crimg_capture_call(r, "brk", SYS_brk, 0, 0, 0, 0, &brk, err) < 0
	    || crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, &dumpable, err) < 0
	    || crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, &no_huge_pages,
				  err) < 0)
		return -1;
	mm->mm_brk = (uint64_t)brk;
	mm->has_dumpable = true;
	mm->dumpable = (int32_t)dumpable;
	mm->has_thp_disabled = true;
	mm->thp_disabled = no_huge_pages != 0;
	return 0;
}

int crimg_capture_process(struct crimg_capture *c, struct crimg_remote *r,
			  const struct crimg_live_task *t, CoreEntry *core, struct crimg_err *err)
{
	TaskCoreEntry *tc = crimg_capture_alloc(c, sizeof *tc, err);
	if (tc == NULL)
		return -1;
	task_core_entry__init(tc);
	tc->task_state = t->state == CRIMG_LIVE_STOPPED ? STOPPED : ALIVE;
	tc->has_stop_signo = t->state == CRIMG_LIVE_STOPPED;
	tc->stop_signo = (uint32_t)t->stop_signal;
	tc->blk_sigset = r->mask;
	tc->comm = core->thread_core->comm;
	core->tc = tc;
	if (read_numbers(c, t->pid, tc, err) < 0 || read_limits(c, t->pid, tc, err) < 0
	    || crimg_capture_timers(c, r, tc, err) < 0
	    || crimg_capture_queue(c, t->pid, true, &tc->signals_s, err) < 0
	    || crimg_capture_actions(c, r, tc, err) < 0)
		return -1;
	return ask_process(r, tc, err) < 0 ? -1 : ask_memory(r, c->mm, err);
}

static int put_zombie(struct crimg_capture *c, const struct crimg_live_task *t, struct crimg_err *err)
{
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	const char *text = crimg_capture_text(c, t->pid, "stat", err);
	char name[16] = "";
	if (text == NULL)
		return -1;
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (open != NULL && close != NULL && close > open)
		snprintf(name, sizeof name, "%.*s", (int)(close - open - 1), open + 1);
	tc.comm = name;
	tc.task_state = DEAD;
	tc.exit_code = t->exit_code;
	tc.flags = (uint32_t)crimg_stat_number(text, 9);
	core.mtype = CORE_ENTRY__MARCH__X86_64;
	core.tc = &tc;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_CORE, (uint64_t)t->pid, &core.base, err);
}

static int put_thread(struct crimg_capture *c, struct crimg_remote *r, const struct crimg_live_task *t,
		      struct crimg_err *err)
{
	CoreEntry core = CORE_ENTRY__INIT;
	core.mtype = CORE_ENTRY__MARCH__X86_64;
	if (crimg_capture_thread(c, r, &core, t->pid, err) < 0)
		return -1;
	if (r->tid == t->pid
	    && (crimg_capture_process(c, r, t, &core, err) < 0 || crimg_capture_process_extras(c, r, t, err) < 0))
		return -1;
	if (crimg_capture_thread_extras(c, r, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_CORE, (uint64_t)r->tid, &core.base, err);
}

int crimg_capture_cores(struct crimg_capture *c, const struct crimg_live_task *t,
			struct crimg_err *err)
{
	if (t->state == CRIMG_LIVE_ZOMBIE)
		return put_zombie(c, t, err);
	if (crimg_remote_find_gate(t->pid, &c->gate, &c->gate, err) < 0)
		return -1;
	for (size_t i = 0; i < t->count; i++) {
		struct crimg_remote r;
		if (crimg_capture_refuse_dispatch(t->threads[i].tid, err) < 0
		    || crimg_remote_begin_at(&r, t->threads[i].tid, c->gate, t->threads[i].wait.number, 0,
					     err) < 0)
			return -1;
		int rc = put_thread(c, &r, t, err);
		if (rc == 0)
			rc = crimg_capture_wait(c, &r, &t->threads[i].wait, err);
		if (crimg_remote_end(&r, err) < 0)
			rc = -1;
		if (r.signal != 0) // it was taken off its queue, and must come all the same
			kill(t->pid, r.signal);
		if (rc < 0)
			return -1;
	}
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_MM, (uint64_t)t->pid, &c->mm->base, err);
}
