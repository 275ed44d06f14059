// Connections of TCP: which of them come back, and how they are put together.
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "format/limits.h"
#include "producer/connections.h"
#include "producer/inet_options.h"
#include "producer/restart_inet.h"
#include "producer/restart_sockets.h"
#include "producer/sockets.h"
#include "producer/tcp_rebuild.h"
#include "producer/tcp_repair.h"

#define PIECE_BYTES (64u << 10)
#define NAME_BYTES 32u

// A connection of the image: its message, its stream, and what is needed to put it together.
struct connection {
	const struct crimg_file *file;
	const InetSkEntry *sk;
	struct crimg_payload_ref payload;
	char name[NAME_BYTES];
	struct crimg_tcp_end end;
};

static bool was_connected(const struct crimg_file *file)
{
	const InetSkEntry *sk = file->message;
	return file->type == FD_TYPES__INETSK && sk != NULL && sk->type == SOCK_STREAM
	       && sk->proto == CRIMG_PROTOCOL_TCP && sk->dst_port != 0;
}

static bool ends_of(const InetSkEntry *sk, struct crimg_connection *out)
{
	struct crimg_inet i = {.family = (int)sk->family};
	size_t words = sk->family == AF_INET6 ? 4 : 1;
	if (sk->n_src_addr < words || sk->n_dst_addr < words)
		return false;
	i.ends.v6 = sk->family == AF_INET6;
	memcpy(i.ends.source, sk->src_addr, words * sizeof(uint32_t));
	memcpy(i.ends.target, sk->dst_addr, words * sizeof(uint32_t));
	i.ends.source_port = (uint16_t)sk->src_port;
	i.ends.target_port = (uint16_t)sk->dst_port;
	*out = crimg_inet_connection(&i);
	return true;
}

static int by_ends(const void *a, const void *b)
{
	return crimg_connection_order(a, b);
}

// Once: the ends of all connections, by which each finds its other one.
static bool gather(struct crimg_restart *r)
{
	struct crimg_restart_network *n = &r->network;
	if (n->ends != NULL)
		return true;
	n->ends = calloc(r->files.count + 1, sizeof *n->ends);
	if (n->ends == NULL) {
		r->refused.failed = true;
		return false;
	}
	for (size_t i = 0; i < r->files.count; i++) {
		const InetSkEntry *sk = r->files.list[i].message;
		if (was_connected(&r->files.list[i]) && crimg_tcp_is_connected(sk->state)
		    && ends_of(sk, &n->ends[n->count]))
			n->count++;
	}
	if (n->count > 0)
		qsort(n->ends, n->count, sizeof *n->ends, by_ends);
	return true;
}

static bool is_inside(struct crimg_restart *r, const InetSkEntry *sk)
{
	struct crimg_connection c;
	return gather(r) && ends_of(sk, &c) && crimg_connection_is_met(r->network.ends, r->network.count, &c);
}

static struct crimg_image_object *stream_of(struct crimg_restart *r, const InetSkEntry *sk)
{
	return crimg_image_find(r->image, CRIMG_KIND_TCP_STREAM, sk->ino);
}

// criu dump --tcp-close says in the inventory that it took none.
static bool took_none(struct crimg_restart *r)
{
	const InventoryEntry *inventory = crimg_image_get(r->image, CRIMG_KIND_INVENTORY, 0, NULL);
	return inventory != NULL && inventory->has_tcp_close && inventory->tcp_close;
}

bool crimg_restart_is_connection(struct crimg_restart *r, const struct crimg_file *file)
{
	const InetSkEntry *sk = file->message;
	if (!was_connected(file) || stream_of(r, sk) == NULL)
		return false;
	if (sk->state == CRIMG_TCP_CLOSE) { // of what has ended only the data that nobody read is worth it
		const TcpStreamEntry *e = crimg_image_get(r->image, CRIMG_KIND_TCP_STREAM, sk->ino, NULL);
		return e != NULL && e->inq_len > 0 && crimg_tcp_may_repair() && crimg_tcp_may_forge((int)sk->family);
	}
	return crimg_tcp_is_connected(sk->state) && (!r->options->tcp_close || is_inside(r, sk));
}

static const char *reason(struct crimg_restart *r, const InetSkEntry *sk)
{
	const struct crimg_restart_options *o = r->options;
	struct crimg_connection c;
	if (!crimg_tcp_is_connected(sk->state))
		return sk->state == CRIMG_TCP_CLOSE ? NULL : "a state of TCP that no socket of a program is in";
	if (!ends_of(sk, &c))
		return "a connection of TCP without addresses of its family";
	bool inside = is_inside(r, sk);
	if (o->tcp_close && !inside)
		return NULL;
	if (stream_of(r, sk) == NULL)
		return took_none(r) ? NULL : "its stream is missing in the image: take a whole image, or close it "
					     "with --tcp-close";
	if (!inside && !o->tcp_established)
		return "a connection of TCP whose other end is not in the image: --tcp-established brings it back, "
		       "--tcp-close closes it";
	if (!crimg_tcp_may_repair())
		return "a connection of TCP, which is made again only with CAP_NET_ADMIN (TCP_REPAIR)";
	if (crimg_tcp_wants_forging(sk->state) && !crimg_tcp_may_forge((int)sk->family))
		return "a connection of TCP that has ended on one side, which is made again only with CAP_NET_RAW";
	return NULL;
}

