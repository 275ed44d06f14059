// A process tree that can tell what it is: on SIGUSR2 it writes a statement of everything it can see of itself. Two
// statements that are equal, one before a checkpoint and one after a restart, say that nothing was lost.
//   witness STATEMENT     writes STATEMENT.1, STATEMENT.2, … ; prints "ready"
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>

enum { PAGES = 64, PAGE = 4096 };

static struct {
	unsigned char *private, *shared, *mapped, *memfd_map;
	int file, gone, pipe[2], fifo, pair[2], event, poll, memfd, master, slave;
	pid_t child;
	timer_t timer, by_signal;
	uint64_t vector[4]; // what the main thread holds in xmm15 and st(0) while it waits
	double top;
} w;

static uint64_t digest(const unsigned char *p, size_t n)
{
	uint64_t h = 14695981039346656037u;
	while (n-- > 0)
		h = (h ^ *p++) * 1099511628211u;
	return h;
}

static void check(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static void *sleeper(void *arg)
{
	struct timespec hour = { 3600, 0 };
	prctl(PR_SET_NAME, arg);
	for (;;)
		nanosleep(&hour, NULL);
	return NULL;
}

static void memory(void)
{
	w.private = mmap(NULL, PAGES * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < PAGES; i += 2) // runs of one page
		memset(w.private + i * PAGE, (int)i + 1, PAGE);
	w.shared = mmap(NULL, 4 * PAGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy((char *)w.shared + PAGE, "shared");
	w.memfd = memfd_create("witness", 0);
	check(ftruncate(w.memfd, 2 * PAGE) == 0, "ftruncate");
	w.memfd_map = mmap(NULL, 2 * PAGE, 3, MAP_SHARED, w.memfd, 0);
	strcpy((char *)w.memfd_map + PAGE, "memory file");
	w.mapped = mmap(NULL, 2 * PAGE, 3, MAP_PRIVATE, w.file, 0);
	strcpy((char *)w.mapped + PAGE, "changed privately");
}

static void files(void)
{
	w.file = open("witness.dat", O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0644);
	check(w.file >= 0 && ftruncate(w.file, 2 * PAGE) == 0, "witness.dat");
	check(lseek(w.file, 1234, SEEK_SET) == 1234, "lseek");
	check(pipe2(w.pipe, O_NONBLOCK) == 0 && write(w.pipe[1], "in flight", 9) == 9, "pipe");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, w.pair) == 0 && write(w.pair[0], "queued", 6) == 6,
	      "socketpair");
	w.event = eventfd(7, EFD_NONBLOCK);
	w.gone = open("witness.gone", O_CREAT | O_TRUNC | O_RDWR, 0600);
	check(w.gone >= 0 && write(w.gone, "deleted", 7) == 7 && unlink("witness.gone") == 0, "witness.gone");
	unlink("witness.fifo");
	check(mkfifo("witness.fifo", 0600) == 0, "mkfifo");
	w.fifo = open("witness.fifo", O_RDWR | O_NONBLOCK);
	check(w.fifo >= 0 && write(w.fifo, "first in", 8) == 8, "witness.fifo");
	w.master = posix_openpt(O_RDWR | O_NOCTTY);
	check(w.master >= 0 && grantpt(w.master) == 0 && unlockpt(w.master) == 0, "posix_openpt");
	w.slave = open(ptsname(w.master), O_RDWR | O_NOCTTY);
	check(w.slave >= 0, "ptsname");
	check(flock(w.file, LOCK_EX) == 0, "flock");
	w.poll = epoll_create1(0);
	struct epoll_event want = { .events = EPOLLIN, .data.u64 = 77 };
	check(epoll_ctl(w.poll, EPOLL_CTL_ADD, w.pair[1], &want) == 0, "epoll");
}

static void on_signal(int n)
{
	(void)n;
}

// Everything is allowed, but for one number that nobody uses.
static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), // the number of the call
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sysfs, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 99),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

static void limits(void)
{
	struct rlimit core = { 4096, 8192 };
	struct sched_param none = { 0 };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	check(setrlimit(RLIMIT_CORE, &core) == 0, "setrlimit");
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	check(sched_setscheduler(0, SCHED_BATCH, &none) == 0, "sched_setscheduler");
	check(setpriority(PRIO_PROCESS, 0, 3) == 0, "setpriority");
	check(prctl(PR_CAPBSET_DROP, 25, 0, 0, 0) == 0, "capabilities");
	check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "subreaper");
}

