// Metadata for an older CRIU: newer fields out, page counts where it looks for them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/filters.h"
#include "format/checked.h"
#include "format/json_message.h"
#include "format/limits.h"

struct version_state {
	struct crimg_reader inner;
	unsigned version;
	struct crimg_ledger *ledger;
	struct crimg_arena arena;
	struct crimg_buf encoded;
};

// Newer fields that say nothing a restore needs: whatever they hold, or when they hold the value that an
// older CRIU restores anyway.
static const struct idle_field {
	const ProtobufCMessageDescriptor *type;
	const char *field;
	bool any;
	uint64_t value;
} idle_fields[] = {
	{ &inventory_entry__descriptor, "dump_criu_run_id", true, 0 },
	{ &inventory_entry__descriptor, "pre_dump_mode", true, 0 },
	{ &inventory_entry__descriptor, "dump_uptime", true, 0 },
	{ &pagemap_entry__descriptor, "nr_pages", true, 0 },
	// The group of a thread is the task's unless a controller is threaded, which cgroup.img says.
	{ &thread_core_entry__descriptor, "cg_set", true, 0 },
	{ &sysctl_entry__descriptor, "type", true, 0 }, // the value is in iarg or sarg
	{ &memfd_inode_entry__descriptor, "mode", false, 0100777 },
	{ &ip_opts_entry__descriptor, "ttl", false, 64 },
	{ &tcp_opts_entry__descriptor, "keepcnt", false, 9 },
	{ &tcp_opts_entry__descriptor, "keepidle", false, 7200 },
	{ &tcp_opts_entry__descriptor, "keepintvl", false, 75 },
};

static const uint8_t *at(const ProtobufCMessage *m, unsigned offset)
{
	return (const uint8_t *)m + offset;
}

enum presence { ABSENT, EMPTY, TELLING };

static enum presence message_presence(const ProtobufCMessage *m);

static bool is_idle(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	for (size_t i = 0; i < sizeof idle_fields / sizeof idle_fields[0]; i++) {
		const struct idle_field *idle = &idle_fields[i];
		if (idle->type != m->descriptor || strcmp(idle->field, f->name) != 0)
			continue;
		return idle->any || *(const uint32_t *)(const void *)at(m, f->offset) == idle->value;
	}
	return false;
}

// Capability sets and the like: words of zeros say no more than no words.
static enum presence list_presence(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	size_t n = *(const size_t *)(const void *)at(m, f->quantifier_offset);
	const void *member = at(m, f->offset);
	if (n == 0)
		return ABSENT;
	if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
		return TELLING;
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return crimg_all_zero(*(uint8_t *const *)member, n * crimg_value_size(f->type)) ? EMPTY
		                                                                           : TELLING;
	for (size_t i = 0; i < n; i++)
		if (message_presence((*(ProtobufCMessage *const *const *)member)[i]) == TELLING)
			return TELLING;
	return EMPTY;
}

// Whether an optional or repeated field is there, and says anything.
static enum presence field_presence(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *member = at(m, f->offset);
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return list_presence(m, f);
	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *sub = *(ProtobufCMessage *const *)member;
		return sub == NULL ? ABSENT : message_presence(sub);
	}
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(char *const *)member;
		return text == NULL || text == f->default_value ? ABSENT
			: text[0] == '\0' ? EMPTY : TELLING;
	}
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL
	    && !*(const protobuf_c_boolean *)(const void *)at(m, f->quantifier_offset))
		return ABSENT;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)member)->len == 0 ? EMPTY : TELLING;
	if (f->default_value != NULL)
		return memcmp(member, f->default_value, crimg_value_size(f->type)) == 0 ? EMPTY : TELLING;
	return crimg_all_zero(member, crimg_value_size(f->type)) ? EMPTY : TELLING;
}

static enum presence message_presence(const ProtobufCMessage *m)
{
	enum presence most = EMPTY;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		if (field_presence(m, f) == TELLING && !is_idle(m, f))
			most = TELLING;
	}
	return most;
}

static bool same_count(bool has, uint32_t value, bool has_old, uint32_t old, uint32_t usual)
{
	return !has || value == usual || (has_old && value == old);
}

// TCP options moved: keepalive counts stand in sk_opts too, and those of a connection in its tcp-stream.
static bool is_told_elsewhere(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	enum { TCP_CLOSE = 7, TCP_LISTEN = 10 };
	const void *any = m;
	const InetSkEntry *sk = any;
	if (m->descriptor != &inet_sk_entry__descriptor || strcmp(f->name, "tcp_opts") != 0)
		return false;
	const TcpOptsEntry *t = sk->tcp_opts;
	const SkOptsEntry *o = sk->opts;
	bool idle = sk->state == TCP_LISTEN || sk->state == TCP_CLOSE;
	if (idle && ((t->has_nodelay && t->nodelay) || (t->has_cork && t->cork)))
		return false;
	return same_count(t->has_keepcnt, t->keepcnt, o->has_tcp_keepcnt, o->tcp_keepcnt, 9)
		&& same_count(t->has_keepidle, t->keepidle, o->has_tcp_keepidle, o->tcp_keepidle, 7200)
		&& same_count(t->has_keepintvl, t->keepintvl, o->has_tcp_keepintvl, o->tcp_keepintvl,
		              75);
}

static void take_out(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	uint8_t *quantifier = (uint8_t *)m + f->quantifier_offset;
	uint8_t *member = (uint8_t *)m + f->offset;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		*(size_t *)(void *)quantifier = 0;
	else if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING)
		*(void **)(void *)member = NULL;
	else
		*(protobuf_c_boolean *)(void *)quantifier = 0;
}

struct walk {
	struct version_state *s;
	const struct crimg_record *record;
	bool changed;
};

