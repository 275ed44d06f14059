// Claim: one image file of any kind, with any bytes, ends in records that decode or in an error.
// The first byte chooses the kind, the second the number in its name; the rest is the file.
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	char name[CRIMG_FILE_NAME_MAX];
	if (size < 2)
		return 0;
	enum crimg_kind kind = (enum crimg_kind)(data[0] % CRIMG_KIND_COUNT);
	crimg_kind_file(kind, data[1], name);
	if (!harness_input_bytes(&in, name[0] != '\0' ? name : "unknown", data + 2, size - 2, false))
		return 0;
	if (harness_drain(&in, "criu", true, HARNESS_LIMITS, &err) < 0)
		harness_claim_err(-1, &err);
	return 0;
}
