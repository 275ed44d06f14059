// Namespaces of live processes.
#include "producer/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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
