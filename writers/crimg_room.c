#include "writers/crimg_room.h"

#define ROOM_BYTES 64u   // two times that are some bytes longer
#define PADDING_MAX 256u // room, and what a shorter frame leaves

int crimg_room_leave(struct crimg_room *room, struct crimg_out *o, struct crimg_buf *entries,
                     struct crimg_err *err)
{
	uint8_t padding[CRIMG_F_BYTES + ROOM_BYTES] = { 0 };
	struct crimg_room left = { .number = o->frames, .at = o->sink.at };
	if (crimg_out_buf(o, CRIMG_FRAME_ENTRIES, entries, err) < 0
	    || crimg_out_frame(o, CRIMG_FRAME_PADDING, padding, ROOM_BYTES, ROOM_BYTES, err) < 0)
		return -1;
	left.bytes = o->sink.at - left.at;
	*room = left;
	return 0;
}

int crimg_room_fill(const struct crimg_room *room, struct crimg_out *o, struct crimg_buf *entries,
                    struct crimg_err *err)
{
	uint8_t zeros[CRIMG_F_BYTES + PADDING_MAX] = { 0 };
	uint64_t used = entries->length, left = room->bytes - used;
	struct crimg_buf padding = { .data = zeros, .length = (size_t)left };
	if (used > room->bytes || left < CRIMG_F_BYTES || left > sizeof zeros)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "%llu bytes of entries do not fit where there is room for %llu",
		                  (unsigned long long)used, (unsigned long long)room->bytes);
	if (crimg_out_again(o, room->number, room->at, CRIMG_FRAME_ENTRIES, entries, err) < 0)
		return -1;
	return crimg_out_again(o, room->number + 1, room->at + used, CRIMG_FRAME_PADDING, &padding, err);
}
