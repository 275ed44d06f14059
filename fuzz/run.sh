#!/bin/bash
# Fuzzes every target with libFuzzer for a while; crashers stay in BUILD/fuzz/found/TARGET.
#   run.sh BUILD SECONDS SAMPLES    BUILD/fuzz/lib_TARGET; a crimg that writes seeds: BUILD/crimg, build/crimg
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
crimg=$build/crimg
[ -x "$crimg" ] || crimg=$here/../build/crimg
corpus=$build/fuzz/corpus
# The same targets with AFL++:  make MODE=fuzz CC=afl-clang-fast build/fuzz/fuzz/lib_message
#   afl-fuzz -x fuzz/dictionary.txt -i SEEDS -o FOUND -- build/fuzz/fuzz/lib_message
code=0
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
"$here/make_corpus.py" "$crimg" "$corpus" "$@" || exit 2
for target in "$build"/fuzz/lib_*; do
	name=${target##*/lib_}
	[ -x "$target" ] && [[ $name != *.* ]] || continue
	found=$build/fuzz/found/$name
	mkdir -p "$found" "$corpus/$name"
	seeds=()
	[ -d "$here/regress/$name" ] && seeds=("$here/regress/$name")
	"$target" -max_total_time="$seconds" -max_len=131072 -timeout=10 -rss_limit_mb=2048 \
		-dict="$here/dictionary.txt" -artifact_prefix="$found/" -print_final_stats=1 \
		"$corpus/$name" "${seeds[@]}" >"$found/log" 2>&1
	if [ $? = 0 ]; then
		printf '%-12s %s runs, nothing found\n' "$name" \
			"$(sed -n 's/stat::number_of_executed_units: //p' "$found/log")"
	else
		code=1
		printf '%-12s FOUND: see %s\n' "$name" "$found"
		grep -m 3 -E 'CLAIM|ERROR|SUMMARY|runtime error' "$found/log"
	fi
done
exit $code
