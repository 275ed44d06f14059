// References: every number that something is named by leads to one thing, and every thing that is kept
// is named by something. The sets come from a table; what follows the numbers is in refs_*.c.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "validate/numbered.h"

#define PTMX_RDEV (5u << 8 | 2u) // in the encoding of tty_info_entry.rdev

// Where the things of a set come from.
enum source {
	OBJECTS,  // the numbers of the objects of a kind
	ENTRIES,  // a field of the entries of a kind
	OWN,      // a function of its own
};

// Before CRIU 3.6 the path of a fifo or terminal was a file with the same number.
static bool is_path_of(const struct crimg_file *before, const struct crimg_file *f)
{
	return before != NULL && before->id == f->id && f->type == FD_TYPES__REG
	       && (before->type == FD_TYPES__FIFO || before->type == FD_TYPES__TTY);
}

// A socket outside that one inside is connected to is listed, and nobody inside holds it.
static bool is_outside(const struct crimg_file *f)
{
	return f->type == FD_TYPES__UNIXSK && f->message != NULL
	       && ((const UnixSkEntry *)f->message)->uflags != 0;
}

static int add_files(struct crimg_numbered *r, struct crimg_err *err)
{
	for (size_t i = 0; i < r->c->files.count; i++) {
		const struct crimg_file *f = &r->c->files.list[i];
		if (is_path_of(i > 0 ? f - 1 : NULL, f))
			continue;
		if (crimg_id_set_add(&r->sets[CRIMG_REF_FILE], f->id, f, err) < 0)
			return -1;
		r->sets[CRIMG_REF_FILE].list[r->sets[CRIMG_REF_FILE].count - 1].used = is_outside(f);
		enum crimg_ref inodes = f->type == FD_TYPES__UNIXSK ? CRIMG_REF_UNIX : CRIMG_REF_INET;
		bool socket = f->type == FD_TYPES__UNIXSK || f->type == FD_TYPES__INETSK;
		if (socket && crimg_file_inode(f) != 0
		    && crimg_id_set_add(&r->sets[inodes], crimg_file_inode(f), f, err) < 0)
			return -1;
	}
	return 0;
}

static int add_fds(struct crimg_numbered *r, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_FDINFO);
	const FdinfoEntry *fd;
	while ((fd = crimg_image_walk(r->c->image, &walk, NULL)) != NULL)
		if (crimg_id_set_add(&r->sets[CRIMG_REF_FD],
		                     crimg_ref_fd(walk.object->object.id, fd->fd), fd, err) < 0
		    || crimg_id_set_add(&r->sets[CRIMG_REF_HOLDER], fd->id, walk.object, err) < 0)
			return -1;
	return 0;
}

static int add_masters(struct crimg_numbered *r, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TTY_INFO);
	const TtyInfoEntry *tty;
	while ((tty = crimg_image_walk(r->c->image, &walk, NULL)) != NULL)
		if (tty->pty != NULL && tty->rdev == PTMX_RDEV
		    && crimg_id_set_add(&r->sets[CRIMG_REF_MASTER], tty->pty->index, tty, err) < 0)
			return -1;
	return 0;
}

static int add_sysv(struct crimg_numbered *r, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_IPCNS_SHM);
	const IpcShmEntry *shm;
	while ((shm = crimg_image_walk(r->c->image, &walk, NULL)) != NULL)
		if (crimg_id_set_add(&r->sets[CRIMG_REF_SYSV], shm->desc->id, shm, err) < 0)
			return -1;
	return 0;
}

static int add_cgroup_sets(struct crimg_numbered *r, struct crimg_err *err)
{
	const CgroupEntry *cgroup = crimg_image_get(r->c->image, CRIMG_KIND_CGROUP, 0, NULL);
	for (size_t i = 0; cgroup != NULL && i < cgroup->n_sets; i++)
		if (crimg_id_set_add(&r->sets[CRIMG_REF_CGSET], cgroup->sets[i]->id, cgroup->sets[i],
		                     err) < 0)
			return -1;
	return 0;
}

typedef int add_fn(struct crimg_numbered *r, struct crimg_err *err);

// stray: the finding for a thing that nobody names; STRAY_NONE: that may be.
#define MAY_STRAY CRIMG_F_COUNT

