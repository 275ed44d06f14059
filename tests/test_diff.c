// Comparing: references, pages of images made by hand, matching of processes, rules of fields.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diff/changed_lines.h"
#include "diff/engine.h"
#include "diff/references.h"
#include "format/limits.h"
#include "tests/made.h"
#include "tests/suite.h"

#define PAGE ((uint64_t)CRIMG_PAGE_BYTES)

static const char *samples = "samples";

// References.
static void test_references(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_references *r = crimg_references_make();
	uint64_t other = 0;
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_TRUE(crimg_references_agree(r, CRIMG_REF_PIPE, 0, 0, &err));
	CU_ASSERT_FALSE(crimg_references_agree(r, CRIMG_REF_PIPE, 0, 1, &err));
	CU_ASSERT_TRUE(crimg_references_agree(r, CRIMG_REF_PIPE, 7, 9, &err));
	CU_ASSERT_TRUE(crimg_references_agree(r, CRIMG_REF_PIPE, 7, 9, &err));
	CU_ASSERT_FALSE(crimg_references_agree(r, CRIMG_REF_PIPE, 7, 8, &err));
	CU_ASSERT_FALSE(crimg_references_agree(r, CRIMG_REF_PIPE, 6, 9, &err));
	CU_ASSERT_TRUE(crimg_references_agree(r, CRIMG_REF_INODE, 7, 8, &err)); // another kind
	CU_ASSERT_FALSE(crimg_references_first(r, CRIMG_REF_PIPE, 7, 9, &err));
	CU_ASSERT_TRUE(crimg_references_find(r, CRIMG_REF_PIPE, 1, 9, &other));
	CU_ASSERT_EQUAL(other, 7);
	CU_ASSERT_FALSE(crimg_references_find(r, CRIMG_REF_PIPE, 0, 9, &other));
	for (uint64_t i = 1; i < 20000; i++)
		CU_ASSERT_TRUE(crimg_references_agree(r, CRIMG_REF_FILE, i << 32, i, &err));
	for (uint64_t i = 1; i < 20000; i++)
		CU_ASSERT_TRUE(crimg_references_find(r, CRIMG_REF_FILE, 1, i, &other) && other == i << 32);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	crimg_references_free(r);
}

// Images of one task with areas and pages.
struct made_run {
	uint64_t vaddr, pages;
	const char *fill;  // a letter a page; '0': zeros; NULL: not present (lazy)
};

static void make_core(uint32_t pid, const char *comm)
{
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	CoreEntry core = CORE_ENTRY__INIT;
	char name[64], text[32];
	snprintf(text, sizeof text, "%s", comm);
	snprintf(name, sizeof name, "core-%u.img", pid);
	tc.task_state = 1;
	tc.comm = text;
	core.mtype = CORE_ENTRY__MARCH__X86_64;
	core.tc = &tc;
	made_one(name, CRIMG_KIND_CORE, &core);
}

static void make_pages(uint32_t pid, const struct made_run *runs, size_t count)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	char name[64];
	head.pages_id = 1;
	snprintf(name, sizeof name, "pagemap-%u.img", pid);
	made_file(CRIMG_KIND_PAGEMAP);
	made_entry(&head);
	for (size_t i = 0; i < count; i++) {
		PagemapEntry e = PAGEMAP_ENTRY__INIT;
		e.vaddr = runs[i].vaddr;
		e.has_flags = e.has_nr_pages = 1;
		e.nr_pages = runs[i].pages;
		e.flags = runs[i].fill != NULL ? CRIMG_PE_PRESENT : CRIMG_PE_LAZY;
		made_entry(&e);
	}
	made_seal(name);
	made_file(CRIMG_KIND_PAGES);
	for (size_t i = 0; i < count; i++)
		for (uint64_t k = 0; runs[i].fill != NULL && k < runs[i].pages; k++) {
			uint8_t page[CRIMG_PAGE_BYTES];
			memset(page, runs[i].fill[k] == '0' ? 0 : runs[i].fill[k], sizeof page);
			made_bytes(page, sizeof page);
		}
	made_seal("pages-1.img");
}

