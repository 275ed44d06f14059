// Classic BPF as the kernel takes it for seccomp(2). Knows instructions; knows nothing of images.
#ifndef CRIMG_VALIDATE_SECCOMP_PROGRAM_H
#define CRIMG_VALIDATE_SECCOMP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crimg_seccomp_fault {
	size_t instruction; // from 0
	const char *what;   // why the kernel would refuse it: static
};

// program: instructions of 8 bytes, code (u16), jump if true, jump if false (bytes), k (u32), all
// little-endian. False with *fault filled when the kernel would refuse it.
bool crimg_seccomp_verify(const uint8_t *program, size_t length, struct crimg_seccomp_fault *fault);

#endif
