// Instructions as text against what objdump 2.40 prints for the same bytes, and bytes that are
// none.
#include <stdio.h>
#include <string.h>

#include "inspect/disassemble.h"
#include "tests/suite.h"

#define B(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1

static const struct {
	bool is_32;
	const uint8_t *bytes;
	size_t length;
	const char *att, *intel; // of the bytes at 0x401000
} rows[] = {
	{ false, B("\xf3\x0f\x1e\xfa"), "endbr64", "endbr64" },
	{ false, B("\xf2\xff\x25\x10\x00\x00\x00"),
	  "bnd jmp *0x10(%rip)", "bnd jmp QWORD PTR [rip+0x10]" },
	{ false, B("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"),
	  "cs nopw 0x0(%rax,%rax,1)", "cs nop WORD PTR [rax+rax*1+0x0]" },
	{ false, B("\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"),
	  "data16 cs nopw 0x0(%rax,%rax,1)", "data16 cs nop WORD PTR [rax+rax*1+0x0]" },
	{ false, B("\x66\x90"), "xchg %ax,%ax", "xchg ax,ax" },
	{ false, B("\x90"), "nop", "nop" },
	{ false, B("\x0f\x1f\x44\x00\x00"),
	  "nopl 0x0(%rax,%rax,1)", "nop DWORD PTR [rax+rax*1+0x0]" },
	{ false, B("\x48\x83\xec\x80"),
	  "sub $0xffffffffffffff80,%rsp", "sub rsp,0xffffffffffffff80" },
	{ false, B("\x48\x83\xe4\xf0"),
	  "and $0xfffffffffffffff0,%rsp", "and rsp,0xfffffffffffffff0" },
	{ false, B("\xc7\x45\xfc\x01\x00\x00\x00"),
	  "movl $0x1,-0x4(%rbp)", "mov DWORD PTR [rbp-0x4],0x1" },
	{ false, B("\x8b\x04\x85\x00\x10\x40\x00"),
	  "mov 0x401000(,%rax,4),%eax", "mov eax,DWORD PTR [rax*4+0x401000]" },
	{ false, B("\xd1\xe0"), "shl %eax", "shl eax,1" },
	{ false, B("\xd1\x6d\xfc"), "shrl -0x4(%rbp)", "shr DWORD PTR [rbp-0x4],1" },
	{ false, B("\xd3\xe0"), "shl %cl,%eax", "shl eax,cl" },
	{ false, B("\xd3\x20"), "shll %cl,(%rax)", "shl DWORD PTR [rax],cl" },
	{ false, B("\xe8\x00\x00\x00\x00"), "call 0x401005", "call 0x401005" },
	{ false, B("\xeb\xfb"), "jmp 0x400ffd", "jmp 0x400ffd" },
	{ false, B("\xc3"), "ret", "ret" },
	{ false, B("\xf3\xc3"), "repz ret", "repz ret" },
	{ false, B("\xf3\x48\xa5"),
	  "rep movsq %ds:(%rsi),%es:(%rdi)",
	  "rep movs QWORD PTR es:[rdi],QWORD PTR ds:[rsi]" },
	{ false, B("\xf3\xaa"), "rep stos %al,%es:(%rdi)", "rep stos BYTE PTR es:[rdi],al" },
	{ false, B("\xae"), "scas %es:(%rdi),%al", "scas al,BYTE PTR es:[rdi]" },
	{ false, B("\xa4"),
	  "movsb %ds:(%rsi),%es:(%rdi)", "movs BYTE PTR es:[rdi],BYTE PTR ds:[rsi]" },
	{ false, B("\x64\x48\x8b\x04\x25\x28\x00\x00\x00"),
	  "mov %fs:0x28,%rax", "mov rax,QWORD PTR fs:0x28" },
	{ false, B("\xf2\x0f\x2a\xc0"), "cvtsi2sd %eax,%xmm0", "cvtsi2sd xmm0,eax" },
	{ false, B("\xf2\x0f\x2a\x00"),
	  "cvtsi2sdl (%rax),%xmm0", "cvtsi2sd xmm0,DWORD PTR [rax]" },
	{ false, B("\x0f\xb6\x00"), "movzbl (%rax),%eax", "movzx eax,BYTE PTR [rax]" },
	{ false, B("\x0f\xbe\xc0"), "movsbl %al,%eax", "movsx eax,al" },
	{ false, B("\x48\x98"), "cltq", "cdqe" },
	{ false, B("\x48\x63\xd0"), "movslq %eax,%rdx", "movsxd rdx,eax" },
	{ false, B("\xc9"), "leave", "leave" },
	{ false, B("\xff\xd0"), "call *%rax", "call rax" },
	{ false, B("\x3e\xff\xe0"), "notrack jmp *%rax", "notrack jmp rax" },
	{ false, B("\x6a\xff"), "push $0xffffffffffffffff", "push 0xffffffffffffffff" },
	{ false, B("\x68\x00\x10\x00\x00"), "push $0x1000", "push 0x1000" },
	{ false, B("\x48\xb8\xef\xcd\xab\x89\x67\x45\x23\x01"),
	  "movabs $0x123456789abcdef,%rax", "movabs rax,0x123456789abcdef" },
	{ false, B("\x48\x8d\x05\x56\x00\x00\x00"), "lea 0x56(%rip),%rax", "lea rax,[rip+0x56]" },
	{ false, B("\x48\x8d\x80\x92\xfe\xff\xff"),
	  "lea -0x16e(%rax),%rax", "lea rax,[rax-0x16e]" },
	{ false, B("\x48\x8d\x05\x92\xfe\xff\xff"),
	  "lea -0x16e(%rip),%rax", "lea rax,[rip+0xfffffffffffffe92]" },
	{ false, B("\x66\x48\x0f\x6e\xc0"), "movq %rax,%xmm0", "movq xmm0,rax" },
	{ false, B("\x0f\x2f\x44\x24\x0c"),
	  "comiss 0xc(%rsp),%xmm0", "comiss xmm0,DWORD PTR [rsp+0xc]" },
	{ false, B("\xdd\x44\x24\x08"), "fldl 0x8(%rsp)", "fld QWORD PTR [rsp+0x8]" },
	{ false, B("\xdb\x6c\x24\x10"), "fldt 0x10(%rsp)", "fld TBYTE PTR [rsp+0x10]" },
	{ false, B("\xde\xc9"), "fmulp %st,%st(1)", "fmulp st(1),st" },
	{ false, B("\xd8\xc1"), "fadd %st(1),%st", "fadd st,st(1)" },
	{ false, B("\xd9\xc9"), "fxch %st(1)", "fxch st(1)" },
	{ false, B("\xdf\xe9"), "fucomip %st(1),%st", "fucomip st,st(1)" },
	{ false, B("\xd9\x3c\x24"), "fnstcw (%rsp)", "fnstcw WORD PTR [rsp]" },
	{ false, B("\xf0\x48\x0f\xb1\x0a"),
	  "lock cmpxchg %rcx,(%rdx)", "lock cmpxchg QWORD PTR [rdx],rcx" },
	{ false, B("\x66\x39\xc0"), "cmp %ax,%ax", "cmp ax,ax" },
	{ false, B("\x87\xc8"), "xchg %ecx,%eax", "xchg eax,ecx" },
	{ false, B("\x91"), "xchg %eax,%ecx", "xchg ecx,eax" },
	{ false, B("\x48\xf7\xd8"), "neg %rax", "neg rax" },
	{ false, B("\xcc"), "int3", "int3" },
	{ false, B("\x0f\x05"), "syscall", "syscall" },
	{ false, B("\xcd\x80"), "int $0x80", "int 0x80" },
	{ false, B("\x9c"), "pushf", "pushf" },
	{ false, B("\xc5\xfd\x6f\x01"),
	  "vmovdqa (%rcx),%ymm0", "vmovdqa ymm0,YMMWORD PTR [rcx]" },
	{ false, B("\xc5\xf8\x77"), "vzeroupper", "vzeroupper" },
	{ false, B("\x62\xf1\x7c\x48\x28\xc1"), "vmovaps %zmm1,%zmm0", "vmovaps zmm0,zmm1" },
	{ false, B("\x0f\x38\xcb\xd1"),
	  "sha256rnds2 %xmm0,%xmm1,%xmm2", "sha256rnds2 xmm2,xmm1,xmm0" },
	{ false, B("\xb0\xff"), "mov $0xff,%al", "mov al,0xff" },
	{ false, B("\xa8\xf0"), "test $0xf0,%al", "test al,0xf0" },
	{ false, B("\x66\xb8\x34\x12"), "mov $0x1234,%ax", "mov ax,0x1234" },
	{ false, B("\xf6\xc1\x01"), "test $0x1,%cl", "test cl,0x1" },
	{ false, B("\xf3\x0f\x1e\xc8"), "rdsspd %eax", "rdsspd eax" },
	{ false, B("\xf3\x48\xab"),
	  "rep stos %rax,%es:(%rdi)", "rep stos QWORD PTR es:[rdi],rax" },
	{ true, B("\x8b\x45\x08"), "mov 0x8(%ebp),%eax", "mov eax,DWORD PTR [ebp+0x8]" },
	{ true, B("\xa1\x14\x00\x00\x00"), "mov 0x14,%eax", "mov eax,ds:0x14" },
	{ true, B("\x65\xa1\x14\x00\x00\x00"), "mov %gs:0x14,%eax", "mov eax,gs:0x14" },
	{ true, B("\x8d\x74\x26\x00"), "lea 0x0(%esi,%eiz,1),%esi", "lea esi,[esi+eiz*1+0x0]" },
	{ true, B("\x8d\xb4\x26\x00\x00\x00\x00"),
	  "lea 0x0(%esi,%eiz,1),%esi", "lea esi,[esi+eiz*1+0x0]" },
	{ true, B("\xff\xa3\x0c\x00\x00\x00"), "jmp *0xc(%ebx)", "jmp DWORD PTR [ebx+0xc]" },
	{ true, B("\x40"), "inc %eax", "inc eax" },
	{ true, B("\xc8\x08\x00\x00"), "enter $0x8,$0x0", "enter 0x8,0x0" },
	{ true, B("\x06"), "push %es", "push es" },
	{ true, B("\xe8\xfb\xff\xff\xff"), "call 0x401000", "call 0x401000" },
	{ true, B("\xf0\xff\x08"), "lock decl (%eax)", "lock dec DWORD PTR [eax]" },
	{ true, B("\x66\x83\x3c\x24\x05"), "cmpw $0x5,(%esp)", "cmp WORD PTR [esp],0x5" },
};

