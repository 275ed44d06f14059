// View creds: who a process is and what it may do: users, capabilities, seccomp, limits, scheduling.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "inspect/command.h"
#include "inspect/creds_extras.h"

static void ids_field(struct crimg_table *t, const char *key, const char *label,
                      const uint32_t ids[4])
{
	const char *json_key;
	static const char *const names[] = { "real", "effective", "saved", "filesystem" };
	crimg_field(t, key, label);
	struct crimg_json *j = crimg_cell_json(t, &json_key);
	if (j != NULL) {
		crimg_json_object(j, json_key);
		for (int i = 0; i < 4; i++)
			crimg_json_u64(j, names[i], ids[i]);
		crimg_json_end(j);
	} else if (ids[0] == ids[1] && ids[1] == ids[2] && ids[2] == ids[3]) {
		crimg_cell_textf(t, "%u", ids[0]);
	} else {
		crimg_cell_textf(t, "real %u, effective %u, saved %u, filesystem %u", ids[0], ids[1],
		                 ids[2], ids[3]);
	}
}

static void groups_field(struct crimg_table *t, const CredsEntry *c)
{
	char text[1024] = "none";
	const char *key;
	crimg_field(t, "groups", "groups");
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL) {
		crimg_json_array(j, key);
		for (size_t i = 0; i < c->n_groups; i++)
			crimg_json_u64(j, NULL, c->groups[i]);
		crimg_json_end(j);
		return;
	}
	for (size_t i = 0, used = 0; i < c->n_groups && used + 16 < sizeof text; i++) {
		snprintf(text + used, sizeof text - used, "%s%u", i > 0 ? " " : "", c->groups[i]);
		used = strlen(text);
	}
	crimg_cell_text(t, text);
}

static void caps_fields(struct crimg_table *t, const CredsEntry *c)
{
	const struct {
		const char *key, *label;
		const uint32_t *words;
		size_t count;
	} rows[] = {
		{ "cap_effective", "caps effective", c->cap_eff, c->n_cap_eff },
		{ "cap_permitted", "caps permitted", c->cap_prm, c->n_cap_prm },
		{ "cap_inheritable", "caps inheritable", c->cap_inh, c->n_cap_inh },
		{ "cap_ambient", "caps ambient", c->cap_amb, c->n_cap_amb },
		{ "cap_bounding", "caps bounding", c->cap_bnd, c->n_cap_bnd },
	};
	char text[1024];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t mask = crimg_caps_mask(rows[i].words, rows[i].count);
		crimg_caps_text(rows[i].words, rows[i].count, text, sizeof text);
		crimg_field(t, rows[i].key, NULL);
		crimg_cell_hex(t, mask);
		if (t->view->json == NULL && rows[i].count > 0) {
			crimg_field(t, NULL, rows[i].label);
			crimg_cell_text(t, text[0] != '\0' ? text : "none");
		}
	}
}

static void security_fields(struct crimg_table *t, const CredsEntry *c)
{
	char text[256];
	crimg_field(t, "securebits", c->secbits != 0 ? "securebits" : NULL);
	crimg_cell_text(t, crimg_flags_text(CRIMG_NAMES_SECUREBITS, c->secbits, text, sizeof text));
	crimg_field(t, "no_new_privs", c->has_no_new_privs ? "no new privs" : NULL);
	if (c->has_no_new_privs)
		crimg_cell_bool(t, c->no_new_privs != 0);
	else
		crimg_cell_none(t);
	crimg_field(t, "lsm_profile", c->lsm_profile != NULL ? "LSM profile" : NULL);
	crimg_cell_text(t, c->lsm_profile);
}

// A thread names the last filter of a chain; each names the one before.
static void seccomp_field(struct crimg_table *t, uint64_t mode, bool has_filter, uint32_t filter)
{
	struct crimg_view *v = t->view;
	const SeccompEntry *all = crimg_image_get(v->image, CRIMG_KIND_SECCOMP, 0, &v->damage);
	char text[512], number[32], flags[128];
	snprintf(text, sizeof text, "%s",
	         crimg_name_or_number(CRIMG_NAMES_SECCOMP_MODE, mode, number, sizeof number));
	// Each step goes to an older filter in a valid image; count keeps a circle finite.
	for (size_t i = 0; has_filter && mode == 2 && all != NULL && filter < all->n_seccomp_filters
	     && i < all->n_seccomp_filters && i < 16; i++) {
		const SeccompFilter *f = all->seccomp_filters[filter];
		size_t used = strlen(text);
		crimg_flags_text(CRIMG_NAMES_SECCOMP_FLAGS, f->has_flags ? f->flags : 0, flags,
		                 sizeof flags);
		snprintf(text + used, sizeof text - used, "%s #%u of %zu instructions%s%s",
		         i == 0 ? ":" : ", then", filter, f->filter.len / 8,
		         flags[0] != '\0' ? " " : "", flags);
		if (!f->has_prev)
			break;
		filter = f->prev;
	}
	crimg_field(t, "seccomp", "seccomp");
	crimg_cell_text(t, text);
}

