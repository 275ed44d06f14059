// A kernel stream made from an image's messages, as checkpoint(2) of a 2.6.33 kernel would have written
// it for a subtree of tasks: what its makers share. Each file kstream_*.c makes the records of one kind of
// thing; an object is written where it is first spoken of. Source: SPEC.md, chapter "Kernel streams".
#ifndef CRIMG_WRITERS_KSTREAM_H
#define CRIMG_WRITERS_KSTREAM_H

#include "format/files.h"
#include "format/ledger.h"
#include "writers/kstream_out.h"

struct kstream_number; // of an object (kstream_refs.c)

// Payloads that must be known before the stream can be laid out: what is in pipes, queues, semaphores.
struct kstream_contents {
	struct kstream_content {
		uint64_t payload, length, held;
		uint8_t *bytes; // owned
	} *list; // owned; in the order of payloads
	size_t count, capacity;
	uint64_t total;
};

// Those of message kinds that the stream has a place for.
bool kstream_wants_content(enum crimg_kind kind);
CRIMG_MUST_CHECK int kstream_announce(struct kstream_contents *c, struct crimg_payload_ref payload,
                                      struct crimg_err *err);
// A CONTENT record; of payloads not announced nothing is taken.
CRIMG_MUST_CHECK int kstream_take(struct kstream_contents *c, const struct crimg_record *record,
                                  struct crimg_err *err);
// NULL when it did not come in full, or has no bytes.
const uint8_t *kstream_content(const struct kstream_contents *c, struct crimg_payload_ref payload);
void kstream_contents_fini(struct kstream_contents *c);

struct kstream {
	struct crimg_image *image;
	const struct kstream_contents *contents;
	struct crimg_ledger *ledger; // may be NULL
	struct crimg_tasks tasks;
	struct crimg_files files;
	struct kstream_out out;
	uint32_t xstate_bytes;       // of every CPU_FPU
	struct crimg_arena arena;
	struct kstream_number *numbers; // owned; open addressing
	size_t number_count, number_capacity;
	int32_t last;                // number given
	uint32_t exe;                // file that the task in hand runs
	int32_t creds;               // of the task in hand: also those of the files it brings
};

// Reads the index and makes all records; what has no place is told to the ledger. k is zeroed but for
// image, contents, ledger and out.rc2; kstream_fini() frees what it holds whatever happens.
CRIMG_MUST_CHECK int kstream_make(struct kstream *k, struct crimg_err *err);
void kstream_fini(struct kstream *k);

// Numbers (kstream_refs.c). An object is known by its type (CRIMG_LCR_OBJ_*) and a key.
// Its number, given now if it has none (*fresh, which may be NULL).
int32_t kstream_number(struct kstream *k, uint32_t type, const void *key, size_t length, bool *fresh);
int32_t kstream_number_of(struct kstream *k, uint32_t type, uint64_t key, bool *fresh);
// The same, and its OBJREF if its body was not written yet: true, and the body must follow.
bool kstream_object(struct kstream *k, uint32_t type, const void *key, size_t length, int32_t *ref);
bool kstream_object_of(struct kstream *k, uint32_t type, uint64_t key, int32_t *ref);

// The ledger (kstream_losses.c). object: a file name of the image.
__attribute__((format(printf, 4, 5)))
void kstream_lose(struct kstream *k, const char *object, const char *field, const char *format, ...);
void kstream_lose_of(struct kstream *k, enum crimg_kind kind, uint64_t id, const char *field,
                     const char *what);
// What such a stream never held, and its tasks lived without.
void kstream_note_of(struct kstream *k, enum crimg_kind kind, uint64_t id, const char *field,
                     const char *what);
// Kinds of objects that have no place at all, and what a process holds beside its records.
void kstream_lose_kinds(struct kstream *k);
void kstream_lose_task(struct kstream *k, const struct crimg_task *task);
void kstream_lose_thread(struct kstream *k, const struct crimg_thread *thread);

// The objects. Each writes it if it is new; returns its number.
int32_t kstream_creds(struct kstream *k, const struct crimg_task *task, const CredsEntry *creds);
int32_t kstream_namespaces(struct kstream *k, const struct crimg_task *task);
int32_t kstream_ipc(struct kstream *k, uint32_t ns);
int32_t kstream_file(struct kstream *k, uint32_t id); // 0: there is none, or it has no place (told)
// The file behind an area: another one where CRIU keeps one entry of a file opened twice, in ways that differ.
int32_t kstream_mapped_file(struct kstream *k, const VmaEntry *vma);
int32_t kstream_table(struct kstream *k, const struct crimg_task *task);
int32_t kstream_fs(struct kstream *k, const struct crimg_task *task);
int32_t kstream_mm(struct kstream *k, const struct crimg_task *task);
int32_t kstream_handlers(struct kstream *k, const struct crimg_task *task);
// Path of a file as the root task sees it; NULL: it has none.
const char *kstream_path(struct kstream *k, const struct crimg_file *file);
// A number for the inode behind this path.
int32_t kstream_inode(struct kstream *k, const char *path);

// Sockets: whether there is a place for this one; its number, written if it is new; what waits in it.
bool kstream_socket_has_place(const struct crimg_file *file);
int32_t kstream_socket(struct kstream *k, const struct crimg_file *file);
void kstream_socket_queues(struct kstream *k, const struct crimg_file *file);

// Terminals: the same.
bool kstream_tty_has_place(struct kstream *k, const struct crimg_file *file);
int32_t kstream_tty(struct kstream *k, const struct crimg_file *file);

// Shared memory: a number for segment `id`, *fresh as above, and its contents.
int32_t kstream_segment(struct kstream *k, uint64_t id, bool *fresh);
void kstream_segment_pages(struct kstream *k, uint64_t id);
void kstream_sysv_pages(struct kstream *k, uint64_t id, const struct crimg_image_entry *entry,
                        const IpcShmEntry *shm);

// Records of a thread (kstream_regs.c, kstream_signals.c).
void kstream_regs(struct kstream *k, const struct crimg_thread *thread);
uint32_t kstream_xstate(const struct kstream *k);
void kstream_limits(struct kstream *k, const struct crimg_task *task);
void kstream_pending(struct kstream *k, const struct crimg_list *signals);

#endif
