// System calls that carry numbers, each thread its own call: who records them sees whether one was lost, made twice, or
// answered twice. seek: lseek(fd, n); write, read: a packet of n % 512 + 1 bytes through a pipe; poll: a limit of
// 8 + n % 8 ms; epoll: n % 64 + 1 events; futex: the value n; nap: nothing but a time.
#include "prove.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define PACKET 512u

static volatile int over, ended;
static int packets[2], quiet[2], epoll_fd, file;

static void seek(uint32_t n)
{
	PROVE(lseek(file, (off_t)n, SEEK_SET) == (off_t)n);
	if (n % 16 == 0)
		usleep(500);
}

static void put(uint32_t n)
{
	static char packet[PACKET];
	size_t length = n % PACKET + 1;
	PROVE(write(packets[1], packet, length) == (ssize_t)length);
	if (n % 16 == 0)
		usleep(500);
}

static void take(uint32_t n)
{
	char packet[PACKET];
	ssize_t length = read(packets[0], packet, PACKET);
	PROVE(length == (ssize_t)(n % PACKET + 1) || length == 0);
	ended = length == 0;
}

static void wait_in_poll(uint32_t n)
{
	struct pollfd p = { .fd = quiet[0], .events = POLLIN };
	PROVE(poll(&p, 1, (int)(8 + n % 8)) == 0);
}

static void wait_in_epoll(uint32_t n)
{
	struct epoll_event events[64];
	PROVE(epoll_wait(epoll_fd, events, (int)(n % 64 + 1), 7) == 0);
}

static void wait_in_futex(uint32_t n)
{
	static volatile uint32_t word;
	struct timespec t = { 0, 9000000 };
	word = n;
	PROVE(syscall(SYS_futex, &word, FUTEX_WAIT, n, &t, NULL, 0) == -1 && errno == ETIMEDOUT);
}

static void nap(uint32_t n)
{
	(void)n;
	struct timespec t = { 0, 5000000 }, left;
	PROVE(nanosleep(&t, &left) == 0);
}

static void (*const turns[])(uint32_t) = {
	seek, put, take, wait_in_poll, wait_in_epoll, wait_in_futex, nap,
};

#define TURNS (sizeof turns / sizeof turns[0])

static void *run(void *number)
{
	size_t which = (size_t)(uintptr_t)number;
	for (uint32_t n = 0; turns[which] == take ? !ended : !over; n++)
		turns[which](n);
	if (turns[which] == put)
		close(packets[1]);
	return NULL;
}

int main(void)
{
	pthread_t threads[TURNS];
	file = open("seek", O_RDWR | O_CREAT, 0600);
	PROVE(file >= 0 && pipe2(packets, O_DIRECT) == 0 && pipe(quiet) == 0 && (epoll_fd = epoll_create1(0)) >= 0);
	struct epoll_event event = { .events = EPOLLIN };
	PROVE(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, quiet[0], &event) == 0);
	for (uintptr_t i = 0; i < TURNS; i++)
		PROVE(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	ready();
	wait_for_go();
	over = 1;
	for (size_t i = 0; i < TURNS; i++)
		PROVE(pthread_join(threads[i], NULL) == 0);
	return 0;
}
