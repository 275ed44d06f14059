// System V objects and their limits, by a thread of ours that is in the namespace of the tree. Nothing of them
// is changed but who attached a segment last, and when.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/capture.h"

#define PADDING 8u // of contents

static int fail(const char *what, int id, struct crimg_err *err)
{
	return crimg_fail_sys(err, errno, NULL, "%s %d cannot be looked at", what, id);
}

static IpcDescEntry describe(const struct ipc_perm *p, int id)
{
	IpcDescEntry d = IPC_DESC_ENTRY__INIT;
	d.key = (uint32_t)p->__key;
	d.uid = p->uid;
	d.gid = p->gid;
	d.cuid = p->cuid;
	d.cgid = p->cgid;
	d.mode = p->mode;
	d.id = (uint32_t)id;
	return d;
}

// Numbers of a sysctl; what is not in this kernel is as it usually is.
static int read_limit(const char *name, uint64_t *out, unsigned count, uint64_t usual, struct crimg_err *err)
{
	char path[64], text[128] = "", *at = text;
	snprintf(path, sizeof path, "/proc/sys/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	*out = usual;
	if (fd < 0 && errno == ENOENT && usual != 0)
		return 0;
	if (fd < 0 || read(fd, text, sizeof text - 1) < 0) {
		crimg_fail_sys(err, errno, path, "cannot be read");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	for (unsigned i = 0; i < count; i++)
		out[i] = strtoull(at, &at, 10);
	return 0;
}

static int put_limits(struct crimg_capture *c, struct crimg_err *err)
{
	IpcVarEntry e = IPC_VAR_ENTRY__INIT;
	const struct {
		const char *name;
		uint64_t usual;
		uint32_t *to;
	} rows[] = {
		{"kernel/msgmax", 0, &e.msg_ctlmax},
		{"kernel/msgmnb", 0, &e.msg_ctlmnb},
		{"kernel/msgmni", 0, &e.msg_ctlmni},
		{"kernel/shmmni", 0, &e.shm_ctlmni},
		{"kernel/shm_rmid_forced", 0, &e.shm_rmid_forced},
		{"fs/mqueue/queues_max", 256, &e.mq_queues_max},
		{"fs/mqueue/msg_max", 10, &e.mq_msg_max},
		{"fs/mqueue/msgsize_max", 8192, &e.mq_msgsize_max},
		{"fs/mqueue/msg_default", 10, &e.mq_msg_default},
		{"fs/mqueue/msgsize_default", 8192, &e.mq_msgsize_default},
	};
	uint64_t values[4];
	uint32_t semaphores[4];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (read_limit(rows[i].name, values, 1, rows[i].usual, err) < 0)
			return -1;
		*rows[i].to = (uint32_t)values[0];
	}
	if (read_limit("kernel/shmmax", &e.shm_ctlmax, 1, 0, err) < 0
	    || read_limit("kernel/shmall", &e.shm_ctlall, 1, 0, err) < 0
	    || read_limit("kernel/sem", values, 4, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		semaphores[i] = (uint32_t)values[i];
	e.sem_ctls = semaphores;
	e.n_sem_ctls = 4;
	e.has_mq_msg_default = e.has_mq_msgsize_default = true;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_IPC_VAR, CRIMG_CAPTURE_OWN_IPC, &e.base, err);
}

// The file behind a segment that is attached here; -1: it cannot be opened.
static int open_segment(const void *at, uint64_t size)
{
	char path[80];
	uint64_t start = (uintptr_t)at;
	uint64_t pages = (size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	snprintf(path, sizeof path, "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start, start + pages);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int put_opened(struct crimg_capture *c, int id, int fd, uint64_t size, struct crimg_err *err)
{
	struct statfs fs;
	struct stat st;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "System V segment %d has huge pages of hugetlbfs", id);
	if (fstat(fd, &st) < 0)
		return fail("System V segment", id, err);
	c->sysv_dev = st.st_dev;
	return crimg_capture_shared_pages(c, (uint64_t)id, fd, size, err);
}

static int put_segment(struct crimg_capture *c, int index, bool swapped, struct crimg_err *err)
{
	struct shmid_ds ds;
	int id = shmctl(index, SHM_STAT_ANY, &ds), rc;
	if (id < 0) // no such index
		return errno == EINVAL || errno == EIDRM ? 0 : fail("System V segment at", index, err);
	IpcShmEntry e = IPC_SHM_ENTRY__INIT;
	IpcDescEntry d = describe(&ds.shm_perm, id);
	e.desc = &d;
	e.size = ds.shm_segsz;
	e.has_in_pagemaps = e.in_pagemaps = true;
	void *at = shmat(id, NULL, SHM_RDONLY);
	if (at == (void *)-1)
		return fail("System V segment", id, err);
	int fd = open_segment(at, e.size);
	if (fd < 0 && errno != EPERM)
		rc = fail("System V segment", id, err);
	else
		rc = fd >= 0 ? put_opened(c, id, fd, e.size, err)
			     : crimg_capture_attached(c, (uint64_t)id, at, e.size, swapped, err);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || rc < 0)
		shmdt(at);
	return rc < 0 ? -1
		      : crimg_shelf_put(&c->shelf, CRIMG_KIND_IPCNS_SHM, CRIMG_CAPTURE_OWN_IPC, &e.base,
					err);
}

static int add_padded(struct crimg_buf *out, const void *data, size_t length, struct crimg_err *err)
{
	static const uint8_t zeros[PADDING];
	return crimg_buf_append(out, data, length, err) < 0
		       ? -1
		       : crimg_buf_append(out, zeros, (PADDING - length % PADDING) % PADDING, err);
}

// An entry, and its contents.
static int put_with_contents(struct crimg_capture *c, enum crimg_kind kind, const ProtobufCMessage *e,
			     const struct crimg_buf *contents, struct crimg_err *err)
{
	size_t payload;
	if (crimg_shelf_put_payload(&c->shelf, kind, CRIMG_CAPTURE_OWN_IPC, e, &payload, err) < 0)
		return -1;
	struct crimg_shelf_run run = {
		.where = CRIMG_SHELF_BYTES, .bytes = contents->data, .length = contents->length,
	};
	return contents->length == 0 ? 0 : crimg_shelf_add(&c->shelf, payload, run, err);
}

// The fourth argument of semctl(), which every program declares itself.
union semctl_argument {
	struct semid_ds *ds;
	struct seminfo *info;
	unsigned short *values;
};

static int put_semaphores(struct crimg_capture *c, int index, struct crimg_err *err)
{
	struct semid_ds ds;
	struct crimg_buf contents = CRIMG_BUF_INIT;
	int id = semctl(index, 0, SEM_STAT_ANY, (union semctl_argument){.ds = &ds});
	if (id < 0)
		return errno == EINVAL || errno == EIDRM ? 0 : fail("System V semaphores at", index, err);
	IpcSemEntry e = IPC_SEM_ENTRY__INIT;
	IpcDescEntry d = describe(&ds.sem_perm, id);
	unsigned short *values = calloc(ds.sem_nsems + 1, sizeof *values);
	e.desc = &d;
	e.nsems = (uint32_t)ds.sem_nsems;
	if (values == NULL)
		return crimg_fail_nomem(err, e.nsems);
	int rc = semctl(id, 0, GETALL, (union semctl_argument){.values = values});
	if (rc < 0)
		fail("System V semaphores", id, err);
	else if ((rc = add_padded(&contents, values, 2 * (size_t)e.nsems, err)) == 0)
		rc = put_with_contents(c, CRIMG_KIND_IPCNS_SEM, &e.base, &contents, err);
	crimg_buf_fini(&contents);
	free(values);
	return rc;
}

// A message as it lies behind its queue's entry: a length, what is said of it, its text.
static int add_message(struct crimg_buf *out, const uint8_t *text, size_t length, struct crimg_err *err)
{
	IpcMsg m = IPC_MSG__INIT;
	struct crimg_buf head = CRIMG_BUF_INIT;
	uint8_t size[4];
	m.mtype = crimg_get_u64(text);
	m.msize = (uint32_t)length;
	int rc = crimg_message_encode(&m.base, &head, err);
	crimg_put_u32(size, (uint32_t)head.length);
	if (rc < 0 || crimg_buf_append(out, size, sizeof size, err) < 0
	    || crimg_buf_append(out, head.data, head.length, err) < 0
	    || add_padded(out, text + 8, length, err) < 0)
		rc = -1;
	crimg_buf_fini(&head);
	return rc;
}

// Copies of them: they stay where they are.
static int copy_messages(int id, const struct msqid_ds *ds, struct crimg_buf *out, struct crimg_err *err)
{
	size_t room = ds->__msg_cbytes;
	uint8_t *text = malloc(8 + room);
	int rc = text == NULL ? crimg_fail_nomem(err, room) : 0;
	for (unsigned long i = 0; rc == 0 && i < ds->msg_qnum; i++) {
		ssize_t n = msgrcv(id, text, room, (long)i, IPC_NOWAIT | MSG_COPY);
		rc = n < 0 ? fail("messages of System V queue", id, err)
			   : add_message(out, text, (size_t)n, err);
	}
	free(text);
	return rc;
}

static int put_queue(struct crimg_capture *c, int index, struct crimg_err *err)
{
	struct msqid_ds ds;
	struct crimg_buf contents = CRIMG_BUF_INIT;
	int id = msgctl(index, MSG_STAT_ANY, &ds);
	if (id < 0)
		return errno == EINVAL || errno == EIDRM ? 0 : fail("System V queue at", index, err);
	IpcMsgEntry e = IPC_MSG_ENTRY__INIT;
	IpcDescEntry d = describe(&ds.msg_perm, id);
	e.desc = &d;
	e.qbytes = (uint32_t)ds.msg_qbytes;
	e.qnum = (uint32_t)ds.msg_qnum;
	int rc = copy_messages(id, &ds, &contents, err);
	if (rc == 0)
		rc = put_with_contents(c, CRIMG_KIND_IPCNS_MSG, &e.base, &contents, err);
	crimg_buf_fini(&contents);
	return rc;
}

int crimg_capture_ipc(struct crimg_capture *c, struct crimg_err *err)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;
	// The highest index in use.
	int segments = shmctl(0, SHM_INFO, (void *)&shm);
	int sets = semctl(0, 0, SEM_INFO, (union semctl_argument){.info = &sem});
	int queues = msgctl(0, MSG_INFO, (void *)&msg);
	if (segments < 0 || sets < 0 || queues < 0)
		return crimg_fail_sys(err, errno, NULL, "System V objects cannot be listed");
	if (put_limits(c, err) < 0)
		return -1;
	for (int i = 0; i <= segments; i++)
		if (put_segment(c, i, shm.shm_swp > 0, err) < 0)
			return -1;
	for (int i = 0; i <= sets; i++)
		if (put_semaphores(c, i, err) < 0)
			return -1;
	for (int i = 0; i <= queues; i++)
		if (put_queue(c, i, err) < 0)
			return -1;
	return 0;
}
