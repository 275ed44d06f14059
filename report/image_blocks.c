#include "report/image_blocks.h"

#include <errno.h>

#include "inspect/answer.h"
#include "report/spaces.h"
#include "validate/show_findings.h"

// All that tell of the image without being asked for a place in it.
static const char *const shown[] = {
	"summary", "tree", "fds", "files", "sockets", "maps", "regs", "stack", "signals", "timers",
	"creds", "namespaces", "mounts", "cgroups", "ipc", "container", "stats",
};

#define SHOWN_COUNT (sizeof shown / sizeof shown[0])

struct page_view {
	struct crimg_view view; // first: flush() gets this one
	struct crimg_page *page;
};

static int flush(struct crimg_view *view, struct crimg_err *err)
{
	struct crimg_page *page = ((struct page_view *)(void *)view)->page;
	size_t length = view->out->length;
	size_t done = length > 0 ? fwrite(view->out->data, 1, length, page->file) : 0;
	view->out->length = 0;
	if (done == length)
		return 0;
	if (page->err.code == CRIMG_OK)
		return crimg_fail_sys(err, errno, page->output->path, "cannot be written");
	*err = page->err;
	return -1;
}

static int begin(struct crimg_page *page, const char *what, char side, struct crimg_err *err)
{
	char name[32];
	snprintf(name, sizeof name, "%s-%c", what, side);
	return crimg_page_block_begin(page, name, err);
}

static int end(struct page_view *p, struct crimg_err *err)
{
	if (p->view.fault.code == CRIMG_OK && flush(&p->view, &p->view.fault) == 0)
		return crimg_page_block_end(p->page, err);
	*err = p->view.fault;
	return -1;
}

static int inspect_blocks(struct page_view *p, char side, struct crimg_err *err)
{
	const struct crimg_view_row *rows[SHOWN_COUNT];
	for (size_t i = 0; i < SHOWN_COUNT; i++)
		rows[i] = crimg_view_by_name(shown[i]);
	if (begin(p->page, "inspect", side, err) < 0)
		return -1;
	crimg_view_json(&p->view, rows, SHOWN_COUNT, false);
	if (end(p, err) < 0 || begin(p->page, "spaces", side, err) < 0)
		return -1;
	crimg_report_spaces(&p->view);
	return end(p, err);
}

static int tell(struct crimg_page *page, const struct crimg_report_image *image, char side,
                struct crimg_err *err)
{
	struct crimg_view_options options = {
		.path = image->path, .format = image->format, .tmpdir = image->tmpdir,
		.sysroot = image->sysroot,
	};
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct page_view p = {
		.view = { .options = &options, .out = &out, .flush = flush }, .page = page,
	};
	int rc = -1;
	bool usable = crimg_view_open(&p.view);
	options.path = image->name;
	if (usable)
		rc = inspect_blocks(&p, side, err);
	else
		*err = p.view.damage;
	crimg_view_close(&p.view);
	crimg_buf_fini(&out);
	return rc;
}

static int judge(struct crimg_page *page, const struct crimg_report_image *image, char side,
                 struct crimg_err *err)
{
	struct crimg_checker_options options = {
		.path = image->path, .format = image->format, .tmpdir = image->tmpdir,
	};
	struct crimg_checker c;
	int rc = crimg_checker_open(&c, &options, err);
	if (rc == 0) {
		crimg_checker_run(&c);
		if (c.findings.fault.code != CRIMG_OK) {
			*err = c.findings.fault;
			rc = -1;
		}
	}
	if (rc == 0)
		rc = begin(page, "findings", side, err);
	if (rc == 0)
		rc = crimg_findings_json(&c, false, page->file, err);
	if (rc == 0)
		rc = crimg_page_block_end(page, err);
	crimg_checker_close(&c);
	return rc;
}

int crimg_report_blocks(struct crimg_page *page, const struct crimg_report_image *image, char side,
                        struct crimg_err *err)
{
	if (tell(page, image, side, err) < 0)
		return -1;
	return judge(page, image, side, err);
}
