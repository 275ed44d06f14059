// Memory that tasks share: anonymous segments and memory files. Made and filled once, by crimg itself;
// tasks map them.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/restart_parts.h"

#define ANONYMOUS "/dev/zero" // as the kernel calls what MAP_SHARED | MAP_ANONYMOUS made

const MemfdInodeEntry *crimg_restart_inode(struct crimg_restart *r, uint64_t inode_id)
{
	return crimg_image_select_one(r->image, CRIMG_KIND_MEMFD_INODE, "inode_id", inode_id, NULL);
}

// The pages of a segment, into memory that is mapped here.
static int fill(struct crimg_restart *r, uint64_t id, uint8_t *memory, uint64_t size,
                struct crimg_err *err)
{
	enum crimg_pages_state state;
	uint64_t end;
	for (uint64_t at = 0; at < size; at = end) {
		if (crimg_memory_state(r->image, CRIMG_KIND_PAGEMAP_SHMEM, id, at, &state, &end, err) < 0)
			return -1;
		if (end > size)
			end = size;
		if (state == CRIMG_PAGES_LOST)
			return crimg_fail(err, CRIMG_E_NOTFOUND, r->options->path, CRIMG_NO_OFFSET,
			                  "pages of shared memory %" PRIu64 " are not in the image", id);
		// Page files may be larger than what fits a size: in pieces.
		for (uint64_t from = at; state == CRIMG_PAGES_HERE && from < end;) {
			size_t n = end - from < (64u << 20) ? (size_t)(end - from) : 64u << 20;
			if (crimg_memory_read(r->image, CRIMG_KIND_PAGEMAP_SHMEM, id, from, memory + from, n,
			                      err) < 0)
				return -1;
			from += n;
		}
	}
	return 0;
}

// A descriptor of the nameless file behind shared anonymous memory, where the kernel gives one: then tasks see what they
// saw. Else a memory file of that name does the same.
static int anonymous_file(const void *memory, uint64_t size)
{
	char path[80];
	uint64_t start = (uintptr_t)memory;
	snprintf(path, sizeof path, "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start, start + size);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int make_anonymous(struct crimg_restart *r, uint64_t id, uint64_t size, struct crimg_err *err)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return crimg_fail_sys(err, errno, NULL, "shared memory of %" PRIu64 " bytes", size);
	int fd = anonymous_file(memory, size);
	if (fd < 0) {
		munmap(memory, size);
		fd = memfd_create(ANONYMOUS, MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
			return crimg_fail_sys(err, errno, NULL, "shared memory of %" PRIu64 " bytes", size);
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory == MAP_FAILED)
			return crimg_fail_sys(err, errno, NULL, "mapping a memory file");
	}
	int rc = fill(r, id, memory, size, err);
	munmap(memory, size);
	if (rc < 0)
		close(fd);
	return rc < 0 ? -1 : fd;
}

static int make_memfd(struct crimg_restart *r, const MemfdInodeEntry *e, struct crimg_err *err)
{
	int fd = memfd_create(e->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	void *memory = NULL;
	if (fd < 0 || ftruncate(fd, (off_t)e->size) < 0 || fstat(fd, &st) < 0
	    || (e->has_mode && fchmod(fd, e->mode & 07777) < 0)
	    || ((st.st_uid != e->uid || st.st_gid != e->gid) && fchown(fd, e->uid, e->gid) < 0)) {
		crimg_fail_sys(err, errno, e->name, "a memory file of %" PRIu64 " bytes", e->size);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (e->size == 0)
		return fd;
	memory = mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		close(fd);
		return crimg_fail_sys(err, errno, e->name, "mapping a memory file");
	}
	// Whole pages: the last one may reach behind the file's end.
	uint64_t pages = (e->size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	int rc = fill(r, e->shmid, memory, pages, err);
	munmap(memory, e->size);
	if (rc < 0)
		close(fd);
	return rc < 0 ? -1 : fd;
}

static int open_inodes(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_MEMFD_INODE);
	const MemfdInodeEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, err)) != NULL) {
		if (e->has_hugetlb_flag && e->hugetlb_flag != 0)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, e->name, CRIMG_NO_OFFSET,
			                  "a memory file of huge pages: not restarted yet");
		bool anonymous = strcmp(e->name, ANONYMOUS) == 0 && e->size > 0;
		struct crimg_handle handle = { .sort = CRIMG_HANDLE_SEGMENT, .id = e->shmid };
		handle.fd = anonymous ? make_anonymous(r, e->shmid, e->size, err)
			: make_memfd(r, e, err);
		if (handle.fd < 0 || crimg_handles_add(&r->handles, handle, err) < 0)
			return -1;
	}
	return err->code == CRIMG_OK ? 0 : -1;
}

static bool is_anonymous(const VmaEntry *v)
{
	const uint32_t others = CRIMG_VMA_MEMFD | CRIMG_VMA_SYSV;
	return (v->status & (CRIMG_VMA_ANON_SHARED | others)) == CRIMG_VMA_ANON_SHARED;
}

// Segments that no inode tells of (images before 3.14, other formats): as long as they are mapped.
static uint64_t mapped_size(const struct crimg_restart *r, uint64_t id)
{
	uint64_t size = 0;
	for (size_t i = 0; i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].space.count; k++) {
			const VmaEntry *v = r->actors[i].space.areas[k].vma;
			if (is_anonymous(v) && v->shmid == id && v->pgoff + (v->end - v->start) > size)
				size = v->pgoff + (v->end - v->start);
		}
	return size;
}

int crimg_restart_open_segments(struct crimg_restart *r, struct crimg_err *err)
{
	if (open_inodes(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].space.count; k++) {
			const VmaEntry *v = r->actors[i].space.areas[k].vma;
			struct crimg_handle handle = { .sort = CRIMG_HANDLE_SEGMENT, .id = v->shmid };
			if (!is_anonymous(v)
			    || crimg_handles_find(&r->handles, handle.sort, handle.id, 0) >= 0)
				continue;
			handle.fd = make_anonymous(r, v->shmid, mapped_size(r, v->shmid), err);
			if (handle.fd < 0 || crimg_handles_add(&r->handles, handle, err) < 0)
				return -1;
		}
	return 0;
}

// When all have mapped them: a seal against writing lets no writable mapping come.
int crimg_restart_seal_segments(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_MEMFD_INODE);
	const MemfdInodeEntry *e;
	while ((e = crimg_image_walk(r->image, &walk, err)) != NULL) {
		int fd = crimg_handles_find(&r->handles, CRIMG_HANDLE_SEGMENT, e->shmid, 0);
		if (strcmp(e->name, ANONYMOUS) != 0 && e->seals != 0
		    && fcntl(fd, F_ADD_SEALS, (int)e->seals) < 0)
			return crimg_fail_sys(err, errno, e->name, "sealing a memory file");
	}
	return err->code == CRIMG_OK ? 0 : -1;
}
