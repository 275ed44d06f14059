// The options of IPv4, IPv6 and TCP that CRIU's messages have a place for, in both directions.
#ifndef CRIMG_PRODUCER_INET_OPTIONS_H
#define CRIMG_PRODUCER_INET_OPTIONS_H

#include "format/buf.h"
#include "format/schema.h"
#include "producer/inet_socket.h"

// raw is filled for raw sockets, and e->raw is it then. Both initialised; what is repeated lies in arena.
CRIMG_MUST_CHECK int crimg_ip_options_get(int fd, const struct crimg_inet *i, struct crimg_arena *arena,
                                          IpOptsEntry *e, IpOptsRawEntry *raw, struct crimg_err *err);
void crimg_tcp_options_get(int fd, TcpOptsEntry *e);
// e may be NULL.
CRIMG_MUST_CHECK int crimg_ip_options_set(int fd, const char *name, const InetSkEntry *sk, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_tcp_options_set(int fd, const char *name, const TcpOptsEntry *e, struct crimg_err *err);
// What older images of CRIU have elsewhere.
CRIMG_MUST_CHECK int crimg_tcp_old_options_set(int fd, const char *name, const SkOptsEntry *opts,
                                               const TcpStreamEntry *stream, struct crimg_err *err);

#endif
