// Shared memory that has no file: anonymous, and memfd. One inode, one entry, its pages once.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "producer/capture.h"

#define MEMFD_PREFIX "/memfd:"
#define SYSV_NEVER (1u << 31) // in no number of a System V object

// "/memfd:name (deleted)" is called name; "/dev/zero (deleted)" keeps its path.
static char *plain_name(struct crimg_capture *c, const char *name, struct crimg_err *err)
{
	size_t length;
	crimg_name_is_deleted(name, &length);
	if (strncmp(name, MEMFD_PREFIX, strlen(MEMFD_PREFIX)) == 0) {
		name += strlen(MEMFD_PREFIX);
		length -= strlen(MEMFD_PREFIX);
	}
	char *out = crimg_arena_text(&c->arena, name, length);
	if (out == NULL)
		crimg_fail_nomem(err, length);
	return out;
}

int crimg_capture_shared_run(struct crimg_capture *c, uint64_t id, size_t payload, uint64_t offset,
			     struct crimg_shelf_run run, struct crimg_err *err)
{
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	e.vaddr = offset;
	e.has_nr_pages = e.has_flags = true;
	e.nr_pages = run.length / CRIMG_PAGE_BYTES;
	e.flags = CRIMG_PE_PRESENT;
	c->shared_written += e.nr_pages;
	if (crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP_SHMEM, id, &e.base, err) < 0)
		return -1;
	return crimg_shelf_add(&c->shelf, payload, run, err);
}

// Holes are pages that nobody touched.
int crimg_capture_shared_pages(struct crimg_capture *c, uint64_t id, int borrowed, uint64_t size,
			       struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	size_t payload;
	int fd = fcntl(borrowed, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return crimg_fail_sys(err, errno, NULL, "shared memory cannot be kept open");
	head.pages_id = ++c->last_pages_id;
	if (crimg_shelf_keep(&c->shelf, fd, err) < 0
	    || crimg_shelf_put(&c->shelf, CRIMG_KIND_PAGEMAP_SHMEM, id, &head.base, err) < 0
	    || crimg_shelf_put_payload(&c->shelf, CRIMG_KIND_PAGES, head.pages_id, NULL, &payload, err)
		       < 0)
		return -1;
	// No image has less than a page.
	uint64_t end = (size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	for (off_t at = 0; (uint64_t)at < end;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return crimg_fail_sys(err, errno, NULL, "shared memory has no map of pages");
		at = (uint64_t)hole >= size ? (off_t)end : hole;
		struct crimg_shelf_run run = {
			.where = CRIMG_SHELF_FILE, .place = fd, .address = (uint64_t)data,
			.length = (uint64_t)(at - data),
		};
		if (crimg_capture_shared_run(c, id, payload, run.address, run, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_capture_put_inode(struct crimg_capture *c, const struct crimg_segment *s, const char *name,
			    const struct stat *st, unsigned seals, struct crimg_err *err)
{
	MemfdInodeEntry e = MEMFD_INODE_ENTRY__INIT;
	e.name = plain_name(c, name, err);
	if (e.name == NULL)
		return -1;
	e.uid = st->st_uid;
	e.gid = st->st_gid;
	e.size = (uint64_t)st->st_size;
	e.shmid = s->id;
	e.seals = seals;
	e.inode_id = s->inode_id;
	e.has_mode = true;
	e.mode = st->st_mode;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_MEMFD_INODE, 0, &e.base, err);
}

int crimg_capture_segment_file(struct crimg_capture *c, struct crimg_segment *s, struct crimg_err *err)
{
	MemfdFileEntry memfd = MEMFD_FILE_ENTRY__INIT;
	FileEntry e = FILE_ENTRY__INIT;
	if (s->file_id != 0)
		return 0;
	memfd.fown = crimg_capture_owner(c, -1, err);
	if (memfd.fown == NULL)
		return -1;
	s->file_id = ++c->file.last;
	memfd.id = e.id = s->file_id;
	memfd.inode_id = s->inode_id;
	e.type = FD_TYPES__MEMFD;
	e.memfd = &memfd;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_FILES, 0, &e.base, err);
}

struct crimg_segment *crimg_capture_find_segment(const struct crimg_capture *c, uint64_t dev, uint64_t ino)
{
	for (size_t i = 0; i < c->segment_count; i++)
		if (c->segments[i].dev == dev && c->segments[i].ino == ino)
			return &c->segments[i];
	return NULL;
}

struct crimg_segment *crimg_capture_new_segment(struct crimg_capture *c, uint64_t dev, uint64_t ino,
						struct crimg_err *err)
{
	void *array = c->segments;
	if (crimg_grow(&array, &c->segment_capacity, c->segment_count, sizeof *c->segments, err) < 0)
		return NULL;
	c->segments = array;
	struct crimg_segment *s = &c->segments[c->segment_count++];
	*s = (struct crimg_segment){.dev = dev, .ino = ino, .id = (uint32_t)ino};
	if (c->own_ipc) // whose segments have their own numbers, from 0 on
		s->id |= SYSV_NEVER;
	s->inode_id = (uint32_t)c->segment_count;
	return s;
}

int crimg_capture_segment(struct crimg_capture *c, int fd, const char *name, struct crimg_segment **out,
			  struct crimg_err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return crimg_fail_sys(err, errno, NULL, "shared memory cannot be looked at");
	struct crimg_segment *s = crimg_capture_find_segment(c, st.st_dev, st.st_ino);
	*out = s;
	if (s != NULL)
		return 0;
	int seals = fcntl(fd, F_GET_SEALS);
	*out = s = crimg_capture_new_segment(c, st.st_dev, st.st_ino, err);
	return s == NULL || crimg_capture_put_inode(c, s, name, &st, seals < 0 ? 0 : (unsigned)seals, err) < 0
		       ? -1
		       : crimg_capture_shared_pages(c, s->id, fd, (uint64_t)st.st_size, err);
}
