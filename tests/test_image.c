// The index, tasks, files and memory of images: real ones, old ones, hostile ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/files.h"
#include "format/memory.h"
#include "format/tasks.h"
#include "tests/suite.h"

static const char *samples = "samples"; // or the first argument

static struct crimg_image *open_sample(const char *name)
{
	char path[512];
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image = NULL;
	snprintf(path, sizeof path, "%s/%s", samples, name);
	CU_ASSERT_EQUAL(crimg_image_open(path, NULL, "/tmp", &image, &err), 0);
	if (image == NULL)
		printf("\n  %s: %s\n", path, err.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

static void check_error(const struct crimg_err *err, enum crimg_code code, const char *wanted)
{
	char text[1024];
	crimg_err_format(err, text, sizeof text);
	CU_ASSERT_EQUAL(err->code, code);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	if (strcmp(text, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", text, wanted);
}

// An image made by hand: members in memory, from messages.
static struct {
	struct crimg_store *store;
	struct crimg_buf bufs[64];
	size_t count;
	struct crimg_buf *open;
} made;

static void made_begin(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	made.count = 0;
	made.open = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_store_open_memory("made", &made.store, &err), 0);
}

static void made_seal(const char *name)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_EQUAL_FATAL(crimg_store_add_memory(made.store, name, made.open->data,
	                                             made.open->length, &err), 0);
}

static void made_file(enum crimg_kind kind)
{
	const struct crimg_kind_info *info = crimg_kind_info(kind);
	made.open = &made.bufs[made.count++];
	*made.open = CRIMG_BUF_INIT;
	if (kind != CRIMG_KIND_INVENTORY)
		CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, CRIMG_MAGIC_COMMON, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, info->magic, NULL), 0);
}

static void made_entry(const void *message)
{
	size_t at = made.open->length;
	CU_ASSERT_EQUAL_FATAL(crimg_buf_u32(made.open, 0, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_message_encode(message, made.open, NULL), 0);
	uint32_t length = (uint32_t)(made.open->length - at - 4);
	for (int i = 0; i < 4; i++)
		made.open->data[at + (size_t)i] = (uint8_t)(length >> 8 * i);
}

// One file of one entry.
static void made_one(const char *name, enum crimg_kind kind, const void *message)
{
	made_file(kind);
	made_entry(message);
	made_seal(name);
}

static struct crimg_image *made_open(int wanted, struct crimg_err *err)
{
	struct crimg_input in = { .path = strdup("made"), .store = made.store };
	struct crimg_image *image = NULL;
	CU_ASSERT_EQUAL_FATAL(crimg_store_seal(in.store, err), 0);
	CU_ASSERT_EQUAL(crimg_image_open_input(&in, "criu", &image, err), wanted);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

static void made_end(struct crimg_image *image)
{
	crimg_image_close(image);
	for (size_t i = 0; i < made.count; i++)
		crimg_buf_fini(&made.bufs[i]);
}

static void made_inventory(bool fdinfo_per_id)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	e.img_version = 1;
	e.has_fdinfo_per_id = e.fdinfo_per_id = fdinfo_per_id;
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &e);
}

static void made_pstree(const uint32_t (*pids)[2], size_t count)
{
	made_file(CRIMG_KIND_PSTREE);
	for (size_t i = 0; i < count; i++) {
		PstreeEntry e = PSTREE_ENTRY__INIT;
		uint32_t thread = pids[i][0];
		e.pid = e.pgid = e.sid = pids[i][0];
		e.ppid = pids[i][1];
		e.n_threads = 1;
		e.threads = &thread;
		made_entry(&e);
	}
	made_seal("pstree.img");
}

