// Finding out what the user named: a directory, an archive, a file or a pipe.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/driver.h"
#include "format/layout_crimg.h"
#include "format/layout_elfcore.h"
#include "format/layout_cpt.h"
#include "format/layout_linuxcr.h"
#include "format/limits.h"
#include "format/spool.h"

#define PROCESS_PREFIX "pid:"

struct opening {
	const char *tmpdir;
	bool wanted; // all contents will be read, in any order
};

// A pipe whose first bytes were looked at: gives them again, then goes on.
struct replay_state {
	struct crimg_source *pipe;
	uint8_t head[CRIMG_PROBE_BYTES];
	size_t length;
};

static int replay_read(struct crimg_source *s, uint64_t offset, void *buf, size_t length,
                       size_t *got, struct crimg_err *err)
{
	struct replay_state *r = s->state;
	size_t n = 0, more;
	if (offset < r->length) {
		n = r->length - (size_t)offset;
		if (n > length)
			n = length;
		memcpy(buf, r->head + offset, n);
	}
	if (n < length) {
		if (crimg_source_read(r->pipe, offset + n, (uint8_t *)buf + n, length - n, &more,
		                      err) < 0)
			return -1;
		n += more;
	}
	*got = n;
	return 0;
}

static void replay_close(struct crimg_source *s)
{
	struct replay_state *r = s->state;
	crimg_source_close(r->pipe);
	free(r);
}

static const struct crimg_source_ops replay_ops = { replay_read, replay_close };

static int make_replay(struct crimg_input *in, struct crimg_err *err)
{
	struct replay_state *r = malloc(sizeof *r);
	struct crimg_source *s;
	if (r == NULL)
		return crimg_fail_nomem(err, sizeof *r);
	*r = (struct replay_state){ .pipe = in->source, .length = in->head_length };
	memcpy(r->head, in->head, in->head_length);
	if (crimg_source_make(&replay_ops, in->source->name, r, &s, err) < 0) {
		free(r);
		return -1;
	}
	s->forward_only = true;
	in->source = s;
	return 0;
}

// What is read twice: a pipe is copied to a file that has no name.
static int spool(struct crimg_input *in, const char *tmpdir, struct crimg_err *err)
{
	struct crimg_source *file;
	int fd = crimg_spool(in->source, tmpdir, err);
	if (fd < 0 || crimg_source_open_fd(fd, in->source->name, &file, err) < 0)
		return -1;
	crimg_source_close(in->source);
	in->source = file;
	return 0;
}

static int open_archive(struct crimg_input *in, const struct opening *how, struct crimg_err *err)
{
	if (in->source->forward_only && spool(in, how->tmpdir, err) < 0)
		return -1;
	if (crimg_store_open_tar(in->source, how->tmpdir, how->wanted, &in->store, err) < 0)
		return -1;
	in->source = NULL;
	return 0;
}

// The first bytes; of a crimg stream in a pipe no more than the magic, since more may be long in coming.
static int read_head(struct crimg_input *in, struct crimg_err *err)
{
	size_t first = strlen(CRIMG_STREAM_MAGIC), more;
	if (crimg_source_read(in->source, 0, in->head, first, &in->head_length, err) < 0)
		return -1;
	if (in->head_length < first
	    || (in->source->forward_only && memcmp(in->head, CRIMG_STREAM_MAGIC, first) == 0))
		return 0;
	if (crimg_source_read(in->source, first, in->head + first, sizeof in->head - first, &more,
	                      err) < 0)
		return -1;
	in->head_length += more;
	return 0;
}

// A single file of a CRIU image: payload comes after metadata there too, so it is read twice.
static bool is_criu_file(const struct crimg_input *in)
{
	if (in->head_length < 4)
		return false;
	uint32_t magic = crimg_get_u32(in->head);
	return magic == CRIMG_MAGIC_COMMON || magic == CRIMG_MAGIC_SERVICE
		|| crimg_kind_by_magic(magic) != CRIMG_KIND_COUNT;
}

// An ELF core: its notes may come last, its memory is wanted in the order of addresses.
static bool is_elf(const struct crimg_input *in)
{
	return in->head_length >= 4 && memcmp(in->head, CRIMG_ELF_MAGIC, 4) == 0;
}

static int open_source(struct crimg_input *in, const struct opening *how, struct crimg_err *err)
{
	if (read_head(in, err) < 0)
		return -1;
	if (in->source->forward_only && make_replay(in, err) < 0)
		return -1;
	if (crimg_store_is_tar(in->head, in->head_length))
		return open_archive(in, how, err);
	bool twice = how->wanted || is_criu_file(in) || is_elf(in) || crimg_is_linuxcr(in->head, in->head_length)
	             || crimg_is_cpt(in->head, in->head_length);
	return in->source->forward_only && twice ? spool(in, how->tmpdir, err) : 0;
}

int32_t crimg_input_pid(const char *path)
{
	char *end;
	if (strncmp(path, PROCESS_PREFIX, strlen(PROCESS_PREFIX)) != 0)
		return 0;
	const char *digits = path + strlen(PROCESS_PREFIX);
	long pid = strtol(digits, &end, 10);
	return digits[0] >= '0' && digits[0] <= '9' && *end == '\0' && pid > 0 && pid <= INT32_MAX
		? (int32_t)pid : 0;
}

static int open_path(struct crimg_input *in, const struct opening *how, struct crimg_err *err)
{
	struct stat st;
	if (crimg_input_pid(in->path) != 0)
		return 0;
	bool stdio = strcmp(in->path, "-") == 0;
	if (!stdio && stat(in->path, &st) < 0)
		return crimg_fail_sys(err, errno, in->path, "cannot be opened");
	if (!stdio && S_ISDIR(st.st_mode))
		return crimg_store_open_dir(in->path, &in->store, err);
	int fd = stdio ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
	               : open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const char *shown = stdio ? "standard input" : in->path;
	if (fd < 0)
		return crimg_fail_sys(err, errno, shown, "cannot be opened");
	if (crimg_source_open_fd(fd, shown, &in->source, err) < 0)
		return -1;
	return open_source(in, how, err);
}

static int open_input(const char *path, struct opening how, struct crimg_input *out,
                      struct crimg_err *err)
{
	*out = (struct crimg_input){ .path = strdup(path) };
	if (out->path == NULL)
		return crimg_fail_nomem(err, strlen(path));
	if (open_path(out, &how, err) < 0) {
		crimg_input_fini(out);
		return -1;
	}
	return 0;
}

int crimg_input_open(const char *path, const char *tmpdir, struct crimg_input *out,
                     struct crimg_err *err)
{
	return open_input(path, (struct opening){ tmpdir, false }, out, err);
}

int crimg_input_open_wanted(const char *path, const char *tmpdir, struct crimg_input *out,
                            struct crimg_err *err)
{
	return open_input(path, (struct opening){ tmpdir, true }, out, err);
}

void crimg_input_fini(struct crimg_input *in)
{
	crimg_store_close(in->store);
	crimg_source_close(in->source);
	free(in->path);
	*in = (struct crimg_input){ .path = NULL };
}
