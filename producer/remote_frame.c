// The bytes of a signal frame. Sources: Linux arch/x86/include/uapi/asm/sigcontext.h, ucontext.h;
// CPUID leaf 0xd for the places of the components.
#include "producer/remote_frame.h"

#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "format/checked.h"
#include "format/x86.h"

#define SW_BYTES_AT 464u   // in FXSAVE: what the kernel keeps there is of its own choice
#define NO_SUCH_FLAGS 0x5u // of an alternative stack: rt_sigreturn passes over it
#define CONTEXT_BYTES 304u // of ucontext_t: what the kernel knows of, up to the mask's 8 bytes
// Flags of the frame: there is an extended state, and the stack segment counts.
#define HAS_XSTATE 1u
#define HAS_STACK_SEGMENT 2u
#define STRICT_STACK_SEGMENT 4u

static size_t component_end(unsigned component)
{
	unsigned a, b, c, d;
	if (!__get_cpuid_count(0xd, component, &a, &b, &c, &d) || a == 0 || (c & 1) != 0)
		return 0;
	return (size_t)a + b;
}

static uint64_t components_of(const uint8_t *xstate)
{
	uint64_t allowed = crimg_get_u64(xstate + SW_BYTES_AT);
	uint64_t used = crimg_get_u64(xstate + CRIMG_FXSAVE_BYTES);
	uint64_t tiles = UINT64_C(1) << CRIMG_XSAVE_TILEDATA;
	return (used & tiles) != 0 ? allowed : allowed & ~tiles;
}

size_t crimg_remote_xstate_bytes(const uint8_t *xstate, size_t xstate_bytes)
{
	size_t end = CRIMG_FXSAVE_BYTES + CRIMG_XSAVE_HEADER_BYTES;
	if (xstate_bytes < end)
		return xstate_bytes;
	for (unsigned i = 2; i < 63; i++)
		if ((components_of(xstate) >> i & 1) != 0 && component_end(i) > end)
			end = component_end(i);
	return end < xstate_bytes ? end : xstate_bytes;
}

struct crimg_remote_frame crimg_remote_frame_make(uint64_t top, size_t xstate_bytes)
{
	struct crimg_remote_frame f = {.top = top};
	f.xstate = (top - xstate_bytes - FP_XSTATE_MAGIC2_SIZE) & ~UINT64_C(63);
	f.context = (f.xstate - CONTEXT_BYTES) & ~UINT64_C(15);
	f.lead = f.context - 16;
	f.data = (f.lead - CRIMG_DETOUR_BYTES - CRIMG_REMOTE_DATA_BYTES) & ~UINT64_C(63);
	f.detour = f.data + CRIMG_REMOTE_DATA_BYTES;
	return f;
}

// The C library's general registers of a frame, in the order of the kernel's sigcontext.
static void fill_registers(greg_t *to, const struct user_regs_struct *r)
{
	const unsigned long long from[] = {
		[REG_R8] = r->r8,   [REG_R9] = r->r9,   [REG_R10] = r->r10, [REG_R11] = r->r11,
		[REG_R12] = r->r12, [REG_R13] = r->r13, [REG_R14] = r->r14, [REG_R15] = r->r15,
		[REG_RDI] = r->rdi, [REG_RSI] = r->rsi, [REG_RBP] = r->rbp, [REG_RBX] = r->rbx,
		[REG_RDX] = r->rdx, [REG_RAX] = r->rax, [REG_RCX] = r->rcx, [REG_RSP] = r->rsp,
		[REG_RIP] = r->rip, [REG_EFL] = r->eflags,
		[REG_CSGSFS] = (r->cs & 0xffff) | (r->ss & 0xffff) << 48,
	};
	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++)
		to[i] = (greg_t)from[i];
}

static void fill_xstate(const uint8_t *xstate, size_t bytes, uint8_t *out)
{
	memcpy(out, xstate, bytes);
	if (bytes <= CRIMG_FXSAVE_BYTES)
		return;
	struct _fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = (uint32_t)(bytes + FP_XSTATE_MAGIC2_SIZE),
		.xstate_bv = components_of(xstate),
		.xstate_size = (uint32_t)bytes,
	};
	memcpy(out + SW_BYTES_AT, &sw, sizeof sw);
	crimg_put_u32(out + bytes, FP_XSTATE_MAGIC2);
}

static ucontext_t make_context(const struct user_regs_struct *regs, unsigned long flags)
{
	ucontext_t c = {
		.uc_flags = flags | HAS_STACK_SEGMENT | STRICT_STACK_SEGMENT,
		.uc_stack = {.ss_flags = NO_SUCH_FLAGS},
	};
	fill_registers(c.uc_mcontext.gregs, regs);
	return c;
}

static void fill_lead(const struct crimg_remote_gate *gate, uint8_t *out)
{
	crimg_put_u64(out, 15); // rt_sigreturn, for `pop %rax`
	crimg_put_u64(out + 8, gate->syscall);
}

void crimg_remote_detour_fill(const struct crimg_remote_gate *gate, const struct user_regs_struct *regs,
			      uint8_t out[CRIMG_DETOUR_BYTES])
{
	_Static_assert(CRIMG_DETOUR_LEAD_BYTES + CONTEXT_BYTES + 8 <= CRIMG_DETOUR_BYTES, "detour");
	ucontext_t c = make_context(regs, 0);
	uint64_t mask = UINT64_MAX;
	memcpy(&c.uc_sigmask, &mask, sizeof mask);
	memset(out, 0, CRIMG_DETOUR_BYTES);
	fill_lead(gate, out);
	memcpy(out + CRIMG_DETOUR_LEAD_BYTES, &c, CONTEXT_BYTES);
}

void crimg_remote_frame_fill(const struct crimg_remote_frame *f, const struct crimg_remote_gate *gate,
			     const struct user_regs_struct *regs, uint64_t mask,
			     const uint8_t *xstate, size_t xstate_bytes, uint8_t *out)
{
	_Static_assert(offsetof(ucontext_t, uc_sigmask) + sizeof mask == CONTEXT_BYTES, "frame");
	ucontext_t c = make_context(regs, HAS_XSTATE);
	c.uc_mcontext.fpregs = (fpregset_t)(uintptr_t)f->xstate; // NOLINT: an address in the task
	memcpy(&c.uc_sigmask, &mask, sizeof mask);
	memset(out, 0, f->top - f->data);
	memcpy(out + (f->context - f->data), &c, CONTEXT_BYTES);
	fill_xstate(xstate, xstate_bytes, out + (f->xstate - f->data));
	fill_lead(gate, out + (f->lead - f->data));
}
