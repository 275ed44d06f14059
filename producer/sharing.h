// Which tasks share what: the kernel compares two of them, in an order of its own. Numbers are given so
// that the same object gets the same number. Knows kcmp; refuses to guess.
#ifndef CRIMG_PRODUCER_SHARING_H
#define CRIMG_PRODUCER_SHARING_H

#include <sys/types.h>

#include "format/err.h"

// What is compared: KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, … of <linux/kcmp.h>.
struct crimg_sharing {
	int type;
	struct crimg_shared {
		pid_t pid;
		int fd; // of KCMP_FILE
		uint32_t id;
	} *sorted;      // in the kernel's order
	size_t count, capacity;
	uint32_t last;  // number given last
};

// The number of what task pid has (at fd); *fresh: nobody had it before, and it got the next number.
CRIMG_MUST_CHECK int crimg_sharing_id(struct crimg_sharing *s, pid_t pid, int fd, uint32_t *id,
                                      bool *fresh, struct crimg_err *err);
// Whom the kernel calls the same object; *holder NULL: nobody's. Valid until the next one is numbered.
CRIMG_MUST_CHECK int crimg_sharing_find(const struct crimg_sharing *s, pid_t pid, int fd,
                                        const struct crimg_shared **holder, struct crimg_err *err);
void crimg_sharing_fini(struct crimg_sharing *s);

#endif
