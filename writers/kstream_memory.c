// Address spaces: areas in the kernel's numbers, and the pages that the image holds of them.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/limits.h"
#include "format/space.h"
#include "writers/kstream.h"
#include "writers/kstream_areas.h"

#define AUXV_WORDS 44u
#define MM_DUMP_FILTER 0x8cu // what a core gets unless told otherwise
#define CHUNK_PAGES 8192u    // of one PGARR, at most
#define SEGMENT_KEY (UINT64_C(1) << 62)
#define LDT_ENTRY_BYTES 8u

int32_t kstream_segment(struct kstream *k, uint64_t id, bool *fresh)
{
	return kstream_number_of(k, CRIMG_LCR_OBJ_INODE, SEGMENT_KEY ^ id, fresh);
}

// Where writing pages stands.
struct place {
	size_t run;
	uint64_t page; // of the run
};

struct pages {
	const struct crimg_image_object *object; // PAGEMAP, PAGEMAP_SHMEM
	struct crimg_payload_ref payload;        // of its pages
	uint64_t start, end;                     // addresses wanted
	bool index;                              // pages are told by number, not by address
};

// Moves on to a page that is there and wanted: how many follow it in the same run. 0: none.
static uint64_t run_at(const struct pages *p, struct place *at)
{
	const struct crimg_pagemap *map = p->object->map;
	for (; at->run < map->count; at->run++, at->page = 0) {
		const struct crimg_page_run *run = &map->runs[at->run];
		if ((run->flags & CRIMG_PE_PRESENT) == 0 || run->vaddr >= p->end)
			continue;
		if (p->start > run->vaddr && at->page < (p->start - run->vaddr) / CRIMG_PAGE_BYTES)
			at->page = (p->start - run->vaddr) / CRIMG_PAGE_BYTES;
		uint64_t most = crimg_min_u64(run->pages, (p->end - run->vaddr) / CRIMG_PAGE_BYTES);
		if (at->page < most)
			return most - at->page;
	}
	return 0;
}

// The next pages, up to a chunk. f is told of each stretch.
static uint64_t walk_chunk(struct kstream *k, const struct pages *p, struct place *at,
                           void (*f)(struct kstream *k, const struct pages *p,
                                     const struct crimg_page_run *run, uint64_t page, uint64_t count))
{
	uint64_t count = 0;
	while (count < CHUNK_PAGES) {
		uint64_t n = crimg_min_u64(run_at(p, at), CHUNK_PAGES - count);
		if (n == 0)
			break;
		if (f != NULL)
			f(k, p, &p->object->map->runs[at->run], at->page, n);
		count += n;
		at->page += n;
	}
	return count;
}

static void put_addresses(struct kstream *k, const struct pages *p, const struct crimg_page_run *run,
                          uint64_t page, uint64_t count)
{
	uint64_t first = run->vaddr / CRIMG_PAGE_BYTES + page;
	for (uint64_t i = 0; i < count; i++)
		kstream_u64(&k->out, p->index ? first + i : (first + i) * CRIMG_PAGE_BYTES);
}

static void put_contents(struct kstream *k, const struct pages *p, const struct crimg_page_run *run,
                         uint64_t page, uint64_t count)
{
	uint64_t from = run->offset + page * CRIMG_PAGE_BYTES, length = count * CRIMG_PAGE_BYTES;
	if (!crimg_in_range(from, length, p->payload.length)) {
		if (!kstream_failed(&k->out))
			crimg_fail(&k->out.err, CRIMG_E_FORMAT, p->object->origin, CRIMG_NO_OFFSET,
			           "pages at 0x%" PRIx64 " found, which its pages object does not have", run->vaddr);
		return;
	}
	kstream_pages(&k->out, p->payload.number, from, length);
}

static void put_count(struct kstream_out *o, uint64_t pages)
{
	kstream_begin(o, CRIMG_LCR_PGARR);
	kstream_u64(o, pages);
	kstream_end(o);
}

