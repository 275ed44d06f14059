// What no image of ours can hold, found in /proc before a process is touched. A table of reasons.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/together.h"
#include "producer/devices.h"
#include "producer/ns.h"
#include "producer/proc.h"
#include "producer/refuse_sockets.h"
#include "producer/tree.h"

#define PROCESSES_A_THREAD 32u
#define VFORK_MS 2000u          // that we wait for a child to leave its parent's memory
#define ENDING_MS 50u           // that we wait for a process to be a zombie

static int refuse(pid_t pid, const char *reason, struct crimg_err *err)
{
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET, "process %d %s", (int)pid,
			  reason);
}

static int refuse_by_stat(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	struct crimg_err gone = CRIMG_ERR_INIT;
	if (crimg_proc_read(pid, "stat", text, &gone) < 0)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
				  "there is no process %d", (int)pid);
	if (crimg_stat_is_kernel((const char *)text->data))
		return refuse(pid, "is a thread of the kernel", err);
	return 0;
}

// Whether it stands in a system call that creates a process, and nothing can interrupt it. One that a control group
// froze on its way out of such a call looks the same, but for where in the kernel it waits ("0": not told).
static bool stands_in_vfork(pid_t pid, struct crimg_buf *text)
{
	struct crimg_err gone = CRIMG_ERR_INIT;
	if (crimg_proc_read(pid, "stat", text, &gone) < 0
	    || crimg_stat_state((const char *)text->data) != 'D'
	    || crimg_proc_read(pid, "syscall", text, &gone) < 0)
		return false;
	long number = strtol((const char *)text->data, NULL, 10);
	if ((number != SYS_vfork && number != SYS_clone && number != SYS_clone3)
	    || crimg_proc_read(pid, "wchan", text, &gone) < 0)
		return false;
	const char *where = (const char *)text->data;
	return strcmp(where, "0") == 0 || strstr(where, "clone") != NULL || strstr(where, "vfork") != NULL;
}

static int refuse_by_vfork(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	for (unsigned ms = 0; stands_in_vfork(pid, text); ms++) {
		if (ms == VFORK_MS)
			return refuse(pid, "stands in vfork(): until its child ends or runs another program nothing "
				      "can stop it, and no image can tell that it waits", err);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return 0;
}

static int refuse_by_status(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	if (crimg_proc_read(pid, "status", text, err) < 0)
		return -1;
	const char *status = (const char *)text->data;
	const char *tracer = crimg_proc_field(status, "TracerPid");
	const char *group = crimg_proc_field(status, "Tgid");
	const char *features = crimg_proc_field(status, "x86_Thread_features");
	if (group != NULL && atoi(group) != pid)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "%d is a thread: its process is %d", (int)pid, atoi(group));
	if (tracer != NULL && atoi(tracer) != 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d is traced already, by process %d", (int)pid, atoi(tracer));
	if (features != NULL && strncmp(features, "shstk", 5) == 0)
		return refuse(pid, "has a shadow stack", err);
	return 0;
}

struct seccomp_walk {
	pid_t pid;
	struct crimg_buf *text;
	struct crimg_err *err;
};

static int refuse_filter(void *context, int tid)
{
	const struct seccomp_walk *w = context;
	struct crimg_err gone = CRIMG_ERR_INIT;
	char name[64];
	snprintf(name, sizeof name, "task/%d/status", tid);
	if (crimg_proc_read(w->pid, name, w->text, &gone) < 0)
		return 0; // it has ended
	const char *mode = crimg_proc_field((const char *)w->text->data, "Seccomp");
	if (mode == NULL || *mode == '0')
		return 0;
	return crimg_fail(w->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "task %d has filters of system calls (seccomp), which the kernel shows and suspends for "
			  "CAP_SYS_ADMIN of the first user namespace alone: run crimg as root there", tid);
}

// Those would also hit the calls that the task makes for us.
static int refuse_by_seccomp(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	struct seccomp_walk w = {pid, text, err};
	char path[64];
	if (crimg_ns_capable_first(CAP_SYS_ADMIN))
		return 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	return crimg_each_number(path, refuse_filter, &w, err);
}

// What tells that it is not ours to look at: the link is hidden then.
static int refuse_by_exe(pid_t pid, struct crimg_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; // it is about to end
	if (fd < 0)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  errno == EACCES || errno == EPERM
					  ? "process %d belongs to another user, and we are not privileged"
					  : "process %d has no program that can be opened",
				  (int)pid);
	close(fd);
	return 0;
}

