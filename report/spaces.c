#include "report/spaces.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/space.h"

struct spaces {
	struct crimg_view *view;
	struct crimg_json json;
	struct crimg_buf runs; // of the area at hand
	size_t run_count;      // of all areas
};

// Of pages that are the task's own: in this image or in a parent, and up to *end the same.
static char own_letter(const struct crimg_task *task, uint64_t at, uint64_t *end)
{
	const struct crimg_image_object *o = task->pagemap;
	if (o == NULL || o->map == NULL || !o->sorted)
		return 'p';
	const struct crimg_page_run *run = crimg_pagemap_find(o->map, at);
	if (run == NULL)
		return 'p';
	uint64_t run_end = run->vaddr + run->pages * CRIMG_PAGE_BYTES;
	*end = run_end > at && run_end < *end ? run_end : *end;
	return (run->flags & CRIMG_PE_PARENT) != 0 ? 'o' : 'p';
}

static char letter_of(const struct crimg_task *task, enum crimg_bytes kind, uint64_t at,
                      uint64_t *end)
{
	static const char letters[] = {
		[CRIMG_BYTES_UNMAPPED] = 'k', [CRIMG_BYTES_SEGMENT] = 's', [CRIMG_BYTES_ZERO] = 'z',
		[CRIMG_BYTES_FILE] = 'f', [CRIMG_BYTES_LOST] = 'l', [CRIMG_BYTES_KERNEL] = 'k',
	};
	return kind == CRIMG_BYTES_PRIVATE ? own_letter(task, at, end) : letters[kind];
}

static bool add_run(struct spaces *s, char letter, uint64_t pages)
{
	char text[32];
	if (pages == 0)
		return true;
	int n = snprintf(text, sizeof text, "%c%" PRIu64, letter, pages);
	s->run_count++;
	return crimg_buf_append(&s->runs, text, (size_t)n, &s->view->fault) == 0;
}

// False when the limit was reached, or without memory.
static bool area_runs(struct spaces *s, const struct crimg_space *space,
                      const struct crimg_area *area)
{
	uint64_t from = area->start; // of the run that is not written yet
	char letter = '\0';
	s->runs.length = 0;
	for (uint64_t at = area->start, end; at < area->end; at = end) {
		enum crimg_bytes kind;
		if (s->run_count >= CRIMG_REPORT_MAX_RUNS
		    || crimg_space_bytes(space, at, &kind, &end, &s->view->fault) < 0)
			return false;
		end = end < area->end ? end : area->end;
		char next = letter_of(space->task, kind, at, &end);
		if (next != letter && letter != '\0') {
			if (!add_run(s, letter, at / CRIMG_PAGE_BYTES - from / CRIMG_PAGE_BYTES))
				return false;
			from = at;
		}
		letter = next;
	}
	return add_run(s, letter, area->end / CRIMG_PAGE_BYTES - from / CRIMG_PAGE_BYTES);
}

static void show_pages(struct spaces *s, const struct crimg_space *space)
{
	crimg_json_array(&s->json, "pages");
	for (size_t i = 0; i < space->count && !crimg_view_failed(s->view); i++) {
		if (area_runs(s, space, &space->areas[i]))
			crimg_json_text_n(&s->json, NULL, (const char *)s->runs.data, s->runs.length);
		else
			crimg_json_null(&s->json, NULL);
		crimg_view_flush(s->view);
	}
	crimg_json_end(&s->json);
}

// What the area is one view of, among several. A memfd has many open files but one inode.
static void shared_name(const struct spaces *s, const VmaEntry *vma, char *out, size_t size)
{
	const struct crimg_file *file = crimg_files_find(&s->view->files, (uint32_t)vma->shmid);
	if ((vma->status & CRIMG_VMA_FILE_SHARED) == 0)
		snprintf(out, size, "shm %" PRIu64, vma->shmid);
	else if (file != NULL && file->type == FD_TYPES__MEMFD && file->message != NULL)
		snprintf(out, size, "memfd %u", ((const MemfdFileEntry *)file->message)->inode_id);
	else
		snprintf(out, size, "file %" PRIu64, vma->shmid);
}

static void show_shared(struct spaces *s, const struct crimg_space *space)
{
	crimg_json_array(&s->json, "shared");
	for (size_t i = 0; i < space->count; i++) {
		const VmaEntry *vma = space->areas[i].vma;
		char name[48];
		if ((vma->status & (CRIMG_VMA_FILE_SHARED | CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)) == 0)
			continue;
		shared_name(s, vma, name, sizeof name);
		crimg_json_array(&s->json, NULL);
		crimg_json_u64(&s->json, NULL, i);
		crimg_json_text(&s->json, NULL, name);
		if (space->areas[i].segment != NULL)
			crimg_json_u64(&s->json, NULL, space->areas[i].segment->object.id);
		crimg_json_end(&s->json);
	}
	crimg_json_end(&s->json);
}

static void show_environment(struct spaces *s, const struct crimg_task *task)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	bool cut;
	int rc = crimg_task_environment(s->view->image, task, CRIMG_REPORT_ENVIRONMENT_BYTES, &text,
	                                &cut, &s->view->damage);
	if (rc <= 0) {
		crimg_json_null(&s->json, "environment");
		crimg_buf_fini(&text);
		return;
	}
	crimg_json_array(&s->json, "environment");
	for (size_t at = 0; at < text.length;) {
		const char *word = (const char *)text.data + at;
		size_t length = strnlen(word, text.length - at);
		if (length > 0)
			crimg_json_text_n(&s->json, NULL, word, length);
		at += length + 1;
	}
	crimg_json_end(&s->json);
	crimg_buf_fini(&text);
}

static void show_task(struct spaces *s, const struct crimg_task *task)
{
	struct crimg_space space = { .count = 0 };
	if (crimg_space_load(s->view->image, &s->view->files, task, &space, &s->view->damage) < 0
	    && space.areas == NULL)
		return; // view maps leaves it out too
	crimg_json_object(&s->json, NULL);
	crimg_json_u64(&s->json, "pid", task->pid);
	show_environment(s, task);
	show_pages(s, &space);
	show_shared(s, &space);
	crimg_json_end(&s->json);
	crimg_space_fini(&space);
}

void crimg_report_spaces(struct crimg_view *view)
{
	struct spaces s = { .view = view, .json = crimg_json_make(view->out, false) };
	crimg_json_object(&s.json, NULL);
	crimg_json_text(&s.json, "schema", "crimg.report-spaces/1");
	crimg_json_array(&s.json, "processes");
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++)
		if (view->tasks.list[i].state != CRIMG_TASK_DEAD)
			show_task(&s, &view->tasks.list[i]);
	crimg_json_end(&s.json);
	crimg_json_bool(&s.json, "cut", s.run_count >= CRIMG_REPORT_MAX_RUNS);
	crimg_json_end(&s.json);
	if (crimg_json_finish(&s.json, &view->fault) == 0
	    && crimg_buf_append(view->out, "\n", 1, &view->fault) < 0)
		view->flush = NULL; // noted in fault
	crimg_buf_fini(&s.runs);
}
