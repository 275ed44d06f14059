// The whole: header, sections in the order of the kernel, trailer; and what is left out.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/names.h"
#include "format/vma_flags.h"
#include "writers/cptmake.h"

#define AREA_SHARED (CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)
#define CPU_CAPS 0x59fu // CMOV FXSR SSE SSE2 MMX SEP EMT64 SYSCALL
#define HZ 1000u
#define MOUNT_BIND 0x80000000u
#define MOUNT_EXTERNAL 0x40000000u

// Kinds that have a place, at least in part.
static const enum crimg_kind used[] = {
	CRIMG_KIND_INVENTORY,    CRIMG_KIND_PSTREE,        CRIMG_KIND_IDS,
	CRIMG_KIND_CORE,         CRIMG_KIND_MM,            CRIMG_KIND_VMAS,
	CRIMG_KIND_FS,           CRIMG_KIND_FDINFO,        CRIMG_KIND_CREDS,
	CRIMG_KIND_ITIMERS,      CRIMG_KIND_POSIX_TIMERS,  CRIMG_KIND_RLIMIT,
	CRIMG_KIND_SIGACT,       CRIMG_KIND_SIGNAL_SHARED, CRIMG_KIND_SIGNAL_PRIVATE,
	CRIMG_KIND_FILES,        CRIMG_KIND_REG_FILES,     CRIMG_KIND_EVENTFD_FILE,
	CRIMG_KIND_EVENTPOLL_FILE, CRIMG_KIND_EVENTPOLL_TFD, CRIMG_KIND_SIGNALFD,
	CRIMG_KIND_TIMERFD,      CRIMG_KIND_PIPES,         CRIMG_KIND_FIFO,
	CRIMG_KIND_REMAP_FPATH,  CRIMG_KIND_UTSNS,         CRIMG_KIND_IPC_VAR,
	CRIMG_KIND_MNTS,         CRIMG_KIND_PAGEMAP,       CRIMG_KIND_PAGEMAP_SHMEM,
	CRIMG_KIND_PIPES_DATA,   CRIMG_KIND_FIFO_DATA,     CRIMG_KIND_GHOST_FILE,
	CRIMG_KIND_IPCNS_SHM,    CRIMG_KIND_PAGES,         CRIMG_KIND_STATS_DUMP,
	CRIMG_KIND_UNIXSK,       CRIMG_KIND_INETSK,        CRIMG_KIND_PACKETSK,
	CRIMG_KIND_NETLINK_SK,   CRIMG_KIND_TUNFILE,       CRIMG_KIND_NETDEV,
	CRIMG_KIND_SK_QUEUES,    CRIMG_KIND_TCP_STREAM,    CRIMG_KIND_KERNEL_RECORDS,
};

static int tell_unused(struct cptmake *k, struct crimg_err *err)
{
	for (size_t i = 0; i < k->image->count; i++) {
		const struct crimg_object *o = &k->image->objects[i].object;
		bool known = o->type != CRIMG_OBJECT_FILE;
		for (size_t u = 0; u < sizeof used / sizeof used[0]; u++)
			known = known || used[u] == o->kind;
		if (!known && o->kind != CRIMG_KIND_OPAQUE
		    && cptmake_lose(k, o->kind, o->id, "", "left out", err) < 0)
			return -1;
	}
	return 0;
}

// What no OpenVZ image has a place for, whatever it is of; told once.
static int tell_always(struct cptmake *k, struct crimg_err *err)
{
	static const struct {
		enum crimg_kind kind;
		const char *field, *what;
	} always[] = {
		{CRIMG_KIND_CORE, "tc", "loginuid, oom_score_adj, child_subreaper, stop_signo, "
					"membarrier registrations and cgroup sets are left out"},
		{CRIMG_KIND_FILES, "reg", "sizes, build ids and checksums are left out, numbers of "
					  "mounts are made anew"},
		{CRIMG_KIND_IDS, "", "an OpenVZ image is one container: namespaces become its own"},
		{CRIMG_KIND_PIPES_DATA, "size", "left out"},
		{CRIMG_KIND_IPC_VAR, "", "limits beyond 32 bits and those of message queues are left out"},
		{CRIMG_KIND_NETDEV, "", "settings, peers and masters of devices are left out, and those "
					"of other network namespaces"},
		{CRIMG_KIND_MNTS, "", "options, sharing and devices of mounts are left out"},
	};
	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
		const struct crimg_image_object *o = crimg_image_first(k->image, always[i].kind);
		if (o != NULL
		    && cptmake_lose(k, always[i].kind, o->object.id, always[i].field,
				    always[i].what, err) < 0)
			return -1;
	}
	if (crimg_tasks_find(&k->tasks, 1) == NULL)
		return cptmake_lose(k, CRIMG_KIND_PSTREE, 0, "",
				    "none is process 1, without which no kernel restores a container",
				    err);
	return 0;
}

