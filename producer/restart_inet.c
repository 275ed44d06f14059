// Sockets of IPv4 and IPv6: bound, connected, listening. Connections of TCP: restart_tcp.c.
#include "producer/restart_inet.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/tcp_state.h"
#include "producer/inet_options.h"
#include "producer/level_options.h"
#include "producer/restart_sockets.h"
#include "producer/tcp_repair.h"

#define FILE_NAME_BYTES 32u

static int fail(const struct crimg_file *file, const char *what, struct crimg_err *err)
{
	char name[FILE_NAME_BYTES];
	int number = errno;
	snprintf(name, sizeof name, "file %u", file->id);
	return crimg_fail_sys(err, number, name, "%s", what);
}

bool crimg_restart_address(const InetSkEntry *sk, bool other, struct sockaddr_storage *out, socklen_t *length)
{
	const uint32_t *words = other ? sk->dst_addr : sk->src_addr;
	size_t count = other ? sk->n_dst_addr : sk->n_src_addr;
	uint32_t port = other ? sk->dst_port : sk->src_port;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	memset(out, 0, sizeof *out);
	if (port > UINT16_MAX)
		return false;
	if (sk->family == AF_INET && count >= 1) { // early images of CRIU have four words
		memcpy(&four.sin_addr, words, sizeof four.sin_addr);
		memcpy(out, &four, sizeof four);
		*length = sizeof four;
		return true;
	}
	if (sk->family != AF_INET6 || count != 4)
		return false;
	memcpy(&six.sin6_addr, words, sizeof six.sin6_addr);
	six.sin6_scope_id = sk->ifname != NULL ? if_nametoindex(sk->ifname) : 0;
	memcpy(out, &six, sizeof six);
	*length = sizeof six;
	return true;
}

static bool has_address(const uint32_t *words, size_t count, uint32_t port)
{
	for (size_t i = 0; i < count && i < 4; i++)
		if (words[i] != 0)
			return true;
	return port != 0;
}

const LevelOptionsEntry *crimg_restart_level_options_of(struct crimg_restart *r, uint32_t id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_LEVEL_OPTIONS, "id", id, NULL);
}

int crimg_restart_level_options(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const char *lost = NULL;
	char name[FILE_NAME_BYTES];
	snprintf(name, sizeof name, "file %u", file->id);
	if (crimg_level_options_set(fd, name, crimg_restart_level_options_of(r, file->id), &lost, err) < 0)
		return -1;
	if (lost != NULL)
		crimg_lines_add(&r->notes, "file %u: a socket's option is not as it was, which only a privileged "
				"crimg can set: %s", file->id, lost);
	return 0;
}

// Another socket of the image has this port, too.
static bool shares_port(const struct crimg_restart *r, const struct crimg_file *file)
{
	const InetSkEntry *sk = file->message;
	for (size_t i = 0; i < r->files.count; i++) {
		const struct crimg_file *other = &r->files.list[i];
		const InetSkEntry *o = other->message;
		if (other != file && other->type == FD_TYPES__INETSK && o != NULL && o->src_port == sk->src_port)
			return true;
	}
	return false;
}

