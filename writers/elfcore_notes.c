// Which notes there are, and their order; new ones, or those that the image kept.
#include "writers/elfcore_notes.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"

#define NOTE_HEADER_BYTES 12u

// The kernel's order: all of the first thread, with those of the process among them, then the
// others.
static const struct row {
	const char *owner;
	uint32_t type;
	bool of_process;
	bool only32, only64;
	elfcore_note_fn *make;
} rows[] = {
	{ "CORE", CRIMG_NT_PRSTATUS, false, false, false, elfcore_prstatus },
	{ "CORE", CRIMG_NT_PRPSINFO, true, false, false, elfcore_prpsinfo },
	{ "CORE", CRIMG_NT_SIGINFO, true, false, false, elfcore_siginfo },
	{ "CORE", CRIMG_NT_AUXV, true, false, false, elfcore_auxv },
	{ "CORE", CRIMG_NT_FILE, true, false, false, elfcore_file },
	{ "CORE", CRIMG_NT_FPREGSET, false, false, false, elfcore_fpregset },
	{ "LINUX", CRIMG_NT_PRXFPREG, false, true, false, elfcore_prxfpreg },
	{ "LINUX", CRIMG_NT_X86_XSTATE, false, false, false, elfcore_xstate },
	{ "LINUX", CRIMG_NT_386_TLS, false, true, false, elfcore_tls },
	{ "LINUX", CRIMG_NT_X86_SHSTK, false, false, true, elfcore_shstk },
};

#define ROWS (sizeof rows / sizeof rows[0])

struct making {
	const struct elfcore_process *process;
	struct crimg_buf *out;
	struct crimg_buf desc;
	struct crimg_arena arena;
	size_t args;
	bool *told;        // of each thread: it has a PRSTATUS among the kept notes
};

int elfcore_note_begin(const struct elfcore_note *n, size_t size, uint8_t **at,
                       struct crimg_err *err)
{
	*at = NULL;
	if (n->kept != NULL && n->kept->len != size)
		return crimg_buf_append(n->desc, n->kept->data, n->kept->len, err);
	if (crimg_buf_reserve(n->desc, size, err) < 0)
		return -1;
	*at = n->desc->data + n->desc->length;
	if (n->kept != NULL)
		memcpy(*at, n->kept->data, size);
	else
		memset(*at, 0, size);
	n->desc->length += size;
	return 0;
}

int elfcore_pass_error(const struct crimg_err *broken, struct crimg_err *err)
{
	if (broken->code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = *broken;
	return -1;
}

uint32_t elfcore_stop_signal(const struct crimg_task *task)
{
	if (task->state != CRIMG_TASK_STOPPED)
		return 0;
	return task->core->tc->has_stop_signo ? task->core->tc->stop_signo : 19; // SIGSTOP
}

static int pad(struct crimg_buf *out, struct crimg_err *err)
{
	static const uint8_t zeros[3];
	return crimg_buf_append(out, zeros, -out->length & 3, err);
}

static int put_note(struct crimg_buf *out, const char *owner, uint32_t type, const void *desc,
                    size_t length, struct crimg_err *err)
{
	size_t name = strlen(owner) + 1;
	if (length > UINT32_MAX)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "a note of %zu bytes is too large for a core", length);
	if (crimg_buf_u32(out, (uint32_t)name, err) < 0
	    || crimg_buf_u32(out, (uint32_t)length, err) < 0 || crimg_buf_u32(out, type, err) < 0
	    || crimg_buf_append(out, owner, name, err) < 0 || pad(out, err) < 0
	    || crimg_buf_append(out, desc, length, err) < 0)
		return -1;
	return pad(out, err);
}

