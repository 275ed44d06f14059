// Notes that tell of the whole process: PRPSINFO, SIGINFO, AUXV, FILE.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "writers/elfcore_notes.h"

#define SIGINFO_BYTES 128u
#define OVERFLOW_UID 65534u // what the kernel shows for a user number beyond 16 bits

static void put_state(const struct elfcore_note *n, uint8_t *at)
{
	const struct crimg_task *task = n->process->task;
	bool stopped = task->state == CRIMG_TASK_STOPPED;
	// A kept note may tell more than alive (R, S, D); stopped and not stopped is what records
	// know.
	if (n->kept != NULL && (at[1] == 'T') == stopped)
		return;
	at[0] = stopped ? 3 : 0;
	at[1] = stopped ? 'T' : 'R';
	at[2] = 0;
}

static void put_owner(const struct elfcore_note *n, const CredsEntry *creds, uint8_t *at)
{
	bool is32 = n->process->is32;
	at += CRIMG_PRPSINFO_UID(is32);
	if (!is32) {
		crimg_put_u32(at, creds->uid);
		crimg_put_u32(at + 4, creds->gid);
		return;
	}
	crimg_put_u16(at, (uint16_t)(creds->uid > UINT16_MAX ? OVERFLOW_UID : creds->uid));
	crimg_put_u16(at + 2, (uint16_t)(creds->gid > UINT16_MAX ? OVERFLOW_UID : creds->gid));
}

static void put_name(const struct elfcore_note *n, const char *comm, uint8_t *at)
{
	bool is32 = n->process->is32;
	size_t length = strnlen(comm, CRIMG_PRPSINFO_FNAME_BYTES - 1);
	uint8_t *name = at + CRIMG_PRPSINFO_FNAME(is32);
	memset(name, 0, CRIMG_PRPSINFO_FNAME_BYTES);
	memcpy(name, comm, length);
	if (n->kept == NULL) // until the arguments come by
		memcpy(at + CRIMG_PRPSINFO_ARGS(is32), comm, length);
}

int elfcore_prpsinfo(const struct elfcore_note *n, struct crimg_err *err)
{
	const struct crimg_task *task = n->process->task;
	const CoreEntry *core = task->core;
	struct crimg_err broken = CRIMG_ERR_INIT;
	bool is32 = n->process->is32;
	uint8_t *at;
	if (elfcore_note_begin(n, CRIMG_PRPSINFO_BYTES(is32), &at, err) < 0)
		return -1;
	if (at == NULL)
		return 0;
	put_state(n, at);
	if (core != NULL && core->thread_core != NULL && core->thread_core->has_sched_nice)
		at[3] = (uint8_t)core->thread_core->sched_nice;
	if (core != NULL && core->tc != NULL && n->kept == NULL)
		crimg_put_u32(at + CRIMG_PRPSINFO_FLAG(is32), core->tc->flags);
	const CredsEntry *creds =
		crimg_thread_creds(n->process->image, task, &task->threads[0], &broken);
	if (elfcore_pass_error(&broken, err) < 0)
		return -1;
	if (creds != NULL)
		put_owner(n, creds, at);
	uint8_t *pid = at + CRIMG_PRPSINFO_PID(is32);
	crimg_put_u32(pid, task->pid);
	crimg_put_u32(pid + 4, task->ppid);
	crimg_put_u32(pid + 8, task->pgid);
	crimg_put_u32(pid + 12, task->sid);
	const char *comm = crimg_task_comm(task);
	if (comm[0] != '\0')
		put_name(n, comm, at);
	return 0;
}

int elfcore_siginfo(const struct elfcore_note *n, struct crimg_err *err)
{
	uint8_t *at;
	if (elfcore_note_begin(n, SIGINFO_BYTES, &at, err) < 0)
		return -1;
	if (at != NULL && n->kept == NULL)
		crimg_put_u32(at, elfcore_stop_signal(n->process->task));
	return 0;
}

// CRIU keeps the raw bytes in 64-bit words: a pair in two of them, of a 32-bit task in one. It
// keeps a fixed number, so that the pair which ends the vector (AT_NULL) may be missing.
int elfcore_auxv(const struct elfcore_note *n, struct crimg_err *err)
{
	const MmEntry *mm = n->process->task->mm;
	bool is32 = n->process->is32;
	size_t words = is32 ? 1 : 2, count = mm->n_mm_saved_auxv / words;
	if (count == 0)
		return n->kept == NULL
			? 0 : crimg_buf_append(n->desc, n->kept->data, n->kept->len, err);
	for (size_t i = 0; i < count; i++) {
		uint64_t key = mm->mm_saved_auxv[i * words];
		if ((is32 ? (uint32_t)key : key) == 0)
			break;
		for (size_t k = 0; k < words; k++)
			if (crimg_buf_u64(n->desc, mm->mm_saved_auxv[i * words + k], err) < 0)
				return -1;
	}
	for (size_t k = 0; k < words; k++)
		if (crimg_buf_u64(n->desc, 0, err) < 0)
			return -1;
	return 0;
}

// System V segments of the image, by id: their keys are in their names.
struct sysv_key {
	uint32_t id, key;
};

struct sysv_keys {
	struct sysv_key *list; // owned
	size_t count, capacity;
};

