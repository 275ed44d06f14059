/* threads8.c - eight threads, each at rest (or spinning) in another place, several named functions
   deep; the main thread sleeps in a signal handler. For tests of backtraces. Says "ready" once all
   are there, and waits to be killed. All wait in loops: debuggers interrupt system calls.
   cc -O2 -g -fomit-frame-pointer -pthread threads8.c -o threads8 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Own frames in optimised code too; what follows each call keeps it from becoming a jump. */
#define DEEP static __attribute__((noinline, noclone))
static volatile int after;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t empty;
static int pipe_ends[2], epoll_fd;
static volatile unsigned spins;

DEEP void futex_leaf(void)
{
	pthread_mutex_lock(&mutex);
	while (after >= 0)
		pthread_cond_wait(&never, &mutex);
	pthread_mutex_unlock(&mutex);
}

DEEP void read_leaf(void)
{
	char byte;
	while (after >= 0)
		after += (int)read(pipe_ends[0], &byte, 1) > 0;
}

DEEP void sleep_leaf(void)
{
	const struct timespec time = { 3600, 0 };
	while (after >= 0)
		after += nanosleep(&time, NULL) > 0;
}

DEEP void poll_leaf(void)
{
	struct pollfd p = { .fd = pipe_ends[0], .events = POLLIN };
	while (after >= 0)
		after += poll(&p, 1, -1) > 0;
}

DEEP void spin_leaf(void)
{
	while (after >= 0)
		spins = spins + 1;
}

DEEP void sem_leaf(void)
{
	while (after >= 0)
		after += sem_wait(&empty) > 0;
}

DEEP void epoll_leaf(void)
{
	struct epoll_event event;
	while (after >= 0)
		after += epoll_wait(epoll_fd, &event, 1, -1) > 0;
}

DEEP void sigwait_leaf(void)
{
	const struct timespec time = { 3600, 0 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	while (after >= 0)
		after += sigtimedwait(&set, NULL, &time) == 0;
}

DEEP void handler_leaf(int signal)
{
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (after >= 0)
		after += sleep(3600) == (unsigned)signal;
}

static void on_signal(int signal)
{
	handler_leaf(signal);
	after++;
}

DEEP void raise_leaf(void)
{
	raise(SIGUSR2);
	after++;
}

#define CHAIN(name)                                                                                  \
	DEEP void name##_inner(long depth)                                                           \
	{                                                                                            \
		if (depth > 0)                                                                       \
			name##_inner(depth - 1);                                                     \
		else                                                                                 \
			name##_leaf();                                                               \
		after++;                                                                             \
	}                                                                                            \
	DEEP int name##_outer(const char *why)                                                       \
	{                                                                                            \
		volatile char room[4000];                                                            \
		room[1] = why[0];                                                                    \
		name##_inner(2);                                                                     \
		return after + room[1];                                                              \
	}                                                                                            \
	static void *name##_thread(void *arg)                                                        \
	{                                                                                            \
		prctl(PR_SET_NAME, arg);                                                             \
		after += name##_outer(arg);                                                          \
		return NULL;                                                                         \
	}

CHAIN(futex)
CHAIN(read)
CHAIN(sleep)
CHAIN(poll)
CHAIN(spin)
CHAIN(sem)
CHAIN(epoll)
CHAIN(sigwait)
CHAIN(raise)

static void begin(void *(*run)(void *), const char *name)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, (void *)name) != 0)
		abort();
}

int main(void)
{
	static char name[] = "t-main";
	if (pipe(pipe_ends) != 0 || (epoll_fd = epoll_create1(0)) < 0)
		return 1;
	sem_init(&empty, 0, 0);
	signal(SIGUSR2, on_signal);
	begin(futex_thread, "t-futex");
	begin(read_thread, "t-read");
	begin(sleep_thread, "t-sleep");
	begin(poll_thread, "t-poll");
	begin(spin_thread, "t-spin");
	begin(sem_thread, "t-sem");
	begin(epoll_thread, "t-epoll");
	begin(sigwait_thread, "t-sigwait");
	usleep(200 * 1000);
	raise_thread(name);
	return 0;
}
