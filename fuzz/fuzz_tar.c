// Claim: any bytes as an archive end in an image or in an error, and no member leaves the root
// [R-0502].
// The bytes go through libarchive in this process; its own leaks and limits are its own matter.
#include <string.h>

#include "fuzz/harness.h"

static void check_names(const struct crimg_store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		const char *name = store->members[i].name;
		harness_claim(crimg_name_is_safe(name), "a member's name stays below the root");
		harness_claim(i == 0 || strcmp(store->members[i - 1].name, name) < 0,
		              "members are sorted and unique");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_source *source;
	struct crimg_store *store;
	struct crimg_input in;
	if (crimg_source_open_memory(data, size, "fuzz.tar", &source, &err) < 0)
		return 0;
	if (crimg_store_open_tar(source, NULL, false, &store, &err) < 0) {
		harness_claim_err(-1, &err);
		crimg_source_close(source);
		return 0;
	}
	check_names(store);
	struct harness_limits few = { 4096, 4u << 20 };
	if (harness_input_store(&in, store) && harness_drain(&in, "criu", true, few, &err) < 0)
		harness_claim_err(-1, &err);
	return 0;
}
