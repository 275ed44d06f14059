// Options of sockets beyond SOL_SOCKET that CRIU's messages have no place for, in both directions: one table of them,
// and what differs from a new socket of the same kind is kept. Memberships of multicast groups, too, which are found
// by asking the socket for every group that this network namespace is in. Knows setsockopt(2) and crimg.proto.
#ifndef CRIMG_PRODUCER_LEVEL_OPTIONS_H
#define CRIMG_PRODUCER_LEVEL_OPTIONS_H

#include "format/buf.h"
#include "format/err.h"
#include "format/schema.h"

// Fills more->option (initialised, no options), which lies in arena. connected: a connection of TCP, of which some
// mean what was agreed on. name: of the socket, for errors.
CRIMG_MUST_CHECK int crimg_level_options_get(int fd, const char *name, bool connected, struct crimg_arena *arena,
                                             LevelOptionsEntry *more, struct crimg_err *err);
// Sets them, before the socket is bound. *lost: the first that is not as it was, for want of privileges.
CRIMG_MUST_CHECK int crimg_level_options_set(int fd, const char *name, const LevelOptionsEntry *more,
                                             const char **lost, struct crimg_err *err);
// The groups of multicast that fd has joined are added.
CRIMG_MUST_CHECK int crimg_multicast_get(int fd, const char *name, int family, struct crimg_arena *arena,
                                         LevelOptionsEntry *more, struct crimg_err *err);
// Joins what an option of that name tells; false: it is another one.
bool crimg_multicast_set(int fd, const LevelOptionEntry *option, int *rc);
// Appends one; value is copied.
CRIMG_MUST_CHECK int crimg_level_option_add(LevelOptionsEntry *more, struct crimg_arena *arena, uint32_t level,
                                            uint32_t name, const void *value, size_t length,
                                            struct crimg_err *err);

#endif
