// What all filters share.
#include "format/filter.h"

int crimg_filter_replace(struct crimg_record *record, const ProtobufCMessage *message,
			 struct crimg_buf *encoded, struct crimg_err *err)
{
	encoded->length = 0;
	if (crimg_message_encode(message, encoded, err) < 0)
		return -1;
	record->data = encoded->data;
	record->length = encoded->length;
	return 0;
}

int crimg_filter_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
		      size_t length, struct crimg_err *err)
{
	struct crimg_filter *f = reader->state;
	if (f->inner.driver->read == NULL)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "%s images give their contents only in order",
				  f->inner.driver->name);
	return f->inner.driver->read(&f->inner, payload, offset, buf, length, err);
}

int crimg_filter_locate(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
			struct crimg_span *out, struct crimg_err *err)
{
	struct crimg_filter *f = reader->state;
	return f->inner.driver->locate == NULL
		       ? 0
		       : f->inner.driver->locate(&f->inner, payload, offset, out, err);
}

int crimg_filter_digest(struct crimg_reader *reader, uint64_t payload, uint64_t offset,
			struct crimg_digest *out, struct crimg_err *err)
{
	struct crimg_filter *f = reader->state;
	return f->inner.driver->digest == NULL
		       ? 0
		       : f->inner.driver->digest(&f->inner, payload, offset, out, err);
}