static int refuse_by_namespaces(pid_t pid, struct crimg_err *err)
{
	static const char *const names[] = {"cgroup", "mnt", "net", "pid", "pid_for_children", "user"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!crimg_ns_shared(pid, names[i], getpid(), names[i]))
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d has a namespace of its own: %s", (int)pid,
					  names[i]);
	}
	return 0;
}

// Begin of what /proc/PID/fd/N is a link to, and what it is then.
static const struct {
	const char *begin, *what;
} files[] = {
	{"anon_inode:[io_uring]", "an io_uring"},
	{"anon_inode:[perf_event]", "a performance counter (perf_event_open)"},
	{"anon_inode:[userfaultfd]", "a userfaultfd"},
	{"anon_inode:[fanotify]", "fanotify marks"},
	{"anon_inode:bpf-", "a BPF object"},
	{"anon_inode:[seccomp notify]", "a seccomp listener"},
	{"anon_inode:[landlock", "a Landlock rule set"},
	{"anon_inode:[fscontext]", "a file system being made"},
	{"anon_inode:kvm", "a virtual machine (KVM)"},
	{"anon_inode:sync_file", "a fence"},
	{"anon_inode:dmabuf", "a DMA buffer"},
	{"mnt:", "a namespace"}, {"net:", "a namespace"}, {"pid:", "a namespace"},
	{"user:", "a namespace"}, {"uts:", "a namespace"}, {"ipc:", "a namespace"},
	{"cgroup:", "a namespace"}, {"time:", "a namespace"},
};

struct file_walk {
	pid_t pid;
	struct crimg_err *err;
};

static int refuse_device(const struct file_walk *w, int fd, const char *path, const char *target)
{
	struct stat st;
	if (stat(path, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
	    || (S_ISCHR(st.st_mode)
		&& (crimg_is_memory_device(st.st_rdev) || crimg_is_pty(st.st_rdev))))
		return 0;
	return crimg_fail(w->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "process %d: file descriptor %d is a device: %.200s", (int)w->pid, fd, target);
}

static int refuse_by_file(void *context, int fd)
{
	const struct file_walk *w = context;
	char path[64], target[4096];
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)w->pid, fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return 0; // closed meanwhile
	target[n] = '\0';
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		if (strncmp(target, files[i].begin, strlen(files[i].begin)) == 0)
			return crimg_fail(w->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d: file descriptor %d is %s", (int)w->pid, fd,
					  files[i].what);
	return refuse_device(w, fd, path, target);
}

static int refuse_by_files(pid_t pid, struct crimg_err *err)
{
	struct file_walk w = {pid, err};
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	return crimg_each_number(path, refuse_by_file, &w, err);
}

