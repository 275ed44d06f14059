// View ipc: System V shared memory, semaphores and message queues of every IPC namespace.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/cursor.h"
#include "format/limits.h"
#include "inspect/table.h"

static const struct crimg_column columns[] = {
	{ "ipc_ns", "NS", CRIMG_COLUMN_RIGHT },
	{ "kind", "KIND", CRIMG_COLUMN_LEFT },
	{ "id", "ID", CRIMG_COLUMN_RIGHT },
	{ "key", "KEY", CRIMG_COLUMN_RIGHT },
	{ "mode", "MODE", CRIMG_COLUMN_LEFT },
	{ "uid", "UID", CRIMG_COLUMN_RIGHT },
	{ "gid", "GID", CRIMG_COLUMN_RIGHT },
	{ "bytes", "SIZE", CRIMG_COLUMN_RIGHT },
	{ "holds", "HOLDS", CRIMG_COLUMN_CUT },
};

static void first_cells(struct crimg_table *t, uint64_t ns, const char *kind,
                        const IpcDescEntry *desc)
{
	crimg_table_row(t);
	crimg_cell_u64(t, ns);
	crimg_cell_text(t, kind);
	crimg_cell_u64(t, desc->id);
	crimg_cell_hex(t, desc->key);
	crimg_cell_octal(t, desc->mode);
	crimg_cell_u64(t, desc->uid);
	crimg_cell_u64(t, desc->gid);
}

static void shm_row(struct crimg_table *t, uint64_t ns, const IpcShmEntry *m)
{
	struct crimg_image_object *o =
		crimg_image_find(t->view->image, CRIMG_KIND_PAGEMAP_SHMEM, m->desc->id);
	first_cells(t, ns, "shared memory", m->desc);
	crimg_cell_bytes(t, m->size);
	if (m->has_in_pagemaps && m->in_pagemaps && o != NULL && o->map != NULL)
		crimg_cell_textf(t, "%" PRIu64 " KiB in the image",
		                 (o->map->present_pages + o->map->parent_pages)
		                         * (CRIMG_PAGE_BYTES / 1024));
	else
		crimg_cell_text(t, m->has_in_pagemaps && m->in_pagemaps ? "no pages" : "whole");
}

#define SEMAPHORES_SHOWN 32u

static void sem_row(struct crimg_table *t, uint64_t ns, const IpcSemEntry *m,
                    const struct crimg_image_entry *entry)
{
	uint8_t raw[2 * SEMAPHORES_SHOWN];
	char text[512];
	size_t count = m->nsems < SEMAPHORES_SHOWN ? m->nsems : SEMAPHORES_SHOWN;
	first_cells(t, ns, "semaphores", m->desc);
	crimg_cell_none(t);
	snprintf(text, sizeof text, "%u semaphores", m->nsems);
	if (count > 0 && crimg_view_read(t->view, entry->payload, raw, 2 * count))
		for (size_t i = 0; i < count; i++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u",
			         i == 0 ? ": " : " ", (unsigned)crimg_get_u16(raw + 2 * i));
	crimg_cell_text(t, text);
}

#define MESSAGES_BYTES 4096u // of a queue that are looked at

// "type 11 of 10 B"; each message: u32 size, ipc_msg, its text padded to 8.
static void message_texts(struct crimg_view *view, const struct crimg_image_entry *entry, char *out,
                          size_t size)
{
	uint8_t raw[MESSAGES_BYTES];
	size_t length =
		entry->payload.length < sizeof raw ? (size_t)entry->payload.length : sizeof raw;
	struct crimg_arena arena = crimg_arena_make((size_t)1 << 20);
	if (length == 0 || !crimg_view_read(view, entry->payload, raw, length))
		return;
	struct crimg_cursor c = crimg_cursor_make(raw, length, NULL, 0), text;
	uint32_t message_length;
	const uint8_t *data;
	while (crimg_cursor_u32(&c, &message_length, "size", NULL) == 0
	       && crimg_cursor_bytes(&c, message_length, &data, "message", NULL) == 0) {
		const void *m = crimg_message_decode(&ipc_msg__descriptor, data, message_length,
		                                     &arena, "ipc_msg", 0, &view->damage);
		const IpcMsg *message = m;
		size_t used = strlen(out);
		if (message == NULL || used + 40 > size)
			break;
		snprintf(out + used, size - used, ", type %" PRIu64 " of %u B", message->mtype,
		         message->msize);
		uint64_t padded = ((uint64_t)message->msize + 7) / 8 * 8;
		if (crimg_cursor_sub(&c, padded, &text, "text", NULL) < 0)
			break;
	}
	crimg_arena_fini(&arena);
}

