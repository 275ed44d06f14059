// Which posting of the kernel stream this is. The revision in the header does not tell (6 covers
// five layouts), so the shape of records does, as they come by. Knows numbers and lengths; knows no
// records.
#ifndef CRIMG_READERS_LINUXCR_PROFILE_H
#define CRIMG_READERS_LINUXCR_PROFILE_H

#include "format/err.h"

struct linuxcr_profile {
	uint16_t arch, rev;
	unsigned word; // bytes of an address in page buffers
	bool lsm;      // v19-rc1 and later: LSM records follow CONTAINER
	bool pids;     // v23 of January 2011 and later: PIDS; types and objects count one higher
	bool rc2;      // April 2011: VMA is 80 long, HPAGE has MM_CONTEXT's old number
	bool task_v23; // v23-rc1 and later: TASK is 80 long
	bool ns_v21;   // v21 and later: NS is 24 long
};

// Whether streams of this machine and revision are read at all; source and offset place the error,
// which names what was found.
CRIMG_MUST_CHECK int linuxcr_profile_begin(uint16_t arch, uint16_t rev, const char *source,
					   uint64_t offset, struct linuxcr_profile *out,
					   struct crimg_err *err);
// "v20", …, as far as it is known by now.
const char *linuxcr_profile_name(const struct linuxcr_profile *p);

// The record's number in v23-rc2, 0 when there is none with this number.
uint32_t linuxcr_kind(const struct linuxcr_profile *p, uint32_t type);
// "VMA", for errors; "unknown" when there is none.
const char *linuxcr_kind_name(uint32_t kind);
// The object's number in v23-rc2, 0 when there is none.
uint32_t linuxcr_object_type(const struct linuxcr_profile *p, uint32_t type);
const char *linuxcr_object_name(uint32_t type);

// Places in the payload of TASK.
struct linuxcr_task_places {
	uint32_t state, exit_state, exit_code, exit_signal, pdeath, clear_tid;
	uint32_t sas; // pointer, then u32 size; 0: there is none
	uint32_t robust, compat; // lists of robust futexes: the latter of 32-bit tasks
};
const struct linuxcr_task_places *linuxcr_task_places(const struct linuxcr_profile *p);

#endif
