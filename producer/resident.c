// Asking a task (mincore), and the kernel about a task (smaps), which pages of files in memory there are.
#include "producer/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "producer/proc.h"

#define SWAP_IN_TRIES 200u // of 10 ms, until the kernel has read what was swapped out

int crimg_resident_runs(struct crimg_remote *r, uint64_t start, uint64_t end, crimg_run_taker *one, void *context,
		       struct crimg_err *err)
{
	uint8_t there[CRIMG_REMOTE_DATA_BYTES];
	uint64_t run = 0; // where the run begins that goes on; 0: none
	while (start < end) {
		uint64_t bytes = crimg_min_u64(end - start, sizeof there * CRIMG_PAGE_BYTES);
		if (crimg_capture_call(r, "mincore", SYS_mincore, start, bytes, r->data, 0, NULL, err) < 0
		    || crimg_proc_get(r->tid, r->data, there, bytes / CRIMG_PAGE_BYTES, err) < 0)
			return -1;
		for (uint64_t i = 0; i < bytes / CRIMG_PAGE_BYTES; i++, start += CRIMG_PAGE_BYTES) {
			bool in = (there[i] & 1) != 0;
			if (in && run == 0)
				run = start;
			if (!in && run != 0 && one(context, run, start, err) < 0)
				return -1;
			run = in ? run : 0;
		}
	}
	return run == 0 ? 0 : one(context, run, end, err);
}

static int touch(void *context, uint64_t start, uint64_t end, struct crimg_err *err)
{
	const int *mem = context;
	char byte;
	for (uint64_t at = start; at < end; at += CRIMG_PAGE_BYTES)
		if (pread(*mem, &byte, 1, (off_t)at) != 1)
			return crimg_fail_sys(err, errno, NULL, "memory at 0x%" PRIx64 " cannot be read", at);
	return 0;
}

int crimg_resident_swapped(pid_t pid, uint64_t start, uint64_t *bytes, struct crimg_err *err)
{
	struct crimg_buf text = CRIMG_BUF_INIT;
	char head[24];
	*bytes = 0;
	int rc = crimg_proc_read(pid, "smaps", &text, err);
	snprintf(head, sizeof head, "%" PRIx64 "-", start);
	const char *area = rc == 0 ? (const char *)text.data : NULL;
	if (area != NULL && strncmp(area, head, strlen(head)) != 0) {
		snprintf(head, sizeof head, "\n%" PRIx64 "-", start);
		area = strstr(area, head);
	}
	const char *field = area != NULL ? crimg_proc_field(area + 1, "Swap") : NULL;
	if (field != NULL)
		*bytes = strtoull(field, NULL, 10) * 1024;
	crimg_buf_fini(&text);
	return rc;
}

// They are in nobody's page table, nor in core, unless the kernel has not written them yet.
int crimg_resident_swap_in(struct crimg_remote *r, const struct crimg_hidden_map *m, struct crimg_err *err)
{
	uint64_t left = m->swapped_bytes;
	char path[64];
	if (left == 0)
		return 1;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)m->pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	if (mem < 0)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	for (unsigned i = 0; rc == 0 && left != 0 && i < SWAP_IN_TRIES; i++) {
		nanosleep(&(struct timespec){.tv_nsec = i == 0 ? 0 : 10000000}, NULL);
		rc = crimg_capture_call(r, "madvise", SYS_madvise, m->start, m->end - m->start, MADV_WILLNEED, 0,
					NULL, err);
		if (rc == 0)
			rc = crimg_resident_runs(r, m->start, m->end, touch, &mem, err);
		if (rc == 0)
			rc = crimg_resident_swapped(m->pid, m->start, &left, err);
	}
	close(mem);
	return rc < 0 ? -1 : left == 0;
}
