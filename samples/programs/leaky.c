// Shares one thing with a sibling, which is no descendant of it, and waits: what a sub-tree may do and a container
// may not. leaky THING; prints "ready SIBLING".
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[65536];
static int kept[2] = {-1, -1}; // descriptors of the thing; the sibling closes all others

static int sibling(void *mapping)
{
	prctl(PR_SET_NAME, "si\033bling");
	for (;;)
		pause();
	return mapping != NULL;
}

// In a table of its own; what is not shared on purpose goes away.
static int apart(void *mapping)
{
	for (int fd = 0; fd < 64; fd++)
		if (fd != kept[0] && fd != kept[1])
			close(fd);
	return sibling(mapping);
}

static int sharing(const char *thing, void **mapping)
{
	char name[] = "/tmp/crimg-leaky.XXXXXX";
	*mapping = NULL;
	if (strcmp(thing, "mm") == 0)
		return CLONE_VM;
	if (strcmp(thing, "files") == 0)
		return CLONE_FILES;
	if (strcmp(thing, "fs") == 0)
		return CLONE_FS;
	if (strcmp(thing, "sighand") == 0)
		return CLONE_VM | CLONE_SIGHAND;
	if (strcmp(thing, "pipe") == 0 && pipe(kept) == 0)
		kept[1] = -1; // the sibling has the reading end only
	else if (strcmp(thing, "socket") == 0 && (kept[0] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0)
		return 0;
	else if (strcmp(thing, "opening") == 0)
		kept[0] = open("/dev/null", O_RDONLY);
	else if (strcmp(thing, "removed") == 0 && (kept[0] = mkstemp(name)) >= 0)
		unlink(name);
	else if (strcmp(thing, "memory") == 0)
		*mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return 0;
}

int main(int argc, char **argv)
{
	void *mapping;
	for (int fd = 3; fd < 1024; fd++) // of whoever started us
		close(fd);
	const char *thing = argc > 1 ? argv[1] : "";
	int flags = sharing(thing, &mapping);
	pid_t pid;
	if (strcmp(thing, "nothing") == 0) { // the same file, and not the same opening of it
		kept[0] = open("/dev/null", O_RDONLY);
		pid = clone(apart, stack + sizeof stack, CLONE_PARENT, NULL);
		close(kept[0]);
		open("/dev/null", O_RDONLY);
	} else {
		pid = clone((flags & CLONE_FILES) != 0 ? sibling : apart, stack + sizeof stack,
			    CLONE_PARENT | flags, mapping);
	}
	if (pid < 0)
		return 1;
	usleep(100000); // until it has closed
	printf("ready %d\n", (int)pid);
	fflush(stdout);
	for (;;)
		pause();
}
