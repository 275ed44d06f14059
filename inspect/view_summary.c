// View summary: what is this, who made it, when, on what, what runs in it, how big is it, is it
// complete.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"
#include "inspect/summary.h"
#include "inspect/tree_text.h"

struct totals {
	uint64_t file_bytes, page_bytes, files_in_image;
	uint64_t parent_pages;
	size_t alive, zombies, stopped, threads, compat, sessions;
};

// Bytes of a file as CRIU lays it out, whatever the image's format is: magics, frames, payload.
static uint64_t file_bytes(const struct crimg_image_object *o)
{
	bool raw = o->object.framing == CRIMG_FRAMING_RAW;
	bool one = o->object.kind == CRIMG_KIND_INVENTORY || o->object.framing == CRIMG_FRAMING_V10;
	uint64_t bytes = raw ? 0 : o->metadata_bytes + (one ? 4 : 8);
	if (o->payload.number != CRIMG_NO_PAYLOAD)
		bytes += o->payload.length;
	size_t tails = 0;
	for (size_t i = 0; i < o->count; i++) {
		bytes += o->entries[i].payload.number != CRIMG_NO_PAYLOAD
		                 ? o->entries[i].payload.length
		                 : 0;
		tails += o->entries[i].tail;
	}
	return bytes + (raw ? 0 : 4 * (o->entries_in_file - tails));
}

static void count_objects(struct crimg_view *view, struct totals *s)
{
	for (size_t i = 0; i < view->image->count; i++) {
		const struct crimg_image_object *o = &view->image->objects[i];
		if (o->object.type != CRIMG_OBJECT_FILE)
			continue;
		s->files_in_image++;
		s->file_bytes += file_bytes(o);
		s->page_bytes += o->object.kind == CRIMG_KIND_PAGES ? o->payload.length : 0;
		s->parent_pages += o->map != NULL ? o->map->parent_pages : 0;
	}
}

static void count_tasks(struct crimg_view *view, struct totals *s)
{
	for (size_t i = 0; i < view->tasks.count; i++) {
		const struct crimg_task *t = &view->tasks.list[i];
		const ThreadInfoX86 *x86 = t->core != NULL ? t->core->thread_info : NULL;
		s->alive += t->state != CRIMG_TASK_DEAD;
		s->zombies += t->state == CRIMG_TASK_DEAD;
		s->stopped += t->state == CRIMG_TASK_STOPPED;
		s->threads += t->thread_count;
		s->sessions += t->sid == t->pid;
		s->compat += x86 != NULL && x86->gpregs != NULL && x86->gpregs->has_mode
			&& x86->gpregs->mode == USER_X86_REGS_MODE__COMPAT;
	}
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

// "layer": some of its memory lies in a parent image.
static const char *what_it_is(struct crimg_view *view, const struct totals *s)
{
	const InventoryEntry *inventory =
		crimg_image_get(view->image, CRIMG_KIND_INVENTORY, 0, &view->damage);
	if (inventory == NULL)
		return "part";
	if (crimg_summary_is_core(view))
		return "core";
	if (inventory->img_version == 0)
		return "pre_dump";
	if (crimg_image_is_skeleton(view->image))
		return "skeleton";
	return s->parent_pages > 0 || crimg_image_parent_link(view->image) != NULL ? "layer" : "full";
}

const char *crimg_summary_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void title(struct crimg_view *view, const struct totals *s, const char *kind)
{
	static const struct {
		const char *kind, *text;
	} texts[] = {
		{ "full", "checkpoint" }, { "layer", "incremental checkpoint (a layer)" },
		{ "pre_dump", "pre-dump (memory only, not restorable)" },
		{ "skeleton", "skeleton of a checkpoint (names and numbers, not restorable)" },
		{ "part", "part of a checkpoint" },
		{ "core", "ELF core" },
	};
	const char *text = "";
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(texts[i].kind, kind) == 0)
			text = texts[i].text;
	const char *name = strcmp(view->options->path, "-") == 0 ? "standard input"
		: crimg_summary_base(view->options->path);
	if (s->alive > 0)
		crimg_heading(view, "%s: %s of %zu %s", name, text, s->alive,
		              plural(s->alive, "process", "processes"));
	else
		crimg_heading(view, "%s: %s", name, text);
}

