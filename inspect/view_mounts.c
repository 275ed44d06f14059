// View mounts: the mounts of every mount namespace, children under their parents.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "inspect/table.h"

static const struct crimg_column columns[] = {
	{ "id", "ID", CRIMG_COLUMN_RIGHT },
	{ "parent_id", "PARENT", CRIMG_COLUMN_RIGHT },
	{ "device", "DEVICE", CRIMG_COLUMN_RIGHT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "mountpoint", "MOUNT POINT", CRIMG_COLUMN_CUT_MIDDLE },
	{ NULL, "SOURCE", CRIMG_COLUMN_CUT_MIDDLE },
	{ "source", NULL, CRIMG_COLUMN_LEFT },
	{ "root", NULL, CRIMG_COLUMN_LEFT },
	{ "flags", "FLAGS", CRIMG_COLUMN_CUT },
	{ "superblock_flags", NULL, CRIMG_COLUMN_LEFT },
	{ "shared_id", NULL, CRIMG_COLUMN_RIGHT },
	{ "master_id", NULL, CRIMG_COLUMN_RIGHT },
	{ "external", NULL, CRIMG_COLUMN_LEFT },
	{ NULL, "NOTE", CRIMG_COLUMN_CUT },
	{ "options", "OPTIONS", CRIMG_COLUMN_CUT },
};

// "/dev/vda[/var/lib/x]", as findmnt shows a part of a filesystem.
static void source_cell(struct crimg_table *t, const MntEntry *m)
{
	if (strcmp(m->root, "/") == 0)
		crimg_cell_text(t, m->source);
	else
		crimg_cell_textf(t, "%s[%s]", m->source, m->root);
}

// As mount options are written.
static const char *options_of(uint32_t flags, char *out, size_t size)
{
	crimg_flags_text(CRIMG_NAMES_MOUNT_FLAGS, flags, out, size);
	for (char *p = out; *p != '\0'; p++)
		*p = *p == '|' ? ',' : *p;
	return out;
}

static void note_cell(struct crimg_table *t, const MntEntry *m)
{
	char text[320] = "";
	if (m->ext_key != NULL && strcmp(m->ext_key, m->mountpoint) != 0)
		snprintf(text, sizeof text, "external %s ", m->ext_key);
	else if (m->ext_key != NULL)
		snprintf(text, sizeof text, "external ");
	else if (m->has_ext_mount && m->ext_mount)
		snprintf(text, sizeof text, "external ");
	if (m->has_shared_id && m->shared_id != 0)
		snprintf(text + strlen(text), sizeof text - strlen(text), "shared:%u ", m->shared_id);
	if (m->has_master_id && m->master_id != 0)
		snprintf(text + strlen(text), sizeof text - strlen(text), "master:%u ", m->master_id);
	if (m->has_deleted && m->deleted)
		snprintf(text + strlen(text), sizeof text - strlen(text), "deleted ");
	if (m->has_with_plugin && m->with_plugin)
		snprintf(text + strlen(text), sizeof text - strlen(text), "plugin ");
	size_t length = strlen(text);
	text[length > 0 ? length - 1 : 0] = '\0';
	crimg_cell_text(t, text);
}

static void mount_row(struct crimg_table *t, const MntEntry *m)
{
	char number[32], flags[256], dev[32];
	// AUTO and UNSUPPORTED mean that CRIU does not look inside; a name may stand beside it.
	bool named = m->fsname != NULL && (m->fstype == 0 || m->fstype == 16);
	bool other = m->fstype == 0 && t->view->json == NULL;
	crimg_table_row(t);
	crimg_cell_u64(t, m->mnt_id);
	crimg_cell_u64(t, m->parent_mnt_id);
	crimg_cell_text(t, crimg_device_text(m->root_dev, dev, sizeof dev));
	crimg_cell_text(t, named ? m->fsname : other ? "(other)"
	                : crimg_name_or_number(CRIMG_NAMES_FSTYPE, m->fstype, number, sizeof number));
	crimg_cell_text(t, m->mountpoint);
	source_cell(t, m);
	crimg_cell_text(t, m->source);
	crimg_cell_text(t, m->root);
	crimg_cell_text(t, options_of(m->flags, flags, sizeof flags));
	crimg_cell_text(t, m->has_sb_flags ? options_of(m->sb_flags, flags, sizeof flags) : NULL);
	crimg_cell_u64(t, m->has_shared_id ? m->shared_id : 0);
	crimg_cell_u64(t, m->has_master_id ? m->master_id : 0);
	crimg_cell_bool(t, m->ext_key != NULL || (m->has_ext_mount && m->ext_mount));
	note_cell(t, m);
	bool all = t->view->options->all || t->view->json != NULL;
	crimg_cell_text(t, all ? m->options : NULL);
}

static int by_mountpoint(const void *a, const void *b)
{
	const MntEntry *const *x = a, *const *y = b;
	int order = strcmp((*x)->mountpoint, (*y)->mountpoint);
	return order != 0 ? order : (*x)->mnt_id < (*y)->mnt_id ? -1 : (*x)->mnt_id > (*y)->mnt_id;
}

static void show_namespace(struct crimg_view *view, struct crimg_image_object *o)
{
	const MntEntry **list = calloc(o->count + 1, sizeof *list);
	struct crimg_table t;
	size_t count = 0;
	if (list == NULL) {
		crimg_fail_nomem(&view->fault, o->count * sizeof *list);
		return;
	}
	for (size_t i = 0; i < o->count; i++) {
		list[count] = crimg_image_message(view->image, o, i, &view->damage);
		count += list[count] != NULL;
	}
	if (count > 0)
		qsort(list, count, sizeof *list, by_mountpoint);
	crimg_heading(view, "Mount namespace %llu: %zu mounts", (unsigned long long)o->object.id,
	              count);
	crimg_group_object(view, NULL);
	if (view->json != NULL)
		crimg_json_u64(view->json, "mount_ns", o->object.id);
	crimg_table_begin(&t, view, "mounts", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < count && !crimg_view_failed(view); i++)
		mount_row(&t, list[i]);
	crimg_table_end(&t);
	crimg_group_end(view);
	free(list);
}

void crimg_view_mounts(struct crimg_view *view)
{
	struct crimg_image_object *o = crimg_image_first(view->image, CRIMG_KIND_MNTS);
	if (o == NULL) {
		crimg_heading(view, "Mounts");
		// Only CRIU leaves them out for this reason.
		crimg_line(view, CRIMG_MARK_NONE, crimg_image_origin(view->image) != NULL
		           ? "none recorded" : "none recorded: the processes shared the host's");
	}
	crimg_group_array(view, "mounts");
	for (; o != NULL && !crimg_view_failed(view); o = crimg_image_next(view->image, o))
		show_namespace(view, o);
	crimg_group_end(view);
}
