// The time left is what the call was given less the time that the thread has slept: se.exec_start in
// /proc/TID/sched, by the clock of the CPU it was last on, which this thread goes to to read its own. That clock
// stands still while a CPU serves interrupts or its host another: too much is left then, never too little. So it is
// of a call that was interrupted before, which has slept only since then.
#include "producer/waits.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/err.h"
#include "producer/proc.h"
#include "producer/remote.h"

#define TEXT_BYTES 4096u
#define MS_NS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define CPU_FIELD 39u // of /proc/TID/stat

static cpu_set_t before; // where this thread might run
static bool moved;

// Read whole, without an allocation: between looking and interrupting no time is to be lost.
static bool read_text(pid_t tid, const char *name, char text[TEXT_BYTES])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, TEXT_BYTES - 1) : -1;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

// "se.exec_start     :      25960547.677246", in milliseconds.
static bool field(const char *text, const char *name, uint64_t *ns)
{
	unsigned long long whole;
	unsigned part = 0;
	const char *p = strstr(text, name);
	p = p != NULL ? strchr(p, ':') : NULL;
	if (p == NULL || sscanf(p + 1, "%llu.%6u", &whole, &part) < 1)
		return false;
	*ns = whole * MS_NS + part;
	return true;
}

static bool limit_ms(uint64_t arg, uint64_t *ns)
{
	int ms = (int)(uint32_t)arg;
	*ns = ms > 0 ? (uint64_t)ms * MS_NS : 0;
	return ms > 0;
}

static bool limit_timespec(pid_t tid, uint64_t address, uint64_t *ns)
{
	struct timespec t;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (address == 0 || crimg_proc_get(tid, address, &t, sizeof t, &ignored) < 0 || t.tv_sec < 0
	    || (uint64_t)t.tv_sec > UINT64_MAX / SECOND_NS / 2)
		return false;
	*ns = (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
	return true;
}

// The time that a call was given, when that is relative.
static bool limit_of(pid_t tid, const struct crimg_wait *w, uint64_t *ns)
{
	switch (w->number) {
	case SYS_poll:
		return limit_ms(w->args[2], ns);
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return limit_ms(w->args[3], ns);
	case SYS_nanosleep:
		return limit_timespec(tid, w->args[0], ns);
	case SYS_clock_nanosleep:
		return (w->args[1] & TIMER_ABSTIME) == 0 && limit_timespec(tid, w->args[2], ns);
	case SYS_futex:
		return (w->args[1] & (uint64_t)FUTEX_CMD_MASK) == FUTEX_WAIT
		       && limit_timespec(tid, w->args[3], ns);
	default:
		return false;
	}
}

static const long restarted[] = {SYS_poll, SYS_nanosleep, SYS_clock_nanosleep, SYS_futex};

// C libraries load the number right before the call: mov $7,%eax; syscall.
long crimg_wait_restarted(pid_t tid, uint64_t ip)
{
	uint8_t code[7];
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (crimg_proc_get(tid, ip - sizeof code, code, sizeof code, &ignored) < 0 || code[0] != 0xb8
	    || code[5] != 0x0f || code[6] != 0x05)
		return -1;
	for (size_t i = 0; i < sizeof restarted / sizeof restarted[0]; i++)
		if (crimg_get_u32(code + 1) == (uint32_t)restarted[i])
			return restarted[i];
	return -1;
}

// Where the kernel sleeps in them. A clock is a small number, and a time's address is none.
static long restarted_by_place(pid_t tid, const uint64_t args[6])
{
	char text[TEXT_BYTES];
	if (!read_text(tid, "wchan", text))
		return -1;
	if (strstr(text, "nanosleep") != NULL)
		return args[0] < TEXT_BYTES ? SYS_clock_nanosleep : SYS_nanosleep;
	return strstr(text, "futex") != NULL  ? SYS_futex
	       : strstr(text, "poll") != NULL ? SYS_poll : -1;
}

// "230 0x0 0x0 0x7ffd1e895800 …": of one that is not in a system call, or runs, there is less.
static bool read_call(pid_t tid, struct crimg_wait *w)
{
	char text[TEXT_BYTES];
	uint64_t *a = w->args, ip;
	if (!read_text(tid, "syscall", text)
	    || sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %*x %lx", &w->told, &a[0], &a[1], &a[2], &a[3], &a[4],
		      &a[5], &ip) != 8)
		return false;
	w->number = w->told == SYS_restart_syscall ? crimg_wait_restarted(tid, ip) : w->told;
	if (w->number < 0)
		w->number = restarted_by_place(tid, a);
	return true;
}

static bool go_to_cpu(pid_t tid)
{
	char text[TEXT_BYTES];
	cpu_set_t one;
	if (!read_text(tid, "stat", text))
		return false;
	const char *p = strrchr(text, ')');
	for (unsigned i = 2; p != NULL && i < CPU_FIELD; i++)
		p = strchr(p + 1, ' ');
	int cpu = p != NULL ? atoi(p) : -1;
	if (cpu < 0 || cpu >= CPU_SETSIZE || (!moved && sched_getaffinity(0, sizeof before, &before) < 0))
		return false;
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	moved = true;
	// Yielding brings the clock of this thread up to date.
	return sched_setaffinity(0, sizeof one, &one) == 0 && sched_yield() == 0;
}

void crimg_wait_look(pid_t tid, struct crimg_wait *out)
{
	char text[TEXT_BYTES];
	uint64_t limit, now, since;
	*out = (struct crimg_wait){.number = -1};
	if (!read_call(tid, out) || !limit_of(tid, out, &limit) || !go_to_cpu(tid)
	    || !read_text((pid_t)syscall(SYS_gettid), "sched", text) || !field(text, "se.exec_start", &now)
	    || !read_text(tid, "sched", text) || !field(text, "se.exec_start", &since)
	    || !field(text, "nr_voluntary_switches", &out->switches) || since == 0)
		return;
	uint64_t slept = now > since ? now - since : 0;
	out->left_ns = slept < limit ? limit - slept : 0;
	out->timed = true;
}

void crimg_wait_confirm(pid_t tid, const struct user_regs_struct *regs, struct crimg_wait *w)
{
	char text[TEXT_BYTES];
	uint64_t switches;
	const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
	// The calls of 32-bit code have other numbers.
	bool same = regs->cs == CRIMG_USER_CODE_64 && (long)regs->orig_rax == w->told
		    && memcmp(args, w->args, sizeof args) == 0;
	if (!same)
		w->number = -1;
	if (!w->timed)
		return;
	// It went to sleep once more: to stand.
	w->timed = same && read_text(tid, "sched", text) && field(text, "nr_voluntary_switches", &switches)
		   && switches == w->switches + MS_NS;
}

void crimg_wait_looked(void)
{
	if (moved)
		(void)sched_setaffinity(0, sizeof before, &before);
	moved = false;
}
