// The bodies that hold contents: memory, files and their tables, System V IPC.
#include "format/limits.h"
#include "readers/linuxcr_model.h"

// Chunks of pages until an empty one.
int linuxcr_read_pages(struct linuxcr *c, struct linuxcr_object *o, bool shared,
		       struct crimg_err *err)
{
	for (;;) {
		uint32_t kind, length;
		struct linuxcr_record *r =
			linuxcr_expect(c, CRIMG_LCR_PGARR, CRIMG_LCR_PGARR_PAYLOAD, err);
		if (r == NULL)
			return -1;
		uint64_t pages = linuxcr_u64(r, 0);
		if (pages == 0)
			return 0;
		if (linuxcr_next_kind(c, &kind, &length, err) < 0)
			return -1;
		if (kind != CRIMG_LCR_BUFFER)
			return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name,
					  c->stream.window.offset,
					  "%s found, the BUFFER of %llu pages wanted",
					  kind == 0 ? "the end" : linuxcr_kind_name(kind),
					  (unsigned long long)pages);
		r = linuxcr_stream_take(&c->stream, pages, err);
		if (r == NULL || linuxcr_add_pages(c, o, r, shared, err) < 0)
			return -1;
		r->owner = o;
	}
}

// The inode behind a shared area or segment: it has no record of its own.
static int inode_of(struct linuxcr *c, struct linuxcr_record *r, uint32_t at,
		    struct linuxcr_object **out, struct crimg_err *err)
{
	*out = linuxcr_find(c, 0, linuxcr_ref(r, at));
	if (*out != NULL)
		return linuxcr_need(c, r, at, CRIMG_LCR_OBJ_INODE, false, out, err);
	if (linuxcr_introduce(c, CRIMG_LCR_OBJ_INODE, linuxcr_ref(r, at), r->offset, out, err) < 0)
		return -1;
	(*out)->body = r;
	return 0;
}

static int read_vma(struct linuxcr *c, struct linuxcr_object *mm, struct crimg_err *err)
{
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_VMA, LINUXCR_ANY, err);
	struct linuxcr_object *inode, *file;
	const char *source = c->stream.source->name;
	if (r == NULL)
		return -1;
	if (r->length != CRIMG_LCR_VMA_PAYLOAD && r->length != CRIMG_LCR_VMA_PAYLOAD_RC2)
		return crimg_fail(err, CRIMG_E_FORMAT, source, r->offset,
				  "VMA: a payload of %u bytes found, %u or %u wanted", r->length,
				  CRIMG_LCR_VMA_PAYLOAD, CRIMG_LCR_VMA_PAYLOAD_RC2);
	c->stream.profile.rc2 = r->length == CRIMG_LCR_VMA_PAYLOAD_RC2;
	linuxcr_list_add(mm, r);
	uint32_t type = linuxcr_u32(r, CRIMG_LCR_VMA_TYPE);
	switch (type) {
	case CRIMG_LCR_VMA_VDSO:
		return 0;
	case CRIMG_LCR_VMA_ANON:
		return linuxcr_read_pages(c, mm, false, err);
	case CRIMG_LCR_VMA_FILE_PRIVATE:
	case CRIMG_LCR_VMA_SHM_FILE:
		if (linuxcr_need(c, r, CRIMG_LCR_VMA_FILE, CRIMG_LCR_OBJ_FILE, false, &file, err)
		    < 0)
			return -1;
		file->size = linuxcr_u64(r, CRIMG_LCR_VMA_SIZE);
		return type == CRIMG_LCR_VMA_SHM_FILE ? 0 : linuxcr_read_pages(c, mm, false, err);
	case CRIMG_LCR_VMA_SHM_ANON:
		return inode_of(c, r, CRIMG_LCR_VMA_INODE, &inode, err) < 0
			       ? -1
			       : linuxcr_read_pages(c, inode, true, err);
	case CRIMG_LCR_VMA_SHM_ANON_SKIP:
	case CRIMG_LCR_VMA_SHM_IPC:
	case CRIMG_LCR_VMA_SHM_IPC_SKIP:
		return inode_of(c, r, CRIMG_LCR_VMA_INODE, &inode, err);
	default:
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, source,
				  r->offset + CRIMG_LCR_HEADER_BYTES,
				  "VMA of type %u found, 1 to 8 wanted", type);
	}
}