static void format_field(struct crimg_table *t, const struct totals *s)
{
	struct crimg_view *v = t->view;
	const InventoryEntry *inventory =
		crimg_image_get(v->image, CRIMG_KIND_INVENTORY, 0, &v->damage);
	static const char *const versions[] = { "0", "1.0", "1.1", "1.2" };
	char bytes[32], pages[32], version[64] = "";
	bool known = inventory != NULL && inventory->img_version < 4;
	crimg_field(t, "image_version", NULL);
	crimg_cell_text(t, known ? versions[inventory->img_version] : NULL);
	if (inventory != NULL && inventory->img_version == 0)
		snprintf(version, sizeof version, ", of a pre-dump");
	else if (inventory != NULL)
		snprintf(version, sizeof version, ", image version %s",
		         known ? versions[inventory->img_version] : "unknown");
	crimg_field(t, NULL, "format");
	if (v->single && v->image->count == 1)
		crimg_cell_textf(t, "%s, a single %s image file, %s", v->image->format,
		                 crimg_kind_info(v->image->objects[0].object.kind)->name,
		                 crimg_bytes_text(s->file_bytes, bytes, sizeof bytes));
	else if (strcmp(v->image->format, "core") == 0)
		crimg_cell_textf(t, "core, %s of memory and %s beside",
		                 crimg_bytes_text(s->page_bytes, pages, sizeof pages),
		                 crimg_bytes_text(s->file_bytes - s->page_bytes, bytes, sizeof bytes));
	else
		crimg_cell_textf(t, "%s%s%s, %" PRIu64 " %s, %s (%s of it pages)", v->image->format,
		                 v->image->directory ? " directory"
		                 : v->image->archive ? " in an archive" : "",
		                 version, s->files_in_image,
		                 plural(s->files_in_image, "file", "files"),
		                 crimg_bytes_text(s->file_bytes, bytes, sizeof bytes),
		                 crimg_bytes_text(s->page_bytes, pages, sizeof pages));
	crimg_field(t, "store", NULL);
	crimg_cell_text(t, v->image->directory ? "directory"
	                   : v->image->archive ? "archive"
	                                       : "file");
	crimg_field(t, "file_count", NULL);
	crimg_cell_u64(t, s->files_in_image);
	crimg_field(t, "bytes", NULL);
	crimg_cell_u64(t, s->file_bytes);
	crimg_field(t, "page_bytes", NULL);
	crimg_cell_u64(t, s->page_bytes);
}

static void runs_field(struct crimg_table *t, const struct totals *s)
{
	char text[256] = "";
	snprintf(text, sizeof text, "%zu %s, %zu %s", s->alive,
	         plural(s->alive, "process", "processes"), s->threads,
	         plural(s->threads, "thread", "threads"));
	const struct {
		size_t count;
		const char *one, *many;
	} more[] = {
		{ s->zombies, "zombie", "zombies" }, { s->stopped, "stopped", "stopped" },
		{ s->sessions, "session", "sessions" },
	};
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		size_t used = strlen(text);
		if (more[i].count > 0)
			snprintf(text + used, sizeof text - used, ", %zu %s", more[i].count,
			         plural(more[i].count, more[i].one, more[i].many));
	}
	if (s->alive + s->zombies > 0) {
		crimg_field(t, NULL, "runs");
		crimg_cell_text(t, text);
	}
	crimg_field(t, "processes", NULL);
	crimg_cell_u64(t, s->alive);
	crimg_field(t, "zombies", NULL);
	crimg_cell_u64(t, s->zombies);
	crimg_field(t, "stopped", NULL);
	crimg_cell_u64(t, s->stopped);
	crimg_field(t, "thread_count", NULL);
	crimg_cell_u64(t, s->threads);
}

