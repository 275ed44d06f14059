// Images as JSON, there and back through the drivers, and JSON that is wrong.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/base64.h"
#include "format/checked.h"
#include "format/driver.h"
#include "format/output.h"
#include "tests/suite.h"

static char work[] = "/tmp/crimg-test-json-XXXXXX";

static void check_error(const struct crimg_err *err, enum crimg_code code, const char *wanted)
{
	char text[1024];
	crimg_err_format(err, text, sizeof text);
	CU_ASSERT_EQUAL(err->code, code);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	if (strcmp(text, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", text, wanted);
}

static void check_same(const struct crimg_buf *found, const void *wanted, size_t length)
{
	bool same = found->length == length
		&& (length == 0 || memcmp(found->data, wanted, length) == 0);
	CU_ASSERT(same);
	if (!same)
		printf("\n  found:  %.*s\n  wanted: %.*s\n", (int)found->length,
		       (const char *)found->data, (int)length, (const char *)wanted);
}

static void put_file(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CU_ASSERT_EQUAL(write(fd, data, length), (ssize_t)length);
	close(fd);
}

static int get_file(const char *path, struct crimg_buf *out)
{
	int fd = open(path, O_RDONLY);
	char buf[4096];
	ssize_t n;
	out->length = 0;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		if (crimg_buf_append(out, buf, (size_t)n, NULL) < 0)
			break;
	return close(fd);
}

static int pump(struct crimg_reader *reader, struct crimg_writer *writer, struct crimg_err *err)
{
	struct crimg_record r;
	int rc;
	while ((rc = crimg_reader_next(reader, &r, err)) > 0)
		if (writer->driver->put(writer, &r, err) < 0)
			return -1;
	return rc < 0 ? -1 : writer->driver->finish(writer, err);
}

static int write_out(struct crimg_reader *reader, const char *to, bool pretty,
                     struct crimg_output *output, struct crimg_err *err)
{
	struct crimg_writer_options options = { .pretty = pretty,
		                                .single_object = reader->single_object };
	struct crimg_writer writer = { .driver = crimg_writer_by_name(to), .output = output };
	if (writer.driver->open(&writer, &options, err) < 0)
		return -1;
	int rc = pump(reader, &writer, err);
	writer.driver->close(&writer);
	return rc < 0 ? -1 : crimg_output_commit(output, err);
}

// Converts one file, in, to another; *out gets what is in it.
static int convert(const char *in, const char *from, const char *to, bool pretty,
                   struct crimg_buf *out, struct crimg_err *err)
{
	struct crimg_input input;
	struct crimg_reader reader;
	struct crimg_output *output;
	if (crimg_input_open(in, "/tmp", &input, err) < 0)
		return -1;
	int rc = crimg_reader_open(&input, from, &reader, err);
	crimg_input_fini(&input);
	if (rc < 0)
		return -1;
	rc = crimg_output_open_file("out", &output, err);
	if (rc == 0) {
		rc = write_out(&reader, to, pretty, output, err);
		crimg_output_close(output);
	}
	crimg_reader_close(&reader);
	return rc < 0 ? -1 : get_file("out", out);
}

// An image file, its JSON, and back.
static void check_pair(const char *name, const uint8_t *image, size_t length, const char *json)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	put_file(name, image, length);
	CU_ASSERT_EQUAL(convert(name, "criu", "json", false, &out, &err), 0);
	check_same(&out, json, strlen(json));
	put_file("x.json", out.data, out.length);
	CU_ASSERT_EQUAL(convert("x.json", NULL, "criu", false, &out, &err), 0);
	check_same(&out, image, length);
	CU_ASSERT_EQUAL(convert(name, "criu", "json", true, &out, &err), 0);
	put_file("x.json", out.data, out.length);
	CU_ASSERT_EQUAL(convert("x.json", NULL, "criu", false, &out, &err), 0);
	check_same(&out, image, length);
	check_error(&err, CRIMG_OK, "");
	unlink(name);
	crimg_buf_fini(&out);
}

#define COMMON "\x19\x43\x56\x54"
#define PAIR(name, image, json) check_pair(name, (const uint8_t *)(image), sizeof(image) - 1, json)

static void test_entries(void)
{
	PAIR("pstree.img", COMMON "\x30\x30\x27\x50" "\x0c\0\0\0\x08\x07\x10\0\x18\x07\x20\x07\x28\x07\x28\x08",
	     "{\"magic\": \"PSTREE\", \"entries\": [{\"pid\": 7, \"ppid\": 0, \"pgid\": 7, \"sid\": 7, "
	     "\"threads\": [7, 8]}]}");
	PAIR("seccomp.img", COMMON "\x49\x30\x41\x64" "\0\0\0\0",
	     "{\"magic\": \"SECCOMP\", \"entries\": [{}]}");
	PAIR("pagemap-7.img", COMMON "\x25\x40\x08\x56" "\x02\0\0\0\x08\x01"
	     "\x0d\0\0\0\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x10\0",
	     "{\"magic\": \"PAGEMAP\", \"entries\": [{\"pages_id\": 1}, {\"vaddr\": 9223372036854775808, "
	     "\"compat_nr_pages\": 0}]}");
}

// Bytes that crit's document cannot say are kept beside it.
static void test_lossless(void)
{
	// A field of the future at the top, and one in a message within.
	PAIR("timens-0.img", COMMON "\x33\x44\x11\x43" "\x1b\0\0\0\x0a\x0a\x08\x01\x10\x02\xa2\x06\x03" "abc"
	     "\x12\x04\x08\x03\x10\x04\x98\x06\x07\x95\x06\x01\0\0\0",
	     "{\"magic\": \"TIMENS\", \"entries\": [{\"monotonic\": {\"tv_sec\": 1, \"tv_nsec\": 2, "
	     "\"unknown_fields\": [{\"number\": 100, \"wire\": 2, \"value\": \"YWJj\\n\"}]}, "
	     "\"boottime\": {\"tv_sec\": 3, \"tv_nsec\": 4}, \"unknown_fields\": [{\"number\": 99, "
	     "\"wire\": 0, \"value\": \"0x7\"}, {\"number\": 98, \"wire\": 5, \"value\": \"0x1\"}]}]}");
	// Its varint written with one byte too many.
	PAIR("timens-0.img", COMMON "\x33\x44\x11\x43" "\x10\0\0\0\x0a\x04\x08\x01\x10\x02"
	     "\x12\x04\x08\x03\x10\x04\x98\x06\x87\0",
	     "{\"magic\": \"TIMENS\", \"entries\": [{\"monotonic\": {\"tv_sec\": 1, \"tv_nsec\": 2}, "
	     "\"boottime\": {\"tv_sec\": 3, \"tv_nsec\": 4}, \"unknown_fields\": [{\"number\": 99, "
	     "\"wire\": 0, \"raw\": \"hwA=\\n\"}]}]}");
	// Fields in another order.
	PAIR("timens-0.img", COMMON "\x33\x44\x11\x43" "\x0c\0\0\0\x12\x04\x08\x03\x10\x04"
	     "\x0a\x04\x08\x01\x10\x02",
	     "{\"magic\": \"TIMENS\", \"entries\": [{\"monotonic\": {\"tv_sec\": 1, \"tv_nsec\": 2}, "
	     "\"boottime\": {\"tv_sec\": 3, \"tv_nsec\": 4}, \"encoded\": \"EgQIAxAECgQIARAC\\n\"}]}");
	// Bytes behind the only entry.
	PAIR("timens-0.img", COMMON "\x33\x44\x11\x43" "\x0c\0\0\0\x0a\x04\x08\x01\x10\x02"
	     "\x12\x04\x08\x03\x10\x04" "tail",
	     "{\"magic\": \"TIMENS\", \"entries\": [{\"monotonic\": {\"tv_sec\": 1, \"tv_nsec\": 2}, "
	     "\"boottime\": {\"tv_sec\": 3, \"tv_nsec\": 4}, \"tail\": \"dGFpbA==\\n\"}]}");
	// One magic, as before release 1.6.
	PAIR("timens-0.img", "\x33\x44\x11\x43" "\x0c\0\0\0\x0a\x04\x08\x01\x10\x02"
	     "\x12\x04\x08\x03\x10\x04",
	     "{\"magic\": \"TIMENS\", \"framing\": \"v10\", \"entries\": [{\"monotonic\": {\"tv_sec\": 1, "
	     "\"tv_nsec\": 2}, \"boottime\": {\"tv_sec\": 3, \"tv_nsec\": 4}}]}");
	// An enum value that has no name, and a name that is no UTF-8.
	PAIR("fdinfo-2.img", COMMON "\x32\x37\x21\x56" "\x0b\0\0\0\x08\x01\x10\0\x18\x63\x20\x03\x2a\x01\xff",
	     "{\"magic\": \"FDINFO\", \"entries\": [{\"id\": 1, \"flags\": 0, \"type\": 99, \"fd\": 3, "
	     "\"xattr_security_selinux\": \"\\udcff\"}]}");
	// A real U+10FFFE is not taken for such a byte.
	PAIR("fdinfo-2.img", COMMON "\x32\x37\x21\x56" "\x0e\0\0\0\x08\x01\x10\0\x18\x63\x20\x03\x2a\x04"
	     "\xf4\x8f\xbf\xbe",
	     "{\"magic\": \"FDINFO\", \"entries\": [{\"id\": 1, \"flags\": 0, \"type\": 99, \"fd\": 3, "
	     "\"xattr_security_selinux\": \"\\udbff\\udffe\"}]}");
}

#define DESC "\x0a\x0e\x08\0\x10\0\x18\0\x20\0\x28\0\x30\0\x38\0"
#define DESC_JSON "\"desc\": {\"key\": 0, \"uid\": 0, \"gid\": 0, \"cuid\": 0, \"cgid\": 0, \"mode\": 0, \"id\": 0}"

static void test_payload(void)
{
	PAIR("pipes-data.img", COMMON "\x09\x37\x45\x56" "\x04\0\0\0\x08\x01\x10\x03" "abc" "\x04\0\0\0\x08\x02\x10\0",
	     "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3, \"extra\": "
	     "\"YWJj\\n\"}, {\"pipe_id\": 2, \"bytes\": 0, \"extra\": \"\"}]}");
	PAIR("tcp-stream-a.img", COMMON "\x06\x55\x46\x51" "\x0e\0\0\0\x08\x02\x10\0\x18\x03\x20\0\x28\0\x30\0\x38\0" "in" "out",
	     "{\"magic\": \"TCP_STREAM\", \"entries\": [{\"inq_len\": 2, \"inq_seq\": 0, \"outq_len\": 3, "
	     "\"outq_seq\": 0, \"opt_mask\": 0, \"snd_wscale\": 0, \"mss_clamp\": 0, \"extra\": {\"inq\": \"aW4=\\n\", \"outq\": \"b3V0\\n\"}}]}");
	PAIR("tcp-stream-a.img", COMMON "\x06\x55\x46\x51" "\x0e\0\0\0\x08\0\x10\0\x18\0\x20\0\x28\0\x30\0\x38\0",
	     "{\"magic\": \"TCP_STREAM\", \"entries\": [{\"inq_len\": 0, \"inq_seq\": 0, \"outq_len\": 0, "
	     "\"outq_seq\": 0, \"opt_mask\": 0, \"snd_wscale\": 0, \"mss_clamp\": 0, \"extra\": {\"inq\": \"\", \"outq\": \"\"}}]}");
	PAIR("ipcns-sem-1.img", COMMON "\x19\x30\x57\x59" "\x12\0\0\0" DESC "\x10\x02" "\x01\0\xff\xff\0\0\0\0",
	     "{\"magic\": \"IPCNS_SEM\", \"entries\": [{" DESC_JSON ", \"nsems\": 2, \"extra\": [1, 65535]}]}");
	PAIR("ipcns-sem-1.img", COMMON "\x19\x30\x57\x59" "\x12\0\0\0" DESC "\x10\x01" "\x01\0PADDED",
	     "{\"magic\": \"IPCNS_SEM\", \"entries\": [{" DESC_JSON ", \"nsems\": 1, \"extra\": [1], "
	     "\"extra_padding\": \"UEFEREVE\\n\"}]}");
	PAIR("ipcns-msg-1.img", COMMON "\x37\x37\x45\x55" "\x14\0\0\0" DESC "\x10\0\x18\x02"
	     "\x04\0\0\0\x08\x05\x10\x03" "abc\0\0\0\0\0" "\x04\0\0\0\x08\x06\x10\x08" "12345678",
	     "{\"magic\": \"IPCNS_MSG\", \"entries\": [{" DESC_JSON ", \"qbytes\": 0, \"qnum\": 2, \"extra\": "
	     "[{\"mtype\": 5, \"msize\": 3}, \"YWJj\\n\", {\"mtype\": 6, \"msize\": 8}, "
	     "\"MTIzNDU2Nzg=\\n\"]}]}");
	PAIR("ipcns-shm-1.img", COMMON "\x44\x30\x28\x46" "\x12\0\0\0" DESC "\x10\x05" "12345\0\0\0"
	     "\x14\0\0\0" DESC "\x10\x05\x18\x01",
	     "{\"magic\": \"IPCNS_SHM\", \"entries\": [{" DESC_JSON ", \"size\": 5, \"extra\": "
	     "\"MTIzNDU=\\n\"}, {" DESC_JSON ", \"size\": 5, \"in_pagemaps\": true, \"extra\": \"\"}]}");
	PAIR("ghost-file-1.img", COMMON "\x05\x36\x58\x52" "\x06\0\0\0\x08\0\x10\0\x18\0" "all of it",
	     "{\"magic\": \"GHOST_FILE\", \"entries\": [{\"uid\": 0, \"gid\": 0, \"mode\": 0, \"extra\": "
	     "\"YWxsIG9mIGl0\\n\"}]}");
	PAIR("ghost-file-1.img", COMMON "\x05\x36\x58\x52" "\x08\0\0\0\x08\0\x10\0\x18\0\x48\x01"
	     "\x04\0\0\0\x08\x02\x10\x05" "ab",
	     "{\"magic\": \"GHOST_FILE\", \"entries\": [{\"uid\": 0, \"gid\": 0, \"mode\": 0, \"chunks\": "
	     "true}, {\"len\": 2, \"off\": 5, \"extra\": \"YWI=\\n\"}]}");
	PAIR("bpfmap-data.img", COMMON "\x33\x40\x32\x64" "\x08\0\0\0\x08\x01\x10\x01\x18\x02\x20\x01" "kvv",
	     "{\"magic\": \"BPFMAP_DATA\", \"entries\": [{\"map_id\": 1, \"keys_bytes\": 1, "
	     "\"values_bytes\": 2, \"count\": 1, \"extra\": \"a3Z2\\n\"}]}");
}

static void check_read(const char *json, const uint8_t *image, size_t length)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	put_file("x.json", json, strlen(json));
	CU_ASSERT_EQUAL(convert("x.json", NULL, "criu", false, &out, &err), 0);
	check_error(&err, CRIMG_OK, "");
	check_same(&out, image, length);
	crimg_buf_fini(&out);
}

