// Runs files, and all files below directories, through the fuzz target it is linked with: for builds
// without libFuzzer, and for the regression corpus. Each file gets ten seconds; without AddressSanitizer
// the address space is limited too.
//   replay PATH…    last line "N passed, 0 failed, 0 skipped"; a broken claim or a fault ends the program
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuzz/harness.h"

#define SECONDS 10
#define ADDRESS_BYTES ((rlim_t)4 << 30)

static char current[4096];
static unsigned passed;

static void tell(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));
	(void)n;
}

static void on_fault(int number)
{
	tell(number == SIGALRM ? "replay: ten seconds were not enough for " : "replay: died of ");
	tell(current);
	tell("\n");
	signal(number, SIG_DFL);
	raise(number);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, room = 0, n = 1;
	if (f == NULL) {
		perror(path);
		return 1;
	}
	while (n > 0) {
		if (size == room) {
			room = room == 0 ? 65536 : room * 2;
			uint8_t *grown = realloc(data, room);
			if (grown == NULL)
				abort();
			data = grown;
		}
		n = fread(data + size, 1, room - size, f);
		size += n;
	}
	fclose(f);
	// An exact copy, so that AddressSanitizer sees the first byte beyond it.
	uint8_t *exact = malloc(size > 0 ? size : 1);
	if (exact == NULL)
		abort();
	memcpy(exact, data, size);
	free(data);
	snprintf(current, sizeof current, "%s", path);
	alarm(SECONDS);
	LLVMFuzzerTestOneInput(exact, size);
	alarm(0);
	free(exact);
	passed++;
	return 0;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	return type == FTW_F ? run_file(path) : 0;
}

int main(int argc, char **argv)
{
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit limit = { ADDRESS_BYTES, ADDRESS_BYTES };
	setrlimit(RLIMIT_AS, &limit);
#endif
	signal(SIGALRM, on_fault);
	signal(SIGABRT, on_fault);
	for (int i = 1; i < argc; i++)
		if (nftw(argv[i], visit, 16, FTW_PHYS) != 0)
			return 1;
	printf("%u passed, 0 failed, 0 skipped\n", passed);
	return 0;
}
