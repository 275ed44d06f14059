// Reading /proc whole, and memory by process_vm_readv and process_vm_writev.
#include "producer/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define STEP_BYTES 16384u

static int read_all(int fd, const char *path, struct crimg_buf *buf, struct crimg_err *err)
{
	buf->length = 0;
	for (;;) {
		if (crimg_buf_reserve(buf, STEP_BYTES, err) < 0)
			return -1;
		ssize_t n = read(fd, buf->data + buf->length, STEP_BYTES - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return crimg_fail_sys(err, errno, path, "cannot be read");
		buf->length += (size_t)n;
		buf->data[buf->length] = '\0';
		if (n == 0)
			return 0;
	}
}

int crimg_proc_read(pid_t pid, const char *name, struct crimg_buf *buf, struct crimg_err *err)
{
	char path[96];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	int rc = read_all(fd, path, buf, err);
	close(fd);
	return rc;
}

const char *crimg_proc_line(const char *text, char *out, size_t size)
{
	size_t length = strcspn(text, "\n"), kept = length < size ? length : size - 1;
	memcpy(out, text, kept);
	out[kept] = '\0';
	return text[length] == '\n' && text[length + 1] != '\0' ? text + length + 1 : NULL;
}

const char *crimg_proc_field(const char *text, const char *key)
{
	size_t length = strlen(key);
	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return NULL;
}

typedef ssize_t transfer(pid_t, const struct iovec *, unsigned long, const struct iovec *,
			 unsigned long, unsigned long);

// A transfer ends early where memory is not mapped, and after 2 GiB.
static int move(transfer *how, pid_t tid, uint64_t address, void *data, size_t length,
		const char *verb, struct crimg_err *err)
{
	for (size_t done = 0; done < length;) {
		struct iovec here = {(uint8_t *)data + done, length - done};
		struct iovec there = {(void *)(uintptr_t)(address + done), length - done};
		ssize_t n = how(tid, &here, 1, &there, 1, 0);
		if (n <= 0)
			return crimg_fail_sys(err, n < 0 ? errno : EFAULT, NULL,
					      "task %d: memory at 0x%" PRIx64 " cannot be %s", (int)tid,
					      address + done, verb);
		done += (size_t)n;
	}
	return 0;
}

int crimg_proc_get(pid_t tid, uint64_t address, void *data, size_t length, struct crimg_err *err)
{
	return move(process_vm_readv, tid, address, data, length, "read", err);
}

int crimg_proc_put(pid_t tid, uint64_t address, const void *data, size_t length,
		   struct crimg_err *err)
{
	return move(process_vm_writev, tid, address, (void *)(uintptr_t)data, length, "written", err);
}
