#!/bin/bash
# `crimg diff`: an image and itself, and its conversions, in every format; a pair of one running process against
# the truth that stands beside it; random edits against cmp, diff and an oracle; what is told and in which words.
#   diff.sh CRIMG SAMPLES [FAST]    FAST: a crimg without sanitizers, for what is many
#   UPDATE=1 writes the golden files anew: read the difference before commit.
crimg=$(realpath "$1") samples=$(realpath "$2") fast=$(realpath "${3:-$1}")
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/golden/diff
. "$here/lib.sh"
export LC_ALL=C.UTF-8
unset NO_COLOR TMPDIR
cp -r "$samples" "$work/samples"
cd "$work/samples" || exit 2
same() { # NAME A B [OPTION…]: nothing is said, exit 0
	local name=$1 out code
	shift
	out=$("$crimg" diff "$@" 2>&1)
	code=$?
	if [ "$code" = 0 ] && [ -z "$out" ]; then ok; else not_ok "$name: exit $code: $(head -n 3 <<<"$out")"; fi
}
golden() { # FILE WANTED-CODE ARGUMENT…: standard output, then standard error
	local file=$golden/$1 wanted=$2 code
	shift 2
	"$crimg" diff "$@" >"$work/out" 2>"$work/err"
	code=$?
	{ cat "$work/out"; [ -s "$work/err" ] && sed 's/^/stderr: /' "$work/err"; } >"$work/found"
	[ -n "${UPDATE:-}" ] && mkdir -p "$golden" && cp "$work/found" "$file"
	if [ "$code" != "$wanted" ]; then not_ok "diff $*: exit $code, wanted $wanted: $(cat "$work/err")"
	elif ! diff "$file" "$work/found" >"$work/diff" 2>&1; then not_ok "diff $*: $(head -n 12 "$work/diff")"
	else ok; fi
}
# answers TEXT PYTHON ARGUMENT…: the expression over the JSON answer d and its changes c is true
answers() {
	local text=$1 expression=$2
	shift 2
	"$crimg" diff --json "$@" >"$work/out" 2>"$work/err"
	python3 - "$work/out" "$expression" 2>"$work/err" <<'P' && ok || not_ok "$text: $(tail -n 1 "$work/err"; head -c 300 "$work/out")"
import json, sys
d = json.load(open(sys.argv[1]))
c = d["changes"]
assert d["schema"] == "crimg.diff/1"
assert d["same"] == (not any(not x.get("folded") for x in c))
assert eval("(" + sys.argv[2] + ")"), "not so"
P
}
read_bytes() { # COMMAND…: how many bytes it read, in how many reads
	bash -c '"$@" >/dev/null 2>&1; awk "/^(rchar|syscr):/ { printf \"%s \", \$2 }" /proc/$$/io' sh "$@"
}

