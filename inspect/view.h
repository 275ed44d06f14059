// What every view gets, and the table of views. A view is a function that appends its part of the
// answer; it never prints and never fails: what is wrong with the image is noted in damage, and it
// goes on.
#ifndef CRIMG_INSPECT_VIEW_H
#define CRIMG_INSPECT_VIEW_H

#include "format/files.h"
#include "format/json.h"
#include "format/tasks.h"

struct crimg_view_options {
	const char *path;     // the IMAGE as the user named it
	const char *format;   // forced driver, or NULL
	const char *tmpdir;   // for archives that come through a pipe
	bool has_pid, has_tid;
	uint32_t pid, tid;    // only this process, only this thread
	bool all;             // nothing abridged
	bool color;
	unsigned width;       // columns of the terminal; 0: lines may be of any length
	const char *at;       // --at, not yet understood (crimg_debuggee_place() does); NULL: not given
	const char *sysroot;  // where the files are that the tasks had mapped; NULL: nowhere
	bool raw;             // mem: the bytes themselves, to standard output
	const uint8_t *search; // bytes to look for; NULL: no search
	size_t search_length;
	uint32_t min_length;  // of strings, characters
	bool intel;           // syntax of code; else AT&T
	uint32_t limit;       // instructions of code, hits of a search, frames of a stack; 0: default
};

struct crimg_sysroot;

struct crimg_view {
	const struct crimg_view_options *options;
	struct crimg_image *image;   // NULL for objects, which reads by itself
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_sysroot *sysroot; // opened by the first view that looks for files; or NULL
	struct crimg_buf *out;       // text or JSON so far, not yet written
	struct crimg_json *json;     // NULL: text is wanted
	bool begun;                  // some text was said: a heading needs an empty line before it
	bool single;                 // one file of an image: much is missing, rightly
	struct crimg_err missing;    // the first thing that is not there, or CRIMG_OK
	struct crimg_err damage;     // the first thing that is wrong with the image, or CRIMG_OK
	struct crimg_err fault;      // why nothing more can be said (memory, output), or CRIMG_OK
	// Writes away and empties out. Long views call it now and then; NULL keeps all in memory.
	int (*flush)(struct crimg_view *view, struct crimg_err *err);
};

typedef void crimg_view_fn(struct crimg_view *view);

struct crimg_view_row {
	const char *name;
	const char *summary;  // one line for --help
	crimg_view_fn *show;
	bool alone;           // reads the image by itself, as a stream
};

extern const struct crimg_view_row crimg_views[]; // ends with a name of NULL

crimg_view_fn crimg_view_summary, crimg_view_tree, crimg_view_fds, crimg_view_files,
	crimg_view_sockets, crimg_view_maps, crimg_view_signals, crimg_view_timers, crimg_view_creds,
	crimg_view_namespaces, crimg_view_mounts, crimg_view_cgroups, crimg_view_ipc,
	crimg_view_container, crimg_view_stats, crimg_view_objects, crimg_view_regs,
	crimg_view_mem, crimg_view_code, crimg_view_stack, crimg_view_strings;

// True when -p and -t let this task (thread) through.
bool crimg_view_wants(const struct crimg_view *view, const struct crimg_task *task);
bool crimg_view_wants_thread(const struct crimg_view *view, const struct crimg_thread *thread);
// Repeated messages of a task; what is wrong with them is noted in damage.
struct crimg_list crimg_view_list(struct crimg_view *view, const struct crimg_task *task,
                                  enum crimg_part part);
// Contents of a payload (of a raw object: its first bytes, or with tail its last ones, at most limit).
// False when they cannot be had; that is noted in damage, unless the image is a pipe, which gives
// contents only later.
bool crimg_view_read(struct crimg_view *view, struct crimg_payload_ref payload, void *buf,
                     size_t length);
bool crimg_view_contents(struct crimg_view *view, const struct crimg_image_object *object,
                         size_t limit, bool tail, struct crimg_buf *out);
// True once there is no use in going on.
bool crimg_view_failed(const struct crimg_view *view);
// Calls flush when much has gathered.
void crimg_view_flush(struct crimg_view *view);

#endif
