#!/bin/bash
# Replays a fresh seed corpus and every crasher found so far through every fuzz target.
#   replay.sh BUILD SAMPLES    BUILD holds crimg and fuzz/replay_TARGET
build=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/lib.sh"
"$here/make_corpus.py" "$build/crimg" "$work/corpus" "$@" || not_ok "no corpus could be made"
for replay in "$build"/fuzz/replay_*; do
	[ -x "$replay" ] && [[ ${replay##*/} != *.* ]] || continue
	target=${replay##*/replay_}
	folders=()
	for f in "$work/corpus/$target" "$here/regress/$target"; do [ -d "$f" ] && folders+=("$f"); done
	if out=$("$replay" "${folders[@]}" 2>&1) && [ "${#folders[@]}" -gt 0 ]; then
		passed=$((passed + $(tail -n 1 <<<"$out" | sed 's/ passed.*//')))
	else
		not_ok "$target: $(grep -m 3 -E 'CLAIM|ERROR|replay:|runtime error' <<<"$out")"
	fi
done
[ "$passed" -gt 0 ] || not_ok "no fuzz target was built in $build/fuzz"
finish
