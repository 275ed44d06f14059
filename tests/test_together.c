// Threads: things done together are each done once, and the second hand puts pages where they belong.
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/together.h"
#include "producer/restart_second.h"
#include "tests/suite.h"

#define THINGS 1000u
#define PAGE 4096u
#define PAGES 1024u // of a file, of which every second page goes elsewhere

static atomic_uint done[THINGS];

static int count_one(void *context, size_t i, struct crimg_err *err)
{
	const size_t *bad = context;
	atomic_fetch_add(&done[i], 1);
	return i == *bad ? crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "thing %zu", i) : 0;
}

static void test_each_once(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t none = SIZE_MAX;
	for (size_t threads = 0; threads < 40; threads += 13) {
		memset(done, 0, sizeof done);
		CU_ASSERT(crimg_together(threads, THINGS, count_one, &none, &err) == 0);
		for (size_t i = 0; i < THINGS; i++)
			CU_ASSERT(done[i] == 1);
	}
	CU_ASSERT(crimg_together(4, 0, count_one, &none, &err) == 0);
}

static void test_failure(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t bad = 10, begun = 0;
	memset(done, 0, sizeof done);
	CU_ASSERT(crimg_together(3, THINGS, count_one, &bad, &err) < 0);
	CU_ASSERT_STRING_EQUAL(err.text, "thing 10");
	for (size_t i = 0; i < THINGS; i++)
		begun += done[i];
	CU_ASSERT(begun > 10);
	memset(done, 0, sizeof done);
	err = CRIMG_ERR_INIT;
	CU_ASSERT(crimg_together(1, THINGS, count_one, &bad, &err) < 0);
	CU_ASSERT(done[bad] == 1 && done[bad + 1] == 0);
}

// A process that has memory, and waits.
static pid_t wait_with_memory(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static uint8_t *memory_of(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p != MAP_FAILED ? p : NULL;
}

static int file_of_pages(void)
{
	int fd = memfd_create("pages", MFD_CLOEXEC);
	for (size_t i = 0; i < PAGES; i++) {
		uint8_t page[PAGE];
		memset(page, (int)(i % 251 + 1), sizeof page);
		if (write(fd, page, sizeof page) != (ssize_t)sizeof page)
			return -1;
	}
	return fd;
}

// Runs of one page with a gap behind each, and one long one at the end; from the second page of the file on.
static void test_second(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct iovec runs[PAGES / 2];
	uint8_t *there = memory_of(2 * PAGES), page[PAGE], *seen = page;
	size_t count = PAGES / 4, file_page = 1;
	int fd = file_of_pages();
	pid_t pid = wait_with_memory();
	CU_ASSERT_FATAL(there != NULL && fd >= 0 && pid > 0);
	for (size_t i = 0; i < count; i++)
		runs[i] = (struct iovec){there + 2 * i * PAGE, PAGE};
	runs[count] = (struct iovec){there + PAGES * PAGE, (PAGES - 1 - count) * PAGE};
	struct crimg_second *second = crimg_second_open(pid, "pages");
	CU_ASSERT_FATAL(second != NULL);
	CU_ASSERT(crimg_second_take(second, fd, PAGE, runs, count + 1));
	CU_ASSERT(crimg_second_close(second, &err) == 0);
	for (size_t i = 0; i <= count; i++)
		for (size_t at = 0; at < runs[i].iov_len; at += PAGE, file_page++) {
			struct iovec here = {seen, PAGE}, from = {(uint8_t *)runs[i].iov_base + at, PAGE};
			CU_ASSERT(process_vm_readv(pid, &here, 1, &from, 1, 0) == PAGE);
			CU_ASSERT(page[0] == file_page % 251 + 1 && memcmp(page, page + 1, PAGE - 1) == 0);
		}
	CU_ASSERT(file_page == PAGES);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(there, 2 * PAGES * PAGE);
	close(fd);
}

// What cannot be read, and what cannot be written.
static void test_second_fails(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t *there = memory_of(4);
	struct iovec run = {there, 4 * PAGE};
	int fd = file_of_pages();
	pid_t pid = wait_with_memory();
	CU_ASSERT_FATAL(there != NULL && fd >= 0 && pid > 0);
	struct crimg_second *second = crimg_second_open(pid, "pages");
	CU_ASSERT_FATAL(second != NULL);
	CU_ASSERT(crimg_second_take(second, fd, (PAGES - 1) * PAGE, &run, 1));
	CU_ASSERT(crimg_second_close(second, &err) < 0);
	CU_ASSERT(err.sys_errno == EIO && strstr(err.text, "pages at offset 4194304 cannot be read") != NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	err = CRIMG_ERR_INIT;
	second = crimg_second_open(pid, "pages");
	CU_ASSERT_FATAL(second != NULL);
	CU_ASSERT(crimg_second_take(second, fd, 0, &run, 1));
	CU_ASSERT(crimg_second_close(second, &err) < 0);
	CU_ASSERT(err.sys_errno == ESRCH && strstr(err.text, "cannot be written") != NULL);
	CU_ASSERT(crimg_second_close(NULL, &err) == 0);
	munmap(there, 4 * PAGE);
	close(fd);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "each once", test_each_once },
		{ "a failure", test_failure },
		{ "the second hand", test_second },
		{ "the second hand fails", test_second_fails },
	};
	return SUITE_RUN("together", NULL, NULL, tests);
}
