// The auxiliary vector on the stack is the note's, byte for byte: found there, it leads to the
// rest.
#include "readers/corefile_stack.h"

#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"

#define SEARCH_BYTES 4096u      // below the bytes of AT_RANDOM, which stand right above the vector
#define POINTERS_MAX (1u << 20) // arguments, and variables

struct walk {
	const struct corefile_space *space;
	uint64_t width; // of a pointer
	uint64_t page;  // address of what is in bytes
	bool valid;
	uint8_t bytes[CRIMG_PAGE_BYTES];
};

// The pointer at address, which is aligned; false when it is not in the core.
static bool word_at(struct walk *w, uint64_t address, uint64_t *out)
{
	uint64_t page = address / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	if (!w->valid || page != w->page) {
		w->valid = corefile_space_read(w->space, page, w->bytes, sizeof w->bytes);
		w->page = page;
	}
	const uint8_t *p = w->bytes + (address - page);
	if (w->valid)
		*out = w->width == 8 ? crimg_get_u64(p) : crimg_get_u32(p);
	return w->valid;
}

// Bytes of the vector up to AT_NULL, which is part of it: behind that gdb's notes of i386 have more.
static size_t vector_length(const struct corefile_process *p, size_t width)
{
	size_t at = 0;
	while (p->auxv.length - at >= 2 * width) {
		bool last = crimg_all_zero(p->auxv.data + at, width);
		at += 2 * width;
		if (last)
			break;
	}
	return at;
}

// Where the vector begins on the stack, or 0.
static uint64_t find_vector(const struct corefile_process *p, struct walk *w, uint64_t random)
{
	uint8_t bytes[SEARCH_BYTES];
	size_t length = vector_length(p, (size_t)w->width);
	uint64_t top = random / w->width * w->width;
	if (length < w->width || length > sizeof bytes || top < sizeof bytes)
		return 0;
	// The page below may be missing where the stack is short.
	uint64_t from = top - sizeof bytes;
	if (!corefile_space_read(w->space, from, bytes, sizeof bytes)) {
		size_t rest = (size_t)(top % CRIMG_PAGE_BYTES);
		memset(bytes, 0, sizeof bytes);
		if (!corefile_space_read(w->space, top - rest, bytes + sizeof bytes - rest, rest))
			return 0;
	}
	for (size_t at = sizeof bytes - length; at >= w->width; at -= w->width)
		if (at % w->width == 0 && memcmp(bytes + at, p->auxv.data, length) == 0)
			return from + at;
	return 0;
}

// Lowest and, if there is any, number of the pointers below *at down to a word that ends them,
// where *at is then: 0, or with counted their own number.
static bool skip_pointers(struct walk *w, uint64_t *at, bool counted, uint64_t *lowest)
{
	for (uint64_t n = 0; n < POINTERS_MAX && *at >= w->width; n++) {
		uint64_t value = 0;
		*at -= w->width;
		if (!word_at(w, *at, &value))
			return false;
		if (value == (counted ? n : 0))
			return true;
		if (value >= *at && value < *lowest) // texts stand above; others were put in later
			*lowest = value;
	}
	return false;
}

// From the vector down to the argument count.
static bool walk_down(struct walk *w, uint64_t vector, struct corefile_stack *out, uint64_t path)
{
	uint64_t at = vector - w->width, arguments = UINT64_MAX, variables = UINT64_MAX, end = 0;
	if (vector < 4 * w->width || !word_at(w, at, &end) || end != 0)
		return false;
	if (!skip_pointers(w, &at, false, &variables) || !skip_pointers(w, &at, true, &arguments))
		return false;
	out->start = at;
	// Arguments, variables and the path of the program follow each other without a gap.
	if (variables > path)
		variables = path;
	if (arguments >= variables)
		return true;
	out->arg_start = arguments;
	out->arg_end = out->env_start = variables;
	out->env_end = path;
	return true;
}

struct corefile_stack corefile_stack_find(const struct corefile_elf *elf,
                                          const struct corefile_process *process,
                                          const struct corefile_space *space)
{
	struct walk w = { .space = space, .width = elf->is_32 ? 4 : 8 };
	struct corefile_stack out = { 0 };
	uint64_t random = 0, path = 0;
	bool has_random = corefile_auxv(elf, process, CRIMG_AT_RANDOM, &random);
	bool has_path = corefile_auxv(elf, process, CRIMG_AT_EXECFN, &path);
	uint64_t vector = has_random ? find_vector(process, &w, random) : 0;
	if (vector != 0 && walk_down(&w, vector, &out, path))
		return out;
	out.start = has_random ? random : has_path ? path : 0;
	return out;
}
