// Outputs: they appear whole or not at all, and say what went wrong.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/output.h"
#include "format/store.h"
#include "tests/suite.h"

#define LARGE ((size_t)20 << 20)

static char work[] = "/tmp/crimg-test-output-XXXXXX";
static uint8_t *noise; // LARGE bytes

static void check_error(const struct crimg_err *err, enum crimg_code code, const char *wanted)
{
	char text[1024];
	crimg_err_format(err, text, sizeof text);
	CU_ASSERT_EQUAL(err->code, code);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	if (strcmp(text, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", text, wanted);
}

static size_t entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

// Every test works in a directory of its own, so that what is left over shows.
static void enter(const char *name)
{
	CU_ASSERT_EQUAL_FATAL(chdir(work), 0);
	CU_ASSERT_EQUAL_FATAL(mkdir(name, 0700), 0);
	CU_ASSERT_EQUAL_FATAL(chdir(name), 0);
}

static void write_file(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT_EQUAL(write(fd, data, length), (ssize_t)length);
	close(fd);
}

static void check_file(const char *path, const uint8_t *wanted, size_t length)
{
	uint8_t *buf = malloc(length + 1);
	int fd = open(path, O_RDONLY);
	struct stat st;
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(read(fd, buf, length + 1), (ssize_t)length);
	CU_ASSERT_EQUAL(memcmp(buf, wanted, length), 0);
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0600);
	close(fd);
	free(buf);
}

static struct crimg_source *open_source(const char *path)
{
	struct crimg_source *s = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_file(AT_FDCWD, path, path, true, &s, NULL), 0);
	return s;
}

static void put(struct crimg_output *o, const char *name, const void *data, size_t length)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_sink sink;
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, name, length, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, data, length, &err), 0);
	CU_ASSERT_EQUAL(sink.at, length);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
}

static void finish(struct crimg_output *o)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), 0);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	crimg_output_close(o);
}

static void test_dir(void)
{
	enter("dir");
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct stat st;
	char target[8] = "";
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out/", &o, &err), 0);
	CU_ASSERT_TRUE(o->at_offsets);
	CU_ASSERT_EQUAL(access("out", F_OK), -1);
	put(o, "core-1.img", "abc", 3);
	put(o, "a/b/c.img", noise, 100000);
	put(o, "a/b/d.img", noise, 0);
	CU_ASSERT_EQUAL(crimg_output_link(o, "parent", "../x", &err), 0);
	CU_ASSERT_EQUAL(crimg_output_mkdir(o, "a/b", &err), 0);
	CU_ASSERT_EQUAL(crimg_output_mkdir(o, "e/f", &err), 0);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), 0);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "out/: the output is complete already");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 1);
	CU_ASSERT_EQUAL(entries("out"), 4);
	CU_ASSERT_EQUAL(entries("out/e/f"), 0);
	CU_ASSERT_EQUAL(readlink("out/parent", target, 8), 4);
	CU_ASSERT_EQUAL(stat("out", &st), 0);
	CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0700);
	check_file("out/core-1.img", (const uint8_t *)"abc", 3);
	check_file("out/a/b/c.img", noise, 100000);
}

static void test_dir_discard(void)
{
	enter("discard");
	struct crimg_output *o;
	struct crimg_sink open;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	put(o, "a/b", "abc", 3);
	CU_ASSERT_EQUAL(crimg_output_link(o, "l", "/etc", &err), 0);
	CU_ASSERT_EQUAL(crimg_output_mkdir(o, "m", &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "open", CRIMG_SIZE_UNKNOWN, &open, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&open, "abc", 3, &err), 0);
	CU_ASSERT_EQUAL(entries("."), 1);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "out/open: this member is still being written");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 0);

	// What somebody else has put there is not ours to remove.
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	put(o, "a", "abc", 3);
	CU_ASSERT_EQUAL(system("cd .out.crimg-*.tmp && touch foreign"), 0);
	crimg_output_close(o);
	CU_ASSERT_EQUAL(system("test \"$(ls -A .out.crimg-*.tmp)\" = foreign"), 0);
}

