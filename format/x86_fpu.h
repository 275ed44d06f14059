// The 512 and 108 bytes that x87 and SSE were saved in before XSAVE, into CRIU's message. Shared by
// x86_fpu.c and x86_xsave.c alone; others go through x86.h.
#ifndef CRIMG_FORMAT_X86_FPU_H
#define CRIMG_FORMAT_X86_FPU_H

#include "format/x86.h"

// Words in UserX86FpregsEntry's arrays.
#define CRIMG_X86_ST_WORDS 32u
#define CRIMG_X86_XMM_WORDS 64u
#define CRIMG_X86_PADDING_WORDS 12u // what FXSAVE leaves untouched in front of Linux's own bytes

// A message with the arrays that FXSAVE has, all zero, in arena; NULL with err filled: memory.
CRIMG_MUST_CHECK UserX86FpregsEntry *crimg_x86_fpregs_make(struct crimg_arena *arena,
                                                           struct crimg_err *err);
// Fill such a message. FSAVE has no SSE state: MXCSR gets the value a process starts with.
CRIMG_MUST_CHECK int crimg_x86_from_fxsave(UserX86FpregsEntry *fp,
                                           const uint8_t data[CRIMG_FXSAVE_BYTES],
                                           struct crimg_arena *arena, struct crimg_err *err);
void crimg_x86_from_fsave(UserX86FpregsEntry *fp, const uint8_t data[CRIMG_FSAVE_BYTES]);

#endif
