// The two ways of asking for pages. Sources: Linux Documentation/admin-guide/mm/pagemap.rst, uapi/linux/fs.h.
#include "producer/page_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "format/limits.h"

#define RANGES 4096u // asked for at a time
#define WORDS 65536u // of pagemap, read at a time

// The kernel's struct pm_scan_arg; headers for programs may be older than the kernel.
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)

#define SCAN_PROTECTS 1u // a flag: write-protect what is found

enum { // categories
	IS_WRITTEN = 1 << 1,
	IS_FILE = 1 << 2,
	IS_PRESENT = 1 << 3,
	IS_SWAPPED = 1 << 4,
	IS_ZERO = 1 << 5,
	IS_GUARD = 1 << 8,
};

#define WORD_PRESENT (UINT64_C(1) << 63)
#define WORD_SWAPPED (UINT64_C(1) << 62)
#define WORD_FILE (UINT64_C(1) << 61)
#define WORD_GUARD (UINT64_C(1) << 58)

int crimg_page_scan_open(struct crimg_page_scan *s, pid_t pid, struct crimg_err *err)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	*s = (struct crimg_page_scan){.fd = open(path, O_RDONLY | O_CLOEXEC), .capacity = RANGES};
	if (s->fd < 0)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	s->found = malloc(RANGES * sizeof *s->found + WORDS * sizeof(uint64_t));
	if (s->found == NULL) {
		close(s->fd);
		return crimg_fail_nomem(err, RANGES * sizeof *s->found);
	}
	struct scan_arg probe = {.size = sizeof probe};
	s->ranges = ioctl(s->fd, SCAN_REQUEST, &probe) >= 0;
	probe.category_mask = IS_GUARD;
	s->guards = s->ranges && ioctl(s->fd, SCAN_REQUEST, &probe) >= 0;
	return 0;
}

void crimg_page_scan_close(struct crimg_page_scan *s)
{
	close(s->fd);
	free(s->found);
}

static struct scan_arg question(const struct crimg_page_scan *s, enum crimg_pages which)
{
	struct scan_arg a = {
		.size = sizeof a, .vec = (uint64_t)(uintptr_t)s->found, .vec_len = s->capacity,
		.return_mask = IS_PRESENT,
	};
	if (which == CRIMG_PAGES_GUARD) {
		a.category_mask = IS_GUARD;
		return a;
	}
	// A guard is told as swapped, too.
	a.category_inverted = a.category_mask = IS_ZERO | IS_FILE | (s->guards ? IS_GUARD : 0u);
	a.category_anyof_mask = IS_PRESENT | IS_SWAPPED;
	if (which == CRIMG_PAGES_PROTECT)
		a.flags = SCAN_PROTECTS;
	if (which == CRIMG_PAGES_UNWRITTEN) {
		a.category_inverted |= IS_WRITTEN;
		a.category_mask |= IS_WRITTEN;
	}
	return a;
}

static int scan_ranges(struct crimg_page_scan *s, uint64_t start, uint64_t end, enum crimg_pages which,
		       int (*one)(void *context, uint64_t start, uint64_t end), void *context,
		       struct crimg_err *err)
{
	if (which == CRIMG_PAGES_GUARD && !s->guards)
		return 0;
	for (uint64_t at = start; at < end;) {
		struct scan_arg a = question(s, which);
		a.start = at;
		a.end = end;
		int n = ioctl(s->fd, SCAN_REQUEST, &a);
		if (n < 0)
			return crimg_fail_sys(err, errno, NULL, "pages cannot be scanned");
		for (int i = 0; i < n; i++) {
			int rc = one(context, s->found[i].start, s->found[i].end);
			if (rc != 0)
				return rc;
		}
		// With more ranges than its own buffer has, Linux 6.18 tells an end that lies before them.
		uint64_t next = n > 0 && s->found[n - 1].end > a.walk_end ? s->found[n - 1].end
									  : a.walk_end;
		if (next <= at)
			return 0;
		at = next;
	}
	return 0;
}

// Without privileges the page of zeros cannot be told from others: it is kept then.
static bool is_wanted(uint64_t word, enum crimg_pages which)
{
	if (which == CRIMG_PAGES_GUARD || (word & WORD_GUARD) != 0)
		return which == CRIMG_PAGES_GUARD && (word & WORD_GUARD) != 0;
	return (word & (WORD_PRESENT | WORD_SWAPPED)) != 0 && (word & WORD_FILE) == 0;
}

static int scan_words(struct crimg_page_scan *s, uint64_t start, uint64_t end, enum crimg_pages which,
		      int (*one)(void *context, uint64_t start, uint64_t end), void *context,
		      struct crimg_err *err)
{
	uint64_t *words = (uint64_t *)(void *)(s->found + s->capacity);
	uint64_t run = 0; // where the run begins that goes on; 0: none
	for (uint64_t at = start; at < end;) {
		uint64_t left = (end - at) / CRIMG_PAGE_BYTES;
		size_t count = left < WORDS ? (size_t)left : WORDS;
		ssize_t got = pread(s->fd, words, count * 8, (off_t)(at / CRIMG_PAGE_BYTES * 8));
		if (got < 8)
			return crimg_fail_sys(err, got < 0 ? errno : EIO, NULL,
					      "the map of pages cannot be read");
		for (size_t i = 0; i < (size_t)got / 8; i++, at += CRIMG_PAGE_BYTES) {
			bool kept = is_wanted(words[i], which);
			if (kept && run == 0)
				run = at;
			if (kept || run == 0)
				continue;
			int rc = one(context, run, at);
			if (rc != 0)
				return rc;
			run = 0;
		}
	}
	return run == 0 ? 0 : one(context, run, end);
}

int crimg_page_scan(struct crimg_page_scan *s, uint64_t start, uint64_t end, enum crimg_pages which,
		    int (*one)(void *context, uint64_t start, uint64_t end), void *context,
		    struct crimg_err *err)
{
	return s->ranges ? scan_ranges(s, start, end, which, one, context, err)
			 : scan_words(s, start, end, which, one, context, err);
}
