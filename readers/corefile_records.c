// One function a kind.
#include "readers/corefile_records.h"

#include <stdlib.h>
#include <string.h>

#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "format/pagemap.h"
#include "format/tasks.h"
#include "readers/corefile_regs.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1
#define PAGES_ID 1u

static int encode(const ProtobufCMessage *message, struct corefile_entry *out,
                  struct crimg_err *err)
{
	return crimg_message_encode(message, &out->message, err) < 0 ? -1 : 1;
}

static uint64_t pid_of(const struct corefile *core, size_t object)
{
	(void)object;
	return core->process.pid;
}

static int put_inventory(struct corefile *core, size_t object, uint64_t index,
                         struct corefile_entry *out, struct crimg_err *err)
{
	InventoryEntry m = INVENTORY_ENTRY__INIT;
	(void)core;
	(void)object;
	if (index > 0)
		return 0;
	m.img_version = IMAGE_VERSION;
	return encode(&m.base, out, err);
}

// The leader, then the others as the core has them.
static int put_pstree(struct corefile *core, size_t object, uint64_t index,
                      struct corefile_entry *out, struct crimg_err *err)
{
	const struct corefile_process *p = &core->process;
	PstreeEntry m = PSTREE_ENTRY__INIT;
	(void)object;
	if (index > 0)
		return 0;
	uint32_t *threads = calloc(p->count + 1, sizeof *threads);
	if (threads == NULL)
		return crimg_fail_nomem(err, p->count * sizeof *threads);
	m.pid = p->pid;
	m.ppid = p->ppid;
	m.pgid = p->pgid;
	m.sid = p->sid;
	m.threads = threads;
	threads[m.n_threads++] = p->pid;
	for (size_t i = 0; i < p->count; i++)
		if (i != p->leader && !p->threads[i].repeated)
			threads[m.n_threads++] = p->threads[i].tid;
	int rc = encode(&m.base, out, err);
	free(threads);
	return rc;
}

static size_t count_cores(const struct corefile *core)
{
	return core->process.tid_count;
}

static uint64_t tid_of(const struct corefile *core, size_t object)
{
	return core->process.threads[core->process.by_tid[object]].tid;
}

static int put_core(struct corefile *core, size_t object, uint64_t index,
                    struct corefile_entry *out, struct crimg_err *err)
{
	struct corefile_process *p = &core->process;
	const struct corefile_thread *t = &p->threads[p->by_tid[object]];
	CoreEntry m = CORE_ENTRY__INIT;
	TaskCoreEntry task = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;
	if (index > 0)
		return 0;
	crimg_arena_reset(&core->arena);
	m.mtype = CORE_ENTRY__MARCH__X86_64;
	if (t->status.data != NULL) {
		m.thread_info =
			corefile_thread_info(&core->elf, t, &core->arena, &core->damage, err);
		if (m.thread_info == NULL)
			return -1;
	}
	if (p->by_tid[object] == p->leader) {
		m.tc = &task;
		task.task_state = CRIMG_TASK_ALIVE;
		task.flags = p->flags;
		task.blk_sigset = corefile_blocked(&core->elf, t);
		task.comm = p->comm;
	} else {
		m.thread_core = &thread;
		thread.has_blk_sigset = true;
		thread.blk_sigset = corefile_blocked(&core->elf, t);
	}
	out->offset = t->status.offset;
	out->length = t->status.length;
	return encode(&m.base, out, err);
}

static void fill_vma(VmaEntry *m, const struct corefile_area *a)
{
	vma_entry__init(m);
	m->start = a->start;
	m->end = a->end;
	m->pgoff = a->offset;
	m->shmid = a->file;
	m->prot = a->prot;
	m->flags = a->flags;
	m->status = a->status;
	m->fd = -1;
	m->has_fdflags = a->file != 0;
}

static int put_vmas(const struct corefile_space *space, MmEntry *m, struct corefile_entry *out,
                    struct crimg_err *err)
{
	size_t count = space->count;
	VmaEntry *vmas = calloc(count + 1, sizeof *vmas);
	VmaEntry **pointers = calloc(count + 1, sizeof *pointers);
	int rc;
	if (vmas == NULL || pointers == NULL) {
		rc = crimg_fail_nomem(err, count * sizeof *vmas);
	} else {
		for (size_t i = 0; i < count; i++) {
			fill_vma(&vmas[i], &space->areas[i]);
			pointers[i] = &vmas[i];
		}
		m->vmas = pointers;
		m->n_vmas = count;
		rc = encode(&m->base, out, err);
	}
	free(pointers);
	free(vmas);
	return rc;
}

// The program is the file that holds its own program headers.
static uint32_t program_file(const struct corefile *core)
{
	static const uint64_t types[] = { CRIMG_AT_PHDR, CRIMG_AT_ENTRY };
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		uint64_t address;
		const struct corefile_mapping *m = NULL;
		if (corefile_auxv(&core->elf, &core->process, types[i], &address))
			m = corefile_mapping_at(&core->process, address);
		if (m != NULL)
			return m->file;
	}
	return 0;
}

