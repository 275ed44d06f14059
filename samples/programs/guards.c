// Guard regions in the middle of memory that is in use: what stands around them is there, and who touches
// them gets SIGSEGV. Skipped (it says "none") where the kernel has none.
#include "prove.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096
#define GUARD_INSTALL 102 // MADV_GUARD_INSTALL, Linux 6.13

static sigjmp_buf back;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static int faults(const volatile char *at)
{
	if (sigsetjmp(back, 1) != 0)
		return 1;
	return *at < 0 ? -1 : 0;
}

int main(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 16; i++)
		p[i * PAGE] = (char)(i + 1);
	int guarded = madvise(p + 4 * PAGE, 2 * PAGE, GUARD_INSTALL) == 0;
	signal(SIGSEGV, on_fault);
	if (!guarded)
		puts("none");
	ready();
	wait_for_go();
	for (int i = 0; i < 16; i++)
		if (guarded && (i == 4 || i == 5))
			PROVE(faults(p + i * PAGE) == 1);
		else
			PROVE(faults(p + i * PAGE) == 0 && p[i * PAGE] == i + 1);
	return 0;
}