static VmaEntry area(uint64_t start, uint64_t end, uint32_t status)
{
	VmaEntry v = VMA_ENTRY__INIT;
	v.start = start;
	v.end = end;
	v.prot = 3;
	v.flags = 0x22;
	v.status = status;
	v.fd = -1;
	return v;
}

// The areas of all pages tests: anonymous at 0x10000, a file at 0x40000.
static void make_image(const struct made_run *runs, size_t count)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	PstreeEntry p = PSTREE_ENTRY__INIT;
	MmEntry mm = MM_ENTRY__INIT;
	VmaEntry areas[] = { area(0x10000, 0x30000, CRIMG_VMA_ANON_PRIVATE),
		             area(0x40000, 0x48000, CRIMG_VMA_FILE_PRIVATE) };
	VmaEntry *list[] = { &areas[0], &areas[1] };
	inventory.img_version = 2;
	p.pid = 7;
	mm.n_vmas = 2;
	mm.vmas = list;
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_one("pstree.img", CRIMG_KIND_PSTREE, &p);
	make_core(7, "one");
	made_one("mm-7.img", CRIMG_KIND_MM, &mm);
	make_pages(7, runs, count);
}

struct opened {
	struct crimg_image *image;
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct crimg_space space;
};

static void open_made(struct opened *o)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	o->image = made_open(0, &err);
	CU_ASSERT_EQUAL_FATAL(crimg_tasks_load(o->image, &o->tasks, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_files_load(o->image, &o->files, &err), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_space_load(o->image, &o->files, &o->tasks.list[0], &o->space, &err), 0);
}

static void close_made(struct opened *o)
{
	crimg_space_fini(&o->space);
	crimg_files_fini(&o->files);
	crimg_tasks_fini(&o->tasks);
}

struct found {
	char text[4096];
	uint64_t last;
	bool in_order;
};

