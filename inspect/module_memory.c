// ELF files whose pages are in the image: the vDSO always, others in cores that were told to keep
// them. Works on a copy: headers are made harmless first.
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/modules.h"
#include "inspect/segments.h"

#define AT_SYSINFO_EHDR_TAG 33u           // of the auxiliary vector: where the vDSO is
#define MAX_AUXV_WORDS 128u               // Linux makes 40 or so
#define MAX_VDSO_BYTES (1u << 20)
#define MAX_MODULE_BYTES (64u << 20)
#define MAX_TOTAL_BYTES ((size_t)256 << 20) // of one task
#define HEAD_BYTES 65536u                 // where headers and build-id are

bool crimg_area_is_vdso(const struct crimg_space *space, const struct crimg_area *area)
{
	const MmEntry *mm = space->task->mm;
	if ((area->vma->status & CRIMG_VMA_VDSO) != 0)
		return true;
	if ((area->vma->status & (CRIMG_VMA_FILE | CRIMG_VMA_VVAR)) != 0)
		return false;
	for (size_t i = 0; mm != NULL && i + 1 < mm->n_mm_saved_auxv && i < MAX_AUXV_WORDS; i += 2)
		if (mm->mm_saved_auxv[i] == AT_SYSINFO_EHDR_TAG)
			return mm->mm_saved_auxv[i + 1] == area->start;
	return false;
}

// Section headers that are not in memory are no loss; libelf must not look for them, nor for counts
// that are kept in the first of them.
static void drop_sections(uint8_t *head, size_t size)
{
	bool wide = head[EI_CLASS] == ELFCLASS64;
	size_t at = wide ? offsetof(Elf64_Ehdr, e_shoff) : offsetof(Elf32_Ehdr, e_shoff);
	size_t each = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	uint8_t *count =
		head + (wide ? offsetof(Elf64_Ehdr, e_shnum) : offsetof(Elf32_Ehdr, e_shnum));
	uint8_t *programs =
		head + (wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum));
	uint64_t offset = wide ? crimg_get_u64(head + at) : crimg_get_u32(head + at);
	if (crimg_get_u16(programs) == PN_XNUM)
		crimg_put_u16(programs, 0);
	if (crimg_get_u16(count) != 0 && crimg_in_range(offset, crimg_get_u16(count) * each, size))
		return;
	memset(head + at, 0, wide ? 8 : 4);
	crimg_put_u16(count, 0);
	crimg_put_u16(count + 2, 0); // e_shstrndx
}

// An Elf over image, which must outlive it and is changed; NULL when it is none for this machine.
static Elf *elf_of(uint8_t *image, size_t size)
{
	if (size < sizeof(Elf64_Ehdr) || memcmp(image, ELFMAG, SELFMAG) != 0
	    || image[EI_DATA] != ELFDATA2LSB
	    || (image[EI_CLASS] != ELFCLASS32 && image[EI_CLASS] != ELFCLASS64)
	    || elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	drop_sections(image, size);
	Elf *elf = elf_memory((char *)image, size);
	if (elf != NULL && elf_kind(elf) == ELF_K_ELF)
		return elf;
	elf_end(elf);
	return NULL;
}

// The task's memory without files of the sysroot.
static struct crimg_space image_alone(const struct crimg_debuggee *d)
{
	struct crimg_space space = d->space;
	space.file_bytes = NULL;
	return space;
}

size_t crimg_module_build_id(const struct crimg_debuggee *d, const struct crimg_module *m,
                             uint8_t *out, size_t size)
{
	struct crimg_space space = image_alone(d);
	const struct crimg_area *area = crimg_space_find(&space, m->start);
	struct crimg_err err = CRIMG_ERR_INIT;
	uint8_t id[CRIMG_MAX_BUILD_ID] = { 0 };
	size_t got = 0, length = 0;
	if (area == NULL || area->vma->pgoff != 0)
		return 0;
	uint8_t *head = malloc(HEAD_BYTES);
	if (head == NULL) {
		crimg_fail_nomem(&d->view->fault, HEAD_BYTES);
		return 0;
	}
	size_t wanted = (size_t)crimg_min_u64(area->end - area->start, HEAD_BYTES);
	if (crimg_space_read_some(&space, area->start, head, wanted, &got, &err) == 0) {
		Elf *elf = elf_of(head, got);
		length = elf != NULL ? crimg_elf_build_id(elf, id, sizeof id) : 0;
		elf_end(elf);
	}
	free(head);
	length = (length + 3) / 4 * 4;
	if (length > size)
		return 0;
	memcpy(out, id, length);
	return length;
}

// The areas of m that map its file, one after another; NULL at the end.
static const struct crimg_area *next_area(const struct crimg_space *space,
                                          const struct crimg_module *m,
                                          const struct crimg_area *area)
{
	area = area == NULL ? crimg_space_find(space, m->start) : area + 1;
	for (; area != NULL && area < space->areas + space->count && area->start < m->end; area++)
		if ((area->vma->status & CRIMG_VMA_FILE) != 0 || crimg_area_is_vdso(space, area))
			return area;
	return NULL;
}

static uint64_t offset_of(const struct crimg_space *space, const struct crimg_area *area)
{
	return crimg_area_is_vdso(space, area) ? 0 : crimg_area_offset(area, area->start);
}

// True when the image has every byte from address to end.
static bool is_here(const struct crimg_space *space, uint64_t address, uint64_t end)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	enum crimg_bytes kind;
	uint64_t until;
	for (; address < end; address = until)
		if (crimg_space_bytes(space, address, &kind, &until, &err) < 0
		    || (kind != CRIMG_BYTES_PRIVATE && kind != CRIMG_BYTES_SEGMENT
		        && kind != CRIMG_BYTES_ZERO))
			return false;
	return true;
}

