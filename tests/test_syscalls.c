// System calls: numbers as the kernel's headers have them, every signature made of known kinds,
// arguments and results in words.
#include <stdio.h>
#include <string.h>

#include "format/syscalls.h"
#include "tests/suite.h"

#define SAME(found, wanted) CU_ASSERT(same((found), (wanted)))

static bool same(const char *found, const char *wanted)
{
	if (strcmp(found, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", found, wanted);
	return strcmp(found, wanted) == 0;
}

// A real peer: the header of the machine that runs this. Machines without it pass.
static void check_header(enum crimg_abi abi, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256], name[64];
	unsigned number, seen = 0;
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "#define __NR_%63s %u", name, &number) != 2)
			continue;
		const struct crimg_syscall *call = crimg_syscall_find(abi, number);
		seen++;
		if (call == NULL)
			printf("\n  %s %u is not in the table\n", name, number);
		else
			SAME(call->name, name);
		CU_ASSERT_PTR_NOT_NULL(call);
	}
	CU_ASSERT(f == NULL || seen > 300);
	if (f != NULL)
		fclose(f);
}

static void test_numbers(void)
{
	static const struct {
		enum crimg_abi abi;
		uint64_t number;
		const char *name;
	} rows[] = {
		{ CRIMG_ABI_X86_64, 0, "read" },     { CRIMG_ABI_X86_64, 202, "futex" },
		{ CRIMG_ABI_X86_64, 335, "uretprobe" }, { CRIMG_ABI_X86_64, 469, "file_setattr" },
		{ CRIMG_ABI_I386, 0, "restart_syscall" }, { CRIMG_ABI_I386, 3, "read" },
		{ CRIMG_ABI_I386, 102, "socketcall" }, { CRIMG_ABI_I386, 240, "futex" },
		{ CRIMG_ABI_I386, 469, "file_setattr" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct crimg_syscall *call = crimg_syscall_find(rows[i].abi, rows[i].number);
		CU_ASSERT_PTR_NOT_NULL_FATAL(call);
		SAME(call->name, rows[i].name);
	}
	CU_ASSERT_PTR_NULL(crimg_syscall_find(CRIMG_ABI_X86_64, 336 + 10)); // a hole
	CU_ASSERT_PTR_NULL(crimg_syscall_find(CRIMG_ABI_X86_64, 470));
	CU_ASSERT_PTR_NULL(crimg_syscall_find(CRIMG_ABI_I386, UINT64_MAX));
	check_header(CRIMG_ABI_X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
	check_header(CRIMG_ABI_I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h");
}

// Put back together, the parts of a signature give the signature.
static void check_signature(const struct crimg_syscall *call)
{
	struct crimg_syscall_arg args[CRIMG_SYSCALL_ARGS];
	char text[256] = "";
	size_t count = crimg_syscall_args(call, args);
	CU_ASSERT_EQUAL(count == SIZE_MAX, call->arguments == NULL);
	if (count == SIZE_MAX)
		return;
	CU_ASSERT_FATAL(count <= CRIMG_SYSCALL_ARGS);
	for (size_t i = 0; i < count; i++) {
		const char *word = crimg_arg_word(args[i].kind);
		size_t used = strlen(text);
		bool alone = strcmp(args[i].name, word) == 0;
		snprintf(text + used, sizeof text - used, "%s%s%s%s", i > 0 ? " " : "",
		         args[i].name, alone ? "" : ":", alone ? "" : word);
	}
	SAME(text, call->arguments);
}

static void test_signatures(void)
{
	unsigned known = 0;
	for (uint64_t i = 0; i < 512; i++)
		for (int abi = CRIMG_ABI_X86_64; abi <= CRIMG_ABI_I386; abi++) {
			const struct crimg_syscall *call =
				crimg_syscall_find((enum crimg_abi)abi, i);
			if (call != NULL)
				check_signature(call);
			known += call != NULL && call->arguments != NULL;
		}
	CU_ASSERT(known > 400);
}

static void test_arguments(void)
{
	static const struct {
		enum crimg_arg kind;
		uint64_t value;
		const char *text;
	} rows[] = {
		{ CRIMG_ARG_HEX, 0, "0" },
		{ CRIMG_ARG_HEX, 0x1f, "0x1f" },
		{ CRIMG_ARG_INT, UINT32_MAX, "-1" },
		{ CRIMG_ARG_INT, UINT64_MAX, "-1" },
		{ CRIMG_ARG_UINT, UINT64_MAX, "4294967295" },
		{ CRIMG_ARG_LONG, UINT64_MAX, "-1" },
		{ CRIMG_ARG_SIZE, UINT64_MAX, "18446744073709551615" },
		{ CRIMG_ARG_OCTAL, 0644, "0644" },
		{ CRIMG_ARG_OCTAL, 0, "00" },
		{ CRIMG_ARG_FD, 0xffffff9c, "AT_FDCWD" },
		{ CRIMG_ARG_FD, 3, "3" },
		{ CRIMG_ARG_FD, UINT32_MAX, "-1" },
		{ CRIMG_ARG_MS, UINT32_MAX, "-1" },
		{ CRIMG_ARG_MS, 0, "0" },
		{ CRIMG_ARG_MS, 5, "5 ms" },
		{ CRIMG_ARG_SIGNAL, 15, "SIGTERM" },
		{ CRIMG_ARG_SIGMASK, 0x4002, "[SIGINT SIGTERM]" },
		{ CRIMG_ARG_CLOCK, 1, "CLOCK_MONOTONIC" },
		{ CRIMG_ARG_CLOCK, 99, "99" },
		{ CRIMG_ARG_FAMILY, 2, "inet" },
		{ CRIMG_ARG_RLIMIT, 7, "NOFILE" },
		{ CRIMG_ARG_SCHED, 1, "SCHED_FIFO" },
		{ CRIMG_ARG_OPEN, 02001, "O_WRONLY|O_APPEND" },
		{ CRIMG_ARG_FDFLAGS, 0, "0" },
		{ CRIMG_ARG_PROT, 0, "PROT_NONE" },
		{ CRIMG_ARG_PROT, 3, "PROT_READ|PROT_WRITE" },
		{ CRIMG_ARG_ABSTIME, 0, "0" },
		{ CRIMG_ARG_ABSTIME, 1, "TIMER_ABSTIME" },
		{ CRIMG_ARG_EPOLL, 3, "EPOLL_CTL_MOD" },
		{ CRIMG_ARG_FCNTL, 7, "F_SETLKW" },
		{ CRIMG_ARG_FCNTL, 999, "999" },
		{ CRIMG_ARG_FLOCK, 6, "LOCK_EX|LOCK_NB" },
		{ CRIMG_ARG_FUTEX, 0, "FUTEX_WAIT" },
		{ CRIMG_ARG_FUTEX, 128, "FUTEX_WAIT_PRIVATE" },
		{ CRIMG_ARG_FUTEX, 0x189, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME" },
		{ CRIMG_ARG_FUTEX, 0x10000063, "99|0x10000000" },
		{ CRIMG_ARG_IDTYPE, 3, "P_PIDFD" },
		{ CRIMG_ARG_IPCCALL, 0x1000c, "MSGRCV|0x10000" },
		{ CRIMG_ARG_IPCFLAGS, 04000, "IPC_NOWAIT" },
		{ CRIMG_ARG_MSG, 0x4100, "MSG_WAITALL|MSG_NOSIGNAL" },
		{ CRIMG_ARG_SIGHOW, 2, "SIG_SETMASK" },
		{ CRIMG_ARG_SOCKETCALL, 17, "RECVMSG" },
		{ CRIMG_ARG_WAIT, 0, "0" },
		{ CRIMG_ARG_WAIT, 0x80000001, "WNOHANG|__WCLONE" },
		{ CRIMG_ARG_WHENCE, 1, "SEEK_CUR" },
		{ CRIMG_ARG_ADDRESS, 0, "NULL" },
		{ CRIMG_ARG_STRING, 0x10, "0x10" },
	};
	char t[256];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		SAME(crimg_arg_text(rows[i].kind, CRIMG_ABI_X86_64, rows[i].value, t, sizeof t),
		     rows[i].text);
	// Words are half as wide.
	SAME(crimg_arg_text(CRIMG_ARG_LONG, CRIMG_ABI_I386, UINT32_MAX, t, sizeof t), "-1");
	SAME(crimg_arg_text(CRIMG_ARG_SIZE, CRIMG_ABI_I386, UINT64_MAX, t, sizeof t), "4294967295");
	SAME(crimg_arg_text(CRIMG_ARG_ADDRESS, CRIMG_ABI_I386, UINT64_C(0x100000000), t, sizeof t),
	     "NULL");
	for (int kind = 0; kind < CRIMG_ARG_COUNT; kind++) // every kind has words for every number
		for (uint64_t v = 0; v < 64; v++)
			CU_ASSERT(crimg_arg_text((enum crimg_arg)kind, CRIMG_ABI_X86_64,
			                         UINT64_C(1) << v, t, sizeof t)[0]
			          != '\0');
}

static void test_results(void)
{
	static const struct {
		int64_t result;
		const char *text;
		bool restart;
	} rows[] = {
		{ 0, "0", false },
		{ 5, "5", false },
		{ -4, "-EINTR", false },
		{ -11, "-EAGAIN", false },
		{ -512, "-ERESTARTSYS", true },
		{ -513, "-ERESTARTNOINTR", true },
		{ -514, "-ERESTARTNOHAND", true },
		{ -515, "-515", false },
		{ -516, "-ERESTART_RESTARTBLOCK", true },
		{ 0x7f0000000000, "0x7f0000000000", false },
		{ INT64_MIN, "0x8000000000000000", false },
	};
	char t[64];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SAME(crimg_syscall_result_text(rows[i].result, t, sizeof t), rows[i].text);
		CU_ASSERT_EQUAL(crimg_syscall_is_restart(rows[i].result), rows[i].restart);
	}
	SAME(crimg_poll_events_text(0x2011, t, sizeof t), "POLLIN|POLLHUP|POLLRDHUP");
	SAME(crimg_poll_events_text(0x8000, t, sizeof t), "0x8000");
	SAME(crimg_poll_events_text(0, t, sizeof t), "0");
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "numbers", test_numbers },
		{ "signatures", test_signatures },
		{ "arguments", test_arguments },
		{ "results", test_results },
	};
	return SUITE_RUN("system calls", NULL, NULL, tests);
}
