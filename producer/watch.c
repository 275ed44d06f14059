// Sources: Linux Documentation/admin-guide/mm/userfaultfd.rst, pagemap.rst;
// uapi/linux/userfaultfd.h, whose newest parts headers for programs may lack.
#include "producer/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/checked.h"
#include "producer/proc.h"
#include "producer/remote.h"
#include "producer/tree.h"

#define USER_MODE_ONLY 1u            // of userfaultfd(): allowed to everybody
#define WP_ASYNC (UINT64_C(1) << 15) // a feature: nobody is asked, the page is noted
#define LINE_BYTES 256u
#define START_TIME 22u // field of stat

static int fail_old(struct crimg_err *err)
{
	return crimg_fail(
		err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
		"this kernel does not tell which pages are written (userfaultfd with WP_ASYNC and "
		"PAGEMAP_SCAN, Linux 6.7): --parent compares pages instead");
}

static int read_born(pid_t pid, uint64_t *out, struct crimg_err *err)
{
	struct crimg_buf stat = CRIMG_BUF_INIT;
	int rc = crimg_proc_read(pid, "stat", &stat, err);
	if (rc == 0)
		*out = crimg_stat_number((const char *)stat.data, START_TIME);
	crimg_buf_fini(&stat);
	return rc;
}

// Takes a descriptor of the process over; *out is ours.
static int fetch(pid_t pid, int64_t theirs, int *out, struct crimg_err *err)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*out = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, (int)theirs, 0);
	int number = errno;
	if (pidfd >= 0)
		close(pidfd);
	return *out >= 0 ? 0 : crimg_fail_sys(err, number, NULL,
					      "process %d: its userfaultfd cannot be taken over", (int)pid);
}

static int skip_taken(void *context, int fd)
{
	int *lowest = context;
	return fd != *lowest || (*lowest)++ < 0; // they come in order
}

// The number that the process's next descriptor gets.
static int find_lowest(pid_t pid, int *lowest, struct crimg_err *err)
{
	char path[64];
	*lowest = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	return crimg_each_number(path, skip_taken, lowest, err) < 0 ? -1 : 0;
}

// The process closes it again, also should we die meanwhile, if its text lets it.
static int make_theirs(struct crimg_remote *r, pid_t pid, int *out, struct crimg_err *err)
{
	const uint64_t args[6] = {O_CLOEXEC | USER_MODE_ONLY};
	struct crimg_err why = CRIMG_ERR_INIT;
	int64_t theirs = -1, ignored;
	int lowest;
	if (find_lowest(pid, &lowest, err) < 0)
		return -1;
	bool promised = crimg_remote_promise(r, SYS_close, (uint64_t)lowest, 0, &why) == 0;
	if (!promised && why.code != CRIMG_E_UNSUPPORTED) {
		*err = why;
		return -1;
	}
	if (crimg_remote_call(r, SYS_userfaultfd, args, &theirs, err) < 0)
		return -1;
	if (theirs < 0) {
		crimg_remote_retract(r);
		return fail_old(err);
	}
	int rc = fetch(pid, theirs, out, err);
	const uint64_t close_args[6] = {(uint64_t)theirs};
	if (promised && theirs != lowest)
		crimg_remote_retract(r);
	if (!promised || theirs != lowest)
		return crimg_remote_call(r, SYS_close, close_args, &ignored, err) < 0 ? -1 : rc;
	return crimg_remote_keep(r, err) < 0 ? -1 : rc;
}

static int make_uffd(pid_t pid, int *out, struct crimg_err *err)
{
	struct crimg_remote r;
	if (crimg_remote_begin(&r, pid, err) < 0)
		return -1;
	int rc = make_theirs(&r, pid, out, err);
	if (crimg_remote_end(&r, err) < 0)
		rc = -1;
	if (r.signal != 0)
		kill(pid, r.signal);
	return rc;
}

