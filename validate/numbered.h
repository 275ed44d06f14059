// What the reference pass is made of: sets of numbered things, and steps that follow the numbers. A number
// that leads nowhere, that two things have, or that nobody asks for is a finding.
#ifndef CRIMG_VALIDATE_NUMBERED_H
#define CRIMG_VALIDATE_NUMBERED_H

#include "validate/checker.h"
#include "validate/id_set.h"

// Things, by the number that others name them by.
enum crimg_ref {
	CRIMG_REF_FILE,      // open files: crimg_file
	CRIMG_REF_GHOST,     // contents of deleted files: objects
	CRIMG_REF_TTY,       // terminals: TtyInfoEntry
	CRIMG_REF_MASTER,    // pseudo-terminals whose master is inside, by index
	CRIMG_REF_MEMFD,     // memory files: MemfdInodeEntry
	CRIMG_REF_SEGMENT,   // shared memory: objects (page maps)
	CRIMG_REF_SYSV,      // SysV shared memory: IpcShmEntry
	CRIMG_REF_PIPE,      // contents of pipes: PipeDataEntry
	CRIMG_REF_FIFO,      // contents of fifos: PipeDataEntry
	CRIMG_REF_UNIX,      // unix sockets, by inode: crimg_file
	CRIMG_REF_INET,      // internet sockets, by inode: crimg_file
	CRIMG_REF_STREAM,    // states of TCP connections, by inode: objects
	CRIMG_REF_FDTABLE,   // descriptor tables: objects
	CRIMG_REF_FD,        // descriptors, by crimg_ref_fd(): FdinfoEntry
	CRIMG_REF_HOLDER,    // the tables that hold a file, by its number: objects
	CRIMG_REF_PAGES,     // pages files: objects
	CRIMG_REF_MOUNT,     // MntEntry
	CRIMG_REF_CGSET,     // sets of control groups: CgSetEntry
	CRIMG_REF_COUNT
};

struct crimg_numbered {
	struct crimg_checker *c;
	struct crimg_id_set sets[CRIMG_REF_COUNT];
};

// The value of a number field (u32, u64, sint32, bool, enum) of a message; false when it is absent or no such.
bool crimg_ref_number(const ProtobufCMessage *message, const char *field, uint64_t *out);
// False when there is no thing with this number, and none can have been lost to damage that was told.
bool crimg_ref_known(const struct crimg_numbered *r, enum crimg_ref ref, uint64_t id);
// The same, and notes that something holds it.
bool crimg_ref_use(struct crimg_numbered *r, enum crimg_ref ref, uint64_t id);
// The thing with this number, or NULL.
const void *crimg_ref_find(const struct crimg_numbered *r, enum crimg_ref ref, uint64_t id);
// True when file is there and has a path, or is a memory file; and when there is none: that is told elsewhere.
bool crimg_ref_is_path(const struct crimg_numbered *r, uint64_t file);
// The number of a descriptor: of its table, and in it.
static inline uint64_t crimg_ref_fd(uint64_t table, uint32_t fd)
{
	return table << 32 | fd;
}
// The descriptor table of a task, or NULL.
const struct crimg_image_object *crimg_ref_fdtable(struct crimg_numbered *r,
                                                   const struct crimg_task *task);
void crimg_numbered_free(struct crimg_numbered *r); // NULL is allowed

// The steps, in order; each in a file of its own (refs_*.c).
typedef void crimg_ref_step(struct crimg_numbered *r);
crimg_ref_step crimg_refs_tasks, crimg_refs_fds, crimg_refs_files, crimg_refs_sockets,
	crimg_refs_mappings, crimg_refs_namespaces, crimg_refs_extras;

#endif
