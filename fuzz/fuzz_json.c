// Claim: any text as JSON ends in records or in an error, from a file and from a pipe; and what it says
// never breaks a writer.
#include "fuzz/harness.h"

static void try_writer(const uint8_t *data, size_t size, const char *to, bool pipe)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .level = 0 };
	struct crimg_output *out;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "fuzz.json", data, size, pipe))
		return;
	harness_claim_err(harness_convert(&in, "json", to, &options, true, &out, &err), &err);
	crimg_output_close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT, pipe_err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (harness_input_bytes(&in, "fuzz.json", data, size, false))
		harness_claim_err(harness_drain(&in, "json", true, HARNESS_LIMITS, &err), &err);
	if (harness_input_bytes(&in, "fuzz.json", data, size, true))
		harness_claim_err(harness_drain(&in, "json", false, HARNESS_LIMITS, &pipe_err),
		                  &pipe_err);
	try_writer(data, size, "criu", false);
	try_writer(data, size, "crimg", true);
	return 0;
}
