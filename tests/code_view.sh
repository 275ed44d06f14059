#!/bin/bash
# `crimg inspect IMAGE code`: the samples' code against objdump of the same bytes; programs compiled and
# frozen here against objdump of their files, with and without --sysroot, and with wrong files in it.
#   code_view.sh CRIMG SAMPLES PEER
crimg=$(realpath "$1") samples=$(realpath "$2") peer=$3
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
export LC_ALL=C.UTF-8
unset NO_COLOR
code() { "$crimg" inspect --color=never "$@"; }
oracle() { python3 "$here/code_oracle.py" "$@"; }
# has TEXT WANTED COMMAND…: what the command prints has the fixed string WANTED.
has() {
	local text=$1 wanted=$2 out
	shift 2
	out=$("$@" 2>&1)
	if grep -qF -- "$wanted" <<<"$out"; then ok; else not_ok "$text: no \"$wanted\" in: $(head -n 6 <<<"$out")"; fi
}
# fails TEXT CODE WANTED COMMAND…: the exit code and what is said.
fails() {
	local text=$1 wanted_code=$2 wanted=$3 out rc
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	if [ "$rc" = "$wanted_code" ] && grep -qF -- "$wanted" <<<"$out"; then ok
	else not_ok "$text: exit $rc: $(head -n 6 <<<"$out")"; fi
}
# asked TEXT PYTHON COMMAND…: an expression over the answer's places (a list called p).
asked() {
	local text=$1 expression=$2 out
	shift 2
	out=$("$@" 2>/dev/null | python3 -c 'import json, sys
p = json.load(sys.stdin)["code"]
print('"$expression"')' 2>&1)
	if [ "$out" = True ]; then ok; else not_ok "$text: $out"; fi
}

regs=$samples/criu/a-regs mem=$samples/criu/l-mem
# a-regs.txt: it spins, counting in r12.
asked "a-regs stands in its loop" '[(i["mnemonic"], i["current"]) for i in p[0]["instructions"]][3:5]
	== [("inc", False), ("jmp", True)] and p[0]["ip"] == p[0]["instructions"][4]["address"]
	and p[0]["mode"] == "64-bit" and p[0]["reason"] is None and p[0]["where"] == "a_regs+0x15d2"' \
	code --json "$regs" code
has "the current instruction" "=> 555923b975d2  eb fb                  jmp    0x555923b975cf" code "$regs" code
has "Intel syntax" "lea    r15,[rax+0xf]" code --syntax intel "$regs" code
asked "--limit" 'len(p[0]["instructions"]) == 3' code --json --limit 3 "$regs" code
# l-mem.txt: an RWX page of 4095 nops and a ret.
asked "l-mem's code without a file" '[i["mnemonic"] for i in p[0]["instructions"]] == ["nop"] * 4095 + ["ret"]' \
	code --json --at 0x7ef42e8e7000+4096 "$mem" code
asked "--limit stops a range" 'len(p[0]["instructions"]) == 5 and p[0]["reason"].startswith("5 instructions")' \
	code --json --limit 5 --at 0x7ef42e8e7000+4096 "$mem" code
asked "the range ends with the area" 'len(p[0]["instructions"]) == 1' \
	code --json --at 0x7ef42e8e7fff+1 "$mem" code
# Zeros in a row are instructions too, but no more than 65,536 of them.
asked "no more than 65536 instructions" 'len(p[0]["instructions"]) == 65536' \
	code --json --at 0x7ef42ea00000+1099511627776 "$mem" code
has "bytes that are not there" \
	"libc.so.6+0xcf503: not in the image; no --sysroot was given" code "$mem" code
has "nothing is mapped" "0x10: nothing is mapped there" code --at 0x10 "$mem" code
has "the kernel's page" "[vsyscall]: the kernel's own" code --at '[vsyscall]' "$mem" code
asked "every thread is told of" 'len(p) == 8 and all(t["reason"] or t["instructions"] for t in p)' \
	code --json "$samples/criu/b-threads" code
asked "-t" 'len(p) == 1 and p[0]["tid"] == 10371' code --json -t 10371 "$samples/criu/b-threads" code
asked "registers differ by thread" 'len({t["address"] for t in p}) == 8' \
	code --json --at '$rsp' "$samples/criu/b-threads" code
# The vDSO is an ELF file in memory: names without any file.
has "vDSO names" "<__vdso_gettimeofday> ([vdso])" code --at __vdso_gettimeofday "$regs" code
has "vDSO jumps" "<__vdso_gettimeofday+0x" code --at __vdso_gettimeofday "$regs" code
for syntax in att intel; do
	for image in $(images "$samples/criu"); do
		at=$(code --json "$image" code --at __vdso_gettimeofday 2>/dev/null |
			python3 -c 'import json, sys; print(json.load(sys.stdin)["code"][0]["address"])' 2>/dev/null)
		[ -n "$at" ] || continue
		claim "vDSO of $image, $syntax" sh -c '"$1" inspect --json --syntax "$4" --at "$5+600" "$2" code |
			python3 "$3" bytes "$4"' sh "$crimg" "$image" "$here/code_oracle.py" "$syntax" "$at"
	done
	claim "a-regs, $syntax" sh -c '"$1" inspect --json --syntax "$4" --limit 200 "$2" code |
		python3 "$3" bytes "$4"' sh "$crimg" "$regs" "$here/code_oracle.py" "$syntax"
done
compat=$samples/criu/j-compat32
if [ -d "$compat" ]; then
	# j-compat32.txt: spins with ebx=0x1111 esi=0x2222 edi=0x3333, ecx counts.
	asked "32-bit code" 'p[0]["mode"] == "32-bit" and [i["mnemonic"] for i in p[0]["instructions"] if i["current"]]
		in (["inc"], ["jmp"]) and "$0x3333,%edi" in [i["operands"].replace("mov ", "") for i in p[0]["instructions"]]' \
		code --json "$compat" code
	for syntax in att intel; do
		claim "32-bit code, $syntax" sh -c '"$1" inspect --json --syntax "$4" --limit 200 "$2" code |
			python3 "$3" bytes "$4"' sh "$crimg" "$compat" "$here/code_oracle.py" "$syntax"
	done
else
	skip "no 32-bit sample"
fi
fails "no such name" 2 "--at: no_such: no process has a mapping" code --at no_such "$regs" code
fails "no address" 2 "--at: 7f10: wanted an address" code --at 7f10 "$regs" code
fails "no register" 2 "no register has this name" code --at '$xyz' "$regs" code

if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then
	skip "the peer criu could not be fetched"
	finish
	exit
fi
if [ "$(id -u)" != 0 ]; then
	skip "criu dump needs root"
	finish
	exit
fi
cat >"$work/prog.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <unistd.h>
struct row { const char *name; int number; } rows[] = { { "first row", 1 }, { "second row", 2 } };
static volatile double sum;
static volatile long double wide = 1.5L;
__attribute__((noinline)) static int choose(int n)
{
	switch (n) {
	case 0: return 17;
	case 1: return getpid();
	case 2: return rows[n & 1].number << n;
	case 3: sum += n / 3.0; return (int)sum;
	case 4: wide *= n; return (int)wide;
	case 5: return (short)n * (unsigned char)n;
	default: return n < 0 ? -n : n >> 3;
	}
}
__attribute__((noinline)) static void stay(void) { for (;;) pause(); }
int main(int argc, char **argv)
{
	char buffer[300];
	long total = 0;
	memset(buffer, argc, sizeof buffer);
	for (int i = -3; i < 40; i++)
		total += choose(i) + buffer[i & 255] + strlen(argv[0]);
	printf("ready %ld %s\n", total, rows[total & 1].name);
	fflush(stdout);
	stay();
	return 0;
}
C
dump() { # NAME: starts $work/NAME, waits until it speaks, dumps it to $work/NAME.d
	local name=$1 pid
	mkdir -p "$work/$name.d"
	(cd "$work" && exec setsid "$work/$name" </dev/null >"$work/$name.out" 2>&1) &
	pid=$!
	disown "$pid"
	for _ in $(seq 50); do
		sleep 0.1
		grep -q . "$work/$name.out" && break
	done
	if "$peer/criu" dump -t "$pid" -D "$work/$name.d" -o dump.log >/dev/null 2>&1; then
		ok
	else
		skip "criu dump of $name failed here: $(grep Error "$work/$name.d/dump.log" | tail -n 1)"
		kill -KILL -- "-$pid" 2>/dev/null
		return 1
	fi
}
compare() { # NAME SYSROOT: main and choose in both syntaxes
	local name=$1 root=$2 syntax function
	for syntax in att intel; do
		for function in main choose stay; do
			claim "$name: $function, $syntax" sh -c '"$1" inspect --json --syntax "$4" --sysroot "$2" \
				--at "$5" --limit 400 "$6" code | python3 "$3" function "$7" "$5" "$4"' sh "$crimg" \
				"$root" "$here/code_oracle.py" "$syntax" "$function" "$work/$name.d" "$work/$name"
		done
	done
}
build() { # NAME FLAGS…
	local name=$1 source=$work/prog.c
	[ -e "$work/$name.c" ] && source=$work/$name.c
	shift
	cc -w -Wl,--build-id "$@" -o "$work/$name" "$source" 2>/dev/null || {
		skip "cc $* does not work here"
		return 1
	}
}
build pie -O1 -fpie -pie && dump pie && compare pie /
build fixed -O2 -fno-pie -no-pie && dump fixed && compare fixed /
build slow -O0 && dump slow && compare slow /
build thin -O1 -Wl,-z,noseparate-code -Wl,-z,now && dump thin && compare thin /
# 32-bit programs do without a C library: few machines have one.
cat >"$work/small.c" <<'C'
static const char *const names[] = { "ready\n", "never\n" };
static int call(int number, int a, const void *b, int c)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}
__attribute__((noinline)) int choose(int n)
{
	switch (n) {
	case 0: return 17;
	case 1: return call(20, 0, 0, 0);
	case 2: return n << n;
	case 5: return (short)n * (unsigned char)n;
	default: return n < 0 ? -n : n >> 3;
	}
}
__attribute__((noinline)) void stay(void) { for (;;) call(29, 0, 0, 0); }
int main(void)
{
	int total = 0;
	for (int i = -3; i < 40; i++)
		total += choose(i);
	call(4, 1, names[total < 0], 6);
	stay();
	return total;
}
__asm__(".globl _start\n_start: call main\n");
C
build small -m32 -O1 -fno-pic -no-pie -nostdlib -static && dump small && compare small / &&
	asked "a 32-bit thread" 'p[0]["mode"] == "32-bit" and "stay" in p[0]["where"] or "call" in p[0]["where"]' \
		code --json --sysroot / "$work/small.d" code
