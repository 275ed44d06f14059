/* hostile_cfi.c - threads that sleep in functions whose frame information is a trap: the same frame again
   and again, frames without end, expressions without end, wild pointers, division by zero. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void nap(void);
void nap(void)
{
	for (;;)
		sleep(3600);
}

/* The rules are in force when the function has called nap(). 0x16 16 2 0x80 0: the return address is
   where the frame itself stands. */
#define TRAP(name, escape)                                                                           \
	void name(void);                                                                             \
	__asm__(".globl " #name "\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n"         \
	        "sub $8, %rsp\n.cfi_def_cfa_offset 16\n" escape "\ncall nap\nadd $8, %rsp\nret\n"   \
	        ".cfi_endproc\n.size " #name ", . - " #name "\n");

TRAP(trap_same, ".cfi_escape 0x0c, 7, 0\n.cfi_escape 0x16, 16, 2, 0x80, 0")
TRAP(trap_down, ".cfi_escape 0x12, 7, 2\n.cfi_escape 0x16, 16, 2, 0x80, 0")
TRAP(trap_endless, ".cfi_escape 0x0c, 7, 8\n.cfi_escape 0x16, 16, 2, 0x80, 0")
TRAP(trap_loop, ".cfi_escape 0x0f, 3, 0x2f, 0xfd, 0xff")
TRAP(trap_recursion, ".cfi_escape 0x0f, 1, 0x9c")
TRAP(trap_wild, ".cfi_escape 0x0f, 3, 0x08, 0x08, 0x06")
TRAP(trap_division, ".cfi_escape 0x0f, 3, 0x31, 0x30, 0x1b")
TRAP(trap_empty, ".cfi_escape 0x0f, 0")
TRAP(trap_pick, ".cfi_escape 0x0f, 2, 0x15, 0xff")

static void *run(void *arg)
{
	void (*trap)(void) = *(void (**)(void))arg;
	trap();
	return NULL;
}

int main(void)
{
	static void (*const traps[])(void) = { trap_same, trap_down, trap_endless, trap_loop,
		                               trap_recursion, trap_wild, trap_division, trap_empty,
		                               trap_pick };
	pthread_t thread;
	for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++)
		if (pthread_create(&thread, NULL, run, (void *)&traps[i]) != 0)
			abort();
	usleep(200 * 1000);
	printf("ready\n");
	fflush(stdout);
	nap();
}
