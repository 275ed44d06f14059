// The duties of a reader of the crimg stream, each on a stream that is made here byte by byte. Ids in
// brackets are those of SPEC.md.
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/stream_made.h"

static void test_good(void)
{
	struct seen seen;
	struct made m = make_good();
	read_made(&m, m.length, &seen);
	free(m.data);
	CU_ASSERT_EQUAL(seen.rc, 0);
	CU_ASSERT_EQUAL(seen.length, 11);
	CU_ASSERT_EQUAL(memcmp(seen.bytes, "hello world", 11), 0);
	accepted(make_good(), 2, 1, 2);
}

// [R-0301] From a pipe, forwards only; all metadata come before any content is needed: the pipe holds
// nothing behind the METADATA_END frame and stays open.
static void on_alarm(int number)
{
	(void)number;
}

static unsigned read_metadata(struct crimg_source *source, unsigned wanted, struct crimg_err *err)
{
	struct crimg_input in = { .path = strdup("x.crimg"), .source = source };
	struct crimg_reader reader;
	struct crimg_record r;
	unsigned n = 0;
	if (crimg_reader_open(&in, "crimg", &reader, err) == 0) {
		while (n < wanted && crimg_reader_next(&reader, &r, err) > 0)
			n++;
		crimg_reader_close(&reader);
	}
	crimg_input_fini(&in);
	return n;
}

static void test_pipe(void)
{
	struct sigaction act = { .sa_handler = on_alarm }, old;
	struct crimg_source *source;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct made m = make();
	int fds[2];
	put_seccomp(&m);
	put_entry(&m, 0, 0, "");
	put_raw(&m, "dump.log", 0, 11);
	put_metadata_end(&m);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(write(fds[1], m.data, m.length), (ssize_t)m.length);
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_fd(fds[0], "x.crimg", &source, &err), 0);
	sigaction(SIGALRM, &act, &old); // a read that waits for more ends with EINTR
	alarm(3);
	CU_ASSERT_EQUAL(read_metadata(source, 4, &err), 4); // the last says that they are over
	alarm(0);
	sigaction(SIGALRM, &old, NULL);
	close(fds[1]);
	free(m.data);
}

// [R-0302] A stream that is cut at any byte yields what stands before the cut, then says where.
static void test_cuts(void)
{
	struct made m = make_good();
	struct seen whole, seen;
	read_made(&m, m.length, &whole);
	unsigned last = 0;
	for (size_t n = 0; n < m.length; n++) {
		// A copy of just this length, so that AddressSanitizer sees reads beyond it.
		uint8_t *copy = malloc(n + 1);
		CU_ASSERT_FATAL(copy != NULL);
		memcpy(copy, m.data, n);
		read_source(open_bytes(copy, n), &seen);
		free(copy);
		unsigned got = seen.objects + seen.messages + seen.contents;
		CU_ASSERT_EQUAL(seen.rc, -1);
		CU_ASSERT(strstr(seen.text, "x.crimg: offset ") == seen.text);
		CU_ASSERT(strstr(seen.text, "the stream is cut: ") != NULL);
		CU_ASSERT(seen.err.has_offset && seen.err.offset <= n);
		CU_ASSERT(got == last || got == last + 1);
		last = got;
	}
	CU_ASSERT_EQUAL(last, whole.objects + whole.messages + whole.contents);
	free(m.data);
	m = make_good();
	m.length -= 1;
	refused(m, "x.crimg: offset 627 (0x273): the stream is cut: 71 bytes of a frame found, 72 wanted");
}

// [R-0303] Every bit of a stream, flipped alone, is detected and placed.
static void test_flips(void)
{
	every_flip_is_seen(make_good());
	struct made m = make_with((struct header){ .version = 1, .page = 4096, .incompatible = 1 });
	put_raw(&m, "a", 0, 30);
	put_raw(&m, "b", 1, 8192);
	put_metadata_end(&m);
	put_zstd(&m, 0, "a a a a a a a a a a a a a a a ");
	put_zeros(&m, 1, 0, 8192);
	put_end(&m);
	every_flip_is_seen(m);
}

