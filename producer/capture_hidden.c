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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "producer/capture.h"
#include "producer/page_scan.h"
#include "producer/proc.h"

#define SWAP_IN_TRIES 200u // of 10 ms, until the kernel has read what was swapped out

static bool is_it(const char *link, uint64_t dev, uint64_t ino)
{
	struct stat st;
	return stat(link, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

struct search {
	uint64_t dev, ino;
	pid_t pid;
	char *link;
};

static int look_at(void *context, int fd)
{
	const struct search *s = context;
	snprintf(s->link, CRIMG_LINK_BYTES, "/proc/%d/fd/%d", (int)s->pid, fd);
	return is_it(s->link, s->dev, s->ino) ? 1 : 0;
}

bool crimg_capture_find_open(const struct crimg_capture *c, uint64_t dev, uint64_t ino,
			     char link[CRIMG_LINK_BYTES])
{
	struct search s = {.dev = dev, .ino = ino, .link = link};
	for (size_t i = 0; i < c->tree.count; i++) {
		struct crimg_err ignored = CRIMG_ERR_INIT;
		char path[64];
		s.pid = c->tree.tasks[i].pid;
		if (c->tree.tasks[i].state == CRIMG_LIVE_ZOMBIE)
			continue;
		snprintf(link, CRIMG_LINK_BYTES, "/proc/%d/exe", (int)s.pid);
		if (is_it(link, dev, ino))
			return true;
		snprintf(path, sizeof path, "/proc/%d/fd", (int)s.pid);
		if (crimg_each_number(path, look_at, &s, &ignored) == 1)
			return true;
	}
	return false;
}

static struct crimg_hidden *find_or_add(struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
					struct crimg_err *err)
{
	void *array = c->hidden;
	for (size_t i = 0; i < c->hidden_count; i++)
		if (c->hidden[i].dev == dev && c->hidden[i].ino == ino)
			return &c->hidden[i];
	char *copy = crimg_arena_text(&c->shelf.arena, name, strlen(name));
	if (copy == NULL) {
		crimg_fail_nomem(err, strlen(name));
		return NULL;
	}
	if (crimg_grow(&array, &c->hidden_capacity, c->hidden_count, sizeof *c->hidden, err) < 0)
		return NULL;
	c->hidden = array;
	c->hidden[c->hidden_count] = (struct crimg_hidden){.dev = dev, .ino = ino, .name = copy};
	return &c->hidden[c->hidden_count++];
}

int crimg_capture_hidden(struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
			 const struct crimg_hidden_map *map, uint32_t *id, struct crimg_err *err)
{
	struct crimg_hidden *h = find_or_add(c, dev, ino, name, err);
	if (h == NULL)
		return -1;
	void *array = h->maps;
	if (h->count == 0 && map->segment) {
		struct crimg_segment *s = crimg_capture_new_segment(c, dev, ino, err);
		if (s == NULL || crimg_capture_segment_file(c, s, err) < 0)
			return -1;
		h->id = s->file_id;
	} else if (h->count == 0) {
		h->id = ++c->file.last;
	}
	if (crimg_grow(&array, &h->capacity, h->count, sizeof *h->maps, err) < 0)
		return -1;
	h->maps = array;
	h->maps[h->count++] = *map;
	*id = h->id;
	return 0;
}

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

// In whole pages: who maps it sees no more of its length. A mapping may reach behind the end, where nothing can be read.
static uint64_t size_of(const struct crimg_hidden *h)
{
	const struct crimg_hidden_map *last = &h->maps[0];
	for (size_t i = 1; i < h->count; i++)
		if (end_in_file(&h->maps[i]) > end_in_file(last))
			last = &h->maps[i];
	if (can_read(last, end_in_file(last) - CRIMG_PAGE_BYTES))
		return end_in_file(last);
	uint64_t good = last->offset, bad = end_in_file(last) - CRIMG_PAGE_BYTES; // [good: may be the end
	while (good < bad) {
		uint64_t middle = good + (bad - good) / 2 / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
		if (can_read(last, middle))
			good = middle + CRIMG_PAGE_BYTES;
		else
			bad = middle;
	}
	return good;
}

typedef int run_taker(void *context, uint64_t start, uint64_t end, struct crimg_err *err);

// Runs of pages of [start, end) that the file behind has.
static int ask_in_core(struct crimg_remote *r, uint64_t start, uint64_t end, run_taker *one, void *context,
		       struct crimg_err *err)
{
	uint8_t there[CRIMG_REMOTE_DATA_BYTES];
	uint64_t run = 0; // where the run begins that goes on; 0: none
	while (start < end) {
		uint64_t bytes = crimg_min_u64(end - start, sizeof there * CRIMG_PAGE_BYTES);
		if (crimg_capture_call(r, "mincore", SYS_mincore, start, bytes, r->data, 0, NULL, err) < 0
		    || crimg_proc_get(r->tid, r->data, there, bytes / CRIMG_PAGE_BYTES, err) < 0)
			return -1;
		for (uint64_t i = 0; i < bytes / CRIMG_PAGE_BYTES; i++, start += CRIMG_PAGE_BYTES) {
			bool in = (there[i] & 1) != 0;
			if (in && run == 0)
				run = start;
			if (!in && run != 0 && one(context, run, start, err) < 0)
				return -1;
			run = in ? run : 0;
		}
	}
	return run == 0 ? 0 : one(context, run, end, err);
}

static int add_up(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	(void)err;
	*(uint64_t *)context += end - start;
	return 0;
}

// Pages that are swapped out are in nobody's page table, nor in core: they are read in, until as many are there as the
// kernel counted. 1: they are; 0: which they are cannot be known.
static int swap_in(struct crimg_remote *r, const struct crimg_hidden_map *m, struct crimg_err *err)
{
	uint64_t before = 0;
	if (m->swapped_bytes == 0)
		return 1;
	if (ask_in_core(r, m->start, m->end, add_up, &before, err) < 0
	    || crimg_capture_call(r, "madvise", SYS_madvise, m->start, m->end - m->start, MADV_WILLNEED, 0, NULL,
				  err) < 0)
		return -1;
	for (unsigned i = 0; i < SWAP_IN_TRIES; i++) {
		uint64_t now = 0;
		if (ask_in_core(r, m->start, m->end, add_up, &now, err) < 0)
			return -1;
		if (now >= before + m->swapped_bytes)
			return 1;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return 0;
}

static long call_of(const struct crimg_capture *c, pid_t pid)
{
	for (size_t i = 0; i < c->tree.count; i++)
		if (c->tree.tasks[i].pid == pid)
			return c->tree.tasks[i].threads[0].wait.number;
	return -1;
}

static int take_piece(const struct crimg_capture *c, const struct piece *p, run_taker *one, void *context,
		      struct crimg_err *err)
{
	struct crimg_remote r;
	struct crimg_remote_gate gate;
	uint64_t start = address_in(p->map, p->from), end = address_in(p->map, p->to);
	if (!p->map->in_memory) // of a disk: its holes cannot be told from zeros, and stay what they are
		return one(context, start, end, err);
	if (crimg_remote_find_gate(p->map->pid, &gate, err) < 0
	    || crimg_remote_begin_at(&r, p->map->pid, gate, call_of(c, p->map->pid), 0, err) < 0)
		return -1;
	int rc = swap_in(&r, p->map, err);
	if (rc > 0)
		rc = ask_in_core(&r, start, end, one, context, err);
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

// Where the runs of the piece in work go.
struct taking {
	struct crimg_capture *capture;
	struct piece piece;
	uint32_t id;    // of the segment, or of the ghost
	size_t payload; // of a segment
};

static int take_all(struct taking *t, const struct crimg_hidden *h, uint64_t size, run_taker *one,
		    struct crimg_err *err)
{
	struct piece *p = &t->piece;
	for (uint64_t at = 0; at < size; at = p->to) {
		int rc = find_piece(h, at, p, err);
		if (rc <= 0)
			return rc < 0 ? -1 : fail_unseen(h, at, err);
		p->to = crimg_min_u64(p->to, size);
		if (take_piece(t->capture, p, one, t, err) < 0)
			return -1;
	}
	return 0;
}

static int put_pages(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	const struct taking *t = context;
	const struct piece *p = &t->piece;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = p->map->pid, .address = start, .length = end - start,
	};
	return crimg_capture_shared_run(t->capture, t->id, t->payload, p->map->offset + (start - p->map->start), run,
					err);
}

static int put_segment(struct crimg_capture *c, const struct crimg_hidden *h, struct crimg_err *err)
{
	struct crimg_segment *s = crimg_capture_find_segment(c, h->dev, h->ino);
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct stat st = {
		.st_mode = S_IFREG | 0777, .st_size = (off_t)size_of(h), .st_uid = geteuid(), .st_gid = getegid(),
	};
	struct taking t = {.capture = c, .id = s->id};
	head.pages_id = ++c->last_pages_id;
	if (crimg_capture_put_inode(c, s, h->name, &st, 0, err) < 0
	    || crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP_SHMEM, s->id, &head.base, err) < 0
	    || crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_PAGES, head.pages_id, NULL, &t.payload, err) < 0)
		return -1;
	return take_all(&t, h, (uint64_t)st.st_size, put_pages, err);
}

static int put_chunk(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	const struct taking *t = context;
	const struct piece *p = &t->piece;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = p->map->pid, .address = start, .length = end - start,
	};
	return crimg_capture_ghost_chunk(t->capture, t->id, p->map->offset + (start - p->map->start), run, err);
}

