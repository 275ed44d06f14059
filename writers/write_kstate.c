// The writer of "LinuxC/R" images. Objects that came from one are written as they are, gaps included; from
// other images, or where a posting is asked for, one is made (kstate_make.c): as that of March 2009 (M) would have
// written it, or that of February (F). Contents have no place in any.
#include <stdlib.h>
#include <string.h>

#include "writers/carried.h"
#include "writers/kstate_make.h"
#include "writers/writers.h"

struct kstate_writer {
	struct carried carried;
	struct crimg_image *image; // index
	struct crimg_ledger *ledger;
	bool asked; // for a posting
	enum crimg_kst_posting posting;
};

static int kstate_put(struct crimg_writer *writer, const struct crimg_record *r, struct crimg_err *err)
{
	struct kstate_writer *w = writer->state;
	if (r->type == CRIMG_RECORD_CONTENT)
		return 0;
	if (r->type == CRIMG_RECORD_MESSAGE && r->object->kind == CRIMG_KIND_KERNEL_RECORDS && !r->tail) {
		const KernelRecordEntry *e = carried_record(&w->carried, r, err);
		if (e == NULL)
			return -1;
		return w->carried.known && !w->asked ? carried_head(&w->carried, e->payload.data, e->payload.len, err) : 0;
	}
	return crimg_image_put(w->image, r, err);
}

static int make(struct kstate_writer *w, struct crimg_err *err)
{
	struct crimg_buf made = CRIMG_BUF_INIT;
	crimg_image_seal(w->image);
	int rc = kstate_make(w->image, w->posting, w->ledger, &made, err);
	if (rc == 0)
		rc = carried_head(&w->carried, made.data, made.length, err);
	crimg_buf_fini(&made);
	w->carried.known = true;
	return rc;
}

static int kstate_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct kstate_writer *w = writer->state;
	if ((!w->carried.known || w->asked) && make(w, err) < 0)
		return -1;
	return carried_finish(&w->carried, err);
}

static void kstate_close(struct crimg_writer *writer)
{
	struct kstate_writer *w = writer->state;
	carried_fini(&w->carried);
	crimg_image_close(w->image);
	free(w);
}

static int kstate_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
                       struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "one file of an image found, a whole image wanted");
	struct kstate_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->carried = carried_make(writer->output, "a LinuxC/R image", "kstate");
	w->ledger = options->ledger;
	w->asked = options->posting != NULL;
	w->posting = w->asked && strcmp(options->posting, "F") == 0 ? CRIMG_KST_F : CRIMG_KST_M;
	if (crimg_image_make("the image", &w->image, err) < 0) {
		carried_fini(&w->carried);
		free(w);
		return -1;
	}
	writer->state = w;
	return 0;
}

static const char *const suffixes[] = { ".kstate", NULL };

const struct crimg_writer_driver crimg_writer_kstate = {
	.name = "kstate",
	.suffixes = suffixes,
	.single = true,
	.open = kstate_open,
	.put = kstate_put,
	.finish = kstate_finish,
	.close = kstate_close,
};