static void check_no_dir(const char *path, enum crimg_code code, const char *wanted)
{
	struct crimg_output *o = NULL;
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t before = entries(".");
	CU_ASSERT_EQUAL(crimg_output_open_dir(path, &o, &err), -1);
	CU_ASSERT_PTR_NULL(o);
	check_error(&err, code, wanted);
	CU_ASSERT_EQUAL(entries("."), before);
	crimg_output_close(o);
}

static void test_dir_targets(void)
{
	enter("targets");
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct stat st;
	CU_ASSERT_EQUAL(system("mkdir full empty && touch full/x file && ln -s nowhere dangling && "
	                       "ln -s empty link"), 0);
	check_no_dir("full", CRIMG_E_USAGE, "full: a directory with something in it found, an empty "
	                                    "one or none wanted");
	check_no_dir("file", CRIMG_E_IO, "file: cannot be written: Not a directory");
	check_no_dir("dangling", CRIMG_E_USAGE, "dangling: a link that leads nowhere found, an empty "
	                                        "directory or none wanted");
	check_no_dir("no/where", CRIMG_E_IO,
	             "no/where: its directory cannot be opened: No such file or directory");
	check_no_dir("no/..", CRIMG_E_USAGE, "no/..: this name cannot be given to an output");
	check_no_dir("/dev", CRIMG_E_USAGE, "/dev: a directory with something in it found, an empty one "
	                                    "or none wanted");
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("link", &o, &err), 0);
	put(o, "a", "abc", 3);
	finish(o);
	check_file("empty/a", (const uint8_t *)"abc", 3);
	CU_ASSERT_EQUAL(lstat("link", &st), 0);
	CU_ASSERT_TRUE(S_ISLNK(st.st_mode));
	CU_ASSERT_EQUAL(entries("."), 5);
	// Filled by somebody else meanwhile.
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("late", &o, &err), 0);
	put(o, "a", "abc", 3);
	CU_ASSERT_EQUAL(system("mkdir late && touch late/x"), 0);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_IO, "late: cannot be given its name: Directory not empty");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 6);
}

static void check_no_member(struct crimg_output *o, const char *name, const char *wanted)
{
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_create(o, name, 0, &sink, &err), -1);
	check_error(&err, CRIMG_E_FORMAT, wanted);
}

static void test_dir_members(void)
{
	enter("members");
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	put(o, "a", "abc", 3);
	CU_ASSERT_EQUAL(crimg_output_link(o, "l", "/tmp", &err), 0);
	check_no_member(o, "a", "out/a: a second member of this name");
	check_no_member(o, "l", "out/l: a second member of this name");
	check_no_member(o, "l/x", "out/l/x: a link or file stands in the path of this member");
	check_no_member(o, "a/x", "out/a/x: a link or file stands in the path of this member");
	check_no_member(o, "../x", "out: a member name that leaves the output (or is empty): ../x");
	check_no_member(o, "/x", "out: a member name that leaves the output (or is empty): /x");
	check_no_member(o, "", "out: a member name that leaves the output (or is empty): ");
	check_no_member(o, "b/./x", "out: a member name that leaves the output (or is empty): b/./x");
	CU_ASSERT_EQUAL(crimg_sink_create(o, "s", 5, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "abc", 3, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), -1);
	check_error(&err, CRIMG_E_FORMAT, "out/s: 3 bytes were written, 5 wanted");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "de", 2, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "f", 1, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "out: the member is complete already");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_create(o, "big", CRIMG_SIZE_UNKNOWN, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_zero(&sink, INT64_MAX, 1, &err), -1);
	check_error(&err, CRIMG_E_LIMIT, "out: offset 9223372036854775807 (0x7fffffffffffffff): 1 bytes "
	                                 "here are beyond the largest file");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 0);
}

