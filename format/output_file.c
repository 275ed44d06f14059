// An output of one file, which holds one member.
#include <stdlib.h>

#include "format/outfd.h"
#include "format/place.h"

struct file_state {
	struct crimg_place place;
	struct crimg_outfd out;
	uint64_t size;        // that was promised
	bool created, ended;
};

static int file_create(struct crimg_output *o, const char *name, uint64_t size,
                       struct crimg_sink *sink, struct crimg_err *err)
{
	struct file_state *f = o->state;
	(void)name;
	if (f->created)
		return crimg_fail(err, CRIMG_E_USAGE, f->place.shown, CRIMG_NO_OFFSET,
		                  "a single file holds one member, a second was begun");
	f->created = true;
	f->size = size;
	crimg_outfd_promise(&f->out, size);
	sink->state = &f->out;
	return 0;
}

static int file_end(struct crimg_sink *sink, struct crimg_err *err)
{
	struct file_state *f = sink->output->state;
	if (crimg_outfd_finish(&f->out, f->size, err) < 0)
		return -1;
	f->ended = true;
	return 0;
}

static int file_link(struct crimg_output *o, const char *name, const char *target,
                     struct crimg_err *err)
{
	const struct file_state *f = o->state;
	(void)target;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->place.shown, CRIMG_NO_OFFSET,
	                  "a single file cannot hold the link %s", name);
}

static int file_mkdir(struct crimg_output *o, const char *name, struct crimg_err *err)
{
	const struct file_state *f = o->state;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->place.shown, CRIMG_NO_OFFSET,
	                  "a single file cannot hold the directory %s", name);
}

static int file_commit(struct crimg_output *o, struct crimg_err *err)
{
	struct file_state *f = o->state;
	if (f->created && !f->ended)
		return crimg_fail(err, CRIMG_E_USAGE, f->place.shown, CRIMG_NO_OFFSET,
		                  "a member is still being written");
	if (o->at_offsets && crimg_sync_fd(f->out.fd, f->place.shown, err) < 0)
		return -1;
	int why = crimg_outfd_close(&f->out);
	if (why != 0)
		return crimg_fail_sys(err, why, f->place.shown, "cannot be written");
	return crimg_place_commit(&f->place, err);
}

static void file_discard(struct crimg_output *o)
{
	struct file_state *f = o->state;
	(void)crimg_outfd_close(&f->out);
	crimg_place_fini(&f->place);
	free(f);
}

static const struct crimg_output_ops file_ops = {
	.create = file_create,
	.write = crimg_outfd_sink_write,
	.zero = crimg_outfd_sink_zero,
	.copy = crimg_outfd_sink_copy,
	.end = file_end,
	.link = file_link,
	.mkdir = file_mkdir,
	.commit = file_commit,
	.discard = file_discard,
};

int crimg_output_open_file(const char *path, struct crimg_output **out, struct crimg_err *err)
{
	struct file_state *f = calloc(1, sizeof *f);
	struct crimg_output *o;
	int fd;
	bool in_place;
	if (f == NULL)
		return crimg_fail_nomem(err, sizeof *f);
	if (crimg_output_make(&file_ops, path, f, &o, err) < 0) {
		free(f);
		return -1;
	}
	f->out.fd = f->place.parent = -1;
	if (crimg_place_open_file(&f->place, o->path, &fd, &in_place, err) < 0) {
		crimg_output_close(o);
		return -1;
	}
	f->out = crimg_outfd_make(fd, !in_place, f->place.shown);
	o->at_offsets = !in_place;
	*out = o;
	return 0;
}
