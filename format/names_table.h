// The tables behind names.h; for names.c alone.
#ifndef CRIMG_FORMAT_NAMES_TABLE_H
#define CRIMG_FORMAT_NAMES_TABLE_H

#include "format/names.h"

struct crimg_name_table {
	const struct crimg_name *rows;
	size_t count;
};

extern const struct crimg_name_table crimg_name_tables[CRIMG_NAMES_COUNT];

#endif
