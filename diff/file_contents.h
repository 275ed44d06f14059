// Two open files that are the same one: what their messages say, and what belongs to them elsewhere in the
// image: bytes that wait in pipes and sockets, deleted files, watches, memfds, terminals.
#ifndef CRIMG_DIFF_FILE_CONTENTS_H
#define CRIMG_DIFF_FILE_CONTENTS_H

#include "diff/tell.h"

// Files of one type. scope names them.
void crimg_compare_file(const struct crimg_scope *s, const struct crimg_file *a,
                        const struct crimg_file *b);

#endif
