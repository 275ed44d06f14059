// Namespaces that the tasks have of their own: which of them are made, and what is in them that
// belongs to no task: the machine's names, the limits on System V objects. The objects themselves:
// restart_sysv.c.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "producer/restart_sysv.h"

static uint32_t id_at(const TaskKobjIdsEntry *ids, size_t offset)
{
	uint32_t id;
	memcpy(&id, (const char *)ids + offset, sizeof id);
	return id;
}

static void refuse(struct crimg_restart *r, const struct crimg_task *t, const char *name,
		   const char *what)
{
	crimg_lines_add(&r->refused,
			"task %u (%s): has a %s namespace %s: containers are not restarted yet; "
			"criu restore does",
			t->pid, crimg_task_comm(t), name, what);
}

// As criu decides: a namespace is their own when it has another number than that of whoever made
// the image.
static void look_at(struct crimg_restart *r, const struct crimg_task *t,
		    const TaskKobjIdsEntry *outside)
{
	static const struct {
		const char *name;
		size_t offset;
		uint64_t made; // clone3's flag; 0: it is not made
	} rows[] = {
#define NS(word) #word, offsetof(TaskKobjIdsEntry, word##_ns_id)
		{ NS(pid), CLONE_NEWPID },
		{ NS(ipc), CLONE_NEWIPC },
		{ NS(uts), CLONE_NEWUTS },
		{ NS(net), 0 },
		{ NS(mnt), 0 },
		{ NS(user), 0 },
		{ NS(cgroup), 0 }, // time: restart_clock.c
#undef NS
	};
	const TaskKobjIdsEntry *root = r->tasks.list[0].ids;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t own = id_at(t->ids, rows[i].offset);
		if (own == 0)
			continue;
		if (rows[i].made != 0 && (root == NULL || own != id_at(root, rows[i].offset)))
			refuse(r, t, rows[i].name, "that the root has not");
		else if (own != id_at(outside, rows[i].offset) && rows[i].made == 0)
			refuse(r, t, rows[i].name, "of its own");
		else if (own != id_at(outside, rows[i].offset))
			r->namespaces |= rows[i].made;
	}
}

void crimg_restart_refuse_namespaces(struct crimg_restart *r)
{
	const InventoryEntry *inventory = crimg_image_get(r->image, CRIMG_KIND_INVENTORY, 0, NULL);
	for (size_t i = 0; inventory != NULL && inventory->root_ids != NULL && i < r->tasks.count;
	     i++)
		if (r->tasks.list[i].ids != NULL)
			look_at(r, &r->tasks.list[i], inventory->root_ids);
	crimg_restart_refuse_sysv(r);
}

static int set_names(struct crimg_restart *r, struct crimg_puppet *p, struct crimg_err *err)
{
	const UtsnsEntry *e =
		crimg_image_get(r->image, CRIMG_KIND_UTSNS, r->tasks.list[0].ids->uts_ns_id, err);
	if (e == NULL)
		return err->code == CRIMG_OK ? 0 : -1;
	size_t host = strlen(e->nodename), domain = strlen(e->domainname);
	if (host > 64 || domain > 64)
		return crimg_fail(err, CRIMG_E_FORMAT, r->options->path, CRIMG_NO_OFFSET,
				  "a host or domain name of %zu bytes found, at most 64 wanted",
				  host > domain ? host : domain);
	if (CRIMG_DO(p, err, "the host's name", NULL, SYS_sethostname,
		     crimg_puppet_lend(p, e->nodename, host), host)
	    < 0)
		return -1;
	return CRIMG_DO(p, err, "the domain's name", NULL, SYS_setdomainname,
			crimg_puppet_lend(p, e->domainname, domain), domain);
}

#define TEXT_BYTES 96u

static int open_there(struct crimg_puppet *p, const char *path, uint64_t flags, int64_t *fd,
		      struct crimg_err *err)
{
	struct crimg_call call = { .what = "opening", .object = path, .number = SYS_open };
	call.args[0] = crimg_puppet_lend(p, path, strlen(path) + 1);
	call.args[1] = flags | O_CLOEXEC;
	return crimg_puppet_try(p, call, fd, err);
}

