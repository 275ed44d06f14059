// The filters of seccomp, each once: a chain is known by its last filter and the one before.
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "producer/capture.h"

#define GET_FILTER 0x420c   // PTRACE_SECCOMP_GET_FILTER
#define GET_METADATA 0x420d // PTRACE_SECCOMP_GET_METADATA

struct crimg_filter {
	const uint8_t *code; // in the shelf's arena
	size_t bytes;
	uint32_t flags;
	bool has_before;
	uint32_t before;
};

struct metadata {
	uint64_t index; // 0 is the filter that was put last
	uint64_t flags;
};

static int fail(pid_t tid, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, NULL, "task %d: its seccomp filters cannot be read", (int)tid);
}

// *out->code stays NULL when there is no filter of that index.
static int read_filter(struct crimg_capture *c, pid_t tid, unsigned long index,
		       struct crimg_filter *out, struct crimg_err *err)
{
	struct metadata m = {.index = index};
	long count = ptrace((enum __ptrace_request)GET_FILTER, tid, (void *)index, NULL);
	if (count < 0)
		return errno == ENOENT ? 0 : fail(tid, err);
	size_t bytes = (size_t)count * sizeof(struct sock_filter);
	void *code = crimg_arena_alloc(&c->shelf.arena, bytes);
	if (code == NULL)
		return crimg_fail_nomem(err, bytes);
	if (ptrace((enum __ptrace_request)GET_FILTER, tid, (void *)index, code) != count)
		return fail(tid, err);
	if (ptrace((enum __ptrace_request)GET_METADATA, tid, (void *)sizeof m, &m) < 0)
		m.flags = 0;
	*out = (struct crimg_filter){.code = code, .bytes = bytes, .flags = (uint32_t)m.flags};
	return 0;
}

static bool is_same(const struct crimg_filter *a, const struct crimg_filter *b)
{
	return a->bytes == b->bytes && a->flags == b->flags && a->has_before == b->has_before
	       && a->before == b->before && memcmp(a->code, b->code, a->bytes) == 0;
}

static int number_of(struct crimg_capture *c, const struct crimg_filter *f, uint32_t *number,
		     struct crimg_err *err)
{
	void *array = c->filters;
	for (size_t i = 0; i < c->filter_count; i++)
		if (is_same(&c->filters[i], f)) {
			*number = (uint32_t)i;
			return 0;
		}
	if (crimg_grow(&array, &c->filter_capacity, c->filter_count, sizeof *c->filters, err) < 0)
		return -1;
	c->filters = array;
	c->filters[c->filter_count] = *f;
	*number = (uint32_t)c->filter_count++;
	return 0;
}

// From the oldest on, so that each finds the one before.
int crimg_capture_seccomp(struct crimg_capture *c, pid_t tid, uint32_t *last, struct crimg_err *err)
{
	unsigned long count = 0;
	while (ptrace((enum __ptrace_request)GET_FILTER, tid, (void *)count, NULL) >= 0)
		count++;
	if (count == 0)
		return fail(tid, err);
	for (unsigned long i = count; i-- > 0;) {
		struct crimg_filter f = {.code = NULL};
		if (read_filter(c, tid, i, &f, err) < 0)
			return -1;
		f.has_before = i + 1 < count;
		f.before = f.has_before ? *last : 0;
		if (number_of(c, &f, last, err) < 0)
			return -1;
	}
	return 0;
}

// All of them in one entry, which is there even when it is empty.
int crimg_capture_put_seccomp(struct crimg_capture *c, struct crimg_err *err)
{
	SeccompEntry e = SECCOMP_ENTRY__INIT;
	crimg_arena_reset(&c->arena);
	SeccompFilter *filters = crimg_capture_alloc(c, (c->filter_count + 1) * sizeof *filters, err);
	e.seccomp_filters = crimg_capture_alloc(c, (c->filter_count + 1) * sizeof(void *), err);
	if (filters == NULL || e.seccomp_filters == NULL)
		return -1;
	for (size_t i = 0; i < c->filter_count; i++) {
		const struct crimg_filter *f = &c->filters[i];
		seccomp_filter__init(&filters[i]);
		filters[i].filter = (ProtobufCBinaryData){f->bytes, (uint8_t *)(uintptr_t)f->code};
		filters[i].has_prev = f->has_before;
		filters[i].prev = f->before;
		filters[i].has_flags = true;
		filters[i].flags = f->flags;
		e.seccomp_filters[e.n_seccomp_filters++] = &filters[i];
	}
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_SECCOMP, 0, &e.base, err);
}
