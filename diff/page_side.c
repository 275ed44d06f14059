#include "diff/page_side.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/checked.h"
#include "format/limits.h"

static int make_room(struct crimg_page_side *side, struct crimg_err *err)
{
	side->data = malloc(CRIMG_PAGE_BLOCK);
	return side->data == NULL ? crimg_fail_nomem(err, CRIMG_PAGE_BLOCK) : 0;
}

int crimg_page_side_of_space(struct crimg_page_side *side, const struct crimg_space *space,
                             struct crimg_err *err)
{
	*side = (struct crimg_page_side){ .space = space, .image = space->image,
		                          .kind = CRIMG_KIND_PAGEMAP, .id = space->task->pid };
	return make_room(side, err);
}

int crimg_page_side_of_map(struct crimg_page_side *side, struct crimg_image *image,
                           enum crimg_kind kind, uint64_t id, struct crimg_err *err)
{
	*side = (struct crimg_page_side){ .image = image, .kind = kind, .id = id };
	return make_room(side, err);
}

void crimg_page_side_fini(struct crimg_page_side *side)
{
	free(side->data);
	*side = (struct crimg_page_side){ .space = NULL };
}

// Pages behind the end of their object are lost; a page in part is.
static void cut_off(struct crimg_page_side *side, uint64_t address, struct crimg_page_piece *piece)
{
	const struct crimg_page_place *place = &piece->place;
	uint64_t all = place->pages->payload.length, wanted = piece->end - address;
	if (crimg_in_range(place->offset, wanted, all))
		return;
	crimg_fail(&side->cut, CRIMG_E_CUT, place->pages->origin, place->offset,
	           "%llu bytes of pages wanted, the file ends at %llu", (unsigned long long)wanted,
	           (unsigned long long)all);
	uint64_t whole = place->offset < all
		? (all - place->offset) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES : 0;
	if (whole > 0) {
		piece->end = address + whole;
		return;
	}
	piece->state = CRIMG_PAGE_LOST;
	piece->placed = false;
}

// Where pages that are HERE lie, by address or by offset in a segment. Without their pages object they are lost.
static int set_place(struct crimg_page_side *side, enum crimg_kind kind, uint64_t id, uint64_t at,
                     uint64_t address, struct crimg_page_piece *piece, struct crimg_err *err)
{
	int rc = crimg_memory_place(side->image, kind, id, at, &piece->place, err);
	if (rc < 0)
		return -1;
	piece->state = rc == 0 ? CRIMG_PAGE_LOST : CRIMG_PAGE_HERE;
	piece->placed = rc > 0 && !piece->place.packed;
	if (rc > 0 && piece->place.end - at < piece->end - address)
		piece->end = address + (piece->place.end - at);
	if (piece->placed)
		cut_off(side, address, piece);
	piece->place.end = piece->end;
	// From here on place.offset is that of address 0: what lies at an address is a sum away.
	piece->place.offset -= address;
	return 0;
}

uint64_t crimg_page_offset(const struct crimg_page_piece *piece, uint64_t address)
{
	return piece->place.offset + address;
}

static int own_pages(struct crimg_page_side *side, uint64_t address,
                     struct crimg_page_piece *piece, struct crimg_err *err)
{
	enum crimg_pages_state state;
	struct crimg_page_piece here = *piece;
	uint64_t end;
	if (set_place(side, side->kind, side->id, address, address, &here, err) < 0)
		return -1;
	if (here.state == CRIMG_PAGE_HERE) {
		*piece = here;
		return 0;
	}
	if (crimg_memory_state(side->image, side->kind, side->id, address, &state, &end, err) < 0)
		return -1;
	piece->end = crimg_min_u64(piece->end, end);
	if (state != CRIMG_PAGES_NONE)
		piece->state = CRIMG_PAGE_LOST;
	return 0;
}

// Payload of old images has no pages: its last one ends where the payload does, the rest is zero.
static int segment_pages(struct crimg_page_side *side, uint64_t address,
                         struct crimg_page_piece *piece, struct crimg_err *err)
{
	piece->of_segment = true;
	piece->state = CRIMG_PAGE_HERE;
	if (piece->area->segment != NULL)
		return set_place(side, CRIMG_KIND_PAGEMAP_SHMEM, piece->area->segment->object.id,
		                 crimg_area_offset(piece->area, address), address, piece, err);
	uint64_t rest = (CRIMG_PAGE_BYTES - piece->end % CRIMG_PAGE_BYTES) % CRIMG_PAGE_BYTES;
	piece->end = crimg_min_u64(piece->area->end, piece->end + rest);
	return 0;
}

