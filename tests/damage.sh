#!/bin/bash
# Damaged samples: each run ends in a result or in one clear line. Most runs are made in one process
# (damage.c); some here through the real binary, which also reads them from a pipe.
#   damage.sh BUILD SAMPLES…    BUILD holds crimg and tests/damage, best with sanitizers
build=$1
shift
. "$(dirname "$0")/lib.sh"
crimg=$build/crimg
if out=$("$build/tests/damage" "$@" 2>"$work/report"); then :; else
	grep ^FAILED <<<"$out" | head -n 20
	grep -m 5 -E 'ERROR|SUMMARY|runtime error' "$work/report"
fi
if [[ $(tail -n 1 <<<"$out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
else
	not_ok "tests/damage ended early: $(tail -n 3 "$work/report")"
fi

# ends NAME COMMAND…: exit 0 without a word, or 2 with one line that holds NAME; nothing is left behind.
ends() {
	local name=$1 code lines
	shift
	timeout 10 "$@" >"$work/out.txt" 2>"$work/err.txt"
	code=$?
	lines=$(wc -l <"$work/err.txt")
	if [ "$code" = 0 ] && [ "$lines" = 0 ]; then ok
	elif [ "$code" = 2 ] && [ "$lines" = 1 ] && grep -qF -- "$name" "$work/err.txt"; then ok
	else not_ok "$*: exit $code: $(head -n 3 "$work/err.txt")"; fi
	if [ "$code" != 0 ] && ls -A "$work/to" | grep -q .; then
		not_ok "$* left $(ls -A "$work/to" | tr '\n' ' ')"
	fi
	rm -rf "$work/to"
	mkdir "$work/to"
}
all() { # NAME IMAGE: every verb that reads
	ends "$1" "$crimg" inspect "$2" summary maps objects
	ends "$1" "$crimg" inspect --json "$2" summary maps objects
	ends "$1" "$crimg" convert "$2" "$work/to/target.crimg"
	ends "$1" "$crimg" convert "$2" "$work/to/target"
	ends "$1" "$crimg" convert --allow-incomplete "$2" "$work/to/target.tar.zst"
	ends "$1" "$crimg" convert -t json "$2" "$work/to/target.json"
}
mkdir "$work/to"
RANDOM=20240501
n=0
for dir in $(images "$@"); do
	[ $((n += 1)) -le 4 ] || break
	for what in core pagemap pages inventory; do
		cp -r "$dir" "$work/img" && chmod -R u+w "$work/img"
		file=$(ls "$work/img" | grep "^$what" | head -n 1)
		[ -n "$file" ] && truncate -s $(($(stat -c %s "$work/img/$file") * (RANDOM % 64) / 64)) "$work/img/$file"
		all img "$work/img"
		rm -rf "$work/img"
	done
	"$crimg" convert --allow-incomplete "$dir" "$work/x.crimg" || not_ok "$dir to a stream"
	size=$(stat -c %s "$work/x.crimg")
	for i in 1 2 3 4; do
		head -c $((size * RANDOM / 32768)) "$work/x.crimg" >"$work/cut.crimg"
		all cut.crimg "$work/cut.crimg"
		ends "standard input" sh -c '"$1" convert - "$2" <"$3"' sh "$crimg" "$work/to/target" "$work/cut.crimg"
		ends "standard input" sh -c 'cat "$2" | "$1" inspect - objects' sh "$crimg" "$work/cut.crimg"
	done
done
[ "$n" -gt 0 ] || not_ok "no image was found in $*"
finish
