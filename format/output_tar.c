// A tar as an output: pax where ustar is too narrow, no trace of who wrote it and when. Members come one
// after the other, each with its size known before.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_load.h"
#include "format/checked.h"
#include "format/outfd.h"
#include "format/place.h"
#include "format/store.h"
#include "format/utf8_locale.h"

#define BLOCK_BYTES (256 << 10)

struct tar_state {
	struct crimg_place place;
	struct crimg_outfd out;
	const struct crimg_archive *la;
	struct archive *archive; // of la's
	locale_t utf8;
	struct crimg_err *err;  // of the call under way, for put_bytes
	bool failed;            // nothing more is written
	char *member;           // being written, owned; else NULL
	uint64_t size, written; // of it, bytes
};

static const struct filter {
	const char *name; // "none", or libarchive's
	const char *suffixes[2];
} filters[] = {
	{ "none", { ".tar", ".tar" } },
	{ "gzip", { ".tar.gz", ".tgz" } },
	{ "zstd", { ".tar.zst", ".tzst" } },
	{ "xz", { ".tar.xz", ".txz" } },
};

static bool ends_in(const char *path, const char *suffix)
{
	size_t n = strlen(path), m = strlen(suffix);
	return n > m && strcmp(path + n - m, suffix) == 0;
}

static const struct filter *choose(const char *path, const char *filter)
{
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (filter != NULL ? strcmp(filter, filters[i].name) == 0
		                   : ends_in(path, filters[i].suffixes[0])
		                     || ends_in(path, filters[i].suffixes[1]))
			return &filters[i];
	return NULL;
}

static la_ssize_t put_bytes(struct archive *a, void *data, const void *bytes, size_t length)
{
	struct tar_state *t = data;
	if (!t->failed && crimg_outfd_write(&t->out, t->out.end, bytes, length, t->err) == 0)
		return (la_ssize_t)length;
	t->failed = true;
	t->la->archive_set_error(a, EIO, "write error");
	return -1;
}

// What put_bytes met was told already, and the first error wins.
static int fail_writing(struct tar_state *t, struct crimg_err *err)
{
	const char *why = t->la->archive_error_string(t->archive);
	t->failed = true;
	return crimg_fail(err, CRIMG_E_IO, t->place.shown, CRIMG_NO_OFFSET,
	                  "cannot be written (%s)", why != NULL ? why : "no reason known");
}

static int check_member(const struct tar_state *t, const char *name, struct crimg_err *err)
{
	if (t->failed)
		return crimg_fail(err, CRIMG_E_USAGE, t->place.shown, CRIMG_NO_OFFSET,
		                  "writing has failed before");
	if (!crimg_name_is_safe(name))
		return crimg_fail(err, CRIMG_E_FORMAT, t->place.shown, CRIMG_NO_OFFSET,
		                  "a member name that leaves the output (or is empty): %.200s", name);
	if (t->member != NULL)
		return crimg_fail(err, CRIMG_E_USAGE, t->place.shown, CRIMG_NO_OFFSET,
		                  "%.200s was begun while %.200s is still being written", name,
		                  t->member);
	return 0;
}

static int put_header(struct crimg_output *o, const char *name, unsigned type, uint64_t size,
                      const char *target, struct crimg_err *err)
{
	struct tar_state *t = o->state;
	if (check_member(t, name, err) < 0)
		return -1;
	struct archive_entry *entry = t->la->archive_entry_new();
	if (entry == NULL)
		return crimg_fail_nomem(err, 0);
	locale_t before = crimg_utf8_enter(t->utf8);
	t->la->archive_entry_set_pathname(entry, name);
	t->la->archive_entry_set_filetype(entry, type);
	t->la->archive_entry_set_perm(entry, type == AE_IFLNK ? 0777 : type == AE_IFDIR ? 0700 : 0600);
	t->la->archive_entry_set_size(entry, (la_int64_t)size);
	t->la->archive_entry_set_mtime(entry, 0, 0);
	if (target != NULL)
		t->la->archive_entry_set_symlink(entry, target);
	t->err = err;
	int r = t->la->archive_write_header(t->archive, entry);
	crimg_utf8_leave(before);
	t->la->archive_entry_free(entry);
	return r < ARCHIVE_WARN ? fail_writing(t, err) : 0;
}

