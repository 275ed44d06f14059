// dlopen, once for each library.
#include "format/library_load.h"

#include <dlfcn.h>
#include <string.h>

int crimg_library_load(struct crimg_library *library, void *table, struct crimg_err *err)
{
	uint8_t *member = table;
	if (library->loaded)
		return 0;
	void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
	for (const char *const *name = library->names; *name != NULL; name++, member += sizeof(void *)) {
		void *function = handle != NULL ? dlsym(handle, *name) : NULL;
		if (function == NULL)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, library->file, CRIMG_NO_OFFSET,
			                  "the library that %s cannot be loaded: install %s", library->purpose,
			                  library->package);
		memcpy(member, &function, sizeof function); // POSIX keeps functions as pointers to void
	}
	library->loaded = true;
	return 0;
}
