// Open files, descriptor tables, directories of a task, what is in pipes.
#include <string.h>

#include "readers/linuxcr_records.h"

#define FD_CLOEXEC_FLAG 1u

static uint32_t extra_id(const struct linuxcr_image *m, size_t nth)
{
	return (uint32_t)m->last_ref + 1 + (uint32_t)nth;
}

static uint32_t file_type(const struct linuxcr_object *o)
{
	return linuxcr_u32(o->body, CRIMG_LCR_FILE_TYPE);
}

// Where the fields of the type begin.
static uint32_t fixed_bytes(const struct linuxcr_image *m)
{
	return m->c.stream.profile.rev < 4 ? CRIMG_LCR_FILE_PAYLOAD_V18 : CRIMG_LCR_FILE_PAYLOAD;
}

static FdTypes fd_type(const struct linuxcr_image *m, const struct linuxcr_object *o)
{
	static const FdTypes types[] = {FD_TYPES__UND,       FD_TYPES__REG,    FD_TYPES__PIPE,
					FD_TYPES__FIFO,      FD_TYPES__UNIXSK, FD_TYPES__TTY,
					FD_TYPES__EVENTPOLL, FD_TYPES__EVENTFD};
	uint32_t type = file_type(o);
	if (type == CRIMG_LCR_FILE_SOCKET) {
		const struct linuxcr_object *s = linuxcr_find(&m->c, CRIMG_LCR_OBJ_SOCK,
							      linuxcr_ref(o->body, fixed_bytes(m)));
		if (s != NULL && s->parts[0] != NULL && s->parts[0]->kind == CRIMG_LCR_SOCKET_INET)
			return FD_TYPES__INETSK;
	}
	return type < sizeof types / sizeof types[0] ? types[type] : FD_TYPES__UND;
}

union any_file {
	RegFileEntry reg;
	PipeEntry pipe;
	FifoEntry fifo;
	EventpollFileEntry epfd;
	EventfdFileEntry efd;
	TtyFileEntry tty;
};

// A name that is not terminated ends with its record, behind which there is a zero.
static void put_reg(RegFileEntry *e, uint32_t id, const struct linuxcr_record *name,
		    FownEntry *owner)
{
	union {
		const uint8_t *lent;
		char *text; // protobuf-c asks for this; encoding changes nothing
	} u = {.lent = name->data};
	reg_file_entry__init(e);
	e->id = id;
	e->name = u.text;
	e->fown = owner;
}

static int put_epoll(struct linuxcr_image *m, EventpollFileEntry *e,
		     const struct linuxcr_record *items, struct crimg_err *err)
{
	size_t count = items == NULL ? 0 : items->length / CRIMG_LCR_EPOLL_ITEM_BYTES;
	EventpollTfdEntry *list = crimg_arena_alloc(&m->arena, (count + 1) * sizeof *list);
	e->tfd = crimg_arena_alloc(&m->arena, (count + 1) * sizeof *e->tfd);
	if (list == NULL || e->tfd == NULL)
		return crimg_fail_nomem(err, count * sizeof *list);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i * CRIMG_LCR_EPOLL_ITEM_BYTES;
		EventpollTfdEntry *t = &list[i];
		eventpoll_tfd_entry__init(t);
		t->id = e->id;
		t->data = linuxcr_u64(items, at);
		t->tfd = linuxcr_u32(items, at + 8);
		t->events = linuxcr_u32(items, at + 16);
		e->tfd[e->n_tfd++] = t;
	}
	return 0;
}

// Fills the message of the file's type. 0: it has none that we make (sockets).
static int put_type(struct linuxcr_image *m, size_t nth, const struct linuxcr_object *o,
		    FileEntry *e, union any_file *f, FownEntry *owner, struct crimg_err *err)
{
	uint32_t flags = linuxcr_u32(o->body, CRIMG_LCR_FILE_FLAGS), at = fixed_bytes(m);
	switch (file_type(o)) {
	case CRIMG_LCR_FILE_GENERIC:
		put_reg(&f->reg, e->id, o->parts[0], owner);
		f->reg.flags = flags;
		f->reg.pos = linuxcr_u64(o->body, CRIMG_LCR_FILE_POS);
		f->reg.has_size = o->size != 0;
		f->reg.size = o->size;
		e->reg = &f->reg;
		return 1;
	case CRIMG_LCR_FILE_PIPE:
		pipe_entry__init(&f->pipe);
		f->pipe = (PipeEntry){.base = f->pipe.base,
				      .id = e->id,
				      .flags = flags,
				      .pipe_id = linuxcr_u32(o->body, at),
				      .fown = owner};
		e->pipe = &f->pipe;
		return 1;
	case CRIMG_LCR_FILE_FIFO:
		fifo_entry__init(&f->fifo);
		f->fifo = (FifoEntry){.base = f->fifo.base,
				      .id = e->id,
				      .has_regf_id = true,
				      .pipe_id = linuxcr_u32(o->body, at),
				      .regf_id = extra_id(m, nth)};
		e->fifo = &f->fifo;
		return 1;
	case CRIMG_LCR_FILE_EPOLL:
		eventpoll_file_entry__init(&f->epfd);
		f->epfd.id = e->id;
		f->epfd.flags = flags;
		f->epfd.fown = owner;
		e->epfd = &f->epfd;
		return put_epoll(m, &f->epfd, o->parts[2], err) < 0 ? -1 : 1;
	case CRIMG_LCR_FILE_EVENTFD:
		eventfd_file_entry__init(&f->efd);
		f->efd = (EventfdFileEntry){.base = f->efd.base,
					    .id = e->id,
					    .fown = owner,
					    .flags = flags | linuxcr_u32(o->body, at + 8),
					    .counter = linuxcr_u64(o->body, at)};
		e->efd = &f->efd;
		return 1;
	case CRIMG_LCR_FILE_TTY:
		tty_file_entry__init(&f->tty);
		f->tty = (TtyFileEntry){.base = f->tty.base,
					.id = e->id,
					.flags = flags,
					.tty_info_id = linuxcr_u32(o->body, at),
					.fown = owner};
		e->tty = &f->tty;
		return 1;
	default:
		return 0;
	}
}

