// What all outputs share: the order of calls, the place of the next byte, copying without the kernel.
#include "format/output.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/early_sync.h"
#include "format/limits.h"

#define COPY_BYTES ((size_t)256 << 10)

int crimg_output_make(const struct crimg_output_ops *ops, const char *path, void *state,
                      struct crimg_output **out, struct crimg_err *err)
{
	struct crimg_output *o = malloc(sizeof *o);
	char *copy = strdup(path);
	if (o == NULL || copy == NULL) {
		free(o);
		free(copy);
		return crimg_fail_nomem(err, sizeof *o);
	}
	*o = (struct crimg_output){ .ops = ops, .path = copy, .state = state };
	*out = o;
	return 0;
}

static int check_open(const struct crimg_output *o, struct crimg_err *err)
{
	if (o->committed)
		return crimg_fail(err, CRIMG_E_USAGE, o->path, CRIMG_NO_OFFSET,
		                  "the output is complete already");
	return 0;
}

int crimg_output_commit(struct crimg_output *o, struct crimg_err *err)
{
	if (check_open(o, err) < 0 || o->ops->commit(o, err) < 0)
		return -1;
	o->committed = true;
	return 0;
}

void crimg_output_close(struct crimg_output *o)
{
	if (o == NULL)
		return;
	o->ops->discard(o);
	crimg_early_sync_settle();
	free(o->path);
	free(o);
}

int crimg_output_link(struct crimg_output *o, const char *name, const char *target,
                      struct crimg_err *err)
{
	return check_open(o, err) < 0 ? -1 : o->ops->link(o, name, target, err);
}

int crimg_output_mkdir(struct crimg_output *o, const char *name, struct crimg_err *err)
{
	return check_open(o, err) < 0 ? -1 : o->ops->mkdir(o, name, err);
}

int crimg_sink_create(struct crimg_output *o, const char *name, uint64_t size,
                      struct crimg_sink *sink, struct crimg_err *err)
{
	struct crimg_sink made = { .output = o };
	if (check_open(o, err) < 0 || o->ops->create(o, name, size, &made, err) < 0)
		return -1;
	*sink = made;
	return 0;
}

// Checks [offset, offset + length) and, where bytes are only taken forwards, fills the gap before it.
// *end is where the member's bytes end afterwards.
static int reach(struct crimg_sink *sink, uint64_t offset, uint64_t length, uint64_t *end,
                 struct crimg_err *err)
{
	const struct crimg_output *o = sink->output;
	uint64_t to;
	if (sink->state == NULL)
		return crimg_fail(err, CRIMG_E_USAGE, o->path, CRIMG_NO_OFFSET,
		                  "the member is complete already");
	if (!crimg_add_u64(offset, length, &to) || to > INT64_MAX)
		return crimg_fail(err, CRIMG_E_LIMIT, o->path, offset,
		                  "%llu bytes here are beyond the largest file",
		                  (unsigned long long)length);
	if (!o->at_offsets && offset < sink->at)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->path, offset,
		                  "only forwards can be written: offset %llu or more wanted",
		                  (unsigned long long)sink->at);
	if (!o->at_offsets && offset > sink->at) {
		if (o->ops->zero(sink, sink->at, offset - sink->at, err) < 0)
			return -1;
		sink->at = offset;
	}
	*end = to > sink->at ? to : sink->at;
	return 0;
}

int crimg_sink_append(struct crimg_sink *sink, const void *data, size_t length,
                      struct crimg_err *err)
{
	return crimg_sink_write(sink, sink->at, data, length, err);
}

int crimg_sink_write(struct crimg_sink *sink, uint64_t offset, const void *data, size_t length,
                     struct crimg_err *err)
{
	uint64_t end;
	if (reach(sink, offset, length, &end, err) < 0
	    || (length > 0 && sink->output->ops->write(sink, offset, data, length, err) < 0))
		return -1;
	sink->at = end;
	return 0;
}

int crimg_sink_zero(struct crimg_sink *sink, uint64_t offset, uint64_t length,
                    struct crimg_err *err)
{
	uint64_t end;
	if (reach(sink, offset, length, &end, err) < 0
	    || (length > 0 && sink->output->ops->zero(sink, offset, length, err) < 0))
		return -1;
	sink->at = end;
	return 0;
}

int crimg_sink_copy_bytes(struct crimg_sink *sink, uint64_t offset, struct crimg_span span,
                          struct crimg_err *err)
{
	size_t step = (size_t)crimg_min_u64(COPY_BYTES, span.length);
	uint8_t *buf = malloc(step > 0 ? step : 1);
	int rc = buf == NULL ? crimg_fail_nomem(err, step) : 0;
	for (uint64_t done = 0; rc == 0 && done < span.length;) {
		size_t n = (size_t)crimg_min_u64(step, span.length - done);
		rc = crimg_source_read_exact(span.source, span.offset + done, buf, n, err);
		if (rc == 0)
			rc = sink->output->ops->write(sink, offset + done, buf, n, err);
		done += n;
	}
	free(buf);
	return rc;
}

int crimg_sink_copy(struct crimg_sink *sink, uint64_t offset, struct crimg_span span,
                    struct crimg_err *err)
{
	const struct crimg_output_ops *ops = sink->output->ops;
	uint64_t end;
	if (reach(sink, offset, span.length, &end, err) < 0
	    || (span.length > 0
	        && (ops->copy != NULL ? ops->copy : crimg_sink_copy_bytes)(sink, offset, span,
	                                                                   err) < 0))
		return -1;
	sink->at = end;
	return 0;
}

int crimg_sink_end(struct crimg_sink *sink, struct crimg_err *err)
{
	uint64_t end;
	if (reach(sink, sink->at, 0, &end, err) < 0 || sink->output->ops->end(sink, err) < 0)
		return -1;
	sink->state = NULL;
	return 0;
}
