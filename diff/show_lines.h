// What the text of a comparison is made of; show_text.c and show_pages.c share it, others go through show.h.
#ifndef CRIMG_DIFF_SHOW_LINES_H
#define CRIMG_DIFF_SHOW_LINES_H

#include "diff/show.h"
#include "diff/tell.h"

#define CRIMG_DIFF_WIDTH 100u           // of a line that several fields share
#define CRIMG_RANGES_SHOWN 6u      // of an area
#define CRIMG_VALUE_BYTES 1200u
#define CRIMG_LINE_BYTES 8192u

struct crimg_group_text {
	struct crimg_buf lines;
	char last[CRIMG_LINE_BYTES + 8]; // subject, name and thread of the line that is open
	size_t column;           // of the open line; 0: none is
};

// Pages of one area, not shown yet.
struct crimg_area_pages {
	const struct crimg_area *area[2]; // only told apart: they are gone when this is shown
	struct crimg_area of[2];
	uint64_t id;             // of the page map, when there is no task,
	char name[128];          // and its name
	uint64_t counts[CRIMG_PAGES_KINDS];
	struct crimg_pages_range shown[CRIMG_RANGES_SHOWN];
	unsigned count;
	uint64_t left_out;
	bool open;
};

struct crimg_diff_lines {
	struct crimg_diff *d;
	const struct crimg_diff_show *show;
	FILE *out;
	struct crimg_group_text groups[CRIMG_DIFF_GROUPS];
	const struct crimg_task_pair *pair; // that groups are of; NULL: of none
	bool begun;                         // its heading was written
	bool pages_begun;                   // and that of its pages
	bool any;                           // something was written
	struct crimg_area_pages pages;
	const struct crimg_page_change *change; // whose lines are shown
	uint64_t counts[CRIMG_DIFF_GROUPS][CRIMG_CHANGES]; // of the pair
	uint64_t page_counts[CRIMG_PAGES_KINDS];
	struct crimg_err fault;
};

enum crimg_tint { CRIMG_TINT_NONE, CRIMG_TINT_HEAD, CRIMG_TINT_ADDED, CRIMG_TINT_GONE, CRIMG_TINT_CHANGED, CRIMG_TINT_DIM };

// The terminal's code for a tint; "" without colour.
const char *crimg_tint_code(const struct crimg_diff_lines *t, enum crimg_tint tint);
// Appends text from an image, made safe.
void crimg_safe_add(char *out, size_t size, const char *text);

// A range of pages: gathered with others of its area, or, with all or bytes, written with its lines.
void crimg_show_range(struct crimg_diff_lines *t, const struct crimg_page_change *change);
// Writes the ranges that were gathered.
void crimg_show_area(struct crimg_diff_lines *t);

#endif
