// Cells to lines: widths, cutting, wrapping.
#include <stdlib.h>
#include <string.h>

#include "inspect/table_out.h"

void crimg_out_nomem(struct crimg_view *view, size_t size)
{
	crimg_fail_nomem(&view->fault, size);
}

void crimg_out_put(struct crimg_view *view, const char *text, size_t length)
{
	if (crimg_buf_append(view->out, text, length, &view->fault) < 0)
		return; // noted in fault
}

void crimg_out_blanks(struct crimg_view *view, size_t count)
{
	static const char blanks[] = "                                ";
	while (count > 0) {
		size_t n = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
		crimg_out_put(view, blanks, n);
		count -= n;
	}
}

void crimg_out_marked(struct crimg_view *view, enum crimg_mark mark, const char *text)
{
	static const char *const codes[] = {
		[CRIMG_MARK_NONE] = "", [CRIMG_MARK_DIM] = "\033[2m", [CRIMG_MARK_BOLD] = "\033[1m",
		[CRIMG_MARK_GOOD] = "\033[32m", [CRIMG_MARK_WARN] = "\033[33m",
		[CRIMG_MARK_BAD] = "\033[31m",
	};
	bool colored = view->options->color && mark != CRIMG_MARK_NONE && text[0] != '\0';
	if (colored)
		crimg_out_put(view, codes[mark], strlen(codes[mark]));
	crimg_out_put(view, text, strlen(text));
	if (colored)
		crimg_out_put(view, "\033[0m", 4);
}

char *crimg_out_safe(struct crimg_view *view, const char *text)
{
	size_t length = strlen(text), size = 4 * length + 1;
	char *copy = malloc(size);
	if (copy == NULL)
		crimg_out_nomem(view, size);
	return copy == NULL ? NULL : crimg_safe_text(copy, size, text, length);
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

// The widest column that may be cut gives way by one, again and again, so that all end equally
// narrow.
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
			crimg_out_nomem(view, strlen(text));
		else
			columns = crimg_text_columns(text = cut);
	}
	size_t blanks = columns < width ? width - columns : 0;
	if (column->style == CRIMG_COLUMN_RIGHT)
		crimg_out_blanks(view, blanks);
	crimg_out_marked(view, mark, text);
	if (column->style != CRIMG_COLUMN_RIGHT)
		crimg_out_blanks(view, blanks);
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
	crimg_out_blanks(t->view, t->indent);
	for (size_t c = 0; c <= last; c++) {
		size_t width = l->widths[c];
		if (width == 0)
			continue;
		for (size_t k = c + 1; c == last && k < l->count; k++)
			width += l->widths[k] > 0 ? l->widths[k] + 2 : 0;
		put_cell(t->view, cells != NULL ? cells[c].text : l->columns[c]->title,
		         cells != NULL ? cells[c].mark : CRIMG_MARK_DIM,
		         l->columns[c]->style == CRIMG_COLUMN_RIGHT ? l->widths[c] : width,
		         l->columns[c]);
		crimg_out_put(t->view, "  ", c < last ? 2 : 0);
	}
	while (t->view->out->length > 0 && t->view->out->data[t->view->out->length - 1] == ' ')
		t->view->out->length--;
	crimg_out_put(t->view, "\n", 1);
}

void crimg_table_render(struct crimg_table *t)
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

void crimg_record_render(struct crimg_table *t)
{
	size_t widest = 0, width = t->view->options->width;
	for (size_t i = 0; i < t->cell_count; i++)
		if (crimg_text_columns(t->cells[i].label) > widest)
			widest = crimg_text_columns(t->cells[i].label);
	widest = widest < 10 ? 10 : widest;
	size_t left = t->indent + widest + 2;
	for (size_t i = 0; i < t->cell_count; i++) {
		const char *rest = t->cells[i].text;
		crimg_out_blanks(t->view, t->indent);
		crimg_out_marked(t->view, CRIMG_MARK_DIM, t->cells[i].label);
		crimg_out_blanks(t->view, widest + 2 - crimg_text_columns(t->cells[i].label));
		while (rest != NULL) {
			size_t n = wrap(rest, width > left + 20 ? width - left : 0);
			char *piece = strndup(rest, n);
			if (piece == NULL)
				crimg_out_nomem(t->view, n);
			else
				crimg_out_marked(t->view, t->cells[i].mark, piece);
			free(piece);
			crimg_out_put(t->view, "\n", 1);
			rest = rest[n] == ' ' ? rest + n + 1 : NULL;
			if (rest != NULL)
				crimg_out_blanks(t->view, left);
		}
	}
}
