// Claim: any bytes as a kernel stream end in records or in an error; all pages that its page maps
// tell of are in its pages; what such a stream says never breaks the index or a writer; and one
// that is read without an error comes back byte for byte, also through another format. What is
// put in for criu is announced as all else is.
#include <string.h>

#include "convert/filters.h"
#include "fuzz/harness.h"

static bool input(struct crimg_input *in, const uint8_t *data, size_t size)
{
	return harness_input_bytes(in, "fuzz.ckpt", data, size, false);
}

static void check_pages(struct crimg_image *image)
{
	uint64_t told = 0, held = 0;
	for (size_t i = 0; i < image->count; i++) {
		const struct crimg_image_object *o = &image->objects[i];
		if (o->map != NULL) {
			harness_claim(o->sorted, "page maps are in the order of addresses");
			told += o->map->stored_bytes;
		}
		if (o->object.kind == CRIMG_KIND_PAGES)
			held += o->payload.length;
	}
	// An address space that processes share has a map for each.
	harness_claim(told >= held, "no pages are held that no page map tells of");
}

static void try_index(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	struct crimg_input in;
	if (input(&in, data, size))
		harness_claim_err(harness_index(&in, "linux-cr", &err), &err);
	err = CRIMG_ERR_INIT;
	if (!input(&in, data, size))
		return;
	int rc = crimg_image_open_input(&in, "linux-cr", &image, &err);
	harness_claim_err(rc, &err);
	if (rc == 0)
		check_pages(image);
	crimg_image_close(image);
}

// The output, or NULL when the stream cannot be converted.
static struct crimg_output *converted(const uint8_t *data, size_t size, const char *from,
				      const char *to)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = {.level = 0};
	struct crimg_output *out = NULL;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "fuzz.ckpt", data, size, false))
		return NULL;
	int rc = harness_convert(&in, from, to, &options, true, &out, &err);
	harness_claim_err(rc, &err);
	if (rc == 0)
		return out;
	crimg_output_close(out);
	return NULL;
}

static void check_same(const uint8_t *data, size_t size, struct crimg_output *out)
{
	const struct crimg_mem_member *m = out == NULL ? NULL : crimg_output_mem_find(out, "");
	harness_claim(m == NULL
			      || (m->data.length == size && memcmp(m->data.data, data, size) == 0),
		      "a stream that is read without an error comes back byte for byte");
	crimg_output_close(out);
}

// As convert has it for criu.
static void try_going_on(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_reader reader = {.driver = NULL};
	struct crimg_record r;
	struct crimg_input in;
	uint64_t payloads = 0, announced = 0, given = 0;
	if (!input(&in, data, size))
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
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (size == 0)
		return 0;
	if (input(&in, data, size))
		harness_claim_err(harness_drain(&in, "linux-cr", true, HARNESS_LIMITS, &err), &err);
	try_index(data, size);
	try_going_on(data, size);
	crimg_output_close(converted(data, size, "linux-cr", "criu"));
	check_same(data, size, converted(data, size, "linux-cr", "linux-cr"));
	struct crimg_output *stream = converted(data, size, "linux-cr", "crimg");
	if (stream != NULL) {
		const struct crimg_mem_member *m = crimg_output_mem_find(stream, "");
		if (m != NULL)
			check_same(data, size,
				   converted(m->data.data, m->data.length, "crimg", "linux-cr"));
	}
	crimg_output_close(stream);
	return 0;
}
