// What the parts of a restart share. Each step is one file; restart.c calls them in order. Used by
// restart*.c alone.
#ifndef CRIMG_PRODUCER_RESTART_PARTS_H
#define CRIMG_PRODUCER_RESTART_PARTS_H

#include <sys/user.h>

#include "format/space.h"
#include "producer/netlock.h"
#include "producer/puppet.h"
#include "producer/restart_family.h"

// --inherit fd:NAME.
struct crimg_inherit {
	int fd;
	const char *name; // as `crimg inspect fds` shows it, or the file's number
	bool used;
};

struct crimg_restart_options {
	const char *path, *format, *tmpdir, *pidfile;
	const char *sysroot; // where the tasks find their files; or NULL: where they were
	bool wait, stopped, new_pids;
	bool tcp_established, tcp_close; // what becomes of connections with an end outside the image
	struct crimg_inherit *inherits;
	size_t inherit_count;
	volatile sig_atomic_t *stop;
};

// Lines of text for the user, each ending in a newline.
struct crimg_lines {
	struct crimg_buf text;
	size_t count;
	bool failed; // memory
};

void crimg_lines_add(struct crimg_lines *lines, const char *fmt, ...) CRIMG_PRINTF(2, 3);

// A descriptor of crimg's, which every puppet inherits under the same number, above all numbers that
// tasks use.
enum crimg_handle_sort {
	CRIMG_HANDLE_FILE,    // id: file in the image, opened as it was
	CRIMG_HANDLE_MAPPED,  // id: file in the image, opened for mapping it; private ones
	CRIMG_HANDLE_SHARED,  // the same, for shared mappings that may be written
	CRIMG_HANDLE_GHOST,   // id: remap_id; open for reading and writing
	CRIMG_HANDLE_SEGMENT, // id: shmid; anonymous shared memory, or a memory file
	CRIMG_HANDLE_PIPE_IN, // id: pipe_id; the end to read from
	CRIMG_HANDLE_PIPE_OUT,
	CRIMG_HANDLE_PTY,     // id: number of the pair in the image; its master
	CRIMG_HANDLE_CHANNEL, // id: 0 crimg's end of a pair of sockets, 1 the tasks' end
	CRIMG_HANDLE_PAGES,   // id: inode of the image's file, more: its device
};

struct crimg_handle {
	enum crimg_handle_sort sort;
	uint64_t id, more;
	int fd;
};

struct crimg_handles {
	struct crimg_handle *list; // sorted
	size_t count, capacity;
	int base;                  // numbers begin here
};

struct crimg_map_range {
	uint64_t start, end;
};

// A process of the image that is being made.
struct crimg_actor {
	const struct crimg_task *task;
	struct crimg_space space;
	struct crimg_puppet *puppets; // a thread each, the leader first; one of a zombie
	size_t count;                 // of those that exist
	pid_t number;                 // as crimg sees it, also of one that is a zombie by now
	const struct crimg_actor *mother; // whose memory it had at birth; NULL of the root
	bool vdso_32;                 // the vDSO that it has is that of 32-bit tasks
	// Where this kernel's vDSO is while the image's, of another kernel, is bridged to it; 0: it is not. The
	// code of the bridge, until the task has it.
	struct crimg_map_range bridge;
	uint8_t *bridge_code;
	bool *kept;                   // an area of space each: it has it from its mother; NULL: none
};

// A System V segment.
struct crimg_sysv {
	uint64_t id, size;
	uint32_t mode; // with SHM_LOCKED, SHM_DEST
};

// The other ends of the image's connections of TCP.
struct crimg_restart_network {
	struct crimg_connection *ends; // of all connections in the image; sorted; NULL: not gathered yet
	size_t count;
};

