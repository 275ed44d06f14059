// Reading and setting the offsets of time namespaces.
#include "producer/clocks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS 1000000000L
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static struct timespec normal(time_t sec, long nsec)
{
	if (nsec >= SECOND_NS)
		return (struct timespec){sec + 1, nsec - SECOND_NS};
	return nsec < 0 ? (struct timespec){sec - 1, nsec + SECOND_NS} : (struct timespec){sec, nsec};
}

static struct timespec plus(struct timespec a, struct timespec b)
{
	return normal(a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec);
}

static struct timespec minus(struct timespec a, struct timespec b)
{
	return normal(a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec);
}

// "monotonic           -3   500000000"
static struct timespec offset_of(const char *text, const char *name)
{
	long long sec;
	long nsec;
	const char *line = strstr(text, name);
	if (line == NULL || sscanf(line + strlen(name), "%lld %ld", &sec, &nsec) != 2)
		return (struct timespec){0, 0};
	return (struct timespec){(time_t)sec, nsec};
}

static struct crimg_clocks offsets(pid_t pid)
{
	struct crimg_clocks out = {{0, 0}, {0, 0}};
	char path[64], text[256];
	snprintf(path, sizeof path, "/proc/%d/timens_offsets", (int)(pid != 0 ? pid : getpid()));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
	if (n > 0) {
		text[n] = '\0';
		out.monotonic = offset_of(text, "monotonic");
		out.boottime = offset_of(text, "boottime");
	}
	if (fd >= 0)
		close(fd);
	return out;
}

static struct crimg_clocks now(void)
{
	struct crimg_clocks out = {{0, 0}, {0, 0}};
	clock_gettime(CLOCK_MONOTONIC, &out.monotonic);
	clock_gettime(CLOCK_BOOTTIME, &out.boottime);
	return out;
}

struct crimg_clocks crimg_clocks_of(pid_t pid)
{
	struct crimg_clocks own = offsets(0), theirs = offsets(pid), here = now();
	return (struct crimg_clocks){
		plus(here.monotonic, minus(theirs.monotonic, own.monotonic)),
		plus(here.boottime, minus(theirs.boottime, own.boottime)),
	};
}

// Before the first child is there, the offsets are still those of this process's own namespace.
int crimg_clocks_set(const struct crimg_clocks *wanted)
{
	char text[160];
	struct crimg_clocks own = offsets(0), here;
	if (unshare(CLONE_NEWTIME) < 0)
		return errno;
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	here = now();
	struct timespec monotonic = plus(minus(wanted->monotonic, here.monotonic), own.monotonic);
	struct timespec boottime = plus(minus(wanted->boottime, here.boottime), own.boottime);
	int n = snprintf(text, sizeof text, "monotonic %lld %ld\nboottime %lld %ld\n",
			 (long long)monotonic.tv_sec, monotonic.tv_nsec, (long long)boottime.tv_sec,
			 boottime.tv_nsec);
	int error = write(fd, text, (size_t)n) == n ? 0 : errno;
	close(fd);
	return error;
}
