// Threads that wait for a time of their own in every way there is, relative to when they began: however often they
// are caught meanwhile, and brought back, each waits for that long in all, as CLOCK_MONOTONIC counts, and not once
// more from the beginning.
//   naps [SECONDS [SLACK]]    how long, and how much longer it may take for having been caught
#include "prove.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

static double seconds = 3, slack = 1;
static int quiet[2], epoll_fd, asleep;
static const struct timespec *whole;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void in_poll(void)
{
	struct pollfd p = { .fd = quiet[0], .events = POLLIN };
	PROVE(poll(&p, 1, (int)(seconds * 1000)) == 0);
}

static void in_epoll(void)
{
	struct epoll_event event;
	PROVE(epoll_wait(epoll_fd, &event, 1, (int)(seconds * 1000)) == 0);
}

static void in_select(void)
{
	struct timeval t = { whole->tv_sec, whole->tv_nsec / 1000 };
	PROVE(select(0, NULL, NULL, NULL, &t) == 0);
}

static void in_nanosleep(void)
{
	PROVE(nanosleep(whole, NULL) == 0);
}

static void in_nanosleep_with_rest(void)
{
	struct timespec rest;
	PROVE(nanosleep(whole, &rest) == 0);
}

static void in_clock_nanosleep(void)
{
	PROVE(clock_nanosleep(CLOCK_MONOTONIC, 0, whole, NULL) == 0);
}

// As libraries make calls: with the number loaded right in front, which tells which one it was when the kernel has
// made a restart_syscall of it.
static void in_futex(void)
{
	static int word;
	register const void *limit __asm__("r10") = whole;
	long result;
	__asm__ volatile("mov $202, %%eax\n\tsyscall" : "=a"(result)
	                 : "D"(&word), "S"(FUTEX_WAIT_PRIVATE), "d"(0), "r"(limit) : "rcx", "r11", "memory");
	PROVE(result == -ETIMEDOUT);
}

static void in_condition(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	pthread_condattr_t attr;
	struct timespec end;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cond, &attr);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += whole->tv_sec;
	pthread_mutex_lock(&mutex);
	while (pthread_cond_timedwait(&cond, &mutex, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&mutex);
}

static void (*const ways[])(void) = {
	in_poll, in_epoll, in_select, in_nanosleep, in_nanosleep_with_rest, in_clock_nanosleep, in_futex,
	in_condition,
};

#define WAYS (sizeof ways / sizeof ways[0])

static double took[WAYS];

static void *run(void *number)
{
	size_t which = (size_t)number;
	double from = now();
	__atomic_add_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
	ways[which]();
	took[which] = now() - from;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[WAYS];
	seconds = argc > 1 ? atof(argv[1]) : seconds;
	slack = argc > 2 ? atof(argv[2]) : slack;
	struct timespec t = { (time_t)seconds, 0 };
	whole = &t;
	PROVE(pipe(quiet) == 0 && (epoll_fd = epoll_create1(0)) >= 0);
	for (size_t i = 0; i < WAYS; i++)
		PROVE(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	while (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) < (int)WAYS)
		usleep(1000);
	usleep(50 * 1000);
	ready();
	wait_for_go();
	for (size_t i = 0; i < WAYS; i++)
		PROVE(pthread_join(threads[i], NULL) == 0);
	for (size_t i = 0; i < WAYS; i++) {
		printf("%.3f ", took[i]);
		fflush(stdout);
		PROVE(took[i] >= seconds - 0.01 && took[i] <= seconds + slack);
	}
	return 0;
}
