// ELF cores of Linux on x86-64 and i386: note types and the places of what they hold. Constants
// alone. Sources: gABI (ELF header, notes, PN_XNUM), Linux <elf.h>, <sys/procfs.h>, <sys/user.h> (sizes
// observed in kernel-made and gcore-made files of both classes).
#ifndef CRIMG_FORMAT_LAYOUT_ELFCORE_H
#define CRIMG_FORMAT_LAYOUT_ELFCORE_H

// ELF proper
#define CRIMG_ELF_MAGIC "\177ELF"
#define CRIMG_ELF_IDENT_BYTES 16u
#define CRIMG_ELF_CLASS 4u // in e_ident
#define CRIMG_ELF_DATA 5u
#define CRIMG_ELF_CLASS32 1u
#define CRIMG_ELF_CLASS64 2u
#define CRIMG_ELF_LITTLE 1u
#define CRIMG_ELF_EHDR_TYPE 16u
#define CRIMG_ELF_EHDR_MACHINE 18u
#define CRIMG_ELF_TYPE_CORE 4u
#define CRIMG_ELF_MACHINE_386 3u
#define CRIMG_ELF_MACHINE_X86_64 62u
#define CRIMG_ELF_PT_LOAD 1u
#define CRIMG_ELF_PT_NOTE 4u
#define CRIMG_ELF_PF_X 1u
#define CRIMG_ELF_PF_W 2u
#define CRIMG_ELF_PF_R 4u
#define CRIMG_ELF_PN_XNUM 0xffffu // e_phnum; the true count is in sh_info of section 0

#define CRIMG_ELF64_EHDR_BYTES 64u
#define CRIMG_ELF64_PHDR_BYTES 56u
#define CRIMG_ELF64_SHDR_BYTES 64u
#define CRIMG_ELF32_EHDR_BYTES 52u
#define CRIMG_ELF32_PHDR_BYTES 32u
#define CRIMG_ELF32_SHDR_BYTES 40u
// The same by class.
#define CRIMG_ELF_EHDR_BYTES(is32) ((is32) ? CRIMG_ELF32_EHDR_BYTES : CRIMG_ELF64_EHDR_BYTES)
#define CRIMG_ELF_PHDR_BYTES(is32) ((is32) ? CRIMG_ELF32_PHDR_BYTES : CRIMG_ELF64_PHDR_BYTES)
#define CRIMG_ELF_SHDR_INFO(is32) ((is32) ? 28u : 44u)

// Notes: owner "CORE"
#define CRIMG_NT_PRSTATUS 1u
#define CRIMG_NT_FPREGSET 2u       // FXSAVE on x86-64, FSAVE on i386
#define CRIMG_NT_PRPSINFO 3u
#define CRIMG_NT_AUXV 6u
#define CRIMG_NT_SIGINFO 0x53494749u
#define CRIMG_NT_FILE 0x46494c45u
#define CRIMG_SIGINFO_BYTES 128u // of NT_SIGINFO, both classes
// owner "LINUX"
#define CRIMG_NT_PRXFPREG 0x46e62b7fu // FXSAVE on i386
#define CRIMG_NT_386_TLS 0x200u
#define CRIMG_NT_X86_XSTATE 0x202u
#define CRIMG_NT_X86_SHSTK 0x204u
#define CRIMG_NT_XSAVE_LAYOUT 0x205u // components of NT_X86_XSTATE: type, flags, offset, size
// owner "GDB"
#define CRIMG_NT_GDB_TDESC 0xff000000u // the target's description, XML

// NT_PRSTATUS; columns: x86-64, i386
#define CRIMG_PRSTATUS_BYTES(is32) ((is32) ? 144u : 336u)
#define CRIMG_PRSTATUS_SIGNO 0u           // si_signo, si_code, si_errno: i32 each
#define CRIMG_PRSTATUS_CURSIG 12u         // u16
#define CRIMG_PRSTATUS_SIGPEND 16u        // a word of the class
#define CRIMG_PRSTATUS_SIGHOLD(is32) ((is32) ? 20u : 24u)
#define CRIMG_PRSTATUS_PID(is32) ((is32) ? 24u : 32u) // pid, ppid, pgrp, sid: u32 each
#define CRIMG_PRSTATUS_REGS(is32) ((is32) ? 72u : 112u)
#define CRIMG_PRSTATUS_SP(is32) ((is32) ? 132u : 264u) // of these, the stack pointer
#define CRIMG_PRSTATUS_FPVALID(is32) ((is32) ? 140u : 328u) // u32

// NT_PRPSINFO
#define CRIMG_PRPSINFO_BYTES(is32) ((is32) ? 124u : 136u)
#define CRIMG_PRPSINFO_STATE 0u           // state, sname, zomb, nice: a byte each
#define CRIMG_PRPSINFO_FLAG(is32) ((is32) ? 4u : 8u) // a word of the class
#define CRIMG_PRPSINFO_UID(is32) ((is32) ? 8u : 16u) // i386: u16 uid, u16 gid; x86-64: u32 each
#define CRIMG_PRPSINFO_PID(is32) ((is32) ? 12u : 24u) // pid, ppid, pgrp, sid: u32 each
#define CRIMG_PRPSINFO_FNAME(is32) ((is32) ? 28u : 40u)
#define CRIMG_PRPSINFO_FNAME_BYTES 16u
#define CRIMG_PRPSINFO_ARGS(is32) ((is32) ? 44u : 56u)
#define CRIMG_PRPSINFO_ARGS_BYTES 80u

// NT_AUXV: pairs of words
#define CRIMG_AT_PHDR 3u          // program headers of the program
#define CRIMG_AT_ENTRY 9u
#define CRIMG_AT_RANDOM 25u       // 16 bytes on the stack
#define CRIMG_AT_EXECFN 31u       // path of the program, on the stack, behind its environment
#define CRIMG_AT_SYSINFO_EHDR 33u // the vDSO

#define CRIMG_USER_DESC_BYTES 16u // of NT_386_TLS: entry, base, limit, flags: u32 each
#define CRIMG_USER_DESCS_MAX 3u
#define CRIMG_USER_DESC_32BIT (1u << 0)
#define CRIMG_USER_DESC_CONTENTS_LOW (1u << 1)
#define CRIMG_USER_DESC_CONTENTS_HIGH (1u << 2)
#define CRIMG_USER_DESC_READ_EXEC_ONLY (1u << 3)
#define CRIMG_USER_DESC_LIMIT_IN_PAGES (1u << 4)
#define CRIMG_USER_DESC_NOT_PRESENT (1u << 5)
#define CRIMG_USER_DESC_USABLE (1u << 6)

// FXSAVE, in NT_FPREGSET, NT_PRXFPREG and NT_X86_XSTATE: two fields and what they begin with
#define CRIMG_FXSAVE_CWD 0u // u16
#define CRIMG_FXSAVE_CWD_INITIAL 0x37fu
#define CRIMG_FXSAVE_MXCSR 24u // u32
#define CRIMG_FXSAVE_MXCSR_INITIAL 0x1f80u

#endif
