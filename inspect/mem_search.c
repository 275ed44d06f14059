// A window slides over present bytes; of zeros that nobody touched only the edges are looked at.
#include "inspect/mem_search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/names.h"
#include "inspect/area_text.h"
#include "inspect/command.h"
#include "inspect/file_text.h"
#include "inspect/hexdump.h"
#include "inspect/memory_range.h"
#include "inspect/memory_walk.h"

#define DEFAULT_HITS 1000u
#define CONTEXT_BYTES 32u      // in JSON; text shows one line

struct search {
	struct crimg_view *view;
	const uint8_t *what;
	size_t length;
	uint64_t limit, hits;
	bool stopped;           // there are more than limit
	uint64_t searched;      // bytes, of all tasks
	uint64_t absent[CRIMG_BYTES_KERNEL + 1]; // bytes that could not be searched, by kind
	struct crimg_debuggee *d; // of the task that is searched now
	bool told;              // its heading stands
	uint8_t *window;        // length - 1 bytes kept, and as many as a walk gives
	size_t held;
	uint64_t window_end;    // address behind the held bytes
};

static void text_hit(struct search *s, uint64_t address, const uint8_t *context, size_t length,
                     enum crimg_bytes kind)
{
	char label[64], where[CRIMG_ADDRESS_TEXT_MAX], line[CRIMG_HEXDUMP_LINE_MAX];
	if (!s->told)
		crimg_heading(s->view, "%s", crimg_task_label(s->d->task, label, sizeof label));
	s->told = true;
	length = crimg_hexdump_line(line, crimg_address_digits(s->d->is_32), address, context,
	                            length < CRIMG_HEXDUMP_BYTES ? length : CRIMG_HEXDUMP_BYTES);
	crimg_debuggee_text(s->d, address, where, sizeof where);
	crimg_line(s->view, CRIMG_MARK_NONE, "%.*s  %s%s", (int)length, line, where,
	           kind == CRIMG_BYTES_FILE ? ", from the sysroot"
	           : kind == CRIMG_BYTES_ZERO ? ", begins in zeros" : "");
}

static void json_hit(struct search *s, uint64_t address, const uint8_t *context, size_t length,
                     enum crimg_bytes kind)
{
	struct crimg_json *j = s->view->json;
	char name[CRIMG_FILE_TEXT_MAX + 16] = "", hex[2 * CONTEXT_BYTES + 1] = "";
	const struct crimg_area *area = crimg_space_find(&s->d->space, address);
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, sizeof hex - 2 * i, "%02x", context[i]);
	if (area != NULL)
		crimg_area_text(s->view, s->d->task, area->vma, name, sizeof name);
	crimg_json_object(j, NULL);
	crimg_task_json(s->view, s->d->task);
	crimg_json_hex(j, "address", address);
	crimg_json_text(j, "area", name[0] != '\0' ? name : NULL);
	crimg_json_hex(j, "offset", area != NULL ? address - area->start : 0);
	crimg_json_text(j, "origin", crimg_bytes_word(kind));
	crimg_json_text(j, "context", hex);
	crimg_json_end(j);
}

static void hit(struct search *s, uint64_t address)
{
	uint8_t context[CONTEXT_BYTES];
	enum crimg_bytes kind = CRIMG_BYTES_UNMAPPED;
	struct crimg_err err = CRIMG_ERR_INIT;
	uint64_t end;
	size_t length = 0;
	s->stopped = s->hits == s->limit;
	if (s->stopped)
		return;
	s->hits++;
	// Behind the hit bytes may be absent or broken: then the context is the hit itself.
	if (crimg_space_read_some(&s->d->space, address, context, sizeof context, &length, &err) < 0
	    || length < (s->length < sizeof context ? s->length : sizeof context)) {
		length = s->length < sizeof context ? s->length : sizeof context;
		memcpy(context, s->what, length);
	}
	if (crimg_space_bytes(&s->d->space, address, &kind, &end, &s->view->fault) < 0)
		return;
	if (s->view->json != NULL)
		json_hit(s, address, context, length, kind);
	else
		text_hit(s, address, context, length, kind);
	crimg_view_flush(s->view);
}

// Tells the hits in the window and keeps its end, in which one may begin.
static void search_window(struct search *s)
{
	const uint8_t *at = s->window, *end = s->window + s->held;
	while (!s->stopped && !crimg_view_failed(s->view)
	       && (at = memmem(at, (size_t)(end - at), s->what, s->length)) != NULL) {
		hit(s, s->window_end - (uint64_t)(end - at));
		at++;
	}
	size_t kept = s->held < s->length - 1 ? s->held : s->length - 1;
	memmove(s->window, end - kept, kept);
	s->held = kept;
}

