// View sockets: every socket with addresses, state, queues, peer, options that matter.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "inspect/file_text.h"
#include "inspect/table.h"
#include "inspect/users.h"

#define FIRST_COLUMNS(family)                                                                        \
	{ "family", family, CRIMG_COLUMN_LEFT },                                                         \
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },                                                           \
	{ "proto", "PROTO", CRIMG_COLUMN_LEFT },                                                         \
	{ "state", "STATE", CRIMG_COLUMN_LEFT }
#define LAST_COLUMNS                                                                                 \
	{ "receive_queue_bytes", "RECV-Q", CRIMG_COLUMN_RIGHT },                                         \
	{ "receive_queue_packets", NULL, CRIMG_COLUMN_RIGHT },                                           \
	{ "send_queue_bytes", "SEND-Q", CRIMG_COLUMN_RIGHT },                                            \
	{ "inode", NULL, CRIMG_COLUMN_RIGHT },                                                           \
	{ "peer_inode", NULL, CRIMG_COLUMN_RIGHT },                                                      \
	{ "file_id", NULL, CRIMG_COLUMN_RIGHT },                                                         \
	{ "send_buffer", NULL, CRIMG_COLUMN_RIGHT },                                                     \
	{ "receive_buffer", NULL, CRIMG_COLUMN_RIGHT },                                                  \
	{ "users", "HELD BY", CRIMG_COLUMN_LEFT },                                                       \
	{ "options", "OPTIONS", CRIMG_COLUMN_CUT }

static const struct crimg_column inet_columns[] = {
	FIRST_COLUMNS("FAMILY"),
	{ "local", "LOCAL", CRIMG_COLUMN_LEFT },
	{ "peer", "PEER", CRIMG_COLUMN_LEFT },
	LAST_COLUMNS,
};

static const struct crimg_column unix_columns[] = {
	FIRST_COLUMNS(NULL),
	{ "local", "NAME", CRIMG_COLUMN_CUT_MIDDLE },
	{ "peer", "PEER", CRIMG_COLUMN_CUT_MIDDLE },
	LAST_COLUMNS,
};

struct by_inode {
	uint32_t inode;
	const struct crimg_file *file;
};

struct sockets {
	struct crimg_table table;
	struct crimg_users users;
	struct by_inode *inodes;  // unix sockets, sorted
	size_t inode_count;
};

