// From --at to a range in each process.
#include "inspect/memory_range.h"

#include "format/checked.h"

// The thread whose registers --at may name: that of -t, or the leader.
static const struct crimg_thread *thread_of(const struct crimg_view *view,
                                            const struct crimg_task *task)
{
	for (size_t i = 0; i < task->thread_count; i++)
		if (crimg_view_wants_thread(view, &task->threads[i]))
			return &task->threads[i];
	return NULL;
}

// False when the process has nothing there; or view->fault.
static bool find_range(struct crimg_debuggee *d, uint64_t bytes, struct crimg_memory_range *out)
{
	struct crimg_view *view = d->view;
	uint64_t start, length;
	*out = (struct crimg_memory_range){ .d = d, .end = UINT64_MAX };
	if (view->options->at == NULL)
		return d->space.count > 0;
	if (crimg_debuggee_place(d, thread_of(view, d->task), view->options->at, &start, &length,
	                         &view->fault) <= 0)
		return false;
	const struct crimg_area *area = crimg_space_find(&d->space, start);
	if (length == 0 && area == NULL)
		return false;
	out->start = start;
	if (length == 0)
		out->end = start + crimg_min_u64(bytes, area->end - start);
	else if (!crimg_add_u64(start, length, &out->end))
		out->end = UINT64_MAX;
	area = crimg_space_next(&d->space, start);
	return area != NULL && area->start < out->end;
}

static void say_nothing_found(struct crimg_view *view, size_t processes)
{
	const struct crimg_view_options *o = view->options;
	if (view->tasks.count == 0)
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, o->path, CRIMG_NO_OFFSET,
		           "no process is in it (a pre-dump holds pages alone)");
	else if (processes == 0)
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, o->path, CRIMG_NO_OFFSET,
		           "no live process is meant: zombies have no memory");
	else if (o->at != NULL)
		crimg_fail(&view->fault, CRIMG_E_NOTFOUND, o->path, CRIMG_NO_OFFSET,
		           "--at %s: no process has it (`crimg inspect IMAGE maps` lists what is "
		           "mapped)", o->at);
}

size_t crimg_memory_ranges(struct crimg_view *view, uint64_t bytes, crimg_memory_range_fn *show,
                           void *context)
{
	size_t shown = 0, processes = 0;
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		struct crimg_debuggee d;
		struct crimg_memory_range range;
		if (task->state == CRIMG_TASK_DEAD || !crimg_view_wants(view, task))
			continue;
		processes++;
		if (!crimg_debuggee_open(view, task, &d))
			break;
		if (find_range(&d, bytes, &range)) {
			show(context, &range);
			shown++;
		}
		crimg_debuggee_close(&d);
	}
	if (shown == 0 && !crimg_view_failed(view))
		say_nothing_found(view, processes);
	return shown;
}
