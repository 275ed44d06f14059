// Which calls begin again, which end with EINTR, and where those that had a timeout find the rest of it.
#include "readers/kernel_restart.h"

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
	enum kernel_block block;
	int32_t native, compat; // numbers
	enum timeout timeout;
} calls[] = {
	{KERNEL_BLOCK_NANOSLEEP, 35, 162, TIMEOUT_FIRST},
	{KERNEL_BLOCK_NANOSLEEP, 230, 267, TIMEOUT_THIRD},
	{KERNEL_BLOCK_CPU_NANOSLEEP, 230, 267, TIMEOUT_THIRD},
	{KERNEL_BLOCK_COMPAT_NANOSLEEP, -1, 162, TIMEOUT_FIRST},
	{KERNEL_BLOCK_COMPAT_CLOCK_NANOSLEEP, -1, 267, TIMEOUT_THIRD},
	{KERNEL_BLOCK_POLL, 7, 168, TIMEOUT_MS},
	{KERNEL_BLOCK_FUTEX, 202, 240, TIMEOUT_KEPT},
};

bool kernel_handler_waits(uint64_t waiting, uint64_t (*handler)(const void *of, uint32_t signal, uint64_t *flags),
			  const void *of, uint64_t *flags)
{
	for (uint32_t signal = 1; signal <= SIGNALS; signal++)
		if ((waiting >> (signal - 1) & 1) != 0 && handler(of, signal, flags) > HANDLER_IGNORE)
			return true;
	return false;
}

static const struct call *call_of(const struct kernel_interrupted *in, int64_t number)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].block == in->block && (in->compat ? calls[i].compat : calls[i].native) == number)
			return &calls[i];
	return NULL;
}

// A sleeper was told where to leave the time that is left, and the kernel did when it interrupted it.
static const char *set_timeout(const struct kernel_interrupted *i, enum timeout timeout, UserX86RegsEntry *regs)
{
	uint64_t *first = i->compat ? &regs->bx : &regs->di, *third = &regs->dx;
	uint64_t ms = i->left_ns / NS_PER_MS;
	switch (timeout) {
	case TIMEOUT_FIRST:
	case TIMEOUT_THIRD:
		if (i->rest_address == 0)
			return "sleeps once more as long as it was asked to: it kept no time left";
		*(timeout == TIMEOUT_FIRST ? first : third) = i->rest_address;
		return "sleeps on for the time that was left, which it is now pointed to";
	case TIMEOUT_MS:
		if (!i->timed)
			return (int32_t)(uint32_t)*third > 0 ? "waits on, with its time begun anew" : "waits on";
		*third = ms < INT32_MAX ? ms + 1 : INT32_MAX;
		return "waits on for the time that was left";
	default:
		return "waits on, with its time, if it had any, begun anew";
	}
}

static const char *interrupt(const struct kernel_interrupted *i, UserX86RegsEntry *regs, const char *what)
{
	regs->ax = i->compat ? (uint32_t)RESULT_EINTR : (uint64_t)(int64_t)RESULT_EINTR;
	return what;
}

const char *kernel_restart_again(UserX86RegsEntry *regs, const char *what)
{
	regs->ax = regs->orig_ax;
	regs->ip -= CALL_BYTES;
	return what;
}

// Nobody is left who knew the block: the call is made again, its timeout adapted.
static const char *go_on(const struct kernel_interrupted *i, int64_t number, UserX86RegsEntry *regs)
{
	const struct call *call = call_of(i, number);
	if (call == NULL)
		return interrupt(i, regs, "is interrupted (EINTR): what it waited for is not known");
	return kernel_restart_again(regs, set_timeout(i, call->timeout, regs));
}

const char *kernel_restart(const struct kernel_interrupted *i, UserX86RegsEntry *regs)
{
	int64_t number = i->compat ? (int32_t)(uint32_t)regs->orig_ax : (int64_t)regs->orig_ax;
	int64_t result = i->compat ? (int32_t)(uint32_t)regs->ax : (int64_t)regs->ax;
	if (number < 0)
		return NULL;
	switch (result) {
	case RESTART_NOINTR:
		return kernel_restart_again(regs, "is made again");
	case RESTART_SYS:
		return i->handled && (i->handler_flags & FLAG_RESTART) == 0
			       ? interrupt(i, regs, "is interrupted (EINTR) by a signal that waits")
			       : kernel_restart_again(regs, "is made again");
	case RESTART_NOHAND:
	case RESTART_BLOCK:
		if (i->handled)
			return interrupt(i, regs, "is interrupted (EINTR) by a signal that waits");
		return result == RESTART_BLOCK ? go_on(i, number, regs)
					       : kernel_restart_again(regs, "is made again");
	default:
		return NULL;
	}
}