static int by_inode(const void *a, const void *b)
{
	const struct by_inode *x = a, *y = b;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void index_inodes(struct crimg_view *view, struct sockets *s)
{
	s->inodes = calloc(view->files.count + 1, sizeof *s->inodes);
	if (s->inodes == NULL) {
		crimg_fail_nomem(&view->fault, view->files.count * sizeof *s->inodes);
		return;
	}
	for (size_t i = 0; i < view->files.count; i++)
		if (view->files.list[i].type == FD_TYPES__UNIXSK)
			s->inodes[s->inode_count++] = (struct by_inode){
				crimg_file_inode(&view->files.list[i]), &view->files.list[i] };
	if (s->inode_count > 0)
		qsort(s->inodes, s->inode_count, sizeof *s->inodes, by_inode);
}

static void users_text(const struct sockets *s, uint32_t file, char *out, size_t size)
{
	size_t count;
	const struct crimg_user *list = crimg_users_of(&s->users, file, &count);
	out[0] = '\0';
	if (count == 0)
		snprintf(out, size, "nobody");
	for (size_t i = 0; i < count && i < 2; i++) {
		size_t used = strlen(out);
		crimg_user_text(&list[i], out + used, size - used);
		used = strlen(out);
		snprintf(out + used, size - used, "%s", i + 1 < count ? ", " : "");
	}
	if (count > 2)
		snprintf(out + strlen(out), size - strlen(out), "%zu more", count - 2);
}

struct option_text {
	char text[512];
};

static void add(struct option_text *o, const char *fmt, ...) CRIMG_PRINTF(2, 3);

static void add(struct option_text *o, const char *fmt, ...)
{
	size_t used = strlen(o->text);
	va_list ap;
	if (used > 0 && used + 1 < sizeof o->text) {
		o->text[used++] = ' ';
		o->text[used] = '\0';
	}
	va_start(ap, fmt);
	vsnprintf(o->text + used, sizeof o->text - used, fmt, ap);
	va_end(ap);
}

// What a program set on purpose; defaults say nothing.
static void add_options(struct option_text *o, const SkOptsEntry *s)
{
	const struct {
		bool on;
		const char *name;
	} rows[] = {
		{ s->has_reuseaddr && s->reuseaddr, "reuseaddr" },
		{ s->has_so_reuseport && s->so_reuseport, "reuseport" },
		{ s->has_so_passcred && s->so_passcred, "passcred" },
		{ s->has_so_passsec && s->so_passsec, "passsec" },
		{ s->has_so_dontroute && s->so_dontroute, "dontroute" },
		{ s->has_so_no_check && s->so_no_check, "nocheck" },
		{ s->has_so_broadcast && s->so_broadcast, "broadcast" },
		{ s->has_so_keepalive && s->so_keepalive, "keepalive" },
		{ s->has_so_oobinline && s->so_oobinline != 0, "oobinline" },
		{ s->n_so_filter > 0, "filter" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].on)
			add(o, "%s", rows[i].name);
	if (s->has_tcp_keepidle && s->has_so_keepalive && s->so_keepalive)
		add(o, "keepidle=%us", s->tcp_keepidle);
	if (s->so_bound_dev != NULL)
		add(o, "dev=%s", s->so_bound_dev);
	if (s->has_so_mark && s->so_mark != 0)
		add(o, "mark=0x%x", s->so_mark);
}

static void add_flags(struct option_text *o, uint32_t flags)
{
	if ((flags & 04000) != 0)
		add(o, "nonblock");
}

static void last_cells(struct sockets *s, const struct crimg_file *file, const SkOptsEntry *opts,
                       const struct option_text *o)
{
	const UnixSkEntry *peer = file->type == FD_TYPES__UNIXSK ? file->message : NULL;
	crimg_cell_count(&s->table, file->queued_bytes);
	crimg_cell_u64(&s->table, file->queued_packets);
	crimg_cell_count(&s->table, file->unsent_bytes);
	crimg_cell_u64(&s->table, crimg_file_inode(file));
	crimg_cell_u64(&s->table, peer != NULL ? peer->peer : 0);
	crimg_cell_u64(&s->table, file->id);
	crimg_cell_u64(&s->table, opts->so_sndbuf);
	crimg_cell_u64(&s->table, opts->so_rcvbuf);
	crimg_cell_users(&s->table, &s->users, file->id, 2);
	crimg_cell_text(&s->table, o->text);
}

static void first_cells(struct sockets *s, uint32_t family, uint32_t type, const char *proto,
                        uint32_t state)
{
	char a[32], b[32], c[32];
	// The kernel calls every unconnected socket CLOSE; only of TCP that is a state.
	bool unconnected = state == 7 && strcmp(proto != NULL ? proto : "", "tcp") != 0;
	crimg_table_row(&s->table);
	crimg_cell_text(&s->table,
	                crimg_name_or_number(CRIMG_NAMES_SOCKET_FAMILY, family, a, sizeof a));
	crimg_cell_text(&s->table, crimg_name_or_number(CRIMG_NAMES_SOCKET_TYPE, type, b, sizeof b));
	crimg_cell_text(&s->table, proto);
	crimg_cell_text(&s->table, state == 0 ? NULL : unconnected ? "unconnected"
	                : crimg_name_or_number(CRIMG_NAMES_SOCKET_STATE, state, c, sizeof c));
}

static void inet_row(struct sockets *s, const struct crimg_file *file)
{
	const InetSkEntry *m = file->message;
	struct option_text o = { "" };
	char a[96], proto[32];
	first_cells(s, m->family, m->type,
	            crimg_name_or_number(CRIMG_NAMES_IP_PROTO, m->proto, proto, sizeof proto),
	            m->state);
	// The port of a raw socket is its protocol once more.
	crimg_cell_text(&s->table,
	                m->type == 3 ? crimg_address_text(m->src_addr, m->n_src_addr, a, sizeof a)
	                             : crimg_endpoint_text(m->src_addr, m->n_src_addr, m->src_port,
	                                                   a, sizeof a));
	if (m->dst_port != 0)
		crimg_cell_text(&s->table, crimg_endpoint_text(m->dst_addr, m->n_dst_addr,
		                                               m->dst_port, a, sizeof a));
	else
		crimg_cell_none(&s->table);
	if (m->state == 10)
		add(&o, "backlog=%u", m->backlog);
	if (m->has_v6only && m->v6only)
		add(&o, "v6only");
	if (m->has_shutdown && m->shutdown != SK_SHUTDOWN__NONE)
		add(&o, "shutdown=%s", crimg_name_of(CRIMG_NAMES_SHUTDOWN, m->shutdown) != NULL
		    ? crimg_name_of(CRIMG_NAMES_SHUTDOWN, m->shutdown) : "?");
	if (m->tcp_opts != NULL && m->tcp_opts->has_nodelay && m->tcp_opts->nodelay)
		add(&o, "nodelay");
	if (m->tcp_opts != NULL && m->tcp_opts->has_keepidle && m->opts->has_so_keepalive
	    && m->opts->so_keepalive)
		add(&o, "keepidle=%us", m->tcp_opts->keepidle);
	if (m->ifname != NULL)
		add(&o, "if=%s", m->ifname);
	add_flags(&o, m->flags);
	add_options(&o, m->opts);
	last_cells(s, file, m->opts, &o);
}

// Who holds the peer, behind its name if it has one: most unix sockets have none.
static void peer_text(struct sockets *s, uint32_t peer, char *out, size_t size)
{
	struct by_inode key = { peer, NULL };
	const struct by_inode *found = peer == 0 || s->inode_count == 0 ? NULL
		: bsearch(&key, s->inodes, s->inode_count, sizeof *s->inodes, by_inode);
	char users[128];
	snprintf(out, size, "[%u] outside the image", peer);
	if (found == NULL)
		return;
	users_text(s, found->file->id, users, sizeof users);
	crimg_unix_name(found->file->message, out, size);
	size_t used = strlen(out);
	snprintf(out + used, size - used, used > 0 ? " (%s)" : "%s", users);
}

static void unix_row(struct sockets *s, const struct crimg_file *file)
{
	const UnixSkEntry *m = file->message;
	struct option_text o = { "" };
	char name[1100], peer[640], own[512];
	first_cells(s, 1, m->type, NULL, m->state);
	crimg_unix_name(m, own, sizeof own);
	if (own[0] == '\0')
		snprintf(name, sizeof name, "[%u]", m->ino);
	else
		snprintf(name, sizeof name, "%s%s%s", m->name_dir != NULL ? m->name_dir : "",
		         m->name_dir != NULL ? "/" : "", own);
	crimg_cell_text(&s->table, name);
	peer_text(s, m->peer, peer, sizeof peer);
	crimg_cell_text(&s->table, m->peer != 0 ? peer : NULL);
	if (m->state == 10)
		add(&o, "backlog=%u", m->backlog);
	if (m->has_shutdown && m->shutdown != SK_SHUTDOWN__NONE)
		add(&o, "shutdown=%s", crimg_name_of(CRIMG_NAMES_SHUTDOWN, m->shutdown) != NULL
		    ? crimg_name_of(CRIMG_NAMES_SHUTDOWN, m->shutdown) : "?");
	if (m->has_deleted && m->deleted)
		add(&o, "deleted");
	if (m->file_perms != NULL)
		add(&o, "mode=0%o", m->file_perms->mode & 07777);
	add_flags(&o, m->flags);
	add_options(&o, m->opts);
	last_cells(s, file, m->opts, &o);
}

static void netlink_row(struct sockets *s, const struct crimg_file *file)
{
	const NetlinkSkEntry *m = file->message;
	struct option_text o = { "" };
	char proto[32];
	first_cells(
		s, 16, 3,
		crimg_name_or_number(CRIMG_NAMES_NETLINK_PROTO, m->protocol, proto, sizeof proto),
		m->state);
	crimg_cell_textf(&s->table, "port %u", m->portid);
	if (m->dst_portid != 0 || m->dst_group != 0)
		crimg_cell_textf(&s->table, "port %u group %u", m->dst_portid, m->dst_group);
	else
		crimg_cell_none(&s->table);
	if (m->n_groups > 0 && m->groups[0] != 0)
		add(&o, "groups=0x%x", m->groups[0]);
	add_flags(&o, m->flags);
	add_options(&o, m->opts);
	last_cells(s, file, m->opts, &o);
}

static void packet_row(struct sockets *s, const struct crimg_file *file)
{
	const PacketSockEntry *m = file->message;
	struct option_text o = { "" };
	char proto[32];
	uint32_t ether = (m->protocol & 0xff) << 8 | (m->protocol >> 8 & 0xff);
	snprintf(proto, sizeof proto, "0x%x", ether);
	const char *name = crimg_name_of(CRIMG_NAMES_ETHERTYPE, ether);
	first_cells(s, 17, m->type, name != NULL ? name : proto, 0);
	if (m->ifindex != 0)
		crimg_cell_textf(&s->table, "interface %u", m->ifindex);
	else
		crimg_cell_text(&s->table, "any interface");
	crimg_cell_none(&s->table);
	add_flags(&o, m->flags);
	add_options(&o, m->opts);
	last_cells(s, file, m->opts, &o);
}

static const struct {
	FdTypes type;
	const char *key, *title;
	const struct crimg_column *columns;
	void (*row)(struct sockets *s, const struct crimg_file *file);
} rows[] = {
	{ FD_TYPES__INETSK, "inet", "Internet sockets", inet_columns, inet_row },
	{ FD_TYPES__UNIXSK, "unix", "Unix sockets", unix_columns, unix_row },
	{ FD_TYPES__NETLINKSK, "netlink", "Netlink sockets", unix_columns, netlink_row },
	{ FD_TYPES__PACKETSK, "packet", "Packet sockets", unix_columns, packet_row },
};

#define COLUMN_COUNT (sizeof inet_columns / sizeof inet_columns[0])

static bool wanted(const struct sockets *s, const struct crimg_view *view, uint32_t file)
{
	size_t count;
	const struct crimg_user *list = crimg_users_of(&s->users, file, &count);
	if (!view->options->has_pid)
		return true;
	for (size_t i = 0; i < count; i++)
		if (list[i].pid == view->options->pid)
			return true;
	return false;
}

static size_t show_type(struct crimg_view *view, struct sockets *s, size_t row)
{
	size_t shown = 0;
	crimg_table_begin(&s->table, view, rows[row].key, rows[row].columns, COLUMN_COUNT);
	for (size_t k = 0; k < view->files.count && !crimg_view_failed(view); k++) {
		const struct crimg_file *file = &view->files.list[k];
		if (file->type != rows[row].type || file->message == NULL
		    || !wanted(s, view, file->id))
			continue;
		rows[row].row(s, file);
		shown++;
	}
	if (shown > 0)
		crimg_heading(view, "%s: %zu", rows[row].title, shown);
	crimg_table_end(&s->table);
	return shown;
}

void crimg_view_sockets(struct crimg_view *view)
{
	struct sockets s = { .inodes = NULL };
	size_t shown = 0;
	crimg_users_load(view, &s.users);
	index_inodes(view, &s);
	crimg_group_object(view, "sockets");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		shown += show_type(view, &s, i);
	crimg_group_end(view);
	if (shown == 0) {
		crimg_heading(view, "Sockets");
		crimg_line(view, CRIMG_MARK_NONE, "none");
	}
	crimg_users_fini(&s.users);
	free(s.inodes);
}
