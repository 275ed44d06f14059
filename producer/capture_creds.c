// Who a thread is: /proc/PID/task/TID/status, and what only it can be asked.
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "producer/capture.h"
#include "producer/proc.h"

static int fail_status(pid_t tid, const char *key, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
			  "task %d: its status has no %s", (int)tid, key);
}

// "Uid:	real effective saved file-system"
static int read_ids(const char *status, const char *key, pid_t tid, uint32_t *const to[4],
		    struct crimg_err *err)
{
	const char *p = crimg_proc_field(status, key);
	unsigned v[4];
	if (p == NULL || sscanf(p, "%u %u %u %u", &v[0], &v[1], &v[2], &v[3]) != 4)
		return fail_status(tid, key, err);
	for (size_t i = 0; i < 4; i++)
		*to[i] = v[i];
	return 0;
}

static int read_groups(struct crimg_capture *c, const char *status, CredsEntry *e,
		       struct crimg_err *err)
{
	const char *p = crimg_proc_field(status, "Groups");
	size_t line = p != NULL ? strcspn(p, "\n") : 0;
	e->groups = crimg_capture_alloc(c, (line / 2 + 1) * sizeof *e->groups, err);
	if (e->groups == NULL)
		return -1;
	for (const char *end = p + line; p != NULL && p < end;) {
		char *next;
		unsigned long v = strtoul(p, &next, 10);
		if (next == p || next > end)
			break;
		e->groups[e->n_groups++] = (uint32_t)v;
		p = next + strspn(next, " ");
	}
	return 0;
}

// Capabilities are two words, the low one first.
static int read_caps(struct crimg_capture *c, const char *status, pid_t tid, CredsEntry *e,
		     struct crimg_err *err)
{
	const struct {
		const char *key;
		size_t *count;
		uint32_t **words;
	} sets[] = {
		{"CapInh", &e->n_cap_inh, &e->cap_inh}, {"CapPrm", &e->n_cap_prm, &e->cap_prm},
		{"CapEff", &e->n_cap_eff, &e->cap_eff}, {"CapBnd", &e->n_cap_bnd, &e->cap_bnd},
		{"CapAmb", &e->n_cap_amb, &e->cap_amb},
	};
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		const char *p = crimg_proc_field(status, sets[i].key);
		uint32_t *words = crimg_capture_alloc(c, 2 * sizeof *words, err);
		if (words == NULL)
			return -1;
		if (p == NULL)
			return fail_status(tid, sets[i].key, err);
		unsigned long long v = strtoull(p, NULL, 16);
		words[0] = (uint32_t)v;
		words[1] = (uint32_t)(v >> 32);
		*sets[i].words = words;
		*sets[i].count = 2;
	}
	return 0;
}

static uint32_t number_of(const char *status, const char *key)
{
	const char *p = crimg_proc_field(status, key);
	return p != NULL ? (uint32_t)strtoul(p, NULL, 10) : 0;
}

static int read_mode(struct crimg_capture *c, const char *status, pid_t tid, ThreadCoreEntry *core,
		     struct crimg_err *err)
{
	uint32_t mode = number_of(status, "Seccomp");
	if (mode == 0)
		return 0;
	core->has_seccomp_mode = true;
	core->seccomp_mode = mode == 1 ? SECCOMP_MODE__strict : SECCOMP_MODE__filter;
	if (mode == 1)
		return 0;
	core->has_seccomp_filter = true;
	return crimg_capture_seccomp(c, tid, &core->seccomp_filter, err);
}

int crimg_capture_creds(struct crimg_capture *c, struct crimg_remote *r, pid_t pid,
			ThreadCoreEntry *core, struct crimg_err *err)
{
	char name[64];
	int64_t bits;
	CredsEntry *e = crimg_capture_alloc(c, sizeof *e, err);
	if (e == NULL)
		return -1;
	creds_entry__init(e);
	uint32_t *const uids[] = {&e->uid, &e->euid, &e->suid, &e->fsuid};
	uint32_t *const gids[] = {&e->gid, &e->egid, &e->sgid, &e->fsgid};
	snprintf(name, sizeof name, "task/%d/status", (int)r->tid);
	const char *status = crimg_capture_text(c, pid, name, err);
	if (status == NULL || read_ids(status, "Uid", r->tid, uids, err) < 0
	    || read_ids(status, "Gid", r->tid, gids, err) < 0 || read_groups(c, status, e, err) < 0
	    || read_caps(c, status, r->tid, e, err) < 0)
		return -1;
	if (number_of(status, "NoNewPrivs") != 0) {
		e->has_no_new_privs = true;
		e->no_new_privs = 1;
	}
	if (read_mode(c, status, r->tid, core, err) < 0
	    || crimg_capture_call(r, "prctl", SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, &bits, err) < 0)
		return -1;
	e->secbits = (uint32_t)bits;
	core->creds = e;
	return 0;
}
