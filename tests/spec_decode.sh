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
# Cites [R-0318] [R-0319]: more chunks than one DIGESTS frame may repeat, so that some stand among the contents.
mkdir "$work/many"
python3 - "$work/many/pipes-data.img" <<'P'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<II", 0x54564319, 0x56453709))
    for i in range(140000):
        f.write(struct.pack("<I4sB", 4, b"\x08\x01\x10\x01", i % 251))
P
claim "140,000 chunks to a stream" "$crimg" convert -t crimg "$work/many/pipes-data.img" "$work/many.crimg"
claim "140,000 chunks follow the specification" decode "$work/many.crimg" "$work/decoded"
claim "140,000 chunks are rebuilt" same "$work/many" "$work/decoded"
n=$(grep -aobP 'CRFR\x07\x00\x01\x00' "$work/many.crimg" | wc -l)
[ "$n" = 3 ] && ok || not_ok "$n DIGESTS frames, 3 wanted"
claim "140,000 chunks and themselves" "$crimg" diff "$work/many.crimg" "$work/many/pipes-data.img"
finish
