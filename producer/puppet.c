// Puppets: the list of calls, its way to the task, and the waiting for it.
#include "producer/puppet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "format/checked.h"
#include "format/syscalls.h"

// As the instructions below know it.
struct slot {
	uint64_t number, args[6], result;
};

struct crimg_listed {
	struct slot slot;
	struct crimg_call call;
};

#define LIST_MAX 1024u
#define CODE_BYTES 4096u
#define LIST_BYTES (LIST_MAX * sizeof(struct slot))
#define LENT_AT (CODE_BYTES + LIST_BYTES)
#define LENT_BYTES (CRIMG_STAGE_BYTES - CRIMG_STAGE_PARK_BYTES - LENT_AT)
#define NO_RESULT (-4096) // of a call that was not made

_Static_assert(sizeof(struct slot) == 64, "the instructions step by 64");

// rbx: the next slot; r12: the end of the list. The first error ends it. The top bit of a number says
// that it is one of the 32-bit kernel's.
#define CALL_32 (UINT64_C(1) << 63)

__asm__(".pushsection .rodata\n"
        "crimg_puppet_code:\n"
        "1:	cmp %r12, %rbx\n"
        "	jae 2f\n"
        "	mov (%rbx), %rax\n"
        "	btr $63, %rax\n"
        "	jc 4f\n"
        "	mov 8(%rbx), %rdi\n"
        "	mov 16(%rbx), %rsi\n"
        "	mov 24(%rbx), %rdx\n"
        "	mov 32(%rbx), %r10\n"
        "	mov 40(%rbx), %r8\n"
        "	mov 48(%rbx), %r9\n"
        "crimg_puppet_syscall:\n"
        "	syscall\n"
        "3:	mov %rax, 56(%rbx)\n"
        "	add $64, %rbx\n"
        "	cmp $-4095, %rax\n"
        "	jb 1b\n"
        "2:	int3\n"
        "4:	mov %rbx, %r13\n"
        "	mov 16(%r13), %rcx\n"
        "	mov 24(%r13), %rdx\n"
        "	mov 32(%r13), %rsi\n"
        "	mov 8(%r13), %rbx\n"
        "crimg_puppet_syscall_32:\n"
        "	int $0x80\n"
        "	movslq %eax, %rax\n"
        "	mov %r13, %rbx\n"
        "	jmp 3b\n"
        "crimg_puppet_code_end:\n"
        ".popsection\n");

extern const uint8_t crimg_puppet_code[], crimg_puppet_syscall[], crimg_puppet_syscall_32[],
	crimg_puppet_code_end[];

