// A table of pages by number: two pages that want one slot take turns.
#include "inspect/stack_memory.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/limits.h"

#define SLOTS 8192u           // 32 MiB at most
#define PREFETCH_PAGES 4096u  // in all
#define PREFETCH_EACH 8u      // of one stack

struct crimg_kept_page {
	uint64_t number;      // address / page
	uint8_t *bytes;       // owned; NULL: empty
	size_t got;           // of them, from the start of the page
};

int crimg_stack_memory_init(struct crimg_stack_memory *m, const struct crimg_space *space,
                            struct crimg_err *err)
{
	struct crimg_kept_page *slots = calloc(SLOTS, sizeof *slots);
	if (slots == NULL)
		return crimg_fail_nomem(err, SLOTS * sizeof *slots);
	*m = (struct crimg_stack_memory){ .space = space, .slots = slots };
	return 0;
}

void crimg_stack_memory_fini(struct crimg_stack_memory *m)
{
	for (size_t i = 0; m->slots != NULL && i < SLOTS; i++)
		free(m->slots[i].bytes);
	free(m->slots);
	m->slots = NULL;
}

// NULL without memory. What cannot be read is kept as such.
static const struct crimg_kept_page *page_at(struct crimg_stack_memory *m, uint64_t number)
{
	struct crimg_kept_page *slot = &m->slots[number % SLOTS];
	struct crimg_err ignored = CRIMG_ERR_INIT; // whoever needs the page tells of it
	if (slot->bytes != NULL && slot->number == number)
		return slot;
	if (slot->bytes == NULL)
		slot->bytes = malloc(CRIMG_PAGE_BYTES);
	if (slot->bytes == NULL)
		return NULL;
	slot->number = number;
	slot->got = 0;
	if (crimg_space_read_some(m->space, number * CRIMG_PAGE_BYTES, slot->bytes, CRIMG_PAGE_BYTES,
	                          &slot->got, &ignored) < 0)
		slot->got = 0;
	return slot;
}

bool crimg_stack_memory_read(struct crimg_stack_memory *m, uint64_t address, void *buf, size_t length)
{
	uint8_t *out = buf;
	uint64_t end;
	if (!crimg_add_u64(address, length, &end))
		return false;
	while (address < end) {
		const struct crimg_kept_page *page = page_at(m, address / CRIMG_PAGE_BYTES);
		size_t at = (size_t)(address % CRIMG_PAGE_BYTES);
		size_t piece = (size_t)crimg_min_u64(CRIMG_PAGE_BYTES - at, end - address);
		if (page == NULL || at + piece > page->got)
			return false;
		memcpy(out, page->bytes + at, piece);
		out += piece;
		address += piece;
	}
	return true;
}

bool crimg_stack_memory_word(struct crimg_stack_memory *m, uint64_t address, unsigned word,
                             uint64_t *out)
{
	uint8_t bytes[8];
	if (!crimg_stack_memory_read(m, address, bytes, word))
		return false;
	*out = word == 8 ? crimg_get_u64(bytes) : crimg_get_u32(bytes);
	return true;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

void crimg_stack_memory_prefetch(struct crimg_stack_memory *m, uint64_t *pointers, size_t count)
{
	size_t each = count == 0 ? 0 : PREFETCH_PAGES / count;
	each = each > PREFETCH_EACH ? PREFETCH_EACH : each;
	if (each == 0)
		return;
	qsort(pointers, count, sizeof *pointers, by_value);
	for (size_t i = 0; i < count; i++) {
		const struct crimg_area *area = crimg_space_find(m->space, pointers[i]);
		uint64_t page = pointers[i] / CRIMG_PAGE_BYTES;
		for (size_t k = 0; area != NULL && k < each; k++, page++)
			if (page * CRIMG_PAGE_BYTES >= area->end || page_at(m, page) == NULL)
				break;
	}
}
