// Shared objects among the records of an image that a kernel wrote itself: the format says which they are and counts
// what refers to them; here that is held against how many holders there are. Knows counts; knows no format.
#include <inttypes.h>

#include "validate/checker.h"

static void check_record(struct crimg_checker *c, const KernelRecordEntry *e)
{
	bool right = e->has_holders ? e->references == e->holders : e->references > 0;
	if (e->object == NULL || right)
		return;
	struct crimg_place at = crimg_place_message(c, e, "%s", "");
	CRIMG_FIND(c, OBJECT_COUNT, &at, "%.40s: found %" PRIu64 " references, the image holds %s%" PRIu64, e->object,
	           e->references, e->has_holders ? "" : "at least ", e->has_holders ? e->holders : 1);
}

void crimg_pass_records(struct crimg_checker *c)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_KERNEL_RECORDS);
	const KernelRecordEntry *e;
	// What damage took away is not counted.
	if (c->findings.of_severity[CRIMG_ERROR] > 0)
		return;
	while ((e = crimg_image_walk(c->image, &walk, NULL)) != NULL)
		check_record(c, e);
}
