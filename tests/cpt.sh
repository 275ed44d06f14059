#!/bin/bash
# OpenVZ images: the two samples that an independent generator made, and variants of every layout that ours makes; hostile
# ones.
#   cpt.sh CRIMG SAMPLES PEER
crimg=$(realpath "$1") samples=$2 peer=$3
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
claim "hostile images" python3 "$here/cpt_hostile.py" "$crimg" "$work"
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
finish
