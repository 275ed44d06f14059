// What an OpenVZ image tells of a system call that the checkpoint interrupted, and the calls that its kernel made
// again beyond what any kernel does.
#include "readers/cpt_records.h"
#include "readers/kernel_restart.h"

#define ARGS_LATER 0x800u // version from which arguments are in another order
#define TICKS_LATE_SECONDS 300u // the kernel's ticks begin that long before they have 32 bits
#define COMPAT_CLOCK_NANOSLEEP 267u
#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

enum { EINTR_NUMBER = 4, EAGAIN_NUMBER = 11 };

// Functions of the restart block.
enum { FN_NANOSLEEP = 1, FN_COMPAT_NANOSLEEP, FN_POLL, FN_FUTEX, FN_CPU_NANOSLEEP };

static const struct {
	int64_t sigtimedwait, futex;
} calls_64 = {128, 202}, calls_32 = {177, 240};

struct waiting {
	const struct cpt *c;
	const struct cpt_object *task;
};

static uint64_t handler_of(const void *of, uint32_t signal, uint64_t *flags)
{
	const struct waiting *w = of;
	const struct cpt_object *h = cpt_handler(w->c, w->task, signal);
	if (h == NULL)
		return 0; // the default
	*flags = cpt_get(w->c, h, CRIMG_CPT_SIGHANDLER_FLAGS);
	return cpt_get(w->c, h, CRIMG_CPT_SIGHANDLER_HANDLER);
}

// The task's own signals come before those of its process.
static bool handler_waits(const struct cpt *c, const struct cpt_object *t, uint64_t *flags)
{
	struct waiting w = {c, t};
	uint64_t own = cpt_get(c, t, CRIMG_CPT_TASK_SIGPENDING), all = cpt_pending(c, t);
	return kernel_handler_waits(all & own, handler_of, &w, flags)
	       || kernel_handler_waits(all & ~own, handler_of, &w, flags);
}

static uint64_t arg(const struct cpt *c, const struct cpt_object *t, unsigned i)
{
	return cpt_at(c, t, CRIMG_CPT_TASK_RESTART_ARG, i);
}

// A poll ends at a time of a clock that began with the machine. How long that had run is told by its ticks alone;
// what follows is taken when it is possible, no more than the call asked for.
static void put_poll(struct kernel_interrupted *i, const struct cpt *c, const struct cpt_object *t, uint64_t asked)
{
	uint64_t ticks = crimg_get_u64(c->major + CRIMG_CPT_MAJOR_JIFFIES) - (UINT32_MAX + UINT64_C(1))
			 + TICKS_LATE_SECONDS * c->hz;
	uint64_t seconds = ticks / c->hz, end = arg(c, t, 2);
	uint64_t now = seconds > UINT32_MAX ? UINT64_MAX : seconds * NS_PER_S + ticks % c->hz * (NS_PER_S / c->hz);
	i->block = KERNEL_BLOCK_POLL;
	i->left_ns = end - now;
	i->timed = arg(c, t, 1) >> 32 != 0 && end >= now && i->left_ns / NS_PER_MS < asked;
}

// Where a sleeper finds the time left: before 2.6.32 that came behind when it ends.
static void put_block(struct kernel_interrupted *i, const struct cpt *c, const struct cpt_object *t,
		      const UserX86RegsEntry *regs)
{
	bool later = c->version >= ARGS_LATER;
	switch (cpt_get(c, t, CRIMG_CPT_TASK_RESTART_FN)) {
	case FN_NANOSLEEP:
		i->block = KERNEL_BLOCK_NANOSLEEP;
		i->rest_address = arg(c, t, later ? 1 : 2);
		break;
	case FN_COMPAT_NANOSLEEP: // of either call: its number tells
		i->block = (uint32_t)regs->orig_ax == COMPAT_CLOCK_NANOSLEEP
				   ? KERNEL_BLOCK_COMPAT_CLOCK_NANOSLEEP
				   : KERNEL_BLOCK_COMPAT_NANOSLEEP;
		i->rest_address = later ? arg(c, t, 2) : 0;
		break;
	case FN_CPU_NANOSLEEP:
		i->block = KERNEL_BLOCK_CPU_NANOSLEEP;
		i->rest_address = arg(c, t, 1);
		break;
	case FN_POLL:
		put_poll(i, c, t, (uint32_t)regs->dx);
		break;
	case FN_FUTEX:
		i->block = KERNEL_BLOCK_FUTEX;
		break;
	default:
		break;
	}
}

// Calls that a signal of the checkpoint's own interrupted in a way that no kernel makes good.
static bool is_made_good(const struct cpt *c, const struct cpt_object *t, const UserX86RegsEntry *regs, bool compat)
{
	int64_t call = compat ? (int32_t)(uint32_t)regs->orig_ax : (int64_t)regs->orig_ax;
	int64_t error = -(compat ? (int32_t)(uint32_t)regs->ax : (int64_t)regs->ax);
	bool wait = call == (compat ? calls_32.sigtimedwait : calls_64.sigtimedwait);
	bool futex = call == (compat ? calls_32.futex : calls_64.futex);
	return cpt_pending(c, t) == 0
	       && ((wait && (error == EINTR_NUMBER || error == EAGAIN_NUMBER))
		   || (futex && error == EINTR_NUMBER));
}

const char *cpt_restart(const struct cpt *c, const struct cpt_object *t, UserX86RegsEntry *regs)
{
	struct kernel_interrupted i = {.compat = regs->mode == USER_X86_REGS_MODE__COMPAT};
	i.handled = handler_waits(c, t, &i.handler_flags);
	put_block(&i, c, t, regs);
	const char *what = kernel_restart(&i, regs);
	if (what == NULL && is_made_good(c, t, regs, i.compat))
		return kernel_restart_again(regs, "is made again");
	return what;
}
