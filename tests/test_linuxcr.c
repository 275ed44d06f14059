// The duties of a reader of kernel streams, on real streams and on damaged copies of them. Ids in
// brackets are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "readers/readers.h"
#include "tests/suite.h"

#define RECORDS_MAX 512

struct stream {
	uint8_t *data;
	size_t length;
	size_t at[RECORDS_MAX]; // of the records
	size_t count;
};

// What reading gave.
struct result {
	int rc;               // of open; else whether all was given without an error
	struct crimg_err err; // the first
	unsigned kinds[CRIMG_KIND_COUNT];
	uint64_t payload_bytes, content_bytes;
	struct crimg_buf again; // the records, put together
};

static void find_records(struct stream *s)
{
	s->count = 0;
	for (size_t at = 0; at + 8 <= s->length && s->count < RECORDS_MAX;) {
		s->at[s->count++] = at;
		at += crimg_get_u32(s->data + at + 4);
	}
}

static struct stream load(const char *name)
{
	const char *samples = getenv("CRIMG_SAMPLES");
	char path[512];
	struct stream s = {.data = malloc(1 << 20)};
	snprintf(path, sizeof path, "%s/linux-cr/%s.ckpt", samples != NULL ? samples : "samples",
		 name);
	FILE *f = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	s.length = fread(s.data, 1, 1 << 20, f);
	fclose(f);
	find_records(&s);
	return s;
}

// The n-th record of this type, as the stream numbers it.
static size_t record(const struct stream *s, uint32_t type, unsigned n)
{
	for (size_t i = 0; i < s->count; i++)
		if (crimg_get_u32(s->data + s->at[i]) == type && n-- == 0)
			return s->at[i];
	CU_FAIL_FATAL("no such record");
	return 0;
}

static void add_record(const struct crimg_record *r, struct result *out)
{
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	const void *message = crimg_message_decode(&kernel_record_entry__descriptor, r->data,
						   r->length, &arena, "", 0, NULL);
	const KernelRecordEntry *e = message;
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT(crimg_buf_u32(&out->again, e->type, NULL) == 0);
	uint64_t bytes = 8 + e->payload.len + e->pages * CRIMG_PAGE_BYTES;
	CU_ASSERT(crimg_buf_u32(&out->again, (uint32_t)bytes, NULL) == 0);
	CU_ASSERT(crimg_buf_append(&out->again, e->payload.data, e->payload.len, NULL) == 0);
	// Where the pages are.
	size_t length = (size_t)e->pages * CRIMG_PAGE_BYTES;
	CU_ASSERT_FATAL(crimg_buf_reserve(&out->again, length + 1, NULL) == 0);
	memset(out->again.data + out->again.length, 0xee, length);
	out->again.length += length;
	crimg_arena_fini(&arena);
}

static struct result drain(const uint8_t *data, size_t length)
{
	struct result out = {.rc = -1, .err = CRIMG_ERR_INIT};
	struct crimg_input in = {.path = strdup("x.ckpt")};
	struct crimg_reader reader;
	struct crimg_record r;
	CU_ASSERT(crimg_source_open_memory(data, length, "x.ckpt", &in.source, NULL) == 0);
	in.head_length = length < sizeof in.head ? length : sizeof in.head;
	memcpy(in.head, data, in.head_length);
	if (crimg_reader_open(&in, "linux-cr", &reader, &out.err) < 0) {
		crimg_input_fini(&in);
		return out;
	}
	out.rc = 0;
	for (unsigned failed = 0; failed < 8;) {
		struct crimg_err err = CRIMG_ERR_INIT;
		int rc = crimg_reader_next(&reader, &r, &err);
		if (rc == 0)
			break;
		if (rc < 0) {
			failed++;
			out.rc = 1;
			if (out.err.code == CRIMG_OK)
				out.err = err;
			continue;
		}
		if (r.type == CRIMG_RECORD_OBJECT)
			out.kinds[r.object->kind]++;
		if (r.type != CRIMG_RECORD_CONTENT && r.payload.number != CRIMG_NO_PAYLOAD)
			out.payload_bytes += r.payload.length;
		if (r.type == CRIMG_RECORD_CONTENT)
			out.content_bytes += r.content_length;
		if (r.type == CRIMG_RECORD_MESSAGE && r.object->kind == CRIMG_KIND_KERNEL_RECORDS)
			add_record(&r, &out);
	}
	crimg_reader_close(&reader);
	crimg_input_fini(&in);
	return out;
}

