// The entry of a socket of IPv4 or IPv6, whatever its protocol.
#include "producer/capture_inet.h"

#include <errno.h>
#include <linux/in6.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "producer/capture_sockets.h"
#include "producer/inet_options.h"
#include "producer/level_options.h"
#include "producer/net_policy.h"
#include "producer/socket_diag.h"
#include "producer/tcp_repair.h"

int crimg_capture_note(struct crimg_capture *c, struct crimg_err *err, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
	line[length] = '\n';
	return crimg_buf_append(&c->notes, line, length + 1, err);
}

struct wanted {
	uint64_t ino;
	bool found;
	uint8_t shutdown;
};

static int compare(void *context, const struct crimg_diag_answer *answer, struct crimg_err *err)
{
	struct wanted *w = context;
	struct inet_diag_msg m;
	(void)err;
	memcpy(&m, answer->message, sizeof m);
	if (m.idiag_inode != w->ino || answer->attributes[INET_DIAG_SHUTDOWN].length < 1)
		return 0;
	w->found = true;
	memcpy(&w->shutdown, answer->attributes[INET_DIAG_SHUTDOWN].data, 1);
	return 0;
}

// The one socket that has these addresses, as it sends or as it receives: which of both the kernel wants has changed.
static void name_it(struct inet_diag_req_v2 *q, const struct crimg_inet *i, bool receives)
{
	const struct crimg_connection *c = &i->ends;
	q->id.idiag_cookie[0] = q->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	q->id.idiag_sport = htons(receives ? c->target_port : c->source_port);
	q->id.idiag_dport = htons(receives ? c->source_port : c->target_port);
	memcpy(q->id.idiag_src, receives ? c->target : c->source, sizeof q->id.idiag_src);
	memcpy(q->id.idiag_dst, receives ? c->source : c->target, sizeof q->id.idiag_dst);
}

// Only the kernel's list of sockets tells whether one of UDP was shut down for sending: *shutdown, as sk_shutdown
// has it. Of those connected: no other can be. Where it is not found by its addresses, all are looked at.
static int ask_shutdown(const struct crimg_inet *i, uint64_t ino, uint8_t *shutdown, struct crimg_err *err)
{
	struct wanted w = {.ino = ino};
	struct inet_diag_req_v2 q = {
		.sdiag_family = (uint8_t)i->family, .sdiag_protocol = (uint8_t)i->protocol,
		.idiag_states = UINT32_MAX,
	};
	if (i->protocol != IPPROTO_UDP && i->protocol != IPPROTO_UDPLITE)
		return 0;
	for (int receives = 0; !w.found && receives < 2; receives++) {
		struct crimg_err none = CRIMG_ERR_INIT; // there is no such socket
		name_it(&q, i, receives != 0);
		if (crimg_socket_diag(&q, sizeof q, false, sizeof(struct inet_diag_msg), compare, &w, &none) < 0)
			continue;
	}
	if (!w.found
	    && crimg_socket_diag(&q, sizeof q, true, sizeof(struct inet_diag_msg), compare, &w, err) < 0)
		return -1;
	*shutdown = w.shutdown;
	return 0;
}

// Of TCP the state tells who has ended sending.
static uint8_t shutdown_of_tcp(const struct crimg_inet *i)
{
	static const uint32_t ended = 1u << CRIMG_TCP_FIN_WAIT1 | 1u << CRIMG_TCP_FIN_WAIT2
				      | 1u << CRIMG_TCP_CLOSING | 1u << CRIMG_TCP_LAST_ACK;
	if (i->state == CRIMG_TCP_CLOSE)
		return i->read_ended ? SK_SHUTDOWN__BOTH : SK_SHUTDOWN__NONE;
	return (uint8_t)((i->read_ended ? SK_SHUTDOWN__READ : 0)
			 | (i->state < 32 && (ended >> i->state & 1) != 0 ? SK_SHUTDOWN__WRITE : 0));
}

static int fill_shutdown(const struct crimg_open_file *f, const struct crimg_inet *i, InetSkEntry *e,
			 struct crimg_err *err)
{
	uint8_t shutdown = 0;
	if (i->tcp)
		shutdown = shutdown_of_tcp(i);
	else if (i->state == CRIMG_TCP_ESTABLISHED && ask_shutdown(i, f->ino, &shutdown, err) < 0)
		return -1;
	e->has_shutdown = shutdown > SK_SHUTDOWN__NONE && shutdown <= SK_SHUTDOWN__BOTH;
	e->shutdown = (SkShutdown)shutdown;
	return 0;
}

// CRIU has the addresses as words, in network order.
static int fill_address(struct crimg_capture *c, const struct crimg_inet *i, const uint8_t address[16],
			uint32_t **out, size_t *count, struct crimg_err *err)
{
	*count = i->family == AF_INET6 ? 4 : 1;
	*out = crimg_capture_alloc(c, *count * sizeof **out, err);
	if (*out == NULL)
		return -1;
	memcpy(*out, address, *count * sizeof **out);
	return 0;
}

// Of an address that means something only together with a device, the device.
static int fill_device(struct crimg_capture *c, const struct crimg_open_file *f, InetSkEntry *e,
		       struct crimg_err *err)
{
	struct sockaddr_in6 a;
	socklen_t length = sizeof a;
	char device[IF_NAMESIZE];
	if (getsockname(f->ours, (struct sockaddr *)&a, &length) < 0 || a.sin6_scope_id == 0)
		return 0;
	if (if_indextoname(a.sin6_scope_id, device) == NULL)
		return crimg_fail_sys(err, errno, f->link, "the device %u of its address", a.sin6_scope_id);
	e->ifname = crimg_arena_text(&c->arena, device, strlen(device));
	return e->ifname != NULL ? 0 : crimg_fail_nomem(err, sizeof device);
}