static void rest(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3,
		                      .sigev_value.sival_ptr = &w };
	struct itimerspec when = { { 60, 0 }, { 3600, 0 } };
	struct itimerval tick = { { 50, 0 }, { 3000, 0 } };
	struct rlimit files_limit = { 500, 1000 };
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;
	check(timer_create(CLOCK_MONOTONIC, &event, &w.timer) == 0
	      && timer_settime(w.timer, 0, &when, NULL) == 0, "timer");
	check(timer_create(CLOCK_REALTIME, &by_signal, &w.by_signal) == 0, "timer");
	check(setitimer(ITIMER_REAL, &tick, NULL) == 0, "setitimer");
	check(setrlimit(RLIMIT_NOFILE, &files_limit) == 0, "setrlimit");
	sigaddset(&act.sa_mask, SIGHUP);
	sigaction(SIGWINCH, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1); // pending
	fesetround(FE_TOWARDZERO);
	umask(027);
}

static void children(void)
{
	siginfo_t info;
	pthread_t t;
	if (fork() == 0)
		_exit(42);
	w.child = fork();
	if (w.child == 0) {
		close(w.event); // only one holder is left
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		for (;;)
			pause();
	}
	check(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0, "waitid");
	pthread_create(&t, NULL, sleeper, "worker-1");
	pthread_create(&t, NULL, sleeper, "worker-2");
}

static void tell_tasks(FILE *out)
{
	struct dirent *e;
	char path[300], line[256];
	DIR *dir = opendir("/proc/self/task");
	for (int n = 0; dir != NULL && (e = readdir(dir)) != NULL;) {
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
		FILE *f = e->d_name[0] != '.' ? fopen(path, "r") : NULL;
		if (f != NULL && fgets(line, sizeof line, f) != NULL)
			fprintf(out, "thread %d %s", ++n, line);
		if (f != NULL)
			fclose(f);
	}
	closedir(dir);
}

// Lines of a file that begin with one of the words; NULL: all, without what names of devices and inodes say.
static void tell_lines(FILE *out, const char *path, const char *const *words)
{
	char line[1024];
	FILE *f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (words == NULL && strstr(line, "[v") == NULL) {
			char range[64], rights[8], offset[24];
			if (sscanf(line, "%63s %7s %23s", range, rights, offset) == 3)
				fprintf(out, "area %s %s %s\n", range, rights, offset);
		}
		for (const char *const *p = words; p != NULL && *p != NULL; p++)
			if (strncmp(line, *p, strlen(*p)) == 0)
				fputs(line, out);
	}
	if (f != NULL)
		fclose(f);
}

static void tell_memory(FILE *out)
{
	fprintf(out, "private %llx shared %llx memfd %llx mapped %llx\n",
	        (unsigned long long)digest(w.private, PAGES * PAGE),
	        (unsigned long long)digest(w.shared, 4 * PAGE),
	        (unsigned long long)digest(w.memfd_map, 2 * PAGE),
	        (unsigned long long)digest(w.mapped, 2 * PAGE));
}

// How many locks this process holds.
static int locks(void)
{
	char line[256], pid[32];
	int count = 0;
	FILE *f = fopen("/proc/locks", "r");
	snprintf(pid, sizeof pid, " %d ", getpid());
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		count += strstr(line, pid) != NULL;
	if (f != NULL)
		fclose(f);
	return count;
}