// Must end in an error that says where.
static void refused(const struct stream *s, const char *what)
{
	struct result r = drain(s->data, s->length);
	if (r.rc == 0)
		printf("accepted: %s\n", what);
	CU_ASSERT(r.rc != 0);
	CU_ASSERT(r.err.code != CRIMG_OK);
	CU_ASSERT(r.err.has_offset);
	CU_ASSERT(r.payload_bytes == r.content_bytes);
	crimg_buf_fini(&r.again);
}

static void refused_as(const struct stream *s, const char *text)
{
	struct result r = drain(s->data, s->length);
	CU_ASSERT(r.rc != 0);
	if (strstr(r.err.text, text) == NULL)
		printf("found \"%s\", wanted \"%s\"\n", r.err.text, text);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, text));
	crimg_buf_fini(&r.again);
}

static const char *const good[] = {
	"r5-files",   "r5-ia32",   "r5-regs",        "r5-selfck",    "r5-shm",   "r5-sleep",
	"r5-threads", "r5-tree",   "r5-xsave-regs",  "r6-container", "r6-files", "r6-ia32",
	"r6-regs",    "r6-selfck", "r6-selfck-self", "r6-sleep",     "r6-tree",
};
#define GOOD (sizeof good / sizeof good[0])

static void same_but_pages(const struct stream *s, const struct result *r)
{
	CU_ASSERT_EQUAL_FATAL(r->again.length, s->length);
	size_t differ = 0;
	for (size_t i = 0; i < s->length; i++)
		differ += r->again.data[i] != s->data[i] && r->again.data[i] != 0xee;
	CU_ASSERT_EQUAL(differ, 0);
}

// [R-0802] every record is carried, in order. [R-0806] what is announced is given.
static void test_good(void)
{
	for (size_t i = 0; i < GOOD; i++) {
		struct stream s = load(good[i]);
		struct result r = drain(s.data, s.length);
		if (r.rc != 0)
			printf("%s: %s\n", good[i], r.err.text);
		CU_ASSERT_EQUAL(r.rc, 0);
		CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_PSTREE], 1);
		CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_KERNEL_RECORDS], 1);
		CU_ASSERT(r.payload_bytes > 0);
		CU_ASSERT_EQUAL(r.payload_bytes, r.content_bytes);
		same_but_pages(&s, &r);
		crimg_buf_fini(&r.again);
		free(s.data);
	}
}

// [R-0809] The kernel's own word, and what came before it.
static void test_error_record(void)
{
	static const char *const names[] = {"r5-error", "r6-error"};
	for (size_t i = 0; i < 2; i++) {
		struct stream s = load(names[i]);
		struct result r = drain(s.data, s.length);
		CU_ASSERT_EQUAL(r.rc, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, "f_op lacks checkpoint"));
		CU_ASSERT_EQUAL(r.err.offset, record(&s, CRIMG_LCR_ERROR, 0));
		CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_CORE], 1);
		CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_FDINFO], 1);
		same_but_pages(&s, &r);
		crimg_buf_fini(&r.again);
		// The older form: the text in the record itself.
		size_t at = record(&s, CRIMG_LCR_ERROR, 0);
		memmove(s.data + at, s.data + at + 8, s.length - at - 8);
		s.length -= 8;
		crimg_put_u32(s.data + at, CRIMG_LCR_ERROR);
		refused_as(&s, "f_op lacks checkpoint");
		free(s.data);
	}
}

// [R-0801] Cut at every record, and within it.
static void test_cut(void)
{
	static const char *const names[] = {"r5-tree",    "r5-shm",   "r5-files",
					    "r5-threads", "r6-sleep", "r6-container"};
	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
		struct stream s = load(names[n]), cut = s;
		for (size_t i = 0; i < s.count; i++) {
			size_t end = i + 1 < s.count ? s.at[i + 1] : s.length;
			const size_t lengths[] = {s.at[i], s.at[i] + 4, s.at[i] + 8,
						  (s.at[i] + end) / 2, end - 1};
			for (size_t k = 0; k < 5; k++) {
				cut.length = lengths[k];
				if (cut.length > 0 && cut.length < s.length)
					refused(&cut, names[n]);
			}
		}
		free(s.data);
	}
}