// The flip is told with the frame or the chunk in which it is.
static void test_flip_places(void)
{
	struct made m = make_good();
	m.data[64] ^= 1;
	refused(m, "x.crimg: offset 64 (0x40): frame magic 0x52465242 found, 0x52465243 wanted");
	m = make_good();
	m.data[70] ^= 2; // flags of frame 0
	refused(m, "x.crimg: offset 64 (0x40): reserved bits of a frame are not zero");
	m = make_good();
	m.data[64 + 40] ^= 1;
	refused(m, "x.crimg: offset 64 (0x40): the checksum of frame 0 is wrong");
	m = make_good();
	m.data[m.length - 73] ^= 1; // the last byte of "world"
	refused(m, "x.crimg: offset 622 (0x26e): the digest of 5 bytes (payload 0 at 6) is wrong");
	m = make_good();
	m.data[20] ^= 1;
	refused(m, "x.crimg: offset 56 (0x38): the header's checksum is wrong");
}

// [R-0304] Bytes behind the END frame.
static void test_behind(void)
{
	struct made m = make_good();
	put(&m, "", 1);
	refused(m, "x.crimg: offset 699 (0x2bb): bytes behind the end of the stream");
}

// [R-0305] Another version; an incompatible feature, by its name in the stream.
static void test_version(void)
{
	struct header h = HEADER;
	h.version = 2;
	refused(make_with(h), "x.crimg: offset 8 (0x8): version 2 found, 1 wanted");
	h = HEADER;
	h.incompatible = 1 << 9;
	refused(make_with(h), "x.crimg: offset 16 (0x10): the stream needs feature 9 (unnamed), which "
	                      "this crimg does not have");
	h.name = "tape";
	refused(make_with(h), "x.crimg: offset 16 (0x10): the stream needs feature 9 (tape), which this "
	                      "crimg does not have");
	h = HEADER;
	h.page = 65536;
	refused(make_with(h), "x.crimg: offset 40 (0x28): pages of 65536 bytes found, 4096 wanted");
	h = HEADER;
	h.reserved = 1;
	refused(make_with(h), "x.crimg: offset 48 (0x30): reserved bytes are not zero");
	h = HEADER;
	h.compatible = h.autoclear = ~CRIMG_FEATURE_DIGESTS; // those may be ignored
	struct made m = make_with(h);
	put_metadata_end(&m);
	put_end(&m);
	accepted(m, 0, 0, 0);
}

// [R-0306] A longer header is legal.
static void test_header_length(void)
{
	struct header h = HEADER;
	h.extra = 4096;
	struct made m = make_with(h);
	put_seccomp(&m);
	put_metadata_end(&m);
	put_end(&m);
	accepted(m, 1, 0, 0);
	m = make();
	crimg_put_u32(m.data + 12, 60);
	refused(m, "x.crimg: offset 12 (0xc): a header of 60 bytes found, 64 to 65536 in steps of 8 "
	           "wanted");
	m = make();
	crimg_put_u32(m.data + 44, 8);
	refused(m, "x.crimg: offset 44 (0x2c): the feature names leave the header");
}