// Chunks of pages, and an empty one. Returns how many pages there were.
static uint64_t put_pages(struct kstream *k, const struct pages *p)
{
	struct place at = { 0, 0 }, next = at;
	uint64_t all = 0, count;
	while (p->object != NULL && !kstream_failed(&k->out)
	       && (count = walk_chunk(k, p, &next, NULL)) > 0) {
		struct place again = at;
		put_count(&k->out, count);
		kstream_begin(&k->out, CRIMG_LCR_BUFFER);
		(void)walk_chunk(k, p, &again, put_addresses);
		again = at;
		(void)walk_chunk(k, p, &again, put_contents);
		kstream_end(&k->out);
		at = next;
		all += count;
	}
	put_count(&k->out, 0);
	return all;
}

static void lose_missing(struct kstream *k, const struct crimg_image_object *object, uint64_t pages)
{
	char what[96];
	snprintf(what, sizeof what, "%" PRIu64 " pages left out: their contents are not in the image", pages);
	kstream_lose_of(k, object->object.kind, object->object.id, "", what);
}

// The map of an object whose pages are plain. Those that are not here are told.
static void open_pages(struct kstream *k, const struct crimg_image_object *object, struct pages *out)
{
	*out = (struct pages){ .object = NULL };
	if (object == NULL || object->map == NULL || kstream_failed(&k->out))
		return;
	const struct crimg_pagemap *map = object->map;
	const struct crimg_image_object *pages = crimg_image_find(k->image, CRIMG_KIND_PAGES, map->pages_id);
	uint64_t missing = 0;
	out->object = object;
	out->payload = pages != NULL ? pages->payload : (struct crimg_payload_ref){ CRIMG_NO_PAYLOAD, 0 };
	for (size_t i = 0; i < map->count; i++) {
		const struct crimg_page_run *run = &map->runs[i];
		if (run->blocks == 0 && (run->flags & CRIMG_PE_PARENT) == 0 && object->sorted) {
			missing += (run->flags & CRIMG_PE_PRESENT) == 0 ? run->pages : 0;
			continue;
		}
		crimg_fail(&k->out.err, CRIMG_E_UNSUPPORTED, object->origin, CRIMG_NO_OFFSET,
		           "%s at 0x%" PRIx64 " found, plain pages in the order of addresses wanted",
		           !object->sorted ? "pages out of order"
		           : run->blocks != 0 ? "compressed pages (--compress=none undoes that)"
		                      : "pages of a parent image (--merge-parents brings them)", run->vaddr);
		return;
	}
	if (missing > 0)
		lose_missing(k, object, missing);
}

void kstream_segment_pages(struct kstream *k, uint64_t id)
{
	struct pages pages;
	open_pages(k, crimg_image_find(k->image, CRIMG_KIND_PAGEMAP_SHMEM, id), &pages);
	pages.end = UINT64_MAX;
	pages.index = true;
	(void)put_pages(k, &pages);
}

// Before segments had page maps their bytes followed their entry: those that are not zero are written.
void kstream_sysv_pages(struct kstream *k, uint64_t id, const struct crimg_image_entry *entry,
                        const IpcShmEntry *shm)
{
	const uint8_t *bytes = kstream_content(k->contents, entry->payload);
	if (bytes == NULL || (shm->has_in_pagemaps && shm->in_pagemaps)) {
		kstream_segment_pages(k, id);
		return;
	}
	for (uint64_t at = 0; at < entry->payload.length; at += CRIMG_PAGE_BYTES) {
		size_t n = (size_t)crimg_min_u64(entry->payload.length - at, CRIMG_PAGE_BYTES);
		if (crimg_all_zero(bytes + at, n))
			continue;
		put_count(&k->out, 1);
		kstream_begin(&k->out, CRIMG_LCR_BUFFER);
		kstream_u64(&k->out, at / CRIMG_PAGE_BYTES);
		kstream_bytes(&k->out, bytes + at, n);
		kstream_zeros(&k->out, CRIMG_PAGE_BYTES - n);
		kstream_end(&k->out);
	}
	put_count(&k->out, 0);
}

