// One line that says what an open file is, for every kind of file.
#ifndef CRIMG_FORMAT_FILE_WORDS_H
#define CRIMG_FORMAT_FILE_WORDS_H

#include "format/files.h"

#define CRIMG_FILE_TEXT_MAX 4608

struct crimg_file_words {
	char name[CRIMG_FILE_TEXT_MAX]; // "/var/log/app.log", "pipe:[427806]", "tcp 127.0.0.1:80
	                                // LISTEN"
	char note[512];                 // "deleted, kept in ghost-file-1.img", "holds 15 B"; or ""
};

// What file is; "?" for NULL and types without a message. What cannot be read is noted in damage.
void crimg_file_words(struct crimg_image *image, const struct crimg_files *files,
                      const struct crimg_file *file, struct crimg_file_words *out,
                      struct crimg_err *damage);
// The file with this number; "file 7 is missing" when there is none.
void crimg_file_words_by_id(struct crimg_image *image, const struct crimg_files *files, uint32_t id,
                            struct crimg_file_words *out, struct crimg_err *damage);
// Only the path, when the file has one, else NULL; "[deleted]" and the like are not in it.
const char *crimg_file_path(const struct crimg_file *file);

// A unix socket's name: "/run/x.sock", "@abstract" (further NULs as \x00), "" when unnamed.
char *crimg_unix_name(const UnixSkEntry *socket, char *out, size_t size);

#endif
