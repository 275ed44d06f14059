// Inodes: of pipes with what is in them, of deleted files and shared memory with their contents, of devices.
#include <string.h>

#include "format/checked.h"
#include "format/layout_kernel.h"
#include "format/limits.h"
#include "writers/cptmake_file.h"

#define TUN_DEVICE (10u << 20 | 200u)

static const struct {
	const char *path;
	uint32_t rdev;
} devices[] = {
	{"/dev/null", 1u << 20 | 3}, {"/dev/zero", 1u << 20 | 5},   {"/dev/full", 1u << 20 | 7},
	{"/dev/random", 1u << 20 | 8}, {"/dev/urandom", 1u << 20 | 9},
};

uint32_t cptmake_device(const char *path)
{
	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
		if (strcmp(devices[i].path, path) == 0)
			return devices[i].rdev;
	return 0;
}

uint64_t cptmake_inode_key(const struct crimg_file *f)
{
	if (f->type == FD_TYPES__PIPE)
		return CPTMAKE_KEY(CPTMAKE_PIPE, ((const PipeEntry *)f->message)->pipe_id);
	if (f->type == FD_TYPES__FIFO)
		return CPTMAKE_KEY(CPTMAKE_PIPE, ((const FifoEntry *)f->message)->pipe_id);
	if (cptmake_is_socket(f))
		return CPTMAKE_KEY(CPTMAKE_SOCKET, f->id);
	if (f->type == FD_TYPES__TUNF)
		return CPTMAKE_KEY(CPTMAKE_DEVICE, f->id);
	if (f->type != FD_TYPES__REG)
		return 0;
	if (f->remap != NULL && f->remap->remap_type == REMAP_TYPE__GHOST)
		return CPTMAKE_KEY(CPTMAKE_GHOST, f->remap->remap_id);
	if (f->remap != NULL)
		return CPTMAKE_KEY(CPTMAKE_LINK, f->id);
	return cptmake_device(((const RegFileEntry *)f->message)->name) != 0
		       ? CPTMAKE_KEY(CPTMAKE_DEVICE, f->id)
		       : 0;
}

static struct cptmake_object inode(uint32_t mode, uint64_t number, uint64_t size, uint32_t magic)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_INODE, CRIMG_CPT_CONTENT_ARRAY);
	cptmake_set(&o, CRIMG_CPT_INODE_MODE, mode);
	cptmake_set(&o, CRIMG_CPT_INODE_INO, number);
	cptmake_set(&o, CRIMG_CPT_INODE_SIZE, size);
	cptmake_set(&o, CRIMG_CPT_INODE_SB, magic);
	cptmake_set(&o, CRIMG_CPT_INODE_BLKSIZE, CRIMG_PAGE_BYTES);
	cptmake_set(&o, CRIMG_CPT_INODE_NLINK, 1);
	return o;
}

static uint64_t all_bytes(const struct cptmake *k, enum crimg_kind kind)
{
	const struct crimg_image_object *o = crimg_image_first(k->image, kind);
	uint64_t bytes = 0;
	for (size_t i = 0; o != NULL && i < o->count; i++)
		if (o->entries[i].payload.number != CRIMG_NO_PAYLOAD)
			bytes += o->entries[i].payload.length;
	return bytes;
}

// Where the bytes of each pipe are among those of all.
static int find_pipes(struct cptmake *k, enum crimg_kind kind, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(k->image, kind);
	uint64_t base = 0;
	for (size_t i = 0; o != NULL && i < o->count; i++) {
		const PipeDataEntry *e = crimg_image_message(k->image, o, i, err);
		uint64_t bytes = o->entries[i].payload.number == CRIMG_NO_PAYLOAD
					 ? 0
					 : o->entries[i].payload.length;
		if (e == NULL)
			return -1;
		struct cptmake_place *p =
			cptmake_map_find(&k->inodes, CPTMAKE_KEY(CPTMAKE_PIPE, e->pipe_id));
		if (p != NULL) {
			p->from = base;
			p->size = bytes;
		}
		base += bytes;
	}
	return 0;
}

