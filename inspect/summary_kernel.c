// What the records of an image that a kernel wrote itself say beyond CRIU's messages: who wrote it, and
// when.
#include <stdio.h>

#include "inspect/summary.h"

bool crimg_summary_is_kernel(const struct crimg_view *view)
{
	return crimg_image_first(view->image, CRIMG_KIND_KERNEL_RECORDS) != NULL;
}

void crimg_summary_kernel_origin(struct crimg_view *view, struct crimg_origin *out)
{
	const KernelOriginEntry *e = crimg_image_origin(view->image);
	if (e == NULL)
		return;
	snprintf(out->maker, sizeof out->maker, "%s", e->maker);
	snprintf(out->kernel, sizeof out->kernel, "%s", e->kernel != NULL ? e->kernel : "");
	out->newest_time = e->seconds;
	snprintf(out->newest_what, sizeof out->newest_what, "%s",
		 e->told_by != NULL ? e->told_by : "the image");
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
	crimg_cell_textf(t, "%s of %s", o->maker[0] != '\0' ? o->maker : "checkpoint",
			 o->kernel[0] != '\0' ? o->kernel : "a kernel that is not told");
	crimg_field(t, "kernel", NULL);
	crimg_cell_text(t, o->kernel[0] != '\0' ? o->kernel : NULL);
}
