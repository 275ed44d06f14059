// What CRIU's messages say of a kernel stream otherwise than the stream does, or not at all. All of it is
// carried in the records, so nothing is lost; a process that criu restores goes on without it.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/ledger.h"
#include "format/syscalls.h"
#include "format/tcp_state.h"
#include "readers/linuxcr_records.h"

#define INIT_PID 1
#define SIGCHLD_NUMBER 17u
#define DUMP_FILTER 0x1fcu       // of mm's flags: what a core dump takes
#define DUMP_FILTER_USUAL 0x8cu
#define NS_PER_US 1000u
// Of an area: what its message says, and what the kernel finds by itself.
#define VM_TOLD 0x8c7fb9ffu

struct noting {
	const struct linuxcr_image *m;
	struct crimg_ledger *ledger;
	struct crimg_err *err;
};

__attribute__((format(printf, 5, 6))) static int note(struct noting *n, enum crimg_kind kind,
						       uint64_t id, const char *field,
						       const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int rc = crimg_ledger_vnote_of(n->ledger, kind, id, field, n->err, format, args);
	va_end(args);
	return rc;
}

static int note_tree(struct noting *n)
{
	const struct linuxcr *c = &n->m->c;
	if (c->tasks[0].pid == INIT_PID)
		return 0; // a container's are outside for good
	for (size_t i = 0; i < c->task_count; i++)
		if (c->tasks[i].sid == 0)
			return note(n, CRIMG_KIND_PSTREE, 0, "sid",
				    "the session's leader is not in the tree: 0 (criu restore "
				    "--shell-job puts the tasks into the session it runs in)");
	return 0;
}

// What the posting has no record of.
static int note_posting(struct noting *n)
{
	const struct linuxcr_profile *p = &n->m->c.stream.profile;
	if (note(n, CRIMG_KIND_TIMENS, 0, "monotonic",
		 "not in kernel streams: clocks are those of the machine that restores")
	    < 0)
		return -1;
	if (p->task_v23)
		return 0;
	if (note(n, CRIMG_KIND_CORE, (uint64_t)n->m->c.tasks[0].pid, "thread_core.sas",
		 "not in streams of %s: no task has an alternate signal stack",
		 linuxcr_profile_name(p))
	    < 0)
		return -1;
	return note(n, CRIMG_KIND_FS, (uint64_t)n->m->c.tasks[0].tgid, "umask",
		    "not in streams of %s: 022", linuxcr_profile_name(p));
}

static int note_call(struct noting *n, const struct linuxcr_task *t)
{
	UserX86RegsEntry regs;
	const char *what = linuxcr_registers(n->m, t, &regs);
	enum crimg_abi abi = linuxcr_is_32(n->m, t) ? CRIMG_ABI_I386 : CRIMG_ABI_X86_64;
	const struct crimg_syscall *call = crimg_syscall_find(abi, (uint32_t)regs.orig_ax);
	return what == NULL ? 0
			    : note(n, CRIMG_KIND_CORE, (uint64_t)t->pid, "thread_info.gpregs",
				   "the system call %s that the checkpoint interrupted %s",
				   call != NULL ? call->name : "without a name", what);
}

// The code that a 32-bit task waits in is that of another kernel now.
static int note_place(struct noting *n, const struct linuxcr_task *t)
{
	const struct linuxcr_object *mm = linuxcr_task_object(&n->m->c, t, 1);
	UserX86RegsEntry regs;
	(void)linuxcr_registers(n->m, t, &regs);
	for (const struct linuxcr_record *r = mm != NULL ? mm->first : NULL; r != NULL; r = r->sibling)
		if (linuxcr_u32(r, CRIMG_LCR_VMA_TYPE) == CRIMG_LCR_VMA_VDSO
		    && regs.ip >= linuxcr_u64(r, CRIMG_LCR_VMA_START)
		    && regs.ip < linuxcr_u64(r, CRIMG_LCR_VMA_END))
			return note(n, CRIMG_KIND_CORE, (uint64_t)t->pid, "thread_info.gpregs.ip",
				    "the task stands within the vDSO, whose code is not in the "
				    "stream: it cannot go on there");
	return 0;
}

