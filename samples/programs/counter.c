// Counts: a number a line, ten a second, and writes one page of its memory each time.
//   counter [FILE]    with FILE it writes there, until a file called "go" is there: then every number must be in it,
//                     once and in order, and in the memory
#include "prove.h"

enum { PAGES = 64 };

static int check(const char *name, const char *memory, long last)
{
	long number, next = 0;
	FILE *f = fopen(name, "r");
	PROVE(f != NULL);
	for (; fscanf(f, "%ld", &number) == 1; next++)
		PROVE(number == next);
	PROVE(next == last + 1);
	for (long i = last; i >= 0 && i > last - PAGES; i--)
		PROVE(memory[i % PAGES * 4096] == (char)i);
	return 0;
}

int main(int argc, char **argv)
{
	char *memory = aligned_alloc(4096, PAGES * 4096);
	FILE *out = argc > 1 ? fopen(argv[1], "w") : stdout;
	PROVE(out != NULL);
	for (long i = 0;; i++) {
		memory[i % PAGES * 4096] = (char)i;
		fprintf(out, "%ld\n", i);
		fflush(out);
		if (argc > 1 && i == 0)
			ready();
		if (argc > 1 && access("go", F_OK) == 0)
			return check(argv[1], memory, i);
		usleep(100000);
	}
}
