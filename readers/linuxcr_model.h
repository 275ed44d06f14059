// A kernel stream, read: its tasks, its objects by reference, the pages they hold. Values stay in
// their records; the places are those of format/layout_linuxcr.h. Knows the grammar's outcome, no
// messages.
#ifndef CRIMG_READERS_LINUXCR_MODEL_H
#define CRIMG_READERS_LINUXCR_MODEL_H

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "readers/linuxcr_stream.h"

// Pages that follow each other in memory and in the stream.
struct linuxcr_run {
	uint64_t start; // address, or offset in the shared segment, in bytes
	uint64_t pages;
	uint64_t offset; // of the contents, in the stream
};

// A shared object. What body and parts are depends on the type:
//   FILE        body FILE, parts: FILE_NAME, EPOLL_ITEMS, their BUFFER
//   FILE_TABLE  list: FILE_DESC
//   INODE       body: PIPE_BUF, or IPC_SHM, or the VMA that gave its contents; part 0: the FILE of
//   a pipe MM          body MM, parts: the auxiliary vector's BUFFER, MM_CONTEXT, LDT; list: VMA FS
//   body FS, parts: FILE_NAMEs of the working directory and of the root SIGNAL      body SIGNAL,
//   part 0: SIGPENDING IPC_NS      body IPC_NS; list: IPC_SHM, IPC_MSG, IPC_MSG_MSG, IPC_SEM and
//   BUFFERs as they came SOCK        body SOCKET, parts: SOCKET_UNIX or SOCKET_INET, STRING; list:
//   what is queued others      body
struct linuxcr_object {
	int32_t ref;
	uint32_t type; // enum crimg_lcr_object
	size_t order;  // of its introduction
	bool partial;  // its body is not complete yet
	struct linuxcr_record *body, *parts[3];
	struct linuxcr_record *first, *last; // list
	struct linuxcr_run *runs;            // MM, INODE: owned
	size_t run_count, run_capacity;
	uint64_t pages, pages_id;
	uint64_t size; // FILE: as a mapping of it tells; 0: none does
	int32_t held_by; // SOCK, TTY: the first FILE of it
	struct linuxcr_object *waits; // SOCK: the next whose queues are to come
};

// One task: a thread, or a zombie. Records are NULL when the stream ended before them.
struct linuxcr_task {
	int32_t pid, ppid, tgid, pgid, sid;
	bool zombie;
	struct linuxcr_record *task, *comm, *thread, *restart, *cpu, *fpu, *creds, *ns, *objs;
	struct linuxcr_record *pending, *mask;
};

struct linuxcr {
	struct linuxcr_stream stream;
	struct crimg_err damage; // what ended reading, or the first thing passed over
	unsigned depth;          // of objects within objects
	struct linuxcr_object *queued, *last_queued; // sockets whose queues stand behind the table in hand
	struct linuxcr_record *header, *header_arch;
	struct linuxcr_object **table; // by reference: open addressing
	size_t table_count, table_capacity;
	struct linuxcr_object **objects;        // sorted by type, then order, once all is read
	size_t starts[CRIMG_LCR_OBJ_COUNT + 1]; // objects[starts[t], starts[t + 1]) are of type t
	struct linuxcr_task *tasks;
	size_t task_count, task_capacity;
	int32_t pid_offset, *pids; // numbers of pid objects
	size_t pid_count;
};

static inline uint16_t linuxcr_u16(const struct linuxcr_record *r, uint32_t at)
{
	return at + 2 <= r->length ? crimg_get_u16(r->data + at) : 0;
}

static inline uint32_t linuxcr_u32(const struct linuxcr_record *r, uint32_t at)
{
	return at + 4 <= r->length ? crimg_get_u32(r->data + at) : 0;
}

static inline int32_t linuxcr_ref(const struct linuxcr_record *r, uint32_t at)
{
	return (int32_t)linuxcr_u32(r, at);
}

static inline uint64_t linuxcr_u64(const struct linuxcr_record *r, uint32_t at)
{
	return at + 8 <= r->length ? crimg_get_u64(r->data + at) : 0;
}

// Objects (linuxcr_objects.c). Of any type with 0; NULL when there is none.
struct linuxcr_object *linuxcr_find(const struct linuxcr *c, uint32_t type, int32_t ref);
// A new one. -1: the number is no reference or is taken, or memory; the error is placed at offset.
CRIMG_MUST_CHECK int linuxcr_introduce(struct linuxcr *c, uint32_t type, int32_t ref,
				       uint64_t offset, struct linuxcr_object **out,
				       struct crimg_err *err);
void linuxcr_list_add(struct linuxcr_object *o, struct linuxcr_record *r);
// Adds pages that follow those before. -1: address not behind the last, limit, memory.
CRIMG_MUST_CHECK int linuxcr_add_pages(struct linuxcr *c, struct linuxcr_object *o,
				       struct linuxcr_record *r, bool shared,
				       struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_sort_objects(struct linuxcr *c, struct crimg_err *err);
static inline size_t linuxcr_count(const struct linuxcr *c, uint32_t type)
{
	return c->starts[type + 1] - c->starts[type];
}
static inline struct linuxcr_object *linuxcr_nth(const struct linuxcr *c, uint32_t type, size_t i)
{
	return c->objects[c->starts[type] + i];
}

// Parts of the grammar (linuxcr_parse.c, linuxcr_tasks.c, linuxcr_bodies.c, linuxcr_contents.c).
#define LINUXCR_ANY UINT32_MAX
// The next record, of this kind and payload; objects that stand before it are read, unknown records
// kept and reported. NULL with err filled.
CRIMG_MUST_CHECK struct linuxcr_record *linuxcr_expect(struct linuxcr *c, uint32_t kind,
						       uint32_t length, struct crimg_err *err);
// The kind that comes next, objects and unknown records having been read; 0 at the end. -1: err.
CRIMG_MUST_CHECK int linuxcr_next_kind(struct linuxcr *c, uint32_t *kind, uint32_t *length,
				       struct crimg_err *err);
// The object that a record's field speaks of; 0 is none when optional. -1: it is not there yet.
CRIMG_MUST_CHECK int linuxcr_need(struct linuxcr *c, const struct linuxcr_record *r, uint32_t at,
				  uint32_t type, bool optional, struct linuxcr_object **out,
				  struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_task(struct linuxcr *c, struct linuxcr_task *t,
				       struct crimg_err *err);
// What the layout, known at the end, says of who is dead.
CRIMG_MUST_CHECK int linuxcr_check_zombies(struct linuxcr *c, struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_body(struct linuxcr *c, struct linuxcr_object *o,
				       struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_mm(struct linuxcr *c, struct linuxcr_object *o,
				     struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_pages(struct linuxcr *c, struct linuxcr_object *o, bool shared,
					struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_ipc(struct linuxcr *c, struct linuxcr_object *o,
				      struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_file(struct linuxcr *c, struct linuxcr_object *o,
				       struct crimg_err *err);
CRIMG_MUST_CHECK int linuxcr_read_table(struct linuxcr *c, struct linuxcr_object *o,
					struct crimg_err *err);
// All of it. -1: this is no stream that can be read, or memory; what is wrong further on is damage,
// and what came before it is there.
CRIMG_MUST_CHECK int linuxcr_load(struct linuxcr *c, struct crimg_source *source,
				  struct crimg_err *err);
void linuxcr_fini(struct linuxcr *c);

#endif
