// The duties of a reader of CRIU images, each on files that are made here byte by byte. Ids in brackets
// are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/convert.h"
#include "format/checked.h"
#include "format/driver.h"
#include "format/image.h"
#include "tests/suite.h"

#define COMMON "\x19\x43\x56\x54"
#define SERVICE "\x40\x59\x10\x55"
#define INVENTORY "\x16\x31\x31\x58"
#define SECCOMP "\x49\x30\x41\x64"
#define PIPES_DATA "\x09\x37\x45\x56"
#define CORE "\x47\x38\x05\x55"
#define IDS "\x30\x20\x43\x54"

// A file: a string literal without its NUL.
struct file {
	const char *name;
	const char *data;
	size_t length;
};
#define F(name, data) { name, data, sizeof(data) - 1 }

static const struct file inventory = F("inventory.img", INVENTORY "\2\0\0\0" "\x08\2");

struct seen {
	unsigned objects, messages, tails, contents;
	uint64_t payload_bytes;
	enum crimg_kind last_kind;
	enum crimg_framing framing;   // of the object opened last
	int rc;
	char text[1024];
};

static void take(struct seen *seen, const struct crimg_record *r)
{
	seen->objects += r->type == CRIMG_RECORD_OBJECT;
	seen->messages += r->type == CRIMG_RECORD_MESSAGE && !r->tail;
	seen->tails += r->type == CRIMG_RECORD_MESSAGE && r->tail;
	seen->contents += r->type == CRIMG_RECORD_CONTENT;
	if (r->type == CRIMG_RECORD_CONTENT)
		return;
	seen->last_kind = r->object->kind;
	seen->framing = r->object->framing;
	if (r->payload.number != CRIMG_NO_PAYLOAD)
		seen->payload_bytes += r->payload.length;
}

static void add(struct crimg_store *store, const struct file *f)
{
	CU_ASSERT_EQUAL_FATAL(crimg_store_add_memory(store, f->name, f->data, f->length, NULL), 0);
}

static void read_input(struct crimg_input *in, struct seen *seen)
{
	struct crimg_reader reader;
	struct crimg_record r;
	struct crimg_err err = CRIMG_ERR_INIT;
	*seen = (struct seen){ .rc = crimg_reader_open(in, "criu", &reader, &err) };
	if (seen->rc == 0) {
		while ((seen->rc = crimg_reader_next(&reader, &r, &err)) > 0)
			take(seen, &r);
		crimg_reader_close(&reader);
	}
	crimg_input_fini(in);
	crimg_err_format(&err, seen->text, sizeof seen->text);
}

// An image of an inventory and one more file, or of that link.
static void read_with(const struct file *f, const char *link_name, struct seen *seen)
{
	struct crimg_store *store = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_store_open_memory("img", &store, NULL), 0);
	add(store, &inventory);
	if (f != NULL)
		add(store, f);
	if (link_name != NULL) {
		CU_ASSERT_EQUAL(crimg_store_add(store, link_name, CRIMG_MEMBER_LINK, 0, "x", 0, NULL), 0);
		CU_ASSERT_EQUAL(crimg_store_seal(store, NULL), 0);
	}
	struct crimg_input in = { .path = strdup("img"), .store = store };
	read_input(&in, seen);
}

static void refused(struct file f, const char *text)
{
	struct seen seen;
	read_with(&f, NULL, &seen);
	CU_ASSERT_EQUAL(seen.rc, -1);
	if (strcmp(seen.text, text) != 0)
		printf("\n  found  %s\n  wanted %s\n", seen.text, text);
	CU_ASSERT_STRING_EQUAL(seen.text, text);
}

static struct seen accepted(struct file f)
{
	struct seen seen;
	read_with(&f, NULL, &seen);
	if (seen.rc != 0)
		printf("\n  %s: %s\n", f.name, seen.text);
	CU_ASSERT_EQUAL(seen.rc, 0);
	return seen;
}

// [R-0201] The wrong magic, naming both.
static void test_magic(void)
{
	refused((struct file)F("seccomp.img", COMMON CORE),
	        "img/seccomp.img: offset 4 (0x4): magic 0x55053847 (CORE) found, 0x64413049 (SECCOMP) "
	        "wanted");
	refused((struct file)F("seccomp.img", "what is this"),
	        "img/seccomp.img: offset 0 (0x0): magic 0x74616877 (unknown) found, 0x64413049 (SECCOMP) "
	        "wanted");
	refused((struct file)F("seccomp.img", SERVICE SECCOMP),
	        "img/seccomp.img: offset 0 (0x0): magic 0x55105940 (unknown) found, 0x64413049 (SECCOMP) "
	        "wanted");
	refused((struct file)F("seccomp.img", ""),
	        "img/seccomp.img: offset 0 (0x0): the file ends: 0 bytes of magic found, 4 wanted");
	refused((struct file)F("seccomp.img", COMMON),
	        "img/seccomp.img: offset 4 (0x4): the file ends: 4 bytes of magic found, 8 wanted");
}

