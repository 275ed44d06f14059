// The meaning of what a task is: its state, its name, how it is scheduled, its namespace of numbers.
#include <string.h>

#include "validate/meaning.h"

#define COMM_MAX 15u // without the NUL

static struct crimg_place tc_place(struct crimg_checker *c, const struct crimg_task *task,
                                   const char *field)
{
	return crimg_place_of(c, CRIMG_KIND_CORE, task->pid, "tc.%s", field);
}

static void check_name(struct crimg_checker *c, uint32_t tid, const char *field, const char *name)
{
	if (name == NULL || strnlen(name, COMM_MAX + 1) <= COMM_MAX)
		return;
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, tid, "%s", field);
	CRIMG_FIND(c, NAME_LONG, &p, "%.40s found, at most %u bytes wanted", name, COMM_MAX);
}

// A wait status: of a signal, perhaps with a core (bit 7), or of an exit.
static bool is_exit_code(uint32_t code)
{
	uint32_t signal = code & 0x7f;
	return signal == 0 ? (code & ~0xff00u) == 0
	                   : signal <= CRIMG_SIGNAL_MAX && (code & ~0xffu) == 0;
}

static bool stops(uint32_t signal)
{
	return signal >= 19 && signal <= 22; // STOP TSTP TTIN TTOU
}

static void check_state(struct crimg_checker *c, const struct crimg_task *task,
                        const TaskCoreEntry *tc)
{
	if (tc->task_state < CRIMG_TASK_ALIVE || tc->task_state > CRIMG_TASK_STOPPED) {
		struct crimg_place p = tc_place(c, task, "task_state");
		CRIMG_FIND(c, TASK_STATE, &p, "%u found, alive (1), dead (2) or stopped (3) wanted",
		           tc->task_state);
	}
	if (tc->task_state == CRIMG_TASK_DEAD && !is_exit_code(tc->exit_code)) {
		struct crimg_place p = tc_place(c, task, "exit_code");
		CRIMG_FIND(c, EXIT_CODE, &p, "0x%x found, a signal or an exit code times 256 wanted",
		           tc->exit_code);
	}
	if (tc->task_state == CRIMG_TASK_STOPPED && tc->has_stop_signo && !stops(tc->stop_signo)) {
		struct crimg_place p = tc_place(c, task, "stop_signo");
		CRIMG_FIND(c, STOP_SIGNAL, &p, "%u found, 19 to 22 wanted", tc->stop_signo);
	}
}

#define PERSONALITY_KNOWN 0x0ffe00ffu
#define MEMBARRIER_KNOWN 0x3ffu
#define OOM_SCORE_MAX 1000

static void check_attributes(struct crimg_checker *c, const struct crimg_task *task,
                             const TaskCoreEntry *tc)
{
	if ((tc->personality & ~PERSONALITY_KNOWN) != 0) {
		struct crimg_place p = tc_place(c, task, "personality");
		CRIMG_FIND(c, TASK_ODD, &p, "0x%x found: 0x%x says nothing", tc->personality,
		           tc->personality & ~PERSONALITY_KNOWN);
	}
	if (tc->has_oom_score_adj
	    && (tc->oom_score_adj < -OOM_SCORE_MAX || tc->oom_score_adj > OOM_SCORE_MAX)) {
		struct crimg_place p = tc_place(c, task, "oom_score_adj");
		CRIMG_FIND(c, TASK_ODD, &p, "%d found, -%d to %d wanted", tc->oom_score_adj,
		           OOM_SCORE_MAX, OOM_SCORE_MAX);
	}
	if (tc->has_membarrier_registration_mask
	    && (tc->membarrier_registration_mask & ~MEMBARRIER_KNOWN) != 0) {
		struct crimg_place p = tc_place(c, task, "membarrier_registration_mask");
		CRIMG_FIND(c, MEMBARRIER, &p, "0x%x found, no bits but 0x%x wanted",
		           tc->membarrier_registration_mask, MEMBARRIER_KNOWN);
	}
}

