// What waits in sockets: buffers of the kernel, each of a linear part, which is given from its head on, and of fragments,
// each being a part of a page.
#include "readers/linuxcr_records.h"

// A run of bytes of a buffer.
struct run {
	const struct linuxcr_record *next; // where to look on; NULL: at the end
	const uint8_t *data;
	uint32_t length;
};

// The linear part: behind the head room of what the next record holds.
static struct run first_run(const struct linuxcr_record *buffer)
{
	uint32_t all = linuxcr_u32(buffer, CRIMG_LCR_SKB_LEN), apart = linuxcr_u32(buffer, CRIMG_LCR_SKB_FRG_LEN);
	uint32_t room = linuxcr_u32(buffer, CRIMG_LCR_SKB_DATA_OFFSET), linear = all >= apart ? all - apart : 0;
	const struct linuxcr_record *r = buffer->sibling;
	struct run run = {.next = r};
	if (r == NULL || r->kind != CRIMG_LCR_BUFFER)
		return run;
	run.next = r->sibling;
	if (crimg_in_range(room, linear, r->length)) {
		run.data = r->data + room;
		run.length = linear;
	}
	return run;
}

static bool next_run(struct run *run)
{
	const struct linuxcr_record *r = run->next;
	if (r == NULL || r->kind != CRIMG_LCR_SOCKET_FRAG)
		return false;
	uint32_t length = linuxcr_u32(r, 0), offset = linuxcr_u32(r, CRIMG_LCR_FRAG_OFFSET);
	bool there = crimg_in_range(offset, length, r->beyond);
	*run = (struct run){r->sibling, r->data + (r->length - r->beyond) + (there ? offset : 0), there ? length : 0};
	return true;
}

uint64_t linuxcr_packet_bytes(const struct linuxcr_record *buffer)
{
	struct run run = first_run(buffer);
	uint64_t bytes = run.length;
	while (next_run(&run))
		bytes += run.length;
	return bytes;
}

static int add_run(struct linuxcr_image *m, const struct run *run, uint64_t *skip, struct crimg_err *err)
{
	uint64_t over = crimg_min_u64(*skip, run->length);
	*skip -= over;
	return run->length == over ? 0 : model_payload_add(&m->payloads, run->data + over, 0, run->length - over, err);
}

int linuxcr_add_packet(struct linuxcr_image *m, const struct linuxcr_record *buffer, uint64_t *skip,
		       struct crimg_err *err)
{
	struct run run = first_run(buffer);
	if (add_run(m, &run, skip, err) < 0)
		return -1;
	while (next_run(&run))
		if (add_run(m, &run, skip, err) < 0)
			return -1;
	return 0;
}

const struct linuxcr_record *linuxcr_next_packet(const struct linuxcr_object *socket, const struct linuxcr_record *after,
						 bool *to_send)
{
	const struct linuxcr_record *r = after == NULL ? socket->first : after->sibling;
	for (; r != NULL && r->kind != CRIMG_LCR_SOCKET_BUFFER; r = r->sibling)
		if (r->kind == CRIMG_LCR_SOCKET_QUEUE && r != socket->first)
			*to_send = true; // the second queue
	return r;
}

// What waits in unix sockets to be received, the next of all packets.
int linuxcr_put_queue(struct linuxcr_image *m, size_t object, uint64_t index,
		      struct model_entry *out, struct crimg_err *err)
{
	SkPacketEntry e = SK_PACKET_ENTRY__INIT;
	(void)object;
	if (index == 0) {
		m->cursor = 0;
		m->record = NULL;
	}
	for (; m->cursor < linuxcr_count(&m->c, CRIMG_LCR_OBJ_SOCK); m->cursor++, m->record = NULL) {
		const struct linuxcr_object *o = linuxcr_nth(&m->c, CRIMG_LCR_OBJ_SOCK, m->cursor);
		bool to_send = false;
		uint64_t skip = 0;
		const struct linuxcr_record *r = linuxcr_next_packet(o, m->record, &to_send);
		if (r == NULL || o->held_by == 0 || linuxcr_socket_is_inet(o))
			continue;
		m->record = r;
		if (model_payload_begin(&m->payloads, err) < 0 || linuxcr_add_packet(m, r, &skip, err) < 0)
			return -1;
		e.id_for = (uint32_t)o->held_by;
		e.length = (uint32_t)m->payloads.list[m->payloads.count - 1].length;
		out->has_payload = true;
		linuxcr_from(out, r);
		return model_encode(&e.base, out, err);
	}
	return 0;
}