static int put_major(struct cptmake *k, struct crimg_err *err)
{
	uint8_t head[CRIMG_CPT_MAJOR_BYTES] = {0};
	crimg_put_u32(head, CRIMG_CPT_SIGNATURE);
	crimg_put_u16(head + CRIMG_CPT_MAJOR_LENGTH, sizeof head);
	crimg_put_u16(head + CRIMG_CPT_MAJOR_VERSION, CRIMG_CPT_VERSION_LAST);
	crimg_put_u16(head + CRIMG_CPT_MAJOR_ARCH, CRIMG_CPT_ARCH_X86_64);
	crimg_put_u16(head + CRIMG_CPT_MAJOR_PAGE_SIZE, CRIMG_PAGE_BYTES);
	crimg_put_u16(head + CRIMG_CPT_MAJOR_HZ, HZ);
	crimg_put_u32(head + CRIMG_CPT_MAJOR_CPU_CAPS, CPU_CAPS);
	return carried_head(k->c, head, sizeof head, err);
}

static int put_veinfo(struct cptmake *k, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_VEINFO, CRIMG_CPT_CONTENT_VOID);
	const struct crimg_image_object *ns = crimg_image_first(k->image, CRIMG_KIND_IPC_VAR);
	const IpcVarEntry *e =
		ns == NULL ? NULL
			   : crimg_image_get(k->image, CRIMG_KIND_IPC_VAR, ns->object.id, err);
	if (e != NULL) {
		cptmake_set(&o, CRIMG_CPT_VEINFO_SHM_CTL_MAX,
			    crimg_min_u64(e->shm_ctlmax, UINT32_MAX));
		cptmake_set(&o, CRIMG_CPT_VEINFO_SHM_CTL_ALL,
			    crimg_min_u64(e->shm_ctlall, UINT32_MAX));
		cptmake_set(&o, CRIMG_CPT_VEINFO_SHM_CTL_MNI, e->shm_ctlmni);
		cptmake_set(&o, CRIMG_CPT_VEINFO_MSG_CTL_MAX, e->msg_ctlmax);
		cptmake_set(&o, CRIMG_CPT_VEINFO_MSG_CTL_MNI, e->msg_ctlmni);
		cptmake_set(&o, CRIMG_CPT_VEINFO_MSG_CTL_MNB, e->msg_ctlmnb);
		for (unsigned i = 0; i < 4 && i < e->n_sem_ctls; i++)
			cptmake_set_at(&o, CRIMG_CPT_VEINFO_SEM_CTL_ARR, i, e->sem_ctls[i]);
	}
	return cptmake_section(k, CRIMG_CPT_SECT_VEINFO, err) < 0
			       || cptmake_put(k, &o, NULL, 0, err) < 0
		       ? -1
		       : cptmake_section_end(k, err);
}

static int put_mount(struct cptmake *k, const MntEntry *e, uint64_t parent, uint64_t *at,
		     struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_VFSMOUNT, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	bool bind = e != NULL && strcmp(e->root, "/") != 0;
	cptmake_set(&o, CRIMG_CPT_VFSMOUNT_MNT_BIND, CRIMG_CPT_NONE);
	cptmake_set(&o, CRIMG_CPT_VFSMOUNT_MNT_PARENT, parent);
	if (e != NULL) {
		cptmake_set(&o, CRIMG_CPT_VFSMOUNT_MNTFLAGS,
			    (e->flags & 0x0fffffff) | (bind ? MOUNT_BIND : 0)
				    | (e->has_ext_mount && e->ext_mount ? MOUNT_EXTERNAL : 0));
		cptmake_set(&o, CRIMG_CPT_VFSMOUNT_FLAGS, e->sb_flags);
	}
	const char *type = e == NULL         ? "simfs"
			   : e->fsname != NULL ? e->fsname
					       : crimg_name_of(CRIMG_NAMES_FSTYPE, e->fstype);
	if (cptmake_begin(k, &o, &mark, err) < 0
	    || cptmake_name(k, e != NULL ? e->source : "none", err) < 0
	    || cptmake_name(k, e != NULL ? e->mountpoint : "/", err) < 0
	    || cptmake_name(k, type != NULL ? type : "unknown", err) < 0
	    || (bind && cptmake_name(k, e->root, err) < 0))
		return -1;
	*at = mark.at;
	return cptmake_end(k, mark, err);
}

