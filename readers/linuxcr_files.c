// Open files, descriptor tables, directories of a task, what is in pipes.
#include <string.h>

#include "readers/linuxcr_records.h"

#define FD_CLOEXEC_FLAG 1u
#define USUAL_UMASK 022u

static uint32_t extra_id(const struct linuxcr_image *m, size_t nth)
{
	return (uint32_t)m->last_ref + 1 + (uint32_t)nth;
}

uint32_t linuxcr_file_flags(const struct linuxcr_object *o)
{
	return linuxcr_u32(o->body, CRIMG_LCR_FILE_FLAGS) & ~CRIMG_LCR_OPEN_ONLY;
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

static const struct linuxcr_object *socket_of(const struct linuxcr_image *m,
					      const struct linuxcr_object *o)
{
	const struct linuxcr_object *s =
		linuxcr_find(&m->c, CRIMG_LCR_OBJ_SOCK, linuxcr_ref(o->body, fixed_bytes(m)));
	return s != NULL && s->body != NULL && s->parts[0] != NULL ? s : NULL;
}

static FdTypes fd_type(const struct linuxcr_image *m, const struct linuxcr_object *o)
{
	static const FdTypes types[] = {FD_TYPES__UND,       FD_TYPES__REG,    FD_TYPES__PIPE,
					FD_TYPES__FIFO,      FD_TYPES__UNIXSK, FD_TYPES__TTY,
					FD_TYPES__EVENTPOLL, FD_TYPES__EVENTFD};
	uint32_t type = file_type(o);
	if (type == CRIMG_LCR_FILE_SOCKET) {
		const struct linuxcr_object *s = socket_of(m, o);
		if (s != NULL && linuxcr_socket_is_inet(s))
			return FD_TYPES__INETSK;
	}
	return type < sizeof types / sizeof types[0] ? types[type] : FD_TYPES__UND;
}

struct any_file {
	char name[LINUXCR_TTY_NAME];
	union {
		RegFileEntry reg;
		PipeEntry pipe;
		FifoEntry fifo;
		EventpollFileEntry epfd;
		EventfdFileEntry efd;
		TtyFileEntry tty;
		struct {
			SkOptsEntry options;
			UnixSkEntry unix_sk;
		} socket;
		struct linuxcr_inet inet;
	};
};

// A name that is not terminated ends with its record, behind which there is a zero.
static char *text_of(const struct linuxcr_record *name)
{
	union {
		const uint8_t *lent;
		char *text; // protobuf-c asks for this; encoding changes nothing
	} u = {.lent = name->data};
	return u.text;
}

static void put_reg(RegFileEntry *e, uint32_t id, char *name, FownEntry *owner)
{
	reg_file_entry__init(e);
	e->id = id;
	e->name = name;
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

static int put_socket(struct linuxcr_image *m, const struct linuxcr_object *o, FileEntry *e,
		      struct any_file *f, FownEntry *owner)
{
	const struct linuxcr_object *s = socket_of(m, o);
	if (s == NULL)
		return 0;
	if (linuxcr_socket_is_inet(s)) {
		inet_sk_entry__init(&f->inet.inet);
		f->inet.inet.id = e->id;
		f->inet.inet.flags = linuxcr_file_flags(o);
		f->inet.inet.fown = owner;
		linuxcr_put_inet(&f->inet, s);
		e->isk = &f->inet.inet;
		return 1;
	}
	unix_sk_entry__init(&f->socket.unix_sk);
	f->socket.unix_sk.id = e->id;
	f->socket.unix_sk.flags = linuxcr_file_flags(o);
	f->socket.unix_sk.fown = owner;
	linuxcr_put_unix(m, &f->socket.unix_sk, &f->socket.options, s);
	e->usk = &f->socket.unix_sk;
	return 1;
}

// Fills the message of the file's type. 0: it has none.
static int put_type(struct linuxcr_image *m, size_t nth, const struct linuxcr_object *o,
		    FileEntry *e, struct any_file *f, FownEntry *owner, struct crimg_err *err)
{
	uint32_t flags = linuxcr_file_flags(o), at = fixed_bytes(m);
	switch (file_type(o)) {
	case CRIMG_LCR_FILE_GENERIC:
		put_reg(&f->reg, e->id, text_of(o->parts[0]), owner);
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
					.fown = owner,
					.has_regf_id = true,
					.regf_id = extra_id(m, nth)};
		e->tty = &f->tty;
		return 1;
	case CRIMG_LCR_FILE_SOCKET:
		return put_socket(m, o, e, f, owner);
	default:
		return 0;
	}
}

static bool is_whole(const struct linuxcr_object *o)
{
	return o->body != NULL && !o->partial;
}

static int put_known(struct linuxcr_image *m, size_t nth, FileEntry *e, struct any_file *f,
		     FownEntry *owner, const struct linuxcr_record **from, struct crimg_err *err)
{
	const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_FILE, nth);
	if (!is_whole(o))
		return 0;
	e->id = (uint32_t)o->ref;
	e->type = fd_type(m, o);
	*from = o->body;
	return put_type(m, nth, o, e, f, owner, err);
}