int crimg_stage_open(struct crimg_stage *stage, uint64_t start, struct crimg_err *err)
{
	void *wanted = (void *)(uintptr_t)start;
	*stage = (struct crimg_stage){ .start = start, .end = start + CRIMG_STAGE_BYTES,
		                       .park = start + CRIMG_STAGE_BYTES - CRIMG_STAGE_PARK_BYTES };
	stage->list = calloc(LIST_MAX, sizeof *stage->list);
	stage->lent = malloc(LENT_BYTES);
	if (stage->list == NULL || stage->lent == NULL) {
		crimg_stage_close(stage);
		return crimg_fail_nomem(err, LENT_BYTES);
	}
	void *at = mmap(wanted, CRIMG_STAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (at != wanted) {
		int error = at == MAP_FAILED ? errno : EEXIST;
		stage->start = 0;
		crimg_stage_close(stage);
		return crimg_fail_sys(err, error, NULL, "room for the restart at 0x%" PRIx64, start);
	}
	memcpy(at, crimg_puppet_code, (size_t)(crimg_puppet_code_end - crimg_puppet_code));
	return 0;
}

void crimg_stage_close(struct crimg_stage *stage)
{
	if (stage->start != 0)
		munmap((void *)(uintptr_t)stage->start, CRIMG_STAGE_BYTES);
	free(stage->list);
	free(stage->lent);
	*stage = (struct crimg_stage){ .start = 0 };
}

static void name_puppet(const struct crimg_puppet *p, char *out, size_t size)
{
	snprintf(out, size, "task %u (%s)", p->shown, p->name != NULL ? p->name : "?");
}

int crimg_puppet_fail(const struct crimg_puppet *p, const struct crimg_call *call, int64_t result,
                      struct crimg_err *err)
{
	char task[80], args[160] = "";
	const struct crimg_syscall *known =
		crimg_syscall_find(call->is_32 ? CRIMG_ABI_I386 : CRIMG_ABI_X86_64,
		                   (uint64_t)call->number);
	const char *object = call->object != NULL ? call->object : "";
	size_t n = 0;
	name_puppet(p, task, sizeof task);
	for (size_t i = 0; i < 6 && n < sizeof args; i++)
		n += (size_t)snprintf(args + n, sizeof args - n, "%s0x%" PRIx64, i > 0 ? ", " : "",
		                      call->args[i]);
	if (result >= 0 || result < -4095)
		return crimg_fail(err, CRIMG_E_IO, task, CRIMG_NO_OFFSET,
		                  "%s%s%s: %s(%s) gave %" PRId64 ", %" PRId64 " wanted", call->what,
		                  object[0] != '\0' ? " " : "", object,
		                  known != NULL ? known->name : "?", args, result, call->wanted);
	return crimg_fail_sys(err, (int)-result, task, "%s%s%s: %s(%s)", call->what,
	                      object[0] != '\0' ? " " : "", object,
	                      known != NULL ? known->name : "?", args);
}

static int fail_ptrace(const struct crimg_puppet *p, const char *what, struct crimg_err *err)
{
	char task[80];
	int error = errno;
	name_puppet(p, task, sizeof task);
	if (error == ESRCH)
		return crimg_fail_sys(err, error, task, "somebody killed it (%s)", what);
	return crimg_fail_sys(err, error, task, "%s", what);
}

static int fail_end(struct crimg_puppet *p, int status, struct crimg_err *err)
{
	char task[80];
	name_puppet(p, task, sizeof task);
	if (WIFSTOPPED(status))
		return crimg_fail(err, CRIMG_E_IO, task, CRIMG_NO_OFFSET,
		                  "signal %d hit it in the middle of the restart", WSTOPSIG(status));
	p->tid = 0;
	if (WIFSIGNALED(status))
		return crimg_fail(err, CRIMG_E_IO, task, CRIMG_NO_OFFSET,
		                  "signal %d killed it in the middle of the restart", WTERMSIG(status));
	return crimg_fail(err, CRIMG_E_IO, task, CRIMG_NO_OFFSET,
	                  "it ended in the middle of the restart");
}

// Lets it run up to its next stop that is not a matter of course.
static int await(struct crimg_puppet *p, enum __ptrace_request request, int *status,
                 struct crimg_err *err)
{
	unsigned long born;
	for (;;) {
		if (ptrace(request, p->tid, NULL, NULL) < 0)
			return fail_ptrace(p, "letting it run", err);
		while (waitpid(p->tid, status, __WALL) < 0)
			if (errno != EINTR)
				return fail_ptrace(p, "waiting for it", err);
		if (!WIFSTOPPED(*status))
			return fail_end(p, *status, err);
		int event = *status >> 16;
		if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK
		    || event == PTRACE_EVENT_VFORK) {
			if (ptrace(PTRACE_GETEVENTMSG, p->tid, NULL, &born) < 0)
				return fail_ptrace(p, "asking what it created", err);
			p->born = (pid_t)born;
		} else if (event != PTRACE_EVENT_STOP && WSTOPSIG(*status) != SIGSTOP) {
			return 0;
		}
	}
}

