// Claim: any two images compare, to the end, in bounded time; an image and itself are the same, whatever is in it.
#include <stdio.h>

#include "diff/show.h"
#include "format/checked.h"
#include "fuzz/harness.h"
#include "fuzz/members.h"

static struct crimg_image *open_image(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	struct crimg_input in;
	if (harness_input_store(&in, members_store(data, size)))
		harness_claim_err(crimg_image_open_input(&in, "criu", &image, &err), &err);
	return image;
}

// Text or JSON, with all that can be asked for.
static void tell(struct crimg_diff *d, bool json)
{
	static FILE *out;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_diff_show show = { .all = json, .bytes = true, .context = 2, .pointers = true };
	if (out == NULL)
		out = fopen("/dev/null", "w");
	harness_claim(out != NULL, "there is a null device");
	harness_claim_err(json ? crimg_diff_json(d, &show, out, &err) : crimg_diff_text(d, &show, out, &err),
	                  &err);
}

// True when they are the same, or damaged.
static bool compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, int way)
{
	struct crimg_diff_options options = { .path = { "a", "b" }, .match = (enum crimg_match)(way % 3),
		                              .folded = way % 2 != 0 };
	struct crimg_image *images[2] = { open_image(a, a_size), open_image(b, b_size) };
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_diff *d;
	if (images[0] == NULL || images[1] == NULL) {
		crimg_image_close(images[0]);
		crimg_image_close(images[1]);
		return true;
	}
	int rc = crimg_diff_open_images(&options, images, &d, &err);
	harness_claim_err(rc, &err);
	if (rc < 0)
		return true;
	tell(d, way % 2 == 0);
	bool same = !crimg_diff_differs(d) || d->damage.code != CRIMG_OK || d->fault.code != CRIMG_OK;
	crimg_diff_close(d);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 5)
		return 0;
	size_t rest = size - 4, first = crimg_get_u32(data) % (rest + 1);
	const uint8_t *a = data + 4, *b = a + first;
	int way = data[size - 1] % 6;
	compare(a, first, b, rest - first, way);
	harness_claim(compare(a, first, a, first, way), "an image and itself are the same");
	harness_claim(compare(b, rest - first, b, rest - first, way + 1), "the other and itself are the same");
	return 0;
}
