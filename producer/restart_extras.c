// What goes beyond CRIU's messages and a task must ask for itself. Where this kernel, this CPU or crimg's privileges
// do not allow it, a note says so.
#include <errno.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "producer/extras.h"
#include "producer/restart_parts.h"

// *result, when it is not NULL, gets 0 or the error, and nothing is noted.
static int ask(struct crimg_restart *r, struct crimg_puppet *p, const char *what, const uint64_t numbers[6],
               int *result, struct crimg_err *err)
{
	struct crimg_call call = { .what = what, .number = (long)numbers[0] };
	int64_t answer = 0;
	memcpy(call.args, numbers + 1, 5 * sizeof *numbers);
	if (crimg_puppet_try(p, call, &answer, err) < 0)
		return -1;
	if (result != NULL)
		*result = answer < 0 ? (int)-answer : 0;
	else if (answer < 0)
		crimg_lines_add(&r->notes, "task %u: %s is not as it was: %s", p->shown, what,
		                strerror((int)-answer));
	return 0;
}

#define ASK(r, p, err, what, ...) ask(r, p, what, (const uint64_t[6]){ __VA_ARGS__ }, NULL, err)

static int set_speculation(struct crimg_restart *r, struct crimg_puppet *p, const ThreadExtraEntry *e,
                           struct crimg_err *err)
{
	const struct {
		bool has;
		uint64_t which, mode;
		const char *what;
	} rows[] = {
		{ e->has_store_bypass, PR_SPEC_STORE_BYPASS, e->store_bypass, "speculation on stores" },
		{ e->has_indirect_branch, PR_SPEC_INDIRECT_BRANCH, e->indirect_branch,
		  "speculation on indirect branches" },
		{ e->has_l1d_flush, PR_SPEC_L1D_FLUSH, e->l1d_flush, "flushing the L1 data cache" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].has && ASK(r, p, err, rows[i].what, SYS_prctl, PR_SET_SPECULATION_CTRL,
		                       rows[i].which, rows[i].mode) < 0)
			return -1;
	return 0;
}

static int set_memory_policy(struct crimg_restart *r, struct crimg_puppet *p, const ThreadExtraEntry *e,
                             struct crimg_err *err)
{
	size_t bytes = e->n_memory_nodes * sizeof *e->memory_nodes;
	if (!e->has_memory_policy || bytes > CRIMG_LEND_MAX_BYTES / 2)
		return 0;
	uint64_t nodes = bytes > 0 ? crimg_puppet_lend(p, e->memory_nodes, bytes) : 0;
	return ASK(r, p, err, "its policy of memory", SYS_set_mempolicy, e->memory_policy, nodes,
	           bytes > 0 ? bytes * 8 + 1 : 0);
}

int crimg_restart_thread_extras(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[i];
	struct crimg_err damage = CRIMG_ERR_INIT;
	const ThreadExtraEntry *e = crimg_thread_extra(r->image, a->task->threads[i].tid, &damage);
	if (e == NULL)
		return 0;
	if (e->has_timer_slack_ns && e->timer_slack_ns != (uint64_t)prctl(PR_GET_TIMERSLACK)
	    && ASK(r, p, err, "the slack of its timers", SYS_prctl, PR_SET_TIMERSLACK, e->timer_slack_ns) < 0)
		return -1;
	if (e->has_memory_failure
	    && ASK(r, p, err, "what memory failures do", SYS_prctl, PR_MCE_KILL, PR_MCE_KILL_SET,
	           e->memory_failure) < 0)
		return -1;
	if (e->io_flusher
	    && ASK(r, p, err, "being a flusher of input and output", SYS_prctl, PR_SET_IO_FLUSHER, 1) < 0)
		return -1;
	if (set_speculation(r, p, e, err) < 0 || set_memory_policy(r, p, e, err) < 0)
		return -1;
	if (e->tsc_denied && ASK(r, p, err, "denying rdtsc", SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV) < 0)
		return -1;
	return e->cpuid_denied ? ASK(r, p, err, "denying cpuid", SYS_arch_prctl, CRIMG_ARCH_SET_CPUID, 0) : 0;
}

// Names of areas that are not there any more would be an error of the image, and are passed over. A kernel without
// such names says EINVAL to each.
static int name_areas(struct crimg_restart *r, struct crimg_actor *a, const ProcessExtraEntry *e,
                      struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[0];
	for (size_t i = 0; i < e->n_names; i++) {
		const AreaNameEntry *n = e->names[i];
		int result = 0;
		if (n->end <= n->start || strlen(n->name) > 4096)
			continue;
		const uint64_t numbers[6] = { SYS_prctl, CRIMG_PR_SET_VMA, CRIMG_PR_SET_VMA_ANON_NAME, n->start,
			                      n->end - n->start,
			                      crimg_puppet_lend(p, n->name, strlen(n->name) + 1) };
		if (ask(r, p, "naming memory", numbers, &result, err) < 0)
			return -1;
		if (result == 0)
			continue;
		crimg_lines_add(&r->notes, "task %u: %zu areas of its memory had names (\"%s\"): they are lost: %s",
		                a->task->pid, e->n_names - i, n->name,
		                result == EINVAL ? "this kernel keeps none" : strerror(result));
		return 0;
	}
	return 0;
}

int crimg_restart_process_extras(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_err damage = CRIMG_ERR_INIT;
	const ProcessExtraEntry *e = crimg_process_extra(r->image, a->task->pid, &damage);
	struct crimg_puppet *p = &a->puppets[0];
	if (e == NULL)
		return 0;
	if (e->has_coredump_filter)
		crimg_restart_tell_proc(r, a, "coredump_filter", 16, e->coredump_filter);
	// Others of the session have it from its leader; what is not its own would be crimg's.
	if (e->has_autogroup_nice && a->task->sid == a->task->pid)
		crimg_restart_tell_proc(r, a, "autogroup", 10, e->autogroup_nice);
	if (e->merge_pages
	    && ASK(r, p, err, "merging its pages", SYS_prctl, CRIMG_PR_SET_MEMORY_MERGE, 1) < 0)
		return -1;
	if (e->has_huge_pages
	    && ASK(r, p, err, "huge pages for those who ask", SYS_prctl, PR_SET_THP_DISABLE, 1, e->huge_pages) < 0)
		return -1;
	return name_areas(r, a, e, err);
}

int crimg_restart_seal_extras(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_err damage = CRIMG_ERR_INIT;
	const ProcessExtraEntry *e = crimg_process_extra(r->image, a->task->pid, &damage);
	if (e == NULL || !e->has_no_write_exec || e->no_write_exec == 0)
		return 0;
	return ASK(r, &a->puppets[0], err, "refusing memory that is written and run", SYS_prctl,
	           CRIMG_PR_SET_MDWE, e->no_write_exec);
}
