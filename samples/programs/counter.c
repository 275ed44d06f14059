// Counts: a number a line, ten a second, and writes one page of its memory each time.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	enum { PAGES = 64 };
	char *memory = aligned_alloc(4096, PAGES * 4096);
	for (long i = 0;; i++) {
		memory[i % PAGES * 4096] = (char)i;
		printf("%ld\n", i);
		fflush(stdout);
		usleep(100000);
	}
}
