// Control groups: which processes are where. An image tells of groups by mount, each with its processes;
// CRIU of processes, each with its groups.
#include <stdlib.h>

#include "format/limits.h"
#include "format/search.h"
#include "readers/cpt_records.h"

#define MAX_DEPTH 64

static int by_pid(const void *a, const void *b)
{
	const struct cpt_member *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->group->offset < y->group->offset ? -1 : x->group->offset > y->group->offset;
}

// Behind its header a group has its name, unless it is the root, and numbers of processes up to a 0.
uint64_t cpt_group_name(const struct cpt *c, const struct cpt_object *group, const uint8_t *body,
			size_t length)
{
	if ((int32_t)cpt_get(c, group, CRIMG_CPT_CGROUP_PARENT) < 0
	    || length < CRIMG_CPT_OBJECT_BYTES)
		return 0;
	uint64_t n = crimg_get_u64(body);
	bool name = crimg_get_u32(body + 8) == crimg_cpt_objects[CRIMG_CPT_OBJ_NAME].number;
	return name && n >= CRIMG_CPT_OBJECT_BYTES && n <= length ? n : 0;
}

static int add_member(struct cpt_image *m, uint32_t pid, const struct cpt_object *group,
		      struct crimg_err *err)
{
	void *array = m->members;
	if (crimg_grow(&array, &m->member_capacity, m->member_count, sizeof *m->members, err) < 0)
		return -1;
	m->members = array;
	m->members[m->member_count++] = (struct cpt_member){pid, group};
	return 0;
}

static int read_group(struct cpt_image *m, const struct cpt_object *group, struct crimg_err *err)
{
	enum { LONGEST = 1 << 24 };
	size_t length;
	crimg_arena_reset(&m->arena);
	uint8_t *body = cpt_read(&m->c, group, LONGEST, &length, &m->arena, err);
	if (body == NULL)
		return -1;
	for (size_t at = (size_t)cpt_group_name(&m->c, group, body, length); at + 4 <= length; at += 4)
		if (crimg_get_u32(body + at) == 0)
			break;
		else if (add_member(m, crimg_get_u32(body + at), group, err) < 0)
			return -1;
	return 0;
}

int cpt_find_members(struct cpt_image *m, struct crimg_err *err)
{
	for (size_t i = 0; i < cpt_count(&m->c, CRIMG_CPT_OBJ_CGROUP); i++)
		if (read_group(m, cpt_nth(&m->c, CRIMG_CPT_OBJ_CGROUP, i), err) < 0)
			return -1;
	if (m->member_count > 0)
		qsort(m->members, m->member_count, sizeof *m->members, by_pid);
	return 0;
}

static size_t first_of(const struct cpt_image *m, uint32_t pid)
{
	size_t at;
	CRIMG_COUNT_BEFORE(at, m->member_count, m->members[at].pid < pid);
	return at;
}

// Sets are numbered as the list's first place of their process, from 1.
uint32_t cpt_cgroup_set(const struct cpt_image *m, uint32_t pid)
{
	size_t first = first_of(m, pid);
	return first < m->member_count && m->members[first].pid == pid ? (uint32_t)first + 1 : 0;
}

// The CGROUPS that a group is in.
static const struct cpt_object *hierarchy_of(const struct cpt *c, const struct cpt_object *group)
{
	size_t place = (size_t)(group - c->objects), count = cpt_count(c, CRIMG_CPT_OBJ_CGROUPS), at;
	CRIMG_COUNT_BEFORE(at, count, cpt_nth(c, CRIMG_CPT_OBJ_CGROUPS, at)->end <= place);
	return at < count ? cpt_nth(c, CRIMG_CPT_OBJ_CGROUPS, at) : NULL;
}

static const struct cpt_object *parent_of(const struct cpt *c, const struct cpt_object *in,
					  const struct cpt_object *group)
{
	const struct cpt_object *o = NULL;
	int64_t parent = (int32_t)cpt_get(c, group, CRIMG_CPT_CGROUP_PARENT);
	while (parent >= 0 && (o = cpt_child(c, in, o, CRIMG_CPT_OBJ_CGROUP)) != NULL && o != group)
		if (cpt_get(c, o, CRIMG_CPT_CGROUP_INDEX) == (uint64_t)parent)
			return o;
	return NULL;
}

