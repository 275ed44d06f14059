// A model, its records, and the input they come from, as the state of a reader.
#include "readers/model_reader.h"

#include <stdlib.h>

struct state {
	const struct model_loader *loader;
	void *model;
	struct model_records records;
	struct crimg_source *source; // one of these is owned
	struct crimg_store *store;
};

static void state_free(struct state *s)
{
	if (s->model != NULL)
		s->loader->fini(s->model);
	model_records_fini(&s->records);
	free(s->model);
	free(s);
}

static int load(struct state *s, const struct crimg_input *in, struct crimg_err *err)
{
	struct model_parts parts;
	s->model = calloc(1, s->loader->size);
	if (s->model == NULL)
		return crimg_fail_nomem(err, s->loader->size);
	if (s->loader->load(s->model, in, &parts, err) < 0)
		return -1;
	s->records = (struct model_records){
		.format = s->loader->format,
		.model = s->model,
		.source = parts.source,
		.payloads = parts.payloads,
		.damage = parts.damage,
	};
	return model_records_init(&s->records, err);
}

int model_reader_open(struct crimg_reader *reader, struct crimg_input *in,
		      const struct model_loader *loader, struct crimg_err *err)
{
	if (in->source == NULL && loader->wanted != NULL)
		return crimg_fail(err, CRIMG_E_FORMAT, in->path, CRIMG_NO_OFFSET,
				  "a directory or archive found, %s wanted", loader->wanted);
	struct state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->loader = loader;
	if (load(s, in, err) < 0) {
		state_free(s);
		return -1;
	}
	s->source = in->source;
	s->store = in->store;
	in->source = NULL;
	in->store = NULL;
	reader->state = s;
	return 0;
}

int model_reader_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct state *s = reader->state;
	return model_records_next(&s->records, r, err);
}

int model_reader_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
		      size_t length, struct crimg_err *err)
{
	const struct state *s = reader->state;
	return model_records_read(&s->records, payload, offset, buf, length, err);
}

void model_reader_close(struct crimg_reader *reader)
{
	struct state *s = reader->state;
	struct crimg_source *source = s->source;
	struct crimg_store *store = s->store;
	state_free(s);
	crimg_source_close(source);
	crimg_store_close(store);
}

const void *model_reader_model(const struct crimg_reader *reader)
{
	return ((const struct state *)reader->state)->model;
}