#define READS(json, image) check_read(json, (const uint8_t *)(image), sizeof(image) - 1)

// What people and other tools write.
static void test_dialects(void)
{
#define PSTREE COMMON "\x30\x30\x27\x50" "\x08\0\0\0\x08\x10\x10\0\x18\x01\x20\x02"
	READS(" {\"entries\":[{\"sid\":\"0b10\",\"pid\":\"0x10\",\"ppid\":0,\"pgid\":\"1\"}],\n\"magic\":"
	      "\"PSTREE\"} \n", PSTREE);
	READS("{\"magic\": \"PSTREE\", \"entries\": [{\"pid\": 16, \"ppid\": 0, \"pgid\": 1, \"sid\": 2, "
	      "\"threads\": []}]}", PSTREE);
	// The bytes of before give way to an edited field.
	READS("{\"magic\": \"PSTREE\", \"entries\": [{\"pid\": 16, \"ppid\": 0, \"pgid\": 1, \"sid\": 2, "
	      "\"encoded\": \"CAEQABgBIAI=\"}]}", PSTREE);
	// go-criu: names in camel case, 64-bit numbers as strings, names of sockets in base64.
	READS("{\"magic\":\"UNIXSK\",\"entries\":[{\"id\":1,\"ino\":2,\"type\":1,\"state\":10,\"flags\":2,"
	      "\"uflags\":0,\"backlog\":0,\"peer\":0,\"fown\":{\"uid\":0,\"euid\":0,\"signum\":0,"
	      "\"pidType\":0,\"pid\":0},\"opts\":{\"soSndbuf\":0,\"soRcvbuf\":0,\"soSndTmoSec\":\"0\","
	      "\"soSndTmoUsec\":\"0\",\"soRcvTmoSec\":\"0\",\"soRcvTmoUsec\":\"0\"},\"name\":\"AGFi\"}]}",
	      COMMON "\x43\x39\x37\x54" "\x2f\0\0\0\x08\x01\x10\x02\x18\x01\x20\x0a\x28\x02"
	      "\x30\0\x38\0\x40\0\x4a\x0a\x08\0\x10\0\x18\0\x20\0\x28\0"
	      "\x52\x0c\x08\0\x10\0\x18\0\x20\0\x28\0\x30\0\x5a\x03\0ab");
	// crit --pretty: words for numbers.
	READS("{\"magic\": \"VMAS\", \"entries\": [{\"start\": \"0x1000\", \"end\": \"0x2000\", \"pgoff\": 0, "
	      "\"shmid\": 0, \"prot\": \"PROT_READ|PROT_EXEC\", \"flags\": \"MAP_PRIVATE | 0x80\", "
	      "\"status\": \"\", \"fd\": -1}]}",
	      COMMON "\x37\x37\x12\x54" "\x13\0\0\0\x08\x80\x20\x10\x80\x40\x18\0\x20\0\x28\x05\x30\x82\x01"
	      "\x38\0\x40\x01");
}

