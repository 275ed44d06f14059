// A process with something of everything that an image can hold: threads, children, a zombie, pipes with
// bytes in flight, sockets, deleted and sparse files, timers, signals pending, shared and zero memory.
// Sleeps when it is ready (and says so on standard output).
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleeper(void *name)
{
	pthread_setname_np(pthread_self(), name);
	while (pause() < 0)
		;
	return NULL;
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		perror("write");
}

static void files(void)
{
	int fd = open("gone.tmp", O_CREAT | O_RDWR, 0640);
	put(fd, "deleted but open");
	unlink("gone.tmp");
	fd = open("sparse.tmp", O_CREAT | O_RDWR, 0600);
	put(fd, "start");
	lseek(fd, 1 << 20, SEEK_SET);
	put(fd, "end");
	unlink("sparse.tmp");
	fd = open("log.txt", O_CREAT | O_WRONLY | O_APPEND, 0644);
	put(fd, "a line\n");
	int pipes[2], pair[2];
	if (pipe2(pipes, O_NONBLOCK) == 0)
		put(pipes[1], "bytes in flight");
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) {
		put(pair[0], "datagram one");
		put(pair[0], "datagram two");
	}
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(s, (struct sockaddr *)&a, sizeof a) == 0)
		listen(s, 7);
}

static void events(void)
{
	int e = epoll_create1(0), c = eventfd(7, EFD_NONBLOCK);
	struct epoll_event want = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334455667788 };
	epoll_ctl(e, EPOLL_CTL_ADD, c, &want);
	int t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec when = { .it_value.tv_sec = 3600, .it_interval.tv_nsec = 500 };
	timerfd_settime(t, 0, &when, NULL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signalfd(-1, &set, 0);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 77 });
	struct itimerval tick = { .it_value.tv_sec = 3000 };
	setitimer(ITIMER_REAL, &tick, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void memory(size_t mib)
{
	char *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < mib << 20; i += 4096)
		if (i / 4096 % 3 != 0)
			memset(p + i, i / 4096 % 3 == 1 ? (int)(i >> 12) : 0, 4096);
	char *shared = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(shared + 2 * 4096, "shared page");
	int m = memfd_create("crimg-memfd", 0);
	if (ftruncate(m, 3 * 4096) == 0)
		put(m, "memfd text");
}

int main(int argc, char **argv)
{
	pthread_t t;
	files();
	events();
	memory(argc > 1 ? (size_t)atoi(argv[1]) : 4);
	if (fork() == 0)
		_exit(42);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); // nothing of the zoo outlives its keeper
		setpgid(0, 0);
		for (;;)
			pause();
	}
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, sleeper, (char *[]){ "one", "two", "three" }[i]);
	siginfo_t info;
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
