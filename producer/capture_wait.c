// System calls with a time of their own that a thread was caught in, and which the kernel goes on with for what is
// left (it keeps the rest to itself: a restart block). For the image, which begins them anew.
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "format/checked.h"
#include "producer/capture.h"
#include "producer/proc.h"

#define RESTART_BLOCK 516 // what such a call has answered: ERESTART_RESTARTBLOCK
#define SECOND_NS UINT64_C(1000000000)

// Whoever sleeps and wants to know gets the rest written into memory: better than any estimate.
static bool rest_in_memory(const struct crimg_remote *r, uint64_t *left_ns)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	struct timespec t;
	uint64_t at = r->call == SYS_nanosleep         ? r->regs.rsi
		      : r->call == SYS_clock_nanosleep ? r->regs.r10 : 0;
	if (at == 0 || crimg_proc_get(r->tid, at, &t, sizeof t, &ignored) < 0 || t.tv_sec < 0
	    || (uint64_t)t.tv_sec > UINT64_MAX / SECOND_NS / 2)
		return false;
	*left_ns = (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
	return true;
}

int crimg_capture_wait(struct crimg_capture *c, const struct crimg_remote *r, const struct crimg_wait *wait,
		       struct crimg_err *err)
{
	TimedWaitEntry e = TIMED_WAIT_ENTRY__INIT;
	uint64_t left = wait->left_ns;
	if (r->regs.cs != CRIMG_USER_CODE_64 || (long long)r->regs.rax != -RESTART_BLOCK || r->call < 0 || (!rest_in_memory(r, &left) && !wait->timed))
		return 0;
	e.tid = (uint32_t)r->tid;
	e.number = (uint32_t)r->call;
	e.left_ns = left;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_TIMED_WAITS, 0, &e.base, err);
}
