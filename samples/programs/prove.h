// For programs that prove their own state after a restart: they set it up, say "ready", wait until a file
// called "go" is in their directory, and then look whether everything is as it was. Exit 0: it is.
#ifndef PROVE_H
#define PROVE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// What must hold; else the program says where it does not, and ends with 1.
#define PROVE(condition)                                                                             \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition,  \
			        strerror(errno));                                                    \
			_exit(1);                                                                    \
		}                                                                                    \
	} while (0)

static inline void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static inline void wait_for_go(void)
{
	struct timespec pause = { 0, 10 * 1000 * 1000 };
	while (access("go", F_OK) != 0)
		nanosleep(&pause, NULL);
}
#endif
