// One question, and its answers, which come in pieces.
#include "producer/socket_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 256u
#define PIECE_BYTES (64u << 10) // the kernel sends no more at a time
#define ALIGN(n) (((n) + 3) & ~(size_t)3)
#define TYPE_BITS 0x3fffu // NLA_TYPE_MASK

struct question {
	int fd;
	size_t message_bytes;
	int (*each)(void *context, const struct crimg_diag_answer *answer, struct crimg_err *err);
	void *context;
};

static int fail(const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, NULL, "%s (NETLINK_SOCK_DIAG)", what);
}

static int ask(const struct question *q, const void *request, size_t length, bool all, struct crimg_err *err)
{
	struct {
		struct nlmsghdr head;
		uint8_t body[REQUEST_MAX];
	} m = {.head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST}};
	if (length > sizeof m.body)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET, "a question of %zu bytes", length);
	m.head.nlmsg_len = (uint32_t)(sizeof m.head + length);
	if (all)
		m.head.nlmsg_flags |= NLM_F_DUMP;
	memcpy(m.body, request, length);
	if (send(q->fd, &m, m.head.nlmsg_len, 0) < 0)
		return fail("sockets cannot be asked for", err);
	return 0;
}

static void parse(const uint8_t *data, size_t length, struct crimg_diag_answer *out)
{
	struct nlattr a;
	while (length >= sizeof a) {
		memcpy(&a, data, sizeof a);
		if (a.nla_len < sizeof a || a.nla_len > length)
			return;
		size_t type = a.nla_type & TYPE_BITS, step = ALIGN(a.nla_len);
		if (type < sizeof out->attributes / sizeof out->attributes[0])
			out->attributes[type] =
				(struct crimg_diag_attribute){data + sizeof a, a.nla_len - sizeof a};
		if (step >= length)
			return;
		data += step;
		length -= step;
	}
}

// 1: that was all; 0: there is more.
static int take(const struct question *q, const struct nlmsghdr *head, const uint8_t *body, struct crimg_err *err)
{
	struct crimg_diag_answer answer = {.message = body};
	size_t length = head->nlmsg_len - sizeof *head;
	int number = 0;
	if (head->nlmsg_type == NLMSG_DONE)
		return 1;
	if (head->nlmsg_type == NLMSG_ERROR) {
		if (length >= sizeof number)
			memcpy(&number, body, sizeof number);
		errno = number < 0 ? -number : EPROTO;
		return number == 0 ? 1 : fail("sockets cannot be listed", err);
	}
	if (length < q->message_bytes) {
		errno = EPROTO;
		return fail("a short answer about a socket", err);
	}
	size_t at = ALIGN(q->message_bytes);
	if (at < length)
		parse(body + at, length - at, &answer);
	return q->each(q->context, &answer, err) < 0 ? -1 : 0;
}

// What was received at once: many answers.
static int take_piece(const struct question *q, const uint8_t *piece, size_t length, struct crimg_err *err)
{
	struct nlmsghdr head;
	while (length >= sizeof head) {
		memcpy(&head, piece, sizeof head);
		if (head.nlmsg_len < sizeof head || head.nlmsg_len > length)
			break;
		int rc = take(q, &head, piece + sizeof head, err);
		size_t step = ALIGN(head.nlmsg_len);
		if (rc != 0 || step >= length)
			return rc;
		piece += step;
		length -= step;
	}
	errno = EPROTO;
	return fail("a cut answer about a socket", err);
}

static int take_all(const struct question *q, bool all, struct crimg_err *err)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int rc = 0;
	if (piece == NULL)
		return crimg_fail_nomem(err, PIECE_BYTES);
	do {
		ssize_t n = recv(q->fd, piece, PIECE_BYTES, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (size_t)n > PIECE_BYTES) {
			errno = n < 0 ? errno : EMSGSIZE;
			rc = fail("no answer about sockets", err);
		} else {
			rc = take_piece(q, piece, (size_t)n, err);
		}
	} while (rc == 0 && all);
	free(piece);
	return rc < 0 ? -1 : 0;
}

int crimg_socket_diag(const void *request, size_t length, bool all, size_t message_bytes,
		      int (*each)(void *context, const struct crimg_diag_answer *answer, struct crimg_err *err),
		      void *context, struct crimg_err *err)
{
	struct question q = {.message_bytes = message_bytes, .each = each, .context = context};
	q.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (q.fd < 0)
		return fail("sockets cannot be asked for", err);
	int rc = ask(&q, request, length, all, err);
	if (rc == 0)
		rc = take_all(&q, all, err);
	close(q.fd);
	return rc;
}