static const struct {
	const char *json;
	enum crimg_code code;
	const char *error; // behind "x.json: "
} wrong[] = {
	{ "{", CRIMG_E_FORMAT, "offset 1 (0x1): the end of the text found, a key wanted" },
	{ "{\"magic\": \"PSTREE\"}", CRIMG_E_FORMAT, "offset 19 (0x13): a document of one file found "
	  "that is not magic and entries alone" },
	{ "{\"magic\": \"NONE\", \"entries\": []}", CRIMG_E_FORMAT, "offset 29 (0x1d): NONE found, the "
	  "magic of a kind of image wanted, as crit names it" },
	{ "{\"magic\": \"PAGES\", \"entries\": []}", CRIMG_E_FORMAT, "offset 30 (0x1e): PAGES found, the "
	  "magic of a kind of image wanted, as crit names it" },
	{ "{\"magic\": \"FS\", \"magic\": \"FS\", \"entries\": []}", CRIMG_E_FORMAT, "offset 24 (0x18): "
	  "magic found, a key that was not given yet wanted" },
	{ "{\"magic\": \"FS\", \"what\": 1}", CRIMG_E_FORMAT, "offset 23 (0x17): what found, a key of an "
	  "image wanted (magic, entries, …)" },
	{ "{\"magic\": \"FS\", \"entries\": []} x", CRIMG_E_FORMAT, "offset 31 (0x1f): text behind the "
	  "document found, its end wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [1]}", CRIMG_E_FORMAT, "offset 28 (0x1c): '1' found, '{' wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1}]}", CRIMG_E_FORMAT, "offset 28 (0x1c): entry "
	  "0: nothing found, the field root_id of fs_entry wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 2, \"umaks\": 3}]}",
	  CRIMG_E_FORMAT, "offset 28 (0x1c): entry 0: umaks: 3 found, a field of fs_entry wanted: this "
	  "key is none" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 4294967296}]}", CRIMG_E_FORMAT,
	  "offset 28 (0x1c): entry 0: root_id: 4294967296 found, an unsigned 32-bit number wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": -1}]}", CRIMG_E_FORMAT,
	  "offset 28 (0x1c): entry 0: root_id: -1 found, an unsigned 32-bit number wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 1.5}]}", CRIMG_E_FORMAT,
	  "offset 28 (0x1c): entry 0: root_id: 1.5 found, a number wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": null}]}", CRIMG_E_FORMAT,
	  "offset 28 (0x1c): entry 0: root_id: null found, a number wanted" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"cwd_id\": 1}]}", CRIMG_E_FORMAT,
	  "offset 28 (0x1c): entry 0: not JSON: duplicate object key near '\"cwd_id\"'" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"cwdId\": 1, \"root_id\": 1}]}",
	  CRIMG_E_FORMAT, "offset 28 (0x1c): entry 0: cwdId: 1 found, this field once wanted, twice "
	  "given" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 1}, {}]}", CRIMG_E_FORMAT,
	  "offset 57 (0x39): a second entry found, FS holds one" },
	{ "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 1, \"extra\": \"\"}]}",
	  CRIMG_E_FORMAT, "offset 28 (0x1c): entry 0: extra: null found, a field of fs_entry wanted: this "
	  "key is none" },
	{ "{\"magic\": \"PSTREE\", \"entries\": [{\"pid\": 1, \"ppid\": 0, \"pgid\": 0, \"sid\": 0, "
	  "\"threads\": [1, \"x\"]}]}", CRIMG_E_FORMAT, "offset 32 (0x20): entry 0: threads[1]: \"x\" "
	  "found, a number wanted" },
	{ "{\"magic\": \"PSTREE\", \"entries\": [{\"pid\": 1, \"ppid\": 0, \"pgid\": 0, \"sid\": 0, "
	  "\"tail\": \"\"}]}", CRIMG_E_FORMAT, "offset 32 (0x20): entry 0: tail: nothing found, a kind of "
	  "one entry wanted: others have no tail" },
	{ "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 5, \"extra\": \"YWJj\"}]}",
	  CRIMG_E_FORMAT, "offset 36 (0x24): entry 0: extra: 3 bytes found, 5 wanted by the entry" },
	{ "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3, \"extra\": \"YW-j\"}]}",
	  CRIMG_E_FORMAT, "offset 75 (0x4b): '-' found, base64 wanted" },
	{ "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3, \"extra\": [1]}]}",
	  CRIMG_E_FORMAT, "offset 36 (0x24): entry 0: extra: [1] found, a base64 string wanted" },
	{ "{\"magic\": \"UTSNS\", \"entries\": [{\"nodename\": \"\\u0000\", \"domainname\": \"\"}]}",
	  CRIMG_E_FORMAT, "offset 31 (0x1f): entry 0: not JSON: \\u0000 is not allowed without "
	  "JSON_ALLOW_NUL near '\"\\u0000\"'" },
	{ "{\"magic\": \"UTSNS\", \"entries\": [{\"nodename\": \"\\ud800\", \"domainname\": \"\"}]}",
	  CRIMG_E_FORMAT, "offset 53 (0x35): half a surrogate pair found, both halves wanted" },
	{ "{\"magic\": \"UTSNS\", \"entries\": [{\"nodename\": \"\xff\", \"domainname\": \"\"}]}",
	  CRIMG_E_FORMAT, "offset 31 (0x1f): entry 0: not JSON: unable to decode byte 0xff near '\"'" },
	{ "{\"magic\": \"FDINFO\", \"entries\": [{\"id\": 1, \"flags\": 0, \"type\": \"REGG\", \"fd\": 3}]}",
	  CRIMG_E_FORMAT, "offset 32 (0x20): entry 0: type: \"REGG\" found, one of the field's names "
	  "wanted" },
	{ "{\"magic\": \"SECCOMP\", \"entries\": [{\"unknown_fields\": [{\"number\": 1, \"wire\": 0, "
	  "\"value\": 1}]}]}", CRIMG_E_FORMAT, "offset 33 (0x21): entry 0: unknown_fields[0]: {\"number\": "
	  "1, \"wire\": 0, \"value\": 1} found, the number of a field not yet known wanted" },
	{ "{\"magic\": \"SECCOMP\", \"entries\": [{\"unknown_fields\": [{\"number\": 9, \"wire\": 3, "
	  "\"value\": 1}]}]}", CRIMG_E_FORMAT, "offset 33 (0x21): entry 0: unknown_fields[0]: {\"number\": "
	  "9, \"wire\": 3, \"value\": 1} found, wire type 0, 1, 2 or 5 wanted" },
	{ "{\"schema\": \"crimg.image/2\", \"objects\": []}", CRIMG_E_FORMAT, "offset 38 (0x26): schema "
	  "crimg.image/2 found, crimg.image/1 wanted" },
	{ "{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"../x\", \"raw\": \"\"}]}",
	  CRIMG_E_FORMAT, "offset 67 (0x43): ../x found, a relative name that stays within the image "
	  "wanted" },
	{ "{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"x\", \"raw\": \"\", \"dir\": true}]}",
	  CRIMG_E_FORMAT, "offset 77 (0x4d): an object of two found, one of entries, raw, link, dir "
	  "wanted" },
	{ "{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"core-1.img\", \"entries\": []}]}",
	  CRIMG_E_FORMAT, "offset 77 (0x4d): entries without a magic found, \"magic\" wanted" },
};