static int tar_create(struct crimg_output *o, const char *name, uint64_t size,
                      struct crimg_sink *sink, struct crimg_err *err)
{
	struct tar_state *t = o->state;
	if (size > INT64_MAX) // CRIMG_SIZE_UNKNOWN among them
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, t->place.shown, CRIMG_NO_OFFSET,
		                  "an archive wants the size of %.200s before its bytes", name);
	char *member = strdup(name);
	if (member == NULL)
		return crimg_fail_nomem(err, strlen(name));
	if (put_header(o, name, AE_IFREG, size, NULL, err) < 0) {
		free(member);
		return -1;
	}
	t->member = member;
	t->size = size;
	t->written = 0;
	sink->state = t;
	return 0;
}

static int tar_write(struct crimg_sink *sink, uint64_t offset, const void *data, size_t length,
                     struct crimg_err *err)
{
	struct tar_state *t = sink->state;
	const uint8_t *p = data;
	(void)offset; // that of the next byte
	if (!crimg_in_range(t->written, length, t->size))
		return crimg_fail(err, CRIMG_E_FORMAT, t->place.shown, CRIMG_NO_OFFSET,
		                  "%.200s: more bytes than its %llu found", t->member,
		                  (unsigned long long)t->size);
	t->err = err;
	while (length > 0) {
		la_ssize_t n = t->la->archive_write_data(t->archive, p, length);
		if (n <= 0)
			return fail_writing(t, err);
		p += n;
		length -= (size_t)n;
		t->written += (uint64_t)n;
	}
	return 0;
}

static int tar_zero(struct crimg_sink *sink, uint64_t offset, uint64_t length,
                    struct crimg_err *err)
{
	static const uint8_t zeros[64 << 10];
	while (length > 0) {
		size_t n = (size_t)crimg_min_u64(length, sizeof zeros);
		if (tar_write(sink, offset, zeros, n, err) < 0)
			return -1;
		length -= n;
		offset += n;
	}
	return 0;
}

static int tar_end(struct crimg_sink *sink, struct crimg_err *err)
{
	struct tar_state *t = sink->state;
	if (t->written != t->size)
		return crimg_fail(err, CRIMG_E_FORMAT, t->place.shown, CRIMG_NO_OFFSET,
		                  "%.200s: %llu bytes were written, %llu wanted", t->member,
		                  (unsigned long long)t->written, (unsigned long long)t->size);
	t->err = err;
	if (t->la->archive_write_finish_entry(t->archive) < ARCHIVE_WARN)
		return fail_writing(t, err);
	free(t->member);
	t->member = NULL;
	return 0;
}

static int tar_link(struct crimg_output *o, const char *name, const char *target,
                    struct crimg_err *err)
{
	return put_header(o, name, AE_IFLNK, 0, target, err);
}

static int tar_mkdir(struct crimg_output *o, const char *name, struct crimg_err *err)
{
	return put_header(o, name, AE_IFDIR, 0, NULL, err);
}

static int tar_commit(struct crimg_output *o, struct crimg_err *err)
{
	struct tar_state *t = o->state;
	if (t->member != NULL || t->failed)
		return crimg_fail(err, CRIMG_E_USAGE, t->place.shown, CRIMG_NO_OFFSET,
		                  t->failed ? "writing has failed before"
		                            : "a member is still being written");
	t->err = err;
	if (t->la->archive_write_close(t->archive) != ARCHIVE_OK)
		return fail_writing(t, err);
	if (crimg_outfd_finish(&t->out, CRIMG_SIZE_UNKNOWN, err) < 0
	    || (t->out.at_offsets && crimg_sync_fd(t->out.fd, t->place.shown, err) < 0))
		return -1;
	int why = crimg_outfd_close(&t->out);
	if (why != 0)
		return crimg_fail_sys(err, why, t->place.shown, "cannot be written");
	return crimg_place_commit(&t->place, err);
}