static void tell_files(FILE *out)
{
	char queued[16] = "";
	int flight = -1;
	struct epoll_event event = { 0 };
	ioctl(w.pipe[0], FIONREAD, &flight);
	recv(w.pair[1], queued, sizeof queued - 1, MSG_PEEK | MSG_DONTWAIT);
	int ready = epoll_wait(w.poll, &event, 1, 0);
	fprintf(out, "file at %lld flags %o pipe %d flags %o queued %s epoll %d %llu cwd %s\n",
	        (long long)lseek(w.file, 0, SEEK_CUR), fcntl(w.file, F_GETFL), flight,
	        fcntl(w.pipe[0], F_GETFL), queued, ready, (unsigned long long)event.data.u64,
	        getcwd(NULL, 0));
	char gone[16] = "";
	int first = -1;
	uint64_t count = 0;
	struct stat st = { 0 };
	fstat(w.gone, &st);
	pread(w.gone, gone, sizeof gone - 1, 0);
	ioctl(w.fifo, FIONREAD, &first);
	fprintf(out, "gone %s links %d fifo %d terminal %d locks %d\n", gone, (int)st.st_nlink, first,
	        isatty(w.slave), locks());
	if (read(w.event, &count, sizeof count) == sizeof count)
		write(w.event, &count, sizeof count);
	fprintf(out, "event %llu\n", (unsigned long long)count);
	for (int fd = 0; fd < 32; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fprintf(out, "fd %d %d\n", fd, fcntl(fd, F_GETFD));
}

static void tell_rest(FILE *out)
{
	static const char *const words[] = { "Name:", "Umask:", "Pid:", "PPid:", "Uid:", "Gid:", "Groups:",
		                             "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:",
		                             "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:",
		                             "Seccomp:", NULL };
	struct itimerspec when = { { 0 } };
	struct itimerval tick = { { 0 } };
	struct rlimit limit;
	struct sigaction act;
	siginfo_t info = { 0 };
	timer_gettime(w.timer, &when);
	getitimer(ITIMER_REAL, &tick);
	stack_t stack;
	sigaltstack(NULL, &stack);
	int subreaper = 0;
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	sigaction(SIGWINCH, NULL, &act);
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG);
	fprintf(out, "timer every %ld, armed %d; itimer every %ld, armed %d; files %lu %lu\n",
	        (long)when.it_interval.tv_sec, when.it_value.tv_sec > 0, (long)tick.it_interval.tv_sec,
	        tick.it_value.tv_sec > 0, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	fprintf(out, "handler %d flags %x hup %d; zombie %d; child %d group %d; session %d group %d; "
	        "rounding %d nice %d\n", act.sa_handler == on_signal, (unsigned)act.sa_flags,
	        sigismember(&act.sa_mask, SIGHUP), info.si_status, kill(w.child, 0), getpgid(w.child),
	        getsid(0), getpgrp(), fegetround(), getpriority(PRIO_PROCESS, 0));
	fprintf(out, "policy %d; stack of signals %p %zu %d; sysfs %ld; subreaper %d\n",
	        sched_getscheduler(0), stack.ss_sp, stack.ss_size, stack.ss_flags, syscall(SYS_sysfs, 3) < 0 ? (long)errno : 0, subreaper);
	fprintf(out, "vector %llx %llx %llx %llx top %g\n", (unsigned long long)w.vector[0],
	        (unsigned long long)w.vector[1], (unsigned long long)w.vector[2],
	        (unsigned long long)w.vector[3], w.top);
	tell_lines(out, "/proc/self/status", words);
	unsigned char auxv[1024] = { 0 };
	int fd = open("/proc/self/auxv", O_RDONLY);
	ssize_t size = read(fd, auxv, sizeof auxv);
	close(fd);
	fprintf(out, "auxiliary vector %llx; dumpable %d\n", (unsigned long long)digest(auxv, (size_t)size),
	        prctl(PR_GET_DUMPABLE));
	tell_lines(out, "/proc/self/limits", (const char *const[]){ "", NULL });
	tell_lines(out, "/proc/self/timers", (const char *const[]){ "", NULL });
	tell_lines(out, "/proc/self/oom_score_adj", (const char *const[]){ "", NULL });
}

static void state(const char *base, int number)
{
	char name[512], final[512];
	snprintf(name, sizeof name, "%s.tmp", base);
	snprintf(final, sizeof final, "%s.%d", base, number);
	FILE *out = fopen(name, "w");
	check(out != NULL, name);
	tell_memory(out);
	tell_files(out);
	tell_tasks(out);
	tell_rest(out);
	tell_lines(out, "/proc/self/maps", NULL);
	fclose(out);
	check(rename(name, final) == 0, final);
}

// Waits for one of the signals, with values in registers that only a checkpoint could change. The freezer
// interrupts the wait.
#define WAIT(move, reg)                                                                             \
	__asm__ volatile("fldl %1\n\t" move " %0, %%" reg "\n1:\tmov $128, %%eax\n\tsyscall\n\t"        \
	                 "cmp $-4, %%rax\n\tje 1b\n\t" move " %%" reg ", %2\n\tfstpl %3"                \
	                 :                                                                          \
	                 : "m"(held), "m"(top), "m"(w.vector), "m"(w.top), "D"(set), "S"(0), "d"(0), \
	                   "r"(size)                                                                \
	                 : "rax", "rcx", "r11", "xmm15", "memory", "cc")

static void wait_for(const sigset_t *set)
{
	static const uint64_t held[4] = { 0x1122334455667788, 0x99aabbccddeeff00, 3, 4 };
	static const double top = 8.5;
	register long size __asm__("r10") = 8;
	if (__builtin_cpu_supports("avx"))
		WAIT("vmovdqu", "ymm15");
	else
		WAIT("movdqu", "xmm15");
}

int main(int argc, char **argv)
{
	sigset_t usr2;
	check(argc > 1, "a name for the statement");
	files();
	memory();
	limits();
	rest();
	filter();
	children();
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, NULL);
	state(argv[1], 0); // warm: heap and stdio as they will be
	puts("ready");
	fflush(stdout);
	for (int n = 1;; n++) {
		wait_for(&usr2);
		state(argv[1], n);
	}
}
