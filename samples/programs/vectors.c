// Keeps every vector register, x87's and MXCSR full of known values, in a loop that touches no memory but one
// flag, and looks at them when it may go on.
#include "prove.h"

#include <pthread.h>
#include <stdint.h>

static volatile int go;
static uint8_t in[32][64] __attribute__((aligned(64))), out[32][64] __attribute__((aligned(64)));
static uint64_t masks_in[8], masks_out[8];

static void *watch(void *unused)
{
	wait_for_go();
	go = 1;
	return unused;
}

#define EACH16(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define EACH8(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7)
#define HIGH16(m)                                                                                    \
	m(16) m(17) m(18) m(19) m(20) m(21) m(22) m(23) m(24) m(25) m(26) m(27) m(28) m(29) m(30) m(31)
#define LOOP "1:	cmpl $0, %2\n	je 1b\n"

static void run_sse(void)
{
#define LOAD(n) "movdqa " #n "*64(%0), %%xmm" #n "\n"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*64(%1)\n"
	__asm__ volatile(EACH16(LOAD) LOOP EACH16(STORE) : : "r"(in), "r"(out), "m"(go) : "memory");
#undef LOAD
#undef STORE
}

__attribute__((target("avx"))) static void run_avx(void)
{
#define LOAD(n) "vmovdqa " #n "*64(%0), %%ymm" #n "\n"
#define STORE(n) "vmovdqa %%ymm" #n ", " #n "*64(%1)\n"
	__asm__ volatile(EACH16(LOAD) LOOP EACH16(STORE) "vzeroupper\n"
	                 : : "r"(in), "r"(out), "m"(go) : "memory");
#undef LOAD
#undef STORE
}

__attribute__((target("avx512f,avx512bw"))) static void run_avx512(void)
{
#define LOAD(n) "vmovdqa64 " #n "*64(%0), %%zmm" #n "\n"
#define STORE(n) "vmovdqa64 %%zmm" #n ", " #n "*64(%1)\n"
#define LOADK(n) "kmovq " #n "*8(%3), %%k" #n "\n"
#define STOREK(n) "kmovq %%k" #n ", " #n "*8(%4)\n"
	__asm__ volatile(EACH16(LOAD) HIGH16(LOAD) EACH8(LOADK) LOOP EACH16(STORE) HIGH16(STORE)
	                 EACH8(STOREK) "vzeroupper\n"
	                 : : "r"(in), "r"(out), "m"(go), "r"(masks_in), "r"(masks_out) : "memory");
}

int main(void)
{
	pthread_t thread;
	unsigned mxcsr = 0x1fa0, found = 0; // denormals and the rest masked, precision seen
	unsigned short cw = 0x0f7f, cw_found = 0; // rounds to zero
	double x87 = 0.1;
	size_t width = 16;
	for (size_t i = 0; i < sizeof in; i++)
		((uint8_t *)in)[i] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < 8; i++)
		masks_in[i] = UINT64_C(0x0123456789abcdef) * (i + 1);
	PROVE(pthread_create(&thread, NULL, watch, NULL) == 0);
	ready();
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\tfldpi\n\tfldl %2" : : "m"(mxcsr), "m"(cw), "m"(x87));
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
		width = 64;
		run_avx512();
		PROVE(memcmp(masks_in, masks_out, sizeof masks_in) == 0);
	} else if (__builtin_cpu_supports("avx")) {
		width = 32;
		run_avx();
	} else {
		run_sse();
	}
	double back = 0, pi = 0;
	__asm__ volatile("fstpl %0\n\tfstpl %1\n\tfnstcw %2\n\tstmxcsr %3"
	                 : "=m"(back), "=m"(pi), "=m"(cw_found), "=m"(found));
	for (size_t i = 0; i < (width == 64 ? 32 : 16); i++)
		PROVE(memcmp(in[i], out[i], width) == 0);
	PROVE(back == 0.1 && pi > 3.14159 && pi < 3.1416);
	PROVE(found == mxcsr && cw_found == cw);
	return 0;
}
