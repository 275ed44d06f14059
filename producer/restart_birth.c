// The birth of the root, with or without namespaces around it, and the end of tasks that must be dead.
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "producer/restart_birth.h"
#include "producer/restart_clock.h"

#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE)

static long clone_here(uint64_t flags, uint32_t number)
{
	pid_t tid = (pid_t)number;
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	if (number != 0) {
		args.set_tid = (uintptr_t)&tid;
		args.set_tid_size = 1;
	}
	return syscall(SYS_clone3, &args, sizeof args);
}

// Process 1 of the new namespace: waits for whoever has no other parent, and ends as the root did.
static _Noreturn void keep(uint32_t root)
{
	int status, result = 0;
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;)
		if (pid == (pid_t)root)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	_exit(result);
}

static char await_gate(int gate)
{
	char go = 0;
	while (read(gate, &go, 1) < 0 && errno == EINTR)
		continue;
	return go;
}

// What a new task runs: it waits until crimg has it, and ends with crimg. clocks: what those of the keeper's
// children are to say; or NULL.
static _Noreturn void wait_at_gate(const struct crimg_restart *r, bool keeper,
                                   const struct crimg_clocks *clocks)
{
	// The keeper has crimg's descriptors for now, and would not see that nobody is at the gate's other end.
	if (!keeper || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || await_gate(r->gate) != 'm') {
		await_gate(r->gate);
		_exit(127);
	}
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (clocks != NULL)
		(void)crimg_clocks_set(clocks); // crimg looks whether it could
	if (write(r->set_up, "s", 1) != 1 || await_gate(r->gate) != 'g')
		_exit(127);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	close_range(3, ~0U, 0);
	keep(r->tasks.list[0].pid);
}

static int write_map(pid_t pid, const char *file, const char *text, struct crimg_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		crimg_fail_sys(err, errno, path, "cannot be written");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

// Whoever runs crimg is the same there.
static int map_user(pid_t pid, struct crimg_err *err)
{
	char text[64];
	snprintf(text, sizeof text, "%u %u 1", geteuid(), geteuid());
	if (write_map(pid, "uid_map", text, err) < 0 || write_map(pid, "setgroups", "deny", err) < 0)
		return -1;
	snprintf(text, sizeof text, "%u %u 1", getegid(), getegid());
	return write_map(pid, "gid_map", text, err);
}

static void block_signals(sigset_t *old)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGTRAP);
	sigprocmask(SIG_SETMASK, &all, old);
}

// A number is taken for as long as it names a session or group of somebody: of whoever was killed a moment ago, too,
// which /proc does not show any more.
static long clone_patiently(uint64_t flags, uint32_t number)
{
	const struct timespec pause = { 0, 10 * 1000 * 1000 };
	long pid = clone_here(flags, number);
	for (unsigned i = 0; pid < 0 && errno == EEXIST && i < 50; i++) {
		nanosleep(&pause, NULL);
		pid = clone_here(flags, number);
	}
	return pid;
}

static int create(struct crimg_restart *r, uint64_t flags, uint32_t number, bool keeper,
                  pid_t *out, struct crimg_err *err)
{
	sigset_t old;
	struct crimg_clocks clocks;
	bool has_clocks = crimg_restart_clocks(r, &clocks);
	block_signals(&old);
	// The root, when it is crimg's child, has what crimg sets for its children.
	if (!keeper && has_clocks)
		(void)crimg_clocks_set(&clocks);
	long pid = clone_patiently(flags | CLONE_CLEAR_SIGHAND, number);
	if (pid == 0) {
		if (!keeper)
			close(r->gate_in);
		wait_at_gate(r, keeper, has_clocks ? &clocks : NULL);
	}
	int error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return crimg_fail_sys(err, error, NULL, "creating %s %u",
		                      keeper ? "a pid namespace for process" : "process",
		                      r->tasks.list[0].pid);
	*out = (pid_t)pid;
	return (flags & CLONE_NEWUSER) != 0 ? map_user(*out, err) : 0;
}

static uint64_t namespaces(const struct crimg_restart *r)
{
	return (r->namespaces & ~(uint64_t)CLONE_NEWPID) | (r->new_pids ? CLONE_NEWPID : 0)
		| (r->new_user ? CLONE_NEWUSER : 0);
}

static int seize(struct crimg_restart *r, struct crimg_puppet *p, pid_t pid, struct crimg_err *err)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return crimg_fail_sys(err, errno, NULL, "tracing task %u", p->shown);
	return crimg_puppet_adopt(p, &r->stage, pid, err);
}