int crimg_puppet_adopt(struct crimg_puppet *p, struct crimg_stage *stage, pid_t tid,
                       struct crimg_err *err)
{
	int status;
	p->stage = stage;
	p->tid = tid;
	while (waitpid(tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return fail_ptrace(p, "waiting for it", err);
	if (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_STOP)
		return fail_end(p, status, err);
	if (ptrace(PTRACE_GETREGS, tid, NULL, &p->regs) < 0)
		return fail_ptrace(p, "reading its registers", err);
	p->regs.orig_rax = UINT64_MAX;
	return 0;
}

uint64_t crimg_puppet_lend(struct crimg_puppet *p, const void *data, size_t length)
{
	struct crimg_stage *s = p->stage;
	uint64_t at = s->start + LENT_AT + s->lent_bytes;
	if (length > LENT_BYTES - s->lent_bytes)
		return 0; // a caller that lends more than it may: its call fails with EFAULT
	if (length > 0)
		memcpy(s->lent + s->lent_bytes, data, length);
	s->lent_bytes += (length + 15) & ~(size_t)15;
	return at;
}

int crimg_puppet_write(struct crimg_puppet *p, uint64_t address, const void *data, size_t length,
                       struct crimg_err *err)
{
	char task[80];
	struct iovec here = { (void *)(uintptr_t)data, length };
	struct iovec there = { (void *)(uintptr_t)address, length };
	ssize_t n = length > 0 ? process_vm_writev(p->tid, &here, 1, &there, 1, 0) : 0;
	if (n == (ssize_t)length)
		return 0;
	name_puppet(p, task, sizeof task);
	return crimg_fail_sys(err, n < 0 ? errno : EFAULT, task, "writing %zu bytes at 0x%" PRIx64,
	                      length, address);
}

int crimg_puppet_read(struct crimg_puppet *p, uint64_t address, void *data, size_t length,
                      struct crimg_err *err)
{
	char task[80];
	struct iovec here = { data, length }, there = { (void *)(uintptr_t)address, length };
	ssize_t n = process_vm_readv(p->tid, &here, 1, &there, 1, 0);
	if (n == (ssize_t)length)
		return 0;
	name_puppet(p, task, sizeof task);
	return crimg_fail_sys(err, n < 0 ? errno : EFAULT, task, "reading %zu bytes at 0x%" PRIx64,
	                      length, address);
}

static uint64_t list_at(const struct crimg_stage *s)
{
	return s->start + CODE_BYTES;
}

// The list and what it points at, to the puppet; room for a list's slots is in one piece.
static int send(struct crimg_puppet *p, struct slot *slots, struct crimg_err *err)
{
	struct crimg_stage *s = p->stage;
	for (size_t i = 0; i < s->count; i++)
		slots[i] = s->list[i].slot;
	if (crimg_puppet_write(p, list_at(s), slots, s->count * sizeof *slots, err) < 0)
		return -1;
	return crimg_puppet_write(p, s->start + LENT_AT, s->lent, s->lent_bytes, err);
}

// To the beginning of the list.
static int set_out(struct crimg_puppet *p, struct crimg_err *err)
{
	const struct crimg_stage *s = p->stage;
	p->regs.rip = s->start;
	p->regs.rbx = list_at(s);
	p->regs.r12 = list_at(s) + s->count * sizeof(struct slot);
	p->regs.rsp = s->park;
	p->born = 0;
	if (ptrace(PTRACE_SETREGS, p->tid, NULL, &p->regs) < 0)
		return fail_ptrace(p, "setting its registers", err);
	return 0;
}

static int run(struct crimg_puppet *p, struct crimg_err *err)
{
	int status;
	if (set_out(p, err) < 0 || await(p, PTRACE_CONT, &status, err) < 0)
		return -1;
	return WSTOPSIG(status) == SIGTRAP ? 0 : fail_end(p, status, err);
}

static int judge(const struct crimg_puppet *p, struct crimg_listed *list, const struct slot *slots,
                 size_t count, struct crimg_err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct crimg_call *c = &list[i].call;
		int64_t result = (int64_t)slots[i].result;
		if ((result < 0 && result >= -4095) || (c->exact && result != c->wanted))
			return crimg_puppet_fail(p, c, result, err);
	}
	return 0;
}

// Makes the calls; results are in slots.
static int perform(struct crimg_puppet *p, struct slot *slots, struct crimg_err *err)
{
	struct crimg_stage *s = p->stage;
	if (s->stop != NULL && *s->stop)
		return crimg_fail(err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET, "interrupted");
	if (send(p, slots, err) < 0 || run(p, err) < 0)
		return -1;
	return crimg_puppet_read(p, list_at(s), slots, s->count * sizeof *slots, err);
}

static int flush(struct crimg_puppet *p, int64_t *last, struct crimg_err *err)
{
	struct crimg_stage *s = p->stage;
	size_t judged = last != NULL ? s->count - 1 : s->count;
	struct slot *slots = malloc(LIST_BYTES);
	if (slots == NULL)
		return crimg_fail_nomem(err, LIST_BYTES);
	int rc = perform(p, slots, err);
	if (rc == 0)
		rc = judge(p, s->list, slots, judged, err);
	if (rc == 0 && last != NULL)
		*last = (int64_t)slots[judged].result;
	free(slots);
	s->count = s->lent_bytes = 0;
	return rc;
}

int crimg_puppet_flush(struct crimg_puppet *p, struct crimg_err *err)
{
	return p->stage->count > 0 ? flush(p, NULL, err) : 0;
}

static void put_on_list(struct crimg_stage *s, const struct crimg_call *call)
{
	struct crimg_listed *l = &s->list[s->count++];
	l->call = *call;
	l->slot = (struct slot){ .number = (uint64_t)call->number, .result = (uint64_t)NO_RESULT };
	l->slot.number |= call->is_32 ? CALL_32 : 0;
	memcpy(l->slot.args, call->args, sizeof l->slot.args);
}

int crimg_puppet_add(struct crimg_puppet *p, struct crimg_call call, struct crimg_err *err)
{
	struct crimg_stage *s = p->stage;
	put_on_list(s, &call);
	// One place stays free for crimg_puppet_try(), and room for what one call may point at.
	if (s->count < LIST_MAX - 1 && LENT_BYTES - s->lent_bytes >= 2 * CRIMG_LEND_MAX_BYTES)
		return 0;
	return flush(p, NULL, err);
}

int crimg_puppet_do(struct crimg_puppet *p, struct crimg_err *err, const char *what,
                    const char *object, const uint64_t numbers[7])
{
	struct crimg_call call = { .what = what, .object = object, .number = (long)numbers[0] };
	memcpy(call.args, numbers + 1, sizeof call.args);
	return crimg_puppet_add(p, call, err);
}

int crimg_puppet_try(struct crimg_puppet *p, struct crimg_call call, int64_t *result,
                     struct crimg_err *err)
{
	put_on_list(p->stage, &call);
	return flush(p, result, err);
}

// A syscall-stop on the way in, and one on the way out.
static int step(struct crimg_puppet *p, struct crimg_err *err)
{
	int status;
	for (int i = 0; i < 2; i++) {
		if (await(p, PTRACE_SYSCALL, &status, err) < 0)
			return -1;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			return fail_end(p, status, err);
	}
	return 0;
}

int crimg_puppet_leave(struct crimg_puppet *p, struct crimg_call call, struct crimg_err *err)
{
	struct crimg_stage *s = p->stage;
	struct user_regs_struct r = p->regs;
	const uint64_t *a = call.args;
	if (crimg_puppet_flush(p, err) < 0
	    || crimg_puppet_write(p, s->start + LENT_AT, s->lent, s->lent_bytes, err) < 0)
		return -1;
	s->lent_bytes = 0;
	const uint8_t *entry = call.is_32 ? crimg_puppet_syscall_32 : crimg_puppet_syscall;
	r.rip = s->start + (uint64_t)(entry - crimg_puppet_code);
	r.rax = (uint64_t)call.number;
	if (call.is_32)
		r.rbx = a[0], r.rcx = a[1], r.rdx = a[2], r.rsi = a[3];
	else
		r.rdi = a[0], r.rsi = a[1], r.rdx = a[2], r.r10 = a[3], r.r8 = a[4], r.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, p->tid, NULL, &r) < 0)
		return fail_ptrace(p, "setting its registers", err);
	if (step(p, err) < 0)
		return -1;
	if (ptrace(PTRACE_GETREGS, p->tid, NULL, &r) < 0)
		return fail_ptrace(p, "reading its registers", err);
	int64_t result = (int64_t)r.rax;
	bool bad = (result < 0 && result >= -4095) || (call.exact && result != call.wanted);
	return bad ? crimg_puppet_fail(p, &call, result, err) : 0;
}

