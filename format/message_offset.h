// Where a field lies within the bytes of its message: for findings and for people with a hex editor.
#ifndef CRIMG_FORMAT_MESSAGE_OFFSET_H
#define CRIMG_FORMAT_MESSAGE_OFFSET_H

#include "format/schema.h"

// Finds the field that path names ("thread_info.gpregs.ip", "vmas[3].start") in the length encoded bytes of a
// message of this type. True with *offset: of the field's tag, from the start of data. False when it
// is not there (left out, or a name that type does not have).
bool crimg_message_offset(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                          size_t length, const char *path, uint64_t *offset);

#endif