// [R-0307] A frame of unknown type, unless its flags say that it may be passed over; a number out of turn.
static void test_frames(void)
{
	struct made m = make();
	begin(&m, 77, 0);
	finish(&m);
	refused(m, "x.crimg: offset 64 (0x40): a frame of type 77, which this crimg does not know");
	m = make();
	begin(&m, 77, CRIMG_FRAME_IGNORABLE);
	put64(&m, 1234);
	finish(&m);
	put_seccomp(&m);
	put_metadata_end(&m);
	put_end(&m);
	accepted(m, 1, 0, 0);
	m = make();
	m.frames = 1;
	put_seccomp(&m);
	refused(m, "x.crimg: offset 64 (0x40): frame 1 found, 0 wanted");
	m = make();
	put_metadata_end(&m);
	put_seccomp(&m);
	refused(m, "x.crimg: offset 136 (0x88): metadata behind their end");
	m = make();
	put_raw(&m, "a", 0, 1);
	put_content(&m, 0, 0, "x");
	refused(m, "x.crimg: offset 151 (0x97): contents before the metadata's end");
	m = make();
	put_entry(&m, 0, 0, "");
	refused(m, "x.crimg: offset 104 (0x68): entries from 0 found, from 0 of an open object wanted");
	m = make();
	put_seccomp(&m);
	put_entry(&m, 1, 0, "");
	refused(m, "x.crimg: offset 202 (0xca): entries from 1 found, from 0 of an open object wanted");
	m = make();
	put_seccomp(&m);
	put_entry(&m, 0, 4, "");
	refused(m, "x.crimg: offset 218 (0xda): reserved bits of an entry are not zero");
}

// [R-0316] Objects that contradict themselves.
static void test_objects(void)
{
	struct made m = make();
	put_object(&m, (struct object){ .kind = "NOVEL", .name = "n", .payload = CRIMG_NO_PAYLOAD });
	refused(m, "x.crimg: offset 104 (0x68): objects of kind NOVEL are not known: the stream is newer "
	           "than this crimg");
	m = make();
	put_object(&m, (struct object){ .type = 3, .kind = "SECCOMP", .name = "s",
	                                .payload = CRIMG_NO_PAYLOAD });
	refused(m, "x.crimg: offset 104 (0x68): an object of no known type or framing");
	m = make();
	put_object(&m, (struct object){ .kind = "SECCOMP", .name = "s", .payload = 0, .length = 9 });
	refused(m, "x.crimg: offset 104 (0x68): an object whose kind, type and payload disagree");
	m = make();
	put_object(&m, (struct object){ .type = 1, .framing = 2, .kind = "OPAQUE", .name = "parent",
	                                .target = "../1", .payload = CRIMG_NO_PAYLOAD });
	put_entry(&m, 0, 0, "");
	refused(m, "x.crimg: offset 200 (0xc8): entries of an object that can have none");
}

// [R-0308] Payloads are announced in order.
static void test_payload_order(void)
{
	struct made m = make();
	put_raw(&m, "a", 1, 4);
	refused(m, "x.crimg: offset 104 (0x68): payload 1 announced, 0 wanted");
	m = make();
	put_raw(&m, "a", 0, 4);
	put_raw(&m, "b", 0, 4);
	refused(m, "x.crimg: offset 191 (0xbf): payload 0 announced, 1 wanted");
}

// [R-0309] METADATA_END says how many objects, entries, payloads and bytes there were.
static void test_counts(void)
{
	struct made m = make();
	put_seccomp(&m);
	m.objects = 2;
	put_metadata_end(&m);
	refused(m, "x.crimg: offset 202 (0xca): 1 objects, 0 entries, 0 payloads of 0 bytes "
	           "found, 2, 0, 0 and 0 wanted");
	for (int which = 0; which < 3; which++) {
		struct seen seen;
		m = make();
		put_raw(&m, "a", 0, 4);
		m.entries += which == 0;
		m.payloads += which == 1;
		m.bytes += which == 2;
		put_metadata_end(&m);
		read_made(&m, m.length, &seen);
		free(m.data);
		CU_ASSERT_EQUAL(seen.rc, -1);
		CU_ASSERT_EQUAL(seen.err.offset, 191);
	}
}

