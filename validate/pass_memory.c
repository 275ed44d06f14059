// The meaning of an address space: mappings that a kernel could have, bounds that it would take.
#include <inttypes.h>
#include <stddef.h>

#include "format/limits.h"
#include "validate/meaning.h"

#define VSYSCALL_START UINT64_C(0xffffffffff600000)

// vma_entry.status and .flags, beside those of vma_flags.h.
enum {
	STATUS_UPROBES = 1 << 17,
	STATUS_PLUGIN = 1 << 27,
	STATUS_KNOWN = 0x3ffef | STATUS_PLUGIN, // 0 to 17 without 4
	MAP_TYPE_BITS = 0xf,
	// Of <linux/mman.h>: fixed, anonymous, 32bit, growsdown, denywrite to fixed-noreplace
	MAP_KNOWN = MAP_TYPE_BITS | 0x1f8170 | 0x7800,
	PROT_KNOWN = 7,
};
#define STATUS_INTERNAL 0xf0000000u
#define STATUS_SPECIAL (CRIMG_VMA_AIO | CRIMG_VMA_SOCKET | CRIMG_VMA_GUARD | CRIMG_VMA_VSYSCALL     \
                        | STATUS_UPROBES | STATUS_PLUGIN)
#define STATUS_PRIVATE (CRIMG_VMA_FILE_PRIVATE | CRIMG_VMA_ANON_PRIVATE)
#define STATUS_SHARED (CRIMG_VMA_FILE_SHARED | CRIMG_VMA_ANON_SHARED | CRIMG_VMA_SYSV)
#define MAP_HUGE_SIZE 0xfc000000u // log2 of the size of huge pages

// Advice that a mapping keeps, by its number.
static const uint64_t lasting_advice =
	1u << 1 | 1u << 2                         // random, sequential
	| 1u << 10 | 1u << 12 | 1u << 14 | 1u << 15 | 1u << 16 | 1u << 18;

struct at {
	struct crimg_checker *c;
	const struct crimg_task *task;
	const VmaEntry *vma;
	size_t index;
};

static struct crimg_place place(const struct at *at, const char *field)
{
	return crimg_place_part(at->c, at->task, CRIMG_PART_VMAS, at->index, field);
}

static void check_range(const struct at *at)
{
	const VmaEntry *v = at->vma;
	bool vsyscall = v->start == VSYSCALL_START && (v->status & CRIMG_VMA_VSYSCALL) != 0;
	bool high = v->end > CRIMG_USER_END && !vsyscall;
	if (v->start >= v->end || (v->start | v->end) % CRIMG_PAGE_BYTES != 0 || high) {
		struct crimg_place p = place(at, high ? "end" : "start");
		CRIMG_FIND(at->c, VMA_RANGE, &p,
		           "0x%" PRIx64 "-0x%" PRIx64 " found, whole pages below 0x%" PRIx64 " wanted",
		           v->start, v->end, CRIMG_USER_END);
	} else if (v->end > CRIMG_USER_END_32 && crimg_task_is_32(at->task)) {
		struct crimg_place p = place(at, "end");
		CRIMG_FIND(at->c, VMA_HIGH, &p, "0x%" PRIx64 "-0x%" PRIx64 " found in a 32-bit task",
		           v->start, v->end);
	}
}

// before is the one before of the same list: guard regions lie in mappings, and come behind all of them.
static void check_order(const struct at *at, const VmaEntry *before)
{
	const VmaEntry *v = at->vma;
	if (before == NULL || v->start >= before->end)
		return;
	struct crimg_place p = place(at, "start");
	CRIMG_FIND(at->c, VMA_ORDER, &p, "0x%" PRIx64 " found, 0x%" PRIx64 " or more wanted: the mapping "
	           "before ends there", v->start, before->end);
}

static void check_flags(const struct at *at)
{
	const VmaEntry *v = at->vma;
	uint32_t type = v->flags & MAP_TYPE_BITS;
	bool anonymous = (v->status & (CRIMG_VMA_ANON_PRIVATE | CRIMG_VMA_ANON_SHARED)) != 0;
	bool told = anonymous && (v->status & (CRIMG_VMA_FILE | STATUS_SPECIAL)) == 0;
	bool one_type = type == CRIMG_MAP_SHARED || type == CRIMG_MAP_PRIVATE;
	if ((v->status & CRIMG_VMA_GUARD) != 0
	    || (one_type && (!told || (v->flags & CRIMG_MAP_ANONYMOUS) != 0)))
		return;
	struct crimg_place p = place(at, "flags");
	if (one_type)
		CRIMG_FIND(at->c, VMA_FLAGS, &p, "0x%x found, anonymous (0x20) wanted by status 0x%x",
		           v->flags, v->status);
	else
		CRIMG_FIND(at->c, VMA_FLAGS, &p, "0x%x found, private (2) or shared (1) wanted", v->flags);
}

