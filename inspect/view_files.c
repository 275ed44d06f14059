// View files: every open file once, who holds it, how it is kept, what it watches; and file locks.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "inspect/file_text.h"
#include "inspect/table.h"
#include "inspect/users.h"

static const struct crimg_column columns[] = {
	{ "id", "ID", CRIMG_COLUMN_RIGHT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "flags", NULL, CRIMG_COLUMN_LEFT },
	{ "pos", NULL, CRIMG_COLUMN_RIGHT },
	{ "size", "SIZE", CRIMG_COLUMN_RIGHT },
	{ "mode", "MODE", CRIMG_COLUMN_LEFT },
	{ "owner", "SIGNALS", CRIMG_COLUMN_LEFT },
	{ "queued_bytes", NULL, CRIMG_COLUMN_RIGHT },
	{ "users", "HELD BY", CRIMG_COLUMN_CUT },
	{ "path", NULL, CRIMG_COLUMN_LEFT },
	{ "remap", NULL, CRIMG_COLUMN_LEFT },
	{ "name", "NAME", CRIMG_COLUMN_CUT_MIDDLE },
	{ "note", "NOTE", CRIMG_COLUMN_CUT },
};

// Who gets SIGIO, "pid 9486 SIGRTMIN+2".
static void owner_cell(struct crimg_table *t, const struct crimg_file *file)
{
	const FownEntry *owner = crimg_file_owner(file);
	char name[32];
	if (owner == NULL || owner->pid == 0)
		crimg_cell_none(t);
	else
		crimg_cell_textf(t, "%s to %u", owner->signum != 0
		                 ? crimg_signal_text(owner->signum, name, sizeof name) : "SIGIO",
		                 owner->pid);
}

static const char *remap_text(const struct crimg_file *file, char *out, size_t size)
{
	char number[32];
	if (file->remap == NULL)
		return NULL;
	uint64_t type = file->remap->has_remap_type ? (uint64_t)file->remap->remap_type : 0;
	snprintf(out, size, "%s %u",
	         crimg_name_or_number(CRIMG_NAMES_REMAP, type, number, sizeof number),
	         file->remap->remap_id);
	return out;
}

static void file_row(struct crimg_table *t, const struct crimg_file *file,
                     const struct crimg_users *users)
{
	const RegFileEntry *reg = file->type == FD_TYPES__REG ? file->message : NULL;
	struct crimg_file_words words;
	char number[32], flags[512], remap[48];
	uint64_t pos;
	crimg_table_row(t);
	crimg_cell_u64(t, file->id);
	crimg_cell_text(
		t, crimg_name_or_number(CRIMG_NAMES_FD_TYPE, file->type, number, sizeof number));
	crimg_cell_text(t, crimg_open_flags_text(crimg_file_flags(file), flags, sizeof flags));
	if (crimg_file_position(file, &pos))
		crimg_cell_u64(t, pos);
	else
		crimg_cell_none(t);
	if (reg != NULL && reg->has_size)
		crimg_cell_bytes(t, reg->size);
	else
		crimg_cell_none(t);
	if (reg != NULL && reg->has_mode)
		crimg_cell_octal(t, reg->mode);
	else
		crimg_cell_none(t);
	owner_cell(t, file);
	crimg_cell_u64(t, file->queued_bytes);
	// Of several files with one number (hostile images have them) only the first has users.
	bool again = file > t->view->files.list && file[-1].id == file->id;
	static const struct crimg_users nobody = { .list = NULL };
	crimg_cell_users(t, again ? &nobody : users, file->id, t->view->options->all ? SIZE_MAX : 4);
	crimg_cell_text(t, crimg_file_path(file));
	crimg_cell_text(t, remap_text(file, remap, sizeof remap));
	crimg_file_describe(t->view, file, &words);
	crimg_cell_text(t, words.name);
	crimg_cell_text(t, words.note);
}

static void show_files(struct crimg_view *view)
{
	struct crimg_users users;
	struct crimg_table t;
	crimg_users_load(view, &users);
	crimg_heading(view, "Open files: %zu", view->files.count);
	crimg_table_begin(&t, view, "files", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < view->files.count && !crimg_view_failed(view); i++) {
		size_t count;
		const struct crimg_user *list =
			crimg_users_of(&users, view->files.list[i].id, &count);
		bool wanted = !view->options->has_pid;
		for (size_t k = 0; k < count && !wanted; k++)
			wanted = list[k].pid == view->options->pid;
		if (wanted)
			file_row(&t, &view->files.list[i], &users);
	}
	crimg_table_end(&t);
	crimg_users_fini(&users);
}

static const struct crimg_column watch_columns[] = {
	{ "file_id", "FILE", CRIMG_COLUMN_RIGHT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "target", "WATCHES", CRIMG_COLUMN_CUT_MIDDLE },
	{ "events", "EVENTS", CRIMG_COLUMN_LEFT },
	{ "data", "DATA", CRIMG_COLUMN_RIGHT },
};