static struct crimg_disassembler *open_for(bool is_32, bool intel)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_disassembler *d = crimg_disassembler_open(is_32, intel, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

static void check_row(size_t i, bool intel)
{
	struct crimg_disassembler *d = open_for(rows[i].is_32, intel);
	struct crimg_instruction in;
	const char *wanted = intel ? rows[i].intel : rows[i].att;
	char found[256];
	crimg_disassemble(d, rows[i].bytes, rows[i].length, 0x401000, &in);
	snprintf(found, sizeof found, "%s%s%s", in.mnemonic, in.operands[0] != '\0' ? " " : "",
		 in.operands);
	if (strcmp(found, wanted) != 0)
		printf("\n  found:  %s\n  wanted: %s\n", found, wanted);
	CU_ASSERT_STRING_EQUAL(found, wanted);
	CU_ASSERT_EQUAL(in.length, rows[i].length);
	CU_ASSERT_TRUE(in.decoded);
	CU_ASSERT_EQUAL(in.address, 0x401000);
	CU_ASSERT_EQUAL(memcmp(in.bytes, rows[i].bytes, in.length), 0);
	crimg_disassembler_close(d);
}

static void test_text(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_row(i, false);
		check_row(i, true);
	}
}

static struct crimg_instruction one(bool is_32, const uint8_t *bytes, size_t length,
				    uint64_t address)
{
	struct crimg_disassembler *d = open_for(is_32, false);
	struct crimg_instruction in;
	crimg_disassemble(d, bytes, length, address, &in);
	crimg_disassembler_close(d);
	return in;
}

