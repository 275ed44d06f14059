// Who holds a file: descriptors, working directories, roots, executables and maps, by file number.
#ifndef CRIMG_INSPECT_USERS_H
#define CRIMG_INSPECT_USERS_H

#include "inspect/table.h"

enum crimg_use { CRIMG_USE_FD, CRIMG_USE_CWD, CRIMG_USE_ROOT, CRIMG_USE_EXE, CRIMG_USE_MAP };

struct crimg_user {
	uint32_t file;
	uint32_t pid;
	enum crimg_use use;
	uint32_t fd;
};

struct crimg_users {
	struct crimg_user *list;  // sorted by file, pid, use, fd; each once
	size_t count, capacity;
};

// Tasks with one descriptor table are one user: the first.
void crimg_users_load(struct crimg_view *view, struct crimg_users *out);
void crimg_users_fini(struct crimg_users *users);
// The users of one file: *count of them, NULL when there are none.
const struct crimg_user *crimg_users_of(const struct crimg_users *users, uint32_t file,
                                        size_t *count);
// A cell with the users of one file: in text the first `shown`, "nobody" when there are none.
void crimg_cell_users(struct crimg_table *t, const struct crimg_users *users, uint32_t file,
                      size_t shown);
// "9486 fd 3", "9486 cwd"; out holds at least 48 bytes. Returns out.
char *crimg_user_text(const struct crimg_user *user, char *out, size_t size);

#endif
