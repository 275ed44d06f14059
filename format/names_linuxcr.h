// Names of the records and objects of kernel streams, as v23-rc2 numbers them. Knows numbers alone.
#ifndef CRIMG_FORMAT_NAMES_LINUXCR_H
#define CRIMG_FORMAT_NAMES_LINUXCR_H

#include <stdint.h>

// "VMA"; NULL: no posting has such a record.
const char *crimg_lcr_kind_name(uint32_t kind);
// "FILE_TABLE", "unknown".
const char *crimg_lcr_object_name(uint32_t type);

#endif
