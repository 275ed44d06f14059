// A file of an early CRIU image, read one structure after the other. Knows what all sets have in common; which files
// and structures there are, each set knows.
#ifndef CRIMG_READERS_CRIUEARLY_FILE_H
#define CRIMG_READERS_CRIUEARLY_FILE_H

#include "readers/criuearly_model.h"

// A file being read, behind its magic number.
struct early_input {
	struct early *e;
	struct crimg_source *source;
	struct crimg_window w;
	uint64_t start; // in the joined source
};

// Reads a file into context. -1: it is damaged, or memory, I/O.
typedef int early_read_fn(struct early_input *f, void *context, struct crimg_err *err);

// What ends a list.
enum early_end { EARLY_ENDS_WITH_MARK, EARLY_ENDS_WITH_FILE };

// The number in "NAME-12.img"; false: it is not such a name.
bool early_number(const char *base, const char *name, uint64_t *out);
// Behind the last slash.
const char *early_base(const char *path);

// -1, with err filled; at: in the file.
int early_fail(struct early_input *f, enum crimg_code code, uint64_t at, const char *text, struct crimg_err *err);
// The same of a core that is not of x86-64.
int early_fail_version(struct early_input *f, const uint8_t *core, struct crimg_err *err);
// Lends length bytes and moves on. 1; 0: the file ends here; -1.
CRIMG_MUST_CHECK int early_take(struct early_input *f, size_t length, const uint8_t **out, struct crimg_err *err);
// The same, and the end is damage; what: is wanted.
CRIMG_MUST_CHECK int early_need(struct early_input *f, size_t length, const uint8_t **out, const char *what,
				struct crimg_err *err);
// The same of an entry of the process tree: fixed bytes, the u32 at count_at of which says how many numbers of four
// bytes follow; what: these are called.
CRIMG_MUST_CHECK int early_take_counted(struct early_input *f, size_t fixed, size_t count_at, const char *what,
					const uint8_t **out, uint32_t *count, struct crimg_err *err);
// Keeps a structure, in order, with a zero behind it, as long as the model lives. NULL: memory.
CRIMG_MUST_CHECK const uint8_t *early_keep(struct early_input *f, enum early_record_type type, const uint8_t *data,
					   size_t length, uint64_t at, struct crimg_err *err);

// Pages, sorted; those before damage, too.
CRIMG_MUST_CHECK int early_read_pages(struct early_input *f, struct early_pages *pages, enum early_end end,
				      struct crimg_err *err);
// Areas rise.
CRIMG_MUST_CHECK int early_add_area(struct early_input *f, struct early_process *p, const uint8_t *bytes, size_t length,
				    uint64_t at, struct crimg_err *err);
CRIMG_MUST_CHECK int early_add_process(struct early *e, struct early_process p, struct crimg_err *err);
CRIMG_MUST_CHECK int early_add_thread(struct early *e, uint32_t tid, const uint8_t *core, struct crimg_err *err);
// One of zeros, without a name. NULL: memory.
CRIMG_MUST_CHECK struct early_file *early_add_file(struct early_files *files, struct crimg_err *err);

CRIMG_MUST_CHECK int early_read_file(struct early *e, const struct crimg_member *m, uint32_t magic, early_read_fn *read,
				     void *context, struct crimg_err *err);
// Damage ends that file: it is told in e->damage, and the rest is read.
CRIMG_MUST_CHECK int early_read_some(struct early *e, const struct crimg_member *m, uint32_t magic, early_read_fn *read,
				     void *context, struct crimg_err *err);
// The same of "NAME-PID.img", when it is there.
CRIMG_MUST_CHECK int early_read_of(struct early *e, const char *name, uint32_t pid, uint32_t magic, early_read_fn *read,
				   void *context, struct crimg_err *err);

// A set: its process tree, what it has of a process, what is in a segment of shared memory.
struct early_set {
	uint32_t pstree, pages;   // magic numbers
	early_read_fn *read_tree; // all of its processes, in any order
	// Behind the tree. -1: memory, I/O.
	int (*read_files)(struct early *e, struct crimg_err *err);
	early_read_fn *read_segment; // context: a struct early_segment
};

extern const struct early_set early_set_2011, early_set_2012;

#endif
