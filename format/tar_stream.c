// Driving libarchive: its callbacks over a source, its entries as ours, its errors as ours.
#include "format/tar_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_load.h"
#include "format/checked.h"
#include "format/limits.h"
#include "format/utf8_locale.h"

#define TAR_BLOCK 512u
#define READ_BYTES ((size_t)128 << 10)
#define PAX_SIZE_FROM (1ull << 33) // octal headers hold less; larger sizes are in pax records

struct crimg_tar_stream {
	struct crimg_source *source; // borrowed
	enum crimg_tar_kind kind;
	const struct crimg_archive *la;
	struct archive *archive; // of la's
	locale_t utf8;
	uint8_t *buf;
	uint64_t at;           // the next byte of source that libarchive gets
	bool ran_dry;          // it asked for more than there is
	struct crimg_err *err; // of the call under way
	bool any;              // an entry was met
	char *member;          // name of the entry, owned; NULL before the first
	uint64_t data_at;      // of the entry, see crimg_tar_entry
	uint64_t size;         // bytes of the entry, and how far its blocks came
	uint64_t found;
	bool sparse;
};

// A tar header: the sum of its bytes, the checksum field counted as blanks, is in that field in octal.
// Old writers summed signed bytes.
static bool header_sums_up(const uint8_t *head)
{
	uint32_t told = 0, sum = 0;
	int32_t signed_sum = 0;
	size_t i = 148;
	while (i < 156 && head[i] == ' ')
		i++;
	if (i == 156 || head[i] < '0' || head[i] > '7')
		return false;
	for (; i < 156 && head[i] >= '0' && head[i] <= '7'; i++)
		told = told * 8 + (uint32_t)(head[i] - '0');
	for (i = 0; i < TAR_BLOCK; i++) {
		uint8_t byte = i >= 148 && i < 156 ? ' ' : head[i];
		sum += byte;
		signed_sum += (int8_t)byte;
	}
	return told == sum || (int32_t)told == signed_sum;
}

static const struct magic {
	enum crimg_tar_kind kind;
	uint8_t length;
	uint8_t bytes[6];
} magics[] = {
	{ CRIMG_TAR_GZIP, 3, { 0x1f, 0x8b, 8 } },                         // RFC 1952, deflate
	{ CRIMG_TAR_ZSTD, 4, { 0x28, 0xb5, 0x2f, 0xfd } },                // RFC 8878
	{ CRIMG_TAR_XZ, 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },             // xz-file-format 1.1
	{ CRIMG_TAR_BZIP2, 3, { 'B', 'Z', 'h' } },                        // then level and block magic
	{ CRIMG_TAR_ZIP, 4, { 'P', 'K', 3, 4 } },                         // APPNOTE 4.3.7
	{ CRIMG_TAR_ZIP, 4, { 'P', 'K', 5, 6 } },                         // 4.3.16: an empty one
};

static bool is_bzip2(const uint8_t *head, size_t length)
{
	static const uint8_t block[6] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 };
	static const uint8_t end[6] = { 0x17, 0x72, 0x45, 0x38, 0x50, 0x90 };
	return length >= 10 && head[3] >= '1' && head[3] <= '9'
	       && (memcmp(head + 4, block, 6) == 0 || memcmp(head + 4, end, 6) == 0);
}

enum crimg_tar_kind crimg_tar_kind_of(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		if (length >= magics[i].length
		    && memcmp(head, magics[i].bytes, magics[i].length) == 0
		    && (magics[i].kind != CRIMG_TAR_BZIP2 || is_bzip2(head, length)))
			return magics[i].kind;
	return length >= TAR_BLOCK && header_sums_up(head) ? CRIMG_TAR_PLAIN : CRIMG_TAR_NONE;
}

const char *crimg_tar_kind_name(enum crimg_tar_kind kind)
{
	static const char *const names[] = { "no archive", "tar", "gzip", "zstd", "xz", "bzip2",
	                                     "zip" };
	return names[kind];
}

static la_ssize_t give_bytes(struct archive *a, void *data, const void **out)
{
	struct crimg_tar_stream *t = data;
	size_t got;
	if (crimg_source_read(t->source, t->at, t->buf, READ_BYTES, &got, t->err) < 0) {
		t->la->archive_set_error(a, EIO, "read error");
		return -1;
	}
	t->at += got;
	t->ran_dry = t->ran_dry || got == 0;
	*out = t->buf;
	return (la_ssize_t)got;
}

