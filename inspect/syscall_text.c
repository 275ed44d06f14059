// Which system call, and how it goes on. CRIU (observed in its images): a call that the kernel
// would repeat is set back (ip - 2, ax = number); one that it would continue (restart_syscall) gets
// -EINTR. Other images keep what the kernel left in the result register.
#include "inspect/syscall_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "format/text_add.h"

#define EINTR_RESULT (-4)
#define RESTARTBLOCK_RESULT (-516)

// The kinds of instruction that make a system call; all are two bytes long.
enum gate { GATE_UNSEEN, GATE_OTHER, GATE_SYSCALL, GATE_SYSENTER, GATE_INT80 };

static enum gate gate_at(struct crimg_debuggee *d, uint64_t address)
{
	uint8_t code[2];
	struct crimg_err err = CRIMG_ERR_INIT; // unreadable code is as good as none
	if (crimg_space_read(&d->space, address, code, sizeof code, &err) != 1)
		return GATE_UNSEEN;
	if (code[0] == 0x0f && code[1] == 0x05)
		return GATE_SYSCALL;
	if (code[0] == 0x0f && code[1] == 0x34)
		return GATE_SYSENTER;
	return code[0] == 0xcd && code[1] == 0x80 ? GATE_INT80 : GATE_OTHER;
}

static bool is_gate(enum gate gate)
{
	return gate > GATE_OTHER;
}

static void load_args(const UserX86RegsEntry *r, struct crimg_call *call)
{
	const uint64_t wide[CRIMG_SYSCALL_ARGS] = { r->di, r->si, r->dx, r->r10, r->r8, r->r9 };
	const uint64_t narrow[CRIMG_SYSCALL_ARGS] = { r->bx, r->cx, r->dx, r->si, r->di, r->bp };
	for (size_t i = 0; i < CRIMG_SYSCALL_ARGS; i++)
		call->values[i] = call->abi == CRIMG_ABI_I386 ? (uint32_t)narrow[i] : wide[i];
}

// A call of futex(2) has as many arguments as its operation takes, and the fourth may be a number.
static void adapt_futex(struct crimg_call *call)
{
	enum { WAIT = 0, WAKE = 1, FD = 2, LOCK_PI = 6, UNLOCK_PI = 7, TRYLOCK_PI = 8,
	       WAIT_BITSET = 9, WAKE_BITSET = 10, WAIT_REQUEUE_PI = 11, LOCK_PI2 = 13 };
	switch ((unsigned)call->values[1] & 0x7f) {
	case WAIT:
	case LOCK_PI:
	case LOCK_PI2:
		call->arg_count = 4;
		break;
	case WAIT_BITSET:
		call->arg_count = (uint32_t)call->values[5] == UINT32_MAX ? 4 : 6;
		break;
	case WAKE:
	case FD:
		call->arg_count = 3;
		break;
	case UNLOCK_PI:
	case TRYLOCK_PI:
		call->arg_count = 2;
		break;
	case WAIT_REQUEUE_PI:
		break;
	default:
		snprintf(call->args[3].name, sizeof call->args[3].name, "value2");
		call->args[3].kind = CRIMG_ARG_ULONG;
	}
}

static void name_args(struct crimg_call *call)
{
	size_t count = call->known != NULL ? crimg_syscall_args(call->known, call->args) : SIZE_MAX;
	call->args_known = count != SIZE_MAX;
	call->arg_count = call->args_known ? count : CRIMG_SYSCALL_ARGS;
	for (size_t i = 0; !call->args_known && i < CRIMG_SYSCALL_ARGS; i++) {
		snprintf(call->args[i].name, sizeof call->args[i].name, "arg%zu", i + 1);
		call->args[i].kind = CRIMG_ARG_HEX;
	}
	if (call->args_known && call->arg_count == CRIMG_SYSCALL_ARGS
	    && call->args[1].kind == CRIMG_ARG_FUTEX)
		adapt_futex(call);
}

