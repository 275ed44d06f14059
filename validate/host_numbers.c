// Host: numbers that must be free: process and thread numbers, addresses that sockets were bound to.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "validate/host.h"

static void check_number(struct crimg_checker *c, uint32_t number, const char *what)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%u", number);
	if (number == 0 || stat(path, &st) < 0)
		return;
	struct crimg_place at = crimg_place_of(c, CRIMG_KIND_PSTREE, 0, "%s", "");
	CRIMG_FIND(c, HOST_PID, &at, "%s %u runs here", what, number);
}

static void check_pids(struct crimg_checker *c)
{
	if (!crimg_host_shares(c, "pid"))
		return;
	for (size_t i = 0; i < c->tasks.thread_count; i++) {
		const struct crimg_task_ref *t = &c->tasks.threads[i];
		bool leader = c->tasks.list[t->task].pid == t->id;
		check_number(c, t->id, leader ? "process" : "thread");
	}
}

// The address as the kernel wants it; 0 for families other than IPv4 and IPv6.
static socklen_t make_address(const InetSkEntry *sk, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (sk->family == AF_INET && sk->n_src_addr >= 1) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)sk->src_port),
			                  .sin_addr = { .s_addr = sk->src_addr[0] } };
		memcpy(out, &in, sizeof in);
		return sizeof in;
	}
	if (sk->family == AF_INET6 && sk->n_src_addr >= 4) {
		struct sockaddr_in6 in = { .sin6_family = AF_INET6,
			                   .sin6_port = htons((uint16_t)sk->src_port) };
		memcpy(&in.sin6_addr, sk->src_addr, sizeof in.sin6_addr);
		memcpy(out, &in, sizeof in);
		return sizeof in;
	}
	return 0;
}

// Tries the address as the restart will, and lets it go again.
static int try_bind(const InetSkEntry *sk)
{
	struct sockaddr_storage address;
	socklen_t length = make_address(sk, &address);
	const int one = 1;
	if (length == 0)
		return 0;
	int fd = socket((int)sk->family, (int)sk->type | SOCK_CLOEXEC, (int)sk->proto);
	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (sk->family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	const void *plain = &address;
	int rc = bind(fd, plain, length) < 0 ? errno : 0;
	close(fd);
	return rc;
}

static void check_port(struct crimg_checker *c, const struct crimg_file *file)
{
	const InetSkEntry *sk = file->message;
	char text[INET6_ADDRSTRLEN] = "?";
	if (sk->src_port == 0 || sk->src_port > UINT16_MAX || sk->type > SOCK_DGRAM)
		return;
	int error = try_bind(sk);
	if (error != EADDRINUSE && error != EADDRNOTAVAIL && error != EACCES)
		return;
	struct crimg_place at = crimg_place_opened(c, file, "src_port");
	inet_ntop((int)sk->family, sk->src_addr, text, sizeof text);
	CRIMG_FIND(c, HOST_ADDRESS, &at, "%s port %u: %s", text, sk->src_port, strerror(error));
}

void crimg_host_numbers(struct crimg_checker *c)
{
	check_pids(c);
	if (!crimg_host_shares(c, "net"))
		return;
	for (size_t i = 0; i < c->files.count; i++)
		if (c->files.list[i].type == FD_TYPES__INETSK && c->files.list[i].message != NULL)
			check_port(c, &c->files.list[i]);
}