// CRIU stores the vector as the kernel gives it, taken for words of 64 bits in both classes.
static int take_auxv(const struct corefile *core, MmEntry *m, struct crimg_err *err)
{
	const struct corefile_bytes *auxv = &core->process.auxv;
	struct crimg_cursor c = crimg_cursor_make(auxv->data, auxv->length, NULL, 0);
	uint64_t *words = calloc(auxv->length / 8 + 1, sizeof *words);
	if (words == NULL)
		return crimg_fail_nomem(err, auxv->length);
	while (crimg_cursor_u64(&c, &words[m->n_mm_saved_auxv], "", NULL) == 0)
		m->n_mm_saved_auxv++;
	m->mm_saved_auxv = words;
	return 0;
}

static int put_mm(struct corefile *core, size_t object, uint64_t index, struct corefile_entry *out,
                  struct crimg_err *err)
{
	const struct corefile_process *p = &core->process;
	const struct corefile_stack *stack = &core->stack;
	MmEntry m = MM_ENTRY__INIT;
	(void)object;
	if (index > 0)
		return 0;
	m.mm_start_stack = stack->start != 0
	                           ? stack->start
	                           : corefile_stack_pointer(&core->elf, &p->threads[p->leader]);
	m.mm_arg_start = stack->arg_start;
	m.mm_arg_end = stack->arg_end;
	m.mm_env_start = stack->env_start;
	m.mm_env_end = stack->env_end;
	m.exe_file_id = program_file(core);
	if (take_auxv(core, &m, err) < 0)
		return -1;
	int rc = put_vmas(&core->space, &m, out, err);
	free(m.mm_saved_auxv);
	return rc;
}

// What is wrong with the notes is known by now: the way through them was made before.
static int put_note(struct corefile *core, size_t object, uint64_t index,
                    struct corefile_entry *out, struct crimg_err *err)
{
	ElfNoteEntry m = ELF_NOTE_ENTRY__INIT;
	struct corefile_note note;
	int rc;
	(void)object;
	if (index == 0)
		core->notes = corefile_walk_make(&core->elf);
	while ((rc = corefile_walk_next(&core->notes, &note, NULL)) < 0)
		;
	if (rc == 0)
		return 0;
	crimg_arena_reset(&core->arena);
	union {
		const uint8_t *lent;
		uint8_t *data; // protobuf-c asks for this; encoding changes nothing
	} desc = { .lent = note.desc.data };
	m.has_tid = note.has_tid;
	m.tid = note.tid;
	m.name = crimg_arena_text(&core->arena, note.owner, note.owner_length);
	m.type = note.type;
	m.desc = (ProtobufCBinaryData){ .len = note.desc.length, .data = desc.data };
	if (m.name == NULL)
		return crimg_fail_nomem(err, note.owner_length);
	out->offset = note.offset;
	out->length = note.length;
	return encode(&m.base, out, err);
}

static int put_file(struct corefile *core, size_t object, uint64_t index,
                    struct corefile_entry *out, struct crimg_err *err)
{
	FileEntry m = FILE_ENTRY__INIT;
	RegFileEntry file = REG_FILE_ENTRY__INIT;
	FownEntry owner = FOWN_ENTRY__INIT;
	(void)object;
	if (index >= core->process.path_count)
		return 0;
	const char *path = core->process.paths[index];
	crimg_arena_reset(&core->arena);
	file.name = crimg_arena_text(&core->arena, path, strlen(path));
	if (file.name == NULL)
		return crimg_fail_nomem(err, strlen(path));
	m.type = FD_TYPES__REG;
	m.id = file.id = (uint32_t)index + 1;
	m.reg = &file;
	file.fown = &owner;
	return encode(&m.base, out, err);
}

static size_t count_files(const struct corefile *core)
{
	return core->process.path_count > 0;
}

static int put_pages(struct corefile *core, size_t object, uint64_t index,
                     struct corefile_entry *out, struct crimg_err *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry m = PAGEMAP_ENTRY__INIT;
	(void)object;
	if (index == 0) {
		head.pages_id = PAGES_ID;
		return encode(&head.base, out, err);
	}
	if (index > core->space.run_count)
		return 0;
	const struct corefile_run *run = &core->space.runs[index - 1];
	m.vaddr = run->start;
	m.has_flags = m.has_nr_pages = true;
	m.nr_pages = run->length / CRIMG_PAGE_BYTES;
	m.flags = run->kind == COREFILE_RUN_LOST ? CRIMG_PE_LAZY : CRIMG_PE_PRESENT;
	return encode(&m.base, out, err);
}

static uint64_t pages_id(const struct corefile *core, size_t object)
{
	(void)core;
	(void)object;
	return PAGES_ID;
}

const struct corefile_step corefile_steps[COREFILE_STEPS] = {
	{ CRIMG_KIND_INVENTORY, NULL, NULL, put_inventory },
	{ CRIMG_KIND_PSTREE, NULL, NULL, put_pstree },
	{ CRIMG_KIND_CORE, count_cores, tid_of, put_core },
	{ CRIMG_KIND_MM, NULL, pid_of, put_mm },
	{ CRIMG_KIND_ELF_NOTES, NULL, pid_of, put_note },
	{ CRIMG_KIND_FILES, count_files, NULL, put_file },
	{ CRIMG_KIND_PAGEMAP, NULL, pid_of, put_pages },
	{ CRIMG_KIND_PAGES, NULL, pages_id, NULL },
};
