// Libraries that few runs need, loaded when the first of their functions is: what they bring with them would
// be most of what a start of crimg costs.
#ifndef CRIMG_FORMAT_LIBRARY_LOAD_H
#define CRIMG_FORMAT_LIBRARY_LOAD_H

#include "format/err.h"

// A header lists the functions as F(name) F(name) …; these make the members of its table, and their names.
#define CRIMG_LIBRARY_MEMBER(function) __typeof__(function) *function;
#define CRIMG_LIBRARY_NAME(function) #function,

struct crimg_library {
	const char *file;         // soname
	const char *purpose;      // "reads archives": follows "the library that"
	const char *package;      // what to install in Debian 12
	const char *const *names; // of the functions, NULL-terminated
	bool loaded;
};

// Fills table, a structure of as many pointers to functions as there are names, in their order; once. It stays
// loaded until the program ends. -1: err, the library or a function of it is missing.
CRIMG_MUST_CHECK int crimg_library_load(struct crimg_library *library, void *table, struct crimg_err *err);

#endif
