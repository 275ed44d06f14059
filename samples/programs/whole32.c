// 32-bit code that proves its state after a restart (see prove.h), without a C library, which few machines have for
// i386: segments of its own by two threads, calls through the vDSO, signals whose handlers return through the vDSO,
// an alternative stack, a call that sleeps, SSE registers, the break, a pipe, and a child, which becomes the program
// that the arguments name, if any (it is to end with 9).
// Build: gcc -m32 -O1 -msse2 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector
typedef unsigned int u32;
typedef unsigned long long u64;

enum { EXIT = 1, FORK = 2, READ = 3, WRITE = 4, WAITPID = 7, EXECVE = 11, GETPID = 20, ALARM = 27, ACCESS = 33,
       KILL = 37, PIPE = 42, BRK = 45, CLONE = 120, UNAME = 122, NANOSLEEP = 162, SIGACTION = 174,
       SIGPROCMASK = 175, SIGPENDING = 176, SIGALTSTACK = 186, MMAP2 = 192, FUTEX = 240, SET_THREAD_AREA = 243, EXIT_GROUP = 252, SET_ROBUST_LIST = 311,
       GET_ROBUST_LIST = 312 };
enum { SIGUSR1 = 10, SIGUSR2 = 12, SIGALRM = 14, SA_ONSTACK = 0x08000000, SA_SIGINFO = 4, AT_SYSINFO = 32 };

static long call(long n, long a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return result;
}

static u32 vdso_entry;

// As a C library does, by sysenter or what else the vDSO knows.
static long fast_call(long n, long a)
{
	long result;
	__asm__ volatile("call *%1" : "=a"(result) : "m"(vdso_entry), "0"(n), "b"(a) : "ecx", "edx", "memory");
	return result;
}

static void say(int fd, const char *text)
{
	long n = 0;
	while (text[n] != '\0')
		n++;
	call(WRITE, fd, (long)text, n, 0, 0);
}

