// CRIU's images of packed structures, before its first release: the set of September 2011 (commit 523de2362),
// which is read, and the magics of others, which are named. Constants alone. Source: SPEC.md, chapter "Early
// CRIU images".
#ifndef CRIMG_FORMAT_LAYOUT_CRIUEARLY_H
#define CRIMG_FORMAT_LAYOUT_CRIUEARLY_H

#include "format/checked.h"

#define CRIMG_EARLY_FDINFO 0x01010101u
#define CRIMG_EARLY_PAGES 0x20202020u
#define CRIMG_EARLY_CORE 0xa75b8d43u   // also of the binfmt image of June 2011
#define CRIMG_EARLY_PIPES 0x05055050u
#define CRIMG_EARLY_PSTREE 0x40044004u
#define CRIMG_EARLY_SHMEM 0x03300330u
#define CRIMG_EARLY_BINFMT_VERSION 0x100u
#define CRIMG_EARLY_PSTREE_2012 0x50273030u // packed until July 2012, protobuf since
#define CRIMG_EARLY_CORE_2012 0x55053847u     // the same
#define CRIMG_EARLY_CORE_2012_BYTES 8192u     // behind the magic: u16 version 1, u16 machine 1, u32 flags, …
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

#endif
