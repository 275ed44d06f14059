// What all filters share.
#include "convert/filters.h"

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
