// Devices that an image can name. Knows numbers alone. Source: Linux Documentation/admin-guide/devices.txt.
#ifndef CRIMG_PRODUCER_DEVICES_H
#define CRIMG_PRODUCER_DEVICES_H

#include <stdbool.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#define CRIMG_PTY_SLAVE_MAJOR 136u // the first of eight, 256 slaves each

// null, zero, full, random, urandom
static inline bool crimg_is_memory_device(dev_t rdev)
{
	const unsigned set = 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8 | 1u << 9;
	return major(rdev) == 1 && minor(rdev) < 32 && (set >> minor(rdev) & 1) != 0;
}

static inline bool crimg_is_pty_master(dev_t rdev)
{
	return major(rdev) == 5 && minor(rdev) == 2;
}

static inline bool crimg_is_pty(dev_t rdev)
{
	return crimg_is_pty_master(rdev)
	       || (major(rdev) >= CRIMG_PTY_SLAVE_MAJOR && major(rdev) < CRIMG_PTY_SLAVE_MAJOR + 8);
}

#endif
