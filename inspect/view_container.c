// View container: what the engine wrote about the container, and what else lies in the archive.
#include <stdio.h>
#include <string.h>

#include "inspect/container_info.h"
#include "inspect/table.h"

static void add(struct crimg_table *t, const char *key, const char *label, const char *value)
{
	crimg_field(t, key, value != NULL ? label : NULL);
	crimg_cell_text(t, value);
}

static void show_identity(struct crimg_view *view, const struct crimg_container_info *c)
{
	struct crimg_table t;
	crimg_record_begin(&t, view, NULL);
	add(&t, "name", "name", c->name);
	add(&t, "id", "id", c->id);
	add(&t, "image", "image", c->image);
	add(&t, "image_id", "image id", c->image_id);
	add(&t, "engine", "engine", c->engine);
	add(&t, "runtime", "runtime", c->runtime);
	add(&t, "pod", "pod", c->pod);
	add(&t, "pod_namespace", "namespace", c->pod_namespace);
	add(&t, "pod_uid", "pod uid", c->pod_uid);
	add(&t, "hostname", "hostname", c->hostname);
	add(&t, "created", "created", c->created);
	add(&t, "checkpointed", "checkpointed", c->checkpointed);
	add(&t, "log_ends", "log ends", c->log_end[0] != '\0' ? c->log_end : NULL);
	add(&t, "cgroups_path", "cgroups path", crimg_jsondoc_string(c->spec, "linux/cgroupsPath"));
	add(&t, "working_directory", "directory", crimg_jsondoc_string(c->spec, "process/cwd"));
	add(&t, "root", "root", crimg_jsondoc_string(c->spec, "root/path"));
	crimg_table_end(&t);
}

static void each_text(void *context, const char *key, const char *text)
{
	struct crimg_json *j = context;
	crimg_json_text(j, key, text);
}

struct lines {
	struct crimg_view *view;
	const char *title;
	struct crimg_table table;
	size_t count;
};

static void each_pair(void *context, const char *key, const char *text)
{
	struct lines *l = context;
	crimg_table_row(&l->table);
	crimg_cell_text(&l->table, key);
	crimg_cell_text(&l->table, text);
	l->count++;
}

static void each_line(void *context, const char *key, const char *text)
{
	struct lines *l = context;
	(void)key;
	if (l->count == 0)
		crimg_heading(l->view, "%s", l->title);
	crimg_line(l->view, CRIMG_MARK_NONE, "  %s", text != NULL ? text : "?");
	l->count++;
}

static void show_command(struct crimg_view *view, const struct crimg_container_info *c)
{
	struct lines l = { .view = view, .title = "Command" };
	crimg_group_array(view, "command");
	if (view->json != NULL)
		crimg_jsondoc_each(c->spec, "process/args", each_text, view->json);
	else
		crimg_jsondoc_each(c->spec, "process/args", each_line, &l);
	crimg_group_end(view);
}

static void show_annotations(struct crimg_view *view, const struct crimg_container_info *c)
{
	static const struct crimg_column columns[] = {
		{ "name", "ANNOTATION", CRIMG_COLUMN_LEFT }, { "value", "VALUE", CRIMG_COLUMN_CUT },
	};
	struct lines l = { .view = view };
	if (view->json != NULL) {
		crimg_json_object(view->json, "annotations");
		crimg_jsondoc_each(c->spec, "annotations", each_text, view->json);
		crimg_json_end(view->json);
		return;
	}
	crimg_table_begin(&l.table, view, NULL, columns, 2);
	l.table.indent = 2;
	crimg_jsondoc_each(c->spec, "annotations", each_pair, &l);
	if (l.count > 0)
		crimg_heading(view, "Annotations");
	crimg_table_end(&l.table);
}

static void show_mounts(struct crimg_view *view, const struct crimg_container_info *c)
{
	static const struct crimg_column columns[] = {
		{ "destination", "MOUNT POINT", CRIMG_COLUMN_LEFT },
		{ "type", "TYPE", CRIMG_COLUMN_LEFT },
		{ "source", "SOURCE", CRIMG_COLUMN_CUT_MIDDLE },
	};
	struct crimg_table t;
	size_t count = crimg_jsondoc_count(c->spec, "mounts");
	char path[64];
	crimg_table_begin(&t, view, "mounts", columns, 3);
	t.indent = 2;
	for (size_t i = 0; i < count && i < 10000; i++) {
		crimg_table_row(&t);
		for (size_t k = 0; k < 3; k++) {
			snprintf(path, sizeof path, "mounts/%zu/%s", i, columns[k].key);
			crimg_cell_text(&t, crimg_jsondoc_string(c->spec, path));
		}
	}
	if (count > 0)
		crimg_heading(view, "Mounts that the runtime makes");
	crimg_table_end(&t);
}

// deleted.files: what the container removed from its image.
static void show_deleted(struct crimg_view *view)
{
	struct crimg_jsondoc *doc = crimg_container_document(view, "deleted.files");
	struct lines l = { .view = view, .title = "Deleted from the image" };
	crimg_group_array(view, "deleted_files");
	if (view->json != NULL)
		crimg_jsondoc_each(doc, "", each_text, view->json);
	else
		crimg_jsondoc_each(doc, "", each_line, &l);
	crimg_group_end(view);
	crimg_jsondoc_close(doc);
}

// What lies beside the checkpoint: rootfs-diff.tar, logs, volumes.
static void show_members(struct crimg_view *view)
{
	static const struct crimg_column columns[] = {
		{ "name", "MEMBER", CRIMG_COLUMN_CUT_MIDDLE }, { "bytes", "SIZE", CRIMG_COLUMN_RIGHT },
	};
	struct crimg_table t;
	size_t root = strlen(view->image->root);
	crimg_table_begin(&t, view, "members", columns, 2);
	t.indent = 2;
	for (size_t i = 0; i < view->image->count && root > 0; i++) {
		const struct crimg_image_object *o = &view->image->objects[i];
		if (strncmp(o->object.name, view->image->root, root) == 0)
			continue;
		crimg_table_row(&t);
		crimg_cell_text(&t, o->object.name);
		if (o->payload.number != CRIMG_NO_PAYLOAD)
			crimg_cell_bytes(&t, o->payload.length);
		else if (o->count > 0) // an image: its magics stand before the entries
			crimg_cell_bytes(&t, o->entries[o->count - 1].offset
			                             + o->entries[o->count - 1].span);
		else
			crimg_cell_none(&t);
	}
	if (t.cell_count > 0)
		crimg_heading(view, "Beside the checkpoint");
	crimg_table_end(&t);
}

void crimg_view_container(struct crimg_view *view)
{
	struct crimg_container_info c;
	crimg_container_find(view, &c);
	crimg_heading(view, "Container");
	crimg_group_object(view, "container");
	if (!c.found)
		crimg_line(view, CRIMG_MARK_NONE,
		           "none recorded: no config.dump or spec.dump beside the checkpoint");
	show_identity(view, &c);
	show_command(view, &c);
	show_annotations(view, &c);
	show_mounts(view, &c);
	show_deleted(view);
	show_members(view);
	crimg_group_end(view);
	crimg_container_fini(&c);
}
