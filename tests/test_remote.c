// Remote system calls in real processes: each subject proves by its exit code that nothing happened to it,
// whether the tracer lives or is killed at any of its steps.
#include <errno.h>
#include <fcntl.h>
#include <emmintrin.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "producer/proc.h"
#include "producer/remote.h"
#include "tests/suite.h"

// How many more calls the tracer makes before it is killed; -1: it lives.
static int steps_left = -1;

static void step(void)
{
	if (steps_left > 0)
		steps_left--;
	else if (steps_left == 0)
		kill(getpid(), SIGKILL);
}

long __real_ptrace(int request, pid_t pid, void *address, void *data);
long __wrap_ptrace(int request, pid_t pid, void *address, void *data);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
typedef ssize_t transfer(pid_t, const struct iovec *, unsigned long, const struct iovec *,
			 unsigned long, unsigned long);
transfer __real_process_vm_readv, __wrap_process_vm_readv;
transfer __real_process_vm_writev, __wrap_process_vm_writev;

long __wrap_ptrace(int request, pid_t pid, void *address, void *data)
{
	step();
	return __real_ptrace(request, pid, address, data);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	step();
	return __real_waitpid(pid, status, options);
}

ssize_t __wrap_process_vm_readv(pid_t pid, const struct iovec *here, unsigned long n,
				const struct iovec *there, unsigned long m, unsigned long flags)
{
	step();
	return __real_process_vm_readv(pid, here, n, there, m, flags);
}

ssize_t __wrap_process_vm_writev(pid_t pid, const struct iovec *here, unsigned long n,
				 const struct iovec *there, unsigned long m, unsigned long flags)
{
	step();
	return __real_process_vm_writev(pid, here, n, there, m, flags);
}

// What subject and test share: a word to wait on and a pipe to wake it by.
static struct shared {
	volatile int go, ready;
} *shared;

static int wake[2]; // the subject reads, the test writes

// Subjects: each returns 0 when everything was as if nobody had been there.

static int read_pipe(void)
{
	char c = 0;
	return read(wake[0], &c, 1) == 1 && c == 'x' ? 0 : 1;
}

static int poll_pipe(void)
{
	struct pollfd p = {.fd = wake[0], .events = POLLIN};
	return poll(&p, 1, 20000) == 1 ? 0 : 1;
}

static int select_pipe(void)
{
	fd_set set;
	struct timeval t = {20, 0};
	FD_ZERO(&set);
	FD_SET(wake[0], &set);
	return select(wake[0] + 1, &set, NULL, NULL, &t) == 1 ? 0 : 1;
}

static int epoll_pipe(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	int fd = epoll_create1(0);
	if (epoll_ctl(fd, EPOLL_CTL_ADD, wake[0], &e) < 0)
		return 2;
	// epoll_wait is not begun anew by the kernel after any stop: that is how Linux is.
	int n = epoll_wait(fd, &e, 1, 20000);
	return n == 1 || (n < 0 && errno == EINTR) ? 0 : 1;
}

static int futex_wait(void)
{
	struct timespec t = {20, 0};
	return syscall(SYS_futex, &shared->go, FUTEX_WAIT, 0, &t, NULL, 0) == 0 || errno == EAGAIN
		       ? 0 : 1;
}

static int sleep_short(void)
{
	struct timespec t = {0, 300000000}, left = {9, 9};
	return nanosleep(&t, &left);
}

static int wait_for_child(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(read_pipe() == 0 ? 7 : 1);
	return wait4(pid, &status, 0, NULL) == pid && WEXITSTATUS(status) == 7 ? 0 : 1;
}

static volatile sig_atomic_t hits;

static void on_signal(int number)
{
	(void)number;
	hits++;
}

static int suspend(void)
{
	sigset_t all, none;
	struct sigaction act = {.sa_handler = on_signal};
	sigaction(SIGUSR1, &act, NULL);
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	shared->ready = 1;
	if (sigsuspend(&none) != -1 || errno != EINTR || hits != 1)
		return 1;
	sigset_t now;
	sigprocmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGHUP) == 1 ? 0 : 2;
}