// sched(7). Deadlines have parameters that the image has no room for.
enum { POLICY_FIFO = 1, POLICY_RR = 2, POLICY_DEADLINE = 6, POLICY_EXT = 7 };
#define POLICY_RESET_ON_FORK (UINT32_C(1) << 30)

static void check_scheduler(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const ThreadCoreEntry *t = thread->core->thread_core;
	if (t == NULL || !t->has_sched_policy)
		return;
	uint32_t policy = t->sched_policy & ~POLICY_RESET_ON_FORK;
	uint32_t prio = t->has_sched_prio ? t->sched_prio : 0;
	bool real_time = policy == POLICY_FIFO || policy == POLICY_RR;
	bool known = policy <= POLICY_EXT && policy != 4 && policy != POLICY_DEADLINE;
	bool nice = !t->has_sched_nice || (t->sched_nice >= -20 && t->sched_nice <= 19);
	if (known && nice && (real_time ? prio >= 1 && prio <= 99 : prio == 0))
		return;
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "thread_core.%s",
	                                      !nice ? "sched_nice" : known ? "sched_prio" : "sched_policy");
	CRIMG_FIND(c, SCHEDULER, &p,
	           "policy %u, priority %u, nice %d found: FIFO and RR (1, 2) have 1 to 99, others (0, 3, 5, "
	           "7) none; nice is -20 to 19", policy, prio, t->has_sched_nice ? t->sched_nice : 0);
}

// An external namespace of process numbers is there before: its number 1 is somebody else.
static bool is_external(struct crimg_checker *c, uint32_t id)
{
	const PidnsEntry *ns = crimg_image_get(c->image, CRIMG_KIND_PIDNS, id, NULL);
	return ns != NULL && ns->ext_key != NULL;
}

// CRIU makes one namespace of process numbers: the root's, with the root as number 1.
static void check_namespace(struct crimg_checker *c, const struct crimg_task *task)
{
	const struct crimg_task *root = &c->tasks.list[0];
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	const TaskKobjIdsEntry *outside = inventory != NULL ? inventory->root_ids : NULL;
	if (task->ids == NULL || root->ids == NULL || !task->ids->has_pid_ns_id)
		return;
	bool own = outside != NULL && outside->has_pid_ns_id
		&& outside->pid_ns_id != task->ids->pid_ns_id;
	struct crimg_place p = crimg_place_image(c);
	if (task->ids->pid_ns_id != root->ids->pid_ns_id) {
		p = crimg_place_of(c, CRIMG_KIND_IDS, task->pid, "pid_ns_id");
		CRIMG_FIND(c, PID_NAMESPACE, &p, "%u found, %u wanted, that of the root: there are no levels",
		           task->ids->pid_ns_id, root->ids->pid_ns_id);
	} else if (task == root && own && root->pid != 1 && !is_external(c, task->ids->pid_ns_id)) {
		p = crimg_place_of(c, CRIMG_KIND_IDS, task->pid, "pid_ns_id");
		CRIMG_FIND(c, PID_NAMESPACE, &p, "a namespace of its own found, of which process %u is not "
		           "number 1", root->pid);
	}
}

static void check_threads(struct crimg_checker *c, const struct crimg_task *task)
{
	for (size_t i = 0; i < task->thread_count; i++) {
		const struct crimg_thread *thread = &task->threads[i];
		if (thread->core == NULL)
			continue;
		check_scheduler(c, thread);
		if (thread->core->thread_core != NULL)
			check_name(c, thread->tid, "thread_core.comm", thread->core->thread_core->comm);
	}
}

void crimg_pass_tasks(struct crimg_checker *c)
{
	for (size_t i = 0; i < c->tasks.count; i++) {
		const struct crimg_task *task = &c->tasks.list[i];
		const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
		if (!c->skeleton)
			check_namespace(c, task);
		if (tc != NULL) {
			check_state(c, task, tc);
			check_attributes(c, task, tc);
			check_name(c, task->pid, "tc.comm", tc->comm);
		}
		check_threads(c, task);
	}
}
