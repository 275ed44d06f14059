// A terminal cannot be looked into, only read. Lines that are complete are read as lines; the one that is not can be read
// only when the terminal is set to no lines. To be put back they are typed again while nothing is special but the end
// of a line. That the kernel has taken what was typed is told by its echo.
#include "producer/tty_queue.h"

#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

// <sys/ioctl.h> and <asm/termbits.h> cannot be had together with all C libraries.
int ioctl(int fd, unsigned long request, ...);
#include <asm/ioctls.h>

#define PATIENCE_MS 2000
#define READS_MAX 100000u // of an end whose reader never gets to an end
#define PIECE_BYTES 256u  // typed at once: an echo of more might be cut

static int fail(const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, "pseudo-terminal", "%s", what);
}

static bool is_ready(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	return poll(&p, 1, ms) == 1 && (p.revents & events) != 0;
}

// Until nothing comes any more: the master may not be set to O_NONBLOCK, which its holders would share.
static int read_all(int fd, bool counted, struct crimg_buf *out, struct crimg_err *err)
{
	char piece[4096];
	for (unsigned i = 0; i < READS_MAX && is_ready(fd, POLLIN, 0); i++) {
		int waiting = 1;
		if (counted && (ioctl(fd, FIONREAD, &waiting) < 0 || waiting <= 0))
			return 0;
		ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && (errno == EAGAIN || errno == EIO))
			return 0;
		if (n < 0)
			return fail("cannot be read", err);
		if (crimg_buf_append(out, piece, (size_t)n, err) < 0)
			return -1;
	}
	return 0;
}

// Nothing is special, and nothing is made of anything.
static struct termios2 plain(const struct termios2 *like, tcflag_t lines, tcflag_t echo)
{
	struct termios2 t = *like;
	t.c_iflag = t.c_oflag = 0;
	t.c_lflag = (like->c_lflag & lines) | echo;
	memset(t.c_cc, 0, sizeof t.c_cc);
	return t;
}

struct settings {
	struct termios2 termios;
	int packets;
};

static int begin(int master, int slave, struct settings *was, tcflag_t lines, tcflag_t echo,
                 struct crimg_err *err)
{
	int none = 0;
	was->packets = 0;
	if (ioctl(slave, TCGETS2, &was->termios) < 0)
		return fail("its settings cannot be read", err);
	struct termios2 now = plain(&was->termios, lines, echo);
	if ((ioctl(master, TIOCGPKT, &was->packets) < 0 || was->packets == 0 || ioctl(master, TIOCPKT, &none) == 0)
	    && (lines != 0 || echo != 0 ? ioctl(slave, TCSETS2, &now) == 0 : true))
		return 0;
	return fail("cannot be set", err);
}

static int end(int master, int slave, const struct settings *was, struct crimg_err *err)
{
	int yes = 1;
	if (ioctl(slave, TCSETS2, &was->termios) < 0
	    || (was->packets != 0 && ioctl(master, TIOCPKT, &yes) < 0))
		return fail("cannot be set back", err);
	return 0;
}

static int take_typed(int slave, const struct termios2 *t, struct crimg_buf *out, struct crimg_err *err)
{
	struct termios2 no_lines = plain(t, 0, 0);
	if ((t->c_lflag & ICANON) != 0 && read_all(slave, false, out, err) < 0)
		return -1;
	if (ioctl(slave, TCSETS2, &no_lines) < 0)
		return fail("cannot be set to no lines", err);
	return read_all(slave, true, out, err);
}

int crimg_tty_take(int master, int slave, struct crimg_tty_queues *out, struct crimg_err *err)
{
	struct settings was;
	if (begin(master, slave, &was, 0, 0, err) < 0)
		return -1;
	int rc = read_all(master, true, &out->master, err);
	if (rc == 0)
		rc = take_typed(slave, &was.termios, &out->slave, err);
	return end(master, slave, &was, err) < 0 ? -1 : rc;
}

static int write_all(int fd, const uint8_t *data, size_t length, struct crimg_err *err)
{
	for (size_t at = 0; at < length;) {
		ssize_t n = is_ready(fd, POLLOUT, PATIENCE_MS) ? write(fd, data + at, length - at) : -1;
		if (n <= 0)
			return fail("what waited in it cannot be put back", err);
		at += (size_t)n;
	}
	return 0;
}

static int await_echo(int master, size_t length, struct crimg_err *err)
{
	char piece[PIECE_BYTES];
	while (length > 0) {
		ssize_t n = is_ready(master, POLLIN, PATIENCE_MS) ? read(master, piece, length) : -1;
		if (n <= 0)
			return fail("what was typed is not taken again", err);
		length -= (size_t)n;
	}
	return 0;
}

static int type_all(int master, const struct crimg_buf *typed, struct crimg_err *err)
{
	for (size_t at = 0, n; at < typed->length; at += n) {
		n = typed->length - at < PIECE_BYTES ? typed->length - at : PIECE_BYTES;
		if (write_all(master, typed->data + at, n, err) < 0 || await_echo(master, n, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_tty_put(int master, int slave, const struct crimg_tty_queues *queues, struct crimg_err *err)
{
	struct settings was;
	if (begin(master, slave, &was, ICANON, ECHO, err) < 0)
		return -1;
	int rc = type_all(master, &queues->slave, err);
	if (rc == 0)
		rc = write_all(slave, queues->master.data, queues->master.length, err);
	return end(master, slave, &was, err) < 0 ? -1 : rc;
}
