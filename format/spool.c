#include "format/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"

static int write_at(int fd, const uint8_t *p, size_t length, uint64_t at)
{
	while (length > 0) {
		ssize_t n = pwrite(fd, p, length, (off_t)at);
		if (n < 0 && errno != EINTR)
			return -1;
		p += n > 0 ? n : 0;
		at += n > 0 ? (uint64_t)n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

// Pages of zeros become holes: a core has far more of them than a disk has room.
static int write_sparse(int fd, const uint8_t *p, size_t length, uint64_t at)
{
	for (size_t from = 0, to; from < length; from = to) {
		bool zero = true, first = true;
		for (to = from; to < length; first = false) {
			size_t n = (size_t)crimg_min_u64(CRIMG_PAGE_BYTES, length - to);
			bool is_zero = crimg_all_zero(p + to, n);
			if (!first && is_zero != zero)
				break;
			zero = is_zero;
			to += n;
		}
		if (!zero && write_at(fd, p + from, to - from, at + from) < 0)
			return -1;
	}
	return 0;
}

static int copy_out(struct crimg_source *from, int fd, struct crimg_err *err)
{
	static const size_t step = (size_t)64 << 10;
	uint8_t *buf = malloc(step);
	uint64_t at = 0;
	size_t got = 1;
	int rc = buf == NULL ? crimg_fail_nomem(err, step) : 0;
	while (rc == 0 && got > 0) {
		rc = crimg_source_read(from, at, buf, step, &got, err);
		if (rc == 0 && write_sparse(fd, buf, got, at) < 0)
			rc = crimg_fail_sys(err, errno, from->name, "cannot be copied to a temporary file");
		at += got;
	}
	free(buf);
	if (rc == 0 && ftruncate(fd, (off_t)at) < 0)
		rc = crimg_fail_sys(err, errno, from->name, "cannot be copied to a temporary file");
	return rc;
}

int crimg_spool_open(const char *dir, struct crimg_err *err)
{
	char name[4096];
	snprintf(name, sizeof name, "%s/crimg-XXXXXX", dir);
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (fd = mkostemp(name, O_CLOEXEC)) >= 0)
		unlink(name);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, dir, "no temporary file can be made here");
}

int crimg_spool(struct crimg_source *from, const char *tmpdir, struct crimg_err *err)
{
	int fd = crimg_spool_open(tmpdir, err);
	if (fd < 0 || copy_out(from, fd, err) == 0)
		return fd;
	close(fd);
	return -1;
}
