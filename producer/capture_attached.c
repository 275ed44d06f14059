// System V segments whose file cannot be opened here: they stay attached to crimg, and are read in its own memory.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "producer/capture.h"
#include "producer/proc.h"

#define STEP_PAGES 4096u
#define LINE_BYTES 256u

// "start-end r--s offset major:minor inode /SYSV…": the device of what is mapped there; 0: nothing is.
static int read_device(struct crimg_capture *c, uint64_t at, struct crimg_err *err)
{
	const char *text = crimg_capture_text(c, getpid(), "maps", err);
	char line[LINE_BYTES];
	if (text == NULL)
		return -1;
	while (text != NULL) {
		uint64_t start;
		unsigned major, minor;
		text = crimg_proc_line(text, line, sizeof line);
		if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %x:%x", &start, &major, &minor) == 3 && start == at)
			c->sysv_dev = makedev(major, minor);
	}
	return 0;
}

static int put_run(struct crimg_capture *c, uint64_t id, size_t payload, uint64_t at, uint64_t from, uint64_t to,
		   struct crimg_err *err)
{
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_TASK, .place = getpid(), .address = at + from, .length = to - from,
	};
	return from == to ? 0 : crimg_capture_shared_run(c, id, payload, from, run, err);
}

static int put_pages(struct crimg_capture *c, uint64_t id, size_t payload, uint8_t *at, uint64_t size, bool all,
		     struct crimg_err *err)
{
	uint8_t there[STEP_PAGES];
	uint64_t from = 0, to = 0; // the run that goes on
	for (uint64_t done = 0; done < size; done += sizeof there * CRIMG_PAGE_BYTES) {
		uint64_t bytes = crimg_min_u64(size - done, sizeof there * CRIMG_PAGE_BYTES);
		if (mincore(at + done, bytes, there) < 0)
			return crimg_fail_sys(err, errno, NULL, "System V segment %" PRIu64, id);
		for (uint64_t i = 0; i * CRIMG_PAGE_BYTES < bytes; i++) {
			uint64_t page = done + i * CRIMG_PAGE_BYTES;
			if (!all && (there[i] & 1) == 0)
				continue;
			if (page != to && put_run(c, id, payload, (uintptr_t)at, from, to, err) < 0)
				return -1;
			from = page != to ? page : from;
			to = page + CRIMG_PAGE_BYTES;
		}
	}
	return put_run(c, id, payload, (uintptr_t)at, from, to, err);
}

int crimg_capture_attached(struct crimg_capture *c, uint64_t id, void *at, uint64_t size, bool all,
			   struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	void *array = c->attached;
	size_t payload;
	head.pages_id = ++c->last_pages_id;
	if (crimg_grow(&array, &c->attached_capacity, c->attached_count, sizeof *c->attached, err) < 0)
		return -1;
	c->attached = array;
	if (read_device(c, (uintptr_t)at, err) < 0
	    || crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP_SHMEM, id, &head.base, err) < 0
	    || crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_PAGES, head.pages_id, NULL, &payload, err) < 0
	    || put_pages(c, id, payload, at, size, all, err) < 0)
		return -1;
	c->attached[c->attached_count++] = at;
	return 0;
}

void crimg_capture_detach(struct crimg_capture *c)
{
	for (size_t i = 0; i < c->attached_count; i++)
		shmdt(c->attached[i]);
	free(c->attached);
}