static const struct {
	const char *noun;
	enum source source;
	enum crimg_kind kind;     // where they are: damage there leaves questions open
	const char *field;        // of ENTRIES
	add_fn *own;              // of OWN; NULL: another set's fills this one
	enum crimg_finding_id stray;
	bool repeats;             // one number may be there several times, or that is told elsewhere
} rows[CRIMG_REF_COUNT] = {
	[CRIMG_REF_FILE] = { "open file", OWN, CRIMG_KIND_FILES, NULL, add_files, CRIMG_F_STRAY_FILE, false },
	[CRIMG_REF_GHOST] = { "deleted file", OBJECTS, CRIMG_KIND_GHOST_FILE, NULL, NULL,
	                      CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_TTY] = { "terminal", ENTRIES, CRIMG_KIND_TTY_INFO, "id", NULL,
	                    CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_MASTER] = { "terminal master", OWN, CRIMG_KIND_TTY_INFO, NULL, add_masters, MAY_STRAY, true },
	[CRIMG_REF_MEMFD] = { "memory file", ENTRIES, CRIMG_KIND_MEMFD_INODE, "inode_id", NULL,
	                      CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_SEGMENT] = { "shared memory segment", OBJECTS, CRIMG_KIND_PAGEMAP_SHMEM, NULL, NULL,
	                        CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_SYSV] = { "SysV segment", OWN, CRIMG_KIND_IPCNS_SHM, NULL, add_sysv, MAY_STRAY, true },
	[CRIMG_REF_PIPE] = { "pipe", ENTRIES, CRIMG_KIND_PIPES_DATA, "pipe_id", NULL,
	                     CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_FIFO] = { "fifo", ENTRIES, CRIMG_KIND_FIFO_DATA, "pipe_id", NULL,
	                     CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_UNIX] = { "unix socket's inode", OWN, CRIMG_KIND_FILES, NULL, NULL, MAY_STRAY, false },
	[CRIMG_REF_INET] = { "internet socket's inode", OWN, CRIMG_KIND_FILES, NULL, NULL, MAY_STRAY, false },
	[CRIMG_REF_STREAM] = { "TCP connection", OBJECTS, CRIMG_KIND_TCP_STREAM, NULL, NULL,
	                       CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_FDTABLE] = { "descriptor table", OBJECTS, CRIMG_KIND_FDINFO, NULL, NULL,
	                        CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_FD] = { "descriptor", OWN, CRIMG_KIND_FDINFO, NULL, add_fds, MAY_STRAY, true },
	[CRIMG_REF_HOLDER] = { "holder", OWN, CRIMG_KIND_FDINFO, NULL, NULL, MAY_STRAY, true },
	[CRIMG_REF_PAGES] = { "pages file", OBJECTS, CRIMG_KIND_PAGES, NULL, NULL,
	                      CRIMG_F_STRAY_OBJECT, false },
	[CRIMG_REF_MOUNT] = { "mount", ENTRIES, CRIMG_KIND_MNTS, "mnt_id", NULL, MAY_STRAY, false },
	[CRIMG_REF_CGSET] = { "set of control groups", OWN, CRIMG_KIND_CGROUP, NULL, add_cgroup_sets, MAY_STRAY, false },
};

bool crimg_ref_number(const ProtobufCMessage *message, const char *field, uint64_t *out)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);
	const char *at = (const char *)message;
	protobuf_c_boolean present = 1;
	uint32_t narrow;
	if (f == NULL || f->label == PROTOBUF_C_LABEL_REPEATED)
		return false;
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
		memcpy(&present, at + f->quantifier_offset, sizeof present);
	if (!present)
		return false;
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		memcpy(out, at + f->offset, sizeof *out);
		return true;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
		memcpy(&narrow, at + f->offset, sizeof narrow);
		*out = narrow;
		return true;
	default:
		return false;
	}
}

// Images before 3.4 have one for each type of file.
static bool is_damaged(const struct crimg_checker *c, enum crimg_kind kind)
{
	bool damaged = c->damaged[kind];
	for (enum crimg_kind k = CRIMG_KIND_FILES; kind == CRIMG_KIND_FILES && k <= CRIMG_KIND_BPFMAP_FILE; k++)
		damaged = damaged || c->damaged[k];
	return damaged;
}

bool crimg_ref_known(const struct crimg_numbered *r, enum crimg_ref ref, uint64_t id)
{
	return crimg_id_set_find(&r->sets[ref], id) != NULL || is_damaged(r->c, rows[ref].kind);
}

bool crimg_ref_use(struct crimg_numbered *r, enum crimg_ref ref, uint64_t id)
{
	struct crimg_id *found = crimg_id_set_find(&r->sets[ref], id);
	if (found != NULL)
		found->used = true;
	return crimg_ref_known(r, ref, id);
}

const void *crimg_ref_find(const struct crimg_numbered *r, enum crimg_ref ref, uint64_t id)
{
	const struct crimg_id *found = crimg_id_set_find(&r->sets[ref], id);
	return found != NULL ? found->thing : NULL;
}

bool crimg_ref_is_path(const struct crimg_numbered *r, uint64_t id)
{
	const struct crimg_file *file = crimg_ref_find(r, CRIMG_REF_FILE, id);
	return file == NULL || file->path != NULL || file->type == FD_TYPES__MEMFD;
}

// By its number, or (1.x) by the pid.
const struct crimg_image_object *crimg_ref_fdtable(struct crimg_numbered *r,
                                                   const struct crimg_task *task)
{
	const void *table = task->ids == NULL ? NULL
		: crimg_ref_find(r, CRIMG_REF_FDTABLE, task->ids->files_id);
	return table != NULL ? table : crimg_ref_find(r, CRIMG_REF_FDTABLE, task->pid);
}

