// Code that goes over from one vDSO to another. Writes into bytes that it was given, nowhere else.
#include "producer/vdso_redirect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "format/checked.h"
#include "producer/vdso_symbols.h"

#define FAR_BYTES 12u  // movabs $address, %rax; jmp *%rax
#define NEAR_BYTES 5u  // jmp address
#define CALL_BYTES 8u  // mov $number, %eax; syscall; ret -- or mov $-ENOSYS, %rax; ret

// What a function does that this kernel's vDSO has not.
static const struct call {
	const char *name;
	uint32_t number;
} calls[] = {
	{ "clock_gettime", SYS_clock_gettime }, { "gettimeofday", SYS_gettimeofday },
	{ "time", SYS_time },                   { "getcpu", SYS_getcpu },
	{ "clock_getres", SYS_clock_getres },   { "getrandom", 318 },
};

static const struct call *find_call(const char *name)
{
	static const char prefix[] = "__vdso_";
	if (strncmp(name, prefix, sizeof prefix - 1) == 0)
		name += sizeof prefix - 1;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}

// Bytes that may be overwritten: up to its end, and to where the next function begins.
static uint64_t room(const struct crimg_vdso_symbols *had, size_t i)
{
	const struct crimg_vdso_symbol *s = &had->list[i];
	uint64_t bytes = s->size;
	for (size_t k = i + 1; k < had->count; k++)
		if (had->list[k].offset != s->offset)
			return crimg_min_u64(bytes, had->list[k].offset - s->offset);
	return bytes;
}

// Writes the call that stands for a function. Returns its length.
static size_t put_call(uint8_t *out, const char *name)
{
	static const uint8_t none[CALL_BYTES] = { 0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3 };
	static const uint8_t one[CALL_BYTES] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	const struct call *call = find_call(name);
	memcpy(out, call != NULL ? one : none, CALL_BYTES);
	if (call != NULL)
		crimg_put_u32(out + 1, call->number);
	return CALL_BYTES;
}

// The same of a jump. The short one only where the long one has no room.
static size_t put_jump(uint8_t *out, uint64_t from, uint64_t to, uint64_t bytes)
{
	static const uint8_t far[FAR_BYTES] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0 };
	int64_t distance = (int64_t)(to - from - NEAR_BYTES);
	if (bytes >= FAR_BYTES || distance != (int32_t)distance) {
		memcpy(out, far, FAR_BYTES);
		crimg_put_u64(out + 2, to);
		return FAR_BYTES;
	}
	out[0] = 0xe9;
	crimg_put_u32(out + 1, (uint32_t)distance);
	return NEAR_BYTES;
}

// into: as long as old; what old says of its functions must outlive the changes.
static int redirect(const struct crimg_vdso_image *old, const struct crimg_vdso_image *new,
                    const struct crimg_vdso_symbols *had, const struct crimg_vdso_symbols *has,
                    uint8_t *into, struct crimg_err *err)
{
	uint8_t code[FAR_BYTES];
	for (size_t i = 0; i < had->count; i++) {
		const struct crimg_vdso_symbol *s = &had->list[i];
		const struct crimg_vdso_symbol *now = crimg_vdso_symbols_find(has, s->name);
		uint64_t bytes = room(had, i);
		size_t length = now == NULL ? put_call(code, s->name)
			: put_jump(code, old->address + s->offset, new->address + now->offset, bytes);
		if (length > bytes)
			return crimg_fail(err, CRIMG_E_UNSUPPORTED, old->name, s->offset,
			                  "function %.40s of another kernel has %" PRIu64
			                  " bytes, %zu wanted to redirect it", s->name, bytes, length);
		memcpy(into + s->offset, code, length);
	}
	return 0;
}

int crimg_vdso_redirect(struct crimg_vdso_image *old, const struct crimg_vdso_image *new,
                        struct crimg_err *err)
{
	struct crimg_vdso_symbols had = { NULL, 0 }, has = { NULL, 0 };
	uint8_t *into = malloc(old->length);
	int rc = -1;
	if (into == NULL)
		return crimg_fail_nomem(err, old->length);
	memcpy(into, old->bytes, old->length);
	if (crimg_vdso_symbols_load(old->bytes, old->length, old->name, &had, err) == 0
	    && crimg_vdso_symbols_load(new->bytes, new->length, new->name, &has, err) == 0)
		rc = redirect(old, new, &had, &has, into, err);
	if (rc == 0)
		memcpy(old->bytes, into, old->length);
	free(into);
	crimg_vdso_symbols_fini(&had);
	crimg_vdso_symbols_fini(&has);
	return rc;
}
