// NT_FILE: which files were mapped where. Knows that note alone.
#ifndef CRIMG_READERS_COREFILE_MAPPINGS_H
#define CRIMG_READERS_COREFILE_MAPPINGS_H

#include "readers/corefile_process.h"

// Fills mappings and paths of p from the note, if there is one. A note that is wrong is damage, and
// what is right of it is kept.
CRIMG_MUST_CHECK int corefile_mappings_load(const struct corefile_elf *elf,
                                            const struct corefile_bytes *note,
                                            struct corefile_process *p, struct crimg_err *damage,
                                            struct crimg_err *err);

#endif
