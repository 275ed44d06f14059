// The objects of a "LinuxC/R" image being made: each known by its type and a key, its bytes, and what it
// refers to; laid out at the end, what is referred to before what refers. Knows layouts; knows nothing of
// what images say. An error stays: what follows it does nothing, and the caller asks once, at the end.
#ifndef CRIMG_WRITERS_KSTATE_THINGS_H
#define CRIMG_WRITERS_KSTATE_THINGS_H

#include "format/buf.h"
#include "format/layout_kstate.h"

#define KSTATE_NOTHING SIZE_MAX

struct kstate_thing {
	enum crimg_kst_type type;
	const void *key;     // in the arena
	size_t key_length;
	uint8_t *body;       // of length bytes, header included, in the arena
	uint32_t length;
	size_t refs[CRIMG_KST_MAX_REFS]; // things, in the order of the layout; KSTATE_NOTHING
	uint64_t at;         // where it was laid
};

struct kstate_things {
	struct kstate_thing *list; // owned; in the order in which they were first spoken of
	size_t count, capacity;
	size_t *slots;             // owned; by key: open addressing, index + 1
	size_t slot_count;
	struct crimg_arena arena;
	struct crimg_err err;      // the first
};

struct kstate_things kstate_things_make(void);
void kstate_things_fini(struct kstate_things *t);
// The thing of this type and key, made if there is none (*fresh, which may be NULL): its body is zero, it
// refers to nothing. KSTATE_NOTHING after an error.
size_t kstate_thing(struct kstate_things *t, enum crimg_kst_type type, const void *key, size_t key_length,
                    bool *fresh);
// Fields of a thing; nothing happens to KSTATE_NOTHING.
void kstate_set_u32(struct kstate_things *t, size_t thing, uint32_t at, uint32_t value);
void kstate_set_u64(struct kstate_things *t, size_t thing, uint32_t at, uint64_t value);
// Cut at width; a shorter one is filled up with NUL.
void kstate_set_text(struct kstate_things *t, size_t thing, uint32_t at, const char *text, size_t width);
// The reference at `at`, as the layout has it.
void kstate_set_ref(struct kstate_things *t, size_t thing, uint32_t at, size_t to);
// Appends a header and all things that the posting (F or M) has, numbered and in order as it has them.
CRIMG_MUST_CHECK int kstate_lay(struct kstate_things *t, enum crimg_kst_posting posting, const char *release,
                                struct crimg_buf *out, struct crimg_err *err);

#endif
