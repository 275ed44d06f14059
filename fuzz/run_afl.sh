#!/bin/bash
# Fuzzes every target with AFL++ for a while; crashers stay in BUILD/fuzz/found/TARGET.
#   run_afl.sh BUILD SECONDS SAMPLES    BUILD/fuzz/lib_TARGET; seeds are written with build/crimg
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
corpus=$build/fuzz/corpus
code=0
export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1
"$here/make_corpus.py" "$here/../build/crimg" "$corpus" "$@" || exit 2
for target in "$build"/fuzz/lib_*; do
	name=${target##*/lib_}
	[ -x "$target" ] && [[ $name != *.* ]] || continue
	found=$build/fuzz/found/$name
	mkdir -p "$found"
	afl-fuzz -V "$seconds" -i "$corpus/$name" -o "$found" -t 10000+ -m none \
		-x "$here/dictionary.txt" -- "$target" >"$found/log" 2>&1
	runs=$(sed -n 's/^execs_done *: //p' "$found/default/fuzzer_stats" 2>/dev/null)
	crashes=$(find "$found/default/crashes" "$found/default/hangs" -name 'id:*' 2>/dev/null | wc -l)
	if [ -n "$runs" ] && [ "$crashes" = 0 ]; then
		printf '%-12s %s runs, nothing found\n' "$name" "$runs"
	else
		code=1
		printf '%-12s %s runs, %s crashes and hangs: see %s\n' "$name" "${runs:-no}" "$crashes" "$found"
		[ -n "$runs" ] || tail -n 3 "$found/log"
	fi
done
exit $code