static void epoll_row(struct crimg_table *t, const EventpollTfdEntry *e)
{
	char events[512];
	crimg_cell_textf(t, "fd %u", e->tfd);
	crimg_cell_text(
		t, crimg_flags_text(CRIMG_NAMES_EPOLL_EVENTS, e->events, events, sizeof events));
	crimg_cell_hex(t, e->data);
}

// The kernel adds 0x8000000 (FS_EVENT_ON_CHILD) and knows no path: CRIU found it, or not.
static void inotify_row(struct crimg_table *t, const InotifyWdEntry *e)
{
	char events[512], dev[32];
	if (e->f_handle != NULL && e->f_handle->path != NULL)
		crimg_cell_textf(t, "wd %u: %s", e->wd, e->f_handle->path);
	else
		crimg_cell_textf(t, "wd %u: inode %" PRIu64 " of device %s", e->wd, e->i_ino,
		                 crimg_device_text(e->s_dev, dev, sizeof dev));
	crimg_cell_text(t, crimg_flags_text(CRIMG_NAMES_INOTIFY_EVENTS,
	                                    e->mask & ~(uint32_t)0x8000000, events, sizeof events));
	crimg_cell_none(t);
}

static void fanotify_row(struct crimg_table *t, const FanotifyMarkEntry *e)
{
	char dev[32];
	if (e->me != NULL)
		crimg_cell_textf(t, "mount %u %s", e->me->mnt_id,
		                 e->me->path != NULL ? e->me->path : "");
	else
		crimg_cell_textf(t, "inode %" PRIu64 " of device %s",
		                 e->ie != NULL ? e->ie->i_ino : 0,
		                 crimg_device_text(e->s_dev, dev, sizeof dev));
	crimg_cell_textf(t, "0x%x", e->mask);
	crimg_cell_none(t);
}

static void show_watches(struct crimg_view *view)
{
	struct crimg_table t;
	struct crimg_list list;
	crimg_table_begin(&t, view, "watches", watch_columns, 5);
	for (size_t i = 0; i < view->files.count && !crimg_view_failed(view); i++) {
		const struct crimg_file *file = &view->files.list[i];
		if (crimg_file_watches(view->image, file, &list, &view->damage) < 0)
			continue; // noted in damage
		for (size_t k = 0; k < list.count; k++) {
			crimg_table_row(&t);
			crimg_cell_u64(&t, file->id);
			crimg_cell_text(&t, crimg_name_of(CRIMG_NAMES_FD_TYPE, file->type));
			if (file->type == FD_TYPES__EVENTPOLL)
				epoll_row(&t, list.items[k]);
			else if (file->type == FD_TYPES__INOTIFY)
				inotify_row(&t, list.items[k]);
			else
				fanotify_row(&t, list.items[k]);
		}
	}
	if (t.cell_count > 0)
		crimg_heading(view, "Watches");
	crimg_table_end(&t);
}

static const struct crimg_column lock_columns[] = {
	{ "kind", "LOCK", CRIMG_COLUMN_LEFT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "pid", "PID", CRIMG_COLUMN_RIGHT },
	{ "fd", "FD", CRIMG_COLUMN_RIGHT },
	{ "start", "START", CRIMG_COLUMN_RIGHT },
	{ "length", "LENGTH", CRIMG_COLUMN_RIGHT },
};

static void show_locks(struct crimg_view *view)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_FILE_LOCKS);
	const FileLockEntry *lock;
	struct crimg_table t;
	char kind[32], type[32];
	crimg_table_begin(&t, view, "locks", lock_columns, 6);
	while ((lock = crimg_image_walk(view->image, &walk, &view->damage)) != NULL
	       && !crimg_view_failed(view)) {
		crimg_table_row(&t);
		crimg_cell_text(&t, crimg_name_or_number(CRIMG_NAMES_LOCK_FLAG, lock->flag, kind,
		                                         sizeof kind));
		crimg_cell_text(&t, crimg_name_or_number(CRIMG_NAMES_LOCK_TYPE, lock->type, type,
		                                         sizeof type));
		crimg_cell_i64(&t, lock->pid);
		crimg_cell_i64(&t, lock->fd);
		crimg_cell_i64(&t, lock->start);
		if (lock->len == 0 && view->json == NULL)
			crimg_cell_text(&t, "to the end");
		else
			crimg_cell_i64(&t, lock->len);
	}
	if (t.cell_count > 0)
		crimg_heading(view, "File locks");
	crimg_table_end(&t);
}

void crimg_view_files(struct crimg_view *view)
{
	show_files(view);
	show_watches(view);
	show_locks(view);
}
