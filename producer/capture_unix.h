// Unix sockets, and the descriptors that are on their way through them. Private to producer/capture*.c.
#ifndef CRIMG_PRODUCER_CAPTURE_UNIX_H
#define CRIMG_PRODUCER_CAPTURE_UNIX_H

#include "producer/capture_sockets.h"
#include "producer/unix_list.h"

// One that was taken, by inode.
struct crimg_taken_socket {
	uint32_t ino, id;
	uint32_t peer;       // that must be taken too; 0: none
	char link[64];
	SkMoreEntry more;    // of a listening one, put last: others' numbers are in it
	bool put_more;
};

struct crimg_unix_capture {
	struct crimg_unix_list all;
	struct crimg_taken_socket *taken;
	size_t count, capacity;
};

// A socket of a process or on its way: puts its entry, and what waits in it.
CRIMG_MUST_CHECK int crimg_capture_unix(struct crimg_capture *c, const struct crimg_open_file *f,
					struct crimg_err *err);
// When all files are there: whom each is connected to must be among them.
CRIMG_MUST_CHECK int crimg_capture_unix_ends(struct crimg_capture *c, struct crimg_err *err);
void crimg_capture_unix_fini(struct crimg_capture *c);

// The name of s as its file system has it: the entry's name_dir, permissions, and whether it was removed.
CRIMG_MUST_CHECK int crimg_capture_unix_name(struct crimg_capture *c, const struct crimg_open_file *f,
					     const struct crimg_unix_socket *s, UnixSkEntry *e,
					     struct crimg_err *err);
// What waits in s; nothing changes: a peek offset is put back.
CRIMG_MUST_CHECK int crimg_capture_unix_queue(struct crimg_capture *c, const struct crimg_open_file *f,
					      const struct crimg_unix_socket *s, struct crimg_err *err);

// capture_flight.c: a file that is on its way, open as fd, which is taken over: its number. It is taken itself later,
// by crimg_capture_flights, if no process has it.
CRIMG_MUST_CHECK int crimg_capture_flight(struct crimg_capture *c, int fd, uint32_t *id, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_flights(struct crimg_capture *c, struct crimg_err *err);
// When all files are there: what only a descriptor of a process can tell of those is refused.
CRIMG_MUST_CHECK int crimg_capture_flight_ends(struct crimg_capture *c, struct crimg_err *err);
void crimg_capture_flight_fini(struct crimg_capture *c);

#endif
