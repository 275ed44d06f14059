// The plan of a restart: what the image says, what speaks against it, where the stage will be.
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/filter.h"
#include "producer/ns.h"
#include "producer/restart_unix.h"

#define TASKS_MAX 65536u // of one restart; each is looked for among all

void crimg_lines_add(struct crimg_lines *lines, const char *fmt, ...)
{
	char line[1024], safe[2048];
	struct crimg_err err = CRIMG_ERR_INIT;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	crimg_safe_text(safe, sizeof safe, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
	lines->count++;
	if (crimg_buf_append(&lines->text, safe, strlen(safe), &err) < 0
	    || crimg_buf_append(&lines->text, "\n", 1, &err) < 0)
		lines->failed = true;
}

static int load_actors(struct crimg_restart *r, struct crimg_err *err)
{
	r->actors = calloc(r->tasks.count, sizeof *r->actors);
	if (r->actors == NULL)
		return crimg_fail_nomem(err, r->tasks.count * sizeof *r->actors);
	for (size_t i = 0; i < r->tasks.count; i++) {
		struct crimg_actor *a = &r->actors[i];
		a->task = &r->tasks.list[i];
		a->puppets = calloc(a->task->thread_count + 1, sizeof *a->puppets);
		if (a->puppets == NULL)
			return crimg_fail_nomem(err, sizeof *a->puppets);
		if (a->task->mm != NULL
		    && crimg_space_load(r->image, &r->files, a->task, &a->space, err) < 0)
			return -1;
	}
	return 0;
}

// What the reader and its filters approximate, "object: what": the same of many objects is one line.
struct approximation {
	const char *object, *what, *end;
	size_t others;
};

#define APPROXIMATIONS_MAX 64u

static void note_ledger(struct crimg_restart *r, const struct crimg_ledger *ledger)
{
	struct approximation list[APPROXIMATIONS_MAX];
	const char *at = (const char *)ledger->notes.data, *next;
	const char *stop = at != NULL ? at + ledger->notes.length : NULL;
	size_t count = 0, left = 0;
	for (; at != NULL && at < stop; at = next + 1) {
		next = memchr(at, '\n', (size_t)(stop - at));
		const char *what = memchr(at, ':', (size_t)(next - at));
		struct approximation one = { at, what != NULL ? what : at, next, 0 };
		size_t i = 0, length = (size_t)(next - one.what);
		while (i < count && ((size_t)(list[i].end - list[i].what) != length
		                     || memcmp(list[i].what, one.what, length) != 0))
			i++;
		if (i < count)
			list[i].others++;
		else if (count < APPROXIMATIONS_MAX)
			list[count++] = one;
		else
			left++;
	}
	for (size_t i = 0; i < count; i++) {
		const struct approximation *a = &list[i];
		char more[32] = "";
		if (a->others > 0)
			snprintf(more, sizeof more, " and %zu more", a->others);
		crimg_lines_add(&r->notes, "%.*s%s%.*s", (int)(a->what - a->object), a->object, more,
		                (int)(a->end - a->what), a->what);
	}
	if (left > 0)
		crimg_lines_add(&r->notes, "%zu more approximations: crimg convert --loss lists them",
		                left);
}

struct filtering {
	const char *sysroot;
	struct crimg_ledger ledger;
};

static int put_filters(void *context, struct crimg_reader *reader, struct crimg_err *err)
{
	struct filtering *f = context;
	if (reader->driver->notes != NULL && reader->driver->notes(reader, &f->ledger, err) < 0)
		return -1;
	if (f->sysroot != NULL && crimg_filter_sysroot(reader, f->sysroot, err) < 0)
		return -1;
	return crimg_filter_vdso(reader, &f->ledger, err);
}

static int open_image(struct crimg_restart *r, struct crimg_err *err)
{
	const struct crimg_restart_options *o = r->options;
	struct filtering filtering = { o->sysroot, CRIMG_LEDGER_INIT };
	struct crimg_image_filters filters = { put_filters, &filtering, true };
	int rc = crimg_image_open_filtered(o->path, o->format, o->tmpdir, &filters, &r->image, err);
	note_ledger(r, &filtering.ledger);
	crimg_ledger_fini(&filtering.ledger);
	return rc;
}

static int load(struct crimg_restart *r, struct crimg_err *err)
{
	const struct crimg_restart_options *o = r->options;
	if (open_image(r, err) < 0)
		return -1;
	if (crimg_image_missing(r->image, err) != 0)
		return -1;
	if (crimg_tasks_load(r->image, &r->tasks, err) < 0
	    || crimg_files_load(r->image, &r->files, err) < 0)
		return -1;
	if (r->tasks.count == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, o->path, CRIMG_NO_OFFSET,
		                  "no process is in it: a pre-dump, or one file of an image? A whole "
		                  "image is wanted");
	if (r->tasks.count > TASKS_MAX)
		return crimg_fail(err, CRIMG_E_LIMIT, o->path, CRIMG_NO_OFFSET,
		                  "%zu processes found, at most %u wanted", r->tasks.count, TASKS_MAX);
	r->watched = calloc(r->files.count + 1, sizeof *r->watched);
	if (r->watched == NULL)
		return crimg_fail_nomem(err, r->files.count + 1);
	return load_actors(r, err);
}

static bool taken(uint32_t number)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%u", number);
	return stat(path, &st) == 0;
}