static void add_range(void *context, const struct crimg_pages_range *r)
{
	struct found *f = context;
	size_t used = strlen(f->text);
	f->in_order &= r->start >= f->last && r->end > r->start;
	f->last = r->end;
	snprintf(f->text + used, sizeof f->text - used, "%s%llx-%llx %s", used > 0 ? " " : "",
	         (unsigned long long)r->start, (unsigned long long)r->end, crimg_pages_word(r->kind));
	used = strlen(f->text);
	if (r->kind == CRIMG_PAGES_MOVED)
		snprintf(f->text + used, sizeof f->text - used, " %llx", (unsigned long long)r->from);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void check_pages(const struct made_run *a, size_t count_a, const struct made_run *b,
                        size_t count_b, const char *wanted)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct opened x, y;
	struct found f = { .in_order = true };
	struct crimg_pages_visitor visitor = { add_range, &f, false };
	made_begin();
	make_image(a, count_a);
	open_made(&x);
	made_begin_another();
	make_image(b, count_b);
	open_made(&y);
	CU_ASSERT_EQUAL(crimg_pages_compare(&x.space, &y.space, &visitor, &err), 0);
	CU_ASSERT_STRING_EQUAL(f.text, wanted);
	if (strcmp(f.text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", f.text, wanted);
	CU_ASSERT_TRUE(f.in_order);
	close_made(&x);
	close_made(&y);
	crimg_image_close(x.image);
	made_end(y.image);
}

static void test_pages(void)
{
	static const struct made_run a[] = { { 0x10000, 4, "abcd" }, { 0x20000, 2, "0e" } };
	static const struct made_run b[] = { { 0x10000, 1, "a" }, { 0x11000, 3, "xcd" }, { 0x21000, 1, "f" } };
	check_pages(a, COUNT(a), a, COUNT(a), "10000-14000 same 20000-22000 same");
	check_pages(a, COUNT(a), b, COUNT(b), "10000-11000 same 11000-12000 changed 12000-14000 same "
	            "20000-21000 same 21000-22000 changed");
	check_pages(a, COUNT(a), NULL, 0, "10000-14000 dropped 20000-21000 same 21000-22000 dropped");
	check_pages(NULL, 0, a, COUNT(a), "10000-14000 new 20000-21000 same 21000-22000 new");
	check_pages(NULL, 0, NULL, 0, "");
}

static void test_kinds_of_nothing(void)
{
	static const struct made_run lost[] = { { 0x10000, 2, NULL } };
	static const struct made_run here[] = { { 0x10000, 2, "ab" } };
	static const struct made_run file[] = { { 0x40000, 2, "0z" } };
	static const struct made_run beside[] = { { 0x80000, 2, "ab" } };
	check_pages(lost, 1, here, 1, "10000-12000 unknown");
	check_pages(lost, 1, NULL, 0, "10000-12000 unknown");
	check_pages(lost, 1, lost, 1, "10000-12000 untold");
	check_pages(file, 1, NULL, 0, "40000-42000 dropped"); // zeros too: the file has others
	check_pages(NULL, 0, file, 1, "40000-42000 new");
	check_pages(beside, 1, beside, 1, "80000-82000 same"); // where no area is
	check_pages(beside, 1, NULL, 0, "80000-82000 dropped");
}

static void test_moved(void)
{
	static const struct made_run a[] = { { 0x10000, 4, "abcd" } };
	static const struct made_run b[] = { { 0x18000, 4, "abcd" } };
	static const struct made_run c[] = { { 0x10000, 1, "a" }, { 0x12000, 2, "0b" }, { 0x2f000, 1, "d" } };
	static const struct made_run many[] = { { 0x10000, 8, "zzzzzzzz" } };
	static const struct made_run there[] = { { 0x20000, 10, "zzzzzzzzzz" } };
	check_pages(a, 1, b, 1, "18000-1c000 moved 10000");
	check_pages(b, 1, a, 1, "10000-14000 moved 18000");
	check_pages(a, 1, c, 3, "10000-11000 same 11000-12000 dropped 12000-14000 changed 2f000-30000 new");
	check_pages(many, 1, there, 1, "20000-28000 moved 10000 28000-2a000 new");
}

// One segment in both, and what a visitor that leaves segments out is told.
static void test_segments(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_image *image;
	struct found f = { .in_order = true };
	struct crimg_pages_visitor visitor = { add_range, &f, false };
	char path[512];
	snprintf(path, sizeof path, "%s/criu/l-mem", samples);
	CU_ASSERT_EQUAL_FATAL(crimg_image_open(path, NULL, "/tmp", &image, &err), 0);
	const struct crimg_image_object *s = crimg_image_first(image, CRIMG_KIND_PAGEMAP_SHMEM);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	struct crimg_map_name a = { image, CRIMG_KIND_PAGEMAP_SHMEM, s->object.id }, none = a;
	none.id = 4711;
	CU_ASSERT_EQUAL(crimg_maps_compare(&a, &a, &visitor, &err), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "same"));
	CU_ASSERT_PTR_NULL(strstr(f.text, "changed"));
	f = (struct found){ .in_order = true };
	CU_ASSERT_EQUAL(crimg_maps_compare(&a, &none, &visitor, &err), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "dropped"));
	crimg_image_close(image);
}

// Whole images, from directories.
static char work[] = "/tmp/crimg-test-diff-XXXXXX";

