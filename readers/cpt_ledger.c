// What CRIU's messages say of an OpenVZ image otherwise than the image does, or not at all. All of it is carried in the
// records, so nothing is lost; a container that criu restores goes on without it.
#include "format/ledger.h"
#include "format/syscalls.h"
#include "format/tcp_state.h"
#include "readers/cpt_records.h"

struct noting {
	const struct cpt_image *m;
	struct crimg_ledger *ledger;
	struct crimg_err *err;
};

__attribute__((format(printf, 5, 6))) static int note(struct noting *n, enum crimg_kind kind, uint64_t id,
						       const char *field, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int rc = crimg_ledger_vnote_of(n->ledger, kind, id, field, n->err, format, args);
	va_end(args);
	return rc;
}

static int note_call(struct noting *n, const struct cpt_object *t)
{
	UserX86RegsEntry regs;
	const char *what = cpt_registers(&n->m->c, t, &regs);
	bool compat = regs.mode == USER_X86_REGS_MODE__COMPAT;
	const struct crimg_syscall *call =
		crimg_syscall_find(compat ? CRIMG_ABI_I386 : CRIMG_ABI_X86_64, (uint32_t)regs.orig_ax);
	return what == NULL ? 0
			    : note(n, CRIMG_KIND_CORE, cpt_get(&n->m->c, t, CRIMG_CPT_TASK_PID), "thread_info.gpregs",
				   "the system call %s that the checkpoint interrupted %s",
				   call != NULL ? call->name : "without a name", what);
}

static bool has_breakpoints(const struct cpt *c, const struct cpt_object *t)
{
	const struct cpt_object *r = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_X86_64_REGS);
	enum crimg_cpt_field field = CRIMG_CPT_X86_64_REGS_DEBUGREG;
	if (r == NULL) {
		r = cpt_child(c, t, NULL, CRIMG_CPT_OBJ_X86_REGS);
		field = CRIMG_CPT_X86_REGS_DEBUGREG;
	}
	return r != NULL && (cpt_at(c, r, field, 7) & 0xff) != 0; // enabled ones
}

static int note_tasks(struct noting *n)
{
	const struct cpt *c = &n->m->c;
	for (size_t i = 0; i < cpt_count(c, CRIMG_CPT_OBJ_TASK); i++) {
		const struct cpt_object *t = cpt_task(n->m, i);
		if (cpt_is_dead(c, t))
			continue;
		if (note_call(n, t) < 0)
			return -1;
		if (has_breakpoints(c, t)
		    && note(n, CRIMG_KIND_CORE, cpt_get(c, t, CRIMG_CPT_TASK_PID), "thread_info", "debug registers: dropped")
			       < 0)
			return -1;
	}
	return 0;
}

static int note_memory(struct noting *n)
{
	const struct cpt *c = &n->m->c;
	for (size_t i = 0; i < cpt_count(c, CRIMG_CPT_OBJ_MM); i++) {
		const struct cpt_object *o = NULL, *mm = cpt_nth(c, CRIMG_CPT_OBJ_MM, i);
		while ((o = cpt_child(c, mm, o, CRIMG_CPT_OBJ_BITS)) != NULL)
			if (o->content == CRIMG_CPT_CONTENT_MM_CONTEXT
			    && note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "",
				    "the local descriptor table of address space %u (%llu entries): CRIU restores none", cpt_id(mm),
				    (unsigned long long)cpt_data_bytes(c, o) / 8)
				       < 0)
				return -1;
	}
	return 0;
}

// What waits in the socket and has no place.
static int note_packets(struct noting *n, const struct cpt_object *s)
{
	enum { RECEIVE = 1, WRITE, OUT_OF_ORDER };
	const struct cpt *c = &n->m->c;
	bool tcp = cpt_is_tcp(c, s);
	uint64_t ahead = 0, to_send = 0;
	const struct cpt_object *skb = NULL;
	while ((skb = cpt_child(c, s, skb, CRIMG_CPT_OBJ_SKB)) != NULL) {
		uint64_t queue = cpt_get(c, skb, CRIMG_CPT_SKB_QUEUE), length = cpt_get(c, skb, CRIMG_CPT_SKB_LEN);
		ahead += queue == OUT_OF_ORDER ? length : 0;
		to_send += queue == WRITE && !tcp ? length : 0;
	}
	if (ahead > 0
	    && note(n, CRIMG_KIND_TCP_STREAM, cpt_id(s), "",
		    "%llu bytes that came ahead of others: dropped, the peer sends them again", (unsigned long long)ahead)
		       < 0)
		return -1;
	return to_send == 0 ? 0
			    : note(n, CRIMG_KIND_SK_QUEUES, 0, "", "%llu bytes that socket %u had not sent yet: dropped",
				   (unsigned long long)to_send, cpt_id(s));
}

