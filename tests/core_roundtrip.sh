#!/bin/bash
# A core through crimg and out again is the same to gdb: registers of all threads, memory, backtraces [R-0715];
# and the same to crimg, bit for bit.
#   core_roundtrip.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if ! "$crimg" formats --json | python3 -c 'import json, sys
sys.exit(not any(f["name"] == "core" and f["writes"] for f in json.load(sys.stdin)["formats"]))'; then
	skip "this crimg writes no cores"
	finish
	exit
fi
command -v gdb >/dev/null || skip "gdb is not here"

# seen PROGRAM CORE ADDRESS…: what gdb shows of it, without the name of the file.
seen() {
	local program=$1 core=$2 at commands=()
	shift 2
	for at in "$@"; do commands+=(-ex "x/64xb $at" -ex "x/8xb $at+4088"); done
	gdb -batch -nx -ex 'set pagination off' -ex 'set width 0' -ex 'info threads' \
		-ex 'thread apply all info all-registers' -ex 'thread apply all bt' -ex 'info auxv' \
		-ex 'p $_siginfo' -ex 'info signals SIGABRT' "${commands[@]}" "$program" "$core" 2>&1 |
		sed "s|$core|CORE|g"
}
# The first page of every area of which something is in the image.
addresses() {
	"$crimg" inspect --json "$1" maps | python3 -c 'import json, sys
for a in json.load(sys.stdin)["maps"][0]["areas"]:
    if a["bytes_in_image"]: print(a["start"])'
}
# What the kernel did not dump is not in what comes out either: that is said, and no reason to stop.
to_core() { "$crimg" convert --allow-loss -t core "$1" "$2" 2>/dev/null; }
# "TID OWNER TYPE" of all notes.
notes() {
	"$crimg" convert -t json "$1" - | python3 -c 'import json, sys
for o in json.load(sys.stdin)["objects"]:
    if o.get("magic") == "ELF_NOTES":
        for n in o["entries"]: print(n.get("tid"), n["name"], n["type"])'
}
areas() {
	"$crimg" inspect --json "$1" maps | python3 -c 'import json, sys
for a in json.load(sys.stdin)["maps"][0]["areas"]:
    print(a["start"], a["end"], a["permissions"], a["offset"], a["name"])'
}
round() { # TEXT CORE PROGRAM
	local text=$1 core=$2 program=$3 w=$work/round
	rm -rf "$w" && mkdir "$w"
	claim "$text: to a stream" "$crimg" convert "$core" "$w/x.crimg"
	claim "$text: to a core" to_core "$w/x.crimg" "$w/x.core"
	claim "$text: at once" to_core "$core" "$w/y.core"
	[ "$(stat -c %s "$w/x.core")" -gt 1000000000 ] || # cmp reads the holes too
		claim "$text: at once the same" cmp "$w/x.core" "$w/y.core"
	claim "$text: the core to a directory" "$crimg" convert "$core" "$w/a"
	claim "$text: what came out to a directory" "$crimg" convert "$w/x.core" "$w/b"
	# Zeros of a stream become holes, gdb's notes those of a kernel; all else is the same, bit for bit.
	local but=(-x 'pages-*' -x 'pagemap-*')
	case $text in gcore*) but+=(-x 'elf-notes-*' -x 'mm-*') ;; esac
	claim "$text: crimg sees the same" diff -r "${but[@]}" "$w/a" "$w/b"
	claim "$text: the same areas" diff <(areas "$core") <(areas "$w/x.core")
	claim "$text: the same notes" diff <(notes "$core") <(notes "$w/x.core")
	claim "$text: registers" python3 "$here/core_read_oracle.py" notes "$crimg" "$w/x.core"
	claim "$text: memory" python3 "$here/core_read_oracle.py" memory "$w/x.core" "$w/b"
	claim "$text: the same bytes at the same addresses" python3 "$here/core_read_oracle.py" same "$core" "$w/x.core"
	command -v gdb >/dev/null || return
	mapfile -t at < <(addresses "$core")
	seen "$program" "$core" "${at[@]}" >"$w/gdb-a"
	seen "$program" "$w/x.core" "${at[@]}" >"$w/gdb-b"
	if [ "$(grep -c '^0x' "$w/gdb-a")" -ge 16 ] && grep -q '^rip\|^eip' "$w/gdb-a"; then ok
	else not_ok "$text: gdb: $(head "$w/gdb-a")"; fi
	claim "$text: gdb sees the same" diff "$w/gdb-a" "$w/gdb-b"
}
# As git leaves them zeros may be holes or not: both ways.
for core in "$here"/../samples/cores/*.core; do
	for how in never always; do
		cp --sparse=$how "$core" "$work/sample.core"
		round "${core##*/}, sparse $how" "$work/sample.core" /nonexistent
	done
done

cc -w -g -O1 -pthread -o "$work/crasher" "$here/../samples/programs/crasher.c" || not_ok "crasher.c does not compile"
case $(cat /proc/sys/kernel/core_pattern) in
*/* | '|'*) skip "the kernel here gives its cores to no plain file" ;;
*)
	for how in abort huge; do
		mkdir "$work/$how"
		(cd "$work/$how" && ulimit -c unlimited && exec "$work/crasher" maps $how) >/dev/null 2>&1 &
		wait $! 2>/dev/null
		mv "$work/$how"/core* "$work/$how/core" 2>/dev/null
		if [ -s "$work/$how/core" ]; then round "kernel's crasher $how" "$work/$how/core" "$work/crasher"
		else skip "the kernel here made no core"; fi
	done
	;;
esac
if command -v gcore >/dev/null; then
	"$work/crasher" "$work/maps" wait >"$work/out" &
	pid=$!
	for _ in $(seq 100); do
		grep -q ready "$work/out" && break
		sleep 0.1
	done
	gcore -o "$work/gcore" $pid >/dev/null 2>&1
	kill -KILL $pid
	wait $pid 2>/dev/null
	if [ -s "$work/gcore.$pid" ]; then round "gcore's crasher" "$work/gcore.$pid" "$work/crasher"
	else skip "gcore made no core here"; fi
fi
finish
