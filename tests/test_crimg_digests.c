// DIGESTS frames of a crimg stream: what a reader refuses, in sequence and at random, and that streams
// without them are read as ever.
#include "tests/stream_made.h"

// What is wrong with the stream of make_digested().
enum fault {
	NOTHING,
	NOT_PROMISED,     // and the digests are garbage
	NO_INDEX_PROMISE, // the same
	NO_INDEX,         // though promised
	NO_LAST,          // frame of digests
	LAST_TOO_EARLY,   // before the index
	NO_FIRST,
	NOT_IGNORABLE,    // the last
	MANY_CONTENTS, NO_CONTENTS, CHAIN_BROKEN, CHAIN_TO_ITSELF, FEW_BYTES, DIGEST, LENGTH, LENGTH_ZERO,
};

static size_t first_content, second_content, first_digests, the_end;

static void put_digests(struct made *m, enum fault fault, uint64_t before, size_t content)
{
	uint8_t row[24];
	bool garbage = fault == NOT_PROMISED || fault == NO_INDEX_PROMISE;
	memcpy(row, m->data + content + 40 + 48, 24);
	row[0] = fault == LENGTH ? row[0] + 1 : fault == LENGTH_ZERO ? 0 : row[0];
	row[23] ^= fault == DIGEST || garbage;
	size_t at = m->length;
	begin(m, CRIMG_FRAME_DIGESTS, fault != NOT_IGNORABLE);
	put64(m, fault == CHAIN_BROKEN ? 0 : fault == CHAIN_TO_ITSELF ? at : before);
	put32(m, fault == MANY_CONTENTS ? 2 : fault == NO_CONTENTS ? 0 : 1);
	put32(m, 1);
	put(m, row, fault == FEW_BYTES ? 23 : 24);
	finish(m);
}

static void put_both_rows(struct made *m)
{
	m->index_at = m->length;
	begin(m, CRIMG_FRAME_INDEX, 0);
	put64(m, 2);
	for (int i = 0; i < 2; i++) {
		put64(m, i == 0 ? first_content : second_content);
		put64(m, 0);
		put64(m, i == 0 ? 0 : 6);
		put64(m, i == 0 ? 6 : 5);
	}
	finish(m);
}

// "hello " and "world", with digests of each: those of the first stand among the contents.
static struct made make_digested(enum fault fault)
{
	struct header h = HEADER;
	h.autoclear = fault == NOT_PROMISED ? 1 : fault == NO_INDEX_PROMISE ? 2 : 3;
	struct made m = make_with(h);
	put_raw(&m, "a", 0, 11);
	put_metadata_end(&m);
	first_content = m.length;
	put_content(&m, 0, 0, "hello ");
	first_digests = m.length;
	if (fault != NO_FIRST)
		put_digests(&m, NOTHING, 0, first_content);
	second_content = m.length;
	put_content(&m, 0, 6, "world");
	if (fault == LAST_TOO_EARLY)
		put_digests(&m, fault, first_digests, second_content);
	if (fault != NO_INDEX)
		put_both_rows(&m);
	if (fault != NO_LAST && fault != LAST_TOO_EARLY) {
			put_digests(&m, fault, fault == NO_FIRST ? 0 : first_digests, second_content);
	}
	the_end = m.length;
	put_end(&m);
	return m;
}

static void open_made(const struct made *m, size_t length, struct crimg_reader *reader)
{
	struct crimg_input in = { .path = strdup("x.crimg"), .source = open_bytes(m->data, length) };
	CU_ASSERT_EQUAL_FATAL(crimg_reader_open(&in, "crimg", reader, NULL), 0);
	crimg_input_fini(&in);
}

