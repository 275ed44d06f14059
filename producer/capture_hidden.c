// Mapped files without a name and without a descriptor, where the links of map_files are closed to us (they want
// CAP_CHECKPOINT_RESTORE in the first user namespace): they are told apart by device and inode, and their contents are
// read through the memory of whoever maps them. Which pages of shared memory are there the kernel tells (mincore, asked
// by the task itself; smaps counts what is swapped out), since a hole that is read is none any more.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "producer/capture.h"
#include "producer/capture_whole.h"
#include "producer/page_scan.h"
#include "producer/proc.h"


// A piece of such a file, seen through one mapping.
struct piece {
	const struct crimg_hidden_map *map;
	uint64_t from, to; // in the file
};

static uint64_t address_in(const struct crimg_hidden_map *m, uint64_t offset)
{
	return m->start + (offset - m->offset);
}

static uint64_t end_in_file(const struct crimg_hidden_map *m)
{
	return m->offset + (m->end - m->start);
}

static int stop_at(void *context, uint64_t start, uint64_t end)
{
	(void)end;
	*(uint64_t *)context = start;
	return 1;
}

// Until where the mapping shows the file from offset on; not at all: offset. What a task has copied for itself hides it.
static int shown_until(const struct crimg_hidden_map *m, uint64_t offset, uint64_t *out, struct crimg_err *err)
{
	struct crimg_page_scan scan;
	uint64_t own = m->end;
	*out = offset;
	if (offset < m->offset || offset >= end_in_file(m))
		return 0;
	if (!m->shared) {
		if (crimg_page_scan_open(&scan, m->pid, err) < 0)
			return -1;
		int rc = crimg_page_scan(&scan, address_in(m, offset), m->end, CRIMG_PAGES_OWN, stop_at, &own,
					 err);
		crimg_page_scan_close(&scan);
		if (rc < 0)
			return -1;
	}
	*out = m->offset + (own - m->start);
	return 0;
}

// The longest piece that begins at from. 0: nobody shows that page.
static int find_piece(const struct crimg_hidden *h, uint64_t from, struct piece *out, struct crimg_err *err)
{
	*out = (struct piece){.from = from, .to = from};
	for (size_t i = 0; i < h->count; i++) {
		uint64_t to;
		if (shown_until(&h->maps[i], from, &to, err) < 0)
			return -1;
		if (to > out->to)
			*out = (struct piece){&h->maps[i], from, to};
	}
	return out->to > from ? 1 : 0;
}

static bool can_read(const struct crimg_hidden_map *m, uint64_t offset)
{
	char path[64], byte;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)m->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && pread(fd, &byte, 1, (off_t)address_in(m, offset)) == 1;
	if (fd >= 0)
		close(fd);
	return good;
}

static uint64_t mapped_end(const struct crimg_hidden *h)
{
	uint64_t end = 0;
	for (size_t i = 0; i < h->count; i++)
		if (end_in_file(&h->maps[i]) > end)
			end = end_in_file(&h->maps[i]);
	return end;
}

// Without a view, in whole pages: who maps it sees no more of its length. A mapping may reach behind the end, where
// nothing can be read.
static uint64_t size_of(const struct crimg_hidden *h)
{
	uint64_t end = mapped_end(h);
	const struct crimg_hidden_map *last = &h->maps[0];
	for (size_t i = 0; i < h->count; i++)
		if (end_in_file(&h->maps[i]) == end)
			last = &h->maps[i];
	while (end > last->offset && !can_read(last, end - CRIMG_PAGE_BYTES))
		end -= CRIMG_PAGE_BYTES;
	return end;
}

// By a mapping that is not locked: the kernel would fill a second one with pages. Anonymous memory (as a memory file of
// that name, if made by crimg or CRIU) is as long as it was mapped, or longer.
static int open_view(const struct crimg_capture *c, const struct crimg_hidden *h, struct crimg_whole *v,
		     struct crimg_err *err)
{
	bool fixed = strstr(h->name, CRIMG_ANONYMOUS_SHARED) != NULL;
	for (size_t i = 0; i < h->count; i++)
		if (h->maps[i].shared && !h->maps[i].locked)
			return crimg_whole_open(v, c, &h->maps[i], mapped_end(h), fixed, err);
	return 0;
}