static void tar_discard(struct crimg_output *o)
{
	struct tar_state *t = o->state;
	// Freeing goes on with the unfinished member until put_bytes refuses. archive_write_fail() would
	// prevent that, but libarchive 3.6 then leaks its buffers.
	t->failed = true;
	if (t->archive != NULL)
		t->la->archive_write_free(t->archive);
	if (t->utf8 != (locale_t)0)
		freelocale(t->utf8);
	(void)crimg_outfd_close(&t->out);
	crimg_place_fini(&t->place);
	free(t->member);
	free(t);
}

static const struct crimg_output_ops tar_ops = {
	.create = tar_create,
	.write = tar_write,
	.zero = tar_zero,
	.end = tar_end,
	.link = tar_link,
	.mkdir = tar_mkdir,
	.commit = tar_commit,
	.discard = tar_discard,
};

static int start(struct tar_state *t, const struct filter *filter, struct crimg_err *err)
{
	const struct crimg_archive *la = t->la = crimg_archive_load(err);
	bool plain = strcmp(filter->name, "none") == 0;
	if (la == NULL)
		return -1;
	struct archive *a = t->archive = la->archive_write_new();
	if (a == NULL)
		return crimg_fail_nomem(err, 0);
	t->err = err;
	if (la->archive_write_set_format_pax_restricted(a) != ARCHIVE_OK
	    || (!plain && la->archive_write_add_filter_by_name(a, filter->name) != ARCHIVE_OK))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, t->place.shown, CRIMG_NO_OFFSET,
		                  "this build of libarchive does not write %s", filter->name);
	if (strcmp(filter->name, "gzip") == 0 // the same input makes the same bytes
	    && la->archive_write_set_filter_option(a, "gzip", "timestamp", NULL) != ARCHIVE_OK)
		return fail_writing(t, err);
	// A compressor has blocks of its own; blocking them once more would delay the news of a failure.
	int block = plain ? BLOCK_BYTES : 0;
	if (la->archive_write_set_bytes_per_block(a, block) != ARCHIVE_OK
	    || la->archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK
	    || la->archive_write_open(a, t, NULL, put_bytes, NULL) != ARCHIVE_OK)
		return fail_writing(t, err);
	return 0;
}

static int open_tar(struct crimg_output *o, const struct filter *filter, struct crimg_err *err)
{
	struct tar_state *t = o->state;
	int fd;
	bool in_place;
	if (crimg_place_open_file(&t->place, o->path, &fd, &in_place, err) < 0)
		return -1;
	t->out = crimg_outfd_make(fd, !in_place, t->place.shown);
	t->utf8 = crimg_utf8_make();
	return start(t, filter, err);
}

int crimg_output_open_tar(const char *path, const char *filter, struct crimg_output **out,
                          struct crimg_err *err)
{
	const struct filter *chosen = choose(path, filter);
	struct crimg_output *o;
	if (chosen == NULL)
		return crimg_fail(err, CRIMG_E_USAGE, path, CRIMG_NO_OFFSET,
		                  filter != NULL ? "an unknown filter: none, gzip, zstd or xz wanted"
		                                 : "the name of a tar ends in .tar, .tar.gz, .tgz, "
		                                   ".tar.zst or .tar.xz");
	struct tar_state *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	if (crimg_output_make(&tar_ops, path, t, &o, err) < 0) {
		free(t);
		return -1;
	}
	t->out.fd = t->place.parent = -1;
	if (open_tar(o, chosen, err) < 0) {
		crimg_output_close(o);
		return -1;
	}
	*out = o;
	return 0;
}