static uint64_t queued_signals(const struct linuxcr_image *m, const struct linuxcr_record *pending)
{
	uint32_t each = m->c.stream.profile.task_v23 ? CRIMG_LCR_SIGINFO_V23 : CRIMG_LCR_SIGINFO_V19;
	uint64_t set = 0;
	for (uint32_t i = 0; i < linuxcr_u32(pending, 0); i++) {
		uint32_t number = linuxcr_u32(pending, CRIMG_LCR_SIGPENDING_PAYLOAD + i * each);
		if (number >= 1 && number <= 64)
			set |= UINT64_C(1) << (number - 1);
	}
	return set;
}

static int note_pending(struct noting *n, const struct linuxcr_task *t, const char *field,
			const struct linuxcr_record *pending)
{
	uint64_t bare = pending == NULL ? 0
					: linuxcr_u64(pending, CRIMG_LCR_SIGPENDING_SET)
						  & ~queued_signals(n->m, pending);
	return bare == 0 ? 0
			 : note(n, CRIMG_KIND_CORE, (uint64_t)t->pid, field,
				"signals 0x%llx wait without a siginfo: dropped",
				(unsigned long long)bare);
}

static int note_task(struct noting *n, const struct linuxcr_task *t)
{
	const struct linuxcr_task_places *at = linuxcr_task_places(&n->m->c.stream.profile);
	const struct linuxcr_object *signal = linuxcr_task_object(&n->m->c, t, 5);
	uint32_t sent = linuxcr_u32(t->task, at->exit_signal);
	uint64_t id = (uint64_t)t->pid;
	if (t->zombie || t->cpu == NULL)
		return 0;
	if (note_call(n, t) < 0 || note_place(n, t) < 0
	    || note_pending(n, t, "thread_core.signals_p", t->pending) < 0
	    || (signal != NULL && t->pid == t->tgid
		&& note_pending(n, t, "tc.signals_s", signal->parts[0]) < 0))
		return -1;
	if (t->pid == t->tgid && sent != SIGCHLD_NUMBER
	    && note(n, CRIMG_KIND_CORE, id, "exit_signal",
		    "its parent is sent %u when it ends: CRIU knows SIGCHLD alone", sent)
		       < 0)
		return -1;
	if (t->cpu->length == CRIMG_LCR_CPU_PAYLOAD_V18
	    && !crimg_all_zero(t->cpu->data + CRIMG_LCR_CPU_PAYLOAD,
			       CRIMG_LCR_CPU_PAYLOAD_V18 - CRIMG_LCR_CPU_PAYLOAD)
	    && note(n, CRIMG_KIND_CORE, id, "thread_info", "debug registers: dropped") < 0)
		return -1;
	if (t->creds != NULL && linuxcr_u32(t->creds, 0) != linuxcr_u32(t->creds, 4))
		return note(n, CRIMG_KIND_CORE, id, "thread_core.creds",
			    "the credentials that it uses for a while are others: dropped");
	return 0;
}

static int note_tasks(struct noting *n)
{
	for (size_t i = 0; i < n->m->c.task_count; i++)
		if (n->m->c.tasks[i].task != NULL && note_task(n, &n->m->c.tasks[i]) < 0)
			return -1;
	return 0;
}

