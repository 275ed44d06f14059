// Open files, descriptor tables, directories of a task, deleted files, locks, what is in pipes.
#include "format/limits.h"
#include "readers/cpt_records.h"

#define FD_CLOEXEC_FLAG 1u
#define NS_PER_US 1000u

FownEntry *cpt_fown(struct cpt_image *m, const struct cpt_object *file, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	FownEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	fown_entry__init(e);
	e->pid = cpt_u32(c, file, CRIMG_CPT_FILE_FOWN_PID);
	if (e->pid == 0)
		return e; // nobody is told of anything
	e->uid = cpt_u32(c, file, CRIMG_CPT_FILE_FOWN_UID);
	e->euid = cpt_u32(c, file, CRIMG_CPT_FILE_FOWN_EUID);
	e->signum = cpt_u32(c, file, CRIMG_CPT_FILE_FOWN_SIGNO);
	return e;
}

static uint64_t flags_of(const struct cpt_image *m, const struct cpt_object *file)
{
	return cpt_get(&m->c, file, CRIMG_CPT_FILE_FLAGS);
}

// A regular file of this name; also the name that a FIFO or terminal has.
static int put_reg(struct cpt_image *m, const struct cpt_object *file, uint32_t id, FileEntry *e,
		   struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	RegFileEntry *reg = cpt_make(m, 1, sizeof *reg, err);
	const struct cpt_object *inode = m->files[file->nth].inode;
	const struct cpt_object *mount = cpt_ref(c, file, CRIMG_CPT_FILE_VFSMOUNT);
	if (reg == NULL)
		return -1;
	reg_file_entry__init(reg);
	reg->id = e->id = id;
	e->type = FD_TYPES__REG;
	e->reg = reg;
	reg->flags = (uint32_t)flags_of(m, file);
	reg->pos = cpt_get(c, file, CRIMG_CPT_FILE_POS);
	reg->has_mode = true;
	reg->mode = cpt_u32(c, file, CRIMG_CPT_FILE_I_MODE);
	reg->has_mnt_id = mount != NULL && mount->kind == CRIMG_CPT_OBJ_VFSMOUNT;
	reg->mnt_id = reg->has_mnt_id ? (int32_t)cpt_id(mount) : -1;
	reg->has_size = inode != NULL && m->inodes[inode->nth].role == CPT_ROLE_GHOST;
	reg->size = reg->has_size ? cpt_get(c, inode, CRIMG_CPT_INODE_SIZE) : 0;
	if ((reg->name = cpt_path(m, file, err)) == NULL
	    || (reg->fown = cpt_fown(m, file, err)) == NULL)
		return -1;
	return 1;
}

static int put_pipe(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		    struct crimg_err *err)
{
	const struct cpt_file *f = &m->files[file->nth];
	if (f->type == FD_TYPES__PIPE) {
		if ((e->pipe = cpt_make(m, 1, sizeof *e->pipe, err)) == NULL)
			return -1;
		pipe_entry__init(e->pipe);
		e->pipe->id = e->id;
		e->pipe->pipe_id = cpt_id(f->inode);
		e->pipe->flags = (uint32_t)flags_of(m, file);
		return (e->pipe->fown = cpt_fown(m, file, err)) == NULL ? -1 : 1;
	}
	if ((e->fifo = cpt_make(m, 1, sizeof *e->fifo, err)) == NULL)
		return -1;
	fifo_entry__init(e->fifo);
	e->fifo->id = e->id;
	e->fifo->pipe_id = cpt_id(f->inode);
	e->fifo->has_regf_id = true;
	e->fifo->regf_id = cpt_extra_id(m, CPT_EXTRA_NAME, file->nth);
	return 1;
}

static int put_tty(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		   struct crimg_err *err)
{
	if ((e->tty = cpt_make(m, 1, sizeof *e->tty, err)) == NULL)
		return -1;
	tty_file_entry__init(e->tty);
	e->tty->id = e->id;
	e->tty->tty_info_id = cpt_id(m->files[file->nth].tty);
	e->tty->flags = (uint32_t)flags_of(m, file);
	e->tty->has_regf_id = true;
	e->tty->regf_id = cpt_extra_id(m, CPT_EXTRA_NAME, file->nth);
	return (e->tty->fown = cpt_fown(m, file, err)) == NULL ? -1 : 1;
}

// 1, 0: a kind that has no message of ours, -1.
static int put_whole(struct cpt_image *m, const struct cpt_object *file, FileEntry *e,
		     struct crimg_err *err)
{
	e->id = cpt_id(file);
	e->type = m->files[file->nth].type;
	switch (e->type) {
	case FD_TYPES__REG:
		return put_reg(m, file, e->id, e, err);
	case FD_TYPES__PIPE:
	case FD_TYPES__FIFO:
		return put_pipe(m, file, e, err);
	case FD_TYPES__TTY:
		return put_tty(m, file, e, err);
	case FD_TYPES__UNIXSK:
	case FD_TYPES__INETSK:
	case FD_TYPES__PACKETSK:
	case FD_TYPES__NETLINKSK:
		return cpt_put_socket(m, file, e, err);
	default:
		return cpt_put_special(m, file, e, err);
	}
}

