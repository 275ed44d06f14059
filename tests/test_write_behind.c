// Writing behind: what was put is in the file, in any order and size, and an error comes back.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/write_behind.h"
#include "tests/suite.h"

#define FILE_BYTES ((size_t)12 << 20)

static char path[] = "/tmp/crimg-behind-XXXXXX";
static uint8_t *wanted, *found;

static int set_up(void)
{
	int fd = mkstemp(path);
	wanted = malloc(FILE_BYTES);
	found = malloc(FILE_BYTES);
	for (size_t i = 0; wanted != NULL && i < FILE_BYTES; i++)
		wanted[i] = (uint8_t)(i * 2654435761u >> 13);
	return fd < 0 || close(fd) < 0 || wanted == NULL || found == NULL ? -1 : 0;
}

static int tear_down(void)
{
	free(wanted);
	free(found);
	return unlink(path);
}

// Pieces of sizes that do not divide the buffers, every seventh put later than its neighbours.
static void test_pieces(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_write_behind *b;
	int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	CU_ASSERT_FATAL(crimg_write_behind_open(fd, path, NULL, &b, &err) == 0);
	for (int late = 0; late < 2; late++) {
		size_t at = 0, n = 1;
		for (unsigned i = 0; at < FILE_BYTES; i++, at += n, n = n * 3 % 1500007 + 1) {
			size_t length = n < FILE_BYTES - at ? n : FILE_BYTES - at;
			if ((i % 7 == 3) == (late == 1))
				CU_ASSERT(crimg_write_behind_put(b, at, wanted + at, length, &err) == 0);
		}
	}
	CU_ASSERT(crimg_write_behind_drain(b, &err) == 0);
	CU_ASSERT(pread(fd, found, FILE_BYTES, 0) == (ssize_t)FILE_BYTES);
	CU_ASSERT(memcmp(wanted, found, FILE_BYTES) == 0);
	crimg_write_behind_close(b);
	close(fd);
}

// Spans that are read straight into the buffers, by one thread or two, between bytes that are given.
static void copy_spans(bool parallel)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_write_behind *b;
	struct crimg_source *source;
	int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	memset(found, 0, FILE_BYTES);
	CU_ASSERT_FATAL(crimg_source_open_memory(wanted, FILE_BYTES, "memory", &source, &err) == 0);
	source->parallel = parallel;
	CU_ASSERT_FATAL(crimg_write_behind_open(fd, path, NULL, &b, &err) == 0);
	for (size_t at = 0, n = 700001; at < FILE_BYTES; at += n, n = 3500017 - n) {
		size_t length = n < FILE_BYTES - at ? n : FILE_BYTES - at;
		struct crimg_span span = { source, at, length };
		int rc = n == 700001 ? crimg_write_behind_put(b, at, wanted + at, length, &err)
				     : crimg_write_behind_copy(b, at, span, &err);
		CU_ASSERT_EQUAL(rc, 0);
	}
	CU_ASSERT(crimg_write_behind_drain(b, &err) == 0);
	CU_ASSERT(pread(fd, found, FILE_BYTES, 0) == (ssize_t)FILE_BYTES);
	CU_ASSERT(memcmp(wanted, found, FILE_BYTES) == 0);
	struct crimg_span beyond = { source, FILE_BYTES / 2, FILE_BYTES };
	CU_ASSERT(crimg_write_behind_copy(b, 0, beyond, &err) < 0 && err.code == CRIMG_E_CUT);
	crimg_write_behind_close(b);
	crimg_source_close(source);
	close(fd);
}

static void test_spans(void)
{
	copy_spans(false);
	copy_spans(true);
}

// What cannot be written of a span ends both threads.
static void test_span_error(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_write_behind *b;
	struct crimg_source *source;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CU_ASSERT_FATAL(crimg_source_open_memory(wanted, FILE_BYTES, "memory", &source, &err) == 0);
	source->parallel = true;
	CU_ASSERT_FATAL(crimg_write_behind_open(fd, "out", NULL, &b, &err) == 0);
	struct crimg_span all = { source, 0, FILE_BYTES };
	CU_ASSERT_EQUAL(crimg_write_behind_copy(b, 0, all, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "cannot be written: Bad file descriptor");
	crimg_write_behind_close(b);
	crimg_source_close(source);
	close(fd);
}

static int open_files(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (dir != NULL && readdir(dir) != NULL)
		count++;
	if (dir != NULL)
		closedir(dir);
	return count;
}

// The thread that asks the disk ends by itself, and keeps no descriptor.
static void test_early_sync(void)
{
	int before = open_files(), fd = open(path, O_RDWR | O_CLOEXEC);
	struct crimg_early_sync *sync = crimg_early_sync_open(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sync);
	for (uint64_t at = 0; at < FILE_BYTES; at += 1 << 20)
		crimg_early_sync_note(sync, at, 1 << 20);
	crimg_early_sync_close(sync);
	close(fd);
	crimg_early_sync_settle();
	CU_ASSERT_EQUAL(open_files(), before);
	crimg_early_sync_note(NULL, 0, 1);
	crimg_early_sync_close(NULL);
	CU_ASSERT_PTR_NULL(crimg_early_sync_open(-1));
}

static void test_error(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_write_behind *b;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	CU_ASSERT_FATAL(crimg_write_behind_open(fd, "out", NULL, &b, &err) == 0);
	for (size_t at = 0; rc == 0 && at < FILE_BYTES; at += 65536)
		rc = crimg_write_behind_put(b, at, wanted + at, 65536, &err);
	if (rc == 0)
		rc = crimg_write_behind_drain(b, &err);
	CU_ASSERT_EQUAL(rc, -1);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_IO);
	CU_ASSERT_STRING_EQUAL(err.text, "cannot be written: Bad file descriptor");
	crimg_write_behind_close(b);
	close(fd);
}

// Closing without draining ends the thread and drops the rest.
static void test_abandoned(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_write_behind *b;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	CU_ASSERT_FATAL(crimg_write_behind_open(fd, path, NULL, &b, &err) == 0);
	CU_ASSERT(crimg_write_behind_put(b, 0, wanted, 3 << 20, &err) == 0);
	crimg_write_behind_close(b);
	crimg_write_behind_close(NULL);
	close(fd);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "pieces", test_pieces },
		{ "spans read into the buffers", test_spans },
		{ "an error comes back", test_error },
		{ "an error of a span comes back", test_span_error },
		{ "the disk is asked early", test_early_sync },
		{ "abandoned", test_abandoned },
	};
	return SUITE_RUN("writing behind", set_up, tear_down, tests);
}
