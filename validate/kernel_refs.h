// The objects of a kernel stream and all references to them, from the records that an image carries, whether the
// stream can be read to its end or not. Knows where references stand in records; judges nothing.
#ifndef CRIMG_VALIDATE_KERNEL_REFS_H
#define CRIMG_VALIDATE_KERNEL_REFS_H

#include "format/image.h"

// A place where a number stands for an object.
struct crimg_kernel_ref {
	int32_t number;
	uint32_t type;     // CRIMG_LCR_OBJ_* that is wanted there; of an introduction: that it has
	size_t entry;      // of KERNEL_RECORDS
	uint32_t at;       // of the number, in the record's payload
	bool introduces;   // OBJREF, or the first mention of what has none (inodes, signals, pids)
	bool contents;     // its contents come with this record
};

// A task that lives, as its TASK_OBJS and its line in the tree tell.
struct crimg_kernel_task {
	int32_t group;     // number or reference of its process, as the tree has it
	int32_t signal;    // reference
	size_t entry;      // TASK_OBJS
};

struct crimg_kernel_refs {
	struct crimg_image_object *records;
	struct crimg_kernel_ref *list; // owned; by number, then as they stand, introductions first
	size_t count, capacity;
	struct crimg_kernel_task *tasks; // owned; by group
	size_t task_count, task_capacity;
};

// 1; 0: the image carries no records. -1: err (memory). *out is to be freed whatever happens.
CRIMG_MUST_CHECK int crimg_kernel_refs_collect(struct crimg_image *image, struct crimg_kernel_refs *out,
                                               struct crimg_err *err);
void crimg_kernel_refs_fini(struct crimg_kernel_refs *refs);

#endif