static void test_lookup(void)
{
	struct crimg_image *image = open_sample("criu/c-tree");
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_STRING_EQUAL(image->format, "criu");
	CU_ASSERT_TRUE(image->directory && !image->archive);
	CU_ASSERT_STRING_EQUAL(image->root, "");
	CU_ASSERT_EQUAL(image->count, 49);
	const CoreEntry *core = crimg_image_get(image, CRIMG_KIND_CORE, 9653, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(core);
	CU_ASSERT_STRING_EQUAL(core->tc->comm, "child-A");
	CU_ASSERT_PTR_EQUAL(crimg_image_get(image, CRIMG_KIND_CORE, 9653, &err), core);
	CU_ASSERT_PTR_NULL(crimg_image_get(image, CRIMG_KIND_CORE, 1, &err));
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	size_t count = 0;
	for (struct crimg_image_object *o = crimg_image_first(image, CRIMG_KIND_CORE); o != NULL;
	     o = crimg_image_next(image, o))
		CU_ASSERT_EQUAL(o->object.id, 9652 + count++);
	CU_ASSERT_EQUAL(count, 7);
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_PSTREE);
	for (count = 0; crimg_image_walk(image, &walk, &err) != NULL; count++)
		;
	CU_ASSERT_EQUAL(count, 7);
	CU_ASSERT_PTR_NULL(crimg_image_walk(image, &walk, &err));
	CU_ASSERT_PTR_NOT_NULL(crimg_image_member(image, "memfd.img"));
	CU_ASSERT_PTR_NULL(crimg_image_member(image, "memfd"));
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 0);
	crimg_image_close(image);
}

static void test_pagemap(void)
{
	struct crimg_image *image = open_sample("criu/c-tree");
	const struct crimg_image_object *o = crimg_image_find(image, CRIMG_KIND_PAGEMAP, 9652);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_EQUAL(o->count, 1); // the head alone is kept as a message
	CU_ASSERT_PTR_NOT_NULL_FATAL(o->map);
	CU_ASSERT_EQUAL(o->map->present_pages, 31);
	CU_ASSERT_TRUE(o->sorted && o->wide_counts);
	char text[32] = "";
	struct crimg_err err = CRIMG_ERR_INIT;
	// c-tree.txt: private anonymous memory at 0x7f22b2beb000 holds 'root private'.
	CU_ASSERT_EQUAL(
		crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 9652, 0x7f22b2beb000, text, 12, &err),
		1);
	CU_ASSERT_STRING_EQUAL(text, "root private");
	CU_ASSERT_EQUAL(
		crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 9653, 0x7f22b2bec000, text, 15, &err),
		1);
	CU_ASSERT_STRING_EQUAL(text, "child A private");
	CU_ASSERT_EQUAL(crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 9652, 0x1000, text, 12, &err),
	                0);
	CU_ASSERT_EQUAL(crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 1, 0x1000, text, 12, &err), 0);
	CU_ASSERT_EQUAL(
		crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 9652, UINT64_MAX, text, 12, &err), 0);
	// Shared memory 100: page 2 holds 'shared anon page 2', page 1 was never touched.
	CU_ASSERT_EQUAL(
		crimg_memory_read(image, CRIMG_KIND_PAGEMAP_SHMEM, 100, 0x2000, text, 18, &err)
				+ crimg_memory_read(image, CRIMG_KIND_PAGEMAP_SHMEM, 101, 0x2000,
	                                            text, 18, &err)
			> 0,
		1);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	crimg_image_close(image);
}

