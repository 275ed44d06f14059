// Areas of one file in a row, with offsets that do not fall, are one load of it. Anonymous areas
// among them (.bss) belong to no module.
#include "inspect/modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/search.h"
#include "inspect/file_text.h"
#include "inspect/segments.h"

static const char not_tried[] = "not opened yet";

// A module while its areas are gathered.
struct growing {
	struct crimg_module module;
	const VmaEntry *first, *last;
	bool executable;
};

static const char *memfd_name(struct crimg_view *view, const VmaEntry *vma)
{
	char text[CRIMG_FILE_TEXT_MAX];
	crimg_file_text_by_id(view, (uint32_t)vma->shmid, text, sizeof text);
	char *comma = strrchr(text, ',');
	if (comma != NULL)
		*comma = '\0';
	return crimg_arena_text(&view->image->arena, text, strlen(text));
}

// The path of the file that is mapped; NULL when none is.
static const char *name_of(struct crimg_view *view, const struct crimg_area *area)
{
	const VmaEntry *vma = area->vma;
	if ((vma->status & CRIMG_VMA_FILE) == 0 || vma->shmid > UINT32_MAX)
		return NULL;
	const struct crimg_file *file = crimg_files_find(&view->files, (uint32_t)vma->shmid);
	if (file == NULL)
		return NULL;
	if (file->type == FD_TYPES__MEMFD)
		return (vma->prot & CRIMG_PROT_EXEC) != 0 ? memfd_name(view, vma) : NULL;
	return crimg_file_path(file);
}

static bool continues(const struct growing *g, const struct crimg_area *area, const char *name)
{
	const VmaEntry *vma = area->vma;
	if (g->module.name == NULL
	    || (vma->shmid != g->last->shmid && strcmp(name, g->module.name) != 0))
		return false;
	if (vma->pgoff < g->last->pgoff || area->start < g->module.end)
		return false;
	// Small files have text and data in one page: offset 0 twice, but not with the same rights.
	return vma->pgoff != 0 || vma->prot != g->first->prot;
}

static bool begins_with_elf(const struct crimg_debuggee *d, uint64_t address)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	char magic[SELFMAG];
	return crimg_memory_read(d->view->image, CRIMG_KIND_PAGEMAP, d->task->pid, address, magic,
	                         sizeof magic, &err) > 0 && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static bool keep(struct crimg_debuggee *d, size_t *capacity, const struct growing *g)
{
	void *modules = d->modules;
	if (g->module.name == NULL || (!g->executable && !begins_with_elf(d, g->module.start)))
		return true;
	if (d->module_count > 0 && d->modules[d->module_count - 1].end > g->module.start)
		return true; // areas that overlap: no kernel made them
	if (crimg_grow(&modules, capacity, d->module_count, sizeof *d->modules, &d->view->fault)
	    < 0)
		return false;
	d->modules = modules;
	d->modules[d->module_count++] = g->module;
	return true;
}

static struct growing begin(const struct crimg_area *area, const char *name)
{
	return (struct growing){
		.module = { .start = area->start, .end = area->end, .name = name,
		            .why = not_tried },
		.first = area->vma,
		.last = area->vma,
		.executable = (area->vma->prot & CRIMG_PROT_EXEC) != 0,
	};
}

bool crimg_modules_find(struct crimg_debuggee *d)
{
	struct growing g = { .module = { .name = NULL } };
	size_t capacity = 0;
	for (size_t i = 0; i < d->space.count; i++) {
		const struct crimg_area *area = &d->space.areas[i];
		bool vdso = crimg_area_is_vdso(&d->space, area);
		const char *name = vdso ? "[vdso]" : name_of(d->view, area);
		if (name == NULL)
			continue;
		if (!vdso && continues(&g, area, name)) {
			g.module.end = area->end;
			g.last = area->vma;
			g.executable |= (area->vma->prot & CRIMG_PROT_EXEC) != 0;
			continue;
		}
		if (!keep(d, &capacity, &g))
			return false;
		g = begin(area, name);
	}
	return keep(d, &capacity, &g);
}

