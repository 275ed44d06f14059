#include "inspect/creds_extras.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "format/number_set.h"

#define USUAL_SLACK_NS 50000u
#define USUAL_COREDUMP_FILTER 0x33u
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_LEVELS 7u
#define SECOND_NS UINT64_C(1000000000)

// One key of JSON, and one line of text where there is something to say.
static void number_field(struct crimg_table *t, const char *key, const char *label, bool has, uint64_t value)
{
	crimg_field(t, key, has ? label : NULL);
	if (has)
		crimg_cell_u64(t, value);
	else
		crimg_cell_none(t);
}

static void duration_field(struct crimg_table *t, const char *key, const char *label, bool has, uint64_t ns)
{
	char text[64];
	crimg_field(t, key, NULL);
	if (has)
		crimg_cell_u64(t, ns);
	else
		crimg_cell_none(t);
	if (t->view->json != NULL || !has || label == NULL)
		return;
	crimg_field(t, NULL, label);
	crimg_cell_text(t, crimg_duration_text(ns / SECOND_NS, ns % SECOND_NS, text, sizeof text));
}

static void cpus_field(struct crimg_table *t, const ThreadExtraEntry *e)
{
	char text[512];
	crimg_number_set_text(e->cpus, e->n_cpus, text, sizeof text);
	crimg_field(t, "cpus", e->any_cpu || e->n_cpus == 0 ? NULL : "CPUs");
	crimg_cell_text(t, e->any_cpu ? "all" : e->n_cpus > 0 ? text : NULL);
}

static void io_priority_field(struct crimg_table *t, const ThreadExtraEntry *e)
{
	static const char *const classes[] = { "none", "real time", "best effort", "idle" };
	unsigned class = e->io_priority >> IOPRIO_CLASS_SHIFT;
	crimg_field(t, "io_priority", e->has_io_priority ? "I/O priority" : NULL);
	if (!e->has_io_priority)
		crimg_cell_none(t);
	else
		crimg_cell_textf(t, "%s, %u", class < 4 ? classes[class] : "unknown class",
		                 e->io_priority & IOPRIO_LEVELS);
}

static void speculation_fields(struct crimg_table *t, const ThreadExtraEntry *e)
{
	const struct {
		const char *key, *label;
		bool has;
		uint32_t mode;
	} rows[] = {
		{ "store_bypass", "store bypass", e->has_store_bypass, e->store_bypass },
		{ "indirect_branch", "indirect branches", e->has_indirect_branch, e->indirect_branch },
		{ "l1d_flush", "L1 data flush", e->has_l1d_flush, e->l1d_flush },
	};
	static const struct {
		uint32_t mode;
		const char *word;
	} words[] = { { 2, "on" }, { 4, "off" }, { 8, "off for ever" }, { 16, "off until exec" } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *word = rows[i].has ? "unknown" : NULL;
		for (size_t k = 0; rows[i].has && k < sizeof words / sizeof words[0]; k++)
			word = words[k].mode == rows[i].mode ? words[k].word : word;
		crimg_field(t, rows[i].key, rows[i].has ? rows[i].label : NULL);
		crimg_cell_text(t, word);
	}
}

static void memory_policy_field(struct crimg_table *t, const ThreadExtraEntry *e)
{
	static const char *const modes[] = { "default", "preferred", "bind", "interleave", "local",
		                             "preferred many", "weighted interleave" };
	char nodes[256];
	uint32_t mode = e->memory_policy & 0xff;
	crimg_field(t, "memory_policy", e->has_memory_policy ? "memory policy" : NULL);
	if (!e->has_memory_policy) {
		crimg_cell_none(t);
		return;
	}
	crimg_cell_textf(t, "%s, nodes %s", mode < sizeof modes / sizeof modes[0] ? modes[mode] : "unknown",
	                 crimg_number_set_text(e->memory_nodes, e->n_memory_nodes, nodes, sizeof nodes));
}

// Words for what is so, or is not.
static void flag_field(struct crimg_table *t, const char *key, const char *label, bool value)
{
	crimg_field(t, key, value ? label : NULL);
	crimg_cell_bool(t, value);
}

void crimg_thread_extra_fields(struct crimg_table *t, uint32_t tid)
{
	const ThreadExtraEntry *e = crimg_thread_extra(t->view->image, tid, &t->view->damage);
	if (e == NULL)
		return;
	bool failure = e->has_memory_failure;
	cpus_field(t, e);
	io_priority_field(t, e);
	duration_field(t, "timer_slack_ns", e->timer_slack_ns != USUAL_SLACK_NS ? "timer slack" : NULL,
	               e->has_timer_slack_ns, e->timer_slack_ns);
	duration_field(t, "sched_runtime_ns", "runtime", e->has_sched_runtime_ns, e->sched_runtime_ns);
	duration_field(t, "sched_deadline_ns", "deadline", e->has_sched_deadline_ns, e->sched_deadline_ns);
	duration_field(t, "sched_period_ns", "period", e->has_sched_period_ns, e->sched_period_ns);
	number_field(t, "util_min", "least utilisation", e->has_util_min, e->util_min);
	number_field(t, "util_max", "most utilisation", e->has_util_max, e->util_max);
	crimg_field(t, "memory_failure", failure ? "memory failures" : NULL);
	crimg_cell_text(t, failure ? e->memory_failure == 1 ? "early" : "late" : NULL);
	flag_field(t, "io_flusher", "I/O flusher", e->io_flusher);
	flag_field(t, "tsc_denied", "rdtsc denied", e->tsc_denied);
	flag_field(t, "cpuid_denied", "cpuid denied", e->cpuid_denied);
	speculation_fields(t, e);
	memory_policy_field(t, e);
}

void crimg_process_extra_fields(struct crimg_table *t, uint32_t pid)
{
	const ProcessExtraEntry *e = crimg_process_extra(t->view->image, pid, &t->view->damage);
	if (e == NULL)
		return;
	bool usual = !e->has_coredump_filter || e->coredump_filter == USUAL_COREDUMP_FILTER;
	crimg_field(t, "coredump_filter", usual ? NULL : "core filter");
	if (e->has_coredump_filter)
		crimg_cell_hex(t, e->coredump_filter);
	else
		crimg_cell_none(t);
	crimg_field(t, "no_write_exec", e->has_no_write_exec ? "write or execute" : NULL);
	crimg_cell_text(t, !e->has_no_write_exec ? NULL
	                   : (e->no_write_exec & 2) != 0 ? "never both; children may" : "never both");
	flag_field(t, "merge_pages", "merges pages", e->merge_pages);
	crimg_field(t, "huge_pages", e->has_huge_pages ? "huge pages" : NULL);
	crimg_cell_text(t, e->has_huge_pages ? "only where asked for" : NULL);
	crimg_field(t, "autogroup_nice", e->has_autogroup_nice ? "session nice" : NULL);
	if (e->has_autogroup_nice)
		crimg_cell_i64(t, e->autogroup_nice);
	else
		crimg_cell_none(t);
}

const char *crimg_area_label(struct crimg_view *view, uint32_t pid, uint64_t address)
{
	const ProcessExtraEntry *e = crimg_process_extra(view->image, pid, &view->damage);
	size_t low = 0, high = e != NULL ? e->n_names : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const AreaNameEntry *n = e->names[middle];
		if (address >= n->start && address < n->end)
			return n->name;
		if (address < n->start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
