// Unix sockets of every kind, each with what waits in it: streams, datagrams and packets in order; pairs across
// processes; listening by path, by an abstract name and by one in the directory it was in; connections that are accepted,
// and that are not yet; senders' names; descriptors on their way, and what is on its way through those; credentials; half
// shut down; with ends that are closed; options; removed files. With an argument: without what criu does not take, or
// does not bring back.
#include "prove.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define BIG 60000

static int plain;
static volatile sig_atomic_t inputs;

static void on_input(int signal)
{
	(void)signal;
	inputs = inputs + 1;
}

static socklen_t address(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, name);
	if (name[0] == '@')
		a->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] == '@' ? 0 : 1));
}

static int make(int type, const char *name)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	PROVE(fd >= 0);
	if (name != NULL) {
		socklen_t n = address(&a, name);
		if (name[0] != '@')
			unlink(name);
		PROVE(bind(fd, (struct sockaddr *)&a, n) == 0);
	}
	return fd;
}

static void join(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address(&a, name);
	PROVE(connect(fd, (struct sockaddr *)&a, n) == 0);
}

static int is_name(const struct sockaddr_un *a, socklen_t n, const char *name)
{
	struct sockaddr_un b;
	socklen_t m = name == NULL ? (socklen_t)sizeof(sa_family_t) : address(&b, name);
	return n == m && (name == NULL || memcmp(a, &b, n) == 0);
}

static int called(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = sizeof a;
	return getsockname(fd, (struct sockaddr *)&a, &n) == 0 && is_name(&a, n, name);
}

static int facing(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = sizeof a;
	return getpeername(fd, (struct sockaddr *)&a, &n) == 0 && is_name(&a, n, name);
}

static void set(int fd, int name, int value)
{
	PROVE(setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) == 0);
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t n = sizeof value;
	PROVE(getsockopt(fd, SOL_SOCKET, name, &value, &n) == 0);
	return value;
}

// What is read is this; of datagrams also: sent from here (NULL: it has no name).
static void expect(int fd, const char *text, const char *from)
{
	struct sockaddr_un a;
	socklen_t n = sizeof a;
	char got[256];
	ssize_t k = recvfrom(fd, got, sizeof got, MSG_DONTWAIT, (struct sockaddr *)&a, &n);
	PROVE(k == (ssize_t)strlen(text) && memcmp(got, text, (size_t)k) == 0);
	if (option(fd, SO_TYPE) == SOCK_DGRAM)
		PROVE(from == NULL ? n <= sizeof(sa_family_t) : is_name(&a, n, from));
}

static void say(int fd, const char *text)
{
	PROVE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void say_to(int fd, const char *text, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address(&a, name);
	PROVE(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, n) == (ssize_t)strlen(text));
}

static void hand(int through, const char *text, const int *fds, int count)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
		            .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(h), fds, (size_t)count * sizeof(int));
	PROVE(sendmsg(through, &m, 0) == (ssize_t)strlen(text));
}

// Reads up to as many bytes as text has, which must be it; descriptors into fds. Credentials into creds, if there are.
static int receive(int fd, const char *text, int *fds, struct ucred *creds)
{
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	char got[256];
	int count = 0;
	struct iovec iov = { got, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
		            .msg_controllen = sizeof control.bytes };
	PROVE(recvmsg(fd, &m, MSG_DONTWAIT) == (ssize_t)strlen(text) && memcmp(got, text, strlen(text)) == 0);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_type == SCM_RIGHTS) {
			count = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(h), (size_t)count * sizeof(int));
		}
		if (h->cmsg_type == SCM_CREDENTIALS && creds != NULL)
			memcpy(creds, CMSG_DATA(h), sizeof *creds);
	}
	return count;
}

// Of everybody on the machine only we have these.
static void abstract(char name[64], const char *what, int number)
{
	struct stat st;
	PROVE(stat(".", &st) == 0);
	snprintf(name, 64, "@%s %d of %lx", what, number, (unsigned long)st.st_ino);
}

static struct ucred whose(int fd)
{
	struct ucred c = { 0, 0, 0 };
	socklen_t n = sizeof c;
	PROVE(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) == 0);
	return c;
}