// [R-0801] All of them, at every record's beginning.
static void test_cut_at_records(void)
{
	for (size_t n = 0; n < GOOD; n++) {
		struct stream s = load(good[n]), cut = s;
		for (size_t i = 1; i < s.count; i++) {
			cut.length = s.at[i];
			refused(&cut, good[n]);
		}
		free(s.data);
	}
}

static void with_u32(struct stream *s, size_t at, uint32_t value, const char *what)
{
	uint32_t was = crimg_get_u32(s->data + at);
	if (value == was)
		return;
	crimg_put_u32(s->data + at, value);
	refused(s, what);
	crimg_put_u32(s->data + at, was);
}

// [R-0801] Lengths and types that are not what they should be.
static void test_corrupt(void)
{
	static const char *const names[] = {"r5-files", "r5-shm", "r6-tree"};
	for (size_t n = 0; n < 3; n++) {
		struct stream s = load(names[n]);
		for (size_t i = 0; i < s.count; i++) {
			uint32_t length = crimg_get_u32(s.data + s.at[i] + 4);
			with_u32(&s, s.at[i] + 4, 0, "length 0");
			with_u32(&s, s.at[i] + 4, 7, "length 7");
			with_u32(&s, s.at[i] + 4, UINT32_MAX, "length 4 GiB");
			with_u32(&s, s.at[i] + 4, length + 1, "length + 1");
			with_u32(&s, s.at[i] + 4, length - 1, "length - 1");
			with_u32(&s, s.at[i], 7777, "an unknown type");
			with_u32(&s, s.at[i], CRIMG_LCR_TAIL, "the tail's type");
			with_u32(&s, s.at[i], CRIMG_LCR_OBJREF, "an object's type");
			with_u32(&s, s.at[i], CRIMG_LCR_ERROR, "an error's type");
		}
		free(s.data);
	}
}

// [R-0803] Each object once, before it is used.
static void test_references(void)
{
	struct stream s = load("r5-tree");
	for (size_t i = 0; i < s.count; i++) {
		if (crimg_get_u32(s.data + s.at[i]) != CRIMG_LCR_OBJREF)
			continue;
		with_u32(&s, s.at[i] + 12, 0, "reference 0");
		with_u32(&s, s.at[i] + 12, UINT32_MAX, "reference -1");
		with_u32(&s, s.at[i] + 12, 500000, "another reference");
		with_u32(&s, s.at[i] + 8, 0, "object type 0");
		with_u32(&s, s.at[i] + 8, 99, "object type 99");
	}
	size_t second = record(&s, CRIMG_LCR_OBJREF, 5), first = record(&s, CRIMG_LCR_OBJREF, 0);
	crimg_put_u32(s.data + second + 12, crimg_get_u32(s.data + first + 12));
	refused_as(&s, "has it already");
	free(s.data);
	// A descriptor's file that comes later, one that is another object, one within itself.
	s = load("r5-files");
	size_t desc = record(&s, CRIMG_LCR_FILE_DESC, 0);
	crimg_put_u32(s.data + desc + 8, 19);
	refused_as(&s, "introduced before wanted");
	crimg_put_u32(s.data + desc + 8, 1);
	refused_as(&s, "and this is a CRED");
	crimg_put_u32(s.data + desc + 8, 8);
	refused_as(&s, "not one within itself");
	free(s.data);
}

// [R-0803] An object within itself, and two within each other: no end is looked for.
static void test_cycles(void)
{
	struct stream s = load("r5-ia32");
	size_t at = record(&s, CRIMG_LCR_OBJREF, 0); // CRED
	memmove(s.data + at + 16, s.data + at, s.length - at);
	s.length += 16;
	refused_as(&s, "has it already");
	free(s.data);
	s = load("r5-ia32");
	// The user namespace was made by the user that is in it.
	crimg_put_u32(s.data + record(&s, 113, 0) + 8, 3);
	struct result r = drain(s.data, s.length);
	CU_ASSERT_EQUAL(r.rc, 0);
	same_but_pages(&s, &r);
	crimg_buf_fini(&r.again);
	free(s.data);
	// An epoll file that watches itself.
	s = load("r5-files");
	size_t items = record(&s, CRIMG_LCR_EPOLL_ITEMS, 0);
	crimg_put_u32(s.data + items + 16 + 8 + 12, crimg_get_u32(s.data + items + 8));
	r = drain(s.data, s.length);
	CU_ASSERT_EQUAL(r.rc, 0);
	crimg_buf_fini(&r.again);
	free(s.data);
}