static void test_wrong(void)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		char wanted[1024];
		put_file("x.json", wrong[i].json, strlen(wrong[i].json));
		CU_ASSERT_EQUAL(convert("x.json", "json", "criu", false, &out, &err), -1);
		snprintf(wanted, sizeof wanted, "x.json: %s", wrong[i].error);
		check_error(&err, wrong[i].code, wanted);
	}
	crimg_buf_fini(&out);
}

static void test_depth(void)
{
	struct crimg_buf out = CRIMG_BUF_INIT;
	char json[8192] = "{\"magic\": \"APPARMOR\", \"entries\": [{\"namespaces\": ";
	struct crimg_err err = CRIMG_ERR_INIT;
	for (int i = 0; i < 70; i++)
		strcat(json, "[{\"name\": \"\", \"namespaces\": ");
	put_file("x.json", json, strlen(json));
	CU_ASSERT_EQUAL(convert("x.json", "json", "criu", false, &out, &err), -1);
	strcat(json, "[]");
	for (int i = 0; i < 70; i++)
		strcat(json, "}]");
	strcat(json, "}]}");
	put_file("x.json", json, strlen(json));
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(convert("x.json", "json", "criu", false, &out, &err), -1);
	check_error(&err, CRIMG_E_LIMIT,
	            "x.json: offset 34 (0x22): entry 0: aa_namespace: messages nested more than 64 deep");
	static const char begin[] = "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": ";
	memset(json, '[', 4000);
	memcpy(json, begin, sizeof begin - 1);
	put_file("x.json", json, 4000);
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(convert("x.json", "json", "criu", false, &out, &err), -1);
	check_error(&err, CRIMG_E_LIMIT, "x.json: offset 199 (0xc7): JSON nested more than 160 deep");
	crimg_buf_fini(&out);
}