static int task_pages(struct crimg_page_side *side, uint64_t address, struct crimg_page_piece *piece,
                      struct crimg_err *err)
{
	static const enum crimg_page_state states[] = {
		[CRIMG_BYTES_UNMAPPED] = CRIMG_PAGE_ABSENT, [CRIMG_BYTES_PRIVATE] = CRIMG_PAGE_HERE,
		[CRIMG_BYTES_SEGMENT] = CRIMG_PAGE_HERE,    [CRIMG_BYTES_ZERO] = CRIMG_PAGE_ZERO,
		[CRIMG_BYTES_FILE] = CRIMG_PAGE_FILE,       [CRIMG_BYTES_LOST] = CRIMG_PAGE_LOST,
		[CRIMG_BYTES_KERNEL] = CRIMG_PAGE_KERNEL,
	};
	const struct crimg_space *space = side->space;
	enum crimg_bytes kind;
	if (crimg_space_bytes(space, address, &kind, &piece->end, err) < 0)
		return -1;
	piece->state = states[kind];
	if (kind != CRIMG_BYTES_UNMAPPED)
		piece->area = crimg_space_find(space, address);
	if (kind == CRIMG_BYTES_UNMAPPED) // pages without an area are memory all the same
		return own_pages(side, address, piece, err);
	if (kind == CRIMG_BYTES_PRIVATE)
		return set_place(side, side->kind, side->id, address, address, piece, err);
	return kind == CRIMG_BYTES_SEGMENT ? segment_pages(side, address, piece, err) : 0;
}

int crimg_page_side_at(struct crimg_page_side *side, uint64_t address, struct crimg_page_piece *out,
                       struct crimg_err *err)
{
	struct crimg_err damage = CRIMG_ERR_INIT;
	*out = (struct crimg_page_piece){ .state = CRIMG_PAGE_ABSENT, .end = UINT64_MAX };
	int rc;
	if (side->space != NULL) {
		rc = task_pages(side, address, out, &damage);
	} else {
		out->of_segment = side->kind == CRIMG_KIND_PAGEMAP_SHMEM;
		out->state = out->of_segment ? CRIMG_PAGE_ZERO : CRIMG_PAGE_ABSENT;
		rc = own_pages(side, address, out, &damage);
	}
	if (rc < 0 && damage.code == CRIMG_E_NOMEM)
		return crimg_fail_nomem(err, 0);
	if (rc < 0)
		out->state = CRIMG_PAGE_LOST; // a parent that is not at hand
	return 0;
}

// Reads on: a whole block when the last read ended here, else no more than is wanted.
static int fill(struct crimg_page_side *side, const struct crimg_page_place *place, uint64_t offset,
                size_t length, struct crimg_err *err)
{
	uint64_t all = place->pages->payload.length;
	bool goes_on = side->held_pages == place->pages && side->held_image == place->image
		&& offset >= side->held_offset && offset - side->held_offset <= side->held;
	if (!crimg_in_range(offset, length, all))
		return crimg_fail(err, CRIMG_E_CUT, place->pages->origin, offset,
		                  "%zu bytes of pages wanted, the file ends at %llu", length,
		                  (unsigned long long)all);
	size_t wanted = goes_on ? (size_t)crimg_min_u64(CRIMG_PAGE_BLOCK, all - offset) : length;
	side->held = 0;
	if (crimg_image_read(place->image, place->pages->payload.number, offset, side->data, wanted, err)
	    < 0)
		return -1;
	side->held_image = place->image;
	side->held_pages = place->pages;
	side->held_offset = offset;
	side->held = wanted;
	return 0;
}

static int lend_placed(struct crimg_page_side *side, const struct crimg_page_piece *piece,
                       uint64_t address, size_t length, const uint8_t **out, struct crimg_err *err)
{
	const struct crimg_page_place *place = &piece->place;
	uint64_t offset = crimg_page_offset(piece, address);
	bool held = side->held_pages == place->pages && side->held_image == place->image
		&& offset >= side->held_offset
		&& crimg_in_range(offset - side->held_offset, length, side->held);
	if (!held && fill(side, place, offset, length, err) < 0)
		return -1;
	*out = side->data + (offset - side->held_offset);
	return 1;
}

int crimg_page_side_lend(struct crimg_page_side *side, const struct crimg_page_piece *piece,
                         uint64_t address, size_t length, const uint8_t **out, struct crimg_err *err)
{
	if (piece->placed)
		return lend_placed(side, piece, address, length, out, err);
	side->held = 0; // data serves for what is expanded
	side->held_pages = NULL;
	*out = side->data;
	if (side->space == NULL || piece->area == NULL)
		return crimg_memory_read(side->image, side->kind, side->id, address, side->data, length,
		                         err);
	return crimg_space_read(side->space, address, side->data, length, err);
}

bool crimg_page_side_file(struct crimg_page_side *side, const struct crimg_page_piece *piece,
                          uint64_t address, struct crimg_span *span, struct crimg_page_file *file)
{
	const struct crimg_page_place *place = &piece->place;
	struct crimg_page_file *f = &side->file;
	struct stat st;
	if (!piece->placed)
		return false;
	bool asked = f->image == place->image && f->pages == place->pages;
	if (asked && !f->known)
		return false;
	if (crimg_image_locate(place->image, place->pages->payload.number,
	                       crimg_page_offset(piece, address), span, NULL) <= 0)
		return false;
	if (!asked) {
		*f = (struct crimg_page_file){ .image = place->image, .pages = place->pages };
		f->known = span->source->fd >= 0 && fstat(span->source->fd, &st) == 0;
		f->dev = f->known ? st.st_dev : 0;
		f->ino = f->known ? st.st_ino : 0;
	}
	*file = *f;
	return f->known;
}
