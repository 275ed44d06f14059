// The reader driver of running processes.
#include "producer/live.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/checked.h"
#include "format/driver.h"
#include "producer/capture.h"
#include "producer/leaks.h"
#include "producer/predump.h"

#define TURNS 20u                     // of trying again
#define HEAD_BYTES 8u                 // of magic, in front of the entries of a file of CRIU's

// A frozen tree and its image, shared by the readers that are open.
struct live_image {
	struct live_image *next;
	pid_t pid;
	unsigned readers;
	struct crimg_capture capture;
};

struct live_state {
	struct live_image *image;
	char *origin;        // "pid:7"
	size_t object;       // in work
	bool opened;         // its OBJECT was yielded
	uint64_t entry, mark;
	size_t at;           // in its entries
	bool metadata_over, begun; // that was told; contents were begun
	uint64_t payload;    // whose contents are being read
	struct crimg_source *source; // of them
};

static struct live_image *images;

static bool is_thawed(const struct live_image *i)
{
	return i->capture.tree.thawed_at != 0;
}

// The last image of a tree; readable: whose contents can be read, too.
static struct live_image *find(pid_t pid, bool readable)
{
	for (struct live_image *i = images; i != NULL; i = i->next)
		if (i->pid == pid && (!readable || !is_thawed(i) || i->capture.spool != NULL))
			return i;
	return NULL;
}

static struct crimg_parent parent; // of the image that is taken next
static bool without_stats, thorough;
static const char *spool;
static bool (*stopped)(void);
static struct {
	unsigned kinds;
	void (*found)(void *context, const char *leak);
	void *context;
} enforced;

void crimg_live_without_stats(void)
{
	without_stats = true;
}

void crimg_live_spool(const char *dir, bool (*asked)(void))
{
	spool = dir;
	stopped = asked;
}

void crimg_live_enforce(unsigned kinds, void (*found)(void *context, const char *leak), void *context)
{
	enforced.kinds = kinds;
	enforced.found = found;
	enforced.context = context;
}

void crimg_live_thorough(void)
{
	thorough = true;
}

void crimg_live_keep_links(pid_t pid)
{
	struct live_image *i = find(pid, false);
	if (i != NULL)
		i->capture.keep_links = true;
}

bool crimg_live_stats(pid_t pid, DumpStatsEntry *out)
{
	const struct live_image *i = find(pid, false);
	if (i != NULL)
		*out = crimg_capture_stats(&i->capture);
	return i != NULL;
}

int crimg_live_thaw(pid_t pid, enum crimg_thaw how, struct crimg_err *err)
{
	struct live_image *i = find(pid, false);
	return i != NULL ? crimg_capture_thaw(&i->capture, how, err) : 0;
}

const struct crimg_buf *crimg_live_notes(pid_t pid)
{
	const struct live_image *i = find(pid, false);
	return i != NULL ? &i->capture.notes : NULL;
}

static void drop(struct live_image *i)
{
	struct live_image **link = &images;
	if (--i->readers > 0)
		return;
	while (*link != NULL && *link != i)
		link = &(*link)->next;
	if (*link != NULL)
		*link = i->next;
	struct crimg_err none = CRIMG_ERR_INIT;
	if (crimg_capture_thaw(&i->capture, CRIMG_THAW_RUN, &none) < 0)
		none.code = CRIMG_OK; // that fails for others only
	crimg_capture_fini(&i->capture);
	free(i);
}

static struct live_image *make(pid_t pid, struct crimg_err *err)
{
	struct live_image *i = calloc(1, sizeof *i);
	if (i == NULL)
		crimg_fail_nomem(err, sizeof *i);
	else
		*i = (struct live_image){.pid = pid, .readers = 1};
	return i;
}

static void enlist(struct live_image *i)
{
	i->next = images;
	images = i;
}

int crimg_live_predump(pid_t pid, uint64_t *stopped_us, struct crimg_err *err)
{
	struct live_image *i = make(pid, err);
	if (i == NULL)
		return -1;
	enlist(i);
	if (crimg_predump(pid, &parent, &i->capture.shelf, stopped_us, err) == 0)
		return 0;
	drop(i);
	crimg_live_forget_parent();
	return -1;
}

static int set_link(const char *link, struct crimg_err *err)
{
	parent.link = strdup(link);
	return parent.link != NULL ? 0 : crimg_fail_nomem(err, strlen(link));
}

