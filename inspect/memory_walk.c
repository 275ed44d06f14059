// One stretch after the other; each is classified, told, and read in pieces.
#include "inspect/memory_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"
#include "inspect/file_text.h"
#include "inspect/modules.h"

struct walk {
	struct crimg_debuggee *d;
	const struct crimg_memory_visitor *visitor;
	uint8_t *piece;               // CRIMG_WALK_BYTES; NULL before it is needed
	char why[CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX]; // of the stretch told last
};

const struct crimg_elf_file *crimg_area_file(struct crimg_debuggee *d, const struct crimg_area *area)
{
	struct crimg_file_identity identity;
	struct crimg_module *m = crimg_modules_at(d, area->start);
	const struct crimg_elf_file *file = m != NULL ? crimg_module_file(d, m) : NULL;
	if (file == NULL && crimg_area_identity(d->view, area, &identity))
		file = crimg_sysroot_file(d->view, &identity);
	return file;
}

// A stretch of a mapped file ends with the last page of the file.
static void limit_to_file(struct walk *w, struct crimg_stretch *s)
{
	const uint64_t page = CRIMG_PAGE_BYTES;
	uint64_t offset = crimg_area_offset(s->area, s->start);
	s->file = crimg_area_file(w->d, s->area);
	if (s->file == NULL) {
		s->why = "the file that is mapped is not known";
	} else if (s->file->fd < 0) {
		s->why = s->file->why;
	} else {
		uint64_t end = s->file->size / page * page + (s->file->size % page != 0 ? page : 0);
		if (offset >= end)
			s->why = "behind the end of the file";
		else if (end - offset < s->end - s->start)
			s->end = s->start + (end - offset);
	}
}

// Where bytes of this kind end, over runs and layers of pages, within one area.
static bool widen(const struct walk *w, struct crimg_stretch *s, uint64_t end)
{
	enum crimg_bytes kind = s->kind;
	uint64_t limit = s->area != NULL ? crimg_min_u64(s->area->end, end) : end;
	for (uint64_t next; s->end < limit; s->end = next) {
		if (crimg_space_bytes(&w->d->space, s->end, &kind, &next, &w->d->view->fault) < 0)
			return false;
		if (kind != s->kind)
			break;
	}
	s->end = crimg_min_u64(s->end, limit);
	return true;
}

// The stretch that begins at address, within [address, end).
static bool find_stretch(struct walk *w, uint64_t address, uint64_t end, struct crimg_stretch *out)
{
	static const char *const why[] = {
		[CRIMG_BYTES_UNMAPPED] = "nothing is mapped there",
		[CRIMG_BYTES_LOST] = "not in this image: to be fetched later, or in a part not at hand",
		[CRIMG_BYTES_KERNEL] = "the kernel's own: no image holds it",
	};
	struct crimg_stretch s = { .start = address };
	if (crimg_space_bytes(&w->d->space, address, &s.kind, &s.end, &w->d->view->fault) < 0)
		return false;
	s.area = crimg_space_find(&w->d->space, address);
	if (!widen(w, &s, end))
		return false;
	if (s.kind < sizeof why / sizeof why[0])
		s.why = why[s.kind];
	if (s.kind == CRIMG_BYTES_KERNEL && (s.area->vma->status & CRIMG_VMA_GUARD) != 0)
		s.why = "a guard region: it has no contents";
	if (s.kind == CRIMG_BYTES_FILE)
		limit_to_file(w, &s);
	*out = s;
	return true;
}

// Notes why bytes at address cannot be read, in w->why too.
static void note_failure(struct walk *w, const struct crimg_err *err)
{
	struct crimg_view *view = w->d->view;
	if (err->code == CRIMG_E_UNSUPPORTED)
		crimg_fail(&view->fault, CRIMG_E_UNSUPPORTED, view->options->path, CRIMG_NO_OFFSET,
		           "contents pass by only once here: save it as a file (`crimg convert %s "
		           "FILE.crimg`) and look at that", view->options->path);
	else if (err->code == CRIMG_E_NOMEM)
		crimg_fail_nomem(&view->fault, CRIMG_WALK_BYTES);
	else if (view->damage.code == CRIMG_OK)
		view->damage = *err;
	crimg_err_format(err, w->why, sizeof w->why);
}

// Reads one piece, or of a broken one, page by page, what comes before the first page that cannot be
// read. *got bytes; fewer than length: w->why tells.
static void read_piece(struct walk *w, uint64_t address, size_t length, size_t *got)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	const struct crimg_space *space = &w->d->space;
	*got = crimg_space_read(space, address, w->piece, length, &err) > 0 ? length : 0;
	while (*got < length) {
		size_t page = CRIMG_PAGE_BYTES - (size_t)((address + *got) % CRIMG_PAGE_BYTES);
		size_t step = (size_t)crimg_min_u64(page, length - *got);
		err = CRIMG_ERR_INIT;
		if (crimg_space_read(space, address + *got, w->piece + *got, step, &err) <= 0)
			break;
		*got += step;
	}
	if (*got == length)
		return;
	if (err.code == CRIMG_OK)
		crimg_fail(&err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET, "cannot be read");
	note_failure(w, &err);
}

// The bytes of a stretch. Behind the first that cannot be read nothing of it is tried: a page map can
// claim more pages than anybody could ask for one by one.
static void visit_bytes(struct walk *w, const struct crimg_stretch *s)
{
	struct crimg_view *view = w->d->view;
	for (uint64_t at = s->start; at < s->end && !crimg_view_failed(view);) {
		size_t got, length = (size_t)crimg_min_u64(s->end - at, CRIMG_WALK_BYTES);
		read_piece(w, at, length, &got);
		if (got > 0)
			w->visitor->bytes(w->visitor->context, at, w->piece, got);
		at += got;
		if (got < length && !crimg_view_failed(view)) {
			struct crimg_stretch rest = *s;
			rest.start = at;
			rest.why = w->why;
			rest.broken = true;
			w->visitor->stretch(w->visitor->context, &rest);
			return;
		}
	}
}

void crimg_memory_walk(struct crimg_debuggee *d, uint64_t start, uint64_t end,
                       const struct crimg_memory_visitor *visitor)
{
	struct crimg_view *view = d->view;
	struct walk w = { .d = d, .visitor = visitor, .piece = malloc(CRIMG_WALK_BYTES) };
	struct crimg_stretch s;
	if (w.piece == NULL)
		crimg_fail_nomem(&view->fault, CRIMG_WALK_BYTES);
	for (uint64_t at = start; at < end && !crimg_view_failed(view); at = s.end) {
		if (!find_stretch(&w, at, end, &s))
			break;
		if (visitor->stretch(visitor->context, &s) && s.why == NULL
		    && s.kind != CRIMG_BYTES_ZERO)
			visit_bytes(&w, &s);
		crimg_view_flush(view);
	}
	free(w.piece);
}