static void memory_field(struct crimg_table *t)
{
	uint64_t present[2] = { 0 }, parent[2] = { 0 };
	static const enum crimg_kind kinds[] = { CRIMG_KIND_PAGEMAP, CRIMG_KIND_PAGEMAP_SHMEM };
	char a[32], b[32], c[32];
	for (size_t k = 0; k < 2; k++)
		for (struct crimg_image_object *o = crimg_image_first(t->view->image, kinds[k]);
		     o != NULL; o = crimg_image_next(t->view->image, o)) {
			present[k] += o->map != NULL ? o->map->present_pages * CRIMG_PAGE_BYTES : 0;
			parent[k] += o->map != NULL ? o->map->parent_pages * CRIMG_PAGE_BYTES : 0;
		}
	bool any = crimg_image_first(t->view->image, kinds[0]) != NULL
		|| crimg_image_first(t->view->image, kinds[1]) != NULL;
	crimg_field(t, NULL, any ? "memory" : NULL);
	if (parent[0] + parent[1] > 0)
		crimg_cell_textf(t, "%s private, %s shared; %s more in the parent",
		                 crimg_bytes_text(present[0], a, sizeof a),
		                 crimg_bytes_text(present[1], b, sizeof b),
		                 crimg_bytes_text(parent[0] + parent[1], c, sizeof c));
	else
		crimg_cell_textf(t, "%s private, %s shared",
		                 crimg_bytes_text(present[0], a, sizeof a),
		                 crimg_bytes_text(present[1], b, sizeof b));
	crimg_field(t, "private_bytes", NULL);
	crimg_cell_u64(t, present[0]);
	crimg_field(t, "shared_bytes", NULL);
	crimg_cell_u64(t, present[1]);
	crimg_field(t, "parent_bytes", NULL);
	crimg_cell_u64(t, parent[0] + parent[1]);
}

// "16 files, 8 pipe ends, 3 memfd": how many of each type.
static void files_field(struct crimg_table *t)
{
	static const struct {
		const char *one, *many;
	} names[FD_TYPES__PIDFD + 1] = {
		{ "unknown", "unknown" }, { "file", "files" }, { "pipe end", "pipe ends" },
		{ "fifo", "fifos" }, { "internet socket", "internet sockets" },
		{ "unix socket", "unix sockets" }, { "eventfd", "eventfds" }, { "epoll", "epolls" },
		{ "inotify", "inotifies" }, { "signalfd", "signalfds" },
		{ "packet socket", "packet sockets" }, { "tty", "ttys" }, { "fanotify", "fanotifies" },
		{ "netlink socket", "netlink sockets" }, { "namespace", "namespaces" }, { "tun", "tuns" },
		{ "external file", "external files" }, { "timerfd", "timerfds" }, { "memfd", "memfds" },
		{ "bpf map", "bpf maps" }, { "pidfd", "pidfds" },
	};
	const struct crimg_files *files = &t->view->files;
	size_t counts[FD_TYPES__PIDFD + 1] = { 0 };
	char text[512] = "";
	for (size_t i = 0; i < files->count; i++)
		counts[files->list[i].type <= FD_TYPES__PIDFD ? files->list[i].type : 0]++;
	for (size_t i = 0; i <= FD_TYPES__PIDFD; i++) {
		size_t used = strlen(text);
		if (counts[i] > 0)
			snprintf(text + used, sizeof text - used, "%s%zu %s", used > 0 ? ", " : "",
			         counts[i], plural(counts[i], names[i].one, names[i].many));
	}
	if (files->count > 0) {
		crimg_field(t, NULL, crimg_summary_is_core(t->view) ? "mapped" : "open files");
		crimg_cell_text(t, text);
	}
	crimg_field(t, "open_files", NULL);
	crimg_cell_u64(t, files->count);
}