// [R-0310] Digests are verified before bytes are lent.
static void test_digests(void)
{
	struct seen seen;
	struct made m = make();
	put_raw(&m, "a", 0, 5);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "right");
	m.data[m.length - 1] = 'x';
	read_made(&m, m.length, &seen);
	CU_ASSERT_EQUAL(seen.contents, 0);
	refused(m, "x.crimg: offset 335 (0x14f): the digest of 5 bytes (payload 0 at 0) is wrong");
	m = make_with((struct header){ .version = 1, .page = 4096, .incompatible = 1 });
	put_raw(&m, "a", 0, 30);
	put_metadata_end(&m);
	put_zstd(&m, 0, "a a a a a a a a a a a a a a a ");
	m.data[m.length - 1] ^= 1;
	struct seen packed;
	read_made(&m, m.length, &packed);
	free(m.data);
	CU_ASSERT_EQUAL(packed.rc, -1);
	CU_ASSERT(strstr(packed.text, "stored bytes is wrong") != NULL);
}

// [R-0317] Compressed content needs the feature in the header.
static void test_zstd_feature(void)
{
	struct made m = make();
	put_raw(&m, "a", 0, 30);
	put_metadata_end(&m);
	put_zstd(&m, 0, "a a a a a a a a a a a a a a a ");
	struct seen seen;
	read_made(&m, m.length, &seen);
	free(m.data);
	CU_ASSERT_EQUAL(seen.rc, -1);
	CU_ASSERT(strstr(seen.text, "compressed content, but the header lacks feature 0 (zstd)") != NULL);
}

// [R-0311] Contents come in order, without gaps, and are complete at the end.
static void test_content_order(void)
{
	struct made m = make();
	put_raw(&m, "a", 0, 11);
	put_metadata_end(&m);
	put_content(&m, 0, 6, "world");
	refused(m, "x.crimg: offset 223 (0xdf): content of payload 0 at 6 has no place there");
	m = make();
	put_raw(&m, "a", 0, 4);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "world");
	refused(m, "x.crimg: offset 223 (0xdf): content of payload 0 at 0 has no place there");
	m = make();
	put_raw(&m, "a", 0, 4);
	put_metadata_end(&m);
	put_content(&m, 1, 0, "worl");
	refused(m, "x.crimg: offset 223 (0xdf): content of payload 1 at 0 has no place there");
	m = make();
	put_raw(&m, "a", 0, 6);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "world");
	put_end(&m);
	refused(m, "x.crimg: offset 340 (0x154): payload 0: 5 bytes found, 6 wanted");
}

// [R-0313] Zero pages come back as zeros, in sequence and at random.
static void test_zeros(void)
{
	struct seen seen;
	struct made m = make();
	put_raw(&m, "a", 0, 8193);
	put_metadata_end(&m);
	put_zeros(&m, 0, 0, 8192);
	put_content(&m, 0, 8192, "x");
	put_end(&m);
	read_made(&m, m.length, &seen);
	CU_ASSERT_EQUAL(seen.rc, 0);
	CU_ASSERT_EQUAL(seen.contents, 2);
	CU_ASSERT_EQUAL(seen.bytes[63], 0);
	struct crimg_input in = { .path = strdup("x.crimg"), .source = open_bytes(m.data, m.length) };
	struct crimg_reader reader;
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t two[2] = { 9, 9 };
	CU_ASSERT_EQUAL_FATAL(crimg_reader_open(&in, "crimg", &reader, &err), 0);
	CU_ASSERT_EQUAL(reader.driver->read(&reader, 0, 8191, two, 2, &err), 0);
	CU_ASSERT_EQUAL(two[0], 0);
	CU_ASSERT_EQUAL(two[1], 'x');
	crimg_reader_close(&reader);
	crimg_input_fini(&in);
	free(m.data);
}

