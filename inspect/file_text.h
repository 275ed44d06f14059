// What an open file is, as views say it.
#ifndef CRIMG_INSPECT_FILE_TEXT_H
#define CRIMG_INSPECT_FILE_TEXT_H

#include "format/file_words.h"
#include "inspect/view.h"

// crimg_file_words() of the view's image.
void crimg_file_describe(struct crimg_view *view, const struct crimg_file *file,
                         struct crimg_file_words *out);
void crimg_file_describe_id(struct crimg_view *view, uint32_t id, struct crimg_file_words *out);
// Name and note in one, "NAME (NOTE)". Returns out.
char *crimg_file_text_by_id(struct crimg_view *view, uint32_t id, char *out, size_t size);

#endif
