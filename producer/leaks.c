// Walking all tasks outside the tree, and telling what they hold that is in the table.
#include "producer/leaks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer/leak_table.h"
#include "producer/proc.h"

static const char *const words_of[] = { // by number of bit
	"mm", "files", "fs", "sighand", "ipc", "namespaces", "pipes", "sockets",
};
enum { KINDS = sizeof words_of / sizeof words_of[0] };

const char *crimg_leaks_word(unsigned i)
{
	return i < KINDS ? words_of[i] : NULL;
}

int crimg_leaks_parse(const char *words, unsigned *kinds, struct crimg_err *err)
{
	unsigned found = 0;
	for (size_t length; *words != '\0'; words += length + (words[length] == ',')) {
		unsigned i = 0;
		length = strcspn(words, ",");
		while (i < KINDS && (strlen(words_of[i]) != length || strncmp(words_of[i], words, length) != 0))
			i++;
		if (i == KINDS)
			return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
					  "%.*s found, kinds wanted: mm, files, fs, sighand, ipc, namespaces, "
					  "pipes, sockets", (int)(length < 40 ? length : 40), words);
		found |= 1u << i;
	}
	if (found == 0)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET, "no kind found, one or more wanted");
	*kinds = found;
	return 0;
}

struct looking {
	struct crimg_leak_table table;
	unsigned kinds;
	void (*found)(void *context, const char *leak);
	void *context;
	size_t leaks;
	pid_t pid;              // looked at now
	char name[32];          // its name, as it may be printed
	bool shares[CRIMG_LEAK_STRUCTURES]; // that it has of a task inside
	pid_t hidden;           // could not be looked at
	struct crimg_err *err;
};

static const char *word_of(unsigned kind)
{
	return words_of[__builtin_ctz(kind)];
}

static void tell(struct looking *l, const char *object, const char *how)
{
	char text[512];
	l->leaks++;
	snprintf(text, sizeof text, "%s is %s process %d (%s), too", object, how, (int)l->pid, l->name);
	l->found(l->context, text);
}

static void tell_held(struct looking *l, struct crimg_leak_held *held)
{
	char object[400], path[64], target[256];
	if (held->told)
		return;
	held->told = true;
	if (held->as == CRIMG_LEAK_HELD_NAMESPACE) {
		snprintf(object, sizeof object, "%s: the %s namespace of process %d", word_of(held->kind),
			 crimg_leak_namespaces[held->place].name, (int)held->pid);
		tell(l, object, "that of");
	} else if (held->as == CRIMG_LEAK_HELD_MAPPING) {
		snprintf(object, sizeof object, "mm: shared memory of process %d", (int)held->pid);
		tell(l, object, "held by");
	} else {
		char shown[300];
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)held->pid, held->place);
		ssize_t n = readlink(path, target, sizeof target);
		crimg_safe_text(shown, sizeof shown, target, n > 0 ? (size_t)n : 0);
		snprintf(object, sizeof object, "%s: descriptor %d of process %d, %s,", word_of(held->kind),
			 held->place, (int)held->pid, shown);
		tell(l, object, "held by");
	}
}

// What cannot be seen is gone, or not ours to look at; anything else ends the search.
static int not_seen(struct looking *l, const struct crimg_err *why)
{
	switch (why->sys_errno) {
	case EPERM: case EACCES: l->hidden = l->pid; return 0;
	case ESRCH: case ENOENT: case EBADF: return 0;
	default: *l->err = *why; return -1;
	}
}

static int look_at_inode(struct looking *l, uint64_t dev, uint64_t ino, int fd)
{
	struct crimg_leak_held *end = l->table.held + l->table.count;
	bool compare = false;
	for (struct crimg_leak_held *h = crimg_leak_table_find(&l->table, dev, ino);
	     h != NULL && h < end && h->dev == dev && h->ino == ino; h++) {
		if (!h->by_opening)
			tell_held(l, h);
		else
			compare |= fd >= 0 && !h->told;
	}
	const struct crimg_shared *holder;
	struct crimg_err why = CRIMG_ERR_INIT;
	if (!compare)
		return 0;
	if (crimg_sharing_find(&l->table.openings, l->pid, fd, &holder, &why) < 0)
		return not_seen(l, &why);
	for (struct crimg_leak_held *h = crimg_leak_table_find(&l->table, dev, ino);
	     holder != NULL && h < end && h->dev == dev && h->ino == ino; h++)
		if (h->by_opening && h->pid == holder->pid && h->place == holder->fd)
			tell_held(l, h);
	return 0;
}

static int look_at_descriptor(void *context, int fd)
{
	struct looking *l = context;
	struct stat st;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)l->pid, fd);
	return stat(path, &st) < 0 ? 0 : look_at_inode(l, st.st_dev, st.st_ino, fd);
}

