// Freezing real trees: nobody moves, everybody goes on, whatever happens to us; and what is refused is named
// before anything is touched.
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "producer/proc.h"
#include "producer/tree.h"
#include "tests/suite.h"

static struct shared {
	volatile int ready;
	volatile int missing; // this kernel has no such thing
	volatile unsigned long beats; // of all who run
} *shared;

static int wake[2];

static void nap(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void beat(void)
{
	__atomic_add_fetch(&shared->beats, 1, __ATOMIC_SEQ_CST);
}

static pid_t start(void (*run)(void))
{
	shared->ready = shared->missing = 0;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	for (int i = 0; i < 5000 && shared->ready == 0; i++)
		nap(1);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool beats_within(long ms)
{
	unsigned long before = shared->beats;
	for (long i = 0; i < ms; i++) {
		nap(1);
		if (shared->beats != before)
			return true;
	}
	return false;
}

// A process that forks all the time; each child forks once more and ends.
static void forker(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	shared->ready = 1;
	for (;;) {
		beat();
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			beat();
			if (fork() == 0)
				beat();
			_exit(0);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			beat();
	}
}

static void *thread_maker(void *argument)
{
	pthread_t t;
	beat();
	if (argument == NULL)
		return NULL;
	for (;;)
		if (pthread_create(&t, NULL, thread_maker, NULL) == 0)
			pthread_join(t, NULL);
}

static void threads(void)
{
	pthread_t t;
	for (long i = 0; i < 4; i++)
		pthread_create(&t, NULL, thread_maker, shared);
	shared->ready = 1;
	for (;;)
		pause();
}

static void stands_and_goes_on(void (*run)(void))
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tree tree;
	pid_t pid = start(run);
	for (int i = 0; i < 20; i++) {
		nap(i);
		CU_ASSERT_FATAL(crimg_tree_freeze(pid, &tree, &err) == 0);
		nap(1); // a beat may have been under way on the other processor
		CU_ASSERT(!beats_within(5));
		CU_ASSERT_EQUAL(tree.tasks[0].pid, pid);
		crimg_tree_thaw(&tree, CRIMG_THAW_RUN);
		CU_ASSERT(beats_within(2000));
	}
	end(pid);
}

static void test_forks(void)
{
	stands_and_goes_on(forker);
}

static void test_threads(void)
{
	stands_and_goes_on(threads);
}

// Calls that the kernel never restarts, and which must not tell of us all the same. Each returns what it
// waits for.
static void in_epoll(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	int fd = epoll_create1(0);
	epoll_ctl(fd, EPOLL_CTL_ADD, wake[0], &e);
	shared->ready = 1;
	_exit(epoll_wait(fd, &e, 1, -1) == 1 ? 7 : 1);
}

static void in_sigtimedwait(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	shared->ready = 1;
	_exit(sigwaitinfo(&set, NULL) == SIGUSR1 ? 7 : 1);
}

static void on_alarm(int number)
{
	(void)number;
}

// A signal is told of, though.
static void in_epoll_until_alarm(void)
{
	struct epoll_event e;
	struct sigaction act = {.sa_handler = on_alarm};
	sigaction(SIGUSR1, &act, NULL);
	int fd = epoll_create1(0);
	shared->ready = 1;
	_exit(epoll_wait(fd, &e, 1, -1) == -1 && errno == EINTR ? 7 : 1);
}

static bool comes_to(pid_t pid, char state);

static void test_interruption(void)
{
	static const struct {
		void (*run)(void);
		bool by_pipe;
	} calls[] = {{in_epoll, true}, {in_sigtimedwait, false}, {in_epoll_until_alarm, false}};
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		struct crimg_tree tree;
		int status;
		CU_ASSERT_FATAL(pipe(wake) == 0);
		pid_t pid = start(calls[i].run);
		for (int n = 0; n < 5; n++) {
			CU_ASSERT(comes_to(pid, 'S'));
			CU_ASSERT_FATAL(crimg_tree_freeze(pid, &tree, &err) == 0);
			crimg_tree_thaw(&tree, CRIMG_THAW_RUN);
		}
		CU_ASSERT(comes_to(pid, 'S'));
		if (calls[i].by_pipe)
			CU_ASSERT(write(wake[1], "x", 1) == 1);
		if (!calls[i].by_pipe)
			kill(pid, SIGUSR1);
		CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 7);
		close(wake[0]);
		close(wake[1]);
	}
}

