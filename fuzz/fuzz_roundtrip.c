// Claim: an image that can be read comes back bit for bit: through a stream (raw and zstd), through an
// archive-like output, and through JSON.
// The input is a directory as members.h describes it.
#include "fuzz/harness.h"
#include "fuzz/members.h"

// The only member of a single output.
static bool input_of(const struct crimg_output *o, const char *name, struct crimg_input *in)
{
	const struct crimg_mem_member *m = crimg_output_mem_find(o, "");
	return m != NULL && harness_input_bytes(in, name, m->data.data, m->data.length, false);
}

// first: what the image is. Through one single-file format and back.
static void there_and_back(const struct crimg_output *first, bool sound, const char *format,
                           const char *compress, bool at_offsets)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .compress = compress }, plain = { .level = 0 };
	struct crimg_output *middle = NULL, *last = NULL;
	struct crimg_input in;
	if (!harness_input_store(&in, harness_store_of(first)))
		return;
	int rc = harness_convert(&in, "criu", format, &options, true, &middle, &err);
	// Broken messages pass through a stream (but for page maps, which tell where chunks end), not through
	// JSON.
	harness_claim(rc == 0 || !sound || err.code == CRIMG_E_LIMIT, "what is sound is written");
	if (rc == 0 && input_of(middle, "middle", &in)) {
		rc = harness_convert(&in, format, "criu", &plain, at_offsets, &last, &err);
		harness_claim(rc == 0 || err.code == CRIMG_E_LIMIT, "what was written is read");
		harness_claim(rc != 0 || harness_same(first, last), "the image comes back");
	}
	crimg_output_close(last);
	crimg_output_close(middle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options plain = { .level = 0 };
	struct crimg_output *first;
	struct crimg_input in;
	if (!harness_input_store(&in, members_store(data, size)))
		return 0;
	int rc = harness_convert(&in, "criu", "criu", &plain, true, &first, &err);
	if (rc == 0) {
		bool sound = false;
		struct crimg_store *store = members_store(data, size);
		for (size_t i = 0; store != NULL && i < store->count; i++) {
			const struct crimg_mem_member *m =
				crimg_output_mem_find(first, store->members[i].name);
			harness_claim(m != NULL && (m->target != NULL || m->data.length == store->members[i].size),
			              "every member is written");
		}
		crimg_store_close(store);
		if (harness_input_store(&in, harness_store_of(first)))
			sound = harness_sound(&in, "criu");
		there_and_back(first, sound, "crimg", NULL, true);
		there_and_back(first, sound, "crimg", "zstd", false);
		there_and_back(first, sound, "json", NULL, true);
	}
	crimg_output_close(first);
	return 0;
}