// Makes the note of a row and puts it behind the others.
static int add_note(struct making *m, const struct row *row, const struct crimg_thread *thread,
                    const ProtobufCBinaryData *kept, struct crimg_err *err)
{
	struct elfcore_note note = { m->process, thread, kept, &m->desc, &m->arena };
	size_t at = m->out->length + NOTE_HEADER_BYTES + ((strlen(row->owner) + 4) & ~(size_t)3);
	m->desc.length = 0;
	crimg_arena_reset(&m->arena);
	if (row->make(&note, err) < 0)
		return -1;
	if (m->desc.length == 0 && kept == NULL)
		return 0;
	if (row->make == elfcore_prpsinfo && kept == NULL)
		m->args = at + CRIMG_PRPSINFO_ARGS(m->process->is32);
	return put_note(m->out, row->owner, row->type, m->desc.data, m->desc.length, err);
}

static bool applies(const struct making *m, const struct row *row)
{
	return !(m->process->is32 ? row->only64 : row->only32);
}

static int add_thread(struct making *m, const struct crimg_thread *thread, bool with_process,
                      struct crimg_err *err)
{
	for (size_t i = 0; i < ROWS; i++)
		if (applies(m, &rows[i]) && (with_process || !rows[i].of_process)
		    && add_note(m, &rows[i], thread, NULL, err) < 0)
			return -1;
	return 0;
}

static const struct row *row_of(const struct making *m, const ElfNoteEntry *e)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].type == e->type && strcmp(rows[i].owner, e->name) == 0
		    && applies(m, &rows[i]))
			return &rows[i];
	return NULL;
}

// The thread that a kept note tells of: its number, or NULL when it is not there any more.
static const struct crimg_thread *thread_of(const struct crimg_task *task, uint32_t tid)
{
	for (size_t i = 0; i < task->thread_count; i++)
		if (task->threads[i].tid == tid)
			return &task->threads[i];
	return NULL;
}

static int keep_note(struct making *m, const ElfNoteEntry *e, struct crimg_err *err)
{
	const struct crimg_task *task = m->process->task;
	const struct crimg_thread *thread = e->has_tid ? thread_of(task, e->tid) : NULL;
	const struct row *row = row_of(m, e);
	if (e->has_tid && thread == NULL)
		return 0;
	if (row != NULL && row->of_process)
		return add_note(m, row, &task->threads[0], &e->desc, err);
	if (row == NULL || thread == NULL)
		return put_note(m->out, e->name, e->type, e->desc.data, e->desc.len, err);
	if (row->type == CRIMG_NT_PRSTATUS)
		m->told[thread - task->threads] = true;
	return add_note(m, row, thread, &e->desc, err);
}

// The notes that the image kept, and new ones of threads they do not know.
static int keep_notes(struct making *m, struct crimg_image_object *o, struct crimg_err *err)
{
	const struct crimg_task *task = m->process->task;
	for (size_t i = 0; i < o->count; i++) {
		const ElfNoteEntry *e = crimg_image_message(m->process->image, o, i, err);
		if (e == NULL || keep_note(m, e, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < task->thread_count; i++)
		if (!m->told[i] && add_thread(m, &task->threads[i], false, err) < 0)
			return -1;
	return 0;
}

static int make_notes(struct making *m, struct crimg_err *err)
{
	const struct crimg_task *task = m->process->task;
	struct crimg_image_object *kept =
		crimg_image_find(m->process->image, CRIMG_KIND_ELF_NOTES, task->pid);
	m->told = calloc(task->thread_count, sizeof *m->told);
	if (m->told == NULL)
		return crimg_fail_nomem(err, task->thread_count);
	if (kept != NULL && kept->count > 0)
		return keep_notes(m, kept, err);
	for (size_t i = 0; i < task->thread_count; i++)
		if (add_thread(m, &task->threads[i], i == 0, err) < 0)
			return -1;
	return 0;
}

int elfcore_notes_make(const struct elfcore_process *p, struct crimg_buf *out, size_t *args,
                       struct crimg_err *err)
{
	struct making m = { .process = p, .out = out, .desc = CRIMG_BUF_INIT,
		            .arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES),
		            .args = ELFCORE_NO_ARGS };
	int rc = make_notes(&m, err);
	crimg_buf_fini(&m.desc);
	crimg_arena_fini(&m.arena);
	free(m.told);
	*args = m.args;
	return rc;
}
