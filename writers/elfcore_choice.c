// Choosing processes and objects, and telling what stays behind.
#include "writers/elfcore_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"

#define PIDS_SHOWN 8u

// Kinds that cores are made of, and what of them has no place there; NULL: nothing.
static const struct used {
	enum crimg_kind kind;
	const char *left_out;
} used_kinds[] = {
	{ CRIMG_KIND_PSTREE, NULL },
	{ CRIMG_KIND_CORE, "left out: signal handlers, timers, limits, scheduling, capabilities" },
	{ CRIMG_KIND_MM, NULL },
	{ CRIMG_KIND_VMAS, NULL },
	{ CRIMG_KIND_CREDS, "left out but for user and group" },
	{ CRIMG_KIND_SIGNAL_SHARED, "left out but for the numbers of the signals" },
	{ CRIMG_KIND_SIGNAL_PRIVATE, "left out but for the numbers of the signals" },
	{ CRIMG_KIND_ELF_NOTES, NULL },
	{ CRIMG_KIND_FILES, "left out but for the names of mapped files" },
	{ CRIMG_KIND_REG_FILES, "left out but for the names of mapped files" },
	{ CRIMG_KIND_REMAP_FPATH, NULL },
	{ CRIMG_KIND_MEMFD_INODE, "left out but for names and what is mapped" },
	{ CRIMG_KIND_IPCNS_SHM, "left out but for names and what is mapped" },
	{ CRIMG_KIND_GHOST_FILE, "left out but for what is mapped" },
	{ CRIMG_KIND_PAGEMAP, NULL },
	{ CRIMG_KIND_PAGEMAP_SHMEM, NULL },
	{ CRIMG_KIND_PAGES, NULL },
};

static const struct used *find_used(enum crimg_kind kind)
{
	for (size_t i = 0; i < sizeof used_kinds / sizeof used_kinds[0]; i++)
		if (used_kinds[i].kind == kind)
			return &used_kinds[i];
	return NULL;
}

bool elfcore_wants(const struct crimg_object *object)
{
	return object->type == CRIMG_OBJECT_FILE && find_used(object->kind) != NULL;
}

bool elfcore_is_chosen(const struct crimg_task *task, const struct crimg_writer_options *options)
{
	return crimg_task_has_memory(task) && (!options->has_pid || task->pid == options->pid);
}

// "7, 8 and 3 more"
static void list_pids(const struct crimg_tasks *tasks, size_t count, char *out, size_t size)
{
	size_t used = 0, shown = 0;
	out[0] = '\0';
	for (size_t i = 0; i < tasks->count && shown < PIDS_SHOWN; i++) {
		if (!crimg_task_has_memory(&tasks->list[i]))
			continue;
		int n = snprintf(out + used, size - used, "%s%" PRIu32, shown > 0 ? ", " : "",
		                 tasks->list[i].pid);
		used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
		shown++;
	}
	if (count > shown)
		snprintf(out + used, size - used, " and %zu more", count - shown);
}

static int fail_pid(const struct crimg_tasks *tasks, uint32_t pid, const char *pids,
                    struct crimg_err *err)
{
	const struct crimg_task *task = crimg_tasks_of_thread(tasks, pid);
	if (task != NULL && task->pid != pid)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
		                  "%" PRIu32 " is a thread: its process %" PRIu32 " is wanted", pid,
		                  task->pid);
	if (task != NULL)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "process %" PRIu32 " has no memory%s (%s have)", pid,
		                  task->state == CRIMG_TASK_DEAD ? ", it is a zombie" : "", pids);
	return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
	                  "no process %" PRIu32 " is in the image (%s are)", pid, pids);
}

