// The objects of "LinuxC/R" images (2009): numbers, lengths, the places of fields, which fields refer to
// what. Constants alone. Types are numbered as in M, the March posting; F, that of February, has two of
// them under other numbers. Offsets count from the object's first byte, which is its header's.
// Source: SPEC.md, chapter "LinuxC/R images", with the evidence for each.
#ifndef CRIMG_FORMAT_LAYOUT_KSTATE_H
#define CRIMG_FORMAT_LAYOUT_KSTATE_H

#include "format/checked.h"

#define CRIMG_KST_SIGNATURE "LinuxC/R" // 8 bytes, no NUL
#define CRIMG_KST_SIGNATURE_BYTES 8u
#define CRIMG_KST_HEADER_BYTES 84u     // what a writer writes
#define CRIMG_KST_VERSION 1u           // of F and of M
#define CRIMG_KST_VERSION_AT 8u        // u64
#define CRIMG_KST_RELEASE_AT 16u       // 64 bytes of text
#define CRIMG_KST_ARCH_AT 80u          // u32
#define CRIMG_KST_ARCH_X86_32 1u
#define CRIMG_KST_NAME_BYTES 64u       // of texts: padded with NUL, perhaps without one
#define CRIMG_KST_ALIGN 8u             // of every object
#define CRIMG_KST_OBJECT_BYTES 8u      // header of an object: u32 type, u32 length with this header
#define CRIMG_KST_NONE UINT64_MAX      // a reference to nothing

// Where the object behind position `at` begins.
static inline uint64_t crimg_kst_round(uint64_t at)
{
	return (at + (CRIMG_KST_ALIGN - 1)) & ~(uint64_t)(CRIMG_KST_ALIGN - 1);
}

static inline bool crimg_is_kstate(const uint8_t *head, size_t length)
{
	return length >= CRIMG_KST_SIGNATURE_BYTES
		&& memcmp(head, CRIMG_KST_SIGNATURE, CRIMG_KST_SIGNATURE_BYTES) == 0;
}

// The postings.
enum crimg_kst_posting { CRIMG_KST_F, CRIMG_KST_M, CRIMG_KST_UNKNOWN };

enum crimg_kst_type {
	CRIMG_KST_UNKNOWN_TYPE = 0,
	CRIMG_KST_TASK = 1,
	CRIMG_KST_NSPROXY,
	CRIMG_KST_UTS_NS,
	CRIMG_KST_IPC_NS,
	CRIMG_KST_MNT_NS,
	CRIMG_KST_PID_NS,
	CRIMG_KST_NET_NS,
	CRIMG_KST_MM,
	CRIMG_KST_SIGNAL,
	CRIMG_KST_SIGHAND,
	CRIMG_KST_FS,
	CRIMG_KST_FILES,
	CRIMG_KST_FILE,
	CRIMG_KST_CRED,
	CRIMG_KST_PID,
	CRIMG_KST_TYPES
};

// A field that refers to an object before it.
struct crimg_kst_ref {
	uint32_t at;
	enum crimg_kst_type type;
	bool optional; // may be CRIMG_KST_NONE
	const char *field;
};

#define CRIMG_KST_MAX_REFS 12

struct crimg_kst_layout {
	const char *name;
	uint32_t length; // of PID: without its numbers
	bool held;       // something in a right image refers to it
	struct crimg_kst_ref refs[CRIMG_KST_MAX_REFS]; // until one without a field
};

extern const struct crimg_kst_layout crimg_kst_layouts[CRIMG_KST_TYPES];