// How much of the file its areas map, up to the last of them; 0 when it is not all in the image, or
// is too much.
static size_t size_in_memory(const struct crimg_space *space, const struct crimg_module *m)
{
	uint64_t size = 0, limit = MAX_MODULE_BYTES;
	for (const struct crimg_area *a = NULL; (a = next_area(space, m, a)) != NULL;) {
		uint64_t end;
		if (crimg_area_is_vdso(space, a))
			limit = MAX_VDSO_BYTES;
		if (!crimg_add_u64(offset_of(space, a), a->end - a->start, &end) || end > limit
		    || !is_here(space, a->start, a->end))
			return 0;
		size = end > size ? end : size;
	}
	return (size_t)size;
}

static bool fill(const struct crimg_space *space, const struct crimg_module *m, uint8_t *out)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	for (const struct crimg_area *a = NULL; (a = next_area(space, m, a)) != NULL;)
		if (crimg_space_read(space, a->start, out + offset_of(space, a),
		                     (size_t)(a->end - a->start), &err) <= 0)
			return false;
	return true;
}

// The dynamic linker writes true addresses over those of the file: back to the file's own.
static void restore_dynamic(const struct crimg_module *m, Elf *elf, uint8_t *image, size_t size)
{
	size_t word = gelf_getclass(elf) == ELFCLASS64 ? 8 : 4;
	GElf_Phdr ph;
	if (!crimg_segment_of_type(elf, PT_DYNAMIC, &ph)
	    || !crimg_in_range(ph.p_offset, ph.p_filesz, size))
		return;
	for (uint64_t at = ph.p_offset + word; at + word <= ph.p_offset + ph.p_filesz;
	     at += 2 * word) {
		uint64_t value = word == 8 ? crimg_get_u64(image + at) : crimg_get_u32(image + at);
		if (value < m->start || value >= m->end)
			continue;
		if (word == 8)
			crimg_put_u64(image + at, value - m->bias);
		else
			crimg_put_u32(image + at, (uint32_t)(value - m->bias));
	}
}

static bool vdso_bias(const struct crimg_module *m, Elf *elf, uint64_t *bias)
{
	struct crimg_segments segments;
	crimg_segments_read(elf, &segments);
	if (segments.count == 0)
		return false;
	*bias = m->start - (segments.list[0].p_vaddr - segments.list[0].p_offset);
	return true;
}

void crimg_module_from_memory(struct crimg_debuggee *d, struct crimg_module *m)
{
	struct crimg_space space = image_alone(d);
	const struct crimg_area *area = crimg_space_find(&space, m->start);
	char magic[SELFMAG];
	struct crimg_err err = CRIMG_ERR_INIT;
	if (area == NULL || crimg_space_read(&space, m->start, magic, SELFMAG, &err) <= 0
	    || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return;
	size_t size = size_in_memory(&space, m);
	if (size == 0 || size > MAX_TOTAL_BYTES - d->module_bytes)
		return;
	uint8_t *image = calloc(1, size);
	if (image == NULL) {
		crimg_fail_nomem(&d->view->fault, size);
		return;
	}
	Elf *elf = fill(&space, m, image) ? elf_of(image, size) : NULL;
	bool good = elf != NULL
		&& (crimg_area_is_vdso(&space, area) ? vdso_bias(m, elf, &m->bias)
		                                     : crimg_module_bias(&space, m, elf, &m->bias));
	if (!good) {
		elf_end(elf);
		free(image);
		return;
	}
	restore_dynamic(m, elf, image, size);
	m->elf = elf;
	m->memory = image;
	m->memory_bytes = size;
	d->module_bytes += size;
}
