// The same as crasher.c for i386, and without a C library, which few machines have for i386: system calls
// alone. Build: gcc -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector
//   crasher32 MAPS abort|wait
typedef unsigned int u32;

static long call(long n, long a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
	                 : "memory");
	return result;
}

enum { READ = 3, WRITE = 4, OPEN = 5, GETPID = 20, PAUSE = 29, KILL = 37, CLONE = 120, MMAP2 = 192,
       SET_THREAD_AREA = 243 };

static u32 area[4] = { (u32)-1, 0, 0xfffff, 0x51 };
static char text[4096];

static void thread(void)
{
	for (;;)
		call(PAUSE, 0, 0, 0, 0, 0);
}

static void copy_maps(const char *path)
{
	long from = call(OPEN, (long)"/proc/self/maps", 0, 0, 0, 0), n;
	long to = call(OPEN, (long)path, 01101, 0600, 0, 0);
	while ((n = call(READ, from, (long)text, sizeof text, 0, 0)) > 0)
		call(WRITE, to, (long)text, n, 0, 0);
}

__attribute__((used)) static void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	char *some = (char *)call(MMAP2, 0, 16384, 3, 0x22, -1);
	char *own = (char *)call(MMAP2, 0, 16384, 3, 0x22, -1);
	some[0] = 'x';
	area[1] = (u32)text;
	call(SET_THREAD_AREA, (long)area, 0, 0, 0, 0);
	__asm__ volatile("mov %0, %%gs" : : "r"((unsigned short)(area[0] * 8 + 3)));
	long *top = (long *)(own + 16384);
	*--top = (long)thread; // the new thread returns into it
	long tid;
	// CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM; nothing on the old stack is needed behind the call.
	__asm__ volatile("int $0x80\n\ttest %%eax, %%eax\n\tjnz 1f\n\tret\n1:"
	                 : "=a"(tid)
	                 : "a"(CLONE), "b"(0x50f00), "c"(top), "d"(0), "S"(0), "D"(0)
	                 : "memory");
	for (volatile int i = 0; i < 100000000; i++)
		;
	copy_maps(argv[1]);
	if (argv[2][0] == 'a')
		call(KILL, call(GETPID, 0, 0, 0, 0, 0), 6, 0, 0, 0);
	call(WRITE, 1, (long)"ready\n", 6, 0, 0);
	thread();
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tpush %eax\n\tcall start\n");
