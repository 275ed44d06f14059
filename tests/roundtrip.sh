#!/bin/bash
# Every image comes back bit for bit: through a stream, a pipe, compression, archives, and JSON.
#   roundtrip.sh CRIMG FOLDER…
crimg=$1
shift
. "$(dirname "$0")/lib.sh"
same() { diff -r --no-dereference "$1" "$2"; }
n=0
for dir in $(images "$@"); do
	w=$work/$((n += 1))
	mkdir "$w"
	claim "$dir to a stream" "$crimg" convert "$dir" "$w/x.crimg"
	claim "$dir from a stream" "$crimg" convert "$w/x.crimg" "$w/stream"
	claim "$dir comes back" same "$dir" "$w/stream"
	claim "$dir to zstd" "$crimg" convert --compress=zstd "$dir" "$w/z.crimg"
	claim "$dir from zstd" "$crimg" convert "$w/z.crimg" "$w/zstd"
	claim "$dir comes back from zstd" same "$dir" "$w/zstd"
	claim "$dir through a pipe" \
		sh -c '"$1" convert "$2" - | "$1" convert - "$3"' sh "$crimg" "$dir" "$w/pipe"
	claim "$dir comes back from a pipe" same "$dir" "$w/pipe"
	claim "$dir to tar.zst" "$crimg" convert "$dir" "$w/x.tar.zst"
	claim "$dir from tar.zst to a stream" "$crimg" convert --allow-incomplete "$w/x.tar.zst" "$w/t.crimg"
	claim "$dir from tar.zst" "$crimg" convert "$w/t.crimg" "$w/tar"
	claim "$dir comes back from tar.zst" same "$dir" "$w/tar"
	claim "a stream from tar.zst is the stream from the directory" cmp "$w/x.crimg" "$w/t.crimg"
	claim "$dir stream to stream" "$crimg" convert --allow-incomplete "$w/x.crimg" "$w/again.crimg"
	claim "converting twice is a fixed point" cmp "$w/x.crimg" "$w/again.crimg"
	claim "zstd and back" "$crimg" convert --allow-incomplete --compress=none "$w/z.crimg" "$w/raw.crimg"
	claim "decompressed as never compressed" cmp "$w/x.crimg" "$w/raw.crimg"
	claim "$dir to JSON" "$crimg" convert "$dir" "$w/x.json"
	claim "$dir from JSON" "$crimg" convert --allow-incomplete "$w/x.json" "$w/json"
	claim "$dir comes back from JSON" same "$dir" "$w/json"
	rm -rf "$w"
done
[ "$n" -gt 0 ] || not_ok "no image was found in $*"
finish
