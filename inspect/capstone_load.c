// Of the major version that the header speaks of: others have other structures.
#include "inspect/capstone_load.h"

#define TEXT_OF(x) #x
#define VERSIONED(base, major) base TEXT_OF(major)

const struct crimg_capstone *crimg_capstone_load(struct crimg_err *err)
{
	static struct crimg_capstone table;
	static const char *const names[] = { CRIMG_CAPSTONE(CRIMG_LIBRARY_NAME) NULL };
	static struct crimg_library library = {
		.file = VERSIONED("libcapstone.so.", CS_API_MAJOR),
		.purpose = "decodes instructions",
		.package = VERSIONED("libcapstone", CS_API_MAJOR),
		.names = names,
	};
	return crimg_library_load(&library, &table, err) < 0 ? NULL : &table;
}
