// The writer of OpenVZ images: the bytes that came from one (KERNEL_RECORDS), put together again; of other
// images one is made (cptmake_*).
#include <stdlib.h>

#include "format/checked.h"
#include "format/limits.h"
#include "writers/cptmake.h"
#include "writers/writers.h"

static int add_record(struct carried *c, const struct crimg_record *r, struct crimg_err *err)
{
	const KernelRecordEntry *e = carried_record(c, r, err);
	if (e == NULL || carried_head(c, e->payload.data, e->payload.len, err) < 0)
		return -1;
	return e->content_bytes == 0
		       ? 0
		       : carried_contents(c,
					  (struct carried_piece){
						  .kind = e->has_ghost_id ? CRIMG_KIND_GHOST_FILE
									  : CRIMG_KIND_PAGES,
						  .id = e->has_ghost_id ? e->ghost_id : e->pages_id,
						  .from = e->content_at,
						  .length = e->content_bytes,
						  .total = e->content_of,
					  },
					  err);
}

struct cpt_writer {
	struct carried carried;
	struct crimg_image *image; // index of everything else, until contents come
	struct crimg_ledger *ledger;
	bool begun;
};

// From here on only contents come: what is no content is known whole.
static int begin(struct cpt_writer *w, struct crimg_err *err)
{
	if (w->begun)
		return 0;
	w->begun = true;
	if (w->carried.known)
		return 0;
	struct cptmake k = {.c = &w->carried, .image = w->image, .ledger = w->ledger};
	crimg_image_seal(w->image);
	w->carried.size = w->carried.heads.length = w->carried.piece_count = 0; // another format's
	w->carried.known = true;
	int rc = cptmake_image(&k, err);
	cptmake_fini(&k);
	return rc;
}

static int cpt_put(struct crimg_writer *writer, const struct crimg_record *r, struct crimg_err *err)
{
	struct cpt_writer *w = writer->state;
	if (r->type == CRIMG_RECORD_CONTENT)
		return begin(w, err) < 0 ? -1 : carried_put(&w->carried, r, err);
	if (r->object->kind == CRIMG_KIND_KERNEL_RECORDS)
		return r->type == CRIMG_RECORD_MESSAGE && !r->tail ? add_record(&w->carried, r, err)
								    : 0;
	if (!w->carried.known && crimg_image_put(w->image, r, err) < 0)
		return -1;
	return carried_put(&w->carried, r, err);
}

static int cpt_finish(struct crimg_writer *writer, struct crimg_err *err)
{
	struct cpt_writer *w = writer->state;
	return begin(w, err) < 0 ? -1 : carried_finish(&w->carried, err);
}

static void cpt_close(struct crimg_writer *writer)
{
	struct cpt_writer *w = writer->state;
	carried_fini(&w->carried);
	crimg_image_close(w->image);
	free(w);
}

static int cpt_open(struct crimg_writer *writer, const struct crimg_writer_options *options,
		    struct crimg_err *err)
{
	if (options->single_object)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "one file of an image found, a whole image wanted");
	struct cpt_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return crimg_fail_nomem(err, sizeof *w);
	w->carried = carried_make(writer->output, "an OpenVZ image", "cpt");
	w->ledger = options->ledger;
	if (crimg_image_make("", &w->image, err) < 0) {
		carried_fini(&w->carried);
		free(w);
		return -1;
	}
	writer->state = w;
	return 0;
}

static const char *const suffixes[] = {".cpt", NULL};

const struct crimg_writer_driver crimg_writer_cpt = {
	.name = "cpt",
	.suffixes = suffixes,
	.single = true,
	.open = cpt_open,
	.put = cpt_put,
	.finish = cpt_finish,
	.close = cpt_close,
};