static int open_text(const char *json, size_t length, struct crimg_reader *reader,
                     struct crimg_err *err)
{
	struct crimg_input in = { .path = strdup("x.json"), .head_length = length };
	if (in.head_length > sizeof in.head)
		in.head_length = sizeof in.head;
	memcpy(in.head, json, in.head_length);
	int rc = crimg_source_open_memory(json, length, "x.json", &in.source, err);
	if (rc == 0)
		rc = crimg_reader_open(&in, "json", reader, err);
	crimg_input_fini(&in);
	return rc;
}

// Reads all there is, to the end or an error.
static int read_all(const char *json, size_t length, struct crimg_err *err)
{
	struct crimg_reader reader;
	struct crimg_record r;
	int rc;
	if (open_text(json, length, &reader, err) < 0)
		return -1;
	while ((rc = crimg_reader_next(&reader, &r, err)) > 0)
		;
	crimg_reader_close(&reader);
	return rc;
}

// What each call yields: Object, Message, Content, Error, '.' the end.
static void check_steps(const char *json, const char *wanted)
{
	struct crimg_reader reader;
	struct crimg_record r;
	char found[16] = "";
	CU_ASSERT_EQUAL_FATAL(open_text(json, strlen(json), &reader, NULL), 0);
	for (size_t i = 0; i < strlen(wanted); i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		int rc = crimg_reader_next(&reader, &r, &err);
		found[i] = rc < 0 ? 'E' : rc == 0 ? '.' : "OMC"[r.type];
		CU_ASSERT_EQUAL(rc < 0, err.code != CRIMG_OK);
		if (found[i] == 'C')
			CU_ASSERT(r.payload.number == 0 && memcmp(r.bytes, "def", 3) == 0);
	}
	CU_ASSERT_STRING_EQUAL(found, wanted);
	if (strcmp(found, wanted) != 0)
		printf("\n  found: %s wanted: %s\n", found, wanted);
	crimg_reader_close(&reader);
}

