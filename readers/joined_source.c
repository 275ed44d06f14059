// Finding the member that holds an offset.
#include "readers/joined_source.h"

#include <stdlib.h>

#include "format/checked.h"
#include "format/search.h"

struct joined {
	struct crimg_store *store;
	uint64_t *starts;          // of members, and the end; owned
	struct crimg_source *open; // member `member`, or NULL
	size_t member;
};

static size_t member_at(const struct joined *j, uint64_t offset)
{
	size_t behind;
	CRIMG_COUNT_BEFORE(behind, j->store->count, j->starts[behind] <= offset);
	return behind - 1;
}

static int open_member(struct joined *j, size_t member, struct crimg_err *err)
{
	if (j->open != NULL && j->member == member)
		return 0;
	crimg_source_close(j->open);
	j->open = NULL;
	j->member = member;
	return crimg_store_open_member(j->store, &j->store->members[member], &j->open, err);
}

static int joined_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length, size_t *got,
                       struct crimg_err *err)
{
	struct joined *j = s->state;
	*got = 0;
	while (*got < length && offset + *got < s->size) {
		uint64_t at = offset + *got, into;
		size_t member = member_at(j, at), more;
		into = at - j->starts[member];
		size_t n = (size_t)crimg_min_u64(length - *got, j->starts[member + 1] - at);
		if (open_member(j, member, err) < 0
		    || crimg_source_read(j->open, into, (uint8_t *)buf + *got, n, &more, err) < 0)
			return -1;
		*got += more;
		if (more < n)
			return 0; // it was cut since it was listed
	}
	return 0;
}

static void joined_close(struct crimg_source *s)
{
	struct joined *j = s->state;
	crimg_source_close(j->open);
	free(j->starts);
	free(j);
}

static const struct crimg_source_ops joined_ops = { joined_read, joined_close };

int joined_source_open(struct crimg_store *store, struct crimg_source **out, struct crimg_err *err)
{
	struct joined *j = calloc(1, sizeof *j);
	struct crimg_source *s;
	if (j == NULL)
		return crimg_fail_nomem(err, sizeof *j);
	j->store = store;
	j->starts = calloc(store->count + 1, sizeof *j->starts);
	if (j->starts == NULL || crimg_source_make(&joined_ops, store->name, j, &s, err) < 0) {
		if (j->starts == NULL)
			crimg_fail_nomem(err, store->count * sizeof *j->starts);
		free(j->starts);
		free(j);
		return -1;
	}
	for (size_t i = 0; i < store->count; i++) {
		uint64_t size = store->members[i].type == CRIMG_MEMBER_FILE ? store->members[i].size : 0;
		if (!crimg_add_u64(j->starts[i], size, &j->starts[i + 1])) {
			crimg_source_close(s);
			return crimg_fail(err, CRIMG_E_LIMIT, store->name, CRIMG_NO_OFFSET,
			                  "members of more bytes than can be counted");
		}
	}
	s->size = j->starts[store->count];
	*out = s;
	return 0;
}

uint64_t joined_source_start(const struct crimg_source *joined, size_t member)
{
	return ((const struct joined *)joined->state)->starts[member];
}
