// x86 as kernels of 2.6 have it.
#include "readers/kernel_x86.h"

#include "format/checked.h"
#include "format/x86.h"

#define MXCSR_AT 24u
#define MXCSR_INITIAL 0x1f80u
#define FCW_INITIAL 0x37fu
#define RPL_USER 3u
#define TABLE_LDT 4u

uint64_t kernel_selector(enum kernel_segment segment, bool kernel_32)
{
	static const uint8_t on_64[KERNEL_SEG_COUNT] = {0, 0x23, 0x2b, 0x33, 0x2b};
	static const uint8_t on_32[KERNEL_SEG_COUNT] = {0, 0x73, 0x7b, 0x73, 0x7b};
	return kernel_32 ? on_32[segment] : on_64[segment];
}

uint32_t kernel_first_tls(bool kernel_32)
{
	return kernel_32 ? 6 : 12;
}

uint64_t kernel_tls_selector(uint32_t slot, bool kernel_32)
{
	return (uint64_t)(kernel_first_tls(kernel_32) + slot) << 3 | RPL_USER;
}

uint64_t kernel_ldt_selector(uint32_t entry)
{
	return (uint64_t)entry << 3 | TABLE_LDT | RPL_USER;
}

uint32_t kernel_descriptor_base(const uint8_t *d)
{
	return crimg_get_u32(d) >> 16 | (crimg_get_u32(d + 4) & 0xff) << 16
	       | (crimg_get_u32(d + 4) & 0xff000000);
}

UserDescT *kernel_descriptor(const uint8_t *d, uint32_t number, struct crimg_arena *arena)
{
	UserDescT *e = crimg_arena_alloc(arena, sizeof *e);
	uint32_t high = crimg_get_u32(d + 4);
	if (e == NULL)
		return NULL;
	user_desc_t__init(e);
	e->entry_number = number;
	e->base_addr = kernel_descriptor_base(d);
	e->limit = (crimg_get_u32(d) & 0xffff) | (high & 0xf0000);
	e->seg_32bit = (high >> 22 & 1) != 0;
	e->contents_l = (high >> 10 & 1) != 0;
	e->contents_h = (high >> 11 & 1) != 0;
	e->read_exec_only = (high >> 9 & 1) == 0;
	e->limit_in_pages = (high >> 23 & 1) != 0;
	e->seg_not_present = (high >> 15 & 1) == 0;
	e->usable = (high >> 20 & 1) != 0;
	return e;
}

UserX86FpregsEntry *kernel_fpregs(const uint8_t *data, size_t length, struct crimg_arena *arena,
				  const char *name, uint64_t offset, struct crimg_err *damage,
				  struct crimg_err *err)
{
	uint8_t area[CRIMG_FXSAVE_BYTES] = {0};
	if (data != NULL) {
		struct crimg_err why = CRIMG_ERR_INIT;
		UserX86FpregsEntry *fp =
			crimg_x86_fpregs(data, length, arena, name, offset, &why);
		if (fp != NULL)
			return fp;
		if (why.code == CRIMG_E_NOMEM || why.code == CRIMG_E_LIMIT) {
			if (err != NULL)
				*err = why;
			return NULL;
		}
		if (damage->code == CRIMG_OK)
			*damage = why;
	}
	crimg_put_u16(area, FCW_INITIAL);
	crimg_put_u32(area + MXCSR_AT, MXCSR_INITIAL);
	return crimg_x86_fpregs(area, sizeof area, arena, NULL, 0, err);
}
