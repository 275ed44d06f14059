// Taking sockets of IPv4, IPv6, netlink and packets. Private to producer/capture*.c.
#ifndef CRIMG_PRODUCER_CAPTURE_INET_H
#define CRIMG_PRODUCER_CAPTURE_INET_H

#include "producer/capture.h"
#include "producer/inet_socket.h"

// Put the entry of socket f.
CRIMG_MUST_CHECK int crimg_capture_inet(struct crimg_capture *c, const struct crimg_open_file *f,
                                        struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_netlink(struct crimg_capture *c, const struct crimg_open_file *f,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_packet(struct crimg_capture *c, const struct crimg_open_file *f,
                                          struct crimg_err *err);
// A connection of TCP, or what is left of one, is taken when all tasks are, and all connections together:
// crimg_capture_connections (capture.h), by crimg_capture_deferred, which puts its entry and stream. Its place in
// c->connections is index; *state is that it is in.
CRIMG_MUST_CHECK int crimg_capture_defer(struct crimg_capture *c, const struct crimg_open_file *f,
                                         const struct crimg_inet *i, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_deferred(struct crimg_capture *c, const struct crimg_open_file *f, size_t index,
                                            struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_tcp(struct crimg_capture *c, const struct crimg_open_file *f, size_t index,
                                       uint32_t *state, struct crimg_err *err);
// What CRIU's messages have no place for, of socket f.
CRIMG_MUST_CHECK int crimg_capture_level_options(struct crimg_capture *c, const struct crimg_open_file *f,
                                                 LevelOptionsEntry *more, struct crimg_err *err);
// A line for the user.
CRIMG_MUST_CHECK int crimg_capture_note(struct crimg_capture *c, struct crimg_err *err, const char *fmt, ...)
	CRIMG_PRINTF(3, 4);

#endif
