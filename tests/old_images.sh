#!/bin/bash
# Images as CRIU 1.x wrote them: the same views, and bit for bit through everything. A stream from before digests.
#   old_images.sh CRIMG SAMPLES
crimg=$1 samples=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
for name in b-threads c-tree d-files e-sockets k-limits; do
	new=$samples/criu/$name old=$work/images/$name/$name
	mkdir -p "$work/images/$name"
	claim "$name made old" "$here/old_image.py" "$crimg" "$new" "$old"
	views="tree sockets signals timers creds"
	[ "$name" = c-tree ] || views="$views fds maps" # c-tree has a memfd, which no CRIU 1.x knew
	for view in $views; do
		"$crimg" inspect --width 0 "$new" $view >"$work/new.txt" 2>&1
		"$crimg" inspect --width 0 "$old" $view >"$work/old.txt" 2>&1
		if cmp -s "$work/new.txt" "$work/old.txt"; then ok
		else not_ok "$name $view: $(diff "$work/new.txt" "$work/old.txt" | head -n 4)"; fi
	done
	[ "$name" = c-tree ] || claim "$name is valid" "$crimg" validate "$old"
	"$crimg" inspect "$old" 2>&1 | grep -q 'image version 1.0' && ok || not_ok "$name: version"
done
read -r line < <("$here/roundtrip.sh" "$crimg" "$work/images" | tee "$work/rt" | tail -n 1)
[[ $line =~ ^[0-9]+\ passed,\ 0\ failed ]] && ok || not_ok "$(cat "$work/rt")"

# Cites [R-0320]: the header promises an index and no digests.
stream=$samples/crimg/m-diff-1.crimg
[ "$(od -An -t u8 -j 32 -N 8 "$stream" | tr -d ' ')" = 1 ] && ok || not_ok "$stream is no old stream"
claim "an old stream is valid" "$crimg" validate --pages "$stream"
claim "an old stream to a directory" "$crimg" convert "$stream" "$work/out"
claim "an old stream is its image" diff -r --no-dereference "$samples/criu/m-diff-1" "$work/out"
claim "an old stream has the same digests" "$crimg" diff "$stream" "$samples/criu/m-diff-1"
"$crimg" convert "$samples/criu/m-diff-2" "$work/new.crimg"
changes() { "$crimg" diff --json "$@" | sed '/"image":/d; /"format":/d'; }
changes "$stream" "$work/new.crimg" >"$work/streams.json"
changes "$samples/criu/m-diff-1" "$samples/criu/m-diff-2" >"$work/dirs.json"
if [ -s "$work/dirs.json" ] && cmp -s "$work/streams.json" "$work/dirs.json"; then ok
else not_ok "an old and a new stream: $(diff "$work/streams.json" "$work/dirs.json" | head -n 4)"; fi
finish