static void test_addresses(void)
{
	struct crimg_instruction in = one(false, B("\xe8\x10\0\0\0"), 0x7f0000001000);
	CU_ASSERT_TRUE(in.has_target && !in.has_reference);
	CU_ASSERT_EQUAL(in.target, 0x7f0000001015);
	in = one(false, B("\xff\x15\x10\0\0\0"), 0x7f0000001000); // call *0x10(%rip)
	CU_ASSERT_TRUE(!in.has_target && in.has_reference && in.reference_is_code);
	CU_ASSERT_EQUAL(in.reference, 0x7f0000001016);
	in = one(false, B("\x48\x8d\x05\xf0\xff\xff\xff"), 0x1000); // lea -0x10(%rip)
	CU_ASSERT_TRUE(in.has_reference && in.reference_is_sure && !in.reference_is_code);
	CU_ASSERT_EQUAL(in.reference, 0xff7);
	in = one(false, B("\xbf\x10\x20\x40\0"), 0x1000); // mov $0x402010,%edi
	CU_ASSERT_TRUE(in.has_reference && !in.reference_is_sure);
	CU_ASSERT_EQUAL(in.reference, 0x402010);
	in = one(false, B("\x64\x48\x8b\x04\x25\x28\0\0\0"), 0x1000); // thread-local: no address
	CU_ASSERT_FALSE(in.has_reference);
	in = one(true, B("\xeb\xfe"), 0xffffffff); // wraps in 32 bits
	CU_ASSERT_TRUE(in.has_target);
	CU_ASSERT_EQUAL(in.target, 0xffffffff);
	in = one(true, B("\xa1\x14\xa0\x04\x08"), 0x1000);
	CU_ASSERT_TRUE(in.has_reference && in.reference_is_sure);
	CU_ASSERT_EQUAL(in.reference, 0x0804a014);
}

