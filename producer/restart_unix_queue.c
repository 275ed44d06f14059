// What waited in unix sockets, put back packet by packet: each from where it came, by whom it was sent, with the
// descriptors that were on their way.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_unix.h"
#include "producer/sockets.h"

#define DESCRIPTORS_MAX 253u // a packet takes (SCM_MAX_FD)

struct packet {
	struct crimg_unix_end *to;
	const SkSenderEntry *sender; // or NULL
	uint8_t *data;
	size_t length;
	int fds[DESCRIPTORS_MAX];
	size_t fd_count;
};

// Where it is sent from, and whither: an address, or the other end.
struct source {
	int fd;
	bool temporary;
	struct crimg_unix_address address;
};

struct sending {
	const struct packet *packet;
	const struct source *source;
};

static void *add_control(struct msghdr *m, int type, const void *data, size_t bytes)
{
	struct cmsghdr *h = (struct cmsghdr *)(void *)((char *)m->msg_control + m->msg_controllen);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = type;
	h->cmsg_len = CMSG_LEN(bytes);
	m->msg_controllen += CMSG_SPACE(bytes);
	return memcpy(CMSG_DATA(h), data, bytes);
}

// Descriptors go with the first byte.
static int do_send(void *context)
{
	const struct sending *s = context;
	const struct packet *p = s->packet;
	_Alignas(struct cmsghdr) uint8_t control[2048] = { 0 };
	struct crimg_unix_address address = s->source->address;
	struct ucred creds = { getpid(), geteuid(), getegid() };
	size_t done = 0;
	do {
		struct iovec iov = { p->data + done, p->length - done };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
		m.msg_name = address.length > 0 ? address.bytes : NULL;
		m.msg_namelen = address.length;
		if (p->fd_count > 0 && done == 0)
			add_control(&m, SCM_RIGHTS, p->fds, p->fd_count * sizeof *p->fds);
		if (p->sender != NULL && p->sender->creds != NULL)
			add_control(&m, SCM_CREDENTIALS, &creds, sizeof creds);
		if (m.msg_controllen == 0)
			m.msg_control = NULL;
		ssize_t n = sendmsg(s->source->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno;
		done += (size_t)n;
	} while (done < p->length);
	return 0;
}

static struct crimg_unix_end *end_at(struct crimg_restart *r, size_t at)
{
	return at != CRIMG_NO_END ? &r->ends->list[at] : NULL;
}

// The socket of the image that sent it, or that is connected to it and may have; or NULL.
static struct crimg_unix_end *sending_end(struct crimg_restart *r, const struct packet *p)
{
	if (p->to->sk->type != SOCK_DGRAM)
		return end_at(r, p->to->peer);
	if (p->sender != NULL && p->sender->has_name && p->sender->name.len > 0)
		return end_at(r, crimg_unix_find_name(r->ends, SOCK_DGRAM, p->sender->name, false));
	return end_at(r, p->to->queuer);
}

// It is only sent once both are connected: until then others may send, too.
static bool must_wait(const struct crimg_restart *r, const struct packet *p, const struct crimg_unix_end *from)
{
	return p->to->sk->type == SOCK_DGRAM && from != NULL && !p->to->connected && p->to->peer != CRIMG_NO_END
		&& &r->ends->list[p->to->peer] == from;
}

static int find_source(struct crimg_restart *r, const struct packet *p, const struct crimg_unix_end *from,
                       struct source *out, struct crimg_err *err)
{
	int path = -1;
	*out = (struct source){ .fd = from != NULL ? from->fd : p->to->other };
	if (p->to->sk->type != SOCK_DGRAM)
		return 0;
	out->address = crimg_unix_address(p->to->sk->name, p->to->path);
	bool named = p->sender != NULL && p->sender->has_name && p->sender->name.len > 0;
	if (out->fd < 0) {
		out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		out->temporary = true;
	}
	if (out->fd < 0)
		return crimg_unix_fail(p->to, "a socket to send to it", err);
	if (named && out->temporary && crimg_unix_bind_gone(r, p->to, p->sender->name, out->fd, &path) < 0)
		crimg_lines_add(&r->notes, "file %u: who sent a packet in it has no name now: that is taken",
		                p->to->file->id);
	if (path >= 0)
		close(path);
	crimg_socket_set_room(out->fd);
	return 0;
}

static int send_packet(struct crimg_restart *r, const struct packet *p, const struct crimg_unix_end *from,
                       struct crimg_err *err)
{
	struct source source;
	struct sending sending = { p, &source };
	struct crimg_err mine = CRIMG_ERR_INIT;
	if (find_source(r, p, from, &source, err) < 0)
		return -1;
	int rc = crimg_restart_as(r, p->sender != NULL ? p->sender->creds : NULL, do_send, &sending, &mine);
	if (source.temporary)
		close(source.fd);
	if (rc == 0)
		return 0;
	errno = mine.sys_errno;
	return crimg_unix_fail(p->to, errno == EAGAIN && p->to->sk->type == SOCK_DGRAM
	                       ? "what waits in it: more than net.unix.max_dgram_qlen allows here"
	                       : "what waits in it", err);
}

// Files that are on their way are opened when they are wanted: no task may have them.
static int find_descriptors(struct crimg_restart *r, const SkPacketEntry *e, struct packet *p, struct crimg_err *err)
{
	for (size_t i = 0; i < e->n_scm; i++)
		for (size_t k = 0; k < e->scm[i]->n_rights; k++) {
			uint32_t id = e->scm[i]->rights[k];
			if (p->fd_count == DESCRIPTORS_MAX)
				return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
				                  "file %u: more than %u descriptors with a packet", e->id_for,
				                  DESCRIPTORS_MAX);
			if (crimg_restart_need_file(r, id, err) < 0)
				return -1;
			p->fds[p->fd_count++] = crimg_handles_find(&r->handles, CRIMG_HANDLE_FILE, id, 0);
		}
	return 0;
}

