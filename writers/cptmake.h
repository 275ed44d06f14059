// An OpenVZ image (0x803, in the layout of 042stab141) made of the records of another format. Parts share this;
// each knows one section or a few.
#ifndef CRIMG_WRITERS_CPTMAKE_H
#define CRIMG_WRITERS_CPTMAKE_H

#include "format/files.h"
#include "format/layout_cpt.h"
#include "format/ledger.h"
#include "format/tasks.h"
#include "writers/carried.h"

#define CPTMAKE_LONGEST 3104u // header of an object
#define CPTMAKE_MOST 32768u   // processes and mounts of a container

// An object that is open: its length is put when it ends.
struct cptmake_mark {
	uint64_t at; // in the file
	size_t head; // among the bytes that are no contents
};

// The header of an object. References are none until they are set.
struct cptmake_object {
	enum crimg_cpt_object kind;
	uint16_t content;
	uint16_t header;
	uint8_t data[CPTMAKE_LONGEST];
};

// Where something with a number was written.
struct cptmake_place {
	uint64_t key, at;    // at: 0: not yet
	uint64_t from, size; // pipes: of their bytes among all; shared memory: its size
};

struct cptmake_map {
	struct cptmake_place *list; // sorted by key
	size_t count, capacity;
};

struct cptmake {
	struct carried *c;
	struct crimg_image *image;
	struct crimg_ledger *ledger; // may be NULL
	struct crimg_tasks tasks;
	struct crimg_files files;
	uint64_t sections[CRIMG_CPT_INDEXED_SECTIONS];
	struct cptmake_mark section;
	struct cptmake_map inodes; // by CPTMAKE_INODE(kind, number)
	struct cptmake_map opened; // FILEs by number, and those of shared memory
	struct cptmake_map mounts; // by number
	struct cptmake_map shared; // by CPTMAKE_SHARED(kind, number): MM, FILES, FS, SIGHAND_STRUCT
	uint64_t namespace_at, root_at;
	uint64_t *timers;          // of each task
	struct cptmake_map sockets; // by family and number; the place among them is a socket's index
	struct cptmake_map packets; // by payload
	uint64_t packet_bytes;      // of all
	uint32_t wide;             // 64-bit tasks
};

enum { CPTMAKE_PIPE = 1, CPTMAKE_GHOST, CPTMAKE_LINK, CPTMAKE_DEVICE, CPTMAKE_SEGMENT, CPTMAKE_SYSV,
       CPTMAKE_SOCKET };
#define CPTMAKE_KEY(kind, number) ((uint64_t)(kind) << 40 | (uint64_t)(number))

// Everything but contents, which are announced to c. -1: what has no place and cannot be left out, or memory.
CRIMG_MUST_CHECK int cptmake_image(struct cptmake *k, struct crimg_err *err);
void cptmake_fini(struct cptmake *k);

// Objects.
struct cptmake_object cptmake_new(enum crimg_cpt_object kind, enum crimg_cpt_content content);
void cptmake_set(struct cptmake_object *o, enum crimg_cpt_field field, uint64_t value);
void cptmake_set_at(struct cptmake_object *o, enum crimg_cpt_field field, unsigned index,
		    uint64_t value);
void cptmake_set_bytes(struct cptmake_object *o, enum crimg_cpt_field field, const void *bytes,
		       size_t length);
CRIMG_MUST_CHECK int cptmake_begin(struct cptmake *k, const struct cptmake_object *o,
				   struct cptmake_mark *mark, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_end(struct cptmake *k, struct cptmake_mark mark,
				 struct crimg_err *err);
// An object that is header and bytes.
CRIMG_MUST_CHECK int cptmake_put(struct cptmake *k, const struct cptmake_object *o,
				 const void *bytes, size_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_name(struct cptmake *k, const char *text, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_bits(struct cptmake *k, enum crimg_cpt_content content,
				  const void *bytes, size_t length, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_section(struct cptmake *k, enum crimg_cpt_section number,
				     struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_section_end(struct cptmake *k, struct crimg_err *err);

// Places. Keys are added, then sealed; find gives NULL for one that was not.
CRIMG_MUST_CHECK int cptmake_map_add(struct cptmake_map *map, uint64_t key, struct crimg_err *err);
void cptmake_map_seal(struct cptmake_map *map);
struct cptmake_place *cptmake_map_find(const struct cptmake_map *map, uint64_t key);
// The place of a key, or none.
uint64_t cptmake_at(const struct cptmake_map *map, uint64_t key);

// What is left out; said to the ledger when there is one.
CRIMG_MUST_CHECK int cptmake_lose(struct cptmake *k, enum crimg_kind kind, uint64_t id,
				  const char *field, const char *what, struct crimg_err *err);

// Sections.
// The keys of an open file that somebody holds, before the maps are sealed.
CRIMG_MUST_CHECK int cptmake_collect_file(struct cptmake *k, uint32_t id, struct crimg_err *err);
// The sockets among them, when these are sealed.
CRIMG_MUST_CHECK int cptmake_find_sockets(struct cptmake *k, struct crimg_err *err);
bool cptmake_is_socket(const struct crimg_file *f);
uint32_t cptmake_socket_index(const struct cptmake *k, const struct crimg_file *f);
CRIMG_MUST_CHECK int cptmake_sockets(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_devices(struct cptmake *k, struct crimg_err *err);
// The inode that a file is written with; 0: none. The kernel's number of the device of this name; 0: it is none of
// those known.
uint64_t cptmake_inode_key(const struct crimg_file *f);
uint32_t cptmake_device(const char *path);
CRIMG_MUST_CHECK int cptmake_inodes(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_open_files(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_tables(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_handlers(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_timers(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_memory(struct cptmake *k, struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_tasks(struct cptmake *k, struct crimg_err *err);
// The pages of a page map between two addresses, as PAGES objects.
CRIMG_MUST_CHECK int cptmake_pages(struct cptmake *k, const struct crimg_image_object *o,
				   uint64_t start, uint64_t end, struct crimg_err *err);

#endif
