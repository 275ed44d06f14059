// The commands of crit, apart from its command line. Each prints to standard output or fails with err.
#ifndef CRIMG_CONVERT_CRIT_PARTS_H
#define CRIMG_CONVERT_CRIT_PARTS_H

#include "format/driver.h"

// Opens one file of an image (NULL or "-": standard input, a pipe is copied to a temporary file first)
// with the reader called format. Refused: directories, archives, and whole images in JSON.
CRIMG_MUST_CHECK int crit_open(const char *path, const char *format, struct crimg_reader *out,
                               struct crimg_err *err);
// As crit says it of pages-1.img and its like: no magic is known.
CRIMG_MUST_CHECK int crit_refuse_raw(const struct crimg_record *record, struct crimg_err *err);

// The image's magic and number of entries.
CRIMG_MUST_CHECK int crit_info(struct crimg_reader *reader, struct crimg_err *err);
// decode --pretty, with the size of each payload in its place.
CRIMG_MUST_CHECK int crit_show_sizes(struct crimg_reader *reader, struct crimg_err *err);

// x: ps, fds, mems or rss of the image in directory dir.
CRIMG_MUST_CHECK int crit_explore(const char *dir, const char *what, struct crimg_err *err);
bool crit_can_explore(const char *what);

#endif
