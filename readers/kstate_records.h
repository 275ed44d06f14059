// A "LinuxC/R" image as objects of CRIU's layout: which there are, and the message of each entry. Knows
// messages; the driver knows their order in the stream of records.
#ifndef CRIMG_READERS_KSTATE_RECORDS_H
#define CRIMG_READERS_KSTATE_RECORDS_H

#include "format/schema.h"
#include "readers/kstate_model.h"
#include "readers/model_records.h"
#include "readers/model_tasks.h"

struct kstate_list {
	const struct kstate_object **items; // owned
	size_t count;
};

// A loaded image while records are made from it.
struct kstate_image {
	struct kstate k;
	struct kstate_list tasks_list;   // those that have a number
	struct kstate_list files, names;
	struct model_tasks tasks;      // of tasks_list
	bool *leads;                   // owned; by tasks_list
	uint32_t level;                // of the pid namespace whose numbers are given
	struct model_payloads payloads; // none
	struct crimg_arena arena;      // for making a message
	struct crimg_buf pads;         // of the record in hand
};

extern const struct model_format kstate_format; // its model is a struct kstate_image

// Puts tasks in order. m->k is loaded.
CRIMG_MUST_CHECK int kstate_image_build(struct kstate_image *m, struct crimg_err *err);
void kstate_image_fini(struct kstate_image *m);

// A number of a PID as the first task's namespace has it; 0: none, or outside.
uint32_t kstate_pid(const struct kstate_image *m, const struct kstate_object *pid);

// Messages of a task; kstate_core.c.
int kstate_put_core(struct kstate_image *m, const struct kstate_object *task, bool leads,
                    struct model_entry *out, struct crimg_err *err);

static inline void kstate_from(struct model_entry *out, const struct kstate_object *o)
{
	out->offset = o->offset;
	out->length = o->length;
}

#endif