static int fill_set(struct crimg_numbered *r, enum crimg_ref ref, struct crimg_err *err)
{
	struct crimg_image *image = r->c->image;
	if (rows[ref].source == OWN)
		return rows[ref].own != NULL ? rows[ref].own(r, err) : 0;
	if (rows[ref].source == OBJECTS) {
		for (struct crimg_image_object *o = crimg_image_first(image, rows[ref].kind); o != NULL;
		     o = crimg_image_next(image, o))
			if (crimg_id_set_add(&r->sets[ref], o->object.id, o, err) < 0)
				return -1;
		return 0;
	}
	struct crimg_image_walk walk = crimg_image_walk_make(rows[ref].kind);
	const ProtobufCMessage *m;
	while ((m = crimg_image_walk(image, &walk, NULL)) != NULL) {
		uint64_t id;
		if (crimg_ref_number(m, rows[ref].field, &id)
		    && crimg_id_set_add(&r->sets[ref], id, m, err) < 0)
			return -1;
	}
	return 0;
}

static int fill(struct crimg_numbered *r, struct crimg_err *err)
{
	for (enum crimg_ref ref = 0; ref < CRIMG_REF_COUNT; ref++)
		if (fill_set(r, ref, err) < 0)
			return -1;
	for (enum crimg_ref ref = 0; ref < CRIMG_REF_COUNT; ref++)
		crimg_id_set_seal(&r->sets[ref]);
	return 0;
}

static struct crimg_place place_of(struct crimg_numbered *r, enum crimg_ref ref,
                                   const struct crimg_id *id)
{
	bool file = ref == CRIMG_REF_FILE || ref == CRIMG_REF_UNIX || ref == CRIMG_REF_INET;
	if (file)
		return crimg_place_opened(r->c, id->thing, ref == CRIMG_REF_FILE ? "id" : "ino");
	if (rows[ref].source == OBJECTS)
		return crimg_place_object(id->thing);
	return crimg_place_message(r->c, id->thing, "%s", rows[ref].field != NULL ? rows[ref].field : "");
}

static void tell_repeats(struct crimg_numbered *r, enum crimg_ref ref)
{
	const struct crimg_id_set *set = &r->sets[ref];
	for (size_t i = 1; i < set->count; i++) {
		if (!crimg_id_set_repeats(set, i))
			continue;
		struct crimg_place at = place_of(r, ref, &set->list[i]);
		CRIMG_FIND(r->c, NUMBER_TWICE, &at, "%s %" PRIu64 " is there twice", rows[ref].noun,
		           set->list[i].id);
	}
}

static void tell_strays(struct crimg_numbered *r, enum crimg_ref ref)
{
	const struct crimg_id_set *set = &r->sets[ref];
	for (size_t i = 0; i < set->count; i++) {
		if (set->list[i].used || crimg_id_set_repeats(set, i))
			continue;
		struct crimg_place at = place_of(r, ref, &set->list[i]);
		crimg_findings_add(&r->c->findings, rows[ref].stray, &at,
		                   "nothing refers to %s %" PRIu64, rows[ref].noun, set->list[i].id);
	}
}

void crimg_numbered_free(struct crimg_numbered *r)
{
	for (enum crimg_ref ref = 0; r != NULL && ref < CRIMG_REF_COUNT; ref++)
		crimg_id_set_fini(&r->sets[ref]);
	free(r);
}

static struct crimg_numbered *make(struct crimg_checker *c)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_numbered *r = calloc(1, sizeof *r);
	if (r == NULL) {
		crimg_fail_nomem(&c->findings.fault, sizeof *r);
		return NULL;
	}
	r->c = c;
	if (fill(r, &err) == 0)
		return r;
	crimg_checker_damage(c, &err);
	crimg_numbered_free(r);
	return NULL;
}

void crimg_pass_references(struct crimg_checker *c)
{
	static crimg_ref_step *const steps[] = { crimg_refs_tasks,    crimg_refs_fds,
		                                 crimg_refs_files,    crimg_refs_sockets,
		                                 crimg_refs_mappings, crimg_refs_namespaces,
		                                 crimg_refs_extras };
	// A skeleton names neither descriptors nor directories.
	size_t count = c->skeleton ? 1 : sizeof steps / sizeof steps[0];
	if (c->tasks.count == 0)
		return; // a pre-dump, or nothing is left that could refer to anything: told
	struct crimg_numbered *r = c->numbered = make(c);
	if (r == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		steps[i](r);
	for (enum crimg_ref ref = 0; ref < CRIMG_REF_COUNT; ref++)
		if (!rows[ref].repeats)
			tell_repeats(r, ref);
	// What lost its reference to damage that was told is no finding of its own.
	if (c->findings.of_severity[CRIMG_ERROR] > 0 || c->skeleton)
		return;
	for (enum crimg_ref ref = 0; ref < CRIMG_REF_COUNT; ref++)
		if (rows[ref].stray != MAY_STRAY)
			tell_strays(r, ref);
}
