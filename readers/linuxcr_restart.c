// What becomes of a system call that the checkpoint interrupted: the registers that the kernel itself
// would have left when it let the task go on, with a handler's turn before it or without. Knows which
// register holds a timeout; knows nothing of memory.
#include "readers/linuxcr_records.h"

#define RESULT_EINTR (-4)
#define CALL_BYTES 2u // of the instruction that enters the kernel: syscall, sysenter, int 0x80
#define SIGNALS 64u
#define HANDLER_IGNORE 1u
#define FLAG_RESTART 0x10000000u
#define NS_PER_MS 1000000u

// Results with which the kernel tells itself how to go on.
enum { RESTART_SYS = -512, RESTART_NOINTR = -513, RESTART_NOHAND = -514, RESTART_BLOCK = -516 };

// Calls that go on where they were, and where they look for the time they have.
enum timeout { TIMEOUT_FIRST, TIMEOUT_THIRD, TIMEOUT_MS, TIMEOUT_KEPT };

static const struct call {
	uint32_t block; // function of the restart block
	int32_t native, compat;
	enum timeout timeout;
} calls[] = {
	{CRIMG_LCR_RESTART_NANOSLEEP, 35, 162, TIMEOUT_FIRST},
	{CRIMG_LCR_RESTART_NANOSLEEP, 230, 267, TIMEOUT_THIRD},
	{CRIMG_LCR_RESTART_CPU_NANOSLEEP, 230, 267, TIMEOUT_THIRD},
	{CRIMG_LCR_RESTART_COMPAT_NANOSLEEP, -1, 162, TIMEOUT_FIRST},
	{CRIMG_LCR_RESTART_COMPAT_CLOCK_NANOSLEEP, -1, 267, TIMEOUT_THIRD},
	{CRIMG_LCR_RESTART_POLL, 7, 168, TIMEOUT_MS},
	{CRIMG_LCR_RESTART_FUTEX, 202, 240, TIMEOUT_KEPT},
};

static uint64_t block_arg(const struct linuxcr_task *t, uint32_t i)
{
	return linuxcr_u64(t->restart, CRIMG_LCR_RESTART_ARGS + 8 * i);
}

// The flags of the action of the first signal whose handler runs as soon as the task goes on. false:
// none is waiting. The task's own queue comes before the shared one, low numbers before high ones.
static bool handler_waits(const struct linuxcr_image *m, const struct linuxcr_task *t, uint64_t *flags)
{
	const struct linuxcr_object *actions = linuxcr_task_object(&m->c, t, 4);
	const struct linuxcr_object *shared = linuxcr_task_object(&m->c, t, 5);
	const struct linuxcr_record *queues[] = {t->pending, shared != NULL ? shared->parts[0] : NULL};
	uint64_t blocked = t->mask != NULL ? linuxcr_u64(t->mask, 0) : 0;
	for (size_t q = 0; actions != NULL && q < 2; q++) {
		uint64_t waiting = queues[q] == NULL ? 0
				   : linuxcr_u64(queues[q], CRIMG_LCR_SIGPENDING_SET) & ~blocked;
		for (uint32_t i = 0; i < SIGNALS; i++) {
			uint32_t at = i * CRIMG_LCR_SIGACTION_BYTES;
			if ((waiting >> i & 1) == 0 || linuxcr_u64(actions->body, at) <= HANDLER_IGNORE)
				continue;
			*flags = linuxcr_u64(actions->body, at + 8);
			return true;
		}
	}
	return false;
}

static const struct call *call_of(const struct linuxcr_task *t, int64_t number, bool compat)
{
	uint32_t block = linuxcr_u32(t->restart, 0);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].block == block && (compat ? calls[i].compat : calls[i].native) == number)
			return &calls[i];
	return NULL;
}

// A sleeper was told where to leave the time that is left, and the kernel did when it interrupted it.
static const char *set_timeout(const struct linuxcr_task *t, enum timeout timeout, bool compat,
			       UserX86RegsEntry *regs)
{
	uint64_t *first = compat ? &regs->bx : &regs->di, *third = &regs->dx;
	uint64_t rest = block_arg(t, 1), ms = block_arg(t, 4) / NS_PER_MS;
	switch (timeout) {
	case TIMEOUT_FIRST:
	case TIMEOUT_THIRD:
		if (rest == 0)
			return "sleeps once more as long as it was asked to: it kept no time left";
		*(timeout == TIMEOUT_FIRST ? first : third) = rest;
		return "sleeps on for the time that was left, which it is now pointed to";
	case TIMEOUT_MS:
		if (block_arg(t, 2) == 0)
			return "waits on";
		*third = ms < INT32_MAX ? ms + 1 : INT32_MAX;
		return "waits on for the time that was left";
	default:
		return "waits on, with its time, if it had any, begun anew";
	}
}

static const char *interrupt(UserX86RegsEntry *regs, const char *what)
{
	regs->ax = (uint64_t)(int64_t)RESULT_EINTR;
	return what;
}

static const char *repeat(UserX86RegsEntry *regs, const char *what)
{
	regs->ax = regs->orig_ax;
	regs->ip -= CALL_BYTES;
	return what;
}

// Nobody is left who knew the block: the call is made again, its timeout adapted.
static const char *go_on(const struct linuxcr_task *t, int64_t number, bool compat,
			 UserX86RegsEntry *regs)
{
	const struct call *call = t->restart == NULL ? NULL : call_of(t, number, compat);
	if (call == NULL)
		return interrupt(regs, "is interrupted (EINTR): what it waited for is not known");
	return repeat(regs, set_timeout(t, call->timeout, compat, regs));
}

const char *linuxcr_restart(const struct linuxcr_image *m, const struct linuxcr_task *t,
			    UserX86RegsEntry *regs)
{
	bool compat = linuxcr_is_32(m, t);
	int64_t number = compat ? (int32_t)(uint32_t)regs->orig_ax : (int64_t)regs->orig_ax;
	int64_t result = compat ? (int32_t)(uint32_t)regs->ax : (int64_t)regs->ax;
	uint64_t flags;
	if (number < 0 || result > RESTART_SYS || result < RESTART_BLOCK)
		return NULL;
	bool handled = handler_waits(m, t, &flags);
	switch (result) {
	case RESTART_NOINTR:
		return repeat(regs, "is made again");
	case RESTART_SYS:
		return handled && (flags & FLAG_RESTART) == 0
			       ? interrupt(regs, "is interrupted (EINTR) by a signal that waits")
			       : repeat(regs, "is made again");
	case RESTART_NOHAND:
	case RESTART_BLOCK:
		if (handled)
			return interrupt(regs, "is interrupted (EINTR) by a signal that waits");
		return result == RESTART_BLOCK ? go_on(t, number, compat, regs)
					       : repeat(regs, "is made again");
	default:
		return NULL;
	}
}