static int by_id(const void *a, const void *b)
{
	const struct sysv_key *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static int load_keys(const struct elfcore_process *p, struct sysv_keys *keys, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_IPCNS_SHM);
	struct crimg_err broken = CRIMG_ERR_INIT;
	const IpcShmEntry *shm;
	while ((shm = crimg_image_walk(p->image, &walk, &broken)) != NULL) {
		void *array = keys->list;
		if (crimg_grow(&array, &keys->capacity, keys->count, sizeof *keys->list, err) < 0)
			return -1;
		keys->list = array;
		keys->list[keys->count++] = (struct sysv_key){ shm->desc->id, shm->desc->key };
	}
	if (keys->count > 0)
		qsort(keys->list, keys->count, sizeof *keys->list, by_id);
	return elfcore_pass_error(&broken, err);
}

// A name as /proc/PID/maps shows it; name is NULL when there is none.
struct area_name {
	const char *before, *name, *after;
	char key[16];
};

static void name_sysv(const struct sysv_keys *keys, uint64_t id, struct area_name *out)
{
	struct sysv_key wanted = { (uint32_t)id, 0 };
	const struct sysv_key *found = keys->count == 0
		? NULL : bsearch(&wanted, keys->list, keys->count, sizeof wanted, by_id);
	snprintf(out->key, sizeof out->key, "%08x", found != NULL ? found->key : 0);
	out->before = "/SYSV";
	out->name = out->key;
	out->after = " (deleted)";
}

// CRIU keeps shared anonymous memory as a memfd that is called /dev/zero.
static int name_memfd(const struct elfcore_process *p, const struct crimg_file *file,
                      struct area_name *out, struct crimg_err *err)
{
	struct crimg_list inodes;
	if (file == NULL || file->type != FD_TYPES__MEMFD || file->message == NULL)
		return 0;
	uint32_t id = ((const MemfdFileEntry *)file->message)->inode_id;
	if (crimg_image_select(p->image, CRIMG_KIND_MEMFD_INODE, "inode_id", id, &inodes, err) < 0)
		return -1;
	if (inodes.count == 0)
		return 0;
	out->name = ((const MemfdInodeEntry *)inodes.items[0])->name;
	out->before = out->name[0] == '/' ? "" : "/memfd:";
	out->after = " (deleted)";
	return 0;
}

static int name_area(const struct elfcore_process *p, const struct sysv_keys *keys,
                     const struct crimg_area *area, struct area_name *out, struct crimg_err *err)
{
	const VmaEntry *vma = area->vma;
	const struct crimg_file *file = crimg_files_find(p->files, (uint32_t)vma->shmid);
	*out = (struct area_name){ .before = "", .after = "" };
	if ((vma->status & CRIMG_VMA_MEMFD) != 0)
		return name_memfd(p, file, out, err);
	if ((vma->status & CRIMG_VMA_FILE) != 0) {
		out->name = file != NULL && file->path != NULL ? file->path->name : NULL;
		out->after = file != NULL && file->remap != NULL ? " (deleted)" : "";
	} else if ((vma->status & CRIMG_VMA_SYSV) != 0) {
		name_sysv(keys, vma->shmid, out);
	} else if ((vma->status & CRIMG_VMA_ANON_SHARED) != 0) {
		out->name = "/dev/zero";
		out->after = " (deleted)";
	}
	return 0;
}

static int put_word(const struct elfcore_note *n, uint64_t value, struct crimg_err *err)
{
	return n->process->is32 ? crimg_buf_u32(n->desc, (uint32_t)value, err)
	                        : crimg_buf_u64(n->desc, value, err);
}

// Start, end, and offset in pages of one file, and its name behind all of them.
static int put_file(const struct elfcore_note *n, const struct crimg_area *area,
                    const struct area_name *name, struct crimg_buf *names, struct crimg_err *err)
{
	size_t length = strlen(name->name);
	if (length > CRIMG_MAX_NAME_BYTES
	    || n->desc->length + names->length > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "process %u: the names of mapped files are too long for a note",
		                  n->process->task->pid);
	if (put_word(n, area->start, err) < 0 || put_word(n, area->end, err) < 0
	    || put_word(n, crimg_area_offset(area, area->start) / CRIMG_PAGE_BYTES, err) < 0
	    || crimg_buf_append(names, name->before, strlen(name->before), err) < 0
	    || crimg_buf_append(names, name->name, length, err) < 0)
		return -1;
	return crimg_buf_append(names, name->after, strlen(name->after) + 1, err);
}

static int put_files(const struct elfcore_note *n, const struct sysv_keys *keys,
                     struct crimg_buf *names, struct crimg_err *err)
{
	const struct crimg_space *space = n->process->space;
	size_t at = n->desc->length;
	uint64_t count = 0;
	if (put_word(n, 0, err) < 0 || put_word(n, CRIMG_PAGE_BYTES, err) < 0)
		return -1;
	for (size_t i = 0; i < space->count; i++) {
		struct area_name name;
		if (name_area(n->process, keys, &space->areas[i], &name, err) < 0)
			return -1;
		if (name.name == NULL)
			continue;
		if (put_file(n, &space->areas[i], &name, names, err) < 0)
			return -1;
		count++;
	}
	if (n->process->is32)
		crimg_put_u32(n->desc->data + at, (uint32_t)count);
	else
		crimg_put_u64(n->desc->data + at, count);
	return crimg_buf_append(n->desc, names->data, names->length, err);
}

int elfcore_file(const struct elfcore_note *n, struct crimg_err *err)
{
	struct crimg_buf names = CRIMG_BUF_INIT;
	struct sysv_keys keys = { .count = 0 };
	int rc = load_keys(n->process, &keys, err);
	if (rc == 0)
		rc = put_files(n, &keys, &names, err);
	crimg_buf_fini(&names);
	free(keys.list);
	return rc;
}