// Never past the end, so that what is missing shows when it is wanted.
static la_int64_t skip_bytes(struct archive *a, void *data, la_int64_t wanted)
{
	struct crimg_tar_stream *t = data;
	(void)a;
	if (wanted <= 0)
		return 0;
	uint64_t step = crimg_min_u64((uint64_t)wanted, t->source->size - t->at);
	t->at += step;
	return (la_int64_t)step;
}

static la_int64_t seek_to(struct archive *a, void *data, la_int64_t offset, int whence)
{
	struct crimg_tar_stream *t = data;
	uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? t->at : t->source->size;
	la_int64_t to;
	if (__builtin_add_overflow((la_int64_t)base, offset, &to) || to < 0
	    || (uint64_t)to > t->source->size) {
		t->la->archive_set_error(a, EIO, "seeking outside the file");
		return ARCHIVE_FATAL;
	}
	t->at = (uint64_t)to;
	t->ran_dry = false;
	return to;
}

// Only what the first bytes promised: a file that is two things at once is read as one.
static int choose_reader(const struct crimg_archive *la, struct archive *a, enum crimg_tar_kind kind)
{
	if (kind == CRIMG_TAR_ZIP)
		return la->archive_read_support_format_zip_seekable(a);
	if (la->archive_read_support_format_tar(a) != ARCHIVE_OK)
		return ARCHIVE_FATAL;
	switch (kind) {
	case CRIMG_TAR_GZIP:
		return la->archive_read_support_filter_gzip(a);
	case CRIMG_TAR_ZSTD:
		return la->archive_read_support_filter_zstd(a);
	case CRIMG_TAR_XZ:
		return la->archive_read_support_filter_xz(a);
	case CRIMG_TAR_BZIP2:
		return la->archive_read_support_filter_bzip2(a);
	default:
		return ARCHIVE_OK;
	}
}

// "archive!member" once there is a member.
static const char *shown(const struct crimg_tar_stream *t, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", t->source->name, t->member != NULL ? "!" : "",
	         t->member != NULL ? t->member : "");
	return out;
}

static int fail_no_tar(struct crimg_tar_stream *t)
{
	if (t->kind == CRIMG_TAR_ZIP)
		return crimg_fail(t->err, CRIMG_E_FORMAT, t->source->name, CRIMG_NO_OFFSET,
		                  "no end of a zip found in %llu bytes: damaged or cut short",
		                  (unsigned long long)t->source->size);
	return crimg_fail(t->err, CRIMG_E_FORMAT, t->source->name, CRIMG_NO_OFFSET,
	                  "%s data found, but no tar inside%s", crimg_tar_kind_name(t->kind),
	                  t->ran_dry ? ", or cut short before its first member" : "");
}

static int fail_cut_short(struct crimg_tar_stream *t)
{
	char name[CRIMG_ERR_SOURCE_MAX];
	return crimg_fail(t->err, CRIMG_E_FORMAT, shown(t, name, sizeof name), CRIMG_NO_OFFSET,
	                  "the archive is cut short: %llu bytes of this member found, %llu wanted",
	                  (unsigned long long)t->found, (unsigned long long)t->size);
}

// A source that failed has told so already, and the first error wins.
static int fail_reading(struct crimg_tar_stream *t, bool in_data)
{
	char name[CRIMG_ERR_SOURCE_MAX];
	const char *why = t->la->archive_error_string(t->archive);
	if (t->ran_dry && in_data)
		return fail_cut_short(t);
	if (!t->any && t->la->archive_format(t->archive) == 0)
		return fail_no_tar(t);
	if (t->ran_dry)
		return crimg_fail(t->err, CRIMG_E_FORMAT, t->source->name, t->source->size,
		                  "the archive is cut short: its end found, more members wanted");
	return crimg_fail(t->err, CRIMG_E_FORMAT, in_data ? shown(t, name, sizeof name)
	                                                  : t->source->name,
	                  (uint64_t)t->la->archive_filter_bytes(t->archive, -1), "damaged archive (%s)",
	                  why != NULL ? why : "no reason known");
}

