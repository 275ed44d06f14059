// Has one thing that no image holds, named by its argument, says "ready" and waits; "skip" where this kernel does not
// give it.
#include "prove.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int uring(void)
{
	struct io_uring_params p = { 0 };
	return (int)syscall(SYS_io_uring_setup, 4, &p);
}

static int perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof a,
		                     .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1 };
	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static int fault(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
}

static int aio(void)
{
	aio_context_t context = 0;
	return (int)syscall(SYS_io_setup, 16, &context);
}

static int traced(void)
{
	static pid_t parent;
	parent = getpid();
	if (fork() == 0) { // the child traces, and ends with its parent
		if (ptrace(PTRACE_SEIZE, parent, NULL, PTRACE_O_EXITKILL) != 0)
			_exit(1);
		for (int status;;)
			if (waitpid(parent, &status, __WALL) == parent && !WIFSTOPPED(status))
				_exit(0);
			else
				ptrace(PTRACE_CONT, parent, NULL, 0);
	}
	for (int i = 0; i < 100; i++) {
		char line[256];
		FILE *f = fopen("/proc/self/status", "r");
		int tracer = 0;
		while (fgets(line, sizeof line, f) != NULL)
			sscanf(line, "TracerPid: %d", &tracer);
		fclose(f);
		if (tracer != 0)
			return 0;
		usleep(10000);
	}
	return -1;
}

static int shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	void *p = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;
	shmctl(id, IPC_RMID, NULL);
	return p == (void *)-1 ? -1 : 0;
}

static int huge(void)
{
	return mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0)
		== MAP_FAILED ? -1 : 0;
}

static int in_vfork(void)
{
	ready(); // it does not come back
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return 0;
}

static int machine_socket(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

// Somebody who is no descendant has the other end.
static int outside(void)
{
	int ends[2], status;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		if (fork() == 0)
			for (close(ends[0]);;)
				pause();
		_exit(0);
	}
	close(ends[1]);
	return waitpid(child, &status, 0) == child ? 0 : -1;
}

static int urgent(void)
{
	int ends[2];
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && send(ends[0], "now", 3, MSG_OOB) == 3 ? 0 : -1;
}

static int connect_to(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strcpy(a.sun_path + 1, name);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 1) != 0)
		return -1;
	return connect(client, (struct sockaddr *)&a, sizeof a) == 0 ? client : -1;
}

// Sent into a connection that nobody accepts.
static int unseen(void)
{
	int client = connect_to("crimg refused unseen");
	return client >= 0 && write(client, "x", 1) == 1 ? 0 : -1;
}

static int gone(void)
{
	return close(connect_to("crimg refused gone"));
}

// Its name was removed, and began in a directory that its process has left.
static int astray(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "../astray" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return mkdir("astray.d", 0700) == 0 && chdir("astray.d") == 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0
			&& chdir("..") == 0 && unlink("astray") == 0 && rmdir("astray.d") == 0 ? 0 : -1;
}

static int fanotify(void)
{
	return fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
}

static int pid(void)
{
	return (int)syscall(SYS_pidfd_open, getppid(), 0);
}

static int semaphore(void)
{
	return eventfd(3, EFD_SEMAPHORE);
}

static int net(void)
{
	return unshare(CLONE_NEWNET);
}

static int kernel_memory(void)
{
	return open("/dev/kmsg", O_RDONLY);
}

static int renamed(void)
{
	int fd = open("first name", O_RDWR | O_CREAT, 0600);
	return fd < 0 || link("first name", "other name") != 0 || unlink("first name") != 0 ? -1 : 0;
}

static int dispatch(void)
{
	static char switched; // SYSCALL_DISPATCH_FILTER_ALLOW
	return prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, 0, 0, &switched);
}

static const struct {
	const char *name;
	int (*make)(void);
} things[] = {
	{ "io_uring", uring },         { "perf", perf },       { "userfaultfd", fault },
	{ "aio", aio },                { "traced", traced },   { "shm", shared_memory },
	{ "hugetlb", huge },           { "vfork", in_vfork },   { "socket", machine_socket },
	{ "fanotify", fanotify }, { "pidfd", pid },
	{ "semaphore", semaphore },    { "net", net },         { "device", kernel_memory },
	{ "renamed", renamed },       { "outside", outside },   { "urgent", urgent },
	{ "unseen", unseen },         { "gone", gone },         { "astray", astray },
	{ "dispatch", dispatch },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof things / sizeof things[0]; i++)
		if (strcmp(things[i].name, argv[1]) == 0 && things[i].make() < 0)
			puts("skip");
	ready();
	for (;;)
		pause();
}
