// Files of an image under another root: every absolute name gets the directory in front of it, and so
// does the root of each task, which a restore then makes its root (chroot). So a program from another system
// goes on among that system's files. Knows names; opens nothing.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/filter.h"
#include "format/limits.h"

struct sysroot_state {
	struct crimg_filter base;
	char *root; // absolute
	struct crimg_arena arena;
	struct crimg_buf encoded;
};

// NULL: no memory. Names without a slash in front are none of the file system's.
static char *below(struct sysroot_state *s, char *name)
{
	size_t n = strlen(s->root), m = strlen(name);
	if (name[0] != '/')
		return name;
	if (m == 1 || n == 1)
		return n == 1 ? name : s->root;
	char *out = crimg_arena_alloc(&s->arena, n + m + 1);
	if (out != NULL) {
		memcpy(out, s->root, n);
		memcpy(out + n, name, m + 1);
	}
	return out;
}

static int rename_socket(struct sysroot_state *s, UnixSkEntry *e, struct crimg_err *err)
{
	size_t n = strlen(s->root), m = e->name.len;
	if (e->name_dir != NULL && (e->name_dir = below(s, e->name_dir)) == NULL)
		return crimg_fail_nomem(err, n);
	if (m == 0 || e->name.data[0] != '/' || n == 1)
		return 0;
	uint8_t *out = crimg_arena_alloc(&s->arena, n + m);
	if (out == NULL)
		return crimg_fail_nomem(err, n + m);
	memcpy(out, s->root, n);
	memcpy(out + n, e->name.data, m);
	e->name = (ProtobufCBinaryData){ .len = n + m, .data = out };
	return 0;
}

static int rename_file(struct sysroot_state *s, struct crimg_record *r, struct crimg_err *err)
{
	crimg_arena_reset(&s->arena);
	void *m = crimg_message_decode(&file_entry__descriptor, r->data, r->length, &s->arena, r->origin,
	                               r->origin_offset, err);
	FileEntry *e = m;
	if (e == NULL || (e->usk != NULL && rename_socket(s, e->usk, err) < 0))
		return -1;
	if (e->reg != NULL && (e->reg->name = below(s, e->reg->name)) == NULL)
		return crimg_fail_nomem(err, strlen(s->root));
	return e->reg == NULL && e->usk == NULL ? 0 : crimg_filter_replace(r, m, &s->encoded, err);
}

static int sysroot_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct sysroot_state *s = reader->state;
	int rc = crimg_reader_next(&s->base.inner, r, err);
	if (rc <= 0)
		return rc;
	enum crimg_kind kind = r->type == CRIMG_RECORD_CONTENT ? CRIMG_KIND_PAGES : r->object->kind;
	if (kind == CRIMG_KIND_MNTS || kind == CRIMG_KIND_REG_FILES)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, r->object->name, CRIMG_NO_OFFSET,
		                  "%s: --sysroot is for images whose tasks had no mounts of their own",
		                  kind == CRIMG_KIND_MNTS ? "a mount namespace found (criu restore --root)"
		                                          : "files of an image before CRIU 3.4 found");
	return kind == CRIMG_KIND_FILES && r->type == CRIMG_RECORD_MESSAGE && !r->tail
	               && rename_file(s, r, err) < 0 ? -1 : 1;
}

static void sysroot_close(struct crimg_reader *reader)
{
	struct sysroot_state *s = reader->state;
	crimg_reader_close(&s->base.inner);
	crimg_arena_fini(&s->arena);
	crimg_buf_fini(&s->encoded);
	free(s->root);
	free(s);
}

static const struct crimg_reader_driver sysroot_driver = {
	.name = "sysroot",
	.next = sysroot_next,
	.read = crimg_filter_read,
	.locate = crimg_filter_locate,
	.digest = crimg_filter_digest,
	.close = sysroot_close,
};

int crimg_filter_sysroot(struct crimg_reader *reader, const char *root, struct crimg_err *err)
{
	struct sysroot_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->root = realpath(root, NULL);
	if (s->root == NULL) {
		free(s);
		return crimg_fail_sys(err, errno, root, "--sysroot: no such directory");
	}
	s->base.inner = *reader;
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	reader->driver = &sysroot_driver;
	reader->state = s;
	return 0;
}
