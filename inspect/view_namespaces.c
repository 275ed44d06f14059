// View namespaces: which there are, who lives in them, and what they hold; network devices.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "inspect/table.h"

enum ns_type { NS_PID, NS_NET, NS_IPC, NS_UTS, NS_MNT, NS_USER, NS_CGROUP, NS_TIME, NS_TYPES };

static const char *const type_names[NS_TYPES] = { "pid", "net", "ipc", "uts", "mnt", "user",
                                                  "cgroup", "time" };

// 0: not recorded.
static uint32_t id_of(const TaskKobjIdsEntry *ids, enum ns_type type)
{
	const struct {
		protobuf_c_boolean has;
		uint32_t id;
	} rows[NS_TYPES] = {
		[NS_PID] = { ids->has_pid_ns_id, ids->pid_ns_id },
		[NS_NET] = { ids->has_net_ns_id, ids->net_ns_id },
		[NS_IPC] = { ids->has_ipc_ns_id, ids->ipc_ns_id },
		[NS_UTS] = { ids->has_uts_ns_id, ids->uts_ns_id },
		[NS_MNT] = { ids->has_mnt_ns_id, ids->mnt_ns_id },
		[NS_USER] = { ids->has_user_ns_id, ids->user_ns_id },
		[NS_CGROUP] = { ids->has_cgroup_ns_id, ids->cgroup_ns_id },
		[NS_TIME] = { ids->has_time_ns_id, ids->time_ns_id },
	};
	return rows[type].has ? rows[type].id : 0;
}

struct member {
	enum ns_type type;
	uint32_t id, pid;
};

static int by_namespace(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static struct member *load_members(struct crimg_view *view, size_t *count)
{
	struct member *list = calloc(view->tasks.count * NS_TYPES + 1, sizeof *list);
	*count = 0;
	if (list == NULL) {
		crimg_fail_nomem(&view->fault, view->tasks.count * NS_TYPES * sizeof *list);
		return NULL;
	}
	for (size_t i = 0; i < view->tasks.count; i++) {
		const struct crimg_task *task = &view->tasks.list[i];
		for (unsigned type = 0; type < NS_TYPES && task->ids != NULL; type++) {
			uint32_t id = id_of(task->ids, (enum ns_type)type);
			if (id != 0 && crimg_view_wants(view, task))
				list[(*count)++] =
					(struct member) { (enum ns_type)type, id, task->pid };
		}
	}
	if (*count > 0)
		qsort(list, *count, sizeof *list, by_namespace);
	return list;
}

static size_t entries_of(struct crimg_view *view, enum crimg_kind kind, uint32_t id)
{
	const struct crimg_image_object *o = crimg_image_find(view->image, kind, id);
	return o != NULL ? o->count : 0;
}

static void uts_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	const UtsnsEntry *uts = crimg_image_get(view->image, CRIMG_KIND_UTSNS, id, &view->damage);
	if (uts != NULL)
		snprintf(out, size, "host %s%s%s", uts->nodename,
		         uts->domainname[0] != '\0' ? ", domain " : "", uts->domainname);
}

static void ipc_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	if (crimg_image_find(view->image, CRIMG_KIND_IPC_VAR, id) == NULL)
		return;
	size_t shm = entries_of(view, CRIMG_KIND_IPCNS_SHM, id);
	size_t sem = entries_of(view, CRIMG_KIND_IPCNS_SEM, id);
	size_t msg = entries_of(view, CRIMG_KIND_IPCNS_MSG, id);
	if (shm + sem + msg == 0)
		snprintf(out, size, "nothing");
	else
		snprintf(out, size, "shared memory %zu, semaphore sets %zu, message queues %zu",
		         shm, sem, msg);
}

static void mnt_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	size_t count = entries_of(view, CRIMG_KIND_MNTS, id);
	if (count > 0)
		snprintf(out, size, "%zu mounts", count);
}