// The digest of the piece at `at` is that of text[from, from + length).
static void digest_is(struct crimg_reader *reader, uint64_t at, uint64_t from, const char *text)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_digest d = { .length = 0 };
	XXH128_canonical_t sum;
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, strlen(text)));
	CU_ASSERT_EQUAL(reader->driver->digest(reader, 0, at, &d, &err), 1);
	CU_ASSERT_EQUAL(d.offset, from);
	CU_ASSERT_EQUAL(d.length, strlen(text));
	CU_ASSERT_EQUAL(memcmp(d.digest, sum.digest, 16), 0);
}

static void digests_are_right(const struct made *m, size_t length)
{
	struct crimg_reader reader;
	struct crimg_digest d;
	open_made(m, length, &reader);
	digest_is(&reader, 10, 6, "world");
	digest_is(&reader, 0, 0, "hello "); // backwards, and so in the frame of digests before
	digest_is(&reader, 5, 0, "hello ");
	digest_is(&reader, 6, 6, "world");
	CU_ASSERT_EQUAL(reader.driver->digest(&reader, 0, 11, &d, NULL), 0);
	CU_ASSERT_EQUAL(reader.driver->digest(&reader, 1, 0, &d, NULL), 0);
	crimg_reader_close(&reader);
}

// Reads "world" at random; wanted: the error, or NULL.
static void at_random(const struct made *m, size_t length, const char *wanted)
{
	struct crimg_reader reader;
	struct crimg_err err = CRIMG_ERR_INIT;
	char got[5], text[1024];
	open_made(m, length, &reader);
	int rc = reader.driver->read(&reader, 0, 6, got, 5, &err);
	crimg_reader_close(&reader);
	CU_ASSERT_EQUAL(rc, wanted == NULL ? 0 : -1);
	if (rc == 0) {
		CU_ASSERT_EQUAL(memcmp(got, "world", 5), 0);
		return;
	}
	crimg_err_format(&err, text, sizeof text);
	if (wanted == NULL || strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted != NULL ? wanted : "nothing");
	CU_ASSERT(wanted != NULL && strcmp(text, wanted) == 0);
}

static void test_good_digests(void)
{
	struct made m = make_digested(NOTHING);
	digests_are_right(&m, m.length);
	at_random(&m, m.length, NULL);
	accepted(m, 1, 0, 2);
	every_flip_is_seen(make_digested(NOTHING));
	struct header h = HEADER;
	h.autoclear = 3;
	m = make_with(h); // no contents at all
	put_metadata_end(&m);
	m.index_at = m.length;
	begin(&m, CRIMG_FRAME_INDEX, 0);
	put64(&m, 0);
	finish(&m);
	begin(&m, CRIMG_FRAME_DIGESTS, CRIMG_FRAME_IGNORABLE);
	put64(&m, 0);
	put64(&m, 0);
	finish(&m);
	put_end(&m);
	accepted(m, 0, 0, 0);
}

#define AT_LAST "x.crimg: offset 650 (0x28a): "
#define AT_END "x.crimg: offset 730 (0x2da): "