// Namespaces that differ from those of the process that made the dump.
static void namespaces_field(struct crimg_table *t)
{
	struct crimg_view *v = t->view;
	const InventoryEntry *inventory =
		crimg_image_get(v->image, CRIMG_KIND_INVENTORY, 0, &v->damage);
	const TaskKobjIdsEntry *host = inventory != NULL ? inventory->root_ids : NULL;
	const TaskKobjIdsEntry *root = v->tasks.count > 0 ? v->tasks.list[0].ids : NULL;
	char text[128] = "";
	if (host == NULL || root == NULL)
		return;
	const struct {
		const char *name;
		bool own;
	} rows[] = {
		{ "pid", root->has_pid_ns_id && root->pid_ns_id != host->pid_ns_id },
		{ "net", root->has_net_ns_id && root->net_ns_id != host->net_ns_id },
		{ "ipc", root->has_ipc_ns_id && root->ipc_ns_id != host->ipc_ns_id },
		{ "uts", root->has_uts_ns_id && root->uts_ns_id != host->uts_ns_id },
		{ "mnt", root->has_mnt_ns_id && root->mnt_ns_id != host->mnt_ns_id },
		{ "user", root->has_user_ns_id && root->user_ns_id != host->user_ns_id },
		{ "cgroup", root->has_cgroup_ns_id && root->cgroup_ns_id != host->cgroup_ns_id },
		{ "time", root->has_time_ns_id && root->time_ns_id != host->time_ns_id },
	};
	if (v->json != NULL)
		crimg_json_array(v->json, "own_namespaces");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].own && v->json != NULL)
			crimg_json_text(v->json, NULL, rows[i].name);
		else if (rows[i].own)
			snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
			         rows[i].name);
	}
	if (v->json != NULL)
		crimg_json_end(v->json);
	crimg_field(t, NULL, "namespaces");
	crimg_cell_textf(t, "%s%s", text[0] != '\0' ? "its own:" : "the host's", text);
}

static void parent_field(struct crimg_table *t)
{
	const char *target = crimg_image_parent_link(t->view->image);
	size_t layers = 1;
	for (struct crimg_image *image = t->view->image;
	     target != NULL && (image = crimg_image_parent(image, NULL)) != NULL;)
		layers++;
	crimg_field(t, NULL, target != NULL ? "parent" : NULL);
	if (layers > 1)
		crimg_cell_textf(t, "%s (%zu layers in all)", target, layers);
	else
		crimg_cell_textf(t, "%s (cannot be opened)", target != NULL ? target : "");
	crimg_field(t, "parent", NULL);
	crimg_cell_text(t, target);
	crimg_field(t, "layers", NULL);
	crimg_cell_u64(t, layers);
}

static void complete_field(struct crimg_table *t)
{
	struct crimg_view *v = t->view;
	const struct crimg_err *wrong = v->damage.code != CRIMG_OK
		|| crimg_image_whole(v->image, false, &v->damage) < 0 ? &v->damage : &v->missing;
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	bool complete = wrong->code == CRIMG_OK && !v->single;
	crimg_field(t, "complete", NULL);
	crimg_cell_bool(t, complete);
	crimg_field(t, NULL, "complete");
	crimg_err_format(wrong, text, sizeof text);
	crimg_cell_mark(t, wrong->code == CRIMG_OK ? CRIMG_MARK_GOOD : CRIMG_MARK_BAD);
	if (wrong->code == CRIMG_OK)
		crimg_cell_text(t, !complete ? "readable, but only one file of a checkpoint"
		                   : crimg_image_is_skeleton(v->image) ? "as far as its format goes" : "yes");
	else
		crimg_cell_textf(t, "no: %s", text);
}

#define ROWS_SHOWN 24u

