// Choosing a driver: by name, by probing, by suffix.
#include "format/driver.h"

#include <stdio.h>
#include <string.h>

static const struct crimg_reader_driver *by_probe(const struct crimg_input *in)
{
	const struct crimg_reader_driver *best = NULL;
	int best_score = 0;
	for (size_t i = 0; crimg_readers[i] != NULL; i++) {
		int score = crimg_readers[i]->probe(in);
		if (score > best_score) {
			best = crimg_readers[i];
			best_score = score;
		}
	}
	return best;
}

static const struct crimg_reader_driver *by_name(const char *name)
{
	for (size_t i = 0; crimg_readers[i] != NULL; i++)
		if (strcmp(crimg_readers[i]->name, name) == 0)
			return crimg_readers[i];
	return NULL;
}

static int fail_unknown(const struct crimg_input *in, struct crimg_err *err)
{
	char found[64] = "nothing";
	for (size_t i = 0; i < in->head_length && i < 8; i++)
		snprintf(found + 3 * i, sizeof found - 3 * i, "%02x ", (unsigned)in->head[i]);
	return crimg_fail(err, CRIMG_E_FORMAT, in->path, 0,
	                  "no format is known that begins with %s(-f NAME forces one, `crimg "
	                  "formats` lists them)",
	                  in->head_length == 0 ? "nothing: the file is empty " : found);
}

int crimg_reader_open(struct crimg_input *in, const char *format, struct crimg_reader *out,
                      struct crimg_err *err)
{
	const struct crimg_reader_driver *driver = format != NULL ? by_name(format) : by_probe(in);
	if (driver == NULL && format != NULL)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "no format is called %s (`crimg formats` lists them)", format);
	if (driver == NULL)
		return fail_unknown(in, err);
	if (crimg_input_pid(in->path) != 0 && driver->probe(in) == 0)
		return crimg_fail(err, CRIMG_E_USAGE, in->path, CRIMG_NO_OFFSET,
		                  "is a running process, no file of format %s", format);
	struct crimg_reader reader = { .driver = driver };
	if (driver->open(&reader, in, err) < 0)
		return -1;
	*out = reader;
	return 0;
}

int crimg_reader_next(struct crimg_reader *reader, struct crimg_record *record,
                      struct crimg_err *err)
{
	return reader->driver->next(reader, record, err);
}

void crimg_reader_close(struct crimg_reader *reader)
{
	if (reader->driver != NULL)
		reader->driver->close(reader);
	reader->driver = NULL;
}

const struct crimg_writer_driver *crimg_writer_by_name(const char *name)
{
	for (size_t i = 0; crimg_writers[i] != NULL; i++)
		if (strcmp(crimg_writers[i]->name, name) == 0)
			return crimg_writers[i];
	return NULL;
}

const struct crimg_writer_driver *crimg_writer_by_suffix(const char *path)
{
	size_t length = strlen(path);
	for (size_t i = 0; crimg_writers[i] != NULL; i++)
		for (const char *const *s = crimg_writers[i]->suffixes; *s != NULL; s++)
			if (length > strlen(*s) && strcmp(path + length - strlen(*s), *s) == 0)
				return crimg_writers[i];
	return NULL;
}