// Offsets in any order, holes at the end, zeros over what was written, copies from anywhere.
static void test_offsets(void)
{
	enter("offsets");
	static uint8_t wanted[300000];
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_source *file, *memory;
	struct stat st;
	write_file("in", noise, LARGE);
	file = open_source("in");
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_memory(noise, LARGE, "m", &memory, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "a", sizeof wanted, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 100000, noise, 50000, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 10, "head", 4, &err), 0);
	CU_ASSERT_EQUAL(sink.at, 150000);
	CU_ASSERT_EQUAL(crimg_sink_zero(&sink, 120000, 10000, &err), 0);
	struct crimg_span some = { .source = file, .offset = 777, .length = 20000 };
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 160000, some, &err), 0);
	some.source = memory;
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 30000, some, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_zero(&sink, 180000, 120000, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	memcpy(wanted + 100000, noise, 50000);
	memcpy(wanted + 10, "head", 4);
	memset(wanted + 120000, 0, 10000);
	memcpy(wanted + 160000, noise + 777, 20000);
	memcpy(wanted + 30000, noise + 777, 20000);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "whole", LARGE, &sink, &err), 0);
	some = (struct crimg_span){ .source = file, .length = LARGE };
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 0, some, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "hole", 1 << 30, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_zero(&sink, 0, 1 << 30, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	finish(o);
	check_file("out/a", wanted, sizeof wanted);
	check_file("out/whole", noise, LARGE);
	CU_ASSERT_EQUAL(stat("out/hole", &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 1 << 30);
	CU_ASSERT(st.st_blocks < 100);
	crimg_source_close(file);
	crimg_source_close(memory);
}

// Many small pieces, two members in turn, with jumps, zeros and copies between.
static void test_small_pieces(void)
{
	enter("pieces");
	static uint8_t wanted[2][200000];
	struct crimg_output *o;
	struct crimg_sink sinks[2];
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_source *file;
	write_file("in", noise, 100000);
	file = open_source("in");
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "0", sizeof wanted[0], &sinks[0], &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "1", sizeof wanted[1], &sinks[1], &err), 0);
	srandom(7);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned which = i & 1, what = (unsigned)random() % 64;
		size_t n = (size_t)random() % 40, from = (size_t)random() % 90000;
		uint64_t at = what < 4 ? (uint64_t)random() % 190000 : sinks[which].at;
		if (at + n > sizeof wanted[0])
			at = 0;
		if (what == 5) {
			CU_ASSERT_EQUAL(crimg_sink_zero(&sinks[which], at, n, &err), 0);
			memset(wanted[which] + at, 0, n);
			continue;
		}
		struct crimg_span span = { .source = file, .offset = from, .length = n };
		CU_ASSERT_EQUAL(what == 6 ? crimg_sink_copy(&sinks[which], at, span, &err)
		                          : crimg_sink_write(&sinks[which], at, noise + from, n, &err), 0);
		memcpy(wanted[which] + at, noise + from, n);
	}
	for (unsigned i = 0; i < 2; i++) {
		uint64_t rest = sizeof wanted[i] - sinks[i].at;
		CU_ASSERT_EQUAL(crimg_sink_zero(&sinks[i], sinks[i].at, rest, &err), 0);
		CU_ASSERT_EQUAL(crimg_sink_end(&sinks[i], &err), 0);
	}
	finish(o);
	check_file("out/0", wanted[0], sizeof wanted[0]);
	check_file("out/1", wanted[1], sizeof wanted[1]);
	crimg_source_close(file);
}

static void test_copy_short(void)
{
	enter("short");
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	write_file("in", noise, 10000);
	struct crimg_source *file = open_source("in");
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "a", 10000, &sink, &err), 0);
	struct crimg_span span = { .source = file, .offset = 4096, .length = 10000 };
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 0, span, &err), -1);
	check_error(&err, CRIMG_E_CUT,
	            "in: offset 4096 (0x1000): the file ends: 5904 bytes found, 10000 wanted");
	CU_ASSERT_EQUAL(truncate("in", 4196), 0); // shrinks under the kernel's hands
	err = CRIMG_ERR_INIT;
	span.length = 5904;
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 0, span, &err), -1);
	check_error(&err, CRIMG_E_CUT,
	            "in: offset 4196 (0x1064): the file ends: 0 bytes found, 5804 wanted");
	crimg_output_close(o);
	crimg_source_close(file);
	CU_ASSERT_EQUAL(entries("."), 1);
}

