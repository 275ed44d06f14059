// One pass over all tasks, then sorted.
#include "inspect/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/search.h"

static void add(struct crimg_view *view, struct crimg_users *users, struct crimg_user user)
{
	void *array = users->list;
	if (crimg_grow(&array, &users->capacity, users->count, sizeof *users->list, &view->fault) < 0)
		return; // noted in fault
	users->list = array;
	users->list[users->count++] = user;
}

static int by_file(const void *a, const void *b)
{
	const struct crimg_user *x = a, *y = b;
	const uint32_t left[] = { x->file, x->pid, x->use, x->fd };
	const uint32_t right[] = { y->file, y->pid, y->use, y->fd };
	for (size_t i = 0; i < 4; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

#define STATUS_FILE (1u << 6 | 1u << 7) // private and shared file maps

static void add_task(struct crimg_view *view, struct crimg_users *users,
                     const struct crimg_task *task)
{
	struct crimg_list fds, vmas;
	if (task->fs != NULL) {
		add(view, users,
		    (struct crimg_user) { task->fs->cwd_id, task->pid, CRIMG_USE_CWD, 0 });
		add(view, users,
		    (struct crimg_user) { task->fs->root_id, task->pid, CRIMG_USE_ROOT, 0 });
	}
	if (task->mm != NULL)
		add(view, users,
		    (struct crimg_user) { task->mm->exe_file_id, task->pid, CRIMG_USE_EXE, 0 });
	fds = (struct crimg_list){ NULL, 0 };
	if (&view->tasks.list[task->fds_of] == task)
		fds = crimg_view_list(view, task, CRIMG_PART_FDS);
	for (size_t i = 0; i < fds.count; i++) {
		const FdinfoEntry *fd = fds.items[i];
		add(view, users, (struct crimg_user){ fd->id, task->pid, CRIMG_USE_FD, fd->fd });
	}
	vmas = crimg_view_list(view, task, CRIMG_PART_VMAS);
	for (size_t i = 0; i < vmas.count; i++) {
		const VmaEntry *vma = vmas.items[i];
		if ((vma->status & STATUS_FILE) != 0)
			add(view, users, (struct crimg_user){ (uint32_t)vma->shmid, task->pid,
			                                      CRIMG_USE_MAP, 0 });
	}
}

void crimg_users_load(struct crimg_view *view, struct crimg_users *out)
{
	*out = (struct crimg_users){ .list = NULL };
	for (size_t i = 0; i < view->tasks.count && !crimg_view_failed(view); i++)
		if (view->tasks.list[i].state != CRIMG_TASK_DEAD)
			add_task(view, out, &view->tasks.list[i]);
	if (out->count > 0)
		qsort(out->list, out->count, sizeof *out->list, by_file);
	size_t kept = 0;
	for (size_t i = 0; i < out->count; i++)
		if (i == 0 || by_file(&out->list[i - 1], &out->list[i]) != 0)
			out->list[kept++] = out->list[i];
	out->count = kept;
}

void crimg_users_fini(struct crimg_users *users)
{
	free(users->list);
	*users = (struct crimg_users){ .list = NULL };
}

// The first user of a file that is not before this one.
static size_t lower_bound(const struct crimg_users *users, uint64_t file)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, users->count, users->list[low].file < file);
	return low;
}

const struct crimg_user *crimg_users_of(const struct crimg_users *users, uint32_t file,
                                        size_t *count)
{
	size_t first = lower_bound(users, file), end = lower_bound(users, (uint64_t)file + 1);
	*count = end - first;
	return end > first ? &users->list[first] : NULL;
}

char *crimg_user_text(const struct crimg_user *user, char *out, size_t size)
{
	static const char *const uses[] = { "fd", "cwd", "root", "exe", "map" };
	if (user->use == CRIMG_USE_FD)
		snprintf(out, size, "%u fd %u", user->pid, user->fd);
	else
		snprintf(out, size, "%u %s", user->pid, uses[user->use]);
	return out;
}

static void users_json(struct crimg_json *j, const char *key, const struct crimg_user *list,
                       size_t count)
{
	char one[48];
	crimg_json_array(j, key);
	for (size_t i = 0; i < count; i++)
		crimg_json_text(j, NULL, crimg_user_text(&list[i], one, sizeof one));
	crimg_json_end(j);
}

void crimg_cell_users(struct crimg_table *t, const struct crimg_users *users, uint32_t file,
                      size_t shown)
{
	size_t count;
	const struct crimg_user *list = crimg_users_of(users, file, &count);
	char text[1024] = "", one[48];
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL) {
		users_json(j, key, list, count);
		return;
	}
	for (size_t i = 0; i < count && i < shown && strlen(text) + sizeof one < sizeof text; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? ", " : "",
		         crimg_user_text(&list[i], one, sizeof one));
	if (count > shown)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", %zu more", count - shown);
	crimg_cell_text(t, count > 0 ? text : "nobody");
}
