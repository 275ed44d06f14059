// View maps: the areas of every address space, what they are, and how much of them the image holds.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/names.h"
#include "inspect/area_text.h"
#include "inspect/command.h"
#include "inspect/creds_extras.h"
#include "inspect/file_text.h"

static const struct crimg_column columns[] = {
	{ "start", NULL, CRIMG_COLUMN_RIGHT },
	{ "end", NULL, CRIMG_COLUMN_RIGHT },
	{ NULL, "ADDRESSES", CRIMG_COLUMN_RIGHT },
	{ "permissions", "PERM", CRIMG_COLUMN_LEFT },
	{ "bytes", "SIZE", CRIMG_COLUMN_RIGHT },
	{ "bytes_in_image", "HERE", CRIMG_COLUMN_RIGHT },
	{ "bytes_in_parent", "PARENT", CRIMG_COLUMN_RIGHT },
	{ "flags", NULL, CRIMG_COLUMN_LEFT },
	{ "status", NULL, CRIMG_COLUMN_LEFT },
	{ "offset", NULL, CRIMG_COLUMN_RIGHT },
	{ "name", NULL, CRIMG_COLUMN_LEFT },
	{ "label", NULL, CRIMG_COLUMN_LEFT },
	{ "advice", NULL, CRIMG_COLUMN_LEFT },
	{ NULL, "WHAT", CRIMG_COLUMN_CUT_MIDDLE },
};

struct held {
	uint64_t present, parent; // bytes
};

static void add_pages(const struct crimg_image_object *o, uint64_t start, uint64_t end,
                      struct held *held)
{
	uint64_t present, parent;
	if (o == NULL || o->map == NULL || !o->sorted)
		return;
	crimg_memory_count(o->map, start, end, &present, &parent);
	held->present += present * CRIMG_PAGE_BYTES;
	held->parent += parent * CRIMG_PAGE_BYTES;
}

static struct held held_of(const struct crimg_task *task, const struct crimg_area *area)
{
	struct held held = { 0, 0 };
	uint64_t bytes = area->end - area->start;
	add_pages(task->pagemap, area->start, area->end, &held);
	uint64_t offset = crimg_area_offset(area, area->start);
	add_pages(area->segment, offset, offset + bytes, &held);
	return held;
}

// Flags that change what the kernel does; what every area has says nothing.
static void note_text(const VmaEntry *vma, char *out, size_t size)
{
	static const struct {
		uint32_t bit;
		bool status;
		const char *name;
	} rows[] = {
		{ 0x100, false, "growsdown" }, { 0x2000, false, "locked" }, { 0x4000, false, "noreserve" },
		{ 0x40000, false, "hugetlb" }, { 0x8000000, false, "droppable" },
		{ 1u << 15, true, "shadow stack" }, { 1u << 16, true, "guard" },
		{ 1u << 17, true, "uprobes" }, { 1u << 27, true, "plugin" },
	};
	char advice[128];
	out[0] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (((rows[i].status ? vma->status : vma->flags) & rows[i].bit) != 0)
			snprintf(out + strlen(out), size - strlen(out), "%s%s",
			         out[0] != '\0' ? " " : "", rows[i].name);
	if (vma->has_madv && vma->madv != 0)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", out[0] != '\0' ? " " : "",
		         crimg_flags_text(CRIMG_NAMES_MADVISE, vma->madv, advice, sizeof advice));
}

// In text name, offset and notes share a column: few areas have more than one of them.
static void what_cells(struct crimg_table *t, const struct crimg_task *task,
                       const struct crimg_area *area)
{
	const VmaEntry *vma = area->vma;
	uint64_t at = crimg_area_offset(area, area->start);
	char name[CRIMG_FILE_TEXT_MAX + 16], note[256], advice[128], offset[32] = "";
	crimg_area_text(t->view, task, vma, name, sizeof name);
	note_text(vma, note, sizeof note);
	const char *label = crimg_area_label(t->view, task->pid, area->start);
	crimg_cell_text(t, name[0] != '\0' ? name : NULL);
	crimg_cell_text(t, label);
	if (label != NULL && name[0] == '\0')
		snprintf(name, sizeof name, "[anon:%s]", label);
	else if (label != NULL)
		snprintf(name + strlen(name), sizeof name - strlen(name), " [%s]", label);
	crimg_cell_text(t, crimg_flags_text(CRIMG_NAMES_MADVISE, vma->has_madv ? vma->madv : 0,
	                                    advice, sizeof advice));
	if (at != 0 && (vma->status & CRIMG_VMA_FILE) != 0)
		snprintf(offset, sizeof offset, " +0x%" PRIx64, at);
	crimg_cell_textf(t, "%s%s%s%s", name, offset, name[0] != '\0' && note[0] != '\0' ? " " : "",
	                 note);
}

