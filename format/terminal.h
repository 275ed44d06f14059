// What standard output is, for the verbs that colour their answers. Knows terminals and the environment.
#ifndef CRIMG_FORMAT_TERMINAL_H
#define CRIMG_FORMAT_TERMINAL_H

#include "format/err.h"

// True for the words that --color takes: auto, always, never.
bool crimg_color_known(const char *when);
// Whether to colour, when being one of these: auto does on a terminal that is not dumb, without NO_COLOR.
bool crimg_color_wanted(const char *when);
// Columns of the terminal; 0 when standard output is none.
unsigned crimg_terminal_width(void);
// Where temporary files go: TMPDIR, else /tmp.
const char *crimg_tmpdir(void);

#endif
