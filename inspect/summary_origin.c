// Who, when, on what, from which container.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "format/limits.h"
#include "format/names.h"
#include "inspect/summary.h"

static char *release_text(unsigned release, char *out, size_t size)
{
	snprintf(out, size, "%u.%u", release / 100, release % 100);
	return out;
}

void crimg_summary_maker(struct crimg_table *t, const struct crimg_origin *o)
{
	char from[16], to[16];
	const InventoryEntry *inventory =
		crimg_image_get(t->view->image, CRIMG_KIND_INVENTORY, 0, &t->view->damage);
	const char *run_id = inventory != NULL ? inventory->dump_criu_run_id : NULL;
	release_text(o->at_least != 0 ? o->at_least : 106, from, sizeof from);
	// The last release before 4.1 was 4.0.
	release_text(o->before != 0 ? o->before - 1 : 0, to, sizeof to);
	crimg_field(t, "maker", NULL);
	crimg_cell_text(t, o->program[0] != '\0' ? o->program : NULL);
	crimg_field(t, "maker_version", NULL);
	crimg_cell_text(t, o->program[0] != '\0' ? o->program_version : NULL);
	crimg_field(t, NULL, "made by");
	if (o->program[0] != '\0')
		crimg_cell_textf(t, "%s %s, with fields of CRIU %s", o->program, o->program_version, from);
	else if (o->version[0] != '\0')
		crimg_cell_textf(t, "CRIU %s (says %s)", o->version, o->log);
	else if (o->field == NULL)
		crimg_cell_textf(t, "CRIU %s", o->before != 0 ? "4.0 or older" : "(any version)");
	else if (o->before != 0)
		crimg_cell_textf(t, "CRIU %s to %s (newest field: %s.%s; no run id)", from, to,
		                 o->message, o->field);
	else
		crimg_cell_textf(t, "CRIU %s or later (newest field: %s.%s)", from, o->message,
		                 o->field);
	crimg_field(t, "closed", o->closed[0] != '\0' ? "closed" : NULL);
	crimg_cell_text(t, o->closed[0] != '\0' ? o->closed : NULL);
	crimg_field(t, "criu_version", NULL);
	crimg_cell_text(t, o->version[0] != '\0' ? o->version : NULL);
	crimg_field(t, "criu_at_least", NULL);
	crimg_cell_text(t, o->field != NULL ? from : NULL);
	crimg_field(t, "criu_before", NULL);
	crimg_cell_text(t, o->before != 0 ? "4.1" : NULL);
	crimg_field(t, "run_id", run_id != NULL ? "run id" : NULL);
	crimg_cell_text(t, run_id);
	crimg_field(t, "kernel", o->kernel[0] != '\0' ? "host" : NULL);
	crimg_cell_text(t, o->kernel[0] != '\0' ? o->kernel : NULL);
}

// "2026-11-23T10:19:08.310816448Z" without what nobody reads at night.
static void short_time(const char *rfc3339, char *out, size_t size)
{
	size_t length = strlen(rfc3339);
	const char *dot = strchr(rfc3339, '.');
	size_t keep = dot != NULL ? (size_t)(dot - rfc3339) : length;
	const char *zone = dot != NULL ? dot + 1 + strspn(dot + 1, "0123456789") : "";
	snprintf(out, size, "%.*s%s", (int)(keep < 40 ? keep : 40), rfc3339, zone);
	for (char *p = out; *p != '\0'; p++)
		if (*p == 'T' && p - out == 10)
			*p = ' ';
}

// When the inventory was written, as far as the file on disk still tells; 0 when it does not.
static uint64_t inventory_time(const struct crimg_image *image)
{
	char path[CRIMG_MAX_NAME_BYTES + 64];
	struct stat st;
	int n = image->directory
		? snprintf(path, sizeof path, "%s/%sinventory.img", image->path, image->root) : -1;
	if (n < 0 || (size_t)n >= sizeof path || lstat(path, &st) < 0 || st.st_mtime < 0)
		return 0;
	return (uint64_t)st.st_mtime;
}

void crimg_summary_time(struct crimg_table *t, const struct crimg_origin *o,
                        const struct crimg_container_info *c)
{
	char when[64], at[64];
	bool told = o->taken_at != 0 && c->checkpointed == NULL;
	crimg_field(t, "checkpointed", c->checkpointed != NULL || told ? "when" : NULL);
	if (told) {
		crimg_cell_text(t, crimg_time_text(o->taken_at, when, sizeof when));
	} else if (t->view->json == NULL && c->checkpointed != NULL) {
		short_time(c->checkpointed, when, sizeof when);
		crimg_cell_text(t, when);
	} else {
		crimg_cell_text(t, c->checkpointed);
	}
	bool log = c->checkpointed == NULL && !told && c->log_end[0] != '\0';
	crimg_field(t, NULL, log ? "when" : NULL);
	short_time(c->log_end, when, sizeof when);
	crimg_cell_textf(t, "not before %s (last line of the container's log)", when);
	bool newest = c->checkpointed == NULL && !told && !log && o->newest_time != 0;
	crimg_field(t, NULL, newest ? "when" : NULL);
	crimg_cell_textf(t, "not before %s (%s)", crimg_time_text(o->newest_time, at, sizeof at),
	                 o->newest_what);
	crimg_field(t, "not_before", NULL);
	crimg_cell_text(t, log ? c->log_end : o->newest_time != 0 ? at : NULL);
	uint64_t dated = inventory_time(t->view->image);
	crimg_field(t, "files_dated", dated != 0 ? "files dated" : NULL);
	if (t->view->json != NULL)
		crimg_cell_text(t, dated != 0 ? crimg_time_text(dated, at, sizeof at) : NULL);
	else
		crimg_cell_textf(t, "%s (inventory.img on disk)",
		                 crimg_time_text(dated, at, sizeof at));
	crimg_field(t, "uptime_seconds", o->uptime_seconds != 0 ? "host up" : NULL);
	if (t->view->json != NULL)
		crimg_cell_u64(t, o->uptime_seconds);
	else
		crimg_cell_textf(t, "for %s",
		                 crimg_duration_text(o->uptime_seconds, 0, at, sizeof at));
}

