// Reading a connection in repair mode.
#include "producer/tcp_repair.h"

#include <errno.h>
#include <linux/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1
#endif
#define PAGE 4096u

static int fail(const char *name, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, name, "%s", what);
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

static int get(int fd, int option, uint32_t *value)
{
	socklen_t length = sizeof *value;
	return getsockopt(fd, IPPROTO_TCP, option, value, &length);
}

int crimg_tcp_repair_on(int fd, const char *name, struct crimg_err *err)
{
	if (set(fd, TCP_REPAIR, TCP_REPAIR_ON) == 0)
		return 0;
	return fail(name, errno == EPERM
			    ? "a connection of TCP can be taken and made only with CAP_NET_ADMIN (TCP_REPAIR)"
			    : "a connection of TCP cannot be repaired (TCP_REPAIR)", err);
}

int crimg_tcp_repair_off(int fd)
{
	if (set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) == 0)
		return 0;
	return set(fd, TCP_REPAIR, TCP_REPAIR_OFF); // before Linux 4.19: a window probe goes out
}

bool crimg_tcp_may_repair(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	bool may = fd < 0 || set(fd, TCP_REPAIR, TCP_REPAIR_ON) == 0;
	if (fd >= 0)
		close(fd);
	return may;
}

int crimg_tcp_reuse(int fd)
{
	int reuse;
	socklen_t length = sizeof reuse;
	return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &length) < 0 ? -1 : reuse;
}

void crimg_tcp_set_reuse(int fd, int reuse)
{
	if (reuse >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
}

static int read_agreed(int fd, const char *name, TcpStreamEntry *e, uint32_t *state, struct crimg_err *err)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 || get(fd, TCP_MAXSEG, &e->mss_clamp) < 0)
		return fail(name, "what was agreed on cannot be told (TCP_INFO)", err);
	*state = info.tcpi_state;
	e->opt_mask = info.tcpi_options;
	if ((e->opt_mask & CRIMG_TCP_WSCALE) != 0) {
		e->snd_wscale = info.tcpi_snd_wscale;
		e->has_rcv_wscale = true;
		e->rcv_wscale = info.tcpi_rcv_wscale;
	}
	if ((e->opt_mask & CRIMG_TCP_TIMESTAMPS) == 0)
		return 0;
	e->has_timestamp = true;
	return get(fd, TCP_TIMESTAMP, &e->timestamp) < 0 ? fail(name, "TCP_TIMESTAMP", err) : 0;
}

static int read_window(int fd, const char *name, TcpStreamEntry *e, struct crimg_err *err)
{
	struct tcp_repair_window w;
	socklen_t length = sizeof w;
	memset(&w, 0, sizeof w);
	if (getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, &length) < 0)
		return fail(name, "its windows cannot be told (TCP_REPAIR_WINDOW)", err);
	e->has_snd_wl1 = e->has_snd_wnd = e->has_max_window = e->has_rcv_wnd = e->has_rcv_wup = true;
	e->snd_wl1 = w.snd_wl1;
	e->snd_wnd = w.snd_wnd;
	e->max_window = w.max_window;
	e->rcv_wnd = w.rcv_wnd;
	e->rcv_wup = w.rcv_wup;
	return 0;
}

static int read_number(int fd, const char *name, int queue, uint32_t *number, struct crimg_err *err)
{
	if (set(fd, TCP_REPAIR_QUEUE, queue) < 0 || get(fd, TCP_QUEUE_SEQ, number) < 0)
		return fail(name, "where a queue of it stands cannot be told (TCP_QUEUE_SEQ)", err);
	return 0;
}

// Of one that is closed, what was to be sent is lost, as it is for its program.
static int read_lengths(int fd, const char *name, uint32_t state, TcpStreamEntry *e, struct crimg_err *err)
{
	struct crimg_tcp_seqs s;
	struct pollfd urgent = {.fd = fd, .events = POLLPRI};
	int in, out, unsent;
	if (ioctl(fd, SIOCINQ, &in) < 0 || ioctl(fd, SIOCOUTQ, &out) < 0 || ioctl(fd, SIOCOUTQNSD, &unsent) < 0)
		return fail(name, "how much is in its queues cannot be told", err);
	if (poll(&urgent, 1, 0) == 1 && (urgent.revents & POLLPRI) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
				  "has urgent data that was not read yet (MSG_OOB), which no image holds");
	if (read_number(fd, name, TCP_RECV_QUEUE, &s.rcv_nxt, err) < 0
	    || read_number(fd, name, TCP_SEND_QUEUE, &s.write_seq, err) < 0)
		return -1;
	s.copied_seq = s.rcv_nxt - (uint32_t)in;
	s.snd_una = s.write_seq - (uint32_t)out;
	s.snd_nxt = s.write_seq - (uint32_t)unsent;
	crimg_tcp_lengths(e, state, &s);
	e->inq_len = (uint32_t)in; // the kernel counts no FIN here
	if (state == CRIMG_TCP_CLOSE)
		e->outq_len = e->unsq_len = 0;
	return 0;
}

static int peek(int fd, const char *name, int queue, void *to, uint32_t length, struct crimg_err *err)
{
	if (length == 0)
		return 0;
	if (set(fd, TCP_REPAIR_QUEUE, queue) < 0)
		return fail(name, "TCP_REPAIR_QUEUE", err);
	ssize_t got = recv(fd, to, length, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0)
		return fail(name, "what is in a queue of it cannot be read", err);
	return got == (ssize_t)length ? 0
	       : crimg_fail(err, CRIMG_E_IO, name, CRIMG_NO_OFFSET, "%zd bytes in a queue of it found, %u wanted",
			    got, length);
}

// The kernel copies a queue from its beginning at once: to where the file is mapped.
static int read_queues(int fd, const char *name, const TcpStreamEntry *e, int out, uint64_t offset,
		       struct crimg_err *err)
{
	uint64_t total = (uint64_t)e->inq_len + e->outq_len, begin = offset & ~(uint64_t)(PAGE - 1);
	size_t skip = (size_t)(offset - begin), span = skip + (size_t)total;
	if (total == 0)
		return 0;
	if (ftruncate(out, (off_t)(offset + total)) < 0)
		return fail(NULL, "no room for the queues of connections in TMPDIR", err);
	uint8_t *map = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_SHARED, out, (off_t)begin);
	if (map == MAP_FAILED)
		return fail(NULL, "a file in TMPDIR cannot be mapped", err);
	int rc = peek(fd, name, TCP_RECV_QUEUE, map + skip, e->inq_len, err);
	if (rc == 0)
		rc = peek(fd, name, TCP_SEND_QUEUE, map + skip + e->inq_len, e->outq_len, err);
	munmap(map, span);
	return rc;
}

int crimg_tcp_read(int fd, const char *name, TcpStreamEntry *e, uint32_t *state, int out, uint64_t offset,
		   struct crimg_err *err)
{
	if (read_agreed(fd, name, e, state, err) < 0 || read_window(fd, name, e, err) < 0
	    || read_lengths(fd, name, *state, e, err) < 0)
		return -1;
	return read_queues(fd, name, e, out, offset, err);
}