static void set_flag(int fd, int option, int value)
{
	(void)setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

// A server that begins anew says so, too: what is left of old connections is not in its way. The options that its
// program had come with the others, at last.
static void let_share(const struct crimg_restart *r, const struct crimg_file *file, int fd)
{
	const InetSkEntry *sk = file->message;
	if (sk->type == SOCK_STREAM || shares_port(r, file))
		set_flag(fd, SO_REUSEADDR, 1);
}

static int set_before(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	char name[FILE_NAME_BYTES];
	int v6only = sk->v6only ? 1 : 0;
	snprintf(name, sizeof name, "file %u", file->id);
	// A raw socket takes it as little as one that is bound.
	if (sk->has_v6only && sk->type != SOCK_RAW && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
		return fail(file, "IPV6_V6ONLY", err);
	if (crimg_restart_level_options(r, file, fd, err) < 0)
		return -1;
	if (sk->proto == CRIMG_PROTOCOL_TCP && sk->type == SOCK_STREAM
	    && (crimg_tcp_options_set(fd, name, sk->tcp_opts, err) < 0
		|| crimg_tcp_old_options_set(fd, name, sk->opts, NULL, err) < 0))
		return -1;
	return crimg_ip_options_set(fd, name, sk, err);
}

static int bind_it(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	struct sockaddr_storage a;
	socklen_t length;
	if (!has_address(sk->src_addr, sk->n_src_addr, sk->type == SOCK_RAW ? 0 : sk->src_port))
		return 0;
	if (!crimg_restart_address(sk, false, &a, &length))
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET, "file %u: no address of its family",
				  file->id);
	if (bind(fd, (const struct sockaddr *)&a, length) < 0)
		return fail(file, errno == EADDRINUSE
				    ? "its address (bind): somebody has it, if only a connection that has just ended "
				      "(TIME_WAIT)"
				    : "its address (bind): it must be one of this machine, or network namespace", err);
	return 0;
}

static int connect_it(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	struct sockaddr_storage a;
	socklen_t length;
	bool tcp = sk->type == SOCK_STREAM;
	if (!tcp && has_address(sk->dst_addr, sk->n_dst_addr, sk->dst_port)
	    && crimg_restart_address(sk, true, &a, &length)
	    && connect(fd, (const struct sockaddr *)&a, length) < 0)
		return fail(file, "connecting it", err);
	return 0;
}

static int shut(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	static const int how[] = {-1, SHUT_RD, SHUT_WR, SHUT_RDWR};
	bool closed = sk->type == SOCK_STREAM && sk->dst_port != 0; // it was a connection
	int what = closed ? SHUT_RDWR : sk->has_shutdown && sk->shutdown <= SK_SHUTDOWN__BOTH ? how[sk->shutdown] : -1;
	// Of one that is not connected the kernel takes it, and says so.
	if (what >= 0 && shutdown(fd, what) < 0 && errno != ENOTCONN)
		return fail(file, "shutting it down", err);
	return 0;
}

static int make(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	if (set_before(r, file, fd, err) < 0)
		return -1;
	if (crimg_restart_is_connection(r, file))
		return crimg_restart_open_connection(r, file, fd, err);
	if (crimg_restart_socket_options(r, file, fd, sk->opts, err) < 0)
		return -1;
	let_share(r, file, fd);
	bool closed = sk->type == SOCK_STREAM && sk->dst_port != 0;
	if (!closed && (bind_it(file, fd, err) < 0 || connect_it(file, fd, err) < 0))
		return -1;
	return shut(file, fd, err);
}

int crimg_restart_open_inet(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	int fd = socket((int)sk->family, (int)sk->type | SOCK_CLOEXEC | SOCK_NONBLOCK, (int)sk->proto);
	if (fd < 0)
		return fail(file, "a socket of the internet", err);
	if (make(r, file, fd, err) == 0)
		return fd;
	close(fd);
	return -1;
}

static int settle(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	const SkOptsEntry *o = sk->opts;
	if (crimg_restart_is_connection(r, file))
		return 0;
	if (sk->type == SOCK_STREAM && sk->state == CRIMG_TCP_LISTEN && listen(fd, (int)sk->backlog) < 0)
		return fail(file, errno == EADDRINUSE ? "listening: somebody else does, at its address"
						      : "listening", err);
	set_flag(fd, SO_REUSEADDR, o->has_reuseaddr && o->reuseaddr ? 1 : 0);
	if (fcntl(fd, F_SETFL, (int)sk->flags & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)) < 0)
		return fail(file, "setting its flags", err);
	return 0;
}

int crimg_restart_settle_inet(struct crimg_restart *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->handles.count; i++) {
		const struct crimg_handle *h = &r->handles.list[i];
		const struct crimg_file *file =
			h->sort == CRIMG_HANDLE_FILE ? crimg_files_find(&r->files, (uint32_t)h->id) : NULL;
		if (file != NULL && file->type == FD_TYPES__INETSK && crimg_restart_inherited(r, file) == NULL
		    && settle(r, file, h->fd, err) < 0)
			return -1;
	}
	return 0;
}
