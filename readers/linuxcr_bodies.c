// The bodies of shared objects.
#include "format/limits.h"
#include "format/tcp_state.h"
#include "readers/linuxcr_model.h"

#define SOCK_DEAD 0x1u

// Objects whose body is one record.
static const struct {
	uint32_t type, kind;
} plain[] = {
	{CRIMG_LCR_OBJ_UTS_NS, CRIMG_LCR_UTS_NS},
	{CRIMG_LCR_OBJ_MNT_NS, CRIMG_LCR_MNT_NS},
	{CRIMG_LCR_OBJ_USER_NS, CRIMG_LCR_USER_NS},
	{CRIMG_LCR_OBJ_NET_NS, CRIMG_LCR_NET_NS},
};

static int read_plain(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (plain[i].type == o->type) {
			o->body = linuxcr_expect(c, plain[i].kind, LINUXCR_ANY, err);
			return o->body == NULL ? -1 : 0;
		}
	return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, c->stream.window.offset,
			  "OBJREF: a %s found, which has no record of its own",
			  linuxcr_object_name(o->type));
}

static int read_part(struct linuxcr *c, struct linuxcr_record **out, uint32_t kind, uint32_t length,
		     struct crimg_err *err)
{
	*out = linuxcr_expect(c, kind, length, err);
	return *out == NULL ? -1 : 0;
}

// v18 has no reference to a security label in it.
static int read_cred(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	uint32_t length = CRIMG_LCR_CRED_PAYLOAD - (c->stream.profile.rev < 4 ? 8u : 0u);
	if (read_part(c, &o->body, CRIMG_LCR_CRED, length, err) < 0)
		return -1;
	return linuxcr_need(c, o->body, CRIMG_LCR_CRED_USER, CRIMG_LCR_OBJ_USER, false, NULL, err)
				       < 0
			       || linuxcr_need(c, o->body, CRIMG_LCR_CRED_GROUPS,
					       CRIMG_LCR_OBJ_GROUPINFO, false, NULL, err)
					  < 0
		       ? -1
		       : 0;
}

// Its length counts the structure's padding: the array begins 4 bytes before the fixed part ends.
static int read_groups(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	if (read_part(c, &o->body, CRIMG_LCR_GROUPINFO, LINUXCR_ANY, err) < 0)
		return -1;
	uint32_t count = linuxcr_u32(o->body, 0);
	if (o->body->length < 8 || (o->body->length - 8) % 4 != 0
	    || (o->body->length - 8) / 4 != count)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, o->body->offset,
				  "GROUPINFO: %u groups found in %u bytes, 8 and 4 each wanted",
				  count, o->body->length);
	return 0;
}

static int read_user(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	if (read_part(c, &o->body, CRIMG_LCR_USER, CRIMG_LCR_USER_PAYLOAD, err) < 0)
		return -1;
	return linuxcr_need(c, o->body, CRIMG_LCR_USER_NS_REF, CRIMG_LCR_OBJ_USER_NS, false, NULL,
			    err);
}

static int read_ns(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	if (read_part(c, &o->body, CRIMG_LCR_NS, LINUXCR_ANY, err) < 0)
		return -1;
	if (o->body->length != 8 && o->body->length != 16)
		return crimg_fail(err, CRIMG_E_FORMAT, c->stream.source->name, o->body->offset,
				  "NS: a payload of %u bytes found, 8 or 16 wanted",
				  o->body->length);
	c->stream.profile.ns_v21 = o->body->length == 16;
	if (linuxcr_need(c, o->body, 0, CRIMG_LCR_OBJ_UTS_NS, false, NULL, err) < 0
	    || linuxcr_need(c, o->body, 4, CRIMG_LCR_OBJ_IPC_NS, false, NULL, err) < 0)
		return -1;
	return o->body->length == 8
		       ? 0
		       : linuxcr_need(c, o->body, 8, CRIMG_LCR_OBJ_NET_NS, true, NULL, err);
}

static int read_fs(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	if (read_part(c, &o->body, CRIMG_LCR_FS, LINUXCR_ANY, err) < 0
	    || read_part(c, &o->parts[0], CRIMG_LCR_FILE_NAME, LINUXCR_ANY, err) < 0
	    || read_part(c, &o->parts[1], CRIMG_LCR_FILE_NAME, LINUXCR_ANY, err) < 0)
		return -1;
	return 0;
}

static int read_sighand(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	uint32_t count = linuxcr_u16(c->header, CRIMG_LCR_CONST_NSIG);
	return read_part(c, &o->body, CRIMG_LCR_SIGHAND, count * CRIMG_LCR_SIGACTION_BYTES, err);
}

