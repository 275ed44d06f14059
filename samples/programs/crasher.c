// A process to make cores of: threads, memory of every sort that a core tells apart, its own maps in a
// file.
//   crasher MAPS abort|huge|wait    then ends by SIGABRT (huge: with 1 TiB of address space that is hardly
//                                   used), or says "ready" and waits
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE_RANGE (1ul << 40)

static char pattern[3 * PAGE] __attribute__((aligned(4096)));

static void *run(void *number)
{
	volatile double value = 0.5 + (double)(long)number;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		value *= 1.0000001;
		usleep(100000);
	}
	return NULL;
}

static char *map(size_t bytes, int prot, int flags)
{
	char *p = mmap(NULL, bytes, prot, flags | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(3);
	return p;
}

static void copy_maps(const char *path)
{
	char line[4096];
	FILE *from = fopen("/proc/self/maps", "r"), *to = fopen(path, "w");
	if (from == NULL || to == NULL)
		_exit(4);
	while (fgets(line, sizeof line, from) != NULL)
		fputs(line, to);
	fclose(from);
	fclose(to);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	if (argc != 3)
		return 2;
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)(i * 7 + i / PAGE);
	char *some = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	strcpy(some, "the first page");
	strcpy(some + 8 * PAGE, "the ninth page");
	strcpy(map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), "shared");
	char *secret = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	strcpy(secret, "kept out of cores");
	madvise(secret, 4 * PAGE, MADV_DONTDUMP);
	if (strcmp(argv[2], "huge") == 0) {
		char *huge = map(HUGE_RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
		strcpy(huge + (HUGE_RANGE >> 1), "in the middle of nowhere");
	}
	for (long i = 1; i < 4; i++)
		pthread_create(&thread, NULL, run, (void *)i);
	usleep(200000);
	strcpy(malloc(10000), "on the heap");
	setvbuf(stdout, NULL, _IONBF, 0);
	copy_maps(argv[1]);
	if (strcmp(argv[2], "wait") != 0)
		abort();
	puts("ready");
	for (;;)
		pause();
}
