// crit x: processes, open files, mappings and resident pages of an image directory, as crit lists them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/crit_parts.h"
#include "format/files.h"
#include "format/hint_text.h"
#include "format/image.h"
#include "format/terminal.h"

struct explorer {
	struct crimg_image *image;
	struct crimg_files files;
	const PstreeEntry **tasks;   // in the order of the image
	size_t count, capacity;
	struct {                     // shmid of a shared mapping to the number shown for it
		uint64_t *list;
		size_t count, capacity;
	} shared;
	struct crimg_err *err;       // of the call that runs
};

// Text of an image, made safe for a terminal.
static void print_text(const char *text)
{
	char safe[4 * 4096 + 1];
	fputs(crimg_safe_text(safe, sizeof safe, text, strlen(text)), stdout);
}

// Damage is an error, what is merely missing is left out.
static const void *get(struct explorer *x, enum crimg_kind kind, uint64_t id)
{
	return crimg_image_get(x->image, kind, id, x->err);
}

static int load_tasks(struct explorer *x)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PSTREE);
	const void *entry;
	if (crimg_image_first(x->image, CRIMG_KIND_PSTREE) == NULL)
		return crimg_fail(x->err, CRIMG_E_NOTFOUND, x->image->path, CRIMG_NO_OFFSET,
		                  "no pstree.img found, an image directory wanted");
	while ((entry = crimg_image_walk(x->image, &walk, x->err)) != NULL) {
		void *array = x->tasks;
		if (crimg_grow(&array, &x->capacity, x->count, sizeof *x->tasks, x->err) < 0)
			return -1;
		x->tasks = array;
		x->tasks[x->count++] = entry;
	}
	return x->err->code == CRIMG_OK ? 0 : -1;
}

// The same process as task i under another entry does not make a loop: only later entries are children.
static void print_task(struct explorer *x, size_t i, unsigned depth)
{
	const PstreeEntry *t = x->tasks[i];
	const CoreEntry *core = get(x, CRIMG_KIND_CORE, t->pid);
	printf("%7u%7u%7u   %*s", t->pid, t->pgid, t->sid, (int)(4 * depth), "");
	print_text(core != NULL && core->tc != NULL ? core->tc->comm : "?");
	putchar('\n');
	for (size_t k = i + 1; k < x->count && depth < 1000; k++)
		if (x->tasks[k]->ppid == t->pid)
			print_task(x, k, depth + 1);
}

static bool has_parent(const struct explorer *x, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (x->tasks[k]->pid == x->tasks[i]->ppid)
			return true;
	return false;
}

static int explore_ps(struct explorer *x)
{
	printf("%7s%7s%7s   %s\n", "PID", "PGID", "SID", "COMM");
	for (size_t i = 0; i < x->count; i++)
		if (!has_parent(x, i))
			print_task(x, i, 0);
	return 0;
}

static int print_socket(const UnixSkEntry *sk, struct crimg_err *err)
{
	struct crimg_buf name = CRIMG_BUF_INIT;
	if (crimg_quoted_encode(sk->name.data, sk->name.len, &name, err) < 0
	    || crimg_buf_append(&name, "", 1, err) < 0) {
		crimg_buf_fini(&name);
		return -1;
	}
	printf("unix[%u (%u)%s", sk->ino, sk->peer, sk->name.len > 0 ? " " : "");
	print_text((const char *)name.data);
	putchar(']');
	crimg_buf_fini(&name);
	return 0;
}

static int print_file(struct explorer *x, FdTypes type, uint32_t id)
{
	const struct crimg_file *file = crimg_files_find(&x->files, id);
	const void *m = file != NULL && file->type == type ? file->message : NULL;
	const RegFileEntry *reg = m;
	const PipeEntry *pipe = m;
	const ProtobufCEnumValue *named;
	switch (type) {
	case FD_TYPES__REG:
		print_text(m != NULL && reg->name[0] != '\0' ? reg->name : "unknown path");
		return 0;
	case FD_TYPES__PIPE:
		if (m != NULL)
			printf("pipe[%u]", pipe->pipe_id);
		else
			fputs("pipe[?]", stdout);
		return 0;
	case FD_TYPES__UNIXSK:
		if (m != NULL)
			return print_socket(m, x->err);
		fputs("unix[?]", stdout);
		return 0;
	default:
		named = protobuf_c_enum_descriptor_get_value(&fd_types__descriptor, (int)type);
		if (named != NULL)
			printf("%s.%u", named->name, id);
		else
			printf("%d.%u", (int)type, id);
		return 0;
	}
}

