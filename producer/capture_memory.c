// The areas of a process's memory: /proc/PID/smaps to vma_entry. Which pages of them are kept is
// capture_pages.c's business.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/limits.h"
#include "format/space.h"
#include "producer/area.h"
#include "producer/capture.h"
#include "producer/proc.h"

#define MADVISE(number) (UINT64_C(1) << (number))
#define LABELLED_SHARED "[anon_shmem:"

// Anonymous memory has no name but the one that its program gave it: "[anon:label]", "[anon_shmem:label]".
static void take_label(struct crimg_live_area *a, char *name)
{
	static const char *const begins[] = {"[anon:", LABELLED_SHARED};
	char *end = strrchr(name, ']');
	a->name = name;
	a->label = NULL;
	for (size_t i = 0; i < 2 && end != NULL; i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0) {
			a->label = name + strlen(begins[i]);
			a->name = i == 0 ? "" : LABELLED_SHARED;
			*end = '\0';
			return;
		}
}

// "start-end perms offset major:minor inode   name"; ends the name with a NUL.
static bool parse_head(char *line, struct crimg_live_area *a)
{
	unsigned major, minor;
	int name = 0;
	char *end = strchr(line, '\n');
	if (end == NULL)
		return false;
	*end = '\0'; // first: sscanf measures the whole text
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &a->start,
		      &a->end, a->perms, &a->offset, &major, &minor, &a->ino, &name) != 7)
		return false;
	a->dev = (uint64_t)major << 20 | minor;
	a->flags = "";
	a->swapped_bytes = 0;
	take_label(a, line + name + strspn(line + name, " "));
	return true;
}

// Lines of an area: a head, "Key: value" lines, "VmFlags: …" as the last.
static size_t parse_areas(char *text, struct crimg_live_area *areas)
{
	size_t count = 0;
	for (char *line = text; line != NULL && *line != '\0';) {
		char *next = strchr(line, '\n');
		if (next != NULL)
			next++;
		if (line[0] < 'A' || line[0] > 'Z')
			count += parse_head(line, &areas[count]);
		else if (count > 0 && strncmp(line, "Swap:", 5) == 0)
			areas[count - 1].swapped_bytes = strtoull(line + 5, NULL, 10) * 1024;
		else if (count > 0 && strncmp(line, "VmFlags:", 8) == 0) {
			areas[count - 1].flags = line + 8;
			if (next != NULL)
				next[-1] = '\0';
		}
		line = next;
	}
	return count;
}

static bool has_flag(const struct crimg_live_area *a, const char *flag)
{
	for (const char *p = a->flags; (p = strstr(p, flag)) != NULL; p++)
		if (p[-1] == ' ')
			return true;
	return false;
}

// Areas that the kernel makes.
static const struct {
	const char *name;
	uint32_t status;
} special[] = {
	{"[vdso]", CRIMG_VMA_REGULAR | CRIMG_VMA_VDSO | CRIMG_VMA_ANON_PRIVATE},
	{"[vvar", CRIMG_VMA_REGULAR | CRIMG_VMA_VVAR | CRIMG_VMA_ANON_PRIVATE},
	{"[vsyscall]", CRIMG_VMA_VSYSCALL | CRIMG_VMA_ANON_PRIVATE},
	{"[heap]", CRIMG_VMA_REGULAR | CRIMG_VMA_HEAP | CRIMG_VMA_ANON_PRIVATE},
};

static uint32_t status_of(const struct crimg_live_area *a)
{
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (crimg_area_is_named(a, special[i].name))
			return special[i].status;
	if (a->ino == 0 && a->name[0] != '/')
		return CRIMG_VMA_REGULAR | CRIMG_VMA_ANON_PRIVATE;
	return CRIMG_VMA_REGULAR | (crimg_area_is_shared(a) ? CRIMG_VMA_FILE_SHARED : CRIMG_VMA_FILE_PRIVATE)
	       | (crimg_area_is_segment(a) ? CRIMG_VMA_MEMFD : 0);
}

static const struct {
	char flag[3];
	uint32_t map_flags;
	uint64_t advice;
} vm_flags[] = {
	{"gd", MAP_GROWSDOWN, 0},
	{"lo", MAP_LOCKED, 0},
	{"nr", MAP_NORESERVE, 0},
	{"ht", MAP_HUGETLB, 0},
	{"sr", 0, MADVISE(MADV_SEQUENTIAL)},
	{"rr", 0, MADVISE(MADV_RANDOM)},
	{"dc", 0, MADVISE(MADV_DONTFORK)},
	{"mg", 0, MADVISE(MADV_MERGEABLE)},
	{"hg", 0, MADVISE(MADV_HUGEPAGE)},
	{"nh", 0, MADVISE(MADV_NOHUGEPAGE)},
	{"dd", 0, MADVISE(MADV_DONTDUMP)},
	{"wf", 0, MADVISE(MADV_WIPEONFORK)},
};

