// Any mount of the file system will do: they are tried in turn.
#include "producer/file_handle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"

#define HANDLE_BYTES_MAX 128u
#define PATH_BYTES 4096

static int open_in(const char *mount, const FhEntry *h)
{
	_Alignas(struct file_handle) uint8_t room[sizeof(struct file_handle) + HANDLE_BYTES_MAX] = { 0 };
	struct file_handle *handle = (struct file_handle *)(void *)room;
	uint8_t *bytes = handle->f_handle;
	int dir = open(mount, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (dir < 0)
		return -1;
	handle->handle_bytes = h->bytes;
	handle->handle_type = (int)h->type;
	for (size_t i = 0; i < h->n_handle && i < HANDLE_BYTES_MAX / 8; i++) {
		uint64_t word = h->handle[i];
		memcpy(bytes + 8 * i, &word, sizeof word);
	}
	int fd = open_by_handle_at(dir, handle, O_PATH | O_CLOEXEC);
	close(dir);
	return fd;
}

int crimg_file_by_handle(uint32_t dev, const FhEntry *handle)
{
	char line[2 * PATH_BYTES], mount[PATH_BYTES];
	unsigned major, minor;
	int fd = -1;
	FILE *mounts = handle->bytes > 0 && handle->bytes <= HANDLE_BYTES_MAX && handle->bytes <= 8 * handle->n_handle
		? fopen("/proc/self/mountinfo", "re") : NULL;
	while (mounts != NULL && fd < 0 && fgets(line, sizeof line, mounts) != NULL)
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major, &minor, mount) == 3
		    && (major << 20 | minor) == dev)
			fd = open_in(mount, handle);
	if (mounts != NULL)
		fclose(mounts);
	return fd;
}