// The widest saved state of all threads, and what the machine was.
void crimg_summary_cpu(struct crimg_table *t, size_t compat, size_t alive)
{
	struct crimg_view *v = t->view;
	const CpuinfoEntry *info = crimg_image_get(v->image, CRIMG_KIND_CPUINFO, 0, &v->damage);
	const CpuinfoX86Entry *cpu =
		info != NULL && info->n_x86_entry > 0 ? info->x86_entry[0] : NULL;
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_CORE);
	const CoreEntry *core;
	uint64_t state = 0, machine = 0;
	char text[512] = "", number[32], features[256];
	while ((core = crimg_image_walk(v->image, &walk, &v->damage)) != NULL) {
		const ThreadInfoX86 *x86 = core->thread_info;
		machine = (uint64_t)core->mtype;
		if (x86 != NULL && x86->fpregs != NULL && x86->fpregs->xsave != NULL)
			state |= x86->fpregs->xsave->xstate_bv;
	}
	if (machine == 0 && cpu == NULL)
		return;
	if (cpu != NULL)
		snprintf(text, sizeof text, "%s (family %u model %u stepping %u), ",
		         cpu->model_id != NULL ? cpu->model_id : "x86", cpu->cpu_family, cpu->model,
		         cpu->stepping);
	size_t used = strlen(text);
	snprintf(text + used, sizeof text - used, "%s%s%s",
	         crimg_name_or_number(CRIMG_NAMES_MACHINE, machine != 0 ? machine : 1, number,
	                              sizeof number),
	         compat == 0 ? "" : compat == alive ? ", 32-bit programs"
	                                                     : ", some 32-bit programs",
	         state != 0 ? ", state in use: " : "");
	if (state != 0) {
		crimg_flags_text(CRIMG_NAMES_XSTATE, state, features, sizeof features);
		for (char *p = features; *p != '\0'; p++)
			*p = *p == '|' ? ' ' : *p;
		used = strlen(text);
		snprintf(text + used, sizeof text - used, "%s", features);
	}
	crimg_field(t, "cpu", "cpu");
	crimg_cell_text(t, text);
	crimg_field(t, "xstate_in_use", NULL);
	crimg_cell_hex(t, state);
}

void crimg_summary_container(struct crimg_table *t, const struct crimg_container_info *c)
{
	const char *const parts[] = { c->name, c->image, c->engine, c->runtime };
	static const char *const before[] = { "", "from ", "by ", "with " };
	char text[1024] = "";
	for (size_t i = 0; i < 4; i++) {
		size_t used = strlen(text);
		if (parts[i] != NULL)
			snprintf(text + used, sizeof text - used, "%s%s%s", used > 0 ? ", " : "",
			         before[i],
			         i == 3 && t->view->json == NULL ? crimg_summary_base(parts[i])
			                                         : parts[i]);
	}
	if (c->found) {
		crimg_field(t, NULL, "container");
		crimg_cell_text(t, text);
	}
	if (c->pod != NULL) {
		crimg_field(t, NULL, "pod");
		crimg_cell_textf(t, "%s in %s", c->pod,
		                 c->pod_namespace != NULL ? c->pod_namespace : "?");
	}
	if (c->created != NULL) {
		short_time(c->created, text, sizeof text);
		crimg_field(t, NULL, "created");
		crimg_cell_text(t, text);
	}
}

void crimg_summary_container_json(struct crimg_view *view, const struct crimg_container_info *c)
{
	struct crimg_json *j = view->json;
	if (j == NULL)
		return;
	if (!c->found) {
		crimg_json_null(j, "container");
		return;
	}
	crimg_json_object(j, "container");
	crimg_json_text(j, "name", c->name);
	crimg_json_text(j, "id", c->id);
	crimg_json_text(j, "image", c->image);
	crimg_json_text(j, "engine", c->engine);
	crimg_json_text(j, "runtime", c->runtime);
	crimg_json_text(j, "created", c->created);
	crimg_json_text(j, "pod", c->pod);
	crimg_json_text(j, "pod_namespace", c->pod_namespace);
	crimg_json_end(j);
}
