// How tables put text into a view; for table.c and table_render.c alone.
#ifndef CRIMG_INSPECT_TABLE_OUT_H
#define CRIMG_INSPECT_TABLE_OUT_H

#include "inspect/table.h"

void crimg_out_put(struct crimg_view *view, const char *text, size_t length);
void crimg_out_blanks(struct crimg_view *view, size_t count);
// In color when the view has color.
void crimg_out_marked(struct crimg_view *view, enum crimg_mark mark, const char *text);
// Notes a denied allocation in view->fault.
void crimg_out_nomem(struct crimg_view *view, size_t size);
// A copy without control bytes; NULL without memory, noted.
char *crimg_out_safe(struct crimg_view *view, const char *text);

// Cells to lines.
void crimg_table_render(struct crimg_table *t);
void crimg_record_render(struct crimg_table *t);

#endif
