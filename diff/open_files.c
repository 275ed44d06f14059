// Files meet where tasks of both images refer to them; then they wait in a list, since comparing one may make
// others meet (descriptors in packets): no chain of those makes us go deep.
#include "diff/open_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/file_contents.h"
#include "diff/messages.h"
#include "format/names.h"
#include "format/text_add.h"

#define SUBJECT_BYTES 64u

// Two files that met, and where.
struct meeting {
	const struct crimg_file *file[2];
	const struct crimg_task_pair *pair;
	char subject[SUBJECT_BYTES];
};

struct crimg_meetings {
	struct meeting *list;
	size_t count, capacity, done;
};

void crimg_meetings_free(struct crimg_meetings *m)
{
	if (m == NULL)
		return;
	free(m->list);
	free(m);
}

static const struct crimg_file *file_of(const struct crimg_diff *d, int side, uint32_t id)
{
	return crimg_files_find(&d->side[side].files, id);
}

static void set_one_told(struct crimg_diff *d, int side, const struct crimg_file *file)
{
	if (file != NULL)
		d->side[side].files_told[file - d->side[side].files.list] = true;
}

// What belongs to the file is told with it: its path, where it was kept, what waits in it.
static void set_told(struct crimg_diff *d, int side, const struct crimg_file *file)
{
	if (file == NULL)
		return;
	set_one_told(d, side, file);
	if (file->path != NULL)
		set_one_told(d, side, file_of(d, side, file->path->id));
	if (file->remap != NULL) {
		uint32_t kept = file->remap->remap_id & 0x7fffffff;
		set_one_told(d, side, file_of(d, side, kept));
		crimg_mark_id(d, side, CRIMG_KIND_GHOST_FILE, kept);
	}
	if (file->type == FD_TYPES__INETSK)
		crimg_mark_id(d, side, CRIMG_KIND_TCP_STREAM, crimg_file_inode(file));
}

const char *crimg_file_name(struct crimg_diff *d, int side, uint32_t id, char *out, size_t size)
{
	struct crimg_file_words words;
	struct crimg_diff_side *s = &d->side[side];
	if (id == 0)
		return NULL;
	crimg_file_words_by_id(s->image, &s->files, id, &words, &d->damage);
	snprintf(out, size, words.note[0] != '\0' ? "%s (%s)" : "%s", words.name, words.note);
	return out;
}

// What a file is told apart by from others of its type, without numbers; "" for types that have nothing
// such.
static const char *identity_of(struct crimg_diff *d, int side, const struct crimg_file *f, char *out,
                               size_t size)
{
	struct crimg_list inodes;
	const MemfdFileEntry *memfd = f->message;
	const InetSkEntry *inet = f->message;
	out[0] = '\0';
	if (f->path != NULL || f->message == NULL)
		return f->path != NULL ? f->path->name : out;
	switch (f->type) {
	case FD_TYPES__INETSK:
		snprintf(out, size, "%u %u %u", inet->family, inet->type, inet->proto);
		break;
	case FD_TYPES__UNIXSK:
		crimg_unix_name(f->message, out, size);
		break;
	case FD_TYPES__MEMFD:
		if (crimg_image_select(d->side[side].image, CRIMG_KIND_MEMFD_INODE, "inode_id",
		                       memfd->inode_id, &inodes, &d->damage) == 0 && inodes.count > 0)
			return ((const MemfdInodeEntry *)inodes.items[0])->name;
		break;
	default:
		break;
	}
	return out;
}

static bool same_identity(struct crimg_diff *d, const struct crimg_file *a,
                          const struct crimg_file *b)
{
	char x[1024], y[1024];
	return a->type == b->type
		&& strcmp(identity_of(d, CRIMG_A, a, x, sizeof x), identity_of(d, CRIMG_B, b, y, sizeof y))
		== 0;
}

