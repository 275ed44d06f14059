// Host: what the kernel must have for what the image uses, what this process must be allowed to do, and room.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "format/limits.h"
#include "format/names.h"
#include "validate/host.h"

// The value of a line "Name:  value" of a file in /proc; 0 when there is none.
static uint64_t proc_value(const char *path, const char *name, int base)
{
	char line[256];
	unsigned long long value = 0;
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0
		    && sscanf(line + strlen(name), base == 16 ? "%llx" : "%llu", &value) == 1)
			break;
	fclose(f);
	return value;
}

static void check_privilege(struct crimg_checker *c)
{
	static const uint64_t enough = UINT64_C(1) << 21 | UINT64_C(1) << 40; // SYS_ADMIN, CHECKPOINT_RESTORE
	uint64_t caps = proc_value("/proc/self/status", "CapEff:", 16);
	if ((caps & enough) != 0)
		return;
	struct crimg_place at = crimg_place_image(c);
	CRIMG_FIND(c, HOST_PRIVILEGE, &at,
	           "neither CAP_CHECKPOINT_RESTORE nor CAP_SYS_ADMIN: run as root");
}

static bool has_entries(const struct crimg_checker *c, enum crimg_kind kind)
{
	const struct crimg_image_object *o = crimg_image_first(c->image, kind);
	return o != NULL && o->count > 0;
}

static bool uses_32_bits(const struct crimg_checker *c)
{
	for (size_t i = 0; i < c->tasks.count; i++) {
		const CoreEntry *core = c->tasks.list[i].core;
		if (core != NULL && core->thread_info != NULL && core->thread_info->gpregs->has_mode
		    && core->thread_info->gpregs->mode == USER_X86_REGS_MODE__COMPAT)
			return true;
	}
	return false;
}

static bool uses_file(const struct crimg_checker *c, FdTypes type)
{
	for (size_t i = 0; i < c->files.count; i++)
		if (c->files.list[i].type == type)
			return true;
	return false;
}

static bool uses_own(const struct crimg_checker *c, const char *word)
{
	return c->tasks.count > 0 && !crimg_host_shares(c, word);
}

static bool uses_seccomp(const struct crimg_checker *c) { return has_entries(c, CRIMG_KIND_SECCOMP); }
static bool uses_tun(const struct crimg_checker *c) { return uses_file(c, FD_TYPES__TUNF); }
static bool uses_memfd(const struct crimg_checker *c) { return uses_file(c, FD_TYPES__MEMFD); }
static bool uses_fanotify(const struct crimg_checker *c) { return uses_file(c, FD_TYPES__FANOTIFY); }
static bool uses_binfmt(const struct crimg_checker *c)
{
	return has_entries(c, CRIMG_KIND_BINFMT_MISC) || has_entries(c, CRIMG_KIND_BINFMT_MISC_0);
}
static bool own_user(const struct crimg_checker *c) { return uses_own(c, "user"); }
static bool own_time(const struct crimg_checker *c) { return uses_own(c, "time"); }
static bool own_cgroup(const struct crimg_checker *c) { return uses_own(c, "cgroup"); }
static bool own_net(const struct crimg_checker *c) { return uses_own(c, "net"); }
static bool own_ipc(const struct crimg_checker *c) { return uses_own(c, "ipc"); }
static bool own_pid(const struct crimg_checker *c) { return uses_own(c, "pid"); }

// Something in the file system that is there when the kernel has the feature.
static const struct {
	bool (*used)(const struct crimg_checker *c);
	const char *path, *what;
} features[] = {
	{ uses_32_bits, "/proc/sys/abi/vsyscall32", "32-bit programs" },
	{ uses_seccomp, "/proc/sys/kernel/seccomp/actions_avail", "seccomp filters" },
	{ uses_tun, "/dev/net/tun", "tun devices" },
	{ uses_memfd, "/proc/sys/vm/memfd_noexec", "memory files" },
	{ uses_fanotify, "/proc/sys/fs/fanotify/max_user_groups", "fanotify" },
	{ uses_binfmt, "/proc/sys/fs/binfmt_misc/status", "binfmt_misc" },
	{ own_user, "/proc/self/ns/user", "user namespaces" },
	{ own_time, "/proc/self/ns/time", "time namespaces" },
	{ own_cgroup, "/proc/self/ns/cgroup", "cgroup namespaces" },
	{ own_net, "/proc/self/ns/net", "network namespaces" },
	{ own_ipc, "/proc/self/ns/ipc", "IPC namespaces" },
	{ own_pid, "/proc/self/ns/pid", "pid namespaces" },
};

