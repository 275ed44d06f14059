// Cells in, text or JSON out. JSON goes out at once; text waits until all widths are known.
#include "inspect/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "inspect/table_out.h"

// Formats into a fresh string, or NULL.
static char *format(struct crimg_view *view, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static char *format(struct crimg_view *view, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);
	if (text == NULL)
		crimg_out_nomem(view, length < 0 ? 0 : (size_t)length + 1);
	else
		vsnprintf(text, (size_t)length + 1, fmt, ap);
	return text;
}

void crimg_table_begin(struct crimg_table *t, struct crimg_view *view, const char *key,
                       const struct crimg_column *columns, size_t column_count)
{
	*t = (struct crimg_table){ .view = view, .columns = columns, .column_count = column_count };
	if (view->json != NULL)
		crimg_json_array(view->json, key);
}

void crimg_record_begin(struct crimg_table *t, struct crimg_view *view, const char *key)
{
	*t = (struct crimg_table){ .view = view };
	if (view->json != NULL && key != NULL) {
		crimg_json_object(view->json, key);
		t->in_object = true;
	}
}

void crimg_table_row(struct crimg_table *t)
{
	if (t->view->json != NULL && t->row_open)
		crimg_json_end(t->view->json);
	if (t->view->json != NULL)
		crimg_json_object(t->view->json, NULL);
	t->row_open = true;
	t->at = 0;
}

void crimg_field(struct crimg_table *t, const char *key, const char *label)
{
	t->key = key;
	t->label = label;
}

// Moves on to the next cell; *key and *title are those of this one.
static void take_cell(struct crimg_table *t, const char **key, const char **title)
{
	*key = t->key;
	*title = t->label;
	if (t->columns != NULL && t->at < t->column_count) {
		*key = t->columns[t->at].key;
		*title = t->columns[t->at].title;
		t->at++;
	}
}

struct crimg_json *crimg_cell_json(struct crimg_table *t, const char **key)
{
	const char *title;
	if (t->view->json == NULL)
		return NULL;
	take_cell(t, key, &title);
	return *key != NULL ? t->view->json : NULL;
}

void crimg_cell_mark(struct crimg_table *t, enum crimg_mark mark)
{
	t->mark = mark;
}

// Takes over text, which may be NULL for want of memory.
static void keep_cell(struct crimg_table *t, char *text)
{
	const char *key, *title;
	void *array = t->cells;
	take_cell(t, &key, &title);
	enum crimg_mark mark = t->mark;
	t->mark = CRIMG_MARK_NONE;
	if (title == NULL || text == NULL
	    || crimg_grow(&array, &t->cell_capacity, t->cell_count, sizeof *t->cells,
	                  &t->view->fault) < 0) {
		free(text);
		return;
	}
	t->cells = array;
	t->cells[t->cell_count++] = (struct crimg_table_cell){ text, title, mark };
}

static void text_cell(struct crimg_table *t, const char *text)
{
	keep_cell(t, crimg_out_safe(t->view, text));
}

void crimg_cell_text(struct crimg_table *t, const char *text)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_text(j, key, text);
	else if (t->view->json == NULL)
		text_cell(t, text != NULL ? text : "-");
}

void crimg_cell_textf(struct crimg_table *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = format(t->view, fmt, ap);
	va_end(ap);
	if (text != NULL)
		crimg_cell_text(t, text);
	free(text);
}

void crimg_cell_u64(struct crimg_table *t, uint64_t value)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_u64(j, key, value);
	else if (t->view->json == NULL) {
		char text[32];
		snprintf(text, sizeof text, "%" PRIu64, value);
		text_cell(t, text);
	}
}

void crimg_cell_count(struct crimg_table *t, uint64_t value)
{
	if (t->view->json == NULL && value == 0)
		text_cell(t, "-");
	else
		crimg_cell_u64(t, value);
}