static void test_file(void)
{
	enter("file");
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct stat st;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("out", &o, &err), 0);
	CU_ASSERT_TRUE(o->at_offsets);
	put(o, "", "old", 3);
	CU_ASSERT_EQUAL(access("out", F_OK), -1);
	finish(o);
	check_file("out", (const uint8_t *)"old", 3);
	CU_ASSERT_EQUAL(symlink("out", "link"), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("link", &o, &err), 0);
	put(o, "", "new", 3);
	check_file("out", (const uint8_t *)"old", 3);
	CU_ASSERT_EQUAL(entries("."), 3);
	crimg_output_close(o);
	check_file("out", (const uint8_t *)"old", 3);
	CU_ASSERT_EQUAL(entries("."), 2);
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("link", &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "", CRIMG_SIZE_UNKNOWN, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 2, "w", 1, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 0, "ne", 2, &err), 0);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "link: a member is still being written");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	finish(o);
	check_file("out", (const uint8_t *)"new", 3);
	CU_ASSERT_EQUAL(lstat("link", &st), 0);
	CU_ASSERT_TRUE(S_ISLNK(st.st_mode));
	CU_ASSERT_EQUAL(entries("."), 2);
}

static void test_file_refusals(void)
{
	enter("refusals");
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_open_file("/tmp", &o, &err), -1);
	check_error(&err, CRIMG_E_IO, "/tmp: cannot be written: Is a directory");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_open_file("no/file", &o, &err), -1);
	check_error(&err, CRIMG_E_IO, "no/file: its directory cannot be opened: No such file or "
	                              "directory");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_open_file("", &o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "this name cannot be given to an output");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("out", &o, &err), 0);
	put(o, "", "abc", 3);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "b", 1, &sink, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "out: a single file holds one member, a second was begun");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_link(o, "l", "x", &err), -1);
	check_error(&err, CRIMG_E_UNSUPPORTED, "out: a single file cannot hold the link l");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_mkdir(o, "d", &err), -1);
	check_error(&err, CRIMG_E_UNSUPPORTED, "out: a single file cannot hold the directory d");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 0);
}

// A device and a fifo are written as they are, forwards.
static void test_special(void)
{
	enter("special");
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	char found[16];
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("/dev/null", &o, &err), 0);
	CU_ASSERT_FALSE(o->at_offsets);
	put(o, "", noise, 100000);
	finish(o);
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("/dev/full", &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "", 3, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "abc", 3, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), -1);
	check_error(&err, CRIMG_E_IO, "/dev/full: cannot be written: No space left on device");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(mkfifo("fifo", 0600), 0);
	int fd = open("fifo", O_RDWR | O_NONBLOCK);
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("fifo", &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "", 9, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "abc", 3, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 6, "def", 3, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_write(&sink, 2, "x", 1, &err), -1);
	check_error(&err, CRIMG_E_UNSUPPORTED, "fifo: offset 2 (0x2): only forwards can be written: "
	                                       "offset 9 or more wanted");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	finish(o);
	CU_ASSERT_EQUAL(read(fd, found, sizeof found), 9);
	CU_ASSERT_EQUAL(memcmp(found, "abc\0\0\0def", 9), 0);
	close(fd);
	CU_ASSERT_EQUAL(entries("."), 1);
}

// Runs write_out with standard output in a file, or in a pipe that nobody reads.
static void with_stdout(void (*write_out)(void), const char *into)
{
	fflush(stdout);
	int saved = dup(STDOUT_FILENO), fd, ends[2];
	if (into != NULL) {
		fd = open(into, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	} else {
		CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
		close(ends[0]);
		fd = ends[1];
	}
	dup2(fd, STDOUT_FILENO);
	close(fd);
	write_out();
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void write_stdout(void)
{
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("-", &o, &err), 0);
	put(o, "", noise, 300000);
	finish(o);
}

static void write_stdout_tar(void)
{
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("-", "zstd", &o, &err), 0);
	put(o, "a", noise, 300000);
	finish(o);
}

