#!/bin/bash
# criu 4.2 as the judge of `crimg validate`: an image that it made here is damaged by every recipe that fits, and
# what criu refuses, hangs on, crashes on or restores with lost state must be an error, and nothing else.
#   peer_validate.sh CRIMG PEER     PEER: the folder that peer/peer.sh filled, or "none"
crimg=$(realpath "$1")
peer=$2
here=$(realpath "$(dirname "$0")")
. "$here/lib.sh"
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then
	skip "no living peer to judge"
	finish
	exit
fi
cc -O1 -Wall -pthread -o "$work/witness" "$here/findings/witness.c" -lm || exit 2
mkdir "$work/judged"
out=$(python3 "$here/findings/cross_check.py" "$crimg" "$(realpath "$peer")" "$work/witness" "$work/judged" 2>&1)
line=$(tail -n 1 <<<"$out")
if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(, 1 skipped)?$ ]]; then
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	[ -z "${BASH_REMATCH[3]}" ] || skipped=$((skipped + 1))
	head -n -1 <<<"$out"
else
	not_ok "cross_check.py: $line"
fi
# Fewer than this would be a test that says little.
judged=$(sed -n 's/^\([0-9]*\) damaged images judged$/\1/p' <<<"$out")
[ "$skipped" -gt 0 ] || [ "${judged:-0}" -ge 40 ] && ok || not_ok "only ${judged:-0} recipes fit the image, 40 wanted"
finish
