// One walk over the records; numbers of types as v23-rc2 has them.
#include "validate/kernel_refs.h"

#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "format/layout_linuxcr.h"

// References that stand at the same place in all postings.
static const struct fixed {
	uint32_t kind, at, type;
	bool optional; // 0 is none
} fixed[] = {
	{ CRIMG_LCR_CRED, CRIMG_LCR_CRED_USER, CRIMG_LCR_OBJ_USER, false },
	{ CRIMG_LCR_CRED, CRIMG_LCR_CRED_GROUPS, CRIMG_LCR_OBJ_GROUPINFO, false },
	{ CRIMG_LCR_USER, CRIMG_LCR_USER_NS_REF, CRIMG_LCR_OBJ_USER_NS, false },
	{ CRIMG_LCR_TASK_CREDS, 0, CRIMG_LCR_OBJ_CRED, false },
	{ CRIMG_LCR_TASK_CREDS, 4, CRIMG_LCR_OBJ_CRED, false },
	{ CRIMG_LCR_TASK_NS, 0, CRIMG_LCR_OBJ_NS, false },
	{ CRIMG_LCR_NS, 0, CRIMG_LCR_OBJ_UTS_NS, false },
	{ CRIMG_LCR_NS, 4, CRIMG_LCR_OBJ_IPC_NS, false },
	{ CRIMG_LCR_NS, 8, CRIMG_LCR_OBJ_NET_NS, true },
	{ CRIMG_LCR_TASK_OBJS, 0, CRIMG_LCR_OBJ_FILE_TABLE, true },
	{ CRIMG_LCR_TASK_OBJS, 4, CRIMG_LCR_OBJ_MM, true },
	{ CRIMG_LCR_TASK_OBJS, 8, CRIMG_LCR_OBJ_FS, true },
	{ CRIMG_LCR_FILE_DESC, 0, CRIMG_LCR_OBJ_FILE, false },
	{ CRIMG_LCR_EPOLL_ITEMS, 0, CRIMG_LCR_OBJ_FILE, false },
	{ CRIMG_LCR_FILE, CRIMG_LCR_FILE_CRED, CRIMG_LCR_OBJ_CRED, false },
	{ CRIMG_LCR_MM, CRIMG_LCR_MM_EXE, CRIMG_LCR_OBJ_FILE, true },
};

// Where the walk stands.
struct walk {
	struct crimg_kernel_refs *out;
	size_t entry;
	bool pids, v23;
	uint16_t rev;
	uint32_t kind, behind;   // of this record; of the last one that was no BUFFER
	uint32_t pipe;           // where, in the entry before, an inode was first spoken of that PIPE_BUF may fill: index + 1
	const KernelRecordEntry *e;
	const uint8_t *tree;     // its lines
	size_t lines, line;      // line: of the task in hand, from 1
	struct crimg_err *err;
	bool failed;
};

static uint32_t u32(const struct walk *w, uint32_t at)
{
	return crimg_in_range(at, 4, w->e->payload.len) ? crimg_get_u32(w->e->payload.data + at) : 0;
}

static struct crimg_kernel_ref *add(struct walk *w, int32_t number, uint32_t type, uint32_t at)
{
	struct crimg_kernel_refs *r = w->out;
	void *array = r->list;
	if (w->failed || crimg_grow(&array, &r->capacity, r->count, sizeof *r->list, w->err) < 0) {
		w->failed = true;
		return NULL;
	}
	r->list = array;
	r->list[r->count] = (struct crimg_kernel_ref){ number, type, w->entry, at, false, false };
	return &r->list[r->count++];
}

static void refer(struct walk *w, uint32_t at, uint32_t type, bool optional)
{
	if (!crimg_in_range(at, 4, w->e->payload.len) || (optional && u32(w, at) == 0))
		return;
	(void)add(w, (int32_t)u32(w, at), type, at);
}

// The first mention of what has no OBJREF introduces it: which one is first is found when all are sorted.
static void mention(struct walk *w, uint32_t at, uint32_t type, bool contents)
{
	struct crimg_kernel_ref *introduction;
	if (!crimg_in_range(at, 4, w->e->payload.len))
		return;
	if ((introduction = add(w, (int32_t)u32(w, at), type, at)) != NULL) {
		introduction->introduces = true;
		introduction->contents = contents;
	}
	(void)add(w, (int32_t)u32(w, at), type, at);
}

