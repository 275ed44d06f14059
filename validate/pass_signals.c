// The meaning of signals: masks, actions, what is queued, stacks to handle them on.
#include <inttypes.h>

#include "format/siginfo.h"
#include "validate/meaning.h"

enum { SIGNAL_KILL = 9, SIGNAL_STOP = 19, SIGACTIONS = 62, SIGINFO_BYTES = 128 };

#define SA_RESTORER_BIT UINT64_C(0x04000000)
// NOCLDSTOP NOCLDWAIT SIGINFO UNSUPPORTED EXPOSE_TAGBITS X32_ABI IA32_ABI RESTORER ONSTACK RESTART
// NODEFER RESETHAND
#define SA_KNOWN (UINT64_C(0xdf000c07))

static void check_mask(struct crimg_checker *c, uint64_t mask, const struct crimg_place *p)
{
	if ((mask & CRIMG_SIGNALS_UNMASKABLE) != 0)
		CRIMG_FIND(c, SIGNAL_MASK, p, "0x%" PRIx64 " found: KILL (9) and STOP (19) cannot be in it",
		           mask);
}

static void check_blocked(struct crimg_checker *c, const struct crimg_task *task,
                          const struct crimg_thread *thread)
{
	uint64_t mask = crimg_thread_blocked(task, thread);
	if ((mask & CRIMG_SIGNALS_UNMASKABLE) == 0)
		return;
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "%s.blk_sigset",
	                                      thread->tid == task->pid ? "tc" : "thread_core");
	check_mask(c, mask, &p);
}

static unsigned signal_of_action(size_t index)
{
	size_t signal = index + 1;
	signal += signal >= SIGNAL_KILL;
	signal += signal >= SIGNAL_STOP;
	return (unsigned)signal;
}

struct action {
	struct crimg_checker *c;
	const struct crimg_task *task;
	const struct crimg_space *space;
	const SaEntry *sa;
	size_t index;
};

static struct crimg_place action_place(const struct action *a, const char *field)
{
	return crimg_place_part(a->c, a->task, CRIMG_PART_SIGACTIONS, a->index, field);
}

static void check_code(const struct action *a, const char *field, uint64_t address)
{
	if (crimg_space_is_code(a->space, address))
		return;
	struct crimg_place p = action_place(a, field);
	CRIMG_FIND(a->c, HANDLER, &p, "of signal %u: 0x%" PRIx64 " is %s", signal_of_action(a->index),
	           address, crimg_space_find(a->space, address) == NULL ? "not mapped" : "not executable");
}

static void check_action(const struct action *a)
{
	const SaEntry *sa = a->sa;
	if ((sa->mask & CRIMG_SIGNALS_UNMASKABLE) != 0) {
		struct crimg_place p = action_place(a, "mask");
		check_mask(a->c, sa->mask, &p);
	}
	if ((sa->flags & ~SA_KNOWN) != 0) {
		struct crimg_place p = action_place(a, "flags");
		CRIMG_FIND(a->c, TASK_ODD, &p, "0x%" PRIx64 " of signal %u found: 0x%" PRIx64
		           " says nothing", sa->flags, signal_of_action(a->index), sa->flags & ~SA_KNOWN);
	}
	if (sa->sigaction <= 1 || a->space->count == 0)
		return; // default, ignored
	check_code(a, "sigaction", sa->sigaction);
	if ((sa->flags & SA_RESTORER_BIT) != 0)
		check_code(a, "restorer", sa->restorer);
}

static void check_actions(struct crimg_checker *c, const struct crimg_task *task,
                          const struct crimg_space *space)
{
	struct crimg_list actions = crimg_checker_list(c, task, CRIMG_PART_SIGACTIONS);
	if (actions.count != SIGACTIONS && task->ids != NULL && task->core != NULL
	    && task->core->tc != NULL) { // ELF cores do not tell
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, task->pid, "tc.sigactions");
		CRIMG_FIND(c, SIGACTIONS, &p, "%zu found, %d wanted: signals 1 to 64 without KILL and STOP",
		           actions.count, SIGACTIONS);
	}
	for (size_t i = 0; i < actions.count && i < SIGACTIONS; i++) {
		struct action a = { c, task, space, actions.items[i], i };
		check_action(&a);
	}
}

