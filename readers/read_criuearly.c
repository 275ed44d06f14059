// The reader of CRIU's images before its first release: the sets of packed structures of September 2011 and July 2012,
// as objects of today's layout. Names and refuses what else there was: the sets between, the binfmt image, the ELF
// flavour.
// Source: SPEC.md, chapter "Early CRIU images".
#include "format/layout_elfcore.h"
#include "format/limits.h"
#include "readers/criuearly_records.h"
#include "readers/model_reader.h"
#include "readers/readers.h"

static int load(void *model, const struct crimg_input *in, struct model_parts *parts, struct crimg_err *err)
{
	struct early_image *m = model;
	m->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (early_load(&m->e, in->store, err) < 0)
		return -1;
	*parts = (struct model_parts){ m->e.joined, &m->payloads, &m->e.damage };
	return 0;
}

static void fini(void *model)
{
	early_image_fini(model);
}

enum early_what { NOT_EARLY, EARLY_BINFMT, EARLY_ONE_CORE, EARLY_CORE_2012, EARLY_ELF };

// A core of 2012 has the magic that one of protobuf has, but is of one length; where that has the length of its
// message, it has version and machine: a message of 65537 bytes is not in a file of 8196.
static bool is_core_2012(const struct crimg_input *in)
{
	return in->source != NULL && in->source->size == 4 + CRIMG_EARLY_CORE_2012_BYTES
		&& crimg_get_u32(in->head) == CRIMG_EARLY_CORE_2012
		&& crimg_get_u16(in->head + 4) == CRIMG_EARLY_CORE_VERSION
		&& crimg_get_u16(in->head + 6) == CRIMG_EARLY_CORE_X86_64;
}

static enum early_what what_is(const struct crimg_input *in)
{
	const uint8_t *head = in->head;
	size_t length = in->head_length;
	if (length < CRIMG_EARLY_ELF_TYPE_AT + 2)
		return NOT_EARLY;
	if (crimg_get_u32(head) == CRIMG_EARLY_CORE)
		return crimg_get_u32(head + 4) == CRIMG_EARLY_BINFMT_VERSION ? EARLY_BINFMT : EARLY_ONE_CORE;
	if (is_core_2012(in))
		return EARLY_CORE_2012;
	bool elf = memcmp(head, CRIMG_ELF_MAGIC, 4) == 0
		&& crimg_get_u16(head + CRIMG_EARLY_ELF_TYPE_AT) == CRIMG_EARLY_ELF_TYPE;
	return elf ? EARLY_ELF : NOT_EARLY;
}

static int fail_source(const struct crimg_input *in, struct crimg_err *err)
{
	static const char *const names[] = {
		[NOT_EARLY] = "a single file found, the directory of an early CRIU image wanted",
		[EARLY_BINFMT] = "a checkpoint of the binfmt patches of June 2011 found, whose reader and writer disagree on "
		                 "its layout: the directory of an image of September 2011 wanted",
		[EARLY_ONE_CORE] = "one core of an early CRIU image found: its directory wanted",
		[EARLY_CORE_2012] = "one core of a set of packed structures of 2012 found: the directory of one of July "
		                    "2012 wanted",
		[EARLY_ELF] = "a checkpoint in ELF of 2011 found: the directory of an image of September 2011 wanted",
	};
	return crimg_fail(err, CRIMG_E_UNSUPPORTED, in->source != NULL ? in->source->name : in->path, 0, "%s",
	                  names[what_is(in)]);
}

static int early_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	static const struct model_loader loader = { &early_format, sizeof(struct early_image), NULL, load, fini };
	return in->store == NULL ? fail_source(in, err) : model_reader_open(reader, in, &loader, err);
}

// Of a tree that could not be read, our open says so best.
static int probe_store(struct crimg_store *store)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	const struct crimg_member *tree;
	bool is_2012;
	if (crimg_store_find(store, "inventory.img") != NULL)
		return 0;
	return early_pstree(store, &tree, &is_2012, &why) < 0 || tree != NULL ? 95 : 0;
}

static int early_probe(const struct crimg_input *in)
{
	if (in->store != NULL)
		return probe_store(in->store);
	return what_is(in) != NOT_EARLY ? 100 : 0;
}

const struct crimg_reader_driver crimg_reader_criuearly = {
	.name = "criu-early",
	.summary = "CRIU's packed structures of September 2011 and July 2012, before its first release, x86-64",
	.keeps = "registers, areas, pages, shared memory, descriptors; of 2011 pipes, of 2012 threads, names and signal actions; "
	         "every structure as it is",
	.loses = "what the images of 2011 did not hold yet (names, credentials, signals, timers, sessions); of 2012, sockets, "
	         "pipes, credentials, timers and namespaces stay as they are, unread",
	.probe = early_probe,
	.open = early_open,
	.next = model_reader_next,
	.read = model_reader_read,
	.close = model_reader_close,
};
