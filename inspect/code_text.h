// One instruction of a task, as a line of text or an object of JSON, with names for what it points
// at.
#ifndef CRIMG_INSPECT_CODE_TEXT_H
#define CRIMG_INSPECT_CODE_TEXT_H

#include "inspect/debuggee.h"
#include "inspect/disassemble.h"

#define CRIMG_MAX_INSTRUCTIONS 65536u // of one place

// first: the line says where it is, whatever its address; current: a thread stands there.
void crimg_code_line(struct crimg_debuggee *d, const struct crimg_instruction *in, bool first,
                     bool current);
// Why no names are known of the file that is mapped at address: "differs: 5 bytes found, 7 wanted".
// NULL: they are, or there is no file.
const char *crimg_code_nameless(struct crimg_debuggee *d, uint64_t address);
// Why there are no bytes at address: "libc.so.6+0x26a10: not in the image; no --sysroot was given".
void crimg_code_absent(struct crimg_debuggee *d, uint64_t address, char *out, size_t size);

#endif
