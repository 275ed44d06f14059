#include "diff/file_contents.h"

#include <stdio.h>
#include <string.h>

#include "diff/messages.h"

static const struct crimg_payload_ref no_payload = { CRIMG_NO_PAYLOAD, 0 };

static struct crimg_entries entries_of(struct crimg_diff *d, int side, enum crimg_kind kind,
                                       const char *field, uint64_t value)
{
	struct crimg_entries e;
	if (crimg_image_select_entries(d->side[side].image, kind, field, value, &e, &d->damage) < 0)
		return (struct crimg_entries){ NULL, 0 }; // noted in damage
	return e;
}

static const void *message_at(const struct crimg_entries *e, size_t i)
{
	return i < e->count ? e->items[i]->message : NULL;
}

static const struct crimg_payload_ref *payload_at(const struct crimg_entries *e, size_t i)
{
	return i < e->count ? &e->items[i]->payload : &no_payload;
}

// Entry i of both: what they say, and the bytes that belong to them.
static void compare_entries(const struct crimg_scope *s, const char *field, const char *payload,
                            const struct crimg_entries *a, const struct crimg_entries *b, size_t i)
{
	const void *x = message_at(a, i), *y = message_at(b, i);
	crimg_compare_messages(s, x == NULL || y == NULL ? payload : field, x, y);
	crimg_compare_payloads(s, payload, payload_at(a, i), payload_at(b, i));
}

// What waits in a pipe is one entry, what waits in a socket one each packet.
static void compare_pipes(const struct crimg_scope *s, enum crimg_kind kind, uint32_t a, uint32_t b)
{
	if (!crimg_references_first(s->d->references, CRIMG_REF_CONTENTS, a, b, &s->d->fault))
		return;
	struct crimg_entries x = entries_of(s->d, CRIMG_A, kind, "pipe_id", a);
	struct crimg_entries y = entries_of(s->d, CRIMG_B, kind, "pipe_id", b);
	for (size_t i = 0; i < x.count || i < y.count; i++)
		compare_entries(s, NULL, "queued", &x, &y, i);
}

static void compare_packets(const struct crimg_scope *s, uint32_t a, uint32_t b)
{
	struct crimg_entries x = entries_of(s->d, CRIMG_A, CRIMG_KIND_SK_QUEUES, "id_for", a);
	struct crimg_entries y = entries_of(s->d, CRIMG_B, CRIMG_KIND_SK_QUEUES, "id_for", b);
	char name[48];
	crimg_compare_u64(s, "queued_packets", x.count, y.count);
	for (size_t i = 0; (i < x.count || i < y.count) && !crimg_diff_failed(s->d); i++) {
		snprintf(name, sizeof name, "packet[%zu]", i);
		compare_entries(s, name, name, &x, &y, i);
	}
}

static struct crimg_image_object *object_of(struct crimg_diff *d, int side, enum crimg_kind kind,
                                            uint64_t id)
{
	struct crimg_image_object *o = crimg_image_find(d->side[side].image, kind, id);
	crimg_mark(d, side, o);
	return o;
}

static struct crimg_payload_ref whole_payload(const struct crimg_image_object *o, size_t i)
{
	return o != NULL && i < o->count ? o->entries[i].payload : no_payload;
}

static const void *message_of(struct crimg_diff *d, int side, struct crimg_image_object *o, size_t i)
{
	return o != NULL && i < o->count
		? crimg_image_message(d->side[side].image, o, i, &d->damage) : NULL;
}

static void compare_streams(const struct crimg_scope *s, uint32_t a, uint32_t b)
{
	struct crimg_image_object *x = object_of(s->d, CRIMG_A, CRIMG_KIND_TCP_STREAM, a);
	struct crimg_image_object *y = object_of(s->d, CRIMG_B, CRIMG_KIND_TCP_STREAM, b);
	struct crimg_payload_ref p = whole_payload(x, 0), q = whole_payload(y, 0);
	const TcpStreamEntry *m = message_of(s->d, CRIMG_A, x, 0), *n = message_of(s->d, CRIMG_B, y, 0);
	if (m != NULL && n != NULL) {
		crimg_compare_u64(s, "receive_queue_bytes", m->inq_len, n->inq_len);
		crimg_compare_u64(s, "send_queue_bytes", m->outq_len, n->outq_len);
	}
	crimg_compare_messages(s, m == NULL || n == NULL ? "tcp_stream" : NULL, m, n);
	crimg_compare_payloads(s, "queue", &p, &q);
}

static void compare_watches(const struct crimg_scope *s, const struct crimg_file *a,
                            const struct crimg_file *b)
{
	struct crimg_list x, y;
	struct crimg_diff *d = s->d;
	int rc = crimg_file_watches(d->side[CRIMG_A].image, a, &x, &d->damage);
	rc |= crimg_file_watches(d->side[CRIMG_B].image, b, &y, &d->damage);
	if (rc == 0) // else noted in damage
		crimg_compare_lists(s, "watches", &x, &y);
}

// The entries of a kind with this number, compared when the two meet for the first time.
static void compare_once(const struct crimg_scope *s, enum crimg_reference told,
                         enum crimg_kind kind, const char *field, uint64_t a, uint64_t b)
{
	struct crimg_diff *d = s->d;
	if (a == 0 || b == 0 || !crimg_references_first(d->references, told, a, b, &d->fault))
		return;
	struct crimg_entries x = entries_of(d, CRIMG_A, kind, field, a);
	struct crimg_entries y = entries_of(d, CRIMG_B, kind, field, b);
	for (size_t i = 0; i < x.count || i < y.count; i++)
		compare_entries(s, NULL, "data", &x, &y, i);
}