static bool is_one_bit(uint32_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

// What the status says of where the bytes are must agree with the flags; NULL: it does.
static const char *status_fault(const VmaEntry *v)
{
	uint32_t kept = v->status & (STATUS_PRIVATE | STATUS_SHARED), type = v->flags & MAP_TYPE_BITS;
	if ((v->status & STATUS_INTERNAL) != 0)
		return "bits 28 to 31 never leave criu";
	if ((v->status & STATUS_SPECIAL) != 0)
		return NULL;
	if (kept == 0)
		return "neither of a file nor anonymous";
	if ((type == CRIMG_MAP_PRIVATE && (kept & STATUS_PRIVATE) == 0)
	    || (type == CRIMG_MAP_SHARED && (kept & STATUS_SHARED) == 0))
		return "private and shared as the flags are wanted";
	return NULL;
}

static void check_status(const struct at *at)
{
	const char *fault = status_fault(at->vma);
	if (fault == NULL)
		return;
	struct crimg_place p = place(at, "status");
	CRIMG_FIND(at->c, VMA_STATUS, &p, "0x%x found with flags 0x%x: %s", at->vma->status,
	           at->vma->flags, fault);
}

static void check_offset(const struct at *at)
{
	const VmaEntry *v = at->vma;
	uint64_t length = v->end > v->start ? v->end - v->start : 0;
	if (v->pgoff % CRIMG_PAGE_BYTES == 0 && v->pgoff <= (uint64_t)INT64_MAX - length)
		return;
	struct crimg_place p = place(at, "pgoff");
	CRIMG_FIND(at->c, VMA_OFFSET, &p, "0x%" PRIx64 " found, whole pages below 2^63 wanted", v->pgoff);
}

static void check_advice(const struct at *at)
{
	const VmaEntry *v = at->vma;
	if (!v->has_madv || (v->madv & ~lasting_advice) == 0)
		return;
	struct crimg_place p = place(at, "madv");
	CRIMG_FIND(at->c, VMA_ADVICE, &p,
	           "0x%" PRIx64 " found: 0x%" PRIx64 " is no advice that a mapping keeps", v->madv,
	           v->madv & ~lasting_advice);
}

static void odd(const struct at *at, const char *field, uint32_t value, uint32_t bits)
{
	struct crimg_place p = place(at, field);
	CRIMG_FIND(at->c, MEMORY_ODD, &p, "0x%x found: 0x%x says nothing", value, bits);
}

static void check_odd(const struct at *at)
{
	const VmaEntry *v = at->vma;
	uint32_t kept = v->status & (CRIMG_VMA_FILE | CRIMG_VMA_ANON_PRIVATE | CRIMG_VMA_ANON_SHARED);
	if ((v->prot & ~(uint32_t)PROT_KNOWN) != 0)
		odd(at, "prot", v->prot, v->prot & ~(uint32_t)PROT_KNOWN);
	if ((v->flags & ~(MAP_KNOWN | MAP_HUGE_SIZE)) != 0)
		odd(at, "flags", v->flags, v->flags & ~(MAP_KNOWN | MAP_HUGE_SIZE));
	else if ((v->status & CRIMG_VMA_FILE) != 0 && (v->flags & CRIMG_MAP_ANONYMOUS) != 0
	         && (v->status & STATUS_SPECIAL) == 0)
		odd(at, "flags", v->flags, CRIMG_MAP_ANONYMOUS);
	if ((v->status & ~(STATUS_KNOWN | STATUS_INTERNAL)) != 0)
		odd(at, "status", v->status, v->status & ~(STATUS_KNOWN | STATUS_INTERNAL));
	else if (kept != 0 && !is_one_bit(kept) && (v->status & STATUS_SPECIAL) == 0)
		odd(at, "status", v->status, kept & ~(uint32_t)CRIMG_VMA_FILE);
}

static void check_vmas(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_list vmas = crimg_checker_list(c, task, CRIMG_PART_VMAS);
	const VmaEntry *last[2] = { NULL, NULL }; // mapping, guard region
	for (size_t i = 0; i < vmas.count; i++) {
		struct at at = { c, task, vmas.items[i], i };
		bool guard = (at.vma->status & CRIMG_VMA_GUARD) != 0;
		check_range(&at);
		check_order(&at, last[guard]);
		last[guard] = at.vma;
		check_flags(&at);
		check_status(&at);
		check_offset(&at);
		check_advice(&at);
		check_odd(&at);
	}
}

// Bounds, as prctl(PR_SET_MM_MAP) looks at them. Source: prctl(2).
#define BOUND(field) { #field, offsetof(MmEntry, field) }
struct bound {
	const char *name;
	size_t offset;
};

static const struct bound_pair {
	struct bound start, end;
	bool strict;   // must not be empty
	bool mapped;   // programs keep it mapped
} bounds[] = {
	{ BOUND(mm_start_code), BOUND(mm_end_code), true, false },
	{ BOUND(mm_start_data), BOUND(mm_end_data), false, false },
	{ BOUND(mm_start_brk), BOUND(mm_brk), false, true },
	{ BOUND(mm_arg_start), BOUND(mm_arg_end), false, true },
	{ BOUND(mm_env_start), BOUND(mm_env_end), false, true },
	{ BOUND(mm_start_stack), BOUND(mm_start_stack), false, true },
};

static uint64_t bound_of(const MmEntry *mm, const struct bound *b)
{
	return *(const uint64_t *)(const void *)((const char *)mm + b->offset);
}

static void check_bound(struct crimg_checker *c, const struct crimg_task *task,
                        const struct crimg_space *space, const struct bound_pair *pair)
{
	uint64_t start = bound_of(task->mm, &pair->start), end = bound_of(task->mm, &pair->end);
	bool ordered = pair->strict ? start < end : start <= end;
	if (!ordered || start == 0 || end >= CRIMG_USER_END) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_MM, task->pid, "%s",
		                                      end >= CRIMG_USER_END ? pair->end.name : pair->start.name);
		CRIMG_FIND(c, MM_BOUNDS, &p,
		           "0x%" PRIx64 " to 0x%" PRIx64 " found: the kernel wants them in order, above 0 and "
		           "below 0x%" PRIx64, start, end, CRIMG_USER_END);
	} else if (pair->mapped && space->count > 0 && crimg_space_find(space, start) == NULL
	           && (start < end || pair->start.offset == pair->end.offset)) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_MM, task->pid, "%s", pair->start.name);
		CRIMG_FIND(c, MM_UNMAPPED, &p, "nothing is mapped at 0x%" PRIx64, start);
	}
}