static void test_chain(void)
{
	struct crimg_image *image = open_sample("criu-3.17/f-inc/3");
	struct crimg_err err = CRIMG_ERR_INIT;
	CU_ASSERT_STRING_EQUAL(crimg_image_parent_link(image), "../2");
	struct crimg_image *second = crimg_image_parent(image, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	struct crimg_image *first = crimg_image_parent(second, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_EQUAL(first->depth, 2);
	CU_ASSERT_PTR_NULL(crimg_image_parent(first, &err));
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 0);
	// f-inc.txt: 64 pages at 0x7f716b836000, each 'page I gen K', older ones in the parents.
	for (uint64_t i = 0; i < 64; i++) {
		char text[64] = "", wanted[32];
		snprintf(wanted, sizeof wanted, "page %llu gen ", (unsigned long long)i);
		CU_ASSERT_EQUAL(crimg_memory_read(image, CRIMG_KIND_PAGEMAP, 338,
		                                  0x7f716b836000 + i * 4096, text, 32, &err), 1);
		CU_ASSERT_EQUAL(strncmp(text, wanted, strlen(wanted)), 0);
	}
	CU_ASSERT_FALSE(crimg_image_find(image, CRIMG_KIND_PAGEMAP, 338)->wide_counts);
	crimg_image_close(image);
}

static void test_tasks(void)
{
	static const struct {
		uint32_t pid;
		unsigned depth;
		bool last;
		enum crimg_task_state state;
	} wanted[] = {
		{ 9652, 0, true, CRIMG_TASK_ALIVE },  { 9653, 1, false, CRIMG_TASK_ALIVE },
		{ 9656, 2, true, CRIMG_TASK_ALIVE },  { 9654, 1, false, CRIMG_TASK_ALIVE },
		{ 9655, 1, false, CRIMG_TASK_ALIVE }, { 9657, 1, false, CRIMG_TASK_DEAD },
		{ 9658, 1, true, CRIMG_TASK_DEAD },
	};
	struct crimg_image *image = open_sample("criu/c-tree");
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tasks.count, 7);
	for (size_t i = 0; i < 7; i++) {
		CU_ASSERT_EQUAL(tasks.list[i].pid, wanted[i].pid);
		CU_ASSERT_EQUAL(tasks.list[i].depth, wanted[i].depth);
		CU_ASSERT_EQUAL(tasks.list[i].last, wanted[i].last);
		CU_ASSERT_EQUAL(tasks.list[i].state, wanted[i].state);
		CU_ASSERT_EQUAL(tasks.list[i].thread_count,
		                wanted[i].state == CRIMG_TASK_DEAD ? 0 : 1);
		CU_ASSERT_EQUAL(tasks.list[i].fds_of, i);
	}
	CU_ASSERT_STRING_EQUAL(crimg_task_comm(crimg_tasks_find(&tasks, 9656)), "grandchild");
	CU_ASSERT_PTR_NULL(crimg_tasks_find(&tasks, 1));
	CU_ASSERT_EQUAL(crimg_task_pages(&tasks.list[0]), 31);
	struct crimg_buf args = CRIMG_BUF_INIT;
	bool cut;
	CU_ASSERT_EQUAL(crimg_task_arguments(image, &tasks.list[0], 4096, &args, &cut, &err), 1);
	CU_ASSERT_STRING_EQUAL((const char *)args.data, "/opt/crsample/src/c_tree");
	CU_ASSERT_FALSE(cut);
	args.length = 0;
	CU_ASSERT_EQUAL(crimg_task_arguments(image, &tasks.list[0], 4, &args, &cut, &err), 1);
	CU_ASSERT_STRING_EQUAL((const char *)args.data, "/opt");
	CU_ASSERT_TRUE(cut);
	CU_ASSERT_EQUAL(crimg_task_arguments(image, &tasks.list[6], 4096, &args, &cut, &err), 0);
	crimg_buf_fini(&args);
	crimg_tasks_fini(&tasks);
	crimg_image_close(image);
}

static void test_threads(void)
{
	struct crimg_image *image = open_sample("criu/b-threads");
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tasks.count, 1);
	const struct crimg_task *t = &tasks.list[0];
	CU_ASSERT_EQUAL_FATAL(t->thread_count, 8);
	CU_ASSERT_STRING_EQUAL(crimg_thread_comm(t, &t->threads[3]), "thr-3");
	CU_ASSERT_PTR_EQUAL(crimg_tasks_of_thread(&tasks, 10373), t);
	CU_ASSERT_PTR_NULL(crimg_tasks_find(&tasks, 10373));
	// b-threads.txt: SIGUSR1 SIGUSR2 34+i 44 are blocked.
	for (size_t i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(crimg_thread_blocked(t, &t->threads[i]),
		                UINT64_C(1) << 9 | UINT64_C(1) << 11 | UINT64_C(1) << (33 + i)
		                | UINT64_C(1) << 43);
	struct crimg_list list;
	CU_ASSERT_EQUAL(crimg_task_list(image, t, CRIMG_PART_SIGNALS, &list, &err), 0);
	CU_ASSERT_EQUAL(list.count, 3);
	CU_ASSERT_EQUAL(crimg_thread_signals(image, &t->threads[1], &list, &err), 0);
	CU_ASSERT_EQUAL(list.count, 3);
	CU_ASSERT_EQUAL(crimg_task_list(image, t, CRIMG_PART_SIGACTIONS, &list, &err), 0);
	CU_ASSERT_EQUAL(list.count, 62);
	crimg_tasks_fini(&tasks);
	crimg_image_close(image);
}