static int older(struct walk *w, ProtobufCMessage *m, const char *path, struct crimg_err *err);

// Descends into the messages of one field.
static int older_field(struct walk *w, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const char *path, struct crimg_err *err)
{
	void *member = (uint8_t *)m + f->offset;
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return 0;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		ProtobufCMessage *sub = *(ProtobufCMessage **)member;
		return sub == NULL ? 0 : older(w, sub, path, err);
	}
	size_t n = *(const size_t *)(const void *)at(m, f->quantifier_offset);
	for (size_t i = 0; i < n; i++)
		if (older(w, (*(ProtobufCMessage ***)member)[i], path, err) < 0)
			return -1;
	return 0;
}

static int drop_field(struct walk *w, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                      const char *path, unsigned since, struct crimg_err *err)
{
	char what[96];
	enum presence there = field_presence(m, f);
	if (there == ABSENT)
		return 0;
	w->changed = true;
	snprintf(what, sizeof what, "dropped: CRIU %u.%u does not know it (since %u.%u)",
	         w->s->version / 100, w->s->version % 100, since / 100, since % 100);
	if (there == TELLING && !is_idle(m, f) && !is_told_elsewhere(m, f)
	    && crimg_ledger_add(w->s->ledger, w->record->object->name, path, what, err) < 0)
		return -1;
	take_out(m, f);
	return 0;
}

static int older(struct walk *w, ProtobufCMessage *m, const char *path, struct crimg_err *err)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		unsigned since = crimg_field_info(m->descriptor, i).since;
		char below[512];
		snprintf(below, sizeof below, "%s%s%s", path, path[0] ? "." : "", f->name);
		int rc = since > w->s->version && f->label != PROTOBUF_C_LABEL_REQUIRED
			? drop_field(w, m, f, below, since, err)
			: older_field(w, m, f, below, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

// Until 4.1 the count is field 2, 32 bits wide.
static int old_count(struct version_state *s, PagemapEntry *e, const struct crimg_record *r,
                     struct crimg_err *err)
{
	if (!e->has_nr_pages || s->version >= 402)
		return 0;
	if (e->nr_pages > UINT32_MAX)
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, r->object->name, r->origin_offset,
		                  "a run of %llu pages: CRIU %u.%u counts to 4294967295",
		                  (unsigned long long)e->nr_pages, s->version / 100, s->version % 100);
	e->compat_nr_pages = (uint32_t)e->nr_pages;
	return 0;
}

static int rewrite(struct version_state *s, struct crimg_record *r, struct crimg_err *err)
{
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(r->object->kind, r->index, r->data, r->length);
	struct walk w = { .s = s, .record = r };
	if (type == NULL || r->tail)
		return 0;
	crimg_arena_reset(&s->arena);
	ProtobufCMessage *m = crimg_message_decode(type, r->data, r->length, &s->arena, r->origin,
	                                           r->origin_offset + 4, err);
	void *any = m;
	if (m == NULL)
		return -1;
	if (type == &pagemap_entry__descriptor && old_count(s, any, r, err) < 0)
		return -1;
	if (type == &inventory_entry__descriptor)
		w.changed = ((InventoryEntry *)any)->img_version == 3;
	if (w.changed)
		((InventoryEntry *)any)->img_version = 2; // blocks were expanded before
	if (older(&w, m, "", err) < 0)
		return -1;
	if (!w.changed)
		return 0;
	return crimg_filter_replace(r, m, &s->encoded, err);
}

static int check_kind(struct version_state *s, const struct crimg_record *r, struct crimg_err *err)
{
	static const struct {
		enum crimg_kind kind;
		unsigned since;
	} newer[] = {
		{ CRIMG_KIND_PIDFD, 401 },       { CRIMG_KIND_APPARMOR, 316 },
		{ CRIMG_KIND_PIDNS, 315 },       { CRIMG_KIND_BPFMAP_FILE, 315 },
		{ CRIMG_KIND_BPFMAP_DATA, 315 }, { CRIMG_KIND_MEMFD_INODE, 314 },
		{ CRIMG_KIND_AUTOFS, 204 },      { CRIMG_KIND_SECCOMP, 108 },
	};
	for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++)
		if (newer[i].kind == r->object->kind && newer[i].since > s->version)
			return crimg_ledger_add(s->ledger, r->object->name, "",
			                        "kept, but that CRIU does not know this kind", err);
	return 0;
}

static int version_next(struct crimg_reader *reader, struct crimg_record *r, struct crimg_err *err)
{
	struct version_state *s = reader->state;
	int rc = crimg_reader_next(&s->inner, r, err);
	if (rc <= 0)
		return rc;
	if (r->type == CRIMG_RECORD_OBJECT && check_kind(s, r, err) < 0)
		return -1;
	return r->type == CRIMG_RECORD_MESSAGE && rewrite(s, r, err) < 0 ? -1 : 1;
}

static void version_close(struct crimg_reader *reader)
{
	struct version_state *s = reader->state;
	crimg_reader_close(&s->inner);
	crimg_arena_fini(&s->arena);
	crimg_buf_fini(&s->encoded);
	free(s);
}

static const struct crimg_reader_driver version_driver = {
	.name = "criu-version",
	.next = version_next,
	.close = version_close,
};

int crimg_filter_version(struct crimg_reader *reader, unsigned version, struct crimg_ledger *ledger,
                         struct crimg_err *err)
{
	struct version_state *s = calloc(1, sizeof *s);
	if (s == NULL)
		return crimg_fail_nomem(err, sizeof *s);
	s->inner = *reader;
	s->version = version;
	s->ledger = ledger;
	s->arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	reader->driver = &version_driver;
	reader->state = s;
	return 0;
}
