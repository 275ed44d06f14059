// A tiny container of files, for targets whose input is a whole image directory: repeated u8 kind (255:
// u8 length and a name follow; 254: the same, and the bytes are the target of a link), else u8 number,
// then u32 length, bytes. A length beyond the end takes what is left.
#ifndef CRIMG_FUZZ_MEMBERS_H
#define CRIMG_FUZZ_MEMBERS_H

#include "format/store.h"

#define MEMBERS_NAMED 255
#define MEMBERS_LINK 254

// A store over data, which is borrowed; members that no store would hold are left out. NULL when memory
// is denied.
struct crimg_store *members_store(const uint8_t *data, size_t size);

#endif