static bool is_whole(const struct linuxcr_object *o)
{
	return o->body != NULL && !o->partial;
}

// Files as they came; then what a message refers to and the stream has no number for: the names of
// FIFOs, and directories of tasks.
int linuxcr_put_file(struct linuxcr_image *m, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err)
{
	size_t files = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FILE);
	size_t dirs = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FS);
	(void)object;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < 2 * files + 2 * dirs; m->cursor++) {
		size_t at = m->cursor;
		FileEntry e = FILE_ENTRY__INIT;
		FownEntry owner = FOWN_ENTRY__INIT;
		union any_file f;
		const struct linuxcr_record *from;
		int rc = 0;
		crimg_arena_reset(&m->arena);
		if (at < files) {
			const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_FILE, at);
			if (!is_whole(o))
				continue;
			e.id = (uint32_t)o->ref;
			e.type = fd_type(m, o);
			from = o->body;
			if ((rc = put_type(m, at, o, &e, &f, &owner, err)) < 0)
				return -1;
		} else {
			bool fifo = at < 2 * files;
			size_t nth = fifo ? at - files : (at - 2 * files) / 2;
			const struct linuxcr_object *o = linuxcr_nth(
				&m->c, fifo ? CRIMG_LCR_OBJ_FILE : CRIMG_LCR_OBJ_FS, nth);
			if (!is_whole(o) || (fifo && file_type(o) != CRIMG_LCR_FILE_FIFO))
				continue;
			from = o->parts[fifo ? 0 : (at - 2 * files) % 2];
			e.id = extra_id(m, at - files);
			e.type = FD_TYPES__REG;
			put_reg(&f.reg, e.id, from, &owner);
			f.reg.flags = fifo ? linuxcr_u32(o->body, CRIMG_LCR_FILE_FLAGS) : 0;
			e.reg = &f.reg;
			rc = 1;
		}
		if (rc == 0)
			continue;
		m->cursor++;
		linuxcr_from(out, from);
		return model_encode(&e.base, out, err);
	}
	return 0;
}

int linuxcr_put_fd(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err)
{
	FdinfoEntry e = FDINFO_ENTRY__INIT;
	const struct linuxcr_record *r = m->record =
		index == 0          ? linuxcr_nth(&m->c, CRIMG_LCR_OBJ_FILE_TABLE, object)->first
		: m->record == NULL ? NULL
				    : m->record->sibling;
	if (r == NULL || r->kind != CRIMG_LCR_FILE_DESC)
		return 0;
	const struct linuxcr_object *o = linuxcr_find(&m->c, CRIMG_LCR_OBJ_FILE, linuxcr_ref(r, 0));
	if (o == NULL || o->body == NULL)
		return 0;
	e.id = (uint32_t)o->ref;
	e.fd = linuxcr_u32(r, 4);
	e.flags = linuxcr_u32(r, 8) != 0 ? FD_CLOEXEC_FLAG : 0;
	e.type = fd_type(m, o);
	linuxcr_from(out, r);
	return model_encode(&e.base, out, err);
}

int linuxcr_put_fs(struct linuxcr_image *m, size_t object, uint64_t index,
		   struct model_entry *out, struct crimg_err *err)
{
	FsEntry e = FS_ENTRY__INIT;
	const struct linuxcr_task *t = linuxcr_living(m, &m->tasks.processes[object]);
	const struct linuxcr_object *o = t == NULL ? NULL : linuxcr_task_object(&m->c, t, 2);
	size_t files = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FILE), nth = 0;
	if (index > 0 || o == NULL)
		return 0;
	while (linuxcr_nth(&m->c, CRIMG_LCR_OBJ_FS, nth) != o)
		nth++;
	e.cwd_id = extra_id(m, files + 2 * nth);
	e.root_id = extra_id(m, files + 2 * nth + 1);
	e.has_umask = o->body->length >= 4; // v23-rc1 and later
	e.umask = linuxcr_u32(o->body, 0);
	linuxcr_from(out, o->body);
	return model_encode(&e.base, out, err);
}

int linuxcr_put_pipe_data(struct linuxcr_image *m, bool fifo, uint64_t index,
			  struct model_entry *out, struct crimg_err *err)
{
	PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
	if (index == 0)
		m->cursor = 0;
	for (; m->cursor < linuxcr_count(&m->c, CRIMG_LCR_OBJ_INODE); m->cursor++) {
		const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_INODE, m->cursor);
		if (o->parts[0] == NULL || o->body == NULL
		    || (linuxcr_u32(o->parts[0], CRIMG_LCR_FILE_TYPE) == CRIMG_LCR_FILE_FIFO)
			       != fifo)
			continue;
		m->cursor++;
		e.pipe_id = (uint32_t)o->ref;
		e.bytes = o->body->length;
		linuxcr_from(out, o->body);
		out->has_payload = true;
		if (model_payload_begin(&m->payloads, err) < 0
		    || model_payload_add(&m->payloads, o->body->data, 0, o->body->length, err) < 0)
			return -1;
		return model_encode(&e.base, out, err);
	}
	return 0;
}
