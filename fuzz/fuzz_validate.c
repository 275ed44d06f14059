// Claim: whatever a directory holds, validate ends in findings, each with a place and a text; and an image that its
// reader refuses, or in which something is missing, is never valid.
#include "fuzz/harness.h"
#include "fuzz/members.h"
#include "validate/checker.h"

static void claim_findings(const struct crimg_findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		harness_claim(f->list[i].id < CRIMG_F_COUNT, "a finding is in the table");
		harness_claim(f->list[i].place.file != NULL, "a finding has a place");
		harness_claim(f->list[i].text != NULL && f->list[i].text[0] != '\0', "a finding says something");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_checker_options options = { .path = "fuzz", .format = "criu", .tmpdir = "/tmp",
		                                 .closed = true, .pages = true };
	struct crimg_err err = CRIMG_ERR_INIT, index_err = CRIMG_ERR_INIT;
	struct crimg_checker c;
	struct crimg_input in;
	if (!harness_input_store(&in, members_store(data, size)))
		return 0;
	int rc = crimg_checker_open_input(&c, &options, &in, &err);
	harness_claim_err(rc, &err);
	if (rc == 0) {
		crimg_checker_run(&c);
		claim_findings(&c.findings);
	}
	bool valid = rc == 0 && c.findings.of_severity[CRIMG_ERROR] == 0;
	bool single = rc == 0 && c.single;
	crimg_checker_close(&c);
	if (valid && !single && harness_input_store(&in, members_store(data, size)))
		harness_claim(harness_index(&in, "criu", &index_err) == 0, "what is valid can be read");
	return 0;
}
