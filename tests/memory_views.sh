#!/bin/bash
# Views mem and strings: bytes, searches and texts are what an oracle in python finds in the same images;
# what is absent is said and never made up; files of the sysroot are used only when they are the same.
#   memory_views.sh CRIMG SAMPLES
crimg=$(realpath "$1") samples=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
cd "$work" || exit 2
oracle() { python3 "$here/memory_oracle.py" "$crimg" "$@"; }
fresh() { rm -rf img && cp -r "$samples/$1" img && chmod -R u+w img; }
# fails TEXT ARGUMENT…: exit 2, one line on standard error that holds TEXT. The output is in out.
fails() {
	local wanted=$1 code
	shift
	timeout 20 "$crimg" inspect "$@" >out 2>err
	code=$?
	if [ "$code" = 2 ] && [ "$(wc -l <err)" = 1 ] && grep -qF -- "$wanted" err; then ok
	else not_ok "inspect $*: exit $code, $(head -n 2 err) (wanted: $wanted)"; fi
}
# shows TEXT ARGUMENT…: exit 0, and TEXT is in the output.
shows() {
	local wanted=$1 code
	shift
	timeout 20 "$crimg" inspect "$@" >out 2>err
	code=$?
	if [ "$code" = 0 ] && grep -qF -- "$wanted" out; then ok
	else not_ok "inspect $*: exit $code, $(head -n 3 out err) (wanted: $wanted)"; fi
}
hidden() { # TEXT: it is not in the output of the last call
	grep -qF -- "$1" out && not_ok "$1 is shown" || ok
}
put_at() { # IMAGE PID ADDRESS HEX: writes into the page that holds ADDRESS, in whichever layer it is
	local place
	place=$(oracle "$1" "$2" offset "$3") || exit 2
	python3 - $place "$4" <<-'P'
	import sys
	f = open(sys.argv[1], "r+b")
	f.seek(int(sys.argv[2]))
	f.write(bytes.fromhex(sys.argv[3]))
	P
}
hits() { # IMAGE PID HEX: both find the same, and something
	oracle "$1" "$2" search "$3" >wanted
	"$crimg" inspect "$1" mem -p "$2" --search "$3" --json --limit 1000000 >hits.json 2>err
	python3 -c 'import json; print("".join(h["address"] + "\n" for h in json.load(open("hits.json"))["hits"]), end="")' >found
	if cmp -s wanted found; then ok
	else not_ok "hits of ${3:0:40} in $1: $(diff wanted found | head -n 4)"; fi
}

tasks="criu/l-mem:10486 criu/c-tree:9652 criu/c-tree:9653 criu/a-regs:27736 criu-3.17/f-inc/3:338"

