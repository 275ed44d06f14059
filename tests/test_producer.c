// The producer's parts that need no tree: which pages a process has, who shares what, and records put in
// order.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/page_scan.h"
#include "producer/sharing.h"
#include "producer/shelf.h"
#include "tests/suite.h"

#define PAGE ((size_t)CRIMG_PAGE_BYTES)
#define MOST 4096

struct runs {
	uint64_t start[MOST], end[MOST];
	size_t count;
};

// Neighbours are one run, however the kernel tells them.
static int add_run(void *context, uint64_t start, uint64_t end)
{
	struct runs *r = context;
	if (r->count > 0 && r->end[r->count - 1] == start) {
		r->end[r->count - 1] = end;
		return 0;
	}
	if (r->count == MOST)
		return 1;
	r->start[r->count] = start;
	r->end[r->count++] = end;
	return 0;
}

static struct runs *scan(const char *p, size_t bytes, enum crimg_pages which, bool ranges)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_page_scan s;
	struct runs *r = calloc(1, sizeof *r);
	CU_ASSERT_FATAL(r != NULL && crimg_page_scan_open(&s, getpid(), &err) == 0);
	s.ranges = s.ranges && ranges;
	uint64_t at = (uint64_t)(uintptr_t)p;
	CU_ASSERT_EQUAL(crimg_page_scan(&s, at, at + bytes, which, add_run, r, &err), 0);
	crimg_page_scan_close(&s);
	return r;
}

// More islands than the kernel's own buffer has room for, in memory that has far more room than that.
static void test_islands(void)
{
	enum { ISLANDS = 1500, STEP = 1 << 20 };
	size_t bytes = (size_t)ISLANDS * STEP;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CU_ASSERT_FATAL(p != MAP_FAILED && madvise(p, bytes, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < ISLANDS; i++)
		memset(p + i * STEP, 1, i % 3 == 0 ? 2 * PAGE : PAGE);
	for (int ranges = 0; ranges < 2; ranges++) {
		struct runs *r = scan(p, bytes, CRIMG_PAGES_OWN, ranges != 0);
		CU_ASSERT_EQUAL(r->count, ISLANDS);
		for (size_t i = 0; i < r->count; i++) {
			CU_ASSERT_EQUAL(r->start[i], (uint64_t)(uintptr_t)(p + i * STEP));
			CU_ASSERT_EQUAL(r->end[i] - r->start[i], i % 3 == 0 ? 2 * PAGE : PAGE);
		}
		free(r);
	}
	munmap(p, bytes);
}

// A private mapping of a file: only what was written is its own. Pages that were only read are not.
static void test_own(void)
{
	char name[] = "/tmp/crimg-producer-XXXXXX";
	int fd = mkstemp(name);
	CU_ASSERT_FATAL(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 8 * (off_t)PAGE) == 0);
	char *file = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *plain = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char sum = 0;
	madvise(plain, 8 * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 8; i++)
		sum = (char)(sum + file[i * PAGE] + plain[i * PAGE]);
	file[5 * PAGE] = plain[2 * PAGE] = 1;
	for (int ranges = 0; ranges < 2; ranges++) {
		struct runs *r = scan(file, 8 * PAGE, CRIMG_PAGES_OWN, ranges != 0);
		CU_ASSERT_EQUAL(r->count, 1);
		CU_ASSERT_EQUAL(r->start[0], (uint64_t)(uintptr_t)(file + 5 * PAGE));
		free(r);
	}
	struct runs *r = scan(plain, 8 * PAGE, CRIMG_PAGES_OWN, true);
	CU_ASSERT_EQUAL(r->start[0], (uint64_t)(uintptr_t)(plain + 2 * PAGE));
	CU_ASSERT_EQUAL(r->end[r->count - 1], (uint64_t)(uintptr_t)(plain + 3 * PAGE));
	free(r);
	close(fd);
	munmap(file, 8 * PAGE);
	munmap(plain, 8 * PAGE);
}

// Numbers of open files: the same for duplicates, here and in a child, others for what was opened twice.
static void test_sharing(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_sharing s = {.type = KCMP_FILE};
	int fds[40];
	uint32_t ids[40], id;
	bool fresh;
	for (size_t i = 0; i < 40; i++)
		fds[i] = i % 4 == 3 ? dup(fds[i - 1]) : open("/dev/null", O_RDONLY);
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < 40; i++) {
		CU_ASSERT(crimg_sharing_id(&s, getpid(), fds[i], &ids[i], &fresh, &err) == 0);
		CU_ASSERT_EQUAL(fresh, i % 4 != 3);
		CU_ASSERT_EQUAL(ids[i], i % 4 == 3 ? ids[i - 1] : s.last);
	}
	for (size_t i = 0; i < 40; i++) {
		CU_ASSERT(crimg_sharing_id(&s, child, fds[i], &id, &fresh, &err) == 0);
		CU_ASSERT(!fresh && id == ids[i]);
	}
	CU_ASSERT_EQUAL(s.last, 30);
	CU_ASSERT(crimg_sharing_id(&s, child, 9999, &id, &fresh, &err) < 0);
	CU_ASSERT(strstr(err.text, "cannot be compared (kcmp)") != NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
	crimg_sharing_fini(&s);
}