// Everything of one kind: set up, and what must hold later.
static struct {
	int pair[2], big[2], parcels[2], half[2], across[2], family[2];
	int path, waiting[3], early, served, client, bound_client, abstract, relative, removed, again, gone_listener,
		gone_served, gone_client;
	int post, letters[3], target, loner, one_way[2], orphan, seq_orphan;
	int rights[2], nested[2], creds[2], options, peeker[2], lost, closed_peer;
	char replaced[108]; // a path from the root on
	int told;           // the kernel tells where a name is that begins in a directory, as it does who is privileged
	pid_t child;
} s;

static void fill(int fd, int bytes)
{
	char block[1000];
	for (int i = 0; i < bytes; i += (int)sizeof block) {
		memset(block, 'a' + i / 1000 % 26, sizeof block);
		PROVE(write(fd, block, sizeof block) == sizeof block);
	}
}

static void set_up_streams(void)
{
	char text[16];
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, s.pair) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s.big) == 0);
	PROVE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s.parcels) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s.half) == 0);
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, s.across) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, s.family) == 0);
	say(s.pair[0], "read and left");
	PROVE(read(s.pair[1], text, 5) == 5);
	say(s.pair[1], "back");
	fill(s.big[0], BIG);
	say(s.parcels[0], "first");
	say(s.parcels[0], "second parcel");
	say(s.parcels[0], "3");
	say(s.half[0], "last words");
	PROVE(shutdown(s.half[0], SHUT_WR) == 0 && fcntl(s.half[1], F_SETFL, O_NONBLOCK) == 0);
	say(s.family[0], "from the first");
	say(s.family[0], "again");
	say(s.family[1], "from the second");
}

static void set_up_names(void)
{
	char name[64];
	s.path = make(SOCK_STREAM, "listens");
	PROVE(chmod("listens", 0640) == 0 && listen(s.path, 5) == 0);
	s.client = make(SOCK_STREAM, NULL);
	join(s.client, "listens");
	PROVE((s.served = accept(s.path, NULL, NULL)) >= 0);
	say(s.client, "to the server");
	say(s.served, "to the client");
	if (!plain) { // criu forgets the name of a client
		abstract(name, "client", 0);
		s.bound_client = make(SOCK_STREAM, name);
		join(s.bound_client, "listens");
		PROVE((s.early = accept(s.path, NULL, NULL)) >= 0);
	}
	for (int i = 0; i < 3; i++) {
		abstract(name, "waits", i);
		s.waiting[i] = make(SOCK_STREAM, plain ? NULL : name);
		join(s.waiting[i], "listens");
	}
	abstract(name, "listens", 0);
	s.abstract = make(SOCK_SEQPACKET, name);
	PROVE(listen(s.abstract, 1) == 0);
	PROVE(mkdir("folder", 0700) == 0 || errno == EEXIST);
	int file = ioctl(s.path, 0x89e0); // SIOCUNIXFILE
	s.told = file >= 0;
	if (file >= 0)
		close(file);
	PROVE(chdir(s.told ? "folder" : ".") == 0);
	s.relative = make(SOCK_STREAM, "relative");
	PROVE(listen(s.relative, 1) == 0 && chdir(s.told ? ".." : ".") == 0);
	PROVE(getcwd(s.replaced, 90) != NULL);
	strcat(s.replaced, "/replaced");
	s.removed = make(SOCK_STREAM, s.replaced);
	PROVE(listen(s.removed, 2) == 0 && unlink("replaced") == 0);
	s.again = make(SOCK_STREAM, s.replaced);
	PROVE(listen(s.again, 2) == 0);
	if (plain)
		return;
	s.gone_listener = make(SOCK_STREAM, "closed soon");
	s.gone_client = make(SOCK_STREAM, NULL);
	PROVE(listen(s.gone_listener, 1) == 0);
	join(s.gone_client, "closed soon");
	PROVE((s.gone_served = accept(s.gone_listener, NULL, NULL)) >= 0 && close(s.gone_listener) == 0);
}

