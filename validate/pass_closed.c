// Closed, with --closed: what the image's tasks share must have all its holders inside. The in-kernel design counts
// references and refuses a leak; CRIU's images record who holds what inside, and of the outside only
// traces: namespaces that are the dumper's, leaders and peers that are not in the image, files declared external.
// What leaves no trace is named as not judged.
#include <inttypes.h>
#include <stddef.h>

#include "validate/numbered.h"

#define USK_EXTERN 1u // unix_sk_entry.uflags: the socket or its peer is outside

// has and field: offsets of the presence flag and the value in TaskKobjIdsEntry.
#define NS(word, usual) { #word, offsetof(TaskKobjIdsEntry, has_##word##_ns_id),                    \
	                  offsetof(TaskKobjIdsEntry, word##_ns_id), usual }

static const struct {
	const char *word;
	size_t has, value;
	bool usual; // engines share it with the outside unless told
} namespaces[] = {
	NS(pid, false), NS(net, false), NS(ipc, false),   NS(uts, false),
	NS(mnt, false), NS(user, true), NS(cgroup, true), NS(time, true),
};

static bool ns_of(const TaskKobjIdsEntry *ids, size_t i, uint32_t *out)
{
	const char *at = (const char *)ids;
	*out = *(const uint32_t *)(const void *)(at + namespaces[i].value);
	return *(const protobuf_c_boolean *)(const void *)(at + namespaces[i].has) != 0;
}

static void check_namespaces(struct crimg_checker *c)
{
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	const TaskKobjIdsEntry *outside = inventory != NULL ? inventory->root_ids : NULL;
	if (outside == NULL)
		return;
	for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
		for (size_t t = 0; t < c->tasks.count; t++) {
			const struct crimg_task *task = &c->tasks.list[t];
			uint32_t own, root;
			if (task->ids == NULL || !ns_of(task->ids, i, &own) || !ns_of(outside, i, &root)
			    || own != root)
				continue;
			struct crimg_place at = crimg_place_message(c, task->ids, "%s_ns_id",
			                                            namespaces[i].word);
			enum crimg_finding_id id = namespaces[i].usual ? CRIMG_F_OUTSIDE_NAMESPACE_USUAL
			                                               : CRIMG_F_OUTSIDE_NAMESPACE;
			crimg_findings_add(&c->findings, id, &at,
			                   "the %s namespace of process %u is that of the outside",
			                   namespaces[i].word, task->pid);
			break; // once a kind
		}
}

static void check_leader(struct crimg_checker *c, const struct crimg_task *task, uint32_t leader,
                         const char *what)
{
	if (crimg_tasks_find(&c->tasks, leader) != NULL)
		return;
	struct crimg_place at = crimg_place_of(c, CRIMG_KIND_PSTREE, 0, "%s", "");
	CRIMG_FIND(c, OUTSIDE_LEADER, &at, "%s %u of process %u has its leader outside", what, leader,
	           task->pid);
}

static void check_leaders(struct crimg_checker *c)
{
	for (size_t t = 0; t < c->tasks.count; t++) {
		const struct crimg_task *task = &c->tasks.list[t];
		check_leader(c, task, task->sid, "session");
		if (task->pgid != task->sid)
			check_leader(c, task, task->pgid, "process group");
	}
}

static void check_terminals(struct crimg_checker *c)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_TTY_INFO);
	const TtyInfoEntry *tty;
	while ((tty = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		bool outside = tty->type == TTY_TYPE__EXT_TTY
			|| (tty->type == TTY_TYPE__PTY && tty->pty != NULL
		            && crimg_ref_find(c->numbered, CRIMG_REF_MASTER, tty->pty->index) == NULL);
		if (!outside)
			continue;
		struct crimg_place at = crimg_place_message(c, tty, "%s", "");
		CRIMG_FIND(c, OUTSIDE_TERMINAL, &at, "terminal %u has its other end outside",
		           tty->pty != NULL ? tty->pty->index : tty->id);
	}
}

static void check_socket(struct crimg_checker *c, const struct crimg_file *file)
{
	const UnixSkEntry *sk = file->message;
	bool outside = (sk->uflags & USK_EXTERN) != 0;
	if (!outside && (sk->peer == 0 || crimg_ref_find(c->numbered, CRIMG_REF_UNIX, sk->peer) != NULL))
		return;
	struct crimg_place at = crimg_place_opened(c, file, outside ? "uflags" : "peer");
	CRIMG_FIND(c, OUTSIDE_PEER, &at, "unix socket %u is connected to socket %u outside", sk->ino,
	           sk->peer);
}

static void check_file(struct crimg_checker *c, const struct crimg_file *file)
{
	const RegFileEntry *reg = file->message;
	if (file->message == NULL)
		return;
	if (file->type == FD_TYPES__UNIXSK)
		check_socket(c, file);
	if (file->type != FD_TYPES__EXT && (file->type != FD_TYPES__REG || !reg->ext))
		return;
	struct crimg_place at = crimg_place_opened(c, file, "");
	CRIMG_FIND(c, OUTSIDE_FILE, &at, "file %u is declared external: its other holders are outside",
	           file->id);
}

static void check_mounts(struct crimg_checker *c)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_MNTS);
	const MntEntry *mnt;
	while ((mnt = crimg_image_walk(c->image, &walk, NULL)) != NULL) {
		bool external = (mnt->has_ext_mount && mnt->ext_mount) || mnt->ext_key != NULL;
		if (!external)
			continue;
		struct crimg_place at = crimg_place_message(
			c, mnt, "%s", mnt->ext_key != NULL ? "ext_key" : "ext_mount");
		CRIMG_FIND(c, OUTSIDE_MOUNT, &at, "mount %u on %s comes from the outside", mnt->mnt_id,
		           mnt->mountpoint);
	}
}

static void name_the_unjudged(struct crimg_checker *c)
{
	const KernelOriginEntry *origin = crimg_image_origin(c->image);
	if (origin != NULL && origin->closed)
		return; // the kernel counted, and wrote it
	struct crimg_place at = crimg_place_image(c);
	CRIMG_FIND(c, NOT_JUDGED, &at,
	           "whether address spaces, descriptor tables, signal handlers, open files and pipes "
	           "have holders outside: %s images do not record it", c->image->format);
}

void crimg_pass_closed(struct crimg_checker *c)
{
	if (c->numbered == NULL)
		return; // no tasks: told
	check_namespaces(c);
	check_leaders(c);
	check_terminals(c);
	for (size_t i = 0; i < c->files.count; i++)
		check_file(c, &c->files.list[i]);
	check_mounts(c);
	name_the_unjudged(c);
}