static int open_archive(struct crimg_tar_stream *t, struct crimg_err *err)
{
	const struct crimg_archive *la = t->la = crimg_archive_load(err);
	if (la == NULL)
		return -1;
	t->buf = malloc(READ_BYTES);
	t->archive = la->archive_read_new();
	if (t->buf == NULL || t->archive == NULL)
		return crimg_fail_nomem(err, READ_BYTES);
	struct archive *a = t->archive;
	if (choose_reader(la, a, t->kind) != ARCHIVE_OK)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, t->source->name, CRIMG_NO_OFFSET,
		                  "this build of libarchive does not read %s",
		                  crimg_tar_kind_name(t->kind));
	if (la->archive_read_set_read_callback(a, give_bytes) != ARCHIVE_OK
	    || la->archive_read_set_skip_callback(a, skip_bytes) != ARCHIVE_OK
	    || la->archive_read_set_seek_callback(a, seek_to) != ARCHIVE_OK
	    || la->archive_read_set_callback_data(a, t) != ARCHIVE_OK)
		return crimg_fail_nomem(err, 0);
	t->err = err;
	if (la->archive_read_open1(a) != ARCHIVE_OK)
		return fail_reading(t, false);
	return 0;
}

int crimg_tar_stream_open(struct crimg_source *source, enum crimg_tar_kind kind,
                          struct crimg_tar_stream **out, struct crimg_err *err)
{
	struct crimg_tar_stream *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	t->source = source;
	t->kind = kind;
	t->utf8 = crimg_utf8_make();
	if (open_archive(t, err) < 0) {
		crimg_tar_stream_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

void crimg_tar_stream_close(struct crimg_tar_stream *t)
{
	if (t == NULL)
		return;
	if (t->archive != NULL)
		t->la->archive_read_free(t->archive);
	if (t->utf8 != (locale_t)0)
		freelocale(t->utf8);
	free(t->member);
	free(t->buf);
	free(t);
}

uint64_t crimg_tar_stream_unpacked(const struct crimg_tar_stream *t)
{
	return (uint64_t)t->la->archive_filter_bytes(t->archive, 0);
}

// An octal field, as the header of a plain member has it. Other spellings come out as a wrong number.
static uint64_t octal_size(const uint8_t *head)
{
	uint64_t n = 0;
	for (size_t i = 124; i < 136 && head[i] >= '0' && head[i] <= '7'; i++)
		n = n * 8 + (uint64_t)(head[i] - '0');
	return n;
}

// Whether the bytes lie in the source as they are: libarchive stands behind the header now, so the
// block before must be a header, of a plain file, of this size.
static int find_data(struct crimg_tar_stream *t, struct crimg_tar_entry *e)
{
	uint8_t head[TAR_BLOCK];
	uint64_t at = crimg_tar_stream_unpacked(t);
	e->data_at = CRIMG_NO_OFFSET;
	if (t->kind != CRIMG_TAR_PLAIN || e->type != CRIMG_TAR_FILE || e->sparse || at < TAR_BLOCK)
		return 0;
	if (crimg_source_read_exact(t->source, at - TAR_BLOCK, head, sizeof head, t->err) < 0)
		return -1;
	bool plain = header_sums_up(head) && (head[156] == '0' || head[156] == '7' || !head[156]);
	if (!plain || (octal_size(head) != e->size && e->size < PAX_SIZE_FROM))
		return 0;
	if (!crimg_in_range(at, e->size, t->source->size)) {
		t->found = t->source->size - crimg_min_u64(at, t->source->size);
		return fail_cut_short(t);
	}
	e->data_at = at;
	return 0;
}

static enum crimg_tar_type type_of(const struct crimg_archive *la, struct archive_entry *entry)
{
	if (la->archive_entry_hardlink(entry) != NULL)
		return CRIMG_TAR_HARDLINK;
	switch (la->archive_entry_filetype(entry)) {
	case AE_IFREG:
		return CRIMG_TAR_FILE;
	case AE_IFLNK:
		return CRIMG_TAR_LINK;
	case AE_IFDIR:
		return CRIMG_TAR_DIR;
	default:
		return CRIMG_TAR_SPECIAL;
	}
}

static int set_size(struct crimg_tar_stream *t, struct archive_entry *entry,
                    struct crimg_tar_entry *e)
{
	char name[CRIMG_ERR_SOURCE_MAX];
	la_int64_t size = t->la->archive_entry_size(entry);
	t->size = t->found = 0;
	t->sparse = false;
	if (e->type != CRIMG_TAR_FILE)
		return 0;
	if (t->la->archive_entry_is_encrypted(entry))
		return crimg_fail(t->err, CRIMG_E_UNSUPPORTED, shown(t, name, sizeof name),
		                  CRIMG_NO_OFFSET, "an encrypted member");
	if (!t->la->archive_entry_size_is_set(entry) || size < 0)
		return crimg_fail(t->err, CRIMG_E_FORMAT, shown(t, name, sizeof name),
		                  CRIMG_NO_OFFSET, "a member of unknown size");
	t->size = e->size = (uint64_t)size;
	t->sparse = e->sparse = t->la->archive_entry_sparse_count(entry) > 0;
	return 0;
}

static int take_entry(struct crimg_tar_stream *t, struct archive_entry *entry,
                      struct crimg_tar_entry *out)
{
	const struct crimg_archive *la = t->la;
	struct crimg_tar_entry e = {
		.name = la->archive_entry_pathname(entry),
		.type = type_of(la, entry),
	};
	free(t->member);
	t->member = e.name == NULL ? NULL : strdup(e.name);
	if (e.name != NULL && t->member == NULL)
		return crimg_fail_nomem(t->err, strlen(e.name));
	e.name = t->member;
	e.target = e.type == CRIMG_TAR_LINK       ? la->archive_entry_symlink(entry)
	           : e.type == CRIMG_TAR_HARDLINK ? la->archive_entry_hardlink(entry)
	                                          : NULL;
	t->any = true;
	if (set_size(t, entry, &e) < 0 || find_data(t, &e) < 0)
		return -1;
	t->data_at = e.data_at;
	*out = e;
	return 1;
}

// Where the last entry's data ended, rounded up to whole blocks: the end mark follows.
static uint64_t end_of_entry(const struct crimg_tar_stream *t)
{
	uint64_t at = crimg_tar_stream_unpacked(t);
	if (t->any && t->data_at != CRIMG_NO_OFFSET && at < t->data_at + t->size)
		at = t->data_at + t->size;
	return (at + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static int check_end(struct crimg_tar_stream *t, uint64_t end)
{
	if (t->kind == CRIMG_TAR_ZIP || crimg_tar_stream_unpacked(t) >= end + TAR_BLOCK)
		return 0;
	return crimg_fail(t->err, CRIMG_E_FORMAT, t->source->name, CRIMG_NO_OFFSET,
	                  "the archive is cut short: %llu bytes found, then no end mark",
	                  (unsigned long long)end);
}

int crimg_tar_stream_next(struct crimg_tar_stream *t, struct crimg_tar_entry *out,
                          struct crimg_err *err)
{
	struct archive_entry *entry;
	uint64_t end = end_of_entry(t);
	t->err = err;
	locale_t before = crimg_utf8_enter(t->utf8);
	int r = t->la->archive_read_next_header(t->archive, &entry), rc;
	if (r == ARCHIVE_EOF)
		rc = check_end(t, end);
	else if (r < ARCHIVE_WARN) // warnings are of attributes that crimg does not ask for
		rc = fail_reading(t, false);
	else if (t->kind != CRIMG_TAR_ZIP && t->la->archive_filter_count(t->archive) > 2)
		rc = crimg_fail(err, CRIMG_E_UNSUPPORTED, t->source->name, CRIMG_NO_OFFSET,
		                "compressed more than once");
	else
		rc = take_entry(t, entry, out);
	crimg_utf8_leave(before);
	return rc;
}

int crimg_tar_stream_block(struct crimg_tar_stream *t, const uint8_t **data, size_t *length,
                           uint64_t *offset, struct crimg_err *err)
{
	const void *block = NULL;
	size_t n = 0;
	la_int64_t at = 0;
	char name[CRIMG_ERR_SOURCE_MAX];
	t->err = err;
	int r = t->la->archive_read_data_block(t->archive, &block, &n, &at);
	if (r == ARCHIVE_EOF)
		return t->sparse || t->found == t->size ? 0 : fail_cut_short(t);
	if (r != ARCHIVE_OK)
		return fail_reading(t, true);
	uint64_t end;
	if (at < (la_int64_t)t->found || !crimg_add_u64((uint64_t)at, n, &end) || end > t->size)
		return crimg_fail(err, CRIMG_E_FORMAT, shown(t, name, sizeof name),
		                  CRIMG_NO_OFFSET,
		                  "%zu bytes at %lld found, bytes between %llu and %llu wanted", n,
		                  (long long)at, (unsigned long long)t->found,
		                  (unsigned long long)t->size);
	t->found = end;
	*data = block;
	*length = n;
	*offset = (uint64_t)at;
	return 1;
}
