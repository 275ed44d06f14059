#!/bin/bash
# Kernel streams that a 2.6.33 kernel wrote, held against what was known of their processes, as they are and
# after every conversion; from a pipe; the kernel's own error.
#   linuxcr.sh CRIMG SAMPLES PEER
crimg=$(realpath "$1") samples=$2 peer=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
views="summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc stats objects"
quiet() { "$@" >"$work/out"; }
n=0
for stream in "$samples"/linux-cr/*.ckpt; do
	name=${stream##*/}
	case $name in *error*) continue ;; esac
	n=$((n + 1))
	claim "$name: [R-0806] what was known" python3 "$here/linuxcr_oracle.py" "$crimg" "$stream"
	claim "$name: valid" quiet "$crimg" validate "$stream"
	# shellcheck disable=SC2086
	claim "$name: all views" quiet "$crimg" inspect "$stream" $views
	claim "$name: to a stream" "$crimg" convert "$stream" "$work/x.crimg"
	claim "$name: to a directory" "$crimg" convert "$work/x.crimg" "$work/dir"
	claim "$name: to JSON" "$crimg" convert -t json "$stream" "$work/x.json"
	claim "$name: to cores" "$crimg" convert --allow-loss --loss "$work/loss" -t core "$stream" "$work/core"
	images=x.crimg many=false
	case $name in r5-shm* | r5-tree* | r6-sleep*) images="x.crimg dir x.json" many=true ;; esac
	for image in $images; do
		claim "$name: what was known, from $image" python3 "$here/linuxcr_oracle.py" "$crimg" "$stream" "$work/$image"
		claim "$name: $image is valid" quiet "$crimg" validate "$work/$image"
	done
	claim "$name: directly to a directory" "$crimg" convert -t criu --loss "$work/ledger" "$stream" "$work/dir2"
	[ -z "${UPDATE:-}" ] || cp "$work/ledger" "$here/golden/linuxcr/${name%.ckpt}.loss"
	claim "$name: [R-0814] the ledger" diff "$here/golden/linuxcr/${name%.ckpt}.loss" "$work/ledger"
	claim "$name: the same" diff -r "$work/dir" "$work/dir2"
	claim "$name: from a pipe" sh -c 'cat "$2" | "$1" convert - "$3"' sh "$crimg" "$stream" "$work/pipe.crimg"
	claim "$name: the same" cmp "$work/pipe.crimg" "$work/x.crimg"
	claim "$name: [R-0810] to itself" "$crimg" convert "$stream" "$work/x.ckpt"
	claim "$name: the same bytes" cmp "$stream" "$work/x.ckpt"
	for image in x.crimg dir x.json; do
		claim "$name: from $image back" "$crimg" convert -t linux-cr "$work/$image" "$work/x.ckpt"
		claim "$name: the same bytes, from $image" cmp "$stream" "$work/x.ckpt"
	done
	if ! $many; then
		:
	elif [ "$peer" != none ] && [ -x "$peer/crit" ]; then
		for file in "$work/dir"/*.img; do
			case $file in *pages-* | *kernel-records*) continue ;; esac
			claim "$name: crit shows ${file##*/}" sh -c '"$1" show "$2" >/dev/null' sh "$peer/crit" "$file"
		done
	else
		skip "$name: the peer crit could not be fetched"
	fi
	rm -rf "$work"/x.* "$work/pipe.crimg" "$work/dir" "$work/dir2" "$work/core"*
done
[ "$n" -ge 17 ] || not_ok "$n streams found, 17 wanted"
for stream in "$samples"/linux-cr/*error.ckpt; do
	name=${stream##*/}
	for verb in inspect "validate" "convert -t criu"; do
		# shellcheck disable=SC2086
		"$crimg" $verb "$stream" $([ "$verb" = "convert -t criu" ] && echo "$work/to") >"$work/out" 2>&1
		code=$?
		if [ "$code" = "$([ "$verb" = validate ] && echo 1 || echo 2)" ] && grep -q 'the kernel gave up the checkpoint here: \[err -9\].*f_op lacks checkpoint' \
			"$work/out"; then ok; else not_ok "$name: $verb: exit $code: $(head -n 1 "$work/out")"; fi
		[ ! -e "$work/to" ] || not_ok "$name: $verb left something"
	done
done
# Sockets, terminals, an eventfd: no real image has any, so some are made.
for name in r5-files r6-files; do
	claim "$name, with sockets: made" python3 "$here/linuxcr_sockets.py" make "$samples/linux-cr/$name.ckpt" "$work/made.ckpt"
	claim "$name, with sockets: [R-0816] what inspect says" python3 "$here/linuxcr_sockets.py" check "$crimg" "$work/made.ckpt"
	claim "$name, with sockets: valid" quiet "$crimg" validate "$work/made.ckpt"
	claim "$name, with sockets: to a directory" "$crimg" convert "$work/made.ckpt" "$work/made"
	claim "$name, with sockets: and back" "$crimg" convert "$work/made" "$work/back.ckpt"
	claim "$name, with sockets: the same bytes" cmp "$work/made.ckpt" "$work/back.ckpt"
	rm -rf "$work/made" "$work/made.ckpt" "$work/back.ckpt"
done
# What cannot be written says why.
fails() { # WORDS COMMAND…
	local words=$1 out code
	shift
	out=$("$@" 2>&1 >/dev/null)
	code=$?
	if [ "$code" = 2 ] && grep -qF "$words" <<<"$out"; then ok; else not_ok "$*: exit $code: $out"; fi
}
one=$samples/linux-cr/r5-tree.ckpt
fails "written to a regular file only" "$crimg" convert -t linux-cr "$one" -
claim "compressed pages" "$crimg" convert --compress=lz4 "$one" "$work/lz4"
claim "compressed pages, made plain" "$crimg" convert "$work/lz4" "$work/y.ckpt"
claim "the same bytes" cmp "$one" "$work/y.ckpt"
# Pages that are no longer those of the records: changed, the records cannot be kept.
claim "a directory" "$crimg" convert "$one" "$work/dir"
truncate -s -4096 "$work/dir/pages-1.img"
rm -f "$work/z.ckpt"
fails "its contents were changed or compressed" "$crimg" convert --allow-incomplete -t linux-cr "$work/dir" "$work/z.ckpt"
[ ! -e "$work/z.ckpt" ] && ok || not_ok "a stream of changed pages is left"
finish
