// Looking things up in a small JSON document, such as an engine's config.dump. Not for images:
// those are streamed. Implemented in readers/json_read.c, beside the one other user of jansson.
#ifndef CRIMG_FORMAT_JSON_READ_H
#define CRIMG_FORMAT_JSON_READ_H

#include "format/err.h"

#define CRIMG_JSONDOC_MAX_BYTES (16u << 20)

struct crimg_jsondoc;

// Parses length bytes; name is for the error. Refuses more than CRIMG_JSONDOC_MAX_BYTES.
CRIMG_MUST_CHECK int crimg_jsondoc_parse(const char *text, size_t length, const char *name,
                                         struct crimg_jsondoc **out, struct crimg_err *err);
void crimg_jsondoc_close(struct crimg_jsondoc *doc); // NULL is allowed

// The value at a path: keys and array indices, separated by '/' ("process/args/0"); a key that
// holds '/' cannot be named. Strings live as long as doc. NULL (false) when it is not there or of
// another type, or when doc is NULL.
const char *crimg_jsondoc_string(const struct crimg_jsondoc *doc, const char *path);
bool crimg_jsondoc_integer(const struct crimg_jsondoc *doc, const char *path, int64_t *out);
// Members of the object, elements of the array at path ("" is the document); 0 for anything else.
size_t crimg_jsondoc_count(const struct crimg_jsondoc *doc, const char *path);

// Calls each(context, key, text) for every member of the object at path, or every element of the
// array (key NULL), in the order of the document. Strings are given as they are, other scalars as
// JSON, objects and arrays as NULL. Strings are lent for the call.
typedef void crimg_jsondoc_each_fn(void *context, const char *key, const char *text);
void crimg_jsondoc_each(const struct crimg_jsondoc *doc, const char *path,
                        crimg_jsondoc_each_fn *each, void *context);

#endif
