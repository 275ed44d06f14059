// Host: mapped and open files. What criu checks when it opens them again (there, size, mode, build-id) is checked
// here. Only files of the outside's mount namespace: where a container's root will be is not known.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/build_id.h"
#include "format/checked.h"
#include "validate/host.h"

static bool same_build_id(const RegFileEntry *reg, int fd)
{
	uint8_t found[CRIMG_BUILD_ID_MAX + 4] = { 0 }, wanted[CRIMG_BUILD_ID_MAX + 4] = { 0 };
	size_t length = crimg_build_id_read(fd, found), words = (length + 3) / 4;
	if (reg->n_build_id == 0 || reg->n_build_id > CRIMG_BUILD_ID_MAX / 4)
		return true;
	for (size_t i = 0; i < reg->n_build_id; i++)
		crimg_put_u32(wanted + 4 * i, reg->build_id[i]);
	return words == reg->n_build_id && memcmp(found, wanted, 4 * words) == 0;
}

static void check_open(struct crimg_checker *c, const struct crimg_file *file, int fd,
                       const struct stat *st)
{
	const RegFileEntry *reg = file->message;
	if (reg->has_mode && reg->mode != st->st_mode) {
		struct crimg_place at = crimg_place_opened(c, file, "mode");
		CRIMG_FIND(c, HOST_FILE_DIFFERS, &at, "%s: mode 0%o found, 0%o wanted", reg->name,
		           (unsigned)st->st_mode, reg->mode);
	} else if (reg->has_size && S_ISREG(st->st_mode) && reg->size != (uint64_t)st->st_size) {
		struct crimg_place at = crimg_place_opened(c, file, "size");
		CRIMG_FIND(c, HOST_FILE_DIFFERS, &at, "%s: %lld bytes found, %" PRIu64 " wanted",
		           reg->name, (long long)st->st_size, reg->size);
	} else if (fd >= 0 && !same_build_id(reg, fd)) {
		struct crimg_place at = crimg_place_opened(c, file, "build_id");
		CRIMG_FIND(c, HOST_FILE_DIFFERS, &at, "%s: another build-id found", reg->name);
	}
}

static void check_file(struct crimg_checker *c, const struct crimg_file *file)
{
	const RegFileEntry *reg = file->message;
	struct stat st;
	// "." and the like are of the restoring process; terminals are made anew.
	if (reg->name[0] != '/' || strncmp(reg->name, "/dev/pts/", 9) == 0)
		return;
	if (stat(reg->name, &st) < 0) {
		struct crimg_place at = crimg_place_opened(c, file, "name");
		CRIMG_FIND(c, HOST_FILE_MISSING, &at, "%s: %s", reg->name, strerror(errno));
		return;
	}
	int fd = S_ISREG(st.st_mode) && reg->n_build_id > 0
		? open(reg->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
	check_open(c, file, fd, &st);
	if (fd >= 0)
		close(fd);
}

void crimg_host_files(struct crimg_checker *c)
{
	if (!crimg_host_shares(c, "mnt")) {
		struct crimg_place at = crimg_place_image(c);
		CRIMG_FIND(c, HOST_NOT_JUDGED, &at,
		           "files: the tasks have a mount namespace of their own, whose root is not known");
		return;
	}
	for (size_t i = 0; i < c->files.count; i++) {
		const struct crimg_file *file = &c->files.list[i];
		// Deleted files come back from the image; external ones are the restart's to bring along.
		if (file->type == FD_TYPES__REG && file->message != NULL && file->remap == NULL
		    && !((const RegFileEntry *)file->message)->ext)
			check_file(c, file);
	}
}