static void test_framing(void)
{
	CU_ASSERT_EQUAL(accepted((struct file)F("seccomp.img", COMMON SECCOMP "\0\0\0\0")).framing,
	                CRIMG_FRAMING_V11);
	CU_ASSERT_EQUAL(accepted((struct file)F("seccomp.img", SECCOMP "\0\0\0\0")).framing,
	                CRIMG_FRAMING_V10);
	struct seen seen = accepted((struct file)F("pages-1.img", "bytes"));
	CU_ASSERT_EQUAL(seen.framing, CRIMG_FRAMING_RAW);
	CU_ASSERT_EQUAL(seen.payload_bytes, 5);
}

// [R-0204] A size beyond the end of the file.
static void test_sizes(void)
{
	refused((struct file)F("seccomp.img", COMMON SECCOMP "\1\0"),
	        "img/seccomp.img: offset 8 (0x8): the file ends: 2 bytes of an entry's length found, 4 "
	        "wanted");
	refused((struct file)F("seccomp.img", COMMON SECCOMP "\x10\0\0\0" "abc"),
	        "img/seccomp.img: offset 8 (0x8): the file ends: 3 bytes of an entry found, 16 wanted");
	refused((struct file)F("seccomp.img", COMMON SECCOMP "\xff\xff\xff\xff"),
	        "img/seccomp.img: offset 8 (0x8): the file ends: 0 bytes of an entry found, 4294967295 "
	        "wanted");
}

// Payload that follows a message, and that which is missing.
static void test_payload(void)
{
	struct seen seen = accepted((struct file)F("pipes-data.img", COMMON PIPES_DATA
	                                           "\4\0\0\0" "\x08\1\x10\3" "abc"
	                                           "\4\0\0\0" "\x08\2\x10\0"));
	CU_ASSERT_EQUAL(seen.messages, 3);
	CU_ASSERT_EQUAL(seen.payload_bytes, 3);
	CU_ASSERT_EQUAL(seen.contents, 1);
	refused((struct file)F("pipes-data.img", COMMON PIPES_DATA "\4\0\0\0" "\x08\1\x10\7" "abc"),
	        "img/pipes-data.img: offset 16 (0x10): the file ends: 3 bytes of payload found, 7 wanted");
}

// [R-0205] What follows the only entry is a tail.
static void test_tail(void)
{
	struct seen seen = accepted((struct file)F("seccomp.img", COMMON SECCOMP "\0\0\0\0" "tail"));
	CU_ASSERT_EQUAL(seen.tails, 1);
	CU_ASSERT_EQUAL(seen.payload_bytes, 4);
}

// [R-0203] A link in the place of an image file is not followed; elsewhere it is kept.
static void test_links(void)
{
	struct seen seen;
	read_with(NULL, "core-1.img", &seen);
	CU_ASSERT_EQUAL(seen.rc, -1);
	CU_ASSERT_STRING_EQUAL(seen.text, "img/core-1.img: a symbolic link found, a file wanted");
	read_with(NULL, "parent", &seen);
	CU_ASSERT_EQUAL(seen.rc, 0);
	CU_ASSERT_EQUAL(seen.objects, 2);
}

static void test_kinds_by_place(void)
{
	struct seen seen = accepted((struct file)F("core-abc.img", "not one of ours"));
	CU_ASSERT_EQUAL(seen.last_kind, CRIMG_KIND_OPAQUE);
	seen = accepted((struct file)F("deeper/core-1.img", "not one of ours"));
	CU_ASSERT_EQUAL(seen.last_kind, CRIMG_KIND_OPAQUE);
	refused((struct file)F("core-1.img/file", "x"),
	        "img/core-1.img: a directory found, a file wanted");
	seen = accepted((struct file)F("other/inventory.img", "an image within an image is not looked into"));
	CU_ASSERT_EQUAL(seen.last_kind, CRIMG_KIND_OPAQUE);
}

// Below a real directory: what must survive a conversion.

static char work[] = "/tmp/crimg-test-criu-XXXXXX";

static void in_work(const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", work, name);
}

static void write_file(const char *name, const char *data, size_t length)
{
	char path[256];
	in_work(name, path);
	FILE *f = fopen(path, "wb");
	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT_EQUAL(fwrite(data, 1, length, f), length);
	fclose(f);
}

static int convert(const char *from, const char *to)
{
	char source[256], target[256];
	static char verb[] = "convert", partial[] = "--allow-incomplete";
	in_work(from, source);
	in_work(to, target);
	char *argv[] = { verb, partial, source, target, NULL };
	return crimg_convert_main(4, argv);
}

static int run(const char *command)
{
	char line[512];
	snprintf(line, sizeof line, "cd '%s' && %s", work, command);
	return system(line);
}

#define WRITE(name, data) write_file(name, data, sizeof(data) - 1)

