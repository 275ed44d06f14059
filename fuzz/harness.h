// What the fuzz targets and the damage tests share: inputs from memory, reading everything there is,
// converting in memory, and claims that abort.
#ifndef CRIMG_FUZZ_HARNESS_H
#define CRIMG_FUZZ_HARNESS_H

#include "format/driver.h"
#include "format/image.h"
#include "fuzz/output_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Aborts with text when good is false: the fuzzer's finding.
void harness_claim(bool good, const char *text);
// Every failure must have told why: a code and a text.
void harness_claim_err(int rc, const struct crimg_err *err);

// An input over bytes, which are borrowed; false when memory is denied. pipe: forwards only.
bool harness_input_bytes(struct crimg_input *in, const char *name, const void *data, size_t size,
                         bool pipe);
// An input over a store, which is taken over.
bool harness_input_store(struct crimg_input *in, struct crimg_store *store);
// A store in memory of what an output in memory holds; links and directories too.
struct crimg_store *harness_store_of(const struct crimg_output *o);

struct harness_limits {
	size_t records;        // stop after so many
	uint64_t bytes;        // of content read
};

#define HARNESS_LIMITS ((struct harness_limits){ 1u << 16, 16u << 20 })

// Opens in (taken over), reads every record, decodes every message, reads contents in sequence and, with
// random, a few places of every payload again, which must hold the same. 0, or -1 with err.
int harness_drain(struct crimg_input *in, const char *format, bool random,
                  struct harness_limits limits, struct crimg_err *err);
// The index: every entry decoded, tasks and files loaded, completeness asked. Takes in over.
int harness_index(struct crimg_input *in, const char *format, struct crimg_err *err);
// True when an index can be made and every message decodes; takes in over.
bool harness_sound(struct crimg_input *in, const char *format);
// From one format to another; takes in over. *out is closed by the caller also after a failure; NULL when it
// could not be opened. at_offsets as crimg_output_open_mem.
int harness_convert(struct crimg_input *in, const char *from, const char *to,
                    const struct crimg_writer_options *options, bool at_offsets,
                    struct crimg_output **out, struct crimg_err *err);
// Both outputs hold the same members.
bool harness_same(const struct crimg_output *a, const struct crimg_output *b);

#endif