// A damaged object of a file is told and passed over, the next one is whole; a document of one file ends.
static void test_going_on(void)
{
	static const char image[] = "{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"fs-1.img\", "
		"\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1}]}, {\"name\": \"pipes-data.img\", \"magic\": "
		"\"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 4, \"extra\": \"YWJj\"}]}, {\"name\": "
		"\"fifo-data.img\", \"magic\": \"FIFO_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3, "
		"\"extra\": \"ZGVm\"}]}]}";
	static const char single[] = "{\"magic\": \"PSTREE\", \"entries\": [{}, {\"pid\": 1, \"ppid\": 0, "
		"\"pgid\": 0, \"sid\": 0}]}";
	check_steps(image, "OEOEOMC.");
	check_steps(single, "OEEE");
}

static const char *const seeds[] = {
	"{\"magic\": \"TCP_STREAM\", \"entries\": [{\"inq_len\": 2, \"inq_seq\": 0, \"outq_len\": 3, "
	"\"outq_seq\": 0, \"opt_mask\": 0, \"snd_wscale\": 0, \"mss_clamp\": 0, \"extra\": {\"inq\": \"aW4=\\n\", \"outq\": \"b3V0\\n\"}, \"tail\": \"QQ==\"}]}",
	"{\"magic\": \"IPCNS_MSG\", \"entries\": [{" DESC_JSON ", \"qbytes\": 0, \"qnum\": 1, \"extra\": "
	"[{\"mtype\": 18446744073709551615, \"msize\": 3}, \"YWJj\\n\"], \"extra_padding\": \"MTIzNDU=\"}]}",
	"{\"magic\": \"FDINFO\", \"entries\": [{\"id\": 1, \"flags\": \"0x1\", \"type\": \"REG\", \"fd\": 3, "
	"\"xattr_security_selinux\": \"a\\udcff\\udbff\\udffe\xf4\x8f\xbf\xbe\", \"unknown_fields\": "
	"[{\"number\": 99, \"wire\": 2, \"value\": \"QUI=\"}]}]}",
	"{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"inventory.img\", \"magic\": "
	"\"INVENTORY\", \"entries\": [{\"img_version\": 2}]}, {\"name\": \"parent\", \"link\": \"../1\"}, "
	"{\"name\": \"d\", \"dir\": true}, {\"name\": \"pages-1.img\", \"raw\": \"QUJD\\n\"}]}",
};