static void write_broken(void)
{
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("-", &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "", CRIMG_SIZE_UNKNOWN, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, noise, LARGE, &err), -1);
	check_error(&err, CRIMG_E_IO, "standard output: cannot be written: Broken pipe");
	crimg_output_close(o);
}

static void write_broken_tar(void)
{
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("-", "none", &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "a", LARGE, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, noise, LARGE, &err), -1);
	check_error(&err, CRIMG_E_IO, "standard output: cannot be written: Broken pipe");
	crimg_output_close(o);
}

static void test_stdout(void)
{
	enter("stdout");
	signal(SIGPIPE, SIG_IGN);
	with_stdout(write_stdout, "f");
	check_file("f", noise, 300000);
	with_stdout(write_stdout_tar, "t.tar.zst");
	CU_ASSERT_EQUAL(system("zstd -qdc t.tar.zst | tar -xO a | cmp - f"), 0);
	with_stdout(write_broken, NULL);
	with_stdout(write_broken_tar, NULL);
	CU_ASSERT_EQUAL(entries("."), 2);
}

static void write_tar(const char *path, const char *filter)
{
	struct crimg_output *o;
	struct crimg_sink sink;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_source *memory;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar(path, filter, &o, &err), 0);
	CU_ASSERT_FALSE(o->at_offsets);
	CU_ASSERT_EQUAL(crimg_output_mkdir(o, "d", &err), 0);
	put(o, "d/a.img", noise, 2000000);
	put(o, "d/empty", NULL, 0);
	CU_ASSERT_EQUAL(crimg_output_link(o, "d/parent", "../x", &err), 0);
	put(o, "\xc3\xa4\xe2\x82\xac", "utf8", 4);
	CU_ASSERT_EQUAL_FATAL(crimg_source_open_memory(noise, LARGE, "m", &memory, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_sink_create(o, "c.img", 400000, &sink, &err), 0);
	struct crimg_span span = { .source = memory, .offset = 9, .length = 300000 };
	CU_ASSERT_EQUAL(crimg_sink_zero(&sink, 0, 50000, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_copy(&sink, 100000, span, &err), 0); // over a gap
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), 0);
	crimg_source_close(memory);
	finish(o);
}

static void check_member(struct crimg_store *store, const char *name, uint64_t skip,
                         const uint8_t *wanted, size_t length)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_source *s;
	const struct crimg_member *m = crimg_store_find(store, name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL_FATAL(crimg_store_open_member(store, m, &s, &err), 0);
	CU_ASSERT_EQUAL(s->size, skip + length);
	uint8_t *buf = malloc(length + 1);
	CU_ASSERT_EQUAL(crimg_source_read_exact(s, skip, buf, length, &err), 0);
	CU_ASSERT_EQUAL(memcmp(buf, wanted, length), 0);
	free(buf);
	crimg_source_close(s);
}

