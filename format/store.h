// A store: named members, as a directory, an archive or memory holds them. Read only.
// Knows names, types and sizes; knows nothing of what is inside a member.
#ifndef CRIMG_FORMAT_STORE_H
#define CRIMG_FORMAT_STORE_H

#include "format/source.h"

enum crimg_member_type {
	CRIMG_MEMBER_FILE,
	CRIMG_MEMBER_LINK,  // a symbolic link: target
	CRIMG_MEMBER_DIR,   // listed only when it is empty: other directories follow from the names
};

struct crimg_member {
	char *name;        // path below the store's root: relative, no ".", "..", "//"; owned
	char *target;      // of a link, owned; else NULL
	enum crimg_member_type type;
	uint64_t size;     // bytes of a file
	uint64_t where;    // the store's own note
};

struct crimg_store;

struct crimg_store_ops {
	int (*open)(struct crimg_store *store, const struct crimg_member *member,
	            struct crimg_source **out, struct crimg_err *err);
	void (*close)(struct crimg_store *store); // frees what store->state holds
};

struct crimg_store {
	const struct crimg_store_ops *ops;
	char *name;                    // for errors: "dir", "a.tar"; owned
	char joint;                    // between store and member name in errors: '/' or '!'
	struct crimg_member *members;  // sorted by name, names unique; owned
	size_t count, capacity;
	unsigned shares;               // how many more closes there will be
	void *state;
};

// A directory and all below it. Links are listed, never followed. Sockets, devices and fifos are
// refused: CRIMG_E_UNSUPPORTED.
CRIMG_MUST_CHECK int crimg_store_open_dir(const char *path, struct crimg_store **out,
                                          struct crimg_err *err);
// A tar (plain or compressed) or zip. Takes over source, which must not be forward_only, on success. Refused with
// a clear error: absolute and ".." names, a link or file in the middle of another member's path, hard
// links and special files, the same name twice (but for directories), an archive cut short, a ratio or
// size beyond limits.h. Errors name "archive!member". Members of a plain tar have an fd and are read at
// any offset, and so are the large ones of others once they are unpacked to a file without a name in tmpdir: now, in the
// pass that lists them, when all contents are wanted; else when somebody goes back. Until then they are
// forward_only. tmpdir is borrowed as long as the store is open; NULL, when contents are not wanted: never.
CRIMG_MUST_CHECK int crimg_store_open_tar(struct crimg_source *source, const char *tmpdir,
                                          bool wanted, struct crimg_store **out,
                                          struct crimg_err *err);
// True when the first bytes of a file are those of an archive that crimg_store_open_tar reads
// (512 bytes are enough).
bool crimg_store_is_tar(const uint8_t *head, size_t length);
// One file as a store of one member, its base name. Takes over source on success.
CRIMG_MUST_CHECK int crimg_store_open_single(struct crimg_source *source, const char *name,
                                             struct crimg_store **out, struct crimg_err *err);
// An empty store in memory; crimg_store_add_memory adds to it. For tests, fuzzing and small outputs.
CRIMG_MUST_CHECK int crimg_store_open_memory(const char *name, struct crimg_store **out,
                                             struct crimg_err *err);
// Borrows data, which must outlive the store.
CRIMG_MUST_CHECK int crimg_store_add_memory(struct crimg_store *store, const char *name,
                                            const void *data, size_t length, struct crimg_err *err);
void crimg_store_close(struct crimg_store *store); // NULL is allowed
// For one more user, who closes it too: an archive is listed once. NULL stays NULL.
struct crimg_store *crimg_store_share(struct crimg_store *store);

// The member called name, or NULL.
const struct crimg_member *crimg_store_find(const struct crimg_store *store, const char *name);
// Opens a file member; close it before the store.
CRIMG_MUST_CHECK int crimg_store_open_member(struct crimg_store *store,
                                             const struct crimg_member *member,
                                             struct crimg_source **out, struct crimg_err *err);
// Fills err as crimg_fail does, the source named "store/member"; member may be NULL.
int crimg_store_fail(const struct crimg_store *store, const char *member, struct crimg_err *err,
                     enum crimg_code code, uint64_t offset, const char *fmt, ...)
	CRIMG_PRINTF(6, 7);

// True for a name that stays below its root: relative, without empty, "." and ".." parts, not too long.
bool crimg_name_is_safe(const char *name);

// For the stores themselves.
CRIMG_MUST_CHECK int crimg_store_make(const struct crimg_store_ops *ops, const char *name,
                                      char joint, void *state, struct crimg_store **out,
                                      struct crimg_err *err);
// Appends a member; target may be NULL. Refuses names that leave the root.
CRIMG_MUST_CHECK int crimg_store_add(struct crimg_store *store, const char *name,
                                     enum crimg_member_type type, uint64_t size,
                                     const char *target, uint64_t where, struct crimg_err *err);
// Sorts and refuses duplicates; call once after the last member.
CRIMG_MUST_CHECK int crimg_store_seal(struct crimg_store *store, struct crimg_err *err);
// "store/member" for errors, cut at size.
void crimg_store_shown(const struct crimg_store *store, const char *member, char *out, size_t size);

#endif