static void set_up_datagrams(void)
{
	s.post = make(SOCK_DGRAM, "post");
	for (int i = 0; i < 3; i++) {
		char name[16], text[16];
		snprintf(name, sizeof name, "letter %d", i);
		snprintf(text, sizeof text, "of %d", i);
		s.letters[i] = make(SOCK_DGRAM, plain ? NULL : name);
		if (!plain || i == 0) {
			say_to(s.letters[i], text, "post");
			say_to(s.letters[i], "and so on", "post");
		}
	}
	s.target = make(SOCK_DGRAM, "target");
	if (!plain) { // criu ends a queue at a packet of nothing, and sends all of it from one socket
		say_to(s.letters[2], "", "target");
		say_to(s.letters[1], "behind it", "target");
		close(s.letters[2]);
		unlink("letter 2");
	}
	join(s.letters[0], "post");
	s.loner = make(SOCK_DGRAM, "loner");
	join(s.loner, "loner"); // to itself
	say(s.loner, "a monologue");
	if (plain)
		return;
	PROVE(socketpair(AF_UNIX, SOCK_DGRAM, 0, s.one_way) == 0);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	PROVE(connect(s.one_way[1], &none, sizeof none) == 0);
	say(s.one_way[0], "one way");
	int closed = make(SOCK_DGRAM, "closed");
	s.closed_peer = make(SOCK_DGRAM, NULL);
	join(s.closed_peer, "closed");
	PROVE(close(closed) == 0 && unlink("closed") == 0);
}

static void set_up_orphans(void)
{
	int ends[2];
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	say(ends[1], "testament");
	PROVE(close(ends[1]) == 0);
	s.orphan = ends[0];
	PROVE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	say(ends[1], "one");
	say(ends[1], "two");
	PROVE(close(ends[1]) == 0);
	s.seq_orphan = ends[0];
	if (plain)
		return;
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	say(ends[0], "never read");
	say(ends[1], "but this");
	PROVE(close(ends[1]) == 0);
	s.lost = ends[0]; // ECONNRESET
}

// Descriptors on their way, one of them a socket through which others are.
static void set_up_rights(void)
{
	int file = open("sent", O_RDWR | O_CREAT | O_TRUNC, 0600), pipes[2], inner[2];
	PROVE(file >= 0 && write(file, "contents", 8) == 8 && lseek(file, 3, SEEK_SET) == 3);
	PROVE(pipe(pipes) == 0 && write(pipes[1], "piped", 5) == 5);
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, s.rights) == 0);
	if (!plain) // criu joins it with what comes behind
		say(s.rights[0], "before");
	int two[2] = { file, pipes[0] };
	hand(s.rights[0], "with two", two, 2);
	if (!plain)
		say(s.rights[0], "after");
	hand(s.rights[0], "x", &s.rights[1], 1); // the end that it will be read from
	close(file);
	close(pipes[0]);
	close(pipes[1]);
	if (plain) // criu wants a process that has each socket
		return;
	PROVE(socketpair(AF_UNIX, SOCK_DGRAM, 0, s.nested) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
	PROVE(pipe(pipes) == 0);
	hand(inner[0], "deep", &pipes[1], 1);
	hand(s.nested[0], "nested", &inner[1], 1);
	hand(s.nested[0], "end", &pipes[0], 1);
	close(pipes[0]);
	close(pipes[1]);
	close(inner[0]);
	close(inner[1]);
}

static void set_up_options(void)
{
	struct timeval wait = { 7, 250000 };
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, s.creds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s.peeker) == 0);
	s.options = make(SOCK_STREAM, NULL);
	set(s.options, SO_SNDBUF, 30000);
	set(s.options, SO_RCVBUF, 20000);
	set(s.options, SO_KEEPALIVE, 1);
	PROVE(setsockopt(s.options, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0);
	signal(SIGIO, on_input);
	PROVE(fcntl(s.options, F_SETOWN, getpid()) == 0);
	say(s.peeker[0], "peek at this");
	if (plain)
		return;
	char text[8];
	set(s.options, SO_TIMESTAMP, 1);
	set(s.creds[1], SO_PASSCRED, 1);
	set(s.peeker[1], SO_PEEK_OFF, 0);
	PROVE(recv(s.peeker[1], text, 5, MSG_PEEK) == 5);
}

