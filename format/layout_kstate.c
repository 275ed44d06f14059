// The layouts of M, and what F numbers otherwise.
#include "format/layout_kstate.h"

#define REF(place, to, name) { CRIMG_KST_##place, CRIMG_KST_##to, false, name }
#define MAYBE(place, to, name) { CRIMG_KST_##place, CRIMG_KST_##to, true, name }

const struct crimg_kst_layout crimg_kst_layouts[CRIMG_KST_TYPES] = {
	[CRIMG_KST_UNKNOWN_TYPE] = { "an unknown object", 0, false, { { 0 } } },
	[CRIMG_KST_TASK] = { "TASK_STRUCT", 112, false, {
		REF(TASK_REAL_CRED, CRED, "real cred"), REF(TASK_EFFECTIVE_CRED, CRED, "effective cred"),
		REF(TASK_MM, MM, "mm"), REF(TASK_PID, PID, "pid"), REF(TASK_GROUP, PID, "process group"),
		REF(TASK_SESSION, PID, "session"), REF(TASK_FS, FS, "fs"), REF(TASK_FILES, FILES, "files"),
		REF(TASK_NSPROXY, NSPROXY, "nsproxy"), REF(TASK_SIGNAL, SIGNAL, "signal"),
		REF(TASK_SIGHAND, SIGHAND, "sighand") } },
	[CRIMG_KST_NSPROXY] = { "NSPROXY", 48, true, {
		REF(NSPROXY_UTS, UTS_NS, "uts namespace"), MAYBE(NSPROXY_IPC, IPC_NS, "ipc namespace"),
		REF(NSPROXY_MNT, MNT_NS, "mount namespace"), REF(NSPROXY_PID, PID_NS, "pid namespace"),
		MAYBE(NSPROXY_NET, NET_NS, "network namespace") } },
	[CRIMG_KST_UTS_NS] = { "UTS_NS", 392, true, { { 0 } } },
	[CRIMG_KST_IPC_NS] = { "IPC_NS", 8, true, { { 0 } } },
	[CRIMG_KST_MNT_NS] = { "MNT_NS", 8, true, { { 0 } } },
	[CRIMG_KST_PID_NS] = { "PID_NS", 16, true, { { 0 } } },
	[CRIMG_KST_NET_NS] = { "NET_NS", 8, true, { { 0 } } },
	[CRIMG_KST_MM] = { "MM_STRUCT", 8, true, { { 0 } } },
	[CRIMG_KST_SIGNAL] = { "SIGNAL_STRUCT", 264, true, { { 0 } } },
	[CRIMG_KST_SIGHAND] = { "SIGHAND_STRUCT", 8, true, { { 0 } } },
	[CRIMG_KST_FS] = { "FS_STRUCT", 12, true, { { 0 } } },
	[CRIMG_KST_FILES] = { "FILES_STRUCT", 8, true, { { 0 } } },
	// Descriptor tables, which hold files, are empty shells.
	[CRIMG_KST_FILE] = { "FILE", 56, false, {
		MAYBE(FILE_OWNER, PID, "owner"), REF(FILE_CRED, CRED, "cred") } },
	[CRIMG_KST_CRED] = { "CRED", 72, true, { { 0 } } },
	[CRIMG_KST_PID] = { "PID", 12, true, { { 0 } } },
};

static const struct {
	enum crimg_kst_posting posting;
	uint32_t found;
	enum crimg_kst_type type;
} numbers[] = {
	{ CRIMG_KST_F, 1, CRIMG_KST_UTS_NS },
	{ CRIMG_KST_F, 2, CRIMG_KST_CRED },
	{ CRIMG_KST_M, 1, CRIMG_KST_TASK },
	{ CRIMG_KST_M, 2, CRIMG_KST_NSPROXY },
};

enum crimg_kst_type crimg_kst_type(enum crimg_kst_posting posting, uint32_t found)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i].posting == posting && numbers[i].found == found)
			return numbers[i].type;
	return posting == CRIMG_KST_M && found < CRIMG_KST_TYPES ? (enum crimg_kst_type)found
	                                                         : CRIMG_KST_UNKNOWN_TYPE;
}

uint32_t crimg_kst_number(enum crimg_kst_posting posting, enum crimg_kst_type type)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i].posting == posting && numbers[i].type == type)
			return numbers[i].found;
	return posting == CRIMG_KST_M ? (uint32_t)type : 0;
}

enum crimg_kst_posting crimg_kst_posting(uint32_t found, uint32_t length)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i].found == found && crimg_kst_fits(numbers[i].type, length))
			return numbers[i].posting;
	bool in_m_alone = found > CRIMG_KST_NSPROXY && found < CRIMG_KST_TYPES;
	return in_m_alone && crimg_kst_fits((enum crimg_kst_type)found, length) ? CRIMG_KST_M
	                                                                        : CRIMG_KST_UNKNOWN;
}
