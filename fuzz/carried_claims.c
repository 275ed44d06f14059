// What holds of every format whose images are carried as records.
#include <string.h>

#include "fuzz/carried_claims.h"
#include "fuzz/harness.h"

static void check_pages(struct crimg_image *image, bool mapped)
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
	harness_claim(!mapped || told >= held, "no pages are held that no page map tells of");
}

static void try_index(const struct carried_format *f, const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	struct crimg_input in;
	for (int pipe = 0; pipe <= (f->piped ? 1 : 0); pipe++) {
		err = CRIMG_ERR_INIT;
		if (harness_input_bytes(&in, f->file, data, size, pipe != 0))
			harness_claim_err(harness_index(&in, f->name, &err), &err);
	}
	err = CRIMG_ERR_INIT;
	if (!harness_input_bytes(&in, f->file, data, size, false))
		return;
	int rc = crimg_image_open_input(&in, f->name, &image, &err);
	harness_claim_err(rc, &err);
	if (rc == 0)
		check_pages(image, f->mapped);
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
	if (!harness_input_bytes(&in, "fuzz", data, size, false))
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
		      "an image that is read without an error comes back byte for byte");
	crimg_output_close(out);
}

int carried_claims(const struct carried_format *f, const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	if (size == 0)
		return 0;
	if (harness_input_bytes(&in, f->file, data, size, false))
		harness_claim_err(harness_drain(&in, f->name, true, HARNESS_LIMITS, &err), &err);
	try_index(f, data, size);
	crimg_output_close(converted(data, size, f->name, "criu"));
	check_same(data, size, converted(data, size, f->name, f->name));
	struct crimg_output *stream = converted(data, size, f->name, "crimg");
	if (stream != NULL) {
		const struct crimg_mem_member *m = crimg_output_mem_find(stream, "");
		if (m != NULL)
			check_same(data, size,
				   converted(m->data.data, m->data.length, "crimg", f->name));
	}
	crimg_output_close(stream);
	return 0;
}
