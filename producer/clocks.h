// Time namespaces: by how much a task's clocks are ahead of the host's. Knows /proc/PID/timens_offsets.
#ifndef CRIMG_PRODUCER_CLOCKS_H
#define CRIMG_PRODUCER_CLOCKS_H

#include <sys/types.h>
#include <time.h>

struct crimg_clocks {
	struct timespec monotonic, boottime; // nanoseconds below a second, and not negative
};

// What the clocks of pid say now, when its children have the same.
struct crimg_clocks crimg_clocks_of(pid_t pid);

// Children of this process get a time namespace in which the clocks say what wanted says, from now on.
// Allocates nothing. Returns 0, or an errno.
int crimg_clocks_set(const struct crimg_clocks *wanted);

#endif
