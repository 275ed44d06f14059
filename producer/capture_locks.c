// Locks and leases on files, as fdinfo tells of them. A lock of POSIX belongs to a process, the others to an open
// file.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/capture.h"
#include "producer/proc.h"

#define LINE_BYTES 256u // of fdinfo

enum { POSIX_LOCK = 1, FLOCK_LOCK = 2, OPEN_FILE_LOCK = 4, LEASE = 8 }; // file_lock_entry.flag

// "lock:	1: POSIX  ADVISORY  WRITE 9486 fe:00:11239 10 29"
static bool parse(const char *line, FileLockEntry *e)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} kinds[] = {{"POSIX", POSIX_LOCK}, {"FLOCK", FLOCK_LOCK}, {"OFDLCK", OPEN_FILE_LOCK}, {"LEASE", LEASE}};
	char kind[16], state[16], how[16], end[24];
	long long start;
	if (sscanf(line, "lock: %*d: %15s %15s %15s %*d %*s %lld %23s", kind, state, how, &start, end) != 5)
		return false;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kind, kinds[i].word) == 0)
			e->flag = kinds[i].flag;
	if (e->flag == LEASE && strcmp(state, "ACTIVE") != 0)
		e->flag = 0; // somebody waits for it to be given up
	e->type = strcmp(how, "WRITE") == 0 ? F_WRLCK : F_RDLCK;
	e->start = start;
	e->len = strcmp(end, "EOF") == 0 ? 0 : atoll(end) - start + 1;
	return true;
}

int crimg_capture_locks(struct crimg_capture *c, const struct crimg_open_file *f, bool fresh,
			bool fresh_in_process, struct crimg_err *err)
{
	char line[LINE_BYTES];
	for (const char *next = f->info; next != NULL;) {
		FileLockEntry e = FILE_LOCK_ENTRY__INIT;
		next = crimg_proc_line(next, line, sizeof line);
		if (!parse(line, &e))
			continue;
		if (e.flag == 0)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, f->link, CRIMG_NO_OFFSET,
					  "has a lock that no image of ours holds: %s", line);
		e.pid = f->pid;
		e.fd = f->fd;
		if ((e.flag == POSIX_LOCK ? fresh_in_process : fresh)
		    && crimg_shelf_put(&c->shelf, CRIMG_KIND_FILE_LOCKS, 0, &e.base, err) < 0)
			return -1;
	}
	return 0;
}
