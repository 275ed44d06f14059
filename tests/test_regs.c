// What the view regs is made of: vectors and components put together, the system call of a thread
// and what its arguments point at, and the view itself on a real image.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "inspect/regs_parts.h"
#include "tests/suite.h"

#define SAME(found, wanted) CU_ASSERT(same((found), (wanted)))
#define B_THREADS "samples/criu/b-threads"

static bool same(const char *found, const char *wanted)
{
	if (strcmp(found, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", found, wanted);
	return strcmp(found, wanted) == 0;
}

// An image that is open, and a view on it.
static struct crimg_view_options options;
static struct crimg_buf out;
static struct crimg_view view;

static int up(void)
{
	view = (struct crimg_view){ .options = &options, .out = &out };
	return crimg_image_open(B_THREADS, NULL, NULL, &view.image, &view.damage) < 0
	       || crimg_tasks_load(view.image, &view.tasks, &view.damage) < 0
	       || crimg_files_load(view.image, &view.files, &view.damage) < 0;
}

static int down(void)
{
	crimg_sysroot_close(view.sysroot);
	crimg_files_fini(&view.files);
	crimg_tasks_fini(&view.tasks);
	crimg_image_close(view.image);
	crimg_buf_fini(&out);
	return 0;
}

// One area of memory at BASE whose bytes the test chooses: code first, data behind it.
#define BASE UINT64_C(0x10000)
#define DATA (BASE + 0x100)
static uint8_t fake[4096];

static int fake_bytes(void *context, const struct crimg_area *area, uint64_t offset, void *buf,
                      size_t length, struct crimg_err *err)
{
	(void)context;
	(void)area;
	(void)err;
	if (!crimg_in_range(offset, length, sizeof fake))
		return 0;
	memcpy(buf, fake + offset, length);
	return 1;
}

struct scene {
	VmaEntry vma;
	struct crimg_area area;
	struct crimg_debuggee d;
	UserX86RegsEntry regs;
	FdinfoEntry fd;
	const void *fds[1];
	struct crimg_call call;
};

// A thread of 64-bit code whose instruction pointer is at BASE + 2, in front of it a system call.
static void scene_begin(struct scene *s, const char *code)
{
	*s = (struct scene){ .vma = VMA_ENTRY__INIT, .regs = USER_X86_REGS_ENTRY__INIT,
		             .fd = FDINFO_ENTRY__INIT };
	memset(fake, 0, sizeof fake);
	memcpy(fake, code, 2);
	s->vma.start = BASE;
	s->vma.end = BASE + sizeof fake;
	s->vma.status = CRIMG_VMA_FILE_PRIVATE;
	s->area = (struct crimg_area){ .start = BASE, .end = s->vma.end, .vma = &s->vma,
		                       .contents = { CRIMG_NO_PAYLOAD, 0 } };
	s->d = (struct crimg_debuggee){ .view = &view, .task = &view.tasks.list[0] };
	s->d.space = (struct crimg_space){ .image = view.image,
		                           .task = s->d.task,
		                           .areas = &s->area,
		                           .count = 1,
		                           .file_bytes = fake_bytes };
	s->regs.cs = 0x33;
	s->regs.ip = BASE + 2;
	s->regs.orig_ax = UINT64_MAX;
	s->fd.fd = 3;
	s->fd.id = 0xfefefe; // of no file
	s->fds[0] = &s->fd;
}

static void call_of(struct scene *s)
{
	crimg_call_of(&s->d, (struct crimg_list){ s->fds, 1 }, &s->regs, &s->call);
}

static void text_is(struct scene *s, const char *wanted)
{
	char text[CRIMG_CALL_TEXT_MAX];
	call_of(s);
	SAME(crimg_call_text(&s->d, &s->call, text, sizeof text), wanted);
}

static void state_is(struct scene *s, enum crimg_call_state state, bool seen, const char *wanted)
{
	char text[96];
	call_of(s);
	CU_ASSERT_EQUAL(s->call.state, state);
	CU_ASSERT_EQUAL(s->call.code_seen, seen);
	SAME(crimg_call_state_text(&s->call, text, sizeof text), wanted);
}

#define CODE_SYSCALL "\x0f\x05"
#define CODE_SYSENTER "\x0f\x34"
#define CODE_INT80 "\xcd\x80"

static void test_states(void)
{
	struct scene s;
	scene_begin(&s, CODE_SYSCALL);
	state_is(&s, CRIMG_CALL_NONE, false, "none");
	s.regs.orig_ax = 34;
	s.regs.ax = (uint64_t)-4;
	state_is(&s, CRIMG_CALL_INTERRUPTED, true, "was interrupted, gives -EINTR");
	s.regs.ax = (uint64_t)-512;
	state_is(&s, CRIMG_CALL_PENDING, true,
	         "was interrupted (-ERESTARTSYS), the kernel repeats it");
	s.regs.ax = (uint64_t)-516;
	state_is(&s, CRIMG_CALL_PENDING, true,
	         "was interrupted (-ERESTART_RESTARTBLOCK), the kernel goes on with it");
	s.regs.ax = 34; // its own number, but not in front of it: a result
	state_is(&s, CRIMG_CALL_RETURNED, true, "gave 34");
	s.regs.ip = BASE;
	state_is(&s, CRIMG_CALL_RESTARTS, true, "starts again");
	s.regs.ip = 0x5000; // no memory there
	state_is(&s, CRIMG_CALL_RESTARTS, false, "starts again, judging by the registers");
	s.regs.ip = BASE;
	s.regs.orig_ax = UINT64_MAX;
	state_is(&s, CRIMG_CALL_ENTERING, true, "is the next instruction");
	text_is(&s, "pause()");
	for (int i = CRIMG_CALL_NONE; i <= CRIMG_CALL_RETURNED; i++)
		CU_ASSERT_PTR_NOT_NULL(crimg_call_state_word((enum crimg_call_state)i));
}

static void test_modes(void)
{
	struct scene s;
	scene_begin(&s, CODE_INT80); // 64-bit code may call by int 0x80 too
	s.regs.orig_ax = 4;
	s.regs.ax = 5;
	s.regs.bx = UINT64_C(0x700000003);
	s.regs.cx = UINT64_C(0x800000000);
	s.regs.dx = 5;
	text_is(&s, "write(3 <file 16711422 is missing>, NULL, 5)");
	CU_ASSERT_EQUAL(s.call.abi, CRIMG_ABI_I386);
	scene_begin(&s, CODE_SYSENTER);
	s.regs.cs = 0x23;
	s.regs.orig_ax = UINT32_MAX; // -1 in 32 bits
	s.regs.ip = UINT64_C(0x100000002) + BASE;
	state_is(&s, CRIMG_CALL_NONE, false, "none");
	s.regs.orig_ax = 29;
	s.regs.ax = UINT64_C(0xfffffffc);
	state_is(&s, CRIMG_CALL_INTERRUPTED, true, "was interrupted, gives -EINTR");
	text_is(&s, "pause()");
	scene_begin(&s, CODE_SYSCALL);
	s.regs.orig_ax = 100000;
	s.regs.di = 1;
	text_is(&s, "system call 100000(0x1, 0, 0, 0, 0, 0)");
	s.regs.orig_ax = 134; // a name without a signature
	text_is(&s, "uselib(0x1, 0, 0, 0, 0, 0)");
}

static void put_pair(uint64_t at, uint64_t a, uint64_t b)
{
	crimg_put_u64(fake + (at - BASE), a);
	crimg_put_u64(fake + (at - BASE) + 8, b);
}

static void arguments(struct scene *s, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                      uint64_t d, uint64_t e)
{
	s->regs.orig_ax = number;
	s->regs.di = a;
	s->regs.si = b;
	s->regs.dx = c;
	s->regs.r10 = d;
	s->regs.r8 = e;
	s->regs.r9 = 0;
}

static void test_times(void)
{
	struct scene s;
	scene_begin(&s, CODE_SYSCALL);
	put_pair(DATA, 90, 500000000);
	put_pair(DATA + 16, 1764000000, 0);
	put_pair(DATA + 32, 5, 1000000000); // no time
	arguments(&s, 35, DATA, 0, 0, 0, 0);
	text_is(&s, "nanosleep(0x10100 {1 min 30.500 s}, NULL)");
	arguments(&s, 230, 1, 0, DATA, 0, 0);
	text_is(&s, "clock_nanosleep(CLOCK_MONOTONIC, 0, 0x10100 {1 min 30.500 s}, NULL)");
	arguments(&s, 230, 1, 1, DATA, 0, 0);
	text_is(&s, "clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, 0x10100 {until 1 min 30.500 "
	            "s}, NULL)");
	arguments(&s, 230, 0, 1, DATA + 16, 0, 0);
	text_is(&s,
	        "clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, 0x10110 {until 2025-11-24 16:00:00 "
	        "UTC}, NULL)");
	arguments(&s, 35, DATA + 32, BASE + sizeof fake - 8, 0, 0, 0);
	text_is(&s, "nanosleep(0x10120 {5, 1000000000}, 0x10ff8)");
	arguments(&s, 35, BASE + sizeof fake - 8, UINT64_MAX, 0, 0, 0); // leaves the area
	text_is(&s, "nanosleep(0x10ff8, 0xffffffffffffffff)");
	arguments(&s, 243, 3, DATA, 8, 0, DATA + 16);
	text_is(&s,
	        "mq_timedreceive(3 <file 16711422 is missing>, 0x10100, 8, NULL, 0x10110 {until "
	        "2025-11-24 16:00:00 UTC})");
}

static void test_futexes(void)
{
	struct scene s;
	scene_begin(&s, CODE_SYSCALL);
	put_pair(DATA, 2, 500000000);
	arguments(&s, 202, DATA, 0, 2, DATA, 0);
	text_is(&s, "futex(0x10100 {2}, FUTEX_WAIT, 2, 0x10100 {2.500 s})");
	arguments(&s, 202, DATA, 0x81, 1, 0, 0);
	text_is(&s, "futex(0x10100 {2}, FUTEX_WAKE_PRIVATE, 1)");
	arguments(&s, 202, DATA, 0x89, 2, DATA, 0);
	s.regs.r9 = UINT32_MAX;
	text_is(&s, "futex(0x10100 {2}, FUTEX_WAIT_BITSET_PRIVATE, 2, 0x10100 {until 2.500 s})");
	s.regs.r9 = 3;
	text_is(&s, "futex(0x10100 {2}, FUTEX_WAIT_BITSET_PRIVATE, 2, 0x10100 {until 2.500 s}, "
	            "NULL, 0x3)");
	arguments(&s, 202, DATA, 4, 1, 7, DATA);
	text_is(&s, "futex(0x10100 {2}, FUTEX_CMP_REQUEUE, 1, 7, 0x10100, 0)");
	arguments(&s, 202, 0x77, 7, 0, 0, 0);
	text_is(&s, "futex(0x77, FUTEX_UNLOCK_PI)");
}

static void test_lists(void)
{
	struct scene s;
	scene_begin(&s, CODE_SYSCALL);
	for (uint32_t i = 0; i < 10; i++) {
		crimg_put_u32(fake + 0x100 + 8 * i, i + 3);
		crimg_put_u16(fake + 0x104 + 8 * i, 1);
	}
	arguments(&s, 7, DATA, 2, UINT32_MAX, 0, 0);
	text_is(&s,
	        "poll(0x10100 [3 <file 16711422 is missing> POLLIN, 4 <not open> POLLIN], 2, -1)");
	arguments(&s, 7, DATA, 10, 100, 0, 0);
	text_is(&s, "poll(0x10100 [3 POLLIN, 4 POLLIN, 5 POLLIN, 6 POLLIN, 7 POLLIN, 8 POLLIN, "
	            "9 POLLIN, 10 POLLIN, …], 10, 100 ms)");
	arguments(&s, 7, BASE + sizeof fake - 8, UINT64_MAX, 0, 0, 0); // one entry, then nothing
	text_is(&s, "poll(0x10ff8 [0 0, …], 18446744073709551615, 0)");
	arguments(&s, 7, 0x99, 3, 0, 0, 0);
	text_is(&s, "poll(0x99, 3, 0)");
	put_pair(DATA, 0x4002, 0);
	put_pair(DATA + 16, DATA, 8);
	arguments(&s, 128, DATA, 0, 0, 8, 0);
	text_is(&s, "rt_sigtimedwait(0x10100 [SIGINT SIGTERM], NULL, NULL, 8)");
	arguments(&s, 270, 4, 0, 0, 0, 0);
	s.regs.r9 = DATA + 16;
	text_is(&s, "pselect6(4, NULL, NULL, NULL, NULL, 0x10110 [SIGINT SIGTERM])");
	put_pair(DATA, ~UINT64_C(2), 0);
	arguments(&s, 130, DATA, 8, 0, 0, 0);
	text_is(&s, "rt_sigsuspend(0x10100 all but [SIGINT], 8)");
	put_pair(DATA, UINT64_C(1) << 63 | 9, 1);
	arguments(&s, 23, 65, DATA, 0, DATA, 0);
	text_is(&s, "select(65, 0x10100 [0 3 63 64], NULL, 0x10100 [0 3 63 64], NULL)");
	arguments(&s, 23, UINT32_MAX, DATA, 0, 0, 0);
	text_is(&s, "select(-1, 0x10100, NULL, NULL, NULL)");
}

static void test_texts(void)
{
	static const uint8_t inet[] = { 2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t unix_[] = { 1, 0, 0, 'a', 0, 'b' };
	struct scene s;
	scene_begin(&s, CODE_SYSCALL);
	memcpy(fake + 0x100, "/etc/\x1b[1m", 10);
	memcpy(fake + 0x200, inet, sizeof inet);
	memcpy(fake + 0x300, unix_, sizeof unix_);
	memset(fake + sizeof fake - 200, 'x', 200);
	arguments(&s, 2, DATA, 02, 0, 0, 0);
	text_is(&s, "open(0x10100 \"/etc/\\x1b[1m\", O_RDWR, 00)");
	arguments(&s, 80, BASE + sizeof fake - 3, 0, 0, 0, 0); // no NUL before the end of the area
	text_is(&s, "chdir(0x10ffd \"xxx\")");
	arguments(&s, 257, 0xffffff9c, 0x66, 0, 0, 0);
	text_is(&s, "openat(AT_FDCWD, 0x66, O_RDONLY, 00)");
	arguments(&s, 42, 9, BASE + 0x200, 16, 0, 0);
	text_is(&s, "connect(9 <not open>, 0x10200 {127.0.0.1:8080}, 16)");
	arguments(&s, 42, 9, BASE + 0x200, 7, 0, 0); // too short for an address
	text_is(&s, "connect(9 <not open>, 0x10200 {family 2}, 7)");
	arguments(&s, 42, 9, BASE + 0x300, 6, 0, 0);
	text_is(&s, "connect(9 <not open>, 0x10300 {unix @a\\x00b}, 6)");
	arguments(&s, 42, 9, BASE + 0x300, UINT64_MAX, 0, 0);
	CU_ASSERT_EQUAL(s.regs.dx, UINT64_MAX);
	call_of(&s);
	char text[CRIMG_CALL_TEXT_MAX];
	for (size_t size = 1; size < 80; size++) // any space is enough not to crash
		CU_ASSERT(strlen(crimg_call_text(&s.d, &s.call, text, size)) < size);
}

// Whatever the registers hold: every number, pointers to everywhere.
static void test_any_registers(void)
{
	struct scene s;
	char text[CRIMG_CALL_TEXT_MAX];
	uint64_t seed = 1;
	scene_begin(&s, CODE_SYSCALL);
	for (size_t i = 0; i < sizeof fake; i++)
		fake[i] = (uint8_t)(i * 37 ^ i >> 3);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t *r = &s.regs.r15;
		for (unsigned k = 0; k < 27; k++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			r[k] = (seed >> 60) < 8 ? BASE + (seed >> 33) % sizeof fake
			                        : seed >> (seed >> 58);
		}
		s.regs.cs = i % 3 == 0 ? 0x23 : 0x33;
		s.regs.orig_ax = i % 480;
		call_of(&s);
		CU_ASSERT(crimg_call_text(&s.d, &s.call, text, sizeof text)[0] != '\0');
	}
}

// What samples/criu/b-threads.txt says that its threads did.
static void test_threads(void)
{
	static const struct {
		uint32_t tid;
		const char *call;
		enum crimg_call_state state;
	} rows[] = {
		{ 10366, "clock_nanosleep(CLOCK_REALTIME, 0, 0x7ffc0127c6b0 {100 ms}, NULL)",
		  CRIMG_CALL_INTERRUPTED },
		{ 10367, "futex(0x55b6f094e164 {0}, FUTEX_WAIT, 0, NULL)", CRIMG_CALL_RESTARTS },
		{ 10368, "futex(0x55b6f094e168 {0}, FUTEX_WAIT, 0, NULL)", CRIMG_CALL_RESTARTS },
		{ 10369, "futex(0x55b6f094e16c {0}, FUTEX_WAIT_PRIVATE, 0, 0x7f530fffee90 {1 h 0 "
		         "min 0 s})",
		  CRIMG_CALL_INTERRUPTED },
		{ 10370, "clock_nanosleep(CLOCK_REALTIME, 0, 0x7f530f7fde90 {1 h 0 min 0 s}, NULL)",
		  CRIMG_CALL_INTERRUPTED },
		{ 10371, "poll(NULL, 0, -1)", CRIMG_CALL_INTERRUPTED },
		{ 10372, NULL, CRIMG_CALL_NONE },
		{ 10373, "rt_sigtimedwait(0x7f530dffae10 [SIGRTMIN+7], NULL, NULL, 8)",
		  CRIMG_CALL_INTERRUPTED },
	};
	const struct crimg_task *task = &view.tasks.list[0];
	const struct crimg_list none = { NULL, 0 };
	struct crimg_debuggee d;
	char text[CRIMG_CALL_TEXT_MAX];
	CU_ASSERT_FATAL(crimg_debuggee_open(&view, task, &d));
	CU_ASSERT_EQUAL_FATAL(task->thread_count, sizeof rows / sizeof *rows);
	for (size_t i = 0; i < task->thread_count; i++) {
		struct crimg_call call;
		CU_ASSERT_EQUAL(task->threads[i].tid, rows[i].tid);
		crimg_call_of(&d, none, task->threads[i].core->thread_info->gpregs, &call);
		CU_ASSERT_EQUAL(call.state, rows[i].state);
		CU_ASSERT_FALSE(call.code_seen); // libc's code is not in the image
		if (rows[i].call != NULL)
			SAME(crimg_call_text(&d, &call, text, sizeof text), rows[i].call);
	}
	crimg_debuggee_close(&d);
}

static void test_registers(void)
{
	struct crimg_reg_facts f;
	struct scene s;
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	scene_begin(&s, "xx");
	memcpy(fake + 0x100, "some text", 10);
	s.regs.sp = BASE + 0x80;
	s.regs.bx = DATA;
	s.regs.bp = BASE + 0x80;
	s.regs.cx = BASE;
	s.regs.flags = 0x246;
	info.gpregs = &s.regs;
	const struct crimg_regs r = { .view = &view, .d = &s.d, .info = &info };
	CU_ASSERT_FATAL(crimg_reg_facts(&r, "rbx", &f));
	CU_ASSERT_EQUAL(f.value, DATA);
	CU_ASSERT(f.address && f.on_stack && f.where[0] != '\0');
	CU_ASSERT_EQUAL(f.above_sp, 0x80);
	SAME(f.string, "\"some text\"");
	CU_ASSERT(crimg_reg_facts(&r, "rbp", &f) && f.on_stack && f.above_sp == 0);
	CU_ASSERT(crimg_reg_facts(&r, "rsp", &f) && !f.on_stack && f.where[0] != '\0');
	CU_ASSERT(crimg_reg_facts(&r, "rcx", &f) && !f.on_stack); // below it
	CU_ASSERT(crimg_reg_facts(&r, "eflags", &f) && !f.address && f.where[0] == '\0');
	CU_ASSERT(crimg_reg_facts(&r, "rax", &f) && f.where[0] == '\0' && f.string[0] == '\0');
	CU_ASSERT_FALSE(crimg_reg_facts(&r, "eax", &f));
	CU_ASSERT_FALSE(crimg_reg_facts(&r, "", &f));
	for (size_t i = 0; crimg_regs_order64[i] != NULL; i++)
		CU_ASSERT(crimg_reg_facts(&r, crimg_regs_order64[i], &f));
	const struct crimg_regs r32 = { .view = &view, .d = &s.d, .info = &info, .is_32 = true };
	for (size_t i = 0; crimg_regs_order32[i] != NULL; i++)
		CU_ASSERT(crimg_reg_facts(&r32, crimg_regs_order32[i], &f));
	for (size_t i = 0; crimg_regs_others[i] != NULL; i++)
		CU_ASSERT(crimg_reg_facts(&r32, crimg_regs_others[i], &f));
}

// Byte b of register n is n * 64 + b + 1, as far as the message reaches.
struct fpu {
	UserX86FpregsEntry fp;
	UserX86XsaveEntry xsave;
	uint32_t st[32], xmm[64], ymm[64], pkru[2];
	uint64_t zmm[64], hi16[128], k[8], bnd[8];
};

static void fpu_begin(struct fpu *f)
{
	uint8_t b[8];
	*f = (struct fpu){ .fp = USER_X86_FPREGS_ENTRY__INIT, .xsave = USER_X86_XSAVE_ENTRY__INIT };
	for (unsigned n = 0; n < 32; n++)
		for (unsigned at = 0; at < 64; at += 8) {
			for (unsigned i = 0; i < 8; i++)
				b[i] = (uint8_t)(n * 64 + at + i + 1);
			uint64_t v = crimg_get_u64(b);
			if (n >= 16)
				f->hi16[8 * (n - 16) + at / 8] = v;
			else if (at >= 32)
				f->zmm[4 * n + (at - 32) / 8] = v;
			else
				memcpy((at < 16 ? f->xmm : f->ymm) + 4 * n + at % 16 / 4, &v, 8);
		}
	f->fp.n_st_space = 32;
	f->fp.st_space = f->st;
	f->fp.n_xmm_space = f->xsave.n_ymmh_space = f->xsave.n_zmm_upper = 64;
	f->fp.xmm_space = f->xmm;
	f->xsave.ymmh_space = f->ymm;
	f->xsave.zmm_upper = f->zmm;
	f->xsave.n_hi16_zmm = 128;
	f->xsave.hi16_zmm = f->hi16;
	f->xsave.n_opmask_reg = 8;
	f->xsave.opmask_reg = f->k;
	f->xsave.xstate_bv = 0xe7;
	f->fp.xsave = &f->xsave;
}

static void test_vectors(void)
{
	struct fpu f;
	struct crimg_vectors v;
	char t[CRIMG_VECTOR_TEXT_MAX];
	fpu_begin(&f);
	f.k[7] = 9;
	crimg_vectors_load(&f.fp, &v);
	CU_ASSERT_EQUAL(v.count, 32);
	CU_ASSERT_EQUAL(v.bytes, 64);
	for (unsigned n = 0; n < 32; n++)
		for (unsigned b = 0; b < 64; b++)
			CU_ASSERT_EQUAL(v.value[n][b], (uint8_t)(n * 64 + b + 1));
	CU_ASSERT(v.has_masks && v.masks[7] == 9 && v.masks[0] == 0);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 3), 64);
	memset(v.value[3] + 32, 0, 32);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 3), 32);
	memset(v.value[3] + 16, 0, 16);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 3), 16);
	memset(v.value[3], 0, 16);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 3), 0);
	SAME(crimg_vector_text(v.value[0], 16, " ", t, sizeof t),
	     "100f0e0d0c0b0a09 0807060504030201");
	SAME(crimg_vector_text(v.value[0], 16, NULL, t, sizeof t),
	     "100f0e0d0c0b0a090807060504030201");
	CU_ASSERT_EQUAL(strlen(crimg_vector_text(v.value[0], 64, " ", t, sizeof t)), 135);
	f.fp.xsave = NULL;
	crimg_vectors_load(&f.fp, &v);
	CU_ASSERT(v.count == 16 && v.bytes == 16 && !v.has_masks);
	f.fp.n_xmm_space = 5; // one register and a bit
	crimg_vectors_load(&f.fp, &v);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 0), 16);
	CU_ASSERT_EQUAL(crimg_vector_width(&v, 1), 0);
}

