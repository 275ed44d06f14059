// What an area is, as views say it.
#ifndef CRIMG_INSPECT_AREA_TEXT_H
#define CRIMG_INSPECT_AREA_TEXT_H

#include "format/area_words.h"
#include "inspect/view.h"

// crimg_area_words() of the view's image.
static inline char *crimg_area_text(struct crimg_view *view, const struct crimg_task *task,
                                    const VmaEntry *vma, char *out, size_t size)
{
	return crimg_area_words(view->image, &view->files, task, vma, out, size, &view->damage);
}

#endif