static void short_tree(struct crimg_view *view)
{
	static const struct crimg_column columns[] = {
		{ NULL, "PID", CRIMG_COLUMN_RIGHT },
		{ NULL, "THR", CRIMG_COLUMN_RIGHT },
		{ NULL, "RSS", CRIMG_COLUMN_RIGHT },
		{ NULL, "NAME", CRIMG_COLUMN_LEFT },
		{ NULL, "COMMAND", CRIMG_COLUMN_CUT },
	};
	struct crimg_table t;
	size_t shown = view->options->all || view->tasks.count < ROWS_SHOWN + 2 ? view->tasks.count
		: ROWS_SHOWN;
	char prefix[CRIMG_TREE_PREFIX_MAX], state[96];
	if (view->json != NULL)
		return; // the view tree has it
	crimg_table_begin(&t, view, NULL, columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; i < shown && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		crimg_table_row(&t);
		crimg_cell_u64(&t, task->pid);
		crimg_cell_count(&t, task->thread_count);
		if (task->pagemap != NULL)
			crimg_cell_bytes(&t, crimg_task_pages(task) * CRIMG_PAGE_BYTES);
		else
			crimg_cell_none(&t);
		crimg_cell_textf(&t, "%s%s",
		                 crimg_tree_prefix(&view->tasks, task, prefix, sizeof prefix),
		                 task->core != NULL ? crimg_task_comm(task) : "?");
		crimg_task_state_text(task, state, sizeof state);
		crimg_cell_mark(&t, crimg_task_mark(task));
		if (task->state == CRIMG_TASK_ALIVE || task->core == NULL)
			crimg_cell_command(&t, task, "");
		else if (task->state == CRIMG_TASK_STOPPED) {
			snprintf(prefix, sizeof prefix, "(%s) ", state);
			crimg_cell_command(&t, task, prefix);
		} else {
			crimg_cell_textf(&t, "(%s)", state);
		}
	}
	if (view->tasks.count > 0)
		crimg_heading(view, "Processes");
	crimg_table_end(&t);
	if (shown < view->tasks.count)
		crimg_line(view, CRIMG_MARK_DIM, "… and %zu more (--all shows them)",
		           view->tasks.count - shown);
}

static void short_maps(struct crimg_view *view)
{
	if (view->json != NULL || crimg_image_first(view->image, CRIMG_KIND_PAGEMAP) == NULL)
		return;
	crimg_heading(view, "Memory");
	crimg_show_page_maps(view, NULL);
}

void crimg_view_summary(struct crimg_view *view)
{
	struct crimg_container_info container;
	struct crimg_origin origin;
	struct totals s = { 0 };
	struct crimg_table t;
	count_objects(view, &s);
	count_tasks(view, &s);
	crimg_origin_find(view, &origin);
	if (crimg_summary_is_kernel(view))
		crimg_summary_kernel_origin(view, &origin);
	crimg_container_find(view, &container);
	const char *kind = what_it_is(view, &s);
	title(view, &s, kind);
	crimg_record_begin(&t, view, "summary");
	crimg_field(&t, "kind", NULL);
	crimg_cell_text(&t, kind);
	format_field(&t, &s);
	if (crimg_summary_is_core(view)) {
		crimg_summary_core_maker(&t);
		crimg_summary_core_signal(&t);
	} else if (crimg_summary_is_kernel(view)) {
		crimg_summary_kernel_maker(&t, &origin);
	} else {
		crimg_summary_maker(&t, &origin);
	}
	crimg_summary_time(&t, &origin, &container);
	if (!crimg_image_is_skeleton(view->image))
		crimg_summary_cpu(&t, s.compat, s.alive);
	crimg_summary_container(&t, &container);
	runs_field(&t, &s);
	memory_field(&t);
	files_field(&t);
	namespaces_field(&t);
	parent_field(&t);
	complete_field(&t);
	crimg_summary_container_json(view, &container);
	crimg_table_end(&t);
	if (view->tasks.count > 0)
		short_tree(view);
	else
		short_maps(view);
	crimg_container_fini(&container);
}
