// Sockets of IPv4, IPv6, netlink and packets, made again. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_INET_H
#define CRIMG_PRODUCER_RESTART_INET_H

#include <sys/socket.h>

#include "producer/restart_outside.h"

// Into r->refused: what cannot be made; file is one of those three types.
void crimg_restart_refuse_inet(struct crimg_restart *r, const struct crimg_file *file,
                               void (*refuse)(struct crimg_restart *r, const struct crimg_file *file,
                                              const char *why));

CRIMG_MUST_CHECK int crimg_restart_open_inet(struct crimg_restart *r, const struct crimg_file *file,
                                             struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_open_netlink(struct crimg_restart *r, const struct crimg_file *file,
                                                struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_open_packet(struct crimg_restart *r, const struct crimg_file *file,
                                               struct crimg_err *err);
// When all files are open: who listened listens again, and nobody shares an address that did not.
CRIMG_MUST_CHECK int crimg_restart_settle_inet(struct crimg_restart *r, struct crimg_err *err);

// Whether it is a connection of TCP that is put together again: not one that will be closed.
bool crimg_restart_is_connection(struct crimg_restart *r, const struct crimg_file *file);
// In repair mode, until crimg_restart_release_connections(), which is the last step before tasks run.
CRIMG_MUST_CHECK int crimg_restart_open_connection(struct crimg_restart *r, const struct crimg_file *file, int fd,
                                                   struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_release_connections(struct crimg_restart *r, struct crimg_err *err);

// The address of one end; false: the message has none.
bool crimg_restart_address(const InetSkEntry *sk, bool other, struct sockaddr_storage *out, socklen_t *length);
// What CRIU's messages have no place for.
CRIMG_MUST_CHECK int crimg_restart_level_options(struct crimg_restart *r, const struct crimg_file *file, int fd,
                                                 struct crimg_err *err);
const LevelOptionsEntry *crimg_restart_level_options_of(struct crimg_restart *r, uint32_t id);

#endif