static void save(const char *name)
{
	char path[256];
	struct crimg_err err = CRIMG_ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", work, name);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	CU_ASSERT_EQUAL_FATAL(crimg_store_seal(made.store, &err), 0);
	for (size_t i = 0; i < made.store->count; i++) {
		const struct crimg_member *m = &made.store->members[i];
		struct crimg_source *s;
		uint8_t *data = malloc((size_t)m->size + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(data);
		snprintf(path, sizeof path, "%s/%s/%s", work, name, m->name);
		CU_ASSERT_EQUAL_FATAL(crimg_store_open_member(made.store, m, &s, &err), 0);
		CU_ASSERT_EQUAL_FATAL(crimg_source_read_exact(s, 0, data, (size_t)m->size, &err), 0);
		FILE *f = fopen(path, "wb");
		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		CU_ASSERT_EQUAL(fwrite(data, 1, (size_t)m->size, f), m->size);
		fclose(f);
		crimg_source_close(s);
		free(data);
	}
	crimg_store_close(made.store);
	for (size_t i = 0; i < made.count; i++)
		crimg_buf_fini(&made.bufs[i]);
}

// What the engine tells: "group what pidA-pidB subject field" a line; folded ones in brackets.
struct told {
	char text[8192];
};

static void on_change(void *context, const struct crimg_change *c)
{
	struct told *t = context;
	size_t used = strlen(t->text);
	const struct crimg_task *a = c->pair != NULL ? c->pair->task[0] : NULL;
	const struct crimg_task *b = c->pair != NULL ? c->pair->task[1] : NULL;
	snprintf(t->text + used, sizeof t->text - used, "%s%s %s %u-%u %s %s%s\n", c->folded ? "[" : "",
	         crimg_diff_group_word(c->group), crimg_change_word(c->what), a != NULL ? a->pid : 0,
	         b != NULL ? b->pid : 0, c->subject != NULL ? c->subject : "-",
	         c->field != NULL ? c->field : "-", c->folded ? "]" : "");
}

static bool run_diff(const char *a, const char *b, enum crimg_match match, struct told *t)
{
	char path[2][256];
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_diff *d;
	snprintf(path[0], sizeof path[0], "%s/%s", work, a);
	snprintf(path[1], sizeof path[1], "%s/%s", work, b);
	struct crimg_diff_options o = { .path = { path[0], path[1] }, .tmpdir = "/tmp", .match = match,
		                        .folded = true };
	t->text[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(crimg_diff_open(&o, &d, &err), 0);
	crimg_diff_run(d, &(struct crimg_diff_sink){ on_change, NULL, t });
	CU_ASSERT_EQUAL(d->fault.code, CRIMG_OK);
	bool differs = crimg_diff_differs(d);
	crimg_diff_close(d);
	return differs;
}

struct made_task {
	uint32_t pid, ppid;
	const char *comm;
};

static void make_tree(const char *name, const struct made_task *list, size_t count)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	inventory.img_version = 2;
	made_begin();
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_file(CRIMG_KIND_PSTREE);
	for (size_t i = 0; i < count; i++) {
		PstreeEntry p = PSTREE_ENTRY__INIT;
		p.pid = p.pgid = p.sid = list[i].pid;
		p.ppid = list[i].ppid;
		made_entry(&p);
	}
	made_seal("pstree.img");
	for (size_t i = 0; i < count; i++)
		make_core(list[i].pid, list[i].comm);
	save(name);
}

static void test_match(void)
{
	static const struct made_task a[] = { { 1, 0, "init" }, { 2, 1, "web" }, { 3, 1, "db" }, { 4, 2, "job" } };
	static const struct made_task b[] = { { 1, 0, "init" }, { 2, 1, "web" }, { 5, 1, "db" }, { 4, 1, "job" } };
	static const struct made_task c[] = { { 11, 0, "init" }, { 12, 11, "db" }, { 13, 11, "web" }, { 14, 13, "job" } };
	struct told t;
	make_tree("tree-a", a, COUNT(a));
	make_tree("tree-b", b, COUNT(b));
	make_tree("tree-c", c, COUNT(c));
	CU_ASSERT_FALSE(run_diff("tree-a", "tree-a", CRIMG_MATCH_PID, &t));
	CU_ASSERT_STRING_EQUAL(t.text, "");
	CU_ASSERT_TRUE(run_diff("tree-a", "tree-b", CRIMG_MATCH_PID, &t));
	CU_ASSERT_STRING_EQUAL(t.text, "processes gone 3-0 - -\nprocesses added 0-5 - -\n"
	                       "processes changed 4-4 - parent\n");
	// By role: db is db under another number, and the job under another parent is another job.
	CU_ASSERT_TRUE(run_diff("tree-a", "tree-b", CRIMG_MATCH_ROLE, &t));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "[processes changed 3-5 - pid]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "processes gone 4-0 - -"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "processes added 0-4 - -"));
	// No number is in both: by role, whatever was asked for; all else is folded.
	CU_ASSERT_FALSE(run_diff("tree-a", "tree-c", CRIMG_MATCH_PID, &t));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "[processes changed 4-14 - parent]"));
	CU_ASSERT_TRUE(run_diff("tree-a", "tree-c", CRIMG_MATCH_ORDER, &t));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "processes changed 2-12 - comm"));
}