static int take_piece(const struct crimg_capture *c, const struct piece *p, crimg_run_taker *one, void *context,
		      struct crimg_err *err)
{
	struct crimg_remote r;
	struct crimg_remote_gate gate;
	uint64_t start = address_in(p->map, p->from), end = address_in(p->map, p->to);
	if (!p->map->in_memory) // of a disk: its holes cannot be told from zeros, and stay what they are
		return one(context, start, end, err);
	if (crimg_remote_find_gate(p->map->pid, NULL, &gate, err) < 0
	    || crimg_remote_begin_at(&r, p->map->pid, gate, crimg_capture_call_of(c, p->map->pid), 0, err) < 0)
		return -1;
	int rc = crimg_resident_swap_in(&r, p->map, err);
	if (rc > 0)
		rc = crimg_resident_runs(&r, start, end, one, context, err);
	else if (rc == 0)
		rc = one(context, start, end, err);
	if (crimg_remote_end(&r, err) < 0)
		rc = -1;
	if (r.signal != 0)
		kill(p->map->pid, r.signal);
	return rc;
}

static int fail_unseen(const struct crimg_hidden *h, uint64_t at, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "process %d maps %.200s, whose page at 0x%" PRIx64 " nobody of the tree sees: only a "
			  "privileged crimg can read it", (int)h->maps[0].pid, h->name, at);
}

// Puts a run that begins at offset of the file.
struct taking;
typedef int run_putter(const struct taking *t, uint64_t offset, struct crimg_shelf_run run, struct crimg_err *err);

struct taking {
	struct crimg_capture *capture;
	const struct crimg_hidden *hidden;
	run_putter *put;
	uint32_t id;    // of the segment, or of the ghost
	size_t payload; // of a segment
	struct piece piece;            // in work, without a view
	const struct crimg_whole *view; // or NULL
};

static int put_pages(const struct taking *t, uint64_t offset, struct crimg_shelf_run run, struct crimg_err *err)
{
	return crimg_capture_shared_run(t->capture, t->id, t->payload, offset, run, err);
}

static int put_chunk(const struct taking *t, uint64_t offset, struct crimg_shelf_run run, struct crimg_err *err)
{
	return crimg_capture_ghost_chunk(t->capture, t->id, offset, run, err);
}

static int take_run(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	const struct taking *t = context;
	const struct crimg_hidden_map *m = t->piece.map;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = m->pid, .address = start, .length = end - start,
	};
	return t->put(t, m->offset + (start - m->start), run, err);
}

static int take_pieces(struct taking *t, uint64_t size, struct crimg_err *err)
{
	struct piece *p = &t->piece;
	for (uint64_t at = 0; at < size; at = p->to) {
		int rc = find_piece(t->hidden, at, p, err);
		if (rc <= 0)
			return rc < 0 ? -1 : fail_unseen(t->hidden, at, err);
		p->to = crimg_min_u64(p->to, size);
		if (take_piece(t->capture, p, take_run, t, err) < 0)
			return -1;
	}
	return 0;
}

// Of [offset, *end): the shared mapping that shows offset, and until where; or NULL, and until where nobody does.
static const struct crimg_hidden_map *shown_by(const struct crimg_hidden *h, uint64_t offset, uint64_t *end)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct crimg_hidden_map *m = &h->maps[i];
		if (m->shared && m->offset <= offset && offset < end_in_file(m)) {
			*end = crimg_min_u64(*end, end_in_file(m));
			return m;
		}
	}
	for (size_t i = 0; i < h->count; i++)
		if (h->maps[i].shared && h->maps[i].offset > offset)
			*end = crimg_min_u64(*end, h->maps[i].offset);
	return NULL;
}

// What nobody has mapped goes with the view: it is copied now.
static int copy_unmapped(const struct taking *t, uint64_t offset, uint64_t end, struct crimg_err *err)
{
	uint8_t page[CRIMG_PAGE_BYTES];
	struct crimg_shelf_run run = {.where = CRIMG_SHELF_BYTES, .length = sizeof page, .bytes = page};
	for (; offset < end; offset += sizeof page)
		if (crimg_proc_get(t->view->pid, t->view->start + offset, page, sizeof page, err) < 0
		    || t->put(t, offset, run, err) < 0)
			return -1;
	return 0;
}

static int take_viewed(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	const struct taking *t = context;
	uint64_t offset = start - t->view->start, stop = end - t->view->start, to;
	for (; offset < stop; offset = to) {
		to = stop;
		const struct crimg_hidden_map *m = shown_by(t->hidden, offset, &to);
		struct crimg_shelf_run run = {.where = CRIMG_SHELF_TASK, .length = to - offset};
		if (m != NULL) {
			run.place = m->pid;
			run.address = address_in(m, offset);
		}
		if ((m != NULL ? t->put(t, offset, run, err) : copy_unmapped(t, offset, to, err)) < 0)
			return -1;
	}
	return 0;
}

