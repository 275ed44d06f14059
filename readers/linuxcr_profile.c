// Tables of numbers, names and places.
#include "readers/linuxcr_profile.h"

#include "format/layout_linuxcr.h"
#include "format/names_linuxcr.h"

int linuxcr_profile_begin(uint16_t arch, uint16_t rev, const char *source, uint64_t offset,
			  struct linuxcr_profile *out, struct crimg_err *err)
{
	static const char *const machines[] = {"", "", "", "S390", "PPC32 or ARM", "PPC64"};
	if (arch != CRIMG_LCR_ARCH_X86_32 && arch != CRIMG_LCR_ARCH_X86_64)
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, source, offset,
			"a kernel stream of machine %u%s%s%s found, x86-32 (1) or x86-64 (2) "
			"wanted",
			arch, arch > 2 && arch < 6 ? " (" : "",
			arch > 2 && arch < 6 ? machines[arch] : "",
			arch > 2 && arch < 6 ? ")" : "");
	if (rev < 3 || rev > 6)
		return crimg_fail(
			err, CRIMG_E_UNSUPPORTED, source, offset,
			"a kernel stream of revision %u (%s) found, 3 to 6 (v18 to v23-rc2) "
			"wanted",
			rev, rev < 3 ? "v14 to v17" : "younger than any known");
	*out = (struct linuxcr_profile){
		.arch = arch,
		.rev = rev,
		.word = arch == CRIMG_LCR_ARCH_X86_32 ? 4 : 8,
	};
	return 0;
}

const char *linuxcr_profile_name(const struct linuxcr_profile *p)
{
	if (p->rc2)
		return "v23-rc2";
	if (p->pids)
		return "v23 with PIDS";
	if (p->task_v23)
		return "v23-rc1";
	if (p->ns_v21)
		return "v21";
	return !p->lsm ? "v18" : p->rev == 4 ? "v19-rc1" : "v20";
}

uint32_t linuxcr_kind(const struct linuxcr_profile *p, uint32_t type)
{
	if (!p->pids && type >= CRIMG_LCR_PIDS && type <= CRIMG_LCR_TASK_CREDS)
		type = type == CRIMG_LCR_TASK_CREDS ? 0 : type + 1;
	else if (!p->rc2 && type == CRIMG_LCR_HPAGE)
		type = CRIMG_LCR_MM_CONTEXT;
	return crimg_lcr_kind_name(type) != NULL ? type : 0;
}

const char *linuxcr_kind_name(uint32_t kind)
{
	const char *name = crimg_lcr_kind_name(kind);
	return name != NULL ? name : "unknown";
}

uint32_t linuxcr_object_type(const struct linuxcr_profile *p, uint32_t type)
{
	uint32_t number = p->pids ? type : type + 1;
	return type == 0 || type >= CRIMG_LCR_OBJ_COUNT || number >= CRIMG_LCR_OBJ_COUNT ? 0
											 : number;
}

const char *linuxcr_object_name(uint32_t type)
{
	return crimg_lcr_object_name(type);
}

// The first five words are the same everywhere, and follow each other.
#define FROM(at)                                                                                   \
	.state = (at), .exit_state = (at) + 4, .exit_code = (at) + 8, .exit_signal = (at) + 12,    \
	.pdeath = (at) + 16

const struct linuxcr_task_places *linuxcr_task_places(const struct linuxcr_profile *p)
{
	static const struct linuxcr_task_places v18 = {FROM(0), .clear_tid = 32, .compat = 44, .robust = 48};
	static const struct linuxcr_task_places v19 = {FROM(0), .clear_tid = 48, .compat = 24, .robust = 32};
	static const struct linuxcr_task_places v23 = {
		FROM(0), .clear_tid = 48, .compat = 24, .robust = 32, .sas = 56};
	static const struct linuxcr_task_places rc2 = {
		FROM(4), .clear_tid = 32, .compat = 56, .robust = 64, .sas = 40};
	if (p->rc2)
		return &rc2;
	if (p->task_v23)
		return &v23;
	return p->rev < 4 ? &v18 : &v19;
}
#undef FROM