if [ -e "$work/pie.d/inventory.img" ]; then
	image=$work/pie.d root=$work/root file=$work/root$work/pie
	has "a thread in a library" "syscall" code --sysroot / "$image" code
	asked "where it stands" 'p[0]["where"].split("+")[0].strip("_").endswith("pause")
		and [i["mnemonic"] for i in p[0]["instructions"] if i["current"]] == ["syscall"]' \
		code --json --sysroot / "$image" code
	has "calls are named" "<choose>" code --sysroot / --at main --limit 200 "$image" code
	has "stubs are named" "<printf@plt>" code --sysroot / --at main --limit 200 "$image" code
	has "texts are shown" '"ready %ld %s\n"' code --sysroot / --at main --limit 200 "$image" code
	has "objects are named" "<rows" code --sysroot / --at main --limit 200 "$image" code
	has "slots are followed" "(libc.so.6)>" code --sysroot / --at printf@plt "$image" code
	# Nothing there; then the file; then other files in its place.
	mkdir -p "$(dirname "$file")"
	fails "empty sysroot" 2 "no process has a mapping, symbol" code --sysroot "$root" --at main "$image" code
	has "not in the sysroot" "not in the sysroot" code --sysroot "$root" "$image" code
	has "not asked for" "no --sysroot was given" code "$image" code
	cp "$work/pie" "$file"
	compare pie "$root"
	cp "$work/pie" "$work/plain"
	strip "$file"
	has "stripped: another size" "bytes found" code --sysroot "$root" --at pie+0x1000 "$image" code
	head -c 5000 "$work/plain" >"$file"
	has "cut short" "differs: 5000 bytes found" code --sysroot "$root" --at pie+0x1000 "$image" code
	id=$(readelf -n "$work/plain" | sed -n 's/.*Build ID: *//p')
	python3 - "$work/plain" "$file" "$id" <<'P'