static int fill(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i, InetSkEntry *e,
		struct crimg_err *err)
{
	int v6only = 0;
	socklen_t length = sizeof v6only;
	e->id = f->id;
	e->ino = (uint32_t)f->ino;
	e->family = (uint32_t)i->family;
	e->type = (uint32_t)i->type;
	e->proto = (uint32_t)i->protocol;
	e->state = i->state;
	e->src_port = i->ends.source_port;
	e->dst_port = i->ends.target_port;
	e->flags = f->flags;
	e->backlog = i->backlog;
	e->fown = crimg_capture_owner(c, f->ours, err);
	if (e->fown == NULL || fill_address(c, i, i->ends.source, &e->src_addr, &e->n_src_addr, err) < 0
	    || fill_address(c, i, i->ends.target, &e->dst_addr, &e->n_dst_addr, err) < 0
	    || fill_shutdown(f, i, e, err) < 0)
		return -1;
	if (i->family != AF_INET6)
		return 0;
	e->has_v6only = getsockopt(f->ours, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &length) == 0;
	e->v6only = v6only != 0;
	return fill_device(c, f, e, err);
}

int crimg_capture_level_options(struct crimg_capture *c, const struct crimg_open_file *f, LevelOptionsEntry *more,
				struct crimg_err *err)
{
	more->id = f->id;
	return more->n_option == 0 ? 0 : crimg_shelf_put(&c->shelf, CRIMG_KIND_LEVEL_OPTIONS, 0, &more->base, err);
}

static int put_more(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i,
		    struct crimg_err *err)
{
	LevelOptionsEntry more = LEVEL_OPTIONS_ENTRY__INIT;
	bool connected = i->tcp && i->state != CRIMG_TCP_CLOSE && i->state != CRIMG_TCP_LISTEN;
	if (crimg_level_options_get(f->ours, f->link, connected, &c->arena, &more, err) < 0)
		return -1;
	if (!i->tcp && crimg_multicast_get(f->ours, f->link, i->family, &c->arena, &more, err) < 0)
		return -1;
	return crimg_capture_level_options(c, f, &more, err);
}

// What is not in the image, and nobody would notice at once.
static int note(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i,
		struct crimg_err *err)
{
	int bytes = 0;
	if (i->waiting > 0)
		return crimg_capture_note(c, err, "%s: %u connections that nobody has accepted are not taken", f->link,
					  i->waiting);
	if (i->type != SOCK_STREAM && ioctl(f->ours, FIONREAD, &bytes) == 0 && bytes > 0)
		return crimg_capture_note(c, err, "%s: datagrams that were not read yet are not taken", f->link);
	return 0;
}

// Of a connection that has ended, or been refused, the other end is known still. Whoever may not look into its queue
// takes it for a socket that was never connected.
static bool forget_peer(struct crimg_inet *i)
{
	if (i->state != CRIMG_TCP_CLOSE || i->ends.target_port == 0 || crimg_tcp_may_repair())
		return false;
	memset(i->ends.target, 0, sizeof i->ends.target);
	i->ends.target_port = 0;
	return true;
}

static int put(struct crimg_capture *c, const struct crimg_open_file *f, const struct crimg_inet *i,
	       struct crimg_err *err)
{
	InetSkEntry e = INET_SK_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	SkMoreEntry sk_more = SK_MORE_ENTRY__INIT;
	IpOptsEntry ip = IP_OPTS_ENTRY__INIT;
	IpOptsRawEntry raw = IP_OPTS_RAW_ENTRY__INIT;
	TcpOptsEntry tcp = TCP_OPTS_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	if (fill(c, f, i, &e, err) < 0 || crimg_capture_socket_options(c, f, &opts, &sk_more, err) < 0
	    || crimg_ip_options_get(f->ours, i, &c->arena, &ip, &raw, err) < 0 || put_more(c, f, i, err) < 0)
		return -1;
	e.opts = &opts;
	e.ip_opts = &ip;
	if (i->tcp) {
		e.tcp_opts = &tcp;
		crimg_tcp_options_get(f->ours, &tcp);
	}
	file.type = FD_TYPES__INETSK;
	file.id = f->id;
	file.isk = &e;
	if (note(c, f, i, err) < 0 || crimg_capture_socket_more(c, &sk_more, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &file.base, err);
}

int crimg_capture_inet(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	struct crimg_inet i;
	if (crimg_inet_look(f->ours, f->link, &i, err) < 0
	    || crimg_inet_refuse(f->ours, f->link, &i, crimg_net_policy()->skip_in_flight, err) < 0)
		return -1;
	if (i.tcp && i.ends.target_port != 0 && !forget_peer(&i))
		return crimg_capture_defer(c, f, &i, err);
	return put(c, f, &i, err);
}

// Looked at when nothing comes in any more.
int crimg_capture_deferred(struct crimg_capture *c, const struct crimg_open_file *f, size_t index,
			   struct crimg_err *err)
{
	struct crimg_inet i;
	uint32_t state;
	if (crimg_capture_tcp(c, f, index, &state, err) < 0 || crimg_inet_look(f->ours, f->link, &i, err) < 0)
		return -1;
	i.state = state;
	return put(c, f, &i, err);
}