static int put_pipe(struct cptmake *k, const struct crimg_file *f, struct cptmake_place *p,
		    struct crimg_err *err)
{
	enum crimg_kind kind =
		f->type == FD_TYPES__PIPE ? CRIMG_KIND_PIPES_DATA : CRIMG_KIND_FIFO_DATA;
	struct cptmake_object o = inode(0010600, p->key & UINT32_MAX, 0,
					f->type == FD_TYPES__PIPE ? KERNEL_PIPEFS_MAGIC : KERNEL_EXT_MAGIC);
	struct cptmake_object bits = cptmake_new(CRIMG_CPT_OBJ_BITS, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark, inner;
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	cptmake_set(&bits, CRIMG_CPT_BITS_SIZE, p->size);
	struct carried_piece piece = {.kind = kind,
				      .from = p->from,
				      .length = p->size,
				      .total = all_bytes(k, kind)};
	if (p->size > 0
	    && (cptmake_begin(k, &bits, &inner, err) < 0 || carried_contents(k->c, piece, err) < 0
		|| cptmake_end(k, inner, err) < 0))
		return -1;
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

// One stretch of a deleted file, filled up to a whole page.
static int put_stretch(struct cptmake *k, uint64_t id, uint64_t start, struct carried_piece piece,
		       struct crimg_err *err)
{
	static const uint8_t zeros[CRIMG_PAGE_BYTES] = {0};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_PAGES, CRIMG_CPT_CONTENT_DATA);
	struct cptmake_mark mark;
	uint64_t fill = -piece.length & (CRIMG_PAGE_BYTES - 1);
	if (piece.length == 0)
		return 0;
	if (start % CRIMG_PAGE_BYTES != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "deleted file %llu has bytes from %llu on, whole pages wanted",
				  (unsigned long long)id, (unsigned long long)start);
	cptmake_set(&o, CRIMG_CPT_PAGES_START, start);
	cptmake_set(&o, CRIMG_CPT_PAGES_END, start + piece.length + fill);
	if (cptmake_begin(k, &o, &mark, err) < 0 || carried_contents(k->c, piece, err) < 0
	    || carried_head(k->c, zeros, (size_t)fill, err) < 0)
		return -1;
	return cptmake_end(k, mark, err);
}

static uint64_t packed(const Timeval *t)
{
	return t == NULL ? 0 : t->tv_sec << 32 | t->tv_usec * 1000;
}

static int put_ghost(struct cptmake *k, uint64_t id, struct cptmake_place *p, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_find(k->image, CRIMG_KIND_GHOST_FILE, id);
	const GhostFileEntry *head =
		o == NULL ? NULL : crimg_image_message(k->image, o, 0, err);
	struct cptmake_mark mark;
	uint64_t base = 0, total = 0;
	if (head == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
				  "deleted file %llu is not in the image", (unsigned long long)id);
	for (size_t i = 0; i < o->count; i++)
		if (o->entries[i].payload.number != CRIMG_NO_PAYLOAD)
			total += o->entries[i].payload.length;
	struct cptmake_object n =
		inode(head->mode, head->ino, head->has_size ? head->size : total, KERNEL_EXT_MAGIC);
	cptmake_set(&n, CRIMG_CPT_INODE_NLINK, 0);
	cptmake_set(&n, CRIMG_CPT_INODE_UID, head->uid);
	cptmake_set(&n, CRIMG_CPT_INODE_GID, head->gid);
	cptmake_set(&n, CRIMG_CPT_INODE_DEV, head->dev);
	cptmake_set(&n, CRIMG_CPT_INODE_ATIME, packed(head->atim));
	cptmake_set(&n, CRIMG_CPT_INODE_MTIME, packed(head->mtim));
	if (cptmake_begin(k, &n, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < o->count; i++) {
		const void *m = crimg_image_message(k->image, o, i, err);
		const GhostChunkEntry *chunk = m;
		if (m == NULL)
			return -1;
		uint64_t bytes = o->entries[i].payload.number == CRIMG_NO_PAYLOAD
					 ? 0
					 : o->entries[i].payload.length;
		struct carried_piece piece = {.kind = CRIMG_KIND_GHOST_FILE,
					      .id = id,
					      .from = base,
					      .length = bytes,
					      .total = total};
		if (put_stretch(k, id, i == 0 ? 0 : chunk->off, piece, err) < 0)
			return -1;
		base += bytes;
	}
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

// Of a socket, or of the device that tun files are opened by: nothing follows.
static int put_bare(struct cptmake *k, const struct crimg_file *f, struct cptmake_place *p,
		    struct crimg_err *err)
{
	bool tun = f->type == FD_TYPES__TUNF;
	struct cptmake_object o = inode(tun ? 0020666 : 0140777, f->id, 0, tun ? KERNEL_EXT_MAGIC : KERNEL_SOCKFS_MAGIC);
	cptmake_set(&o, CRIMG_CPT_INODE_RDEV, tun ? TUN_DEVICE : 0);
	p->at = k->c->size;
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_inode(struct cptmake *k, const struct crimg_file *f, struct cptmake_place *p,
		     struct crimg_err *err)
{
	const RegFileEntry *reg = f->type == FD_TYPES__REG ? f->message : NULL;
	struct cptmake_mark mark;
	if (cptmake_is_socket(f) || f->type == FD_TYPES__TUNF)
		return put_bare(k, f, p, err);
	if (reg == NULL)
		return put_pipe(k, f, p, err);
	if (f->remap != NULL && f->remap->remap_type == REMAP_TYPE__GHOST)
		return put_ghost(k, f->remap->remap_id, p, err);
	bool link = f->remap != NULL;
	struct cptmake_object o = inode(link ? 0100644 : 0020666, f->id,
					reg->has_size ? reg->size : 0, KERNEL_EXT_MAGIC);
	cptmake_set(&o, CRIMG_CPT_INODE_RDEV, link ? 0 : cptmake_device(reg->name));
	const struct crimg_file *other =
		link ? crimg_files_find(&k->files, f->remap->remap_id) : NULL;
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	if (link
	    && (other == NULL || other->type != FD_TYPES__REG
		|| cptmake_name(k, ((const RegFileEntry *)other->message)->name, err) < 0))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "file %u was renamed, and its other name is not in the image",
				  f->id);
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

// What the namespace tells of a segment of System V.
static int put_sysv(struct cptmake *k, uint64_t id, uint64_t size, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SYSV_SHM, CRIMG_CPT_CONTENT_VOID);
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_IPCNS_SHM);
	const IpcShmEntry *e;
	cptmake_set(&o, CRIMG_CPT_SYSV_SHM_ID, id);
	cptmake_set(&o, CRIMG_CPT_SYSV_SHM_SEGSZ, size);
	while ((e = crimg_image_walk(k->image, &walk, err)) != NULL) {
		if (e->desc->id != id)
			continue;
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_KEY, e->desc->key);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_UID, e->desc->uid);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_GID, e->desc->gid);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_CUID, e->desc->cuid);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_CGID, e->desc->cgid);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_MODE, e->desc->mode);
		cptmake_set(&o, CRIMG_CPT_SYSV_SHM_SEGSZ, e->size);
	}
	return cptmake_put(k, &o, NULL, 0, err);
}

