// The formats verb.
#include "convert/formats.h"

#include <stdio.h>
#include <string.h>

#include "format/driver.h"
#include "format/json.h"

static void print_text(void)
{
	for (size_t i = 0; crimg_readers[i] != NULL; i++) {
		const struct crimg_reader_driver *d = crimg_readers[i];
		bool writes = crimg_writer_by_name(d->name) != NULL;
		printf("%-8s %s\n         %s; keeps %s, loses %s\n", d->name, d->summary,
		       writes ? "read and written" : "read", d->keeps, d->loses);
	}
}

static int print_json(struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&text, false);
	crimg_json_object(&j, NULL);
	crimg_json_text(&j, "schema", "crimg.formats/1");
	crimg_json_array(&j, "formats");
	for (size_t i = 0; crimg_readers[i] != NULL; i++) {
		const struct crimg_reader_driver *d = crimg_readers[i];
		crimg_json_object(&j, NULL);
		crimg_json_text(&j, "name", d->name);
		crimg_json_text(&j, "summary", d->summary);
		crimg_json_bool(&j, "reads", true);
		crimg_json_bool(&j, "writes", crimg_writer_by_name(d->name) != NULL);
		crimg_json_text(&j, "keeps", d->keeps);
		crimg_json_text(&j, "loses", d->loses);
		crimg_json_end(&j);
	}
	crimg_json_end(&j);
	crimg_json_end(&j);
	int rc = crimg_json_finish(&j, err);
	if (rc == 0)
		printf("%.*s\n", (int)text.length, (const char *)text.data);
	crimg_buf_fini(&text);
	return rc;
}

int crimg_formats_main(int argc, char **argv)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	if (argc == 1) {
		print_text();
	} else if (argc == 2 && strcmp(argv[1], "--json") == 0) {
		if (print_json(&err) < 0) {
			fprintf(stderr, "crimg formats: %s\n", err.text);
			return 2;
		}
	} else {
		bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
		fputs("usage: crimg formats [--json]\n", help ? stdout : stderr);
		return help ? 0 : 2;
	}
	if (fflush(stdout) != 0) {
		fputs("crimg formats: standard output cannot be written\n", stderr);
		return 2;
	}
	return 0;
}
