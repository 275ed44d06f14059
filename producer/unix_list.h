// The unix sockets of crimg's network namespace, as the kernel lists them: who is connected with whom. Knows
// sock_diag's answers; refuses to know images.
#ifndef CRIMG_PRODUCER_UNIX_LIST_H
#define CRIMG_PRODUCER_UNIX_LIST_H

#include <sys/types.h>

#include "format/buf.h"

#define CRIMG_UNIX_ESTABLISHED 1 // as TCP's states
#define CRIMG_UNIX_CLOSE 7
#define CRIMG_UNIX_LISTEN 10

struct crimg_unix_socket {
	uint32_t ino, peer;
	uint8_t type, state, shutdown;
	bool has_peer;        // also one that is closed, or was not accepted: peer is 0 then
	bool has_file;        // its name is a path
	uint32_t file_ino;    // of that: the lower half of the number
	uint32_t waiting;     // bytes to be read; of a datagram socket those of the first packet
	uint32_t sent;        // memory that holds what it sent; of a listening one: how many may wait
	const uint8_t *name;  // a path ends in NUL, another name begins with it
	size_t name_length;
	const uint32_t *icons; // who waits to be accepted; 0: is closed already
	size_t icon_count;
};

struct crimg_unix_list {
	struct crimg_unix_socket *list; // by inode
	size_t count, capacity;
	struct crimg_arena arena;
};

CRIMG_MUST_CHECK int crimg_unix_list_load(struct crimg_unix_list *out, struct crimg_err *err);
void crimg_unix_list_fini(struct crimg_unix_list *l);
const struct crimg_unix_socket *crimg_unix_list_find(const struct crimg_unix_list *l, uint64_t ino);
// The listening socket that ino waits at to be accepted; or NULL.
const struct crimg_unix_socket *crimg_unix_list_listener(const struct crimg_unix_list *l, uint32_t ino);

// Whom to tell of: "process 7 (dbus-daemon) has as descriptor 3", or that nobody has it. Returns the process; 0: none.
pid_t crimg_unix_holder(uint32_t ino, char *out, size_t size);
// The same of a name, for reading: "@name", "/path".
void crimg_unix_name_text(const struct crimg_unix_socket *s, char *out, size_t size);

#endif
