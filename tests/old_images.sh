#!/bin/bash
# Images as CRIU 1.x wrote them: the same views, and bit for bit through everything.
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
finish
