// The parts of the registers pass.
#ifndef CRIMG_VALIDATE_REGISTERS_H
#define CRIMG_VALIDATE_REGISTERS_H

#include "validate/checker.h"

// x87, SSE and the extended registers of a thread of x86-64, which has thread_info.
void crimg_check_fpregs(struct crimg_checker *c, const struct crimg_thread *thread);

#endif