// Reads "worl" at random from a stream of one payload; the error's text, or "" when it is right.
static void read_at_random(const struct made *m, size_t length, char text[1024])
{
	struct crimg_input in = { .path = strdup("x.crimg"), .source = open_bytes(m->data, length) };
	struct crimg_reader reader;
	struct crimg_err err = CRIMG_ERR_INIT;
	char got[4] = "";
	text[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(crimg_reader_open(&in, "crimg", &reader, &err), 0);
	if (reader.driver->read(&reader, 0, 0, got, 4, &err) < 0)
		crimg_err_format(&err, text, 1024);
	else
		CU_ASSERT_EQUAL(memcmp(got, "worl", 4), 0);
	crimg_reader_close(&reader);
	crimg_input_fini(&in);
}

// [R-0314] Random access with an index, without, and without the end.
static void test_random(void)
{
	char text[1024];
	struct header h = HEADER;
	h.autoclear = 1; // the index is right
	struct made m = make_with(h);
	put_raw(&m, "a", 0, 5);
	put_metadata_end(&m);
	size_t content = m.length;
	put_content(&m, 0, 0, "world");
	size_t cut = m.length;
	put_index(&m, content, 5);
	put_end(&m);
	read_at_random(&m, m.length, text);
	CU_ASSERT_STRING_EQUAL(text, "");
	read_at_random(&m, cut, text);
	CU_ASSERT_STRING_EQUAL(text, "");
	read_at_random(&m, cut - 1, text); // the bytes themselves are gone
	CU_ASSERT(text[0] != '\0');
	accepted(m, 1, 0, 1);
	m = make_with(h); // an index that points elsewhere is found out
	put_raw(&m, "a", 0, 5);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "world");
	put_index(&m, 64, 5);
	put_end(&m);
	read_at_random(&m, m.length, text);
	CU_ASSERT_STRING_EQUAL(text, "x.crimg: offset 64 (0x40): the index points at a frame of type 1");
	free(m.data);
	m = make(); // nor does it count without its feature
	put_raw(&m, "a", 0, 5);
	put_metadata_end(&m);
	put_content(&m, 0, 0, "world");
	put_index(&m, 64, 5);
	put_end(&m);
	read_at_random(&m, m.length, text);
	CU_ASSERT_STRING_EQUAL(text, "");
	free(m.data);
}

// [R-0315] An END frame that contradicts what stands before it.
static void test_end(void)
{
	for (size_t field = 0; field < 4; field++) {
		struct made m = make_good();
		uint8_t *at = m.data + m.frame + 40 + field * 8;
		crimg_put_u64(at, crimg_get_u64(at) + 1);
		seal(&m, 32);
		refused(m, "x.crimg: offset 627 (0x273): the end frame contradicts the stream before it");
	}
}

// [R-0501] Lengths beyond the limits are refused before anything is allocated.
static void test_limits(void)
{
	struct made m = make();
	begin(&m, CRIMG_FRAME_OBJECT, 0);
	crimg_put_u64(m.data + m.frame + 16, UINT64_C(1) << 31);
	crimg_put_u32(m.data + m.frame + 24, UINT32_C(1) << 31);
	refused(m, "x.crimg: offset 64 (0x40): a frame of 2147483648 bytes");
	m = make();
	put_raw(&m, "a", 0, UINT64_C(1) << 60);
	put_metadata_end(&m);
	put_zeros(&m, 0, 0, (256 << 10) + 1);
	refused(m, "x.crimg: offset 223 (0xdf): chunk 0 has 262145 bytes and flags 0x1");
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "a good stream", test_good },
		{ "a pipe", test_pipe },
		{ "cut at every byte", test_cuts },
		{ "every bit flipped", test_flips },
		{ "where it was flipped", test_flip_places },
		{ "bytes behind the end", test_behind },
		{ "version and features", test_version },
		{ "header length", test_header_length },
		{ "frames", test_frames },
		{ "objects", test_objects },
		{ "order of payloads", test_payload_order },
		{ "counts", test_counts },
		{ "digests", test_digests },
		{ "compression without its feature", test_zstd_feature },
		{ "order of contents", test_content_order },
		{ "zeros", test_zeros },
		{ "random access", test_random },
		{ "the end frame", test_end },
		{ "limits", test_limits },
	};
	return SUITE_RUN("crimg stream: a reader's duties", NULL, NULL, tests);
}
