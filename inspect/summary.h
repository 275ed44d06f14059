// The lines of summary that tell where an image comes from.
#ifndef CRIMG_INSPECT_SUMMARY_H
#define CRIMG_INSPECT_SUMMARY_H

#include "inspect/container_info.h"
#include "inspect/origin.h"
#include "inspect/table.h"

// The last part of a path.
const char *crimg_summary_base(const char *path);

// True for an image that came from an ELF core, whichever format it has now.
bool crimg_summary_is_core(const struct crimg_view *view);

// True for an image that a kernel wrote itself, whichever format it has now.
bool crimg_summary_is_kernel(const struct crimg_view *view);
// Maker, kernel and time, from the image's own records.
void crimg_summary_kernel_origin(struct crimg_view *view, struct crimg_origin *out);

// Each adds its fields to the record.
// Of cores: by whom it was made; the signal that it was made for.
void crimg_summary_core_maker(struct crimg_table *t);
void crimg_summary_core_signal(struct crimg_table *t);
void crimg_summary_kernel_maker(struct crimg_table *t, const struct crimg_origin *o);
void crimg_summary_maker(struct crimg_table *t, const struct crimg_origin *o);
void crimg_summary_time(struct crimg_table *t, const struct crimg_origin *o,
                        const struct crimg_container_info *c);
// compat: 32-bit processes, of alive.
void crimg_summary_cpu(struct crimg_table *t, size_t compat, size_t alive);
void crimg_summary_container(struct crimg_table *t, const struct crimg_container_info *c);
// The object "container", in JSON only.
void crimg_summary_container_json(struct crimg_view *view, const struct crimg_container_info *c);

#endif