# Texts: each with its address, encoding and length; those of 4096 characters and more are cut.
for task in $tasks; do
	image=$samples/${task%:*} pid=${task#*:}
	for min in 4 30; do
		oracle "$image" "$pid" strings $min >wanted.json
		"$crimg" inspect "$image" -p "$pid" strings --min $min --json >found.json
		python3 - <<-'P' && ok || not_ok "strings --min $min of $task"
		import json
		found = [[s["address"], s["encoding"], s["text"], s["length"]] for s in json.load(open("found.json"))["strings"]]
		wanted = json.load(open("wanted.json"))
		assert wanted and sorted(found) == sorted(wanted)
		P
	done
	for what in 00ff 2f7573722f "$(printf 'sparse island' | od -An -tx1 | tr -d ' \n')" 0000000000000000ff \
		ff00000000000000000000; do
		hits "$image" "$pid" "$what"
	done
done

# The bytes themselves: whole areas, parts, ends of pages, untouched zeros, three layers of a chain.
raw() { # IMAGE PID START LENGTH
	oracle "$1" "$2" raw "$3" "$4" >wanted
	"$crimg" inspect "$1" -p "$2" mem --at "$3+$4" --raw >found 2>err && cmp -s wanted found && ok ||
		not_ok "raw $3+$4 of $1: $(cat err; cmp wanted found)"
}
l=$samples/criu/l-mem
raw "$l" 10486 0x7ef42e400000 2097152
raw "$l" 10486 0x7ef42e900001 1048574
raw "$l" 10486 0x7ef42e8d7000 65536
raw "$l" 10486 0x7f142e9ffffe 4100
raw "$l" 10486 0x7ff42ec77000 4096
raw "$l" 10486 0x7ff42ec8c000 8192
raw "$samples/criu-3.17/f-inc/3" 338 0x7f716b836000 262144
raw "$samples/criu/c-tree" 9653 0x7f22b2beb000 20480
raw "$samples/criu/c-tree" 9654 0x7f22b2bf0000 8192
fails "--raw stops at 0x7f22b2bf2000: nothing is mapped there" "$samples/criu/c-tree" -p 9654 mem \
	--at 0x7f22b2bf0000+20480 --raw
fails "--raw stops at 0x7ef42e8fc000: not in the image" "$l" mem --at 0x7ef42e8fb000+8192 --raw
oracle "$l" 10486 raw 0x7ef42e8fb000 8192 | cmp -s - out && ok || not_ok "raw: the bytes before a hole"
fails "5 processes have it: -p PID wanted" "$samples/criu/c-tree" mem --at 0x7f22b2beb000+4 --raw
fails "--raw gives bytes" "$l" mem --at 0x7ef42e8fb000 --raw --json
# JSON holds the same bytes.
"$crimg" inspect "$l" mem --at 0x7ef42e8fa000-0x7ef42e8fd000 --json >found.json
python3 - <<'P' && ok || not_ok "mem --json"
import json
(area,) = json.load(open("found.json"))["mem"]
assert area["pid"] == 10486 and area["permissions"] == "rw-p" and area["area"].endswith("/back.dat")
a, b, c = area["stretches"]
assert (a["origin"], b["origin"], c["origin"]) == ("file", "private", "file")
assert a["data"] is None and a["end"] == b["start"] == "0x7ef42e8fb000" and "--sysroot" in a["reason"]
assert bytes.fromhex(b["data"]).startswith(b"private dirty page 3\0ddd") and len(b["data"]) == 8192
P

# Markers across borders.
text() { printf %s "$1" | od -An -tx1 | tr -d ' \n'; }
fresh criu/l-mem
put_at img 10486 0x7ef42e440ffa "$(text boundary-mark)"      # from page to page
put_at img 10486 0x7ef42e900ffd "$(text end)"                # a page, an untouched one, a page
put_at img 10486 0x7ef42e902000 "$(text begin)"
put_at img 10486 0x7ef42e8fbff8 "$(text wide)"
shows "7ef42e440ffa  62 6f 75 6e 64 61 72 79" img mem --search-text boundary-mark
shows "1 hit in" img mem --search-text boundary-mark --at 0x7ef42e440ff0+64
shows "0 hits in" img mem --search-text boundary-mark --at 0x7ef42e440ff0+16
hits img 10486 "$(text end)00"
hits img 10486 "00$(text begin)"
hits img 10486 "$(text end)$(printf '%08192d' 0)$(text begin)"
[ -s found ] && ok || not_ok "a marker over an untouched page is not found"
shows "shared anon p5" img mem --search-text "shared anon p5" --at 0x7ef42e8d7000+65536
# Shared memory is found in each process that maps it.
"$crimg" inspect "$samples/criu/c-tree" mem --search-text "shared anon page 4" --json >found.json
python3 -c '
import json
pids = {h["pid"] for h in json.load(open("found.json"))["hits"] if h["origin"] == "shared"}
assert len(pids) >= 4, pids' && ok || not_ok "shared memory is not found in each process"
# From a page that a parent holds to one of the layer itself.
rm -rf chain && cp -r "$samples/criu-3.17/f-inc" chain && chmod -R u+w chain
put_at chain/3 338 0x7f716b83cffd "$(text pre)"
put_at chain/3 338 0x7f716b83d000 "$(text dump)"
shows "70 72 65 64 75 6d 70" chain/3 mem --search-text predump
hits chain/3 338 "$(text predump)"
# Not over pages that are not there: 54 of them are in the parent.
put_at chain/3 338 0x7f716b83fffd "$(text mis)"
put_at chain/3 338 0x7f716b876000 "$(text sing)"
rm chain/3/parent
fails "chain/3/parent: missing" chain/3 mem --search-text missing --at 0x7f716b83f000-0x7f716b877000
grep -q '^0 hits' out && grep -q '^not searched: 216 KiB not at hand' out && ok ||
	not_ok "a marker over lost pages: $(cat out)"
fails "chain/3/parent: missing" chain/3 mem --at 0x7f716b83f000-0x7f716b877000
grep -q '7f716b840000-7f716b876000: not in this image' out && ok || not_ok "lost pages: $(cat out)"

# Every --at that is wrong, and searches that are.
for at in "" nothing 0x1 0xg 0x10+ 0x10+x 5-3 0x7ef42e8fb000-0x7ef42e8fb000 '$nosuch' '[nosuch]' 0xffffffffffffffff \
	0x10000000000000000 -- -5 /opt/nosuch libnosuch.so+0x10; do
	fails "--at" "$l" mem --at "$at"
done
fails "mem wants --at WHERE or --search" "$l" mem
fails "zeros are everywhere" "$l" mem --search 0000
fails "no process is in it" "$samples/criu-3.17/f-inc/1" mem --at 0x1000
fails "zombies have no memory" "$samples/criu/c-tree" mem -p 9657 --at 0x1000
fails "--search wants bytes in hex" "$l" mem --search abc
shows "private dirty page 3" "$l" strings --at back.dat
shows "hits, then stopped (--limit N for more)" "$l" mem --search ff --limit 7
[ "$(grep -c '^[0-9a-f]\{12\}  ff' out)" = 7 ] && ok || not_ok "--limit 7: $(cat out)"
shows "no texts of 5000 characters" "$samples/criu/a-regs" strings --min 5000

# Long and empty stretches are folded, whatever their size, and nothing absent is shown as zeros.
shows "7ef42ea01000-7f142ea00000: never touched: zero" "$l" mem --at 0x7ef42ea00000-0x7ff42ea00000
[ "$(wc -l <out)" -lt 60 ] && ok || not_ok "1 TiB in $(wc -l <out) lines"
shows "the kernel's own: no image holds it" "$l" mem --at '[vvar]'
hidden "00 00 00"
shows "nothing is mapped there" "$l" mem --at 0x7ff42ec8d000-0x7ffd10416000
shows "from the image, deleted file" "$l" mem --at gone.dat

# Damaged and half copied images: what can be read is shown.
fresh criu/l-mem
pages=$(oracle img 10486 offset 0x7ef42e8fb000)
truncate -s $((${pages#* } + 4096)) "${pages% *}"
fails "pages-2.img: offset $((${pages#* } + 4096))" img mem --at 0x7ef42e8fb000+16
grep -q '|private dirty pa|' out && ok || not_ok "the readable page: $(cat out)"
fails "pages-2.img: offset $((${pages#* } + 4096))" img strings
grep -q 'private dirty page 3' out && ok || not_ok "the readable texts"
fails "pages-2.img" img mem --at '[stack]'
grep -q 'cannot be read: .*pages-2.img: offset [0-9]* (0x[0-9a-f]*): [0-9]* bytes of pages wanted' out && ok ||
	not_ok "an unreadable stack: $(cat out)"
fresh criu/l-mem && rm img/pages-2.img
fails "pages-2.img: missing" img mem --at '[stack]'
fresh criu/l-mem && rm img/pagemap-10486.img
fails "pagemap-10486.img: missing" img mem --at '[heap]'
hidden "00 00"
fresh criu/l-mem && rm img/pagemap-shmem-1082.img
shows "not in this image" img mem --at 0x7ef42e8d7000+4096

# Contents that pass by only once; the same stream as a file.
claim "a stream" "$crimg" convert "$l" l.crimg
fails "save it as a file" - mem --at 0x7ef42e8fb000 < <(cat l.crimg)
fails "save it as a file" - strings < <(cat l.crimg)
fails "save it as a file" - mem --search ff < <(cat l.crimg)
shows "private dirty pa" l.crimg mem --at 0x7ef42e8fb000
"$crimg" inspect l.crimg strings | cmp -s - <("$crimg" inspect "$l" strings) && ok || not_ok "strings of a stream"
claim "blocks" "$crimg" convert --compress=lz4 "$l" blocks
"$crimg" inspect blocks strings | cmp -s - <("$crimg" inspect "$l" strings) && ok || not_ok "strings of blocks"
"$crimg" inspect blocks mem --at 0x7ef42e400000+2097152 --raw |
	cmp -s - <(oracle "$l" 10486 raw 0x7ef42e400000 2097152) && ok || not_ok "raw of blocks"

# The sysroot. back.dat is 32 KiB: the size is all that the image tells of it.
root=$work/root dat=opt/crsample/run/l-mem/back.dat
size=$("$crimg" crit decode -i "$l/files.img" | python3 -c '
import json, sys
print([f["reg"]["size"] for f in json.load(sys.stdin)["entries"] if f.get("reg", {}).get("name", "").endswith("back.dat")][0])')
mkdir -p "$root/${dat%/*}"
python3 -c 'import sys; n = int(sys.argv[1]); sys.stdout.buffer.write((b"from-the-file " * n)[:n])' "$size" >"$root/$dat"
shows "from the sysroot: /$dat (same size)" "$l" mem --at back.dat --sysroot "$root"
grep -q '|from-the-file fr|' out && grep -q '|private dirty pa|' out && ok || not_ok "sysroot: $(cat out)"
shows "|-the-file from-t|" "$l" mem --at 0x7ff42ec78000+32 --sysroot "$root"
shows ", from the sysroot" "$l" mem --search-text "file from-the" --limit 3 --sysroot "$root"
shows "from-the-file from" "$l" strings --at 0x7ff42ec78000+100 --sysroot "$root"
"$crimg" inspect "$l" strings --sysroot "$root" | cmp -s - <("$crimg" inspect "$l" strings) && ok ||
	not_ok "strings looks into files unasked"
refused() { # WHY: back.dat is not taken
	shows "not in the image: equal to the file that is mapped; $1" "$l" mem --at back.dat+4096 --sysroot "$root"
	hidden "|"
}
echo >>"$root/$dat"
refused "differs: $((size + 1)) bytes found, $size wanted"
rm "$root/$dat" && refused "not in the sysroot"
mkfifo "$root/$dat" && refused "not a regular file" && rm "$root/$dat"
mkdir "$root/$dat" && refused "not a regular file" && rmdir "$root/$dat"
head -c "$size" /dev/zero >"$work/outside"
ln -s "$work/outside" "$root/$dat" && refused "not in the sysroot" && rm "$root/$dat"
ln -s ../../../../../../../../../../../../.."$work/outside" "$root/$dat" && refused "not in the sysroot" && rm "$root/$dat"
ln -s "${dat##*/}" "$root/$dat" && refused "its links in the sysroot cannot be followed" && rm "$root/$dat"
fails "--sysroot cannot be opened: No such file" "$l" mem --at back.dat --sysroot "$work/nosuch"
fails "--sysroot cannot be opened: Not a directory" "$l" mem --at back.dat --sysroot "$work/outside"
# With a build-id in the image, the size is not enough.
printf 'int main(void) { return 0; }\n' >a.c
id=0102030405060708090a0b0c0d0e0f1011121314
if cc -Wl,--build-id=0x$id -o right a.c && cc -Wl,--build-id=0x${id}ff -o longer a.c &&
	cc -Wl,--build-id=0xff${id#01} -o wrong a.c && cc -Wl,--build-id=none -o none a.c; then
	fresh criu/l-mem
	python3 - "$crimg" right <<-'P'
	import json, os, subprocess, struct, sys
	crimg, elf = sys.argv[1:]
	d = json.loads(subprocess.check_output([crimg, "crit", "decode", "-i", "img/files.img"]))
	for f in d["entries"]:
	    if f.get("reg", {}).get("name", "").endswith("l_mem"):
	        f["reg"]["size"] = os.path.getsize(elf)
	        f["reg"]["build_id"] = list(struct.unpack("<5I", bytes(range(1, 21))))
	json.dump(d, open("files.json", "w"))
	subprocess.check_call([crimg, "crit", "encode", "-i", "files.json", "-o", "img/files.img"])
	P
	mkdir -p root/opt/crsample/src
	exe=root/opt/crsample/src/l_mem
	cp right $exe
	shows "from the sysroot: /opt/crsample/src/l_mem (same build-id)" img mem --at l_mem+0 --sysroot root
	shows "|.ELF" img mem --at 0x55e8d87b6000 --sysroot root
	cp wrong $exe
	shows "differs: build-id ff020304.. found, 01020304.. wanted" img mem --at 0x55e8d87b6000 --sysroot root
	hidden "|.ELF"
	cp none $exe && truncate -s "$(stat -c %s right)" $exe
	shows "differs: no build-id found, 01020304.. wanted" img mem --at 0x55e8d87b6000 --sysroot root
	cp right $exe && echo >>$exe
	shows "differs: $(stat -c %s $exe) bytes found, $(stat -c %s right) wanted" img mem --at 0x55e8d87b6000 --sysroot root
else
	skip "no compiler for a file with a build-id"
fi

# Hostile: a million runs, and a million areas that overlap. Seconds, and memory as for their metadata.
fresh criu/a-regs
python3 - <<'P'
import struct
def v(n):
    out = b""
    while n > 127: out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
def frame(m): return struct.pack("<I", len(m)) + m
def vma(start, end):
    return (b"\x08" + v(start) + b"\x10" + v(end) + b"\x18\0\x20\0\x28\3\x30\x22\x38" + v(1 << 9 | 1)
            + b"\x40" + v(2**64 - 1))
pid, base = 27736, 0x100000000
raw = open("img/pagemap-%d.img" % pid, "rb").read()
n, = struct.unpack_from("<I", raw, 8)
out = bytearray(raw[:12 + n])
for i in range(1000000):   # one page in two, and lazy: none has bytes
    out += frame(b"\x08" + v(base + i * 8192) + b"\x10\0\x20\2\x28\1")
open("img/pagemap-%d.img" % pid, "wb").write(out)
mm = open("img/mm-%d.img" % pid, "rb").read()
n, = struct.unpack_from("<I", mm, 8)
m = bytearray(mm[12:12 + n])
for i in range(1000000):
    a = vma(base + i * 4096, base + (1 << 40))
    m += b"\x72" + v(len(a)) + a
open("img/mm-%d.img" % pid, "wb").write(mm[:8] + frame(m))
P
quickly() { # ARGUMENT…: exit 0 or 2 within 20 s and 2 GiB
	(ulimit -v 2097152; timeout 20 "$crimg" inspect img "$@" >out 2>err)
	[ $? -le 2 ] && ! grep -q "memory" err && ok || not_ok "hostile: inspect $*: $(head -c 300 err)"
}
quickly strings
quickly mem --search ff01ff01
quickly mem --at 0x100000000-0x200000000 --json
quickly maps
finish
