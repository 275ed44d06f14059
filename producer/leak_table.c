// Filling the table: descriptors, mappings and namespaces of each process, and the structures of each thread.
#include "producer/leak_table.h"

#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "producer/leaks.h"
#include "producer/proc.h"

const struct crimg_leak_structure crimg_leak_structures[CRIMG_LEAK_STRUCTURES] = {
	[CRIMG_LEAK_ROW_MM] = {CRIMG_LEAK_MM, KCMP_VM, "mm: the address space"},
	[CRIMG_LEAK_ROW_FILES] = {CRIMG_LEAK_FILES, KCMP_FILES, "files: the table of descriptors"},
	[CRIMG_LEAK_ROW_FS] = {CRIMG_LEAK_FS, KCMP_FS, "fs: the working directory, root and umask"},
	[CRIMG_LEAK_ROW_SIGHAND] = {CRIMG_LEAK_SIGHAND, KCMP_SIGHAND, "sighand: the table of signal handlers"},
};

const struct crimg_leak_namespace crimg_leak_namespaces[CRIMG_LEAK_NAMESPACE_COUNT] = {
	{CRIMG_LEAK_IPC, "ipc"},
	{CRIMG_LEAK_NAMESPACES, "mnt"}, {CRIMG_LEAK_NAMESPACES, "net"}, {CRIMG_LEAK_NAMESPACES, "pid"},
	{CRIMG_LEAK_NAMESPACES, "pid_for_children"}, {CRIMG_LEAK_NAMESPACES, "uts"},
};

static int put(struct crimg_leak_table *t, struct crimg_leak_held held, struct crimg_err *err)
{
	void *array = t->held;
	if (crimg_grow(&array, &t->capacity, t->count, sizeof *t->held, err) < 0)
		return -1;
	t->held = array;
	t->held[t->count++] = held;
	return 0;
}

struct filling {
	struct crimg_leak_table *table;
	unsigned kinds;
	pid_t pid;
	struct crimg_err *err;
};

static int put_descriptor(void *context, int fd)
{
	const struct filling *f = context;
	struct crimg_leak_held held = {.as = CRIMG_LEAK_HELD_FD, .pid = f->pid, .place = fd,
				       .kind = CRIMG_LEAK_FILES};
	struct stat st;
	char path[64];
	bool fresh = true;
	uint32_t id;
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)f->pid, fd);
	if (stat(path, &st) < 0)
		return 0; // a descriptor that leads nowhere any more
	if (S_ISFIFO(st.st_mode))
		held.kind = CRIMG_LEAK_PIPES;
	else if (S_ISSOCK(st.st_mode))
		held.kind = CRIMG_LEAK_SOCKETS;
	else
		held.by_opening = !S_ISREG(st.st_mode) || st.st_nlink > 0;
	if ((f->kinds & held.kind) == 0)
		return 0;
	if (held.by_opening
	    && crimg_sharing_id(&f->table->openings, f->pid, fd, &id, &fresh, f->err) < 0)
		return -1;
	held.dev = st.st_dev;
	held.ino = st.st_ino;
	return fresh ? put(f->table, held, f->err) : 0;
}

int crimg_leak_each_mapping(pid_t pid, int (*one)(void *context, uint64_t dev, uint64_t ino),
			    void *context, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	char line[256];
	int rc = crimg_proc_read(pid, "maps", &text, err);
	for (const char *p = rc == 0 ? (const char *)text.data : NULL; rc == 0 && p != NULL && *p != '\0';) {
		const char *end = p + strcspn(p, "\n");
		bool nameless = end - p > 10 && strncmp(end - 10, " (deleted)", 10) == 0;
		unsigned major, minor;
		unsigned long long ino;
		char shared;
		p = crimg_proc_line(p, line, sizeof line);
		if (nameless
		    && sscanf(line, "%*s %*3s%c %*x %x:%x %llu", &shared, &major, &minor, &ino) == 4
		    && shared == 's')
			rc = one(context, makedev(major, minor), ino);
	}
	crimg_buf_fini(&text);
	return rc;
}

static int put_mapping(void *context, uint64_t dev, uint64_t ino)
{
	const struct filling *f = context;
	struct crimg_leak_held held = {.dev = dev, .ino = ino, .as = CRIMG_LEAK_HELD_MAPPING,
				       .pid = f->pid, .kind = CRIMG_LEAK_MM};
	return put(f->table, held, f->err);
}