int crimg_live_predumped(pid_t pid, const char *link, struct crimg_err *err)
{
	struct live_image *i = find(pid, true);
	if (i != NULL)
		drop(i);
	return set_link(link, err);
}

int crimg_live_parent(pid_t pid, struct crimg_image *image, const char *link, struct crimg_err *err)
{
	parent.image = image;
	if (crimg_image_find(image, CRIMG_KIND_PAGEMAP, (uint64_t)pid) == NULL)
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, image->path, CRIMG_NO_OFFSET,
			"no memory of process %d is in it: it is not the parent of its image",
			(int)pid);
	return set_link(link, err);
}

void crimg_live_forget_parent(void)
{
	crimg_parent_fini(&parent);
}

// *passing: it cannot now, and soon perhaps.
static int take_now(pid_t pid, struct live_image **out, bool *passing, struct crimg_err *err)
{
	struct live_image *i = make(pid, err);
	*passing = false;
	if (i == NULL)
		return -1;
	i->capture.without_stats = without_stats;
	i->capture.thorough = thorough;
	i->capture.parent = parent.link != NULL ? &parent : NULL;
	i->capture.spool = spool;
	i->capture.stopped = stopped;
	i->capture.closed = enforced.kinds; // or it is refused
	if (crimg_tree_refuse(pid, err) < 0 || crimg_tree_freeze(pid, &i->capture.tree, err) < 0) {
		free(i);
		return -1;
	}
	enlist(i);
	if ((enforced.kinds != 0
	     && crimg_leaks_refuse(&i->capture.tree, enforced.kinds, enforced.found, enforced.context, err) < 0)
	    || crimg_capture_all(&i->capture, err) < 0
	    || crimg_tree_check(&i->capture.tree, err) < 0) {
		*passing = i->capture.passing;
		crimg_tree_explain(&i->capture.tree, err);
		drop(i);
		return -1;
	}
	*out = i;
	return 0;
}

// It goes on for a moment when what is in the way is over soon.
static int take(pid_t pid, struct live_image **out, struct crimg_err *err)
{
	for (unsigned turn = 1;; turn++) {
		struct crimg_err mine = CRIMG_ERR_INIT;
		bool passing;
		if (take_now(pid, out, &passing, &mine) == 0)
			return 0;
		if (!passing || turn == TURNS || (stopped != NULL && stopped())) {
			*err = mine;
			return -1;
		}
		nanosleep(&(struct timespec){.tv_nsec = 1000000 * (long)turn}, NULL);
	}
}

static int read_payload(const struct live_image *i, uint64_t payload, uint64_t offset, void *buf,
			size_t length, struct crimg_err *err)
{
	int rc = crimg_shelf_read(&i->capture.shelf, payload, offset, buf, length, err);
	return rc < 0 && !is_thawed(i) ? crimg_tree_explain(&i->capture.tree, err) : rc;
}

// The payload in work as a source, so that its bytes are read to where they are wanted.
static int payload_read(struct crimg_source *source, uint64_t offset, void *buf, size_t length,
			size_t *got, struct crimg_err *err)
{
	const struct live_state *s = source->state;
	*got = offset < source->size ? (size_t)crimg_min_u64(length, source->size - offset) : 0;
	return read_payload(s->image, s->payload, offset, buf, *got, err);
}

static void payload_close(struct crimg_source *source)
{
	source->state = NULL; // it is the reader's
}

static const struct crimg_source_ops payload_ops = {payload_read, payload_close};

static int live_open(struct crimg_reader *reader, struct crimg_input *in, struct crimg_err *err)
{
	pid_t pid = crimg_input_pid(in->path);
	if (pid == 0 || in->store != NULL || in->source != NULL)
		return crimg_fail(err, CRIMG_E_USAGE, in->path, CRIMG_NO_OFFSET,
				  "a running process is named pid:N");
	struct live_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->origin = strdup(in->path);
	s->image = find(pid, true);
	int rc = s->origin != NULL ? 0 : crimg_fail_nomem(err, strlen(in->path));
	if (rc == 0)
		rc = crimg_source_make(&payload_ops, in->path, s, &s->source, err);
	if (rc == 0)
		s->source->parallel = true;
	if (rc == 0 && s->image != NULL)
		s->image->readers++;
	else if (rc == 0)
		rc = take(pid, &s->image, err);
	if (rc < 0) {
		free(s->origin);
		crimg_source_close(s->source);
		free(s);
		return -1;
	}
	reader->state = s;
	return 0;
}

