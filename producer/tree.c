// Walking processes in /proc: numbers of directories, children, fields of stat.
#include "producer/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "producer/proc.h"

#define CHILDREN_OF_US "/proc/thread-self/children"

uint64_t crimg_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int crimg_each_number(const char *path, int (*one)(void *context, int number), void *context,
		      struct crimg_err *err)
{
	int rc = 0;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
			rc = one(context, atoi(e->d_name));
	closedir(dir);
	return rc;
}

struct child_walk {
	pid_t pid;
	int (*one)(void *context, int pid);
	void *context;
	struct crimg_buf text;
	struct crimg_err *err;
};

static int children_of_thread(void *context, int tid)
{
	struct child_walk *w = context;
	struct crimg_err gone = CRIMG_ERR_INIT; // a thread that ended meanwhile has none
	char name[64];
	int rc = 0;
	snprintf(name, sizeof name, "task/%d/children", tid);
	if (crimg_proc_read(w->pid, name, &w->text, &gone) < 0)
		return access("/proc/self/task", F_OK) == 0 && access(CHILDREN_OF_US, F_OK) < 0
			       ? crimg_fail(w->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					    "this kernel does not list children (CONFIG_PROC_CHILDREN)")
			       : 0;
	for (char *p = (char *)w->text.data, *end; rc == 0; p = end) {
		long pid = strtol(p, &end, 10);
		if (end == p)
			break;
		rc = w->one(w->context, (int)pid);
	}
	return rc;
}

int crimg_each_child(pid_t pid, int (*one)(void *context, int pid), void *context,
		     struct crimg_err *err)
{
	struct child_walk w = {.pid = pid, .one = one, .context = context, .err = err};
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	int rc = crimg_each_number(path, children_of_thread, &w, err);
	crimg_buf_fini(&w.text);
	return rc;
}

static const char *behind_name(const char *stat)
{
	const char *p = strrchr(stat, ')'); // the name may hold anything
	return p != NULL && p[1] == ' ' ? p + 2 : "";
}

char crimg_stat_state(const char *stat)
{
	return *behind_name(stat);
}

uint64_t crimg_stat_number(const char *stat, unsigned field)
{
	const char *p = behind_name(stat);
	for (unsigned i = 3; i < field && p != NULL; i++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	return p != NULL ? strtoull(p, NULL, 10) : 0;
}

bool crimg_stat_is_kernel(const char *stat)
{
	enum { FLAGS = 9, PF_KTHREAD = 0x200000 };
	return (crimg_stat_number(stat, FLAGS) & PF_KTHREAD) != 0;
}
