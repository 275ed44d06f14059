// The pump.
#include "convert/pump.h"

#include "format/checked.h"

// A span is handed on in pieces, so that progress moves and a signal is heard. Two threads that copy one
// wait for each other at its end: not too often.
#define PIECE_BYTES (UINT64_C(32) << 20)

static int put_span(struct crimg_writer *writer, struct crimg_record *r, uint64_t *done,
                    uint64_t total, const struct crimg_progress *progress, struct crimg_err *err)
{
	struct crimg_record piece = *r;
	for (uint64_t at = 0; at < r->content_length; at += piece.content_length) {
		piece.content_length = crimg_min_u64(PIECE_BYTES, r->content_length - at);
		piece.content_offset = r->content_offset + at;
		if (r->span.source != NULL)
			piece.span = (struct crimg_span){ r->span.source, r->span.offset + at,
			                                  piece.content_length };
		if (r->bytes != NULL)
			piece.bytes = r->bytes + at;
		if (writer->driver->put(writer, &piece, err) < 0)
			return -1;
		*done += piece.content_length;
		if (!progress->tell(progress->context, *done, total))
			return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "interrupted");
	}
	return 0;
}

int crimg_pump(struct crimg_reader *reader, struct crimg_writer *writer,
               const struct crimg_progress *progress, struct crimg_err *err)
{
	struct crimg_record r;
	uint64_t done = 0, total = 0;
	int rc;
	while ((rc = crimg_reader_next(reader, &r, err)) > 0) {
		if (r.type == CRIMG_RECORD_CONTENT) {
			if (put_span(writer, &r, &done, total, progress, err) < 0)
				return -1;
			continue;
		}
		if (r.payload.number != CRIMG_NO_PAYLOAD)
			total += r.payload.length;
		if (writer->driver->put(writer, &r, err) < 0)
			return -1;
		if (!progress->tell(progress->context, 0, 0))
			return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "interrupted");
	}
	if (rc < 0 || (progress->read != NULL && progress->read(progress->read_context, writer, err) < 0))
		return -1;
	return writer->driver->finish(writer, err);
}
