// Claim: any bytes as an ELF core end in records or in an error, whether zeros are holes of the file or
// not; all pages that its page map tells of are in its pages; and what such a core says never breaks the
// index or a writer.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/limits.h"
#include "fuzz/harness.h"

// The bytes in a file of their own, pages of zeros left out.
static bool input_sparse(struct crimg_input *in, const uint8_t *data, size_t size)
{
	static const uint8_t zeros[CRIMG_PAGE_BYTES];
	int fd = memfd_create("fuzz.core", MFD_CLOEXEC);
	bool good = fd >= 0 && ftruncate(fd, (off_t)size) == 0;
	for (size_t at = 0; good && at < size; at += sizeof zeros) {
		size_t n = size - at < sizeof zeros ? size - at : sizeof zeros;
		if (memcmp(data + at, zeros, n) != 0)
			good = pwrite(fd, data + at, n, (off_t)at) == (ssize_t)n;
	}
	*in = (struct crimg_input){ .path = strdup("fuzz.core") };
	if (!good || in->path == NULL || crimg_source_open_fd(fd, "fuzz.core", &in->source, NULL) < 0) {
		if (!good || in->path == NULL)
			close(fd);
		crimg_input_fini(in);
		return false;
	}
	in->head_length = size < sizeof in->head ? size : sizeof in->head;
	memcpy(in->head, data, in->head_length);
	return true;
}

static bool input(struct crimg_input *in, const uint8_t *data, size_t size, bool sparse)
{
	return sparse ? input_sparse(in, data, size)
		: harness_input_bytes(in, "fuzz.core", data, size, false);
}

static void check_pages(struct crimg_image *image)
{
	struct crimg_image_object *map = crimg_image_first(image, CRIMG_KIND_PAGEMAP);
	struct crimg_image_object *pages = crimg_image_first(image, CRIMG_KIND_PAGES);
	harness_claim(map != NULL && map->sorted, "a core has a page map, in the order of addresses");
	harness_claim(pages != NULL && pages->payload.length == map->map->stored_bytes,
	              "a core has the pages that its page map tells of");
}

static void try_index(const uint8_t *data, size_t size, bool sparse)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image;
	struct crimg_input in;
	if (input(&in, data, size, sparse))
		harness_claim_err(harness_index(&in, "core", &err), &err);
	err = CRIMG_ERR_INIT;
	if (!input(&in, data, size, sparse))
		return;
	harness_claim_err(crimg_image_open_input(&in, "core", &image, &err), &err);
	if (image != NULL)
		check_pages(image);
	crimg_image_close(image);
}

static void try_writer(const uint8_t *data, size_t size, bool sparse, const char *to)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .level = 0 };
	struct crimg_output *out;
	struct crimg_input in;
	if (!input(&in, data, size, sparse))
		return;
	harness_claim_err(harness_convert(&in, "core", to, &options, true, &out, &err), &err);
	crimg_output_close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_input in;
	for (int sparse = 0; sparse < 2; sparse++) {
		err = CRIMG_ERR_INIT;
		if (size > 0 && input(&in, data, size, sparse))
			harness_claim_err(harness_drain(&in, "core", true, HARNESS_LIMITS, &err), &err);
		if (size > 0)
			try_index(data, size, sparse);
	}
	if (size == 0)
		return 0;
	try_writer(data, size, data[size - 1] % 2, "criu");
	try_writer(data, size, data[size - 1] % 2, "crimg");
	return 0;
}
