// Keeps the addresses of what the vDSO offers, in the C library and on its own, and asks all of
// them for the time after a restart, in a child too. The file "go" says what it will find:
// "bridged", that each begins with a jump; and then the offset of a function that is not to be had,
// in hex.
#include "prove.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static int (*clock_of)(clockid_t, struct timespec *);
static int (*day_of)(struct timeval *, void *);
static time_t (*time_of)(time_t *);
static long (*cpu_of)(unsigned *, unsigned *, void *);

static int64_t ns(struct timespec t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void prove_clock(clockid_t id)
{
	struct timespec before, own, library, after;
	PROVE(syscall(SYS_clock_gettime, id, &before) == 0);
	PROVE(clock_of(id, &own) == 0 && clock_gettime(id, &library) == 0);
	PROVE(syscall(SYS_clock_gettime, id, &after) == 0);
	PROVE(ns(before) <= ns(own) && ns(own) <= ns(library) && ns(library) <= ns(after));
}

static void prove_rest(void)
{
	struct timespec before, after;
	struct timeval day, library;
	unsigned cpu = 0, found = 0, node = 0, own_node = 0;
	cpu_set_t one;
	PROVE(clock_gettime(CLOCK_REALTIME, &before) == 0);
	PROVE(day_of(&day, NULL) == 0 && gettimeofday(&library, NULL) == 0);
	PROVE(clock_gettime(CLOCK_REALTIME, &after) == 0);
	PROVE(ns(before) / 1000 <= day.tv_sec * INT64_C(1000000) + day.tv_usec);
	PROVE(library.tv_sec * INT64_C(1000000) + library.tv_usec <= ns(after) / 1000);
	time_t seconds = time_of(NULL), same = time(NULL);
	PROVE(seconds >= before.tv_sec - 1 && seconds <= after.tv_sec + 1 && same - seconds <= 1);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	PROVE(sched_setaffinity(0, sizeof one, &one) == 0);
	PROVE(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu_of(&found, &own_node, NULL) == 0);
	PROVE(cpu == found && node == own_node);
}

static void prove_entries(uint64_t base)
{
	char word[16] = "";
	unsigned long gone = 0;
	FILE *f = fopen("go", "r");
	PROVE(f != NULL);
	if (fscanf(f, "%15s %lx", word, &gone) >= 1 && strcmp(word, "bridged") == 0) {
		const void *entries[] = { (void *)clock_of, (void *)day_of, (void *)time_of, (void *)cpu_of };
		for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
			const uint8_t *code = entries[i];
			PROVE((uint64_t)code - base < 16384);
			PROVE((code[0] == 0x48 && code[1] == 0xb8) || code[0] == 0xe9);
		}
	}
	PROVE(gone == 0 || ((long (*)(void))(base + gone))() == -ENOSYS);
	fclose(f);
}

int main(void)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	int status = 0;
	PROVE(base != 0 && vdso != NULL);
	clock_of = dlsym(vdso, "__vdso_clock_gettime");
	day_of = dlsym(vdso, "__vdso_gettimeofday");
	time_of = dlsym(vdso, "__vdso_time");
	cpu_of = dlsym(vdso, "__vdso_getcpu");
	PROVE(clock_of != NULL && day_of != NULL && time_of != NULL && cpu_of != NULL);
	pid_t child = fork();
	PROVE(child >= 0);
	if (child > 0)
		ready();
	wait_for_go();
	prove_clock(CLOCK_REALTIME);
	prove_clock(CLOCK_MONOTONIC);
	prove_rest();
	prove_entries(base);
	PROVE(child == 0 || (waitpid(child, &status, 0) == child && status == 0));
	return 0;
}