// Cut and changed text: an error or an answer, never a crash (and sanitizers look on).
static void test_damage(void)
{
	for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
		char text[1024];
		size_t length = strlen(seeds[i]);
		struct crimg_err whole = CRIMG_ERR_INIT;
		CU_ASSERT_EQUAL(read_all(seeds[i], length, &whole), 0);
		check_error(&whole, CRIMG_OK, "");
		for (size_t cut = 0; cut < length; cut++) {
			struct crimg_err err = CRIMG_ERR_INIT;
			CU_ASSERT_EQUAL(read_all(seeds[i], cut, &err), -1);
			CU_ASSERT_NOT_EQUAL(err.code, CRIMG_OK);
		}
		for (size_t at = 0; at < length; at++)
			for (int c = 1; c < 256; c++) {
				struct crimg_err err = CRIMG_ERR_INIT;
				memcpy(text, seeds[i], length);
				text[at] = (char)c;
				int rc = read_all(text, length, &err);
				CU_ASSERT_EQUAL(rc < 0, err.code != CRIMG_OK);
			}
	}
}

#define LARGE ((size_t)2 << 20)

// A payload of LARGE bytes in base64: in lines as crit's, or in one.
static char *large_json(const uint8_t *data, bool lines, size_t *length)
{
	char *text = malloc(3 * LARGE), *p = text;
	p += sprintf(p, "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": %zu, "
	             "\"extra\": \"", LARGE);
	size_t step = lines ? 57 : LARGE;
	for (size_t at = 0; at < LARGE; at += step) {
		p += crimg_base64_encode(data + at, LARGE - at < step ? LARGE - at : step, p);
		p += lines ? sprintf(p, "\\n") : 0;
	}
	p += sprintf(p, "\"}]}");
	*length = (size_t)(p - text);
	return text;
}

static void check_random(struct crimg_reader *reader, const uint8_t *data)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	static uint8_t buf[5000];
	uint32_t noise = 7;
	for (int i = 0; i < 200; i++) {
		noise = noise * 1664525 + 1013904223;
		size_t n = noise % sizeof buf, at = (noise >> 8) % (LARGE - n);
		CU_ASSERT_EQUAL(reader->driver->read(reader, 0, at, buf, n, &err), 0);
		CU_ASSERT_EQUAL(memcmp(buf, data + at, n), 0);
	}
	CU_ASSERT_EQUAL(reader->driver->read(reader, 0, LARGE - 1, buf, 2, &err), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_USAGE);
}

