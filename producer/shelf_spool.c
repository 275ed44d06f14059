// Contents into a file of ours: one payload after the other, each by two threads.
#include "producer/shelf.h"

#include "format/checked.h"
#include "format/spool.h"
#include "format/write_behind.h"

#define PIECE_BYTES (UINT64_C(256) << 20) // a signal is heard in between

struct spooling {
	struct crimg_shelf *shelf;
	size_t payload;               // in work
	struct crimg_source *source;  // of it
	struct crimg_write_behind *to;
	int fd;
	uint64_t at;                  // in the file
};

static int payload_read(struct crimg_source *source, uint64_t offset, void *buf, size_t length,
			size_t *got, struct crimg_err *err)
{
	const struct spooling *s = source->state;
	*got = length;
	return crimg_shelf_read(s->shelf, s->payload, offset, buf, length, err);
}

static const struct crimg_source_ops payload_ops = {payload_read, NULL};

// What is ours already stays where it is.
static bool is_ours(const struct crimg_shelf_payload *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->runs[i].where != CRIMG_SHELF_BYTES)
			return false;
	return true;
}

static int move(struct spooling *s, bool (*stopped)(void), struct crimg_err *err)
{
	struct crimg_shelf_payload *p = &s->shelf->payloads[s->payload];
	s->source->size = p->length;
	for (uint64_t done = 0; done < p->length;) {
		struct crimg_span span = {s->source, done, crimg_min_u64(p->length - done, PIECE_BYTES)};
		if (stopped != NULL && stopped())
			return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "interrupted");
		if (crimg_write_behind_copy(s->to, s->at + done, span, err) < 0)
			return -1;
		done += span.length;
	}
	p->runs[0] = (struct crimg_shelf_run){
		.length = p->length, .where = CRIMG_SHELF_FILE, .place = s->fd, .address = s->at,
	};
	p->count = 1;
	s->at += p->length;
	return 0;
}

int crimg_shelf_spool(struct crimg_shelf *shelf, const char *dir, bool (*stopped)(void),
		      struct crimg_err *err)
{
	struct spooling s = {.shelf = shelf, .fd = crimg_spool_file(dir, err)};
	if (s.fd < 0 || crimg_shelf_keep(shelf, s.fd, err) < 0
	    || crimg_source_make(&payload_ops, "contents", &s, &s.source, err) < 0)
		return -1;
	s.source->parallel = true;
	int rc = crimg_write_behind_open(s.fd, dir, NULL, &s.to, err);
	for (; rc == 0 && s.payload < shelf->payload_count; s.payload++)
		if (!is_ours(&shelf->payloads[s.payload]))
			rc = move(&s, stopped, err);
	crimg_write_behind_close(s.to);
	crimg_source_close(s.source);
	return rc;
}
