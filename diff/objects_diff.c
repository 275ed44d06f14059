// Objects of one kind are matched by number; those of namespaces by the namespaces that tasks refer to.
#include "diff/objects_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "diff/messages.h"
#include "diff/notes_diff.h"
#include "format/limits.h"

enum { A = CRIMG_A, B = CRIMG_B };

enum way {
	WAY_PLAIN,      // by number
	WAY_NAMESPACE,  // by the namespace whose number it has
	WAY_FOLD,       // about the dump, not about what was dumped
	WAY_ELSEWHERE,  // compared through tasks and files, when there are some
	WAY_NOTES,      // of an ELF core
	WAY_PAGES,
};

static const struct kind_row {
	enum crimg_kind kind;
	enum crimg_diff_group group;
	enum way way;
} kind_rows[] = {
	{ CRIMG_KIND_STATS_DUMP, CRIMG_DIFF_IMAGE, WAY_FOLD },
	{ CRIMG_KIND_STATS_RESTORE, CRIMG_DIFF_IMAGE, WAY_FOLD },
	{ CRIMG_KIND_IRMAP_CACHE, CRIMG_DIFF_IMAGE, WAY_FOLD },
	{ CRIMG_KIND_MAKER, CRIMG_DIFF_IMAGE, WAY_FOLD },
	{ CRIMG_KIND_THREAD_EXTRAS, CRIMG_DIFF_THREADS, WAY_ELSEWHERE },
	{ CRIMG_KIND_PROCESS_EXTRAS, CRIMG_DIFF_PROCESSES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TIMED_WAITS, CRIMG_DIFF_IMAGE, WAY_FOLD }, // what its thread waits in, registers tell
	{ CRIMG_KIND_ELF_NOTES, CRIMG_DIFF_IMAGE, WAY_NOTES },
	{ CRIMG_KIND_PAGES, CRIMG_DIFF_PAGES, WAY_PAGES },
	{ CRIMG_KIND_PAGEMAP, CRIMG_DIFF_PAGES, WAY_PLAIN },
	{ CRIMG_KIND_PSTREE, CRIMG_DIFF_PROCESSES, WAY_ELSEWHERE },
	{ CRIMG_KIND_SECCOMP, CRIMG_DIFF_CREDENTIALS, WAY_ELSEWHERE },
	{ CRIMG_KIND_FILES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_REG_FILES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_EXT_FILES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_NS_FILES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_EVENTFD_FILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_EVENTPOLL_FILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_EVENTPOLL_TFD, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_SIGNALFD, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TIMERFD, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_INOTIFY_FILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_INOTIFY_WD, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_FANOTIFY_FILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_FANOTIFY_MARK, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_PIPES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_FIFO, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_UNIXSK, CRIMG_DIFF_SOCKETS, WAY_ELSEWHERE },
	{ CRIMG_KIND_INETSK, CRIMG_DIFF_SOCKETS, WAY_ELSEWHERE },
	{ CRIMG_KIND_PACKETSK, CRIMG_DIFF_SOCKETS, WAY_ELSEWHERE },
	{ CRIMG_KIND_NETLINK_SK, CRIMG_DIFF_SOCKETS, WAY_ELSEWHERE },
	{ CRIMG_KIND_TTY_FILES, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TUNFILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_PIDFD, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_BPFMAP_FILE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_REMAP_FPATH, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TTY_INFO, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TTY_DATA, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_MEMFD_INODE, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_PIPES_DATA, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_FIFO_DATA, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_SK_QUEUES, CRIMG_DIFF_SOCKETS, WAY_ELSEWHERE },
	{ CRIMG_KIND_BPFMAP_DATA, CRIMG_DIFF_FILES, WAY_ELSEWHERE },
	{ CRIMG_KIND_TCP_STREAM, CRIMG_DIFF_SOCKETS, WAY_PLAIN },
	{ CRIMG_KIND_GHOST_FILE, CRIMG_DIFF_FILES, WAY_PLAIN },
	{ CRIMG_KIND_FILE_LOCKS, CRIMG_DIFF_FILES, WAY_PLAIN },
	{ CRIMG_KIND_FDINFO, CRIMG_DIFF_FILES, WAY_PLAIN },
	{ CRIMG_KIND_CGROUP, CRIMG_DIFF_CGROUPS, WAY_PLAIN },
	{ CRIMG_KIND_APPARMOR, CRIMG_DIFF_CREDENTIALS, WAY_PLAIN },
	{ CRIMG_KIND_UTSNS, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_TIMENS, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_PIDNS, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_USERNS, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_IPC_VAR, CRIMG_DIFF_IPC, WAY_NAMESPACE },
	{ CRIMG_KIND_IPCNS_SHM, CRIMG_DIFF_IPC, WAY_NAMESPACE },
	{ CRIMG_KIND_IPCNS_SEM, CRIMG_DIFF_IPC, WAY_NAMESPACE },
	{ CRIMG_KIND_IPCNS_MSG, CRIMG_DIFF_IPC, WAY_NAMESPACE },
	{ CRIMG_KIND_MNTS, CRIMG_DIFF_MOUNTS, WAY_NAMESPACE },
	{ CRIMG_KIND_AUTOFS, CRIMG_DIFF_MOUNTS, WAY_PLAIN },
	{ CRIMG_KIND_BINFMT_MISC, CRIMG_DIFF_MOUNTS, WAY_PLAIN },
	{ CRIMG_KIND_BINFMT_MISC_0, CRIMG_DIFF_MOUNTS, WAY_PLAIN },
	{ CRIMG_KIND_TMPFS, CRIMG_DIFF_MOUNTS, WAY_PLAIN },
	{ CRIMG_KIND_TMPFS_DEV, CRIMG_DIFF_MOUNTS, WAY_PLAIN },
	{ CRIMG_KIND_NETDEV, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_NETNS, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_IFADDR, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_ROUTE, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_ROUTE6, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_RULE, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_IPTABLES, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_IP6TABLES, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_NFTABLES, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_NETNS_CT, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
	{ CRIMG_KIND_NETNS_EXP, CRIMG_DIFF_NAMESPACES, WAY_NAMESPACE },
};

static const struct kind_row *row_of(enum crimg_kind kind)
{
	static const struct kind_row other = { CRIMG_KIND_COUNT, CRIMG_DIFF_IMAGE, WAY_PLAIN };
	for (size_t i = 0; i < sizeof kind_rows / sizeof kind_rows[0]; i++)
		if (kind_rows[i].kind == kind)
			return &kind_rows[i];
	return &other;
}

// The name that tells an object without number apart: below the image's root.
static const char *name_of(const struct crimg_diff *d, int side, const struct crimg_image_object *o)
{
	const char *root = d->side[side].image->root, *name = o->object.name;
	size_t length = root != NULL ? strlen(root) : 0;
	return length > 0 && strncmp(name, root, length) == 0 ? name + length : name;
}

// Beside the image's root names are the same in both, below it what follows is.
static struct crimg_image_object *find_opaque(struct crimg_diff *d, int side,
                                              const struct crimg_image_object *o)
{
	struct crimg_image *image = d->side[1 - side].image;
	const char *name = name_of(d, side, o);
	char path[2 * CRIMG_MAX_NAME_BYTES];
	bool below = name != o->object.name && image->root != NULL;
	snprintf(path, sizeof path, "%s%s", below ? image->root : "", name);
	return crimg_image_member(image, path);
}

static struct crimg_image_object *partner_of(struct crimg_diff *d, int side,
                                             const struct crimg_image_object *o, enum way way)
{
	struct crimg_image *other = d->side[1 - side].image;
	uint64_t id = o->object.id, found;
	if (o->object.kind == CRIMG_KIND_OPAQUE)
		return find_opaque(d, side, o);
	if (d->side[side].image->count == 1 && other->count == 1
	    && other->objects[0].object.kind == o->object.kind)
		return &other->objects[0]; // two files, whatever their numbers
	enum crimg_reference kind = way == WAY_NAMESPACE ? CRIMG_REF_NAMESPACE
		: way == WAY_NOTES ? CRIMG_REF_PID : CRIMG_REF_NONE;
	if (kind != CRIMG_REF_NONE && crimg_references_find(d->references, kind, side, id, &found))
		id = found;
	// Of several with one number, the one with the same name.
	struct crimg_image_object *named = crimg_image_member(other, o->object.name);
	if (named != NULL && named->object.kind == o->object.kind && named->object.id == id)
		return named;
	return crimg_image_find(other, o->object.kind, id);
}

// Something was compared through tasks, or files: not single files of an image.
static bool has_tasks(const struct crimg_diff *d)
{
	return d->side[A].tasks.count > 0 || d->side[B].tasks.count > 0;
}

static bool has_files(const struct crimg_diff *d)
{
	return d->side[A].files.count > 0 || d->side[B].files.count > 0;
}

// Engines and CRIU leave logs: their lines have times.
static bool is_log(const char *name)
{
	size_t n = strlen(name);
	return n >= 8 && (strcmp(name + n - 8, "dump.log") == 0
	                  || (n >= 11 && strcmp(name + n - 11, "restore.log") == 0));
}

static void compare_entries(struct crimg_scope *s, struct crimg_image_object *a,
                            struct crimg_image_object *b)
{
	struct crimg_diff *d = s->d;
	const struct crimg_kind_info *info = crimg_kind_info(a->object.kind);
	struct crimg_list x, y;
	char field[64];
	crimg_entry_messages(d, A, a, &x);
	crimg_entry_messages(d, B, b, &y);
	if (!info->many && x.count == 1 && y.count == 1)
		crimg_compare_messages(s, NULL, x.items[0], y.items[0]);
	else
		crimg_compare_lists(s, NULL, &x, &y);
	for (size_t i = 0; i < a->count && i < b->count && !crimg_diff_failed(d); i++) {
		const struct crimg_payload_ref *p = &a->entries[i].payload, *q = &b->entries[i].payload;
		if (p->number == CRIMG_NO_PAYLOAD && q->number == CRIMG_NO_PAYLOAD)
			continue;
		snprintf(field, sizeof field, a->entries[i].tail ? "tail" : "contents[%zu]", i);
		crimg_compare_payloads(s, field, p, q);
	}
}

// Page maps without a task that tells of them.
static void compare_maps(struct crimg_scope *s, const struct crimg_pagemap *a,
                         const struct crimg_pagemap *b)
{
	bool same = a->count == b->count;
	crimg_compare_u64(s, "present_pages", a->present_pages, b->present_pages);
	crimg_compare_u64(s, "parent_pages", a->parent_pages, b->parent_pages);
	for (size_t i = 0; same && i < a->count; i++) {
		const struct crimg_page_run *x = &a->runs[i], *y = &b->runs[i];
		same = x->vaddr == y->vaddr && x->pages == y->pages && x->flags == y->flags;
	}
	if (!same)
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "runs", crimg_u64_value(a->count),
		           crimg_u64_value(b->count));
}