// Parents before their children, as often as it takes.
static int put_mounts(struct cptmake *k, struct crimg_err *err)
{
	struct crimg_image_object *o = crimg_image_first(k->image, CRIMG_KIND_MNTS);
	struct cptmake_map *places = &k->mounts;
	size_t left = 0, before = SIZE_MAX;
	int rc = 0;
	if (o == NULL)
		return put_mount(k, NULL, CRIMG_CPT_NONE, &k->root_at, err);
	if (o->count > CPTMAKE_MOST)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET, "%zu mounts", o->count);
	for (size_t i = 0; rc == 0 && i < o->count; i++) {
		const MntEntry *e = crimg_image_message(k->image, o, i, err);
		rc = e == NULL ? -1 : cptmake_map_add(places, e->mnt_id, err);
	}
	cptmake_map_seal(places);
	for (left = o->count; rc == 0 && left > 0 && left < before;) {
		before = left;
		left = 0;
		for (size_t i = 0; rc == 0 && i < o->count; i++) {
			const MntEntry *e = crimg_image_message(k->image, o, i, err);
			struct cptmake_place *p = cptmake_map_find(places, e->mnt_id);
			const struct cptmake_place *up =
				cptmake_map_find(places, e->parent_mnt_id);
			if (p->at != 0)
				continue;
			if (up != NULL && up != p && up->at == 0) {
				left++;
				continue;
			}
			rc = put_mount(k, e, up != NULL && up != p ? up->at : CRIMG_CPT_NONE,
				       &p->at, err);
			if (k->root_at == CRIMG_CPT_NONE)
				k->root_at = p->at;
		}
	}
	if (rc == 0 && left > 0)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
				  "mounts that stand on each other in a circle");
	return rc;
}

