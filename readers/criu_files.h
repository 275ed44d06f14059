// The files of a CRIU image: which members of a store they are, what kind each is, and their frames.
#ifndef CRIMG_READERS_CRIU_FILES_H
#define CRIMG_READERS_CRIU_FILES_H

#include "format/driver.h"

struct criu_file {
	size_t member;              // index into store->members
	struct crimg_object object; // framing is known once the file was opened
	char *origin;               // "store/member" for errors; owned
};

struct criu_files {
	struct criu_file *list;     // in reading order: kind, number, name
	size_t count, capacity;
};

// The directory in store that holds the image: "" or "checkpoint/" (with the slash), copied into *root
// (CRIMG_MAX_NAME_BYTES + 1 bytes, may be NULL). -1 with err when there is none, or more than one.
CRIMG_MUST_CHECK int criu_files_root(const struct crimg_store *store, char *root,
                                     struct crimg_err *err);
// Lists every member; foreign ones as OPAQUE. single: the only member is one .img file, whose kind its
// name or the first bytes in head tell.
CRIMG_MUST_CHECK int criu_files_list(struct criu_files *files, const struct crimg_store *store,
                                     bool single, const uint8_t *head, size_t head_length,
                                     struct crimg_err *err);
void criu_files_fini(struct criu_files *files);

// True when 8 bytes begin with the common or service magic and a kind's magic.
bool criu_is_framed(const uint8_t *head);
// The kind of a single file by its first bytes, else by the last part of its path.
enum crimg_kind criu_single_kind(const char *path, const uint8_t *head, size_t length);

// Compares the first bytes (got of them, 8 are enough) with what the kind wants.
CRIMG_MUST_CHECK int criu_check_magic(const struct crimg_kind_info *info, const uint8_t *p,
                                      size_t got, const char *name, enum crimg_framing *framing,
                                      struct crimg_err *err);
// Bytes of magic in front of the entries.
size_t criu_head_length(const struct crimg_kind_info *info, enum crimg_framing framing);
// Lends one entry, u32 length and message; *length is the message's.
CRIMG_MUST_CHECK int criu_peek_entry(struct crimg_window *w, const uint8_t **out, size_t *length,
                                     struct crimg_err *err);
// Bytes of one SysV message at the window: u32 size, ipc_msg, text padded to 8.
CRIMG_MUST_CHECK int criu_measure_message(struct crimg_window *w, struct crimg_arena *arena,
                                          uint64_t *length, struct crimg_err *err);

#endif
