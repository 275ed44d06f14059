// Limits first, then a list of system calls: all others fail with EPERM. What the child could still do is read
// what its user may read, and write to the pipe.
#include "inspect/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/names.h"

// The sanitizer maps terabytes, and makes system calls of its own.
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_HERE AUDIT_ARCH_AARCH64
#else
#define AUDIT_ARCH_HERE 0
#endif

enum { CHILD_UNCONFINED = 90 }; // exit code

// Open files and memory; openat2 cannot be told from others by its flags: the path is what it is.
static const uint32_t allowed_calls[] = {
	SYS_read, SYS_pread64, SYS_write, SYS_close, SYS_lseek, SYS_fstat, SYS_newfstatat, SYS_dup,
	SYS_fcntl, SYS_openat2, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
	SYS_futex, SYS_getrandom, SYS_clock_gettime, SYS_exit, SYS_exit_group,
};
#define ALLOWED_COUNT (sizeof allowed_calls / sizeof allowed_calls[0])

// A kernel without seccomp is no reason to stop: the other limits hold.
static void filter_calls(void)
{
	struct sock_filter code[2 * ALLOWED_COUNT + 5];
	unsigned short n = 0;
	if (SANITIZED || AUDIT_ARCH_HERE == 0)
		return;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                         offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_HERE, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	                                         offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED_COUNT; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i],
		                                         0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	struct sock_fprog program = { .len = n, .filter = code };
	(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Bytes of address space in use; 0 when that is not to be known.
static uint64_t mapped_bytes(void)
{
	char text[64];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool limit(__rlimit_resource_t what, rlim_t soft, rlim_t hard)
{
	struct rlimit now, wanted = { soft, hard };
	if (getrlimit(what, &now) < 0)
		return false;
	if (wanted.rlim_max > now.rlim_max)
		wanted.rlim_max = now.rlim_max;
	if (wanted.rlim_cur > wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max;
	return setrlimit(what, &wanted) == 0;
}

// The libraries that run here complain on standard error: nobody is to see that.
static bool quiet_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return false;
	bool good = dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0
		&& dup2(null, STDERR_FILENO) >= 0;
	if (null > STDERR_FILENO)
		close(null);
	return good;
}

static bool confine(const struct crimg_child_limits *limits, pid_t parent)
{
	uint64_t memory = mapped_bytes() + limits->memory_bytes;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent
	    || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !quiet_streams())
		return false;
	signal(SIGPIPE, SIG_DFL);
	if (!limit(RLIMIT_CORE, 0, 0) || !limit(RLIMIT_FSIZE, 0, 0)
	    || !limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 1)
	    || (!SANITIZED && !limit(RLIMIT_AS, memory, memory)))
		return false;
	filter_calls();
	return true;
}

int crimg_child_start(const struct crimg_child_limits *limits, crimg_child_fn *run, void *context,
                      struct crimg_child *out, struct crimg_err *err)
{
	int ends[2];
	pid_t parent = getpid();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return crimg_fail_sys(err, errno, NULL, "no pipe can be made");
	pid_t pid = fork();
	if (pid < 0) {
		int error = errno;
		close(ends[0]);
		close(ends[1]);
		return crimg_fail_sys(err, error, NULL, "no child process can be made");
	}
	if (pid == 0) {
		close(ends[0]);
		if (!confine(limits, parent))
			_exit(CHILD_UNCONFINED);
		run(context, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	*out = (struct crimg_child){ .pid = pid, .fd = ends[0],
		                     .wait_seconds = limits->wait_seconds };
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// True once fd has something to say; false after that many milliseconds.
static bool wait_for(int fd, uint64_t ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = now_ms() + ms;
	for (uint64_t now = end - ms; now <= end; now = now_ms()) {
		int n = poll(&p, 1, (int)(end - now));
		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
	return false;
}

size_t crimg_child_read(struct crimg_child *c, void *buf, size_t size)
{
	if (c->late)
		return 0;
	if (!wait_for(c->fd, (uint64_t)c->wait_seconds * 1000)) {
		c->late = true;
		return 0;
	}
	ssize_t n;
	do
		n = read(c->fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n > 0 ? (size_t)n : 0;
}

// A child that has closed its pipe is mostly dying already: how is worth a moment.
static void let_die(const struct crimg_child *c)
{
	int fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (fd < 0)
		return;
	(void)wait_for(fd, 1000);
	close(fd);
}

char *crimg_child_end(struct crimg_child *c, bool complete, char *why, size_t size)
{
	int status = 0;
	char name[32];
	pid_t done;
	close(c->fd);
	if (!complete && !c->late)
		let_die(c);
	kill(c->pid, SIGKILL); // of one that is dead already, nothing comes
	do
		done = waitpid(c->pid, &status, 0);
	while (done < 0 && errno == EINTR);
	if (complete)
		snprintf(why, size, "done");
	else if (c->late)
		snprintf(why, size, "did not answer for %u s", c->wait_seconds);
	else if (done == c->pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(why, size, "took too long");
	else if (done == c->pid && WIFSIGNALED(status))
		snprintf(why, size, "killed by %s",
		         crimg_signal_text((uint64_t)WTERMSIG(status), name, sizeof name));
	else if (done == c->pid && WEXITSTATUS(status) == CHILD_UNCONFINED)
		snprintf(why, size, "its limits could not be set");
	else
		snprintf(why, size, "ended too early");
	return why;
}
