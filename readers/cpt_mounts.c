// Mounts. Images before 2.6.32's later kernels do not say which mount stands on which: paths tell.
#include "format/limits.h"
#include "format/names.h"
#include "readers/cpt_records.h"

#define MOUNT_BIND 0x80000000u
#define MOUNT_EXTERNAL 0x40000000u
#define MOUNT_FLAGS 0x0fffffffu // the kernel's own
#define FSTYPES 24u

static uint32_t fstype_of(const char *name)
{
	for (uint32_t i = 1; i < FSTYPES; i++) {
		const char *known = crimg_name_of(CRIMG_NAMES_FSTYPE, i);
		if (known != NULL && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}

// Device, mount point, file system: the names of a mount, in this order; then what it binds.
struct names {
	char *list[4];
	size_t count;
};

static int read_names(struct cpt_image *m, const struct cpt_object *mount, struct names *out,
		      struct crimg_err *err)
{
	const struct cpt_object *o = NULL;
	out->count = 0;
	while (out->count < 4 && (o = cpt_child(&m->c, mount, o, CRIMG_CPT_OBJ_NAME)) != NULL) {
		if (o->header != CRIMG_CPT_OBJECT_BYTES || o->content != CRIMG_CPT_CONTENT_NAME)
			break; // the contents of a tmpfs
		out->list[out->count] = cpt_text(&m->c, o, &m->arena, err);
		if (out->list[out->count++] == NULL)
			return -1;
	}
	for (size_t i = out->count; i < 4; i++)
		if ((out->list[i] = cpt_text(&m->c, NULL, &m->arena, err)) == NULL)
			return -1;
	return 0;
}

// How much of a path a mount point leads along; 0: it does not.
static size_t leads(const char *point, const char *path)
{
	size_t n = strlen(point);
	if (strcmp(point, "/") == 0)
		return 1;
	return n > 0 && strncmp(point, path, n) == 0 && (path[n] == '/' || path[n] == '\0') ? n : 0;
}

// Among the mounts before it; at most as many as a container has in earnest are looked at.
static uint32_t parent_by_path(struct cpt_image *m, const struct cpt_object *mount,
			       const char *path, struct crimg_err *err)
{
	enum { MOST = 256 };
	struct names other;
	size_t best = 0;
	uint32_t parent = 0;
	for (size_t i = mount->nth > MOST ? mount->nth - MOST : 0; i < mount->nth; i++) {
		const struct cpt_object *o = cpt_nth(&m->c, CRIMG_CPT_OBJ_VFSMOUNT, i);
		if (read_names(m, o, &other, err) < 0)
			return 0;
		size_t n = leads(other.list[1], path);
		if (n >= best && n > 0) {
			best = n;
			parent = cpt_id(o);
		}
	}
	return parent;
}

CPT_ENTRY(cpt_put_mount)
{
	const struct cpt *c = &m->c;
	MntEntry e = MNT_ENTRY__INIT;
	struct names names;
	const struct cpt_object *in = cpt_nth(c, CRIMG_CPT_OBJ_NAMESPACE, object);
	const struct cpt_object *last = index == 0 ? NULL : &c->objects[m->cursor];
	const struct cpt_object *o = cpt_child(c, in, last, CRIMG_CPT_OBJ_VFSMOUNT);
	if (o == NULL)
		return 0;
	m->cursor = (size_t)(o - c->objects);
	crimg_arena_reset(&m->arena);
	if (read_names(m, o, &names, err) < 0)
		return -1;
	uint32_t flags = cpt_u32(c, o, CRIMG_CPT_VFSMOUNT_MNTFLAGS);
	bool linked = cpt_has(c, o, CRIMG_CPT_VFSMOUNT_MNT_PARENT);
	e.mnt_id = cpt_id(o);
	e.parent_mnt_id = linked ? cpt_id(cpt_ref(c, o, CRIMG_CPT_VFSMOUNT_MNT_PARENT))
				 : parent_by_path(m, o, names.list[1], err);
	e.flags = flags & MOUNT_FLAGS;
	e.has_sb_flags = true;
	e.sb_flags = cpt_u32(c, o, CRIMG_CPT_VFSMOUNT_FLAGS);
	e.source = names.list[0];
	e.mountpoint = names.list[1];
	e.fstype = fstype_of(names.list[2]);
	e.fsname = e.fstype == 0 ? names.list[2] : NULL;
	e.root = (flags & MOUNT_BIND) != 0 && names.count > 3 ? names.list[3] : (char[]){"/"};
	e.options = (char[]){""};
	e.has_ext_mount = e.ext_mount = (flags & MOUNT_EXTERNAL) != 0;
	e.shared_id = cpt_id(cpt_ref(c, o, CRIMG_CPT_VFSMOUNT_MNT_SHARED));
	e.has_shared_id = e.shared_id != 0;
	e.master_id = cpt_id(cpt_ref(c, o, CRIMG_CPT_VFSMOUNT_MNT_MASTER));
	e.has_master_id = e.master_id != 0;
	cpt_from(out, o);
	return model_encode(&e.base, out, err);
}
