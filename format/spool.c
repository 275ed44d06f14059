#include "format/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/write_behind.h"

struct crimg_spool {
	int fd; // -1 once it is the caller's
	char shown[CRIMG_ERR_SOURCE_MAX];
	struct crimg_write_behind *behind;
};

int crimg_spool_file(const char *dir, struct crimg_err *err)
{
	char name[4096];
	snprintf(name, sizeof name, "%s/crimg-XXXXXX", dir);
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (fd = mkostemp(name, O_CLOEXEC)) >= 0)
		unlink(name);
	return fd >= 0 ? fd
		: crimg_fail_sys(err, errno, dir, "no temporary file can be made here (TMPDIR names "
		                 "another place)");
}

int crimg_spool_open(const char *tmpdir, struct crimg_spool **out, struct crimg_err *err)
{
	struct crimg_spool *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	snprintf(s->shown, sizeof s->shown, "temporary file in %s (TMPDIR names another place)", tmpdir);
	s->fd = crimg_spool_file(tmpdir, err);
	if (s->fd < 0 || crimg_write_behind_open(s->fd, s->shown, NULL, &s->behind, err) < 0) {
		crimg_spool_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void crimg_spool_close(struct crimg_spool *s)
{
	if (s == NULL)
		return;
	crimg_write_behind_close(s->behind);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

// Bytes from p on that are all zeros, or are not, up to the end of a page of the file.
static size_t run_of(const uint8_t *p, uint64_t at, size_t length, bool *zero)
{
	size_t n = (size_t)crimg_min_u64(CRIMG_PAGE_BYTES - at % CRIMG_PAGE_BYTES, length);
	*zero = crimg_all_zero(p, n);
	while (n < length) {
		size_t page = (size_t)crimg_min_u64(CRIMG_PAGE_BYTES, length - n);
		if (crimg_all_zero(p + n, page) != *zero)
			break;
		n += page;
	}
	return n;
}

int crimg_spool_put(struct crimg_spool *s, uint64_t offset, const void *data, size_t length,
                    struct crimg_err *err)
{
	const uint8_t *p = data;
	for (size_t at = 0, n; at < length; at += n) {
		bool zero;
		n = run_of(p + at, offset + at, length - at, &zero);
		if (!zero && crimg_write_behind_put(s->behind, offset + at, p + at, n, err) < 0)
			return -1;
	}
	return 0;
}

int crimg_spool_end(struct crimg_spool *s, uint64_t size, struct crimg_err *err)
{
	if (crimg_write_behind_drain(s->behind, err) < 0)
		return -1;
	if (ftruncate(s->fd, (off_t)size) < 0)
		return crimg_fail_sys(err, errno, s->shown, "cannot be written");
	int fd = s->fd;
	s->fd = -1;
	return fd;
}

static int copy_out(struct crimg_source *from, struct crimg_spool *to, struct crimg_err *err)
{
	static const size_t step = (size_t)64 << 10;
	uint8_t *buf = malloc(step);
	uint64_t at = 0;
	size_t got = 1;
	int rc = buf == NULL ? crimg_fail_nomem(err, step) : 0;
	while (rc == 0 && got > 0) {
		rc = crimg_source_read(from, at, buf, step, &got, err);
		if (rc == 0)
			rc = crimg_spool_put(to, at, buf, got, err);
		at += got;
	}
	free(buf);
	return rc == 0 ? crimg_spool_end(to, at, err) : -1;
}

int crimg_spool(struct crimg_source *from, const char *tmpdir, struct crimg_err *err)
{
	struct crimg_spool *s;
	if (crimg_spool_open(tmpdir, &s, err) < 0)
		return -1;
	int fd = copy_out(from, s, err);
	crimg_spool_close(s);
	return fd;
}