static int begin_end(struct crimg_puppet *p, int status, struct crimg_err *err)
{
	uint64_t nothing = 0;
	int signal = WTERMSIG(status);
	struct slot slots[1];
	struct crimg_call call = { .what = "ending", .number = SYS_exit_group,
		                   .args = { (uint64_t)WEXITSTATUS(status) } };
	if (signal == SIGKILL)
		return kill(p->tid, SIGKILL);
	if (signal != 0)
		return ptrace(PTRACE_SETSIGMASK, p->tid, sizeof nothing, &nothing) < 0
			? -1 : (int)ptrace(PTRACE_CONT, p->tid, NULL, (void *)(intptr_t)signal);
	put_on_list(p->stage, &call);
	int rc = send(p, slots, err) < 0 || set_out(p, err) < 0
		? -1 : (int)ptrace(PTRACE_CONT, p->tid, NULL, NULL);
	p->stage->count = p->stage->lent_bytes = 0;
	return rc;
}

int crimg_puppet_end(struct crimg_puppet *p, int status, struct crimg_err *err)
{
	int found = 0;
	if (crimg_puppet_flush(p, err) < 0)
		return -1;
	if (begin_end(p, status, err) < 0)
		return fail_ptrace(p, "letting it end", err);
	while (waitpid(p->tid, &found, __WALL) < 0)
		if (errno != EINTR)
			return fail_ptrace(p, "waiting for its end", err);
	if (WIFSTOPPED(found))
		return fail_end(p, found, err);
	p->tid = 0;
	return 0;
}
