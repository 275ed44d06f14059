// The registers of a thread: descriptors as the processor has them, selectors in their portable coding,
// FXSAVE or XSAVE. A 32-bit task is one of a 64-bit kernel.
#include <string.h>

#include "format/x86.h"
#include "writers/kstream.h"

#define TIF_IA32 0x20000u
#define RESTART_NONE 1u
#define RESTART_BY_BLOCK ((uint64_t)-516) // -ERESTART_RESTARTBLOCK
#define FIRST_TLS 12u     // of the descriptor table
#define FIRST_TLS_32 6u   // of a 32-bit kernel's
#define USER32_CS_32 0x73u
#define AVX_BYTES 832u    // XSAVE with x87, SSE and AVX: the most that these kernels know
#define XSTATE_KNOWN 7u
#define PKRU_USUAL 0x55555554u // all keys but the first are closed
#define XSTATE_BV_AT CRIMG_FXSAVE_BYTES
#define SPARE_AT 464u     // of FXSAVE: zero, but where notes have XCR0

struct descriptors {
	uint8_t bytes[CRIMG_LCR_TLS_ENTRIES][8];
	bool used[CRIMG_LCR_TLS_ENTRIES];
};

// As the processor has it, from what set_thread_area() takes.
static void encode(const UserDescT *d, uint8_t out[8])
{
	uint32_t contents = (d->contents_h ? 2u : 0) | (d->contents_l ? 1u : 0);
	uint32_t type = contents << 2 | (d->read_exec_only ? 0 : 2u);
	uint32_t high = (d->base_addr >> 16 & 0xff) | type << 8 | 1u << 12 | 3u << 13
		| (d->seg_not_present ? 0 : 1u << 15) | (d->limit & 0xf0000)
		| (d->usable ? 1u << 20 : 0) | (d->seg_32bit ? 1u << 22 : 0)
		| (d->limit_in_pages ? 1u << 23 : 0) | (d->base_addr & 0xff000000);
	crimg_put_u32(out, (d->limit & 0xffff) | d->base_addr << 16);
	crimg_put_u32(out + 4, high);
}

static bool is_empty(const UserDescT *d)
{
	return d->base_addr == 0 && d->limit == 0 && d->seg_not_present;
}

static void fill(const ThreadInfoX86 *info, struct descriptors *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < info->n_tls; i++) {
		const UserDescT *d = info->tls[i];
		uint32_t slot = d->entry_number - (d->entry_number >= FIRST_TLS ? FIRST_TLS : FIRST_TLS_32);
		if (slot >= CRIMG_LCR_TLS_ENTRIES || is_empty(d))
			continue;
		out->used[slot] = true;
		encode(d, out->bytes[slot]);
	}
}

static void put_descriptors(struct kstream_out *o, const struct descriptors *d, bool is_32)
{
	kstream_begin(o, CRIMG_LCR_THREAD);
	if (o->rc2)
		kstream_u64(o, 0); // where SYSENTER returns to
	kstream_u32(o, is_32 ? TIF_IA32 : 0);
	kstream_u16(o, CRIMG_LCR_TLS_ENTRIES);
	kstream_u16(o, sizeof d->bytes);
	kstream_bytes(o, d->bytes, sizeof d->bytes);
	kstream_end(o);
}

// False: a segment that these kernels did not have.
static bool code_of(uint64_t selector, bool of_32, uint16_t *out)
{
	static const struct {
		uint16_t selector, code;
		bool of_32;
	} known[] = {
		{ 0x23, 1, false }, { 0x33, 3, false }, { 0x2b, 4, false }, { USER32_CS_32, 1, true }, { 0x7b, 2, true },
	};
	uint64_t first = of_32 ? FIRST_TLS_32 : FIRST_TLS, entry = selector >> 3;
	*out = 0;
	if ((selector & 0xffff) <= 3)
		return true;
	if ((selector & 7) == 7) {
		*out = (uint16_t)(CRIMG_LCR_SEG_LDT | entry);
		return selector <= 0xffff;
	}
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].selector == selector && known[i].of_32 == of_32) {
			*out = known[i].code;
			return true;
		}
	*out = (uint16_t)(CRIMG_LCR_SEG_TLS | (entry - first));
	return (selector & 7) == 3 && entry >= first && entry < first + CRIMG_LCR_TLS_ENTRIES;
}

// The base of a segment that is a slot stands in the slot.
static uint64_t base_of(const struct descriptors *d, uint16_t code, uint64_t base)
{
	uint32_t slot = code & ~CRIMG_LCR_SEG_TLS;
	bool in_slot = (code & CRIMG_LCR_SEG_TLS) != 0 && slot < CRIMG_LCR_TLS_ENTRIES && d->used[slot];
	return in_slot || (code & CRIMG_LCR_SEG_LDT) != 0 ? 0 : base;
}

