// Namespaces of live processes: whose is whose, and being in another one for a while. Knows /proc/PID/ns.
#ifndef CRIMG_PRODUCER_NS_H
#define CRIMG_PRODUCER_NS_H

#include <sys/types.h>

#include "format/err.h"

// a, in its namespace of sort name_a ("ipc", "time_for_children"), is where b is; true when that cannot be
// told.
bool crimg_ns_shared(pid_t a, const char *name_a, pid_t b, const char *name_b);

// What look finds in the namespace of sort name ("ipc"; type: CLONE_NEWIPC) that pid is in: a thread goes there, calls
// it and ends. (Who is root of a user namespace may enter what is below, but not come back.) Returns what look does.
CRIMG_MUST_CHECK int crimg_ns_visit(pid_t pid, const char *name, int type,
				    int (*look)(void *context, struct crimg_err *err), void *context,
				    struct crimg_err *err);

// Whether crimg has a capability (CAP_…) in its user namespace; and in the first one, which is what the kernel wants to
// be asked about filters of system calls. Then: whether its pid namespace belongs to that user namespace, or to one below.
bool crimg_ns_capable(unsigned capability);
bool crimg_ns_capable_first(unsigned capability);
bool crimg_ns_owns_pids(void);

#endif