// What a small file says to the puppet, "" when it cannot be read.
static int read_there(struct crimg_puppet *p, const char *path, char out[TEXT_BYTES],
		      struct crimg_err *err)
{
	static const char room[TEXT_BYTES];
	int64_t fd, n;
	out[0] = '\0';
	if (open_there(p, path, O_RDONLY, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	uint64_t at = crimg_puppet_lend(p, room, sizeof room);
	struct crimg_call call = { .what = "reading",
				   .object = path,
				   .number = SYS_read,
				   .args = { (uint64_t)fd, at, TEXT_BYTES - 1 } };
	if (crimg_puppet_try(p, call, &n, err) < 0)
		return -1;
	if (n > 0 && crimg_puppet_read(p, at, out, (size_t)n, err) < 0)
		return -1;
	out[n > 0 ? n : 0] = '\0';
	return CRIMG_DO(p, err, "closing", NULL, SYS_close, (uint64_t)fd);
}

// *result: that of the call that failed, or of the last one.
static int write_there(struct crimg_puppet *p, const char *path, const char *text, int64_t *result,
		       struct crimg_err *err)
{
	int64_t fd;
	if (open_there(p, path, O_WRONLY, &fd, err) < 0)
		return -1;
	*result = fd;
	if (fd < 0)
		return 0;
	struct crimg_call call = { .what = "writing",
				   .object = path,
				   .number = SYS_write,
				   .args = { (uint64_t)fd, crimg_puppet_lend(p, text, strlen(text)),
					     strlen(text) } };
	if (crimg_puppet_try(p, call, result, err) < 0)
		return -1;
	return CRIMG_DO(p, err, "closing", NULL, SYS_close, (uint64_t)fd);
}

// Numbers, whatever stands between them.
static bool same_numbers(const char *a, const char *b)
{
	char *x, *y;
	for (;;) {
		unsigned long long m = strtoull(a, &x, 10), n = strtoull(b, &y, 10);
		if (x == a || y == b)
			return x == a && y == b;
		if (m != n)
			return false;
		a = x;
		b = y;
	}
}

// Only what differs: not everybody may write there.
static int put_limit(struct crimg_restart *r, struct crimg_puppet *p, const char *name,
		     const char *text, struct crimg_err *err)
{
	char path[64], now[TEXT_BYTES];
	int64_t result = 0;
	snprintf(path, sizeof path, "/proc/sys/%s", name);
	if (read_there(p, path, now, err) < 0)
		return -1;
	if (same_numbers(now, text))
		return 0;
	if (write_there(p, path, text, &result, err) < 0)
		return -1;
	now[strcspn(now, "\n")] = '\0';
	if (result < 0)
		crimg_lines_add(&r->notes, "%s is %s, not %s as it was: %s", path,
				now[0] != '\0' ? now : "not there", text, strerror((int)-result));
	return 0;
}

static int set_limits(struct crimg_restart *r, struct crimg_puppet *p, const IpcVarEntry *e,
		      struct crimg_err *err)
{
	const struct {
		const char *name;
		bool has;
		uint64_t value;
	} rows[] = {
		{ "kernel/msgmax", true, e->msg_ctlmax },
		{ "kernel/msgmnb", true, e->msg_ctlmnb },
		{ "kernel/msgmni", true, e->msg_ctlmni },
		{ "kernel/shmmax", true, e->shm_ctlmax },
		{ "kernel/shmall", true, e->shm_ctlall },
		{ "kernel/shmmni", true, e->shm_ctlmni },
		{ "fs/mqueue/queues_max", true, e->mq_queues_max },
		{ "fs/mqueue/msg_max", true, e->mq_msg_max },
		{ "fs/mqueue/msgsize_max", true, e->mq_msgsize_max },
		{ "fs/mqueue/msg_default", e->has_mq_msg_default, e->mq_msg_default },
		{ "fs/mqueue/msgsize_default", e->has_mq_msgsize_default, e->mq_msgsize_default },
	};
	char text[TEXT_BYTES];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "%" PRIu64, rows[i].value);
		if (rows[i].has && put_limit(r, p, rows[i].name, text, err) < 0)
			return -1;
	}
	if (e->n_sem_ctls < 4)
		return 0;
	snprintf(text, sizeof text, "%u %u %u %u", e->sem_ctls[0], e->sem_ctls[1], e->sem_ctls[2],
		 e->sem_ctls[3]);
	return put_limit(r, p, "kernel/sem", text, err);
}

static const IpcVarEntry *variables(struct crimg_restart *r, struct crimg_err *err)
{
	return (r->namespaces & CLONE_NEWIPC) == 0
		       ? NULL
		       : crimg_image_get(r->image, CRIMG_KIND_IPC_VAR,
					 r->tasks.list[0].ids->ipc_ns_id, err);
}

int crimg_restart_fill_namespaces(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_puppet *p = &r->actors[0].puppets[0];
	if ((r->namespaces & CLONE_NEWUTS) != 0 && set_names(r, p, err) < 0)
		return -1;
	const IpcVarEntry *e = variables(r, err);
	if (err->code != CRIMG_OK || (e != NULL && set_limits(r, p, e, err) < 0))
		return -1;
	if ((r->namespaces & CLONE_NEWIPC) != 0 && crimg_restart_make_sysv(r, p, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}

// What would take away segments that nobody has attached yet, and what the making of objects
// changes.
int crimg_restart_seal_namespaces(struct crimg_restart *r, struct crimg_err *err)
{
	struct crimg_puppet *p = &r->actors[0].puppets[0];
	const IpcVarEntry *e = variables(r, err);
	if (err->code != CRIMG_OK)
		return -1;
	if ((r->namespaces & CLONE_NEWIPC) != 0 && crimg_restart_seal_sysv(r, p, err) < 0)
		return -1;
	const struct {
		const char *name;
		bool has;
		uint32_t value;
	} rows[] = {
		{ "kernel/shm_rmid_forced", e != NULL, e != NULL ? e->shm_rmid_forced : 0 },
		{ "kernel/msg_next_id", e != NULL && e->has_msg_next_id,
		  e != NULL ? e->msg_next_id : 0 },
		{ "kernel/sem_next_id", e != NULL && e->has_sem_next_id,
		  e != NULL ? e->sem_next_id : 0 },
		{ "kernel/shm_next_id", e != NULL && e->has_shm_next_id,
		  e != NULL ? e->shm_next_id : 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[16];
		snprintf(text, sizeof text, "%u", rows[i].value);
		if (rows[i].has && rows[i].value <= INT32_MAX
		    && put_limit(r, p, rows[i].name, text, err) < 0)
			return -1;
	}
	return crimg_puppet_flush(p, err);
}
