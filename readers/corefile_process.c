// From notes to a process with threads.
#include "readers/corefile_process.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "readers/corefile_mappings.h"

// While the notes go by.
struct load {
	const struct corefile_elf *elf;
	struct corefile_process p;
	struct corefile_bytes info, files; // NT_PRPSINFO, NT_FILE
	struct crimg_err *damage;
};

// Where a note of a thread goes.
static struct corefile_bytes *place_in_thread(struct corefile_thread *t,
                                              const struct corefile_note *note)
{
	const struct {
		const char *owner;
		uint32_t type;
		struct corefile_bytes *place;
	} rows[] = {
		{ "CORE", CRIMG_NT_FPREGSET, &t->fpregs },
		{ "LINUX", CRIMG_NT_X86_XSTATE, &t->xstate },
		{ "LINUX", CRIMG_NT_PRXFPREG, &t->fxregs },
		{ "LINUX", CRIMG_NT_386_TLS, &t->tls },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (corefile_note_is(note, rows[i].owner, rows[i].type))
			return rows[i].place;
	return NULL;
}

static struct corefile_bytes *place_in_process(struct load *l, const struct corefile_note *note)
{
	const struct {
		uint32_t type;
		struct corefile_bytes *place;
	} rows[] = {
		{ CRIMG_NT_PRPSINFO, &l->info },
		{ CRIMG_NT_AUXV, &l->p.auxv },
		{ CRIMG_NT_FILE, &l->files },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (corefile_note_is(note, "CORE", rows[i].type))
			return rows[i].place;
	return NULL;
}

static int add_thread(struct load *l, const struct corefile_note *note, struct crimg_err *err)
{
	struct corefile_process *p = &l->p;
	void *array = p->threads;
	if (!note->has_tid) {
		crimg_fail(l->damage, CRIMG_E_FORMAT, l->elf->source->name, note->desc.offset,
		           "NT_PRSTATUS: %zu bytes found, %u wanted", note->desc.length,
		           CRIMG_PRSTATUS_BYTES(l->elf->is_32));
		return 0;
	}
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->threads, err) < 0)
		return -1;
	p->threads = array;
	p->threads[p->count++] = (struct corefile_thread){ .tid = note->tid, .status = note->desc };
	return 0;
}

// Dumps of whole machines are ELF cores too, and have a PRSTATUS per processor.
static int refuse_machine(const struct load *l, const struct corefile_note *note,
                          struct crimg_err *err)
{
	static const char *const owners[] = { "QEMU", "VMCOREINFO", "Xen" };
	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
		if (corefile_note_is(note, owners[i], note->type))
			return crimg_fail(
				err, CRIMG_E_UNSUPPORTED, l->elf->source->name, note->offset,
				"a dump of a whole machine (a note of %s) found, a core of a "
				"process wanted",
				owners[i]);
	return 0;
}

static int take_note(struct load *l, const struct corefile_note *note, struct crimg_err *err)
{
	if (refuse_machine(l, note, err) < 0)
		return -1;
	if (corefile_note_is(note, "CORE", CRIMG_NT_PRSTATUS))
		return add_thread(l, note, err);
	struct corefile_bytes *place = place_in_process(l, note);
	if (place == NULL && note->has_tid)
		place = place_in_thread(&l->p.threads[l->p.count - 1], note);
	if (place != NULL && place->data == NULL) // of two, the first
		*place = note->desc;
	return 0;
}

static int take_notes(struct load *l, struct crimg_err *err)
{
	struct corefile_walk walk = corefile_walk_make(l->elf);
	struct corefile_note note;
	int rc;
	// What is wrong with a note segment ends that segment alone.
	while ((rc = corefile_walk_next(&walk, &note, l->damage)) != 0)
		if (rc > 0 && take_note(l, &note, err) < 0)
			return -1;
	return 0;
}

// pid, ppid, pgrp, sid stand together in both notes.
static void take_numbers(struct corefile_process *p, const uint8_t *data)
{
	p->pid = crimg_get_u32(data);
	p->ppid = crimg_get_u32(data + 4);
	p->pgid = crimg_get_u32(data + 8);
	p->sid = crimg_get_u32(data + 12);
}