import sys
data, id = open(sys.argv[1], "rb").read(), bytes.fromhex(sys.argv[3])
assert data.count(id) == 1
open(sys.argv[2], "wb").write(data.replace(id, id[::-1]))
P
	has "another build-id" "differs: build-id" code --sysroot "$root" --at pie+0x1000 "$image" code
	# The same file, as far as the image tells, with everything else in it damaged.
	for seed in $(seq 60); do
		python3 - "$work/plain" "$file" "$id" "$seed" <<'P'
import random, sys
data, id = bytearray(open(sys.argv[1], "rb").read()), bytes.fromhex(sys.argv[3])
random.seed(int(sys.argv[4]))
at = bytes(data).index(id)
tables = int.from_bytes(data[40:48], "little")
for _ in range(8):
    where = random.choice([random.randrange(64, 1000), random.randrange(tables, len(data)),
                           random.randrange(64, len(data))])
    if not at - 16 <= where < at + 20:
        data[where] = random.choice([0, 0xff, 0x7f, random.randrange(256)])
open(sys.argv[2], "wb").write(data)
P
		out=$(code --sysroot "$root" --at pie+0x1000 "$image" code 2>&1)
		rc=$?
		case $rc:$out in
		*Sanitizer* | 1[2-9][0-9]:*) not_ok "damaged file $seed: exit $rc: $(head -n 8 <<<"$out")" ;;
		*) ok ;;
		esac
	done
	# A stripped program whose names lie in a debug file.
	cp "$work/plain" "$work/bare"
	objcopy --only-keep-debug "$work/bare" "$work/bare.debug"
	strip "$work/bare"
	if dump bare; then
		mkdir -p "$root$work" "$root/usr/lib/debug/.build-id/${id:0:2}"
		cp "$work/bare" "$root$work/bare"
		fails "stripped" 2 "no process has a mapping" code --sysroot "$root" --at choose "$work/bare.d" code
		cp "$work/bare.debug" "$root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
		cp "$work/plain" "$work/bare" # for objdump
		compare bare "$root"
	fi
fi
finish
