// Cells in, text or JSON out. JSON goes out at once; text waits until all widths are known.
#include "inspect/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"

static void fault(struct crimg_view *view, size_t size)
{
	crimg_fail_nomem(&view->fault, size);
}

static void put(struct crimg_view *view, const char *text, size_t length)
{
	if (crimg_buf_append(view->out, text, length, &view->fault) < 0)
		return; // noted in fault
}

static void put_blanks(struct crimg_view *view, size_t count)
{
	static const char blanks[] = "                                ";
	while (count > 0) {
		size_t n = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
		put(view, blanks, n);
		count -= n;
	}
}

static void put_marked(struct crimg_view *view, enum crimg_mark mark, const char *text)
{
	static const char *const codes[] = {
		[CRIMG_MARK_NONE] = "", [CRIMG_MARK_DIM] = "\033[2m", [CRIMG_MARK_BOLD] = "\033[1m",
		[CRIMG_MARK_GOOD] = "\033[32m", [CRIMG_MARK_WARN] = "\033[33m",
		[CRIMG_MARK_BAD] = "\033[31m",
	};
	bool colored = view->options->color && mark != CRIMG_MARK_NONE && text[0] != '\0';
	if (colored)
		put(view, codes[mark], strlen(codes[mark]));
	put(view, text, strlen(text));
	if (colored)
		put(view, "\033[0m", 4);
}

// A safe copy of text, or NULL.
static char *safe_copy(struct crimg_view *view, const char *text)
{
	size_t length = strlen(text), size = 4 * length + 1;
	char *copy = malloc(size);
	if (copy == NULL)
		fault(view, size);
	return copy == NULL ? NULL : crimg_safe_text(copy, size, text, length);
}

// Formats into a fresh string, or NULL.
static char *format(struct crimg_view *view, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);
	if (text == NULL)
		fault(view, length < 0 ? 0 : (size_t)length + 1);
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
	keep_cell(t, safe_copy(t->view, text));
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

#define MAX_COLUMNS 32

// Columns that have a title, with their widths; a width of 0 hides a column that says nothing.
struct layout {
	const struct crimg_column *columns[MAX_COLUMNS];
	size_t widths[MAX_COLUMNS];
	size_t count;
};

static size_t total_width(const struct layout *l, unsigned indent)
{
	size_t total = indent, shown = 0;
	for (size_t i = 0; i < l->count; i++) {
		total += l->widths[i];
		shown += l->widths[i] > 0;
	}
	return total + (shown > 0 ? 2 * (shown - 1) : 0);
}

#define NARROWEST 8

// The widest column that may be cut gives way by one, again and again, so that all end equally narrow.
static void fit(struct layout *l, unsigned indent, unsigned width)
{
	size_t total = total_width(l, indent);
	while (width > 0 && total > width) {
		size_t best = l->count;
		for (size_t i = 0; i < l->count; i++)
			if (l->columns[i]->style >= CRIMG_COLUMN_CUT && l->widths[i] > NARROWEST
			    && (best == l->count || l->widths[i] > l->widths[best]))
				best = i;
		if (best == l->count)
			return;
		// Far too wide columns come down at once.
		size_t cut = l->widths[best] > width ? l->widths[best] - width : 1;
		l->widths[best] -= cut;
		total -= cut;
	}
}

static bool says_something(const char *text)
{
	return text[0] != '\0' && strcmp(text, "-") != 0;
}

static void measure(const struct crimg_table *t, struct layout *l)
{
	*l = (struct layout){ .count = 0 };
	for (size_t i = 0; i < t->column_count && l->count < MAX_COLUMNS; i++)
		if (t->columns[i].title != NULL)
			l->columns[l->count++] = &t->columns[i];
	for (size_t i = 0; l->count > 0 && i < t->cell_count; i++) {
		size_t *width = &l->widths[i % l->count];
		size_t cell = crimg_text_columns(t->cells[i].text);
		size_t title = crimg_text_columns(l->columns[i % l->count]->title);
		if (*width == 0 && says_something(t->cells[i].text))
			*width = title;
		if (*width > 0 && cell > *width)
			*width = cell;
	}
}

