// CRIU's images of packed structures, before its first release: the set of September 2011 (commit 523de2362) and
// the last, of July 2012 (c75b4b70f), which are read, and the magics of others, which are named. Constants alone.
// Source: SPEC.md, chapter "Early CRIU images".
#ifndef CRIMG_FORMAT_LAYOUT_CRIUEARLY_H
#define CRIMG_FORMAT_LAYOUT_CRIUEARLY_H

#include "format/checked.h"

#define CRIMG_EARLY_MAGIC_BYTES 4u
#define CRIMG_EARLY_FDINFO 0x01010101u
#define CRIMG_EARLY_PAGES 0x20202020u
#define CRIMG_EARLY_CORE 0xa75b8d43u   // also of the binfmt image of June 2011
#define CRIMG_EARLY_PIPES 0x05055050u
#define CRIMG_EARLY_PSTREE 0x40044004u
#define CRIMG_EARLY_SHMEM 0x03300330u
#define CRIMG_EARLY_BINFMT_VERSION 0x100u
#define CRIMG_EARLY_ELF_TYPE 5u             // of the ELF flavour of 2011
#define CRIMG_EARLY_ELF_TYPE_AT 16u

// core-PID.img, behind its magic
#define CRIMG_EARLY_CORE_BYTES 764u
#define CRIMG_EARLY_CORE_VERSION 1u // u16 at 0
#define CRIMG_EARLY_CORE_X86_64 1u  // u16 at 2
#define CRIMG_EARLY_CORE_REGS 8u    // 27 u64, in the order of user_x86_regs_entry
#define CRIMG_EARLY_REGS 27u
#define CRIMG_EARLY_CORE_FPU 224u   // FXSAVE
#define CRIMG_EARLY_FPU_BYTES 512u
#define CRIMG_EARLY_CORE_TLS 736u   // 3 descriptors of 8 bytes
#define CRIMG_EARLY_TLS 3u
#define CRIMG_EARLY_CORE_PERSONALITY 760u
// an area
#define CRIMG_EARLY_AREA_BYTES 64u
#define CRIMG_EARLY_AREA_START 0u
#define CRIMG_EARLY_AREA_END 8u
#define CRIMG_EARLY_AREA_PGOFF 16u
#define CRIMG_EARLY_AREA_PROT 24u
#define CRIMG_EARLY_AREA_FLAGS 28u
#define CRIMG_EARLY_AREA_STATUS 32u
#define CRIMG_EARLY_STATUS_KEPT 0x3efu // bits that mean the same today; 0x10, 0x400 and 0x800 do not
#define CRIMG_EARLY_STATUS_FILES 0xc0u
#define CRIMG_EARLY_STATUS_ANON_SHARED 0x100u
// a page: u64 address, its bytes
#define CRIMG_EARLY_PAGE_HEAD 8u
// fdinfo-PID.img: u8 type, u8 length of the name, u16 flags, u32 position, u64 number or address; the name
#define CRIMG_EARLY_FD_BYTES 16u
#define CRIMG_EARLY_FD_FILE 1u
#define CRIMG_EARLY_FD_MAP 2u
// pipes-PID.img: u32 descriptor, pipe, flags, bytes; the bytes
#define CRIMG_EARLY_PIPE_BYTES 16u
// pstree-PID.img: u32 pid, children; u32 each
#define CRIMG_EARLY_PSTREE_BYTES 8u
// shmem-PID.img: u64 start, end, segment
#define CRIMG_EARLY_SHMEM_BYTES 24u

// Of 2012: packed until July, protobuf since. Files end their lists.
#define CRIMG_EARLY_PSTREE_2012 0x50273030u
#define CRIMG_EARLY_CORE_2012 0x55053847u
#define CRIMG_EARLY_VMAS_2012 0x54123737u
#define CRIMG_EARLY_MM_2012 0x57492820u
#define CRIMG_EARLY_PAGES_2012 0x56084025u
#define CRIMG_EARLY_FDINFO_2012 0x56213732u
#define CRIMG_EARLY_FS_2012 0x51403912u
#define CRIMG_EARLY_ACTIONS_2012 0x55344201u
#define CRIMG_EARLY_REG_FILES_2012 0x50363636u
// pstree.img: u32 pid, parent, group, session, count of threads; u32 each
#define CRIMG_EARLY_PSTREE_2012_BYTES 20u
// core-TID.img: version and machine as before, then
#define CRIMG_EARLY_CORE_2012_BYTES 8192u
#define CRIMG_EARLY_CORE_2012_STATE 8u // u8
#define CRIMG_EARLY_CORE_2012_EXIT 12u
#define CRIMG_EARLY_CORE_2012_PERSONALITY 16u
#define CRIMG_EARLY_CORE_2012_COMM 20u // CRIMG_EARLY_COMM_BYTES
#define CRIMG_EARLY_COMM_BYTES 16u
#define CRIMG_EARLY_CORE_2012_FLAGS 36u
#define CRIMG_EARLY_CORE_2012_BLOCKED 40u // u64
#define CRIMG_EARLY_CORE_2012_REGS 48u
#define CRIMG_EARLY_CORE_2012_FPU 264u
#define CRIMG_EARLY_CORE_2012_IDS 4144u // u32 of memory, descriptors, directories, signal actions
#define CRIMG_EARLY_CORE_2012_CLEAR_TID 4160u // u64
// vmas-PID.img: u64 start, end, offset, shmid, u32 protection, flags, status, s64 descriptor
#define CRIMG_EARLY_AREA_2012_BYTES 52u
#define CRIMG_EARLY_AREA_2012_SHMID 24u
#define CRIMG_EARLY_AREA_2012_PROT 32u
#define CRIMG_EARLY_AREA_2012_FLAGS 36u
#define CRIMG_EARLY_AREA_2012_STATUS 40u
#define CRIMG_EARLY_STATUS_2012_KEPT 0x7efu // 0x400 is of System V
// mm-PID.img: 11 u64 in the order of mm_entry, the auxiliary vector, u32 file that runs
#define CRIMG_EARLY_MM_BYTES 444u
#define CRIMG_EARLY_MM_BOUNDS 11u
#define CRIMG_EARLY_MM_AUXV 88u
#define CRIMG_EARLY_AUXV 44u // u64
#define CRIMG_EARLY_MM_EXE 440u
// fdinfo-PID.img: u32 descriptor, u8 type, u8 flags, u32 file
#define CRIMG_EARLY_FD_2012_BYTES 10u
#define CRIMG_EARLY_FD_TYPES 9u
// fs-PID.img: u32 file of the directory, of the root
#define CRIMG_EARLY_FS_BYTES 8u
// sigacts-PID.img: of each signal but KILL and STOP, u64 handler, flags, restorer, mask
#define CRIMG_EARLY_ACTION_BYTES 32u
#define CRIMG_EARLY_ACTIONS 62u
// reg-files.img: u32 id, u16 flags, u16 length of the name, u64 position, owner; the name
#define CRIMG_EARLY_REG_FILE_BYTES 36u
#define CRIMG_EARLY_REG_FILE_OWNER 16u
#define CRIMG_EARLY_OWNER_BYTES 20u // u32 uid, euid, signal, type of the pid, pid

#endif
