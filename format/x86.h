// The register files of x86: names, places in the kernel's and the CPU's layouts, flag bits, and
// the way between CRIU's messages and those layouts. Knows tables and bytes; knows no tasks, no ELF.
// Sources: AMD64 manual vol. 1 and 2 (FXSAVE, XSAVE standard form), Linux <sys/user.h>, CRIU's
// core-x86 messages (SPEC.md).
#ifndef CRIMG_FORMAT_X86_H
#define CRIMG_FORMAT_X86_H

#include "format/schema.h"

// General registers.
struct crimg_x86_reg {
	const char *name;   // "r15", … as gdb calls it; i386: "eax"
	size_t offset;      // of the uint64_t in UserX86RegsEntry
};

#define CRIMG_X86_REGS64 27 // in the order of user_regs_struct: r15 … gs (64 bits each)
#define CRIMG_X86_REGS32 17 // in the order of i386's: ebx … ss (32 bits each)
extern const struct crimg_x86_reg crimg_x86_regs64[CRIMG_X86_REGS64];
extern const struct crimg_x86_reg crimg_x86_regs32[CRIMG_X86_REGS32];

uint64_t crimg_x86_reg(const UserX86RegsEntry *regs, const struct crimg_x86_reg *reg);
void crimg_x86_set_reg(UserX86RegsEntry *regs, const struct crimg_x86_reg *reg, uint64_t value);
// True for a thread that runs 32-bit code as its natural mode (mode COMPAT, or selector 0x23).
bool crimg_x86_is_32(const UserX86RegsEntry *regs);

// Bits by name: "[ CF ZF IF ]"-like lists without brackets: "ZF PF IF", IOPL and rounding as words
// ("IOPL=3", "RC=nearest"), unknown bits as hex. "" for 0. Return out.
char *crimg_x86_rflags_text(uint64_t flags, char *out, size_t size);
char *crimg_x86_mxcsr_text(uint32_t mxcsr, char *out, size_t size);
char *crimg_x86_fcw_text(uint32_t cw, char *out, size_t size); // x87 control word
char *crimg_x86_fsw_text(uint32_t sw, char *out, size_t size); // x87 status word, "TOP=3"
// "user code, 64-bit" for 0x33; "GDT 6, RPL 3" for others; "null" for 0.
char *crimg_x86_selector_text(uint64_t selector, char *out, size_t size);

enum crimg_x87_tag { CRIMG_X87_VALID, CRIMG_X87_ZERO, CRIMG_X87_SPECIAL, CRIMG_X87_EMPTY };
// The tag of physical register i (0 to 7) from the abridged tag byte of FXSAVE and its contents.
// st is the 10 bytes of that register.
enum crimg_x87_tag crimg_x87_tag_of(uint8_t abridged, unsigned physical, const uint8_t st[10]);
const char *crimg_x87_tag_word(enum crimg_x87_tag tag); // "valid", "zero", "special", "empty"
// The 80-bit number in decimal with 21 significant digits at most ("8.5", "-inf", "nan(0x…)",
// "unsupported(…)"). Returns out.
char *crimg_x87_text(const uint8_t st[10], char *out, size_t size);

// Extended state. Components of the XSAVE area, by bit of xstate_bv.
struct crimg_xsave_component {
	const char *name;  // "YMM_Hi128", as the CPU manuals name it
	uint32_t offset;   // in the standard form as Intel's CPUs and gdb lay it out; 0: in none
	uint32_t size;     // bytes
};

#define CRIMG_XSAVE_COMPONENTS 20
// Names without a place (supervisor components) have size 0; unknown ones a NULL name.
extern const struct crimg_xsave_component crimg_xsave_components[CRIMG_XSAVE_COMPONENTS];

enum {
	CRIMG_XSAVE_X87 = 0, CRIMG_XSAVE_SSE = 1, CRIMG_XSAVE_YMM = 2, CRIMG_XSAVE_BNDREGS = 3,
	CRIMG_XSAVE_BNDCSR = 4, CRIMG_XSAVE_OPMASK = 5, CRIMG_XSAVE_ZMM_HI = 6,
	CRIMG_XSAVE_HI16_ZMM = 7, CRIMG_XSAVE_PT = 8, CRIMG_XSAVE_PKRU = 9, CRIMG_XSAVE_CET_U = 11,
	CRIMG_XSAVE_TILECFG = 17, CRIMG_XSAVE_TILEDATA = 18,
};

#define CRIMG_FXSAVE_BYTES 512u
#define CRIMG_XSAVE_HEADER_BYTES 64u // behind the FXSAVE area
#define CRIMG_XSAVE_XCR0 464u        // where Linux keeps XCR0 in notes (FXSAVE's spare bytes)
#define CRIMG_XSAVE_MAX_BYTES 2696u  // up to PKRU
#define CRIMG_FSAVE_BYTES 108u       // i386's NT_FPREGSET

// The bytes of a component as CRIU's message keeps them: *data points at a copy in space (at least
// the component's size), returns their count: 0 when the message has none.
size_t crimg_x86_component(const UserX86FpregsEntry *fp, unsigned component, uint8_t *space,
                           size_t size);
// XCR0 as far as the message tells: x87, SSE and every component it has bytes of.
uint64_t crimg_x86_xcr0(const UserX86FpregsEntry *fp);
// The 512 bytes of FXSAVE. Fields the message has no bytes for are 0.
void crimg_x86_fxsave(const UserX86FpregsEntry *fp, uint8_t out[CRIMG_FXSAVE_BYTES]);
// FXSAVE, header and components in standard form, XCR0 in its place: the note NT_X86_XSTATE. Returns
// the size that XCR0 asks for: 576, 832, 1088, 2688 or 2696; out holds CRIMG_XSAVE_MAX_BYTES.
size_t crimg_x86_xsave(const UserX86FpregsEntry *fp, uint8_t *out);
// i386's NT_FPREGSET, with the full tag word.
void crimg_x86_fsave(const UserX86FpregsEntry *fp, uint8_t out[CRIMG_FSAVE_BYTES]);
// Puts cs and ds where no selectors of the x87 pointers are known, as 64-bit kernels do: their FXSAVE
// has none.
void crimg_x86_fsave_selectors(uint8_t fsave[CRIMG_FSAVE_BYTES], const UserX86RegsEntry *regs);

// The other way: a message from an XSAVE area in standard form (length >= 576), from FXSAVE alone
// (length 512) or from i386's FSAVE (108), in arena. A component takes part when xcr0 and length
// reach it; layouts of AMD's CPUs (other offsets behind AVX) are told by length. Components that
// CRIU's message has no field for are left out (the caller keeps the bytes). NULL with err filled:
// memory, or a length or header that no CPU makes (reserved bits, compacted form).
CRIMG_MUST_CHECK UserX86FpregsEntry *crimg_x86_fpregs(const uint8_t *data, size_t length,
                                                      struct crimg_arena *arena, const char *name,
                                                      uint64_t base, struct crimg_err *err);

#endif