static bool is_program(const struct kstream *k, const struct crimg_task *task, const RegFileEntry *reg)
{
	const struct crimg_file *exe = crimg_files_find(&k->files, task->mm->exe_file_id);
	return reg != NULL && exe != NULL && exe->path != NULL && strcmp(exe->path->name, reg->name) == 0;
}

static uint64_t put_area(struct kstream *k, const struct crimg_task *task, const struct crimg_area *area,
                         uint32_t type, const struct pages *own)
{
	struct kstream_area a = { .type = type };
	struct pages pages = *own;
	uint64_t segment = area->segment != NULL ? area->segment->object.id : area->vma->shmid;
	bool fresh = false;
	if (type == CRIMG_LCR_VMA_FILE_PRIVATE || type == CRIMG_LCR_VMA_SHM_FILE) {
		const struct crimg_file *file = crimg_files_find(&k->files, (uint32_t)area->vma->shmid);
		const RegFileEntry *reg = file != NULL ? file->path : NULL;
		a.file = kstream_mapped_file(k, area->vma);
		a.executable = type == CRIMG_LCR_VMA_FILE_PRIVATE && is_program(k, task, reg);
		a.size = reg != NULL && reg->has_size ? reg->size : 0;
		if (type == CRIMG_LCR_VMA_SHM_FILE)
			a.inode = kstream_inode(k, kstream_path(k, file));
	} else if (type == CRIMG_LCR_VMA_SHM_ANON || type == CRIMG_LCR_VMA_SHM_IPC_SKIP) {
		a.inode = kstream_segment(k, segment, &fresh);
		a.size = kstream_area_segment_bytes(area);
		// A segment whose namespace is not in the image.
		if (type == CRIMG_LCR_VMA_SHM_IPC_SKIP && fresh)
			kstream_area_lose(k, task, area, "a System V segment that is not in the image becomes "
			                  "shared memory without name");
		if (type == CRIMG_LCR_VMA_SHM_ANON || fresh)
			a.type = fresh ? CRIMG_LCR_VMA_SHM_ANON : CRIMG_LCR_VMA_SHM_ANON_SKIP;
	}
	kstream_area_put(&k->out, area, &a);
	if (a.type == CRIMG_LCR_VMA_SHM_ANON) {
		kstream_segment_pages(k, segment);
	} else if (a.type == CRIMG_LCR_VMA_ANON || a.type == CRIMG_LCR_VMA_FILE_PRIVATE) {
		pages.start = area->start;
		pages.end = area->end;
		return put_pages(k, &pages);
	}
	return 0;
}

// The kernel's array has a fixed length; what is over is younger than it.
static void put_auxv(struct kstream *k, const struct crimg_task *task)
{
	const MmEntry *mm = task->mm;
	size_t count = mm->n_mm_saved_auxv;
	while (count > 0 && mm->mm_saved_auxv[count - 1] == 0)
		count--;
	if (count > AUXV_WORDS - 2) {
		count = AUXV_WORDS - 2;
		kstream_note_of(k, CRIMG_KIND_MM, task->pid, "mm_saved_auxv", "left out: the last values, younger "
		                "than those kernels");
	}
	kstream_begin(&k->out, CRIMG_LCR_BUFFER);
	for (size_t i = 0; i < AUXV_WORDS; i++)
		kstream_u64(&k->out, i < count ? mm->mm_saved_auxv[i] : 0);
	kstream_end(&k->out);
}

