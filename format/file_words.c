// A row for each type of file, each with a function that describes it.
#include "format/file_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"

struct description {
	struct crimg_image *image;
	const struct crimg_files *files;
	const struct crimg_file *file;
	struct crimg_file_words *out;
	struct crimg_err *damage;
};

static void append(char *out, size_t size, const char *separator, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

static void append(char *out, size_t size, const char *separator, const char *fmt, va_list ap)
{
	size_t used = strlen(out);
	if (used > 0 && used < size)
		used += (size_t)snprintf(out + used, size - used, "%s", separator);
	if (used < size)
		vsnprintf(out + used, size - used, fmt, ap);
}

// Both append; notes are separated by commas.
static void add(struct description *d, const char *fmt, ...) CRIMG_PRINTF(2, 3);
static void note(struct description *d, const char *fmt, ...) CRIMG_PRINTF(2, 3);

static void add(struct description *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	append(d->out->name, sizeof d->out->name, "", fmt, ap);
	va_end(ap);
}

static void note(struct description *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	append(d->out->note, sizeof d->out->note, ", ", fmt, ap);
	va_end(ap);
}

static void add_queue(struct description *d)
{
	char bytes[32];
	if (d->file->queued_bytes > 0)
		note(d, "holds %s", crimg_bytes_text(d->file->queued_bytes, bytes, sizeof bytes));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void add_remap(struct description *d)
{
	const RemapFilePathEntry *remap = d->file->remap;
	char name[CRIMG_FILE_NAME_MAX];
	if (remap == NULL)
		return;
	RemapType type = remap->has_remap_type ? remap->remap_type : REMAP_TYPE__LINKED;
	if (!remap->has_remap_type && remap->remap_id >> 31 != 0) // before 1.6: the top bit
		type = REMAP_TYPE__GHOST;
	crimg_kind_file(CRIMG_KIND_GHOST_FILE, remap->remap_id & 0x7fffffff, name);
	if (type == REMAP_TYPE__GHOST) {
		note(d, "deleted, kept in %s", name);
	} else if (type == REMAP_TYPE__PROCFS) {
		note(d, "of dead process %u", remap->remap_id);
	} else {
		const struct crimg_file *link = crimg_files_find(d->files, remap->remap_id);
		const char *path = link != NULL ? crimg_file_path(link) : NULL;
		note(d, "deleted, kept as %s", path != NULL ? base_name(path) : "?");
	}
}

static void regular(struct description *d)
{
	const RegFileEntry *m = d->file->message;
	add(d, "%s", m->name);
	if (m->has_ext && m->ext)
		note(d, "external");
	add_remap(d);
}

static void pipe_end(struct description *d)
{
	add(d, "pipe:[%u]", ((const PipeEntry *)d->file->message)->pipe_id);
	add_queue(d);
}

static void fifo(struct description *d)
{
	const FifoEntry *m = d->file->message;
	if (d->file->path != NULL)
		add(d, "%s", d->file->path->name);
	else
		add(d, "fifo:[%u]", m->pipe_id);
	add_queue(d);
	add_remap(d);
}

static void inet(struct description *d)
{
	const InetSkEntry *m = d->file->message;
	char a[96], b[96], proto[32], state[32];
	bool connected = m->dst_port != 0;
	add(d, "%s%s %s", crimg_name_or_number(CRIMG_NAMES_IP_PROTO, m->proto, proto, sizeof proto),
	    m->family == 10 ? "6" : "",
	    crimg_endpoint_text(m->src_addr, m->n_src_addr, m->src_port, a, sizeof a));
	if (connected)
		add(d, " -> %s",
		    crimg_endpoint_text(m->dst_addr, m->n_dst_addr, m->dst_port, b, sizeof b));
	add(d, " %s", crimg_name_or_number(CRIMG_NAMES_SOCKET_STATE, m->state, state, sizeof state));
	add_queue(d);
}

char *crimg_unix_name(const UnixSkEntry *socket, char *out, size_t size)
{
	const char *name = (const char *)socket->name.data;
	size_t length = socket->name.len;
	out[0] = '\0';
	if (length == 0 || name == NULL)
		return out;
	bool abstract = name[0] == '\0';
	if (!abstract && name[length - 1] == '\0')
		length--;
	snprintf(out, size, "%s", abstract ? "@" : "");
	size_t used = strlen(out);
	crimg_safe_text(out + used, size - used, name + abstract, length - abstract);
	return out;
}

static void unix_socket(struct description *d)
{
	const UnixSkEntry *m = d->file->message;
	char name[1024], type[32], state[32];
	crimg_unix_name(m, name, sizeof name);
	add(d, "unix %s", crimg_name_or_number(CRIMG_NAMES_SOCKET_TYPE, m->type, type, sizeof type));
	if (name[0] != '\0')
		add(d, " %s%s%s", m->name_dir != NULL ? m->name_dir : "",
		    m->name_dir != NULL ? "/" : "", name);
	if (m->peer != 0)
		add(d, " [%u] -> [%u]", m->ino, m->peer);
	add(d, " %s", crimg_name_or_number(CRIMG_NAMES_SOCKET_STATE, m->state, state, sizeof state));
	add_queue(d);
}

static void eventfd(struct description *d)
{
	add(d, "eventfd, counter %" PRIu64, ((const EventfdFileEntry *)d->file->message)->counter);
}

static size_t watch_count(struct description *d)
{
	struct crimg_list list;
	if (crimg_file_watches(d->image, d->file, &list, d->damage) < 0)
		return 0; // noted in damage
	return list.count;
}

static void epoll(struct description *d)
{
	struct crimg_list list;
	if (crimg_file_watches(d->image, d->file, &list, d->damage) < 0)
		return; // noted in damage
	add(d, "epoll");
	for (size_t i = 0; i < list.count && i < 8; i++)
		add(d, "%s%u", i == 0 ? " of fd " : ", ",
		    ((const EventpollTfdEntry *)list.items[i])->tfd);
	if (list.count > 8)
		add(d, ", … (%zu)", list.count);
}

static void inotify(struct description *d)
{
	add(d, "inotify, %zu watches", watch_count(d));
}

static void fanotify(struct description *d)
{
	add(d, "fanotify, %zu marks", watch_count(d));
}

static void signalfd(struct description *d)
{
	char set[512];
	add(d, "signalfd %s",
	    crimg_sigset_text(((const SignalfdEntry *)d->file->message)->sigmask, set, sizeof set));
}

static void packet(struct description *d)
{
	const PacketSockEntry *m = d->file->message;
	char type[32], proto[32];
	add(d, "packet %s %s",
	    crimg_name_or_number(CRIMG_NAMES_SOCKET_TYPE, m->type, type, sizeof type),
	    crimg_name_or_number(CRIMG_NAMES_ETHERTYPE,
	                         (uint32_t)((m->protocol & 0xff) << 8 | (m->protocol >> 8 & 0xff)),
	                         proto, sizeof proto));
	add_queue(d);
}

static void tty(struct description *d)
{
	const TtyFileEntry *m = d->file->message;
	struct crimg_list infos;
	char type[32];
	add(d, "%s", d->file->path != NULL ? d->file->path->name : "tty");
	if (crimg_image_select(d->image, CRIMG_KIND_TTY_INFO, "id", m->tty_info_id, &infos,
	                       d->damage) < 0 || infos.count == 0)
		return;
	const TtyInfoEntry *info = infos.items[0];
	if (info->pty != NULL)
		note(d, "pty %u", info->pty->index);
	else
		note(d, "%s",
		     crimg_name_or_number(CRIMG_NAMES_TTY_TYPE, info->type, type, sizeof type));
	if (info->winsize != NULL && info->winsize->ws_row != 0)
		note(d, "%ux%u", info->winsize->ws_col, info->winsize->ws_row);
}

static void netlink(struct description *d)
{
	const NetlinkSkEntry *m = d->file->message;
	char proto[32];
	add(d, "netlink %s port %u",
	    crimg_name_or_number(CRIMG_NAMES_NETLINK_PROTO, m->protocol, proto, sizeof proto),
	    m->portid);
	add_queue(d);
}

static void namespace(struct description *d)
{
	const NsFileEntry *m = d->file->message;
	char kind[64];
	add(d, "%s namespace %u",
	    crimg_flags_text(CRIMG_NAMES_NAMESPACES, m->ns_cflag, kind, sizeof kind), m->ns_id);
}

static void tun(struct description *d)
{
	const TunfileEntry *m = d->file->message;
	add(d, "/dev/net/tun %s%s", m->netdev != NULL ? m->netdev : "",
	    m->has_detached && m->detached ? ", detached" : "");
}

static void external(struct description *d)
{
	add(d, "external file, restored by a plugin");
}

static void timerfd(struct description *d)
{
	const TimerfdEntry *m = d->file->message;
	char clock[32], left[48];
	add(d, "timerfd %s",
	    crimg_name_or_number(CRIMG_NAMES_CLOCK, m->clockid, clock, sizeof clock));
	if (m->vsec == 0 && m->vnsec == 0)
		add(d, " disarmed");
	else
		add(d, " due in %s", crimg_duration_text(m->vsec, m->vnsec, left, sizeof left));
	if (m->isec != 0 || m->insec != 0)
		add(d, ", every %s", crimg_duration_text(m->isec, m->insec, left, sizeof left));
	if (m->ticks != 0)
		add(d, ", %" PRIu64 " expiries unread", m->ticks);
}

static void memfd(struct description *d)
{
	const MemfdFileEntry *m = d->file->message;
	struct crimg_list inodes;
	char seals[128], bytes[32];
	if (crimg_image_select(d->image, CRIMG_KIND_MEMFD_INODE, "inode_id", m->inode_id,
	                       &inodes, d->damage) < 0 || inodes.count == 0) {
		add(d, "memfd of missing inode %u", m->inode_id);
		return;
	}
	const MemfdInodeEntry *inode = inodes.items[0];
	// Shared anonymous memory is such a file since 3.14.
	bool shared = strcmp(inode->name, "/dev/zero") == 0;
	add(d, "%s%s, %s", shared ? "shared memory " : "memfd:", inode->name,
	    crimg_bytes_text(inode->size, bytes, sizeof bytes));
	if (inode->seals != 0 && !shared)
		add(d, ", %s",
		    crimg_flags_text(CRIMG_NAMES_SEALS, inode->seals, seals, sizeof seals));
}

static void bpfmap(struct description *d)
{
	const BpfmapFileEntry *m = d->file->message;
	add(d, "bpf map %u %s, %u entries at most", m->map_id, m->map_name, m->max_entries);
}

static void pidfd(struct description *d)
{
	add(d, "pidfd of process %d", ((const PidfdEntry *)d->file->message)->nspid);
}

static const struct {
	FdTypes type;
	void (*describe)(struct description *d);
} rows[] = {
	{ FD_TYPES__REG, regular },     { FD_TYPES__PIPE, pipe_end },
	{ FD_TYPES__FIFO, fifo },       { FD_TYPES__INETSK, inet },
	{ FD_TYPES__UNIXSK, unix_socket }, { FD_TYPES__EVENTFD, eventfd },
	{ FD_TYPES__EVENTPOLL, epoll }, { FD_TYPES__INOTIFY, inotify },
	{ FD_TYPES__SIGNALFD, signalfd }, { FD_TYPES__PACKETSK, packet },
	{ FD_TYPES__TTY, tty },         { FD_TYPES__FANOTIFY, fanotify },
	{ FD_TYPES__NETLINKSK, netlink }, { FD_TYPES__NS, namespace },
	{ FD_TYPES__TUNF, tun },        { FD_TYPES__EXT, external },
	{ FD_TYPES__TIMERFD, timerfd }, { FD_TYPES__MEMFD, memfd },
	{ FD_TYPES__BPFMAP, bpfmap },   { FD_TYPES__PIDFD, pidfd },
};

void crimg_file_words(struct crimg_image *image, const struct crimg_files *files,
                      const struct crimg_file *file, struct crimg_file_words *out,
                      struct crimg_err *damage)
{
	struct description d = { image, files, file, out, damage };
	out->name[0] = out->note[0] = '\0';
	for (size_t i = 0; file != NULL && file->message != NULL && i < sizeof rows / sizeof rows[0];
	     i++)
		if (rows[i].type == file->type)
			rows[i].describe(&d);
	if (out->name[0] == '\0')
		snprintf(out->name, sizeof out->name, "?");
}

void crimg_file_words_by_id(struct crimg_image *image, const struct crimg_files *files, uint32_t id,
                            struct crimg_file_words *out, struct crimg_err *damage)
{
	const struct crimg_file *file = crimg_files_find(files, id);
	crimg_file_words(image, files, file, out, damage);
	if (file == NULL)
		snprintf(out->name, sizeof out->name, id == 0 ? "no file is named" : "file %u is missing", id);
}

const char *crimg_file_path(const struct crimg_file *file)
{
	return file->path != NULL ? file->path->name : NULL;
}