static void test_x87(void)
{
	struct fpu f;
	struct crimg_x87_reg st[8];
	fpu_begin(&f);
	f.fp.swd = 6u << 11;
	f.fp.twd = 0x40; // physical register 6 is st(0)
	f.st[1] = 0xc0000000;
	f.st[2] = 0xbfff;
	crimg_x87_load(&f.fp, st);
	CU_ASSERT_EQUAL(st[0].physical, 6);
	CU_ASSERT_EQUAL(st[2].physical, 0);
	CU_ASSERT_EQUAL(st[0].tag, CRIMG_X87_VALID);
	CU_ASSERT_EQUAL(st[1].tag, CRIMG_X87_EMPTY);
	SAME(st[0].value, "-1.5");
	SAME(st[0].raw, "bfffc000000000000000");
	f.fp.n_st_space = 0;
	crimg_x87_load(&f.fp, st);
	SAME(st[0].value, "0");
}

static void test_keys(void)
{
	char t[512];
	SAME(crimg_pkru_text(0, t, sizeof t), "");
	SAME(crimg_pkru_text(0x55555554, t, sizeof t), "keys 1-15 no access");
	SAME(crimg_pkru_text(2, t, sizeof t), "key 0 read only");
	SAME(crimg_pkru_text(0xc0000028, t, sizeof t), "keys 1-2 read only, key 15 no access");
	SAME(crimg_pkru_text(0x99999999, t, 20), "key 0 no access, ke"); // cut, terminated
	SAME(crimg_cet_text(0, t, sizeof t), "");
	SAME(crimg_cet_text(0x43, t, sizeof t), "SH_STK_EN WR_SHSTK_EN 0x40");
}