// Objects within objects without end.
static void test_depth(void)
{
	struct stream s = load("r5-ia32");
	size_t at = record(&s, 106, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		crimg_put_u32(s.data + at, CRIMG_LCR_OBJREF);
		crimg_put_u32(s.data + at + 4, 16);
		crimg_put_u32(s.data + at + 8, 3);
		crimg_put_u32(s.data + at + 12, 1000 + i);
		at += 16;
	}
	s.length = at;
	refused_as(&s, "objects within objects");
	free(s.data);
}

// [R-0804] Counts are held against what is there.
static void test_counts(void)
{
	struct stream s = load("r5-regs");
	for (unsigned i = 0; i < 6; i++) {
		static const uint64_t counts[] = {1ull << 60, 1ull << 32, 1ull << 20, 3,
						  UINT64_MAX};
		size_t at = record(&s, CRIMG_LCR_PGARR, i);
		uint64_t was = crimg_get_u64(s.data + at + 8);
		for (size_t k = 0; k < 5; k++) {
			if (counts[k] == was)
				continue;
			crimg_put_u64(s.data + at + 8, counts[k]);
			refused(&s, "a count of pages");
		}
		crimg_put_u64(s.data + at + 8, was);
	}
	with_u32(&s, record(&s, 101, 0) + 8, 0, "no task");
	with_u32(&s, record(&s, 101, 0) + 8, UINT32_MAX, "4 billion tasks");
	with_u32(&s, record(&s, CRIMG_LCR_MM, 0) + 8, UINT32_MAX, "4 billion areas");
	with_u32(&s, record(&s, CRIMG_LCR_FILE_TABLE, 0) + 8, UINT32_MAX, "4 billion files");
	with_u32(&s, record(&s, CRIMG_LCR_SIGPENDING, 0) + 8, UINT32_MAX, "4 billion signals");
	with_u32(&s, record(&s, 116, 0) + 8, 0x40000000, "2^30 groups");
	free(s.data);
	s = load("r6-tree");
	with_u32(&s, record(&s, CRIMG_LCR_PIDS, 0) + 8, UINT32_MAX, "4 billion pids");
	with_u32(&s, record(&s, CRIMG_LCR_PIDS, 0) + 8, 1, "one pid, and bytes of more");
	free(s.data);
	s = load("r5-shm");
	with_u32(&s, record(&s, CRIMG_LCR_IPC, 0) + 12, UINT32_MAX, "4 billion segments");
	with_u32(&s, record(&s, CRIMG_LCR_IPC_MSG, 0) + 96, 1000, "1000 messages");
	with_u32(&s, record(&s, CRIMG_LCR_IPC_SEM, 0) + 80, 7, "7 semaphores");
	free(s.data);
}

// [R-0804] Pages in another order than the kernel writes them, or at no page.
static void test_pages(void)
{
	struct stream s = load("r5-regs");
	size_t at = 0;
	for (size_t i = 1; at == 0 && i < s.count; i++)
		if (crimg_get_u32(s.data + s.at[i - 1]) == CRIMG_LCR_PGARR
		    && crimg_get_u64(s.data + s.at[i - 1] + 8) > 2)
			at = s.at[i] + 8;
	uint64_t first = crimg_get_u64(s.data + at);
	crimg_put_u64(s.data + at, first + 1);
	refused_as(&s, "an address of a page wanted");
	crimg_put_u64(s.data + at, first);
	crimg_put_u64(s.data + at + 8, first);
	refused_as(&s, "or above wanted");
	crimg_put_u64(s.data + at + 8, UINT64_MAX - 4095);
	refused_as(&s, "an address of a page wanted");
	free(s.data);
}

// [R-0805] What is not read is named.
static void test_profiles(void)
{
	struct stream s = load("r5-ia32");
	crimg_put_u16(s.data + 24, 2);
	refused_as(&s, "revision 2 (v14 to v17)");
	crimg_put_u16(s.data + 24, 7);
	refused_as(&s, "revision 7 (younger than any known)");
	crimg_put_u16(s.data + 24, 5);
	crimg_put_u16(s.data + 16, 3);
	refused_as(&s, "machine 3 (S390)");
	crimg_put_u16(s.data + 16, 5);
	refused_as(&s, "machine 5 (PPC64)");
	crimg_put_u16(s.data + 16, 2);
	crimg_put_u32(s.data, 1 | 24 << 16);
	refused_as(&s, "v1 to v13");
	crimg_put_u32(s.data, 1);
	crimg_put_u64(s.data + 8, 0);
	refused_as(&s, "magic 0x0 found");
	free(s.data);
}

