// Claim: any bytes as an OpenVZ image end in records or in an error; all pages that its page maps tell of are
// in its pages; what such an image says never breaks the index or a writer; and one that is read
// without an error comes back byte for byte, also through another format.
#include "fuzz/carried_claims.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct carried_format format = {.name = "cpt", .file = "fuzz.cpt"};
	return carried_claims(&format, data, size);
}