void crimg_cell_i64(struct crimg_table *t, int64_t value)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_i64(j, key, value);
	else if (t->view->json == NULL) {
		char text[32];
		snprintf(text, sizeof text, "%" PRId64, value);
		text_cell(t, text);
	}
}

void crimg_cell_hex(struct crimg_table *t, uint64_t value)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_hex(j, key, value);
	else if (t->view->json == NULL) {
		char text[32];
		snprintf(text, sizeof text, "0x%" PRIx64, value);
		text_cell(t, text);
	}
}

void crimg_cell_octal(struct crimg_table *t, uint32_t value)
{
	crimg_cell_textf(t, "0%o", value);
}

void crimg_cell_bytes(struct crimg_table *t, uint64_t value)
{
	char text[32];
	if (t->view->json != NULL)
		crimg_cell_u64(t, value);
	else
		text_cell(t, crimg_bytes_text(value, text, sizeof text));
}

void crimg_cell_bool(struct crimg_table *t, bool value)
{
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL)
		crimg_json_bool(j, key, value);
	else if (t->view->json == NULL)
		text_cell(t, value ? "yes" : "no");
}

void crimg_cell_none(struct crimg_table *t)
{
	crimg_cell_text(t, NULL);
}

void crimg_record_drop_same(struct crimg_table *t, const struct crimg_table *other)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->cell_count; i++) {
		bool same = false;
		for (size_t k = 0; k < other->cell_count && !same; k++)
			same = strcmp(t->cells[i].label, other->cells[k].label) == 0
				&& strcmp(t->cells[i].text, other->cells[k].text) == 0;
		if (same)
			free(t->cells[i].text);
		else
			t->cells[kept++] = t->cells[i];
	}
	t->cell_count = kept;
}

void crimg_table_drop(struct crimg_table *t)
{
	for (size_t i = 0; i < t->cell_count; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->cell_count = t->cell_capacity = 0;
}

void crimg_table_end(struct crimg_table *t)
{
	struct crimg_json *j = t->view->json;
	if (j != NULL && t->columns != NULL) {
		if (t->row_open)
			crimg_json_end(j);
		crimg_json_end(j);
	} else if (j != NULL && t->in_object) {
		crimg_json_end(j);
	} else if (j == NULL && t->columns != NULL) {
		crimg_table_render(t);
	} else if (j == NULL) {
		crimg_record_render(t);
	}
	crimg_table_drop(t);
	crimg_view_flush(t->view);
}

static void put_line(struct crimg_view *view, enum crimg_mark mark, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void put_line(struct crimg_view *view, enum crimg_mark mark, const char *fmt, va_list ap)
{
	char *text = format(view, fmt, ap);
	char *safe = text != NULL ? crimg_out_safe(view, text) : NULL;
	free(text);
	if (safe == NULL)
		return;
	crimg_out_marked(view, mark, safe);
	crimg_out_put(view, "\n", 1);
	free(safe);
}

void crimg_heading(struct crimg_view *view, const char *fmt, ...)
{
	if (view->json != NULL)
		return;
	if (view->begun)
		crimg_out_put(view, "\n", 1);
	view->begun = true;
	va_list ap;
	va_start(ap, fmt);
	put_line(view, CRIMG_MARK_BOLD, fmt, ap);
	va_end(ap);
}

void crimg_line(struct crimg_view *view, enum crimg_mark mark, const char *fmt, ...)
{
	if (view->json != NULL)
		return;
	view->begun = true;
	va_list ap;
	va_start(ap, fmt);
	put_line(view, mark, fmt, ap);
	va_end(ap);
}

void crimg_group_object(struct crimg_view *view, const char *key)
{
	if (view->json != NULL)
		crimg_json_object(view->json, key);
}

void crimg_group_array(struct crimg_view *view, const char *key)
{
	if (view->json != NULL)
		crimg_json_array(view->json, key);
}

void crimg_group_end(struct crimg_view *view)
{
	if (view->json != NULL)
		crimg_json_end(view->json);
}