// The payload of the entry in work, if it has one.
static void put_payload(struct live_state *s, const struct crimg_shelf_object *o,
			struct crimg_record *record)
{
	const struct crimg_shelf *shelf = &s->image->capture.shelf;
	if (s->mark == o->mark_count || o->marks[s->mark].entry != s->entry)
		return;
	size_t number = o->marks[s->mark++].payload;
	record->payload = (struct crimg_payload_ref){number, shelf->payloads[number].length};
}

static void yield_object(struct live_state *s, const struct crimg_shelf_object *o,
			 struct crimg_record *record)
{
	s->opened = true;
	s->entry = s->mark = 0;
	s->at = 0;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_OBJECT, .object = &o->object,
		.payload = {.number = CRIMG_NO_PAYLOAD}, .origin = s->origin,
	};
	if (o->count == 0)
		put_payload(s, o, record);
}

static void yield_entry(struct live_state *s, const struct crimg_shelf_object *o,
			struct crimg_record *record)
{
	size_t length = crimg_get_u32(o->entries.data + s->at);
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_MESSAGE, .object = &o->object, .index = s->entry,
		.data = o->entries.data + s->at + 4, .length = length,
		.payload = {.number = CRIMG_NO_PAYLOAD}, .origin = s->origin,
		.origin_offset = HEAD_BYTES + s->at, .origin_length = 4 + length,
	};
	put_payload(s, o, record);
	s->at += 4 + length;
	s->entry++;
}

// Behind the last one, all must still stand: what was read is of one moment then.
static int next_content(struct live_state *s, struct crimg_record *record, struct crimg_err *err)
{
	const struct crimg_shelf *shelf = &s->image->capture.shelf;
	s->payload = s->begun ? s->payload + 1 : 0;
	s->begun = true;
	while (s->payload < shelf->payload_count && shelf->payloads[s->payload].length == 0)
		s->payload++;
	if (s->payload >= shelf->payload_count)
		return is_thawed(s->image) ? 0 : crimg_tree_check(&s->image->capture.tree, err);
	s->source->size = shelf->payloads[s->payload].length;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .payload = {s->payload, s->source->size},
		.content_length = s->source->size, .span = {s->source, 0, s->source->size},
		.origin = s->origin,
	};
	return 1;
}

static int live_next(struct crimg_reader *reader, struct crimg_record *record, struct crimg_err *err)
{
	struct live_state *s = reader->state;
	const struct crimg_shelf *shelf = &s->image->capture.shelf;
	while (s->object < shelf->count) {
		const struct crimg_shelf_object *o = &shelf->objects[s->object];
		if (!s->opened) {
			yield_object(s, o, record);
			return 1;
		}
		if (s->entry < o->count) {
			yield_entry(s, o, record);
			return 1;
		}
		s->object++;
		s->opened = false;
	}
	if (s->metadata_over)
		return next_content(s, record, err);
	s->metadata_over = true;
	*record = (struct crimg_record){
		.type = CRIMG_RECORD_CONTENT, .payload = {.number = CRIMG_NO_PAYLOAD}, .origin = s->origin,
	};
	return 1;
}

static int live_read(struct crimg_reader *reader, uint64_t payload, uint64_t offset, void *buf,
		     size_t length, struct crimg_err *err)
{
	const struct live_state *s = reader->state;
	return read_payload(s->image, payload, offset, buf, length, err);
}

static void live_close(struct crimg_reader *reader)
{
	struct live_state *s = reader->state;
	drop(s->image);
	free(s->origin);
	crimg_source_close(s->source);
	free(s);
}

static int live_probe(const struct crimg_input *in)
{
	return crimg_input_pid(in->path) != 0 ? 100 : 0;
}

extern const struct crimg_reader_driver crimg_reader_live;

const struct crimg_reader_driver crimg_reader_live = {
	.name = "live",
	.summary = "a running tree of processes, pid:N",
	.keeps = "memory, registers, threads, signals, timers, files, sockets, identity, control groups (README: what is refused)",
	.loses = "LSM labels, Landlock, keyrings, CPU time used (namespaces of mounts, network and users are refused)",
	.probe = live_probe,
	.open = live_open,
	.next = live_next,
	.read = live_read,
	.close = live_close,
};