// What is no instruction, or not all of one, is a byte. Vector instructions that this capstone may
// not know are taken whole, so that what follows them is decoded from its begin.
static void test_bytes(void)
{
	struct crimg_instruction in = one(false, B("\x06\x90"), 0x1000);
	CU_ASSERT_TRUE(!in.decoded && in.length == 1);
	CU_ASSERT_STRING_EQUAL(in.mnemonic, ".byte");
	CU_ASSERT_STRING_EQUAL(in.operands, "0x06");
	in = one(false, B("\xe8\0\0"), 0x1000);
	CU_ASSERT_TRUE(!in.decoded && in.length == 1);
	in = one(false, B("\x62\xf3\x7d\x48\x3f\xc2\0\x90"), 0x1000); // vpcmpeqb
	CU_ASSERT_EQUAL(in.length, 7);
	if (!in.decoded)
		CU_ASSERT_STRING_EQUAL(in.operands, "0x62,0xf3,0x7d,0x48,0x3f,0xc2,0x00");
	in = one(false, B("\xc5\xfb\x93\xc0\x90"), 0x1000); // kmovd
	CU_ASSERT_EQUAL(in.length, 4);
	in = one(false, B("\x62\xf3\x75\x20\x1f\x4c\x97\xfe\x04\x90"), 0x1000); // vpcmpneqd
	CU_ASSERT_EQUAL(in.length, 9);
	in = one(false, B("\x62\xf3\x7d\x48\x3f\xc2"), 0x1000); // cut
	CU_ASSERT_TRUE(!in.decoded && in.length == 1);
}

// Any bytes at all, in every mode.
static void test_noise(void)
{
	uint32_t state = 7;
	for (int mode = 0; mode < 4; mode++) {
		struct crimg_disassembler *d = open_for((mode & 1) != 0, (mode & 2) != 0);
		for (int i = 0; i < 50000; i++) {
			uint8_t bytes[20];
			struct crimg_instruction in;
			for (size_t k = 0; k < sizeof bytes; k++)
				bytes[k] =
					(uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
			size_t length = 1 + (state >> 8) % sizeof bytes;
			crimg_disassemble(d, bytes, length, UINT64_MAX - 3, &in);
			if (in.length == 0 || in.length > length
			    || in.length > CRIMG_INSTRUCTION_BYTES || in.mnemonic[0] == '\0'
			    || memcmp(in.bytes, bytes, in.length) != 0)
				CU_FAIL("an instruction of no sense");
		}
		crimg_disassembler_close(d);
	}
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "text", test_text },
		{ "addresses", test_addresses },
		{ "bytes", test_bytes },
		{ "noise", test_noise },
	};
	return SUITE_RUN("instructions", NULL, NULL, tests);
}
