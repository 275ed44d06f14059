// The CRIU writer: records to the files of an image directory, or of a tar.
// Writes the bytes that were read; knows only frames. Source: SPEC.md, chapter "CRIU images".
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "writers/writers.h"
#include "format/output.h"
#include "writers/assemble.h"

struct criu_writer {
	struct crimg_output *output;
	struct crimg_assembly *assembly;
	struct crimg_sink sink;
	bool sink_open;
};

static size_t magics_of(const struct crimg_object *object, uint8_t head[8])
{
	const struct crimg_kind_info *info = crimg_kind_info(object->kind);
	size_t n = 0;
	if (object->framing == CRIMG_FRAMING_RAW || info->magic == 0)
		return 0;
	if (object->framing == CRIMG_FRAMING_V11 && object->kind != CRIMG_KIND_INVENTORY) {
		crimg_put_u32(head, info->service ? CRIMG_MAGIC_SERVICE : CRIMG_MAGIC_COMMON);
		n = 4;
	}
	crimg_put_u32(head + n, info->magic);
	return n + 4;
}

static int begin(void *context, const struct crimg_object *object, uint64_t size,
                 struct crimg_payload_ref payload, struct crimg_err *err)
{
	struct criu_writer *w = context;
	char derived[CRIMG_FILE_NAME_MAX];
	const char *name = object->name;
	uint8_t head[8];
	(void)payload;
	if (object->type == CRIMG_OBJECT_LINK)
		return crimg_output_link(w->output, name, object->target, err);
	if (object->type == CRIMG_OBJECT_DIR)
		return crimg_output_mkdir(w->output, name, err);
	if (name[0] == '\0') {
		crimg_kind_file(object->kind, object->id, derived);
		name = derived;
	}
	size_t n = magics_of(object, head);
	uint64_t total = size == CRIMG_SIZE_UNKNOWN ? size : size + n;
	if (crimg_sink_create(w->output, name, total, &w->sink, err) < 0)
		return -1;
	w->sink_open = true;
	return crimg_sink_append(&w->sink, head, n, err);
}

static int message(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	struct criu_writer *w = context;
	uint8_t length[4];
	if (r->tail)
		return 0;
	crimg_put_u32(length, (uint32_t)r->length);
	if (crimg_sink_append(&w->sink, length, sizeof length, err) < 0)
		return -1;
	return crimg_sink_append(&w->sink, r->data, r->length, err);
}

static int piece(void *context, const struct crimg_record *r, struct crimg_err *err)
{
	struct criu_writer *w = context;
	if (r->zero)
		return crimg_sink_zero(&w->sink, w->sink.at, r->content_length, err);
	if (r->bytes != NULL)
		return crimg_sink_append(&w->sink, r->bytes, (size_t)r->content_length, err);
	return crimg_sink_copy(&w->sink, w->sink.at, r->span, err);
}

static int end(void *context, struct crimg_err *err)
{
	struct criu_writer *w = context;
	if (!w->sink_open)
		return 0;
	w->sink_open = false;
	return crimg_sink_end(&w->sink, err);
}

static const struct crimg_assembly_ops ops = { begin, message, piece, end };

static int criu_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                     struct crimg_err *err)
{
	struct criu_writer *w = calloc(1, sizeof *w);
	(void)options;
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->output = writer->output;
	if (crimg_assembly_open(&ops, w, !w->output->at_offsets, &w->assembly, err) < 0) {
		free(w);
		return -1;
	}
	writer->state = w;
	return 0;
}

static int criu_put(struct crimg_writer *writer, const struct crimg_record *record,
                    struct crimg_err *err)
{
	struct criu_writer *w = writer->state;
	return crimg_assembly_put(w->assembly, record, err);
}

static int criu_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct criu_writer *w = writer->state;
	return crimg_assembly_finish(w->assembly, err);
}

static void criu_close(struct crimg_writer *writer)
{
	struct criu_writer *w = writer->state;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (w->sink_open && crimg_sink_end(&w->sink, &ignored) < 0)
		w->sink_open = false;
	crimg_assembly_close(w->assembly);
	free(w);
}

static const char *const suffixes[] = { ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", NULL };

const struct crimg_writer_driver crimg_writer_criu = {
	.name = "criu",
	.suffixes = suffixes,
	.open = criu_open,
	.put = criu_put,
	.finish = criu_finish,
	.close = criu_close,
};