static void check_streams(void)
{
	char block[1000], text[64];
	PROVE(read(s.pair[1], text, 64) == 8 && memcmp(text, "and left", 8) == 0);
	expect(s.pair[0], "back", NULL);
	for (int i = 0; i < BIG; i += (int)sizeof block) {
		PROVE(recv(s.big[1], block, sizeof block, MSG_WAITALL) == sizeof block);
		for (int k = 0; k < (int)sizeof block; k++)
			PROVE(block[k] == 'a' + i / 1000 % 26);
	}
	PROVE(recv(s.big[1], block, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	expect(s.parcels[1], "first", NULL);
	expect(s.parcels[1], "second parcel", NULL);
	expect(s.parcels[1], "3", NULL);
	expect(s.half[1], "last words", NULL);
	PROVE(read(s.half[1], text, 1) == 0 && (fcntl(s.half[1], F_GETFL) & O_NONBLOCK) != 0);
	PROVE(send(s.half[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	say(s.half[1], "answer");
	expect(s.half[0], "answer", NULL);
	expect(s.family[1], "from the first", NULL);
	expect(s.family[1], "again", NULL);
	expect(s.family[0], "from the second", NULL);
	say(s.family[1], "on");
	expect(s.family[0], "on", NULL);
}

static int accepts(int fd)
{
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	PROVE(got >= 0);
	return got;
}

static void check_reach(int listener, const char *name)
{
	int fd = make(option(listener, SO_TYPE), NULL);
	join(fd, name);
	int other = accepts(listener);
	say(fd, "hello");
	expect(other, "hello", NULL);
	PROVE(facing(fd, name) && called(other, name));
	close(fd);
	close(other);
}

static void check_names(void)
{
	char name[64];
	struct stat st;
	PROVE(option(s.path, SO_ACCEPTCONN) == 1 && called(s.path, "listens"));
	PROVE(stat("listens", &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0640);
	PROVE(facing(s.served, NULL));
	if (!plain) // criu forgets the name of who was accepted
		PROVE(called(s.served, "listens") && facing(s.client, "listens"));
	expect(s.served, "to the server", NULL);
	expect(s.client, "to the client", NULL);
	PROVE(fcntl(s.path, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < 3; i++) {
		int got = accepts(s.path);
		abstract(name, "waits", i);
		PROVE(facing(got, plain ? NULL : name) && called(got, "listens"));
		say(got, "at last");
		if (!plain)
			expect(s.waiting[i], "at last", NULL);
		close(got);
	}
	PROVE(accept(s.path, NULL, NULL) == -1 && errno == EAGAIN);
	check_reach(s.path, "listens");
	abstract(name, "listens", 0);
	check_reach(s.abstract, name);
	PROVE(chdir(s.told ? "folder" : ".") == 0 && called(s.relative, "relative"));
	check_reach(s.relative, "relative");
	PROVE(chdir(s.told ? ".." : ".") == 0 && called(s.removed, s.replaced));
	check_reach(s.again, s.replaced);
	if (plain)
		return;
	abstract(name, "client", 0);
	PROVE(facing(s.early, name) && called(s.early, "listens") && facing(s.bound_client, "listens"));
	PROVE(called(s.gone_served, "closed soon") && facing(s.gone_client, "closed soon"));
	say(s.gone_client, "still there");
	expect(s.gone_served, "still there", NULL);
	int late = make(SOCK_STREAM, NULL);
	struct sockaddr_un a;
	PROVE(connect(late, (struct sockaddr *)&a, address(&a, "closed soon")) == -1 && errno == ECONNREFUSED);
}

static void check_datagrams(void)
{
	char text[16];
	expect(s.post, "of 0", plain ? NULL : "letter 0");
	expect(s.post, "and so on", plain ? NULL : "letter 0");
	if (!plain) {
		expect(s.post, "of 1", "letter 1");
		expect(s.post, "and so on", "letter 1");
		expect(s.post, "of 2", "letter 2");
		expect(s.post, "and so on", "letter 2");
		expect(s.target, "", "letter 2");
		expect(s.target, "behind it", "letter 1");
	}
	PROVE(recv(s.post, text, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	say(s.letters[0], "connected");
	expect(s.post, "connected", plain ? NULL : "letter 0");
	PROVE(called(s.target, "target") && write(s.target, "x", 1) == -1 && errno == ENOTCONN);
	expect(s.loner, "a monologue", "loner");
	say(s.loner, "more of it");
	expect(s.loner, "more of it", "loner");
	if (plain)
		return;
	expect(s.one_way[1], "one way", NULL);
	say(s.one_way[0], "again");
	expect(s.one_way[1], "again", NULL);
	PROVE(send(s.one_way[1], "x", 1, 0) == -1 && errno == ENOTCONN);
	PROVE(facing(s.closed_peer, "closed") && send(s.closed_peer, "x", 1, 0) == -1 && errno == ECONNREFUSED);
}

static void check_orphans(void)
{
	char text[16];
	PROVE(send(s.orphan, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	expect(s.orphan, "testament", NULL);
	PROVE(read(s.orphan, text, 1) == 0);
	expect(s.seq_orphan, "one", NULL);
	expect(s.seq_orphan, "two", NULL);
	PROVE(read(s.seq_orphan, text, 1) == 0);
	if (plain)
		return;
	expect(s.lost, "but this", NULL);
	PROVE(read(s.lost, text, 1) == -1 && errno == ECONNRESET);
	PROVE(read(s.lost, text, 1) == 0);
}

static void check_rights(void)
{
	int fds[4], inner[4], ends[4];
	char text[16];
	PROVE(plain || receive(s.rights[1], "before", fds, NULL) == 0);
	PROVE(receive(s.rights[1], "w", fds, NULL) == 2); // with the first byte
	PROVE(receive(s.rights[1], "ith two", inner, NULL) == 0);
	PROVE(lseek(fds[0], 0, SEEK_CUR) == 3 && read(fds[0], text, 16) == 5 && memcmp(text, "tents", 5) == 0);
	PROVE(read(fds[1], text, 16) == 5 && memcmp(text, "piped", 5) == 0);
	PROVE(plain || receive(s.rights[1], "after", fds, NULL) == 0);
	PROVE(receive(s.rights[1], "x", fds, NULL) == 1);
	say(s.rights[0], "to itself");
	expect(fds[0], "to itself", NULL);
	if (plain)
		return;
	PROVE(receive(s.nested[1], "nested", inner, NULL) == 1 && receive(s.nested[1], "end", ends, NULL) == 1);
	PROVE(receive(inner[0], "deep", fds, NULL) == 1);
	say(fds[0], "from the deep");
	PROVE(read(ends[0], text, 16) == 13);
}

static void check_options(void)
{
	struct timeval wait;
	socklen_t n = sizeof wait;
	char text[16];
	PROVE(option(s.options, SO_SNDBUF) == 60000 && option(s.options, SO_RCVBUF) == 40000);
	PROVE(option(s.options, SO_KEEPALIVE) == 1 && fcntl(s.options, F_GETOWN) == getpid());
	PROVE(getsockopt(s.options, SOL_SOCKET, SO_RCVTIMEO, &wait, &n) == 0 && wait.tv_sec == 7);
	if (plain)
		return;
	struct ucred creds = { 0, 0, 0 };
	PROVE(option(s.options, SO_TIMESTAMP) == 1);
	PROVE(recv(s.peeker[1], text, 3, MSG_PEEK) == 3 && memcmp(text, "at ", 3) == 0);
	PROVE(option(s.peeker[1], SO_PEEK_OFF) == 8);
	expect(s.peeker[1], "peek at this", NULL);
	PROVE(receive(s.creds[1], "by the parent", NULL, &creds) == 0 && creds.pid == getpid() && creds.uid == getuid());
	PROVE(receive(s.creds[1], "by the child", NULL, &creds) == 0 && creds.pid == s.child);
	PROVE(receive(s.creds[1], "again", NULL, &creds) == 0 && creds.pid == getpid());
	PROVE(whose(s.client).pid == getpid() && whose(s.served).pid == getpid() && whose(s.pair[0]).pid == getpid());
	PROVE(whose(s.path).uid == getuid() && whose(s.gone_served).gid == getgid());
}

static void check_across(void)
{
	char text[16];
	PROVE(read(s.across[0], text, 16) == 10 && memcmp(text, "from child", 10) == 0);
	say(s.across[0], "from parent");
}

static void be_child(void)
{
	char text[16];
	close(s.across[0]);
	say(s.across[1], "from child");
	if (!plain)
		say(s.creds[0], "by the child");
	wait_for_go();
	PROVE(read(s.across[1], text, 16) == 11 && memcmp(text, "from parent", 11) == 0);
	_exit(3);
}

int main(int argc, char **argv)
{
	(void)argv;
	int status;
	plain = argc > 1;
	set_up_streams();
	set_up_names();
	set_up_datagrams();
	set_up_orphans();
	set_up_options();
	if (!plain)
		say(s.creds[0], "by the parent");
	s.child = fork();
	if (s.child == 0)
		be_child();
	close(s.across[1]);
	struct pollfd p = { .fd = s.across[0], .events = POLLIN };
	PROVE(poll(&p, 1, 10000) == 1);
	usleep(10000);
	if (!plain)
		say(s.creds[0], "again");
	set_up_rights(); // that the child does not have
	ready();
	wait_for_go();
	check_streams();
	check_options();
	check_names();
	check_datagrams();
	check_orphans();
	check_rights();
	check_across();
	PROVE(waitpid(s.child, &status, 0) == s.child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	return 0;
}
