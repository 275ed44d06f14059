#!/bin/bash
# Early CRIU images (September 2011, July 2012), built from their description by generators that share nothing with crimg:
# what was put in is told after every conversion; what is wrong is told with its place; other early images are named.
#   early.sh CRIMG SAMPLES
crimg=$(realpath "$1") samples=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$work" || exit 2
gen() { python3 "$here/early_gen.py" "$@"; }
quiet() { "$@" >"$work/out"; }
views="summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc stats objects"
claim "an image is built" gen good img
claim "samples/criu-early is it" diff -r img "$samples/criu-early"
claim "[R-1101] what was put in" python3 "$here/early_oracle.py" "$crimg" img
# shellcheck disable=SC2086
claim "all views" quiet "$crimg" inspect img $views
claim "a report" "$crimg" report img -o x.html
claim "to a stream" "$crimg" convert img x.crimg
claim "to a directory" "$crimg" convert -t criu img dir
claim "to JSON" "$crimg" convert -t json img x.json
tar -cf x.tar -C img --transform 's,^\./,deep/down/,' .
for image in x.crimg dir x.json x.tar; do
	claim "[R-1102] what was put in, from $image" python3 "$here/early_oracle.py" "$crimg" $image
	claim "$image is the same" quiet "$crimg" diff img $image
done
claim "to cores" quiet "$crimg" convert --allow-loss -t core img cores
if [ "$(ls cores 2>/dev/null)" = "$(printf 'core.%s\n' 10 11 12 13)" ]; then ok; else not_ok "cores: $(ls cores)"; fi
"$crimg" inspect --raw cores/core.11 mem --at 0x601000+4096 >found 2>err
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import early_gen as g; sys.stdout.buffer.write(g.page(4))' "$here" >wanted
claim "a page of a core" cmp found wanted
"$crimg" validate img >out 2>&1
if [ $? = 1 ] && grep -q 'CI-0521' out && ! grep -q 'CI-01\|CI-03\|CI-041[0-9]' out; then ok
else not_ok "validate: what was not held yet is missing, and nothing else: $(head -n 3 out)"; fi
# What is wrong is told with its place, and what can be read is shown: GENERATOR, and a PID that is still there.
damaged() {
	while IFS=$'\t' read -r worst name words; do
		rm -rf bad to
		python3 "$here/$1" "$name" bad
		out=$("$crimg" convert -t criu bad to 2>&1)
		code=$?
		if [ $code = 2 ] && grep -qF -- "$words" <<<"$out" && [ ! -e to ]; then ok; else not_ok "$name: exit $code: $out (wanted: $words)"; fi
		"$crimg" validate bad >out 2>&1
		code=$?
		if [ $code = "$worst" ] && { [ "$worst" = 2 ] || grep -q 'CI-0[12]' out; }; then ok; else not_ok "$name: validate: exit $code: $(head -n 2 out)"; fi
		[ "$worst" = 2 ] || "$crimg" inspect bad tree 2>/dev/null | grep -q "^ *$2 " && ok || not_ok "$name: what is readable is not shown"
	done < <(python3 "$here/$1" --list)
}
damaged early_gen.py 13
# The set of July 2012.
claim "an image of 2012 is built" python3 "$here/early2012_gen.py" good late
claim "samples/criu-early-2012 is it" diff -r late "$samples/criu-early-2012"
claim "[R-1104] what was put in, of 2012" python3 "$here/early2012_oracle.py" "$crimg" late
# shellcheck disable=SC2086
claim "all views of 2012" quiet "$crimg" inspect late $views
claim "2012 to a stream" "$crimg" convert late y.crimg
claim "2012 to a directory" "$crimg" convert -t criu late late-dir
tar -cf y.tar -C late --transform 's,^\./,deep/down/,' .
for image in y.crimg late-dir y.tar; do
	claim "what was put in, from $image" python3 "$here/early2012_oracle.py" "$crimg" $image
	claim "$image is the same" quiet "$crimg" diff late $image
done
"$crimg" convert --allow-loss -t core late late-cores 2>err
if [ $? = 0 ] && grep -q 'pagemap-20.img: 1 pages left out, the first at 0x700000' err; then ok; else not_ok "2012 to cores: $(cat err)"; fi
"$crimg" inspect --raw late-cores/core.23 mem --at 0x601000+4096 >found 2>err
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import early_gen as g; sys.stdout.buffer.write(g.page(5))' "$here" >wanted
claim "a page of a core of 2012" cmp found wanted
"$crimg" validate late >out 2>&1
if [ $? = 1 ] && grep -q 'CI-0301.*descriptor 9 is file 77' out && ! grep -q 'CI-0[12]' out; then ok
else not_ok "validate of 2012: descriptors of files that were not read are told: $(head -n 3 out)"; fi
damaged early2012_gen.py 23
# The same magic with messages behind it is an image of CRIU, not this one. [R-1105]
python3 "$here/early2012_gen.py" tree-of-messages new
out=$("$crimg" inspect new 2>&1)
if [ $? = 2 ] && grep -q 'new/core-20.img' <<<"$out"; then ok; else not_ok "messages behind a magic that both have: $out"; fi
refuses() { # WORDS FILE
	out=$("$crimg" inspect "$2" 2>&1)
	code=$?
	if [ $code = 2 ] && grep -qF -- "$1" <<<"$out"; then ok; else not_ok "$2: exit $code: $out"; fi
}
python3 - <<'P'
import struct
open("binfmt", "wb").write(struct.pack("<II", 0xa75b8d43, 0x100) + bytes(400))
open("elf", "wb").write(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 5, 62, 1) + bytes(100))
P
refuses "a checkpoint of the binfmt patches of June 2011 found" binfmt # [R-1103]
refuses "a checkpoint in ELF of 2011 found" elf
refuses "one core of an early CRIU image found" img/core-10.img
python3 - <<'P'
import struct
packed = struct.pack("<IHHI", 0x55053847, 1, 1, 0).ljust(4 + 8192, b"\0")
open("core-7.img", "wb").write(packed)
# Of today's: a message of that length would be cut.
open("core-8.img", "wb").write(packed + b"\0")
P
refuses "one core of a set of packed structures of 2012 found" core-7.img
out=$("$crimg" inspect core-8.img 2>&1)
if [ $? = 2 ] && ! grep -q 2012 <<<"$out"; then ok; else not_ok "a cut core of today: $out"; fi
finish
