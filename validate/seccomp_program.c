// Source: the rules of seccomp(2) and of the kernel's documentation of BSD packet filters
// (networking/filter.rst).
#include "validate/seccomp_program.h"

enum {
	INSTRUCTION_BYTES = 8, INSTRUCTIONS_MAX = 4096, DATA_BYTES = 64, MEMORY_CELLS = 16,
};

// Codes that are more than a row of the table.
enum {
	LD_IMM = 0x00, LD_ABS = 0x20, LD_MEM = 0x60, LDX_MEM = 0x61, ST = 0x02, STX = 0x03,
	LSH_K = 0x64, RSH_K = 0x74, DIV_K = 0x34, JA = 0x05, JEQ_K = 0x15, RET_K = 0x06, RET_A = 0x16,
};

static const uint8_t known[] = {
	LD_IMM, 0x01, LD_ABS, 0x80, 0x81, LD_MEM, LDX_MEM, ST, STX, // loads and stores; the length
	0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, DIV_K, 0x3c, 0x44, 0x4c, 0x54, 0x5c, LSH_K, 0x6c, RSH_K, 0x7c,
	0x84, 0xa4, 0xac,           // add sub mul div or and lsh rsh, by k and by x; neg, xor
	JA, JEQ_K, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, RET_K, RET_A, 0x07, 0x87,
};

struct instruction {
	uint16_t code;
	uint8_t if_true, if_false;
	uint32_t k;
};

static struct instruction fetch(const uint8_t *p)
{
	return (struct instruction){
		.code = (uint16_t)(p[0] | p[1] << 8), .if_true = p[2], .if_false = p[3],
		.k = p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24,
	};
}

static bool is_known(uint16_t code)
{
	for (size_t i = 0; i < sizeof known; i++)
		if (known[i] == code)
			return true;
	return false;
}

static bool is_jump(uint16_t code)
{
	return (code & 7) == JA;
}

static bool uses_cell(uint16_t code)
{
	return code == LD_MEM || code == LDX_MEM || code == ST || code == STX;
}

// One instruction by itself, with left behind it.
static const char *fault_of(const struct instruction *i, size_t left)
{
	if (!is_known(i->code))
		return "the kernel knows no such code here";
	if (i->code == LD_ABS && (i->k >= DATA_BYTES || i->k % 4 != 0))
		return "loads no word of seccomp_data";
	if (i->code == DIV_K && i->k == 0)
		return "divides by zero";
	if ((i->code == LSH_K || i->code == RSH_K) && i->k >= 32)
		return "shifts by more than 31";
	if (uses_cell(i->code) && i->k >= MEMORY_CELLS)
		return "there are 16 cells of memory";
	if (i->code == JA ? i->k >= left
	                  : is_jump(i->code) && (i->if_true >= left || i->if_false >= left))
		return "jumps out of the program";
	return NULL;
}

// Cells that hold something on every way to an instruction, in bits; jumps go forward, so one pass does.
struct cells {
	uint16_t at[INSTRUCTIONS_MAX];
	uint16_t now;
};

static const char *follow_cells(struct cells *cells, size_t pc, const struct instruction *i)
{
	cells->now &= cells->at[pc];
	if (i->code == ST || i->code == STX)
		cells->now = (uint16_t)(cells->now | 1u << i->k);
	if ((i->code == LD_MEM || i->code == LDX_MEM) && (cells->now & 1u << i->k) == 0)
		return "reads a cell of memory that may never have been written";
	if (!is_jump(i->code))
		return NULL;
	if (i->code == JA) {
		cells->at[pc + 1 + i->k] &= cells->now;
	} else {
		cells->at[pc + 1 + i->if_true] &= cells->now;
		cells->at[pc + 1 + i->if_false] &= cells->now;
	}
	cells->now = UINT16_MAX; // what comes next is reached by jumps alone
	return NULL;
}

static bool fail(struct crimg_seccomp_fault *fault, size_t instruction, const char *what)
{
	*fault = (struct crimg_seccomp_fault){ instruction, what };
	return false;
}

bool crimg_seccomp_verify(const uint8_t *program, size_t length, struct crimg_seccomp_fault *fault)
{
	size_t count = length / INSTRUCTION_BYTES;
	struct cells cells = { .now = 0 };
	if (length % INSTRUCTION_BYTES != 0)
		return fail(fault, count, "it is not whole: 8 bytes wanted");
	if (count == 0 || count > INSTRUCTIONS_MAX)
		return fail(fault, count, "1 to 4096 instructions wanted");
	for (size_t i = 0; i < count; i++)
		cells.at[i] = UINT16_MAX;
	for (size_t pc = 0; pc < count; pc++) {
		struct instruction i = fetch(program + pc * INSTRUCTION_BYTES);
		const char *what = fault_of(&i, count - pc - 1);
		if (what == NULL)
			what = follow_cells(&cells, pc, &i);
		if (what != NULL)
			return fail(fault, pc, what);
	}
	uint16_t last = fetch(program + (count - 1) * INSTRUCTION_BYTES).code;
	if (last != RET_K && last != RET_A)
		return fail(fault, count - 1, "the program must end in a return");
	return true;
}