static void put_down(const struct crimg_scope *s, const struct crimg_file *a,
                     const struct crimg_file *b)
{
	struct crimg_diff *d = s->d;
	if (d->meetings == NULL)
		d->meetings = calloc(1, sizeof *d->meetings);
	struct crimg_meetings *m = d->meetings;
	if (m == NULL) {
		crimg_fail_nomem(&d->fault, sizeof *m);
		return;
	}
	void *array = m->list;
	if (crimg_grow(&array, &m->capacity, m->count, sizeof *m->list, &d->fault) < 0)
		return; // noted in fault
	m->list = array;
	struct meeting *now = &m->list[m->count++];
	*now = (struct meeting){ .file = { a, b }, .pair = s->pair };
	snprintf(now->subject, sizeof now->subject, "%s", s->subject != NULL ? s->subject : "file");
}

bool crimg_same_file(const struct crimg_scope *s, uint32_t a, uint32_t b)
{
	struct crimg_diff *d = s->d;
	const struct crimg_file *x = file_of(d, CRIMG_A, a), *y = file_of(d, CRIMG_B, b);
	set_told(d, CRIMG_A, x);
	set_told(d, CRIMG_B, y);
	if (a == 0 || b == 0)
		return a == b;
	if (x == NULL || y == NULL)
		return x == y && crimg_same_reference(d, CRIMG_REF_FILE, a, b);
	uint64_t other;
	bool met = crimg_references_find(d->references, CRIMG_REF_FILE, CRIMG_A, a, &other)
		|| crimg_references_find(d->references, CRIMG_REF_FILE, CRIMG_B, b, &other);
	if (!met && !same_identity(d, x, y))
		return false;
	if (!crimg_same_reference(d, CRIMG_REF_FILE, a, b))
		return false;
	if (!met && !crimg_one_core(d)) // which has nothing but names
		put_down(s, x, y);
	return true;
}

static enum crimg_diff_group group_of(FdTypes type)
{
	switch (type) {
	case FD_TYPES__INETSK:
	case FD_TYPES__UNIXSK:
	case FD_TYPES__PACKETSK:
	case FD_TYPES__NETLINKSK:
		return CRIMG_DIFF_SOCKETS;
	default:
		return CRIMG_DIFF_FILES;
	}
}

void crimg_compare_met_files(struct crimg_diff *d)
{
	struct crimg_meetings *m = d->meetings;
	while (m != NULL && m->done < m->count && !crimg_diff_failed(d)) {
		const struct meeting now = m->list[m->done++];
		struct crimg_file_words words;
		struct crimg_diff_side *b = &d->side[CRIMG_B];
		struct crimg_scope s = { .d = d, .group = group_of(now.file[CRIMG_A]->type),
			                 .pair = now.pair, .subject = now.subject };
		crimg_file_words(b->image, &b->files, now.file[CRIMG_B], &words, &d->damage);
		s.name = words.name;
		crimg_compare_file(&s, now.file[CRIMG_A], now.file[CRIMG_B]);
	}
	if (m != NULL && m->done == m->count)
		m->done = m->count = 0;
}

// Descriptor tables, by number.
static int by_fd(const void *a, const void *b)
{
	const FdinfoEntry *const *x = a, *const *y = b;
	return (*x)->fd < (*y)->fd ? -1 : (*x)->fd > (*y)->fd;
}

struct table {
	const FdinfoEntry **list; // owned; sorted by fd
	size_t count;
};

static struct table table_of(struct crimg_diff *d, int side, const struct crimg_task *task)
{
	struct crimg_list fds;
	if (crimg_task_list(d->side[side].image, task, CRIMG_PART_FDS, &fds, &d->damage) < 0
	    && fds.count == 0)
		return (struct table){ NULL, 0 };
	struct table t = { calloc(fds.count + 1, sizeof *t.list), fds.count };
	if (t.list == NULL) {
		crimg_fail_nomem(&d->fault, fds.count * sizeof *t.list);
		return (struct table){ NULL, 0 };
	}
	for (size_t i = 0; i < fds.count; i++)
		t.list[i] = fds.items[i];
	qsort(t.list, t.count, sizeof *t.list, by_fd);
	return t;
}

