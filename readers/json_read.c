// Small JSON documents, by jansson.
#include "format/json_read.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The opaque document is jansson's value itself.
static json_t *value_of(const struct crimg_jsondoc *doc)
{
	union {
		const struct crimg_jsondoc *doc;
		json_t *value;
	} u = { .doc = doc };
	return u.value;
}

int crimg_jsondoc_parse(const char *text, size_t length, const char *name,
                        struct crimg_jsondoc **out, struct crimg_err *err)
{
	json_error_t error;
	if (length > CRIMG_JSONDOC_MAX_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, name, CRIMG_NO_OFFSET,
		                  "%zu bytes of JSON, at most %u wanted", length,
		                  CRIMG_JSONDOC_MAX_BYTES);
	json_t *value = json_loadb(text, length, JSON_DECODE_ANY, &error);
	if (value == NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, name, (uint64_t)error.position, "not JSON: %s",
		                  error.text);
	*out = (void *)value;
	return 0;
}

void crimg_jsondoc_close(struct crimg_jsondoc *doc)
{
	json_decref(value_of(doc));
}

static json_t *step(json_t *value, const char *key)
{
	if (json_is_array(value)) {
		char *end;
		unsigned long index = strtoul(key, &end, 10);
		return *key != '\0' && *end == '\0' ? json_array_get(value, index) : NULL;
	}
	return json_object_get(value, key);
}

static json_t *at_path(const struct crimg_jsondoc *doc, const char *path)
{
	json_t *value = doc != NULL ? value_of(doc) : NULL;
	while (value != NULL && *path != '\0') {
		char key[256];
		size_t length = strcspn(path, "/");
		if (length >= sizeof key)
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		value = step(value, key);
		path += length + (path[length] == '/');
	}
	return value;
}

const char *crimg_jsondoc_string(const struct crimg_jsondoc *doc, const char *path)
{
	return json_string_value(at_path(doc, path));
}

bool crimg_jsondoc_integer(const struct crimg_jsondoc *doc, const char *path, int64_t *out)
{
	const json_t *value = at_path(doc, path);
	if (!json_is_integer(value))
		return false;
	*out = json_integer_value(value);
	return true;
}

size_t crimg_jsondoc_count(const struct crimg_jsondoc *doc, const char *path)
{
	const json_t *value = at_path(doc, path);
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

static void give(crimg_jsondoc_each_fn *each, void *context, const char *key, const json_t *value)
{
	if (json_is_string(value) || json_is_object(value) || json_is_array(value)) {
		each(context, key, json_string_value(value));
		return;
	}
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	each(context, key, text);
	free(text);
}

void crimg_jsondoc_each(const struct crimg_jsondoc *doc, const char *path,
                        crimg_jsondoc_each_fn *each, void *context)
{
	json_t *value = at_path(doc, path), *item;
	if (json_is_object(value)) {
		const char *key;
		json_object_foreach(value, key, item)
			give(each, context, key, item);
	}
	for (size_t i = 0; i < json_array_size(value); i++)
		give(each, context, NULL, json_array_get(value, i));
}