int linuxcr_read_mm(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	uint32_t auxv = linuxcr_u16(c->header, CRIMG_LCR_CONST_AUXV) * 8u;
	o->body = linuxcr_expect(c, CRIMG_LCR_MM, CRIMG_LCR_MM_PAYLOAD, err);
	if (o->body == NULL
	    || linuxcr_need(c, o->body, CRIMG_LCR_MM_EXE, CRIMG_LCR_OBJ_FILE, true, NULL, err) < 0
	    || (o->parts[0] = linuxcr_expect(c, CRIMG_LCR_BUFFER, auxv, err)) == NULL)
		return -1;
	for (uint32_t i = linuxcr_u32(o->body, 0); i > 0; i--)
		if (read_vma(c, o, err) < 0)
			return -1;
	o->parts[1] = linuxcr_expect(c, CRIMG_LCR_MM_CONTEXT, CRIMG_LCR_MM_CONTEXT_PAYLOAD, err);
	if (o->parts[1] == NULL)
		return -1;
	uint64_t bytes = (uint64_t)linuxcr_u32(o->parts[1], 8) * linuxcr_u32(o->parts[1], 12);
	if (bytes > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, o->parts[1]->offset,
				  "MM_CONTEXT: %u descriptors of %u bytes",
				  linuxcr_u32(o->parts[1], 12), linuxcr_u32(o->parts[1], 8));
	o->parts[2] = linuxcr_expect(c, CRIMG_LCR_LDT, (uint32_t)bytes, err);
	return o->parts[2] == NULL ? -1 : 0;
}

// What is in a pipe follows the first of its files.
static int read_pipe(struct linuxcr *c, struct linuxcr_object *file, uint32_t at,
		     struct crimg_err *err)
{
	struct linuxcr_object *inode;
	if (linuxcr_find(c, 0, linuxcr_ref(file->body, at)) != NULL)
		return linuxcr_need(c, file->body, at, CRIMG_LCR_OBJ_INODE, false, NULL, err);
	if (linuxcr_introduce(c, CRIMG_LCR_OBJ_INODE, linuxcr_ref(file->body, at),
			      file->body->offset, &inode, err)
	    < 0)
		return -1;
	inode->parts[0] = file->body;
	inode->body = linuxcr_expect(c, CRIMG_LCR_PIPE_BUF, LINUXCR_ANY, err);
	return inode->body == NULL ? -1 : 0;
}

static int read_name(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	o->parts[0] = linuxcr_expect(c, CRIMG_LCR_FILE_NAME, LINUXCR_ANY, err);
	return o->parts[0] == NULL ? -1 : 0;
}

// A file of a socket or terminal.
static int read_holder(struct linuxcr *c, struct linuxcr_object *file, uint32_t at, uint32_t type,
		       struct crimg_err *err)
{
	struct linuxcr_object *held;
	if (linuxcr_need(c, file->body, at, type, false, &held, err) < 0)
		return -1;
	if (held->held_by == 0)
		held->held_by = file->ref;
	return 0;
}

int linuxcr_read_file(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	static const uint8_t extra[] = {
		[CRIMG_LCR_FILE_GENERIC] = 0, [CRIMG_LCR_FILE_PIPE] = 8, [CRIMG_LCR_FILE_FIFO] = 8,
		[CRIMG_LCR_FILE_SOCKET] = 8,  [CRIMG_LCR_FILE_TTY] = 8,  [CRIMG_LCR_FILE_EPOLL] = 0,
		[CRIMG_LCR_FILE_EVENTFD] = 16};
	uint32_t fixed =
		c->stream.profile.rev < 4 ? CRIMG_LCR_FILE_PAYLOAD_V18 : CRIMG_LCR_FILE_PAYLOAD;
	struct linuxcr_record *r = o->body = linuxcr_expect(c, CRIMG_LCR_FILE, LINUXCR_ANY, err);
	if (r == NULL)
		return -1;
	uint32_t type = linuxcr_u32(r, CRIMG_LCR_FILE_TYPE);
	if (type == 0 || type >= sizeof extra || r->length != fixed + extra[type])
		return crimg_fail(
			err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
			"FILE of type %u in %u bytes found, 1 to 7 in %u and what the type adds "
			"wanted",
			type, r->length, fixed);
	if (linuxcr_need(c, r, CRIMG_LCR_FILE_CRED, CRIMG_LCR_OBJ_CRED, false, NULL, err) < 0)
		return -1;
	switch (type) {
	case CRIMG_LCR_FILE_GENERIC:
		return read_name(c, o, err);
	case CRIMG_LCR_FILE_FIFO:
		return read_name(c, o, err) < 0 ? -1 : read_pipe(c, o, fixed, err);
	case CRIMG_LCR_FILE_PIPE:
		return read_pipe(c, o, fixed, err);
	case CRIMG_LCR_FILE_SOCKET:
		return read_holder(c, o, fixed, CRIMG_LCR_OBJ_SOCK, err);
	case CRIMG_LCR_FILE_TTY:
		return read_holder(c, o, fixed, CRIMG_LCR_OBJ_TTY, err);
	default:
		return 0;
	}
}

