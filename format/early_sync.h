// Handing a large file to the disk while it is being written, so that the last fsync is short. Asking waits
// when the disk has enough to do: a thread of its own asks, and nobody waits for that.
#ifndef CRIMG_FORMAT_EARLY_SYNC_H
#define CRIMG_FORMAT_EARLY_SYNC_H

#include <stdint.h>

#define CRIMG_EARLY_SYNC_BYTES ((uint64_t)8 << 20) // it is asked each time so many were written

struct crimg_early_sync;

// fd is borrowed: until close, from which on only a duplicate is used. NULL when there is no such thread:
// the last fsync is longer then.
struct crimg_early_sync *crimg_early_sync_open(int fd);
// Bytes were written. Any thread may say so; s may be NULL.
void crimg_early_sync_note(struct crimg_early_sync *s, uint64_t offset, uint64_t length);
// No more will be: the thread asks for what is left, and ends by itself. NULL is allowed.
void crimg_early_sync_close(struct crimg_early_sync *s);
// Waits until the threads of all that were closed have ended, and their duplicates are closed: file systems can be
// unmounted then.
void crimg_early_sync_settle(void);

#endif
