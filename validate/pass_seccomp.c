// Filters of system calls: programs that the kernel would take, chains that end, threads that name a
// filter that is there.
#include <inttypes.h>
#include <stdlib.h>

#include "validate/meaning.h"
#include "validate/seccomp_program.h"

#define FILTER_FLAGS_KNOWN 0x3fu // TSYNC LOG SPEC_ALLOW NEW_LISTENER TSYNC_ESRCH WAIT_KILLABLE_RECV

static struct crimg_place filter_place(struct crimg_checker *c, size_t index, const char *field)
{
	return crimg_place_of(c, CRIMG_KIND_SECCOMP, 0, "seccomp_filters[%zu].%s", index, field);
}

static void check_filter(struct crimg_checker *c, const SeccompEntry *entry, size_t index)
{
	const SeccompFilter *f = entry->seccomp_filters[index];
	struct crimg_seccomp_fault fault;
	if (!crimg_seccomp_verify(f->filter.data, f->filter.len, &fault)) {
		struct crimg_place p = filter_place(c, index, "filter");
		CRIMG_FIND(c, FILTER, &p, "instruction %zu: %s", fault.instruction, fault.what);
	}
	if (f->has_flags && (f->flags & ~FILTER_FLAGS_KNOWN) != 0) {
		struct crimg_place p = filter_place(c, index, "flags");
		CRIMG_FIND(c, FILTER_FLAGS, &p, "0x%x found, no bits but 0x%x wanted", f->flags,
		           FILTER_FLAGS_KNOWN);
	}
}

// Follows every chain once: walked[i] is the number of the walk that came by filter i, from 1.
static void check_chains(struct crimg_checker *c, const SeccompEntry *entry)
{
	size_t count = entry->n_seccomp_filters;
	size_t *walked = calloc(count + 1, sizeof *walked);
	if (walked == NULL) {
		crimg_fail_nomem(&c->findings.fault, count * sizeof *walked);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = i, last = i;
		bool ends = false;
		while (at < count && walked[at] == 0 && !ends) {
			walked[at] = i + 1;
			last = at;
			ends = !entry->seccomp_filters[at]->has_prev;
			at = ends ? at : entry->seccomp_filters[at]->prev;
		}
		if (ends || (at < count && walked[at] != i + 1))
			continue; // or goes on as one that was followed
		struct crimg_place p = filter_place(c, last, "prev");
		CRIMG_FIND(c, FILTER_CHAIN, &p, "%zu found, %s", at,
		           at < count ? "which comes back here" : "which is not there");
	}
	free(walked);
}

static void check_thread(struct crimg_checker *c, const struct crimg_task *task,
                         const struct crimg_thread *thread, const struct crimg_space *space)
{
	const ThreadCoreEntry *t = thread->core->thread_core;
	const SeccompEntry *entry = crimg_image_get(c->image, CRIMG_KIND_SECCOMP, 0, NULL);
	size_t count = entry != NULL ? entry->n_seccomp_filters : 0;
	(void)task;
	(void)space;
	if (t == NULL || !t->has_seccomp_mode || t->seccomp_mode != SECCOMP_MODE__filter
	    || t->seccomp_filter < count)
		return;
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid,
	                                      "thread_core.seccomp_filter");
	CRIMG_FIND(c, FILTER_CHAIN, &p, "filter %u found, there are %zu", t->seccomp_filter, count);
}

void crimg_pass_seccomp(struct crimg_checker *c)
{
	const SeccompEntry *entry = crimg_image_get(c->image, CRIMG_KIND_SECCOMP, 0, NULL);
	if (entry != NULL) {
		for (size_t i = 0; i < entry->n_seccomp_filters; i++)
			check_filter(c, entry, i);
		check_chains(c, entry);
	}
	crimg_checker_threads(c, false, check_thread);
}
