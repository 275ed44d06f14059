// Files by what the kernel calls them where it tells of watches: a file system's number, and a handle in it.
#ifndef CRIMG_PRODUCER_FILE_HANDLE_H
#define CRIMG_PRODUCER_FILE_HANDLE_H

#include "format/schema.h"

// The file, opened as a path only; -1: it is not there, its file system is not mounted here or knows no handles, or who
// asks may not (CAP_DAC_READ_SEARCH). dev: major << 20 | minor.
int crimg_file_by_handle(uint32_t dev, const FhEntry *handle);

#endif