static uint32_t protection_of(const struct crimg_live_area *a)
{
	return (a->perms[0] == 'r' ? PROT_READ : 0u) | (a->perms[1] == 'w' ? PROT_WRITE : 0u)
	       | (a->perms[2] == 'x' ? PROT_EXEC : 0u);
}

static void fill_vma(const struct crimg_live_area *a, VmaEntry *v)
{
	vma_entry__init(v);
	v->start = a->start;
	v->end = a->end;
	v->prot = protection_of(a);
	v->status = status_of(a);
	v->flags = crimg_area_is_shared(a) ? MAP_SHARED : MAP_PRIVATE;
	v->fd = -1;
	if ((v->status & CRIMG_VMA_ANON_PRIVATE) != 0)
		v->flags |= MAP_ANONYMOUS;
	else
		v->pgoff = a->offset;
	for (size_t i = 0; i < sizeof vm_flags / sizeof vm_flags[0]; i++)
		if (has_flag(a, vm_flags[i].flag)) {
			v->flags |= vm_flags[i].map_flags;
			v->madv |= vm_flags[i].advice;
		}
	v->has_madv = v->madv != 0;
}

// Both halves of the kernel's data for the vDSO are one area to CRIU.
static bool joins_vvar(const VmaEntry *last, const VmaEntry *v)
{
	return last != NULL && (last->status & v->status & CRIMG_VMA_VVAR) != 0 && last->end == v->start;
}

static int refuse_area(const struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a,
		       struct crimg_err *err)
{
	bool watched_by_us = c->parent != NULL && c->parent->count > 0;
	bool device = has_flag(a, "io") || has_flag(a, "pf");
	if (device && a->name[0] != '[')
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d maps memory of a device: %.200s", (int)pid, a->name);
	if (has_flag(a, "ht"))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d has huge pages of hugetlbfs at 0x%" PRIx64, (int)pid,
				  a->start);
	if (has_flag(a, "um") || (has_flag(a, "uw") && !watched_by_us))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d has memory that a userfaultfd watches", (int)pid);
	return 0;
}

// The kernel gives the number of a System V segment for its inode.
static void name_sysv(const struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a, VmaEntry *v)
{
	char link[128];
	struct stat st;
	uint64_t dev = makedev((unsigned)(a->dev >> 20), (unsigned)a->dev & 0xfffff);
	if (!c->own_ipc || !crimg_area_is_named(a, "/SYSV") || dev != c->sysv_dev)
		return;
	v->status = CRIMG_VMA_REGULAR | CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV;
	v->flags |= MAP_ANONYMOUS;
	v->shmid = a->ino;
	snprintf(link, sizeof link, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, a->start, a->end);
	v->has_fdflags = true;
	v->fdflags = lstat(link, &st) == 0 && (st.st_mode & S_IWUSR) != 0 ? O_RDWR : O_RDONLY;
}

static int put_areas(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *areas,
		     size_t count, struct crimg_err *err)
{
	VmaEntry *v = crimg_capture_alloc(c, (count + 1) * sizeof *v, err), *last = NULL;
	c->mm->vmas = crimg_capture_alloc(c, (count + 1) * sizeof(void *), err);
	if (v == NULL || c->mm->vmas == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (refuse_area(c, pid, &areas[i], err) < 0)
			return -1;
		fill_vma(&areas[i], &v[i]);
		name_sysv(c, pid, &areas[i], &v[i]);
		if (joins_vvar(last, &v[i])) {
			last->end = v[i].end;
			continue;
		}
		if (crimg_capture_mapped(c, pid, &areas[i], &v[i], err) < 0)
			return -1;
		c->mm->vmas[c->mm->n_vmas++] = last = &v[i];
	}
	return 0;
}

// A label stands in the place of the name.
static int name_labelled(struct crimg_capture *c, pid_t pid, struct crimg_live_area *areas, size_t count,
			 struct crimg_err *err)
{
	char link[128], name[4096];
	for (size_t i = 0; i < count; i++) {
		struct crimg_live_area *a = &areas[i];
		if (strcmp(a->name, LABELLED_SHARED) != 0)
			continue;
		snprintf(link, sizeof link, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, a->start,
			 a->end);
		ssize_t n = readlink(link, name, sizeof name);
		if (n < 0)
			return crimg_fail_sys(err, errno, link, "the name of shared memory cannot be read");
		a->name = crimg_arena_text(&c->arena, name, (size_t)n);
		if (a->name == NULL)
			return crimg_fail_nomem(err, (size_t)n);
	}
	return 0;
}

