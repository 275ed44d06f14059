// Groups of multicast that a socket has joined. No call lists them: each group that a device is in is asked for, by
// the filter of its senders, which only members have.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/in.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/level_options.h"
#include "producer/proc.h"

#define GROUP_FILTER_OPTION 48u // MCAST_MSFILTER, the same at both levels
#define JOIN_OPTION 42          // MCAST_JOIN_GROUP
#define EXCLUDE 0u
#define SENDERS_MAX 64u         // of one group that are heard, or not
#define LINE_BYTES 256u

// As the kernel lays it out: struct group_filter, whose list of senders follows.
struct filter {
	uint32_t device, unused;
	struct sockaddr_storage group;
	uint32_t mode, count;
	struct sockaddr_storage senders[SENDERS_MAX];
};

struct request {
	uint32_t device, unused;
	struct sockaddr_storage group;
};

#define HEAD_BYTES offsetof(struct filter, senders)

struct groups {
	int fd, level;
	const char *name;
	struct crimg_arena *arena;
	LevelOptionsEntry *more;
};

static int ask(const struct groups *g, uint32_t device, const void *group, size_t length, struct crimg_err *err)
{
	struct filter f;
	memset(&f, 0, sizeof f);
	f.device = device;
	f.count = SENDERS_MAX;
	memcpy(&f.group, group, length);
	socklen_t size = sizeof f;
	if (getsockopt(g->fd, g->level, GROUP_FILTER_OPTION, &f, &size) < 0)
		return 0; // no member
	if (f.count > SENDERS_MAX)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, g->name, CRIMG_NO_OFFSET,
				  "hears, or does not, %u senders of one group of multicast, %u at most wanted",
				  f.count, SENDERS_MAX);
	return crimg_level_option_add(g->more, g->arena, (uint32_t)g->level, GROUP_FILTER_OPTION, &f,
				      HEAD_BYTES + f.count * sizeof f.senders[0], err);
}

// "2	eth0      :     1      V3", and below it "				010000E0     1 0:00000000		0".
static int ask_igmp(const struct groups *g, const char *text, struct crimg_err *err)
{
	char line[LINE_BYTES];
	unsigned device = 0, address;
	while (text != NULL && *text != '\0') {
		text = crimg_proc_line(text, line, sizeof line);
		if (line[0] != '\t') {
			if (sscanf(line, "%u", &device) != 1)
				device = 0;
			continue;
		}
		struct sockaddr_in a = {.sin_family = AF_INET};
		if (device == 0 || sscanf(line, " %x", &address) != 1)
			continue;
		a.sin_addr.s_addr = address;
		if (ask(g, device, &a, sizeof a, err) < 0)
			return -1;
	}
	return 0;
}

// "1    lo              ff020000000000000000000000000001     1 0000000C 0".
static int ask_igmp6(const struct groups *g, const char *text, struct crimg_err *err)
{
	char line[LINE_BYTES], digits[33];
	unsigned device;
	while (text != NULL && *text != '\0') {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6};
		text = crimg_proc_line(text, line, sizeof line);
		if (sscanf(line, "%u %*s %32s", &device, digits) != 2 || strlen(digits) != 32)
			continue;
		for (size_t i = 0; i < 16; i++) {
			unsigned byte = 0;
			if (sscanf(digits + 2 * i, "%2x", &byte) == 1)
				a.sin6_addr.s6_addr[i] = (uint8_t)byte;
		}
		if (ask(g, device, &a, sizeof a, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_multicast_get(int fd, const char *name, int family, struct crimg_arena *arena, LevelOptionsEntry *more,
			struct crimg_err *err)
{
	struct groups g = {fd, IPPROTO_IP, name, arena, more};
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err gone = CRIMG_ERR_INIT;
	int rc = 0;
	if (crimg_proc_read(getpid(), "net/igmp", &text, &gone) == 0)
		rc = ask_igmp(&g, (const char *)text.data, err);
	g.level = IPPROTO_IPV6;
	if (rc == 0 && family == AF_INET6 && crimg_proc_read(getpid(), "net/igmp6", &text, &gone) == 0)
		rc = ask_igmp6(&g, (const char *)text.data, err);
	crimg_buf_fini(&text);
	return rc;
}

bool crimg_multicast_set(int fd, const LevelOptionEntry *option, int *rc)
{
	struct filter f;
	if (option->name != GROUP_FILTER_OPTION || (option->level != IPPROTO_IP && option->level != IPPROTO_IPV6))
		return false;
	memset(&f, 0, sizeof f);
	if (option->value.len < HEAD_BYTES || option->value.len > sizeof f) {
		errno = EINVAL;
		*rc = -1;
		return true;
	}
	memcpy(&f, option->value.data, option->value.len);
	struct request join = {.device = f.device, .group = f.group};
	*rc = setsockopt(fd, (int)option->level, JOIN_OPTION, &join, sizeof join);
	if (*rc == 0 && !(f.mode == EXCLUDE && f.count == 0))
		*rc = setsockopt(fd, (int)option->level, (int)option->name, &f, (socklen_t)option->value.len);
	return true;
}