#define RESET_ON_FORK 0x40000000u // SCHED_RESET_ON_FORK, in a policy

static void schedule_field(struct crimg_table *t, const ThreadCoreEntry *c)
{
	char number[32], priority[32] = "";
	uint32_t policy = c->sched_policy & ~RESET_ON_FORK;
	bool resets = (c->sched_policy & RESET_ON_FORK) != 0;
	if (!c->has_sched_policy)
		return;
	crimg_field(t, NULL, "scheduling");
	if (c->has_sched_prio && c->sched_prio != 0)
		snprintf(priority, sizeof priority, ", priority %u", c->sched_prio);
	crimg_cell_textf(t, "%s, nice %d%s%s",
	                 crimg_name_or_number(CRIMG_NAMES_SCHED_POLICY, policy, number, sizeof number),
	                 c->sched_nice, priority, resets ? ", reset on fork" : "");
	crimg_field(t, "sched_policy", NULL);
	crimg_cell_text(t, crimg_name_or_number(CRIMG_NAMES_SCHED_POLICY, policy, number, sizeof number));
	crimg_field(t, "reset_on_fork", NULL);
	crimg_cell_bool(t, resets);
	crimg_field(t, "nice", NULL);
	crimg_cell_i64(t, c->sched_nice);
	crimg_field(t, "sched_priority", NULL);
	crimg_cell_u64(t, c->has_sched_prio ? c->sched_prio : 0);
}

static void process_fields(struct crimg_table *t, const TaskCoreEntry *tc)
{
	char text[256];
	if (tc->has_loginuid) {
		crimg_field(t, "loginuid", tc->loginuid != UINT32_MAX ? "login uid" : NULL);
		if (tc->loginuid != UINT32_MAX)
			crimg_cell_u64(t, tc->loginuid);
		else
			crimg_cell_none(t);
	}
	if (tc->has_oom_score_adj) {
		crimg_field(t, "oom_score_adj", "oom adjust");
		crimg_cell_i64(t, tc->oom_score_adj);
	}
	crimg_field(t, "personality", tc->personality != 0 ? "personality" : NULL);
	crimg_cell_text(
		t, crimg_flags_text(CRIMG_NAMES_PERSONALITY, tc->personality, text, sizeof text));
	bool reaper = tc->has_child_subreaper && tc->child_subreaper;
	crimg_field(t, "child_subreaper", reaper ? "subreaper" : NULL);
	crimg_cell_bool(t, reaper);
}

#define UNLIMITED UINT64_MAX

static void add_limit(char *out, size_t size, size_t place, uint64_t value)
{
	// FSIZE DATA STACK CORE RSS MEMLOCK AS MSGQUEUE are bytes.
	bool bytes = place < 16 && (0x133eu >> place & 1) != 0;
	size_t used = strlen(out);
	if (value == UNLIMITED)
		snprintf(out + used, size - used, "unlimited");
	else if (bytes)
		crimg_bytes_text(value, out + used, size - used);
	else
		snprintf(out + used, size - used, "%" PRIu64 "%s", value,
		         place == 0 ? " s" : place == 15 ? " us" : ""); // CPU, RTTIME
}

static void limits_json(struct crimg_json *j, const struct crimg_list *limits)
{
	char number[32], key[48];
	crimg_json_object(j, "limits");
	for (size_t i = 0; i < limits->count; i++) {
		const RlimitEntry *l = limits->items[i];
		snprintf(key, sizeof key, "%s",
		         crimg_name_or_number(CRIMG_NAMES_RLIMIT, i, number, sizeof number));
		for (char *p = key; *p != '\0'; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		crimg_json_object(j, key);
		if (l->cur == UNLIMITED)
			crimg_json_null(j, "soft");
		else
			crimg_json_u64(j, "soft", l->cur);
		if (l->max == UNLIMITED)
			crimg_json_null(j, "hard");
		else
			crimg_json_u64(j, "hard", l->max);
		crimg_json_end(j);
	}
	crimg_json_end(j);
}

static void limits_field(struct crimg_table *t, const struct crimg_task *task)
{
	struct crimg_list limits = crimg_view_list(t->view, task, CRIMG_PART_RLIMITS);
	char text[1024] = "", number[32];
	if (t->view->json != NULL) {
		limits_json(t->view->json, &limits);
		return;
	}
	for (size_t i = 0; i < limits.count; i++) {
		const RlimitEntry *l = limits.items[i];
		if (l->cur == UNLIMITED && l->max == UNLIMITED)
			continue;
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, "%s%s ", used > 0 ? ", " : "",
		         crimg_name_or_number(CRIMG_NAMES_RLIMIT, i, number, sizeof number));
		add_limit(text, sizeof text, i, l->cur);
		if (l->max == l->cur)
			continue;
		used = strlen(text);
		snprintf(text + used, sizeof text - used, "/");
		add_limit(text, sizeof text, i, l->max);
	}
	if (limits.count > 0) {
		crimg_field(t, NULL, "limits");
		crimg_cell_text(t, text[0] != '\0' ? text : "none");
	}
}