static void tell_lone(struct crimg_scope *s, int side, const struct crimg_image_object *o)
{
	struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
	bool raw = o->payload.number != CRIMG_NO_PAYLOAD;
	value[side] = crimg_u64_value(raw ? o->payload.length : o->count);
	crimg_tell(s, side == A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, raw ? "bytes" : "entries",
	           value[A], value[B]);
}

static void compare_pair(struct crimg_scope *s, const struct kind_row *row,
                         struct crimg_image_object *a, struct crimg_image_object *b)
{
	if (row->way == WAY_NOTES)
		crimg_compare_notes(s, a, b);
	else if (a->map != NULL && b->map != NULL)
		compare_maps(s, a->map, b->map);
	else if (a->object.type != b->object.type)
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "type", crimg_u64_value(a->object.type),
		           crimg_u64_value(b->object.type));
	else if (a->object.type == CRIMG_OBJECT_LINK)
		crimg_compare_texts(s, "target", a->object.target, b->object.target);
	else if (a->payload.number != CRIMG_NO_PAYLOAD || b->payload.number != CRIMG_NO_PAYLOAD)
		crimg_compare_payloads(s, "contents", &a->payload, &b->payload);
	else
		compare_entries(s, a, b);
}

// Objects that say nothing beyond what is compared elsewhere.
static bool is_passed_over(const struct crimg_diff *d, int side, const struct kind_row *row,
                           const struct crimg_image_object *o)
{
	switch (row->way) {
	case WAY_PAGES: // compared by address, unless this is all there is
		return has_tasks(d) || o->object.id != 0;
	case WAY_ELSEWHERE:
		return has_tasks(d) || has_files(d);
	case WAY_NOTES:
		return crimg_one_core(d);
	default:
		return o->object.type == CRIMG_OBJECT_LINK && strcmp(name_of(d, side, o), "parent") == 0;
	}
}