static int note_connection(struct noting *n, const struct cpt_object *s)
{
	const struct cpt *c = &n->m->c;
	if (!cpt_is_tcp(c, s) || !crimg_tcp_is_connected(cpt_u32(c, s, CRIMG_CPT_SOCKET_STATE)))
		return 0;
	if (note(n, CRIMG_KIND_TCP_STREAM, cpt_id(s), "",
		 "round-trip times, congestion and retransmission: measured anew (criu restore --tcp-established)")
	    < 0)
		return -1;
	return cpt_get(c, s, CRIMG_CPT_SOCKET_URG_DATA) == 0
		       ? 0
		       : note(n, CRIMG_KIND_TCP_STREAM, cpt_id(s), "", "that a byte is urgent: dropped");
}

static int note_sockets(struct noting *n)
{
	const struct cpt *c = &n->m->c;
	size_t waiting = 0, orphans = 0;
	for (size_t i = 0; i < cpt_count(c, CRIMG_CPT_OBJ_SOCKET); i++) {
		const struct cpt_object *s = cpt_nth(c, CRIMG_CPT_OBJ_SOCKET, i);
		bool held = cpt_ref(c, s, CRIMG_CPT_SOCKET_FILE) != NULL;
		orphans += !held && s->section == CRIMG_CPT_SECT_ORPHANS;
		waiting += !held && s->section != CRIMG_CPT_SECT_ORPHANS;
		if (held && (note_connection(n, s) < 0 || note_packets(n, s) < 0))
			return -1;
	}
	if (waiting > 0
	    && note(n, CRIMG_KIND_FILES, 0, "", "%zu connections that nobody has accepted yet: dropped", waiting) < 0)
		return -1;
	return orphans == 0 ? 0
			    : note(n, CRIMG_KIND_FILES, 0, "", "%zu connections that were closed and not at their end: dropped",
				   orphans);
}

static bool has_tar(const struct cpt *c)
{
	for (size_t i = 0; i < cpt_count(c, CRIMG_CPT_OBJ_VFSMOUNT); i++) {
		const struct cpt_object *o = NULL, *mount = cpt_nth(c, CRIMG_CPT_OBJ_VFSMOUNT, i);
		while ((o = cpt_child(c, mount, o, CRIMG_CPT_OBJ_NAME)) != NULL)
			if (o->content == CRIMG_CPT_CONTENT_DATA)
				return true;
	}
	return false;
}

// Objects that no message of CRIU's has a place for.
static int note_carried(struct noting *n)
{
	static const struct {
		enum crimg_cpt_object kind;
		const char *what;
	} carried[] = {
		{CRIMG_CPT_OBJ_UBC, "beancounters: none"},
		{CRIMG_CPT_OBJ_NET_CONNTRACK, "tracked connections: none"},
		{CRIMG_CPT_OBJ_NET_CONNTRACK_EXPECT, "connections that were expected: none"},
		{CRIMG_CPT_OBJ_NET_IFADDR, "addresses of network devices: none"},
		{CRIMG_CPT_OBJ_SYSVSEM_UNDO_REC, "what semaphores are given back at exit: nothing"},
		{CRIMG_CPT_OBJ_AIO_CONTEXT, "contexts of asynchronous I/O: none"},
		{CRIMG_CPT_OBJ_OPENREQ, "connections that are being opened: dropped"},
		{CRIMG_CPT_OBJ_SOCK_MCADDR, "memberships in multicast groups: none"},
		{CRIMG_CPT_OBJ_INOTIFY_EVENT, "events that nobody has read: dropped"},
		{CRIMG_CPT_OBJ_MOUNT_DATA, "options of network file systems: none"},
		{CRIMG_CPT_OBJ_NET_TAP_FILTER, "filters of tap devices: none"},
	};
	const struct cpt *c = &n->m->c;
	for (size_t i = 0; i < sizeof carried / sizeof carried[0]; i++)
		if (cpt_count(c, carried[i].kind) > 0
		    && note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "", "%s", carried[i].what) < 0)
			return -1;
	if (cpt_in_section(c, CRIMG_CPT_SECT_SNMP_STATS, NULL) != NULL
	    && note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "", "counters of the network: begun anew") < 0)
		return -1;
	return has_tar(c) ? note(n, CRIMG_KIND_KERNEL_RECORDS, 0, "", "contents of file systems in memory: none") : 0;
}

int cpt_notes(const struct cpt_image *m, struct crimg_ledger *ledger, struct crimg_err *err)
{
	static int (*const parts[])(struct noting *) = {note_tasks, note_memory, note_sockets, note_carried};
	struct noting n = {.m = m, .ledger = ledger, .err = err};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i](&n) < 0)
			return -1;
	return 0;
}
