#!/bin/bash
# A checkpoint that leaves a tree running loses no system call and repeats none: the kernel's own record of all calls
# (tracefs), and strace right before and after, say so. tests/undisturbed.py says how, and what it takes for wrong; that
# recordings which were made wrong are found out is shown, too.
#   undisturbed.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
in_memory=1 # while a disk writes, the programs would call more than can be looked at
. "$here/lib.sh"
programs=$here/../samples/programs
instances=/sys/kernel/tracing/instances
if ! mkdir "$instances/crimg-try-$$" 2>/dev/null || ! rmdir "$instances/crimg-try-$$"; then
	skip "NO SYSTEM CALL IS LOST OR REPEATED: not shown here, the kernel's tracer (tracefs) is missing or not ours"
	finish
	exit
fi
cp "$programs"/* "$work"
for p in sequence blocked8 calls chain churn timers common; do
	cc -O1 -w -pthread -o "$work/$p" "$work/$p.c" || exit 2
done
command -v strace >/dev/null || skip "there is no strace"
# Numbers of processes are the kernel's in a recording: in a pid namespace they would be others.
if [ "$(readlink /proc/self/ns/pid)" != "pid:[4026531836]" ]; then
	skip "NO SYSTEM CALL IS LOST OR REPEATED: not shown in a pid namespace"
	finish
	exit
fi
mkdir "$work/runs"
"$(PATH=/usr/bin:/bin command -v python3)" "$here/undisturbed.py" "$crimg" "$work/runs" \
	"$work/"{sequence,blocked8,calls,chain,churn,timers,common} "/bin/bash $work/pipeline.sh" \
	"$(PATH=/usr/bin:/bin command -v python3) $work/sums.py" >"$work/said" 2>&1
read -r good bad < <(tail -n 1 "$work/said")
grep -A 3 'FAILED\|Error' "$work/said"
[[ ${good:-} =~ ^[0-9]+$ ]] || good=0 bad=1
passed=$((passed + good)) failed=$((failed + bad))
finish