static int note_process(struct noting *n, const struct model_process *p)
{
	const struct linuxcr *c = &n->m->c;
	const struct linuxcr_task *t = linuxcr_living(n->m, p);
	uint32_t timers = 16u * linuxcr_u16(c->header, CRIMG_LCR_CONST_RLIMITS);
	const struct linuxcr_object *signal = t == NULL ? NULL : linuxcr_task_object(c, t, 5);
	const struct linuxcr_object *mm = t == NULL ? NULL : linuxcr_task_object(c, t, 1);
	uint64_t id = (uint64_t)p->pid;
	bool uneven = false;
	for (uint32_t i = 0; signal != NULL && i < 6; i++)
		uneven = uneven || linuxcr_u64(signal->body, timers + 8 * i) % NS_PER_US != 0;
	if (uneven && note(n, CRIMG_KIND_CORE, id, "tc.timers", "rounded up to microseconds") < 0)
		return -1;
	if (signal != NULL && linuxcr_u32(signal->body, timers + 48) != 0
	    && note(n, CRIMG_KIND_CORE, id, "tc", "the controlling terminal is not restored") < 0)
		return -1;
	if (mm == NULL)
		return 0;
	if ((linuxcr_u32(mm->body, CRIMG_LCR_MM_FLAGS) & DUMP_FILTER) != DUMP_FILTER_USUAL
	    && note(n, CRIMG_KIND_MM, id, "", "what a core dump takes of it (0x%x): the default",
		    (linuxcr_u32(mm->body, CRIMG_LCR_MM_FLAGS) & DUMP_FILTER) >> 2)
		       < 0)
		return -1;
	if (mm->parts[2] != NULL && mm->parts[2]->length > 0
	    && note(n, CRIMG_KIND_MM, id, "",
		    "the local descriptor table (%u entries): CRIU restores none",
		    mm->parts[2]->length / 8)
		       < 0)
		return -1;
	for (const struct linuxcr_record *r = mm->first; r != NULL; r = r->sibling)
		if ((linuxcr_u64(r, CRIMG_LCR_VMA_FLAGS) & ~(uint64_t)VM_TOLD) != 0
		    && note(n, CRIMG_KIND_MM, id, "vmas", "flags 0x%llx of the area at 0x%llx: dropped",
			    (unsigned long long)(linuxcr_u64(r, CRIMG_LCR_VMA_FLAGS)
						 & ~(uint64_t)VM_TOLD),
			    (unsigned long long)linuxcr_u64(r, CRIMG_LCR_VMA_START))
			       < 0)
			return -1;
	return 0;
}

static int note_processes(struct noting *n)
{
	for (size_t i = 0; i < n->m->tasks.process_count; i++)
		if (note_process(n, &n->m->tasks.processes[i]) < 0)
			return -1;
	return 0;
}

static int note_namespaces(struct noting *n)
{
	const struct linuxcr *c = &n->m->c;
	for (size_t i = 0; i < linuxcr_count(c, CRIMG_LCR_OBJ_UTS_NS); i++)
		if (note(n, CRIMG_KIND_UTSNS, (uint64_t)linuxcr_nth(c, CRIMG_LCR_OBJ_UTS_NS, i)->ref,
			 "", "system, release, version and machine: those of the kernel that goes on")
		    < 0)
			return -1;
	for (size_t i = 0; i < linuxcr_count(c, CRIMG_LCR_OBJ_IPC_NS); i++) {
		const struct linuxcr_object *o = linuxcr_nth(c, CRIMG_LCR_OBJ_IPC_NS, i);
		if (note(n, CRIMG_KIND_IPC_VAR, (uint64_t)o->ref, "",
			 "limits of POSIX message queues: the defaults")
			    < 0
		    || (o->first != NULL
			&& note(n, CRIMG_KIND_IPC_VAR, (uint64_t)o->ref, "",
				"times, last users and sequence numbers of its objects: begun anew")
				   < 0))
			return -1;
	}
	return 0;
}

static bool has_packets(const struct linuxcr_object *o)
{
	for (const struct linuxcr_record *r = o->first; r != NULL; r = r->sibling)
		if (r->kind == CRIMG_LCR_SOCKET_BUFFER)
			return true;
	return false;
}