void crimg_modules_free(struct crimg_debuggee *d)
{
	for (size_t i = 0; i < d->module_count; i++) {
		struct crimg_module *m = &d->modules[i];
		if (m->memory == NULL)
			continue;
		crimg_symbols_free(m->symbols);
		elf_end(m->elf);
		free(m->memory);
	}
	free(d->modules);
	d->modules = NULL;
	d->module_count = 0;
}

struct crimg_module *crimg_modules_at(const struct crimg_debuggee *d, uint64_t address)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, d->module_count, d->modules[low].start <= address);
	return low > 0 && address < d->modules[low - 1].end ? &d->modules[low - 1] : NULL;
}

struct crimg_elf_file *crimg_module_file(struct crimg_debuggee *d, struct crimg_module *m)
{
	struct crimg_file_identity identity;
	const struct crimg_area *area = crimg_space_find(&d->space, m->start);
	if (m->file != NULL || area == NULL || !crimg_area_identity(d->view, area, &identity))
		return m->file;
	if (identity.build_id_length == 0)
		identity.build_id_length = crimg_module_build_id(d, m, identity.build_id,
		                                                 sizeof identity.build_id);
	m->file = crimg_sysroot_file(d->view, &identity);
	return m->file;
}

// The file's own address of an area, by the segment that it was mapped from.
static bool place_in_file(const struct crimg_segments *segments, const VmaEntry *vma,
                          uint64_t *address)
{
	const uint64_t in_page = 4095;
	for (size_t i = 0; i < segments->count; i++) {
		const GElf_Phdr *ph = &segments->list[i];
		bool executable = (ph->p_flags & PF_X) != 0;
		if (vma->pgoff < (ph->p_offset & ~in_page)
		    || vma->pgoff >= ph->p_offset + ph->p_filesz
		    || executable != ((vma->prot & CRIMG_PROT_EXEC) != 0))
			continue;
		// May wrap below 0: so does the bias.
		*address = ph->p_vaddr - ph->p_offset + vma->pgoff;
		return true;
	}
	return false;
}

// Executable areas tell: offsets of others may fit two segments, and programs change their rights.
bool crimg_module_bias(const struct crimg_space *space, const struct crimg_module *m, Elf *elf,
                       uint64_t *bias)
{
	struct crimg_segments segments;
	uint64_t address, found = 0;
	unsigned agreed = 0, others = 0;
	crimg_segments_read(elf, &segments);
	const struct crimg_area *area = crimg_space_find(space, m->start);
	for (; area != NULL && area < space->areas + space->count && area->start < m->end; area++) {
		if ((area->vma->status & CRIMG_VMA_FILE) == 0
		    || !place_in_file(&segments, area->vma, &address))
			continue;
		bool executable = (area->vma->prot & CRIMG_PROT_EXEC) != 0;
		if (executable && agreed > 0 && found != area->start - address)
			return false;
		if (executable || (agreed == 0 && others++ == 0))
			found = area->start - address;
		agreed += executable;
	}
	if (agreed == 0 && others == 0)
		return false;
	*bias = found;
	return true;
}

void crimg_module_open(struct crimg_debuggee *d, struct crimg_module *m)
{
	if (m->why != not_tried)
		return;
	const struct crimg_elf_file *file = crimg_module_file(d, m);
	m->why = file == NULL ? "in the image alone, and not all of it is there"
		: file->why[0] != '\0' ? file->why : "not an ELF file";
	if (file != NULL && file->elf != NULL) {
		if (crimg_module_bias(&d->space, m, file->elf, &m->bias))
			m->elf = file->elf;
		else
			m->why = "its segments do not lie where they are mapped";
	}
	if (m->elf == NULL)
		crimg_module_from_memory(d, m);
}