static size_t put_pages(struct crimg_shelf *s, uint64_t id)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t payload = SIZE_MAX;
	CU_ASSERT(crimg_shelf_put_payload(s, CRIMG_KIND_PAGES, id, NULL, &payload, &err) == 0);
	return payload;
}

// Put in any order, given back by kind and number; payloads are numbered anew, and read across their runs.
static void test_shelf(void)
{
	static char there[3000];
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_shelf s;
	PipeDataEntry pipe = PIPE_DATA_ENTRY__INIT;
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	size_t bytes;
	crimg_shelf_init(&s);
	for (size_t i = 0; i < sizeof there; i++)
		there[i] = (char)(i % 251);
	size_t second = put_pages(&s, 2), first = put_pages(&s, 1);
	for (size_t i = 0; i < 1500; i++) {
		struct crimg_shelf_run run = {
			.where = CRIMG_SHELF_TASK, .place = getpid(), .length = 1,
			.address = (uint64_t)(uintptr_t)(there + 2 * i),
		};
		CU_ASSERT(crimg_shelf_add(&s, first, run, &err) == 0);
	}
	struct crimg_shelf_run own = {
		.where = CRIMG_SHELF_BYTES, .bytes = (const uint8_t *)"abc", .length = 3,
	};
	CU_ASSERT(crimg_shelf_add(&s, second, own, &err) == 0);
	CU_ASSERT(crimg_shelf_put_payload(&s, CRIMG_KIND_PIPES_DATA, 0, &pipe.base, &bytes, &err) == 0);
	CU_ASSERT(crimg_shelf_add(&s, bytes, own, &err) == 0);
	CU_ASSERT(crimg_shelf_add(&s, bytes, own, &err) == 0);
	CU_ASSERT(crimg_shelf_put(&s, CRIMG_KIND_INVENTORY, 0, &inventory.base, &err) == 0);
	CU_ASSERT(crimg_shelf_seal(&s, &err) == 0);
	CU_ASSERT_EQUAL(s.objects[0].object.kind, CRIMG_KIND_INVENTORY);
	CU_ASSERT_EQUAL(s.objects[2].object.id, 1);
	CU_ASSERT_EQUAL(s.objects[3].object.id, 2);
	CU_ASSERT_EQUAL(s.payloads[0].length, 6);
	CU_ASSERT_EQUAL(s.payloads[1].length, 1500);
	uint8_t found[1500];
	CU_ASSERT(crimg_shelf_read(&s, 1, 0, found, 1500, &err) == 0);
	for (size_t i = 0; i < 1500; i++)
		CU_ASSERT_EQUAL(found[i], (uint8_t)there[2 * i]);
	CU_ASSERT(crimg_shelf_read(&s, 1, 1033, found, 400, &err) == 0 && found[0] == (uint8_t)there[2066]);
	CU_ASSERT(crimg_shelf_read(&s, 0, 2, found, 3, &err) == 0 && memcmp(found, "cab", 3) == 0);
	CU_ASSERT(crimg_shelf_read(&s, 1, 1499, found, 2, &err) < 0 && err.code == CRIMG_E_USAGE);
	crimg_shelf_fini(&s);
}

// Memory that nobody may read is read all the same.
static void test_forbidden(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_shelf s;
	uint8_t found[2 * CRIMG_PAGE_BYTES];
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 7, 2 * PAGE);
	mprotect(p + PAGE, PAGE, PROT_NONE);
	crimg_shelf_init(&s);
	size_t payload = put_pages(&s, 1);
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = getpid(), .length = 2 * PAGE,
		.address = (uint64_t)(uintptr_t)p,
	};
	CU_ASSERT(crimg_shelf_add(&s, payload, run, &err) == 0 && crimg_shelf_seal(&s, &err) == 0);
	CU_ASSERT(crimg_shelf_read(&s, 0, 0, found, sizeof found, &err) == 0);
	CU_ASSERT(found[0] == 7 && found[PAGE] == 7 && found[2 * PAGE - 1] == 7);
	munmap(p, 2 * PAGE);
	struct crimg_err gone = CRIMG_ERR_INIT;
	CU_ASSERT(crimg_shelf_read(&s, 0, 0, found, sizeof found, &gone) < 0);
	CU_ASSERT(strstr(gone.text, "cannot be read") != NULL);
	crimg_shelf_fini(&s);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{"islands of pages in a sea of nothing", test_islands},
		{"pages of a process's own", test_own},
		{"who shares an open file", test_sharing},
		{"records in order, payloads across runs", test_shelf},
		{"memory that nobody may read", test_forbidden},
	};
	return SUITE_RUN("producer", NULL, NULL, tests);
}
