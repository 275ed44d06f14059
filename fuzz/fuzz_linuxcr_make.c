// Claim: from a directory of any files a kernel stream is made, or an error says why not; what is made is
// read again without an error; and what is made from that is the same, byte for byte.
#include <string.h>

#include "format/ledger.h"
#include "fuzz/harness.h"
#include "fuzz/members.h"

// The stream, or NULL when there is none.
static struct crimg_output *made(struct crimg_input *in, const char *from, const char *posting)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_writer_options options = { .posting = posting, .ledger = &ledger };
	struct crimg_output *out = NULL;
	int rc = harness_convert(in, from, "linux-cr", &options, true, &out, &err);
	crimg_ledger_fini(&ledger);
	harness_claim_err(rc, &err);
	if (rc == 0)
		return out;
	crimg_output_close(out);
	return NULL;
}

static void check_again(const struct crimg_mem_member *m, const char *posting)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "made.ckpt", m->data.data, m->data.length, false))
		return;
	int rc = harness_drain(&in, "linux-cr", false, HARNESS_LIMITS, &err);
	harness_claim(rc == 0 || err.code == CRIMG_E_NOMEM || err.code == CRIMG_E_LIMIT,
	              "a stream that was made is read without an error");
	if (!harness_input_bytes(&in, "made.ckpt", m->data.data, m->data.length, false))
		return;
	struct crimg_output *again = made(&in, "linux-cr", posting);
	const struct crimg_mem_member *n = again == NULL ? NULL : crimg_output_mem_find(again, "");
	harness_claim(n == NULL
	                      || (n->data.length == m->data.length
	                          && memcmp(n->data.data, m->data.data, m->data.length) == 0),
	              "a stream that is made from a made one is the same");
	crimg_output_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const postings[] = { "v20", "v23-rc2" };
	for (size_t i = 0; i < 2; i++) {
		struct crimg_input in;
		if (!harness_input_store(&in, members_store(data, size)))
			return 0;
		struct crimg_output *out = made(&in, "criu", postings[i]);
		const struct crimg_mem_member *m = out == NULL ? NULL : crimg_output_mem_find(out, "");
		if (m != NULL)
			check_again(m, postings[i]);
		crimg_output_close(out);
	}
	return 0;
}
