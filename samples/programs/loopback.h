// For programs in a network namespace of their own, where lo is not up yet.
#ifndef LOOPBACK_H
#define LOOPBACK_H
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// Where it is up already, or whoever asks may not, nothing happens.
static inline void loopback_up(void)
{
	struct ifreq q = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCGIFFLAGS, &q) == 0 && (q.ifr_flags & IFF_UP) == 0) {
		q.ifr_flags |= IFF_UP;
		(void)ioctl(fd, SIOCSIFFLAGS, &q);
	}
	close(fd);
}
#endif