// The C library registered it in crimg; its memory goes.
static int drop_rseq(struct crimg_puppet *p, struct crimg_err *err)
{
	struct __ptrace_rseq_configuration c = { .rseq_abi_pointer = 0 };
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, p->tid, sizeof c, &c) < 0 || c.rseq_abi_pointer == 0)
		return 0;
	if (CRIMG_DO(p, err, "leaving restartable sequences", NULL, SYS_rseq, c.rseq_abi_pointer,
	             c.rseq_abi_size, 1, c.signature) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// Process 1 tells that it is set up; or it ends.
static bool await_set_up(pid_t pid, int pipe)
{
	struct pollfd p[2] = { { .fd = pipe, .events = POLLIN }, { .events = POLLIN } };
	p[1].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (poll(p, 2, -1) < 0 && errno == EINTR)
		continue;
	if (p[1].fd >= 0)
		close(p[1].fd);
	return (p[0].revents & POLLIN) != 0 && await_gate(pipe) == 's';
}

// Process 1, which has its /proc and its children's clocks when this returns, and crimg's descriptors.
static int create_keeper(struct crimg_restart *r, struct crimg_err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return crimg_fail_sys(err, errno, NULL, "a pipe");
	r->set_up = ends[1];
	int rc = create(r, namespaces(r) | CLONE_NEWNS | CLONE_FILES, 0, true, &r->keeper, err);
	if (rc == 0 && (write(r->gate_in, "m", 1) != 1 || !await_set_up(r->keeper, ends[0])))
		rc = crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "process 1 of the pid namespace ended");
	close(ends[0]);
	close(ends[1]);
	if (rc < 0)
		return -1;
	r->first = (struct crimg_puppet){ .shown = 1, .name = "process 1 of crimg" };
	if (seize(r, &r->first, r->keeper, err) < 0)
		return -1;
	return ptrace(PTRACE_GETREGS, r->first.tid, NULL, &r->first_regs) == 0
		? 0 : crimg_fail_sys(err, errno, NULL, "reading the registers of process 1");
}

static bool has_keeper(const struct crimg_restart *r)
{
	return r->new_pids && r->actors[0].task->pid != 1;
}

int crimg_restart_prepare(struct crimg_restart *r, struct crimg_err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return crimg_fail_sys(err, errno, NULL, "a pipe");
	r->gate = fcntl(ends[0], F_DUPFD_CLOEXEC, 3); // above those that the keeper replaces
	r->gate_in = ends[1];
	close(ends[0]);
	if (r->gate < 0)
		return crimg_fail_sys(err, errno, NULL, "a pipe");
	return has_keeper(r) ? create_keeper(r, err) : 0;
}

// The keeper bears the root, with what crimg has open by now, and goes back to where it was.
static int bear_by_keeper(struct crimg_restart *r, struct crimg_puppet *root, struct crimg_err *err)
{
	struct crimg_puppet *keeper = &r->first;
	if (CRIMG_DO(keeper, err, "having descriptors of its own", NULL, SYS_unshare, CLONE_FILES) < 0
	    || CRIMG_DO(keeper, err, "outliving crimg", NULL, SYS_prctl, PR_SET_PDEATHSIG, 0) < 0
	    || CRIMG_DO(keeper, err, "closing", NULL, SYS_close, (uint64_t)r->gate_in) < 0
	    || crimg_puppet_flush(keeper, err) < 0)
		return -1;
	if (crimg_restart_bear(keeper, 0, root->shown, root, err) < 0)
		return -1;
	// An end of a pipe that it kept would keep the pipe.
	uint64_t gate = (uint64_t)r->gate;
	if (CRIMG_DO(keeper, err, "closing", NULL, SYS_close_range, 3, gate - 1) < 0
	    || CRIMG_DO(keeper, err, "closing", NULL, SYS_close_range, gate + 1, UINT32_MAX) < 0
	    || crimg_puppet_flush(keeper, err) < 0)
		return -1;
	if (ptrace(PTRACE_SETREGS, keeper->tid, NULL, &r->first_regs) < 0
	    || ptrace(PTRACE_DETACH, keeper->tid, NULL, NULL) < 0)
		return crimg_fail_sys(err, errno, NULL, "letting process 1 go");
	return 0;
}

int crimg_restart_first(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_actor *a = &r->actors[0];
	struct crimg_puppet *p = &a->puppets[0];
	p->shown = a->task->pid;
	p->name = crimg_task_comm(a->task);
	if (has_keeper(r)) {
		if (bear_by_keeper(r, p, err) < 0)
			return -1;
		r->root = p->tid;
	} else {
		if (create(r, namespaces(r), p->shown, false, &r->root, err) < 0 || seize(r, p, r->root, err) < 0)
			return -1;
	}
	a->count = 1;
	a->number = r->root;
	crimg_restart_note_clocks(r, r->root);
	return drop_rseq(p, err);
}

void crimg_restart_open_gate(struct crimg_restart *r)
{
	if (r->keeper > 0 && write(r->gate_in, "g", 1) != 1)
		kill(r->keeper, SIGKILL); // it is gone already
}

// A signal ends it as a signal did; without a dump, which belongs to the first death.
static int prepare_for_signal(struct crimg_puppet *p, int signal, struct crimg_err *err)
{
	static const struct rlimit none = { 0, 0 };
	static const uint64_t by_default[4] = { 0 };
	if (CRIMG_DO(p, err, "a limit on dumps", NULL, SYS_prlimit64, 0, RLIMIT_CORE,
	             crimg_puppet_lend(p, &none, sizeof none)) < 0)
		return -1;
	if (signal != SIGKILL && CRIMG_DO(p, err, "a signal's default", NULL, SYS_rt_sigaction,
	                                  (uint64_t)signal,
	                                  crimg_puppet_lend(p, by_default, sizeof by_default), 0, 8) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

int crimg_restart_end(struct crimg_puppet *p, uint32_t status, struct crimg_err *err)
{
	int signal = WTERMSIG((int)status);
	char comm[16] = "";
	snprintf(comm, sizeof comm, "%s", p->name);
	if (CRIMG_DO(p, err, "its name", NULL, SYS_prctl, PR_SET_NAME,
	             crimg_puppet_lend(p, comm, sizeof comm)) < 0)
		return -1;
	if (signal != 0 && prepare_for_signal(p, signal, err) < 0)
		return -1;
	return crimg_puppet_end(p, (int)status, err);
}