static void net_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	const NetnsEntry *net = crimg_image_get(view->image, CRIMG_KIND_NETNS, id, &view->damage);
	struct crimg_image_object *o = crimg_image_find(view->image, CRIMG_KIND_NETDEV, id);
	for (size_t i = 0; o != NULL && i < o->count; i++) {
		const NetDeviceEntry *dev = crimg_image_message(view->image, o, i, &view->damage);
		size_t used = strlen(out);
		if (dev != NULL)
			snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "devices ",
			         dev->name);
	}
	if (net != NULL && net->ext_key != NULL)
		snprintf(out + strlen(out), size - strlen(out), " external: %s", net->ext_key);
}

static void pid_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	const PidnsEntry *pid = crimg_image_get(view->image, CRIMG_KIND_PIDNS, id, &view->damage);
	if (pid != NULL && pid->ext_key != NULL)
		snprintf(out, size, "external: %s", pid->ext_key);
}

static void add_map(char *out, size_t size, const char *what, UidGidExtent *const *map, size_t count)
{
	for (size_t i = 0; i < count && i < 4; i++) {
		size_t used = strlen(out);
		snprintf(out + used, size - used, "%s%s %u-%" PRIu64 " to %u", used > 0 ? ", " : "",
		         what, map[i]->first, (uint64_t)map[i]->first + map[i]->count - 1,
		         map[i]->lower_first);
	}
}

static void user_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	const UsernsEntry *user = crimg_image_get(view->image, CRIMG_KIND_USERNS, id, &view->damage);
	if (user == NULL)
		return;
	add_map(out, size, "uid", user->uid_map, user->n_uid_map);
	add_map(out, size, "gid", user->gid_map, user->n_gid_map);
}

static void time_text(struct crimg_view *view, uint32_t id, char *out, size_t size)
{
	const TimensEntry *time = crimg_image_get(view->image, CRIMG_KIND_TIMENS, id, &view->damage);
	char at[48];
	if (time == NULL) // CRIU always calls the file of the only one timens-0
		time = crimg_image_get(view->image, CRIMG_KIND_TIMENS, 0, &view->damage);
	if (time != NULL && time->monotonic != NULL)
		snprintf(out, size, "clock at %s",
		         crimg_duration_text(time->monotonic->tv_sec, time->monotonic->tv_nsec, at,
		                             sizeof at));
}

static void (*const describe[NS_TYPES])(struct crimg_view *, uint32_t, char *, size_t) = {
	[NS_PID] = pid_text, [NS_NET] = net_text, [NS_IPC] = ipc_text, [NS_UTS] = uts_text,
	[NS_MNT] = mnt_text, [NS_USER] = user_text, [NS_TIME] = time_text,
};

static const struct crimg_column columns[] = {
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "id", "ID", CRIMG_COLUMN_RIGHT },
	{ "own", "OF", CRIMG_COLUMN_LEFT },
	{ "processes", "PROCESSES", CRIMG_COLUMN_CUT },
	{ "holds", "HOLDS", CRIMG_COLUMN_CUT },
};

#define PIDS_SHOWN 6u

static void pids_cell(struct crimg_table *t, const struct member *list, size_t count)
{
	char text[256] = "";
	const char *key;
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL) {
		crimg_json_array(j, key);
		for (size_t i = 0; i < count; i++)
			crimg_json_u64(j, NULL, list[i].pid);
		crimg_json_end(j);
		return;
	}
	for (size_t i = 0; i < count && i < PIDS_SHOWN; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i > 0 ? " " : "",
		         list[i].pid);
	if (count > PIDS_SHOWN)
		snprintf(text + strlen(text), sizeof text - strlen(text), " and %zu more",
		         count - PIDS_SHOWN);
	crimg_cell_text(t, text);
}