static int keep_labels(struct crimg_capture *c, const struct crimg_live_area *areas, size_t count,
		       struct crimg_err *err)
{
	size_t labelled = 0;
	for (size_t i = 0; i < count; i++)
		labelled += areas[i].label != NULL;
	AreaNameEntry *e = crimg_capture_alloc(c, (labelled + 1) * sizeof *e, err);
	c->names = crimg_capture_alloc(c, (labelled + 1) * sizeof *c->names, err);
	c->name_count = 0;
	if (e == NULL || c->names == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (areas[i].label == NULL)
			continue;
		area_name_entry__init(e);
		e->start = areas[i].start;
		e->end = areas[i].end;
		e->name = crimg_arena_text(&c->arena, areas[i].label, strlen(areas[i].label));
		if (e->name == NULL)
			return crimg_fail_nomem(err, strlen(areas[i].label));
		c->names[c->name_count++] = e++;
	}
	return 0;
}

static int read_bounds(struct crimg_capture *c, pid_t pid, MmEntry *mm, struct crimg_err *err)
{
	const struct {
		unsigned field; // of stat
		uint64_t *to;
	} bounds[] = {
		{26, &mm->mm_start_code}, {27, &mm->mm_end_code},   {28, &mm->mm_start_stack},
		{45, &mm->mm_start_data}, {46, &mm->mm_end_data},   {47, &mm->mm_start_brk},
		{48, &mm->mm_arg_start},  {49, &mm->mm_arg_end},    {50, &mm->mm_env_start},
		{51, &mm->mm_env_end},
	};
	const char *stat = crimg_capture_text(c, pid, "stat", err);
	if (stat == NULL)
		return -1;
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		*bounds[i].to = crimg_stat_number(stat, bounds[i].field);
	return crimg_capture_link(c, pid, "exe", &mm->exe_file_id, err);
}

static int read_class(struct crimg_capture *c, pid_t pid, struct crimg_err *err)
{
	char path[64];
	unsigned char head[EI_NIDENT] = {0};
	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
	int number = errno;
	if (fd >= 0)
		close(fd);
	c->compat = n == EI_NIDENT && head[EI_CLASS] == ELFCLASS32;
	return n < 0 ? crimg_fail_sys(err, number, path, "cannot be read") : 0;
}

// Pairs of type and value, up to the one that ends them. A pair of a 32-bit program is one word of
// CRIU's.
static int read_auxv(struct crimg_capture *c, pid_t pid, MmEntry *mm, struct crimg_err *err)
{
	if (crimg_capture_text(c, pid, "auxv", err) == NULL)
		return -1;
	size_t words = c->text.length / 8, step = c->compat ? 1 : 2;
	mm->mm_saved_auxv = crimg_capture_alloc(c, (words + 1) * 8, err);
	if (mm->mm_saved_auxv == NULL)
		return -1;
	memcpy(mm->mm_saved_auxv, c->text.data, words * 8);
	while (mm->n_mm_saved_auxv + step <= words && mm->mm_saved_auxv[mm->n_mm_saved_auxv] != 0)
		mm->n_mm_saved_auxv += step;
	return 0;
}

int crimg_capture_memory(struct crimg_capture *c, const struct crimg_live_task *t,
			 struct crimg_err *err)
{
	c->mm = crimg_capture_alloc(c, sizeof *c->mm, err);
	if (c->mm == NULL || crimg_proc_read(t->pid, "smaps", &c->maps, err) < 0)
		return -1;
	mm_entry__init(c->mm);
	// An area takes far more than this many bytes of text.
	size_t most = c->maps.length / 64 + 1;
	struct crimg_live_area *areas = crimg_capture_alloc(c, most * sizeof *areas, err);
	if (areas == NULL)
		return -1;
	size_t count = parse_areas((char *)c->maps.data, areas);
	if (name_labelled(c, t->pid, areas, count, err) < 0 || keep_labels(c, areas, count, err) < 0)
		return -1;
	if (read_class(c, t->pid, err) < 0 || read_bounds(c, t->pid, c->mm, err) < 0
	    || read_auxv(c, t->pid, c->mm, err) < 0 || put_areas(c, t->pid, areas, count, err) < 0)
		return -1;
	return crimg_capture_pages(c, t, err);
}