// Files that only a mapping of shared memory or a watch leads to are told of with those.
static bool is_open(const struct cpt_image *m, const struct cpt_object *file)
{
	const struct cpt_object *inode = m->files[file->nth].inode;
	enum cpt_role role = inode != NULL ? m->inodes[inode->nth].role : CPT_ROLE_NONE;
	return file->section != CRIMG_CPT_SECT_INOTIFY
	       && ((role != CPT_ROLE_SEGMENT && role != CPT_ROLE_SYSV)
		   || m->descriptors[file->nth] != NULL);
}

static bool has_name(const struct cpt_image *m, const struct cpt_object *file)
{
	FdTypes type = m->files[file->nth].type;
	return type == FD_TYPES__FIFO || type == FD_TYPES__TTY;
}

// The other name of a file whose own is gone.
static int put_link(struct cpt_image *m, const struct cpt_object *inode, FileEntry *e,
		    struct crimg_err *err)
{
	const struct cpt_inode *of = &m->inodes[inode->nth];
	if (of->role != CPT_ROLE_LINK || of->file == NULL)
		return 0;
	int rc = put_reg(m, of->file, cpt_extra_id(m, CPT_EXTRA_LINK, inode->nth), e, err);
	if (rc > 0) {
		const struct cpt_object *name =
			cpt_child(&m->c, inode, NULL, CRIMG_CPT_OBJ_NAME);
		e->reg->name = cpt_text(&m->c, name, &m->arena, err);
		rc = e->reg->name == NULL ? -1 : 1;
	}
	return rc;
}

// Files as they came; then names of FIFOs and terminals; then other names of deleted files.
CPT_ENTRY(cpt_put_file)
{
	const struct cpt *c = &m->c;
	size_t files = cpt_count(c, CRIMG_CPT_OBJ_FILE), inodes = cpt_count(c, CRIMG_CPT_OBJ_INODE);
	(void)object;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < 2 * files + inodes; m->cursor++) {
		size_t at = m->cursor;
		const struct cpt_object *o =
			at < 2 * files ? cpt_nth(c, CRIMG_CPT_OBJ_FILE, at % files)
				       : cpt_nth(c, CRIMG_CPT_OBJ_INODE, at - 2 * files);
		FileEntry e = FILE_ENTRY__INIT;
		int rc = 0;
		crimg_arena_reset(&m->arena);
		if (at < files)
			rc = is_open(m, o) ? put_whole(m, o, &e, err) : 0;
		else if (at < 2 * files)
			rc = has_name(m, o) ? put_reg(m, o, cpt_extra_id(m, CPT_EXTRA_NAME, o->nth),
						      &e, err)
					    : 0;
		else
			rc = put_link(m, o, &e, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		m->cursor++;
		cpt_from(out, o);
		return model_encode(&e.base, out, err);
	}
	return 0;
}

// The child of an object that stands behind the one made last.
static const struct cpt_object *next_child(struct cpt_image *m, const struct cpt_object *in,
					   uint64_t index, enum crimg_cpt_object kind)
{
	const struct cpt_object *last = index == 0 ? NULL : &m->c.objects[m->cursor];
	const struct cpt_object *o = cpt_child(&m->c, in, last, kind);
	if (o != NULL)
		m->cursor = (size_t)(o - m->c.objects);
	return o;
}

CPT_ENTRY(cpt_put_fd)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *table = cpt_nth(c, CRIMG_CPT_OBJ_FILES, object);
	FdinfoEntry e = FDINFO_ENTRY__INIT;
	const struct cpt_object *o = next_child(m, table, index, CRIMG_CPT_OBJ_FILEDESC);
	const struct cpt_object *file = o == NULL ? NULL : cpt_ref(c, o, CRIMG_CPT_FILEDESC_FILE);
	if (file == NULL)
		return 0;
	e.id = cpt_id(file);
	e.type = m->files[file->nth].type;
	e.fd = cpt_u32(c, o, CRIMG_CPT_FILEDESC_FD);
	e.flags = cpt_u32(c, o, CRIMG_CPT_FILEDESC_FLAGS) & FD_CLOEXEC_FLAG;
	cpt_from(out, o);
	return model_encode(&e.base, out, err);
}