static void test_random_access(void)
{
	uint8_t *data = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	for (int lines = 0; lines < 2; lines++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		struct crimg_input in;
		struct crimg_reader reader;
		struct crimg_record r;
		size_t length;
		char *text = large_json(data, lines == 1, &length);
		put_file("x.json", text, length);
		free(text);
		CU_ASSERT_EQUAL_FATAL(crimg_input_open("x.json", "/tmp", &in, &err), 0);
		CU_ASSERT_EQUAL_FATAL(crimg_reader_open(&in, NULL, &reader, &err), 0);
		CU_ASSERT_STRING_EQUAL(reader.driver->name, "json");
		crimg_input_fini(&in);
		for (uint64_t at = 0; crimg_reader_next(&reader, &r, &err) > 0;) {
			if (r.type != CRIMG_RECORD_CONTENT)
				continue;
			if (at == 0)
				check_random(&reader, data);
			CU_ASSERT_EQUAL(r.content_offset, at);
			CU_ASSERT_EQUAL(memcmp(r.bytes, data + at, r.content_length), 0);
			at += r.content_length;
		}
		CU_ASSERT_EQUAL(err.code, CRIMG_OK);
		crimg_reader_close(&reader);
	}
	free(data);
}

struct feed {
	int fd;
	const char *first;
	size_t blanks;
	const char *second;
};

static void *feed_pipe(void *argument)
{
	const struct feed *f = argument;
	static char blanks[1 << 16];
	memset(blanks, ' ', sizeof blanks);
	bool good = write(f->fd, f->first, strlen(f->first)) > 0;
	for (size_t done = 0; good && done < f->blanks; done += sizeof blanks)
		good = write(f->fd, blanks, sizeof blanks) > 0;
	if (good && write(f->fd, f->second, strlen(f->second)) < 0)
		good = false;
	close(f->fd);
	return NULL;
}

// Reads a document from a pipe, `blanks` bytes of space between its halves.
static int convert_pipe(const char *first, size_t blanks, const char *second, struct crimg_buf *out,
                        struct crimg_err *err)
{
	int fds[2], keep = dup(STDIN_FILENO);
	pthread_t thread;
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	struct feed f = { fds[1], first, blanks, second };
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, feed_pipe, &f), 0);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	int rc = convert("-", "json", "json", false, out, err);
	dup2(keep, STDIN_FILENO);
	close(keep);
	pthread_join(thread, NULL);
	return rc;
}

#define LONG ((size_t)65 << 20)

static void test_pipe(void)
{
	static const char first[] = "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3,"
		" \"extra\": \"YWJj\\n\"}, ", second[] = "{\"pipe_id\": 2, \"bytes\": 1, \"extra\": \"QQ==\\n\"}]}";
	static const char reversed[] = "{\"entries\": [{\"cwd_id\": 1, \"root_id\": 2}]", magic[] =
		", \"magic\": \"FS\"}";
	struct crimg_buf out = CRIMG_BUF_INIT;
	for (size_t blanks = 0; blanks <= LONG; blanks += LONG) {
		struct crimg_err err = CRIMG_ERR_INIT;
		char whole[512];
		snprintf(whole, sizeof whole, "%s%s", first, second);
		CU_ASSERT_EQUAL(convert_pipe(first, blanks, second, &out, &err), 0);
		check_same(&out, whole, strlen(whole));
		CU_ASSERT_EQUAL(convert_pipe(reversed, blanks, magic, &out, &err), blanks == 0 ? 0 : -1);
		if (blanks > 0)
			check_error(&err, CRIMG_E_UNSUPPORTED, "standard input: offset 12 (0xc): entries "
			            "before their magic, on a pipe: store the JSON in a file");
	}
	static const char objects[] = "{\"schema\": \"crimg.image/1\", \"objects\": [{\"name\": \"x\", \"raw\": "
		"\"QQ==\\n\"}, ", object[] = "{\"name\": \"fs-1.img\", \"magic\": \"FS\", \"entries\": "
		"[{\"cwd_id\": 1, \"root_id\": 2}]}]}";
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(convert_pipe(objects, 0, object, &out, &err), 0);
	CU_ASSERT_EQUAL(convert_pipe(objects, LONG, object, &out, &err), -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_UNSUPPORTED);
	crimg_buf_fini(&out);
}

static int set_up(void)
{
	signal(SIGPIPE, SIG_IGN); // a reader that refuses a pipe closes it early
	return mkdtemp(work) != NULL && chdir(work) == 0 ? 0 : -1;
}

static int tear_down(void)
{
	unlink("x.json");
	unlink("out");
	return chdir("/") == 0 ? rmdir(work) : -1;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "entries", test_entries },
		{ "nothing is lost", test_lossless },
		{ "payload", test_payload },
		{ "dialects", test_dialects },
		{ "wrong JSON", test_wrong },
		{ "too deep", test_depth },
		{ "going on", test_going_on },
		{ "damaged JSON", test_damage },
		{ "random access", test_random_access },
		{ "pipes", test_pipe },
	};
	return SUITE_RUN("json_image", set_up, tear_down, tests);
}