static int read_packet(struct crimg_restart *r, const struct crimg_image_entry *entry, struct packet *p,
                       struct crimg_err *err)
{
	struct crimg_payload_ref from = entry->payload;
	if (from.length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET, "file %u: a packet of %llu bytes",
		                  p->to->file->id, (unsigned long long)from.length);
	p->length = from.number == CRIMG_NO_PAYLOAD ? 0 : (size_t)from.length;
	p->data = malloc(p->length + 1);
	if (p->data == NULL)
		return crimg_fail_nomem(err, p->length);
	return p->length == 0 ? 0 : crimg_image_read(r->image, from.number, 0, p->data, p->length, err);
}

static int put_back(struct crimg_restart *r, const struct crimg_image_entry *entry, struct packet *p,
                    const struct crimg_unix_end *from, struct crimg_err *err)
{
	const void *message = entry->message;
	int rc = read_packet(r, entry, p, err);
	if (rc == 0)
		rc = find_descriptors(r, message, p, err);
	if (rc == 0)
		rc = send_packet(r, p, from, err);
	free(p->data);
	return rc;
}

// Of several about one packet, the first; they are in the packets' order.
static const SkSenderEntry *sender_of(const struct crimg_list *senders, size_t packet, size_t *at)
{
	const SkSenderEntry *e = NULL;
	while (*at < senders->count && ((const SkSenderEntry *)senders->items[*at])->packet < packet)
		++*at;
	if (*at < senders->count)
		e = senders->items[*at];
	return e != NULL && e->packet == packet ? e : NULL;
}

int crimg_unix_fill(struct crimg_restart *r, struct crimg_unix_end *e, size_t *next, struct crimg_err *err)
{
	struct crimg_entries packets;
	struct crimg_list senders;
	size_t at = 0;
	if (crimg_image_select_entries(r->image, CRIMG_KIND_SK_QUEUES, "id_for", e->file->id, &packets, err) < 0
	    || crimg_image_select(r->image, CRIMG_KIND_SK_SENDERS, "id_for", e->file->id, &senders, err) < 0)
		return -1;
	for (; *next < packets.count; ++*next) {
		struct packet p = { .to = e, .sender = sender_of(&senders, *next, &at) };
		const struct crimg_unix_end *from = sending_end(r, &p);
		if (must_wait(r, &p, from))
			return 0;
		if (put_back(r, packets.items[*next], &p, from, err) < 0)
			return -1;
	}
	return 0;
}
