// The order of taking an image: memory before anything is asked of a task, files, cores; then what is of the
// whole tree.
#include "producer/leaks.h"
#include "producer/capture.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "producer/capture_unix.h"
#include "producer/clocks.h"
#include "format/x86.h"
#include "format/x86_cpuid.h"
#include "producer/net_policy.h"
#include "producer/proc.h"

#define IMAGE_VERSION 2u // of CRIU's layout: 1.1
#define OUR_ID 1u        // of what crimg itself has: no task shares it

// Numbers of our namespaces, which the whole tree shares, but for those of its own.
enum { NS_PID = 1, NS_NET = CRIMG_CAPTURE_NET_NS, NS_IPC, NS_UTS, NS_TIME, NS_MNT, NS_USER, NS_CGROUP };

void *crimg_capture_alloc(struct crimg_capture *c, size_t size, struct crimg_err *err)
{
	void *p = crimg_arena_alloc(&c->arena, size);
	if (p == NULL)
		crimg_fail_nomem(err, size);
	return p == NULL ? NULL : memset(p, 0, size);
}

const char *crimg_capture_text(struct crimg_capture *c, pid_t pid, const char *name,
			       struct crimg_err *err)
{
	return crimg_proc_read(pid, name, &c->text, err) < 0 ? NULL : (const char *)c->text.data;
}

int crimg_capture_call(struct crimg_remote *r, const char *name, long nr, uint64_t a, uint64_t b,
		       uint64_t c, uint64_t d, int64_t *result, struct crimg_err *err)
{
	const uint64_t args[6] = {a, b, c, d};
	int64_t value;
	if (crimg_remote_call(r, nr, args, &value, err) < 0)
		return -1;
	if (value < 0 && value >= -4095)
		return crimg_fail_sys(err, (int)-value, NULL, "task %d: %s", (int)r->tid, name);
	if (result != NULL)
		*result = value;
	return 0;
}

static int put_tree_entry(struct crimg_capture *c, const struct crimg_live_task *t,
			  struct crimg_err *err)
{
	PstreeEntry e = PSTREE_ENTRY__INIT;
	size_t count = t->count > 0 ? t->count : 1;
	e.threads = crimg_capture_alloc(c, count * sizeof *e.threads, err);
	if (e.threads == NULL)
		return -1;
	e.pid = (uint32_t)t->pid;
	e.ppid = t == c->tree.tasks ? 0 : (uint32_t)t->ppid;
	e.pgid = (uint32_t)t->pgid;
	e.sid = (uint32_t)t->sid;
	e.n_threads = count; // a zombie has one, of no number
	for (size_t i = 0; i < t->count; i++)
		e.threads[i] = (uint32_t)t->threads[i].tid;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_PSTREE, 0, &e.base, err);
}

static void fill_namespaces(TaskKobjIdsEntry *e)
{
	e->has_pid_ns_id = e->has_net_ns_id = e->has_ipc_ns_id = e->has_uts_ns_id = true;
	e->has_mnt_ns_id = e->has_user_ns_id = e->has_cgroup_ns_id = e->has_time_ns_id = true;
	e->pid_ns_id = NS_PID;
	e->net_ns_id = NS_NET;
	e->ipc_ns_id = NS_IPC;
	e->uts_ns_id = NS_UTS;
	e->time_ns_id = NS_TIME;
	e->mnt_ns_id = NS_MNT;
	e->user_ns_id = NS_USER;
	e->cgroup_ns_id = NS_CGROUP;
}

// *fresh: nobody had this descriptor table before.
static int put_ids(struct crimg_capture *c, pid_t pid, uint32_t *files_id, bool *fresh,
		   struct crimg_err *err)
{
	TaskKobjIdsEntry e = TASK_KOBJ_IDS_ENTRY__INIT;
	bool ignored;
	if (crimg_sharing_id(&c->vm, pid, 0, &e.vm_id, &ignored, err) < 0
	    || crimg_sharing_id(&c->files, pid, 0, &e.files_id, fresh, err) < 0
	    || crimg_sharing_id(&c->fs, pid, 0, &e.fs_id, &ignored, err) < 0
	    || crimg_sharing_id(&c->sighand, pid, 0, &e.sighand_id, &ignored, err) < 0)
		return -1;
	fill_namespaces(&e);
	if (c->own_ipc)
		e.ipc_ns_id = CRIMG_CAPTURE_OWN_IPC;
	if (c->own_uts)
		e.uts_ns_id = CRIMG_CAPTURE_OWN_UTS;
	*files_id = e.files_id;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_IDS, (uint64_t)pid, &e.base, err);
}

static int put_task(struct crimg_capture *c, const struct crimg_live_task *t, struct crimg_err *err)
{
	uint32_t files_id = 0;
	bool fresh_files;
	crimg_arena_reset(&c->arena);
	if (put_tree_entry(c, t, err) < 0)
		return -1;
	if (t->state == CRIMG_LIVE_ZOMBIE)
		return crimg_capture_cores(c, t, err);
	if (put_ids(c, t->pid, &files_id, &fresh_files, err) < 0 || crimg_capture_memory(c, t, err) < 0)
		return -1;
	if (fresh_files && crimg_capture_files(c, t, files_id, err) < 0)
		return -1;
	return crimg_capture_fs(c, t, err) < 0 ? -1 : crimg_capture_cores(c, t, err);
}