void crimg_restart_refuse_inet(struct crimg_restart *r, const struct crimg_file *file,
			       void (*refuse)(struct crimg_restart *r, const struct crimg_file *file, const char *why))
{
	const InetSkEntry *sk = file->message;
	struct sockaddr_storage a;
	socklen_t length;
	const char *why = NULL;
	if (file->type != FD_TYPES__INETSK)
		return;
	if ((sk->family != AF_INET && sk->family != AF_INET6)
	    || (sk->type != SOCK_STREAM && sk->type != SOCK_DGRAM && sk->type != SOCK_RAW))
		why = "a socket of the internet of an unknown sort";
	else if (!crimg_restart_address(sk, false, &a, &length) || !crimg_restart_address(sk, true, &a, &length))
		why = "a socket without addresses of its family";
	else if (was_connected(file))
		why = reason(r, sk);
	if (why != NULL)
		refuse(r, file, why);
}

static int find(struct crimg_restart *r, const struct crimg_file *file, int fd, struct connection *out,
		struct crimg_err *err)
{
	const InetSkEntry *sk = file->message;
	struct crimg_image_object *o = stream_of(r, sk);
	socklen_t length;
	*out = (struct connection){.file = file, .sk = sk, .payload = {.number = CRIMG_NO_PAYLOAD}};
	snprintf(out->name, sizeof out->name, "file %u", file->id);
	out->end.fd = fd;
	out->end.name = out->name;
	out->end.state = sk->state;
	out->end.stream = crimg_image_get(r->image, CRIMG_KIND_TCP_STREAM, sk->ino, err);
	if (out->end.stream == NULL)
		return -1;
	if (o->count > 0)
		out->payload = o->entries[0].payload;
	uint64_t there = out->payload.number == CRIMG_NO_PAYLOAD ? 0 : out->payload.length;
	uint64_t wanted = (uint64_t)out->end.stream->inq_len + out->end.stream->outq_len;
	uint32_t unsent = out->end.stream->has_unsq_len ? out->end.stream->unsq_len : 0;
	if (there < wanted || unsent > out->end.stream->outq_len)
		return crimg_fail(err, CRIMG_E_FORMAT, o->object.name, CRIMG_NO_OFFSET,
				  "%llu bytes of queues found, %llu wanted, of which %u are not sent yet",
				  (unsigned long long)there, (unsigned long long)wanted, unsent);
	if (!crimg_restart_address(sk, false, &out->end.source, &length)
	    || !crimg_restart_address(sk, true, &out->end.target, &length))
		return crimg_fail(err, CRIMG_E_FORMAT, out->name, CRIMG_NO_OFFSET, "no addresses of its family");
	return 0;
}

