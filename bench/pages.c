// A process that has so many pages of its own, each with another neighbour of nothing in between when `gap`
// is 1; and so many children. Says "ready" and sleeps.
//   pages COUNT GAP [CHILDREN]
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	size_t step = 1 + (argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
	size_t bytes = count * step * 4096;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || madvise(p, bytes, MADV_NOHUGEPAGE) != 0)
		return 1;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < 4096; j += 64)
			p[i * step * 4096 + j] = (char)(i + j / 64);
	for (unsigned long i = argc > 3 ? strtoul(argv[3], NULL, 10) : 0; i > 0; i--)
		if (fork() == 0)
			for (;;)
				pause();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
