// Claim: a directory of any files as an early CRIU image ends in records, an index and an image of today's layout, or
// in errors; its page maps are in the order of addresses and tell of the pages that are there.
#include "fuzz/harness.h"
#include "fuzz/members.h"

static void check_index(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	struct crimg_input in;
	if (!harness_input_store(&in, members_store(data, size)))
		return;
	int rc = crimg_image_open_input(&in, "criu-early", &image, &err);
	harness_claim_err(rc, &err);
	for (size_t i = 0; image != NULL && i < image->count; i++)
		if (image->objects[i].map != NULL)
			harness_claim(image->objects[i].sorted, "page maps are in the order of addresses");
	crimg_image_close(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .level = 0 };
	struct crimg_output *out = NULL;
	struct crimg_input in;
	if (harness_input_store(&in, members_store(data, size)))
		harness_claim_err(harness_drain(&in, "criu-early", true, HARNESS_LIMITS, &err), &err);
	check_index(data, size);
	err = CRIMG_ERR_INIT;
	if (harness_input_store(&in, members_store(data, size))) {
		harness_claim_err(harness_convert(&in, "criu-early", "crimg", &options, true, &out, &err), &err);
		crimg_output_close(out);
	}
	return 0;
}
