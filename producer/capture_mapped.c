// The files behind mappings: by the links of map_files, or, where these are closed to us, by name, by a descriptor that
// somebody of the tree has, or by what the mapping shows (capture_hidden.c).
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "format/space.h"
#include "producer/area.h"
#include "producer/proc.h"

#define LINE_BYTES 1024u
#define LINK_BYTES 64u

static uint64_t device_of(const struct crimg_live_area *a)
{
	return makedev((unsigned)(a->dev >> 20), (unsigned)a->dev & 0xfffff);
}

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

static bool is_it(const char *link, uint64_t dev, uint64_t ino)
{
	struct stat st;
	return stat(link, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

struct search {
	uint64_t dev, ino;
	pid_t pid;
	char *link;
};

static int look_at(void *context, int fd)
{
	const struct search *s = context;
	snprintf(s->link, LINK_BYTES, "/proc/%d/fd/%d", (int)s->pid, fd);
	return is_it(s->link, s->dev, s->ino) ? 1 : 0;
}

// A link that leads to a file which somebody of the tree runs or has open ("/proc/7/fd/3").
static bool find_open(const struct crimg_capture *c, uint64_t dev, uint64_t ino, char link[LINK_BYTES])
{
	struct search s = {.dev = dev, .ino = ino, .link = link};
	for (size_t i = 0; i < c->tree.count; i++) {
		struct crimg_err ignored = CRIMG_ERR_INIT;
		char path[64];
		s.pid = c->tree.tasks[i].pid;
		if (c->tree.tasks[i].state == CRIMG_LIVE_ZOMBIE)
			continue;
		snprintf(link, LINK_BYTES, "/proc/%d/exe", (int)s.pid);
		if (is_it(link, dev, ino))
			return true;
		snprintf(path, sizeof path, "/proc/%d/fd", (int)s.pid);
		if (crimg_each_number(path, look_at, &s, &ignored) == 1)
			return true;
	}
	return false;
}

static struct crimg_hidden *find_or_add(struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
					struct crimg_err *err)
{
	void *array = c->hidden;
	for (size_t i = 0; i < c->hidden_count; i++)
		if (c->hidden[i].dev == dev && c->hidden[i].ino == ino)
			return &c->hidden[i];
	char *copy = crimg_arena_text(&c->shelf.arena, name, strlen(name));
	if (copy == NULL) {
		crimg_fail_nomem(err, strlen(name));
		return NULL;
	}
	if (crimg_grow(&array, &c->hidden_capacity, c->hidden_count, sizeof *c->hidden, err) < 0)
		return NULL;
	c->hidden = array;
	c->hidden[c->hidden_count] = (struct crimg_hidden){.dev = dev, .ino = ino, .name = copy};
	return &c->hidden[c->hidden_count++];
}

static int add_hidden(struct crimg_capture *c, uint64_t dev, uint64_t ino, const char *name,
		      const struct crimg_hidden_map *map, uint32_t *id, struct crimg_err *err)
{
	struct crimg_hidden *h = find_or_add(c, dev, ino, name, err);
	if (h == NULL)
		return -1;
	void *array = h->maps;
	if (h->count == 0 && map->segment) {
		struct crimg_segment *s = crimg_capture_new_segment(c, dev, ino, err);
		if (s == NULL || crimg_capture_segment_file(c, s, err) < 0)
			return -1;
		h->id = s->file_id;
	} else if (h->count == 0) {
		h->id = ++c->file.last;
	}
	if (crimg_grow(&array, &h->capacity, h->count, sizeof *h->maps, err) < 0)
		return -1;
	h->maps = array;
	h->maps[h->count++] = *map;
	*id = h->id;
	return 0;
}

static int name_hidden(struct crimg_capture *c, pid_t pid, const struct crimg_live_area *a, uint32_t *id,
		       struct crimg_err *err)
{
	char link[LINK_BYTES];
	struct stat st;
	size_t length;
	uint64_t dev = device_of(a);
	struct crimg_hidden_map map = {
		.pid = pid, .start = a->start, .end = a->end, .offset = a->offset,
		.swapped_bytes = a->swapped_bytes, .shared = crimg_area_is_shared(a),
		.segment = crimg_area_is_segment(a), .locked = strstr(a->flags, " lo") != NULL, .in_memory = true,
	};
	if (!map.segment && a->name[0] == '/' && stat(a->name, &st) == 0 && st.st_ino == a->ino)
		return crimg_capture_named(c, a->name, id, err);
	if (find_open(c, dev, a->ino, link))
		return name_link(c, link, a, id, err);
	if (!map.segment && !crimg_name_is_deleted(a->name, &length))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "process %d maps %.200s, which only a privileged crimg can open", (int)pid,
				  a->name);
	if (!map.segment && is_in_memory(c, pid, a, &map.in_memory, err) < 0)
		return -1;
	return add_hidden(c, dev, a->ino, a->name, &map, id, err);
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
	if (!crimg_area_is_segment(a) && crimg_capture_known(c, device_of(a), a->ino, a->name, &v->shmid))
		return 0;
	bool hidden = stat(link, &st) < 0 && errno == EPERM;
	int rc = hidden ? name_hidden(c, pid, a, &id, err) : name_link(c, link, a, &id, err);
	v->shmid = id;
	return rc;
}

void crimg_capture_free_hidden(struct crimg_capture *c)
{
	for (size_t i = 0; i < c->hidden_count; i++)
		free(c->hidden[i].maps);
	free(c->hidden);
}
