// What goes beyond CRIU's messages, and CRIU's own ones that few programs use: two threads that differ in CPUs, scheduling,
// priority of input and output, slack of timers, speculation; what the whole process chose. With an argument also what
// this kernel, or whoever runs it, may not allow: it says "without NAME" then.
#include "prove.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#define IDLE_IO (3 << 13)
#define BEST_EFFORT_6 (2 << 13 | 6)
#define PAGE 4096u

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static int cpus; // that there are for it
static volatile int there, denied;
static sigjmp_buf after;
static char *named, *shared;
static unsigned merges, writes_exec, names, bypass, tsc, huge;

static struct attributes attributes(void)
{
	struct attributes a = { .size = sizeof a };
	PROVE(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0);
	return a;
}

static int io_priority(void)
{
	return (int)syscall(SYS_ioprio_get, 1, 0);
}

static void bind(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	PROVE(sched_setaffinity(0, sizeof set, &set) == 0);
}

static int bound(void)
{
	cpu_set_t set;
	PROVE(sched_getaffinity(0, sizeof set, &set) == 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			return CPU_COUNT(&set) == 1 ? i : -1;
	return -1;
}

static void on_fault(int signal)
{
	(void)signal;
	denied = 1;
	siglongjmp(after, 1);
}

static int rdtsc_denied(void)
{
	denied = 0;
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(after, 1) == 0)
		__builtin_ia32_rdtsc();
	signal(SIGSEGV, SIG_DFL);
	return denied;
}

static int line_says(const char *path, const char *text)
{
	char line[512];
	FILE *f = fopen(path, "r");
	int found = 0;
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		found |= strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

static void *second(void *unused)
{
	struct attributes a = { .size = sizeof a, .policy = SCHED_BATCH, .nice = 9, .flags = 1 };
	bind(cpus - 1);
	PROVE(syscall(SYS_sched_setattr, 0, &a, 0) == 0 && syscall(SYS_ioprio_set, 1, 0, IDLE_IO) == 0);
	PROVE(prctl(PR_SET_TIMERSLACK, 7000000) == 0);
	if (bypass)
		bypass = prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0) == 0;
	if (tsc)
		PROVE(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
	there = 1;
	// Without the vDSO, which reads the clock by rdtsc.
	while (syscall(SYS_access, "go", F_OK) != 0)
		syscall(SYS_nanosleep, &(struct timespec){ 0, 10 * 1000 * 1000 }, NULL);
	a = attributes();
	PROVE(bound() == cpus - 1 && a.policy == SCHED_BATCH && a.nice == 9 && a.flags == 1);
	PROVE(io_priority() == IDLE_IO && prctl(PR_GET_TIMERSLACK) == 7000000);
	PROVE(!bypass || prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0)
	                 == (PR_SPEC_PRCTL | PR_SPEC_DISABLE));
	PROVE(rdtsc_denied() == (int)tsc);
	return unused;
}

static void choose(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY);
	PROVE(fd >= 0 && write(fd, "0x7b", 4) == 4 && close(fd) == 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	PROVE(fd >= 0 && write(fd, "77", 2) == 2 && close(fd) == 0);
	if (merges)
		merges = prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) == 0;
	if (huge)
		huge = prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0) == 0;
	PROVE(huge || prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	PROVE(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	PROVE(prctl(PR_SET_KEEPCAPS, 1) == 0);
	named = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(named, "named");
	strcpy(shared, "shared");
	names = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named + PAGE, PAGE, "a name (of its own)") == 0
		&& prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, shared, 2 * PAGE, "shared name") == 0;
	unsigned long nodes = 1;
	PROVE(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64) == 0 || errno == ENOSYS);
	if (writes_exec)
		writes_exec = prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0;
}

static void look(void)
{
	int mode = 0, found = MPOL_BIND;
	PROVE(line_says("/proc/self/coredump_filter", "0000007b") && line_says("/proc/self/oom_score_adj", "77"));
	PROVE(!merges || prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1);
	PROVE(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == (huge ? 3 : 1));
	PROVE(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY && prctl(PR_GET_KEEPCAPS) == 1);
	PROVE(strcmp(named, "named") == 0 && strcmp(shared, "shared") == 0);
	PROVE(!names || (line_says("/proc/self/maps", "[anon:a name (of its own)]")
	                 && line_says("/proc/self/maps", "[anon_shmem:shared name]")));
	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0)
		PROVE(mode == found);
	PROVE(!writes_exec || (prctl(PR_GET_MDWE, 0, 0, 0, 0) == 1
	                       && mprotect(named, PAGE, PROT_READ | PROT_EXEC) == -1));
}

int main(int argc, char **argv)
{
	cpu_set_t set;
	pthread_t thread;
	(void)argv;
	merges = writes_exec = bypass = tsc = huge = argc > 1;
	PROVE(sched_getaffinity(0, sizeof set, &set) == 0);
	cpus = CPU_COUNT(&set);
	choose();
	PROVE(pthread_create(&thread, NULL, second, NULL) == 0);
	while (!there)
		usleep(1000);
	bind(0);
	PROVE(syscall(SYS_ioprio_set, 1, 0, BEST_EFFORT_6) == 0 && prctl(PR_SET_TIMERSLACK, 123456) == 0);
	struct attributes a = { .size = sizeof a, .policy = SCHED_OTHER, .nice = 2, .runtime = 6000000 };
	PROVE(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
	uint64_t slice = attributes().runtime;
	printf("%s%s%s%s%s", merges ? "" : "without merging\n", writes_exec ? "" : "without write or execute\n",
	       names ? "" : "without names\n", bypass ? "" : "without store bypass\n", huge ? "" : "without advice\n");
	ready();
	wait_for_go();

	look();
	a = attributes();
	PROVE(bound() == 0 && a.policy == SCHED_OTHER && a.nice == 2 && a.runtime == slice && a.flags == 0);
	PROVE(io_priority() == BEST_EFFORT_6 && prctl(PR_GET_TIMERSLACK) == 123456);
	PROVE(pthread_join(thread, NULL) == 0);
	return 0;
}