static int read_epoll(struct linuxcr *c, struct crimg_err *err)
{
	struct linuxcr_object *file;
	struct linuxcr_record *r =
		linuxcr_expect(c, CRIMG_LCR_EPOLL_ITEMS, CRIMG_LCR_EPOLL_PAYLOAD, err);
	if (r == NULL || linuxcr_need(c, r, 0, CRIMG_LCR_OBJ_FILE, false, &file, err) < 0)
		return -1;
	uint64_t bytes = (uint64_t)linuxcr_u32(r, 4) * CRIMG_LCR_EPOLL_ITEM_BYTES;
	file->parts[1] = r;
	if (bytes == 0)
		return 0;
	if (bytes > CRIMG_MAX_MESSAGE_BYTES)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
				  "EPOLL_ITEMS: %u items", linuxcr_u32(r, 4));
	file->parts[2] = linuxcr_expect(c, CRIMG_LCR_BUFFER, (uint32_t)bytes, err);
	return file->parts[2] == NULL ? -1 : 0;
}

// Whose queue comes: two a socket, what was received and what is to be sent.
static struct linuxcr_object *next_owner(struct linuxcr *c, unsigned *given)
{
	enum { EACH = 2 };
	if (c->queued == NULL)
		return NULL;
	if (*given == EACH) {
		c->queued = c->queued->waits;
		*given = 0;
	}
	++*given;
	return c->queued;
}

// A queue, its buffers and what lies in each; behind a fragment stands the page it is of.
static int read_queue(struct linuxcr *c, struct linuxcr_object *sock, struct crimg_err *err)
{
	for (;;) {
		uint32_t kind, length;
		struct linuxcr_record *r = linuxcr_stream_take(&c->stream, 0, err);
		if (r == NULL
		    || (r->kind == CRIMG_LCR_SOCKET_FRAG && linuxcr_stream_extend(&c->stream, r, CRIMG_PAGE_BYTES, err) < 0))
			return -1;
		if (sock != NULL)
			linuxcr_list_add(sock, r);
		if (linuxcr_next_kind(c, &kind, &length, err) < 0)
			return -1;
		if (kind != CRIMG_LCR_SOCKET_BUFFER && kind != CRIMG_LCR_BUFFER
		    && kind != CRIMG_LCR_SOCKET_FRAG)
			return 0;
	}
}

// Descriptors, then what had to wait until all files were there.
int linuxcr_read_table(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	o->body = linuxcr_expect(c, CRIMG_LCR_FILE_TABLE, 8, err);
	if (o->body == NULL)
		return -1;
	for (uint32_t i = linuxcr_u32(o->body, 0); i > 0; i--) {
		struct linuxcr_record *r =
			linuxcr_expect(c, CRIMG_LCR_FILE_DESC, CRIMG_LCR_FILE_DESC_PAYLOAD, err);
		if (r == NULL || linuxcr_need(c, r, 0, CRIMG_LCR_OBJ_FILE, false, NULL, err) < 0)
			return -1;
		linuxcr_list_add(o, r);
	}
	unsigned given = 0;
	for (;;) {
		uint32_t type, length;
		int rc = linuxcr_stream_peek(&c->stream, &type, &length, err);
		if (rc <= 0)
			return rc;
		if (type == CRIMG_LCR_EPOLL_ITEMS)
			rc = read_epoll(c, err);
		else if (type == CRIMG_LCR_SOCKET_QUEUE)
			rc = read_queue(c, next_owner(c, &given), err);
		else
			break;
		if (rc < 0)
			return -1;
	}
	c->queued = NULL; // those of the next table are its own
	return 0;
}

