// Two that talk without a pause over a connection of TCP: one sends bytes that tell their place, in pieces of all
// sizes; the other sends them back, each turned over; and the first reads them more slowly than they come. Any byte that
// is lost, doubled or wrong, and any error, ends either with 1. When "go" is there the first one ends what it sends,
// reads the rest, and proves that it is all.
//   talk serve PORT     one connection, then it ends
//   talk ask PORT [ADDRESS]
//   talk both PORT      serve, with a child that asks
#include "loopback.h"
#include "prove.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 131 + place / 257);
}

static struct sockaddr_in address(const char *port, const char *host)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	PROVE(inet_pton(AF_INET, host, &a.sin_addr) == 1);
	return a;
}

static int listen_at(const char *port)
{
	struct sockaddr_in a = address(port, "0.0.0.0");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	PROVE(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 5) == 0);
	return fd;
}

static int serve(int listener)
{
	uint8_t piece[30000];
	int fd = accept(listener, NULL, NULL);
	PROVE(fd >= 0);
	for (;;) {
		ssize_t n = recv(fd, piece, sizeof piece, 0);
		PROVE(n >= 0);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			piece[i] ^= 0xff;
		for (ssize_t at = 0; at < n;) {
			ssize_t m = send(fd, piece + at, (size_t)(n - at), 0);
			PROVE(m > 0);
			at += m;
		}
	}
	close(fd);
	return 0;
}

static uint64_t sent, heard;

static void say(int fd)
{
	uint8_t piece[20000];
	size_t n = 1 + sent * 7919 % sizeof piece;
	for (size_t i = 0; i < n; i++)
		piece[i] = byte_at(sent + i);
	ssize_t m = send(fd, piece, n, MSG_DONTWAIT);
	PROVE(m > 0 || errno == EAGAIN);
	sent += m > 0 ? (uint64_t)m : 0;
}

static int hear(int fd)
{
	uint8_t piece[9000];
	ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
	PROVE(n >= 0 || errno == EAGAIN);
	for (ssize_t i = 0; i < n; i++)
		PROVE(piece[i] == (uint8_t)(byte_at(heard + (uint64_t)i) ^ 0xff));
	heard += n > 0 ? (uint64_t)n : 0;
	return n == 0;
}

static int ask(const char *port, const char *host)
{
	struct sockaddr_in a = address(port, host);
	int fd = socket(AF_INET, SOCK_STREAM, 0), asks = 1, over = 0;
	PROVE(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	ready();
	while (!over) {
		struct pollfd p = {fd, (short)(POLLIN | (asks ? POLLOUT : 0)), 0};
		PROVE(poll(&p, 1, 60000) == 1);
		if ((p.revents & POLLOUT) != 0)
			say(fd);
		if ((p.revents & (POLLIN | POLLHUP)) != 0)
			over = hear(fd);
		usleep(300);
		if (asks && access("go", F_OK) == 0) {
			asks = 0;
			PROVE(shutdown(fd, SHUT_WR) == 0);
		}
	}
	PROVE(!asks && heard == sent);
	printf("%llu bytes\n", (unsigned long long)heard);
	return 0;
}

int main(int argc, char **argv)
{
	int status;
	PROVE(argc >= 3);
	loopback_up();
	if (strcmp(argv[1], "ask") == 0)
		return ask(argv[2], argc > 3 ? argv[3] : "127.0.0.1");
	int listener = listen_at(argv[2]);
	if (strcmp(argv[1], "both") != 0) {
		puts("listens");
		fflush(stdout);
		return serve(listener);
	}
	pid_t child = fork();
	if (child == 0) {
		close(listener);
		return ask(argv[2], "127.0.0.1");
	}
	PROVE(serve(listener) == 0);
	PROVE(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}
