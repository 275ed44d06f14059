// Opening what is to be checked, and going through the passes.
#include "validate/numbered.h"

#include <stdlib.h>
#include <string.h>

#define ALWAYS SIZE_MAX

// In this order: each relies on what those before it made sure of.
static const struct {
	crimg_pass_fn *run;
	bool whole;    // needs an image, not one file of it
	bool body;     // needs what a skeleton has not
	size_t option; // offset of the bool in crimg_checker_options that asks for it; ALWAYS
} passes[] = {
	{ crimg_pass_image, true, false, ALWAYS },
	{ crimg_pass_kernel, true, true, ALWAYS },
	{ crimg_pass_records, true, false, ALWAYS },
	{ crimg_pass_references, true, false, ALWAYS },
	{ crimg_pass_memory, true, true, ALWAYS },
	{ crimg_pass_pagemaps, true, true, ALWAYS },
	{ crimg_pass_registers, true, true, ALWAYS },
	{ crimg_pass_signals, true, true, ALWAYS },
	{ crimg_pass_timers, true, false, ALWAYS },
	{ crimg_pass_tasks, true, false, ALWAYS },
	{ crimg_pass_creds, true, false, ALWAYS },
	{ crimg_pass_seccomp, true, true, ALWAYS },
	{ crimg_pass_closed, true, false, offsetof(struct crimg_checker_options, closed) },
	{ crimg_pass_host, true, true, offsetof(struct crimg_checker_options, host) },
	{ crimg_pass_contents, true, true, offsetof(struct crimg_checker_options, pages) },
};

static const struct {
	enum crimg_code code;
	enum crimg_finding_id id;
} damages[] = {
	{ CRIMG_E_MAGIC, CRIMG_F_MAGIC },       { CRIMG_E_CUT, CRIMG_F_CUT },
	{ CRIMG_E_LIMIT, CRIMG_F_TOO_LARGE },   { CRIMG_E_WIRE, CRIMG_F_WIRE },
	{ CRIMG_E_REQUIRED, CRIMG_F_REQUIRED }, { CRIMG_E_CHECKSUM, CRIMG_F_CHECKSUM },
	{ CRIMG_E_FORMAT, CRIMG_F_SHAPE },      { CRIMG_E_UNSUPPORTED, CRIMG_F_UNSUPPORTED },
};

void crimg_checker_distrust(struct crimg_checker *c, const char *source)
{
	uint64_t id;
	enum crimg_kind kind = crimg_kind_by_file(crimg_place_base(source), &id);
	if (kind < CRIMG_KIND_OPAQUE)
		c->damaged[kind] = true;
	else
		memset(c->damaged, true, sizeof c->damaged); // a stream: anything may be lost
}

void crimg_checker_damage(struct crimg_checker *c, const struct crimg_err *err)
{
	struct crimg_place place = crimg_place_error(c, err);
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		if (damages[i].code != err->code)
			continue;
		crimg_checker_distrust(c, err->source);
		crimg_findings_add(&c->findings, damages[i].id, &place, "%s", err->text);
		return;
	}
	if (c->findings.fault.code == CRIMG_OK)
		c->findings.fault = *err; // the machine's trouble, not the image's
}

static void on_error(void *context, const struct crimg_err *err)
{
	crimg_checker_damage(context, err);
}

int crimg_checker_open(struct crimg_checker *c, const struct crimg_checker_options *options,
                       struct crimg_err *err)
{
	struct crimg_input in;
	*c = (struct crimg_checker){ .options = options };
	if (crimg_input_open(options->path, options->tmpdir, &in, err) < 0)
		return -1;
	return crimg_checker_open_input(c, options, &in, err);
}

int crimg_checker_open_input(struct crimg_checker *c, const struct crimg_checker_options *options,
                             struct crimg_input *in, struct crimg_err *err)
{
	struct crimg_image_listener listener = { on_error, c };
	*c = (struct crimg_checker){ .options = options, .names = crimg_arena_make(64u << 20) };
	if (crimg_image_open_all(in, options->format, &listener, &c->image, err) < 0 && c->image == NULL)
		return -1;
	c->single = !c->image->directory && !c->image->archive && c->image->count <= 1;
	c->skeleton = crimg_image_is_skeleton(c->image);
	crimg_pass_structure(c);
	// What is damaged was told just now: tasks and files are of what is readable.
	struct crimg_err told = CRIMG_ERR_INIT;
	if (crimg_tasks_load(c->image, &c->tasks, &told) < 0 && told.code == CRIMG_E_NOMEM)
		crimg_checker_damage(c, &told);
	told = CRIMG_ERR_INIT;
	if (crimg_files_load(c->image, &c->files, &told) < 0 && told.code == CRIMG_E_NOMEM)
		crimg_checker_damage(c, &told);
	return 0;
}

void crimg_checker_run(struct crimg_checker *c)
{
	const char *options = (const char *)c->options;
	for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
		bool asked = passes[i].option == ALWAYS
			|| *(const bool *)(options + passes[i].option);
		bool fits = (!c->single || !passes[i].whole) && (!c->skeleton || !passes[i].body);
		if (asked && fits)
			passes[i].run(c);
	}
}

void crimg_checker_close(struct crimg_checker *c)
{
	crimg_numbered_free(c->numbered);
	crimg_files_fini(&c->files);
	crimg_tasks_fini(&c->tasks);
	crimg_image_close(c->image);
	crimg_findings_fini(&c->findings);
	crimg_arena_fini(&c->names);
	free(c->places);
	*c = (struct crimg_checker){ .options = NULL };
}

struct crimg_list crimg_checker_list(struct crimg_checker *c, const struct crimg_task *task,
                                     enum crimg_part part)
{
	struct crimg_list list = { NULL, 0 };
	struct crimg_err told = CRIMG_ERR_INIT;
	if (crimg_task_list(c->image, task, part, &list, &told) < 0 && told.code == CRIMG_E_NOMEM)
		crimg_checker_damage(c, &told);
	return list;
}
