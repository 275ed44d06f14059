// The files behind mappings: by the links of map_files, or, where these are closed to us, by name, by a descriptor that
// somebody of the tree has, or by what the mapping shows (capture_hidden.c).
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/space.h"
#include "producer/area.h"
#include "producer/proc.h"

#define LINE_BYTES 1024u

static int name_segment(struct crimg_capture *c, const char *link, const char *name, uint32_t *id,
			struct crimg_err *err)
{
	struct crimg_segment *s;
	int fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return crimg_fail_sys(err, errno, link, "shared memory cannot be opened");
	int rc = crimg_capture_segment(c, fd, name, &s, err);
	close(fd);
	if (rc < 0 || crimg_capture_segment_file(c, s, err) < 0)
		return -1;
	*id = s->file_id;
	return 0;
}

static int name_link(struct crimg_capture *c, const char *link, const struct crimg_live_area *a, uint32_t *id,
		     struct crimg_err *err)
{
	return crimg_area_is_segment(a) ? name_segment(c, link, a->name, id, err)
					: crimg_capture_named(c, link, id, err);
}

static bool ends_deleted(const char *name)
{
	size_t n = strlen(name), tail = strlen(CRIMG_DELETED);
	return n > tail && strcmp(name + n - tail, CRIMG_DELETED) == 0;
}

// "36 35 0:33 / /dev/shm rw - tmpfs tmpfs rw": whether the file system of that number keeps its files in memory.
static int is_in_memory(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a, bool *out,
			struct crimg_err *err)
{
	const char *text = crimg_capture_text(c, pid, "mountinfo", err);
	char line[LINE_BYTES];
	*out = false;
	if (text == NULL)
		return -1;
	while (text != NULL && !*out) {
		unsigned major, minor;
		text = crimg_proc_line(text, line, sizeof line);
		*out = sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2
		       && ((uint64_t)major << 20 | minor) == a->dev && strstr(line, " - tmpfs ") != NULL;
	}
	return 0;
}

static int name_hidden(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a, uint32_t *id,
		       struct crimg_err *err)
{
	char link[CRIMG_LINK_BYTES];
	struct stat st;
	uint64_t dev = makedev((unsigned)(a->dev >> 20), (unsigned)a->dev & 0xfffff);
	struct crimg_hidden_map map = {
		.pid = pid, .start = a->start, .end = a->end, .offset = a->offset,
		.swapped_bytes = a->swapped_bytes, .shared = crimg_area_is_shared(a),
		.segment = crimg_area_is_segment(a), .locked = strstr(a->flags, " lo") != NULL, .in_memory = true,
	};
	if (!map.segment && a->name[0] == '/' && stat(a->name, &st) == 0 && st.st_ino == a->ino)
		return crimg_capture_named(c, a->name, id, err);
	if (crimg_capture_find_open(c, dev, a->ino, link))
		return name_link(c, link, a, id, err);
	if (!map.segment && !ends_deleted(a->name))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d maps %.200s, which only a privileged crimg can open", (int)pid,
				  a->name);
	if (!map.segment && is_in_memory(c, pid, a, &map.in_memory, err) < 0)
		return -1;
	return crimg_capture_hidden(c, dev, a->ino, a->name, &map, id, err);
}

int crimg_capture_mapped(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a, VmaEntry *v,
			 struct crimg_err *err)
{
	char link[128];
	struct stat st;
	uint32_t id = 0;
	if ((v->status & CRIMG_VMA_FILE) == 0)
		return 0;
	snprintf(link, sizeof link, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, a->start, a->end);
	v->has_fdflags = true;
	v->fdflags = lstat(link, &st) == 0 && (st.st_mode & S_IWUSR) != 0 ? O_RDWR : O_RDONLY;
	bool hidden = stat(link, &st) < 0 && errno == EPERM;
	int rc = hidden ? name_hidden(c, pid, a, &id, err) : name_link(c, link, a, &id, err);
	v->shmid = id;
	return rc;
}
