// Doing something as somebody else: the kernel notes who connected, and who sent, by process and user. A child under
// that number does it, on descriptors that it shares with crimg; when it has ended, the note stays.
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/restart_unix.h"

// Only the effective ones, so that the privileges of crimg are there still: for a path that this user may not follow.
static void become(const SkCredsEntry *creds)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	bool had = syscall(SYS_capget, &head, sets) == 0;
	(void)syscall(SYS_setresgid, -1, creds->gid, -1);
	(void)syscall(SYS_setresuid, -1, creds->uid, -1);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].effective = sets[i].permitted;
	if (had)
		(void)syscall(SYS_capset, &head, sets);
}

static pid_t bear(const struct crimg_restart *r, const SkCredsEntry *creds)
{
	pid_t number = (pid_t)creds->pid;
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	if (!r->new_pids && number > 0) {
		args.set_tid = (uintptr_t)&number;
		args.set_tid_size = 1;
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid >= 0 || args.set_tid_size == 0)
		return pid;
	args.set_tid = args.set_tid_size = 0;
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static int run(struct crimg_restart *r, const SkCredsEntry *creds, int (*what)(void *context), void *context,
               int *error)
{
	int status;
	pid_t pid = bear(r, creds);
	if (pid == 0) {
		become(creds);
		_exit(what(context) & 255);
	}
	while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		continue;
	*error = pid < 0 ? EAGAIN : WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
	return pid;
}

int crimg_restart_as(struct crimg_restart *r, const SkCredsEntry *creds, int (*what)(void *context), void *context,
                     struct crimg_err *err)
{
	int error = 0;
	bool other = creds != NULL
		&& (creds->pid != 0 || creds->uid != geteuid() || creds->gid != getegid());
	if (other && run(r, creds, what, context, &error) >= 0 && error == 0)
		return 0;
	error = what(context);
	return error == 0 ? 0 : crimg_fail_sys(err, error, NULL, "a call on a unix socket");
}