static void test_tar(void)
{
	static const struct {
		const char *path, *filter, *listing;
	} cases[] = {
		{ "a.tar", NULL, "tar -tvf a.tar > list" },
		{ "a.tar.gz", NULL, "gzip -dc a.tar.gz | tar -tv > list" },
		{ "a.tgz", NULL, "gzip -dc a.tgz | tar -tv > list" },
		{ "a.tar.zst", NULL, "zstd -dcq a.tar.zst | tar -tv > list" },
		{ "a.tar.xz", NULL, "xz -dc a.tar.xz | tar -tv > list" },
		{ "plain.gz", "none", "tar -tvf plain.gz > list" },
	};
	enter("tar");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crimg_store *store;
		struct crimg_err err = CRIMG_ERR_INIT;
		char command[200];
		write_tar(cases[i].path, cases[i].filter);
		CU_ASSERT_EQUAL_FATAL(crimg_store_open_tar(open_source(cases[i].path), NULL, false, &store, &err), 0);
		CU_ASSERT_EQUAL(store->count, 5);
		check_member(store, "d/a.img", 0, noise, 2000000);
		check_member(store, "d/empty", 0, noise, 0);
		check_member(store, "c.img", 100000, noise + 9, 300000);
		check_member(store, "\xc3\xa4\xe2\x82\xac", 0, (const uint8_t *)"utf8", 4);
		CU_ASSERT_STRING_EQUAL(crimg_store_find(store, "d/parent")->target, "../x");
		crimg_store_close(store);
		CU_ASSERT_EQUAL(system(cases[i].listing), 0);
		CU_ASSERT_EQUAL(system("test $(grep -c '^-rw------- 0/0 .* 1970-01-01 00:00 ' list) = 4"
		                       " && grep -q '^drwx------ 0/0 .* d/$' list"), 0);
		// The same input makes the same bytes, whenever.
		snprintf(command, sizeof command, "cp %s first", cases[i].path);
		CU_ASSERT_EQUAL(system(command), 0);
		if (i == 1)
			sleep(1);
		write_tar(cases[i].path, cases[i].filter);
		snprintf(command, sizeof command, "cmp %s first && rm first list && test $(stat -c %%a "
		         "%s) = 600", cases[i].path, cases[i].path);
		CU_ASSERT_EQUAL(system(command), 0);
		CU_ASSERT_EQUAL(entries("."), i + 1);
	}
}

static void test_tar_refusals(void)
{
	enter("tar-refusals");
	struct crimg_output *o = NULL;
	struct crimg_sink sink, second;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_open_tar("a.rar", NULL, &o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "a.rar: the name of a tar ends in .tar, .tar.gz, .tgz, .tar.zst "
	                                 "or .tar.xz");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_open_tar("-", "lzma", &o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "-: an unknown filter: none, gzip, zstd or xz wanted");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("a.tar", NULL, &o, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "a", CRIMG_SIZE_UNKNOWN, &sink, &err), -1);
	check_error(&err, CRIMG_E_UNSUPPORTED, "a.tar: an archive wants the size of a before its bytes");
	check_no_member(o, "../a", "a.tar: a member name that leaves the output (or is empty): ../a");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_create(o, "a", 3, &sink, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_create(o, "b", 3, &second, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "a.tar: b was begun while a is still being written");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "abcd", 4, &err), -1);
	check_error(&err, CRIMG_E_FORMAT, "a.tar: a: more bytes than its 3 found");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_sink_append(&sink, "ab", 2, &err), 0);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, &err), -1);
	check_error(&err, CRIMG_E_FORMAT, "a.tar: a: 2 bytes were written, 3 wanted");
	err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "a.tar: a member is still being written");
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("a.tar.xz", NULL, &o, &err), 0);
	put(o, "a", noise, 1000);
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), 0);
}

// Writes more than fits to each kind of output, in the current directory, and looks for leftovers.
static void check_full(struct crimg_output *o, const char *wanted, bool by_copy,
                       struct crimg_source *from)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_sink sink;
	struct crimg_span span = { .source = from, .length = LARGE };
	size_t before = entries(".") - 1; // without the temporary one
	int rc = crimg_sink_create(o, "pages-1.img", LARGE, &sink, &err);
	if (rc == 0)
		rc = by_copy ? crimg_sink_copy(&sink, 0, span, &err)
		             : crimg_sink_append(&sink, noise, LARGE, &err);
	CU_ASSERT_EQUAL(rc, -1);
	check_error(&err, CRIMG_E_IO, wanted);
	CU_ASSERT(err.sys_errno == ENOSPC || err.sys_errno == EFBIG);
	CU_ASSERT_EQUAL(crimg_sink_end(&sink, NULL), -1);
	CU_ASSERT_EQUAL(crimg_output_commit(o, &err), -1);
	check_error(&err, CRIMG_E_IO, wanted);
	crimg_output_close(o);
	CU_ASSERT_EQUAL(entries("."), before);
}

