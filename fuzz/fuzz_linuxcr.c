// Claim: any bytes as a kernel stream end in records or in an error; all pages that its page maps tell of are
// in its pages; what such an image says never breaks the index or a writer; and one that is read
// without an error comes back byte for byte, also through another format. What is put in for criu is
// announced as all else is.
#include "format/filter.h"
#include "fuzz/carried_claims.h"
#include "fuzz/harness.h"

// As convert has it for criu.
static void try_going_on(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_reader reader = {.driver = NULL};
	struct crimg_record r;
	struct crimg_input in;
	uint64_t payloads = 0, announced = 0, given = 0;
	if (!harness_input_bytes(&in, "fuzz.ckpt", data, size, false))
		return;
	int rc = crimg_reader_open(&in, "linux-cr", &reader, &err);
	crimg_input_fini(&in);
	harness_claim_err(rc, &err);
	if (rc == 0)
		rc = reader.driver->notes(&reader, &ledger, &err);
	if (rc == 0)
		rc = crimg_filter_vdso(&reader, &ledger, &err);
	while (rc == 0 && (rc = crimg_reader_next(&reader, &r, &err)) > 0) {
		rc = 0;
		if (r.type == CRIMG_RECORD_CONTENT)
			given += r.content_length;
		else if (r.payload.number != CRIMG_NO_PAYLOAD) {
			harness_claim(r.payload.number == payloads++, "payloads are numbered in order");
			announced += r.payload.length;
		}
	}
	harness_claim_err(rc, &err);
	harness_claim(rc < 0 || announced == given, "what is announced is given");
	crimg_reader_close(&reader);
	crimg_ledger_fini(&ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct carried_format format = {
		.name = "linux-cr", .file = "fuzz.ckpt", .mapped = true
	};
	if (size > 0)
		try_going_on(data, size);
	return carried_claims(&format, data, size);
}
