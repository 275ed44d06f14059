// The table, and reading ids by it.
#include "validate/ns_table.h"

#include <stddef.h>

#define NS(word, kind, usual)                                                                       \
	{ #word, offsetof(TaskKobjIdsEntry, has_##word##_ns_id),                                     \
	  offsetof(TaskKobjIdsEntry, word##_ns_id), CRIMG_KIND_##kind, usual }

const struct crimg_ns_info crimg_ns_table[CRIMG_NS_COUNT] = {
	NS(pid, OPAQUE, false), NS(net, OPAQUE, false), NS(ipc, IPC_VAR, false),
	NS(uts, UTSNS, false),  NS(mnt, MNTS, false),   NS(user, USERNS, true),
	NS(cgroup, OPAQUE, true), NS(time, OPAQUE, true),
};

bool crimg_ns_of(const TaskKobjIdsEntry *ids, size_t i, uint32_t *out)
{
	const char *at = (const char *)ids;
	*out = *(const uint32_t *)(const void *)(at + crimg_ns_table[i].value);
	return *(const protobuf_c_boolean *)(const void *)(at + crimg_ns_table[i].has) != 0;
}
