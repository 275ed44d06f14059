// Freezing the control groups of a tree, thawing them, and the guard who does so if we cannot.
#include "producer/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "producer/tree.h"

#define PATIENCE_US                                                                                \
	1000000u // for all of a group to stand: one that sleeps where no signal reaches it may not

// Async-signal-safe: the guard has nothing else.
static bool set_state(const struct crimg_cgroup *g, bool frozen)
{
	const char *text = g->unified ? (frozen ? "1" : "0") : frozen ? "FROZEN" : "THAWED";
	char path[PATH_MAX];
	size_t length = strlen(g->folder);
	const char *name = g->unified ? "/cgroup.freeze" : "/freezer.state";
	if (length + strlen(name) >= sizeof path)
		return false;
	memcpy(path, g->folder, length);
	strcpy(path + length, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	int number = errno;
	if (fd >= 0)
		close(fd);
	errno = number;
	return done;
}

static void put_back(const void *context)
{
	const struct crimg_freezer *f = context;
	for (size_t i = 0; i < f->count; i++)
		if (f->groups[i].top || f->groups[i].was_frozen)
			set_state(&f->groups[i], f->groups[i].was_frozen);
}

static void forget(struct crimg_freezer *f)
{
	crimg_guard_dismiss(&f->guard);
	for (size_t i = 0; i < f->count; i++)
		free(f->groups[i].folder);
	free(f->groups);
	*f = (struct crimg_freezer){.groups = NULL};
}

static bool was_frozen(const struct crimg_freezer *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->groups[i].was_frozen)
			return true;
	return false;
}

// Whoever does not stand in time is caught by ptrace all the same, which then says what is wrong.
static void wait_until_they_stand(const struct crimg_freezer *f)
{
	uint64_t from = crimg_now_us();
	for (size_t i = 0; i < f->count && crimg_now_us() - from < PATIENCE_US;)
		if (!f->groups[i].top
		    || crimg_cgroup_stands(f->groups[i].folder, f->groups[i].unified))
			i++;
		else
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static int freeze(struct crimg_freezer *f, struct crimg_err *err)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->groups[i].top && !set_state(&f->groups[i], true))
			return crimg_fail_sys(err, errno, f->groups[i].folder,
					      "this control group cannot be frozen");
	wait_until_they_stand(f);
	return 0;
}

int crimg_freezer_freeze(struct crimg_freezer *f, pid_t root, struct crimg_err *err)
{
	struct crimg_err mine = CRIMG_ERR_INIT;
	int rc = crimg_cgroups_find(f, root, err);
	if (rc == 0 && f->count > 0)
		rc = crimg_guard_start(&f->guard, put_back, f, err);
	if (rc == 0 && freeze(f, &mine) < 0) {
		put_back(f);
		if (was_frozen(f)) {
			*err = mine;
			rc = -1;
		}
		forget(f);
	}
	if (rc < 0)
		forget(f);
	return rc;
}

int crimg_freezer_release(struct crimg_freezer *f, struct crimg_err *err)
{
	for (size_t i = 0; i < f->count; i++)
		if ((f->groups[i].top || f->groups[i].was_frozen)
		    && !set_state(&f->groups[i], false))
			return crimg_fail_sys(err, errno, f->groups[i].folder,
					      "this control group cannot be thawed");
	if (!was_frozen(f))
		forget(f);
	return 0;
}

void crimg_freezer_restore(struct crimg_freezer *f)
{
	put_back(f);
	forget(f);
}
