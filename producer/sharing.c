// A sorted array, searched with kcmp: log n system calls an object.
#include "producer/sharing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/buf.h"

enum { SAME, BELOW, ABOVE }; // kcmp's answers

static int compare(const struct crimg_sharing *s, pid_t pid, int fd, const struct crimg_shared *with,
		   struct crimg_err *err)
{
	long rc = syscall(SYS_kcmp, pid, with->pid, s->type, (unsigned long)fd,
			  (unsigned long)with->fd);
	if (rc == SAME || rc == BELOW || rc == ABOVE)
		return (int)rc;
	return crimg_fail_sys(err, rc < 0 ? errno : EINVAL, NULL,
			      "tasks %d and %d cannot be compared (kcmp)", (int)pid, (int)with->pid);
}

static int insert(struct crimg_sharing *s, size_t at, struct crimg_shared what, struct crimg_err *err)
{
	void *array = s->sorted;
	if (crimg_grow(&array, &s->capacity, s->count, sizeof *s->sorted, err) < 0)
		return -1;
	s->sorted = array;
	memmove(s->sorted + at + 1, s->sorted + at, (s->count - at) * sizeof *s->sorted);
	s->sorted[at] = what;
	s->count++;
	return 0;
}

// Where the object stands (1), or would (0).
static int search(const struct crimg_sharing *s, pid_t pid, int fd, size_t *at, struct crimg_err *err)
{
	size_t low = 0, high = s->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(s, pid, fd, &s->sorted[middle], err);
		if (order < 0)
			return -1;
		*at = middle;
		if (order == SAME)
			return 1;
		if (order == BELOW)
			high = middle;
		else
			low = middle + 1;
	}
	*at = low;
	return 0;
}

int crimg_sharing_id(struct crimg_sharing *s, pid_t pid, int fd, uint32_t *id, bool *fresh,
		     struct crimg_err *err)
{
	size_t at;
	int found = search(s, pid, fd, &at, err);
	if (found < 0
	    || (found == 0 && insert(s, at, (struct crimg_shared){pid, fd, s->last + 1}, err) < 0))
		return -1;
	*fresh = found == 0;
	*id = *fresh ? ++s->last : s->sorted[at].id;
	return 0;
}

int crimg_sharing_find(const struct crimg_sharing *s, pid_t pid, int fd,
		       const struct crimg_shared **holder, struct crimg_err *err)
{
	size_t at;
	int found = search(s, pid, fd, &at, err);
	if (found < 0)
		return -1;
	*holder = found == 1 ? &s->sorted[at] : NULL;
	return 0;
}

void crimg_sharing_fini(struct crimg_sharing *s)
{
	free(s->sorted);
	s->sorted = NULL;
	s->count = s->capacity = 0;
}
