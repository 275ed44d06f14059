// Two images, opened, matched and compared. What `crimg diff` and `crimg report` stand on.
#ifndef CRIMG_DIFF_ENGINE_H
#define CRIMG_DIFF_ENGINE_H

#include "diff/change.h"
#include "format/address_namer.h"
#include "format/files.h"

enum crimg_match {
	CRIMG_MATCH_PID,   // by pid; when no pid is in both, by role
	CRIMG_MATCH_ROLE,  // by place in the tree and name
	CRIMG_MATCH_ORDER, // the first with the first, and so on
};

struct crimg_diff_options {
	const char *path[2];
	const char *format[2]; // forced drivers, or NULL
	const char *tmpdir;
	const char *sysroot;   // where symbols are; NULL: nowhere
	enum crimg_match match;
	bool folded;           // tell folded changes too
	bool no_pages;         // leave page contents out
};

struct crimg_diff_side {
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	bool is_core;          // tells only what an ELF core has room for
	bool *marked;          // owned; of image->objects: compared, or of no account
	bool *files_told;      // owned; of files.list
	struct crimg_address_namer *namer;
};

struct crimg_references;
struct crimg_meetings;

struct crimg_diff {
	const struct crimg_diff_options *options; // borrowed
	struct crimg_diff_side side[2];
	enum crimg_match match;       // as it was done
	struct crimg_task_pair *pairs; // owned; a's tasks depth first, then those that only b has
	size_t pair_count;
	struct crimg_references *references;
	struct crimg_meetings *meetings; // files that met and are not compared yet; or NULL
	const struct crimg_diff_sink *sink;
	uint64_t counts[CRIMG_DIFF_GROUPS][CRIMG_CHANGES]; // of changes that are not folded
	uint64_t pages[CRIMG_PAGES_KINDS];
	uint64_t folded;
	uint64_t untold[2];           // bit g: what side s, a core, does not tell of group g
	struct crimg_err damage;      // the first thing that is wrong with the images, or CRIMG_OK
	struct crimg_err fault;       // why nothing more can be said (memory), or CRIMG_OK
};

// Opens both and matches their tasks. With damage, what was readable is kept (diff->damage). -1: an image
// cannot be opened at all, or no memory.
CRIMG_MUST_CHECK int crimg_diff_open(const struct crimg_diff_options *options,
                                     struct crimg_diff **out, struct crimg_err *err);
// The same of images that are open already; they are taken over whatever happens. options->path names them.
CRIMG_MUST_CHECK int crimg_diff_open_images(const struct crimg_diff_options *options,
                                            struct crimg_image *const images[2],
                                            struct crimg_diff **out, struct crimg_err *err);
// Tells sink all changes: processes that came and went; then each pair of tasks, group by group; then what
// belongs to no process, by group. What goes wrong is noted in damage and fault.
void crimg_diff_run(struct crimg_diff *diff, const struct crimg_diff_sink *sink);
void crimg_diff_close(struct crimg_diff *diff); // NULL is allowed

// After crimg_diff_run(): whether anything was told that is not folded.
bool crimg_diff_differs(const struct crimg_diff *diff);

// The pair that a task of side 0 or 1 is in.
struct crimg_task_pair *crimg_diff_pair_of(const struct crimg_diff *diff, int side,
                                           const struct crimg_task *task);

#endif
