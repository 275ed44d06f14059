// Rows of processes, shared by summary and tree.
#ifndef CRIMG_INSPECT_TREE_TEXT_H
#define CRIMG_INSPECT_TREE_TEXT_H

#include "inspect/command.h"

// The lines that lead to a task, "│  └─ "; out holds at least CRIMG_TREE_PREFIX_MAX bytes. Returns
// out.
#define CRIMG_TREE_PREFIX_MAX 256
char *crimg_tree_prefix(const struct crimg_tasks *tasks, const struct crimg_task *task, char *out,
                        size_t size);
// "alive", "stopped by SIGSTOP", "zombie, exited 42"; out holds at least 96 bytes. Returns out.
char *crimg_task_state_text(const struct crimg_task *task, char *out, size_t size);
enum crimg_mark crimg_task_mark(const struct crimg_task *task);
// The page maps of an image without processes (a pre-dump), as a table called key.
void crimg_show_page_maps(struct crimg_view *view, const char *key);

#endif