// A file whose name is gone is told of once for every time it was opened.
CPT_ENTRY(cpt_put_remap)
{
	const struct cpt *c = &m->c;
	(void)object;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < cpt_count(c, CRIMG_CPT_OBJ_FILE); m->cursor++) {
		const struct cpt_object *file = cpt_nth(c, CRIMG_CPT_OBJ_FILE, m->cursor);
		const struct cpt_file *f = &m->files[m->cursor];
		RemapFilePathEntry e = REMAP_FILE_PATH_ENTRY__INIT;
		enum cpt_role role =
			f->inode == NULL ? CPT_ROLE_NONE : m->inodes[f->inode->nth].role;
		if (f->type != FD_TYPES__REG
		    || (role != CPT_ROLE_GHOST && role != CPT_ROLE_LINK))
			continue;
		e.orig_id = cpt_id(file);
		e.has_remap_type = true;
		e.remap_type = role == CPT_ROLE_GHOST ? REMAP_TYPE__GHOST : REMAP_TYPE__LINKED;
		e.remap_id = role == CPT_ROLE_GHOST
				     ? cpt_id(f->inode)
				     : cpt_extra_id(m, CPT_EXTRA_LINK, f->inode->nth);
		m->cursor++;
		cpt_from(out, file);
		return model_encode(&e.base, out, err);
	}
	return 0;
}

static Timeval *put_time(struct cpt_image *m, uint64_t packed, struct crimg_err *err)
{
	Timeval *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	timeval__init(e);
	e->tv_sec = cpt_seconds(packed);
	e->tv_usec = cpt_nanoseconds(packed) / NS_PER_US;
	return e;
}

static int put_ghost_head(struct cpt_image *m, const struct cpt_object *inode,
			  struct model_entry *out, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	GhostFileEntry e = GHOST_FILE_ENTRY__INIT;
	crimg_arena_reset(&m->arena);
	e.uid = cpt_u32(c, inode, CRIMG_CPT_INODE_UID);
	e.gid = cpt_u32(c, inode, CRIMG_CPT_INODE_GID);
	e.mode = cpt_u32(c, inode, CRIMG_CPT_INODE_MODE);
	e.has_dev = e.has_ino = e.has_size = e.has_chunks = e.chunks = true;
	e.dev = cpt_u32(c, inode, CRIMG_CPT_INODE_DEV);
	e.ino = cpt_get(c, inode, CRIMG_CPT_INODE_INO);
	e.size = cpt_get(c, inode, CRIMG_CPT_INODE_SIZE);
	e.atim = put_time(m, cpt_get(c, inode, CRIMG_CPT_INODE_ATIME), err);
	e.mtim = put_time(m, cpt_get(c, inode, CRIMG_CPT_INODE_MTIME), err);
	if (e.atim == NULL || e.mtim == NULL)
		return -1;
	cpt_from(out, inode);
	return model_encode(&e.base, out, err);
}

// Contents go up to a whole page; the file's size tells where they end.
CPT_ENTRY(cpt_put_ghost)
{
	const struct cpt_object *inode = cpt_nth(&m->c, CRIMG_CPT_OBJ_INODE, object);
	const struct cpt_runs *runs = &m->c.inodes[object];
	GhostChunkEntry e = GHOST_CHUNK_ENTRY__INIT;
	if (m->inodes[object].role != CPT_ROLE_GHOST)
		return 0;
	if (index == 0)
		return put_ghost_head(m, inode, out, err);
	if (index > runs->count)
		return 0;
	const struct cpt_run *r = &runs->list[index - 1];
	e.off = r->start;
	e.len = r->bytes;
	out->offset = r->offset == CRIMG_NO_OFFSET ? 0 : r->offset;
	out->length = r->offset == CRIMG_NO_OFFSET ? 0 : r->bytes;
	out->has_payload = true;
	if (model_payload_begin(&m->payloads, err) < 0
	    || model_payload_add(&m->payloads, NULL, r->offset, r->bytes, err) < 0)
		return -1;
	return model_encode(&e.base, out, err);
}

// The bytes in a pipe; where one packet ended and the next began is not told.
static int put_pipe_data(struct cpt_image *m, FdTypes type, uint64_t index, struct model_entry *out,
			 struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < cpt_count(c, CRIMG_CPT_OBJ_INODE); m->cursor++) {
		const struct cpt_object *inode = cpt_nth(c, CRIMG_CPT_OBJ_INODE, m->cursor);
		const struct cpt_inode *of = &m->inodes[m->cursor];
		const struct cpt_object *bits = cpt_child(c, inode, NULL, CRIMG_CPT_OBJ_BITS);
		PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
		if (of->role != CPT_ROLE_PIPE || bits == NULL || of->file == NULL
		    || m->files[of->file->nth].type != type)
			continue;
		m->cursor++;
		e.pipe_id = cpt_id(inode);
		e.bytes = (uint32_t)crimg_min_u64(cpt_data_bytes(c, bits), UINT32_MAX);
		cpt_from(out, bits);
		out->has_payload = true;
		if (model_payload_begin(&m->payloads, err) < 0
		    || model_payload_add(&m->payloads, NULL, cpt_body(bits), e.bytes, err) < 0)
			return -1;
		return model_encode(&e.base, out, err);
	}
	return 0;
}

CPT_ENTRY(cpt_put_pipe_data)
{
	(void)object;
	return put_pipe_data(m, FD_TYPES__PIPE, index, out, err);
}

CPT_ENTRY(cpt_put_fifo_data)
{
	(void)object;
	return put_pipe_data(m, FD_TYPES__FIFO, index, out, err);
}
