// Puppets: a list of calls is one stop, errors name the task and the call, what a call creates is there,
// and the last call may take the stage away, whatever becomes of SIGTRAP.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer/puppet.h"
#include "producer/restart_birth.h"
#include "tests/suite.h"

#define STAGE UINT64_C(0x200000000000) // nothing is there, with AddressSanitizer either
#define LOW_STAGE UINT64_C(0x20000000) // for pointers of 32 bits
#define PAGE 4096u

static struct crimg_stage stage;
static pid_t root;

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static struct crimg_puppet make_puppet(void)
{
	struct crimg_puppet p = { .shown = 7, .name = "doll" };
	struct crimg_err err = CRIMG_ERR_INIT;
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, SIGTRAP);
	sigprocmask(SIG_SETMASK, &all, &old);
	root = fork();
	if (root == 0)
		sleep_for_ever();
	sigprocmask(SIG_SETMASK, &old, NULL);
	const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK
		| PTRACE_O_TRACECLONE;
	CU_ASSERT_FATAL(root > 0 && ptrace(PTRACE_SEIZE, root, NULL, options) == 0);
	CU_ASSERT_FATAL(ptrace(PTRACE_INTERRUPT, root, NULL, NULL) == 0);
	CU_ASSERT_FATAL(crimg_puppet_adopt(&p, &stage, root, &err) == 0);
	return p;
}

static void drop(struct crimg_puppet *p)
{
	if (p->tid != 0) {
		kill(p->tid, SIGKILL);
		waitpid(p->tid, NULL, __WALL);
	}
}

static int set_up(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	return crimg_stage_open(&stage, STAGE, &err);
}

static int tear_down(void)
{
	crimg_stage_close(&stage);
	return 0;
}

// More calls than a list holds; each result is judged.
static void test_list(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_puppet p = make_puppet();
	char text[64] = "", wanted[] = "what was lent";
	uint64_t room = STAGE - 16 * PAGE;
	CU_ASSERT(CRIMG_DO(&p, &err, "room", NULL, SYS_mmap, room, PAGE, 3,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0) == 0);
	for (int i = 0; i < 5000; i++) {
		struct crimg_call call = { .what = "itself", .number = SYS_getpid, .exact = true,
			                   .wanted = root };
		CU_ASSERT(crimg_puppet_add(&p, call, &err) == 0);
	}
	CU_ASSERT(crimg_puppet_flush(&p, &err) == 0);
	CU_ASSERT(crimg_puppet_write(&p, room, wanted, sizeof wanted, &err) == 0);
	CU_ASSERT(crimg_puppet_read(&p, room, text, sizeof wanted, &err) == 0);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	CU_ASSERT(err.code == CRIMG_OK);
	drop(&p);
}

static void test_errors(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_puppet p = make_puppet();
	int64_t result = 0;
	struct crimg_call call = { .what = "closing", .object = "/nothing", .number = SYS_close,
		                   .args = { 4711 } };
	CU_ASSERT(crimg_puppet_try(&p, call, &result, &err) == 0 && result == -EBADF);
	CU_ASSERT(crimg_puppet_add(&p, call, &err) == 0);
	CU_ASSERT(crimg_puppet_flush(&p, &err) < 0);
	CU_ASSERT_STRING_EQUAL(err.source, "task 7 (doll)");
	CU_ASSERT_STRING_EQUAL(err.text, "closing /nothing: close(0x1267, 0x0, 0x0, 0x0, 0x0, 0x0): "
	                                 "Bad file descriptor");
	CU_ASSERT_EQUAL(err.sys_errno, EBADF);
	err = CRIMG_ERR_INIT;
	call = (struct crimg_call){ .what = "itself", .number = SYS_getpid, .exact = true, .wanted = 1 };
	CU_ASSERT(crimg_puppet_add(&p, call, &err) == 0 && crimg_puppet_flush(&p, &err) < 0);
	CU_ASSERT(strstr(err.text, ", 1 wanted") != NULL);
	// What comes behind an error is not made: the address that it would have taken is free.
	err = CRIMG_ERR_INIT;
	uint64_t room = STAGE - 16 * PAGE;
	CU_ASSERT(CRIMG_DO(&p, &err, "closing", NULL, SYS_close, 4711) == 0);
	CU_ASSERT(CRIMG_DO(&p, &err, "room", NULL, SYS_mmap, room, PAGE, 3,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0) == 0);
	CU_ASSERT(crimg_puppet_flush(&p, &err) < 0);
	char byte;
	CU_ASSERT(crimg_puppet_read(&p, room, &byte, 1, &err) < 0);
	drop(&p);
}

