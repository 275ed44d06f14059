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

int crimg_ns_enter(pid_t pid, const char *name, int type, int *back, struct crimg_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/thread-self/ns/%s", name);
	int own = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
	int theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || setns(theirs, type) < 0) {
		crimg_fail_sys(err, errno, NULL, "the %s namespace of process %d cannot be entered", name,
			       (int)pid);
		if (own >= 0)
			close(own);
		own = -1;
	}
	if (theirs >= 0)
		close(theirs);
	*back = own;
	return own < 0 ? -1 : 0;
}

int crimg_ns_leave(int back, int type, struct crimg_err *err)
{
	int rc = setns(back, type);
	int error = errno;
	close(back);
	return rc < 0 ? crimg_fail_sys(err, error, NULL, "crimg's own namespace cannot be entered again")
		      : 0;
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