// The first number that is taken; 0: none. Whoever was killed a moment ago is about to go.
static uint32_t first_taken(const struct crimg_restart *r)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	unsigned patience = 50;
	for (size_t i = 0; i < r->tasks.thread_count; i++)
		while (taken(r->tasks.threads[i].id)) {
			if (patience-- == 0)
				return r->tasks.threads[i].id;
			nanosleep(&pause, NULL);
		}
	return 0;
}

static void choose_pids(struct crimg_restart *r)
{
	bool admin = crimg_ns_capable(CAP_SYS_ADMIN), owner = crimg_ns_owns_pids();
	bool may_choose = owner && (admin || (r->namespaces == 0 && crimg_ns_capable(CAP_CHECKPOINT_RESTORE)));
	bool own = r->options->new_pids || (r->namespaces & CLONE_NEWPID) != 0;
	uint32_t number = own || !may_choose ? 0 : first_taken(r);
	r->new_pids = own || !may_choose || number != 0;
	r->new_user = r->new_pids && !admin;
	if (number != 0)
		crimg_lines_add(&r->notes, "number %u is taken here: the tasks are in a pid namespace of "
		                "their own, where they have their numbers", number);
	if (!own && !owner)
		crimg_lines_add(&r->notes, "the pid namespace is of another user namespace than crimg is in, so that no "
		                "number may be chosen: the tasks are in a pid namespace of their own");
	else if (!may_choose)
		crimg_lines_add(&r->notes, "without %s the tasks are in a user and a "
		                "pid namespace of their own, where they have their numbers",
		                r->namespaces != 0 ? "CAP_SYS_ADMIN" : "CAP_CHECKPOINT_RESTORE");
}

static int by_start(const void *a, const void *b)
{
	const struct crimg_map_range *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static size_t gather(const struct crimg_restart *r, struct crimg_map_range *all)
{
	size_t n = 0;
	for (size_t i = 0; i < r->tasks.count; i++)
		for (size_t k = 0; k < r->actors[i].space.count; k++) {
			const struct crimg_area *a = &r->actors[i].space.areas[k];
			all[n++] = (struct crimg_map_range){ a->start, a->end };
		}
	return n;
}

// A place for the stage that no task uses, and crimg does not either.
static int choose_stage(struct crimg_restart *r, uint64_t *start, struct crimg_err *err)
{
	struct crimg_map_range *self = NULL;
	size_t self_count = 0, total = 0;
	if (crimg_restart_maps(getpid(), &self, &self_count, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < r->tasks.count; i++)
		total += r->actors[i].space.count;
	struct crimg_map_range *all = calloc(total + self_count, sizeof *all);
	if (all == NULL) {
		free(self);
		return crimg_fail_nomem(err, (total + self_count) * sizeof *all);
	}
	size_t n = gather(r, all);
	memcpy(all + n, self, self_count * sizeof *self);
	n += self_count;
	free(self);
	qsort(all, n, sizeof *all, by_start);
	uint64_t at = UINT64_C(1) << 20, end = UINT64_C(0x7fffff000000);
	for (size_t i = 0; i < r->tasks.count; i++)
		if (crimg_restart_is_32(&r->tasks.list[i])) // their calls point at it
			end = (UINT64_C(1) << 32) - CRIMG_STAGE_BYTES;
	for (size_t i = 0; i < n && at + CRIMG_STAGE_BYTES > all[i].start; i++)
		if (all[i].end > at)
			at = all[i].end;
	free(all);
	if (at >= end)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, r->options->path, CRIMG_NO_OFFSET,
		                  "no %u bytes of address space are free in all tasks",
		                  CRIMG_STAGE_BYTES);
	*start = at;
	return 0;
}

int crimg_restart_plan(struct crimg_restart *r, struct crimg_err *err)
{
	uint64_t start = 0;
	if (load(r, err) < 0)
		return -1;
	crimg_restart_refuse_tasks(r);
	crimg_restart_refuse_files(r);
	if (crimg_restart_births(r, err) < 0)
		return -1;
	if (r->refused.failed || r->notes.failed)
		return crimg_fail_nomem(err, 0);
	if (r->refused.count > 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, r->options->path, CRIMG_NO_OFFSET,
		                  "cannot be restarted here for %zu reason%s; nothing was done",
		                  r->refused.count, r->refused.count == 1 ? "" : "s");
	choose_pids(r);
	if (choose_stage(r, &start, err) < 0)
		return -1;
	if (crimg_stage_open(&r->stage, start, err) < 0)
		return -1;
	r->stage.stop = r->options->stop;
	return 0;
}

void crimg_restart_close(struct crimg_restart *r)
{
	for (size_t i = 0; r->actors != NULL && i < r->tasks.count; i++) {
		crimg_space_fini(&r->actors[i].space);
		free(r->actors[i].puppets);
		free(r->actors[i].kept);
		free(r->actors[i].bridge_code);
	}
	free(r->actors);
	crimg_family_fini(&r->family);
	free(r->watched);
	free(r->network.ends);
	free(r->segments);
	crimg_restart_unix_fini(r);
	crimg_stage_close(&r->stage);
	crimg_handles_close(&r->handles);
	crimg_files_fini(&r->files);
	crimg_tasks_fini(&r->tasks);
	crimg_image_close(r->image);
	crimg_buf_fini(&r->refused.text);
	crimg_buf_fini(&r->notes.text);
}