static uint64_t ghost_of(const struct crimg_file *f)
{
	const RemapFilePathEntry *r = f->remap;
	bool ghost = r != NULL && (r->has_remap_type ? r->remap_type == REMAP_TYPE__GHOST
	                                             : r->remap_id >> 31 != 0);
	return ghost ? r->remap_id & 0x7fffffff : 0;
}

// A deleted file that the image keeps: its message, then its contents, in one piece or in chunks.
static void compare_ghosts(const struct crimg_scope *s, uint64_t a, uint64_t b)
{
	struct crimg_diff *d = s->d;
	if (a == 0 || b == 0
	    || !crimg_references_first(d->references, CRIMG_REF_GHOST_TOLD, a, b, &d->fault))
		return;
	struct crimg_image_object *x = object_of(d, CRIMG_A, CRIMG_KIND_GHOST_FILE, a);
	struct crimg_image_object *y = object_of(d, CRIMG_B, CRIMG_KIND_GHOST_FILE, b);
	size_t m = x != NULL ? x->count : 0, n = y != NULL ? y->count : 0;
	for (size_t i = 0; (i < m || i < n) && !crimg_diff_failed(d); i++) {
		struct crimg_payload_ref p = whole_payload(x, i), q = whole_payload(y, i);
		char name[48] = "contents";
		if (i > 0)
			snprintf(name, sizeof name, "contents[%zu]", i - 1);
		crimg_compare_messages(s, i == 0 ? "deleted" : name, message_of(d, CRIMG_A, x, i),
		                       message_of(d, CRIMG_B, y, i));
		crimg_compare_payloads(s, name, &p, &q);
	}
}

static const char *how_kept(const struct crimg_file *f)
{
	if (f->remap == NULL)
		return NULL;
	return ghost_of(f) != 0 ? "deleted" : "deleted or renamed";
}

static void compare_kept(const struct crimg_scope *s, const struct crimg_file *a,
                         const struct crimg_file *b)
{
	crimg_compare_texts(s, "kept", how_kept(a), how_kept(b));
	compare_ghosts(s, ghost_of(a), ghost_of(b));
}

static void compare_memfds(const struct crimg_scope *s, const struct crimg_file *a,
                           const struct crimg_file *b)
{
	const MemfdFileEntry *x = a->message, *y = b->message;
	compare_once(s, CRIMG_REF_MEMFD_TOLD, CRIMG_KIND_MEMFD_INODE, "inode_id", x->inode_id,
	             y->inode_id);
}

static void compare_ttys(const struct crimg_scope *s, const struct crimg_file *a,
                         const struct crimg_file *b)
{
	const TtyFileEntry *x = a->message, *y = b->message;
	compare_once(s, CRIMG_REF_TTY_TOLD, CRIMG_KIND_TTY_INFO, "id", x->tty_info_id, y->tty_info_id);
	compare_once(s, CRIMG_REF_TTY_DATA_TOLD, CRIMG_KIND_TTY_DATA, "tty_id", x->tty_info_id,
	             y->tty_info_id);
}

static void compare_maps(const struct crimg_scope *s, const struct crimg_file *a,
                         const struct crimg_file *b)
{
	const BpfmapFileEntry *x = a->message, *y = b->message;
	compare_once(s, CRIMG_REF_BPF_TOLD, CRIMG_KIND_BPFMAP_DATA, "map_id", x->map_id, y->map_id);
}

void crimg_compare_file(const struct crimg_scope *s, const struct crimg_file *a,
                        const struct crimg_file *b)
{
	if (a->message == NULL || b->message == NULL)
		return;
	crimg_compare_messages(s, NULL, a->message, b->message);
	compare_kept(s, a, b);
	switch (a->type) {
	case FD_TYPES__PIPE:
		compare_pipes(s, CRIMG_KIND_PIPES_DATA, ((const PipeEntry *)a->message)->pipe_id,
		              ((const PipeEntry *)b->message)->pipe_id);
		return;
	case FD_TYPES__FIFO:
		compare_pipes(s, CRIMG_KIND_FIFO_DATA, ((const FifoEntry *)a->message)->pipe_id,
		              ((const FifoEntry *)b->message)->pipe_id);
		return;
	case FD_TYPES__INETSK:
		compare_streams(s, crimg_file_inode(a), crimg_file_inode(b));
		compare_packets(s, a->id, b->id);
		return;
	case FD_TYPES__UNIXSK:
	case FD_TYPES__NETLINKSK:
	case FD_TYPES__PACKETSK:
		compare_packets(s, a->id, b->id);
		return;
	case FD_TYPES__EVENTPOLL:
	case FD_TYPES__INOTIFY:
	case FD_TYPES__FANOTIFY:
		compare_watches(s, a, b);
		return;
	case FD_TYPES__MEMFD:
		compare_memfds(s, a, b);
		return;
	case FD_TYPES__TTY:
		compare_ttys(s, a, b);
		return;
	case FD_TYPES__BPFMAP:
		compare_maps(s, a, b);
		return;
	default:
		return;
	}
}