static int print_fd(struct explorer *x, const char *name, FdTypes type, uint32_t id)
{
	printf("\t%7s: ", name);
	if (print_file(x, type, id) < 0)
		return -1;
	putchar('\n');
	return 0;
}

static int print_table(struct explorer *x, uint32_t id)
{
	struct crimg_image_object *table = crimg_image_find(x->image, CRIMG_KIND_FDINFO, id);
	for (size_t i = 0; table != NULL && i < table->count; i++) {
		const FdinfoEntry *fd = crimg_image_message(x->image, table, i, x->err);
		char number[16];
		if (fd == NULL)
			return -1;
		snprintf(number, sizeof number, "%u", fd->fd);
		if (print_fd(x, number, fd->type, fd->id) < 0)
			return -1;
	}
	return 0;
}

static int explore_fds(struct explorer *x)
{
	for (size_t i = 0; i < x->count; i++) {
		uint32_t pid = x->tasks[i]->pid;
		const TaskKobjIdsEntry *ids = get(x, CRIMG_KIND_IDS, pid);
		const FsEntry *fs = get(x, CRIMG_KIND_FS, pid);
		printf("%u\n", pid);
		if (ids != NULL && print_table(x, ids->files_id) < 0)
			return -1;
		if (fs != NULL && (print_fd(x, "cwd", FD_TYPES__REG, fs->cwd_id) < 0
		                   || print_fd(x, "root", FD_TYPES__REG, fs->root_id) < 0))
			return -1;
	}
	return 0;
}

// Bits of vma_entry.status.
enum {
	VMA_REGULAR = 1 << 0, VMA_STACK = 1 << 1, VMA_VSYSCALL = 1 << 2, VMA_VDSO = 1 << 3,
	VMA_FILE = 1 << 6 | 1 << 7, VMA_FILE_SHARED = 1 << 7, VMA_ANON_SHARED = 1 << 8,
	VMA_SYSVIPC = 1 << 10, VMA_SOCKET = 1 << 11,
};
#define MAP_GROWSDOWN_FLAG 0x100u

// Shared mappings get numbers in the order in which they are met.
static int shared_number(struct explorer *x, uint64_t shmid, size_t *out)
{
	void *array = x->shared.list;
	for (size_t i = 0; i < x->shared.count; i++)
		if (x->shared.list[i] == shmid) {
			*out = i + 1;
			return 0;
		}
	if (crimg_grow(&array, &x->shared.capacity, x->shared.count, sizeof *x->shared.list,
	               x->err) < 0)
		return -1;
	x->shared.list = array;
	x->shared.list[x->shared.count++] = shmid;
	*out = x->shared.count;
	return 0;
}

static int print_shared(struct explorer *x, const VmaEntry *v)
{
	size_t number;
	if (shared_number(x, v->shmid, &number) < 0)
		return -1;
	printf(" %s[%zx]", (v->status & VMA_SYSVIPC) != 0 ? "ips"
	       : (v->status & VMA_ANON_SHARED) != 0 ? "shmem" : "packet", number);
	return 0;
}

static int print_mapped_file(struct explorer *x, const VmaEntry *v)
{
	putchar(' ');
	if (print_file(x, FD_TYPES__REG, (uint32_t)v->shmid) < 0)
		return -1;
	if (v->pgoff != 0)
		printf(" + 0x%llx", (unsigned long long)v->pgoff);
	if ((v->status & VMA_FILE_SHARED) != 0)
		fputs(" (s)", stdout);
	return 0;
}

static int print_vma(struct explorer *x, const VmaEntry *v)
{
	char range[48];
	int rc = 0;
	snprintf(range, sizeof range, "%08llx-%08llx", (unsigned long long)v->start,
	         (unsigned long long)v->end);
	printf("\t%-36s%c%c%c", range, (v->prot & 1) != 0 ? 'r' : '-',
	       (v->prot & 2) != 0 ? 'w' : '-', (v->prot & 4) != 0 ? 'x' : '-');
	if ((v->status & (VMA_SYSVIPC | VMA_ANON_SHARED | VMA_SOCKET)) != 0)
		rc = print_shared(x, v);
	else if ((v->status & VMA_FILE) != 0)
		rc = print_mapped_file(x, v);
	else if ((v->status & VMA_STACK) != 0)
		fputs(" [stack]", stdout);
	else if ((v->status & VMA_VSYSCALL) != 0)
		fputs(" [vsyscall]", stdout);
	else if ((v->status & VMA_VDSO) != 0)
		fputs(" [vdso]", stdout);
	else if ((v->flags & MAP_GROWSDOWN_FLAG) != 0)
		fputs(" [stack?]", stdout);
	fputs((v->status & VMA_REGULAR) == 0 ? " *\n" : "\n", stdout);
	return rc;
}