// Calls of the 32-bit kernel among others: what they point at is as 32-bit programs have it.
static void test_32(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	crimg_stage_close(&stage);
	CU_ASSERT_FATAL(crimg_stage_open(&stage, LOW_STAGE, &err) == 0);
	struct crimg_puppet p = make_puppet();
	struct crimg_call call = { .what = "itself", .number = 20, .is_32 = true, .exact = true,
		                   .wanted = root };
	static const SaEntry ignored = { .sigaction = 1, .flags = 0x04000000, .restorer = 0x1234 };
	uint32_t found[5] = { 0 };
	if (!crimg_restart_can_32()) {
		drop(&p);
		return;
	}
	for (int i = 0; i < 3; i++) {
		CU_ASSERT(crimg_puppet_add(&p, call, &err) == 0);
		CU_ASSERT(CRIMG_DO(&p, &err, "itself", NULL, SYS_getpid) == 0);
	}
	CU_ASSERT(crimg_puppet_add(&p, crimg_restart_action_32(&p, SIGUSR1, &ignored), &err) == 0);
	uint64_t at = crimg_puppet_lend(&p, found, sizeof found);
	call = (struct crimg_call){ .what = "what it does", .number = 174, .is_32 = true,
		                    .args = { SIGUSR1, 0, at, 8 } };
	CU_ASSERT(crimg_puppet_add(&p, call, &err) == 0 && crimg_puppet_flush(&p, &err) == 0);
	CU_ASSERT(crimg_puppet_read(&p, at, found, sizeof found, &err) == 0);
	CU_ASSERT(found[0] == 1 && found[2] == 0x1234);
	call.args[0] = 65;
	CU_ASSERT(crimg_puppet_leave(&p, call, &err) < 0);
	CU_ASSERT(strstr(err.text, "what it does: rt_sigaction(0x41, 0x0, 0x20") == err.text);
	CU_ASSERT_EQUAL(err.sys_errno, EINVAL);
	drop(&p);
}

static void test_killed(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_puppet p = make_puppet();
	kill(root, SIGKILL);
	CU_ASSERT(CRIMG_DO(&p, &err, "itself", NULL, SYS_getpid) == 0);
	CU_ASSERT(crimg_puppet_flush(&p, &err) < 0);
	CU_ASSERT_STRING_EQUAL(err.source, "task 7 (doll)");
	drop(&p);
	waitpid(root, NULL, __WALL);
}

// A child that ends with a code, one that a signal ends: their mother finds it so.
static void expect_end(int status)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_puppet p = make_puppet(), child = { .name = "child" };
	int found = 0;
	// A number of one's choice is for root; else whichever.
	if (geteuid() != 0) {
		drop(&p);
		return;
	}
	CU_ASSERT_FATAL(crimg_restart_bear(&p, 0, 30011, &child, &err) == 0);
	CU_ASSERT_EQUAL(child.tid, 30011);
	CU_ASSERT(crimg_restart_end(&child, (uint32_t)status, &err) == 0);
	CU_ASSERT_EQUAL(child.tid, 0);
	uint64_t at = crimg_puppet_lend(&p, &found, sizeof found);
	CU_ASSERT(CRIMG_DO(&p, &err, "its child", NULL, SYS_wait4, 30011, at, WNOHANG) == 0);
	CU_ASSERT(crimg_puppet_flush(&p, &err) == 0);
	CU_ASSERT(crimg_puppet_read(&p, at, &found, sizeof found, &err) == 0);
	CU_ASSERT_EQUAL(found, status);
	drop(&p);
}

static void test_ends(void)
{
	expect_end(42 << 8);
	expect_end(SIGTERM);
	expect_end(SIGSEGV);
	expect_end(SIGKILL);
}

static void test_leave(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_puppet p = make_puppet();
	static const uint64_t ignore[4] = { 1, 0x04000000, 0, 0 };
	uint64_t mask = UINT64_MAX, blocked = 0;
	CU_ASSERT(ptrace(PTRACE_SETSIGMASK, p.tid, sizeof mask, &mask) == 0);
	struct crimg_call call = { .what = "SIGTRAP", .number = SYS_rt_sigaction,
		                   .args = { SIGTRAP, crimg_puppet_lend(&p, ignore, sizeof ignore), 0, 8 } };
	CU_ASSERT(crimg_puppet_leave(&p, call, &err) == 0);
	call = (struct crimg_call){ .what = "leaving", .number = SYS_munmap,
		                    .args = { stage.start, stage.end - stage.start } };
	CU_ASSERT(crimg_puppet_leave(&p, call, &err) == 0);
	char byte;
	CU_ASSERT(crimg_puppet_read(&p, stage.start, &byte, 1, &err) < 0);
	CU_ASSERT(ptrace(PTRACE_GETSIGMASK, p.tid, sizeof blocked, &blocked) == 0);
	CU_ASSERT((blocked >> (SIGTRAP - 1) & 1) == 1);
	char path[64], line[256];
	bool ignored = false;
	snprintf(path, sizeof path, "/proc/%d/status", p.tid);
	FILE *f = fopen(path, "re");
	unsigned long long set;
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "SigIgn: %llx", &set) == 1)
			ignored = (set >> (SIGTRAP - 1) & 1) == 1;
	if (f != NULL)
		fclose(f);
	CU_ASSERT(ignored);
	drop(&p);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "a list", test_list },     { "errors", test_errors }, { "killed", test_killed },
		{ "ends", test_ends },       { "leaving", test_leave }, { "32-bit calls", test_32 },
	};
	return SUITE_RUN("puppets", set_up, tear_down, tests);
}
