// The address space of one task: its areas, and where the bytes behind an address are, wherever the
// image keeps them: among the task's own pages, in a shared segment, in a mapped file, or nowhere
// because they are zero. Knows images; knows nothing of ELF and of files outside the image.
#ifndef CRIMG_FORMAT_SPACE_H
#define CRIMG_FORMAT_SPACE_H

#include "format/files.h"
#include "format/memory.h"
#include "format/vma_flags.h"

// The shared memory that stands for a vDSO whose contents no image has (filter_vdso.c), of 64-bit and
// of 32-bit tasks: above the number of every segment and inode.
#define CRIMG_VDSO_SEGMENT (UINT64_C(1) << 32)
#define CRIMG_VDSO_SEGMENT_32 (CRIMG_VDSO_SEGMENT + 1)

// Why bytes are there, or are not.
enum crimg_bytes {
	CRIMG_BYTES_UNMAPPED, // no area
	CRIMG_BYTES_PRIVATE,  // the task's own pages, in this image or a parent
	CRIMG_BYTES_SEGMENT,  // pages of shared memory, System V segment, memfd or a deleted file
	CRIMG_BYTES_ZERO,     // anonymous and never touched
	CRIMG_BYTES_FILE,     // still equal to the file that is mapped: not in the image
	CRIMG_BYTES_LOST,     // should be here and are not: lazy pages, a parent not at hand
	CRIMG_BYTES_KERNEL,   // vvar, vsyscall, sockets, guard regions: no image holds them
};

// An area, or a piece of one that others lie in: vma has the whole.
struct crimg_area {
	uint64_t start, end;   // end exclusive; within those of vma
	const VmaEntry *vma;   // lives as long as the image
	const VmaEntry *under; // of a guard region: the area that it lies in; else NULL
	const struct crimg_image_object *segment; // pages by offset (PAGEMAP_SHMEM), or NULL
	struct crimg_payload_ref contents; // of old System V segments and deleted files: payload by offset
};

// Gives bytes of a mapped file: length at offset of the file that area maps. 1: done; 0: not to be
// had; -1: err.
typedef int crimg_file_bytes_fn(void *context, const struct crimg_area *area, uint64_t offset,
                                void *buf, size_t length, struct crimg_err *err);

struct crimg_space {
	struct crimg_image *image;
	const struct crimg_task *task;
	struct crimg_area *areas;  // owned; sorted and disjoint
	size_t count;
	crimg_file_bytes_fn *file_bytes; // NULL: file pages are not to be had; the caller may set it
	void *file_context;
};

// Areas without extent are left out. An area that begins in another takes its place there, and behind it
// the outer one goes on: so CRIU notes guard regions. With damage, *out holds what was readable and -1
// is returned.
CRIMG_MUST_CHECK int crimg_space_load(struct crimg_image *image, const struct crimg_files *files,
                                      const struct crimg_task *task, struct crimg_space *out,
                                      struct crimg_err *err);
void crimg_space_fini(struct crimg_space *space);

// The area that holds address, or NULL.
const struct crimg_area *crimg_space_find(const struct crimg_space *space, uint64_t address);
// The first area that ends behind address, or NULL: for going through all of them.
const struct crimg_area *crimg_space_next(const struct crimg_space *space, uint64_t address);

// Where address lies in the file or segment that area maps; may wrap, for hostile ones.
uint64_t crimg_area_offset(const struct crimg_area *area, uint64_t address);

// The kind of bytes at address, and up to *end (exclusive; > address) the same, within one area or
// gap; UINT64_MAX behind the last area. 0, or -1 with err filled: only without memory.
CRIMG_MUST_CHECK int crimg_space_bytes(const struct crimg_space *space, uint64_t address,
                                       enum crimg_bytes *kind, uint64_t *end,
                                       struct crimg_err *err);
// "private", "shared", "zero", "file", …: the word for JSON.
const char *crimg_bytes_word(enum crimg_bytes kind);

// Reads length bytes at address across pages and areas, zero pages as zeros. 1: done. 0: not all of
// them can be had; buf is undefined. -1: err.
CRIMG_MUST_CHECK int crimg_space_read(const struct crimg_space *space, uint64_t address, void *buf,
                                      size_t length, struct crimg_err *err);
// Reads what can be had before the first byte that cannot: *got bytes, up to length. 0, or -1.
CRIMG_MUST_CHECK int crimg_space_read_some(const struct crimg_space *space, uint64_t address,
                                           void *buf, size_t length, size_t *got,
                                           struct crimg_err *err);

#endif
