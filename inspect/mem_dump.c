// Three visitors of memory.
#include "inspect/mem_dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/area_text.h"
#include "inspect/command.h"
#include "inspect/file_text.h"
#include "inspect/hexdump.h"
#include "inspect/memory_walk.h"

#define AREA_NAME_MAX (CRIMG_FILE_TEXT_MAX + 16)

static const char *how_compared(struct crimg_debuggee *d, const struct crimg_area *area)
{
	struct crimg_file_identity id;
	bool told = crimg_area_identity(d->view, area, &id);
	return told && id.build_id_length == 0 && id.size != UINT64_MAX ? "same size" : "same build-id";
}

char *crimg_stretch_text(struct crimg_debuggee *d, const struct crimg_stretch *s, char *out,
                         size_t size)
{
	if (s->broken)
		snprintf(out, size, "cannot be read: %s", s->why);
	else if (s->kind == CRIMG_BYTES_FILE && s->why != NULL)
		snprintf(out, size, "not in the image: equal to the file that is mapped; %s", s->why);
	else if (s->kind == CRIMG_BYTES_FILE)
		snprintf(out, size, "from the sysroot: %s (%s)", s->file->path,
		         how_compared(d, s->area));
	else if (s->why != NULL)
		snprintf(out, size, "%s", s->why);
	else
		snprintf(out, size, "%s", s->kind == CRIMG_BYTES_ZERO ? "never touched: zero"
		         : s->kind != CRIMG_BYTES_SEGMENT ? "from the image"
		         : (s->area->vma->status & CRIMG_VMA_FILE) != 0
		                         && (s->area->vma->status & CRIMG_VMA_MEMFD) == 0
		                 ? "from the image, deleted file" : "from the image, shared memory");
	return out;
}

struct text_dump {
	struct crimg_debuggee *d;
	const struct crimg_area *area; // of the last heading
	bool begun;
	struct crimg_hexdump hex;
};

static void area_heading(struct text_dump *t, uint64_t start)
{
	char label[64], name[AREA_NAME_MAX], into[32] = "", permissions[5];
	const struct crimg_area *area = t->area;
	crimg_task_label(t->d->task, label, sizeof label);
	if (area == NULL) {
		crimg_heading(t->d->view, "%s: between areas", label);
		return;
	}
	crimg_area_text(t->d->view, t->d->task, area->vma, name, sizeof name);
	if (start != area->start)
		snprintf(into, sizeof into, "+0x%" PRIx64, start - area->start);
	crimg_heading(t->d->view, "%s: %s%s, %s", label, name[0] != '\0' ? name : "private memory", into,
	              crimg_area_permissions(area->vma, permissions));
}

static bool text_stretch(void *context, const struct crimg_stretch *s)
{
	struct text_dump *t = context;
	char text[AREA_NAME_MAX + 512];
	bool absent = s->why != NULL;
	crimg_hexdump_end(&t->hex);
	if (!t->begun || t->area != s->area) {
		t->area = s->area;
		area_heading(t, s->start);
	}
	t->begun = true;
	crimg_line(t->d->view, absent ? CRIMG_MARK_WARN : CRIMG_MARK_DIM, "%0*" PRIx64 "-%0*" PRIx64 ": %s",
	           (int)crimg_address_digits(t->d->is_32), s->start,
	           (int)crimg_address_digits(t->d->is_32), s->end,
	           crimg_stretch_text(t->d, s, text, sizeof text));
	t->hex = crimg_hexdump_make(t->d->view, t->d->is_32, s->start);
	if (!absent && s->kind == CRIMG_BYTES_ZERO)
		crimg_hexdump_zeros(&t->hex, s->end - s->start);
	return true;
}

static void text_bytes(void *context, uint64_t address, const uint8_t *data, size_t length)
{
	struct text_dump *t = context;
	(void)address; // the hexdump goes on where it is
	crimg_hexdump_bytes(&t->hex, data, length);
}

void crimg_mem_dump_text(const struct crimg_memory_range *range)
{
	struct text_dump t = { .d = range->d };
	struct crimg_memory_visitor visitor = { &t, text_stretch, text_bytes };
	t.hex = crimg_hexdump_make(range->d->view, range->d->is_32, range->start);
	crimg_memory_walk(range->d, range->start, range->end, &visitor);
	crimg_hexdump_end(&t.hex);
}

#define JSON_PIECE ((size_t)1 << 16) // bytes in one string

struct json_dump {
	struct crimg_debuggee *d;
	const struct crimg_memory_range *range;
	const struct crimg_area *area; // of the object that is open
	bool begun;
	enum crimg_bytes kind;
	char *hex;                     // 2 * JSON_PIECE
};

