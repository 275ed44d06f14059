// What every pass gets, and the table of passes. A pass looks at the image and reports findings; it
// relies only on what earlier passes made sure of, never prints and never fails.
#ifndef CRIMG_VALIDATE_CHECKER_H
#define CRIMG_VALIDATE_CHECKER_H

#include "format/files.h"
#include "format/space.h"
#include "validate/finding.h"

struct crimg_checker_options {
	const char *path, *format, *tmpdir;
	bool closed;  // is every shared object's every holder inside?
	bool host;    // could this machine restore it now?
	bool pages;   // read page contents
};

struct crimg_numbered;      // of the reference pass: numbered.h
struct crimg_message_place; // message → object and entry, made when first asked for

struct crimg_checker {
	const struct crimg_checker_options *options;
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_findings findings;
	struct crimg_arena names; // of files in findings
	bool single;             // one file of an image: much is missing, rightly
	bool skeleton;           // the same of an image whose format has no place for memory and registers
	bool damaged[CRIMG_KIND_COUNT]; // objects of these kinds may have lost entries: told
	struct crimg_numbered *numbered;   // NULL before that pass, and without tasks
	struct crimg_message_place *places;
	size_t place_count;
	bool places_made;
};

typedef void crimg_pass_fn(struct crimg_checker *c);
crimg_pass_fn crimg_pass_structure, crimg_pass_image, crimg_pass_kernel, crimg_pass_records, crimg_pass_references,
	crimg_pass_memory, crimg_pass_pagemaps,
	crimg_pass_registers, crimg_pass_signals, crimg_pass_timers, crimg_pass_tasks, crimg_pass_creds,
	crimg_pass_seccomp, crimg_pass_closed, crimg_pass_host, crimg_pass_contents;

// Reading the image is the first pass: errors become findings of the structure. 0, or -1 with err filled: there
// is nothing to look at (no such file, no known format, no memory).
CRIMG_MUST_CHECK int crimg_checker_open(struct crimg_checker *c,
                                        const struct crimg_checker_options *options,
                                        struct crimg_err *err);
// The same for an input that is open already, which is taken over whatever happens; options->path is not looked at.
CRIMG_MUST_CHECK int crimg_checker_open_input(struct crimg_checker *c,
                                              const struct crimg_checker_options *options,
                                              struct crimg_input *in, struct crimg_err *err);
void crimg_checker_run(struct crimg_checker *c); // all passes that the options ask for
void crimg_checker_close(struct crimg_checker *c);

// An error of the image as a finding of its structure; one of the machine (memory, I/O) as a fault.
void crimg_checker_damage(struct crimg_checker *c, const struct crimg_err *err);

// Notes that an object of a source with this name may have lost entries: later passes miss nothing in it.
void crimg_checker_distrust(struct crimg_checker *c, const char *source);

// Reports: CRIMG_FIND(c, VMA_ORDER, place, "…", …): what was found and what was wanted.
#define CRIMG_FIND(c, name, place, ...)                                                             \
	crimg_findings_add(&(c)->findings, CRIMG_F_##name, (place), __VA_ARGS__)

// Places. field is a path within the entry's message ("thread_info.gpregs.ip", "vmas[3].start"), or "": its
// offset is looked up in the entry's bytes; a field that is not there gives the entry's offset.
struct crimg_place crimg_place_image(const struct crimg_checker *c);
struct crimg_place crimg_place_object(const struct crimg_image_object *object);
// Of what an error of the image tells.
struct crimg_place crimg_place_error(struct crimg_checker *c, const struct crimg_err *err);
// The name of the object in the name of a source: "core-12.img" of "x.tar!checkpoint/core-12.img".
const char *crimg_place_base(const char *file);
struct crimg_place crimg_place_entry(const struct crimg_image_object *object, size_t index,
                                     const char *field, ...) CRIMG_PRINTF(3, 4);
// Of the object with this kind and number, first entry; the image as a whole when there is none.
struct crimg_place crimg_place_of(struct crimg_checker *c, enum crimg_kind kind, uint64_t id,
                                  const char *field, ...) CRIMG_PRINTF(4, 5);
// Of a message that crimg_image_message(), _walk(), _select() or _get() gave (the entry itself, no part
// of one).
struct crimg_place crimg_place_message(struct crimg_checker *c, const void *message,
                                       const char *field, ...) CRIMG_PRINTF(3, 4);
// Of item index of a repeated part of a task (crimg_task_list), wherever this image keeps it.
struct crimg_place crimg_place_part(struct crimg_checker *c, const struct crimg_task *task,
                                    enum crimg_part part, size_t index, const char *field);
// Of an open file (crimg_files): the entry in files.img or in the image of its kind; field within its message.
struct crimg_place crimg_place_opened(struct crimg_checker *c, const struct crimg_file *file,
                                         const char *field);

// A part of a task; what is damaged in it was told by the structure pass.
struct crimg_list crimg_checker_list(struct crimg_checker *c, const struct crimg_task *task,
                                     enum crimg_part part);

#endif
