// Kernel streams: each object is there once, before it is spoken of, and somebody holds it; the threads of a
// process hold what is the process's own. The leak check of the kernel that wrote them counted references
// against its own; here those that the records make are counted against what the records hold.
#include "format/layout_linuxcr.h"
#include "format/names_linuxcr.h"
#include "format/search.h"
#include "validate/checker.h"
#include "validate/kernel_refs.h"

// All that is said of one number: introductions, then references.
struct group {
	const struct crimg_kernel_ref *list;
	size_t count, introductions;
	uint64_t references;
	bool contents;
};

static struct crimg_place place_of(const struct crimg_kernel_refs *r, const struct crimg_kernel_ref *ref)
{
	return crimg_place_entry(r->records, ref->entry, "%s", "");
}

// Inodes, signals and pids are introduced by each mention: the first one counts.
static bool is_silent(uint32_t type)
{
	return type == CRIMG_LCR_OBJ_INODE || type == CRIMG_LCR_OBJ_SIGNAL || type == CRIMG_LCR_OBJ_PID;
}

// Sockets speak of their peers.
static bool may_come_later(uint32_t type)
{
	return type == CRIMG_LCR_OBJ_SOCK;
}

// Of these every place that may speak of them is known.
static bool is_counted(uint32_t type)
{
	return (type >= CRIMG_LCR_OBJ_INODE && type <= CRIMG_LCR_OBJ_IPC_NS)
		|| (type >= CRIMG_LCR_OBJ_USER_NS && type <= CRIMG_LCR_OBJ_GROUPINFO);
}

static struct group group_at(const struct crimg_kernel_refs *r, size_t i)
{
	struct group g = { .list = &r->list[i] };
	for (; i < r->count && r->list[i].number == g.list->number; i++, g.count++) {
		g.introductions += r->list[i].introduces;
		g.references += !r->list[i].introduces;
		g.contents = g.contents || r->list[i].contents;
	}
	return g;
}

// Two OBJREFs, or one and another object's mention, with a number.
static void check_twice(struct crimg_checker *c, const struct crimg_kernel_refs *r, const struct group *g)
{
	for (size_t i = 1; i < g->introductions; i++) {
		const struct crimg_kernel_ref *first = &g->list[0], *again = &g->list[i];
		if (is_silent(again->type) && again->type != CRIMG_LCR_OBJ_PID)
			continue; // of another type: a wrong reference, too
		struct crimg_place at = place_of(r, again);
		CRIMG_FIND(c, OBJECT_TWICE, &at, "reference %d is given to a %s, and a %s has it", again->number,
		           crimg_lcr_object_name(again->type), crimg_lcr_object_name(first->type));
	}
}

// The first reference that is wrong is told of.
static void check_references(struct crimg_checker *c, const struct crimg_kernel_refs *r, const struct group *g)
{
	const struct crimg_kernel_ref *object = &g->list[0];
	for (size_t i = g->introductions; g->introductions > 0 && i < g->count; i++) {
		const struct crimg_kernel_ref *ref = &g->list[i];
		struct crimg_place at = place_of(r, ref);
		if (ref->type != object->type) {
			CRIMG_FIND(c, OBJECT_TYPE, &at, "reference %d to a %s found, and this is a %s", ref->number,
			           crimg_lcr_object_name(ref->type), crimg_lcr_object_name(object->type));
			return;
		}
		if (ref->entry < object->entry && !may_come_later(ref->type)) {
			CRIMG_FIND(c, OBJECT_FORWARD, &at, "reference %d to a %s found, which comes later: record %zu "
			           "speaks of what record %zu introduces", ref->number,
			           crimg_lcr_object_name(ref->type), ref->entry, object->entry);
			return;
		}
	}
}

static void check_count(struct crimg_checker *c, const struct crimg_kernel_refs *r, const struct group *g)
{
	const struct crimg_kernel_ref *first = &g->list[0];
	struct crimg_place at = place_of(r, first);
	const char *name = crimg_lcr_object_name(first->type);
	if (g->introductions == 0)
		CRIMG_FIND(c, OBJECT_COUNT, &at, "%s %d: found %llu references, the image holds none", name,
		           first->number, (unsigned long long)g->references);
	else if (g->references == 0 && is_counted(first->type))
		CRIMG_FIND(c, OBJECT_COUNT, &at, "%s %d: found 0 references, the image holds 1", name, first->number);
	else if (!g->contents)
		CRIMG_FIND(c, OBJECT_COUNT, &at, "%s %d: found %llu references, the image holds 0 contents of it", name,
		           first->number, (unsigned long long)g->references);
}

static uint64_t references_to(const struct crimg_kernel_refs *r, int32_t number)
{
	size_t at = 0;
	CRIMG_COUNT_BEFORE(at, r->count, r->list[at].number < number);
	return at < r->count && r->list[at].number == number ? group_at(r, at).references : 0;
}

// One SIGNAL a process: as many references to it as the process has threads.
static void check_threads(struct crimg_checker *c, const struct crimg_kernel_refs *r)
{
	for (size_t i = 0, n; i < r->task_count; i += n) {
		const struct crimg_kernel_task *first = &r->tasks[i];
		uint64_t found = references_to(r, first->signal);
		for (n = 0; i + n < r->task_count && first[n].group == first->group; n++)
			;
		if (found == n)
			continue;
		struct crimg_place at = crimg_place_entry(r->records, first->entry, "%s", "");
		CRIMG_FIND(c, THREADS_APART, &at, "SIGNAL %d: found %llu references, the image holds %zu thread%s of "
		           "the process", first->signal, (unsigned long long)found, n, n == 1 ? "" : "s");
	}
}

// What ended reading: the object that is wanted may come later, in what was not read.
static void check_last(struct crimg_checker *c, const struct crimg_kernel_refs *r, const struct group *g)
{
	const struct crimg_kernel_ref *ref = &g->list[0];
	if (g->introductions > 0 || ref->entry + 1 != r->records->count)
		return;
	struct crimg_place at = place_of(r, ref);
	CRIMG_FIND(c, OBJECT_FORWARD, &at, "reference %d to a %s found, and none was introduced before", ref->number,
	           crimg_lcr_object_name(ref->type));
}

void crimg_pass_kernel(struct crimg_checker *c)
{
	struct crimg_kernel_refs refs;
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t before = c->findings.of_severity[CRIMG_ERROR];
	int rc = crimg_kernel_refs_collect(c->image, &refs, &err);
	if (rc < 0)
		crimg_checker_damage(c, &err);
	for (size_t i = 0; rc > 0 && i < refs.count;) {
		struct group g = group_at(&refs, i);
		check_twice(c, &refs, &g);
		check_references(c, &refs, &g);
		if (before > 0)
			check_last(c, &refs, &g);
		i += g.count;
	}
	// What damage took away, or what a wrong reference means, is not counted.
	bool whole = rc > 0 && before == 0 && c->findings.of_severity[CRIMG_ERROR] == 0;
	for (size_t i = 0; whole && i < refs.count;) {
		struct group g = group_at(&refs, i);
		check_count(c, &refs, &g);
		i += g.count;
	}
	if (whole)
		check_threads(c, &refs);
	crimg_kernel_refs_fini(&refs);
}
