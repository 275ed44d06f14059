// Connections of TCP of a tree that stands still: how they are read so that nobody notices, and what becomes of them
// when the tree goes on or ends. Knows when repair mode is on; refuses to know images.
//
// Each is locked (netlock.h) before it is read, and stays so until the tree goes on: what the other end sends
// meanwhile is not received, so it sends it again. It is in repair mode only while it is read; a child of ours (the
// guard) has a duplicate of it then, and ends that mode should we be killed in between, while the tree is parked
// (parking.h). The lock goes with us. When
// the tree is to end, it is told to the kernel that it ends with us (PTRACE_O_EXITKILL), the connections whose other
// end is outside, or may not hear of the first one that is restored, are locked for good, and all are in repair mode
// when they are closed, which the guard sees to, too: so nobody hears of it.
#ifndef CRIMG_PRODUCER_CONNECTIONS_H
#define CRIMG_PRODUCER_CONNECTIONS_H

#include "producer/inet_socket.h"
#include "producer/tree.h"

#define CRIMG_RUN_ID_BYTES 37u

// inventory_entry.network_lock_method, as CRIU counts.
enum { CRIMG_LOCK_IPTABLES, CRIMG_LOCK_NFTABLES, CRIMG_LOCK_SKIP };

struct crimg_held_connection {
	struct crimg_connection ends;
	int fd;
	bool ended;   // it is none any more: what it has received may wait in it
	bool outside; // its other end is not held
	bool delicate; // who restores it end by end, as criu does, wants it locked: not all was sent, or an end has ended
};

// Zeroed: there are none.
struct crimg_connections {
	struct crimg_held_connection *list;
	size_t count, capacity;
	struct crimg_netlock lock;
	bool without_lock;
	char run_id[CRIMG_RUN_ID_BYTES]; // "": none was read yet
	pid_t guard;
	int guard_pipe;
	int queues;            // file without a name; valid while guard is not 0
	uint64_t queues_bytes;
};

// A socket that is or was an end of a connection, as fd (borrowed): what comes for it is dropped from now on. Its place
// is *index, until crimg_connections_match.
CRIMG_MUST_CHECK int crimg_connections_hold(struct crimg_connections *c, int fd, const struct crimg_inet *i,
                                            size_t *index, struct crimg_err *err);
// Reads all of one: e, and the state that it is in. Its queues are the bytes of c->queues from *offset on.
CRIMG_MUST_CHECK int crimg_connections_read(struct crimg_connections *c, size_t index, const char *name,
                                            TcpStreamEntry *e, uint32_t *state, uint64_t *offset,
                                            struct crimg_err *err);
// When all were read: which have their other end outside (outside of each); how many.
size_t crimg_connections_match(struct crimg_connections *c);
// Whether some are to be locked when the tree is killed; behind crimg_connections_match().
bool crimg_connections_want_lock(const struct crimg_connections *c);
// Sorted by crimg_connection_order(): the ends of others, of which one may meet c. For whoever has only these.
bool crimg_connection_is_met(const struct crimg_connection *sorted, size_t count, const struct crimg_connection *c);

// Before the tree goes on: there is no lock any more, and nothing is held.
void crimg_connections_release(struct crimg_connections *c);
// Before it is killed. After an error it may still go on, once they were released.
CRIMG_MUST_CHECK int crimg_connections_silence(struct crimg_connections *c, const struct crimg_tree *tree,
                                               struct crimg_err *err);

// The name of the lock that stays until a restart.
void crimg_connections_lock_name(const char *run_id, char name[CRIMG_NETLOCK_NAME_BYTES]);

#endif