static void on_file(struct walk *w)
{
	static const uint32_t types[] = {
		[CRIMG_LCR_FILE_SOCKET] = CRIMG_LCR_OBJ_SOCK, [CRIMG_LCR_FILE_TTY] = CRIMG_LCR_OBJ_TTY,
		[CRIMG_LCR_FILE_EVENTFD] = 0,
	};
	uint32_t type = u32(w, CRIMG_LCR_FILE_TYPE), more = w->rev < 4 ? CRIMG_LCR_FILE_PAYLOAD_V18 : CRIMG_LCR_FILE_PAYLOAD;
	if (type == CRIMG_LCR_FILE_PIPE || type == CRIMG_LCR_FILE_FIFO) {
		w->pipe = (uint32_t)w->out->count + 1;
		mention(w, more, CRIMG_LCR_OBJ_INODE, false);
	} else if (type < sizeof types / sizeof types[0] && types[type] != 0) {
		refer(w, more, types[type], false);
	}
}

static void on_area(struct walk *w)
{
	uint32_t type = u32(w, CRIMG_LCR_VMA_TYPE);
	if (type == CRIMG_LCR_VMA_FILE_PRIVATE || type == CRIMG_LCR_VMA_SHM_FILE)
		refer(w, CRIMG_LCR_VMA_FILE, CRIMG_LCR_OBJ_FILE, false);
	// The file has the contents of what is mapped from it.
	if (type >= CRIMG_LCR_VMA_SHM_ANON && type <= CRIMG_LCR_VMA_SHM_IPC_SKIP
	    && !(type == CRIMG_LCR_VMA_SHM_FILE && u32(w, CRIMG_LCR_VMA_INODE) == 0))
		mention(w, CRIMG_LCR_VMA_INODE, CRIMG_LCR_OBJ_INODE,
		        type == CRIMG_LCR_VMA_SHM_ANON || type == CRIMG_LCR_VMA_SHM_FILE);
}

static void on_objects(struct walk *w)
{
	struct crimg_kernel_refs *r = w->out;
	uint32_t sighand = w->v23 ? CRIMG_LCR_TASK_SIGHAND_V23 : CRIMG_LCR_TASK_SIGHAND, signal = sighand + 4;
	void *array = r->tasks;
	refer(w, sighand, CRIMG_LCR_OBJ_SIGHAND, false);
	mention(w, signal, CRIMG_LCR_OBJ_SIGNAL, true);
	if (w->line == 0 || w->line > w->lines || w->failed)
		return;
	if (crimg_grow(&array, &r->task_capacity, r->task_count, sizeof *r->tasks, w->err) < 0) {
		w->failed = true;
		return;
	}
	r->tasks = array;
	r->tasks[r->task_count++] = (struct crimg_kernel_task){
		(int32_t)crimg_get_u32(w->tree + (w->line - 1) * CRIMG_LCR_ENTRY_BYTES + 8), (int32_t)u32(w, signal),
		w->entry,
	};
}

static void on_pids(struct walk *w)
{
	for (uint32_t i = 0, n = u32(w, 0); i < n && i < w->out->records->count && !w->failed; i++) {
		struct crimg_kernel_ref *pid =
			add(w, (int32_t)(u32(w, CRIMG_LCR_PIDS_OFFSET) + i), CRIMG_LCR_OBJ_PID, CRIMG_LCR_PIDS_OFFSET);
		if (pid != NULL)
			pid->introduces = pid->contents = true;
	}
}

// Lines of the tree, or items of an epoll file.
static void on_buffer(struct walk *w)
{
	if (w->behind == CRIMG_LCR_TREE && w->tree == NULL) {
		w->tree = w->e->payload.data;
		w->lines = w->e->payload.len / CRIMG_LCR_ENTRY_BYTES;
		for (size_t i = 0; w->pids && i < w->lines; i++) {
			refer(w, (uint32_t)i * CRIMG_LCR_ENTRY_BYTES, CRIMG_LCR_OBJ_PID, false);
			refer(w, (uint32_t)i * CRIMG_LCR_ENTRY_BYTES + 8, CRIMG_LCR_OBJ_PID, false);
		}
	} else if (w->behind == CRIMG_LCR_EPOLL_ITEMS) {
		for (uint64_t at = 0; at + CRIMG_LCR_EPOLL_ITEM_BYTES <= w->e->payload.len;
		     at += CRIMG_LCR_EPOLL_ITEM_BYTES)
			refer(w, (uint32_t)at + 12, CRIMG_LCR_OBJ_FILE, false);
	}
}

