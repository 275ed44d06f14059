#include "report/write.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "diff/show.h"
#include "format/spool.h"
#include "report/image_blocks.h"

// An image as it is opened, several times.
struct settled {
	char path[32]; // of a copy, when it came through a pipe
	int fd;        // holds the copy, or -1
};

// An image is read several times, a pipe can be read once: from a copy then.
static int settle(struct crimg_report_image *image, struct settled *s, struct crimg_err *err)
{
	struct crimg_source *source;
	int rc = 0;
	*s = (struct settled){ .fd = -1 };
	if (strcmp(image->path, "-") != 0)
		return 0;
	int from = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (from < 0 || crimg_source_open_fd(from, "standard input", &source, err) < 0)
		return crimg_fail(err, CRIMG_E_IO, "standard input", CRIMG_NO_OFFSET, "cannot be read");
	if (source->forward_only) {
		s->fd = crimg_spool(source, image->tmpdir, err);
		rc = s->fd < 0 ? -1 : 0;
	}
	snprintf(s->path, sizeof s->path, "/proc/self/fd/%d", s->fd < 0 ? STDIN_FILENO : s->fd);
	crimg_source_close(source);
	image->path = s->path;
	return rc;
}

// Block "diff": what `crimg diff --json` says. 0: the same; 1: they differ; -1: err.
static int diff_block(struct crimg_page *page, const struct crimg_report *r,
                      const struct crimg_report_image image[2], struct crimg_err *err)
{
	struct crimg_diff_options options = { .match = CRIMG_MATCH_PID };
	struct crimg_diff_show show = { .compact = true };
	struct crimg_diff *d;
	if (r->diff != NULL)
		options = *r->diff;
	for (int side = 0; side < 2; side++) {
		options.path[side] = image[side].path;
		options.format[side] = image[side].format;
	}
	options.tmpdir = r->tmpdir;
	options.sysroot = r->sysroot;
	if (crimg_diff_open(&options, &d, err) < 0)
		return -1;
	int rc = crimg_page_block_begin(page, "diff", err);
	if (rc == 0)
		rc = crimg_diff_json(d, &show, page->file, err);
	if (rc == 0)
		rc = crimg_page_block_end(page, err);
	if (rc == 0)
		rc = crimg_diff_differs(d) ? 1 : 0;
	crimg_diff_close(d);
	return rc;
}

static int write_page(struct crimg_page *page, const struct crimg_report *r,
                      const struct crimg_report_image image[2], struct crimg_err *err)
{
	if (crimg_page_open(page, r->out, r->stopped, err) < 0
	    || crimg_report_blocks(page, &image[0], 'a', err) < 0)
		return -1;
	if (r->path[1] != NULL && crimg_report_blocks(page, &image[1], 'b', err) < 0)
		return -1;
	int rc = r->path[1] != NULL ? diff_block(page, r, image, err) : 0;
	return rc < 0 || crimg_page_commit(page, err) < 0 ? -1 : rc;
}

int crimg_report_write(const struct crimg_report *r, struct crimg_err *err)
{
	struct crimg_report_image image[2];
	struct settled settled[2] = { { .fd = -1 }, { .fd = -1 } };
	struct crimg_page page = { .output = NULL };
	int rc = 0;
	for (int side = 0; side < 2 && rc == 0 && r->path[side] != NULL; side++) {
		image[side] = (struct crimg_report_image){
			.path = r->path[side], .name = r->path[side], .format = r->format[side],
			.tmpdir = r->tmpdir, .sysroot = r->sysroot,
		};
		rc = settle(&image[side], &settled[side], err);
	}
	if (rc == 0 && r->begin != NULL)
		r->begin();
	if (rc == 0)
		rc = write_page(&page, r, image, err);
	crimg_page_close(&page);
	for (int side = 0; side < 2; side++)
		if (settled[side].fd >= 0)
			close(settled[side].fd);
	return rc;
}