static int put_namespaces(const struct filling *f)
{
	for (int i = 0; i < CRIMG_LEAK_NAMESPACE_COUNT; i++) {
		struct crimg_leak_held held = {.as = CRIMG_LEAK_HELD_NAMESPACE, .pid = f->pid, .place = i,
					       .kind = crimg_leak_namespaces[i].kind};
		struct stat st;
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)f->pid, crimg_leak_namespaces[i].name);
		if ((f->kinds & held.kind) == 0 || stat(path, &st) < 0)
			continue; // a kernel without them
		held.dev = st.st_dev;
		held.ino = st.st_ino;
		if (put(f->table, held, f->err) < 0)
			return -1;
	}
	return 0;
}

static int put_process(const struct filling *f, const struct crimg_live_task *task)
{
	for (size_t i = 0; i < CRIMG_LEAK_STRUCTURES; i++)
		for (size_t t = 0; t < task->count && (f->kinds & crimg_leak_structures[i].kind) != 0; t++) {
			bool fresh;
			uint32_t id;
			if (crimg_sharing_id(&f->table->structures[i], task->threads[t].tid, 0, &id, &fresh,
					     f->err) < 0)
				return -1;
		}
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)f->pid);
	if (crimg_each_number(path, put_descriptor, (void *)(uintptr_t)f, f->err) != 0
	    || ((f->kinds & CRIMG_LEAK_MM) != 0
		&& crimg_leak_each_mapping(f->pid, put_mapping, (void *)(uintptr_t)f, f->err) != 0))
		return -1;
	return put_namespaces(f);
}

static int by_number(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return (x > y) - (x < y);
}

static int by_inode(const void *a, const void *b)
{
	const struct crimg_leak_held *x = a, *y = b;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

// What has only its inode to be known by stands there once for all its holders.
static void unite(struct crimg_leak_table *t)
{
	size_t kept = 0;
	qsort(t->held, t->count, sizeof *t->held, by_inode);
	for (size_t i = 0; i < t->count; i++)
		if (kept == 0 || t->held[i].by_opening || t->held[kept - 1].by_opening
		    || by_inode(&t->held[kept - 1], &t->held[i]) != 0)
			t->held[kept++] = t->held[i];
	t->count = kept;
}

int crimg_leak_table_fill(struct crimg_leak_table *t, const struct crimg_tree *tree, unsigned kinds,
			  struct crimg_err *err)
{
	*t = (struct crimg_leak_table){.openings = {.type = KCMP_FILE}};
	for (size_t i = 0; i < CRIMG_LEAK_STRUCTURES; i++)
		t->structures[i].type = crimg_leak_structures[i].compared;
	t->inside = calloc(tree->count, sizeof *t->inside);
	if (t->inside == NULL)
		return crimg_fail_nomem(err, tree->count * sizeof *t->inside);
	for (size_t i = 0; i < tree->count; i++) {
		const struct filling f = {t, kinds, tree->tasks[i].pid, err};
		t->inside[t->inside_count++] = f.pid;
		if (tree->tasks[i].state != CRIMG_LIVE_ZOMBIE && put_process(&f, &tree->tasks[i]) < 0)
			return -1;
	}
	qsort(t->inside, t->inside_count, sizeof *t->inside, by_number);
	if (t->count > 0)
		unite(t);
	return 0;
}

void crimg_leak_table_fini(struct crimg_leak_table *t)
{
	for (size_t i = 0; i < CRIMG_LEAK_STRUCTURES; i++)
		crimg_sharing_fini(&t->structures[i]);
	crimg_sharing_fini(&t->openings);
	free(t->inside);
	free(t->held);
}

bool crimg_leak_table_inside(const struct crimg_leak_table *t, pid_t pid)
{
	return bsearch(&pid, t->inside, t->inside_count, sizeof pid, by_number) != NULL;
}

struct crimg_leak_held *crimg_leak_table_find(const struct crimg_leak_table *t, uint64_t dev,
					      uint64_t ino)
{
	const struct crimg_leak_held key = {.dev = dev, .ino = ino};
	size_t low = 0, high = t->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_inode(&t->held[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->count && by_inode(&t->held[low], &key) == 0 ? &t->held[low] : NULL;
}