static int note_connection(struct noting *n, const struct linuxcr_object *o)
{
	uint64_t id = (uint64_t)o->ref;
	if (note(n, CRIMG_KIND_TCP_STREAM, id, "opt_mask",
		 "timestamps, selective acknowledgement and scaled windows are not in kernel streams: none")
	    < 0)
		return -1;
	if ((linuxcr_u32(o->parts[0], CRIMG_LCR_TCP_URG) & 0xffff) != 0
	    && note(n, CRIMG_KIND_TCP_STREAM, id, "", "that a byte is urgent: dropped") < 0)
		return -1;
	return note(n, CRIMG_KIND_TCP_STREAM, id, "",
		    "round-trip times, congestion and retransmission: measured anew (criu restore "
		    "--tcp-established)");
}

static int note_inet(struct noting *n, const struct linuxcr_object *o)
{
	bool tcp = linuxcr_socket_is_tcp(o);
	if (tcp && crimg_tcp_is_connected(linuxcr_socket_state(o)) && note_connection(n, o) < 0)
		return -1;
	if (tcp
	    && (linuxcr_u32(o->parts[0], CRIMG_LCR_TCP_KEEPALIVE) != 0
		|| linuxcr_u32(o->parts[0], CRIMG_LCR_TCP_KEEPALIVE + 4) != 0)
	    && note(n, CRIMG_KIND_FILES, 0, "isk.tcp_opts",
		    "socket %d: times of keep-alive are in ticks of a length that is not told: the system's", o->ref)
		       < 0)
		return -1;
	return tcp || !has_packets(o) ? 0
				      : note(n, CRIMG_KIND_SK_QUEUES, 0, "",
					     "what waits in internet socket %d: dropped", o->ref);
}

static int note_opened(struct noting *n)
{
	const struct linuxcr *c = &n->m->c;
	for (size_t i = 0; i < linuxcr_count(c, CRIMG_LCR_OBJ_SOCK); i++) {
		const struct linuxcr_object *o = linuxcr_nth(c, CRIMG_LCR_OBJ_SOCK, i);
		if (!o->partial && linuxcr_socket_is_inet(o) && note_inet(n, o) < 0)
			return -1;
	}
	for (size_t i = 0; i < linuxcr_count(c, CRIMG_LCR_OBJ_TTY); i++) {
		const struct linuxcr_object *o = linuxcr_nth(c, CRIMG_LCR_OBJ_TTY, i);
		if (o->first != NULL && linuxcr_u32(o->first, CRIMG_LCR_LDISC_WAITING) != 0
		    && note(n, CRIMG_KIND_TTY_INFO, 0, "",
			    "%u bytes that wait in the line discipline of terminal %d: dropped",
			    linuxcr_u32(o->first, CRIMG_LCR_LDISC_WAITING), o->ref)
			       < 0)
			return -1;
	}
	return 0;
}

// Objects that no message of CRIU's has a place for.
static int note_carried(struct noting *n)
{
	static const struct {
		uint32_t type;
		const char *what;
	} carried[] = {
		{CRIMG_LCR_OBJ_MNT_NS, "mount namespaces: that of who restores"},
		{CRIMG_LCR_OBJ_NET_NS, "network namespaces: that of who restores"},
		{CRIMG_LCR_OBJ_SECURITY, "security labels: none"},
		{CRIMG_LCR_OBJ_SEM_UNDO, "what semaphores are given back at exit: nothing"},
	};
	const struct linuxcr *c = &n->m->c;
	for (size_t i = 0; i < sizeof carried / sizeof carried[0]; i++)
		if (linuxcr_count(c, carried[i].type) > 0
		    && note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "", "%s", carried[i].what) < 0)
			return -1;
	if (linuxcr_count(c, CRIMG_LCR_OBJ_USER_NS) > 1)
		return note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "",
			    "user namespaces below the first: that of who restores");
	return 0;
}

int linuxcr_notes(const struct linuxcr_image *m, struct crimg_ledger *ledger, struct crimg_err *err)
{
	static int (*const parts[])(struct noting *) = {
		note_tree, note_posting, note_tasks, note_processes, note_opened, note_namespaces,
		note_carried,
	};
	struct noting n = {.m = m, .ledger = ledger, .err = err};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i](&n) < 0)
			return -1;
	return 0;
}
