// OpenVZ CPT images (2.6.18 to 2.6.32): the container, numbers of sections, of objects and of their
// fields. Constants and one table. Source: SPEC.md, chapter "OpenVZ CPT", with the evidence for each.
#ifndef CRIMG_FORMAT_LAYOUT_CPT_H
#define CRIMG_FORMAT_LAYOUT_CPT_H

#include "format/checked.h"

#define CRIMG_CPT_SIGNATURE 0x63011c79u // bytes 79 1c 01 63, first and last in the file
#define CRIMG_CPT_NONE UINT64_MAX       // no reference
#define CRIMG_CPT_NO_INDEX UINT32_MAX   // the same, of references by index

static inline bool crimg_is_cpt(const uint8_t *head, size_t length)
{
	return length >= 4 && crimg_get_u32(head) == CRIMG_CPT_SIGNATURE;
}

// The major header
#define CRIMG_CPT_MAJOR_BYTES 80u
#define CRIMG_CPT_MAJOR_LENGTH 4u // u16
#define CRIMG_CPT_MAJOR_VERSION 6u
#define CRIMG_CPT_MAJOR_ARCH 8u
#define CRIMG_CPT_MAJOR_PAGE_SIZE 20u
#define CRIMG_CPT_MAJOR_HZ 22u
#define CRIMG_CPT_MAJOR_JIFFIES 24u // u64
#define CRIMG_CPT_MAJOR_SECONDS 32u
#define CRIMG_CPT_MAJOR_NANOSECONDS 36u
#define CRIMG_CPT_MAJOR_CPU_CAPS 40u
enum { CRIMG_CPT_ARCH_I386, CRIMG_CPT_ARCH_X86_64, CRIMG_CPT_ARCH_IA64 };
#define CRIMG_CPT_VERSION_FIRST 0x302u
#define CRIMG_CPT_VERSION_LAST 0x803u

// A section: u64 length with this header, u32 number, u16 length of the header, u16 unused
#define CRIMG_CPT_SECTION_BYTES 16u
// An object: u64 length with all that is in it, u32 number, u16 length of the header, u16 content
#define CRIMG_CPT_OBJECT_BYTES 16u
#define CRIMG_CPT_INDEXED_SECTIONS 27u // the trailer knows no more

// FILE.lflags: that its name is gone; what it is, where its inode does not tell
enum {
	CRIMG_CPT_LFLAG_DELETED = 0x1,
	CRIMG_CPT_LFLAG_EPOLL = 0x10,
	CRIMG_CPT_LFLAG_INOTIFY = 0x40,
	CRIMG_CPT_LFLAG_TUN = 0x100,
	CRIMG_CPT_LFLAG_SIGNALFD = 0x800,
	CRIMG_CPT_LFLAG_TIMERFD = 0x1000,
	CRIMG_CPT_LFLAG_EVENTFD = 0x2000,
};

enum crimg_cpt_section {
	CRIMG_CPT_SECT_ERROR,
	CRIMG_CPT_SECT_VEINFO,
	CRIMG_CPT_SECT_FILES,
	CRIMG_CPT_SECT_TASKS,
	CRIMG_CPT_SECT_MM,
	CRIMG_CPT_SECT_FILES_STRUCT,
	CRIMG_CPT_SECT_FS,
	CRIMG_CPT_SECT_SIGHAND_STRUCT,
	CRIMG_CPT_SECT_TTY,
	CRIMG_CPT_SECT_SOCKET,
	CRIMG_CPT_SECT_NAMESPACE,
	CRIMG_CPT_SECT_SYSVSEM_UNDO,
	CRIMG_CPT_SECT_INODE,
	CRIMG_CPT_SECT_SYSV_SHM,
	CRIMG_CPT_SECT_SYSV_SEM,
	CRIMG_CPT_SECT_ORPHANS,
	CRIMG_CPT_SECT_NET_DEVICE,
	CRIMG_CPT_SECT_NET_IFADDR,
	CRIMG_CPT_SECT_NET_ROUTE,
	CRIMG_CPT_SECT_NET_IPTABLES,
	CRIMG_CPT_SECT_NET_CONNTRACK,
	CRIMG_CPT_SECT_NET_CONNTRACK_VE0,
	CRIMG_CPT_SECT_UTSNAME,
	CRIMG_CPT_SECT_TRAILER,
	CRIMG_CPT_SECT_UBC,
	CRIMG_CPT_SECT_SLM_SGREGS,
	CRIMG_CPT_SECT_SLM_REGOBJS,
	CRIMG_CPT_SECT_EPOLL,
	CRIMG_CPT_SECT_VSYSCALL,
	CRIMG_CPT_SECT_INOTIFY,
	CRIMG_CPT_SECT_SYSV_MSG,
	CRIMG_CPT_SECT_SNMP_STATS,
	CRIMG_CPT_SECT_CGROUPS,
	CRIMG_CPT_SECT_POSIX_TIMERS,
	CRIMG_CPT_SECT_NET_IP6TABLES,
	CRIMG_CPT_SECT_COUNT
};

