// Rows that come out as aligned text or as JSON, from the same calls. A table has columns; a record
// is one row shown as lines of label and value. Knows nothing of images.
//
// Calls never fail: memory that is denied is noted in view->fault. Text from images is made safe
// here (control bytes as \xNN), so callers pass it as it is.
#ifndef CRIMG_INSPECT_TABLE_H
#define CRIMG_INSPECT_TABLE_H

#include "inspect/view.h"

enum crimg_column_style {
	CRIMG_COLUMN_LEFT,
	CRIMG_COLUMN_RIGHT,
	CRIMG_COLUMN_CUT,        // left; gives way when the line is too long, at its end
	CRIMG_COLUMN_CUT_MIDDLE, // the same, in the middle: for paths
};

struct crimg_column {
	const char *key;   // in JSON; NULL: only in text
	const char *title; // in text; NULL: only in JSON
	enum crimg_column_style style;
};

enum crimg_mark { CRIMG_MARK_NONE, CRIMG_MARK_DIM, CRIMG_MARK_BOLD, CRIMG_MARK_GOOD,
                  CRIMG_MARK_WARN, CRIMG_MARK_BAD };

struct crimg_table_cell {
	char *text;        // owned
	const char *label; // of a record's line
	enum crimg_mark mark;
};

struct crimg_table {
	struct crimg_view *view;
	const struct crimg_column *columns; // NULL: a record
	size_t column_count;
	size_t at;         // the column that the next cell belongs to
	const char *key, *label; // the same, in a record
	unsigned indent;   // blanks before each line of text
	enum crimg_mark mark; // of the next cell
	struct crimg_table_cell *cells;
	size_t cell_count, cell_capacity;
	bool row_open, in_object;
};

// A table: in JSON an array called key of one object a row.
void crimg_table_begin(struct crimg_table *t, struct crimg_view *view, const char *key,
                       const struct crimg_column *columns, size_t column_count);
void crimg_table_row(struct crimg_table *t);
// A record: in JSON an object called key; with key NULL its fields go into the object that is open.
void crimg_record_begin(struct crimg_table *t, struct crimg_view *view, const char *key);
// The next cell's key and label (either may be NULL: only text, only JSON).
void crimg_field(struct crimg_table *t, const char *key, const char *label);
// Renders what was gathered. In text, tables without rows and columns that hold only "-" are left
// out.
void crimg_table_end(struct crimg_table *t);

// In text, takes away the lines of a record that another has too. Nothing in JSON.
void crimg_record_drop_same(struct crimg_table *t, const struct crimg_table *other);
// Forgets what was gathered, instead of crimg_table_end(); text only.
void crimg_table_drop(struct crimg_table *t);

// Cells, in the order of the columns.
void crimg_cell_text(struct crimg_table *t, const char *text); // NULL: nothing
void crimg_cell_textf(struct crimg_table *t, const char *fmt, ...) CRIMG_PRINTF(2, 3);
void crimg_cell_u64(struct crimg_table *t, uint64_t value);
void crimg_cell_i64(struct crimg_table *t, int64_t value);
void crimg_cell_hex(struct crimg_table *t, uint64_t value);
void crimg_cell_octal(struct crimg_table *t, uint32_t value);
void crimg_cell_bytes(struct crimg_table *t, uint64_t value);  // human in text, a number in JSON
void crimg_cell_count(struct crimg_table *t, uint64_t value);  // 0 is nothing in text
void crimg_cell_bool(struct crimg_table *t, bool value);       // "yes", "no"
void crimg_cell_none(struct crimg_table *t);                   // null
void crimg_cell_mark(struct crimg_table *t, enum crimg_mark mark); // for the next cell
// For cells that say different things: in JSON the emitter, with the cell's key in *key, and the
// cell is taken to be written; in text NULL, and a cell must follow. The column must have a key.
struct crimg_json *crimg_cell_json(struct crimg_table *t, const char **key);

// Lines beside tables (text only, nothing in JSON). A heading has an empty line before it.
void crimg_heading(struct crimg_view *view, const char *fmt, ...) CRIMG_PRINTF(2, 3);
void crimg_line(struct crimg_view *view, enum crimg_mark mark, const char *fmt, ...)
	CRIMG_PRINTF(3, 4);

// Objects and arrays around tables (JSON only, nothing in text).
void crimg_group_object(struct crimg_view *view, const char *key);
void crimg_group_array(struct crimg_view *view, const char *key);
void crimg_group_end(struct crimg_view *view);

// Columns that UTF-8 text takes on a terminal.
size_t crimg_text_columns(const char *text);
// Cuts text to columns, with "…" at the end or in the middle. Returns a fresh string, NULL without
// memory.
char *crimg_text_cut(const char *text, size_t columns, bool middle);

#endif
