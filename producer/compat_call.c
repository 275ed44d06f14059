// `int $0x80` from 64-bit code; what it points to must lie below 4 GiB.
#include "producer/compat_call.h"

#include <errno.h>
#include <sys/mman.h>

#define GET_ROBUST_LIST 312 // Linux arch/x86/entry/syscalls/syscall_32.tbl

static int call32(int nr, uint32_t a, uint32_t b, uint32_t c)
{
	int result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int crimg_compat_robust_list(pid_t tid, uint32_t *head, uint32_t *length, struct crimg_err *err)
{
	uint32_t *answer = mmap(NULL, 2 * sizeof *answer, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (answer == MAP_FAILED)
		return crimg_fail_sys(err, errno, NULL, "no memory below 2 GiB");
	uint32_t address = (uint32_t)(uintptr_t)answer;
	int rc = call32(GET_ROBUST_LIST, (uint32_t)tid, address, address + 4);
	if (rc == 0) {
		*head = answer[0];
		*length = answer[1];
	}
	munmap(answer, 2 * sizeof *answer);
	return rc == 0 ? 0
		       : crimg_fail_sys(err, -rc, NULL, "task %d: its robust list cannot be read",
					(int)tid);
}
