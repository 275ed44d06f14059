// Claim: any bytes as a "LinuxC/R" image end in records or in an error; what such an image says never breaks the
// index or a writer; and one that is read without an error comes back byte for byte, also through another format.
#include <string.h>

#include "fuzz/harness.h"

// The output, or NULL when the image cannot be converted.
static struct crimg_output *converted(const uint8_t *data, size_t size, const char *from, const char *to)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .level = 0 };
	struct crimg_output *out = NULL;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "fuzz.kstate", data, size, false))
		return NULL;
	int rc = harness_convert(&in, from, to, &options, true, &out, &err);
	harness_claim_err(rc, &err);
	if (rc == 0)
		return out;
	crimg_output_close(out);
	return NULL;
}

static void check_same(const uint8_t *data, size_t size, struct crimg_output *out)
{
	const struct crimg_mem_member *m = out == NULL ? NULL : crimg_output_mem_find(out, "");
	harness_claim(m == NULL || (m->data.length == size && memcmp(m->data.data, data, size) == 0),
	              "an image that is read without an error comes back byte for byte");
	crimg_output_close(out);
}

static void try_index(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (harness_input_bytes(&in, "fuzz.kstate", data, size, true))
		harness_claim_err(harness_index(&in, "kstate", &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (size == 0)
		return 0;
	if (harness_input_bytes(&in, "fuzz.kstate", data, size, false))
		harness_claim_err(harness_drain(&in, "kstate", true, HARNESS_LIMITS, &err), &err);
	try_index(data, size);
	crimg_output_close(converted(data, size, "kstate", "criu"));
	check_same(data, size, converted(data, size, "kstate", "kstate"));
	struct crimg_output *stream = converted(data, size, "kstate", "crimg");
	const struct crimg_mem_member *m = stream != NULL ? crimg_output_mem_find(stream, "") : NULL;
	if (m != NULL)
		check_same(data, size, converted(m->data.data, m->data.length, "crimg", "kstate"));
	crimg_output_close(stream);
	return 0;
}