static void put_cell(struct crimg_view *view, const char *text, enum crimg_mark mark, size_t width,
                     const struct crimg_column *column)
{
	size_t columns = crimg_text_columns(text);
	char *cut = NULL;
	if (columns > width && column->style >= CRIMG_COLUMN_CUT) {
		cut = crimg_text_cut(text, width, column->style == CRIMG_COLUMN_CUT_MIDDLE);
		if (cut == NULL)
			fault(view, strlen(text));
		else
			columns = crimg_text_columns(text = cut);
	}
	size_t blanks = columns < width ? width - columns : 0;
	if (column->style == CRIMG_COLUMN_RIGHT)
		put_blanks(view, blanks);
	put_marked(view, mark, text);
	if (column->style != CRIMG_COLUMN_RIGHT)
		put_blanks(view, blanks);
	free(cut);
}

// One row; a cell with nothing behind it may fill the rest of the line.
static void put_row(const struct crimg_table *t, const struct layout *l,
                    const struct crimg_table_cell *cells)
{
	size_t last = 0;
	for (size_t c = 0; c < l->count; c++)
		if (l->widths[c] > 0 && (cells == NULL || cells[c].text[0] != '\0'))
			last = c;
	put_blanks(t->view, t->indent);
	for (size_t c = 0; c <= last; c++) {
		size_t width = l->widths[c];
		if (width == 0)
			continue;
		for (size_t k = c + 1; c == last && k < l->count; k++)
			width += l->widths[k] > 0 ? l->widths[k] + 2 : 0;
		put_cell(t->view, cells != NULL ? cells[c].text : l->columns[c]->title,
		         cells != NULL ? cells[c].mark : CRIMG_MARK_DIM,
		         l->columns[c]->style == CRIMG_COLUMN_RIGHT ? l->widths[c] : width, l->columns[c]);
		put(t->view, "  ", c < last ? 2 : 0);
	}
	while (t->view->out->length > 0 && t->view->out->data[t->view->out->length - 1] == ' ')
		t->view->out->length--;
	put(t->view, "\n", 1);
}

static void render_table(struct crimg_table *t)
{
	struct layout l;
	measure(t, &l);
	fit(&l, t->indent, t->view->options->width);
	if (t->cell_count == 0)
		return;
	put_row(t, &l, NULL);
	for (size_t i = 0; i + l.count <= t->cell_count; i += l.count)
		put_row(t, &l, &t->cells[i]);
}

// The part of text that fits into columns: up to the last blank, or all of a word that is too long.
static size_t wrap(const char *text, size_t columns)
{
	size_t good = 0, length = strlen(text);
	if (columns == 0 || crimg_text_columns(text) <= columns)
		return length;
	for (size_t i = 0, column = 0; i < length; i++) {
		column += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (text[i] == ' ' && (column <= columns + 1 || good == 0))
			good = i;
		if (column > columns && good > 0)
			break;
	}
	return good > 0 ? good : length;
}

static void render_record(struct crimg_table *t)
{
	size_t widest = 0, width = t->view->options->width;
	for (size_t i = 0; i < t->cell_count; i++)
		if (crimg_text_columns(t->cells[i].label) > widest)
			widest = crimg_text_columns(t->cells[i].label);
	widest = widest < 10 ? 10 : widest;
	size_t left = t->indent + widest + 2;
	for (size_t i = 0; i < t->cell_count; i++) {
		const char *rest = t->cells[i].text;
		put_blanks(t->view, t->indent);
		put_marked(t->view, CRIMG_MARK_DIM, t->cells[i].label);
		put_blanks(t->view, widest + 2 - crimg_text_columns(t->cells[i].label));
		while (rest != NULL) {
			size_t n = wrap(rest, width > left + 20 ? width - left : 0);
			char *piece = strndup(rest, n);
			if (piece == NULL)
				fault(t->view, n);
			else
				put_marked(t->view, t->cells[i].mark, piece);
			free(piece);
			put(t->view, "\n", 1);
			rest = rest[n] == ' ' ? rest + n + 1 : NULL;
			if (rest != NULL)
				put_blanks(t->view, left);
		}
	}
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
		render_table(t);
	} else if (j == NULL) {
		render_record(t);
	}
	crimg_table_drop(t);
	crimg_view_flush(t->view);
}

static void put_line(struct crimg_view *view, enum crimg_mark mark, const char *fmt, va_list ap)
{
	char *text = format(view, fmt, ap);
	char *safe = text != NULL ? safe_copy(view, text) : NULL;
	free(text);
	if (safe == NULL)
		return;
	put_marked(view, mark, safe);
	put(view, "\n", 1);
	free(safe);
}

void crimg_heading(struct crimg_view *view, const char *fmt, ...)
{
	if (view->json != NULL)
		return;
	if (view->begun)
		put(view, "\n", 1);
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
