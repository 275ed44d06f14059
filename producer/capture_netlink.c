// Sockets of netlink: their numbers, groups and options. What waits in them is refused: refuse_inet.c.
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "producer/capture_inet.h"
#include "producer/capture_sockets.h"
#include "producer/level_options.h"

#define SOL_NETLINK_LEVEL 270
#define CONNECTED 1u          // NETLINK_CONNECTED
#define GROUP_WORDS_MAX 64u
#define GROUPS_OF_CRIU 32u    // more it does not restore

static int fail(const struct crimg_open_file *f, const char *what, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, f->link, "%s", what);
}

// The first 32 groups are CRIU's; the others are joined one by one, each an option.
static int fill_groups(struct crimg_capture *c, const struct crimg_open_file *f, NetlinkSkEntry *e,
		       LevelOptionsEntry *more, struct crimg_err *err)
{
	uint32_t words[GROUP_WORDS_MAX] = {0};
	socklen_t length = sizeof words;
	if (getsockopt(f->ours, SOL_NETLINK_LEVEL, NETLINK_LIST_MEMBERSHIPS, words, &length) < 0)
		return fail(f, "its groups cannot be told (NETLINK_LIST_MEMBERSHIPS)", err);
	if (length > sizeof words)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
				  "is a netlink socket of a protocol with more than %u groups", GROUP_WORDS_MAX * 32);
	for (uint32_t group = GROUPS_OF_CRIU; group < length * 8; group++) {
		uint32_t number = group + 1;
		if ((words[group / 32] >> group % 32 & 1) != 0
		    && crimg_level_option_add(more, &c->arena, SOL_NETLINK_LEVEL, NETLINK_ADD_MEMBERSHIP, &number,
					      sizeof number, err) < 0)
			return -1;
	}
	if (words[0] == 0)
		return 0;
	e->groups = crimg_capture_alloc(c, sizeof *e->groups, err);
	if (e->groups == NULL)
		return -1;
	e->groups[0] = words[0];
	e->n_groups = 1;
	return 0;
}

static int fill(struct crimg_capture *c, const struct crimg_open_file *f, NetlinkSkEntry *e,
		LevelOptionsEntry *more, struct crimg_err *err)
{
	struct sockaddr_nl here, there;
	socklen_t a = sizeof here, b = sizeof there, d = sizeof(int), t = sizeof(int);
	int protocol, type;
	if (getsockname(f->ours, (struct sockaddr *)&here, &a) < 0
	    || getpeername(f->ours, (struct sockaddr *)&there, &b) < 0
	    || getsockopt(f->ours, SOL_SOCKET, SO_PROTOCOL, &protocol, &d) < 0
	    || getsockopt(f->ours, SOL_SOCKET, SO_TYPE, &type, &t) < 0)
		return fail(f, "its address cannot be told", err);
	e->id = f->id;
	e->ino = (uint32_t)f->ino;
	e->has_ns_id = true;
	e->ns_id = CRIMG_CAPTURE_NET_NS;
	e->protocol = (uint32_t)protocol;
	e->flags = f->flags;
	e->portid = here.nl_pid;
	e->dst_portid = there.nl_pid;
	while (e->dst_group < 32 && there.nl_groups >> e->dst_group != 0)
		e->dst_group++;
	e->state = there.nl_pid != 0 || there.nl_groups != 0 ? CONNECTED : 0;
	e->fown = crimg_capture_owner(c, f->ours, err);
	if (e->fown == NULL)
		return -1;
	if (type != SOCK_RAW
	    && crimg_level_option_add(more, &c->arena, SOL_SOCKET, SO_TYPE, &type, sizeof type, err) < 0)
		return -1;
	return fill_groups(c, f, e, more, err);
}

// A message may have come after it was looked at for being refused.
static int check_waiting(const struct crimg_open_file *f, struct crimg_err *err)
{
	struct pollfd p = {.fd = f->ours, .events = POLLIN};
	if (poll(&p, 1, 0) != 1 || (p.revents & POLLIN) == 0)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
			  "is a netlink socket with messages that were not read yet, which no image holds");
}

int crimg_capture_netlink(struct crimg_capture *c, const struct crimg_open_file *f, struct crimg_err *err)
{
	NetlinkSkEntry e = NETLINK_SK_ENTRY__INIT;
	SkOptsEntry opts = SK_OPTS_ENTRY__INIT;
	SkMoreEntry sk_more = SK_MORE_ENTRY__INIT;
	LevelOptionsEntry more = LEVEL_OPTIONS_ENTRY__INIT;
	FileEntry file = FILE_ENTRY__INIT;
	if (check_waiting(f, err) < 0 || fill(c, f, &e, &more, err) < 0
	    || crimg_capture_socket_options(c, f, &opts, &sk_more, err) < 0
	    || crimg_level_options_get(f->ours, f->link, false, &c->arena, &more, err) < 0)
		return -1;
	e.opts = &opts;
	file.type = FD_TYPES__NETLINKSK;
	file.id = f->id;
	file.nlsk = &e;
	if (crimg_capture_level_options(c, f, &more, err) < 0 || crimg_capture_socket_more(c, &sk_more, err) < 0)
		return -1;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &file.base, err);
}
