// Makes system calls that wait, each in a thread of its own, over and over, and counts what they answer: while it
// is caught and let go again, no call may answer twice, none may get lost, none may say EINTR, and none may come
// back before its time. What goes through a pipe and into a file carries numbers, each of which must be there once.
#include "prove.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define WAIT_MS 20

static volatile int over;
static int numbers[2], quiet[2], epoll_fd, log_fd;
static uint64_t written, answered;

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void write_numbers(void)
{
	for (; !over; written++) {
		char line[32];
		int n = snprintf(line, sizeof line, "%llu\n", (unsigned long long)written);
		PROVE(write(numbers[1], &written, sizeof written) == sizeof written);
		PROVE(write(log_fd, line, (size_t)n) == n);
		if (written % 8 == 0)
			usleep(1000);
	}
	close(numbers[1]);
}

static void read_numbers(void)
{
	uint64_t number, next = 0;
	for (ssize_t n; (n = read(numbers[0], &number, sizeof number)) != 0; next++)
		PROVE(n == sizeof number && number == next);
}

// A child answers each number with its square; it ends when nobody asks any more.
static void ask(void)
{
	int there[2], back[2], status;
	PROVE(pipe(there) == 0 && pipe(back) == 0);
	pid_t child = fork();
	if (child == 0) {
		uint64_t n;
		close(there[1]);
		while (read(there[0], &n, sizeof n) == sizeof n) {
			n *= n;
			PROVE(write(back[1], &n, sizeof n) == sizeof n);
		}
		_exit(0);
	}
	close(there[0]);
	for (; !over; answered++) {
		uint64_t n = answered;
		PROVE(write(there[1], &n, sizeof n) == sizeof n);
		PROVE(read(back[0], &n, sizeof n) == sizeof n && n == answered * answered);
		if (answered % 16 == 0)
			usleep(500);
	}
	close(there[1]);
	PROVE(waitpid(child, &status, 0) == child && status == 0);
}

static void wait_in_poll(void)
{
	struct pollfd p = { .fd = quiet[0], .events = POLLIN };
	PROVE(poll(&p, 1, WAIT_MS) == 0);
}

static void wait_in_select(void)
{
	fd_set set;
	struct timeval t = { 0, WAIT_MS * 1000 };
	FD_ZERO(&set);
	FD_SET(quiet[0], &set);
	PROVE(select(quiet[0] + 1, &set, NULL, NULL, &t) == 0);
}

static void wait_in_epoll(void)
{
	struct epoll_event event;
	PROVE(epoll_wait(epoll_fd, &event, 1, WAIT_MS) == 0);
}

static void wait_in_futex(void)
{
	static int word;
	struct timespec t = { 0, WAIT_MS * 1000000 };
	PROVE(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0) == -1 && errno == ETIMEDOUT);
}

static void wait_in_nanosleep(void)
{
	struct timespec t = { 0, WAIT_MS * 1000000 }, left;
	PROVE(nanosleep(&t, &left) == 0);
}

static void wait_for_signal(void)
{
	struct timespec t = { 0, WAIT_MS * 1000000 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	PROVE(sigtimedwait(&set, NULL, &t) == -1 && errno == EAGAIN);
}

static void (*const waits[])(void) = {
	wait_in_poll, wait_in_select, wait_in_epoll, wait_in_futex, wait_in_nanosleep, wait_for_signal,
};

#define WAITS (sizeof waits / sizeof waits[0])

static uint64_t longest[WAITS];

static void wait_often(size_t which)
{
	while (!over) {
		uint64_t from = now_us();
		waits[which]();
		uint64_t took = now_us() - from;
		PROVE(took + 1000 >= WAIT_MS * 1000);
		longest[which] = took > longest[which] ? took : longest[which];
	}
}

static void *run(void *number)
{
	size_t which = (size_t)(uintptr_t)number;
	void (*const others[])(void) = { write_numbers, read_numbers, ask };
	if (which < WAITS)
		wait_often(which);
	else
		others[which - WAITS]();
	return NULL;
}

static void check_log(void)
{
	unsigned long long number;
	uint64_t next = 0;
	FILE *f = fopen("log", "r");
	PROVE(f != NULL);
	for (; fscanf(f, "%llu", &number) == 1; next++)
		PROVE(number == next);
	PROVE(next == written && fclose(f) == 0);
}

int main(void)
{
	pthread_t threads[WAITS + 3];
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	log_fd = open("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	PROVE(log_fd >= 0 && pipe(numbers) == 0 && pipe(quiet) == 0 && (epoll_fd = epoll_create1(0)) >= 0);
	struct epoll_event event = { .events = EPOLLIN };
	PROVE(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, quiet[0], &event) == 0);
	for (uintptr_t i = 0; i < WAITS + 3; i++)
		PROVE(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	ready();
	wait_for_go();
	over = 1;
	for (size_t i = 0; i < WAITS + 3; i++)
		PROVE(pthread_join(threads[i], NULL) == 0);
	PROVE(written > 0 && answered > 0);
	check_log();
	for (size_t i = 0; i < WAITS; i++) // for whoever wants to know how long calls took
		printf("%llu ", (unsigned long long)longest[i]);
	return 0;
}