#define PROVE(condition)                                            \
	do {                                                        \
		if (!(condition)) {                                 \
			say(2, "not so: " #condition "\n");         \
			call(EXIT_GROUP, 1, 0, 0, 0, 0);            \
		}                                                   \
	} while (0)

static volatile u32 words[2], go, alarms, usr1, on_stack;
static char thread_stack[8192], alternative[16384];
static u32 robust[2][3];

static u32 own_word(void)
{
	u32 value;
	__asm__ volatile("movl %%gs:0, %0" : "=r"(value));
	return value;
}

static void set_segment(volatile u32 *at, u32 value)
{
	u32 area[4] = { (u32)-1, (u32)at, 0xfffff, 0x51 };
	*at = value;
	PROVE(call(SET_THREAD_AREA, (long)area, 0, 0, 0, 0) == 0);
	__asm__ volatile("movw %w0, %%gs" : : "r"(area[0] * 8 + 3));
}

static void on_alarm(int number)
{
	PROVE(number == SIGALRM);
	alarms++;
}

static void on_usr1(int number, u32 *info)
{
	char here;
	on_stack = &here >= alternative && &here < alternative + sizeof alternative;
	PROVE(number == SIGUSR1 && info[0] == SIGUSR1 && info[3] == (u32)call(GETPID, 0, 0, 0, 0, 0));
	usr1++;
}

// Without a restorer: the handler returns to the vDSO.
static void handle(int number, void *handler, u32 flags)
{
	u32 action[5] = { (u32)handler, flags, 0, 0, 0 };
	PROVE(call(SIGACTION, number, (long)action, 0, 8, 0) == 0);
}

static u32 robust_head(void)
{
	u32 head = 0, length = 0;
	PROVE(call(GET_ROBUST_LIST, 0, (long)&head, (long)&length, 0, 0) == 0 && length == 12);
	return head;
}

static int second_thread(void *unused)
{
	(void)unused;
	set_segment(&words[1], 0x22222222);
	call(SET_ROBUST_LIST, (long)robust[1], 12, 0, 0, 0);
	while (go == 0)
		call(FUTEX, (long)&go, 0, 0, 0, 0);
	PROVE(own_word() == 0x22222222 && robust_head() == (u32)robust[1]);
	go = 2;
	call(FUTEX, (long)&go, 1, 1, 0, 0);
	call(EXIT, 0, 0, 0, 0, 0);
	return 0;
}

// clone() whose child begins on its own stack.
static long start_thread(void)
{
	u32 *top = (u32 *)(thread_stack + sizeof thread_stack) - 4;
	long result;
	top[0] = (u32)second_thread;
	__asm__ volatile("int $0x80\n\ttest %%eax, %%eax\n\tjnz 1f\n\tcall *(%%esp)\n\t1:"
	                 : "=a"(result) : "a"(CLONE), "b"(0x50f00), "c"(top), "d"(0), "S"(0), "D"(0) : "memory");
	return result;
}

static void wait_for_go(void)
{
	u32 pause[2] = { 0, 10 * 1000 * 1000 };
	while (call(ACCESS, (long)"go", 0, 0, 0, 0) != 0)
		call(NANOSLEEP, (long)pause, 0, 0, 0, 0);
}

static void find_vdso(u32 *stack)
{
	u32 *at = stack + 1 + stack[0] + 1;
	while (*at++ != 0)
		continue;
	for (; at[0] != 0; at += 2)
		if (at[0] == AT_SYSINFO)
			vdso_entry = at[1];
	PROVE(vdso_entry != 0);
}

__attribute__((used)) static void begin(u32 *stack)
{
	static const u64 pattern[2] = { 0x0123456789abcdefULL, 0xfedcba9876543210ULL };
	static u64 found[2];
	int ends[2], status = 0;
	char name[6 * 65], text[8] = "";
	u32 altstack[3] = { (u32)alternative, 0, sizeof alternative }, old[3];
	u32 usr2[2] = { 1u << (SIGUSR2 - 1), 0 }, pending[2];
	find_vdso(stack);
	set_segment(&words[0], 0x11111111);
	long heap = call(BRK, 0, 0, 0, 0, 0);
	PROVE(call(BRK, heap + 8192, 0, 0, 0, 0) == heap + 8192);
	*(u32 *)heap = 0xbeefbeef;
	call(SET_ROBUST_LIST, (long)robust[0], 12, 0, 0, 0);
	PROVE(call(SIGALTSTACK, (long)altstack, 0, 0, 0, 0) == 0);
	handle(SIGALRM, on_alarm, 0);
	handle(SIGUSR1, on_usr1, SA_SIGINFO | SA_ONSTACK);
	PROVE(call(SIGPROCMASK, 0, (long)usr2, 0, 8, 0) == 0);
	call(KILL, call(GETPID, 0, 0, 0, 0, 0), SIGUSR2, 0, 0, 0); // stays pending
	PROVE(call(PIPE, (long)ends, 0, 0, 0, 0) == 0 && call(WRITE, ends[1], (long)"before", 6, 0, 0) == 6);
	PROVE(start_thread() > 0);
	long child = call(FORK, 0, 0, 0, 0, 0);
	if (child == 0) {
		char **argv = (char **)(stack + 1);
		if (stack[0] > 1)
			call(EXECVE, (long)argv[1], (long)(argv + 1), (long)(argv + stack[0] + 1), 0, 0);
		wait_for_go();
		PROVE(own_word() == 0x11111111 && *(u32 *)heap == 0xbeefbeef && fast_call(GETPID, 0) > 1);
		call(EXIT_GROUP, 9, 0, 0, 0, 0);
	}
	call(ALARM, 1, 0, 0, 0, 0);
	__asm__ volatile("movups %0, %%xmm5" : : "m"(pattern) : "xmm5");
	say(1, "ready\n");
	wait_for_go();
	__asm__ volatile("movups %%xmm5, %0" : "=m"(found));
	PROVE(found[0] == pattern[0] && found[1] == pattern[1]);
	PROVE(own_word() == 0x11111111 && robust_head() == (u32)robust[0] && *(u32 *)heap == 0xbeefbeef);
	PROVE(call(BRK, 0, 0, 0, 0, 0) == heap + 8192 && call(BRK, heap + 65536, 0, 0, 0, 0) == heap + 65536);
	PROVE(fast_call(GETPID, 0) == call(GETPID, 0, 0, 0, 0, 0) && fast_call(9999, 0) == -38);
	call(KILL, call(GETPID, 0, 0, 0, 0, 0), SIGUSR1, 0, 0, 0);
	PROVE(usr1 == 1 && on_stack == 1);
	for (u32 pause[2] = { 0, 10 * 1000 * 1000 }, i = 0; alarms == 0 && i < 300; i++)
		call(NANOSLEEP, (long)pause, 0, 0, 0, 0);
	PROVE(alarms == 1);
	PROVE(call(READ, ends[0], (long)text, 6, 0, 0) == 6 && text[0] == 'b' && text[5] == 'e');
	PROVE((u32)call(MMAP2, 0, 4096, 3, 0x22, -1) < 0xfffff000u);
	PROVE(call(SIGALTSTACK, 0, (long)old, 0, 0, 0) == 0 && old[0] == altstack[0] && old[2] == altstack[2]);
	PROVE(call(UNAME, (long)name, 0, 0, 0, 0) == 0);
	go = 1;
	call(FUTEX, (long)&go, 1, 1, 0, 0);
	while (go != 2)
		call(FUTEX, (long)&go, 0, 1, 0, 0);
	PROVE(call(WAITPID, child, (long)&status, 0, 0, 0) == child && status == 9 << 8);
	PROVE(call(SIGPENDING, (long)pending, 8, 0, 0, 0) == 0 && pending[0] == usr2[0]);
	call(EXIT_GROUP, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin\n");
