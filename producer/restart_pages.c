// The pages of one task, from the image into their places. Where the kernel can read them from a file, the
// task reads them itself, many runs a call; of many, a thread of crimg carries some meanwhile: what takes the
// time is making new pages, which two processors can do. Else (compressed, in an archive) crimg expands them
// and writes them in; pages of zeros stay untouched where memory is anonymous.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/restart_memory.h"
#include "producer/restart_second.h"

#define BATCH_RUNS CRIMG_SECOND_RUNS         // of one preadv
#define BATCH_BYTES (UINT64_C(8) << 20)      // the same; a signal is heard in between
#define SHARED_FROM (UINT64_C(1) << 20)      // a batch so large is worth a stop, or a thread
#define COPY_BYTES (1u << 20)

struct crimg_feed {
	struct crimg_restart *r;
	struct crimg_actor *actor;
	struct iovec batch[BATCH_RUNS]; // runs that follow each other in one file
	size_t count;
	uint64_t bytes;
	int fd;
	uint64_t at, next;              // in the file: of the batch, and behind it
	// Where bytes of a payload lie as they are, as the reader last told.
	const struct crimg_image *image;
	uint64_t payload, from, to;     // bytes [from, to) of it …
	uint64_t file_at;               // … are here
	int file;                       // in this handle; -1: not to be had so
	uint8_t *copy;                  // COPY_BYTES
	struct crimg_second *second;    // takes large batches as well; made when there is one
};

static int read_itself(struct crimg_feed *f, struct crimg_err *err)
{
	struct crimg_puppet *p = &f->actor->puppets[0];
	struct crimg_call call = { .what = "reading pages", .object = f->r->options->path,
		                   .number = SYS_preadv, .exact = true, .wanted = (int64_t)f->bytes };
	call.args[0] = (uint64_t)f->fd;
	call.args[1] = crimg_puppet_lend(p, f->batch, f->count * sizeof *f->batch);
	call.args[2] = f->count;
	call.args[3] = f->at;
	return crimg_puppet_add(p, call, err);
}

// By whoever is free: the second hand, or the task. What was said to the task before is done by then.
static int share_batch(struct crimg_feed *f, struct crimg_err *err)
{
	struct crimg_puppet *p = &f->actor->puppets[0];
	if (crimg_puppet_flush(p, err) < 0)
		return -1;
	if (f->second == NULL)
		f->second = crimg_second_open(p->tid, f->r->options->path);
	if (f->second != NULL && crimg_second_take(f->second, f->fd, f->at, f->batch, f->count))
		return 0;
	return read_itself(f, err) < 0 ? -1 : crimg_puppet_flush(p, err);
}

static int send_batch(struct crimg_feed *f, struct crimg_err *err)
{
	int rc = f->count == 0 ? 0 : f->bytes >= SHARED_FROM ? share_batch(f, err) : read_itself(f, err);
	f->count = 0;
	f->bytes = 0;
	return rc;
}

static int add_piece(struct crimg_feed *f, uint64_t address, uint64_t bytes, uint64_t at,
                     struct crimg_err *err)
{
	if (f->count == BATCH_RUNS || f->bytes + bytes > BATCH_BYTES || f->fd != f->file
	    || f->next != at) {
		if (send_batch(f, err) < 0)
			return -1;
		f->fd = f->file;
		f->at = f->next = at;
	}
	struct iovec *last = f->count > 0 ? &f->batch[f->count - 1] : NULL;
	if (last != NULL && (uintptr_t)last->iov_base + last->iov_len == address)
		last->iov_len += bytes;
	else
		f->batch[f->count++] = (struct iovec){ (void *)(uintptr_t)address, bytes };
	f->bytes += bytes;
	f->next += bytes;
	return 0;
}

// Fills payload … file for offset of the pages object, unless they hold it already.
static int locate(struct crimg_feed *f, const struct crimg_page_place *place, struct crimg_err *err)
{
	struct crimg_span span;
	struct stat st;
	uint64_t number = place->pages->payload.number;
	if (f->image == place->image && f->payload == number && place->offset >= f->from
	    && place->offset < f->to)
		return 0;
	f->image = place->image;
	f->payload = number;
	f->from = place->offset;
	f->to = place->pages->payload.length;
	f->file = -1;
	int rc = place->packed ? 0 : crimg_image_locate(place->image, number, place->offset, &span, err);
	if (rc <= 0 || span.source->fd < 0 || fstat(span.source->fd, &st) < 0)
		return rc < 0 ? -1 : 0;
	f->file = crimg_handles_find(&f->r->handles, CRIMG_HANDLE_PAGES, st.st_ino, st.st_dev);
	f->file_at = span.source->fd_offset + span.offset;
	f->to = f->from + span.length;
	return 0;
}