static void check_all_full(const char *in, const char *why)
{
	struct crimg_source *from = open_source(in);
	struct crimg_output *o;
	char wanted[200];
	for (int by_copy = 0; by_copy < 2; by_copy++) {
		CU_ASSERT_EQUAL_FATAL(crimg_output_open_dir("out", &o, NULL), 0);
		put(o, "small", "abc", 3);
		snprintf(wanted, sizeof wanted, "out/pages-1.img: cannot be written: %s", why);
		check_full(o, wanted, by_copy, from);
		CU_ASSERT_EQUAL_FATAL(crimg_output_open_file("out.crimg", &o, NULL), 0);
		snprintf(wanted, sizeof wanted, "out.crimg: cannot be written: %s", why);
		check_full(o, wanted, by_copy, from);
		CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("out.tar", NULL, &o, NULL), 0);
		snprintf(wanted, sizeof wanted, "out.tar: cannot be written: %s", why);
		check_full(o, wanted, by_copy, from);
		CU_ASSERT_EQUAL_FATAL(crimg_output_open_tar("out.tar.zst", NULL, &o, NULL), 0);
		snprintf(wanted, sizeof wanted, "out.tar.zst: cannot be written: %s", why);
		check_full(o, wanted, by_copy, from);
	}
	crimg_source_close(from);
}

static void test_file_size_limit(void)
{
	enter("limit");
	struct rlimit before, small;
	write_file("../in", noise, LARGE);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 1 << 20, .rlim_max = before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
	check_all_full("../in", "File too large");
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
}

// The last test, since the process gets mounts of its own.
static void fill_disk(void)
{
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(mkdir("mnt", 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
	    || mount("none", "mnt", "tmpfs", 0, "size=1m") < 0) {
		printf("\n  SKIPPED: no tmpfs can be mounted here (%s)\n", strerror(errno));
		return;
	}
	CU_ASSERT_EQUAL(crimg_output_open_dir("mnt", &o, &err), -1);
	check_error(&err, CRIMG_E_USAGE, "mnt: a mount point found: name a new directory inside it");
	CU_ASSERT_EQUAL_FATAL(chdir("mnt"), 0);
	check_all_full("../../in", "No space left on device");
	CU_ASSERT_EQUAL(chdir(".."), 0);
	CU_ASSERT_EQUAL(umount("mnt"), 0);
}

static void test_disk_full(void)
{
	enter("full");
	fill_disk();
}

static void test_long_name(void)
{
	enter("long");
	struct crimg_output *o;
	struct crimg_err err = CRIMG_ERR_INIT;
	char name[300];
	memset(name, 'n', sizeof name);
	name[255] = '\0';
	CU_ASSERT_EQUAL_FATAL(crimg_output_open_file(name, &o, &err), 0);
	put(o, "", "abc", 3);
	finish(o);
	check_file(name, (const uint8_t *)"abc", 3);
	name[255] = 'n';
	name[256] = '\0';
	CU_ASSERT_EQUAL(crimg_output_open_file(name, &o, &err), -1);
	CU_ASSERT_EQUAL(err.sys_errno, ENAMETOOLONG);
	CU_ASSERT_EQUAL(entries("."), 1);
}

static int set_up(void)
{
	if (mkdtemp(work) == NULL || (noise = malloc(LARGE)) == NULL)
		return -1;
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < LARGE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (uint8_t)x;
	}
	setenv("TZ", "UTC", 1);
	return 0;
}

static int tear_down(void)
{
	char command[64];
	free(noise);
	snprintf(command, sizeof command, "rm -rf %s", work);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "directory", test_dir },
		{ "directory discarded", test_dir_discard },
		{ "directory targets", test_dir_targets },
		{ "directory members", test_dir_members },
		{ "offsets, holes, copies", test_offsets },
		{ "small pieces", test_small_pieces },
		{ "copy from a short source", test_copy_short },
		{ "file", test_file },
		{ "file refusals", test_file_refusals },
		{ "devices and fifos", test_special },
		{ "standard output", test_stdout },
		{ "tar", test_tar },
		{ "tar refusals", test_tar_refusals },
		{ "long name", test_long_name },
		{ "file size limit", test_file_size_limit },
		{ "disk full", test_disk_full },
	};
	return SUITE_RUN("output", set_up, tear_down, tests);
}