// Root, a child that is stopped, a zombie, and a grandchild.
static void family(void)
{
	pid_t stopped = fork();
	if (stopped == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	waitpid(stopped, NULL, WUNTRACED);
	if (fork() == 0)
		_exit(42);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			shared->ready = 1;
			for (;;)
				pause();
		}
		for (;;)
			pause();
	}
	siginfo_t info;
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	for (;;)
		pause();
}

static char state_of(pid_t pid)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	char state = 'X';
	if (crimg_proc_read(pid, "stat", &stat, &ignored) == 0)
		state = crimg_stat_state((const char *)stat.data);
	crimg_buf_fini(&stat);
	return state;
}

static bool comes_to(pid_t pid, char state)
{
	for (int i = 0; i < 2000 && state_of(pid) != state; i++)
		nap(1);
	return state_of(pid) == state;
}

static void test_family(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tree tree;
	pid_t pid = start(family), stopped = 0;
	unsigned zombies = 0;
	nap(20);
	CU_ASSERT_FATAL(crimg_tree_freeze(pid, &tree, &err) == 0);
	CU_ASSERT_EQUAL(tree.count, 5);
	for (size_t i = 0; i < tree.count; i++) {
		const struct crimg_live_task *t = &tree.tasks[i];
		CU_ASSERT(i == 0 || t->ppid == pid || t->ppid == tree.tasks[i - 1].pid);
		CU_ASSERT_EQUAL(t->pgid, getpgid(0));
		if (t->state == CRIMG_LIVE_ZOMBIE) {
			zombies++;
			CU_ASSERT_EQUAL(t->exit_code, 42 << 8);
			CU_ASSERT_EQUAL(t->count, 0);
		} else {
			CU_ASSERT_EQUAL(t->count, 1);
			CU_ASSERT_EQUAL(state_of(t->pid), 't');
		}
		if (t->state == CRIMG_LIVE_STOPPED) {
			stopped = t->pid;
			CU_ASSERT_EQUAL(t->stop_signal, SIGSTOP);
		}
	}
	CU_ASSERT_EQUAL(zombies, 1);
	crimg_tree_thaw(&tree, CRIMG_THAW_RUN);
	CU_ASSERT(comes_to(pid, 'S'));
	CU_ASSERT(stopped != 0 && comes_to(stopped, 'T'));
	CU_ASSERT_FATAL(crimg_tree_freeze(pid, &tree, &err) == 0);
	crimg_tree_thaw(&tree, CRIMG_THAW_STOP);
	CU_ASSERT(comes_to(pid, 'T'));
	CU_ASSERT_FATAL(crimg_tree_freeze(pid, &tree, &err) == 0);
	CU_ASSERT_EQUAL(tree.tasks[0].state, CRIMG_LIVE_STOPPED);
	crimg_tree_thaw(&tree, CRIMG_THAW_KILL);
	CU_ASSERT(waitpid(pid, NULL, 0) == pid || errno == ECHILD);
	CU_ASSERT(kill(stopped, 0) < 0 || comes_to(stopped, 'Z'));
}

// Whoever freezes and is killed leaves them running.
static void test_killed(void)
{
	pid_t pid = start(forker), tracer = fork();
	if (tracer == 0) {
		struct crimg_err err = CRIMG_ERR_INIT;
		struct crimg_tree tree;
		_exit(crimg_tree_freeze(pid, &tree, &err) == 0 ? kill(getpid(), SIGKILL) : 1);
	}
	int status;
	waitpid(tracer, &status, 0);
	CU_ASSERT(WIFSIGNALED(status));
	CU_ASSERT(beats_within(2000));
	end(pid);
}

// What is refused.

static void wait_forever(void)
{
	shared->ready = 1;
	for (;;)
		pause();
}

static void with_uring(void)
{
	struct io_uring_params p = {0};
	shared->missing = syscall(SYS_io_uring_setup, 4, &p) < 0;
	wait_forever();
}

static void with_perf(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE, .size = sizeof a};
	shared->missing = syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0;
	wait_forever();
}