static void compare_object(struct crimg_diff *d, int side, struct crimg_image_object *o)
{
	const struct kind_row *row = row_of(o->object.kind);
	char subject[CRIMG_FILE_NAME_MAX];
	struct crimg_scope s = { .d = d, .group = row->group, .subject = subject };
	s.folded = row->way == WAY_FOLD || is_log(name_of(d, side, o));
	s.whole = !has_tasks(d);
	crimg_mark(d, side, o);
	if (is_passed_over(d, side, row, o))
		return;
	if (crimg_one_core(d)) {
		crimg_tell_untold(d, d->side[A].is_core ? A : B, row->group);
		return;
	}
	struct crimg_image_object *other = partner_of(d, side, o, row->way);
	crimg_mark(d, 1 - side, other);
	if (o->object.kind == CRIMG_KIND_OPAQUE)
		s.subject = name_of(d, side, o);
	else
		crimg_kind_file(o->object.kind, o->object.id, subject);
	if (other == NULL)
		tell_lone(&s, side, o);
	else
		compare_pair(&s, row, side == A ? o : other, side == A ? other : o);
}

void crimg_compare_objects(struct crimg_diff *d)
{
	for (int group = 0; group < CRIMG_DIFF_GROUPS; group++)
		for (int side = A; side <= B; side++) {
			struct crimg_image *image = d->side[side].image;
			for (size_t i = 0; i < image->count && !crimg_diff_failed(d); i++) {
				struct crimg_image_object *o = &image->objects[i];
				if (!d->side[side].marked[i]
				    && (int)row_of(o->object.kind)->group == group)
					compare_object(d, side, o);
			}
		}
}