static int write_queue(const struct crimg_tcp_end *t, int queue, const uint8_t *data, size_t length,
		       struct crimg_err *err)
{
	if (queue != TCP_NO_QUEUE)
		return crimg_tcp_fill(t, queue, data, length, err);
	for (size_t at = 0; at < length;) {
		ssize_t n = send(t->fd, data + at, length - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			return crimg_fail_sys(err, n < 0 ? errno : EIO, t->name, "what was not sent yet");
		at += (size_t)n;
	}
	return 0;
}

// TCP_NO_QUEUE: what was not sent yet, of a socket that is a usual one again.
static int pour(struct crimg_restart *r, const struct connection *c, int queue, uint64_t from, uint64_t length,
		struct crimg_err *err)
{
	uint8_t *piece = length == 0 ? NULL : malloc(PIECE_BYTES);
	int rc = 0;
	if (length > 0 && piece == NULL)
		return crimg_fail_nomem(err, PIECE_BYTES);
	for (uint64_t at = 0; rc == 0 && at < length;) {
		size_t n = length - at < PIECE_BYTES ? (size_t)(length - at) : PIECE_BYTES;
		rc = crimg_image_read(r->image, c->payload.number, from + at, piece, n, err);
		if (rc == 0)
			rc = write_queue(&c->end, queue, piece, n, err);
		at += n;
	}
	free(piece);
	return rc;
}

// What decides where its packets go, before there are any.
static int set_way(const struct connection *c, struct crimg_err *err)
{
	const SkOptsEntry *o = c->sk->opts;
	if (o->so_bound_dev != NULL
	    && setsockopt(c->end.fd, SOL_SOCKET, SO_BINDTODEVICE, o->so_bound_dev,
			  (socklen_t)strlen(o->so_bound_dev)) < 0)
		return crimg_fail_sys(err, errno, c->name, "SO_BINDTODEVICE");
	if (o->has_so_mark && setsockopt(c->end.fd, SOL_SOCKET, SO_MARK, &o->so_mark, sizeof o->so_mark) < 0)
		return crimg_fail_sys(err, errno, c->name, "SO_MARK");
	return 0;
}

// What was received is in; what the other end is about to send finds the room that there was.
static void limit_room(const struct connection *c)
{
	int bytes = (int)(c->sk->opts->so_rcvbuf / 2); // the kernel doubles it
	(void)setsockopt(c->end.fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
}

int crimg_restart_open_connection(struct crimg_restart *r, const struct crimg_file *file, int fd,
				  struct crimg_err *err)
{
	struct connection c;
	if (find(r, file, fd, &c, err) < 0 || set_way(&c, err) < 0)
		return -1;
	const TcpStreamEntry *e = c.end.stream;
	uint32_t unsent = e->has_unsq_len ? e->unsq_len : 0;
	crimg_socket_set_room(fd);
	if (crimg_tcp_rebuild(&c.end, err) < 0)
		return -1;
	if (c.end.state == CRIMG_TCP_SYN_SENT)
		return 0;
	if (pour(r, &c, TCP_RECV_QUEUE, 0, e->inq_len, err) < 0
	    || pour(r, &c, TCP_SEND_QUEUE, e->inq_len, e->outq_len - unsent, err) < 0)
		return -1;
	limit_room(&c);
	return crimg_tcp_set_window(&c.end, err);
}

static int finish(struct crimg_restart *r, const struct connection *c, bool unsaid, struct crimg_err *err)
{
	const TcpStreamEntry *e = c->end.stream;
	const InetSkEntry *sk = c->sk;
	uint32_t unsent = e->has_unsq_len ? e->unsq_len : 0;
	bool deaf = sk->has_shutdown && (sk->shutdown & SK_SHUTDOWN__READ) != 0;
	if (pour(r, c, TCP_NO_QUEUE, (uint64_t)e->inq_len + e->outq_len - unsent, unsent, err) < 0)
		return -1;
	if (unsaid && shutdown(c->end.fd, SHUT_WR) < 0)
		return crimg_fail_sys(err, errno, c->name, "that it has ended sending");
	if (crimg_restart_socket_options(r, c->file, c->end.fd, sk->opts, err) < 0
	    || crimg_tcp_old_options_set(c->end.fd, c->name, sk->opts, e, err) < 0)
		return -1;
	if (deaf && c->end.state != CRIMG_TCP_CLOSE)
		(void)shutdown(c->end.fd, SHUT_RD); // the other end may have ended it meanwhile
	if (fcntl(c->end.fd, F_SETFL, (int)sk->flags & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)) < 0)
		return crimg_fail_sys(err, errno, c->name, "setting its flags");
	return 0;
}

// The lock that whoever took the image left behind.
static int unlock(struct crimg_restart *r, struct crimg_err *err)
{
	const InventoryEntry *inventory = crimg_image_get(r->image, CRIMG_KIND_INVENTORY, 0, NULL);
	char name[CRIMG_NETLOCK_NAME_BYTES];
	bool there;
	if (inventory != NULL && inventory->has_network_lock_method
	    && inventory->network_lock_method == CRIMG_LOCK_IPTABLES)
		crimg_lines_add(&r->notes, "criu has locked connections with iptables, whose rules stay: remove them "
				"(iptables -D), or no packet of theirs comes through");
	if (inventory == NULL || !inventory->has_network_lock_method
	    || inventory->network_lock_method != CRIMG_LOCK_NFTABLES || inventory->dump_criu_run_id == NULL)
		return 0;
	crimg_connections_lock_name(inventory->dump_criu_run_id, name);
	return crimg_netlock_remove(name, &there, err);
}

static int each_connection(struct crimg_restart *r, bool last, bool *unsaid, struct crimg_err *err)
{
	for (size_t i = 0; i < r->handles.count; i++) {
		const struct crimg_handle *h = &r->handles.list[i];
		struct connection c;
		const struct crimg_file *file =
			h->sort == CRIMG_HANDLE_FILE ? crimg_files_find(&r->files, (uint32_t)h->id) : NULL;
		if (file == NULL || !was_connected(file) || crimg_restart_inherited(r, file) != NULL
		    || !crimg_restart_is_connection(r, file))
			continue;
		if (find(r, file, h->fd, &c, err) < 0)
			return -1;
		if (last ? finish(r, &c, unsaid[i], err) < 0 : crimg_tcp_release(&c.end, &unsaid[i], err) < 0)
			return -1;
	}
	return 0;
}

int crimg_restart_release_connections(struct crimg_restart *r, struct crimg_err *err)
{
	bool *unsaid = calloc(r->handles.count + 1, sizeof *unsaid);
	if (unsaid == NULL)
		return crimg_fail_nomem(err, r->handles.count + 1);
	int rc = gather(r) && r->network.count == 0 ? 0 : unlock(r, err);
	if (rc == 0)
		rc = each_connection(r, false, unsaid, err);
	if (rc == 0)
		rc = each_connection(r, true, unsaid, err);
	free(unsaid);
	return rc;
}
