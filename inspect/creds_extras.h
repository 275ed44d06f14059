// What an image of ours tells of threads and processes beyond CRIU's messages, in the view creds.
#ifndef CRIMG_INSPECT_CREDS_EXTRAS_H
#define CRIMG_INSPECT_CREDS_EXTRAS_H

#include "inspect/table.h"

// Each adds its fields to the record; nothing where the image tells nothing. In text what is as usual is left out.
void crimg_thread_extra_fields(struct crimg_table *t, uint32_t tid);
void crimg_process_extra_fields(struct crimg_table *t, uint32_t pid);
// The name that its program gave the area at address; NULL: none.
const char *crimg_area_label(struct crimg_view *view, uint32_t pid, uint64_t address);

#endif
