// The two tables.
#include "format/names_linuxcr.h"

#include <stddef.h>

#include "format/layout_linuxcr.h"

struct row {
	uint32_t kind;
	const char *name;
};

#define R(name)                                                                                    \
	{                                                                                          \
		CRIMG_LCR_##name, #name                                                            \
	}
static const struct row kinds[] = {
	R(HEADER),        R(HEADER_ARCH), R(CONTAINER),     R(BUFFER),        R(STRING),
	R(OBJREF),        R(LSM_INFO),    R(SECURITY),      R(PIDS),          R(TREE),
	R(TASK),          R(TASK_NS),     R(TASK_OBJS),     R(RESTART_BLOCK), R(THREAD),
	R(CPU),           R(NS),          R(UTS_NS),        R(IPC_NS),        R(MNT_NS),
	R(CAPABILITIES),  R(USER_NS),     R(CRED),          R(USER),          R(GROUPINFO),
	R(TASK_CREDS),    R(CPU_FPU),     R(LDT),           R(FILE_TABLE),    R(FILE_DESC),
	R(FILE_NAME),     R(FILE),        R(PIPE_BUF),      R(TTY),           R(TTY_LDISC),
	R(EPOLL_ITEMS),   R(MM),          R(VMA),           R(PGARR),         R(HPAGE),
	R(MM_CONTEXT),    R(FS),          R(IPC),           R(IPC_SHM),       R(IPC_MSG),
	R(IPC_MSG_MSG),   R(IPC_SEM),     R(SEM_UNDO_LIST), R(SEM_UNDO),      R(SIGHAND),
	R(SIGNAL),        R(SIGNAL_TASK), R(SIGPENDING),    R(SOCKET),        R(SOCKET_QUEUE),
	R(SOCKET_BUFFER), R(SOCKET_FRAG), R(SOCKET_UNIX),   R(SOCKET_INET),   R(NET_NS),
	R(NETDEV),        R(NETDEV_ADDR), R(TAIL),          R(ERROR),
};
#undef R

static const char *const objects[CRIMG_LCR_OBJ_COUNT] = {
	"unknown",   "PID",  "INODE",  "FILE_TABLE",   "FILE",     "MM",      "FS",     "SIGHAND",
	"SIGNAL",    "NS",   "UTS_NS", "IPC_NS",       "MNT_NS",   "USER_NS", "CRED",   "USER",
	"GROUPINFO", "SOCK", "TTY",    "SECURITY_PTR", "SECURITY", "NET_NS",  "NETDEV", "SEM_UNDO",
};

const char *crimg_lcr_kind_name(uint32_t kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return NULL;
}

const char *crimg_lcr_object_name(uint32_t type)
{
	return objects[type < CRIMG_LCR_OBJ_COUNT ? type : 0];
}
