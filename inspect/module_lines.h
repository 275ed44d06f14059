// Source lines of addresses in a task: which file of the sysroot tells them, opened when it is first
// asked for. Knows modules and debug files; what is in those files knows inspect/line_table.h.
#ifndef CRIMG_INSPECT_MODULE_LINES_H
#define CRIMG_INSPECT_MODULE_LINES_H

#include "inspect/debuggee.h"

struct crimg_module_table;

struct crimg_module_lines {
	struct crimg_debuggee *d;          // borrowed
	struct crimg_module_table *tables; // owned; as many as d has modules
};

CRIMG_MUST_CHECK int crimg_module_lines_init(struct crimg_module_lines *l, struct crimg_debuggee *d,
                                             struct crimg_err *err);
void crimg_module_lines_fini(struct crimg_module_lines *l);
// The line of address, with the name of the file in file (at most size - 1 bytes). 0: not known.
uint32_t crimg_module_line(struct crimg_module_lines *l, uint64_t address, char *file, size_t size);

#endif
