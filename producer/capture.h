// Taking an image of a frozen tree: what its parts share. Each part reads one side of a task and puts CRIU's
// messages on the shelf. Private to producer/capture*.c and live.c.
#ifndef CRIMG_PRODUCER_CAPTURE_H
#define CRIMG_PRODUCER_CAPTURE_H

#include <sys/stat.h>

#include "producer/connections.h"
#include "producer/parent.h"
#include "producer/remote.h"
#include "producer/sharing.h"
#include "producer/shelf.h"
#include "producer/tree.h"

// A file that is known by its name, not by a descriptor: a program, a mapping, a directory.
struct crimg_named_file {
	uint64_t dev, ino;
	uint32_t id;
	char *name; // in the shelf's arena
};

// Shared memory without a name, or a memfd: one inode, wherever it is mapped or open.
struct crimg_segment {
	uint64_t dev, ino;
	uint32_t id;      // of its pages
	uint32_t inode_id; // of its memfd_inode_entry
	uint32_t file_id; // of the file that mappings name; 0: not made yet
};

// An area that maps a file which only the memory of whoever maps it leads to.
struct crimg_hidden_map {
	pid_t pid;
	uint64_t start, end, offset;
	uint64_t swapped_bytes; // of its part of the file
	bool shared, segment, locked;
	bool in_memory;         // the file has no disk behind it: its holes are told
};

struct crimg_hidden {
	uint64_t dev, ino;
	char *name;  // in the shelf's arena
	uint32_t id; // of the file that mappings name
	struct crimg_hidden_map *maps;
	size_t count, capacity;
};

struct crimg_filter; // of seccomp
struct crimg_deferred;

struct crimg_known_file {
	FdTypes type;
	pid_t met_in; // the process that had it last; 0: none, it is on its way
};

// A file that is on its way through a socket, as crimg has it open.
struct crimg_flight {
	int fd;
	uint32_t id;
};

struct crimg_unix_capture; // capture_unix.h

struct crimg_capture {
	struct crimg_tree tree;
	struct crimg_shelf shelf;
	struct crimg_arena arena; // of the message being made
	struct crimg_buf text;    // of a file of /proc
	struct crimg_buf maps;    // areas point into it
	struct crimg_sharing vm, files, fs, sighand, file;
	struct crimg_named_file *named;
	size_t named_count, named_capacity;
	struct crimg_named_file *ghosts; // without names
	size_t ghost_count, ghost_capacity;
	struct crimg_named_file *links;  // names that were made for this image
	size_t link_count, link_capacity;
	bool thorough;   // the image is to be stored: such names are made, and terminals read
	bool keep_links; // they stay
	struct crimg_segment *segments;
	size_t segment_count, segment_capacity;
	void **attached; // System V segments that are read here
	size_t attached_count, attached_capacity;
	struct crimg_hidden *hidden;
	size_t hidden_count, hidden_capacity;
	struct crimg_filter *filters;
	size_t filter_count, filter_capacity;
	struct crimg_known_file *known; // by number of the file
	size_t known_capacity;
	struct crimg_known_tty {
		uint32_t id; // 2n, of the master 2n + 1
		int fd;      // owned
	} *ttys;                  // ends of terminals that were told of
	size_t tty_count, tty_capacity;
	struct crimg_unix_capture *unix_sockets; // NULL: there are none
	struct crimg_flight *flights; // open until the end: by them the kernel knows who has the same file
	size_t flight_count, flights_taken, flight_capacity;
	uint64_t *pipes;          // inodes whose bytes were taken
	size_t pipe_count, pipe_capacity;
	struct crimg_connections connections;
	struct crimg_deferred *deferred; // of these
	size_t deferred_count, deferred_capacity;
	int queues_fd;            // their queues, which the shelf closes; 0: none yet
	struct crimg_buf notes;   // for the user: what is not in the image; lines
	uint32_t last_pages_id, last_ghost_id; // numbers of files: file.last
	struct crimg_remote_gate gate; // of the process in work, or the one before
	MmEntry *mm;                   // its memory, of which the process is asked the rest
	char **sets;                   // of control groups: texts of /proc; the first is crimg's own
	size_t set_count;
	AreaNameEntry **names;         // of its areas; in the arena
	size_t name_count;
	bool own_uts, own_ipc;         // the tree has namespaces of its own
	uint64_t sysv_dev;             // of the files behind System V segments
	bool passing;                  // why it cannot be taken is soon over, while it runs
	bool compat;                   // its program is a 32-bit one
	const struct crimg_parent *parent; // or NULL
	uint64_t pages_scanned, pages_written, pages_skipped, shared_written; // for the statistics
	uint64_t taken_at;   // CLOCK_MONOTONIC in microseconds when all but the contents was there
	bool without_stats;  // who asks for the image writes them
	unsigned closed;     // CRIMG_LEAK_…: nobody outside holds what it holds of these kinds
	const char *spool;   // directory where contents wait once the tree has gone on; NULL: it stays
	bool (*stopped)(void); // asked now and then whether to give up; may be NULL
};

