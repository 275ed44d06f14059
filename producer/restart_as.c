// Doing something as somebody else: the kernel notes who connected, and who sent, by process and user. A child under
// that number does it, on descriptors that it shares with crimg; when it has ended, the note stays.
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
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

struct deed {
	struct crimg_restart *r;
	const SkCredsEntry *creds;
	int (*what)(void *context);
	void *context;
	int keeper; // a pidfd; -1: there is none
};

// Under a number; or under any, where that cannot be had.
static pid_t bear(pid_t number)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	args.set_tid = number > 0 ? (uintptr_t)&number : 0;
	args.set_tid_size = number > 0;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	return pid >= 0 || number == 0 ? pid : bear(0);
}

// An errno.
static int await(pid_t pid)
{
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		continue;
	return pid < 0 ? EAGAIN : WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int do_it(const struct deed *d)
{
	pid_t pid = bear((pid_t)d->creds->pid);
	if (pid == 0) {
		become(d->creds);
		_exit(d->what(d->context) & 255);
	}
	return await(pid);
}

// Only children of whoever went there are in a pid namespace.
static int do_it_there(const struct deed *d)
{
	pid_t pid = bear(0);
	if (pid == 0)
		_exit(setns(d->keeper, (d->r->new_user ? CLONE_NEWUSER : 0) | CLONE_NEWPID) < 0 ? errno & 255 : do_it(d));
	return await(pid);
}

static int run(struct deed *d)
{
	if (d->r->keeper == 0)
		return do_it(d);
	d->keeper = (int)syscall(SYS_pidfd_open, d->r->keeper, 0);
	if (d->keeper < 0)
		return errno;
	int error = do_it_there(d);
	close(d->keeper);
	return error;
}

int crimg_restart_as(struct crimg_restart *r, const SkCredsEntry *creds, int (*what)(void *context), void *context,
                     struct crimg_err *err)
{
	struct deed d = { r, creds, what, context, -1 };
	if (creds != NULL && creds->pid != 0 && run(&d) == 0)
		return 0;
	int error = what(context);
	return error == 0 ? 0 : crimg_fail_sys(err, error, NULL, "a call on a unix socket");
}
