// What of an image a "LinuxC/R" image has no place for: nearly all. One line a kind.
#include "writers/kstate_make.h"

#include <stdio.h>
#include <string.h>

// Kinds of which something stays. Of the others nothing does; of the last rows nothing is missed.
static const struct {
	enum crimg_kind kind;
	const char *what; // NULL: no loss
} kept[] = {
	{ CRIMG_KIND_CORE, "kept: names, credentials (without groups), limits; lost: registers, states, signals, timers, "
	                   "scheduling, and all else; dead processes altogether" },
	{ CRIMG_KIND_CREDS, "kept: credentials, without groups" },
	{ CRIMG_KIND_RLIMIT, NULL },
	{ CRIMG_KIND_PSTREE, "kept: processes, threads, groups, sessions; lost: who is whose parent" },
	{ CRIMG_KIND_IDS, "kept: what is shared, and namespaces of names, processes, mounts, networks and SysV "
	                  "objects; lost: those of users, groups and times" },
	{ CRIMG_KIND_MM, "kept: which tasks share an address space; lost: what is in it" },
	{ CRIMG_KIND_FS, "kept: the umask; lost: working and root directory" },
	{ CRIMG_KIND_FDINFO, "kept: which tasks share a table; lost: its descriptors" },
	{ CRIMG_KIND_FILES, "kept: flags, position and owner of what descriptors hold; lost: names, kinds, and all else" },
	{ CRIMG_KIND_REG_FILES, "kept: flags, position and owner of what descriptors hold; lost: names, and all else" },
	{ CRIMG_KIND_UTSNS, NULL },
	{ CRIMG_KIND_INVENTORY, NULL },
};

// Of F the same: it has no tasks, and nothing refers to anything.
static const struct {
	enum crimg_kind kind;
	const char *what;
} kept_by_f[] = {
	{ CRIMG_KIND_CORE, "kept: credentials, each set once, without groups; lost: whose they are, and all else" },
	{ CRIMG_KIND_CREDS, "kept: credentials, each set once, without groups; lost: whose they are" },
	{ CRIMG_KIND_PSTREE, "lost: there are no processes" },
	{ CRIMG_KIND_UTSNS, "kept: names; lost: whose they are" },
	{ CRIMG_KIND_INVENTORY, NULL },
};

static bool is_empty(const struct crimg_image_object *o)
{
	return o->count == 0 && o->payload.number == CRIMG_NO_PAYLOAD && o->map == NULL;
}

static const char *words_for(enum crimg_kst_posting posting, enum crimg_kind kind)
{
	for (size_t i = 0; posting == CRIMG_KST_F && i < sizeof kept_by_f / sizeof kept_by_f[0]; i++)
		if (kept_by_f[i].kind == kind)
			return kept_by_f[i].what;
	if (posting == CRIMG_KST_F)
		return "left out: no place";
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (kept[i].kind == kind)
			return kept[i].what;
	return "left out: no place";
}

int kstate_losses(struct crimg_image *image, enum crimg_kst_posting posting, struct crimg_ledger *ledger,
                  struct crimg_err *err)
{
	char object[CRIMG_FILE_NAME_MAX];
	enum crimg_kind told = CRIMG_KIND_COUNT;
	for (size_t i = 0; i < image->count; i++) {
		const struct crimg_image_object *o = &image->objects[i];
		const char *what = words_for(posting, o->object.kind);
		if (o->object.kind == told || is_empty(o) || what == NULL)
			continue;
		told = o->object.kind;
		snprintf(object, sizeof object, "%s", crimg_kind_info(told)->file);
		if (strchr(object, '%') != NULL)
			*strchr(object, '%') = '*';
		if (crimg_ledger_add(ledger, object, "", what, err) < 0)
			return -1;
	}
	return 0;
}
