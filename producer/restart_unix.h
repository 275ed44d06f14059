// Unix sockets of the image: all are made at once, before other files, so that whatever is on its way through one can
// be put there when everything is open. Used by restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_UNIX_H
#define CRIMG_PRODUCER_RESTART_UNIX_H

#include "producer/restart_sockets.h"

#define CRIMG_NO_END SIZE_MAX
#define CRIMG_UNIX_NAME_MAX 108u // sun_path

// How a socket comes to be.
enum crimg_unix_way {
	CRIMG_UNIX_ALONE,    // socket(): listening, not connected, or a datagram socket
	CRIMG_UNIX_PAIR,     // with its other end: by socketpair(), or accepted from somebody with its name
	CRIMG_UNIX_ORPHAN,   // connected to a socket that is closed
	CRIMG_UNIX_WAITS,    // to be accepted by its peer, which listens
};

struct crimg_unix_end {
	const struct crimg_file *file;
	const UnixSkEntry *sk;
	const SkMoreEntry *more; // or NULL
	SkCredsEntry holder;     // the first task that has it
	size_t peer;             // of the ends; CRIMG_NO_END: none
	enum crimg_unix_way way;
	int fd;                  // a handle; -1: not made yet
	int other;               // what is to be closed when the rest is done: the other end of an orphan, or of a
				 // datagram socket that has no name to be sent to; -1
	int path;                // its file, as O_PATH; -1: its name is none, or not bound
	bool connected;
	bool counted;            // among its peer's sources
	size_t sources;          // datagram sockets that are still to be connected to this one, and it not to them
	size_t queuer;           // one that is connected to it, without a name if there is such a one; or CRIMG_NO_END
};

struct crimg_unix_ends {
	struct crimg_unix_end *list; // by inode
	size_t count;
	size_t *by_name; // of those with a name
	size_t named;
};

// The ends of the image, and what of them cannot be made, into r->refused; before anything is done.
void crimg_restart_refuse_unix(struct crimg_restart *r);
void crimg_restart_unix_fini(struct crimg_restart *r);
// Makes them all: handles of their files.
CRIMG_MUST_CHECK int crimg_restart_make_unix(struct crimg_restart *r, struct crimg_err *err);
// When all other files are open: what waits in them; then options and shutdown.
CRIMG_MUST_CHECK int crimg_restart_fill_unix(struct crimg_restart *r, struct crimg_err *err);

// The end with this inode or name (of the same type), or CRIMG_NO_END. The latter: one that listens, if listening.
size_t crimg_unix_find(const struct crimg_unix_ends *u, uint32_t ino);
size_t crimg_unix_find_name(const struct crimg_unix_ends *u, uint32_t type, ProtobufCBinaryData name, bool listening);
bool crimg_unix_is_path(const struct crimg_unix_end *e);
int crimg_unix_fail(const struct crimg_unix_end *e, const char *what, struct crimg_err *err);

// restart_unix_name.c: gives fd the name of e; *path (-1 before): its file.
CRIMG_MUST_CHECK int crimg_unix_bind(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int *path,
				     struct crimg_err *err);
// The name of a socket that is closed, of which somebody knows it still; *path as above. -1: it could not be given.
int crimg_unix_bind_gone(struct crimg_restart *r, const struct crimg_unix_end *e, ProtobufCBinaryData name, int fd,
			 int *path);
// The address of a bound socket: by its file, if its name is a path, whatever else has that name.
struct crimg_unix_address {
	_Alignas(8) char bytes[112];
	unsigned length; // 0: it has none
};
struct crimg_unix_address crimg_unix_address(ProtobufCBinaryData name, int path);

// restart_unix_pair.c: the ends that are connected; those that listen are there. And its parts, as whoever made the
// connection, as seen_by (which may be NULL) sees it.
CRIMG_MUST_CHECK int crimg_unix_make_pairs(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_unix_socketpair(struct crimg_restart *r, const struct crimg_unix_end *e,
					   const struct crimg_unix_end *peer, int ends[2], struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_unix_listen(struct crimg_restart *r, const struct crimg_unix_end *e, int fd, int backlog,
				       struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_unix_connect(struct crimg_restart *r, int fd, const struct crimg_unix_end *e,
					struct crimg_unix_address to, const struct crimg_unix_end *seen_by,
					struct crimg_err *err);
// restart_unix_queue.c: packets that wait in e from *next on, until one that must be sent by its peer, which it is not
// connected to yet.
CRIMG_MUST_CHECK int crimg_unix_fill(struct crimg_restart *r, struct crimg_unix_end *e, size_t *next,
				     struct crimg_err *err);

// restart_as.c: what(context) in a process with these numbers, which shares crimg's descriptors; what returns an errno.
// Where the number cannot be had, with that of another. creds NULL: by crimg itself.
CRIMG_MUST_CHECK int crimg_restart_as(struct crimg_restart *r, const SkCredsEntry *creds, int (*what)(void *context),
				      void *context, struct crimg_err *err);

#endif
