#include "inspect/file_text.h"

#include <stdio.h>

void crimg_file_describe(struct crimg_view *view, const struct crimg_file *file,
                         struct crimg_file_words *out)
{
	crimg_file_words(view->image, &view->files, file, out, &view->damage);
}

void crimg_file_describe_id(struct crimg_view *view, uint32_t id, struct crimg_file_words *out)
{
	crimg_file_words_by_id(view->image, &view->files, id, out, &view->damage);
}

char *crimg_file_text_by_id(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	struct crimg_file_words words;
	crimg_file_describe_id(view, id, &words);
	if (words.note[0] != '\0')
		snprintf(out, size, "%s (%s)", words.name, words.note);
	else
		snprintf(out, size, "%s", words.name);
	return out;
}
