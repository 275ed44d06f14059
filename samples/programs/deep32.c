/* deep32.c - 32-bit code without any library: sleeps several functions deep. For tests of
   backtraces where no 32-bit C library is installed.
   cc -m32 -O1 -g -nostdlib -static -fno-pie -no-pie -fomit-frame-pointer -fasynchronous-unwind-tables deep32.c */
#define DEEP __attribute__((noinline, noclone))
static volatile int after;

static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

DEEP static void leaf(void)
{
	static const long time[2] = { 3600, 0 };
	call(4, 1, (long)"ready\n", 6); /* write */
	while (after >= 0)
		after += call(162, (long)time, 0, 0) > 0; /* nanosleep */
}

DEEP static void inner(int depth)
{
	if (depth > 0)
		inner(depth - 1);
	else
		leaf();
	after++;
}

DEEP static int outer(int n)
{
	volatile char room[300];
	room[n] = 1;
	inner(n);
	return room[n] + after;
}

void start(void);
void start(void)
{
	after += outer(2);
	call(1, 0, 0, 0); /* exit */
}

__asm__(".globl _start\n.type _start, @function\n_start:\n.cfi_startproc\n.cfi_undefined eip\n"
        "xor %ebp, %ebp\ncall start\nhlt\n.cfi_endproc\n.size _start, . - _start\n");
