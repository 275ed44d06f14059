// Closed, with --closed: what the image's tasks share must have all its holders inside. The in-kernel design counts
// references and refuses a leak; CRIU's images record who holds what inside, and of the outside only
// traces: namespaces that are the dumper's, leaders and peers that are not in the image, files declared external.
// What leaves no trace is named as not judged.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"
#include "validate/ns_table.h"
#include "validate/numbered.h"

#define USK_EXTERN 1u // unix_sk_entry.uflags: the socket or its peer is outside

static void check_namespaces(struct crimg_checker *c)
{
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	const TaskKobjIdsEntry *outside = inventory != NULL ? inventory->root_ids : NULL;
	if (outside == NULL)
		return;
	for (size_t i = 0; i < CRIMG_NS_COUNT; i++)
		for (size_t t = 0; t < c->tasks.count; t++) {
			const struct crimg_task *task = &c->tasks.list[t];
			uint32_t own, root;
			if (task->ids == NULL || !crimg_ns_of(task->ids, i, &own) || !crimg_ns_of(outside, i, &root)
			    || own != root)
				continue;
			struct crimg_place at = crimg_place_message(c, task->ids, "%s_ns_id",
			                                            crimg_ns_table[i].word);
			enum crimg_finding_id id = crimg_ns_table[i].usual ? CRIMG_F_OUTSIDE_NAMESPACE_USUAL
			                                               : CRIMG_F_OUTSIDE_NAMESPACE;
			crimg_findings_add(&c->findings, id, &at,
			                   "the %s namespace of process %u is that of the outside",
			                   crimg_ns_table[i].word, task->pid);
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

// A kernel that wrote a stream of a whole container had counted: it would have refused one with holders
// outside. Of a subtree it did not.
static bool kernel_counted(struct crimg_checker *c)
{
	const KernelRecordEntry *header = crimg_image_get(c->image, CRIMG_KIND_KERNEL_RECORDS, 0, NULL);
	return header != NULL && header->type == CRIMG_LCR_HEADER
		&& header->payload.len >= CRIMG_LCR_HEADER_PAYLOAD
		&& (crimg_get_u32(header->payload.data + CRIMG_LCR_HEADER_UFLAGS) & CRIMG_LCR_SUBTREE) == 0;
}

// What leaves no trace outside, by the kind that crimg checkpoint --enforce knows.
static const struct {
	const char *kind, *what;
} traceless[] = {
	{ "mm", "address spaces" }, { "files", "descriptor tables and open files" }, { "fs", "working directories" },
	{ "sighand", "signal handlers" }, { "pipes", "pipes" }, { "sockets", "sockets" },
};

static bool maker_counted(const MakerEntry *maker, const char *kind)
{
	for (size_t i = 0; maker != NULL && i < maker->n_closed; i++)
		if (strcmp(maker->closed[i], kind) == 0)
			return true;
	return false;
}

static void name_the_unjudged(struct crimg_checker *c)
{
	const KernelOriginEntry *origin = crimg_image_origin(c->image);
	const MakerEntry *maker = crimg_image_get(c->image, CRIMG_KIND_MAKER, 0, NULL);
	bool stream = crimg_image_find(c->image, CRIMG_KIND_KERNEL_RECORDS, 0) != NULL;
	char list[160] = "";
	if ((origin != NULL && origin->closed) || kernel_counted(c))
		return; // the kernel counted, and wrote it
	for (size_t i = 0; i < sizeof traceless / sizeof traceless[0]; i++) {
		size_t length = strlen(list);
		if (!maker_counted(maker, traceless[i].kind))
			snprintf(list + length, sizeof list - length, "%s%s", length > 0 ? ", " : "",
				 traceless[i].what);
	}
	struct crimg_place at = crimg_place_image(c);
	if (list[0] != '\0')
		CRIMG_FIND(c, NOT_JUDGED, &at, "whether these have holders outside: %s: %s%s do not record it", list,
			   stream ? "streams of a subtree" : c->image->format, stream ? "" : " images");
}

// The ends of one pipe.
struct ends {
	uint32_t pipe;
	bool writes;
	const struct crimg_file *file;
};

static int by_pipe(const void *a, const void *b)
{
	const struct ends *x = a, *y = b;
	return x->pipe < y->pipe ? -1 : x->pipe > y->pipe;
}

static void check_ends(struct crimg_checker *c, const struct ends *list, size_t count)
{
	size_t writing = 0;
	for (size_t i = 0; i < count; i++)
		writing += list[i].writes;
	if (writing > 0 && writing < count)
		return;
	struct crimg_place at = crimg_place_opened(c, list->file, "pipe_id");
	CRIMG_FIND(c, OUTSIDE_PIPE, &at, "pipe %u: found %zu references to its %s end, the image holds none to its %s",
	           list->pipe, count, writing > 0 ? "writing" : "reading", writing > 0 ? "reading end" : "writing end");
}

static void check_pipes(struct crimg_checker *c)
{
	struct ends *list = calloc(c->files.count + 1, sizeof *list);
	size_t count = 0;
	if (list == NULL) {
		crimg_fail_nomem(&c->findings.fault, c->files.count * sizeof *list);
		return;
	}
	for (size_t i = 0; i < c->files.count; i++) {
		const struct crimg_file *file = &c->files.list[i];
		const PipeEntry *pipe = file->type == FD_TYPES__PIPE ? file->message : NULL;
		if (pipe != NULL)
			list[count++] = (struct ends){ pipe->pipe_id, (pipe->flags & 3) != 0, file };
	}
	if (count > 0)
		qsort(list, count, sizeof *list, by_pipe);
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && list[i + n].pipe == list[i].pipe; n++)
			;
		check_ends(c, &list[i], n);
	}
	free(list);
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
	check_pipes(c);
	check_mounts(c);
	name_the_unjudged(c);
}
