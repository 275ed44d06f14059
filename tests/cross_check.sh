#!/bin/bash
# criu is the judge of validate: images of a process tree, damaged in every way that fits, are given to both.
#   cross_check.sh CRIMG PEER
crimg=$(realpath "$1")
peer=$(realpath -m "$2")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if [ ! -x "$peer/criu" ]; then
	skip "no criu of today is here"
	finish
	exit
fi
cc -O1 -w -pthread -o "$work/witness" "$here/findings/witness.c" -lm || not_ok "witness.c does not compile"
out=$(python3 "$here/findings/cross_check.py" "$crimg" "$peer" "$work/witness" "$work" 2>&1)
line=$(tail -n 1 <<<"$out")
if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
	head -n -1 <<<"$out"
else
	not_ok "cross_check.py: $line"
fi
finish