// What the registers mean when the kernel noted a call (orig_ax is its number). A call with a timeout
// goes on as restart_syscall(), where the instruction is seen to be run again.
static enum crimg_call_state noted_state(int64_t result, int64_t number, enum gate here,
                                         int64_t restart)
{
	if (result == number && (is_gate(here) || here == GATE_UNSEEN))
		return CRIMG_CALL_RESTARTS;
	if (result == restart && is_gate(here))
		return CRIMG_CALL_RESTARTS;
	if (crimg_syscall_is_restart(result))
		return CRIMG_CALL_PENDING;
	return result == EINTR_RESULT ? CRIMG_CALL_INTERRUPTED : CRIMG_CALL_RETURNED;
}

void crimg_call_of(struct crimg_debuggee *d, struct crimg_list fds, const UserX86RegsEntry *regs,
                   struct crimg_call *out)
{
	bool is_32 = crimg_x86_is_32(regs);
	uint64_t ip = is_32 ? (uint32_t)regs->ip : regs->ip;
	int64_t noted = is_32 ? (int32_t)(uint32_t)regs->orig_ax : (int64_t)regs->orig_ax;
	int64_t result = is_32 ? (int32_t)(uint32_t)regs->ax : (int64_t)regs->ax;
	enum gate here = gate_at(d, ip), behind = gate_at(d, ip - 2), gate = here;
	struct crimg_call call = { .state = CRIMG_CALL_NONE, .result = result, .fds = fds };
	if (noted >= 0) {
		call.state = noted_state(result, noted, here, is_32 ? 0 : 219);
		gate = call.state == CRIMG_CALL_RESTARTS ? here : behind;
		call.number = (uint64_t)noted;
	} else if (is_gate(here)) {
		call.state = CRIMG_CALL_ENTERING;
		call.number = is_32 ? (uint32_t)regs->ax : regs->ax;
	}
	call.code_seen = is_gate(gate);
	call.abi = is_32 || gate == GATE_INT80 ? CRIMG_ABI_I386 : CRIMG_ABI_X86_64;
	call.known = crimg_syscall_find(call.abi, call.number);
	load_args(regs, &call);
	name_args(&call);
	*out = call;
}

char *crimg_call_text(struct crimg_debuggee *d, const struct crimg_call *call, char *out,
                      size_t size)
{
	char arg[CRIMG_CALL_ARG_MAX];
	if (call->known != NULL)
		snprintf(out, size, "%s(", call->known->name);
	else
		snprintf(out, size, "system call %" PRIu64 "(", call->number);
	for (size_t i = 0; i < call->arg_count; i++)
		crimg_text_add(out, size, "%s%s", i > 0 ? ", " : "",
		               crimg_call_arg_text(d, call, i, arg, sizeof arg));
	crimg_text_add(out, size, ")");
	return out;
}

char *crimg_call_state_text(const struct crimg_call *call, char *out, size_t size)
{
	char result[32];
	crimg_syscall_result_text(call->result, result, sizeof result);
	switch (call->state) {
	case CRIMG_CALL_NONE:
		snprintf(out, size, "none");
		break;
	case CRIMG_CALL_ENTERING:
		snprintf(out, size, "is the next instruction");
		break;
	case CRIMG_CALL_RESTARTS:
		snprintf(out, size, "starts again%s",
		         call->code_seen ? "" : ", judging by the registers");
		break;
	case CRIMG_CALL_INTERRUPTED:
		snprintf(out, size, "was interrupted, gives %s", result);
		break;
	case CRIMG_CALL_PENDING:
		snprintf(out, size, "was interrupted (%s), the kernel %s", result,
		         call->result == RESTARTBLOCK_RESULT ? "goes on with it" : "repeats it");
		break;
	case CRIMG_CALL_RETURNED:
		snprintf(out, size, "gave %s", result);
		break;
	}
	return out;
}

const char *crimg_call_state_word(enum crimg_call_state state)
{
	static const char *const words[] = {
		[CRIMG_CALL_NONE] = "none", [CRIMG_CALL_ENTERING] = "entering",
		[CRIMG_CALL_RESTARTS] = "restarts", [CRIMG_CALL_INTERRUPTED] = "interrupted",
		[CRIMG_CALL_PENDING] = "pending", [CRIMG_CALL_RETURNED] = "returned",
	};
	return words[state];
}
