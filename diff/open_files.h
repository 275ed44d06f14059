// Open files: which file of one image is which of the other, and what changed in them: descriptors,
// positions, sizes, sockets and what waits in them.
#ifndef CRIMG_DIFF_OPEN_FILES_H
#define CRIMG_DIFF_OPEN_FILES_H

#include "diff/tell.h"
#include "format/file_words.h"

// Whether file a of the first image is file b of the second: of the same type and name, and not met with
// another before. The first time two files meet, they are put down to be compared, as what scope's subject
// refers to. 0 is no file.
bool crimg_same_file(const struct crimg_scope *s, uint32_t a, uint32_t b);
// "/var/log/app.log", "pipe:[427806] (holds 15 B)"; NULL for no file (id 0). Returns out.
const char *crimg_file_name(struct crimg_diff *d, int side, uint32_t id, char *out, size_t size);

// The descriptor tables of a pair of tasks.
void crimg_compare_descriptors(struct crimg_diff *d, const struct crimg_task_pair *pair);
// Compares the files that were put down.
void crimg_compare_met_files(struct crimg_diff *d);
// What a task without partner holds is told with it.
void crimg_pass_over_files(struct crimg_diff *d, int side, const struct crimg_task *task);
void crimg_meetings_free(struct crimg_meetings *meetings); // NULL is allowed
// Files that no task of both images holds.
void crimg_compare_other_files(struct crimg_diff *d);

#endif
