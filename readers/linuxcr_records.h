// A kernel stream as objects of CRIU's layout: which there are, and the message of each entry.
// Knows messages; the driver knows their order in the stream of records.
#ifndef CRIMG_READERS_LINUXCR_RECORDS_H
#define CRIMG_READERS_LINUXCR_RECORDS_H

#include "format/schema.h"
#include "readers/linuxcr_model.h"
#include "readers/model_records.h"
#include "readers/model_tasks.h"

// A loaded stream while records are made from it.
struct linuxcr_image {
	struct linuxcr c;
	struct model_tasks tasks;
	int32_t last_ref;                 // files without a reference get numbers above
	struct linuxcr_object **segments; // INODEs of shared memory
	size_t segment_count;
	struct model_payloads payloads;
	struct crimg_arena arena;      // for making a message
	size_t cursor;                 // of the object whose entries are being made
	const struct linuxcr_record *record; // the same, through a list
};

extern const struct model_format linuxcr_format; // its model is a struct linuxcr_image

// Puts tasks in order and numbers what has no number. m->c is loaded.
CRIMG_MUST_CHECK int linuxcr_image_build(struct linuxcr_image *m, struct crimg_err *err);
void linuxcr_image_fini(struct linuxcr_image *m);

// Shared by the parts.
void linuxcr_from(struct model_entry *out, const struct linuxcr_record *r);
// An object of TASK_OBJS, or NULL: which is its place, counted as v23 does (files, mm, fs, undo,
// sighand, signal).
struct linuxcr_object *linuxcr_task_object(const struct linuxcr *c, const struct linuxcr_task *t,
					   unsigned which);
// The first living task of a process, the leader before all others; NULL when none has objects.
const struct linuxcr_task *linuxcr_living(const struct linuxcr_image *m,
					  const struct model_process *p);
uint64_t linuxcr_segment_id(const struct linuxcr_object *inode);
int linuxcr_put_core(struct linuxcr_image *m, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err);
// Whether a living task runs 32-bit code, on whichever kernel.
bool linuxcr_is_32(const struct linuxcr_image *m, const struct linuxcr_task *t);
// Fills in the registers with which the task goes on. What became of the system call that was
// interrupted, as words for the ledger; NULL: none was.
const char *linuxcr_registers(const struct linuxcr_image *m, const struct linuxcr_task *t,
			      UserX86RegsEntry *out);
const char *linuxcr_restart(const struct linuxcr_image *m, const struct linuxcr_task *t,
			    UserX86RegsEntry *regs); // the latter part of that
// Notes what the messages approximate or leave out.
struct crimg_ledger;
int linuxcr_notes(const struct linuxcr_image *m, struct crimg_ledger *ledger, struct crimg_err *err);
// In the image's arena; NULL with err filled.
ThreadInfoX86 *linuxcr_thread_info(struct linuxcr_image *m, const struct linuxcr_task *t,
				   struct crimg_err *err);
SignalQueueEntry *linuxcr_signals(struct linuxcr_image *m, const struct linuxcr_record *pending,
				  struct crimg_err *err);
CredsEntry *linuxcr_creds(struct linuxcr_image *m, const struct linuxcr_task *t,
			  struct crimg_err *err);
int linuxcr_put_mm(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err);
// Of an open file, as open() takes them.
uint32_t linuxcr_file_flags(const struct linuxcr_object *o);
int linuxcr_put_file(struct linuxcr_image *m, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err);
bool linuxcr_socket_is_inet(const struct linuxcr_object *o);
void linuxcr_put_unix(const struct linuxcr_image *m, UnixSkEntry *e, SkOptsEntry *options,
		      const struct linuxcr_object *o);
// A socket of the internet with all that its message speaks of.
struct linuxcr_inet {
	InetSkEntry inet; // initialised
	SkOptsEntry options;
	IpOptsEntry ip;
	TcpOptsEntry tcp;
	uint32_t addresses[8];
};
void linuxcr_put_inet(struct linuxcr_inet *i, const struct linuxcr_object *o);
bool linuxcr_socket_is_tcp(const struct linuxcr_object *o);
uint32_t linuxcr_socket_state(const struct linuxcr_object *o);
size_t linuxcr_count_sockets(const struct linuxcr_image *m);
uint64_t linuxcr_socket_id(const struct linuxcr_image *m, size_t object);
int linuxcr_put_tcp(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err);
// The next SOCKET_BUFFER of a socket (NULL: the first); *to_send becomes true at the second queue. NULL: there is none.
const struct linuxcr_record *linuxcr_next_packet(const struct linuxcr_object *socket, const struct linuxcr_record *after,
						 bool *to_send);
// Adds what it holds, but the first *skip bytes, to the payload in hand; *skip becomes less by those passed over.
CRIMG_MUST_CHECK int linuxcr_add_packet(struct linuxcr_image *m, const struct linuxcr_record *buffer, uint64_t *skip,
			   struct crimg_err *err);
// How much it holds.
uint64_t linuxcr_packet_bytes(const struct linuxcr_record *buffer);
int linuxcr_put_queue(struct linuxcr_image *m, size_t object, uint64_t index,
		      struct model_entry *out, struct crimg_err *err);
// As the kernel names it.
#define LINUXCR_TTY_NAME 32u
void linuxcr_tty_name(const struct linuxcr_object *o, char out[LINUXCR_TTY_NAME]);
int linuxcr_put_tty(struct linuxcr_image *m, size_t object, uint64_t index,
		    struct model_entry *out, struct crimg_err *err);
int linuxcr_put_fd(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err);
int linuxcr_put_fs(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err);
int linuxcr_put_pipe_data(struct linuxcr_image *m, bool fifo, uint64_t index,
			  struct model_entry *out, struct crimg_err *err);
int linuxcr_put_ipc_var(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err);
int linuxcr_put_ipc_shm(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err);
int linuxcr_put_ipc_sem(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err);
int linuxcr_put_ipc_msg(struct linuxcr_image *m, size_t object, uint64_t index,
			struct model_entry *out, struct crimg_err *err);

#endif