static void namespace_row(struct crimg_table *t, const TaskKobjIdsEntry *host,
                          const struct member *list, size_t count)
{
	const char *key;
	char holds[512] = "";
	bool known = host != NULL && id_of(host, list->type) != 0;
	bool own = known && id_of(host, list->type) != list->id;
	crimg_table_row(t);
	crimg_cell_text(t, type_names[list->type]);
	crimg_cell_u64(t, list->id);
	struct crimg_json *j = crimg_cell_json(t, &key);
	if (j != NULL && known)
		crimg_json_bool(j, key, own);
	else if (j != NULL)
		crimg_json_null(j, key);
	else
		crimg_cell_text(t, own ? "its own" : known ? "the host" : "?");
	pids_cell(t, list, count);
	if (describe[list->type] != NULL)
		describe[list->type](t->view, list->id, holds, sizeof holds);
	crimg_cell_text(t, holds);
}

static void show_namespaces(struct crimg_view *view)
{
	const InventoryEntry *inventory =
		crimg_image_get(view->image, CRIMG_KIND_INVENTORY, 0, &view->damage);
	const TaskKobjIdsEntry *host = inventory != NULL ? inventory->root_ids : NULL;
	size_t count;
	struct member *list = load_members(view, &count);
	struct crimg_table t;
	crimg_heading(view, "Namespaces");
	crimg_table_begin(&t, view, "namespaces", columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0, end; i < count && !crimg_view_failed(view); i = end) {
		for (end = i + 1; end < count && list[end].type == list[i].type
		     && list[end].id == list[i].id; end++)
			;
		namespace_row(&t, host, &list[i], end - i);
	}
	crimg_table_end(&t);
	if (count == 0)
		crimg_line(view, CRIMG_MARK_NONE, "none recorded");
	free(list);
}

static const struct crimg_column device_columns[] = {
	{ "net_ns", "NET NS", CRIMG_COLUMN_RIGHT },
	{ "index", "INDEX", CRIMG_COLUMN_RIGHT },
	{ "name", "DEVICE", CRIMG_COLUMN_LEFT },
	{ "type", "TYPE", CRIMG_COLUMN_LEFT },
	{ "mtu", "MTU", CRIMG_COLUMN_RIGHT },
	{ "address", "ADDRESS", CRIMG_COLUMN_LEFT },
	{ "master", "MASTER", CRIMG_COLUMN_RIGHT },
	{ "peer_index", "PEER", CRIMG_COLUMN_RIGHT },
	{ "flags", "FLAGS", CRIMG_COLUMN_CUT },
};

static void device_row(struct crimg_table *t, uint64_t ns, const NetDeviceEntry *dev)
{
	char address[64] = "", flags[256], number[32];
	for (size_t i = 0; dev->has_address && i < dev->address.len && i < 20; i++)
		snprintf(address + strlen(address), sizeof address - strlen(address), "%s%02x",
		         i > 0 ? ":" : "", (unsigned)dev->address.data[i]);
	crimg_table_row(t);
	crimg_cell_u64(t, ns);
	crimg_cell_u64(t, dev->ifindex);
	crimg_cell_text(t, dev->name);
	crimg_cell_text(
		t, crimg_name_or_number(CRIMG_NAMES_NETDEV_TYPE, dev->type, number, sizeof number));
	crimg_cell_u64(t, dev->mtu);
	crimg_cell_text(t, address[0] != '\0' ? address : NULL);
	crimg_cell_count(t, dev->has_master ? dev->master : 0);
	crimg_cell_count(t, dev->has_peer_ifindex ? dev->peer_ifindex : 0);
	crimg_cell_text(
		t, crimg_flags_text(CRIMG_NAMES_NETDEV_FLAGS, dev->flags, flags, sizeof flags));
}

static void show_devices(struct crimg_view *view)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_NETDEV);
	const NetDeviceEntry *dev;
	struct crimg_table t;
	crimg_table_begin(&t, view, "net_devices", device_columns,
	                  sizeof device_columns / sizeof device_columns[0]);
	while ((dev = crimg_image_walk(view->image, &walk, &view->damage)) != NULL
	       && !crimg_view_failed(view))
		device_row(&t, walk.object->object.id, dev);
	if (t.cell_count > 0)
		crimg_heading(view, "Network devices");
	crimg_table_end(&t);
}

void crimg_view_namespaces(struct crimg_view *view)
{
	show_namespaces(view);
	show_devices(view);
}
