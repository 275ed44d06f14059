// Clocks that count from the machine's start: the tasks go on with what these said, in a time namespace, so that a
// deadline that was five minutes ahead is so again. Where none can be made they have this machine's.
#include "producer/restart_clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct timespec time_of(const Timespec *t)
{
	return t != NULL ? (struct timespec){ (time_t)t->tv_sec, (long)t->tv_nsec } : (struct timespec){ 0, 0 };
}

bool crimg_restart_clocks(const struct crimg_restart *r, struct crimg_clocks *out)
{
	const struct crimg_image_object *o = crimg_image_first(r->image, CRIMG_KIND_TIMENS);
	const TimensEntry *e =
		o != NULL ? crimg_image_get(r->image, CRIMG_KIND_TIMENS, o->object.id, NULL) : NULL;
	if (e == NULL || e->monotonic == NULL || e->boottime == NULL)
		return false;
	*out = (struct crimg_clocks){ time_of(e->monotonic), time_of(e->boottime) };
	return true;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

void crimg_restart_note_clocks(struct crimg_restart *r, pid_t pid)
{
	char path[64];
	struct crimg_clocks wanted;
	snprintf(path, sizeof path, "/proc/%d/ns/time", (int)pid);
	if (crimg_restart_clocks(r, &wanted) && same_file(path, "/proc/self/ns/time"))
		crimg_lines_add(&r->notes, "CLOCK_MONOTONIC is this machine's: no time namespace could be made");
}