// A hostile tree: many children of one name.
static void test_many_children(void)
{
	static struct made_task list[20001];
	struct told t;
	list[0] = (struct made_task){ 1, 0, "init" };
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	for (uint32_t round = 0; round < 2; round++) {
		inventory.img_version = 2;
		made_begin();
		made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
		made_file(CRIMG_KIND_PSTREE);
		for (uint32_t i = 0; i < COUNT(list); i++) {
			PstreeEntry p = PSTREE_ENTRY__INIT;
			p.pid = i + 1 + round * 100000;
			p.ppid = i == 0 ? 0 : 1 + round * 100000;
			p.pgid = p.sid = p.pid;
			made_entry(&p);
		}
		made_seal("pstree.img");
		save(round == 0 ? "many-a" : "many-b");
	}
	CU_ASSERT_FALSE(run_diff("many-a", "many-b", CRIMG_MATCH_ROLE, &t));
}

static void make_timers(const char *name, uint64_t left, uint64_t interval, uint32_t cap)
{
	static const struct made_task one = { 1, 0, "init" };
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	PstreeEntry p = PSTREE_ENTRY__INIT;
	ItimerEntry real = ITIMER_ENTRY__INIT, none = ITIMER_ENTRY__INIT;
	TaskTimersEntry timers = TASK_TIMERS_ENTRY__INIT;
	TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
	ThreadCoreEntry thread = THREAD_CORE_ENTRY__INIT;
	CredsEntry creds = CREDS_ENTRY__INIT;
	CoreEntry core = CORE_ENTRY__INIT;
	char comm[] = "init";
	uint32_t caps[2] = { cap, 0 };
	char run_id[37];
	inventory.img_version = 2;
	snprintf(run_id, sizeof run_id, "run %llu", (unsigned long long)left);
	inventory.dump_criu_run_id = run_id;
	p.pid = p.pgid = p.sid = one.pid;
	real.vsec = left;
	real.isec = interval;
	timers.real = &real;
	timers.virt = timers.prof = &none;
	tc.task_state = 1;
	tc.comm = comm;
	tc.timers = &timers;
	creds.n_cap_amb = cap == 0 ? 0 : 2; // no words are the same as words of zeros
	creds.cap_amb = caps;
	if (cap == 1)
		caps[0] = 0;
	thread.creds = &creds;
	core.mtype = CORE_ENTRY__MARCH__X86_64;
	core.tc = &tc;
	core.thread_core = &thread;
	made_begin();
	made_one("inventory.img", CRIMG_KIND_INVENTORY, &inventory);
	made_one("pstree.img", CRIMG_KIND_PSTREE, &p);
	made_one("core-1.img", CRIMG_KIND_CORE, &core);
	save(name);
}

