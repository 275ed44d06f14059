// What no image of ours can hold, found in /proc before a process is touched. A table of reasons.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "producer/devices.h"
#include "producer/ns.h"
#include "producer/proc.h"
#include "producer/tree.h"

#define VFORK_MS 2000u          // that we wait for a child to leave its parent's memory
#define ENDING_MS 50u           // that we wait for a process to be a zombie
#define PF_KTHREAD 0x200000u // in field 9 of stat

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
	const char *stat = (const char *)text->data;
	if ((crimg_stat_number(stat, 9) & PF_KTHREAD) != 0)
		return refuse(pid, "is a thread of the kernel", err);
	return 0;
}

// Whether it stands in a system call that creates a process, and nothing can interrupt it.
static bool stands_in_vfork(pid_t pid, struct crimg_buf *text)
{
	struct crimg_err gone = CRIMG_ERR_INIT;
	if (crimg_proc_read(pid, "stat", text, &gone) < 0
	    || crimg_stat_state((const char *)text->data) != 'D'
	    || crimg_proc_read(pid, "syscall", text, &gone) < 0)
		return false;
	long number = strtol((const char *)text->data, NULL, 10);
	return number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
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
	{"socket:", "a socket"},
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
	struct crimg_err *err;
};

// The tree may have some namespaces of its own, but only one of each sort.
static int refuse_by_root(const struct tree_walk *w, pid_t pid)
{
	static const struct {
		const char *root, *child, *sort;
	} rows[] = {
		{"time", "time", "time"}, {"time", "time_for_children", "time"}, {"ipc", "ipc", "ipc"},
		{"uts", "uts", "uts"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!crimg_ns_shared(w->root, rows[i].root, pid, rows[i].child))
			return crimg_fail(w->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d, or its children, are in another %s namespace than "
					  "process %d", (int)pid, rows[i].sort, (int)w->root);
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
		int back;
		if (crimg_ns_shared(root, rows[i].name, getpid(), rows[i].name))
			continue;
		if (crimg_ns_enter(root, rows[i].name, rows[i].type, &back, &why) < 0)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
					  "process %d has a namespace of its own, which only a privileged "
					  "crimg can enter: %s", (int)root, rows[i].name);
		if (crimg_ns_leave(back, rows[i].type, err) < 0)
			return -1;
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
static int refuse_down(void *context, int pid)
{
	const struct tree_walk *w = context;
	struct crimg_err *err = w->err, gone = CRIMG_ERR_INIT;
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
	if (refuse_by_root(w, pid) < 0)
		return -1;
	return crimg_each_child(pid, refuse_down, context, &gone) < 0 && err->code != CRIMG_OK ? -1 : 0;
}

int crimg_tree_refuse(pid_t root, struct crimg_err *err)
{
	if (root <= 0)
		return crimg_fail(err, CRIMG_E_NOTFOUND, NULL, CRIMG_NO_OFFSET,
				  "there is no process %d", (int)root);
	if (crimg_task_refuse(root, err) < 0 || refuse_by_entrance(root, err) < 0)
		return -1;
	return refuse_down(&(struct tree_walk){root, err}, root);
}
