#!/bin/bash
# Storing pages otherwise: merged chains, LZ4 blocks and back, images for an older CRIU. The oracle reads
# page maps without crimg; the judges of metadata are crit 4.2 and Debian's crit 3.17.
#   filters.sh CRIMG SAMPLES PEER
crimg=$1 samples=$2 peer=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
memory() { python3 "$here/chain_oracle.py" "$@"; }
same_memory() { # TEXT IMAGE OTHER [--own]: every page at the same place with the same bytes
	memory "$2" ${4-} >"$work/a.txt" && memory "$3" ${4-} >"$work/b.txt"
	if [ -s "$work/a.txt" ] && cmp -s "$work/a.txt" "$work/b.txt"; then ok; else not_ok "$1"; fi
}
n=0
for image in $(find "$samples" -name parent -printf '%h\n' | sort); do
	w=$work/$((n += 1))
	claim "$image merges" "$crimg" convert --merge-parents "$image" "$w"
	same_memory "$image is whole after merging" "$image" "$w"
	[ -e "$w/parent" ] && not_ok "$image: parent is still there" || ok
	claim "$image merges into blocks" "$crimg" convert --merge-parents --compress=lz4 "$image" "$w.z"
	same_memory "$image is whole after merging into blocks" "$image" "$w.z"
done
[ "$n" -gt 0 ] || not_ok "no image with a parent in $samples"
for image in $(images "$samples/criu"); do
	w=$work/$((n += 1))
	claim "$image to blocks" "$crimg" convert --compress=lz4 "$image" "$w"
	same_memory "$image in blocks" "$image" "$w" --own
	claim "$image from blocks" "$crimg" convert --compress=none "$w" "$w.back"
	case $image in
	# Blocks have wide counts, and those stay: the pages are the same, the page maps are not.
	*criu-3.17*) same_memory "$image comes back from blocks" "$image" "$w.back" --own ;;
	*) claim "$image comes back from blocks" diff -r --no-dereference "$image" "$w.back" ;;
	esac
	claim "blocks to a stream" "$crimg" convert "$w" "$w.crimg"
	claim "blocks from a stream" "$crimg" convert "$w.crimg" "$w.again"
	claim "blocks come back as they were" diff -r --no-dereference "$w" "$w.again"
	claim "$image for 3.17" sh -c '"$@" 2>/dev/null' sh \
		"$crimg" convert --criu-version 3.17 --allow-loss --loss "$w.loss" "$image" "$w.old"
	same_memory "$image for 3.17" "$image" "$w.old" --own
	map=$(ls "$w.old"/pagemap-[0-9]*.img | head -n 1)
	if crit decode -i "$map" | grep -q '"nr_pages": [1-9]'; then ok
	else not_ok "$image: Debian's crit 3.17 sees no pages in $map"; fi
done
# What an old CRIU cannot hold is named, and not written without leave.
limits=$samples/criu/k-limits
"$crimg" convert --criu-version 3.17 "$limits" "$work/refused" 2>"$work/err.txt"
[ $? = 1 ] && ok || not_ok "k-limits for 3.17: exit code"
grep -q 'core-13406.img: thread_core.creds.cap_amb: dropped: CRIU 3.17 does not know it (since 4.1)' \
	"$work/err.txt" && ok || not_ok "k-limits for 3.17: $(cat "$work/err.txt")"
[ -e "$work/refused" ] && not_ok "k-limits for 3.17 was written" || ok
claim "without loss" "$crimg" convert --criu-version 3.17 "$samples/criu/a-regs" "$work/a-regs"
# The draft layout of version 1.2, made by hand: same pages.
draft=$work/draft
cp -r "$samples/criu/a-regs" "$draft" && chmod -R u+w "$draft"
python3 - "$draft" <<'P'
import struct, sys, glob
def v(n):
    out = b""
    while n > 127: out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
name = glob.glob(sys.argv[1] + "/pagemap-*.img")[0]
raw = open(name, "rb").read()
at, out = 14, raw[:14]
while at < len(raw):
    n, = struct.unpack_from("<I", raw, at)
    m = raw[at + 4:at + 4 + n]
    at += 4 + n
    count = m[-1]
    m += b"".join(b"\x30" + v(4096) for _ in range(count)) + b"\x38" + v(4096 * count) + b"\x40\x01"
    out += struct.pack("<I", len(m)) + m
open(name, "wb").write(out)
P
claim "the draft of 1.2 is read" "$crimg" convert --compress=none "$draft" "$work/draft.plain"
same_memory "the draft of 1.2 holds the pages" "$samples/criu/a-regs" "$work/draft.plain"
claim "the draft of 1.2 to a stream" "$crimg" convert "$draft" "$work/draft.crimg"
claim "the draft of 1.2 from a stream" "$crimg" convert "$work/draft.crimg" "$work/draft.back"
claim "the draft of 1.2 comes back" diff -r "$draft" "$work/draft.back"
finish