static int put_namespace(struct cptmake *k, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_NAMESPACE, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	k->root_at = CRIMG_CPT_NONE;
	if (cptmake_section(k, CRIMG_CPT_SECT_NAMESPACE, err) < 0
	    || cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	k->namespace_at = mark.at;
	if (put_mounts(k, err) < 0 || cptmake_end(k, mark, err) < 0)
		return -1;
	return cptmake_section_end(k, err);
}

// The release says who made it; no kernel is called so.
static int put_names(struct cptmake *k, struct crimg_err *err)
{
	const struct crimg_image_object *ns = crimg_image_first(k->image, CRIMG_KIND_UTSNS);
	const UtsnsEntry *e =
		ns == NULL ? NULL : crimg_image_get(k->image, CRIMG_KIND_UTSNS, ns->object.id, err);
	if (cptmake_section(k, CRIMG_CPT_SECT_UTSNAME, err) < 0
	    || cptmake_name(k, e != NULL ? e->nodename : "", err) < 0
	    || cptmake_name(k, e != NULL ? e->domainname : "", err) < 0
	    || cptmake_name(k, "2.6.32-made-by-crimg", err) < 0)
		return -1;
	return cptmake_section_end(k, err);
}

static int put_trailer(struct cptmake *k, struct crimg_err *err)
{
	static const uint8_t signature[] = {0x79, 0x1c, 0x01, 0x63};
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_TRAILER, CRIMG_CPT_CONTENT_VOID);
	if (cptmake_section(k, CRIMG_CPT_SECT_TRAILER, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_TRAILER_64BIT, k->wide);
	cptmake_set(&o, CRIMG_CPT_TRAILER_NSECT, CRIMG_CPT_INDEXED_SECTIONS);
	cptmake_set_bytes(&o, CRIMG_CPT_TRAILER_SIGNATURE, signature, sizeof signature);
	for (unsigned i = 0; i < CRIMG_CPT_INDEXED_SECTIONS; i++)
		cptmake_set_at(&o, CRIMG_CPT_TRAILER_SECTIONS, i, k->sections[i]);
	return cptmake_put(k, &o, NULL, 0, err) < 0 ? -1 : cptmake_section_end(k, err);
}

static uint64_t segment_key(const VmaEntry *v)
{
	return CPTMAKE_KEY((v->status & CRIMG_VMA_SYSV) != 0 ? CPTMAKE_SYSV : CPTMAKE_SEGMENT,
			   v->shmid);
}

static int collect_area(struct cptmake *k, const VmaEntry *v, struct crimg_err *err)
{
	if ((v->status & CRIMG_VMA_FILE) != 0)
		return cptmake_collect_file(k, (uint32_t)v->shmid, err);
	if ((v->status & AREA_SHARED) == 0)
		return 0;
	if (v->shmid >> 40 != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "shared memory with number %llu found, below 2^40 wanted",
				  (unsigned long long)v->shmid);
	uint64_t key = segment_key(v);
	return cptmake_map_add(&k->inodes, key, err) < 0 || cptmake_map_add(&k->opened, key, err) < 0
		       ? -1
		       : 0;
}

static int collect_task(struct cptmake *k, const struct crimg_task *t, struct crimg_err *err)
{
	struct crimg_list vmas, fds;
	if (t->ids == NULL)
		return 0;
	if (cptmake_map_add(&k->shared, CPTMAKE_KEY(CRIMG_CPT_OBJ_MM, t->ids->vm_id), err) < 0
	    || cptmake_map_add(&k->shared, CPTMAKE_KEY(CRIMG_CPT_OBJ_FILES, t->ids->files_id), err)
		       < 0
	    || cptmake_map_add(&k->shared, CPTMAKE_KEY(CRIMG_CPT_OBJ_FS, t->ids->fs_id), err) < 0
	    || cptmake_map_add(&k->shared,
			       CPTMAKE_KEY(CRIMG_CPT_OBJ_SIGHAND_STRUCT, t->ids->sighand_id), err)
		       < 0
	    || crimg_task_list(k->image, t, CRIMG_PART_VMAS, &vmas, err) < 0
	    || crimg_task_list(k->image, t, CRIMG_PART_FDS, &fds, err) < 0)
		return -1;
	for (size_t i = 0; i < fds.count; i++)
		if (cptmake_collect_file(k, ((const FdinfoEntry *)fds.items[i])->id, err) < 0)
			return -1;
	for (size_t i = 0; i < vmas.count; i++)
		if (collect_area(k, vmas.items[i], err) < 0)
			return -1;
	return 0;
}

// How long shared memory is: as far as somebody maps it.
static int measure(struct cptmake *k, const struct crimg_task *t, struct crimg_err *err)
{
	struct crimg_list vmas;
	if (crimg_task_list(k->image, t, CRIMG_PART_VMAS, &vmas, err) < 0)
		return -1;
	for (size_t i = 0; i < vmas.count; i++) {
		const VmaEntry *v = vmas.items[i];
		struct cptmake_place *p =
			(v->status & AREA_SHARED) == 0
				? NULL
				: cptmake_map_find(&k->inodes, segment_key(v));
		if (p != NULL && v->pgoff + (v->end - v->start) > p->size)
			p->size = v->pgoff + (v->end - v->start);
	}
	return 0;
}

static int collect(struct cptmake *k, struct crimg_err *err)
{
	if (crimg_tasks_load(k->image, &k->tasks, err) < 0
	    || crimg_files_load(k->image, &k->files, err) < 0)
		return -1;
	if (k->tasks.count == 0 || k->tasks.count > CPTMAKE_MOST)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "%zu processes found, 1 to %u wanted", k->tasks.count, CPTMAKE_MOST);
	if ((k->timers = calloc(k->tasks.count, sizeof *k->timers)) == NULL)
		return crimg_fail_nomem(err, k->tasks.count * sizeof *k->timers);
	for (size_t i = 0; i < k->tasks.count; i++)
		if (collect_task(k, &k->tasks.list[i], err) < 0)
			return -1;
	cptmake_map_seal(&k->inodes);
	cptmake_map_seal(&k->opened);
	cptmake_map_seal(&k->shared);
	if (cptmake_find_sockets(k, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++)
		if (measure(k, &k->tasks.list[i], err) < 0)
			return -1;
	return 0;
}

int cptmake_image(struct cptmake *k, struct crimg_err *err)
{
	static int (*const parts[])(struct cptmake *, struct crimg_err *) = {
		collect,         tell_unused,       tell_always,      put_major,   put_veinfo,
		put_namespace,   cptmake_inodes,    cptmake_open_files, cptmake_sockets,
		cptmake_tables,  cptmake_devices,   cptmake_handlers, cptmake_timers,
		cptmake_memory,  cptmake_tasks,     put_names,        put_trailer,
	};
	memset(k->sections, 0xff, sizeof k->sections);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i](k, err) < 0)
			return -1;
	return 0;
}

void cptmake_fini(struct cptmake *k)
{
	crimg_tasks_fini(&k->tasks);
	crimg_files_fini(&k->files);
	free(k->inodes.list);
	free(k->opened.list);
	free(k->shared.list);
	free(k->mounts.list);
	free(k->sockets.list);
	free(k->packets.list);
	free(k->timers);
}