static void put_mm(struct kstream *k, const struct crimg_task *task, uint32_t areas)
{
	struct kstream_out *o = &k->out;
	const MmEntry *mm = task->mm;
	const uint64_t words[] = {
		mm->mm_start_code, mm->mm_end_code, mm->mm_start_data, mm->mm_end_data, mm->mm_start_brk, mm->mm_brk,
		mm->mm_start_stack, mm->mm_arg_start, mm->mm_arg_end, mm->mm_env_start, mm->mm_env_end,
	};
	uint32_t dumpable = mm->has_dumpable ? (uint32_t)mm->dumpable & 3 : 1;
	k->exe = mm->exe_file_id;
	int32_t exe = kstream_file(k, mm->exe_file_id);
	kstream_begin(o, CRIMG_LCR_MM);
	kstream_u32(o, areas);
	kstream_ref(o, exe);
	kstream_u64(o, 0); // flags of areas to come
	kstream_u64(o, MM_DUMP_FILTER | (dumpable == 2 ? 3 : dumpable)); // 2: both bits
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		kstream_u64(o, words[i]);
	kstream_end(o);
	put_auxv(k, task);
}

static void put_context(struct kstream_out *o, uint64_t vdso)
{
	kstream_begin(o, CRIMG_LCR_MM_CONTEXT);
	kstream_u64(o, vdso);
	kstream_u32(o, LDT_ENTRY_BYTES);
	kstream_u32(o, 0);
	kstream_end(o);
	kstream_begin(o, CRIMG_LCR_LDT);
	kstream_end(o);
}

static uint64_t count_pages(struct kstream *k, const struct crimg_area *area, const struct pages *own)
{
	struct pages pages = *own;
	struct place at = { 0, 0 };
	uint64_t all = 0, count;
	pages.start = area->start;
	pages.end = area->end;
	while (pages.object != NULL && (count = walk_chunk(k, &pages, &at, NULL)) > 0)
		all += count;
	return all;
}

static void lose_pages(struct kstream *k, const struct crimg_task *task, uint64_t left, uint64_t in_vdso)
{
	char what[160];
	if (in_vdso > 0) {
		snprintf(what, sizeof what, "%" PRIu64 " pages of the vDSO left out: a program that keeps addresses in "
		         "it needs the same code there", in_vdso);
		kstream_lose_of(k, CRIMG_KIND_PAGEMAP, task->pid, "", what);
	}
	if (left > in_vdso) {
		snprintf(what, sizeof what, "%" PRIu64 " pages left out: they are in no area that has contents",
		         left - in_vdso);
		kstream_lose_of(k, CRIMG_KIND_PAGEMAP, task->pid, "", what);
	}
}

static void put_space(struct kstream *k, const struct crimg_task *task, const struct crimg_space *space)
{
	struct pages own;
	uint64_t vdso = 0, in_vdso = 0, written = 0;
	uint32_t areas = 0;
	for (size_t i = 0; i < space->count; i++)
		areas += kstream_area_type(k, task, &space->areas[i], NULL) != 0;
	open_pages(k, task->pagemap, &own);
	put_mm(k, task, areas);
	for (size_t i = 0; i < space->count && !kstream_failed(&k->out); i++) {
		const struct crimg_area *area = &space->areas[i];
		const char *lost = NULL;
		uint32_t type = kstream_area_type(k, task, area, &lost);
		kstream_area_tell(k, task, area, type, lost);
		if (type == CRIMG_LCR_VMA_VDSO) {
			vdso = area->start;
			in_vdso += count_pages(k, area, &own);
		}
		if (type != 0)
			written += put_area(k, task, area, type, &own);
	}
	put_context(&k->out, vdso);
	if (own.object != NULL)
		lose_pages(k, task, own.object->map->present_pages - written, in_vdso);
}

int32_t kstream_mm(struct kstream *k, const struct crimg_task *task)
{
	uint64_t key = task->ids != NULL ? task->ids->vm_id : UINT64_C(1) << 40 | task->pid;
	struct crimg_space space = { .count = 0 };
	int32_t ref;
	if (task->mm == NULL || !kstream_object_of(k, CRIMG_LCR_OBJ_MM, key, &ref))
		return task->mm == NULL ? 0 : ref;
	if (!kstream_failed(&k->out)
	    && crimg_space_load(k->image, &k->files, task, &space, &k->out.err) == 0)
		put_space(k, task, &space);
	crimg_space_fini(&space);
	return ref;
}
