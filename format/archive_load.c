// Of libarchive 3, whose soname has been 13 all along.
#include "format/archive_load.h"

const struct crimg_archive *crimg_archive_load(struct crimg_err *err)
{
	static struct crimg_archive table;
	static const char *const names[] = { CRIMG_ARCHIVE(CRIMG_LIBRARY_NAME) NULL };
	static struct crimg_library library = {
		.file = "libarchive.so.13",
		.purpose = "reads and writes archives",
		.package = "libarchive13",
		.names = names,
	};
	return crimg_library_load(&library, &table, err) < 0 ? NULL : &table;
}
