// A connection of TCP taken apart and put together again (TCP_REPAIR, for which CAP_NET_ADMIN is wanted): its queues,
// numbers, windows, and what both ends have agreed on. Knows the kernel's socket options; refuses to know images.
#ifndef CRIMG_PRODUCER_TCP_REPAIR_H
#define CRIMG_PRODUCER_TCP_REPAIR_H

#include "format/err.h"
#include "format/tcp_state.h"

// In repair mode the kernel sends nothing for the socket, and closing it tells nobody; its program's calls fail.
// Out of it again, nothing is sent either. Both change SO_REUSEADDR.
CRIMG_MUST_CHECK int crimg_tcp_repair_on(int fd, const char *name, struct crimg_err *err);
int crimg_tcp_repair_off(int fd); // async-signal-safe; -1 with errno

// Whether crimg may.
bool crimg_tcp_may_repair(void);

// All of a socket in repair mode, and its state; its queues, receive before send, go to offset of file out, which
// grows.
CRIMG_MUST_CHECK int crimg_tcp_read(int fd, const char *name, TcpStreamEntry *e, uint32_t *state, int out,
                                    uint64_t offset, struct crimg_err *err);

// SO_REUSEADDR; -1: cannot be told.
int crimg_tcp_reuse(int fd);
void crimg_tcp_set_reuse(int fd, int reuse);

#endif
