// View strings: texts in the memory that the image holds, with their addresses.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/area_text.h"
#include "inspect/command.h"
#include "inspect/file_text.h"
#include "inspect/hexdump.h"
#include "inspect/memory_range.h"
#include "inspect/memory_walk.h"
#include "inspect/string_scan.h"

#define DEFAULT_MIN 6u

struct strings {
	struct crimg_view *view;
	struct crimg_debuggee *d;
	const struct crimg_area *area; // of the text shown last
	bool told;                     // the task's heading stands
	char name[CRIMG_FILE_TEXT_MAX + 16]; // of area; "" when it has none
	uint64_t count;
	struct crimg_string_scan scan;
};

static void json_string(const struct strings *s, const struct crimg_string *string)
{
	struct crimg_json *j = s->view->json;
	crimg_json_object(j, NULL);
	crimg_task_json(s->view, s->d->task);
	crimg_json_hex(j, "address", string->address);
	crimg_json_text(j, "encoding", string->utf16 ? "utf-16le" : "ascii");
	crimg_json_text(j, "area", s->name[0] != '\0' ? s->name : NULL);
	crimg_json_text_n(j, "text", string->text, string->kept);
	crimg_json_u64(j, "length", string->length);
	crimg_json_end(j);
}

static void put(struct crimg_view *view, const char *text, size_t length)
{
	if (crimg_buf_append(view->out, text, length, &view->fault) < 0)
		return; // noted in fault
}

// Written as it is, since nothing but printable characters and tabs is in it.
static void text_string(const struct strings *s, const struct crimg_string *string)
{
	char head[64], cut[64];
	int n = snprintf(head, sizeof head, "%0*llx  %s  ",
	                 (int)crimg_address_digits(s->d->is_32),
	                 (unsigned long long)string->address, string->utf16 ? "utf16" : "ascii");
	put(s->view, head, (size_t)n);
	put(s->view, string->text, string->kept);
	n = string->kept == string->length ? 0
		: snprintf(cut, sizeof cut, "… (%llu characters)", (unsigned long long)string->length);
	put(s->view, cut, (size_t)n);
	put(s->view, "\n", 1);
}

static void area_line(struct strings *s)
{
	char label[64], permissions[5];
	if (!s->told)
		crimg_heading(s->view, "%s", crimg_task_label(s->d->task, label, sizeof label));
	s->told = true;
	crimg_line(s->view, CRIMG_MARK_DIM, "%s, %s", s->name[0] != '\0' ? s->name : "private memory",
	           crimg_area_permissions(s->area->vma, permissions));
}

static void show_string(void *context, const struct crimg_string *string)
{
	struct strings *s = context;
	if (s->area == NULL || string->address < s->area->start || string->address >= s->area->end) {
		s->area = crimg_space_find(&s->d->space, string->address);
		if (s->area == NULL)
			return;
		crimg_area_text(s->view, s->d->task, s->area->vma, s->name, sizeof s->name);
		area_line(s);
	}
	s->count++;
	if (s->view->json != NULL)
		json_string(s, string);
	else
		text_string(s, string);
	crimg_view_flush(s->view);
}

// Files are on disk, where strings(1) finds them; only what --at names is looked at here.
static bool visit_stretch(void *context, const struct crimg_stretch *stretch)
{
	static const uint8_t zero[1];
	struct strings *s = context;
	bool wanted = stretch->why == NULL && stretch->kind != CRIMG_BYTES_ZERO
		&& (stretch->kind != CRIMG_BYTES_FILE || s->view->options->at != NULL);
	// The NUL that the last character of a UTF-16 text needs may be the first byte of untouched zeros.
	if (stretch->kind == CRIMG_BYTES_ZERO && s->scan.next == stretch->start)
		crimg_string_scan_bytes(&s->scan, stretch->start, zero, sizeof zero);
	return wanted;
}

static void visit_bytes(void *context, uint64_t address, const uint8_t *data, size_t length)
{
	struct strings *s = context;
	crimg_string_scan_bytes(&s->scan, address, data, length);
}

static void search_range(void *context, const struct crimg_memory_range *range)
{
	struct strings *s = context;
	struct crimg_memory_visitor visitor = { s, visit_stretch, visit_bytes };
	s->d = range->d;
	s->area = NULL;
	s->told = false;
	crimg_memory_walk(range->d, range->start, range->end, &visitor);
	crimg_string_scan_end(&s->scan);
}

void crimg_view_strings(struct crimg_view *view)
{
	uint32_t min = view->options->min_length;
	struct strings *s = calloc(1, sizeof *s);
	if (s == NULL) {
		crimg_fail_nomem(&view->fault, sizeof *s);
		return;
	}
	s->view = view;
	crimg_string_scan_init(&s->scan, min > 0 ? min : DEFAULT_MIN, show_string, s);
	crimg_group_array(view, "strings");
	crimg_memory_ranges(view, UINT64_MAX, search_range, s);
	crimg_group_end(view);
	if (s->count == 0 && !crimg_view_failed(view))
		crimg_line(view, CRIMG_MARK_NONE, "no texts of %u characters and more",
		           min > 0 ? min : DEFAULT_MIN);
	free(s);
}
