#!/bin/bash
# What crimg writes is what SPEC.md says: a second decoder, written from the specification alone,
# verifies every rule of every sample's stream, raw and zstd, and rebuilds the same directory.
#   spec_decode.sh CRIMG FOLDER…
crimg=$1
shift
here=$(dirname "$0")
. "$here/lib.sh"
decode() { /usr/bin/python3 "$here/crimg_decode.py" "$@"; }
same() { diff -r --no-dereference "$1" "$2"; }
if ! /usr/bin/python3 -c 'import xxhash, zstandard' 2>/dev/null; then
	skip "the Debian packages python3-xxhash and python3-zstandard are missing"
	finish
	exit
fi
n=0
for dir in $(images "$@"); do
	w=$work/$((n += 1))
	mkdir "$w"
	for how in none zstd; do
		claim "$dir to a stream ($how)" \
			"$crimg" convert --allow-incomplete --compress=$how "$dir" "$w/$how.crimg"
		# Cites [R-0301] [R-0306] [R-0309] [R-0310] [R-0312] [R-0313]: the decoder reads forwards and checks.
		claim "$dir follows the specification ($how)" decode "$w/$how.crimg" "$w/$how"
		claim "$dir is rebuilt from the specification ($how)" same "$dir" "$w/$how"
	done
	# Pages in blocks (image version 1.2) have chunks of their own rule; layers cannot be stored so.
	if [ ! -L "$dir/parent" ] && "$crimg" convert --compress=lz4 "$dir" "$w/blocks" 2>/dev/null; then
		claim "$dir in blocks to a stream" "$crimg" convert --allow-incomplete "$w/blocks" "$w/blocks.crimg"
		claim "$dir in blocks follows the specification" decode "$w/blocks.crimg" "$w/again"
		claim "$dir in blocks is rebuilt" same "$w/blocks" "$w/again"
	fi
	rm -rf "$w"
done
[ "$n" -gt 0 ] || not_ok "no image was found in $*"
finish
