// Memory of many sorts, each page with what only it has: a heap, pages that became read-only, sparse ranges,
// pages of zeros, thousands of areas, memory shared with a child, a memory file, a private file mapping with
// changed pages, locked pages, and a child that has its parent's pages.
//   heap [MEBIBYTES]
#include "prove.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define AREAS 2000ul

static uint64_t mark(const void *at)
{
	return (uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static void fill(char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		*(uint64_t *)(void *)(from + i) = mark(from + i);
}

static void check(const char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		PROVE(*(const uint64_t *)(const void *)(from + i) == mark(from + i));
}

static char *map(size_t bytes, int prot, int flags, int fd)
{
	char *p = mmap(NULL, bytes, prot, flags, fd, 0);
	PROVE(p != MAP_FAILED);
	return p;
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 16) << 20;
	const int private = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
	char *heap = aligned_alloc(PAGE, bytes), *small = sbrk(64 * PAGE);
	small = (char *)(((uintptr_t)small + PAGE - 1) & ~(PAGE - 1));
	char *fixed = map(16 * PAGE, rw, private, -1), *none = map(16 * PAGE, PROT_NONE, private, -1);
	char *sparse = map(1ul << 40, rw, private | MAP_NORESERVE, -1);
	char *zeros = map(64 * PAGE, rw, private, -1);
	char *areas = map(2 * AREAS * PAGE, rw, private, -1);
	char *shared = map(32 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
	int memfd = memfd_create("prove", 0), file = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	PROVE(ftruncate(memfd, 8 * PAGE) == 0 && ftruncate(file, 8 * PAGE) == 0);
	char *memory_file = map(8 * PAGE, rw, MAP_SHARED, memfd);
	char *file_private = map(8 * PAGE, rw, MAP_PRIVATE, file);
	char *file_shared = map(8 * PAGE, rw, MAP_SHARED, file);
	fill(heap, bytes);
	fill(small, 60 * PAGE);
	fill(fixed, 16 * PAGE);
	mprotect(fixed, 16 * PAGE, PROT_READ);
	for (size_t i = 1; i < 1000; i++)
		fill(sparse + i * (1ul << 30), PAGE);
	memset(zeros + 8 * PAGE, 0, PAGE);
	for (size_t i = 0; i < AREAS; i++) {
		fill(areas + 2 * i * PAGE, PAGE);
		mprotect(areas + 2 * i * PAGE, PAGE, PROT_READ | (i % 2 ? PROT_EXEC : 0));
	}
	fill(shared, 16 * PAGE);
	fill(memory_file, 8 * PAGE);
	fill(file_shared, 4 * PAGE);
	fill(file_private + 4 * PAGE, PAGE); // a copy: the others are still the file's
	madvise(heap, bytes, MADV_DONTFORK);
	madvise(heap, bytes, MADV_DOFORK);
	madvise(zeros, 64 * PAGE, MADV_DONTDUMP);
	PROVE(mlock(small, PAGE) == 0);
	fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK);
	pid_t child = fork();
	if (child != 0)
		ready();
	wait_for_go();

	check(heap, bytes);
	check(small, 60 * PAGE);
	check(fixed, 16 * PAGE);
	for (size_t i = 1; i < 1000; i++)
		check(sparse + i * (1ul << 30), PAGE);
	for (size_t i = 0; i < 64 * PAGE; i++)
		PROVE(zeros[i] == 0);
	for (size_t i = 0; i < AREAS; i++)
		check(areas + 2 * i * PAGE, PAGE);
	check(memory_file, 8 * PAGE);
	check(file_shared, 4 * PAGE);
	check(file_private + 4 * PAGE, PAGE);
	for (size_t i = 0; i < 4; i++)
		PROVE(memcmp(file_private + i * PAGE, file_shared + i * PAGE, PAGE) == 0);
	*(uint64_t *)(void *)sparse = 1;
	if (child == 0) {
		// What it writes its parent must see, in memory that they share and only there.
		strcpy(shared + 16 * PAGE, "from the child");
		strcpy(heap, "changed");
		_exit(7);
	}
	int status;
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	PROVE(strcmp(shared + 16 * PAGE, "from the child") == 0);
	check(shared, 16 * PAGE);
	check(heap, PAGE);
	PROVE(mprotect(none, PAGE, rw) == 0 && none[0] == 0);
	PROVE(sbrk(PAGE) != (void *)-1);
	free(heap);
	return 0;
}
