// The build-id of an ELF file on disk.
#ifndef CRIMG_FORMAT_BUILD_ID_H
#define CRIMG_FORMAT_BUILD_ID_H

#include "format/err.h"

#define CRIMG_BUILD_ID_MAX 64

// Reads the note NT_GNU_BUILD_ID of the ELF file (32 or 64 bits, little-endian) behind fd. Returns its length, 0 when there is
// none, or the file is none, or cannot be read. Bounded: at most 4096 program headers, notes of 64 KiB.
size_t crimg_build_id_read(int fd, uint8_t out[CRIMG_BUILD_ID_MAX]);

#endif
