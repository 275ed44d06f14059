// Stops that wait, and taking them back.
#include "producer/parking.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/connections_guard.h"
#include "producer/proc.h"
#include "producer/remote.h"

#define BIT(signal) (UINT64_C(1) << ((signal) - 1))

// Whether somebody has stopped it, or let it go on, since it stands: that comes to it, and nothing of ours.
static int is_meddled_with(const struct crimg_live_task *t, bool *out, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	int rc = 0;
	*out = false;
	for (size_t i = 0; rc == 0 && i < t->count; i++) {
		char name[48];
		snprintf(name, sizeof name, "task/%d/status", (int)t->threads[i].tid);
		rc = crimg_proc_read(t->pid, name, &text, err);
		const char *own = rc < 0 ? NULL : crimg_proc_field((const char *)text.data, "SigPnd");
		const char *all = rc < 0 ? NULL : crimg_proc_field((const char *)text.data, "ShdPnd");
		uint64_t pending = (own != NULL ? strtoull(own, NULL, 16) : 0)
				   | (all != NULL ? strtoull(all, NULL, 16) : 0);
		*out = *out || (pending & (BIT(SIGSTOP) | BIT(SIGCONT))) != 0;
	}
	crimg_buf_fini(&text);
	return rc;
}

static int park(struct crimg_parking *p, const struct crimg_live_task *t, struct crimg_err *err)
{
	bool meddled;
	if (t->state != CRIMG_LIVE_RUNS || t->count == 0)
		return 0;
	if (is_meddled_with(t, &meddled, err) < 0)
		return -1;
	if (meddled)
		return 0;
	if (crimg_connections_guard_park(p->guard, t->pid, err) < 0)
		return -1;
	p->list[p->count++] = t->pid;
	for (size_t i = 0; i < t->count; i++)
		(void)syscall(SYS_tgkill, t->pid, t->threads[i].tid, SIGSTOP);
	return 0;
}

int crimg_parking_begin(struct crimg_parking *p, const struct crimg_tree *tree, int guard, struct crimg_err *err)
{
	*p = (struct crimg_parking){.list = calloc(tree->count + 1, sizeof *p->list), .guard = guard};
	if (p->list == NULL)
		return crimg_fail_nomem(err, (tree->count + 1) * sizeof *p->list);
	for (size_t i = 0; i < tree->count; i++)
		if (park(p, &tree->tasks[i], err) < 0)
			return -1;
	return 0;
}

// SIGCONT takes back all that waits of SIGSTOP, and waits itself then, until the task fetches it without noticing.
static int unpark(pid_t pid, struct crimg_err *err)
{
	const uint64_t words[3] = {BIT(SIGCONT), 0, 0}; // a set, and a time: not to wait
	struct crimg_remote r;
	int64_t result;
	kill(pid, SIGCONT);
	if (crimg_remote_begin(&r, pid, err) < 0)
		return -1;
	const uint64_t args[6] = {r.data, 0, r.data + sizeof words[0], sizeof words[0]};
	int rc = crimg_proc_put(pid, r.data, words, sizeof words, err);
	if (rc == 0)
		rc = crimg_remote_call(&r, SYS_rt_sigtimedwait, args, &result, err);
	if (crimg_remote_end(&r, err) < 0)
		rc = -1;
	if (r.signal != 0) // it was taken off its queue, and must come all the same
		kill(pid, r.signal);
	return rc;
}

int crimg_parking_end(struct crimg_parking *p, struct crimg_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < p->count; i++)
		if (unpark(p->list[i], err) < 0)
			rc = -1;
	crimg_connections_guard_unpark(p->guard);
	free(p->list);
	*p = (struct crimg_parking){.list = NULL};
	return rc;
}