static int read_messages(struct linuxcr *c, struct linuxcr_object *o, uint64_t count,
			 struct crimg_err *err)
{
	for (; count > 0; count--) {
		struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_IPC_MSG_MSG,
							  CRIMG_LCR_IPC_MSG_MSG_PAYLOAD, err);
		if (r == NULL)
			return -1;
		linuxcr_list_add(o, r);
		for (uint32_t left = linuxcr_u32(r, CRIMG_LCR_MSG_MSG_SIZE); left > 0;) {
			struct linuxcr_record *b =
				linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err);
			if (b == NULL)
				return -1;
			if (b->length == 0 || b->length > left)
				return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name,
						  b->offset,
						  "%u bytes of a message found, 1 to %u wanted",
						  b->length, left);
			linuxcr_list_add(o, b);
			left -= b->length;
		}
	}
	return 0;
}

static int read_segment(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	struct linuxcr_object *inode;
	struct linuxcr_record *r =
		linuxcr_expect(c, CRIMG_LCR_IPC_SHM, CRIMG_LCR_IPC_SHM_PAYLOAD, err);
	if (r == NULL || inode_of(c, r, CRIMG_LCR_SHM_REF, &inode, err) < 0)
		return -1;
	inode->body = r;
	linuxcr_list_add(o, r);
	return linuxcr_read_pages(c, inode, true, err);
}

static int read_queue_of_messages(struct linuxcr *c, struct linuxcr_object *o,
				  struct crimg_err *err)
{
	struct linuxcr_record *r =
		linuxcr_expect(c, CRIMG_LCR_IPC_MSG, CRIMG_LCR_IPC_MSG_PAYLOAD, err);
	if (r == NULL)
		return -1;
	linuxcr_list_add(o, r);
	return read_messages(c, o, linuxcr_u64(r, CRIMG_LCR_MSG_QNUM), err);
}

// The kernel wrote its own structures: 8, 16 or 24 bytes a semaphore, its value first.
static int read_semaphores(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	struct linuxcr_record *r = linuxcr_expect(c, CRIMG_LCR_IPC_SEM, CRIMG_LCR_IPC_SEM_PAYLOAD,
						  err),
			      *b;
	if (r == NULL)
		return -1;
	linuxcr_list_add(o, r);
	uint32_t count = linuxcr_u32(r, CRIMG_LCR_SEM_NSEMS);
	if (count == 0)
		return 0;
	if ((b = linuxcr_expect(c, CRIMG_LCR_BUFFER, LINUXCR_ANY, err)) == NULL)
		return -1;
	uint32_t each = b->length / count;
	if (b->length % count != 0 || (each != 8 && each != 16 && each != 24))
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, b->offset,
				  "%u semaphores found in %u bytes, 8, 16 or 24 each wanted", count,
				  b->length);
	linuxcr_list_add(o, b);
	return 0;
}

int linuxcr_read_ipc(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	static int (*const items[])(struct linuxcr *, struct linuxcr_object *,
				    struct crimg_err *) = {
		read_segment,
		read_queue_of_messages,
		read_semaphores,
	};
	static const uint32_t kinds[] = {CRIMG_LCR_IPC_SHM, CRIMG_LCR_IPC_MSG, CRIMG_LCR_IPC_SEM};
	o->body = linuxcr_expect(c, CRIMG_LCR_IPC_NS, CRIMG_LCR_IPC_NS_PAYLOAD, err);
	if (o->body == NULL)
		return -1;
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		struct linuxcr_record *r =
			linuxcr_expect(c, CRIMG_LCR_IPC, CRIMG_LCR_IPC_PAYLOAD, err);
		if (r == NULL)
			return -1;
		if (linuxcr_u32(r, 0) != kinds[i])
			return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, r->offset,
					  "IPC of type %u found, %u wanted", linuxcr_u32(r, 0),
					  kinds[i]);
		for (uint32_t n = linuxcr_u32(r, 4); n > 0; n--)
			if (items[i](c, o, err) < 0)
				return -1;
	}
	return 0;
}