static int group_name(struct cpt_image *m, const struct cpt_object *group, const char **out,
		      struct crimg_err *err)
{
	enum { LONGEST = 1 << 13 };
	size_t length;
	uint8_t *body = cpt_read(&m->c, group, LONGEST, &length, &m->arena, err);
	if (body == NULL)
		return -1;
	uint64_t n = cpt_group_name(&m->c, group, body, length);
	body[n] = 0;
	*out = n == 0 ? "" : (const char *)body + CRIMG_CPT_OBJECT_BYTES;
	return 0;
}

// "/a/b", from the root down; parents stand before their children.
static char *path_of(struct cpt_image *m, const struct cpt_object *in,
		     const struct cpt_object *group, struct crimg_err *err)
{
	const char *names[MAX_DEPTH];
	size_t depth = 0, length = 1;
	for (; group != NULL && depth < MAX_DEPTH; group = parent_of(&m->c, in, group)) {
		if (group_name(m, group, &names[depth], err) < 0)
			return NULL;
		length += strlen(names[depth++]) + 1;
	}
	char *path = cpt_make(m, length, 1, err), *to = path;
	while (path != NULL && depth-- > 0)
		if (names[depth][0] != '\0') {
			*to++ = '/';
			to = stpcpy(to, names[depth]);
		}
	if (path != NULL && to == path)
		*to = '/';
	return path;
}

static CgMemberEntry *member_entry(struct cpt_image *m, const struct cpt_member *of,
				   struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *in = hierarchy_of(c, of->group);
	CgMemberEntry *e = cpt_make(m, 1, sizeof *e, err);
	if (e == NULL)
		return NULL;
	cg_member_entry__init(e);
	e->name = cpt_text(c, in == NULL ? NULL : cpt_child(c, in, NULL, CRIMG_CPT_OBJ_NAME),
			   &m->arena, err);
	e->path = in == NULL ? e->name : path_of(m, in, of->group, err);
	return e->name == NULL || e->path == NULL ? NULL : e;
}

static int add_set(struct cpt_image *m, CgroupEntry *e, size_t first, size_t count,
		   struct crimg_err *err)
{
	CgSetEntry *set = cpt_make(m, 1, sizeof *set, err);
	if (set == NULL)
		return -1;
	cg_set_entry__init(set);
	set->id = (uint32_t)first + 1;
	if ((set->ctls = cpt_make(m, count, sizeof *set->ctls, err)) == NULL)
		return -1;
	for (; set->n_ctls < count; set->n_ctls++) {
		set->ctls[set->n_ctls] =
			member_entry(m, &m->members[first + set->n_ctls], err);
		if (set->ctls[set->n_ctls] == NULL)
			return -1;
	}
	e->sets[e->n_sets++] = set;
	return 0;
}

static int add_controllers(struct cpt_image *m, CgroupEntry *e, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	size_t count = cpt_count(c, CRIMG_CPT_OBJ_CGROUPS);
	if ((e->controllers = cpt_make(m, count, sizeof *e->controllers, err)) == NULL)
		return -1;
	for (; e->n_controllers < count; e->n_controllers++) {
		const struct cpt_object *in = cpt_nth(c, CRIMG_CPT_OBJ_CGROUPS, e->n_controllers);
		CgControllerEntry *ctl = cpt_make(m, 1, sizeof *ctl, err);
		if (ctl == NULL)
			return -1;
		cg_controller_entry__init(ctl);
		ctl->cnames = cpt_make(m, 1, sizeof *ctl->cnames, err);
		if (ctl->cnames == NULL)
			return -1;
		ctl->cnames[0] = cpt_text(c, cpt_child(c, in, NULL, CRIMG_CPT_OBJ_NAME), &m->arena,
					  err);
		if (ctl->cnames[0] == NULL)
			return -1;
		ctl->n_cnames = 1;
		e->controllers[e->n_controllers] = ctl;
	}
	return 0;
}

CPT_ENTRY(cpt_put_cgroup)
{
	CgroupEntry e = CGROUP_ENTRY__INIT;
	size_t first = 0;
	(void)object;
	if (index > 0 || cpt_count(&m->c, CRIMG_CPT_OBJ_CGROUPS) == 0)
		return 0;
	crimg_arena_reset(&m->arena);
	if ((e.sets = cpt_make(m, m->member_count, sizeof *e.sets, err)) == NULL
	    || add_controllers(m, &e, err) < 0)
		return -1;
	for (size_t i = 1; i <= m->member_count; i++)
		if (i == m->member_count || m->members[i].pid != m->members[first].pid) {
			if (add_set(m, &e, first, i - first, err) < 0)
				return -1;
			first = i;
		}
	return model_encode(&e.base, out, err);
}
