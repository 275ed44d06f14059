// One line that says what an open file is, for every kind of file.
#ifndef CRIMG_INSPECT_FILE_TEXT_H
#define CRIMG_INSPECT_FILE_TEXT_H

#include "inspect/view.h"

#define CRIMG_FILE_TEXT_MAX 4608

struct crimg_file_words {
	char name[CRIMG_FILE_TEXT_MAX]; // "/var/log/app.log", "pipe:[427806]", "tcp 127.0.0.1:80
	                                // LISTEN"
	char note[512];                 // "deleted, kept in ghost-file-1.img", "holds 15 B"; or ""
};

// What file is; "?" for NULL and types without a message.
void crimg_file_describe(struct crimg_view *view, const struct crimg_file *file,
                         struct crimg_file_words *out);
// The file with this number; "file 7 is missing" when there is none.
void crimg_file_describe_id(struct crimg_view *view, uint32_t id, struct crimg_file_words *out);
// Name and note in one, "NAME (NOTE)". Returns out.
char *crimg_file_text_by_id(struct crimg_view *view, uint32_t id, char *out, size_t size);
// Only the path, when the file has one, else NULL; "[deleted]" and the like are not in it.
const char *crimg_file_path(const struct crimg_file *file);

// A unix socket's name: "/run/x.sock", "@abstract" (further NULs as \x00), "" when unnamed.
char *crimg_unix_name(const UnixSkEntry *socket, char *out, size_t size);

#endif