static void test_files(void)
{
	struct crimg_image *image = open_sample("criu/d-files");
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_files files;
	struct crimg_list watches;
	uint64_t pos = 0;
	CU_ASSERT_EQUAL(crimg_files_load(image, &files, &err), 0);
	CU_ASSERT_EQUAL(files.count, 33);
	const struct crimg_file *f = crimg_files_find(&files, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(f->type, FD_TYPES__REG);
	CU_ASSERT_TRUE(crimg_file_position(f, &pos));
	CU_ASSERT_EQUAL(pos, 1234);
	CU_ASSERT_EQUAL(crimg_file_owner(f)->signum, 36);
	CU_ASSERT_EQUAL(crimg_file_flags(f) & 3, 2);
	f = crimg_files_find(&files, 13);
	CU_ASSERT_EQUAL(f->type, FD_TYPES__FIFO);
	CU_ASSERT_EQUAL(f->queued_bytes, 10);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->path);
	CU_ASSERT_STRING_EQUAL(f->path->name, "/opt/crsample/run/d-files/fifo");
	CU_ASSERT_PTR_NOT_NULL(crimg_files_find(&files, 9)->remap);
	CU_ASSERT_EQUAL(crimg_file_watches(image, crimg_files_find(&files, 17), &watches, &err), 0);
	CU_ASSERT_EQUAL(watches.count, 2);
	CU_ASSERT_PTR_NULL(crimg_files_find(&files, 99));
	crimg_files_fini(&files);
	crimg_image_close(image);
	image = open_sample("criu/e-tcp");
	CU_ASSERT_EQUAL(crimg_files_load(image, &files, &err), 0);
	uint64_t queued = 0;
	for (size_t i = 0; i < files.count; i++)
		queued += files.list[i].type == FD_TYPES__INETSK ? files.list[i].queued_bytes : 0;
	CU_ASSERT_EQUAL(queued, 22 + 3000 + 3);
	crimg_files_fini(&files);
	crimg_image_close(image);
}

static void test_archive(void)
{
	struct crimg_image *image = open_sample("archives/podman-zstd.tar");
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_buf text = CRIMG_BUF_INIT;
	CU_ASSERT_TRUE(image->archive && !image->directory);
	CU_ASSERT_STRING_EQUAL(image->root, "checkpoint/");
	const struct crimg_image_object *o = crimg_image_member(image, "deleted.files");
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_EQUAL(crimg_image_contents(image, o, 1000, false, &text, &err), 0);
	CU_ASSERT_EQUAL(text.length, 17);
	text.length = 0;
	CU_ASSERT_EQUAL(crimg_image_contents(image, o, 1, true, &text, &err), 0);
	CU_ASSERT_EQUAL_FATAL(text.length, 1);
	CU_ASSERT_EQUAL(text.data[0], ']');
	crimg_buf_fini(&text);
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 0);
	crimg_image_close(image);
}

// A pid twice, its own parent, a circle, a parent that is not there.
static void test_hostile_tree(void)
{
	static const uint32_t pids[][2] = {
		{ 1, 0 }, { 2, 1 }, { 2, 1 }, { 3, 3 }, { 4, 5 }, { 5, 6 }, { 6, 4 }, { 7, 99 }, { 8, 2 },
	};
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	made_begin();
	made_inventory(true);
	made_pstree(pids, sizeof pids / sizeof pids[0]);
	struct crimg_image *image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tasks.count, sizeof pids / sizeof pids[0]);
	for (size_t i = 0; i < tasks.count; i++) {
		const struct crimg_task *t = &tasks.list[i];
		CU_ASSERT_EQUAL(t->state, CRIMG_TASK_UNKNOWN);
		CU_ASSERT_TRUE(t->parent == CRIMG_NO_TASK || t->parent < i);
		CU_ASSERT_EQUAL(t->depth,
		                t->parent == CRIMG_NO_TASK ? 0 : tasks.list[t->parent].depth + 1);
	}
	CU_ASSERT_EQUAL(crimg_tasks_find(&tasks, 8)->depth, 2);
	CU_ASSERT_EQUAL(crimg_tasks_find(&tasks, 3)->depth, 0);
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 1);
	check_error(&err, CRIMG_E_NOTFOUND,
	            "made/core-1.img: missing: a task in pstree.img needs it");
	crimg_tasks_fini(&tasks);
	made_end(image);
}

// CRIU 3.17 leaves garbage as the thread of a zombie.
static void test_zombie(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	uint32_t garbage = 3873184400;
	PstreeEntry p = PSTREE_ENTRY__INIT;
	CoreEntry core = CORE_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	char comm[] = "gone";
	p.pid = p.pgid = p.sid = 7;
	p.n_threads = 1;
	p.threads = &garbage;
	core.mtype = CORE_ENTRY__MARCH__X86_64;
	tc.task_state = 2;
	tc.exit_code = 10752;
	tc.comm = comm;
	core.tc = &tc;
	made_begin();
	made_inventory(true);
	made_one("pstree.img", CRIMG_KIND_PSTREE, &p);
	made_one("core-7.img", CRIMG_KIND_CORE, &core);
	struct crimg_image *image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tasks.count, 1);
	CU_ASSERT_EQUAL(tasks.list[0].state, CRIMG_TASK_DEAD);
	CU_ASSERT_EQUAL(tasks.list[0].thread_count, 0);
	CU_ASSERT_PTR_NULL(crimg_tasks_of_thread(&tasks, garbage));
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 0);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	crimg_tasks_fini(&tasks);
	made_end(image);
}

