// A running tree of processes as an image: the reader driver "live" (readers/readers.h), named pid:N. The
// tree is frozen as long as a reader of it is open (one freeze, however many readers), and then goes on.
#ifndef CRIMG_PRODUCER_LIVE_H
#define CRIMG_PRODUCER_LIVE_H

#include "format/image.h"
#include "format/schema.h"
#include "producer/tree.h"

// Ends the freeze of the tree of pid now, in this way: no contents can be read any more. Nothing, when it
// is not frozen. An error: it cannot be killed without its connections' other ends hearing of it; it stands.
CRIMG_MUST_CHECK int crimg_live_thaw(pid_t pid, enum crimg_thaw how, struct crimg_err *err);
// What is not in the image of pid, lines for the user; NULL: no reader of it is open.
const struct crimg_buf *crimg_live_notes(pid_t pid);

// The memory of the tree of pid as an image that pid:N names from now on, while its tasks run,
// until crimg_live_predumped(): then pid:N is the tree again, and its image holds only pages that
// were written since. *stopped_us: how long the tree stood still for it.
CRIMG_MUST_CHECK int crimg_live_predump(pid_t pid, uint64_t *stopped_us, struct crimg_err *err);
// link is what the image's symbolic link "parent" says.
CRIMG_MUST_CHECK int crimg_live_predumped(pid_t pid, const char *link, struct crimg_err *err);
// The image of pid taken from now on holds only pages that are not equal in image, which is taken
// over.
CRIMG_MUST_CHECK int crimg_live_parent(pid_t pid, struct crimg_image *image, const char *link,
                                       struct crimg_err *err);
// No image has a parent any more, and nobody is watched.
void crimg_live_forget_parent(void);

// Images taken from now on have no statistics: who asks for them writes what crimg_live_stats tells once the
// contents are read.
void crimg_live_without_stats(void);
// Trees taken from now on go on as soon as their contents lie in a file without a name in dir (borrowed), from
// where they are read. stopped is asked now and then whether to give up; it may be NULL.
void crimg_live_spool(const char *dir, bool (*stopped)(void));
// Trees taken from now on are refused where something of these kinds (CRIMG_LEAK_…) is held outside them, too; found
// is told each such thing.
void crimg_live_enforce(unsigned kinds, void (*found)(void *context, const char *leak), void *context);
// Images taken from now on are to be stored: what waits in terminals is read and put back, and files that cannot be found
// get another name (capture_links.c), which goes with the image; unless the latter says, of the tree of pid, that it is.
void crimg_live_thorough(void);
void crimg_live_keep_links(pid_t pid);
// Of the tree of pid, until it went on or until now. False: no reader of it is open.
bool crimg_live_stats(pid_t pid, DumpStatsEntry *out);

#endif
