// Small payloads, held in memory until the stream is laid out.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"
#include "writers/kstream.h"

#define MAX_HELD_BYTES (UINT64_C(64) << 20)

bool kstream_wants_content(enum crimg_kind kind)
{
	return kind == CRIMG_KIND_PIPES_DATA || kind == CRIMG_KIND_FIFO_DATA || kind == CRIMG_KIND_SK_QUEUES
		|| kind == CRIMG_KIND_TCP_STREAM
		|| kind == CRIMG_KIND_IPCNS_SHM || kind == CRIMG_KIND_IPCNS_SEM
		|| kind == CRIMG_KIND_IPCNS_MSG;
}

int kstream_announce(struct kstream_contents *c, struct crimg_payload_ref payload, struct crimg_err *err)
{
	void *array = c->list;
	if (payload.number == CRIMG_NO_PAYLOAD || payload.length == 0)
		return 0;
	if (!crimg_add_u64(c->total, payload.length, &c->total) || c->total > MAX_HELD_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "more than %llu MiB in pipes, queues and segments of System V found: they "
		                  "stand before the pages of a kernel stream and are held in memory",
		                  (unsigned long long)(MAX_HELD_BYTES >> 20));
	if (crimg_grow(&array, &c->capacity, c->count, sizeof *c->list, err) < 0)
		return -1;
	c->list = array;
	c->list[c->count++] = (struct kstream_content){ payload.number, payload.length, 0, NULL };
	return 0;
}

static struct kstream_content *find(const struct kstream_contents *c, uint64_t payload)
{
	size_t at = 0;
	CRIMG_COUNT_BEFORE(at, c->count, c->list[at].payload < payload);
	return at < c->count && c->list[at].payload == payload ? &c->list[at] : NULL;
}

int kstream_take(struct kstream_contents *c, const struct crimg_record *r, struct crimg_err *err)
{
	struct kstream_content *p = find(c, r->payload.number);
	if (p == NULL || r->content_length == 0)
		return 0;
	if (r->content_offset != p->held || !crimg_in_range(p->held, r->content_length, p->length))
		return crimg_fail(err, CRIMG_E_FORMAT, r->origin, CRIMG_NO_OFFSET,
		                  "contents of payload %llu at %llu found, %llu wanted",
		                  (unsigned long long)p->payload, (unsigned long long)r->content_offset,
		                  (unsigned long long)p->held);
	if (p->bytes == NULL && (p->bytes = calloc(1, (size_t)p->length)) == NULL)
		return crimg_fail_nomem(err, (size_t)p->length);
	uint8_t *to = p->bytes + p->held;
	size_t length = (size_t)r->content_length;
	if (r->bytes != NULL)
		memcpy(to, r->bytes, length);
	else if (!r->zero && crimg_source_read_exact(r->span.source, r->span.offset, to, length, err) < 0)
		return -1;
	p->held += length;
	return 0;
}

const uint8_t *kstream_content(const struct kstream_contents *c, struct crimg_payload_ref payload)
{
	const struct kstream_content *p = find(c, payload.number);
	return p != NULL && p->held == p->length ? p->bytes : NULL;
}

void kstream_contents_fini(struct kstream_contents *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->list[i].bytes);
	free(c->list);
	*c = (struct kstream_contents){ .count = 0 };
}