static void put_general(struct kstream *k, const struct crimg_thread *thread, const struct descriptors *d)
{
	struct kstream_out *o = &k->out;
	const UserX86RegsEntry *e = thread->core->thread_info->gpregs;
	const uint64_t words[] = { e->r15, e->r14, e->r13, e->r12, e->bp, e->bx, e->r11, e->r10, e->r9, e->r8,
		                   e->ax, e->cx, e->dx, e->si, e->di, e->orig_ax, e->ip, e->sp, e->flags };
	const uint64_t selectors[] = { e->fs, e->gs, e->cs, e->ss, e->ds, e->es };
	uint16_t codes[6];
	for (size_t i = 0; i < 6; i++)
		if (!code_of(selectors[i], e->cs == USER32_CS_32, &codes[i])) {
			codes[i] = 0;
			kstream_lose_of(k, CRIMG_KIND_CORE, thread->tid, "thread_info.gpregs",
			                "a selector that these kernels did not have becomes null");
		}
	if ((int64_t)e->orig_ax >= 0 && e->ax == RESTART_BY_BLOCK)
		kstream_lose_of(k, CRIMG_KIND_CORE, thread->tid, "thread_info.gpregs.ax",
		                "a system call that waited ends as if interrupted: how long it had to is told nowhere");
	kstream_begin(o, CRIMG_LCR_CPU);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		kstream_u64(o, words[i]);
	kstream_u64(o, base_of(d, codes[0], e->fs_base));
	kstream_u64(o, base_of(d, codes[1], e->gs_base));
	for (size_t i = 0; i < 6; i++)
		kstream_u16(o, codes[i]);
	kstream_u32(o, 1); // the floating point unit was used
	kstream_end(o);
}

// Whether it holds what no posting has a place for. Protection keys as a process gets them say nothing.
static bool has_more(const UserX86FpregsEntry *fp)
{
	uint8_t bytes[CRIMG_XSAVE_MAX_BYTES];
	bool more = fp->xsave != NULL && fp->xsave->cet != NULL;
	for (unsigned i = CRIMG_XSAVE_YMM + 1; fp->xsave != NULL && i < CRIMG_XSAVE_COMPONENTS; i++) {
		size_t length = (fp->xsave->xstate_bv >> i & 1) != 0
			? crimg_x86_component(fp, i, bytes, sizeof bytes) : 0;
		bool usual = i == CRIMG_XSAVE_PKRU && length >= 4 && crimg_get_u32(bytes) == PKRU_USUAL;
		more = more || (length > 0 && !usual && !crimg_all_zero(bytes, length));
	}
	return more;
}

static void put_floating(struct kstream *k, const struct crimg_thread *thread)
{
	uint8_t area[CRIMG_XSAVE_MAX_BYTES] = { 0 };
	const UserX86FpregsEntry *fp = thread->core->thread_info->fpregs;
	(void)crimg_x86_xsave(fp, area);
	if (has_more(fp))
		kstream_lose_of(k, CRIMG_KIND_CORE, thread->tid, "thread_info.fpregs.xsave",
		                "only x87, SSE and AVX have a place: what else is in use is left out");
	memset(area + SPARE_AT, 0, CRIMG_FXSAVE_BYTES - SPARE_AT);
	crimg_put_u64(area + XSTATE_BV_AT, crimg_get_u64(area + XSTATE_BV_AT) & XSTATE_KNOWN);
	kstream_begin(&k->out, CRIMG_LCR_CPU_FPU);
	kstream_bytes(&k->out, area, k->xstate_bytes);
	kstream_end(&k->out);
}

void kstream_regs(struct kstream *k, const struct crimg_thread *thread)
{
	struct kstream_out *o = &k->out;
	const ThreadInfoX86 *info = thread->core->thread_info;
	struct descriptors d;
	fill(info, &d);
	put_descriptors(o, &d, crimg_x86_is_32(info->gpregs));
	kstream_begin(o, CRIMG_LCR_RESTART_BLOCK);
	kstream_u64(o, RESTART_NONE);
	kstream_zeros(o, CRIMG_LCR_RESTART_PAYLOAD - 8);
	kstream_end(o);
	put_general(k, thread, &d);
	put_floating(k, thread);
}

uint32_t kstream_xstate(const struct kstream *k)
{
	for (size_t i = 0; i < k->tasks.count; i++)
		for (size_t t = 0; t < k->tasks.list[i].thread_count; t++) {
			const CoreEntry *core = k->tasks.list[i].threads[t].core;
			const ThreadInfoX86 *info = core != NULL ? core->thread_info : NULL;
			if (info != NULL && info->fpregs != NULL && info->fpregs->xsave != NULL)
				return AVX_BYTES;
		}
	return CRIMG_FXSAVE_BYTES;
}
