// Memory that is written all the time, and proves that not one write is lost or stale: which page
// was written how often follows from the number of steps alone. Some pages are written often, most
// seldom; one mapping is replaced, one moves, one is dropped now and then (also of a file, whose
// page is then as it was there).
#include "prove.h"

#include <fcntl.h>
#include <sys/mman.h>

enum {
	PAGE = 4096,
	PAGES = 16384,
	HOT = 256,
	REPLACED = 16,
	MOVED = 16,
	DROPPED = 16,
	ROUND = 64,
	LONGER = 997
};

static char *memory, *replaced, *moved, *places[2], *dropped, *file;
static unsigned expected[PAGES]; // made when asked

static unsigned random_of(unsigned long step)
{
	unsigned long x = (step + 1) * 0x9e3779b97f4a7c15ul;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ul;
	return (unsigned)(x >> 33);
}

static unsigned page_of(unsigned long step)
{
	unsigned r = random_of(step);
	return r % 64 == 0 ? r / 64 % PAGES : r % HOT;
}

static void *map(void *at, size_t pages)
{
	int fixed = at != NULL ? MAP_FIXED : 0;
	void *p = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
	PROVE(p != MAP_FAILED);
	return p;
}

static void fill(char *at, unsigned pages, unsigned long value)
{
	for (unsigned i = 0; i < pages; i++)
		*(unsigned long *)(at + i * PAGE) = value + i;
}

static void check(const char *at, unsigned pages, unsigned long value)
{
	for (unsigned i = 0; i < pages; i++)
		PROVE(*(const unsigned long *)(at + i * PAGE) == (value == 0 ? 0 : value + i));
}

// Turns of what changes seldom; turn 0 sets it up.
static void turn(unsigned long n)
{
	if (n > 0)
		PROVE(munmap(replaced, REPLACED * PAGE) == 0);
	replaced = map(replaced, REPLACED);
	fill(replaced, REPLACED / 2, n << 8 | 1); // the other half was never touched
	if (n > 0) {
		char *to = places[n % 2];
		PROVE(mremap(moved, MOVED * PAGE, MOVED * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to)
		      == to);
		map(moved, MOVED); // keeps the place
		moved = to;
		if (n % 3 == 0)
			fill(moved, MOVED / 2, n << 8);
	}
	PROVE(madvise(dropped, DROPPED * PAGE, MADV_DONTNEED) == 0);
	PROVE(madvise(file, PAGE, MADV_DONTNEED) == 0);
	if (n % 2 == 0) {
		fill(dropped, DROPPED, n << 8 | 3);
		file[8] = 'w';
	}
}

static void check_turn(unsigned long n)
{
	check(replaced, REPLACED / 2, n << 8 | 1);
	check(replaced + REPLACED / 2 * PAGE, REPLACED / 2, 0);
	check(moved, MOVED / 2, n < 3 ? 7 << 8 : (n - n % 3) << 8);
	check(moved + MOVED / 2 * PAGE, MOVED / 2, 9 << 8);
	check(dropped, DROPPED, n % 2 == 0 ? n << 8 | 3 : 0);
	PROVE(file[0] == '/' && file[8] == (n % 2 == 0 ? 'w' : 'a'));
}

static void set_up(void)
{
	memory = map(NULL, PAGES);
	places[0] = map(NULL, 2 * MOVED);
	places[1] = places[0] + MOVED * PAGE;
	moved = places[0];
	dropped = map(NULL, DROPPED);
	fill(memory, PAGES, 1 << 20);
	fill(moved, MOVED / 2, 7 << 8);
	fill(moved + MOVED / 2 * PAGE, MOVED / 2, 9 << 8);
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	PROVE(write(fd, "/ of a file", 11) == 11 && pwrite(fd, "a", 1, 8) == 1
	      && ftruncate(fd, PAGE) == 0);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	PROVE(file != MAP_FAILED);
	turn(0);
}

int main(void)
{
	unsigned long step = 0, turns = 0;
	set_up();
	ready();
	while (access("go", F_OK) != 0) {
		for (unsigned i = 0; i < ROUND; i++, step++)
			++*(unsigned long *)(memory + page_of(step) * PAGE + 64);
		if (step / ROUND % LONGER == 0)
			turn(++turns);
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	for (unsigned long i = 0; i < step; i++)
		expected[page_of(i)]++;
	check(memory, PAGES, 1 << 20);
	for (unsigned i = 0; i < PAGES; i++)
		PROVE(*(unsigned long *)(memory + i * PAGE + 64) == expected[i]);
	check_turn(turns);
	printf("right after %lu steps and %lu turns\n", step, turns);
	return 0;
}
