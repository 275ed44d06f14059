// What the records of a kernel stream say beyond CRIU's messages: which kernel wrote it, and when.
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "inspect/summary.h"

// The n-th record of the stream, at least length bytes long; or NULL.
static const KernelRecordEntry *record(struct crimg_view *view, unsigned n, size_t length)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_KERNEL_RECORDS);
	const KernelRecordEntry *e;
	while ((e = crimg_image_walk(view->image, &walk, &view->damage)) != NULL)
		if (n-- == 0)
			return e->payload.len >= length ? e : NULL;
	return NULL;
}

bool crimg_summary_is_kernel(const struct crimg_view *view)
{
	return crimg_image_first(view->image, CRIMG_KIND_KERNEL_RECORDS) != NULL;
}

void crimg_summary_kernel_origin(struct crimg_view *view, struct crimg_origin *out)
{
	const KernelRecordEntry *header = record(view, 0, CRIMG_LCR_HEADER_PAYLOAD);
	const KernelRecordEntry *release = record(view, 1, 1), *machine = record(view, 3, 1);
	if (release != NULL && machine != NULL)
		snprintf(out->kernel, sizeof out->kernel, "Linux %.*s %.*s",
			 (int)strnlen((char *)release->payload.data, release->payload.len),
			 (char *)release->payload.data,
			 (int)strnlen((char *)machine->payload.data, machine->payload.len),
			 (char *)machine->payload.data);
	if (header == NULL)
		return;
	out->newest_time = crimg_get_u64(header->payload.data + CRIMG_LCR_HEADER_TIME);
	snprintf(out->newest_what, sizeof out->newest_what, "the stream's header");
}

// CRIU had no part in it.
void crimg_summary_kernel_maker(struct crimg_table *t, const struct crimg_origin *o)
{
	static const char *const of_criu[] = {"criu_version", "criu_at_least", "criu_before",
					      "run_id"};
	for (size_t i = 0; i < sizeof of_criu / sizeof of_criu[0]; i++) {
		crimg_field(t, of_criu[i], NULL);
		crimg_cell_text(t, NULL);
	}
	crimg_field(t, NULL, "made by");
	crimg_cell_textf(t, "checkpoint(2) of %s", o->kernel[0] != '\0' ? o->kernel : "a kernel");
	crimg_field(t, "kernel", NULL);
	crimg_cell_text(t, o->kernel[0] != '\0' ? o->kernel : NULL);
}
