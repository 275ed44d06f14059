// Offsets are those of the 64-bit kernel ABI.
#include "format/siginfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/checked.h"
#include "format/names.h"

enum { ILL = 4, TRAP = 5, BUS = 7, FPE = 8, SEGV = 11, CHLD = 17, POLL = 29, SYS = 31 };
enum { CODE_USER = 0, CODE_QUEUE = -1, CODE_TIMER = -2, CODE_MESGQ = -3, CODE_SIGIO = -5,
       CODE_TKILL = -6, CODE_KERNEL = 0x80 };

static enum crimg_siginfo_form form_of(int32_t signo, int32_t code)
{
	if (code == CODE_USER || code == CODE_TKILL)
		return CRIMG_SIGINFO_SENT;
	if (code == CODE_TIMER)
		return CRIMG_SIGINFO_TIMER;
	if (code == CODE_SIGIO)
		return CRIMG_SIGINFO_POLL;
	if (code < 0)
		return CRIMG_SIGINFO_QUEUED;
	if (code == CODE_KERNEL)
		return CRIMG_SIGINFO_NONE;
	switch (signo) {
	case ILL: case TRAP: case BUS: case FPE: case SEGV:
		return CRIMG_SIGINFO_FAULT;
	case CHLD:
		return CRIMG_SIGINFO_CHILD;
	case POLL:
		return CRIMG_SIGINFO_POLL;
	case SYS:
		return CRIMG_SIGINFO_SYSCALL;
	default:
		return CRIMG_SIGINFO_SENT;
	}
}

bool crimg_siginfo_decode(const uint8_t *data, size_t length, struct crimg_siginfo *out)
{
	uint8_t raw[48] = { 0 };
	if (length < 16)
		return false;
	memcpy(raw, data, length < sizeof raw ? length : sizeof raw);
	struct crimg_siginfo i = {
		.signo = (int32_t)crimg_get_u32(raw), .sys_errno = (int32_t)crimg_get_u32(raw + 4),
		.code = (int32_t)crimg_get_u32(raw + 8),
	};
	i.form = form_of(i.signo, i.code);
	i.pid = crimg_get_u32(raw + 16);
	i.uid = crimg_get_u32(raw + 20);
	i.timer = (int32_t)i.pid;
	i.overrun = (int32_t)i.uid;
	i.value = crimg_get_u64(raw + (i.form == CRIMG_SIGINFO_POLL ? 16 : 24));
	i.status = i.fd = i.number = (int32_t)crimg_get_u32(raw + 24);
	i.address = crimg_get_u64(raw + 16);
	*out = i;
	return true;
}

static const struct {
	int32_t signo;
	const char *names[6]; // codes from 1
} codes[] = {
	{ SEGV, { "SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR" } },
	{ BUS, { "BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO" } },
	{ ILL, { "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG" } },
	{ FPE, { "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES" } },
	{ TRAP, { "TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT" } },
	{ CHLD, { "CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED" } },
	{ POLL, { "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP" } },
	{ SYS, { "SYS_SECCOMP", "SYS_USER_DISPATCH" } },
};

const char *crimg_siginfo_code(const struct crimg_siginfo *info, char *out, size_t size)
{
	const char *name = crimg_name_of(CRIMG_NAMES_SI_CODE, (uint64_t)(int64_t)info->code);
	for (size_t i = 0; name == NULL && i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].signo == info->signo && info->code >= 1 && info->code <= 6)
			name = codes[i].names[info->code - 1];
	if (name != NULL)
		return name;
	snprintf(out, size, "%d", info->code);
	return out;
}

char *crimg_siginfo_text(const struct crimg_siginfo *i, char *out, size_t size)
{
	char end[64];
	out[0] = '\0';
	switch (i->form) {
	case CRIMG_SIGINFO_NONE:
		break;
	case CRIMG_SIGINFO_SENT:
		snprintf(out, size, "from pid %u uid %u", i->pid, i->uid);
		break;
	case CRIMG_SIGINFO_QUEUED:
		snprintf(out, size, "from pid %u uid %u, value %" PRIu64, i->pid, i->uid, i->value);
		break;
	case CRIMG_SIGINFO_TIMER:
		snprintf(out, size, "timer %d, overrun %d, value 0x%" PRIx64, i->timer, i->overrun,
		         i->value);
		break;
	case CRIMG_SIGINFO_CHILD:
		if (i->code == 1)
			snprintf(end, sizeof end, "exit code %d", i->status);
		else
			crimg_signal_text((uint64_t)(uint32_t)i->status, end, sizeof end);
		snprintf(out, size, "child %u uid %u, %s", i->pid, i->uid, end);
		break;
	case CRIMG_SIGINFO_FAULT:
		snprintf(out, size, "at 0x%" PRIx64, i->address);
		break;
	case CRIMG_SIGINFO_POLL:
		snprintf(out, size, "fd %d, band 0x%" PRIx64, i->fd, i->value);
		break;
	case CRIMG_SIGINFO_SYSCALL:
		snprintf(out, size, "system call %d at 0x%" PRIx64, i->number, i->address);
		break;
	}
	return out;
}
