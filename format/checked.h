// Arithmetic that says when it does not fit, and little-endian loads and stores.
#ifndef CRIMG_FORMAT_CHECKED_H
#define CRIMG_FORMAT_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// *out = a + b (a * b). Returns false, *out untouched, when the result does not fit.
static inline bool crimg_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;
	if (__builtin_add_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

static inline bool crimg_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t r;
	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

// True when [offset, offset + length) lies inside [0, size).
static inline bool crimg_in_range(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static inline uint64_t crimg_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// True when all bytes are 0: each equals the one before it.
static inline bool crimg_all_zero(const void *data, size_t length)
{
	const uint8_t *p = data;
	return length == 0 || (p[0] == 0 && memcmp(p, p + 1, length - 1) == 0);
}

// Images are little-endian (SPEC.md); these work on any host and any alignment.
static inline uint16_t crimg_get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t crimg_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t crimg_get_u64(const uint8_t *p)
{
	return (uint64_t)crimg_get_u32(p) | (uint64_t)crimg_get_u32(p + 4) << 32;
}

static inline void crimg_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void crimg_put_u32(uint8_t *p, uint32_t v)
{
	crimg_put_u16(p, (uint16_t)v);
	crimg_put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void crimg_put_u64(uint8_t *p, uint64_t v)
{
	crimg_put_u32(p, (uint32_t)v);
	crimg_put_u32(p + 4, (uint32_t)(v >> 32));
}

#endif
