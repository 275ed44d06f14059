// Sockets of netlink and of packets.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/restart_inet.h"
#include "producer/restart_sockets.h"

#define CONNECTED 1u
#define SOL_PACKET_LEVEL 263
#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static int fail(const struct crimg_file *file, const char *what, struct crimg_err *err)
{
	char name[32];
	int number = errno;
	snprintf(name, sizeof name, "file %u", file->id);
	return crimg_fail_sys(err, number, name, "%s", what);
}

// CRIU takes all for raw ones; ours says when it is another.
static int type_of(const LevelOptionsEntry *more)
{
	int type = SOCK_RAW;
	for (size_t i = 0; more != NULL && i < more->n_option; i++) {
		const LevelOptionEntry *e = more->option[i];
		if (e->level == SOL_SOCKET && e->name == SO_TYPE && e->value.len == sizeof type)
			memcpy(&type, e->value.data, sizeof type);
	}
	return type == SOCK_DGRAM ? type : SOCK_RAW;
}

// The kernel gives such numbers mostly by those of processes: who finds its own taken gets another.
static int bind_netlink(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const NetlinkSkEntry *e = file->message;
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = e->portid};
	if (e->n_groups > 0)
		a.nl_groups = e->groups[0];
	if (e->portid == 0 && a.nl_groups == 0)
		return 0;
	if (bind(fd, (const struct sockaddr *)&a, sizeof a) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return fail(file, "its address and groups (bind)", err);
	a.nl_pid = 0;
	if (bind(fd, (const struct sockaddr *)&a, sizeof a) < 0)
		return fail(file, "its address and groups (bind)", err);
	crimg_lines_add(&r->notes, "file %u: number %u of netlink is taken here: it has another", file->id, e->portid);
	return 0;
}

// Groups of more than the first 32 words are joined by options of ours.
static int make_netlink(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const NetlinkSkEntry *e = file->message;
	struct sockaddr_nl there = {.nl_family = AF_NETLINK, .nl_pid = e->dst_portid};
	if (e->dst_group > 0 && e->dst_group <= 32)
		there.nl_groups = 1u << (e->dst_group - 1);
	if (bind_netlink(r, file, fd, err) < 0 || crimg_restart_level_options(r, file, fd, err) < 0)
		return -1;
	if (e->state == CONNECTED && connect(fd, (const struct sockaddr *)&there, sizeof there) < 0)
		return fail(file, "connecting it", err);
	if (crimg_restart_socket_options(r, file, fd, e->opts, err) < 0)
		return -1;
	return fcntl(fd, F_SETFL, (int)e->flags & STATUS_FLAGS) < 0 ? fail(file, "setting its flags", err) : 0;
}

int crimg_restart_open_netlink(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const NetlinkSkEntry *e = file->message;
	int type = type_of(crimg_restart_level_options_of(r, file->id));
	int fd = socket(AF_NETLINK, type | SOCK_CLOEXEC, (int)e->protocol);
	if (fd < 0)
		return fail(file, "a socket of netlink", err);
	if (make_netlink(r, file, fd, err) == 0)
		return fd;
	close(fd);
	return -1;
}

static int set(const struct crimg_file *file, int fd, int option, const char *text, uint32_t value,
	       struct crimg_err *err)
{
	if (setsockopt(fd, SOL_PACKET_LEVEL, option, &value, sizeof value) < 0)
		return fail(file, text, err);
	return 0;
}