// Images of 1.0 to 1.5 keep in files of their own what core and files.img hold today.
static void test_old(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_list list;
	static const uint32_t pids[][2] = { { 5, 0 } };
	FownEntry fown = FOWN_ENTRY__INIT;
	RegFileEntry reg = REG_FILE_ENTRY__INIT;
	FifoEntry fifo = FIFO_ENTRY__INIT;
	EventpollFileEntry epoll = EVENTPOLL_FILE_ENTRY__INIT;
	EventpollTfdEntry target = EVENTPOLL_TFD_ENTRY__INIT;
	VmaEntry vma = VMA_ENTRY__INIT;
	FdinfoEntry fd = FDINFO_ENTRY__INIT;
	CredsEntry creds = CREDS_ENTRY__INIT;
	ItimerEntry itimer = ITIMER_ENTRY__INIT;
	char path[] = "/tmp/fifo";
	reg.id = fifo.id = 3;
	reg.fown = epoll.fown = &fown;
	reg.name = path;
	fifo.pipe_id = 77;
	epoll.id = target.id = 4;
	target.tfd = 9;
	vma.start = 0x1000;
	vma.end = 0x2000;
	fd.id = 3;
	fd.type = FD_TYPES__FIFO;
	creds.uid = 1000;
	made_begin();
	made_inventory(false);
	made_pstree(pids, 1);
	made_one("creds-5.img", CRIMG_KIND_CREDS, &creds);
	made_one("fdinfo-5.img", CRIMG_KIND_FDINFO, &fd);
	made_one("reg-files.img", CRIMG_KIND_REG_FILES, &reg);
	made_one("fifo.img", CRIMG_KIND_FIFO, &fifo);
	made_one("eventpoll.img", CRIMG_KIND_EVENTPOLL_FILE, &epoll);
	made_one("eventpoll-tfd.img", CRIMG_KIND_EVENTPOLL_TFD, &target);
	made_file(CRIMG_KIND_VMAS);
	made_entry(&vma);
	made_entry(&vma);
	made_seal("vmas-5.img");
	made_file(CRIMG_KIND_ITIMERS);
	for (int i = 0; i < 3; i++)
		made_entry(&itimer);
	made_seal("itimers-5.img");
	struct crimg_image *image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), 0);
	CU_ASSERT_EQUAL(crimg_files_load(image, &files, &err), 0);
	const struct crimg_task *t = &tasks.list[0];
	CU_ASSERT_EQUAL(crimg_task_list(image, t, CRIMG_PART_VMAS, &list, &err), 0);
	CU_ASSERT_EQUAL(list.count, 2);
	CU_ASSERT_EQUAL(crimg_task_list(image, t, CRIMG_PART_ITIMERS, &list, &err), 0);
	CU_ASSERT_EQUAL(list.count, 3);
	CU_ASSERT_EQUAL(crimg_task_list(image, t, CRIMG_PART_FDS, &list, &err), 0);
	CU_ASSERT_EQUAL_FATAL(list.count, 1);
	const struct crimg_file *f =
		crimg_files_find(&files, ((const FdinfoEntry *)list.items[0])->id);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(f->type, FD_TYPES__FIFO);
	CU_ASSERT_STRING_EQUAL(f->path->name, "/tmp/fifo");
	CU_ASSERT_EQUAL(crimg_file_watches(image, crimg_files_find(&files, 4), &list, &err), 0);
	CU_ASSERT_EQUAL_FATAL(list.count, 1);
	CU_ASSERT_EQUAL(((const EventpollTfdEntry *)list.items[0])->tfd, 9);
	const CredsEntry *found = crimg_thread_creds(image, t, &t->threads[0], &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_EQUAL(found->uid, 1000);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	crimg_files_fini(&files);
	crimg_tasks_fini(&tasks);
	made_end(image);
}

