// Which processes of an image become cores, which objects that takes, and what has no place in a
// core. Knows tasks and kinds; knows nothing of ELF.
#ifndef CRIMG_WRITERS_ELFCORE_CHOICE_H
#define CRIMG_WRITERS_ELFCORE_CHOICE_H

#include "format/ledger.h"
#include "format/tasks.h"

// True for objects that cores are made of: everything else passes by.
bool elfcore_wants(const struct crimg_object *object);
// True for a process with memory that the options ask for.
bool elfcore_is_chosen(const struct crimg_task *task, const struct crimg_writer_options *options);
// *count is how many are chosen: at least one, and one alone unless the output takes members.
CRIMG_MUST_CHECK int elfcore_check_choice(const struct crimg_tasks *tasks,
                                          const struct crimg_writer_options *options, size_t *count,
                                          struct crimg_err *err);
// Refuses tasks of other processors than x86.
CRIMG_MUST_CHECK int elfcore_check_task(const struct crimg_task *task, struct crimg_err *err);

// For the ledger: registers that are missing (a loss); kinds and processes that no core, or not
// these cores, hold (notes). seen counts objects by kind.
CRIMG_MUST_CHECK int elfcore_tell_task(const struct crimg_task *task, struct crimg_ledger *ledger,
                                       struct crimg_err *err);
CRIMG_MUST_CHECK int elfcore_tell_rest(const uint64_t seen[CRIMG_KIND_COUNT],
                                       const struct crimg_tasks *tasks,
                                       const struct crimg_writer_options *options,
                                       struct crimg_ledger *ledger, struct crimg_err *err);

#endif