#define AUXV_MAX 52u // 64-bit words that the kernel keeps, pairs and all

static void check_auxv(struct crimg_checker *c, const struct crimg_task *task)
{
	const MmEntry *mm = task->mm;
	size_t count = mm->n_mm_saved_auxv;
	bool pairs = crimg_task_is_32(task) || count % 2 == 0; // 32-bit pairs are one word each
	if (count > 0 && count <= AUXV_MAX && pairs)
		return;
	struct crimg_place p = crimg_place_of(c, CRIMG_KIND_MM, task->pid, "mm_saved_auxv");
	CRIMG_FIND(c, AUXV, &p, "%zu words found, pairs and at most %u words wanted", count, AUXV_MAX);
}

#define DUMPABLE_MAX 2

static void check_mm(struct crimg_checker *c, const struct crimg_task *task)
{
	if (task->ids == NULL)
		return; // of an ELF core: it does not tell
	struct crimg_space space = crimg_checker_space(c, task);
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		check_bound(c, task, &space, &bounds[i]);
	crimg_space_fini(&space);
	check_auxv(c, task);
	if (task->mm->has_dumpable && (task->mm->dumpable < 0 || task->mm->dumpable > DUMPABLE_MAX)) {
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_MM, task->pid, "dumpable");
		CRIMG_FIND(c, DUMPABLE, &p, "%d found, 0 to 2 wanted", task->mm->dumpable);
	}
}

void crimg_pass_memory(struct crimg_checker *c)
{
	for (size_t i = 0; i < c->tasks.count; i++)
		if (crimg_task_has_memory(&c->tasks.list[i])) {
			check_vmas(c, &c->tasks.list[i]);
			check_mm(c, &c->tasks.list[i]);
		}
}
