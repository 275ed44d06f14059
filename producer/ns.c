// Namespaces of live processes.
#include "producer/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/thread.h"

#define FIRST_USER_INODE 0xeffffffdu // Source: Linux include/linux/proc_ns.h

bool crimg_ns_shared(pid_t a, const char *name_a, pid_t b, const char *name_b)
{
	char path[64];
	struct stat x, y;
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)a, name_a);
	if (stat(path, &x) < 0)
		return true;
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)b, name_b);
	return stat(path, &y) < 0 || (x.st_ino == y.st_ino && x.st_dev == y.st_dev);
}

struct visit {
	pid_t pid;
	const char *name;
	int type;
	int (*look)(void *context, struct crimg_err *err);
	void *context;
	struct crimg_err *err;
	int rc;
};

static void *visit(void *argument)
{
	struct visit *v = argument;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)v->pid, v->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, v->type) < 0)
		v->rc = crimg_fail_sys(v->err, errno, NULL,
				       "the %s namespace of process %d cannot be entered", v->name, (int)v->pid);
	else
		v->rc = v->look(v->context, v->err);
	if (fd >= 0)
		close(fd);
	return NULL;
}

int crimg_ns_visit(pid_t pid, const char *name, int type, int (*look)(void *context, struct crimg_err *err),
		   void *context, struct crimg_err *err)
{
	struct visit v = {pid, name, type, look, context, err, -1};
	pthread_t thread;
	int number = crimg_thread_begin(&thread, visit, &v);
	if (number != 0)
		return crimg_fail_sys(err, number, NULL, "a thread");
	pthread_join(thread, NULL);
	return v.rc;
}

bool crimg_ns_capable(unsigned capability)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}};
	return syscall(SYS_capget, &head, data) == 0
	       && (data[capability / 32].effective >> capability % 32 & 1) != 0;
}

bool crimg_ns_capable_first(unsigned capability)
{
	struct stat st;
	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == FIRST_USER_INODE
	       && crimg_ns_capable(capability);
}

bool crimg_ns_owns_pids(void)
{
	int fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	int owner = fd < 0 ? -1 : ioctl(fd, NS_GET_USERNS); // of another one above, it is not told
	if (owner >= 0)
		close(owner);
	if (fd >= 0)
		close(fd);
	return owner >= 0;
}
