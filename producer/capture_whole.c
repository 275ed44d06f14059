// Sources: mremap(2) (an old length of 0 maps shared pages once more), remap_file_pages(2) (from another page of the file
// on), munmap(2).
#include "producer/capture_whole.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/limits.h"
#include "producer/proc.h"

#define LOWEST (UINT64_C(1) << 20)
#define HIGHEST (UINT64_C(0xc0000000)) // what all tasks may map, 32-bit ones too; above it: HIGHEST_64
#define HIGHEST_64 UINT64_C(0x7f0000000000)
#define LARGEST (UINT64_C(1) << 46)
#define LINE_BYTES 256u

long crimg_capture_call_of(const struct crimg_capture *c, pid_t pid)
{
	for (size_t i = 0; i < c->tree.count; i++)
		if (c->tree.tasks[i].pid == pid)
			return c->tree.tasks[i].threads[0].wait.number;
	return -1;
}

// The lowest place for so many bytes, and a page on either side; 0: there is none.
static int find_gap(pid_t pid, uint64_t bytes, uint64_t *out, struct crimg_err *err)
{
	struct crimg_buf maps = CRIMG_BUF_INIT;
	char line[LINE_BYTES];
	uint64_t at = LOWEST, limit = bytes < HIGHEST / 2 ? HIGHEST : HIGHEST_64, start, end;
	int rc = crimg_proc_read(pid, "maps", &maps, err);
	for (const char *next = rc == 0 ? (const char *)maps.data : NULL; next != NULL && *next != '\0';) {
		next = crimg_proc_line(next, line, sizeof line);
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			continue;
		if (start >= at && start - at >= bytes + 2 * CRIMG_PAGE_BYTES)
			break;
		at = end > at ? end : at;
	}
	crimg_buf_fini(&maps);
	*out = at + bytes + 2 * CRIMG_PAGE_BYTES <= limit ? at + CRIMG_PAGE_BYTES : 0;
	return rc;
}

static bool can_read(const struct crimg_whole *v, uint64_t offset)
{
	char path[64], byte;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)v->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && pread(fd, &byte, 1, (off_t)(v->start + offset)) == 1;
	if (fd >= 0)
		close(fd);
	return good;
}

// Maps the first bytes of the file. 1; 0: that cannot be.
static int map(struct crimg_whole *v, const struct crimg_hidden_map *m, uint64_t bytes, struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	int64_t at = 0, moved = 0;
	if (bytes > LARGEST)
		return 0;
	if (find_gap(v->pid, bytes, &v->start, err) < 0)
		return -1;
	if (v->start == 0)
		return 0;
	if (crimg_remote_promise(&v->remote, SYS_munmap, v->start, bytes, &why) < 0) {
		if (why.code == CRIMG_E_UNSUPPORTED)
			return 0;
		*err = why;
		return -1;
	}
	const uint64_t again[6] = {m->start, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, v->start};
	const uint64_t from_first[6] = {v->start, bytes, 0, 0, MAP_NONBLOCK};
	if (crimg_remote_call(&v->remote, SYS_mremap, again, &at, err) < 0)
		return -1;
	if ((uint64_t)at == v->start && m->offset != 0
	    && crimg_remote_call(&v->remote, SYS_remap_file_pages, from_first, &moved, err) < 0)
		return -1;
	if ((uint64_t)at == v->start && moved == 0) {
		v->bytes = bytes;
		return 1;
	}
	return crimg_remote_keep(&v->remote, err);
}

// The first page that cannot be read, between one that can and one that cannot. Holes on the way are read.
static uint64_t find_end(const struct crimg_whole *v, uint64_t good, uint64_t bad)
{
	while (good < bad) {
		uint64_t middle = good + (bad - good) / 2 / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
		if (can_read(v, middle))
			good = middle + CRIMG_PAGE_BYTES;
		else
			bad = middle;
	}
	return good;
}

// As much of the file as there is, and more: mostly nothing lies behind what is mapped.
static int map_whole(struct crimg_whole *v, const struct crimg_hidden_map *m, uint64_t mapped_end, bool fixed,
		     struct crimg_err *err)
{
	uint64_t known = mapped_end; // its pages may be read, or it is longer
	int rc = map(v, m, mapped_end + CRIMG_PAGE_BYTES, err);
	if (rc > 0 && !can_read(v, mapped_end)) {
		v->size = fixed || can_read(v, mapped_end - CRIMG_PAGE_BYTES) ? mapped_end
									       : find_end(v, 0, mapped_end);
		return 1;
	}
	while (rc > 0 && can_read(v, v->bytes - CRIMG_PAGE_BYTES)) {
		known = v->bytes;
		if (crimg_remote_keep(&v->remote, err) < 0)
			return -1;
		rc = map(v, m, known * 2, err);
	}
	if (rc > 0)
		v->size = find_end(v, known, v->bytes - CRIMG_PAGE_BYTES);
	return rc;
}

int crimg_whole_open(struct crimg_whole *v, const struct crimg_capture *c, const struct crimg_hidden_map *m,
		    uint64_t mapped_end, bool fixed, struct crimg_err *err)
{
	struct crimg_remote_gate gate;
	*v = (struct crimg_whole){.pid = m->pid};
	if (crimg_remote_find_gate(m->pid, NULL, &gate, err) < 0
	    || crimg_remote_begin_at(&v->remote, m->pid, gate, crimg_capture_call_of(c, m->pid), 0, err) < 0)
		return -1;
	int rc = map_whole(v, m, mapped_end, fixed, err);
	struct crimg_err late = CRIMG_ERR_INIT;
	if (rc <= 0 && crimg_whole_close(v, rc < 0 ? &late : err) < 0)
		rc = -1;
	return rc;
}

int crimg_whole_close(struct crimg_whole *v, struct crimg_err *err)
{
	int rc = crimg_remote_end(&v->remote, err);
	if (v->remote.signal != 0) // it was taken off its queue, and must come all the same
		kill(v->pid, v->remote.signal);
	return rc;
}