// "start-end rw-p offset 00:00 0   name": private, of no file, not the kernel's own.
static bool is_watched(const char *line, uint64_t *start, uint64_t *end)
{
	char perms[5];
	unsigned long inode;
	int name = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %lu %n", start, end, perms, &inode,
		   &name)
	    != 4)
		return false;
	return perms[3] == 'p' && inode == 0 && strncmp(line + name, "[v", 2) != 0;
}

struct note {
	struct crimg_watch *watch;
	struct crimg_err *err;
};

static int note_pages(void *context, uint64_t start, uint64_t end)
{
	const struct note *n = context;
	return crimg_ranges_add(&n->watch->pages, start, end, n->err);
}

static int watch_area(struct crimg_watch *w, struct crimg_page_scan *scan, uint64_t start,
		      uint64_t end, struct crimg_err *err)
{
	struct note note = {w, err};
	struct uffdio_register area = {.range = {start, end - start},
				       .mode = UFFDIO_REGISTER_MODE_WP};
	if (ioctl(w->uffd, UFFDIO_REGISTER, &area) < 0)
		return crimg_fail_sys(err, errno, NULL,
				      "process %d: memory at 0x%" PRIx64 " cannot be watched",
				      (int)w->pid, start);
	if (crimg_ranges_add(&w->areas, start, end, err) < 0)
		return -1;
	return crimg_page_scan(scan, start, end, CRIMG_PAGES_PROTECT, note_pages, &note, err);
}

static int watch_areas(struct crimg_watch *w, const char *maps, struct crimg_page_scan *scan,
		       struct crimg_err *err)
{
	char line[LINE_BYTES];
	uint64_t start, end;
	for (const char *next = maps; next != NULL && *next != '\0';) {
		next = crimg_proc_line(next, line, sizeof line);
		if (is_watched(line, &start, &end) && watch_area(w, scan, start, end, err) < 0)
			return -1;
	}
	return 0;
}

static int begin(struct crimg_watch *w, struct crimg_buf *maps, struct crimg_err *err)
{
	struct uffdio_api api = {.api = UFFD_API, .features = WP_ASYNC};
	struct crimg_page_scan scan;
	if (read_born(w->pid, &w->born, err) < 0 || make_uffd(w->pid, &w->uffd, err) < 0
	    || crimg_proc_read(w->pid, "maps", maps, err) < 0)
		return -1;
	if (ioctl(w->uffd, UFFDIO_API, &api) < 0)
		return fail_old(err);
	if (crimg_page_scan_open(&scan, w->pid, err) < 0)
		return -1;
	int rc = scan.ranges ? watch_areas(w, (const char *)maps->data, &scan, err) : fail_old(err);
	crimg_page_scan_close(&scan);
	return rc;
}

int crimg_watch_begin(struct crimg_watch *w, pid_t pid, struct crimg_err *err)
{
	struct crimg_buf maps = CRIMG_BUF_INIT;
	*w = (struct crimg_watch){.pid = pid, .uffd = -1};
	int rc = begin(w, &maps, err);
	crimg_buf_fini(&maps);
	if (rc < 0)
		crimg_watch_end(w);
	return rc;
}

void crimg_watch_end(struct crimg_watch *w)
{
	if (w->uffd >= 0)
		close(w->uffd);
	w->uffd = -1;
	crimg_ranges_fini(&w->areas);
	crimg_ranges_fini(&w->pages);
}

// What is still protected is of those pages: nobody else protects any. Another mapping may have
// taken the place of an area; that is not protected.
int crimg_watch_unwritten(const struct crimg_watch *w, struct crimg_page_scan *scan,
			  struct crimg_ranges *out, struct crimg_err *err)
{
	struct crimg_watch found = {.pages = *out};
	struct note note = {&found, err};
	uint64_t born;
	int rc = read_born(w->pid, &born, err);
	for (size_t i = 0; rc == 0 && born == w->born && i < w->areas.count; i++)
		rc = crimg_page_scan(scan, w->areas.list[i].start, w->areas.list[i].end,
				     CRIMG_PAGES_UNWRITTEN, note_pages, &note, err);
	*out = found.pages;
	return rc;
}