static int put_inventory(struct crimg_capture *c, struct crimg_err *err)
{
	InventoryEntry e = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;
	PluginsEntry plugins = PLUGINS_ENTRY__INIT; // none is needed
	ids.vm_id = ids.files_id = ids.fs_id = ids.sighand_id = OUR_ID;
	fill_namespaces(&ids);
	e.img_version = IMAGE_VERSION;
	e.has_fdinfo_per_id = e.fdinfo_per_id = true;
	e.has_ns_per_id = e.ns_per_id = true;
	e.has_root_cg_set = true;
	e.root_cg_set = 1;
	e.has_lsmtype = true;
	e.lsmtype = LSMTYPE__NO_LSM;
	e.root_ids = &ids;
	e.plugins_entry = &plugins;
	if (c->connections.count > 0) {
		bool locked = crimg_connections_want_lock(&c->connections);
		e.has_network_lock_method = true;
		e.network_lock_method = locked ? CRIMG_LOCK_NFTABLES : CRIMG_LOCK_SKIP;
		e.dump_criu_run_id = c->connections.run_id;
	}
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_INVENTORY, 0, &e.base, err);
}

// CRIU's images do not say who made them, nor when.
static int put_maker(struct crimg_capture *c, struct crimg_err *err)
{
	MakerEntry e = MAKER_ENTRY__INIT;
	const char *closed[32];
	struct utsname host;
	char program[] = "crimg", version[] = CRIMG_VERSION, kernel[4 * sizeof host.release] = "";
	if (uname(&host) == 0)
		snprintf(kernel, sizeof kernel, "%s %s %s %s", host.sysname, host.release, host.machine,
			 host.nodename);
	e.program = program;
	e.version = version;
	e.kernel = kernel;
	e.has_taken_at = true;
	e.taken_at = (uint64_t)time(NULL);
	e.closed = (char **)(uintptr_t)closed;
	for (unsigned i = 0; crimg_leaks_word(i) != NULL; i++)
		if ((c->closed & 1u << i) != 0)
			closed[e.n_closed++] = crimg_leaks_word(i);
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_MAKER, 0, &e.base, err);
}

// What this processor is: programs have chosen their code by it. CRIU's mask has no bit for SSE,
// which every x86-64 has.
static int put_cpu(struct crimg_capture *c, struct crimg_err *err)
{
	CpuinfoEntry e = CPUINFO_ENTRY__INIT;
	CpuinfoX86Entry x86 = CPUINFO_X86_ENTRY__INIT, *list = &x86;
	struct crimg_x86_cpu cpu;
	if (!crimg_x86_cpu_here(&cpu))
		return 0;
	x86.vendor_id = strcmp(cpu.vendor, "GenuineIntel") == 0 ? CPUINFO_X86_ENTRY__VENDOR__INTEL
			: strcmp(cpu.vendor, "AuthenticAMD") == 0
				? CPUINFO_X86_ENTRY__VENDOR__AMD
				: CPUINFO_X86_ENTRY__VENDOR__UNKNOWN;
	x86.cpu_family = cpu.family;
	x86.model = cpu.model;
	x86.stepping = cpu.stepping;
	x86.capability_ver = 2;
	x86.n_capability = CRIMG_X86_CAPABILITY_WORDS;
	x86.capability = cpu.capability;
	x86.model_id = cpu.model_name;
	x86.has_xfeatures_mask = x86.has_xsave_size = x86.has_xsave_size_max = true;
	x86.xfeatures_mask = cpu.components & ~(UINT64_C(1) << CRIMG_XSAVE_SSE);
	x86.xsave_size = cpu.xsave_bytes;
	x86.xsave_size_max = cpu.xsave_max_bytes;
	e.n_x86_entry = 1;
	e.x86_entry = &list;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_CPUINFO, 0, &e.base, err);
}

static Timespec timespec_of(struct timespec t)
{
	Timespec e = TIMESPEC__INIT;
	e.tv_sec = (uint64_t)t.tv_sec;
	e.tv_nsec = (uint64_t)t.tv_nsec;
	return e;
}

static int put_clocks(struct crimg_capture *c, struct crimg_err *err)
{
	TimensEntry e = TIMENS_ENTRY__INIT;
	struct crimg_clocks clocks = crimg_clocks_of(c->tree.tasks[0].pid);
	Timespec monotonic = timespec_of(clocks.monotonic), boottime = timespec_of(clocks.boottime);
	e.monotonic = &monotonic;
	e.boottime = &boottime;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_TIMENS, 0, &e.base, err);
}