// A note as the kernel writes it, with bits that CRIU's message has no place for.
static void test_components(void)
{
	static uint8_t note[11008];
	struct fpu f;
	struct crimg_xstate_part p;
	size_t at = 0, end = 0;
	ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	struct crimg_regs r = { .view = &view, .info = &info };
	fpu_begin(&f);
	info.fpregs = &f.fp;
	f.xsave.xstate_bv = 0x800000000000e1b;
	f.xsave.n_opmask_reg = 3;
	CU_ASSERT(crimg_xstate_part(&r, 0, &p) && p.listed && p.placed && p.held == 160);
	CU_ASSERT(crimg_xstate_part(&r, 2, &p) && !p.listed && p.present);
	CU_ASSERT(crimg_xstate_part(&r, 3, &p) && p.listed && !p.present && p.offset == 960);
	CU_ASSERT(crimg_xstate_part(&r, 5, &p) && p.present && p.held == 24 && p.size == 64);
	CU_ASSERT(crimg_xstate_part(&r, 11, &p) && p.listed && !p.placed && !p.present);
	CU_ASSERT(crimg_xstate_part(&r, 59, &p) && p.name == NULL && !p.present);
	CU_ASSERT_FALSE(crimg_xstate_part(&r, 18, &p));
	CU_ASSERT_FALSE(crimg_xstate_rest(&r, &at, &end));
	crimg_put_u64(note + CRIMG_XSAVE_XCR0, 0x600e7);
	crimg_put_u64(note + 512, 0x400e7);
	note[2816] = note[2700] = 1;
	r.note = (struct crimg_xstate_note){ note, sizeof note };
	CU_ASSERT(crimg_xstate_part(&r, 18, &p) && p.listed && p.raw == note + 2816);
	CU_ASSERT_EQUAL(p.held, 8192);
	CU_ASSERT(crimg_xstate_part(&r, 17, &p) && !p.listed && p.raw == note + 2752);
	CU_ASSERT(crimg_xstate_rest(&r, &at, &end) && at == 2688 && end == 2752);
	at = end;
	CU_ASSERT_FALSE(crimg_xstate_rest(&r, &at, &end));
	for (size_t length = 0; length < 3000; length++) { // notes of any length
		r.note.length = length;
		for (unsigned bit = 0; bit < 64; bit++)
			if (crimg_xstate_part(&r, bit, &p) && p.raw != NULL)
				CU_ASSERT(p.offset + p.size <= length);
		for (at = 0; crimg_xstate_rest(&r, &at, &end); at = end)
			CU_ASSERT(at < end && end <= length);
	}
	crimg_put_u64(note + 520, UINT64_C(1) << 63); // compacted: no place is known
	r.note.length = sizeof note;
	CU_ASSERT_FALSE(crimg_xstate_part(&r, 18, &p));
	at = 0;
	CU_ASSERT(crimg_xstate_rest(&r, &at, &end) && at == 576 && end == sizeof note);
}