// A body and what follows it directly, of the kinds given.
static int read_with(struct linuxcr *c, struct linuxcr_object *o, uint32_t kind, uint32_t more,
		     uint32_t and_more, struct crimg_err *err)
{
	uint32_t next, length;
	if (read_part(c, &o->body, kind, LINUXCR_ANY, err) < 0)
		return -1;
	while (linuxcr_stream_peek(&c->stream, &next, &length, err) > 0) {
		next = linuxcr_kind(&c->stream.profile, next);
		if (next != more && next != and_more)
			return 0;
		struct linuxcr_record *r = linuxcr_stream_take(&c->stream, 0, err);
		if (r == NULL)
			return -1;
		linuxcr_list_add(o, r);
	}
	return err != NULL && err->code != CRIMG_OK ? -1 : 0;
}

// Whether queues of a socket stand behind the table. Later postings say so; earlier ones gave those of every socket
// that neither listens nor is dead.
static bool has_queues(const struct linuxcr *c, const struct linuxcr_object *o)
{
	if (c->stream.profile.task_v23)
		return o->body->data[0] != 0;
	return o->body->data[CRIMG_LCR_SOCK_STATE] != CRIMG_TCP_LISTEN
	       && (linuxcr_u32(o->body, CRIMG_LCR_SOCK_FLAGS) & SOCK_DEAD) == 0;
}

// They come in the order in which sockets are complete, which is not that of descriptors.
static void await_queues(struct linuxcr *c, struct linuxcr_object *o)
{
	if (c->queued == NULL)
		c->queued = o;
	else
		c->last_queued->waits = o;
	c->last_queued = o;
}

// The address, then the directory of a relative name of a unix socket.
static int read_sock(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	uint32_t kind, length;
	uint32_t wanted = c->stream.profile.task_v23 ? CRIMG_LCR_SOCKET_PAYLOAD_V23
						     : CRIMG_LCR_SOCKET_PAYLOAD_V19;
	if (read_part(c, &o->body, CRIMG_LCR_SOCKET, wanted, err) < 0
	    || linuxcr_next_kind(c, &kind, &length, err) < 0)
		return -1;
	bool inet = kind == CRIMG_LCR_SOCKET_INET;
	if (read_part(c, &o->parts[0], inet ? CRIMG_LCR_SOCKET_INET : CRIMG_LCR_SOCKET_UNIX,
		      inet ? CRIMG_LCR_INET_PAYLOAD : CRIMG_LCR_UNIX_PAYLOAD, err)
		    < 0
	    || linuxcr_next_kind(c, &kind, &length, err) < 0)
		return -1;
	if (kind == CRIMG_LCR_STRING
	    && read_part(c, &o->parts[1], CRIMG_LCR_STRING, LINUXCR_ANY, err) < 0)
		return -1;
	if (has_queues(c, o))
		await_queues(c, o);
	return 0;
}

int linuxcr_read_body(struct linuxcr *c, struct linuxcr_object *o, struct crimg_err *err)
{
	switch (o->type) {
	case CRIMG_LCR_OBJ_CRED:
		return read_cred(c, o, err);
	case CRIMG_LCR_OBJ_GROUPINFO:
		return read_groups(c, o, err);
	case CRIMG_LCR_OBJ_USER:
		return read_user(c, o, err);
	case CRIMG_LCR_OBJ_NS:
		return read_ns(c, o, err);
	case CRIMG_LCR_OBJ_IPC_NS:
		return linuxcr_read_ipc(c, o, err);
	case CRIMG_LCR_OBJ_FILE_TABLE:
		return linuxcr_read_table(c, o, err);
	case CRIMG_LCR_OBJ_FILE:
		return linuxcr_read_file(c, o, err);
	case CRIMG_LCR_OBJ_MM:
		return linuxcr_read_mm(c, o, err);
	case CRIMG_LCR_OBJ_FS:
		return read_fs(c, o, err);
	case CRIMG_LCR_OBJ_SIGHAND:
		return read_sighand(c, o, err);
	case CRIMG_LCR_OBJ_SOCK:
		return read_sock(c, o, err);
	case CRIMG_LCR_OBJ_TTY:
		return read_with(c, o, CRIMG_LCR_TTY, CRIMG_LCR_TTY_LDISC, 0, err);
	case CRIMG_LCR_OBJ_SECURITY:
		return read_with(c, o, CRIMG_LCR_SECURITY, CRIMG_LCR_STRING, 0, err);
	case CRIMG_LCR_OBJ_NETDEV:
		return read_with(c, o, CRIMG_LCR_NETDEV, CRIMG_LCR_NETDEV_ADDR, CRIMG_LCR_BUFFER,
				 err);
	case CRIMG_LCR_OBJ_SEM_UNDO:
		return read_with(c, o, CRIMG_LCR_SEM_UNDO_LIST, CRIMG_LCR_SEM_UNDO,
				 CRIMG_LCR_BUFFER, err);
	default:
		return read_plain(c, o, err);
	}
}