// Page by page, so that zeros in fresh memory stay what they are.
static int write_pages(struct crimg_feed *f, uint64_t address, size_t bytes, bool anonymous,
                       struct crimg_err *err)
{
	size_t begin = 0;
	for (size_t at = 0; at <= bytes; at += CRIMG_PAGE_BYTES) {
		bool skip = at == bytes
			|| (anonymous && crimg_all_zero(f->copy + at, CRIMG_PAGE_BYTES));
		if (!skip)
			continue;
		if (at > begin && crimg_puppet_write(&f->actor->puppets[0], address + begin,
		                                     f->copy + begin, at - begin, err) < 0)
			return -1;
		begin = at + CRIMG_PAGE_BYTES;
	}
	return 0;
}

static int copy(struct crimg_feed *f, const struct crimg_area *area, uint64_t address, uint64_t end,
                struct crimg_err *err)
{
	bool anonymous = (area->vma->status & CRIMG_VMA_FILE) == 0;
	if (f->copy == NULL && (f->copy = malloc(COPY_BYTES)) == NULL)
		return crimg_fail_nomem(err, COPY_BYTES);
	while (address < end) {
		size_t n = (size_t)crimg_min_u64(end - address, COPY_BYTES);
		if (f->r->stage.stop != NULL && *f->r->stage.stop)
			return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "interrupted");
		if (crimg_memory_read(f->r->image, CRIMG_KIND_PAGEMAP, f->actor->task->pid, address,
		                      f->copy, n, err) < 0
		    || write_pages(f, address, n, anonymous, err) < 0)
			return -1;
		address += n;
	}
	return 0;
}

// The stretch [address, end) of one run, within one area.
static int feed_run(struct crimg_feed *f, const struct crimg_area *area, uint64_t address, uint64_t end,
                    struct crimg_page_place place, struct crimg_err *err)
{
	while (address < end) {
		if (locate(f, &place, err) < 0)
			return -1;
		uint64_t bytes = crimg_min_u64(end - address, f->to - place.offset);
		bytes = crimg_min_u64(bytes, BATCH_BYTES);
		if (f->file < 0)
			return copy(f, area, address, end, err);
		if (add_piece(f, address, bytes, f->file_at + (place.offset - f->from), err) < 0)
			return -1;
		address += bytes;
		place.offset += bytes;
	}
	return 0;
}

static int fail_lost(const struct crimg_feed *f, uint64_t address, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_NOTFOUND, f->r->options->path, CRIMG_NO_OFFSET,
	                  "task %u: page 0x%" PRIx64 " is not in the image: take a whole image",
	                  f->actor->task->pid, address);
}

int crimg_feed_pages(struct crimg_feed *f, const struct crimg_area *area, uint64_t start,
                     uint64_t stop, struct crimg_err *err)
{
	struct crimg_image *image = f->r->image;
	uint32_t pid = f->actor->task->pid;
	enum crimg_pages_state state;
	struct crimg_page_place place;
	uint64_t end;
	for (uint64_t at = start; at < stop; at = end) {
		if (crimg_memory_state(image, CRIMG_KIND_PAGEMAP, pid, at, &state, &end, err) < 0)
			return -1;
		if (end > stop)
			end = stop;
		if (state == CRIMG_PAGES_NONE)
			continue;
		int rc = crimg_memory_place(image, CRIMG_KIND_PAGEMAP, pid, at, &place, err);
		if (rc < 0)
			return -1;
		if (rc == 0 || state == CRIMG_PAGES_LOST)
			return fail_lost(f, at, err);
		if (place.end < end)
			end = place.end;
		if (feed_run(f, area, at, end, place, err) < 0)
			return -1;
	}
	return 0;
}

bool crimg_restart_has_pages(const struct crimg_area *area)
{
	const uint32_t kernel = CRIMG_VMA_VSYSCALL | CRIMG_VMA_VDSO | CRIMG_VMA_VVAR | CRIMG_VMA_GUARD;
	return (area->vma->status & kernel) == 0 && crimg_restart_is_private(area->vma);
}

int crimg_restart_pages(struct crimg_restart *r, struct crimg_actor *a, struct crimg_err *err)
{
	struct crimg_feed *f = calloc(1, sizeof *f);
	int rc = 0;
	if (f == NULL)
		return crimg_fail_nomem(err, sizeof *f);
	f->r = r;
	f->actor = a;
	f->fd = f->file = -1;
	for (size_t i = 0; rc == 0 && i < a->space.count; i++) {
		const struct crimg_area *area = &a->space.areas[i];
		if ((a->kept == NULL || !a->kept[i]) && crimg_restart_has_pages(area))
			rc = crimg_feed_pages(f, area, area->start, area->end, err);
	}
	if (rc == 0 && a->kept != NULL)
		rc = crimg_restart_settle(r, a, f, err);
	if (rc == 0)
		rc = send_batch(f, err);
	if (crimg_second_close(f->second, err) < 0)
		rc = -1;
	free(f->copy);
	free(f);
	return rc;
}