static void with_userfaultfd(void)
{
	shared->missing = syscall(SYS_userfaultfd, 0) < 0;
	wait_forever();
}

static void with_aio(void)
{
	aio_context_t c = 0;
	syscall(SYS_io_setup, 8, &c);
	wait_forever();
}

static void with_device(void)
{
	shared->missing = open("/dev/tty0", O_RDONLY | O_NOCTTY) < 0 && open("/dev/kmsg", O_RDONLY) < 0
			  && open("/dev/fuse", O_RDONLY) < 0;
	wait_forever();
}

static void with_socket(void)
{
	shared->missing = socket(AF_VSOCK, SOCK_STREAM, 0) < 0;
	wait_forever();
}

static void with_fanotify(void)
{
	shared->missing = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) < 0;
	wait_forever();
}

static void with_sysv(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	if (shmat(id, NULL, 0) != NULL && shmctl(id, IPC_RMID, NULL) == 0)
		wait_forever();
}

static void with_namespace(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		wait_forever();
}

static void with_child_that_has_a_socket(void)
{
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		with_socket();
	}
	for (;;)
		pause();
}

static const struct refusal {
	void (*run)(void);
	const char *says;
} refusals[] = {
	{with_uring, "an io_uring"},
	{with_perf, "perf_event_open"},
	{with_userfaultfd, "a userfaultfd"},
	{with_aio, "asynchronous I/O"},
	{with_socket, "is a vsock socket"},
	{with_device, "is a device: /dev/"},
	{with_fanotify, "fanotify"},
	{with_sysv, "System V shared memory"},
	{with_namespace, "a namespace of its own: net"},
	{with_child_that_has_a_socket, "is a vsock socket"},
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		pid_t pid = start(refusals[i].run);
		CU_ASSERT_NOT_EQUAL(shared->ready, 0);
		if (shared->missing != 0) {
			printf("SKIPPED test_freeze: this kernel does not give %s\n", refusals[i].says);
			end(pid);
			continue;
		}
		CU_ASSERT_EQUAL(crimg_tree_refuse(pid, &err), -1);
		CU_ASSERT(err.code == CRIMG_E_UNSUPPORTED);
		if (strstr(err.text, refusals[i].says) == NULL)
			fprintf(stderr, "%s wanted, found: %s\n", refusals[i].says, err.text);
		CU_ASSERT(strstr(err.text, refusals[i].says) != NULL);
		end(pid);
	}
}

static bool refused(pid_t pid, enum crimg_code code, const char *says)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	bool good = crimg_tree_refuse(pid, &err) < 0 && err.code == code
		    && strstr(err.text, says) != NULL;
	if (!good)
		fprintf(stderr, "%s wanted, found: %s\n", says, err.text);
	return good;
}

static void test_refused_by_kind(void)
{
	pid_t pid = start(wait_forever);
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT(crimg_tree_refuse(pid, &err) == 0);
	CU_ASSERT(refused(4194304 + 7, CRIMG_E_NOTFOUND, "there is no process"));
	CU_ASSERT(refused(0, CRIMG_E_NOTFOUND, "there is no process 0"));
	CU_ASSERT(refused(2, CRIMG_E_UNSUPPORTED, "thread of the kernel"));
	CU_ASSERT(refused(getpid(), CRIMG_E_UNSUPPORTED, "holds crimg itself"));
	CU_ASSERT(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
	CU_ASSERT(refused(pid, CRIMG_E_UNSUPPORTED, "is traced already, by process"));
	end(pid);
	pid = start(wait_forever);
	pid_t other = fork();
	if (other == 0)
		_exit(setuid(65534) == 0
		      && refused(pid, CRIMG_E_UNSUPPORTED, "belongs to another user") ? 0 : 1);
	int status;
	waitpid(other, &status, 0);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	end(pid);
}

static int set_up(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{"a tree that forks all the time", test_forks},
		{"threads that make threads", test_threads},
		{"calls that never restart", test_interruption},
		{"stopped tasks, zombies, who is whose child", test_family},
		{"the one who freezes is killed", test_killed},
		{"what is refused, by what it holds", test_refused},
		{"what is refused, by what it is", test_refused_by_kind},
	};
	return SUITE_RUN("freeze", set_up, NULL, tests);
}