// Shared memory without a name; that of System V has its object first.
static int put_segments(struct cptmake *k, struct crimg_err *err)
{
	for (size_t i = 0; i < k->inodes.count; i++) {
		struct cptmake_place *p = &k->inodes.list[i];
		struct cptmake_mark mark;
		bool sysv = p->key >> 40 == CPTMAKE_SYSV;
		if (p->key >> 40 != CPTMAKE_SEGMENT && !sysv)
			continue;
		struct cptmake_object o = inode(0100777, i + 1, p->size, KERNEL_TMPFS_MAGIC);
		cptmake_set(&o, CRIMG_CPT_INODE_NLINK, 0);
		uint64_t id = p->key & (CPTMAKE_KEY(1, 0) - 1);
		if (cptmake_begin(k, &o, &mark, err) < 0
		    || (sysv && put_sysv(k, id, p->size, err) < 0)
		    || cptmake_pages(k, crimg_image_find(k->image, CRIMG_KIND_PAGEMAP_SHMEM, id), 0,
				     UINT64_MAX, err) < 0)
			return -1;
		p->at = mark.at;
		if (cptmake_end(k, mark, err) < 0)
			return -1;
	}
	return 0;
}

int cptmake_inodes(struct cptmake *k, struct crimg_err *err)
{
	if (find_pipes(k, CRIMG_KIND_PIPES_DATA, err) < 0
	    || find_pipes(k, CRIMG_KIND_FIFO_DATA, err) < 0
	    || cptmake_section(k, CRIMG_CPT_SECT_INODE, err) < 0)
		return -1;
	for (size_t i = 0; i < k->files.count; i++) {
		uint64_t key = cptmake_inode_key(&k->files.list[i]);
		struct cptmake_place *p = key == 0 ? NULL : cptmake_map_find(&k->inodes, key);
		if (p != NULL && p->at == 0 && put_inode(k, &k->files.list[i], p, err) < 0)
			return -1;
	}
	return put_segments(k, err) < 0 ? -1 : cptmake_section_end(k, err);
}

int cptmake_collect_file(struct cptmake *k, uint32_t id, struct crimg_err *err)
{
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	uint64_t key = f != NULL ? cptmake_inode_key(f) : 0;
	if (f == NULL)
		return 0;
	return cptmake_map_add(&k->opened, id, err) < 0
			       || (key != 0 && cptmake_map_add(&k->inodes, key, err) < 0)
		       ? -1
		       : 0;
}
