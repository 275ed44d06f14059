// The guard: a child that ends repair mode of the connection that is being read, if its creator dies meanwhile.
#include "producer/connections_guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/tcp_repair.h"

enum { HOLD = 'H', DONE = 'D', PARK = 'P', UNPARK = 'U', KEEP = 'K', UNKEEP = 'L', GO = 'G' };

#define DYING_MS 1000 // that a root, which is to die with our creator, has for it

struct message {
	char what;
	int value; // SO_REUSEADDR; a process
};

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int descriptor_of(struct msghdr *m)
{
	int fd = -1;
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

static void put_back(int fd, int reuse)
{
	if (fd < 0)
		return;
	(void)crimg_tcp_repair_off(fd);
	crimg_tcp_set_reuse(fd, reuse);
	close(fd);
}

struct guard {
	int held, reuse;
	pid_t *parked;
	size_t count;
	int *kept; // of a tree that is to end; as long as we have them, they are not closed
	size_t kept_count;
	pid_t root;
};

static void unkeep(struct guard *g)
{
	for (size_t i = 0; i < g->kept_count; i++)
		close(g->kept[i]);
	g->kept_count = 0;
}

static void keep(struct guard *g, int fd, pid_t root)
{
	int *grown = fd < 0 ? NULL : reallocarray(g->kept, g->kept_count + 1, sizeof *grown);
	if (grown == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	g->kept = grown;
	grown[g->kept_count++] = fd;
	g->root = root;
}

static bool has_ended(pid_t pid)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	return p.fd < 0 || poll(&p, 1, DYING_MS) == 1;
}

// Its creator died while it ended the tree. If that has ended, too, nobody is to hear of it.
static void silence(struct guard *g)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	bool ended = g->kept_count > 0 && has_ended(g->root);
	for (size_t i = 0; ended && i < g->kept_count; i++)
		if (crimg_tcp_repair_on(g->kept[i], NULL, &ignored) < 0)
			ignored.code = CRIMG_OK;
	unkeep(g);
}

static void take(struct guard *g, const struct message *word, struct msghdr *m)
{
	if (word->what == HOLD || word->what == DONE) {
		if (g->held >= 0)
			close(g->held);
		g->held = word->what == HOLD ? descriptor_of(m) : -1;
		g->reuse = word->value;
	} else if (word->what == KEEP) {
		keep(g, descriptor_of(m), (pid_t)word->value);
	} else if (word->what == UNKEEP) {
		unkeep(g);
	} else if (word->what == UNPARK) {
		g->count = 0;
	} else if (word->what == PARK) {
		pid_t *grown = reallocarray(g->parked, g->count + 1, sizeof *grown);
		if (grown == NULL)
			return; // it stays stopped, for SIGCONT to come
		g->parked = grown;
		grown[g->count++] = (pid_t)word->value;
	}
}

// A session of its own: what ends a group of processes does not end it.
static _Noreturn void watch(int end)
{
	struct guard g = {.held = -1};
	struct message word;
	union control control;
	setsid();
	for (;;) {
		struct iovec part = {&word, sizeof word};
		struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				   .msg_controllen = sizeof control};
		ssize_t n = recvmsg(end, &m, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == (ssize_t)sizeof word && word.what != GO) {
			take(&g, &word, &m);
			continue;
		}
		if (n != (ssize_t)sizeof word) { // its creator is dead
			put_back(g.held, g.reuse);
			for (size_t i = 0; i < g.count; i++)
				kill(g.parked[i], SIGCONT);
			silence(&g);
		}
		_exit(0);
	}
}

int crimg_connections_guard_start(pid_t *guard, int *pipe, struct crimg_err *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return crimg_fail_sys(err, errno, NULL, "no pair of sockets can be made");
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		watch(ends[0]);
	}
	int number = errno;
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return crimg_fail_sys(err, number, NULL, "no process can be made that guards connections");
	}
	*guard = pid;
	*pipe = ends[1];
	return 0;
}

static int tell(int pipe, struct message word, int fd)
{
	union control control;
	memset(&control, 0, sizeof control);
	struct iovec part = {&word, sizeof word};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	ssize_t n;
	while ((n = sendmsg(pipe, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	return n < 0 ? -1 : 0;
}

int crimg_connections_guard_hold(int pipe, int fd, int reuse, struct crimg_err *err)
{
	if (tell(pipe, (struct message){HOLD, reuse}, fd) == 0)
		return 0;
	return crimg_fail_sys(err, errno, NULL, "the process that guards connections is gone");
}

void crimg_connections_guard_done(int pipe)
{
	(void)tell(pipe, (struct message){DONE, 0}, -1);
}

int crimg_connections_guard_park(int pipe, pid_t pid, struct crimg_err *err)
{
	if (tell(pipe, (struct message){PARK, (int)pid}, -1) == 0)
		return 0;
	return crimg_fail_sys(err, errno, NULL, "the process that guards connections is gone");
}

void crimg_connections_guard_unpark(int pipe)
{
	(void)tell(pipe, (struct message){UNPARK, 0}, -1);
}

int crimg_connections_guard_keep(int pipe, int fd, pid_t root, struct crimg_err *err)
{
	if (tell(pipe, (struct message){KEEP, (int)root}, fd) == 0)
		return 0;
	return crimg_fail_sys(err, errno, NULL, "the process that guards connections is gone");
}

void crimg_connections_guard_unkeep(int pipe)
{
	(void)tell(pipe, (struct message){UNKEEP, 0}, -1);
}

void crimg_connections_guard_dismiss(pid_t guard, int pipe)
{
	bool told = tell(pipe, (struct message){GO, 0}, -1) == 0;
	close(pipe);
	while (waitpid(guard, NULL, 0) < 0 && errno == EINTR && told)
		;
}