static void has(const char *text, const char *wanted)
{
	if (strstr(text, wanted) == NULL)
		printf("\n  not found: %s\n", wanted);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
}

static const char *shown(bool all, bool json)
{
	struct crimg_json j = crimg_json_make(&out, false);
	out.length = 0;
	options.all = all;
	view.json = json ? &j : NULL;
	if (json)
		crimg_json_object(&j, NULL);
	crimg_view_regs(&view);
	if (json) {
		crimg_json_end(&j);
		CU_ASSERT_EQUAL(crimg_json_finish(&j, NULL), 0);
	}
	view.json = NULL;
	options.all = false;
	CU_ASSERT_EQUAL(crimg_buf_append(&out, "", 1, NULL), 0);
	CU_ASSERT_EQUAL(view.fault.code, CRIMG_OK);
	return (const char *)out.data;
}

static void test_view(void)
{
	const char *text = shown(false, false);
	has(text, "10366 thr-main, thread 10367 thr-1, 64-bit\n"
	          "  syscall     futex(0x55b6f094e164 {0}, FUTEX_WAIT, 0, NULL): starts again");
	has(text, "\n  rax         00000000000000ca  202\n");
	has(text, "\n  rsp         00007ffc0127c660  [stack]+0x1f660\n");
	has(text, "\n  eflags      0000000000000293  CF AF SF IF\n");
	has(text, "\n  segments    cs 33 (user code, 64-bit), ss 2b (user data)\n");
	CU_ASSERT_PTR_NULL(strstr(text, "\n  st0 "));
	text = shown(true, false);
	has(text, "\n  st0         00000000000000000000  empty    0\n");
	has(text, "\n  tls         GDT 12: empty\n");
	has(text, "\n  xsave       7 Hi16_ZMM: in use, 1024 B at 1664\n");
	text = shown(false, true);
	has(text, "{\"regs\": [{\"pid\": 10366, \"comm\": \"thr-main\", \"threads\": [{\"tid\": "
	          "10366, ");
	has(text, "\"rax\": {\"value\": \"0xca\", \"where\": null, \"above_sp\": null, "
	          "\"string\": null}");
	has(text, "\"syscall\": {\"number\": 7, \"name\": \"poll\", \"abi\": \"x86-64\", "
	          "\"state\": \"interrupted\", \"judged_by\": \"registers\", \"result\": "
	          "\"-EINTR\", ");
	has(text, "{\"bit\": 5, \"name\": \"opmask\", \"offset\": 1088, \"size\": 64, "
	          "\"in_use\": true, \"present\": true, \"bytes\": 64, \"data\": null}");
	options.has_tid = true;
	options.tid = 10372;
	text = shown(false, false);
	has(text, "10366 thr-main, thread 10372 thr-6, 64-bit\n  syscall     none");
	CU_ASSERT_PTR_NULL(strstr(text, "10373"));
	options.has_tid = false;
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "states of calls", test_states },
		{ "modes", test_modes },
		{ "times", test_times },
		{ "futexes", test_futexes },
		{ "lists", test_lists },
		{ "texts", test_texts },
		{ "any registers", test_any_registers },
		{ "real threads", test_threads },
		{ "general registers", test_registers },
		{ "vectors", test_vectors },
		{ "x87", test_x87 },
		{ "keys", test_keys },
		{ "components", test_components },
		{ "view", test_view },
	};
	return SUITE_RUN("registers", up, down, tests);
}
