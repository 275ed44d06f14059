// The signal frame that a remote call leaves in the task: its layout in the task's memory, and its bytes.
// Used by remote.c alone.
#ifndef CRIMG_PRODUCER_REMOTE_FRAME_H
#define CRIMG_PRODUCER_REMOTE_FRAME_H

#include "producer/remote.h"

// Addresses in the task, ascending: data, detour (room for the frame of one), lead (two words for a gate that pops),
// context, xstate, top.
struct crimg_remote_frame {
	uint64_t data, detour, lead, context, xstate, top;
};

// The detour: lead, context; the last word is free for what `ret` goes to in front of the lead.
#define CRIMG_DETOUR_BYTES 448u
#define CRIMG_DETOUR_LEAD_BYTES 16u

// How many bytes of the extended state (of xstate_bytes as ptrace gives it) rt_sigreturn needs: up to the
// end of the last component, tile data only when in use.
size_t crimg_remote_xstate_bytes(const uint8_t *xstate, size_t xstate_bytes);

struct crimg_remote_frame crimg_remote_frame_make(uint64_t top, size_t xstate_bytes);

// Fills out[0, top - data): what rt_sigreturn reads to go on with regs, mask and xstate. The alternative
// signal stack stays what it is.
void crimg_remote_frame_fill(const struct crimg_remote_frame *f, const struct crimg_remote_gate *gate,
                             const struct user_regs_struct *regs, uint64_t mask,
                             const uint8_t *xstate, size_t xstate_bytes, uint8_t *out);

// The same of a detour, whose frame has no extended state: the one behind it brings that.
void crimg_remote_detour_fill(const struct crimg_remote_gate *gate, const struct user_regs_struct *regs,
                              uint8_t out[CRIMG_DETOUR_BYTES]);

#endif