int elfcore_check_choice(const struct crimg_tasks *tasks,
                         const struct crimg_writer_options *options, size_t *count,
                         struct crimg_err *err)
{
	char pids[16 * PIDS_SHOWN];
	size_t all = 0, chosen = 0;
	for (size_t i = 0; i < tasks->count; i++) {
		all += crimg_task_has_memory(&tasks->list[i]);
		chosen += elfcore_is_chosen(&tasks->list[i], options);
	}
	list_pids(tasks, all, pids, sizeof pids);
	if (all == 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "no process with memory is in the image: nothing to make a core of");
	if (chosen == 0)
		return fail_pid(tasks, options->pid, pids, err);
	if (chosen > 1 && !options->members)
		return crimg_fail(err, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET,
		                  "a core holds one process, the image has %zu (%s): choose one "
		                  "with -p, or name a directory, as in cores/", chosen, pids);
	*count = chosen;
	return 0;
}

int elfcore_check_task(const struct crimg_task *task, struct crimg_err *err)
{
	char number[32];
	for (size_t i = 0; i < task->thread_count; i++) {
		const CoreEntry *core = task->threads[i].core;
		if (core == NULL || core->mtype == CORE_ENTRY__MARCH__X86_64)
			continue;
		const char *found = crimg_name_or_number(CRIMG_NAMES_MACHINE, core->mtype, number,
		                                         sizeof number);
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		                  "cores are written for x86 only; the image is %s", found);
	}
	return 0;
}

int elfcore_tell_task(const struct crimg_task *task, struct crimg_ledger *ledger,
                      struct crimg_err *err)
{
	char object[CRIMG_FILE_NAME_MAX];
	for (size_t i = 0; i < task->thread_count; i++) {
		const CoreEntry *core = task->threads[i].core;
		if (core != NULL && core->thread_info != NULL)
			continue;
		crimg_kind_file(CRIMG_KIND_CORE, task->threads[i].tid, object);
		if (crimg_ledger_add(ledger, object, "",
		                     "the thread's registers are not in the image", err) < 0)
			return -1;
	}
	return 0;
}

// "fdinfo-*.img"
static void kind_files(enum crimg_kind kind, char *out, size_t size)
{
	const char *file = crimg_kind_info(kind)->file;
	snprintf(out, size, "%s", file[0] != '\0' ? file : "other files");
	char *number = strchr(out, '%');
	if (number != NULL)
		*number = '*';
}

static int tell_kinds(const uint64_t *seen, struct crimg_ledger *ledger, struct crimg_err *err)
{
	char object[CRIMG_FILE_NAME_MAX], what[96];
	for (unsigned k = 0; k < CRIMG_KIND_COUNT; k++) {
		const struct used *used = find_used((enum crimg_kind)k);
		if (seen[k] == 0 || (used != NULL && used->left_out == NULL))
			continue;
		kind_files((enum crimg_kind)k, object, sizeof object);
		snprintf(what, sizeof what, "left out: a core has no place for %s",
		         seen[k] > 1 ? "them" : "it");
		const char *told = used != NULL ? used->left_out : what;
		if (crimg_ledger_note(ledger, object, "", told, err) < 0)
			return -1;
	}
	return 0;
}

int elfcore_tell_rest(const uint64_t seen[CRIMG_KIND_COUNT], const struct crimg_tasks *tasks,
                      const struct crimg_writer_options *options, struct crimg_ledger *ledger,
                      struct crimg_err *err)
{
	size_t zombies = 0, others = 0;
	char what[96];
	for (size_t i = 0; i < tasks->count; i++) {
		const struct crimg_task *task = &tasks->list[i];
		zombies += !crimg_task_has_memory(task);
		others += crimg_task_has_memory(task) && !elfcore_is_chosen(task, options);
	}
	snprintf(what, sizeof what, "%zu processes left out: they have no memory", zombies);
	if (zombies > 0 && crimg_ledger_note(ledger, "pstree.img", "", what, err) < 0)
		return -1;
	snprintf(what, sizeof what, "%zu processes left out: only %" PRIu32 " was asked for",
	         others, options->pid);
	if (others > 0 && crimg_ledger_note(ledger, "pstree.img", "", what, err) < 0)
		return -1;
	return tell_kinds(seen, ledger, err);
}