static void test_select(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_list list;
	made_begin();
	made_inventory(true);
	made_file(CRIMG_KIND_SK_QUEUES);
	for (uint32_t i = 0; i < 6; i++) {
		SkPacketEntry e = SK_PACKET_ENTRY__INIT;
		e.id_for = i % 3;
		e.length = 0;
		made_entry(&e);
	}
	made_seal("sk-queues.img");
	struct crimg_image *image = made_open(0, &err);
	for (uint64_t id = 0; id < 4; id++) {
		CU_ASSERT_EQUAL(
			crimg_image_select(image, CRIMG_KIND_SK_QUEUES, "id_for", id, &list, &err),
			0);
		CU_ASSERT_EQUAL(list.count, id < 3 ? 2 : 0);
	}
	CU_ASSERT_EQUAL(
		crimg_image_select(image, CRIMG_KIND_SK_QUEUES, "id_for", UINT64_MAX, &list, &err),
		0);
	CU_ASSERT_EQUAL(list.count, 0);
	CU_ASSERT_EQUAL(crimg_image_select(image, CRIMG_KIND_PIPES_DATA, "pipe_id", 1, &list, &err),
	                0);
	CU_ASSERT_EQUAL(list.count, 0);
	made_end(image);
}

// One broken entry is told once, with its place, and the others are there.
static void test_broken_entry(void)
{
	static const uint8_t broken[] = { 3, 0, 0, 0, 0x08, 0x01, 0x0f }; // field 1, then wire type 7
	struct crimg_err err = CRIMG_ERR_INIT, again = CRIMG_ERR_INIT;
	struct crimg_tasks tasks;
	PstreeEntry p = PSTREE_ENTRY__INIT;
	p.pid = 1;
	made_begin();
	made_inventory(true);
	made_file(CRIMG_KIND_PSTREE);
	made_entry(&p);
	CU_ASSERT_EQUAL(crimg_buf_append(made.open, broken, sizeof broken, NULL), 0);
	p.pid = 2;
	made_entry(&p);
	made_seal("pstree.img");
	struct crimg_image *image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &err), -1);
	CU_ASSERT_EQUAL(tasks.count, 2);
	CU_ASSERT_EQUAL(err.code, CRIMG_E_WIRE);
	CU_ASSERT_STRING_EQUAL(err.source, "made/pstree.img");
	crimg_tasks_fini(&tasks);
	CU_ASSERT_EQUAL(crimg_tasks_load(image, &tasks, &again), 0); // told before
	crimg_tasks_fini(&tasks);
	made_end(image);
}

static void test_missing(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry e = PAGEMAP_ENTRY__INIT;
	InventoryEntry inventory = INVENTORY_ENTRY__INIT; // version 0: a pre-dump
	head.pages_id = 4;
	e.vaddr = 0x1000;
	e.compat_nr_pages = 2;
	e.has_flags = true;
	e.flags = CRIMG_PE_PRESENT;
	made_begin();
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_file(CRIMG_KIND_PAGEMAP);
	made_entry(&head);
	made_entry(&e);
	made_seal("pagemap-9.img");
	struct crimg_image *image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 1);
	check_error(&err, CRIMG_E_NOTFOUND,
	            "made/pages-4.img: missing: pagemap-9.img points at 8192 bytes of pages in it");
	made_end(image);
	err = CRIMG_ERR_INIT;
	e.flags = CRIMG_PE_PARENT;
	made_begin();
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_file(CRIMG_KIND_PAGEMAP);
	made_entry(&head);
	made_entry(&e);
	made_seal("pagemap-9.img");
	image = made_open(0, &err);
	CU_ASSERT_EQUAL(crimg_image_missing(image, &err), 1);
	check_error(&err, CRIMG_E_NOTFOUND,
	            "made/parent: missing: pagemap-9.img leaves 2 pages to the parent image");
	made_end(image);
}

int main(int argc, char **argv)
{
	static const struct suite_test tests[] = {
		{ "lookup", test_lookup },
		{ "page maps and memory", test_pagemap },
		{ "parent chain", test_chain },
		{ "tasks", test_tasks },
		{ "threads", test_threads },
		{ "files", test_files },
		{ "archive", test_archive },
		{ "hostile tree", test_hostile_tree },
		{ "zombie", test_zombie },
		{ "old image", test_old },
		{ "select", test_select },
		{ "broken entry", test_broken_entry },
		{ "missing", test_missing },
	};
	samples = argc > 1 ? argv[1] : samples;
	return SUITE_RUN("image", NULL, NULL, tests);
}