static void json_area(struct json_dump *t, const struct crimg_stretch *s)
{
	struct crimg_view *view = t->d->view;
	char name[AREA_NAME_MAX] = "", permissions[5];
	uint64_t end = s->area != NULL ? crimg_min_u64(s->area->end, t->range->end) : s->end;
	if (t->begun) {
		crimg_json_end(view->json);
		crimg_json_end(view->json);
	}
	t->begun = true;
	t->area = s->area;
	crimg_json_object(view->json, NULL);
	crimg_task_json(view, t->d->task);
	crimg_json_hex(view->json, "start", s->start);
	crimg_json_hex(view->json, "end", end);
	if (s->area != NULL)
		crimg_area_text(view, t->d->task, s->area->vma, name, sizeof name);
	crimg_json_text(view->json, "area", name[0] != '\0' ? name : NULL);
	crimg_json_text(view->json, "permissions",
	                s->area != NULL ? crimg_area_permissions(s->area->vma, permissions) : NULL);
	crimg_json_array(view->json, "stretches");
}

// One element; data may be NULL.
static void json_piece(struct json_dump *t, uint64_t start, uint64_t end, const uint8_t *data,
                       const char *why)
{
	static const char digits[] = "0123456789abcdef";
	struct crimg_json *j = t->d->view->json;
	crimg_json_object(j, NULL);
	crimg_json_hex(j, "start", start);
	crimg_json_hex(j, "end", end);
	crimg_json_text(j, "origin", crimg_bytes_word(t->kind));
	size_t length = data != NULL ? (size_t)(end - start) : 0;
	for (size_t i = 0; i < length; i++) {
		t->hex[2 * i] = digits[data[i] >> 4];
		t->hex[2 * i + 1] = digits[data[i] & 15];
	}
	if (data != NULL)
		crimg_json_text_n(j, "data", t->hex, 2 * length);
	else
		crimg_json_null(j, "data");
	crimg_json_text(j, "reason", why);
	crimg_json_end(j);
	crimg_view_flush(t->d->view);
}

static bool json_stretch(void *context, const struct crimg_stretch *s)
{
	struct json_dump *t = context;
	char text[AREA_NAME_MAX + 512];
	if (!t->begun || t->area != s->area)
		json_area(t, s);
	t->kind = s->kind;
	if (s->why != NULL)
		json_piece(t, s->start, s->end, NULL, crimg_stretch_text(t->d, s, text, sizeof text));
	else if (s->kind == CRIMG_BYTES_ZERO)
		json_piece(t, s->start, s->end, NULL, NULL);
	return true;
}

static void json_bytes(void *context, uint64_t address, const uint8_t *data, size_t length)
{
	struct json_dump *t = context;
	for (size_t at = 0; at < length && !crimg_view_failed(t->d->view); at += JSON_PIECE) {
		size_t n = (size_t)crimg_min_u64(length - at, JSON_PIECE);
		json_piece(t, address + at, address + at + n, data + at, NULL);
	}
}

void crimg_mem_dump_json(const struct crimg_memory_range *range)
{
	struct json_dump t = { .d = range->d, .range = range, .hex = malloc(2 * JSON_PIECE) };
	struct crimg_memory_visitor visitor = { &t, json_stretch, json_bytes };
	struct crimg_view *view = range->d->view;
	if (t.hex == NULL) {
		crimg_fail_nomem(&view->fault, 2 * JSON_PIECE);
		return;
	}
	crimg_memory_walk(range->d, range->start, range->end, &visitor);
	if (t.begun) {
		crimg_json_end(view->json);
		crimg_json_end(view->json);
	}
	free(t.hex);
}

static void raw_bytes(void *context, uint64_t address, const uint8_t *data, size_t length)
{
	struct crimg_view *view = ((struct crimg_debuggee *)context)->view;
	(void)address;
	if (crimg_buf_append(view->out, data, length, &view->fault) == 0)
		crimg_view_flush(view);
}

static bool raw_stretch(void *context, const struct crimg_stretch *s)
{
	static const uint8_t zeros[1 << 16];
	struct crimg_debuggee *d = context;
	char text[AREA_NAME_MAX + 512];
	if (s->why != NULL)
		crimg_fail(&d->view->fault, CRIMG_E_NOTFOUND, d->view->options->path, CRIMG_NO_OFFSET,
		           "--raw stops at 0x%" PRIx64 ": %s", s->start,
		           crimg_stretch_text(d, s, text, sizeof text));
	for (uint64_t at = s->start;
	     s->why == NULL && s->kind == CRIMG_BYTES_ZERO && at < s->end && !crimg_view_failed(d->view);) {
		size_t n = (size_t)crimg_min_u64(s->end - at, sizeof zeros);
		raw_bytes(context, at, zeros, n);
		at += n;
	}
	return true;
}

void crimg_mem_dump_raw(const struct crimg_memory_range *range)
{
	struct crimg_memory_visitor visitor = { range->d, raw_stretch, raw_bytes };
	crimg_memory_walk(range->d, range->start, range->end, &visitor);
}