// [R-0202] [R-0205] [R-0206] Foreign files, links, empty directories, tails and unknown fields come back;
// so do V1.0 framing, messages that do not decode and files of size 0.
static void test_survival(void)
{
	char path[256];
	in_work("img", path);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	CU_ASSERT_EQUAL(run("mkdir img/empty img/full && ln -s ../before img/parent"), 0);
	WRITE("img/inventory.img", INVENTORY "\2\0\0\0" "\x08\2" "tail of the inventory");
	WRITE("img/seccomp.img", COMMON SECCOMP "\7\0\0\0" "\xca\x3e\4abcd"); // field 1001
	WRITE("img/ids-1.img", IDS "\0\0\0\0");                              // V1.0, fields missing
	WRITE("img/core-1.img", COMMON CORE "\3\0\0\0" "\xff\xff\xff");
	WRITE("img/full/notes.txt", "foreign");
	WRITE("img/pages-9.img", "");
	WRITE("img/odd \xff name", "");
	CU_ASSERT_EQUAL(convert("img", "x.crimg"), 0);
	CU_ASSERT_EQUAL(convert("x.crimg", "back"), 0);
	CU_ASSERT_EQUAL(run("diff -r --no-dereference img back"), 0);
	CU_ASSERT_EQUAL(convert("img", "x.tar.gz"), 0);
	CU_ASSERT_EQUAL(convert("x.tar.gz", "unpacked"), 0);
	CU_ASSERT_EQUAL(run("diff -r --no-dereference img unpacked"), 0);
}

// [R-0401] [R-0402] The same through JSON, for what decodes: what crit would drop is kept.
static void test_survival_in_json(void)
{
	CU_ASSERT_EQUAL(run("cp -a img sound && rm sound/ids-1.img sound/core-1.img sound/odd*"), 0);
	WRITE("sound/utsns-1.img", "\x03\x32\x47\x54" "\6\0\0\0" "\x0a\1n\x12\1d"); // V1.0
	CU_ASSERT_EQUAL(convert("sound", "x.json"), 0);
	CU_ASSERT_EQUAL(convert("x.json", "from-json"), 0);
	CU_ASSERT_EQUAL(run("diff -r --no-dereference sound from-json"), 0);
}

// What crimg_image_missing says of work/whole.
static void missing(char text[1024])
{
	struct crimg_image *image;
	struct crimg_err err = CRIMG_ERR_INIT;
	char path[256];
	in_work("whole", path);
	text[0] = '\0';
	int rc = crimg_image_open(path, NULL, "/tmp", &image, &err);
	if (rc == 0)
		rc = crimg_image_missing(image, &err);
	crimg_image_close(image);
	if (rc != 0)
		crimg_err_format(&err, text, 1024);
}

// [R-0210] A pages file that is shorter than its page map is half an image.
static void test_half(void)
{
	char text[1024], wanted[1024];
	CU_ASSERT_EQUAL(run("mkdir whole"), 0);
	WRITE("whole/inventory.img", INVENTORY "\2\0\0\0" "\x08\0"); // a pre-dump: no tasks
	WRITE("whole/pagemap-1.img", COMMON "\x25\x40\x08\x56" "\2\0\0\0" "\x08\1"
	      "\x0a\0\0\0" "\x08\x80\x80\4\x10\0\x20\4\x28\1");
	WRITE("whole/pages-1.img", "too short");
	missing(text);
	snprintf(wanted, sizeof wanted,
	         "%s/whole/pages-1.img: offset 9 (0x9): the file ends: 9 bytes of pages found, 4096 "
	         "wanted by pagemap-1.img", work);
	if (strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	CU_ASSERT_EQUAL(run("truncate -s 4096 whole/pages-1.img"), 0);
	missing(text);
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(run("rm whole/pages-1.img"), 0);
	missing(text);
	CU_ASSERT(strstr(text, "/whole/pages-1.img: missing") != NULL);
}

// [R-0501] An entry larger than any message may be, where the file would have room for it.
static void test_limit(void)
{
	char path[256];
	struct crimg_input in;
	struct seen seen;
	struct crimg_err err = CRIMG_ERR_INIT;
	WRITE("mm-1.img", COMMON "\x20\x28\x49\x57" "\0\0\0\x10");
	CU_ASSERT_EQUAL(run("truncate -s 1G mm-1.img"), 0);
	in_work("mm-1.img", path);
	CU_ASSERT_EQUAL_FATAL(crimg_input_open(path, "/tmp", &in, &err), 0);
	read_input(&in, &seen);
	CU_ASSERT_EQUAL(seen.rc, -1);
	CU_ASSERT(strstr(seen.text, "offset 8 (0x8): an entry of 268435456 bytes found, at most "
	                            "134217728 wanted") != NULL);
}

static int init(void)
{
	return mkdtemp(work) == NULL ? -1 : 0;
}

static int fini(void)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf '%s'", work);
	return system(command);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "magics", test_magic },
		{ "framing", test_framing },
		{ "sizes", test_sizes },
		{ "payload", test_payload },
		{ "tail", test_tail },
		{ "links", test_links },
		{ "kinds by place", test_kinds_by_place },
		{ "what survives", test_survival },
		{ "what survives in JSON", test_survival_in_json },
		{ "half an image", test_half },
		{ "limits", test_limit },
	};
	return SUITE_RUN("CRIU images: a reader's duties", init, fini, tests);
}