static int take_view(struct taking *t, struct crimg_whole *v, struct crimg_err *err)
{
	struct crimg_hidden_map whole = {.pid = v->pid, .start = v->start, .end = v->start + v->size};
	int rc = 0;
	if (t->hidden->maps[0].in_memory) {
		rc = crimg_resident_swapped(v->pid, v->start, &whole.swapped_bytes, err);
		if (rc == 0)
			rc = crimg_resident_swap_in(&v->remote, &whole, err);
		if (rc > 0)
			return crimg_resident_runs(&v->remote, whole.start, whole.end, take_viewed, t, err);
	}
	return rc < 0 ? -1 : take_viewed(t, whole.start, whole.end, err);
}

// Its size, and its contents by t->put, for which begin makes room once the size is known.
static int take(struct taking *t, int (*begin)(struct taking *t, uint64_t size, struct crimg_err *err),
		struct crimg_err *err)
{
	const struct crimg_hidden *h = t->hidden;
	struct crimg_whole view;
	int seen = open_view(t->capture, h, &view, err);
	if (seen < 0)
		return -1;
	t->view = seen > 0 ? &view : NULL;
	uint64_t size = seen > 0 ? view.size : size_of(h);
	int rc = begin(t, size, err);
	if (rc == 0)
		rc = seen > 0 ? take_view(t, &view, err) : take_pieces(t, size, err);
	struct crimg_err late = CRIMG_ERR_INIT;
	if (seen > 0 && crimg_whole_close(&view, rc < 0 ? &late : err) < 0)
		rc = -1;
	return rc;
}

static int begin_segment(struct taking *t, uint64_t size, struct crimg_err *err)
{
	struct crimg_capture *c = t->capture;
	struct crimg_segment *s = crimg_capture_find_segment(c, t->hidden->dev, t->hidden->ino);
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct stat st = {
		.st_mode = S_IFREG | 0777, .st_size = (off_t)size, .st_uid = geteuid(), .st_gid = getegid(),
	};
	t->id = s->id;
	head.pages_id = ++c->last_pages_id;
	if (crimg_capture_put_inode(c, s, t->hidden->name, &st, 0, err) < 0
	    || crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP_SHMEM, s->id, &head.base, err) < 0)
		return -1;
	return crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_PAGES, head.pages_id, NULL, &t->payload, err);
}

// A deleted file that nobody has open: whoever looks at it does so through memory.
static int begin_file(struct taking *t, uint64_t size, struct crimg_err *err)
{
	struct crimg_capture *c = t->capture;
	const struct crimg_hidden *h = t->hidden;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	struct stat st = {
		.st_mode = S_IFREG | 0600, .st_size = (off_t)size, .st_uid = geteuid(), .st_gid = getegid(),
		.st_dev = h->dev, .st_ino = h->ino, .st_atim = {.tv_sec = time(NULL)},
	};
	st.st_mtim = st.st_atim;
	reg.fown = crimg_capture_owner(c, -1, err);
	reg.id = e.id = h->id;
	reg.name = crimg_arena_text(&c->arena, h->name, strlen(h->name) - strlen(CRIMG_DELETED));
	reg.has_mode = reg.has_size = true;
	reg.mode = st.st_mode;
	reg.size = size;
	e.type = FD_TYPES__REG;
	e.reg = &reg;
	if (reg.fown == NULL)
		return -1;
	if (reg.name == NULL)
		return crimg_fail_nomem(err, strlen(h->name));
	if (crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err) < 0)
		return -1;
	return crimg_capture_hidden_ghost(c, &st, h->id, &t->id, err);
}

int crimg_capture_put_hidden(struct crimg_capture *c, struct crimg_err *err)
{
	for (size_t i = 0; i < c->hidden_count; i++) {
		const struct crimg_hidden *h = &c->hidden[i];
		bool segment = h->maps[0].segment;
		struct taking t = {.capture = c, .hidden = h, .put = segment ? put_pages : put_chunk};
		crimg_arena_reset(&c->arena);
		if (take(&t, segment ? begin_segment : begin_file, err) < 0)
			return -1;
	}
	return 0;
}