// Bytes that follow those in the window, at most CRIMG_WALK_BYTES.
static void add_bytes(struct search *s, uint64_t address, const uint8_t *data, size_t length)
{
	if (s->held + length > s->length - 1 + CRIMG_WALK_BYTES)
		search_window(s);
	memcpy(s->window + s->held, data, length);
	s->held += length;
	s->window_end = address + length;
	s->searched += length;
}

static void forget(struct search *s)
{
	search_window(s);
	s->held = 0;
}

// Only length - 1 zeros at either edge can be part of a hit, since it is not all zeros.
static void add_zeros(struct search *s, uint64_t start, uint64_t end)
{
	static const uint8_t zeros[4096];
	uint64_t edge = s->length - 1, at = start;
	s->searched += end - start > 2 * edge ? end - start - 2 * edge : 0;
	while (at < end && !crimg_view_failed(s->view)) {
		uint64_t left = end - at;
		if (at - start == edge && left > edge) {
			forget(s);
			at = end - edge;
			continue;
		}
		if (at - start < edge && end - start > 2 * edge)
			left = edge - (at - start);
		size_t n = (size_t)crimg_min_u64(left, sizeof zeros);
		add_bytes(s, at, zeros, n);
		at += n;
	}
}

static bool visit_stretch(void *context, const struct crimg_stretch *stretch)
{
	struct search *s = context;
	if (s->stopped)
		return false;
	if (stretch->why != NULL || s->window_end != stretch->start)
		forget(s);
	if (stretch->why != NULL)
		s->absent[stretch->kind] += stretch->end - stretch->start;
	else if (stretch->kind == CRIMG_BYTES_ZERO)
		add_zeros(s, stretch->start, stretch->end);
	return true;
}

static void visit_bytes(void *context, uint64_t address, const uint8_t *data, size_t length)
{
	struct search *s = context;
	if (!s->stopped)
		add_bytes(s, address, data, length);
}

static void search_range(void *context, const struct crimg_memory_range *range)
{
	struct search *s = context;
	struct crimg_memory_visitor visitor = { s, visit_stretch, visit_bytes };
	if (s->stopped)
		return;
	s->d = range->d;
	s->told = false;
	crimg_memory_walk(range->d, range->start, range->end, &visitor);
	forget(s);
}

// What was not searched, and would be worth it.
static void tell_absent(struct search *s)
{
	static const struct {
		enum crimg_bytes kind;
		const char *text;
	} rows[] = {
		{ CRIMG_BYTES_FILE, "equal to mapped files, not in the image" },
		{ CRIMG_BYTES_LOST, "not at hand" },
		{ CRIMG_BYTES_PRIVATE, "cannot be read" },
		{ CRIMG_BYTES_SEGMENT, "of shared memory cannot be read" },
	};
	char bytes[32];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (s->absent[rows[i].kind] > 0)
			crimg_line(s->view, CRIMG_MARK_DIM, "not searched: %s %s%s",
			           crimg_bytes_text(s->absent[rows[i].kind], bytes, sizeof bytes),
			           rows[i].text,
			           rows[i].kind == CRIMG_BYTES_FILE && s->view->options->sysroot == NULL
			                   ? " (--sysroot DIR gives them)" : "");
}

static void tell_end(struct search *s)
{
	char bytes[32];
	if (s->view->json != NULL) {
		crimg_group_end(s->view);
		crimg_json_bool(s->view->json, "hits_stopped", s->stopped);
		return;
	}
	if (crimg_view_failed(s->view))
		return;
	crimg_heading(s->view, "%" PRIu64 " hit%s%s in %s of memory", s->hits, s->hits == 1 ? "" : "s",
	              s->stopped ? ", then stopped (--limit N for more)," : "",
	              crimg_bytes_text(s->searched, bytes, sizeof bytes));
	if (!s->stopped)
		tell_absent(s);
}

void crimg_mem_search(struct crimg_view *view)
{
	const struct crimg_view_options *o = view->options;
	struct search s = { .view = view, .what = o->search, .length = o->search_length,
		            .limit = o->limit > 0 ? o->limit : DEFAULT_HITS,
		            .window = malloc(o->search_length + CRIMG_WALK_BYTES) };
	if (s.window == NULL) {
		crimg_fail_nomem(&view->fault, o->search_length + CRIMG_WALK_BYTES);
		return;
	}
	crimg_group_array(view, "hits");
	crimg_memory_ranges(view, UINT64_MAX, search_range, &s);
	tell_end(&s);
	free(s.window);
}
