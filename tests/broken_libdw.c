/* broken_libdw.c - preloaded before crimg: libdw's search for frame information crashes, spins or eats
   memory at one call of all that any process makes. BROKEN is "crash 20" or the like, "lines 0" crashes in
   the sandbox when sections are read for source lines. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

typedef int find_fn(void *, unsigned long, void **);
static int *calls; /* shared with children */

__attribute__((constructor)) static void begin(void)
{
	calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

int dwarf_cfi_addrframe(void *cfi, unsigned long address, void **frame)
{
	find_fn *real = (find_fn *)dlsym(RTLD_NEXT, "dwarf_cfi_addrframe");
	const char *broken = getenv("BROKEN");
	char how[16] = "";
	int when = 0;
	if (broken != NULL)
		sscanf(broken, "%15s %d", how, &when);
	++*calls;
	int now = *calls == when || strcmp(how, "always") == 0;
	if (now && strcmp(how, "spin") == 0)
		for (volatile int i = 0;; i++)
			;
	for (size_t n = 0; now && strcmp(how, "eat") == 0; n++)
		memset(malloc(1 << 20), 1, 1 << 20); /* NULL, in the end */
	if (now && strcmp(how, "free") == 0)
		free((char *)frame + 8);
	if (now)
		*(volatile int *)8 = 1;
	return real(cfi, address, frame);
}

void *elf_rawdata(void *section, void *data)
{
	void *(*real)(void *, void *) = (void *(*)(void *, void *))dlsym(RTLD_NEXT, "elf_rawdata");
	const char *broken = getenv("BROKEN");
	Dl_info caller = { .dli_fname = "" };
	/* Called by crimg, not by libdw. The child has no new rights, or may not even ask. */
	if (broken != NULL && strcmp(broken, "lines 0") == 0
	    && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0
	    && dladdr(__builtin_return_address(0), &caller) != 0
	    && strstr(caller.dli_fname, "libdw") == NULL)
		*(volatile int *)8 = 1;
	return real(section, data);
}
