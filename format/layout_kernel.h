// Numbers of Linux 2.6 kernels (2.6.18 to 2.6.3x, x86) that images written by them hold: flags of an area.
// Source: include/linux/mm.h of those kernels.
#ifndef CRIMG_FORMAT_LAYOUT_KERNEL_H
#define CRIMG_FORMAT_LAYOUT_KERNEL_H

#define KERNEL_VM_PROT 0x7u // read, write, execute: as PROT_*
#define KERNEL_VM_WRITE 0x2u
#define KERNEL_VM_SHARED 0x8u
#define KERNEL_VM_MAYWRITE 0x20u
#define KERNEL_VM_MAYPROT 0x70u
#define KERNEL_VM_MAYSHARE 0x80u
#define KERNEL_VM_GROWSDOWN 0x100u
#define KERNEL_VM_DENYWRITE 0x800u
#define KERNEL_VM_EXECUTABLE 0x1000u
#define KERNEL_VM_LOCKED 0x2000u
#define KERNEL_VM_IO 0x4000u
#define KERNEL_VM_SEQ_READ 0x8000u
#define KERNEL_VM_RAND_READ 0x10000u
#define KERNEL_VM_DONTCOPY 0x20000u
#define KERNEL_VM_DONTEXPAND 0x40000u
#define KERNEL_VM_ACCOUNT 0x100000u
#define KERNEL_VM_NORESERVE 0x200000u
#define KERNEL_VM_HUGETLB 0x400000u
#define KERNEL_VM_ALWAYSDUMP 0x4000000u
#define KERNEL_VM_CAN_NONLINEAR 0x8000000u
#define KERNEL_VM_MERGEABLE 0x80000000u

#endif
