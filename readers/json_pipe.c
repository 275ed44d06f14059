// Short pipes into memory.
#include "readers/json_pipe.h"

#include <stdlib.h>
#include <string.h>

#include "format/buf.h"
#include "format/checked.h"

#define STEP_BYTES ((size_t)256 << 10)

struct settled {
	struct crimg_source *pipe;  // what comes behind text
	struct crimg_buf text;      // the first bytes
};

static int settled_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                        size_t *got, struct crimg_err *err)
{
	const struct settled *t = s->state;
	size_t n = 0, more = 0;
	if (offset < t->text.length) {
		n = (size_t)crimg_min_u64(t->text.length - offset, length);
		memcpy(buf, t->text.data + offset, n);
	}
	if (n < length && s->forward_only
	    && crimg_source_read(t->pipe, offset + n, (uint8_t *)buf + n, length - n, &more, err) < 0)
		return -1;
	*got = n + more;
	return 0;
}

static void settled_close(struct crimg_source *s)
{
	struct settled *t = s->state;
	crimg_source_close(t->pipe);
	crimg_buf_fini(&t->text);
	free(t);
}

static const struct crimg_source_ops settled_ops = { settled_read, settled_close };

// Reads until the end (*whole) or the limit.
static int read_text(struct crimg_source *pipe, struct crimg_buf *text, bool *whole,
                     struct crimg_err *err)
{
	size_t got = 1;
	while (got > 0 && text->length < JSON_PIPE_BYTES) {
		if (crimg_buf_reserve(text, STEP_BYTES, err) < 0
		    || crimg_source_read(pipe, text->length, text->data + text->length, STEP_BYTES,
		                         &got, err) < 0)
			return -1;
		text->length += got;
	}
	*whole = got == 0;
	return 0;
}

int json_pipe_settle(struct crimg_source **source, struct crimg_err *err)
{
	struct crimg_source *made;
	bool whole;
	if (!(*source)->forward_only)
		return 0;
	struct settled *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	if (read_text(*source, &t->text, &whole, err) < 0
	    || crimg_source_make(&settled_ops, (*source)->name, t, &made, err) < 0) {
		crimg_buf_fini(&t->text);
		free(t);
		return -1;
	}
	t->pipe = *source;
	made->forward_only = !whole;
	if (whole)
		made->size = t->text.length;
	*source = made;
	return 0;
}
