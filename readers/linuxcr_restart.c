// What a kernel stream tells of a system call that the checkpoint interrupted.
#include "readers/kernel_restart.h"
#include "readers/linuxcr_records.h"

static uint64_t handler_of(const void *of, uint32_t signal, uint64_t *flags)
{
	const struct linuxcr_record *actions = of;
	uint32_t at = (signal - 1) * CRIMG_LCR_SIGACTION_BYTES;
	*flags = linuxcr_u64(actions, at + 8);
	return linuxcr_u64(actions, at);
}

static uint64_t waiting(const struct linuxcr_task *t, const struct linuxcr_record *queue)
{
	uint64_t blocked = t->mask != NULL ? linuxcr_u64(t->mask, 0) : 0;
	return queue != NULL ? linuxcr_u64(queue, CRIMG_LCR_SIGPENDING_SET) & ~blocked : 0;
}

// The task's own queue comes before the shared one.
static bool handler_waits(const struct linuxcr_image *m, const struct linuxcr_task *t, uint64_t *flags)
{
	const struct linuxcr_object *actions = linuxcr_task_object(&m->c, t, 4);
	const struct linuxcr_object *shared = linuxcr_task_object(&m->c, t, 5);
	return actions != NULL
	       && (kernel_handler_waits(waiting(t, t->pending), handler_of, actions->body, flags)
		   || kernel_handler_waits(waiting(t, shared != NULL ? shared->parts[0] : NULL), handler_of,
					   actions->body, flags));
}

static uint64_t block_arg(const struct linuxcr_task *t, uint32_t i)
{
	return linuxcr_u64(t->restart, CRIMG_LCR_RESTART_ARGS + 8 * i);
}

const char *linuxcr_restart(const struct linuxcr_image *m, const struct linuxcr_task *t,
			    UserX86RegsEntry *regs)
{
	static const enum kernel_block blocks[] = {
		[CRIMG_LCR_RESTART_NANOSLEEP] = KERNEL_BLOCK_NANOSLEEP,
		[CRIMG_LCR_RESTART_CPU_NANOSLEEP] = KERNEL_BLOCK_CPU_NANOSLEEP,
		[CRIMG_LCR_RESTART_COMPAT_NANOSLEEP] = KERNEL_BLOCK_COMPAT_NANOSLEEP,
		[CRIMG_LCR_RESTART_COMPAT_CLOCK_NANOSLEEP] = KERNEL_BLOCK_COMPAT_CLOCK_NANOSLEEP,
		[CRIMG_LCR_RESTART_POLL] = KERNEL_BLOCK_POLL,
		[CRIMG_LCR_RESTART_FUTEX] = KERNEL_BLOCK_FUTEX,
	};
	struct kernel_interrupted i = {.compat = linuxcr_is_32(m, t)};
	uint32_t function = t->restart != NULL ? linuxcr_u32(t->restart, 0) : 0;
	i.handled = handler_waits(m, t, &i.handler_flags);
	if (function < sizeof blocks / sizeof blocks[0] && blocks[function] != KERNEL_BLOCK_NONE) {
		i.block = blocks[function];
		i.rest_address = block_arg(t, 1);
		i.timed = block_arg(t, 2) != 0;
		i.left_ns = block_arg(t, 4);
	}
	return kernel_restart(&i, regs);
}