struct crimg_restart {
	const struct crimg_restart_options *options;
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_actor *actors;   // as tasks.list
	struct crimg_family family;   // who bears them
	struct crimg_stage stage;
	struct crimg_handles handles;
	struct crimg_restart_network network;
	struct crimg_unix_ends *ends; // of unix sockets: restart_unix.h
	bool *watched;                // a file each: an epoll whose targets were told
	struct crimg_lines refused;   // why nothing is done
	struct crimg_lines notes;     // what is not as it was
	uint64_t namespaces;          // that the tasks have of their own: CLONE_NEWPID, _NEWUTS, _NEWIPC
	struct crimg_sysv *segments; // in the last of these; sorted
	size_t segment_count;
	bool new_pids;                // in a pid namespace of their own
	bool new_user;                // and in a user namespace, where crimg may do what it may not here
	pid_t root;                   // as crimg sees it
	pid_t keeper;                 // process 1 of the new pid namespace; 0: there is none
	struct crimg_puppet first;    // that process, until it has born the root
	struct user_regs_struct first_regs; // where it goes on then
	int set_up;                   // a pipe's write end: the keeper tells that it may bear children
	int gate, gate_in;            // a pipe that new tasks wait at: its read end, its write end
};

// restart_plan.c: loads what the image says, and refuses what cannot be made. Creates nothing.
CRIMG_MUST_CHECK int crimg_restart_plan(struct crimg_restart *r, struct crimg_err *err);
void crimg_restart_close(struct crimg_restart *r);

// restart_refuse.c, restart_refuse_files.c: add to r->refused.
void crimg_restart_refuse_tasks(struct crimg_restart *r);
void crimg_restart_refuse_files(struct crimg_restart *r);