// All registers that the compiler lets us hold, and flags, in a loop that makes no system call.
static int compute(void)
{
	uint64_t bad = 0;
	__m128d v = _mm_set_pd(1, 2);
	shared->ready = 1;
	while (shared->go == 0) {
		uint64_t a = 0x1111, b = 0x2222, c = 0x3333, d = 0x4444;
		__asm__ volatile("mov $2000000, %%r15\n"
				 "1: dec %%r15\n"
				 "jnz 1b\n"
				 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+x"(v)
				 :
				 : "r15", "cc");
		bad |= (a ^ 0x1111) | (b ^ 0x2222) | (c ^ 0x3333) | (d ^ 0x4444);
	}
	double out[2];
	_mm_storeu_pd(out, v);
	return bad != 0 || out[0] != 2 || out[1] != 1;
}

// Bytes below the red zone of a stack that lies among data must stay, when there is another stack for
// signals: as in Go.
static uint8_t arena[65536], alternative[32768];

static int small_stack(void)
{
	stack_t alt = {.ss_sp = alternative, .ss_size = sizeof alternative};
	uint64_t sp = ((uint64_t)(uintptr_t)arena + 40000) & ~UINT64_C(15);
	char c = 0;
	if (sigaltstack(&alt, NULL) < 0)
		return 2;
	memset(arena, 0xa5, sizeof arena);
	long n;
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "mov %[sp], %%rsp\n"
			 "syscall\n"
			 "mov %%r12, %%rsp\n"
			 : "=a"(n)
			 : "a"(SYS_read), "D"((long)wake[0]), "S"(&c), "d"(1l), [sp] "r"(sp)
			 : "r12", "rcx", "r11", "memory");
	for (size_t i = 0; i < sizeof arena; i++)
		if (arena[i] != 0xa5)
			return 3;
	stack_t now;
	if (sigaltstack(NULL, &now) < 0 || now.ss_sp != alternative
	    || now.ss_size != sizeof alternative)
		return 4;
	return n == 1 ? 0 : 1;
}

static int under_seccomp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_uname, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
	    || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 2;
	return read_pipe();
}

static void wake_by_pipe(pid_t pid)
{
	(void)pid;
	CU_ASSERT(write(wake[1], "x", 1) == 1);
}