// A deleted file that nobody has open: whoever looks at it does so through memory.
static int put_file(struct crimg_capture *c, const struct crimg_hidden *h, struct crimg_err *err)
{
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	struct stat st = {
		.st_mode = S_IFREG | 0600, .st_size = (off_t)size_of(h), .st_uid = geteuid(), .st_gid = getegid(),
		.st_dev = h->dev, .st_ino = h->ino, .st_atim = {.tv_sec = time(NULL)},
	};
	struct taking t = {.capture = c};
	st.st_mtim = st.st_atim;
	reg.fown = crimg_capture_owner(c, -1, err);
	reg.id = e.id = h->id;
	reg.name = crimg_arena_text(&c->arena, h->name, strlen(h->name) - strlen(CRIMG_DELETED));
	reg.has_mode = reg.has_size = true;
	reg.mode = st.st_mode;
	reg.size = (uint64_t)st.st_size;
	e.type = FD_TYPES__REG;
	e.reg = &reg;
	if (reg.fown == NULL)
		return -1;
	if (reg.name == NULL)
		return crimg_fail_nomem(err, strlen(h->name));
	if (crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err) < 0
	    || crimg_capture_hidden_ghost(c, &st, h->id, &t.id, err) < 0)
		return -1;
	return take_all(&t, h, (uint64_t)st.st_size, put_chunk, err);
}

int crimg_capture_put_hidden(struct crimg_capture *c, struct crimg_err *err)
{
	for (size_t i = 0; i < c->hidden_count; i++) {
		const struct crimg_hidden *h = &c->hidden[i];
		crimg_arena_reset(&c->arena);
		if ((h->maps[0].segment ? put_segment : put_file)(c, h, err) < 0)
			return -1;
	}
	return 0;
}

void crimg_capture_free_hidden(struct crimg_capture *c)
{
	for (size_t i = 0; i < c->hidden_count; i++)
		free(c->hidden[i].maps);
	free(c->hidden);
}
