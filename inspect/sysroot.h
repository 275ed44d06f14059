// Files beneath --sysroot: those that the tasks had mapped, and their separate debug files. A file is
// used only when it is the one that was mapped. Without --sysroot nothing of this machine is read.
// Knows paths, identities and ELF containers (libelf); knows no tasks.
#ifndef CRIMG_INSPECT_SYSROOT_H
#define CRIMG_INSPECT_SYSROOT_H

#include <libelf.h>

#include "format/space.h"
#include "inspect/elf_guard.h"
#include "inspect/view.h"

// Symbols of one ELF file, sorted by address; see inspect/symbols.h.
struct crimg_symbols;

// One file, opened once for all tasks that map it.
struct crimg_elf_file {
	const char *path;      // in the image
	int fd;                // -1: not to be had
	Elf *elf;              // NULL: not an ELF file, or not to be had
	uint64_t size;         // bytes
	char why[160];         // why it is not to be had: "not in the sysroot", "differs: size 5 found, 7 wanted"
	struct crimg_symbols *symbols; // made when first asked for; freed with the sysroot
	bool symbols_tried;
};

// What the image knows of a file; zero means unknown.
struct crimg_file_identity {
	const char *path;      // as the task saw it; where a deleted file was kept, if that is a path
	uint64_t size;         // bytes; UINT64_MAX: unknown
	uint8_t build_id[CRIMG_MAX_BUILD_ID]; // as CRIU keeps it: in words of 4, the last padded with 0
	size_t build_id_length;
	uint64_t mtime;        // seconds since 1970; 0: unknown
	const char *gone;      // why no file of that path can be it: "was deleted"; or NULL
};

// The identity of the file that area maps; false when it maps none with a path.
bool crimg_area_identity(struct crimg_view *view, const struct crimg_area *area,
                         struct crimg_file_identity *out);

// The view's sysroot, opened on first use; NULL without memory. Works without --sysroot too: every file is
// then not to be had, and says so. A DIR that is no directory is noted in view->fault.
struct crimg_sysroot *crimg_sysroot_of(struct crimg_view *view);
void crimg_sysroot_close(struct crimg_sysroot *sysroot); // NULL is allowed

// The file, opened on first use, beneath the sysroot: no link leads out of it. Never NULL but without
// memory (noted in view->fault): look at fd, elf and why.
struct crimg_elf_file *crimg_sysroot_file(struct crimg_view *view,
                                          const struct crimg_file_identity *identity);
// A separate debug file with that build-id: SYSROOT/usr/lib/debug/.build-id/xx/yyyy.debug. A new
// descriptor, which is the caller's, or -1.
int crimg_sysroot_debug_file(struct crimg_view *view, const uint8_t *build_id, size_t length);

// length bytes at offset of file, zeros behind its end up to the end of its last page. 1: done; 0: it has not that many, or is not to be had;
// -1: err.
CRIMG_MUST_CHECK int crimg_elf_file_read(const struct crimg_elf_file *file, uint64_t offset,
                                         void *buf, size_t length, struct crimg_err *err);

// For crimg_space.file_bytes (context: the view): bytes of mapped files from the sysroot; zeros behind the
// end of the file up to the end of its last page.
crimg_file_bytes_fn crimg_sysroot_bytes;

#endif