static void on_record(struct walk *w)
{
	struct crimg_kernel_ref *object;
	uint32_t type;
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (fixed[i].kind == w->kind)
			refer(w, fixed[i].at, fixed[i].type, fixed[i].optional);
	switch (w->kind) {
	case CRIMG_LCR_HEADER:
		w->rev = (uint16_t)u32(w, CRIMG_LCR_HEADER_REV);
		return;
	case CRIMG_LCR_OBJREF:
		type = u32(w, 0) + (w->pids ? 0 : 1);
		if ((object = add(w, (int32_t)u32(w, 4), type, 4)) != NULL)
			object->introduces = object->contents = true;
		return;
	case CRIMG_LCR_PIDS:
		on_pids(w);
		return;
	case CRIMG_LCR_BUFFER:
		on_buffer(w);
		return;
	case CRIMG_LCR_TASK:
		w->line++;
		w->v23 = w->e->payload.len == CRIMG_LCR_TASK_PAYLOAD_V23;
		return;
	case CRIMG_LCR_TASK_OBJS:
		on_objects(w);
		return;
	case CRIMG_LCR_FILE:
		on_file(w);
		return;
	case CRIMG_LCR_PIPE_BUF:
		if (w->pipe != 0 && !w->failed)
			w->out->list[w->pipe - 1].contents = true;
		return;
	case CRIMG_LCR_VMA:
		on_area(w);
		return;
	case CRIMG_LCR_IPC_SHM:
		mention(w, CRIMG_LCR_SHM_REF, CRIMG_LCR_OBJ_INODE, true);
		return;
	default:
		return;
	}
}

static uint32_t kind_of(const struct walk *w)
{
	uint32_t type = w->e->type;
	if (!w->pids && type >= CRIMG_LCR_PIDS && type < CRIMG_LCR_TASK_CREDS)
		return type + 1;
	return type;
}

// By number; of each number introductions first, then as they stand.
static int by_number(const void *a, const void *b)
{
	const struct crimg_kernel_ref *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->introduces != y->introduces)
		return x->introduces ? -1 : 1;
	if (x->entry != y->entry)
		return x->entry < y->entry ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_group(const void *a, const void *b)
{
	const struct crimg_kernel_task *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

int crimg_kernel_refs_collect(struct crimg_image *image, struct crimg_kernel_refs *out, struct crimg_err *err)
{
	struct walk w = { .out = out, .err = err };
	*out = (struct crimg_kernel_refs){ .records = crimg_image_find(image, CRIMG_KIND_KERNEL_RECORDS, 0) };
	if (out->records == NULL || out->records->count == 0)
		return 0;
	const KernelRecordEntry *first = crimg_image_message(image, out->records, 0, NULL);
	if (first == NULL || first->origin == NULL || strcmp(first->origin->format, "linux-cr") != 0)
		return 0;
	for (; w.entry < out->records->count && !w.failed; w.entry++) {
		w.e = crimg_image_message(image, out->records, w.entry, NULL);
		if (w.e == NULL || w.e->pages > 0)
			continue;
		if (w.e->type == CRIMG_LCR_PIDS && w.e->payload.len == CRIMG_LCR_PIDS_PAYLOAD)
			w.pids = true;
		w.kind = kind_of(&w);
		on_record(&w);
		if (w.kind != CRIMG_LCR_BUFFER)
			w.behind = w.kind;
		if (w.kind != CRIMG_LCR_FILE && w.kind != CRIMG_LCR_FILE_NAME)
			w.pipe = 0;
	}
	if (w.failed)
		return -1;
	if (out->count > 0)
		qsort(out->list, out->count, sizeof *out->list, by_number);
	if (out->task_count > 0)
		qsort(out->tasks, out->task_count, sizeof *out->tasks, by_group);
	return 1;
}

void crimg_kernel_refs_fini(struct crimg_kernel_refs *refs)
{
	free(refs->list);
	free(refs->tasks);
	*refs = (struct crimg_kernel_refs){ .count = 0 };
}
