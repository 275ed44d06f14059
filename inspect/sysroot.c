// The cache of files beneath --sysroot; each is opened once, compared, and kept open.
#include "inspect/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include "format/checked.h"
#include "format/limits.h"
#include "format/names.h"
#include "inspect/symbols.h"

struct cached {
	struct crimg_elf_file file;
	struct crimg_file_identity identity;
	char *path;             // owned; file and identity point at it
	uint64_t hash;
};

struct crimg_sysroot {
	int root;               // O_PATH; -1: none
	struct cached **slots;  // open addressing; never full
	size_t slot_count, count;
};

#define FIRST_SLOTS 64u
#define MAX_OPEN_FILES 65536u // beyond any real task's mapped files

static int open_root(struct crimg_view *view)
{
	const char *path = view->options->sysroot;
	int fd = path == NULL ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (path != NULL && fd < 0)
		crimg_fail_sys(&view->fault, errno, path, "--sysroot cannot be opened");
	return fd;
}

// Every mapped file stays open: libelf reads of it when symbols are asked for. Usual limits (1024) are
// too low for an image that maps thousands.
static void allow_many_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MAX_OPEN_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < MAX_OPEN_FILES ? limit.rlim_max : MAX_OPEN_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &limit); // else fewer files are to be had, and it is said
}

struct crimg_sysroot *crimg_sysroot_of(struct crimg_view *view)
{
	if (view->sysroot != NULL)
		return view->sysroot;
	struct crimg_sysroot *s = calloc(1, sizeof *s);
	struct cached **slots = calloc(FIRST_SLOTS, sizeof(struct cached *));
	if (s == NULL || slots == NULL) {
		crimg_fail_nomem(&view->fault, sizeof *s);
		free(slots);
		free(s);
		return NULL;
	}
	*s = (struct crimg_sysroot){ .root = open_root(view), .slots = slots,
		                     .slot_count = FIRST_SLOTS };
	if (s->root >= 0)
		allow_many_files();
	view->sysroot = s;
	return s;
}

static void free_cached(struct cached *c)
{
	if (c == NULL)
		return;
	crimg_symbols_free(c->file.symbols);
	elf_end(c->file.elf);
	if (c->file.fd >= 0)
		close(c->file.fd);
	free(c->path);
	free(c);
}

void crimg_sysroot_close(struct crimg_sysroot *sysroot)
{
	if (sysroot == NULL)
		return;
	for (size_t i = 0; i < sysroot->slot_count; i++)
		free_cached(sysroot->slots[i]);
	if (sysroot->root >= 0)
		close(sysroot->root);
	free(sysroot->slots);
	free(sysroot);
}

// A path below the sysroot, links taken as the tasks would. Returns a descriptor, or -errno.
static int open_below(int root, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
		                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	long fd = -EAGAIN;
	for (int tries = 0; fd == -EAGAIN && tries < 16; tries++) { // EAGAIN: a name moved meanwhile
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd < 0)
			fd = -errno;
	}
	return (int)fd;
}