static void msg_row(struct crimg_table *t, uint64_t ns, const IpcMsgEntry *m,
                    const struct crimg_image_entry *entry)
{
	char text[512];
	first_cells(t, ns, "messages", m->desc);
	crimg_cell_bytes(t, m->qbytes);
	snprintf(text, sizeof text, "%u messages", m->qnum);
	message_texts(t->view, entry, text, sizeof text);
	crimg_cell_text(t, text);
}

static size_t show_kind(struct crimg_table *t, enum crimg_kind kind)
{
	struct crimg_view *view = t->view;
	size_t shown = 0;
	for (struct crimg_image_object *o = crimg_image_first(view->image, kind); o != NULL;
	     o = crimg_image_next(view->image, o))
		for (size_t i = 0; i < o->count && !crimg_view_failed(view); i++) {
			const void *m = crimg_image_message(view->image, o, i, &view->damage);
			if (m == NULL)
				continue;
			if (kind == CRIMG_KIND_IPCNS_SHM)
				shm_row(t, o->object.id, m);
			else if (kind == CRIMG_KIND_IPCNS_SEM)
				sem_row(t, o->object.id, m, &o->entries[i]);
			else
				msg_row(t, o->object.id, m, &o->entries[i]);
			shown++;
		}
	return shown;
}

static void show_limits(struct crimg_view *view)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_IPC_VAR);
	const IpcVarEntry *v;
	crimg_group_array(view, "limits");
	while ((v = crimg_image_walk(view->image, &walk, &view->damage)) != NULL) {
		struct crimg_table t;
		crimg_heading(view, "Limits of IPC namespace %" PRIu64, walk.object->object.id);
		crimg_group_object(view, NULL);
		crimg_record_begin(&t, view, NULL);
		t.indent = 2;
		const struct {
			const char *key;
			uint64_t value;
		} rows[] = {
			{ "msgmax", v->msg_ctlmax }, { "msgmnb", v->msg_ctlmnb }, { "msgmni", v->msg_ctlmni },
			{ "shmmax", v->shm_ctlmax }, { "shmall", v->shm_ctlall }, { "shmmni", v->shm_ctlmni },
			{ "mqueue_queues_max", v->mq_queues_max }, { "mqueue_msg_max", v->mq_msg_max },
			{ "mqueue_msgsize_max", v->mq_msgsize_max },
		};
		crimg_field(&t, "ipc_ns", NULL);
		crimg_cell_u64(&t, walk.object->object.id);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			crimg_field(&t, rows[i].key, rows[i].key);
			crimg_cell_u64(&t, rows[i].value);
		}
		crimg_table_end(&t);
		crimg_group_end(view);
	}
	crimg_group_end(view);
}

void crimg_view_ipc(struct crimg_view *view)
{
	struct crimg_table t;
	size_t shown = 0;
	crimg_group_object(view, "ipc");
	crimg_heading(view, "System V IPC");
	crimg_table_begin(&t, view, "objects", columns, sizeof columns / sizeof columns[0]);
	shown += show_kind(&t, CRIMG_KIND_IPCNS_SHM);
	shown += show_kind(&t, CRIMG_KIND_IPCNS_SEM);
	shown += show_kind(&t, CRIMG_KIND_IPCNS_MSG);
	crimg_table_end(&t);
	if (shown == 0)
		crimg_line(view, CRIMG_MARK_NONE, "none recorded");
	if (view->options->all || view->json != NULL)
		show_limits(view);
	crimg_group_end(view);
}