// A descriptor of the same table that is the same open file, or NULL.
static const FdinfoEntry *twin_of(const struct table *t, const FdinfoEntry *e)
{
	for (size_t i = 0; i < t->count && i < 1024; i++)
		if (t->list[i]->id == e->id && t->list[i]->fd != e->fd)
			return t->list[i];
	return NULL;
}

// "rw, position 170, O_APPEND, the same open file as fd 3"
static void describe(struct crimg_diff *d, int side, const struct table *t, const FdinfoEntry *e,
                     char *out, size_t size)
{
	const struct crimg_file *f = file_of(d, side, e->id);
	const FdinfoEntry *twin = twin_of(t, e);
	char flags[256];
	uint64_t pos;
	out[0] = '\0';
	if (f == NULL)
		return;
	uint32_t bits = crimg_file_flags(f);
	snprintf(out, size, "%s %s", crimg_name_of(CRIMG_NAMES_FD_TYPE, (uint64_t)f->type),
	         crimg_open_mode(bits));
	if (crimg_file_position(f, &pos) && pos != 0)
		crimg_text_add(out, size, ", position %llu", (unsigned long long)pos);
	crimg_flags_text(CRIMG_NAMES_OPEN_FLAGS, bits & ~UINT32_C(3), flags, sizeof flags);
	if (flags[0] != '\0')
		crimg_text_add(out, size, ", %s", flags);
	if (twin != NULL)
		crimg_text_add(out, size, ", the same open file as fd %u", twin->fd);
}

static void tell_descriptor(const struct crimg_scope *s, int side, const struct table *t,
                            const FdinfoEntry *e)
{
	char text[512];
	struct crimg_value value[2] = { CRIMG_NO_VALUE, CRIMG_NO_VALUE };
	set_told(s->d, side, file_of(s->d, side, e->id));
	describe(s->d, side, t, e, text, sizeof text);
	value[side] = crimg_text_value(text);
	crimg_tell(s, side == CRIMG_A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, NULL, value[CRIMG_A],
	           value[CRIMG_B]);
}

static const char *close_on_exec(const FdinfoEntry *e)
{
	return (e->flags & 1) != 0 ? "yes" : "no";
}

static void compare_descriptor(struct crimg_scope *s, const FdinfoEntry *a, const FdinfoEntry *b)
{
	char x[CRIMG_FILE_TEXT_MAX], y[CRIMG_FILE_TEXT_MAX];
	const char *was = crimg_file_name(s->d, CRIMG_A, a->id, x, sizeof x);
	s->name = crimg_file_name(s->d, CRIMG_B, b->id, y, sizeof y);
	if (!crimg_same_file(s, a->id, b->id))
		crimg_tell(s, CRIMG_CHANGE_CHANGED, "file", crimg_text_value(was),
		           crimg_text_value(s->name));
	crimg_compare_texts(s, "close_on_exec", close_on_exec(a), close_on_exec(b));
	crimg_compare_messages(s, NULL, a, b);
}

static void compare_tables(struct crimg_diff *d, const struct crimg_task_pair *pair,
                           const struct table *a, const struct table *b)
{
	char subject[32], name[CRIMG_FILE_TEXT_MAX];
	for (size_t i = 0, k = 0; (i < a->count || k < b->count) && !crimg_diff_failed(d);) {
		const FdinfoEntry *x = i < a->count ? a->list[i] : NULL;
		const FdinfoEntry *y = k < b->count ? b->list[k] : NULL;
		if (x != NULL && y != NULL && x->fd != y->fd) {
			x = x->fd < y->fd ? x : NULL;
			y = x == NULL ? y : NULL;
		}
		i += x != NULL;
		k += y != NULL;
		const FdinfoEntry *e = x != NULL ? x : y;
		int side = x != NULL ? CRIMG_A : CRIMG_B;
		const struct crimg_file *f = file_of(d, side, e->id);
		struct crimg_scope s = { .d = d, .pair = pair, .subject = subject,
			                 .group = f != NULL ? group_of(f->type) : CRIMG_DIFF_FILES };
		snprintf(subject, sizeof subject, "fd %u", e->fd);
		if (x != NULL && y != NULL) {
			compare_descriptor(&s, x, y);
			continue;
		}
		s.name = crimg_file_name(d, side, e->id, name, sizeof name);
		tell_descriptor(&s, side, x != NULL ? a : b, e);
	}
}