# An image and itself, and its conversions.
for image in $(images criu criu-3.17) archives/podman-zstd.tar cores/*.core; do
	same "$image" "$image" "$image"
	chain=$work/chain
	rm -rf "$chain" && mkdir "$chain"
	[ -L "$image/parent" ] && cp -r "$(dirname "$image")"/* "$chain/"
	for form in x.crimg z.crimg x.tar.zst x.json copy; do
		option=$([ "$form" = z.crimg ] && echo --compress=zstd)
		"$fast" convert $option "$image" "$chain/$form" || not_ok "$image to $form"
		same "$image and $form" "$image" "$chain/$form"
	done
	same "both streams of $image" "$chain/x.crimg" "$chain/z.crimg"
	same "$image back" "$chain/x.json" "$image"
done
"$fast" convert --merge-parents criu-3.17/f-inc/3 "$work/whole"
same "a chain and its merger" criu-3.17/f-inc/3 "$work/whole"
"$fast" convert --compress=lz4 criu/l-mem "$work/lz4"
same "LZ4 blocks" criu/l-mem "$work/lz4"
same "LZ4 blocks, the other way" "$work/lz4" criu/l-mem
"$fast" convert --criu-version 3.17 --allow-loss criu/m-diff-2 "$work/old"
same "an image for CRIU 3.17" criu/m-diff-2 "$work/old"
same "from a pipe" - criu/a-regs < <(tar -C criu/a-regs -c .)

# A core has no place for most: it is told once what for, and nothing is made up.
for name in a-regs b-threads d-files l-mem k-limits j-compat32 e-sockets; do
	"$fast" convert -t core --allow-loss "criu/$name" "$work/$name.core" 2>/dev/null || not_ok "$name to a core"
	answers "$name and its core" "all(x['what'] == 'untold' for x in c) and len(c) == 7" "criu/$name" "$work/$name.core"
	"$fast" convert "$work/$name.core" "$work/$name.crimg"
	same "the core of $name and its stream" "$work/$name.core" "$work/$name.crimg"
done
golden core.txt 1 criu/l-mem ../l-mem.core
golden cores.txt 1 --no-pages cores/kernel32.core cores/gcore32.core

# One process at two moments: samples/criu/m-diff.txt says what its program did.
m="criu/m-diff-1 criu/m-diff-2"
golden m-diff.txt 1 --color=never $m
golden m-diff.color.txt 1 --color=always $m
golden m-diff.stat.txt 1 --stat $m
golden m-diff.json 1 --json $m
golden m-diff.all.txt 1 --all $m
golden m-diff.bytes.txt 1 --bytes $m
golden m-diff.context.txt 1 --context=1 $m
golden m-diff.bytes.json 1 --json --bytes $m
golden m-diff.back.txt 1 criu/m-diff-2 criu/m-diff-1
golden m-diff.no-pages.txt 1 --no-pages $m
answers "only page 3 of its 16 changed" "[x['start'] for x in c if x['group'] == 'pages' and
	0x7fa2af4af000 <= int(x['start'], 16) < 0x7fa2af4bf000] == ['0x7fa2af4b2000']" $m
answers "the counter" "[(l['a'][:8], l['b'][:8]) for x in c if x.get('start') == '0x7fa2af4b2000'
	for l in x['lines']] == [('06000000', '11000000')]" --bytes $m
answers "the new mapping" "[(x['what'], x['subject']) for x in c if x['group'] == 'mappings'] ==
	[('added', '10000000-10004000')]" $m
answers "descriptors" "sorted((x['what'], x['subject'], x['field'], x['a']) for x in c
	if x['group'] == 'files' and x['what'] == 'changed') == [('changed', 'fd 1', 'pos', 250),
	('changed', 'fd 1', 'size', 250), ('changed', 'fd 3', 'pos', 60)]" $m

# Processes that came, went, and have other numbers.
json=$work/tree.json
"$fast" convert -t json criu/c-tree "$json"
variant() { # NAME PYTHON: statements that change objects o (a dict by name)
	python3 - "$json" "$work/$1.json" "$2" <<'P'
import json, sys
image = json.load(open(sys.argv[1]))
o = {x["name"]: x for x in image["objects"]}
exec(sys.argv[3])
image["objects"] = [x for x in image["objects"] if x["name"] in o]
json.dump(image, open(sys.argv[2], "w"))
P
}
core() { echo "o['core-$1.img']['entries'][0]"; }
variant renumbered "
def renumber(x):
    if isinstance(x, dict):
        return {k: renumber(v) for k, v in x.items()}
    if isinstance(x, list):
        return [renumber(v) for v in x]
    return x + 10000 if isinstance(x, int) and 9652 <= x <= 9658 else x
for name in list(o):
    if not name.startswith('core') and not name.startswith('pages'):
        o[name]['entries'] = renumber(o[name].get('entries'))
    for pid in range(9652, 9659):
        if str(pid) in name:
            o[name]['name'] = name.replace(str(pid), str(pid + 10000))
o = {x['name']: x for x in image['objects']}"
same "other numbers, by role" criu/c-tree ../renumbered.json
same "other numbers, by order" criu/c-tree ../renumbered.json --match=order
golden renumbered.txt 0 --all criu/c-tree ../renumbered.json
variant changed "
p = o['pstree.img']['entries']
p[:] = [e for e in p if e['pid'] != 9655]
[e for e in p if e['pid'] == 9656][0]['ppid'] = 9652
t = $(core 9654)
t['tc']['comm'] = 'renamed\u001b[2J'
t['tc']['blk_sigset'] = 1 << 9
t['tc']['sigactions'][14]['sigaction'] = 0xdead000
t['tc']['rlimits']['rlimits'][7]['cur'] = 99
t['tc']['oom_score_adj'] = 500
t['thread_core']['sched_nice'] = 5
t['thread_core']['creds']['euid'] = 33
t['thread_core']['creds']['cap_eff'][0] = 0x2000
t['thread_info']['gpregs']['ip'] += 4
t['tc']['timers']['real'] = {'isec': 1, 'iusec': 0, 'vsec': 1, 'vusec': 5}
[v for v in o['mm-9653.img']['entries'][0]['vmas'] if v['prot'] == 3][0]['prot'] = 7
v = [v for v in o['mm-9652.img']['entries'][0]['vmas'] if v['end'] - v['start'] > 0x4000 and v['prot'] == 3][0]
v['end'] -= 0x1000
$(core 9657)['tc']['exit_code'] = 9"
golden tree.txt 1 criu/c-tree ../changed.json
golden tree.json 1 --json criu/c-tree ../changed.json
answers "who was changed, and nobody else" "{x['process'] and (x['process']['a'], x['process']['b']) for x in c}
	== {(9655, None), (9652, 9652), (9653, 9653), (9654, 9654), (9656, 9656), (9657, 9657)}" \
	criu/c-tree ../changed.json
json=$work/files.json
"$fast" convert -t json criu/d-files "$json"
variant files-changed "
f = o['fdinfo-2.img']['entries']
f[:] = [e for e in f if e['fd'] != 0]
[e for e in f if e['fd'] == 4][0]['flags'] = 0
[e for e in f if e['fd'] == 5][0]['id'] = 4
for e in o['files.img']['entries']:
    if 'reg' in e and e['reg']['pos'] == 1234:
        e['reg']['pos'], e['reg']['flags'] = 4321, e['reg']['flags'] | 0x400"
golden files.txt 1 criu/d-files ../files-changed.json
json=$work/sockets.json
"$fast" convert -t json criu/e-sockets "$json"
variant sockets-changed "
import base64
q = o['sk-queues.img']['entries']
raw = bytearray(base64.b64decode(q[0]['extra']))
raw[0] ^= 1
q[0]['extra'] = base64.b64encode(bytes(raw)).decode()
s = [e for e in o['files.img']['entries'] if 'isk' in e][0]['isk']
s['backlog'] += 7
s['opts']['so_rcvbuf'] += 1000"
golden sockets.txt 1 criu/e-sockets ../sockets-changed.json
json=$work/ns.json
"$fast" convert -t json criu/g-ns "$json"
variant ns-changed "
o[[n for n in o if n.startswith('utsns')][0]]['entries'][0]['nodename'] = 'elsewhere'
m = o[[n for n in o if n.startswith('mountpoints')][0]]['entries']
m[0]['options'] = 'ro'
del m[-1]"
golden ns.txt 1 criu/g-ns ../ns-changed.json
json=$work/maps.json
"$fast" convert -t json criu/m-diff-1 "$json"
variant maps-changed "
v = o['mm-10595.img']['entries'][0]['vmas']
at = {hex(x['start']): x for x in v}
heap = at['0x55f5d4c75000']
v.insert(v.index(heap) + 1, dict(heap, start=heap['start'] + 0x2000, prot=1))
heap['end'] = heap['start'] + 0x2000
stack = at['0x7ffca04ee000']
stack['start'] -= 0x3000
one, two = at['0x7fa2af691000'], at['0x7fa2af695000']
one['end'] = two['end']
v.remove(two)
at['0x7fa2af6b1000']['start'] += 0x1000000
at['0x7fa2af6b1000']['end'] += 0x1000000
at['0x55f5968aa000']['shmid'] = 2"
golden maps.txt 1 criu/m-diff-1 ../maps-changed.json
golden maps.json 1 --json criu/m-diff-1 ../maps-changed.json
json=$work/threads.json
"$fast" convert -t json criu/b-threads "$json"
variant threads-changed "
p = o['pstree.img']['entries'][0]
gone = p['threads'].pop()
del o['core-%d.img' % gone]
t = o['core-%d.img' % p['threads'][1]]['entries'][0]
t['thread_core']['comm'] = 'other'
t['thread_core']['signals_p'] = {'signals': []}
t['thread_info']['fpregs']['xmm_space'][4] = 7
t['thread_info']['gpregs']['fs_base'] += 64"
golden threads.txt 1 criu/b-threads ../threads-changed.json
golden layers.txt 1 criu-3.17/f-inc/1 criu-3.17/f-inc/2
golden layers.bytes.txt 1 --bytes criu-3.17/f-inc/1 criu-3.17/f-inc/2
json=$work/segment.json
"$fast" convert -t json criu/l-mem "$json"
variant segment-changed "
import base64
n = [x['entries'][0]['pages_id'] for x in o.values() if x['name'].startswith('pagemap-shmem')][0]
raw = bytearray(base64.b64decode(o['pages-%d.img' % n]['raw']))
raw[5] ^= 1
o['pages-%d.img' % n]['raw'] = base64.b64encode(bytes(raw)).decode()"
golden segment.txt 1 criu/l-mem ../segment-changed.json
golden segment.bytes.txt 1 --bytes criu/l-mem ../segment-changed.json
golden single.txt 1 criu/m-diff-1/mm-10595.img criu/m-diff-2/mm-10595.img
same "a single file" criu/m-diff-1/mm-10595.img criu/m-diff-1/mm-10595.img

# Pages of parents; digests that decide; page files that are the same.
answers "layers of a chain" "{x['what'] for x in c if x['group'] == 'pages'} == {'changed'}" \
	criu-3.17/f-inc/2 criu-3.17/f-inc/3
"$here/../bench/big_image.py" criu/a-regs "$work/big" 64
cp -al "$work/big" "$work/linked"
read -r n reads < <(read_bytes "$fast" diff "$work/big" "$work/linked")
[ "${n:-67108864}" -lt 4000000 ] && ok || not_ok "hard links: $n bytes were read"
same "hard links" "$work/big" "$work/linked"
"$fast" convert "$work/big" "$work/1.crimg" && cp "$work/1.crimg" "$work/2.crimg"
read -r n reads < <(read_bytes "$fast" diff "$work/1.crimg" "$work/2.crimg")
[ "${n:-67108864}" -lt 1000000 ] && ok || not_ok "digests: $n bytes were read"
[ "${reads:-1000}" -lt 100 ] && ok || not_ok "digests stand in one place: $reads reads"
printf '\377' | dd of="$work/2.crimg" bs=1 seek=40000000 conv=notrunc status=none
same "digests decide, bytes are not looked at" "$work/1.crimg" "$work/2.crimg"
python3 - "$work" <<'P'
import os, sys
with open(os.path.join(sys.argv[1], "big", "pages-1.img"), "rb") as f, \
     open(os.path.join(sys.argv[1], "page"), "wb") as out:
    out.write(f.read(4096 * 3))
P
rm "$work/linked/pages-1.img" && cp "$work/big/pages-1.img" "$work/linked/"
printf 'changed' | dd of="$work/linked/pages-1.img" bs=1 seek=30000000 conv=notrunc status=none
"$fast" convert "$work/linked" "$work/3.crimg"
answers "one page of 64 MiB in streams" "[x['pages'] for x in c if x['group'] == 'pages'] == [1]" \
	"$work/1.crimg" "$work/3.crimg"
read -r n reads < <(read_bytes "$fast" diff "$work/1.crimg" "$work/3.crimg")
[ "${n:-67108864}" -lt 12000000 ] && ok || not_ok "one page: $n bytes were read"
if [ "$(id -u)" = 0 ] && command -v mkfs.xfs >/dev/null && truncate -s 400M "$work/disk" \
	&& mkfs.xfs -q "$work/disk" && mkdir "$work/xfs" && mount -o loop "$work/disk" "$work/xfs" 2>/dev/null; then
	cp -r "$work/big" "$work/xfs/a" && cp -r --reflink=always "$work/xfs/a" "$work/xfs/b" && sync
	read -r n reads < <(read_bytes "$fast" diff "$work/xfs/a" "$work/xfs/b")
	[ "${n:-67108864}" -lt 4000000 ] && ok || not_ok "reflinks: $n bytes were read"
	printf 'changed' | dd of="$work/xfs/b/pages-1.img" bs=1 seek=30000000 conv=notrunc status=none
	answers "a page written after the reflink" "[x['pages'] for x in c if x['group'] == 'pages'] == [1]" \
		"$work/xfs/a" "$work/xfs/b"
	umount "$work/xfs"
else
	skip "reflinks need root, a loop device and xfsprogs"
fi

# Trouble.
golden help.txt 0 --help
golden no-b.txt 2 criu/a-regs
golden no-option.txt 2 --nothing criu/a-regs criu/a-regs
golden no-match.txt 2 --match=name criu/a-regs criu/a-regs
golden no-image.txt 2 criu/a-regs nowhere
golden two-pipes.txt 2 - -
cp -r criu/a-regs cut && truncate -s 50000 cut/pages-1.img
golden cut.txt 2 criu/a-regs cut
cp -r criu/a-regs broken && printf '\377' | dd of=broken/core-27736.img bs=1 seek=9 conv=notrunc status=none
golden broken.txt 2 criu/a-regs broken
[ -c /dev/full ] && { "$crimg" diff $m >/dev/full 2>"$work/err"; [ $? = 2 ] && ok || not_ok "a full disk"; }

# Damage: a result or one clear line, in bounded time.
RANDOM=20261126
for i in $(seq 60); do
	image=$(images criu | sed -n "$((RANDOM % 12 + 1))p")
	rm -rf img && cp -r "$image" img
	file=img/$(ls img | grep '\.img$' | sed -n "$((RANDOM % $(ls img | grep -c '\.img$') + 1))p")
	size=$(stat -c %s "$file")
	for k in 1 2 3; do
		printf "\\x$(printf %02x $((RANDOM % 256)))" |
			dd of="$file" bs=1 seek=$((size > 0 ? (RANDOM * 32768 + RANDOM) % size : 0)) conv=notrunc status=none
	done
	[ $((i % 3)) = 0 ] && truncate -s $((size * (RANDOM % 64) / 64)) "$file"
	timeout 20 "$crimg" diff --bytes "$image" img >"$work/out" 2>"$work/err"
	code=$?
	case $code-$(wc -l <"$work/err") in
	0-0 | 1-0 | 2-1) ok ;;
	*) not_ok "damage $i of $file: exit $code: $(head -n 3 "$work/err")" ;;
	esac
done

# Random edits: three oracles agree.
rounds=${CRIMG_DIFF_ROUNDS:-334}
for sample in a-regs l-mem c-tree; do
	mkdir "$work/oracle-$sample"
	python3 "$here/diff_oracle.py" "$fast" "criu/$sample" "$work/oracle-$sample" "$rounds" 1 >"$work/$sample.log" 2>&1 &
done
wait
for sample in a-regs l-mem c-tree; do
	if [[ $(tail -n 1 "$work/$sample.log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
		grep FAILED "$work/$sample.log" | head -n 3
	else
		not_ok "the oracle of $sample: $(tail -n 3 "$work/$sample.log")"
	fi
done
finish
