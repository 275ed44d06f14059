#include "diff/engine.h"

#include <stdlib.h>
#include <string.h>

#include "diff/match.h"
#include "diff/memory_diff.h"
#include "diff/objects_diff.h"
#include "diff/open_files.h"
#include "diff/tasks_diff.h"
#include "diff/tell.h"

static void note(struct crimg_diff *d, int rc, const struct crimg_err *err)
{
	if (rc < 0 && d->damage.code == CRIMG_OK)
		d->damage = *err;
}

// What is readable of one image.
static int load_side(struct crimg_diff *d, int side, struct crimg_err *err)
{
	struct crimg_diff_side *s = &d->side[side];
	struct crimg_err wrong = CRIMG_ERR_INIT;
	int rc = crimg_tasks_load(s->image, &s->tasks, &wrong);
	if (crimg_files_load(s->image, &s->files, &wrong) < 0)
		rc = -1;
	note(d, rc, &wrong);
	s->is_core = crimg_image_first(s->image, CRIMG_KIND_ELF_NOTES) != NULL;
	s->marked = calloc(s->image->count + 1, sizeof *s->marked);
	s->files_told = calloc(s->files.count + 1, sizeof *s->files_told);
	s->namer = crimg_address_namer_open(s->image, &s->tasks, &s->files, d->options->sysroot);
	return s->marked == NULL || s->files_told == NULL || s->namer == NULL || wrong.code == CRIMG_E_NOMEM
		? crimg_fail_nomem(err, 0) : 0;
}

// What tasks and threads are matched as is what their numbers refer to.
static void note_pids(struct crimg_diff *d)
{
	for (size_t i = 0; i < d->pair_count; i++) {
		const struct crimg_task_pair *p = &d->pairs[i];
		if (p->task[CRIMG_A] == NULL || p->task[CRIMG_B] == NULL)
			continue;
		(void)crimg_same_reference(d, CRIMG_REF_PID, p->task[CRIMG_A]->pid,
		                           p->task[CRIMG_B]->pid);
		for (size_t k = 0; k < p->thread_count; k++) {
			const struct crimg_thread_pair *t = &p->threads[k];
			if (t->thread[CRIMG_A] != NULL && t->thread[CRIMG_B] != NULL)
				(void)crimg_same_reference(d, CRIMG_REF_PID, t->thread[CRIMG_A]->tid,
				                           t->thread[CRIMG_B]->tid);
		}
	}
}

int crimg_diff_open_images(const struct crimg_diff_options *options,
                           struct crimg_image *const images[2], struct crimg_diff **out,
                           struct crimg_err *err)
{
	struct crimg_diff *d = calloc(1, sizeof *d);
	if (d == NULL) {
		crimg_image_close(images[CRIMG_A]);
		crimg_image_close(images[CRIMG_B]);
		return crimg_fail_nomem(err, sizeof *d);
	}
	d->options = options;
	d->side[CRIMG_A].image = images[CRIMG_A];
	d->side[CRIMG_B].image = images[CRIMG_B];
	d->references = crimg_references_make();
	int rc = d->references == NULL ? crimg_fail_nomem(err, 0) : 0;
	for (int side = CRIMG_A; rc == 0 && side <= CRIMG_B; side++)
		rc = load_side(d, side, err);
	if (rc == 0)
		rc = crimg_match_tasks(d, err);
	if (rc < 0) {
		crimg_diff_close(d);
		return -1;
	}
	note_pids(d);
	*out = d;
	return 0;
}

int crimg_diff_open(const struct crimg_diff_options *o, struct crimg_diff **out, struct crimg_err *err)
{
	struct crimg_image *images[2] = { NULL, NULL };
	struct crimg_err wrong = CRIMG_ERR_INIT;
	int rc = 0;
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		if (crimg_image_open(o->path[side], o->format[side], o->tmpdir, &images[side], &wrong) < 0)
			rc = -1;
		if (images[side] == NULL) {
			crimg_image_close(images[CRIMG_A]);
			*err = wrong;
			return -1;
		}
	}
	if (crimg_diff_open_images(o, images, out, err) < 0)
		return -1;
	if (rc < 0)
		(*out)->damage = wrong; // which came first
	return 0;
}

// Groups that one of the images, a core, tells nothing of.
static void tell_untold(struct crimg_diff *d)
{
	for (int side = CRIMG_A; side <= CRIMG_B; side++)
		for (int g = 0; g < CRIMG_DIFF_GROUPS; g++) {
			struct crimg_scope s = { .d = d, .group = (enum crimg_diff_group)g };
			struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
			if ((d->untold[side] >> g & 1) == 0)
				continue;
			value[1 - side] = crimg_text_value("told");
			crimg_tell(&s, CRIMG_CHANGE_UNTOLD, NULL, value[CRIMG_A], value[CRIMG_B]);
		}
}

void crimg_diff_run(struct crimg_diff *d, const struct crimg_diff_sink *sink)
{
	d->sink = sink;
	crimg_tell_lone_tasks(d);
	for (size_t i = 0; i < d->pair_count && !crimg_diff_failed(d); i++)
		if (d->pairs[i].task[CRIMG_A] != NULL && d->pairs[i].task[CRIMG_B] != NULL)
			crimg_compare_tasks(d, &d->pairs[i]);
	if (!crimg_one_core(d))
		crimg_compare_other_files(d);
	crimg_compare_lone_maps(d);
	crimg_compare_objects(d);
	tell_untold(d);
}

bool crimg_diff_differs(const struct crimg_diff *d)
{
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++)
		for (int w = 0; w < CRIMG_CHANGES; w++)
			if (d->counts[g][w] > 0)
				return true;
	for (int k = 0; k < CRIMG_PAGES_KINDS; k++)
		if (k != CRIMG_PAGES_SAME && k != CRIMG_PAGES_UNTOLD && d->pages[k] > 0)
			return true;
	return false;
}

struct crimg_task_pair *crimg_diff_pair_of(const struct crimg_diff *d, int side,
                                           const struct crimg_task *task)
{
	for (size_t i = 0; i < d->pair_count; i++)
		if (d->pairs[i].task[side] == task)
			return &d->pairs[i];
	return NULL;
}

void crimg_diff_close(struct crimg_diff *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->pair_count; i++)
		free(d->pairs[i].threads);
	free(d->pairs);
	crimg_meetings_free(d->meetings);
	crimg_references_free(d->references);
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		struct crimg_diff_side *s = &d->side[side];
		crimg_address_namer_close(s->namer);
		free(s->marked);
		free(s->files_told);
		crimg_files_fini(&s->files);
		crimg_tasks_fini(&s->tasks);
		crimg_image_close(s->image);
	}
	free(d);
}
