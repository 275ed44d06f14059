// An image opened once, and any views of it as one JSON object: what `crimg inspect --json` prints and what
// reports carry.
#ifndef CRIMG_INSPECT_ANSWER_H
#define CRIMG_INSPECT_ANSWER_H

#include "inspect/view.h"

// Opens and indexes the image that view->options name. False when nothing at all can be shown:
// view->damage tells why. Close it in both cases; view->out stays the caller's.
CRIMG_MUST_CHECK bool crimg_view_open(struct crimg_view *view);
void crimg_view_close(struct crimg_view *view);

// NULL when no view has this name.
const struct crimg_view_row *crimg_view_by_name(const char *name);

// Appends one JSON object with the answers of count views, schema crimg.inspect/1, and a newline to
// view->out. pretty: one member a line. What goes wrong is noted in view->fault.
void crimg_view_json(struct crimg_view *view, const struct crimg_view_row *const *rows,
                     size_t count, bool pretty);

#endif