static void area_row(struct crimg_table *t, const struct crimg_task *task,
                     const struct crimg_area *area)
{
	const VmaEntry *vma = area->vma;
	struct held held = held_of(task, area);
	char flags[256], status[256], permissions[5];
	crimg_table_row(t);
	crimg_cell_hex(t, area->start);
	crimg_cell_hex(t, area->end);
	crimg_cell_textf(t, "%" PRIx64 "-%" PRIx64, area->start, area->end);
	crimg_cell_text(t, crimg_area_permissions(vma, permissions));
	crimg_cell_bytes(t, area->end - area->start);
	if (held.present == 0 && t->view->json == NULL)
		crimg_cell_none(t);
	else
		crimg_cell_bytes(t, held.present);
	if (held.parent == 0 && t->view->json == NULL)
		crimg_cell_none(t);
	else
		crimg_cell_bytes(t, held.parent);
	crimg_cell_text(t, crimg_flags_text(CRIMG_NAMES_MMAP_FLAGS, vma->flags, flags, sizeof flags));
	crimg_cell_text(
		t, crimg_flags_text(CRIMG_NAMES_VMA_STATUS, vma->status, status, sizeof status));
	crimg_cell_hex(t, crimg_area_offset(area, area->start));
	what_cells(t, task, area);
}

static void heading(struct crimg_view *view, const struct crimg_task *task,
                    const struct crimg_space *space)
{
	char label[64], size[32], held[32];
	uint64_t total = 0;
	for (size_t i = 0; i < space->count; i++)
		total += space->areas[i].end - space->areas[i].start;
	crimg_heading(view, "%s: %zu areas, %s, %s of private memory in the image",
	              crimg_task_label(task, label, sizeof label), space->count,
	              crimg_bytes_text(total, size, sizeof size),
	              crimg_bytes_text(crimg_task_pages(task) * CRIMG_PAGE_BYTES, held, sizeof held));
}

static void show_task(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_space space = { .count = 0 };
	struct crimg_table t;
	char text[CRIMG_FILE_TEXT_MAX];
	if (crimg_space_load(view->image, &view->files, task, &space, &view->damage) < 0
	    && space.areas == NULL)
		return;
	heading(view, task, &space);
	crimg_group_object(view, NULL);
	crimg_task_json(view, task);
	crimg_record_begin(&t, view, NULL);
	t.indent = 2;
	if (task->mm != NULL) {
		crimg_field(&t, "executable", "executable");
		crimg_cell_text(
			&t, crimg_file_text_by_id(view, task->mm->exe_file_id, text, sizeof text));
		crimg_field(&t, "heap_start", NULL);
		crimg_cell_hex(&t, task->mm->mm_start_brk);
		crimg_field(&t, "heap_end", NULL);
		crimg_cell_hex(&t, task->mm->mm_brk);
	}
	crimg_table_end(&t);
	crimg_table_begin(&t, view, "areas", columns, sizeof columns / sizeof columns[0]);
	t.indent = 2;
	for (size_t i = 0; i < space.count && !crimg_view_failed(view); i++)
		area_row(&t, task, &space.areas[i]);
	crimg_table_end(&t);
	crimg_group_end(view);
	crimg_space_fini(&space);
}

void crimg_view_maps(struct crimg_view *view)
{
	crimg_group_array(view, "maps");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state != CRIMG_TASK_DEAD && crimg_view_wants(view, task))
			show_task(view, task);
	}
	crimg_group_end(view);
}
