// An OpenVZ image as objects of CRIU's layout: which there are, and the message of each entry. Knows
// messages; the order of records is model_records.h's.
#ifndef CRIMG_READERS_CPT_RECORDS_H
#define CRIMG_READERS_CPT_RECORDS_H

#include "format/schema.h"
#include "readers/cpt_model.h"
#include "readers/model_records.h"
#include "readers/model_tasks.h"

// What a FILE is of, found once.
struct cpt_file {
	FdTypes type;
	const struct cpt_object *inode, *socket, *tty; // NULL: none
	const struct cpt_object *watches;              // of an epoll or inotify file; NULL: none
};

enum cpt_role {
	CPT_ROLE_NONE,
	CPT_ROLE_PIPE,
	CPT_ROLE_GHOST,   // a deleted file: its contents are in the image
	CPT_ROLE_LINK,    // a name that is gone, another one is there
	CPT_ROLE_SEGMENT, // shared memory without a name
	CPT_ROLE_SYSV,
};

struct cpt_inode {
	enum cpt_role role;
	const struct cpt_object *file; // the first FILE of it; NULL: none
	uint64_t segment;              // index in segments
};

// A process in a cgroup.
struct cpt_member {
	uint32_t pid;
	const struct cpt_object *group;
};

// A loaded image while records are made from it.
struct cpt_image {
	struct cpt c;
	struct model_tasks tasks;
	size_t *process_of; // of each TASK: index in tasks.processes
	struct model_payloads payloads;
	struct cpt_file *files;   // of each FILE
	struct cpt_inode *inodes; // of each INODE
	const struct cpt_object **descriptors; // of each FILE: the first FILEDESC; NULL: none
	struct cpt_member *members;            // of cgroups, by process
	size_t member_count, member_capacity;
	size_t *segments;         // which INODEs are shared memory
	size_t segment_count;
	const struct cpt_object **sockets; // of each FILE; NULL: none
	const struct cpt_object **indexed; // SOCKETs by index
	struct crimg_arena arena;          // for making a message
	size_t cursor, inner;              // of the object whose entries are being made
	// KERNEL_RECORDS
	uint64_t at;                    // bytes of the file that were given
	size_t next_object, next_section;
	const struct cpt_object *owner; // of pages: the last MM or INODE
	size_t run;                     // of it
	uint64_t run_at;                // bytes of its runs before that
	const struct cpt_object *within; // the object that began last
	struct crimg_buf pads;
};

extern const struct model_format cpt_format; // its model is a struct cpt_image

CRIMG_MUST_CHECK int cpt_image_build(struct cpt_image *m, struct crimg_err *err);
void cpt_image_fini(struct cpt_image *m);

// Numbers in CRIU's layout: of objects as the file has them, from 1.
static inline uint32_t cpt_id(const struct cpt_object *o)
{
	return o != NULL ? (uint32_t)o->nth + 1 : 0;
}
// What a message refers to and the image has no object for: in series of as many as there are.
enum { CPT_EXTRA_NAME = 1, CPT_EXTRA_LINK }; // of a FILE: its name as a file; of an INODE: another name
uint32_t cpt_extra_id(const struct cpt_image *m, unsigned series, size_t nth);
// Namespaces: the host's are 1 to 6, the container's follow, its mount namespaces last.
enum { CPT_NS_PID = 7, CPT_NS_NET, CPT_NS_IPC, CPT_NS_UTS, CPT_NS_MNT };

void cpt_from(struct model_entry *out, const struct cpt_object *o);
// Zeroed, in the arena; NULL with err filled.
void *cpt_make(struct cpt_image *m, size_t count, size_t size, struct crimg_err *err);

// Tasks
static inline const struct cpt_object *cpt_task(const struct cpt_image *m, size_t index)
{
	return cpt_nth(&m->c, CRIMG_CPT_OBJ_TASK, index);
}
bool cpt_is_dead(const struct cpt *c, const struct cpt_object *task);
// The first living task of a process, the leader before all others; or NULL.
const struct cpt_object *cpt_living(const struct cpt_image *m, const struct model_process *p);
bool cpt_is_32(const struct cpt *c, const struct cpt_object *task);
// Signals that are pending for a task and not blocked.
uint64_t cpt_pending(const struct cpt *c, const struct cpt_object *task);
// What the task's process does with a signal, or NULL: the default.
const struct cpt_object *cpt_handler(const struct cpt *c, const struct cpt_object *task,
				     uint32_t signal);

// Fills in the registers with which the task goes on. What became of the system call that was interrupted, as words
// for the ledger; NULL: none was.
const char *cpt_registers(const struct cpt *c, const struct cpt_object *task, UserX86RegsEntry *out);
const char *cpt_restart(const struct cpt *c, const struct cpt_object *task,
			UserX86RegsEntry *regs); // the latter part of that