// Why the kernel would not queue it; NULL: it would.
static const char *queue_fault(const SiginfoEntry *entry, struct crimg_siginfo *info)
{
	if (!crimg_siginfo_decode(entry->siginfo.data, entry->siginfo.len, info)
	    || entry->siginfo.len < SIGINFO_BYTES)
		return "a siginfo of 128 bytes is wanted";
	if (info->signo < 1 || info->signo > (int32_t)CRIMG_SIGNAL_MAX)
		return "1 to 64 wanted";
	if (info->signo == SIGNAL_KILL || info->signo == SIGNAL_STOP)
		return "KILL and STOP are never queued";
	return NULL;
}

static void check_queue(struct crimg_checker *c, const struct crimg_task *task,
                        const struct crimg_thread *thread, const struct crimg_list *queue)
{
	for (size_t i = 0; i < queue->count; i++) {
		const SiginfoEntry *entry = queue->items[i];
		struct crimg_siginfo info = { .signo = 0 };
		const char *fault = queue_fault(entry, &info);
		if (fault == NULL)
			continue;
		struct crimg_place p = thread == NULL
			? crimg_place_part(c, task, CRIMG_PART_SIGNALS, i, "siginfo")
			: crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
		                         "thread_core.signals_p.signals[%zu].siginfo", i);
		CRIMG_FIND(c, QUEUED_SIGNAL, &p, "signal %d in %zu bytes found: %s", info.signo,
		           entry->siginfo.len, fault);
	}
}

// sigaltstack(2). ONSTACK is state; AUTODISARM a request.
enum { SS_ONSTACK_BIT = 1, SS_DISABLE_BIT = 2, SIGNAL_STACK_MIN = 2048 };
#define SS_KNOWN (SS_ONSTACK_BIT | SS_DISABLE_BIT | UINT32_C(1) << 31)

static void check_altstack(struct crimg_checker *c, const struct crimg_thread *thread,
                           const struct crimg_space *space)
{
	const ThreadCoreEntry *t = thread->core->thread_core;
	const ThreadSasEntry *s = t != NULL ? t->sas : NULL;
	if (s == NULL)
		return;
	bool off = (s->ss_flags & SS_DISABLE_BIT) != 0;
	if ((s->ss_flags & ~SS_KNOWN) != 0 || (!off && s->ss_size < SIGNAL_STACK_MIN)) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "thread_core.sas");
		CRIMG_FIND(c, SIGNAL_STACK, &p,
		           "%" PRIu64 " bytes with flags 0x%x found, %d bytes or more, and no flags but 0x%x "
		           "wanted", s->ss_size, s->ss_flags, SIGNAL_STACK_MIN, SS_KNOWN);
	} else if (!off && space->count > 0 && crimg_space_find(space, s->ss_sp) == NULL) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
		                                      "thread_core.sas.ss_sp");
		CRIMG_FIND(c, SIGNAL_STACK_UNMAPPED, &p, "nothing is mapped at 0x%" PRIx64, s->ss_sp);
	}
}

static void check_death_signal(struct crimg_checker *c, const struct crimg_thread *thread)
{
	const ThreadCoreEntry *t = thread->core->thread_core;
	if (t == NULL || !t->has_pdeath_sig || t->pdeath_sig <= CRIMG_SIGNAL_MAX)
		return;
	struct crimg_place p =
		crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "thread_core.pdeath_sig");
	CRIMG_FIND(c, DEATH_SIGNAL, &p, "%u found, 0 to 64 wanted", t->pdeath_sig);
}

static void check_thread(struct crimg_checker *c, const struct crimg_task *task,
                         const struct crimg_thread *thread, const struct crimg_space *space)
{
	struct crimg_list queue = { NULL, 0 };
	struct crimg_err told = CRIMG_ERR_INIT;
	if (thread == &task->threads[0]) {
		queue = crimg_checker_list(c, task, CRIMG_PART_SIGNALS);
		check_actions(c, task, space);
		check_queue(c, task, NULL, &queue);
	}
	check_blocked(c, task, thread);
	if (crimg_thread_signals(c->image, thread, &queue, &told) < 0 && told.code == CRIMG_E_NOMEM)
		crimg_checker_damage(c, &told);
	check_queue(c, task, thread, &queue);
	check_altstack(c, thread, space);
	check_death_signal(c, thread);
}

void crimg_pass_signals(struct crimg_checker *c)
{
	crimg_checker_threads(c, true, check_thread);
}