// restart_namespaces.c: which are the tasks' own (r->namespaces), and those that are not made, into
// r->refused; fills them, by the root before it has its memory; ends that when all tasks have theirs.
void crimg_restart_refuse_namespaces(struct crimg_restart *r);
CRIMG_MUST_CHECK int crimg_restart_fill_namespaces(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_seal_namespaces(struct crimg_restart *r, struct crimg_err *err);

// restart_compat.c: whether its code is 32-bit code, and whether that runs here; calls as a 32-bit
// task makes them.
bool crimg_restart_is_32(const struct crimg_task *t);
bool crimg_restart_can_32(void);
struct crimg_call crimg_restart_action_32(struct crimg_puppet *p, unsigned signal,
                                          const SaEntry *e);
struct crimg_call crimg_restart_robust_32(uint64_t list, uint64_t length);

// restart_handles.c
CRIMG_MUST_CHECK int crimg_handles_open(struct crimg_restart *r, struct crimg_err *err);
void crimg_handles_close(struct crimg_handles *h);
// Takes fd over (also on failure) and moves it to where handles are. Returns its new number, or -1.
CRIMG_MUST_CHECK int crimg_handles_add(struct crimg_handles *h, struct crimg_handle handle,
                                       struct crimg_err *err);
int crimg_handles_find(const struct crimg_handles *h, enum crimg_handle_sort sort, uint64_t id,
                       uint64_t more); // -1: none
// A second open file of what fd is, with other flags.
int crimg_handles_reopen(int fd, int flags);
// The path and open flags of a regular file; -1 with err.
CRIMG_MUST_CHECK int crimg_handles_open_path(struct crimg_restart *r, const struct crimg_file *file,
                                             int flags, struct crimg_err *err);

// restart_files.c: opens every open file of the image. restart_ghost.c: deleted ones. restart_pipes.c.
CRIMG_MUST_CHECK int crimg_restart_open_files(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_open_ghost(struct crimg_restart *r, const struct crimg_file *file,
                                              int flags, struct crimg_err *err);
// Of such a file: it has another name. Names that the checkpoint made for it go, when all is made.
bool crimg_restart_is_linked(const RemapFilePathEntry *remap);
void crimg_restart_drop_links(struct crimg_restart *r);
CRIMG_MUST_CHECK int crimg_restart_open_pipe(struct crimg_restart *r, const struct crimg_file *file,
                                             struct crimg_err *err);
// The file of this number, open as a handle; opened now, if it was not.
CRIMG_MUST_CHECK int crimg_restart_need_file(struct crimg_restart *r, uint32_t id, struct crimg_err *err);
// What the image holds of contents, into fd at its position. Stops where a pipe is full.
CRIMG_MUST_CHECK int crimg_restart_pour(struct crimg_image *image, struct crimg_payload_ref from,
                                        int fd, struct crimg_err *err);

// restart_shared.c: segments that are mapped by several tasks, with their contents.
CRIMG_MUST_CHECK int crimg_restart_open_segments(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_seal_segments(struct crimg_restart *r, struct crimg_err *err);
// The memory file that area maps, or NULL.
const MemfdInodeEntry *crimg_restart_inode(struct crimg_restart *r, uint64_t inode_id);

// restart_tree.c: creates all processes, their sessions and groups (restart_groups.c); ends zombies.
bool crimg_restart_leads(const struct crimg_task *t); // a session
CRIMG_MUST_CHECK int crimg_restart_births(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_create(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_groups(struct crimg_restart *r, struct crimg_err *err);
void crimg_restart_kill(struct crimg_restart *r);

// restart_tables.c: which tasks share what from birth (into r->family, or r->refused); who passed something on leaves it;
// whether an actor behind this one has the same memory.
CRIMG_MUST_CHECK int crimg_restart_share(struct crimg_restart *r, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_part(struct crimg_restart *r, struct crimg_err *err);
bool crimg_restart_has_company(const struct crimg_restart *r, const struct crimg_actor *a);

// One actor at a time, in this order. The first happens before it bears children, which then have the same
// memory.
CRIMG_MUST_CHECK int crimg_restart_memory(struct crimg_restart *r, struct crimg_actor *a,
                                          struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_pages(struct crimg_restart *r, struct crimg_actor *a,
                                         struct crimg_err *err);
// Then, when all have their memory: they may share a descriptor table.
CRIMG_MUST_CHECK int crimg_restart_directories(struct crimg_restart *r, struct crimg_actor *a,
                                               struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_fds(struct crimg_restart *r, struct crimg_actor *a,
                                       struct crimg_err *err);
// The name of a thread: p->name.
CRIMG_MUST_CHECK int crimg_restart_name(struct crimg_puppet *p, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_threads(struct crimg_restart *r, struct crimg_actor *a,
                                           struct crimg_err *err);
// restart_cgroups.c: of a process, before its memory; of a thread that is elsewhere than its process.
CRIMG_MUST_CHECK int crimg_restart_cgroup(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_thread_cgroup(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                                 struct crimg_err *err);
// restart_schedule.c, restart_extras.c: of one thread, when all of its process are there; of a process, before its
// user changes; and what would be in the way before.
CRIMG_MUST_CHECK int crimg_restart_schedule(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                            struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_thread_extras(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                                 struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_process_extras(struct crimg_restart *r, struct crimg_actor *a,
                                                  struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_seal_extras(struct crimg_restart *r, struct crimg_actor *a,
                                               struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_creds(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                         struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_process(struct crimg_restart *r, struct crimg_actor *a,
                                           struct crimg_err *err);
// A number into a file of /proc, when it says something else now; a note when that cannot be.
void crimg_restart_tell_proc(struct crimg_restart *r, const struct crimg_actor *a, const char *name, int base,
                             long value);
CRIMG_MUST_CHECK int crimg_restart_after_creds(struct crimg_restart *r, struct crimg_actor *a,
                                               struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_timers(struct crimg_restart *r, struct crimg_actor *a,
                                          struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_signals(struct crimg_restart *r, struct crimg_actor *a,
                                           struct crimg_err *err);
// restart_waits.c: of one thread, which from then on makes no call that waits.
CRIMG_MUST_CHECK int crimg_restart_wait(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                                        struct crimg_err *err);
CRIMG_MUST_CHECK int crimg_restart_leave(struct crimg_restart *r, struct crimg_actor *a,
                                         struct crimg_err *err);

// restart_regs.c: whether this CPU has the state; and sets it all.
void crimg_restart_refuse_regs(struct crimg_restart *r, const struct crimg_task *task,
                               const struct crimg_thread *thread);
CRIMG_MUST_CHECK int crimg_restart_regs(const struct crimg_puppet *p, const CoreEntry *core,
                                        struct crimg_err *err);

// Mappings of the kernel: the vDSO, with its data pages in front, as they came from the kernel.
struct crimg_vdso_part {
	uint64_t start, end;
	bool code; // the vDSO itself, else its data
};

struct crimg_vdso {
	struct crimg_vdso_part parts[8]; // in address order
	size_t count;
};

// restart_maps.c: what a task has mapped; ranges is freed by the caller. vdso may be NULL.
CRIMG_MUST_CHECK int crimg_restart_maps(pid_t pid, struct crimg_map_range **ranges, size_t *count,
                                        struct crimg_vdso *vdso, struct crimg_err *err);

#endif
