// Mapped files that no name and no descriptor leads to: whoever may not look into map_files knows them by memory alone.
// A memory file and deleted ones, in memory and on disk, closed while they are mapped; shared memory of which parent and
// child have a half each, that nobody may read, of which only the middle is mapped (the rest comes back with mremap, also
// what nobody ever touched), and that is sparse: its holes stay holes.
//   hidden [plain]    plain: without that rest, which CRIU does not take
#include "prove.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define SPARSE (1ul << 30)

static char *map(size_t bytes, int prot, int flags, int fd)
{
	char *p = mmap(NULL, bytes, prot, flags, fd, 0);
	PROVE(p != MAP_FAILED);
	return p;
}

static char *map_closed(int fd, int flags, const char *text)
{
	char *p = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	PROVE(ftruncate(fd, 3 * PAGE + 100) == 0 && pwrite(fd, text, strlen(text), PAGE) > 0);
	strcpy(p + 3 * PAGE, text); // the rest is behind its end
	munmap(p, 8 * PAGE);
	p = map(8 * PAGE, PROT_READ | PROT_WRITE, flags, fd);
	close(fd);
	return p;
}

static void check(const char *p, const char *text)
{
	PROVE(p[0] == 0 && strcmp(p + PAGE, text) == 0 && p[2 * PAGE] == 0 && strcmp(p + 3 * PAGE, text) == 0);
}

static int deleted(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	PROVE(fd >= 0 && unlink(name) == 0);
	return fd;
}

static size_t in_core(char *from, size_t bytes)
{
	static unsigned char there[SPARSE / PAGE];
	size_t count = 0;
	PROVE(mincore(from, bytes, there) == 0);
	for (size_t i = 0; i < bytes / PAGE; i++)
		count += there[i] & 1;
	return count;
}

int main(int argc, char **argv)
{
	const int plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	char name[64];
	const int rw = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_ANONYMOUS;
	snprintf(name, sizeof name, "/dev/shm/hidden.%d", getpid());
	char *memory = map_closed(memfd_create("hidden", 0), MAP_SHARED, "a memory file");
	char *in_memory = map_closed(deleted(name), MAP_SHARED, "in memory");
	char *on_disk = map_closed(deleted("disk"), MAP_SHARED, "on disk");
	char *private = map_closed(deleted("private"), MAP_PRIVATE, "mapped privately");
	char *forbidden = map(4 * PAGE, rw, shared, -1);
	char *halves = map(8 * PAGE, rw, shared, -1);
	char *middle = map(64 * PAGE, rw, shared, -1);
	char *sparse = map(SPARSE, rw, shared, -1);
	int status;
	strcpy(forbidden + PAGE, "nobody may read this");
	mprotect(forbidden, 4 * PAGE, PROT_NONE);
	strcpy(middle + PAGE, "before the middle");
	strcpy(middle + 9 * PAGE, "the middle");
	strcpy(middle + 40 * PAGE, "behind the middle");
	PROVE(munmap(middle, 8 * PAGE) == 0 && munmap(middle + 12 * PAGE, 52 * PAGE) == 0);
	strcpy(halves, "lower half");
	strcpy(halves + 6 * PAGE, "upper half");
	for (size_t i = 1; i < 8; i++)
		*(size_t *)(void *)(sparse + i * (SPARSE / 8)) = i;
	pid_t child = fork();
	munmap(child == 0 ? halves : halves + 4 * PAGE, 4 * PAGE);
	if (child != 0)
		ready();
	wait_for_go();
	if (child == 0) {
		PROVE(strcmp(halves + 6 * PAGE, "upper half") == 0 && halves[5 * PAGE] == 0);
		strcpy(on_disk + 2 * PAGE + 1, "from the child");
		_exit(6);
	}
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 6);
	check(memory, "a memory file");
	check(in_memory, "in memory");
	check(on_disk, "on disk");
	check(private, "mapped privately");
	PROVE(strcmp(on_disk + 2 * PAGE + 1, "from the child") == 0 && strcmp(halves, "lower half") == 0);
	PROVE(mprotect(forbidden, 4 * PAGE, PROT_READ) == 0 && forbidden[0] == 0);
	PROVE(strcmp(forbidden + PAGE, "nobody may read this") == 0);
	PROVE(strcmp(middle + 9 * PAGE, "the middle") == 0);
	if (!plain) {
		char *more = mremap(middle + 8 * PAGE, 4 * PAGE, 56 * PAGE, MREMAP_MAYMOVE);
		PROVE(more != MAP_FAILED && strcmp(more + 32 * PAGE, "behind the middle") == 0 && more[55 * PAGE] == 0);
		PROVE(remap_file_pages(more, 4 * PAGE, 0, 0, 0) == 0 && strcmp(more + PAGE, "before the middle") == 0);
	}
	PROVE(in_core(sparse, SPARSE) == 7);
	for (size_t i = 1; i < 8; i++)
		PROVE(*(size_t *)(void *)(sparse + i * (SPARSE / 8)) == i);
	return 0;
}