static int look_at_mapping(void *context, uint64_t dev, uint64_t ino)
{
	return look_at_inode(context, dev, ino, -1);
}

static void tell_structure(struct looking *l, size_t i, pid_t holder)
{
	char object[128];
	l->shares[i] = true;
	if (l->table.told[i])
		return;
	l->table.told[i] = true;
	snprintf(object, sizeof object, "%s of process %d", crimg_leak_structures[i].what, (int)holder);
	tell(l, object, "that of");
}

static int look_at_thread(void *context, int tid)
{
	struct looking *l = context;
	for (size_t i = 0; i < CRIMG_LEAK_STRUCTURES; i++) {
		const struct crimg_sharing *s = &l->table.structures[i];
		const struct crimg_shared *holder;
		struct crimg_err why = CRIMG_ERR_INIT;
		if (s->count == 0 || l->shares[i])
			continue;
		if (crimg_sharing_find(s, tid, 0, &holder, &why) < 0) {
			if (not_seen(l, &why) < 0)
				return -1;
		} else if (holder != NULL) {
			tell_structure(l, i, holder->pid);
		}
	}
	return 0;
}

static int look_at_namespaces(struct looking *l)
{
	for (int i = 0; i < CRIMG_LEAK_NAMESPACE_COUNT; i++) {
		struct stat st;
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)l->pid, crimg_leak_namespaces[i].name);
		if (stat(path, &st) < 0)
			l->hidden = errno == EACCES ? l->pid : l->hidden;
		else if (look_at_inode(l, st.st_dev, st.st_ino, -1) < 0)
			return -1;
	}
	return 0;
}

static int look_into(struct looking *l, const char *folder, int (*one)(void *, int))
{
	char path[64];
	struct crimg_err why = CRIMG_ERR_INIT;
	snprintf(path, sizeof path, "/proc/%d/%s", (int)l->pid, folder);
	int rc = crimg_each_number(path, one, l, &why);
	return rc < 0 && why.code != CRIMG_OK ? not_seen(l, &why) : rc;
}

// Nobody: of the tree, we, a child of ours, a thread of the kernel, a zombie.
static bool is_nobody(struct looking *l, pid_t pid)
{
	enum { PPID = 4 };
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err gone = CRIMG_ERR_INIT;
	bool nobody = true;
	if (crimg_leak_table_inside(&l->table, pid) || pid == getpid())
		return true;
	if (crimg_proc_read(pid, "stat", &text, &gone) == 0) {
		const char *stat = (const char *)text.data;
		const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
		nobody = crimg_stat_number(stat, PPID) == (uint64_t)getpid()
			 || crimg_stat_is_kernel(stat)
			 || strchr("ZXx", crimg_stat_state(stat)) != NULL || open == NULL || close == NULL;
		if (!nobody)
			crimg_safe_text(l->name, sizeof l->name, open + 1, (size_t)(close - open - 1));
	}
	crimg_buf_fini(&text);
	return nobody;
}

// What lies in a table or an address space that is shared as a whole is not told piece by piece.
static int look_at(void *context, int pid)
{
	struct looking *l = context;
	struct crimg_err why = CRIMG_ERR_INIT;
	l->pid = pid;
	memset(l->shares, 0, sizeof l->shares);
	if (is_nobody(l, pid))
		return 0;
	if (look_into(l, "task", look_at_thread) < 0
	    || (!l->shares[CRIMG_LEAK_ROW_FILES] && look_into(l, "fd", look_at_descriptor) < 0)
	    || look_at_namespaces(l) < 0)
		return -1;
	if ((l->kinds & CRIMG_LEAK_MM) != 0 && !l->shares[CRIMG_LEAK_ROW_MM]
	    && crimg_leak_each_mapping(pid, look_at_mapping, l, &why) < 0 && why.code != CRIMG_OK)
		return not_seen(l, &why);
	return l->err->code != CRIMG_OK ? -1 : 0;
}

int crimg_leaks_refuse(const struct crimg_tree *tree, unsigned kinds,
		       void (*found)(void *context, const char *leak), void *context,
		       struct crimg_err *err)
{
	struct looking l = {.kinds = kinds, .found = found, .context = context, .err = err};
	int rc = crimg_leak_table_fill(&l.table, tree, kinds, err);
	if (rc == 0)
		rc = crimg_each_number("/proc", look_at, &l, err);
	crimg_leak_table_fini(&l.table);
	if (rc == 0 && l.leaks > 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "the tree of process %d is not closed: found %zu objects that are held outside, "
				  "too, none wanted (take the tree that all holders are in, or leave their kinds "
				  "out of --enforce)", (int)tree->tasks[0].pid, l.leaks);
	if (rc == 0 && l.hidden != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "whether process %d shares anything with the tree cannot be seen without "
				  "privileges (CAP_SYS_PTRACE): found nothing in the others", (int)l.hidden);
	return rc;
}
