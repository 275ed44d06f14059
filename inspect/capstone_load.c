// dlopen, once.
#include "inspect/capstone_load.h"

#include <dlfcn.h>
#include <string.h>

#define TEXT_OF(x) #x
#define LIBRARY(major) "libcapstone.so." TEXT_OF(major)

static bool find(void *library, const char *name, void *out)
{
	void *symbol = dlsym(library, name);
	memcpy(out, &symbol, sizeof symbol); // POSIX lets functions be kept as pointers to void
	return symbol != NULL;
}

const struct crimg_capstone *crimg_capstone_load(struct crimg_err *err)
{
	static struct crimg_capstone api;
	static bool loaded;
	static const char name[] = LIBRARY(CS_API_MAJOR);
	if (loaded)
		return &api;
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	bool found = library != NULL;
#define FIND(function) found = found && find(library, #function, &api.function);
	CRIMG_CAPSTONE(FIND)
#undef FIND
	if (!found) {
		crimg_fail(err, CRIMG_E_UNSUPPORTED, name, CRIMG_NO_OFFSET,
		           "the library that decodes instructions cannot be loaded: install libcapstone%d",
		           CS_API_MAJOR);
		return NULL;
	}
	loaded = true;
	return &api;
}
