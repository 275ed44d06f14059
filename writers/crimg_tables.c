// INDEX and DIGESTS frames. Digests leave whenever a frame is full, so they are never many in memory.
#include "writers/crimg_tables.h"

#include "format/checked.h"

// Begins a frame whose body has a head of this many bytes, unless it is begun.
static int begin(struct crimg_buf *frame, size_t head, struct crimg_err *err)
{
	static const uint8_t zeros[CRIMG_F_BYTES + CRIMG_D_BYTES];
	return frame->length > 0 ? 0 : crimg_buf_append(frame, zeros, CRIMG_F_BYTES + head, err);
}

static int put_digests(struct crimg_tables *t, struct crimg_out *o, struct crimg_err *err)
{
	if (begin(&t->digests, CRIMG_D_BYTES, err) < 0)
		return -1;
	uint8_t *body = t->digests.data + CRIMG_F_BYTES;
	crimg_put_u64(body + CRIMG_D_BEFORE, t->digests_at);
	crimg_put_u32(body + CRIMG_D_CONTENTS, t->contents);
	crimg_put_u32(body + CRIMG_D_CHUNKS, t->chunks);
	t->digests_at = o->sink.at;
	t->contents = t->chunks = 0;
	return crimg_out_buf(o, CRIMG_FRAME_DIGESTS, &t->digests, err);
}

int crimg_tables_note(struct crimg_tables *t, struct crimg_out *o,
                      const struct crimg_tables_content *c, struct crimg_err *err)
{
	if (t->chunks + c->chunks > CRIMG_DIGESTS_CHUNKS_MAX && put_digests(t, o, err) < 0)
		return -1;
	if (begin(&t->digests, CRIMG_D_BYTES, err) < 0
	    || crimg_buf_append(&t->digests, c->rows, (size_t)c->chunks * CRIMG_K_BYTES, err) < 0)
		return -1;
	t->contents++;
	t->chunks += c->chunks;
	if (begin(&t->index, CRIMG_I_BYTES, err) < 0 || crimg_buf_u64(&t->index, o->sink.at, err) < 0
	    || crimg_buf_u64(&t->index, c->payload, err) < 0
	    || crimg_buf_u64(&t->index, c->offset, err) < 0)
		return -1;
	return crimg_buf_u64(&t->index, c->length, err);
}

int crimg_tables_write(struct crimg_tables *t, struct crimg_out *o, uint64_t *index_at,
                       struct crimg_err *err)
{
	if (begin(&t->index, CRIMG_I_BYTES, err) < 0)
		return -1;
	size_t head = CRIMG_F_BYTES + CRIMG_I_BYTES;
	crimg_put_u64(t->index.data + CRIMG_F_BYTES, (t->index.length - head) / CRIMG_I_ROW);
	*index_at = o->sink.at;
	if (crimg_out_buf(o, CRIMG_FRAME_INDEX, &t->index, err) < 0)
		return -1;
	return put_digests(t, o, err);
}

void crimg_tables_fini(struct crimg_tables *t)
{
	crimg_buf_fini(&t->index);
	crimg_buf_fini(&t->digests);
}
