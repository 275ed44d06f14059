// What a process has as a whole: limits, personality, who inherits its orphans, whether it may be looked
// into.
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "producer/restart_parts.h"

static int set_limits(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_list limits;
	struct crimg_puppet *p = &a->puppets[0];
	if (crimg_task_list(r->image, a->task, CRIMG_PART_RLIMITS, &limits, err) < 0)
		return -1;
	for (size_t i = 0; i < limits.count && i < RLIM_NLIMITS; i++) {
		const RlimitEntry *e = limits.items[i];
		struct rlimit limit = { e->cur, e->max };
		if (CRIMG_DO(p, err, "a limit on resources", NULL, SYS_prlimit64, 0, i,
		             crimg_puppet_lend(p, &limit, sizeof limit), 0) < 0)
			return -1;
	}
	return 0;
}

// Registrations for membarrier: the bits are the commands that make them.
static int register_barriers(struct crimg_puppet *p, uint32_t mask, struct crimg_err *err)
{
	for (unsigned bit = 0; bit < 32; bit++)
		if ((mask >> bit & 1) != 0
		    && CRIMG_DO(p, err, "registering memory barriers", NULL, SYS_membarrier, 1u << bit) < 0)
			return -1;
	return 0;
}

void crimg_restart_tell_proc(struct crimg_restart *r, const struct crimg_actor *a, const char *name, int base,
                             long value)
{
	char path[64], now[32] = "";
	snprintf(path, sizeof path, "/proc/%d/%s", a->puppets[0].tid, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && read(fd, now, sizeof now - 1) > 0 && strtol(now, NULL, base) == value) {
		close(fd);
		return;
	}
	int n = snprintf(now, sizeof now, base == 16 ? "0x%lx" : "%ld", value);
	if (fd < 0 || pwrite(fd, now, (size_t)n, 0) != n)
		crimg_lines_add(&r->notes, "task %u: %s is not %s as it was: %s", a->task->pid, name,
		                now, strerror(errno));
	if (fd >= 0)
		close(fd);
}

// criu reads the hexadecimal text of /proc as a decimal number. No personality has bits 8 to 15.
static uint32_t personality_of(const TaskCoreEntry *tc)
{
	char digits[16];
	if ((tc->personality & 0xff00) == 0)
		return tc->personality;
	snprintf(digits, sizeof digits, "%u", tc->personality);
	return (uint32_t)strtoul(digits, NULL, 16);
}

int crimg_restart_process(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	const TaskCoreEntry *tc = a->task->core->tc;
	struct crimg_puppet *p = &a->puppets[0];
	if (tc->has_oom_score_adj)
		crimg_restart_tell_proc(r, a, "oom_score_adj", 10, tc->oom_score_adj);
	if (tc->has_loginuid && tc->loginuid != UINT32_MAX)
		crimg_restart_tell_proc(r, a, "loginuid", 10, tc->loginuid);
	if (CRIMG_DO(p, err, "its personality", NULL, SYS_personality, personality_of(tc)) < 0)
		return -1;
	if (tc->has_child_subreaper && tc->child_subreaper
	    && CRIMG_DO(p, err, "inheriting orphans", NULL, SYS_prctl, PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -1;
	if (a->task->mm->has_thp_disabled && a->task->mm->thp_disabled
	    && CRIMG_DO(p, err, "no huge pages", NULL, SYS_prctl, PR_SET_THP_DISABLE, 1) < 0)
		return -1;
	if (tc->has_membarrier_registration_mask
	    && register_barriers(p, tc->membarrier_registration_mask, err) < 0)
		return -1;
	if (crimg_restart_process_extras(r, a, err) < 0 || set_limits(r, a, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

static int set_death_signal(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                            struct crimg_err *err)
{
	const ThreadCoreEntry *t = a->task->threads[i].core->thread_core;
	if (t == NULL || !t->has_pdeath_sig || t->pdeath_sig == 0)
		return 0;
	if (a->task->parent == CRIMG_NO_TASK) {
		crimg_lines_add(&r->notes, "task %u wanted signal %u when its parent ends; its parent "
		                "is not in the image", a->task->pid, t->pdeath_sig);
		return 0;
	}
	return CRIMG_DO(&a->puppets[i], err, "the signal that its parent's end sends", NULL, SYS_prctl,
	                PR_SET_PDEATHSIG, t->pdeath_sig);
}

// What a change of user takes away again.
int crimg_restart_after_creds(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	const MmEntry *mm = a->task->mm;
	struct crimg_puppet *p = &a->puppets[0];
	// What only the kernel says, 2 (for root alone), nobody may ask for.
	if (mm->has_dumpable && CRIMG_DO(p, err, "whether it may be looked into", NULL, SYS_prctl, PR_SET_DUMPABLE,
	                                 mm->dumpable == 1) < 0)
		return -1;
	if (crimg_puppet_flush(p, err) < 0)
		return -1;
	for (size_t i = 0; i < a->count; i++)
		if (set_death_signal(r, a, i, err) < 0 || crimg_puppet_flush(&a->puppets[i], err) < 0)
			return -1;
	return crimg_restart_seal_extras(r, a, err);
}