static int refuse_by_memory(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	static const struct {
		const char *part, *reason;
	} areas[] = {
		{" /[aio]", "has asynchronous I/O in progress (io_setup)"},
		{" /anon_hugepage", "has huge pages of hugetlbfs"},
		{" anon_inode:", "has a mapping of a kernel object"},
		{" socket:", "has a mapping of a socket"},
	};
	if (crimg_proc_read(pid, "maps", text, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
		if (strstr((const char *)text->data, areas[i].part) != NULL)
			return refuse(pid, areas[i].reason, err);
	if (strstr((const char *)text->data, " /SYSV") != NULL && crimg_ns_shared(pid, "ipc", getpid(), "ipc"))
		return refuse(pid, "has System V shared memory of everybody attached (a namespace of its own is "
			      "taken: unshare --ipc)", err);
	return 0;
}

static int refuse_one(pid_t pid, struct crimg_buf *text, struct crimg_err *err)
{
	if (refuse_by_stat(pid, text, err) < 0)
		return -1;
	if (crimg_stat_state((const char *)text->data) == 'Z')
		return 0;
	if (refuse_by_vfork(pid, text, err) < 0)
		return -1;
	if (refuse_by_status(pid, text, err) < 0 || refuse_by_exe(pid, err) < 0
	    || refuse_by_seccomp(pid, text, err) < 0
	    || refuse_by_namespaces(pid, err) < 0 || refuse_by_files(pid, err) < 0)
		return -1;
	return refuse_by_memory(pid, text, err);
}

int crimg_task_refuse(pid_t pid, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	int rc = refuse_one(pid, &text, err);
	crimg_buf_fini(&text);
	return rc;
}

struct tree_walk {
	pid_t root;
	int *pids;
	size_t count, capacity;
	struct crimg_err *err;
};

// The tree may have some namespaces of its own, but only one of each sort.
static int refuse_by_root(pid_t root, pid_t pid, struct crimg_err *err)
{
	static const struct {
		const char *root, *child, *sort;
	} rows[] = {
		{"time", "time", "time"}, {"time", "time_for_children", "time"}, {"ipc", "ipc", "ipc"},
		{"uts", "uts", "uts"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!crimg_ns_shared(root, rows[i].root, pid, rows[i].child))
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d, or its children, are in another %s namespace than "
					  "process %d", (int)pid, rows[i].sort, (int)root);
	return 0;
}

static int look_at_nothing(void *context, struct crimg_err *err)
{
	(void)context, (void)err;
	return 0;
}

// What is in there is seen from inside only.
static int refuse_by_entrance(pid_t root, struct crimg_err *err)
{
	static const struct {
		const char *name;
		int type;
	} rows[] = {{"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct crimg_err why = CRIMG_ERR_INIT;
		if (crimg_ns_shared(root, rows[i].name, getpid(), rows[i].name))
			continue;
		if (crimg_ns_visit(root, rows[i].name, rows[i].type, look_at_nothing, NULL, &why) < 0)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d has a namespace of its own, which only a privileged "
					  "crimg can enter: %s", (int)root, rows[i].name);
	}
	return 0;
}

static bool has_ended(pid_t pid)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_err ignored = CRIMG_ERR_INIT;
	bool ended = crimg_proc_read(pid, "stat", &text, &ignored) < 0
		     || strchr("ZXx", crimg_stat_state((const char *)text.data)) != NULL;
	crimg_buf_fini(&text);
	return ended;
}

// A process that ends while we look is none, or a zombie.
static int refuse_member(const struct tree_walk *w, pid_t pid, struct crimg_err *err)
{
	struct crimg_err gone = CRIMG_ERR_INIT;
	if (pid == getpid())
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "the tree holds crimg itself (process %d)", (int)getpid());
	for (unsigned i = 0; crimg_task_refuse(pid, &gone) < 0; i++) {
		if (gone.code != CRIMG_E_UNSUPPORTED && has_ended(pid))
			return 0;
		if (gone.code == CRIMG_E_UNSUPPORTED || i == ENDING_MS) {
			*err = gone;
			return -1;
		}
		memset(&gone, 0, sizeof gone); // it is about to end, and hides already
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return refuse_by_root(w->root, pid, err);
}

static int refuse_listed(void *context, size_t i, struct crimg_err *err)
{
	const struct tree_walk *w = context;
	return refuse_member(w, w->pids[i], err);
}

static int list(void *context, int pid)
{
	struct tree_walk *w = context;
	void *array = w->pids;
	if (crimg_grow(&array, &w->capacity, w->count, sizeof *w->pids, w->err) < 0)
		return -1;
	w->pids = array;
	w->pids[w->count++] = pid;
	return 0;
}

// The whole tree, as it is now.
static int list_tree(struct tree_walk *w)
{
	int rc = list(w, w->root);
	for (size_t i = 0; rc == 0 && i < w->count; i++) {
		struct crimg_err gone = CRIMG_ERR_INIT;
		if (crimg_each_child(w->pids[i], list, w, &gone) < 0 && w->err->code != CRIMG_OK)
			rc = -1;
	}
	return rc;
}

int crimg_tree_refuse(pid_t root, struct crimg_err *err)
{
	struct tree_walk w = {.root = root, .err = err};
	if (root <= 0)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
				  "there is no process %d", (int)root);
	if (crimg_task_refuse(root, err) < 0 || refuse_by_entrance(root, err) < 0)
		return -1;
	int rc = list_tree(&w);
	if (rc == 0)
		rc = crimg_together(1 + w.count / PROCESSES_A_THREAD, w.count, refuse_listed, &w, err);
	free(w.pids);
	return rc < 0 ? -1 : crimg_sockets_refuse(root, err);
}