static int explore_mems(struct explorer *x)
{
	for (size_t i = 0; i < x->count; i++) {
		const MmEntry *mm = get(x, CRIMG_KIND_MM, x->tasks[i]->pid);
		printf("%u\n", x->tasks[i]->pid);
		if (mm == NULL)
			continue;
		printf("\t%-36s    ", "exe");
		if (print_file(x, FD_TYPES__REG, mm->exe_file_id) < 0)
			return -1;
		putchar('\n');
		for (size_t k = 0; k < mm->n_vmas; k++)
			if (print_vma(x, mm->vmas[k]) < 0)
				return -1;
	}
	return 0;
}

static int print_pages_vma(struct explorer *x, const VmaEntry *v)
{
	printf(" %08llx / %-8llu", (unsigned long long)v->start,
	       (unsigned long long)((v->end - v->start) >> 12));
	if ((v->status & VMA_FILE) == 0)
		return 0;
	putchar(' ');
	return print_file(x, FD_TYPES__REG, (uint32_t)v->shmid);
}

// The runs of pages of one task and the mappings each lies in; one named for the run before is "~".
static int print_runs(struct explorer *x, const MmEntry *mm, const struct crimg_pagemap *map)
{
	size_t at = 0, named = SIZE_MAX;
	for (size_t i = 0; i < map->count; i++) {
		const struct crimg_page_run *run = &map->runs[i];
		char text[64];
		snprintf(text, sizeof text, "\t%llx / %-8llu", (unsigned long long)run->vaddr,
		         (unsigned long long)run->pages);
		printf("%-24s", text);
		while (at < mm->n_vmas && mm->vmas[at]->end <= run->vaddr)
			at++;
		for (; at < mm->n_vmas && mm->vmas[at]->start < run->vaddr + (run->pages << 12); at++) {
			if (at == named)
				fputs(" ~", stdout);
			else if (print_pages_vma(x, mm->vmas[at]) < 0)
				return -1;
			named = at;
			printf("\n\t%23s", "");
		}
		if (at > 0)
			at--;
		putchar('\n');
	}
	return 0;
}

static int explore_rss(struct explorer *x)
{
	for (size_t i = 0; i < x->count; i++) {
		uint32_t pid = x->tasks[i]->pid;
		const MmEntry *mm = get(x, CRIMG_KIND_MM, pid);
		const struct crimg_image_object *o =
			crimg_image_find(x->image, CRIMG_KIND_PAGEMAP, pid);
		printf("%u\n", pid);
		if (mm != NULL && o != NULL && o->map != NULL && print_runs(x, mm, o->map) < 0)
			return -1;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct explorer *x);
} explorers[] = {
	{ "ps", explore_ps }, { "fds", explore_fds }, { "mems", explore_mems },
	{ "rss", explore_rss },
};

#define EXPLORERS (sizeof explorers / sizeof explorers[0])

static size_t explorer_index(const char *what)
{
	size_t i = 0;
	while (i < EXPLORERS && strcmp(explorers[i].name, what) != 0)
		i++;
	return i;
}

bool crit_can_explore(const char *what)
{
	return explorer_index(what) < EXPLORERS;
}

int crit_explore(const char *dir, const char *what, struct crimg_err *err)
{
	struct explorer x = { .err = err };
	int rc = crimg_image_open(dir, NULL, crimg_tmpdir(), &x.image, err);
	if (x.image == NULL)
		return -1;
	if (rc == 0)
		rc = load_tasks(&x);
	if (rc == 0)
		rc = crimg_files_load(x.image, &x.files, err);
	if (rc == 0)
		rc = explorers[explorer_index(what)].run(&x);
	crimg_files_fini(&x.files);
	crimg_image_close(x.image);
	free(x.tasks);
	free(x.shared.list);
	return rc < 0 || err->code != CRIMG_OK ? -1 : 0;
}