static void test_tail(void)
{
	struct stream s = load("r5-ia32");
	crimg_put_u32(s.data + s.length, 0);
	s.length += 4;
	refused(&s, "bytes behind the tail");
	s.length -= 4;
	s.data[s.length - 1] ^= 1;
	refused_as(&s, "TAIL: magic");
	free(s.data);
}

// [R-0808] A record that no posting knows is kept and told; the rest is read as if it were not
// there.
static void test_unknown(void)
{
	struct stream s = load("r5-tree");
	size_t at = record(&s, 102, 2);
	memmove(s.data + at + 13, s.data + at, s.length - at);
	crimg_put_u32(s.data + at, 7777);
	crimg_put_u32(s.data + at + 4, 13);
	s.length += 13;
	struct result r = drain(s.data, s.length);
	CU_ASSERT_EQUAL(r.rc, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, "a record of type 7777 (5 bytes)"));
	CU_ASSERT_EQUAL(r.err.offset, at);
	CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_CORE], 6);
	CU_ASSERT_EQUAL(r.kinds[CRIMG_KIND_PAGES], 4);
	same_but_pages(&s, &r);
	crimg_buf_fini(&r.again);
	free(s.data);
}

// [R-0807] Zombies are told by what follows, and then by their state.
static void test_zombies(void)
{
	struct stream s = load("r5-tree");
	with_u32(&s, record(&s, 102, 4) + 12, 0, "a zombie that lives");
	with_u32(&s, record(&s, 102, 0) + 12, 16, "a living zombie");
	free(s.data);
	s = load("r6-tree");
	with_u32(&s, record(&s, 103, 5) + 16, 0, "a zombie that lives");
	free(s.data);
}

// Streams of postings that no image is at hand of, made from those that are: each record in turn is
// given to a function that puts what the other posting has instead.

struct making {
	uint8_t *data;
	size_t length;
	uint64_t pages; // of the PGARR before
};

static void put(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	uint8_t *to = m->data + m->length;
	crimg_put_u32(to, type);
	crimg_put_u32(to + 4, (uint32_t)(8 + length));
	memcpy(to + 8, payload, length);
	m->length += 8 + length;
}

static void longer(struct making *m, uint32_t type, const uint8_t *payload, size_t length,
		   size_t by)
{
	uint8_t copy[4096] = {0};
	memcpy(copy, payload, length);
	put(m, type, copy, length + by);
}

typedef void rewriting(struct making *m, uint32_t type, const uint8_t *payload, size_t length);

static struct stream rewrite(const struct stream *from, rewriting *f)
{
	struct making m = {.data = malloc(2 << 20)};
	for (size_t i = 0; i < from->count; i++) {
		const uint8_t *r = from->data + from->at[i];
		uint32_t type = crimg_get_u32(r);
		f(&m, type, r + 8, crimg_get_u32(r + 4) - 8);
		m.pages = type == CRIMG_LCR_PGARR ? crimg_get_u64(r + 8) : 0;
	}
	struct stream s = {.data = m.data, .length = m.length};
	find_records(&s);
	return s;
}

static void to_revision(struct making *m, const uint8_t *payload, size_t length, uint16_t rev)
{
	uint8_t copy[64];
	memcpy(copy, payload, length);
	crimg_put_u16(copy + CRIMG_LCR_HEADER_REV, rev);
	put(m, CRIMG_LCR_HEADER, copy, length);
}

// Addresses of pages have 4 bytes.
static void to_i386(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	if (type == CRIMG_LCR_BUFFER && m->pages > 0) {
		uint8_t *copy = calloc(1, length);
		size_t pages = (size_t)m->pages;
		for (size_t i = 0; i < pages; i++)
			crimg_put_u32(copy + 4 * i, crimg_get_u32(payload + 8 * i));
		memcpy(copy + 4 * pages, payload + 8 * pages, pages * CRIMG_PAGE_BYTES);
		put(m, type, copy, length - 4 * pages);
		free(copy);
		return;
	}
	put(m, type, payload, length);
	if (type == CRIMG_LCR_HEADER)
		crimg_put_u16(m->data + 8 + CRIMG_LCR_HEADER_ARCH_ID, 1);
}

// v19-rc1: debug registers behind the others.
static void to_v19_rc1(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	if (type == CRIMG_LCR_HEADER)
		to_revision(m, payload, length, 4);
	else if (type == 107)
		longer(m, type, payload, length, 48);
	else
		put(m, type, payload, length);
}