// A regular file, never anything whose opening has an effect (pipes, devices). Returns a descriptor with
// *st filled, or -errno; -EINVAL: not a regular file.
static int open_regular(int root, const char *path, struct stat *st)
{
	int fd = open_below(root, path, O_PATH);
	if (fd < 0)
		return fd;
	bool regular = fstat(fd, st) == 0 && S_ISREG(st->st_mode);
	close(fd);
	if (!regular)
		return -EINVAL;
	fd = open_below(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY); // it may be another one now
	if (fd < 0)
		return fd;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

static void say_errno(int error, char *out, size_t size)
{
	static const struct {
		int error;
		const char *why;
	} rows[] = {
		{ ENOENT, "not in the sysroot" },
		{ ENOTDIR, "not in the sysroot" },
		{ EINVAL, "not a regular file" },
		{ ELOOP, "its links in the sysroot cannot be followed" },
		{ ENOSYS, "this kernel cannot keep links inside the sysroot (Linux 5.6 can)" },
		{ EMFILE, "too many files are open (`ulimit -n` allows no more)" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].error == error) {
			snprintf(out, size, "%s", rows[i].why);
			return;
		}
	snprintf(out, size, "cannot be opened: %s", strerrordesc_np(error));
}

// The first bytes of a build-id: "0a1b2c3d..", "no build-id".
static char *short_id(const uint8_t *id, size_t length, char out[24])
{
	size_t at = 0;
	for (size_t i = 0; i < length && i < 4; i++)
		at += (size_t)snprintf(out + at, 24 - at, "%02x", id[i]);
	snprintf(out + at, 24 - at, length > 4 ? ".." : length == 0 ? "no build-id" : "");
	return out;
}

// The image keeps words of 4 bytes, so its id may have up to 3 bytes of padding.
static bool same_id(const uint8_t *id, size_t length, const struct crimg_file_identity *wanted)
{
	return (length + 3) / 4 * 4 == wanted->build_id_length && memcmp(id, wanted->build_id, length) == 0
		&& crimg_all_zero(wanted->build_id + length, wanted->build_id_length - length);
}

// False with why filled when the file is not the one that was mapped.
static bool same_file(struct crimg_elf_file *f, const struct stat *st,
                      const struct crimg_file_identity *wanted)
{
	uint8_t id[CRIMG_MAX_BUILD_ID];
	char found[24], asked[24], time[48], then[48];
	size_t length = f->elf != NULL ? crimg_elf_build_id(f->elf, id, sizeof id) : 0;
	bool dated = wanted->mtime != 0, same = false;
	if (wanted->size == UINT64_MAX && wanted->build_id_length == 0 && !dated)
		snprintf(f->why, sizeof f->why, "cannot be compared: the image tells neither its size nor "
		                                "its build-id");
	else if (wanted->size != UINT64_MAX && f->size != wanted->size)
		snprintf(f->why, sizeof f->why, "differs: %llu bytes found, %llu wanted",
		         (unsigned long long)f->size, (unsigned long long)wanted->size);
	else if (wanted->build_id_length != 0 && !same_id(id, length, wanted))
		snprintf(f->why, sizeof f->why, "differs: %s%s found, %s wanted",
		         length > 0 ? "build-id " : "", short_id(id, length, found),
		         short_id(wanted->build_id, wanted->build_id_length, asked));
	else if (dated && (uint64_t)st->st_mtime != wanted->mtime)
		snprintf(f->why, sizeof f->why, "changed: modified %s, the image is from %s",
		         crimg_time_text((uint64_t)st->st_mtime, time, sizeof time),
		         crimg_time_text(wanted->mtime, then, sizeof then));
	else
		same = true;
	return same;
}

// Fills f: open and the one that was mapped, or why not.
static void open_file(const struct crimg_sysroot *s, const struct crimg_view *view,
                      const struct crimg_file_identity *wanted, struct crimg_elf_file *f)
{
	struct stat st;
	if (wanted->gone != NULL || s->root < 0) {
		snprintf(f->why, sizeof f->why, "%s", wanted->gone != NULL ? wanted->gone
		         : view->options->sysroot == NULL ? "no --sysroot was given"
		                                          : "the sysroot cannot be opened");
		return;
	}
	int fd = open_regular(s->root, f->path, &st);
	if (fd < 0) {
		say_errno(-fd, f->why, sizeof f->why);
		return;
	}
	f->size = (uint64_t)st.st_size;
	f->elf = crimg_elf_open(fd);
	if (same_file(f, &st, wanted)) {
		f->fd = fd;
		return;
	}
	elf_end(f->elf);
	f->elf = NULL;
	close(fd);
}

static uint64_t hash_of(const struct crimg_file_identity *id)
{
	uint64_t of_path = XXH3_64bits(id->path, strlen(id->path));
	uint64_t numbers[] = { id->size, id->mtime, id->gone != NULL };
	return XXH3_64bits_withSeed(numbers, sizeof numbers,
	                            XXH3_64bits_withSeed(id->build_id, id->build_id_length, of_path));
}

static bool same_identity(const struct crimg_file_identity *a, const struct crimg_file_identity *b)
{
	return a->size == b->size && a->mtime == b->mtime && (a->gone == NULL) == (b->gone == NULL)
		&& a->build_id_length == b->build_id_length
		&& memcmp(a->build_id, b->build_id, a->build_id_length) == 0
		&& strcmp(a->path, b->path) == 0;
}

// The slot that holds identity, or the empty one where it belongs.
static struct cached **slot_of(struct cached **slots, size_t slot_count, uint64_t hash,
                               const struct crimg_file_identity *identity)
{
	size_t i = (size_t)hash & (slot_count - 1);
	while (slots[i] != NULL
	       && (slots[i]->hash != hash || !same_identity(&slots[i]->identity, identity)))
		i = (i + 1) & (slot_count - 1);
	return &slots[i];
}

// Keeps at least half of the slots empty.
static bool make_room(struct crimg_sysroot *s, struct crimg_err *err)
{
	size_t bigger = s->slot_count * 2;
	if (s->count < s->slot_count / 2)
		return true;
	struct cached **slots = calloc(bigger, sizeof(struct cached *));
	if (slots == NULL) {
		crimg_fail_nomem(err, bigger * sizeof(struct cached *));
		return false;
	}
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i] != NULL)
			*slot_of(slots, bigger, s->slots[i]->hash, &s->slots[i]->identity) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->slot_count = bigger;
	return true;
}