static void test_rules(void)
{
	struct told t;
	make_timers("timer-5", 5, 10, 0);
	make_timers("timer-3", 3, 10, 1);
	make_timers("timer-0", 0, 10, 0);
	make_timers("timer-20", 5, 20, 2);
	CU_ASSERT_FALSE(run_diff("timer-5", "timer-3", CRIMG_MATCH_PID, &t));
	CU_ASSERT_STRING_EQUAL(t.text, "[timers changed 1-1 ITIMER_REAL vsec]\n"
	                       "[image changed 0-0 inventory.img dump_criu_run_id]\n");
	CU_ASSERT_TRUE(run_diff("timer-5", "timer-0", CRIMG_MATCH_PID, &t));
	CU_ASSERT_PTR_EQUAL(strstr(t.text, "timers changed 1-1 ITIMER_REAL vsec\n"), t.text);
	CU_ASSERT_TRUE(run_diff("timer-5", "timer-20", CRIMG_MATCH_PID, &t));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "timers changed 1-1 ITIMER_REAL isec"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "credentials changed 1-1 - cap_amb"));
}

// Every row of the table names a field that is.
static void test_table(void)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *field;
	} rows[] = {
#define R(message, field, rule, group) { &message##__descriptor, #field },
#include "diff/field_rules.def"
#undef R
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		CU_ASSERT_PTR_NOT_NULL(
			protobuf_c_message_descriptor_get_field_by_name(rows[i].type, rows[i].field));
		for (size_t k = 0; k < i; k++)
			CU_ASSERT_FALSE(rows[k].type == rows[i].type
			                && strcmp(rows[k].field, rows[i].field) == 0);
	}
}

// Lines.
struct lines {
	uint64_t address[64];
	bool same[64], gap[64];
	size_t count;
};

static void on_line(void *context, const struct crimg_changed_line *line)
{
	struct lines *l = context;
	CU_ASSERT_FATAL(l->count < COUNT(l->address));
	l->address[l->count] = line->address;
	l->same[l->count] = line->same;
	l->gap[l->count++] = line->gap;
	CU_ASSERT_EQUAL(line->same, memcmp(line->bytes[0], line->bytes[1], CRIMG_HEXDUMP_BYTES) == 0);
}

static void test_lines(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct opened x, y;
	struct lines l = { .count = 0 };
	static const struct made_run run = { 0x10000, 2, "aa" };
	made_begin();
	make_image(&run, 1);
	open_made(&x);
	made_begin_another();
	make_image(&run, 1);
	made.bufs[made.count - 1].data[5] = 'X';
	made.bufs[made.count - 1].data[PAGE + 16 * 20] = 'Y';
	open_made(&y);
	struct crimg_pages_range range = { 0x10000, 0x12000, CRIMG_PAGES_CHANGED, 0, { NULL, NULL } };
	struct crimg_page_change change = { .space = { &x.space, &y.space }, .range = &range };
	struct crimg_line_visitor visitor = { on_line, &l, 0 };
	CU_ASSERT_EQUAL(crimg_changed_lines(&change, &visitor, &err), 0);
	CU_ASSERT_EQUAL(l.count, 2);
	CU_ASSERT_EQUAL(l.address[0], 0x10000);
	CU_ASSERT_EQUAL(l.address[1], 0x11140);
	l.count = 0;
	visitor.around = 2;
	CU_ASSERT_EQUAL(crimg_changed_lines(&change, &visitor, &err), 0);
	CU_ASSERT_EQUAL(l.count, 3 + 5);
	CU_ASSERT_EQUAL(l.address[3], 0x11120);
	CU_ASSERT_TRUE(l.gap[3] && l.same[3] && !l.gap[4]);
	close_made(&x);
	close_made(&y);
	crimg_image_close(x.image);
	made_end(y.image);
}

static int init(void)
{
	const char *from = getenv("CRIMG_SAMPLES");
	samples = from != NULL ? from : samples;
	return mkdtemp(work) != NULL ? 0 : -1;
}

static int fini(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", work);
	return system(command);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "references", test_references },
		{ "pages", test_pages },
		{ "kinds of nothing", test_kinds_of_nothing },
		{ "moved pages", test_moved },
		{ "segments", test_segments },
		{ "matching", test_match },
		{ "many children", test_many_children },
		{ "rules of fields", test_rules },
		{ "table of rules", test_table },
		{ "changed lines", test_lines },
	};
	return SUITE_RUN("comparing images", init, fini, tests);
}