// Tasks that share a table have it told once, with the first of them.
static bool told_with_others(struct crimg_diff *d, const struct crimg_task_pair *pair)
{
	uint64_t tables = ((uint64_t)pair->task[CRIMG_A]->fds_of << 32)
		+ pair->task[CRIMG_B]->fds_of + 1;
	return !crimg_references_first(d->references, CRIMG_REF_TABLES, tables, tables, &d->fault);
}

void crimg_compare_descriptors(struct crimg_diff *d, const struct crimg_task_pair *pair)
{
	if (told_with_others(d, pair))
		return;
	struct table a = table_of(d, CRIMG_A, pair->task[CRIMG_A]);
	struct table b = table_of(d, CRIMG_B, pair->task[CRIMG_B]);
	if (!crimg_diff_failed(d))
		compare_tables(d, pair, &a, &b);
	free(a.list);
	free(b.list);
}

void crimg_pass_over_files(struct crimg_diff *d, int side, const struct crimg_task *task)
{
	struct crimg_image *image = d->side[side].image;
	struct crimg_list fds = { NULL, 0 }, vmas;
	int rc = 0;
	if (&d->side[side].tasks.list[task->fds_of] == task) // else with the one it shares them with
		rc = crimg_task_list(image, task, CRIMG_PART_FDS, &fds, &d->damage);
	for (size_t i = 0; i < fds.count; i++)
		set_told(d, side, file_of(d, side, ((const FdinfoEntry *)fds.items[i])->id));
	rc |= crimg_task_list(image, task, CRIMG_PART_VMAS, &vmas, &d->damage);
	for (size_t i = 0; i < vmas.count; i++) {
		uint64_t id = ((const VmaEntry *)vmas.items[i])->shmid;
		set_told(d, side, id <= UINT32_MAX ? file_of(d, side, (uint32_t)id) : NULL);
	}
	if (rc < 0)
		return; // noted in damage
	set_told(d, side, task->mm != NULL ? file_of(d, side, task->mm->exe_file_id) : NULL);
	set_told(d, side, task->fs != NULL ? file_of(d, side, task->fs->cwd_id) : NULL);
	set_told(d, side, task->fs != NULL ? file_of(d, side, task->fs->root_id) : NULL);
}

// Files that only packets and links refer to, or nobody: matched by number when they are alike.
void crimg_compare_other_files(struct crimg_diff *d)
{
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		const struct crimg_files *files = &d->side[side].files;
		for (size_t i = 0; i < files->count && !crimg_diff_failed(d); i++) {
			const struct crimg_file *f = &files->list[i];
			struct crimg_scope s = { .d = d, .group = group_of(f->type), .subject = "file" };
			char name[CRIMG_FILE_TEXT_MAX];
			if (d->side[side].files_told[i])
				continue;
			if (file_of(d, 1 - side, f->id) != NULL && crimg_same_file(&s, f->id, f->id))
				continue;
			d->side[side].files_told[i] = true;
			s.name = crimg_file_name(d, side, f->id, name, sizeof name);
			crimg_tell(&s, side == CRIMG_A ? CRIMG_CHANGE_GONE : CRIMG_CHANGE_ADDED, NULL,
			           CRIMG_NO_VALUE, CRIMG_NO_VALUE);
		}
	}
	crimg_compare_met_files(d);
}
