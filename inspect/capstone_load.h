// capstone, loaded when the first instruction is decoded: its tables are half of what a start of crimg would
// cost, and most runs never look at code.
#ifndef CRIMG_INSPECT_CAPSTONE_LOAD_H
#define CRIMG_INSPECT_CAPSTONE_LOAD_H

#include <capstone/capstone.h>

#include "format/library_load.h"

#define CRIMG_CAPSTONE(F)                                                                           \
	F(cs_open) F(cs_close) F(cs_option) F(cs_malloc) F(cs_free) F(cs_disasm_iter) F(cs_reg_name) \
	F(cs_insn_name) F(cs_strerror)

struct crimg_capstone { CRIMG_CAPSTONE(CRIMG_LIBRARY_MEMBER) };

// The same table every time. NULL with err filled: the library that crimg was built against (libcapstone4 in
// Debian 12) is not installed.
const struct crimg_capstone *crimg_capstone_load(struct crimg_err *err);

#endif