static void take_info(struct load *l)
{
	bool is_32 = l->elf->is_32;
	const struct corefile_bytes *info = &l->info;
	if (l->p.count > 0)
		take_numbers(&l->p, l->p.threads[0].status.data + CRIMG_PRSTATUS_PID(is_32));
	if (info->data == NULL)
		return;
	if (info->length != CRIMG_PRPSINFO_BYTES(is_32)) {
		crimg_fail(l->damage, CRIMG_E_FORMAT, l->elf->source->name, info->offset,
		           "NT_PRPSINFO: %zu bytes found, %u wanted", info->length,
		           CRIMG_PRPSINFO_BYTES(is_32));
		return;
	}
	if (crimg_get_u32(info->data + CRIMG_PRPSINFO_PID(is_32)) != 0)
		take_numbers(&l->p, info->data + CRIMG_PRPSINFO_PID(is_32));
	l->p.flags = crimg_get_u32(info->data + CRIMG_PRPSINFO_FLAG(is_32));
	memcpy(l->p.comm, info->data + CRIMG_PRPSINFO_FNAME(is_32), CRIMG_PRPSINFO_FNAME_BYTES);
}

struct numbered {
	uint32_t tid;
	size_t index;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

// Fills by_tid; a number that comes twice is damage.
static int sort_threads(struct load *l, struct crimg_err *err)
{
	struct corefile_process *p = &l->p;
	struct numbered *list = calloc(p->count + 1, sizeof *list);
	p->by_tid = calloc(p->count + 1, sizeof *p->by_tid);
	if (list == NULL || p->by_tid == NULL) {
		free(list);
		return crimg_fail_nomem(err, p->count * sizeof *list);
	}
	for (size_t i = 0; i < p->count; i++)
		list[i] = (struct numbered){ p->threads[i].tid, i };
	qsort(list, p->count, sizeof *list, by_number);
	for (size_t i = 0; i < p->count; i++) {
		struct corefile_thread *t = &p->threads[list[i].index];
		t->repeated = i > 0 && list[i - 1].tid == t->tid;
		if (t->repeated)
			crimg_fail(l->damage, CRIMG_E_FORMAT, l->elf->source->name,
			           t->status.offset, "a second NT_PRSTATUS of thread %u", t->tid);
		else
			p->by_tid[p->tid_count++] = list[i].index;
		if (!t->repeated && t->tid == p->pid)
			p->leader = list[i].index;
	}
	free(list);
	return 0;
}

// A leader that has ended, while others go on, is in no core; a process has one all the same.
static int need_leader(struct corefile_process *p, struct crimg_err *err)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->threads[i].tid == p->pid)
			return 0;
	void *array = p->threads;
	if (crimg_grow(&array, &p->capacity, p->count, sizeof *p->threads, err) < 0)
		return -1;
	p->threads = array;
	p->threads[p->count++] = (struct corefile_thread){ .tid = p->pid };
	return 0;
}

static void check_auxv(struct load *l)
{
	size_t pair = l->elf->is_32 ? 8 : 16;
	if (l->p.auxv.length % pair != 0)
		crimg_fail(l->damage, CRIMG_E_FORMAT, l->elf->source->name, l->p.auxv.offset,
		           "NT_AUXV: %zu bytes found, a multiple of %zu wanted", l->p.auxv.length,
		           pair);
}

static int load(struct load *l, struct crimg_err *err)
{
	if (take_notes(l, err) < 0)
		return -1;
	if (l->p.count == 0) {
		// Cut notes say best why there is none.
		if (l->damage->code != CRIMG_OK) {
			if (err != NULL)
				*err = *l->damage;
			return -1;
		}
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, l->elf->source->name, CRIMG_NO_OFFSET,
			"an ELF core without NT_PRSTATUS: no thread of a Linux process is "
			"in it");
	}
	take_info(l);
	check_auxv(l);
	if (need_leader(&l->p, err) < 0 || sort_threads(l, err) < 0)
		return -1;
	return corefile_mappings_load(l->elf, &l->files, &l->p, l->damage, err);
}

int corefile_process_load(const struct corefile_elf *elf, struct corefile_process *out,
                          struct crimg_err *damage, struct crimg_err *err)
{
	struct load l = { .elf = elf, .damage = damage };
	if (load(&l, err) < 0) {
		corefile_process_fini(&l.p);
		return -1;
	}
	*out = l.p;
	return 0;
}

void corefile_process_fini(struct corefile_process *p)
{
	free(p->threads);
	free(p->by_tid);
	free(p->mappings);
	free(p->paths);
	*p = (struct corefile_process){ .threads = NULL };
}

bool corefile_auxv(const struct corefile_elf *elf, const struct corefile_process *p, uint64_t type,
                   uint64_t *value)
{
	struct crimg_cursor c = crimg_cursor_make(p->auxv.data, p->auxv.length, NULL, 0);
	uint64_t key, found;
	while (corefile_word(&c, elf->is_32, &key, "", NULL) == 0
	       && corefile_word(&c, elf->is_32, &found, "", NULL) == 0) {
		if (key != type)
			continue;
		*value = found;
		return true;
	}
	return false;
}