static uint32_t time32(uint64_t us)
{
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

DumpStatsEntry crimg_capture_stats(const struct crimg_capture *c)
{
	DumpStatsEntry e = DUMP_STATS_ENTRY__INIT;
	uint64_t now = c->tree.thawed_at != 0 ? c->tree.thawed_at : crimg_now_us();
	e.freezing_time = time32(c->tree.froze_us);
	e.frozen_time = time32(now - c->tree.frozen_at);
	e.memdump_time = c->taken_at != 0 ? time32(now - c->taken_at) : 0;
	e.pages_scanned = c->pages_scanned;
	e.pages_skipped_parent = c->pages_skipped;
	e.pages_written = c->pages_written;
	e.has_shpages_written = true;
	e.shpages_written = c->shared_written;
	return e;
}

// Unless they wait in a file already, before the contents are read: these are not in the times then.
static int put_stats(struct crimg_capture *c, struct crimg_err *err)
{
	StatsEntry e = STATS_ENTRY__INIT;
	DumpStatsEntry dump = crimg_capture_stats(c);
	e.dump = &dump;
	return c->without_stats ? 0 : crimg_shelf_put(&c->shelf, CRIMG_KIND_STATS_DUMP, 0, &e.base, err);
}

static int let_go(struct crimg_capture *c, struct crimg_err *err)
{
	if (crimg_shelf_spool(&c->shelf, c->spool, c->stopped, err) < 0
	    || crimg_tree_check(&c->tree, err) < 0)
		return -1;
	return crimg_capture_thaw(c, CRIMG_THAW_RUN, err);
}

int crimg_capture_thaw(struct crimg_capture *c, enum crimg_thaw how, struct crimg_err *err)
{
	if (how != CRIMG_THAW_KILL)
		crimg_connections_release(&c->connections);
	else if (crimg_connections_silence(&c->connections, &c->tree, err) < 0)
		return -1;
	crimg_tree_thaw(&c->tree, how);
	crimg_connections_release(&c->connections);
	return 0;
}

// Whether all connections may be taken: some may have been made since that was asked.
static int check_connections(struct crimg_capture *c, struct crimg_err *err)
{
	if (crimg_connections_match(&c->connections) == 0 || !crimg_net_policy()->inside_only)
		return 0;
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "a connection of TCP was made with somebody outside the tree: --tcp-established takes it "
			  "all the same");
}

int crimg_capture_all(struct crimg_capture *c, struct crimg_err *err)
{
	crimg_shelf_init(&c->shelf);
	c->arena = crimg_arena_make(CRIMG_CAPTURE_MAX_BYTES);
	c->vm = (struct crimg_sharing){.type = KCMP_VM, .last = OUR_ID};
	c->files = (struct crimg_sharing){.type = KCMP_FILES, .last = OUR_ID};
	c->fs = (struct crimg_sharing){.type = KCMP_FS, .last = OUR_ID};
	c->sighand = (struct crimg_sharing){.type = KCMP_SIGHAND, .last = OUR_ID};
	c->file = (struct crimg_sharing){.type = KCMP_FILE};
	if (crimg_capture_own_cgroups(c, err) < 0 || crimg_capture_namespaces(c, err) < 0
	    || (c->parent != NULL
		&& crimg_shelf_put_link(&c->shelf, "parent", c->parent->link, err) < 0))
		return -1;
	for (size_t i = 0; i < c->tree.count; i++)
		if (put_task(c, &c->tree.tasks[i], err) < 0)
			return -1;
	if (crimg_capture_unix_ends(c, err) < 0 || crimg_capture_flight_ends(c, err) < 0
	    || crimg_capture_connections(c, err) < 0 || check_connections(c, err) < 0
	    || crimg_capture_tty_queues(c, err) < 0)
		return -1;
	if (put_inventory(c, err) < 0 || put_maker(c, err) < 0)
		return -1;
	if (crimg_capture_put_hidden(c, err) < 0 || crimg_capture_put_seccomp(c, err) < 0
	    || crimg_capture_put_cgroups(c, err) < 0 || put_clocks(c, err) < 0 || put_cpu(c, err) < 0)
		return -1;
	c->taken_at = crimg_now_us();
	if ((c->spool != NULL && let_go(c, err) < 0) || put_stats(c, err) < 0)
		return -1;
	return crimg_shelf_seal(&c->shelf, err);
}

void crimg_capture_fini(struct crimg_capture *c)
{
	crimg_capture_drop_links(c);
	crimg_shelf_fini(&c->shelf);
	crimg_arena_fini(&c->arena);
	crimg_buf_fini(&c->text);
	crimg_buf_fini(&c->maps);
	crimg_sharing_fini(&c->vm);
	crimg_sharing_fini(&c->files);
	crimg_sharing_fini(&c->fs);
	crimg_sharing_fini(&c->sighand);
	crimg_sharing_fini(&c->file);
	free(c->sets);
	crimg_connections_release(&c->connections);
	crimg_buf_fini(&c->notes);
	free(c->deferred);
	crimg_capture_unix_fini(c);
	crimg_capture_flight_fini(c);
	free(c->named);
	free(c->ghosts);
	free(c->links);
	free(c->segments);
	crimg_capture_free_hidden(c);
	crimg_capture_detach(c);
	free(c->filters);
	free(c->known);
	free(c->pipes);
	for (size_t i = 0; i < c->tty_count; i++)
		close(c->ttys[i].fd);
	free(c->ttys);
}