// v18: no security module.
static void to_v18(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	static bool skip_buffer;
	uint8_t copy[128];
	if (type == CRIMG_LCR_CONTAINER)
		skip_buffer = true;
	if (type == CRIMG_LCR_HEADER)
		to_revision(m, payload, length, 3);
	else if (type == 107)
		longer(m, type, payload, length, 48);
	else if (type == CRIMG_LCR_LSM_INFO || (type == CRIMG_LCR_BUFFER && skip_buffer))
		skip_buffer = false;
	else if (type == CRIMG_LCR_FILE
		 || type == 114) { // 114: CRED; both lose a reference to a label
		size_t at = type == 114 ? 40 : 32;
		memcpy(copy, payload, at);
		memcpy(copy + at, payload + at + 8, length - at - 8);
		put(m, type, copy, length - 8);
	} else {
		put(m, type, payload, length);
	}
}

static void to_v21(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	if (type == CRIMG_LCR_HEADER)
		to_revision(m, payload, length, 6);
	else if (type == 108) // NS
		longer(m, type, payload, length, 8);
	else
		put(m, type, payload, length);
}

// v23 with PIDS, from v23-rc2: TASK in another order, VMA shorter, MM_CONTEXT 404.
static void to_v23_pids(struct making *m, uint32_t type, const uint8_t *payload, size_t length)
{
	static const struct {
		uint8_t from, to, length;
	} moves[] = {
		{4, 0, 20}, {52, 20, 8}, {60, 28, 4}, {64, 32, 8}, {24, 40, 16}, {40, 56, 12},
	};
	uint8_t copy[72] = {0};
	if (type == CRIMG_LCR_TASK) {
		for (size_t i = 0; i < 6; i++)
			memcpy(copy + moves[i].to, payload + moves[i].from, moves[i].length);
		put(m, type, copy, 72);
	} else if (type == CRIMG_LCR_VMA) {
		put(m, type, payload, 64);
	} else {
		put(m, type == CRIMG_LCR_MM_CONTEXT ? CRIMG_LCR_HPAGE : type, payload, length);
	}
}

// [R-0812]
static void test_other_postings(void)
{
	static const struct {
		const char *from;
		rewriting *f;
	} made[] = {
		{"r5-ia32", to_i386},     {"r5-tree", to_v19_rc1},   {"r5-files", to_v18},
		{"r5-tree", to_v18},      {"r5-tree", to_v21},       {"r5-shm", to_v21},
		{"r6-tree", to_v23_pids}, {"r6-sleep", to_v23_pids},
	};
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		struct stream from = load(made[i].from), s = rewrite(&from, made[i].f);
		struct result a = drain(from.data, from.length), b = drain(s.data, s.length);
		if (b.rc != 0)
			printf("%zu, %s: %s\n", i, made[i].from, b.err.text);
		CU_ASSERT_EQUAL(b.rc, 0);
		CU_ASSERT_EQUAL(memcmp(a.kinds, b.kinds, sizeof a.kinds), 0);
		CU_ASSERT_EQUAL(a.payload_bytes, b.payload_bytes);
		same_but_pages(&s, &b);
		crimg_buf_fini(&a.again);
		crimg_buf_fini(&b.again);
		free(from.data);
		free(s.data);
	}
}

static void test_no_stream(void)
{
	struct crimg_input in = {.path = NULL};
	CU_ASSERT_EQUAL(crimg_reader_linuxcr.probe(&in), 0);
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_reader reader;
	in.path = strdup("dir");
	CU_ASSERT(crimg_reader_open(&in, "linux-cr", &reader, &err) < 0);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_FORMAT);
	crimg_input_fini(&in);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{"good streams", test_good},
		{"an error record", test_error_record},
		{"cut", test_cut},
		{"cut at records", test_cut_at_records},
		{"corrupt lengths and types", test_corrupt},
		{"references", test_references},
		{"cycles", test_cycles},
		{"depth", test_depth},
		{"counts", test_counts},
		{"pages", test_pages},
		{"profiles", test_profiles},
		{"tail", test_tail},
		{"an unknown record", test_unknown},
		{"zombies", test_zombies},
		{"other postings", test_other_postings},
		{"no stream", test_no_stream},
	};
	return SUITE_RUN("kernel streams", NULL, NULL, tests);
}