// [R-0318] [R-0319] What is said of digests that disagree, in sequence and at random.
static void test_faults(void)
{
	static const struct {
		enum fault fault;
		const char *in_sequence, *at_random; // NULL: nothing is wrong
	} rows[] = {
		{ NO_LAST, "x.crimg: offset 650 (0x28a): the header promises digests behind the index: none "
		           "are there",
		  AT_LAST "a frame of type 6 found, the promised digests wanted" },
		{ LAST_TOO_EARLY, AT_END "the header promises digests behind the index: none are there",
		  AT_END "a frame of type 6 found, the promised digests wanted" },
		{ NO_FIRST, "x.crimg: offset 570 (0x23a): digests of 1 chunks of 1 contents, the ones before "
		            "at 0, found; 2, 2 and 0 wanted",
		  "x.crimg: offset 570 (0x23a): digests of fewer frames than the index tells of" },
		{ NOT_IGNORABLE, AT_LAST "a frame between the index and the end", NULL },
		{ MANY_CONTENTS, AT_LAST "a digests frame that contradicts itself",
		  AT_LAST "a digests frame that contradicts itself" },
		{ NO_CONTENTS, AT_LAST "a digests frame that contradicts itself",
		  AT_LAST "a digests frame that contradicts itself" },
		{ CHAIN_BROKEN, AT_LAST "digests of 1 chunks of 1 contents, the ones before at 0, found; 1, 1 "
		                        "and 341 wanted",
		  AT_LAST "digests of fewer frames than the index tells of" },
		{ CHAIN_TO_ITSELF, AT_LAST "a digests frame that contradicts itself",
		  AT_LAST "a digests frame that contradicts itself" },
		{ FEW_BYTES, "x.crimg: offset 706 (0x2c2): chunks: 24 bytes wanted, 23 left",
		  "x.crimg: offset 706 (0x2c2): chunks: 24 bytes wanted, 23 left" },
		{ DIGEST, "x.crimg: offset 706 (0x2c2): a digest that is not the content's",
		  "x.crimg: offset 421 (0x1a5): the stream's digests and the frame they speak of disagree" },
		{ LENGTH, "x.crimg: offset 706 (0x2c2): a digest that is not the content's",
		  AT_LAST "digests of chunks that the index does not tell of" },
		{ LENGTH_ZERO, "x.crimg: offset 706 (0x2c2): a digest that is not the content's",
		  AT_LAST "digests of chunks that the index does not tell of" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct made m = make_digested(rows[i].fault);
		at_random(&m, m.length, rows[i].at_random);
		refused(m, rows[i].in_sequence);
	}
}

// [R-0320] Where digests are not promised, or the end is gone, the contents tell them.
static void test_without(void)
{
	static const enum fault faults[] = { NOT_PROMISED, NO_INDEX_PROMISE };
	for (size_t i = 0; i < 2; i++) {
		struct made m = make_digested(faults[i]);
		digests_are_right(&m, m.length);
		at_random(&m, m.length, NULL);
		accepted(m, 1, 0, 2);
	}
	struct made m = make_digested(NOTHING);
	digests_are_right(&m, the_end);
	free(m.data);
	m = make_digested(NO_INDEX);
	digests_are_right(&m, m.length);
	at_random(&m, m.length, NULL);
	refused(m, "x.crimg: offset 618 (0x26a): the header promises digests behind the index: none are "
	           "there");
}

static void put_many_zeros(struct made *m, uint64_t offset, uint32_t chunks)
{
	static const uint8_t none[16];
	begin(m, CRIMG_FRAME_CONTENT, 0);
	put64(m, 0);
	put64(m, offset);
	put64(m, chunks);
	put32(m, chunks);
	put32(m, 0);
	put64(m, 0);
	put64(m, 0);
	for (uint32_t i = 0; i < chunks; i++) {
		put32(m, 1);
		put32(m, CRIMG_CHUNK_ZERO);
		put(m, none, 16);
	}
	finish(m);
}

// More chunks than one DIGESTS frame may repeat.
static void test_too_many(void)
{
	struct header h = HEADER;
	struct seen seen;
	h.autoclear = 3;
	struct made m = make_with(h);
	put_raw(&m, "a", 0, 65537);
	put_metadata_end(&m);
	for (uint64_t i = 0; i < 65536; i += 4096)
		put_many_zeros(&m, i, 4096);
	put_many_zeros(&m, 65536, 1);
	read_made(&m, m.length, &seen);
	CU_ASSERT_EQUAL(seen.rc, -1);
	CU_ASSERT_EQUAL(seen.err.offset, m.frame);
	CU_ASSERT_STRING_EQUAL(seen.err.text,
	                       "more than 65536 chunks without the digests that the header promises");
	free(m.data);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "good digests", test_good_digests },
		{ "faults", test_faults },
		{ "without", test_without },
		{ "too many chunks", test_too_many },
	};
	return SUITE_RUN("crimg stream: digests", NULL, NULL, tests);
}
