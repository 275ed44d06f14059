// Eight threads, each blocked in another system call, with names, masks, alternative stacks and signals
// pending of their own. When it may go on, each is woken by what it waits for, and by nothing else.
#include "prove.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>

enum { READ, POLL, SLEEP, FUTEX, SELECT, EPOLL, SIGWAIT, COND, THREADS };

static int ends[THREADS][2], epoll_fd, word;
static volatile int done[THREADS];
static pid_t tids[THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int released;
static __thread int own = 7;
static struct timespec began;

static double since(struct timespec t)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t.tv_sec) + (double)(now.tv_nsec - t.tv_nsec) / 1e9;
}

static void block(int which)
{
	char byte = 0;
	int fd = ends[which][0];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec left = { 1, 500 * 1000 * 1000 };
	struct epoll_event event = { .events = 0 };
	fd_set set;
	sigset_t signals;
	switch (which) {
	case READ:
		while (read(fd, &byte, 1) != 1)
			PROVE(errno == EINTR);
		PROVE(byte == 'x');
		break;
	case POLL:
		while (poll(&p, 1, -1) != 1)
			PROVE(errno == EINTR);
		break;
	case SLEEP:
		while (nanosleep(&left, &left) != 0)
			PROVE(errno == EINTR);
		break;
	case FUTEX:
		while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
			syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
		break;
	case SELECT:
		do {
			FD_ZERO(&set);
			FD_SET(fd, &set);
		} while (select(fd + 1, &set, NULL, NULL, NULL) != 1);
		break;
	case EPOLL:
		while (epoll_wait(epoll_fd, &event, 1, -1) != 1)
			PROVE(errno == EINTR);
		PROVE(event.data.u64 == 0x1122334455667788);
		break;
	case SIGWAIT:
		sigemptyset(&signals);
		sigaddset(&signals, SIGUSR2);
		while (sigwaitinfo(&signals, NULL) != SIGUSR2)
			PROVE(errno == EINTR);
		break;
	case COND:
		pthread_mutex_lock(&mutex);
		while (!released)
			pthread_cond_wait(&cond, &mutex);
		pthread_mutex_unlock(&mutex);
		break;
	}
}

static void *run(void *number)
{
	int which = (int)(long)number;
	char name[16], found[16];
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 }, old;
	sigset_t mask, now;
	siginfo_t info;
	tids[which] = (pid_t)syscall(SYS_gettid);
	snprintf(name, sizeof name, "blocked-%d", which);
	prctl(PR_SET_NAME, name);
	own = which;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMIN + which);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	sigaltstack(&stack, NULL);
	sigqueue(getpid(), SIGRTMIN + 20, (union sigval){ .sival_int = 1 }); // of the process: blocked in all
	union sigval value = { .sival_int = 1000 + which };
	pthread_sigqueue(pthread_self(), SIGRTMIN + which, value);
	__atomic_store_n(&done[which], 1, __ATOMIC_SEQ_CST);
	block(which);

	__atomic_store_n(&done[which], 2, __ATOMIC_SEQ_CST);
	prctl(PR_GET_NAME, found);
	PROVE(strcmp(found, name) == 0 && own == which);
	PROVE(tids[which] == (pid_t)syscall(SYS_gettid));
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	PROVE(sigismember(&now, SIGRTMIN + which) && !sigismember(&now, SIGRTMIN + (which + 1) % THREADS));
	sigaltstack(NULL, &old);
	PROVE(old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size && old.ss_flags == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + which);
	struct timespec zero = { 0, 0 };
	PROVE(sigtimedwait(&mask, &info, &zero) == SIGRTMIN + which);
	PROVE(info.si_value.sival_int == 1000 + which && info.si_code == SI_QUEUE);
	PROVE(sigtimedwait(&mask, &info, &zero) == -1);
	return number;
}

static void wake(int which)
{
	char byte = 'x';
	if (which == FUTEX) {
		__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
	} else if (which == SIGWAIT) {
		syscall(SYS_tgkill, getpid(), tids[which], SIGUSR2);
	} else if (which == COND) {
		pthread_mutex_lock(&mutex);
		released = 1;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
	} else if (which != SLEEP) {
		PROVE(write(ends[which][1], &byte, 1) == 1);
	}
}

int main(void)
{
	pthread_t threads[THREADS];
	sigset_t mask;
	siginfo_t info;
	void *result;
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 20);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	epoll_fd = epoll_create1(0);
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (int i = 0; i < THREADS; i++) {
		PROVE(pipe(ends[i]) == 0);
		if (i == EPOLL) {
			struct epoll_event event = { EPOLLIN, { .u64 = 0x1122334455667788 } };
			epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends[i][0], &event);
		}
		PROVE(pthread_create(&threads[i], NULL, run, (void *)(long)i) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		while (__atomic_load_n(&done[i], __ATOMIC_SEQ_CST) == 0)
			usleep(1000);
	usleep(100 * 1000);
	ready();
	wait_for_go();

	for (int i = 0; i < THREADS; i++)
		PROVE(i == SLEEP || __atomic_load_n(&done[i], __ATOMIC_SEQ_CST) == 1);
	for (int i = 0; i < THREADS; i++)
		wake(i);
	for (int i = 0; i < THREADS; i++)
		PROVE(pthread_join(threads[i], &result) == 0 && result == (void *)(long)i);
	PROVE(since(began) >= 1.4 && own == 7);
	struct timespec zero = { 0, 0 };
	for (int i = 0; i < THREADS; i++)
		PROVE(sigtimedwait(&mask, &info, &zero) == SIGRTMIN + 20 && info.si_value.sival_int == 1);
	PROVE(sigtimedwait(&mask, &info, &zero) == -1);
	return 0;
}
