#!/bin/bash
# What a user gets for a wrong path, a half-copied image, a full disk: one clear line, exit 2, nothing
# left behind.
#   errors.sh CRIMG SAMPLES
crimg=$(realpath "$1")
samples=$(realpath "$2")/criu
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
# fails TEXT COMMAND…: exit 2, standard error is one line that holds TEXT, no output remains.
fails() {
	local wanted=$1 code
	shift
	"$@" >out.txt 2>err.txt
	code=$?
	if [ "$code" = 2 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -qF -- "$wanted" err.txt; then ok
	else not_ok "$*: exit $code, $(head -n 2 err.txt) (wanted: $wanted)"; fi
	if ls -A | grep -q '^\(target\|\.target\)'; then
		not_ok "$* left $(ls -A | grep target | tr '\n' ' ')"
		rm -rf target* .target*
	else ok; fi
}
both() { # TEXT IMAGE: convert and inspect say the same
	fails "$1" "$crimg" convert "$2" target.crimg
	fails "$1" "$crimg" inspect "$2"
}
fresh() { rm -rf img; cp -r "$samples/$1" img; chmod -R u+w img; }

both "nowhere: cannot be opened: No such file or directory" nowhere
mkdir empty
both "empty: no inventory.img, and nothing else, is in it" empty
mkdir other && echo text >other/readme
both "no checkpoint: no inventory.img among its 1 members" other
: >zero
both "the file is empty" zero
echo nonsense >junk
both "no format is known that begins with 6e 6f 6e 73" junk

fresh a-regs && printf '\x19CVTxxxx' >img/core-27736.img
both "img/core-27736.img: offset 4 (0x4): magic 0x78787878 (unknown) found, 0x55053847 (CORE) wanted" img
fresh a-regs && cp img/mm-27736.img img/core-27736.img
both "magic 0x57492820 (MM) found, 0x55053847 (CORE) wanted" img
fresh a-regs && truncate -s 100 img/core-27736.img
both "img/core-27736.img: offset 8 (0x8): the file ends: 88 bytes of an entry found, 4534 wanted" img
fresh a-regs && truncate -s 9000 img/pages-1.img
both "img/pages-1.img: offset 9000 (0x2328): the file ends: 9000 bytes of pages found" img
fresh a-regs && rm img/core-27736.img
both "img/core-27736.img: missing" img
fresh a-regs && rm img/pages-1.img
both "img/pages-1.img: missing" img
fresh a-regs && rm img/inventory.img
both "img/inventory.img: missing" img
fresh a-regs && rm img/core-27736.img && mkdir img/core-27736.img
both "img/core-27736.img: a directory found, a file wanted" img
fresh a-regs && rm img/core-27736.img && ln -s /etc/passwd img/core-27736.img
both "img/core-27736.img: a symbolic link found, a file wanted" img
fresh a-regs && mkfifo img/odd
both "img/odd: a special file" img
both "several images are in it, 1/ and 3/ among them: name one" "$samples/../criu-3.17/f-inc"
rm -rf img && mkdir chain && cp -r "$samples/../criu-3.17/f-inc/3" chain/3 && chmod -R u+w chain
rm -f chain/3/parent && ln -s ../2 chain/3/parent
both "chain/3/parent: the parent image ../2 is not there" chain/3
if [ "$(id -u)" = 0 ]; then
	if command -v setpriv >/dev/null; then
		fresh a-regs && chmod 711 "$work" && chmod 0 img/core-27736.img && chmod 755 img && chmod 777 .
		fails "img/core-27736.img: cannot be opened: Permission denied" \
			setpriv --reuid 65534 --clear-groups "$crimg" convert img target.crimg
	fi
else
	fresh a-regs && chmod 0 img/core-27736.img
	both "img/core-27736.img: cannot be opened: Permission denied" img
fi

fresh a-regs
"$crimg" convert img good.crimg
head -c 20000 good.crimg >cut.crimg
fails "cut.crimg: offset" "$crimg" convert cut.crimg target
fails "the stream is cut" "$crimg" convert cut.crimg target
fails "the stream is cut" sh -c 'exec "$1" convert - target <cut.crimg' sh "$crimg"
cp good.crimg flip.crimg && printf '\377' | dd of=flip.crimg bs=1 seek=90000 conv=notrunc status=none
fails "the digest of" "$crimg" convert flip.crimg target
"$crimg" convert img good.tar.zst
head -c 9000 good.tar.zst >cut.tar.zst
fails "cut.tar.zst" "$crimg" convert cut.tar.zst target
fails "cut.tar.zst" "$crimg" restart cut.tar.zst
mkdir full && touch full/file
fails "full" "$crimg" convert img full
fails "no format is called foo" "$crimg" convert -f foo img target
fails "no format called foo can be written" "$crimg" convert -t foo img target
fails "is written to a regular file only" "$crimg" convert --allow-loss -t cpt img - 2>/dev/null
fails "a mount namespace found (criu restore --root)" "$crimg" convert --sysroot / "$samples/g-ns" target
fails "--sysroot names files for criu restore" "$crimg" convert --sysroot / img target.json
fails "--sysroot: no such directory" "$crimg" convert --sysroot /nowhere img target
fails "unknown view: nosuchview" "$crimg" inspect img nosuchview
fails "SRC and DST wanted" "$crimg" convert img
fails "cannot be" "$crimg" convert img nodir/target.crimg
fails "File too large" bash -c 'ulimit -f 64; exec "$0" convert img target.crimg' "$crimg"
fails "File too large" bash -c 'ulimit -f 64; exec "$0" convert img target' "$crimg"
fails "File too large" bash -c 'ulimit -f 64; exec "$0" convert img target.tar' "$crimg"
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64k none small 2>/dev/null; then
	for target in small/target.crimg small/target small/target.tar; do
		fails "No space left on device" "$crimg" convert img "$target"
		[ -z "$(ls -A small)" ] && ok || not_ok "$target: $(ls -A small) is left on the full disk"
	done
	# A restart unpacks an archive first, where there is room; others may read it again instead.
	head -c 2000000 /dev/urandom >img/large && tar -czf large.tar.gz img && rm img/large
	fails "in small (TMPDIR names another place): cannot be written: No space left on device" \
		env TMPDIR=small "$crimg" restart large.tar.gz
	claim "reading archives without room" env TMPDIR=small "$crimg" diff large.tar.gz large.tar.gz
	[ -z "$(ls -A small)" ] && ok || not_ok "$(ls -A small) is left where archives are unpacked"
	umount small
else
	skip "a full disk needs root and a tmpfs"
fi
[ -c /dev/full ] && fails "No space left on device" bash -c '"$0" convert img - >/dev/full' "$crimg"
"$crimg" convert --progress good.crimg target 2>err.txt && grep -q 'MiB/s' err.txt && ok ||
	not_ok "--progress: $(cat err.txt)"
rm -rf target
# A signal half-way leaves nothing either.
mkfifo slow
"$crimg" convert good.crimg target & :
wait $! && rm -rf target
(cat good.crimg | head -c 60000; sleep 5) >slow &
feeder=$!
"$crimg" convert - target <slow 2>err.txt &
pid=$!
sleep 0.3
kill -TERM "$pid"
kill "$feeder" 2>/dev/null
wait "$pid"
[ $? = 2 ] && ok || not_ok "SIGTERM: exit code"
ls -A | grep -q target && not_ok "SIGTERM left $(ls -A | grep target)" || ok

# A stream that is cut behind its metadata, goes on behind its end, or has another end: what reads no contents sees it too.
"$crimg" convert "$samples/a-regs" whole.crimg
size=$(stat -c %s whole.crimg)
unwhole() { # CODE TEXT: what validate, of a file and of a pipe, and inspect say of broken.crimg
	for how in '"$1" validate broken.crimg' 'cat broken.crimg | "$1" validate -'; do
		sh -c "$how" sh "$crimg" >out.txt 2>err.txt
		[ $? = 1 ] && grep -q "CI-$1.*$2" out.txt && ok || not_ok "$how: CI-$1 $2 wanted: $(head -n 1 out.txt err.txt)"
	done
	"$crimg" inspect broken.crimg >out.txt 2>err.txt
	[ $? = 2 ] && grep -q "^complete  *no: .*$2" out.txt && grep -q "$2" err.txt && ok || not_ok "inspect: $2 wanted: $(grep ^complete out.txt)"
}
for left in $((size - 1)) $((size - 72)) $((size - 73)) $((size - 200)) $((size / 2)); do
	head -c "$left" whole.crimg >broken.crimg
	unwhole 0102 "the stream is cut"
done
(cat whole.crimg && echo) >broken.crimg
unwhole 0107 "bytes behind the end of the stream"
head -c $((size - 30)) whole.crimg >broken.crimg
(tail -c 30 whole.crimg | tr '\000-\377' '\001-\377\000') >>broken.crimg
unwhole 0106 "the checksum of frame [0-9]* is wrong"
rm whole.crimg broken.crimg
finish
