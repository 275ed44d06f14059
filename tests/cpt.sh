#!/bin/bash
# OpenVZ images: the two samples that an independent generator made, and variants of every layout that ours makes; hostile
# ones.
#   cpt.sh CRIMG ASAN-CRIMG SAMPLES PEER    the second reads what is hostile
crimg=$(realpath "$1") asan=$(realpath "$2") samples=$3 peer=$4
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
views="summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc stats objects"
quiet() { "$@" >"$work/out"; }
for image in "$samples"/cpt/*.cpt; do
	name=${image##*/}
	claim "$name: what was put in" python3 "$here/cpt_samples.py" "$crimg" "$image"
	# shellcheck disable=SC2086
	claim "$name: all views" quiet "$crimg" inspect "$image" $views
	claim "$name: to a stream" "$crimg" convert "$image" "$work/x.crimg"
	claim "$name: to a directory" "$crimg" convert "$work/x.crimg" "$work/dir"
	claim "$name: to JSON" "$crimg" convert -t json "$image" "$work/x.json"
	claim "$name: to cores" "$crimg" convert --allow-loss --loss "$work/loss" -t core "$image" "$work/core"
	claim "$name: what was put in, from a directory" python3 "$here/cpt_samples.py" "$crimg" "$work/dir"
	claim "$name: from a pipe" sh -c 'cat "$2" | "$1" convert - "$3"' sh "$crimg" "$image" "$work/pipe.crimg"
	claim "$name: the same" cmp "$work/pipe.crimg" "$work/x.crimg"
	claim "$name: to itself" "$crimg" convert "$image" "$work/x.cpt"
	claim "$name: the same bytes" cmp "$image" "$work/x.cpt"
	for from in x.crimg dir x.json; do
		claim "$name: from $from back" "$crimg" convert -t cpt "$work/$from" "$work/x.cpt"
		claim "$name: [R-0911] the same bytes, from $from" cmp "$image" "$work/x.cpt"
		claim "$name: $from is no other" "$crimg" diff "$image" "$work/$from"
	done
	rm -rf "$work"/x.* "$work/pipe.crimg" "$work/dir" "$work/core"*
done
if [ "$peer" != none ] && [ -x "$peer/crit" ]; then
	claim "[R-0905] every layout" python3 "$here/cpt_oracle.py" "$crimg" "$work" "$peer/crit"
else
	skip "the peer crit could not be fetched"
	claim "[R-0905] every layout" python3 "$here/cpt_oracle.py" "$crimg" "$work"
fi
claim "hostile images" python3 "$here/cpt_hostile.py" "$asan" "$work"
# What cannot be written says why.
fails() { # WORDS COMMAND…
	local words=$1 out code
	shift
	out=$("$@" 2>&1 >/dev/null)
	code=$?
	if [ "$code" = 2 ] && grep -qF "$words" <<<"$out"; then ok; else not_ok "$*: exit $code: $out"; fi
}
one=$samples/cpt/snajpa-64.cpt
fails "written to a regular file only" "$crimg" convert -t cpt "$one" -
claim "compressed pages" "$crimg" convert --compress=lz4 "$one" "$work/lz4"
fails "were changed or compressed" "$crimg" convert "$work/lz4" "$work/y.cpt"
claim "compressed pages, made plain" "$crimg" convert --compress=none "$work/lz4" "$work/y.cpt"
claim "the same bytes" cmp "$one" "$work/y.cpt"
"$crimg" convert --allow-loss "$one" "$work/y.ckpt" 2>/dev/null && "$crimg" inspect "$work/y.ckpt" | grep -q linux-cr &&
	ok || not_ok "no kernel stream is made from $one"
# Images of CRIU become OpenVZ's: what differs is told, what cannot be is refused.
for name in a-regs b-threads d-files j-compat32 e-tcp e-sockets g-ns m-diff-1; do
	image=$samples/criu/$name
	rm -rf "$work/made.cpt" "$work/again.cpt" "$work/dir"
	"$crimg" convert "$image" "$work/made.cpt" >"$work/out" 2>&1
	if [ $? = 1 ] && [ ! -e "$work/made.cpt" ]; then ok; else not_ok "$name: made in silence"; fi
	claim "$name: made" sh -c '"$1" convert --allow-loss --loss "$2/loss" "$3" "$2/made.cpt" 2>"$2/err"' sh "$crimg" "$work" "$image"
	claim "$name: [R-0914] the layout of 042stab141" python3 "$here/cpt_made.py" "$work/made.cpt"
	"$crimg" validate "$work/made.cpt" >"$work/out"
	if grep -q ': error CI-' "$work/out" && ! grep ': error CI-' "$work/out" | grep -q 'not number 1'; then
		not_ok "$name: $(grep -m 1 ': error' "$work/out")"
	else ok; fi
	"$crimg" diff "$image" "$work/made.cpt" >"$work/diff"
	# what is left of processes: neither pages nor signals nor timers, of registers the number of a call that was over,
	# of mappings the kernel's own areas and advice
	odd=$(awk '/^[0-9]+ / { of = 1 } /^[a-z]/ { of = 0 } !of { next } /^  [a-z]/ { part = $1; next }
		part == "pages" || part == "signals" || part == "timers" { print; next }
		part == "registers" && !/orig_rax/ { print }
		part == "mappings" && !/vvar|vsyscall|advice/ { print }' "$work/diff")
	if [ -z "$odd" ]; then ok; else not_ok "$name: differs: $odd"; fi
	claim "$name: to a directory" "$crimg" convert -t criu "$work/made.cpt" "$work/dir"
	if [ "$name" = e-tcp ]; then
		# [R-0916] connections as they were, to the last byte and number
		claim "$name: the same sockets" sh -c '! grep -A 9 "^  sockets" "$1/diff"' sh "$work"
		i=1
		for stream in "$image"/tcp-stream-*.img; do
			i=$((i + 1))
			claim "$name: ${stream##*/} to the bit" cmp "$stream" "$work/dir/tcp-stream-$i.img"
		done
	fi
	claim "$name: back" "$crimg" convert "$work/dir" "$work/again.cpt"
	claim "$name: the same bytes" cmp "$work/made.cpt" "$work/again.cpt"
	# without the bytes it came with one is made, which is the same up to the order of what has no order
	rm "$work/dir/kernel-records.img"
	quiet "$crimg" convert --allow-loss --loss "$work/loss" "$work/dir" "$work/again.cpt" 2>/dev/null ||
		not_ok "$name: was not made again"
	if "$crimg" diff "$work/made.cpt" "$work/again.cpt" | grep -E '^  (pages|signals|timers|registers|mappings)'; then
		not_ok "$name: made twice, it differs"
	else ok; fi
done
fails "under seccomp, which has no place" "$crimg" convert --allow-loss "$samples/criu/k-limits" "$work/z.cpt"
fails "which has no place in an OpenVZ image" "$crimg" convert --allow-loss "$samples/criu/c-tree" "$work/z.cpt"
[ ! -e "$work/z.cpt" ] || not_ok "something was left"
finish