// In the image's arena; NULL with err filled.
ThreadInfoX86 *cpt_thread_info(struct cpt_image *m, const struct cpt_object *task,
			       struct crimg_err *err);
SignalQueueEntry *cpt_signals(struct cpt_image *m, const struct cpt_object *in,
			      struct crimg_err *err);
CRIMG_MUST_CHECK int cpt_add_handlers(struct cpt_image *m, TaskCoreEntry *tc,
				      const struct cpt_object *task, struct crimg_err *err);
CRIMG_MUST_CHECK int cpt_add_timers(struct cpt_image *m, TaskCoreEntry *tc,
				    const struct cpt_object *task, struct crimg_err *err);
FownEntry *cpt_fown(struct cpt_image *m, const struct cpt_object *file, struct crimg_err *err);
// Seconds and nanoseconds in one number.
static inline uint64_t cpt_seconds(uint64_t packed)
{
	return packed >> 32;
}
static inline uint64_t cpt_nanoseconds(uint64_t packed)
{
	return packed & UINT32_MAX;
}
// A device number as user space has it, from the kernel's own.
uint32_t cpt_device(uint64_t kernel);
const struct cpt_object *cpt_socket_by_index(const struct cpt_image *m, uint64_t index);
// The name of a FILE without what d_path adds to those that are gone.
char *cpt_path(struct cpt_image *m, const struct cpt_object *file, struct crimg_err *err);

// Entries, as in MODEL_STEP.
#define CPT_ENTRY(name)                                                                        \
	int name(struct cpt_image *m, size_t object, uint64_t index, struct model_entry *out,  \
		 struct crimg_err *err)
CPT_ENTRY(cpt_put_kernel);
CPT_ENTRY(cpt_put_core);
CPT_ENTRY(cpt_put_mm);
CPT_ENTRY(cpt_put_file);
CPT_ENTRY(cpt_put_fd);
CPT_ENTRY(cpt_put_remap);
CPT_ENTRY(cpt_put_lock);
CPT_ENTRY(cpt_put_ghost);
CPT_ENTRY(cpt_put_pipe_data);
CPT_ENTRY(cpt_put_fifo_data);
CPT_ENTRY(cpt_put_queue);
CPT_ENTRY(cpt_put_tcp);
CPT_ENTRY(cpt_put_tty_info);
CPT_ENTRY(cpt_put_tty_data);
CPT_ENTRY(cpt_put_ipc_var);
CPT_ENTRY(cpt_put_ipc_shm);
CPT_ENTRY(cpt_put_ipc_sem);
CPT_ENTRY(cpt_put_ipc_msg);
CPT_ENTRY(cpt_put_mount);
CPT_ENTRY(cpt_put_netdev);
CPT_ENTRY(cpt_put_cgroup);
// The message of a file's kind, into e. 1; 0: it has none that we make; -1: err.
int cpt_put_special(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		    struct crimg_err *err);
int cpt_put_socket(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		   struct crimg_err *err);
SkOptsEntry *cpt_socket_options(struct cpt_image *m, const struct cpt_object *socket, struct crimg_err *err);
int cpt_put_packet(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *socket,
		   FileEntry *e, struct crimg_err *err);
int cpt_put_netlink(struct cpt_image *m, const struct cpt_object *file, const struct cpt_object *socket,
		    FileEntry *e, struct crimg_err *err);
bool cpt_is_tcp(const struct cpt *c, const struct cpt_object *socket);
size_t cpt_count_sockets(const struct cpt_image *m);
// Where an SKB's data lie, behind its head room. False: they are not all there.
bool cpt_skb_data(const struct cpt *c, const struct cpt_object *skb, uint64_t *at, uint64_t *length);
// Notes what the messages approximate or leave out.
struct crimg_ledger;
CRIMG_MUST_CHECK int cpt_notes(const struct cpt_image *m, struct crimg_ledger *ledger, struct crimg_err *err);
// The network device behind an open tun file, or NULL; the name of one.
const struct cpt_object *cpt_tun_of(const struct cpt_image *m, const struct cpt_object *file);
char *cpt_device_name(struct cpt_image *m, const struct cpt_object *device, struct crimg_err *err);
// Number of the cgroup set of a process; 0: it is in no cgroup.
uint32_t cpt_cgroup_set(const struct cpt_image *m, uint32_t pid);
// The bytes of the name that begins what stands in a CGROUP; 0: it has none.
uint64_t cpt_group_name(const struct cpt *c, const struct cpt_object *group, const uint8_t *body,
			size_t length);
CRIMG_MUST_CHECK int cpt_find_members(struct cpt_image *m, struct crimg_err *err);

#endif
