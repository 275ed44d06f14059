// Claim: a directory of any files ends in records, an index and a list of what is missing, or in errors.
#include "fuzz/harness.h"
#include "fuzz/members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT, index_err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (harness_input_store(&in, members_store(data, size))
	    && harness_drain(&in, "criu", true, HARNESS_LIMITS, &err) < 0)
		harness_claim_err(-1, &err);
	if (harness_input_store(&in, members_store(data, size))
	    && harness_index(&in, "criu", &index_err) < 0)
		harness_claim_err(-1, &index_err);
	return 0;
}
