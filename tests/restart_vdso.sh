#!/bin/bash
# Images whose vDSO is another kernel's: the tasks go on, their old addresses lead to this kernel's; again from a
# second image; and what is refused, or hostile.
#   restart_vdso.sh CRIMG BUILD
crimg=$(realpath "$1") build=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
if [ "${3:-}" != inside ]; then
	no() {
		printf 'SKIPPED restart_vdso.sh: %s\n0 passed, 0 failed, 1 skipped\n' "$1"
		exit 0
	}
	[ "$(id -u)" = 0 ] || no "numbers of one's choice need root"
	[ "$(uname -m)" = x86_64 ] || no "this machine has no 64-bit x86 vDSO"
	unshare --pid --fork --mount-proc true 2>/dev/null || no "no pid namespace can be made here"
	mkdir -p "$build/samples"
	cc -O1 -w -o "$build/samples/clocks" "$here/../samples/programs/clocks.c" -ldl || exit 2
	exec unshare --pid --fork --kill-child --mount-proc bash "$0" "$crimg" "$build" inside
fi
. "$here/lib.sh"
mkdir "$work/run" && cd "$work/run" || exit 2
begin() { # COMMAND…: its image is in $work/img
	setsid "$@" </dev/null >out 2>err &
	pid=$!
	disown $!
	for _ in $(seq 100); do
		grep -q ready out && break
		sleep 0.05
	done
	sleep 0.1
	rm -rf "$work/img"
	"$crimg" checkpoint -q -t criu "$pid" "$work/img" 2>"$work/said" || not_ok "$1 is not taken: $(cat "$work/said")"
}
other() { # KIND: a copy of the image, in $work/KIND; the offset of what no kernel has in $gone
	rm -rf "$work/$1"
	cp -a "$work/img" "$work/$1"
	gone=$(python3 "$here/vdso_other.py" "$crimg" "$work/$1" "$1") || not_ok "no image with vDSO $1"
}
proves() { # TEXT GO IMAGE OPTION…: it goes on, and finds what GO says
	local text=$1 go=$2 image=$3 code
	shift 3
	rm -f go
	(sleep 0.2 && echo "$go" >.go && mv .go go) &
	timeout -k 1 15 "$crimg" restart --wait "$@" "$image" 2>"$work/said"
	code=$?
	wait $!
	[ "$code" = 0 ] && ok || not_ok "$text: exit $code: $(cat err "$work/said")"
}
fails() { # TEXT PATTERN IMAGE: exit 2, says PATTERN, nothing is left
	timeout -k 1 15 "$crimg" restart "$3" 2>"$work/said"
	[ $? = 2 ] && grep -q -e "$2" "$work/said" && ok || not_ok "$1: $2 wanted: $(cat "$work/said")"
	[ ! -e "/proc/$pid" ] && ok || not_ok "$1: a task was left behind"
}
bridged='the vDSO is that of another kernel: its functions go on in this'

begin "$build/samples/clocks"
proves "this kernel's vDSO" same "$work/img"
grep -q "$bridged" "$work/said" && not_ok "this kernel's vDSO is taken for another's" || ok
kinds="bit other near"
at=$(sed -n 's/ .*\[vdso\]$//p' /proc/$$/maps) # a shorter one must have a page left
[ $((0x${at#*-} - 0x${at%-*})) = 4096 ] || kinds="$kinds short"
for kind in $kinds; do
	other $kind
	proves "vDSO $kind" "bridged $gone" "$work/$kind"
	grep -q "$bridged" "$work/said" && ok || not_ok "vDSO $kind: it is not said: $(cat "$work/said")"
done
other near
proves "vDSO near, in a pid namespace" "bridged $gone" "$work/near" --new-pids
other other
"$crimg" convert --compress=lz4 "$work/other" "$work/other.crimg" 2>/dev/null || not_ok "no stream of it"
proves "vDSO other, from a stream" "bridged $gone" "$work/other.crimg"

# A task with a bridge is taken again: what was the vDSO is memory of its own, and the child shares it.
rm -f go
timeout -k 1 15 "$crimg" restart "$work/other" 2>"$work/said" >"$work/root" || not_ok "not restarted: $(cat "$work/said")"
child=$(cat "/proc/$pid/task/$pid/children")
[ "$(grep -c '\[vdso\]' "/proc/$pid/maps")" = 1 ] && ok || not_ok "its maps: $(cat "/proc/$pid/maps")"
[ "$(grep -c '\[vdso\]' "/proc/${child% }/maps")" = 1 ] && ok ||
	not_ok "the child's maps: $(cat "/proc/${child% }/maps")"
"$crimg" checkpoint -q -t criu "$pid" "$work/second" 2>"$work/said" && ok || not_ok "a second image: $(cat "$work/said")"
proves "from a second image" "bridged $gone" "$work/second"
grep -q "$bridged" "$work/said" && not_ok "from a second image: another kernel's again" || ok
cp -a "$work/second" "$work/third"
python3 "$here/vdso_other.py" "$crimg" "$work/third" bit >/dev/null && proves "from a second image, under a third kernel" "bridged $gone" "$work/third"

# A thread that stands in the old code.
"$crimg" convert -t json "$work/other/core-$pid.img" "$work/core.json" && python3 - "$work/core.json" "$(
	"$crimg" inspect "$work/other" maps | awk '/\[vdso\]/ { sub("-.*", "", $1); print $1; exit }')" <<'P'
import json, re, sys
text = open(sys.argv[1]).read()
at = int(sys.argv[2], 16) + 2048
open(sys.argv[1], "w").write(re.sub(r'"ip": ?[^,]+,', f'"ip": "{at:#x}",', text, count=1))
P
cp -a "$work/other" "$work/inside" && rm "$work/inside/core-$pid.img"
"$crimg" convert -f json -t criu "$work/core.json" "$work/inside/core-$pid.img" || not_ok "no core with another ip"
fails "a thread inside the vDSO" 'it is inside the vDSO, at 0x[0-9a-f]*800, which is that of another kernel' "$work/inside"

hostile() { # KIND PATTERN
	other "$1"
	fails "vDSO $1" "$2" "$work/$1"
}
hostile tiny 'function __vdso_[a-z]* of another kernel has 4 bytes, [58] wanted'
hostile table 'the vDSO of task [0-9]*: .*the symbols: [0-9]* bytes wanted, the vDSO has'
hostile strings 'the string table: 1099511627776 bytes wanted'
hostile name 'does not end in the string table'
hostile function 'function __vdso_gone, 8 bytes at 0x[0-9a-f]*, is not inside the vDSO'
hostile hash 'a hash table: 4 bytes wanted'
hostile header 'the program headers: 112 bytes wanted'
hostile empty 'no symbols, strings or hash table'

finish
