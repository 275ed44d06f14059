// For the parts of the engine: what they share, and how they tell a change.
#ifndef CRIMG_DIFF_TELL_H
#define CRIMG_DIFF_TELL_H

#include "diff/engine.h"
#include "diff/references.h"

enum { CRIMG_A, CRIMG_B };

// What changes are about that are told together.
struct crimg_scope {
	struct crimg_diff *d;
	enum crimg_diff_group group;
	const struct crimg_task_pair *pair;     // or NULL
	const struct crimg_thread_pair *thread; // or NULL
	const char *subject, *name;             // or NULL
	bool folded;                            // all of it is: times, numbers made anew
	bool whole;                             // nothing of it is compared elsewhere
};

// One of the images, not both, is an ELF core: what it has no place for is no change.
static inline bool crimg_one_core(const struct crimg_diff *d)
{
	return d->side[0].is_core != d->side[1].is_core;
}

bool crimg_diff_failed(const struct crimg_diff *d); // there is no use in going on

// Tells, counts, or folds away. NULL for field: the subject as a whole.
void crimg_tell(const struct crimg_scope *s, enum crimg_change_what what, const char *field,
                struct crimg_value a, struct crimg_value b);
// The same as no difference: told only when folded changes are wanted.
void crimg_tell_folded(const struct crimg_scope *s, const char *field, struct crimg_value a,
                       struct crimg_value b);
// Side, an ELF core, does not tell of group.
void crimg_tell_untold(struct crimg_diff *d, int side, enum crimg_diff_group group);

struct crimg_value crimg_text_value(const char *text); // NULL: no value
struct crimg_value crimg_hex_value(uint64_t number);
struct crimg_value crimg_u64_value(uint64_t number);
struct crimg_value crimg_bytes_value(const uint8_t *data, size_t length);

// Tells both texts when they differ.
void crimg_compare_texts(const struct crimg_scope *s, const char *field, const char *a,
                         const char *b);
void crimg_compare_u64(const struct crimg_scope *s, const char *field, uint64_t a, uint64_t b);

// Whether two references are of the same thing, see references.h.
bool crimg_same_reference(struct crimg_diff *d, enum crimg_reference kind, uint64_t a, uint64_t b);

// Objects that were compared, or that nothing more is to be told of.
void crimg_mark(struct crimg_diff *d, int side, const struct crimg_image_object *object);
void crimg_mark_id(struct crimg_diff *d, int side, enum crimg_kind kind, uint64_t id);
bool crimg_is_marked(const struct crimg_diff *d, int side, const struct crimg_image_object *object);

// All messages of an object that decode; what does not is noted in damage. Lives as long as the image.
void crimg_entry_messages(struct crimg_diff *d, int side, struct crimg_image_object *object,
                          struct crimg_list *out);

// Contents of two payloads; either may be none. Tells where they begin to differ.
void crimg_compare_payloads(const struct crimg_scope *s, const char *field,
                            const struct crimg_payload_ref *a, const struct crimg_payload_ref *b);

#endif
