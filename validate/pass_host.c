// Host, with --host: the parts, in order.
#include <stdio.h>
#include <string.h>

#include "validate/host.h"

// The namespaces of the root task against the outside's; formats without namespaces have none of their own.
bool crimg_host_shares(const struct crimg_checker *c, const char *word)
{
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	const TaskKobjIdsEntry *outside = inventory != NULL ? inventory->root_ids : NULL;
	const TaskKobjIdsEntry *own = c->tasks.count > 0 ? c->tasks.list[0].ids : NULL;
	char field[32];
	if (outside == NULL || own == NULL)
		return true;
	snprintf(field, sizeof field, "%s_ns_id", word);
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(
		&task_kobj_ids_entry__descriptor, field);
	uint32_t a, b;
	memcpy(&a, (const char *)outside + f->offset, sizeof a);
	memcpy(&b, (const char *)own + f->offset, sizeof b);
	return a == b;
}

void crimg_pass_host(struct crimg_checker *c)
{
	crimg_host_kernel(c);
	crimg_host_cpu(c);
	crimg_host_files(c);
	crimg_host_numbers(c);
}