// The type of an object that says it is of type `found`: as M numbers it, UNKNOWN_TYPE if there is none.
enum crimg_kst_type crimg_kst_type(enum crimg_kst_posting posting, uint32_t found);
// And back; of a type that the posting has not: 0.
uint32_t crimg_kst_number(enum crimg_kst_posting posting, enum crimg_kst_type type);
// The posting that numbers an object so, judged by its length; UNKNOWN: by this object it cannot be told.
enum crimg_kst_posting crimg_kst_posting(uint32_t found, uint32_t length);
// What an object of this type may be long. PID has 4 bytes a number, one number at least.
static inline bool crimg_kst_fits(enum crimg_kst_type type, uint32_t length)
{
	uint32_t fixed = crimg_kst_layouts[type].length;
	return type != CRIMG_KST_PID ? length == fixed : length > fixed && (length - fixed) % 4 == 0;
}

// TASK
#define CRIMG_KST_TASK_REAL_CRED 8u
#define CRIMG_KST_TASK_EFFECTIVE_CRED 16u
#define CRIMG_KST_TASK_COMM 24u
#define CRIMG_KST_COMM_BYTES 16u
#define CRIMG_KST_TASK_MM 40u
#define CRIMG_KST_TASK_PID 48u
#define CRIMG_KST_TASK_GROUP 56u
#define CRIMG_KST_TASK_SESSION 64u
#define CRIMG_KST_TASK_FS 72u
#define CRIMG_KST_TASK_FILES 80u
#define CRIMG_KST_TASK_NSPROXY 88u
#define CRIMG_KST_TASK_SIGNAL 96u
#define CRIMG_KST_TASK_SIGHAND 104u
// NSPROXY
#define CRIMG_KST_NSPROXY_UTS 8u
#define CRIMG_KST_NSPROXY_IPC 16u
#define CRIMG_KST_NSPROXY_MNT 24u
#define CRIMG_KST_NSPROXY_PID 32u
#define CRIMG_KST_NSPROXY_NET 40u
// UTS_NS: six texts
#define CRIMG_KST_UTS_SYSNAME 8u
#define CRIMG_KST_UTS_NODENAME 72u
#define CRIMG_KST_UTS_RELEASE 136u
#define CRIMG_KST_UTS_VERSION 200u
#define CRIMG_KST_UTS_MACHINE 264u
#define CRIMG_KST_UTS_DOMAIN 328u
// PID_NS
#define CRIMG_KST_PID_NS_LEVEL 8u
#define CRIMG_KST_PID_NS_LAST 12u
// SIGNAL: 16 limits of u64 soft, u64 hard
#define CRIMG_KST_SIGNAL_LIMITS 8u
#define CRIMG_KST_LIMITS 16u
#define CRIMG_KST_INFINITY UINT32_MAX // what a 32-bit kernel has for no limit
// FS
#define CRIMG_KST_FS_UMASK 8u
// FILE
#define CRIMG_KST_FILE_FLAGS 8u
#define CRIMG_KST_FILE_POS 16u
#define CRIMG_KST_FILE_OWNER 24u
#define CRIMG_KST_FILE_OWNER_TYPE 32u
#define CRIMG_KST_FILE_OWNER_UID 36u
#define CRIMG_KST_FILE_OWNER_EUID 40u
#define CRIMG_KST_FILE_OWNER_SIGNAL 44u
#define CRIMG_KST_FILE_CRED 48u
// CRED: eight numbers, four sets
#define CRIMG_KST_CRED_UID 8u
#define CRIMG_KST_CRED_GID 12u
#define CRIMG_KST_CRED_SUID 16u
#define CRIMG_KST_CRED_SGID 20u
#define CRIMG_KST_CRED_EUID 24u
#define CRIMG_KST_CRED_EGID 28u
#define CRIMG_KST_CRED_FSUID 32u
#define CRIMG_KST_CRED_FSGID 36u
#define CRIMG_KST_CRED_INHERITABLE 40u
#define CRIMG_KST_CRED_PERMITTED 48u
#define CRIMG_KST_CRED_EFFECTIVE 56u
#define CRIMG_KST_CRED_BOUNDING 64u
// PID: a level that no kernel of M set, then the numbers, the outermost namespace's first
#define CRIMG_KST_PID_NUMBERS 12u

#endif
