// Which file an area maps, what the image knows of it, and its bytes. Knows reg_file_entry; leaves
// opening and comparing to the sysroot.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"
#include "format/limits.h"
#include "inspect/file_text.h"
#include "inspect/sysroot.h"

// A deleted file: a link that CRIU made of it has its contents, another file of its name has not.
static const char *path_of(struct crimg_view *view, const struct crimg_file *file, const char **gone)
{
	const RegFileEntry *reg = file->message;
	const RemapFilePathEntry *remap = file->remap;
	*gone = NULL;
	if (remap == NULL)
		return reg->name;
	// Before 1.6 there was no type: the top bit of the number told ghosts.
	bool linked = remap->has_remap_type ? remap->remap_type == REMAP_TYPE__LINKED
	                                    : remap->remap_id >> 31 == 0;
	const struct crimg_file *link =
		linked ? crimg_files_find(&view->files, remap->remap_id) : NULL;
	const char *path = link != NULL ? crimg_file_path(link) : NULL;
	if (path == NULL)
		*gone = "was deleted";
	return path != NULL ? path : reg->name;
}

bool crimg_area_identity(struct crimg_view *view, const struct crimg_area *area,
                         struct crimg_file_identity *out)
{
	const VmaEntry *vma = area->vma;
	if ((vma->status & CRIMG_VMA_FILE) == 0 || (vma->status & CRIMG_VMA_MEMFD) != 0
	    || vma->shmid > UINT32_MAX)
		return false;
	const struct crimg_file *file = crimg_files_find(&view->files, (uint32_t)vma->shmid);
	if (file == NULL || file->type != FD_TYPES__REG || file->message == NULL)
		return false;
	const RegFileEntry *reg = file->message;
	struct crimg_file_identity id = { .size = reg->has_size ? reg->size : UINT64_MAX };
	id.path = path_of(view, file, &id.gone);
	for (size_t i = 0; i < reg->n_build_id && id.build_id_length < sizeof id.build_id; i++) {
		crimg_put_u32(id.build_id + id.build_id_length, reg->build_id[i]);
		id.build_id_length += 4;
	}
	*out = id;
	return true;
}

int crimg_elf_file_read(const struct crimg_elf_file *f, uint64_t offset, void *buf, size_t length,
                        struct crimg_err *err)
{
	if (f->fd < 0 || f->size > INT64_MAX - CRIMG_PAGE_BYTES)
		return 0;
	uint64_t pages_end = (f->size + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
	if (!crimg_in_range(offset, length, pages_end))
		return 0;
	uint8_t *out = buf;
	size_t here = offset < f->size ? (size_t)crimg_min_u64(length, f->size - offset) : 0;
	for (size_t done = 0; done < here;) {
		ssize_t n = pread(f->fd, out + done, here - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return crimg_fail_sys(err, errno, f->path, "cannot be read in the sysroot");
		if (n == 0)
			return crimg_fail(err, CRIMG_E_IO, f->path, offset + done,
			                  "the file in the sysroot was cut short meanwhile");
		done += (size_t)n;
	}
	memset(out + here, 0, length - here);
	return 1;
}

int crimg_sysroot_bytes(void *context, const struct crimg_area *area, uint64_t offset, void *buf,
                        size_t length, struct crimg_err *err)
{
	struct crimg_view *view = context;
	struct crimg_file_identity identity;
	if (!crimg_area_identity(view, area, &identity))
		return 0;
	const struct crimg_elf_file *f = crimg_sysroot_file(view, &identity);
	return f != NULL ? crimg_elf_file_read(f, offset, buf, length, err) : 0;
}