// The name under which a FIFO or a terminal was opened; directories of a task: working, then root. NULL
// when there is none.
static char *extra_name(const struct linuxcr_image *m, size_t nth, struct any_file *f,
			uint32_t *flags, const struct linuxcr_record **from)
{
	size_t files = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FILE);
	bool of_file = nth < files;
	size_t which = of_file ? nth : (nth - files) / 2, part = of_file ? 0 : (nth - files) % 2;
	const struct linuxcr_object *o =
		linuxcr_nth(&m->c, of_file ? CRIMG_LCR_OBJ_FILE : CRIMG_LCR_OBJ_FS, which);
	if (!is_whole(o))
		return NULL;
	*from = o->body;
	*flags = of_file ? linuxcr_file_flags(o) : 0;
	if (of_file && file_type(o) == CRIMG_LCR_FILE_TTY) {
		o = linuxcr_find(&m->c, CRIMG_LCR_OBJ_TTY, linuxcr_ref(o->body, fixed_bytes(m)));
		linuxcr_tty_name(o, f->name);
		return f->name;
	}
	if (of_file && file_type(o) != CRIMG_LCR_FILE_FIFO)
		return NULL;
	*from = o->parts[part];
	return text_of(o->parts[part]);
}

static int put_extra(const struct linuxcr_image *m, size_t nth, FileEntry *e, struct any_file *f,
		     FownEntry *owner, const struct linuxcr_record **from)
{
	uint32_t flags;
	char *name = extra_name(m, nth, f, &flags, from);
	if (name == NULL)
		return 0;
	e->id = extra_id(m, nth);
	e->type = FD_TYPES__REG;
	put_reg(&f->reg, e->id, name, owner);
	f->reg.flags = flags;
	e->reg = &f->reg;
	return 1;
}

// Files as they came; then what a message refers to and the stream has no number for: the names of
// FIFOs and terminals, and directories of tasks.
int linuxcr_put_file(struct linuxcr_image *m, size_t object, uint64_t index,
		     struct model_entry *out, struct crimg_err *err)
{
	size_t files = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FILE);
	size_t dirs = linuxcr_count(&m->c, CRIMG_LCR_OBJ_FS);
	(void)object;
	if (index == 0)
		m->cursor = 0;
	while (m->cursor < 2 * files + 2 * dirs) {
		size_t at = m->cursor++;
		FileEntry e = FILE_ENTRY__INIT;
		FownEntry owner = FOWN_ENTRY__INIT;
		struct any_file f;
		const struct linuxcr_record *from = NULL;
		crimg_arena_reset(&m->arena);
		int rc = at < files ? put_known(m, at, &e, &f, &owner, &from, err)
				    : put_extra(m, at - files, &e, &f, &owner, &from);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
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
	e.has_umask = true; // v23-rc1 and later have it
	e.umask = o->body->length >= 4 ? linuxcr_u32(o->body, 0) : USUAL_UMASK;
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