// A number each, in the order in which the kernel takes them.
static int set_numbers(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const PacketSockEntry *e = file->message;
	const struct {
		int option;
		const char *text;
		uint32_t value;
		bool always;
	} rows[] = {
		{PACKET_VERSION, "PACKET_VERSION", e->version, true},
		{PACKET_RESERVE, "PACKET_RESERVE", e->reserve, true},
		{PACKET_TIMESTAMP, "PACKET_TIMESTAMP", e->timestamp, true},
		{PACKET_COPY_THRESH, "PACKET_COPY_THRESH", e->copy_thresh, true},
		{PACKET_AUXDATA, "PACKET_AUXDATA", e->aux_data ? 1 : 0, false},
		{PACKET_ORIGDEV, "PACKET_ORIGDEV", e->orig_dev ? 1 : 0, false},
		{PACKET_VNET_HDR, "PACKET_VNET_HDR", e->vnet_hdr ? 1 : 0, false},
		{PACKET_LOSS, "PACKET_LOSS", e->loss ? 1 : 0, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if ((rows[i].always || rows[i].value != 0)
		    && set(file, fd, rows[i].option, rows[i].text, rows[i].value, err) < 0)
			return -1;
	return 0;
}

static int join(const struct crimg_file *file, int fd, const PacketMclist *m, struct crimg_err *err)
{
	struct {
		int32_t device;
		uint16_t type, length;
		uint8_t address[32]; // MAX_ADDR_LEN
	} request = {(int32_t)m->index, (uint16_t)m->type, (uint16_t)m->addr.len, {0}};
	if (m->addr.len > sizeof request.address)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
				  "file %u: an address of a device of %zu bytes found, %zu at most wanted", file->id,
				  m->addr.len, sizeof request.address);
	if (m->addr.len > 0)
		memcpy(request.address, m->addr.data, m->addr.len);
	if (setsockopt(fd, SOL_PACKET_LEVEL, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0)
		return fail(file, "PACKET_ADD_MEMBERSHIP", err);
	return 0;
}

static int set_ring(const struct crimg_file *file, int fd, int option, const PacketRing *ring, struct crimg_err *err)
{
	if (ring == NULL)
		return 0;
	struct tpacket_req3 q = {
		.tp_block_size = ring->block_size, .tp_block_nr = ring->block_nr, .tp_frame_size = ring->frame_size,
		.tp_frame_nr = ring->frame_nr, .tp_retire_blk_tov = ring->retire_tmo,
		.tp_sizeof_priv = ring->sizeof_priv, .tp_feature_req_word = ring->features,
	};
	return setsockopt(fd, SOL_PACKET_LEVEL, option, &q, sizeof q) < 0 ? fail(file, "a ring of packets", err) : 0;
}

// An old sort of socket is bound by the name of its device.
static int bind_packet(const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const PacketSockEntry *e = file->message;
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)e->ifindex};
	struct sockaddr old = {.sa_family = AF_PACKET};
	struct ifreq q = {.ifr_ifindex = (int)e->ifindex};
	if (e->type != SOCK_PACKET)
		return bind(fd, (const struct sockaddr *)&a, sizeof a) < 0 ? fail(file, "its device (bind)", err) : 0;
	if (e->ifindex == 0)
		return 0;
	if (ioctl(fd, SIOCGIFNAME, &q) < 0)
		return fail(file, "the name of its device", err);
	memcpy(old.sa_data, q.ifr_name, sizeof old.sa_data - 1);
	return bind(fd, &old, sizeof old) < 0 ? fail(file, "its device (bind)", err) : 0;
}

static int make_packet(struct crimg_restart *r, const struct crimg_file *file, int fd, struct crimg_err *err)
{
	const PacketSockEntry *e = file->message;
	bool old = e->type == SOCK_PACKET;
	if (bind_packet(file, fd, err) < 0 || (!old && set_numbers(file, fd, err) < 0))
		return -1;
	for (size_t i = 0; !old && i < e->n_mclist; i++)
		if (join(file, fd, e->mclist[i], err) < 0)
			return -1;
	if (set_ring(file, fd, PACKET_RX_RING, e->rx_ring, err) < 0
	    || set_ring(file, fd, PACKET_TX_RING, e->tx_ring, err) < 0
	    || (e->has_fanout && e->fanout != UINT32_MAX
		&& set(file, fd, PACKET_FANOUT, "PACKET_FANOUT", e->fanout, err) < 0)
	    || crimg_restart_socket_options(r, file, fd, e->opts, err) < 0)
		return -1;
	return fcntl(fd, F_SETFL, (int)e->flags & STATUS_FLAGS) < 0 ? fail(file, "setting its flags", err) : 0;
}

int crimg_restart_open_packet(struct crimg_restart *r, const struct crimg_file *file, struct crimg_err *err)
{
	const PacketSockEntry *e = file->message;
	int fd = socket(AF_PACKET, (int)e->type | SOCK_CLOEXEC, (int)e->protocol);
	if (fd < 0)
		return fail(file, "a packet socket", err);
	if (make_packet(r, file, fd, err) == 0)
		return fd;
	close(fd);
	return -1;
}
