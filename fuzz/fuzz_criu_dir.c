// Claim: a directory of any files ends in records, an index, a list of what is missing, and ELF cores and an OpenVZ
// image made of it, or in errors; and such an image is read without one.
#include "fuzz/harness.h"
#include "fuzz/members.h"
#include "format/ledger.h"

static void check_read(const struct crimg_mem_member *m)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "made.cpt", m->data.data, m->data.length, false))
		return;
	int rc = harness_drain(&in, "cpt", false, HARNESS_LIMITS, &err);
	harness_claim(rc == 0 || err.code == CRIMG_E_NOMEM || err.code == CRIMG_E_LIMIT,
	              "an OpenVZ image that was made is read without an error");
}

static void try_making(const char *format, const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_writer_options options = { .members = true, .ledger = &ledger };
	struct crimg_output *out = NULL;
	struct crimg_input in;
	if (!harness_input_store(&in, members_store(data, size)))
		return;
	int rc = harness_convert(&in, "criu", format, &options, true, &out, &err);
	harness_claim_err(rc, &err);
	const struct crimg_mem_member *m = rc == 0 ? crimg_output_mem_find(out, "") : NULL;
	if (m != NULL)
		check_read(m);
	crimg_output_close(out);
	crimg_ledger_fini(&ledger);
}

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
	try_making("core", data, size);
	try_making("cpt", data, size);
	return 0;
}