static struct cached *make_cached(const struct crimg_file_identity *identity, uint64_t hash,
                                  struct crimg_err *err)
{
	struct cached *c = calloc(1, sizeof *c);
	char *path = strdup(identity->path);
	if (c == NULL || path == NULL) {
		crimg_fail_nomem(err, sizeof *c);
		free(path);
		free(c);
		return NULL;
	}
	*c = (struct cached){ .identity = *identity, .path = path, .hash = hash };
	c->identity.path = path;
	c->file = (struct crimg_elf_file){ .path = path, .fd = -1 };
	return c;
}

struct crimg_elf_file *crimg_sysroot_file(struct crimg_view *view,
                                          const struct crimg_file_identity *identity)
{
	struct crimg_sysroot *s = crimg_sysroot_of(view);
	if (s == NULL || !make_room(s, &view->fault))
		return NULL;
	uint64_t hash = hash_of(identity);
	struct cached **slot = slot_of(s->slots, s->slot_count, hash, identity);
	if (*slot != NULL)
		return &(*slot)->file;
	struct cached *c = make_cached(identity, hash, &view->fault);
	if (c == NULL)
		return NULL;
	open_file(s, view, identity, &c->file);
	*slot = c;
	s->count++;
	return &c->file;
}

int crimg_sysroot_debug_file(struct crimg_view *view, const uint8_t *build_id, size_t length)
{
	static const char folder[] = "usr/lib/debug/.build-id/";
	char path[sizeof folder + 2 * CRIMG_MAX_BUILD_ID + sizeof "/.debug"];
	uint8_t found[CRIMG_MAX_BUILD_ID];
	struct stat st;
	struct crimg_sysroot *s = crimg_sysroot_of(view);
	if (s == NULL || s->root < 0 || length < 2 || length > CRIMG_MAX_BUILD_ID)
		return -1;
	int at = snprintf(path, sizeof path, "%s%02x/", folder, build_id[0]);
	for (size_t i = 1; i < length; i++)
		at += snprintf(path + at, sizeof path - (size_t)at, "%02x", build_id[i]);
	snprintf(path + at, sizeof path - (size_t)at, ".debug");
	int fd = open_regular(s->root, path, &st);
	if (fd < 0)
		return -1;
	Elf *elf = crimg_elf_open(fd);
	bool same = elf != NULL && crimg_elf_build_id(elf, found, sizeof found) == length
		&& memcmp(found, build_id, length) == 0;
	elf_end(elf);
	if (same)
		return fd;
	close(fd);
	return -1;
}
