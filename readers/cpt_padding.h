// Padding in an OpenVZ image.
#ifndef CRIMG_READERS_CPT_PADDING_H
#define CRIMG_READERS_CPT_PADDING_H

#include "readers/cpt_records.h"

// length bytes of the file from `at` on, which begin in o or behind it (NULL: in no object): padding
// becomes zero, and what it was is put into pads (see kernel_record_entry).
CRIMG_MUST_CHECK int cpt_take_padding(struct cpt_image *m, const struct cpt_object *o, uint64_t at,
				      uint8_t *data, size_t length, struct crimg_buf *pads,
				      struct crimg_err *err);
// Bytes of a NET_ROUTE that are messages.
uint64_t cpt_route_bytes(const struct cpt *c, const struct cpt_object *o);

#endif
