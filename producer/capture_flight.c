// Files that are on their way through a socket: no process may have them, so they are taken from crimg's own
// descriptors, which the kernel gives to whoever looks.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "producer/capture_unix.h"
#include "producer/proc.h"

int crimg_capture_flight(struct crimg_capture *c, int fd, uint32_t *id, struct crimg_err *err)
{
	bool fresh = false;
	void *array = c->flights;
	if (crimg_sharing_id(&c->file, getpid(), fd, id, &fresh, err) < 0
	    || crimg_grow(&array, &c->flight_capacity, c->flight_count, sizeof *c->flights, err) < 0) {
		close(fd);
		return -1;
	}
	c->flights = array;
	if (!fresh)
		close(fd);
	else
		c->flights[c->flight_count++] = (struct crimg_flight){.fd = fd, .id = *id};
	return 0;
}

// What is taken may bring more.
int crimg_capture_flights(struct crimg_capture *c, struct crimg_err *err)
{
	while (c->flights_taken < c->flight_count) {
		const struct crimg_flight flight = c->flights[c->flights_taken++];
		if (crimg_capture_taken_file(c, flight.fd, flight.id, err) < 0)
			return -1;
	}
	return 0;
}

static int fail(const struct crimg_flight *flight, const char *what, struct crimg_err *err)
{
	char link[40], target[128];
	snprintf(link, sizeof link, "/proc/self/fd/%d", flight->fd);
	ssize_t n = readlink(link, target, sizeof target - 1);
	target[n < 0 ? 0 : n] = '\0';
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, target, CRIMG_NO_OFFSET,
			  "is on its way through a socket, and %s: no image tells that", what);
}

int crimg_capture_flight_ends(struct crimg_capture *c, struct crimg_err *err)
{
	for (size_t i = 0; i < c->flight_count; i++) {
		const struct crimg_known_file *known = &c->known[c->flights[i].id];
		char name[40];
		if (known->met_in != 0)
			continue;
		snprintf(name, sizeof name, "fdinfo/%d", c->flights[i].fd);
		const char *info = crimg_capture_text(c, getpid(), name, err);
		if (info == NULL)
			return -1;
		if (crimg_proc_field(info, "lock") != NULL)
			return fail(&c->flights[i], "is locked", err);
		if (known->type == FD_TYPES__EVENTPOLL && crimg_proc_field(info, "tfd") != NULL)
			return fail(&c->flights[i], "watches files", err);
	}
	return 0;
}

void crimg_capture_flight_fini(struct crimg_capture *c)
{
	for (size_t i = 0; i < c->flight_count; i++)
		close(c->flights[i].fd);
	free(c->flights);
	c->flights = NULL;
	c->flight_count = 0;
}
