#include "report/page.h"

#include <errno.h>

#include "report/page_data.h"

// What stands for c in a block, or NULL when it stands for itself.
static const char *escape_of(char c)
{
	return c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : c == '&' ? "\\u0026" : NULL;
}

static int append_escaped(struct crimg_page *page, const char *data, size_t length)
{
	size_t from = 0;
	for (size_t i = 0; i < length; i++) {
		const char *escape = escape_of(data[i]);
		if (escape == NULL)
			continue;
		if (crimg_sink_append(&page->sink, data + from, i - from, &page->err) < 0
		    || crimg_sink_append(&page->sink, escape, 6, &page->err) < 0)
			return -1;
		from = i + 1;
	}
	return crimg_sink_append(&page->sink, data + from, length - from, &page->err);
}

static ssize_t cookie_write(void *cookie, const char *data, size_t length)
{
	struct crimg_page *page = cookie;
	if (page->stopped != NULL && *page->stopped != 0)
		crimg_fail(&page->err, CRIMG_E_IO, page->output->path, CRIMG_NO_OFFSET, "interrupted");
	int rc = page->err.code != CRIMG_OK ? -1
		: page->escaping ? append_escaped(page, data, length)
	                        : crimg_sink_append(&page->sink, data, length, &page->err);
	if (rc == 0)
		return (ssize_t)length;
	errno = page->err.sys_errno != 0 ? page->err.sys_errno : EIO;
	return 0;
}

// What the output said, if it said anything; else the stream's own trouble.
static int flush(struct crimg_page *page, struct crimg_err *err)
{
	if (fflush(page->file) == 0 && ferror(page->file) == 0)
		return 0;
	if (page->err.code == CRIMG_OK)
		return crimg_fail_sys(err, errno, page->output->path, "cannot be written");
	if (err->code == CRIMG_OK)
		*err = page->err;
	return -1;
}

int crimg_page_open(struct crimg_page *page, const char *path, const volatile sig_atomic_t *stopped,
                    struct crimg_err *err)
{
	*page = (struct crimg_page){ .stopped = stopped, .err = CRIMG_ERR_INIT };
	if (crimg_output_open_file(path, &page->output, err) < 0
	    || crimg_sink_create(page->output, "", CRIMG_SIZE_UNKNOWN, &page->sink, err) < 0)
		return -1;
	page->file = fopencookie(page, "w", (cookie_io_functions_t){ .write = cookie_write });
	if (page->file == NULL)
		return crimg_fail_nomem(err, sizeof *page->file);
	fwrite(crimg_page_top, 1, (size_t)(crimg_page_top_end - crimg_page_top), page->file);
	return flush(page, err);
}

int crimg_page_block_begin(struct crimg_page *page, const char *name, struct crimg_err *err)
{
	fprintf(page->file, "<script type=\"application/json\" id=\"%s\">\n", name);
	int rc = flush(page, err);
	page->escaping = true;
	return rc;
}

int crimg_page_block_end(struct crimg_page *page, struct crimg_err *err)
{
	int rc = flush(page, err);
	page->escaping = false;
	fputs("</script>\n", page->file);
	return rc;
}

int crimg_page_commit(struct crimg_page *page, struct crimg_err *err)
{
	fwrite(crimg_page_end, 1, (size_t)(crimg_page_end_end - crimg_page_end), page->file);
	if (flush(page, err) < 0 || crimg_sink_end(&page->sink, err) < 0)
		return -1;
	return crimg_output_commit(page->output, err);
}

void crimg_page_close(struct crimg_page *page)
{
	if (page->file != NULL)
		fclose(page->file);
	crimg_output_close(page->output);
	*page = (struct crimg_page){ .output = NULL };
}