// Zeroed, in the arena; NULL with err.
void *crimg_capture_alloc(struct crimg_capture *c, size_t size, struct crimg_err *err);
// Reads /proc/PID/name into c->text; the text, or NULL with err.
const char *crimg_capture_text(struct crimg_capture *c, pid_t pid, const char *name,
                               struct crimg_err *err);

#define CRIMG_CAPTURE_MAX_BYTES ((size_t)1 << 31) // of the messages of one process

// The whole image of a frozen tree (c->tree; all else zero, but what the caller wants), onto the shelf, sealed.
// fini also after an error; the tree stays frozen, unless c->spool.
CRIMG_MUST_CHECK int crimg_capture_all(struct crimg_capture *c, struct crimg_err *err);
void crimg_capture_fini(struct crimg_capture *c);
// Ends the freeze. An error: connections of TCP cannot be ended in silence; the tree still stands.
CRIMG_MUST_CHECK int crimg_capture_thaw(struct crimg_capture *c, enum crimg_thaw how, struct crimg_err *err);
// How much, and how long they stood still, if only until now.
DumpStatsEntry crimg_capture_stats(const struct crimg_capture *c);

// Of one process: its memory (before anything is asked of it), then what it and its threads tell.
CRIMG_MUST_CHECK int crimg_capture_memory(struct crimg_capture *c, const struct crimg_live_task *t,
                                          struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_cores(struct crimg_capture *c, const struct crimg_live_task *t,
                                         struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_files(struct crimg_capture *c, const struct crimg_live_task *t,
                                         uint32_t files_id, struct crimg_err *err);
// A file that crimg has open as fd, and no process yet: number id, which is new.
CRIMG_MUST_CHECK int crimg_capture_taken_file(struct crimg_capture *c, int fd, uint32_t id, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_fs(struct crimg_capture *c, const struct crimg_live_task *t,
                                      struct crimg_err *err);

// Namespaces that the tree has of its own, and what is in them, under these numbers. The latter: seen from inside.
enum { CRIMG_CAPTURE_OWN_IPC = 9, CRIMG_CAPTURE_OWN_UTS };
CRIMG_MUST_CHECK int crimg_capture_namespaces(struct crimg_capture *c, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_ipc(struct crimg_capture *c, struct crimg_err *err);

// Pieces of a core, from a thread taken over.
CRIMG_MUST_CHECK int crimg_capture_thread(struct crimg_capture *c, struct crimg_remote *r,
                                          CoreEntry *core, pid_t pid, struct crimg_err *err);
// What is beyond CRIU's messages, into those of ours.
CRIMG_MUST_CHECK int crimg_capture_thread_extras(struct crimg_capture *c, struct crimg_remote *r,
                                                 struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_process_extras(struct crimg_capture *c, struct crimg_remote *r,
                                                  const struct crimg_live_task *t, struct crimg_err *err);
// crimg's own control groups, before anything else; the set of a thread; all sets that were met.
CRIMG_MUST_CHECK int crimg_capture_own_cgroups(struct crimg_capture *c, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_cgroup(struct crimg_capture *c, pid_t pid, pid_t tid, uint32_t *set,
                                          struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_put_cgroups(struct crimg_capture *c, struct crimg_err *err);
// Whose system calls are not made when it makes them cannot be taken: nothing may be asked of it.
CRIMG_MUST_CHECK int crimg_capture_refuse_dispatch(pid_t tid, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_wait(struct crimg_capture *c, const struct crimg_remote *r,
                                        const struct crimg_wait *wait, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_process(struct crimg_capture *c, struct crimg_remote *r,
                                           const struct crimg_live_task *t, CoreEntry *core,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_creds(struct crimg_capture *c, struct crimg_remote *r, pid_t pid,
                                         ThreadCoreEntry *core, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_seccomp(struct crimg_capture *c, pid_t tid, uint32_t *last,
                                           struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_put_seccomp(struct crimg_capture *c, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_queue(struct crimg_capture *c, pid_t tid, bool shared,
                                         SignalQueueEntry **out, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_actions(struct crimg_capture *c, struct crimg_remote *r,
                                           TaskCoreEntry *tc, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_timers(struct crimg_capture *c, struct crimg_remote *r,
                                          TaskCoreEntry *tc, struct crimg_err *err);
// A system call that must succeed; *result may be NULL.
CRIMG_MUST_CHECK int crimg_capture_call(struct crimg_remote *r, const char *name, long nr, uint64_t a,
                                        uint64_t b, uint64_t c, uint64_t d, int64_t *result,
                                        struct crimg_err *err);

// The file behind a link of /proc ("/proc/7/exe"), or a path: its number; made when it is new. Programs,
// mappings and directories share a number when inode and name are the same.
CRIMG_MUST_CHECK int crimg_capture_named(struct crimg_capture *c, const char *link, uint32_t *id,
                                         struct crimg_err *err);
// Whether such a file has a number already; dev and name are those of /proc/PID/smaps.
bool crimg_capture_known(const struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
                         uint64_t *id);
// The file of a link, "exe" of a process.
CRIMG_MUST_CHECK int crimg_capture_link(struct crimg_capture *c, pid_t pid, const char *link,
                                        uint32_t *id, struct crimg_err *err);
// The pages of a process that lie in its areas (c->mm) and are its own.
CRIMG_MUST_CHECK int crimg_capture_pages(struct crimg_capture *c, const struct crimg_live_task *t,
                                         struct crimg_err *err);
// A memfd or anonymous shared memory, open as fd (borrowed), by the name that /proc gives it: its entry in
// *out until the next call; its pages are taken once.
CRIMG_MUST_CHECK int crimg_capture_segment(struct crimg_capture *c, int fd, const char *name,
                                           struct crimg_segment **out, struct crimg_err *err);
// The parts of that: the entry of an inode, NULL when it is new; a new one; what image tells of it (st: owner, size,
// mode); a run of its pages, which begins at offset.
struct crimg_segment *crimg_capture_find_segment(const struct crimg_capture *c, uint64_t dev, uint64_t ino);
struct crimg_segment *crimg_capture_new_segment(struct crimg_capture *c, uint64_t dev, uint64_t ino,
                                                struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_put_inode(struct crimg_capture *c, const struct crimg_segment *s,
                                             const char *name, const struct stat *st, unsigned seals,
                                             struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_shared_run(struct crimg_capture *c, uint64_t id, size_t payload,
                                              uint64_t offset, struct crimg_shelf_run run,
                                              struct crimg_err *err);

#define CRIMG_DELETED " (deleted)" // behind the name that a mapping or link has
// Whether it stands there; *length is that of the name without it, or all.
bool crimg_name_is_deleted(const char *name, size_t *length);
#define CRIMG_ANONYMOUS_SHARED "/dev/zero" CRIMG_DELETED
// The files that crimg_capture_memory has noted, when all areas of the tree are known: those without a name
// and a descriptor, whose link of map_files is closed to us.
CRIMG_MUST_CHECK int crimg_capture_put_hidden(struct crimg_capture *c, struct crimg_err *err);
void crimg_capture_free_hidden(struct crimg_capture *c);
// A deleted file of which st tells, as what file_id was; chunks follow.
CRIMG_MUST_CHECK int crimg_capture_hidden_ghost(struct crimg_capture *c, const struct stat *st, uint32_t file_id,
                                                uint32_t *ghost_id, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_ghost_chunk(struct crimg_capture *c, uint64_t id, uint64_t offset,
                                               struct crimg_shelf_run run, struct crimg_err *err);
// The pages of such memory (fd, borrowed), under the number of its segment.
CRIMG_MUST_CHECK int crimg_capture_shared_pages(struct crimg_capture *c, uint64_t id, int fd,
						uint64_t size, struct crimg_err *err);
// The pages of a System V segment that stays attached here from now on, at this address: all of them, if some of the
// namespace's are swapped out.
CRIMG_MUST_CHECK int crimg_capture_attached(struct crimg_capture *c, uint64_t id, void *at, uint64_t size,
                                            bool all, struct crimg_err *err);
void crimg_capture_detach(struct crimg_capture *c);
// The file that its mappings name: s->file_id.
CRIMG_MUST_CHECK int crimg_capture_segment_file(struct crimg_capture *c, struct crimg_segment *s,
                                                struct crimg_err *err);
// An open file, as a descriptor of a process tells of it.
struct crimg_open_file {
	pid_t pid;
	int fd;               // theirs
	int ours;             // a duplicate
	uint32_t id;
	uint32_t flags;       // without close-on-exec
	uint64_t pos;
	char link[64];        // "/proc/7/fd/3"
	const char *info;     // text of its fdinfo; lives in the capture's arena
	const char *target;   // of the link; the same
	uint32_t mode;        // of the inode
	uint64_t dev, ino, rdev;
};

// One that is taken when all tasks are; file.ours is in connections, at index.
struct crimg_deferred {
	struct crimg_open_file file;
	size_t index;
};

// Connections of TCP, of all tasks.
CRIMG_MUST_CHECK int crimg_capture_connections(struct crimg_capture *c, struct crimg_err *err);

// Puts its entry; *type is what a fdinfo_entry says of it.
CRIMG_MUST_CHECK int crimg_capture_open_file(struct crimg_capture *c, const struct crimg_open_file *f,
                                             FdTypes *type, struct crimg_err *err);
// One end of a pseudo-terminal: fills the entry, and puts what the terminal is when it is met first.
CRIMG_MUST_CHECK int crimg_capture_pty(struct crimg_capture *c, const struct crimg_open_file *f,
                                       TtyFileEntry *e, struct crimg_err *err);
// What waits in those that the tree has both ends of: read, and put back at once.
CRIMG_MUST_CHECK int crimg_capture_tty_queues(struct crimg_capture *c, struct crimg_err *err);
// What watches: fills the entry.
CRIMG_MUST_CHECK int crimg_capture_inotify(struct crimg_capture *c, const struct crimg_open_file *f,
                                           FileEntry *e, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_pidfd(struct crimg_capture *c, const struct crimg_open_file *f,
                                         FileEntry *e, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_locks(struct crimg_capture *c, const struct crimg_open_file *f,
                                         bool fresh, bool fresh_in_process, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_capture_pipe(struct crimg_capture *c, const struct crimg_open_file *f,
                                        bool named, struct crimg_err *err);
// A regular file, directory or device: fills name, size, mode and build-id of an entry, from a link of
// /proc ("/proc/7/fd/3"), and takes the contents when no name is left of it. Refuses what another file has
// the name of.
// fd: a duplicate of the open file, so that nothing has to be opened, which would break a lease; -1: none.
CRIMG_MUST_CHECK int crimg_capture_path(struct crimg_capture *c, const char *link, int fd,
                                        RegFileEntry *reg, struct crimg_err *err);
// One that was removed and has other names, by what stat() says of it: gets one that it can be found by.
CRIMG_MUST_CHECK int crimg_capture_linked(struct crimg_capture *c, const char *link, const char *name,
                                          const struct stat *st, uint32_t file_id,
                                          struct crimg_err *err);
// Takes those names away, unless c->keep_links.
void crimg_capture_drop_links(struct crimg_capture *c);
CRIMG_MUST_CHECK int crimg_capture_ghost(struct crimg_capture *c, const char *link, const char *name,
                                         uint32_t file_id, struct crimg_err *err);
// Who gets SIGIO of an open file (borrowed); nobody for fd -1.
FownEntry *crimg_capture_owner(struct crimg_capture *c, int fd, struct crimg_err *err);

#endif
