// Claim: any bytes as a crimg stream end in records or in an error; from a pipe and from a file alike;
// payload read at random is payload read in sequence, and has the digests that are told of it; and what
// such a stream says never breaks a writer.
//
// A fuzzer cannot guess checksums, so every frame that begins where the one before it ends gets its
// checksum put right first (the header too), unless the last byte is odd: then the bytes stay.
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/checked.h"
#include "format/layout_crimg.h"
#include "fuzz/harness.h"

static void mend_header(uint8_t *p, size_t size, size_t *length)
{
	*length = crimg_get_u32(p + CRIMG_H_LENGTH);
	if (*length < CRIMG_H_MIN || *length > size)
		*length = size;
	else
		crimg_put_u64(p + *length - 8, XXH3_64bits(p, *length - 8));
}

static uint64_t frame_sum(const uint8_t *p, uint32_t covered)
{
	uint64_t sum = 0;
	size_t length = CRIMG_F_CHECKSUM + (size_t)covered;
	uint8_t *copy = malloc(length);
	if (copy != NULL) {
		memcpy(copy, p, CRIMG_F_CHECKSUM);
		memcpy(copy + CRIMG_F_CHECKSUM, p + CRIMG_F_BYTES, covered);
		sum = XXH3_64bits(copy, length);
	}
	free(copy);
	return sum;
}

// Digests of raw content, the sum of encoded content.
static void mend_content(uint8_t *body, uint32_t covered, uint8_t *stored, size_t length)
{
	if (covered < CRIMG_C_BYTES)
		return;
	uint32_t count = crimg_get_u32(body + CRIMG_C_COUNT);
	if (crimg_get_u32(body + CRIMG_C_ENCODING) != CRIMG_ENCODING_RAW) {
		crimg_put_u64(body + CRIMG_C_STORED_SUM, XXH3_64bits(stored, length));
		return;
	}
	for (uint32_t i = 0, at = 0; i < count && i < (covered - CRIMG_C_BYTES) / CRIMG_K_BYTES; i++) {
		uint8_t *row = body + CRIMG_C_BYTES + (size_t)i * CRIMG_K_BYTES;
		uint32_t n = crimg_get_u32(row);
		XXH128_canonical_t sum;
		if (crimg_get_u32(row + CRIMG_K_FLAGS) != 0)
			continue;
		if (n > length - at)
			break;
		XXH128_canonicalFromHash(&sum, XXH3_128bits(stored + at, n));
		memcpy(row + CRIMG_K_DIGEST, sum.digest, 16);
		at += n;
	}
}

// Rows of the CONTENT frames since the last DIGESTS frame.
struct rows {
	uint8_t *data; // as large as the stream
	size_t length;
};

static void keep_rows(struct rows *rows, const uint8_t *body, uint32_t covered)
{
	if (covered <= CRIMG_C_BYTES)
		return;
	memcpy(rows->data + rows->length, body + CRIMG_C_BYTES, covered - CRIMG_C_BYTES);
	rows->length += covered - CRIMG_C_BYTES;
}

static void mend_digests(struct rows *rows, uint8_t *body, uint32_t covered)
{
	size_t room = covered < CRIMG_D_BYTES ? 0 : covered - CRIMG_D_BYTES;
	if (room > 0 && rows->length > 0)
		memcpy(body + CRIMG_D_BYTES, rows->data, room < rows->length ? room : rows->length);
	rows->length = 0;
}

static void mend_frames(uint8_t *p, size_t size, size_t at, struct rows *rows)
{
	for (uint64_t number = 0; size - at >= CRIMG_F_BYTES; number++) {
		uint8_t *f = p + at;
		uint64_t body = crimg_get_u64(f + CRIMG_F_BODY);
		uint32_t covered = crimg_get_u32(f + CRIMG_F_COVERED);
		if (body > size - at - CRIMG_F_BYTES || covered > body)
			return;
		uint16_t type = crimg_get_u16(f + CRIMG_F_TYPE);
		crimg_put_u64(f + CRIMG_F_NUMBER, number);
		if (type == CRIMG_FRAME_CONTENT) {
			mend_content(f + CRIMG_F_BYTES, covered, f + CRIMG_F_BYTES + covered,
			             (size_t)body - covered);
			keep_rows(rows, f + CRIMG_F_BYTES, covered);
		} else if (type == CRIMG_FRAME_DIGESTS) {
			mend_digests(rows, f + CRIMG_F_BYTES, covered);
		}
		crimg_put_u64(f + CRIMG_F_CHECKSUM, frame_sum(f, covered));
		at += CRIMG_F_BYTES + (size_t)body;
	}
}

static void try_writer(const uint8_t *data, size_t size, const char *to, bool at_offsets)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_writer_options options = { .level = 0 };
	struct crimg_output *out;
	struct crimg_input in;
	if (!harness_input_bytes(&in, "fuzz.crimg", data, size, false))
		return;
	harness_claim_err(harness_convert(&in, "crimg", to, &options, at_offsets, &out, &err), &err);
	crimg_output_close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err file = CRIMG_ERR_INIT, pipe = CRIMG_ERR_INIT;
	struct crimg_input in;
	size_t header;
	uint8_t *copy = malloc(size + 1);
	struct rows rows = { malloc(size + 1), 0 };
	if (copy == NULL || rows.data == NULL) {
		free(copy);
		free(rows.data);
		return 0;
	}
	if (size > 0)
		memcpy(copy, data, size);
	if (size >= CRIMG_H_MIN && data[size - 1] % 2 == 0) {
		mend_header(copy, size, &header);
		mend_frames(copy, size, header, &rows);
	}
	int rc = 0, piped = 0;
	if (harness_input_bytes(&in, "fuzz.crimg", copy, size, false))
		rc = harness_drain(&in, "crimg", true, HARNESS_LIMITS, &file);
	if (harness_input_bytes(&in, "fuzz.crimg", copy, size, true))
		piped = harness_drain(&in, "crimg", false, HARNESS_LIMITS, &pipe);
	harness_claim(rc == piped && strcmp(file.text, pipe.text) == 0,
	              "a pipe and a file say the same");
	try_writer(copy, size, "criu", true);
	try_writer(copy, size, "criu", false);
	try_writer(copy, size, "json", true);
	file = CRIMG_ERR_INIT;
	if (harness_input_bytes(&in, "fuzz.crimg", copy, size, false))
		harness_claim_err(harness_index(&in, "crimg", &file), &file);
	free(rows.data);
	free(copy);
	return 0;
}
