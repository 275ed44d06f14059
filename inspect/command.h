// The command line of a task, as text and as JSON.
#ifndef CRIMG_INSPECT_COMMAND_H
#define CRIMG_INSPECT_COMMAND_H

#include "inspect/table.h"

#define CRIMG_COMMAND_BYTES 4096u // of arguments that are read

// A cell with the command line: arguments separated by blanks, quoted where a shell would need it;
// the name in brackets when the arguments are not in the image ("[kthreadd]"). JSON: an array, or
// null. prefix stands before it in text.
void crimg_cell_command(struct crimg_table *t, const struct crimg_task *task, const char *prefix);

// "9486 d_files" for headings; out holds at least 64 bytes. Returns out.
char *crimg_task_label(const struct crimg_task *task, char *out, size_t size);
// The fields pid and comm that begin every task's object in JSON.
void crimg_task_json(struct crimg_view *view, const struct crimg_task *task);

#endif