static void check_features(struct crimg_checker *c)
{
	struct crimg_place at = crimg_place_image(c);
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
		if (features[i].used(c) && access(features[i].path, F_OK) < 0)
			CRIMG_FIND(c, HOST_KERNEL, &at, "%s are used, and there is no %s here",
			           features[i].what, features[i].path);
}

// Socket families are modules: a socket tells.
static void check_families(struct crimg_checker *c)
{
	static const struct {
		FdTypes type;
		int family;
		const char *name;
	} rows[] = {
		{ FD_TYPES__PACKETSK, AF_PACKET, "packet" }, { FD_TYPES__NETLINKSK, AF_NETLINK, "netlink" },
	};
	struct crimg_place at = crimg_place_image(c);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!uses_file(c, rows[i].type))
			continue;
		int fd = socket(rows[i].family, SOCK_RAW | SOCK_CLOEXEC, 0);
		if (fd < 0)
			CRIMG_FIND(c, HOST_KERNEL, &at, "%s sockets are used, and none can be made here",
			           rows[i].name);
		else
			close(fd);
	}
}

static void check_machine(struct crimg_checker *c)
{
	struct utsname uts;
	const CoreEntry *core = c->tasks.count > 0 ? c->tasks.list[0].core : NULL;
	if (core == NULL || uname(&uts) < 0)
		return;
	bool x86 = strcmp(uts.machine, "x86_64") == 0;
	if (x86 == (core->mtype == CORE_ENTRY__MARCH__X86_64))
		return;
	char name[32];
	struct crimg_place at = crimg_place_message(c, core, "mtype");
	CRIMG_FIND(c, HOST_CPU, &at, "the tasks ran on %s, this machine is %s",
	           crimg_name_or_number(CRIMG_NAMES_MACHINE, core->mtype, name, sizeof name),
	           uts.machine);
}

static void check_security(struct crimg_checker *c)
{
	const InventoryEntry *inventory = crimg_image_get(c->image, CRIMG_KIND_INVENTORY, 0, NULL);
	if (inventory == NULL || !inventory->has_lsmtype)
		return;
	bool selinux = inventory->lsmtype == LSMTYPE__SELINUX;
	const char *path = selinux ? "/sys/fs/selinux" : "/sys/kernel/security/apparmor";
	if (inventory->lsmtype == LSMTYPE__NO_LSM || access(path, F_OK) == 0)
		return;
	struct crimg_place at = crimg_place_of(c, CRIMG_KIND_INVENTORY, 0, "lsmtype");
	CRIMG_FIND(c, HOST_KERNEL, &at, "%s is used, and there is no %s here",
	           selinux ? "SELinux" : "AppArmor", path);
}

// Version 1 controllers are mounts, named after their members; version 2 is one tree without a name.
static void check_cgroups(struct crimg_checker *c)
{
	const CgroupEntry *cgroup = crimg_image_get(c->image, CRIMG_KIND_CGROUP, 0, NULL);
	char path[512];
	for (size_t i = 0; cgroup != NULL && i < cgroup->n_controllers; i++) {
		const CgControllerEntry *e = cgroup->controllers[i];
		const char *name = e->n_cnames > 0 ? e->cnames[0] : "";
		const char *plain = strncmp(name, "name=", 5) == 0 ? name + 5 : name;
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s",
		         plain[0] == '\0' ? "cgroup.controllers" : plain);
		if (strchr(plain, '/') != NULL || access(path, F_OK) == 0)
			continue;
		struct crimg_place at = crimg_place_of(c, CRIMG_KIND_CGROUP, 0, "controllers[%zu]", i);
		CRIMG_FIND(c, HOST_CGROUP, &at, "the controller %s is not mounted here",
		           plain[0] == '\0' ? "of version 2" : plain);
	}
}

static void check_room(struct crimg_checker *c)
{
	uint64_t wanted = 0;
	uint64_t room = (proc_value("/proc/meminfo", "MemAvailable:", 10)
	                 + proc_value("/proc/meminfo", "SwapFree:", 10)) * 1024;
	for (size_t i = 0; i < c->tasks.count; i++)
		wanted += crimg_task_pages(&c->tasks.list[i]) * CRIMG_PAGE_BYTES;
	if (room == 0 || wanted <= room)
		return;
	char found[32], text[32];
	struct crimg_place at = crimg_place_image(c);
	CRIMG_FIND(c, HOST_MEMORY, &at, "%s of memory found, %s wanted",
	           crimg_bytes_text(room, found, sizeof found),
	           crimg_bytes_text(wanted, text, sizeof text));
}

void crimg_host_kernel(struct crimg_checker *c)
{
	check_machine(c);
	check_privilege(c);
	check_features(c);
	check_families(c);
	check_security(c);
	check_cgroups(c);
	check_room(c);
}
