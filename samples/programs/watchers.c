// Descriptors that watch: files and a directory by inotify, with a gap in the numbers of the watches; and processes by
// pidfd: oneself, a child (which has that descriptor, too), a zombie, and one that is gone, twice. "lost": events wait
// unread, which no image holds: the descriptor must say so. "plain": no watch that ends by itself, which CRIU forgets.
#include "prove.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	PROVE(fd >= 0);
	return fd;
}

static int signal_by(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static void touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	PROVE(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void expect(int fd, int wd, uint32_t mask, const char *name)
{
	char room[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(8)));
	struct inotify_event *e = (struct inotify_event *)room;
	size_t size = sizeof *e + (name[0] != '\0' ? 16 : 0);
	PROVE(read(fd, room, size) == (ssize_t)size);
	if (e->wd != wd || (e->mask & mask) == 0)
		fprintf(stderr, "watch %d, mask %x, %s\n", e->wd, e->mask, e->len > 0 ? e->name : "");
	PROVE(e->wd == wd && (e->mask & mask) != 0 && strcmp(e->len > 0 ? e->name : "", name) == 0);
}

static int waits(int fd)
{
	int n = -1;
	PROVE(ioctl(fd, FIONREAD, &n) == 0);
	return n;
}

int main(int argc, char **argv)
{
	int lost = argc > 1 && strcmp(argv[1], "lost") == 0;
	int plain = argc > 1 && strcmp(argv[1], "plain") == 0, watch = inotify_init1(IN_NONBLOCK), status;
	touch("watched");
	touch("once");
	PROVE(mkdir("folder", 0700) == 0);
	int first = inotify_add_watch(watch, "watched", IN_MODIFY);
	int gap = inotify_add_watch(watch, "/", IN_DELETE_SELF);
	int folder = inotify_add_watch(watch, "folder", IN_CREATE | IN_EXCL_UNLINK);
	int once = inotify_add_watch(watch, "once", plain ? IN_OPEN : IN_ALL_EVENTS | IN_ONESHOT);
	PROVE(first > 0 && gap > first && folder > gap && once > folder && inotify_rm_watch(watch, gap) == 0);
	expect(watch, gap, IN_IGNORED, "");
	if (lost)
		touch("watched");

	pid_t gone = fork(), zombie, child;
	if (gone == 0)
		_exit(0);
	int of_gone = pidfd_of(gone), also_gone = pidfd_of(gone);
	PROVE(waitpid(gone, NULL, 0) == gone);
	if ((zombie = fork()) == 0)
		_exit(3);
	int of_zombie = pidfd_of(zombie), of_self = pidfd_of(getpid()), of_parent = pidfd_of(getpid());
	if ((child = fork()) == 0) {
		wait_for_go();
		PROVE(signal_by(of_parent, 0) == 0 && signal_by(of_gone, 0) < 0);
		touch("child");
		for (;;)
			pause();
	}
	int of_child = pidfd_of(child);
	siginfo_t info;
	PROVE(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) == 0);
	usleep(20000);
	ready();
	wait_for_go();

	if (lost)
		expect(watch, -1, IN_Q_OVERFLOW, "");
	PROVE(waits(watch) == 0);
	touch("watched");
	expect(watch, first, IN_MODIFY, "");
	touch("folder/new");
	expect(watch, folder, IN_CREATE, "new");
	touch("once");
	expect(watch, once, IN_OPEN, "");
	if (!plain) {
		expect(watch, once, IN_IGNORED, "");
		touch("once");
	}
	PROVE(waits(watch) == 0);
	PROVE((fcntl(watch, F_GETFL) & O_NONBLOCK) != 0);

	struct stat a, b;
	PROVE(fstat(of_gone, &a) == 0 && fstat(also_gone, &b) == 0 && a.st_ino == b.st_ino);
	PROVE(signal_by(of_gone, 0) < 0 && errno == ESRCH);
	PROVE(waitid(P_PIDFD, (id_t)of_zombie, &info, WEXITED) == 0 && info.si_pid == zombie && info.si_status == 3);
	PROVE(signal_by(of_self, 0) == 0);
	while (access("child", F_OK) != 0)
		usleep(1000);
	struct pollfd p = { .fd = of_child, .events = POLLIN };
	PROVE(poll(&p, 1, 0) == 0 && signal_by(of_child, SIGKILL) == 0 && poll(&p, 1, 10000) == 1);
	PROVE(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	return 0;
}
