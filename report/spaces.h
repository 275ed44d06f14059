// What the page draws and no view tells: which pages of each area are where, and what areas share. Knows
// address spaces; knows no HTML.
#ifndef CRIMG_REPORT_SPACES_H
#define CRIMG_REPORT_SPACES_H

#include "inspect/view.h"

#define CRIMG_REPORT_MAX_RUNS (1u << 20) // of pages, in an image; areas behind them get none
#define CRIMG_REPORT_ENVIRONMENT_BYTES 32768u // of one process

// Appends one JSON object to view->out and flushes it now and then:
//
//	schema      "crimg.report-spaces/1"
//	cut         true when there were more runs of pages than the limit
//	processes   in the order of view maps:
//	  pid
//	  environment  array of "NAME=VALUE", or null when it is not in the image
//	  pages        a string for each area of view maps: runs of a letter and a number of pages,
//	               "f12p3": p in this image, o in a parent, s in a shared segment, z zero and never
//	               touched, f still as in the mapped file, l lost, k the kernel's own; null: cut
//	  shared       [index of area, "shm 7", "memfd 7" (an inode) or "file 12"] of areas whose writes others
//	               see, and behind that the number of the segment that has their pages, if one has
//
// What goes wrong is noted in view->damage and view->fault.
void crimg_report_spaces(struct crimg_view *view);

#endif