enum crimg_cpt_content {
	CRIMG_CPT_CONTENT_VOID,
	CRIMG_CPT_CONTENT_ARRAY,
	CRIMG_CPT_CONTENT_DATA,
	CRIMG_CPT_CONTENT_NAME,
	CRIMG_CPT_CONTENT_STACK,
	CRIMG_CPT_CONTENT_X86_FPUSTATE_OLD,
	CRIMG_CPT_CONTENT_X86_FPUSTATE,
	CRIMG_CPT_CONTENT_MM_CONTEXT,
	CRIMG_CPT_CONTENT_SEMARRAY,
	CRIMG_CPT_CONTENT_SEMUNDO,
	CRIMG_CPT_CONTENT_NLMARRAY,
	CRIMG_CPT_CONTENT_X86_XSAVE,
	CRIMG_CPT_CONTENT_PRAM,
};

// What stands behind the header of an object.
enum crimg_cpt_follows {
	CRIMG_CPT_OBJECTS,
	CRIMG_CPT_BYTES,
	CRIMG_CPT_PAGES, // contents of pages, which may be many
};

// Objects: CRIMG_CPT_OBJ_TASK; rows of the table, not the numbers in files.
enum crimg_cpt_object {
#define O(object, number, header, longest, follows) CRIMG_CPT_OBJ_##object,
#define F(object, field, offset, size)
#define A(object, field, offset, size, count)
#define R(object, field, offset, target)
#define V(object, field, offset, size, version)
#define B(object, field, offset, size, version)
#include "format/layout_cpt.def"
#undef O
#undef F
#undef A
#undef R
#undef V
#undef B
	CRIMG_CPT_OBJ_UNKNOWN,
	CRIMG_CPT_OBJ_ANY = CRIMG_CPT_OBJ_UNKNOWN, // of a reference: to whatever there is
	CRIMG_CPT_OBJ_COUNT
};

// Fields: CRIMG_CPT_TASK_PID.
enum crimg_cpt_field {
#define O(object, number, header, longest, follows)
#define F(object, field, offset, size) CRIMG_CPT_##object##_##field,
#define A(object, field, offset, size, count) CRIMG_CPT_##object##_##field,
#define R(object, field, offset, target) CRIMG_CPT_##object##_##field,
#define V(object, field, offset, size, version) CRIMG_CPT_##object##_##field,
#define B(object, field, offset, size, version) CRIMG_CPT_##object##_##field,
#include "format/layout_cpt.def"
#undef O
#undef F
#undef A
#undef R
#undef V
#undef B
	CRIMG_CPT_FIELD_COUNT
};

struct crimg_cpt_object_info {
	const char *name;
	uint32_t number; // in files
	uint16_t header; // bytes of the shortest
	uint16_t longest; // that is known
	enum crimg_cpt_follows follows;
};

struct crimg_cpt_field_info {
	enum crimg_cpt_object object;
	const char *name;
	uint16_t offset, size, count;
	uint16_t version, before;     // of the image: at least; below
	bool reference;
	enum crimg_cpt_object target; // of a reference
};

extern const struct crimg_cpt_object_info crimg_cpt_objects[CRIMG_CPT_OBJ_COUNT];
extern const struct crimg_cpt_field_info crimg_cpt_fields[CRIMG_CPT_FIELD_COUNT];

#endif