static void thread_fields(struct crimg_table *t, const struct crimg_task *task,
                          const struct crimg_thread *thread)
{
	struct crimg_view *view = t->view;
	const CredsEntry *c = crimg_thread_creds(view->image, task, thread, &view->damage);
	const ThreadCoreEntry *core = thread->core != NULL ? thread->core->thread_core : NULL;
	const TaskCoreEntry *tc = task->core != NULL ? task->core->tc : NULL;
	if (c != NULL) {
		ids_field(t, "uid", "uid", (const uint32_t[]){ c->uid, c->euid, c->suid, c->fsuid });
		ids_field(t, "gid", "gid", (const uint32_t[]){ c->gid, c->egid, c->sgid, c->fsgid });
		groups_field(t, c);
		caps_fields(t, c);
		security_fields(t, c);
	}
	if (core != NULL && core->has_seccomp_mode)
		seccomp_field(t, core->seccomp_mode, core->has_seccomp_filter, core->seccomp_filter);
	else if (tc != NULL && tc->has_old_seccomp_mode)
		seccomp_field(t, tc->old_seccomp_mode, tc->has_old_seccomp_filter,
		              tc->old_seccomp_filter);
	if (core != NULL)
		schedule_field(t, core);
	crimg_thread_extra_fields(t, thread->tid);
}

// Threads rarely differ from the leader: in text only what does is shown.
static bool thread_differs(struct crimg_table *t, const struct crimg_task *task)
{
	struct crimg_table leader;
	if (t->view->json != NULL || t->view->options->all || t->view->options->has_tid)
		return true;
	crimg_record_begin(&leader, t->view, NULL);
	thread_fields(&leader, task, &task->threads[0]);
	crimg_record_drop_same(t, &leader);
	crimg_table_drop(&leader);
	return t->cell_count > 0;
}

static bool show_thread(struct crimg_view *view, const struct crimg_task *task,
                        const struct crimg_thread *thread)
{
	struct crimg_table t;
	crimg_group_object(view, NULL);
	crimg_record_begin(&t, view, NULL);
	t.indent = 4;
	crimg_field(&t, "tid", NULL);
	crimg_cell_u64(&t, thread->tid);
	thread_fields(&t, task, thread);
	bool differs = thread_differs(&t, task);
	if (differs)
		crimg_line(view, CRIMG_MARK_BOLD, "  thread %u %s", thread->tid,
		           crimg_thread_comm(task, thread));
	crimg_table_end(&t);
	crimg_group_end(view);
	return differs;
}

static void show_threads(struct crimg_view *view, const struct crimg_task *task)
{
	size_t same = 0;
	crimg_group_array(view, "threads");
	for (size_t i = 1; i < task->thread_count && !crimg_view_failed(view); i++)
		if (crimg_view_wants_thread(view, &task->threads[i]))
			same += !show_thread(view, task, &task->threads[i]);
	crimg_group_end(view);
	if (same > 0)
		crimg_line(view, CRIMG_MARK_DIM, "  %zu other %s: the same", same,
		           same == 1 ? "thread" : "threads");
}

void crimg_view_creds(struct crimg_view *view)
{
	char label[64];
	crimg_group_array(view, "creds");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		struct crimg_table t;
		if (task->state == CRIMG_TASK_DEAD || !crimg_view_wants(view, task))
			continue;
		crimg_heading(view, "%s", crimg_task_label(task, label, sizeof label));
		crimg_group_object(view, NULL);
		crimg_task_json(view, task);
		crimg_record_begin(&t, view, NULL);
		t.indent = 2;
		if (task->thread_count > 0)
			thread_fields(&t, task, &task->threads[0]);
		if (task->core != NULL && task->core->tc != NULL)
			process_fields(&t, task->core->tc);
		crimg_process_extra_fields(&t, task->pid);
		limits_field(&t, task);
		crimg_table_end(&t);
		show_threads(view, task);
		crimg_group_end(view);
	}
	crimg_group_end(view);
}
