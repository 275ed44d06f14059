// One vDSO's functions that go on in another's: this kernel's own, changed, and called afterwards;
// and damaged ones.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "producer/vdso_redirect.h"
#include "producer/vdso_symbols.h"
#include "tests/suite.h"

static uint8_t *own; // this kernel's
static size_t length;

// All pages of it: what the mapping has.
static int load_own(void)
{
	char line[512];
	unsigned long start, end;
	FILE *f = fopen("/proc/self/maps", "r");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL)
		if (strstr(line, "[vdso]") != NULL && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			memcpy(&own, &start, sizeof own);
			length = end - start;
		}
	fclose(f);
	return length > 0 ? 0 : -1;
}

static struct crimg_vdso_image copy(const uint8_t *bytes)
{
	struct crimg_vdso_image out = { .length = length, .name = "vdso" };
	out.bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(out.bytes != MAP_FAILED);
	memcpy(out.bytes, bytes, length);
	memcpy(&out.address, &out.bytes, sizeof out.address);
	return out;
}

// Every "from" in the string table is "to", which is as long.
static void rename_all(struct crimg_vdso_image *v, const char *from, const char *to)
{
	size_t n = strlen(from) + 1;
	for (size_t i = 0; i + n <= v->length; i++)
		if (memcmp(v->bytes + i, from, n) == 0)
			memcpy(v->bytes + i, to, n);
}

static uint64_t function(const struct crimg_vdso_image *v, const char *name)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_vdso_symbols symbols;
	CU_ASSERT_EQUAL_FATAL(crimg_vdso_symbols_load(v->bytes, v->length, v->name, &symbols, &err), 0);
	const struct crimg_vdso_symbol *s = crimg_vdso_symbols_find(&symbols, name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	uint64_t at = v->address + s->offset;
	crimg_vdso_symbols_fini(&symbols);
	return at;
}

typedef long entry_fn(void *, void *, void *);

static long call(const struct crimg_vdso_image *v, const char *name, void *a, void *b)
{
	uint64_t at = function(v, name);
	entry_fn *entry;
	memcpy(&entry, &at, sizeof entry);
	return entry(a, b, NULL);
}

// To this kernel's by the same names; by a call where it lacks them; to nothing where there is no call.
static void test_goes_on(void)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_vdso_image old = copy(own), new = copy(own);
	struct timespec before, found, after;
	unsigned cpu = 0, node = 0, want = 0;
	cpu_set_t one;
	memcpy(&new.address, &own, sizeof new.address);
	rename_all(&new, "getcpu", "getcup"); // also where longer names end so
	rename_all(&old, "clock_getres", "clock_gotres");
	CU_ASSERT_EQUAL_FATAL(crimg_vdso_redirect(&old, &new, &err), 0);
	CU_ASSERT_EQUAL_FATAL(mprotect(old.bytes, length, PROT_READ | PROT_EXEC), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
	CU_ASSERT_EQUAL(clock_gettime(CLOCK_MONOTONIC, &before), 0);
	CU_ASSERT_EQUAL((int)call(&old, "__vdso_clock_gettime", (void *)CLOCK_MONOTONIC, &found), 0);
	CU_ASSERT_EQUAL(clock_gettime(CLOCK_MONOTONIC, &after), 0);
	CU_ASSERT(before.tv_sec <= found.tv_sec && found.tv_sec <= after.tv_sec);
	CU_ASSERT(labs(call(&old, "__vdso_time", NULL, NULL) - time(NULL)) <= 1);
	CU_ASSERT_EQUAL((int)call(&old, "__vdso_getcpu", &cpu, &node), 0);
	CU_ASSERT_EQUAL(syscall(SYS_getcpu, &want, NULL, NULL), 0);
	CU_ASSERT_EQUAL(cpu, want);
	CU_ASSERT_EQUAL(call(&old, "__vdso_clock_gotres", NULL, NULL), -38);
	munmap(old.bytes, length);
	munmap(new.bytes, length);
}

// Cut anywhere, and any byte of the tables another: it works or says why, and the bytes are as they
// were.
static void test_damaged(void)
{
	struct crimg_vdso_image old = copy(own), is = copy(own);
	size_t refused = 0;
	for (size_t cut = 0; cut < length; cut += cut < 2048 ? 1 : 61) {
		struct crimg_err err = CRIMG_ERR_INIT;
		struct crimg_vdso_image less = { malloc(cut + 1), cut, 0x1000, "cut" };
		CU_ASSERT_PTR_NOT_NULL_FATAL(less.bytes);
		memcpy(less.bytes, own, cut);
		if (crimg_vdso_redirect(&less, &is, &err) < 0) {
			refused++;
			CU_ASSERT(err.code == CRIMG_E_FORMAT || err.code == CRIMG_E_UNSUPPORTED);
			CU_ASSERT_EQUAL(memcmp(less.bytes, own, cut), 0);
		}
		free(less.bytes);
	}
	CU_ASSERT(refused > 2048);
	for (size_t at = 0; at < 2048; at++) {
		struct crimg_err err = CRIMG_ERR_INIT;
		memcpy(old.bytes, own, length);
		old.bytes[at] ^= (uint8_t)(at % 2 == 0 ? 0xff : 0x80);
		refused += crimg_vdso_redirect(&old, &is, &err) < 0;
	}
	munmap(old.bytes, length);
	munmap(is.bytes, length);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "functions go on in another's", test_goes_on },
		{ "damaged ones", test_damaged },
	};
	return SUITE_RUN("vdso", load_own, NULL, tests);
}
