// View regs: the registers of every thread, what they point at, and the system call it was frozen
// in.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout_elfcore.h"
#include "format/names.h"
#include "inspect/command.h"
#include "inspect/fields.h"
#include "inspect/regs_parts.h"

// The message with the registers of a machine that is no x86, or NULL: core_entry calls them ti_*.
static const ProtobufCMessage *other_registers(const CoreEntry *core)
{
	const ProtobufCMessageDescriptor *type = core->base.descriptor;
	const ProtobufCMessage *message;
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (strncmp(type->fields[i].name, "ti_", 3) != 0)
			continue;
		memcpy(&message, (const char *)core + type->fields[i].offset, sizeof message);
		if (message != NULL)
			return message;
	}
	return NULL;
}

// Extended states as the ELF core had them, when the image was made of one, sorted by thread.
struct note_ref {
	uint32_t tid;
	struct crimg_xstate_note note;
};

struct notes {
	struct note_ref *list;
	size_t count;
};

static int by_tid(const void *a, const void *b)
{
	const struct note_ref *x = a, *y = b;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static struct notes find_notes(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_image_object *o =
		crimg_image_find(view->image, CRIMG_KIND_ELF_NOTES, task->pid);
	struct notes notes = { NULL, 0 };
	if (o != NULL && (notes.list = calloc(o->count + 1, sizeof *notes.list)) == NULL)
		crimg_fail_nomem(&view->fault, o->count * sizeof *notes.list);
	for (size_t i = 0; notes.list != NULL && i < o->count; i++) {
		const ElfNoteEntry *e = crimg_image_message(view->image, o, i, &view->damage);
		if (e != NULL && e->type == CRIMG_NT_X86_XSTATE && e->has_tid
		    && strcmp(e->name, "LINUX") == 0)
			notes.list[notes.count++] =
				(struct note_ref){ e->tid, { e->desc.data, e->desc.len } };
	}
	if (notes.count > 1)
		qsort(notes.list, notes.count, sizeof *notes.list, by_tid);
	return notes;
}

static struct crimg_xstate_note note_of(const struct notes *notes, uint32_t tid)
{
	const struct note_ref key = { .tid = tid }, *found = NULL;
	if (notes->count > 0)
		found = bsearch(&key, notes->list, notes->count, sizeof key, by_tid);
	return found != NULL ? found->note : (struct crimg_xstate_note){ NULL, 0 };
}

static void heading(struct crimg_view *view, const struct crimg_task *task,
                    const struct crimg_thread *thread, const char *what)
{
	char label[64];
	crimg_task_label(task, label, sizeof label);
	if (task->thread_count > 1)
		crimg_heading(view, "%s, thread %u %s, %s", label, thread->tid,
		              crimg_thread_comm(task, thread), what);
	else
		crimg_heading(view, "%s, %s", label, what);
}

// Begins the object of a thread in JSON. mode is NULL when the registers are not x86's.
static void begin_json(struct crimg_view *view, const struct crimg_task *task,
                       const struct crimg_thread *thread, const char *mode)
{
	char number[32];
	struct crimg_json *j = view->json;
	if (j == NULL)
		return;
	crimg_json_object(j, NULL);
	crimg_json_u64(j, "tid", thread->tid);
	crimg_json_text(j, "comm", crimg_thread_comm(task, thread));
	crimg_json_text(j, "machine", thread->core == NULL ? NULL
	                : crimg_name_or_number(CRIMG_NAMES_MACHINE, thread->core->mtype, number,
	                                       sizeof number));
	crimg_json_text(j, "mode", mode);
}

// A thread without registers that this view can take apart.
static void show_other(struct crimg_view *view, const struct crimg_task *task,
                       const struct crimg_thread *thread)
{
	char what[128], number[32];
	const CoreEntry *core = thread->core;
	const ProtobufCMessage *message = core != NULL ? other_registers(core) : NULL;
	if (core == NULL)
		snprintf(what, sizeof what, "no registers: core-%u.img is missing or damaged",
		         thread->tid);
	else if (message == NULL)
		snprintf(what, sizeof what, "no registers: its core has no thread_info");
	else
		snprintf(what, sizeof what, "%s",
		         crimg_name_or_number(CRIMG_NAMES_MACHINE, core->mtype, number,
		                              sizeof number));
	heading(view, task, thread, what);
	begin_json(view, task, thread, NULL);
	if (view->json != NULL)
		crimg_json_text(view->json, "problem", message == NULL ? what : NULL);
	crimg_group_object(view, "fields");
	if (message != NULL)
		crimg_fields_show(view, message, 2);
	crimg_group_end(view);
	crimg_group_end(view);
}

static void show_x86(struct crimg_debuggee *d, const struct crimg_thread *thread,
                     struct crimg_list fds, struct crimg_xstate_note note)
{
	const ThreadInfoX86 *info = thread->core->thread_info;
	struct crimg_view *view = d->view;
	struct crimg_regs r = {
		.view = view,
		.d = d,
		.task = d->task,
		.thread = thread,
		.info = info,
		.is_32 = crimg_x86_is_32(info->gpregs),
		.note = note,
	};
	const char *mode = r.is_32 ? "32-bit" : "64-bit";
	crimg_call_of(d, fds, info->gpregs, &r.call);
	heading(view, d->task, thread, mode);
	begin_json(view, d->task, thread, mode);
	if (view->json != NULL)
		crimg_regs_json(&r);
	else
		crimg_regs_text(&r);
	crimg_group_end(view);
}

static void show_task(struct crimg_view *view, const struct crimg_task *task)
{
	struct crimg_debuggee d;
	if (!crimg_debuggee_open(view, task, &d))
		return;
	struct crimg_list fds = crimg_view_list(view, task, CRIMG_PART_FDS);
	struct notes notes = find_notes(view, task);
	crimg_group_object(view, NULL);
	crimg_task_json(view, task);
	crimg_group_array(view, "threads");
	for (size_t i = 0; i < task->thread_count && !crimg_view_failed(view); i++) {
		const struct crimg_thread *thread = &task->threads[i];
		if (!crimg_view_wants_thread(view, thread))
			continue;
		if (thread->core != NULL && thread->core->thread_info != NULL)
			show_x86(&d, thread, fds, note_of(&notes, thread->tid));
		else
			show_other(view, task, thread);
		crimg_view_flush(view);
	}
	crimg_group_end(view);
	crimg_group_end(view);
	free(notes.list);
	crimg_debuggee_close(&d);
}

// Cores without a process tree: one file of an image, or a damaged one. Each is a task of its own.
static void show_cores(struct crimg_view *view)
{
	struct crimg_image_object *o = crimg_image_first(view->image, CRIMG_KIND_CORE);
	for (; o != NULL && !crimg_view_failed(view); o = crimg_image_next(view->image, o)) {
		struct crimg_thread thread = { .tid = (uint32_t)o->object.id };
		if (o->count > 0)
			thread.core = crimg_image_message(view->image, o, 0, &view->damage);
		if (thread.core != NULL && thread.core->thread_info == NULL
		    && other_registers(thread.core) == NULL)
			continue; // a zombie's
		const struct crimg_task task = {
			.pid = thread.tid,
			.state = CRIMG_TASK_ALIVE,
			.core = thread.core,
			.threads = &thread,
			.thread_count = 1,
			.parent = CRIMG_NO_TASK,
		};
		show_task(view, &task);
	}
}

void crimg_view_regs(struct crimg_view *view)
{
	crimg_group_array(view, "regs");
	if (view->tasks.count == 0)
		show_cores(view);
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		if (task->state != CRIMG_TASK_DEAD && crimg_view_wants(view, task))
			show_task(view, task);
	}
	crimg_group_end(view);
}