static void wake_by_word(pid_t pid)
{
	(void)pid;
	shared->go = 1;
	syscall(SYS_futex, &shared->go, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void wake_by_signal(pid_t pid)
{
	kill(pid, SIGUSR1);
}

static void wake_by_time(pid_t pid)
{
	(void)pid;
}

static const struct subject {
	const char *name;
	int (*run)(void);
	void (*wake)(pid_t pid);
	bool runs;   // is not asleep when it is taken
	bool kills;  // too dear, or too slow, to be killed at every step
} subjects[] = {
	{"read", read_pipe, wake_by_pipe, false, true},
	{"poll", poll_pipe, wake_by_pipe, false, true},
	{"select", select_pipe, wake_by_pipe, false, false},
	{"epoll_wait", epoll_pipe, wake_by_pipe, false, false},
	{"futex", futex_wait, wake_by_word, false, true},
	{"nanosleep", sleep_short, wake_by_time, false, false},
	{"wait4", wait_for_child, wake_by_pipe, false, false},
	{"sigsuspend", suspend, wake_by_signal, false, true},
	{"compute", compute, wake_by_word, true, true},
	{"small stack", small_stack, wake_by_pipe, false, true},
	{"seccomp", under_seccomp, wake_by_pipe, false, false},
};

static void nap(void)
{
	struct timespec t = {0, 1000000};
	nanosleep(&t, NULL);
}

static char state_of(pid_t pid)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	char state = 'X';
	if (crimg_proc_read(pid, "stat", &stat, &err) == 0) {
		const char *end = strrchr((const char *)stat.data, ')');
		state = end != NULL ? end[2] : 'X';
	}
	crimg_buf_fini(&stat);
	return state;
}

static void wait_asleep(pid_t pid)
{
	for (int i = 0; i < 5000 && state_of(pid) != 'S'; i++)
		nap();
}

static pid_t start(const struct subject *s)
{
	shared->go = shared->ready = 0;
	CU_ASSERT_FATAL(pipe2(wake, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(wake[1]);
		_exit(s->run());
	}
	for (int i = 0; s->runs && i < 5000 && shared->ready == 0; i++)
		nap();
	if (!s->runs)
		wait_asleep(pid);
	return pid;
}

// Wakes the subject; its exit code, or -1 when it had to be killed.
static int finish(const struct subject *s, pid_t pid)
{
	int status = 0;
	s->wake(pid);
	for (int i = 0; i < 10000; i++) {
		if (__real_waitpid(pid, &status, WNOHANG) == pid) {
			close(wake[0]);
			close(wake[1]);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
		}
		if (i % 100 == 99)
			s->wake(pid); // a signal may have come before the task was ready for it
		nap();
	}
	kill(pid, SIGKILL);
	__real_waitpid(pid, &status, 0);
	return -1;
}

static int seize(pid_t pid)
{
	int status;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0
	    || waitpid(pid, &status, __WALL) != pid)
		return -1;
	return status >> 16 == PTRACE_EVENT_STOP ? 0 : -1;
}

static bool calls_work(struct crimg_remote *r, struct crimg_err *err)
{
	const uint64_t none[6] = {0}, to_data[6] = {r->data};
	struct utsname theirs, ours;
	int64_t result;
	if (crimg_remote_call(r, SYS_getpid, none, &result, err) < 0 || result != r->tid)
		return false;
	if (crimg_remote_call(r, SYS_uname, to_data, &result, err) < 0 || result != 0)
		return false;
	if (crimg_proc_get(r->tid, r->data, &theirs, sizeof theirs, err) < 0 || uname(&ours) < 0)
		return false;
	if (strcmp(theirs.nodename, ours.nodename) != 0)
		return false;
	const uint64_t bad[6] = {99999};
	return crimg_remote_call(r, SYS_close, bad, &result, err) == 0 && result == -EBADF;
}

// With a gate, and where the frame is to lie, or as begin finds them.
static const struct crimg_remote_gate *given_gate;
static uint64_t given_top;

static int begin(struct crimg_remote *r, pid_t pid, struct crimg_err *err)
{
	return given_gate == NULL ? crimg_remote_begin(r, pid, err)
				  : crimg_remote_begin_at(r, pid, *given_gate, -1, given_top, err);
}

// The whole way of a tracer. 0: good.
static int take_and_leave(pid_t pid)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_remote r;
	if (seize(pid) < 0 || begin(&r, pid, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	bool good = calls_work(&r, &err);
	if (crimg_remote_end(&r, &err) < 0 || !good) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ? 3 : 0;
}

static void test_undisturbed(void)
{
	for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
		pid_t pid = start(&subjects[i]);
		CU_ASSERT_EQUAL(take_and_leave(pid), 0);
		int code = finish(&subjects[i], pid);
		if (code != 0)
			fprintf(stderr, "%s: %d\n", subjects[i].name, code);
		CU_ASSERT_EQUAL(code, 0);
	}
}

// Sleeps no longer for having been stopped.
static void test_time_left(void)
{
	const struct subject *s = &subjects[5];
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	pid_t pid = start(s);
	CU_ASSERT_EQUAL(take_and_leave(pid), 0);
	CU_ASSERT_EQUAL(finish(s, pid), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	CU_ASSERT(took >= 0.299);
}

static bool same_state(pid_t pid, const struct user_regs_struct *regs, uint64_t mask)
{
	struct user_regs_struct now;
	uint64_t now_mask;
	return __real_ptrace(PTRACE_GETREGS, pid, NULL, &now) == 0
	       && __real_ptrace(PTRACE_GETSIGMASK, pid, (void *)8, &now_mask) == 0
	       && memcmp(&now, regs, sizeof now) == 0 && mask == now_mask;
}

// Every register, the mask and the stack's bytes are what they were.
static void test_exact(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_remote r;
	struct user_regs_struct regs;
	uint64_t mask;
	static uint8_t before[8192], after[8192];
	pid_t pid = start(&subjects[0]);
	CU_ASSERT_FATAL(seize(pid) == 0);
	CU_ASSERT(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
	CU_ASSERT(ptrace(PTRACE_GETSIGMASK, pid, (void *)8, &mask) == 0);
	CU_ASSERT(crimg_proc_get(pid, regs.rsp - sizeof before, before, sizeof before, &err) == 0);
	CU_ASSERT_FATAL(crimg_remote_begin(&r, pid, &err) == 0);
	CU_ASSERT(!same_state(pid, &regs, mask));
	CU_ASSERT(calls_work(&r, &err));
	CU_ASSERT(crimg_remote_end(&r, &err) == 0);
	CU_ASSERT(same_state(pid, &regs, mask));
	CU_ASSERT(crimg_proc_get(pid, regs.rsp - sizeof after, after, sizeof after, &err) == 0);
	CU_ASSERT(memcmp(before, after, sizeof after) == 0);
	CU_ASSERT(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	CU_ASSERT_EQUAL(finish(&subjects[0], pid), 0);
}

// A tracer that dies before its n-th step. True when it got through.
static bool dies_at(const struct subject *s, int n)
{
	int status;
	pid_t pid = start(s), tracer = fork();
	if (tracer == 0) {
		steps_left = n;
		_exit(take_and_leave(pid));
	}
	__real_waitpid(tracer, &status, 0);
	CU_ASSERT(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	if (!s->runs)
		wait_asleep(pid);
	int code = finish(s, pid);
	if (code != 0)
		fprintf(stderr, "%s, killed before step %d: %d\n", s->name, n, code);
	CU_ASSERT_EQUAL(code, 0);
	return WIFEXITED(status);
}

static void test_killed_at_every_step(void)
{
	for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
		int n = 0;
		if (!subjects[i].kills)
			continue;
		while (!dies_at(&subjects[i], n))
			n++;
		CU_ASSERT(n > 20);
	}
}

// Text without a restorer: `pop %rax; ret` and a `syscall` elsewhere do, and a frame in a place of our
// choice.
__asm__(".text\npop_and_return: pop %rax\nret\nbare_syscall: syscall\nud2\n");
extern const char pop_and_return[], bare_syscall[];

static void test_gate_that_pops(void)
{
	static uint8_t place[32768];
	struct crimg_remote_gate gate = {
		.start = (uint64_t)(uintptr_t)pop_and_return,
		.syscall = (uint64_t)(uintptr_t)bare_syscall,
	};
	int n = 0;
	given_gate = &gate;
	for (size_t i = 0; i < 2; i++, given_top = (uint64_t)(uintptr_t)(place + sizeof place)) {
		pid_t pid = start(&subjects[0]);
		CU_ASSERT_EQUAL(take_and_leave(pid), 0);
		CU_ASSERT_EQUAL(finish(&subjects[0], pid), 0);
	}
	while (!dies_at(&subjects[0], n))
		n++;
	CU_ASSERT(n > 15);
	given_gate = NULL;
	given_top = 0;
}

// A task that ends in between is told of, and leaves nothing to be done.
static void test_task_dies(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_remote r;
	const uint64_t none[6] = {0};
	int64_t result;
	pid_t pid = start(&subjects[0]);
	CU_ASSERT_FATAL(seize(pid) == 0);
	CU_ASSERT_FATAL(crimg_remote_begin(&r, pid, &err) == 0);
	kill(pid, SIGKILL);
	CU_ASSERT(crimg_remote_call(&r, SYS_getpid, none, &result, &err) < 0);
	CU_ASSERT(crimg_remote_end(&r, &err) < 0);
	CU_ASSERT(strstr(err.text, "task ") != NULL);
	__real_waitpid(pid, NULL, 0);
}

static void test_stop_signal(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_remote r;
	const uint64_t none[6] = {0};
	int64_t result;
	pid_t pid = start(&subjects[0]);
	CU_ASSERT_FATAL(seize(pid) == 0);
	CU_ASSERT_FATAL(crimg_remote_begin(&r, pid, &err) == 0);
	kill(pid, SIGSTOP);
	CU_ASSERT(crimg_remote_call(&r, SYS_getpid, none, &result, &err) < 0);
	CU_ASSERT_EQUAL(r.signal, SIGSTOP);
	struct crimg_err later = CRIMG_ERR_INIT;
	CU_ASSERT(crimg_remote_end(&r, &later) == 0);
	CU_ASSERT(ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)r.signal) == 0);
	for (int i = 0; i < 1000 && state_of(pid) != 'T'; i++)
		nap();
	CU_ASSERT_EQUAL(state_of(pid), 'T');
	kill(pid, SIGCONT);
	CU_ASSERT_EQUAL(finish(&subjects[0], pid), 0);
}

static int set_up(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{"registers, mask and memory are what they were", test_exact},
		{"tasks in system calls go on as if nothing had been", test_undisturbed},
		{"a sleep is as long as it was to be", test_time_left},
		{"text without a restorer", test_gate_that_pops},
		{"a task that dies is told of", test_task_dies},
		{"a stop signal ends the call and is delivered", test_stop_signal},
		{"a tracer killed at any step leaves the task sound", test_killed_at_every_step},
	};
	return SUITE_RUN("remote", set_up, NULL, tests);
}
