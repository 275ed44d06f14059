#!/bin/bash
# Kernel streams made from CRIU's messages: those that a kernel wrote, made again and held against its own bytes; images
# of today's processes in both postings, held against an independent reading of the grammar and against the ledger of
# losses; processes dumped here and now.
#   linuxcr_write.sh CRIMG SAMPLES PEER BUILD
#   UPDATE=1 writes the golden ledgers anew: read the difference before commit.
crimg=$(realpath "$1") samples=$(realpath "$2") peer=$3 build=$(realpath "$4")
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/golden/linuxcr
. "$here/lib.sh"
views="summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc stats objects"
quiet() { "$@" >"$work/out"; }
grammar() { python3 "$here/linuxcr_grammar.py" "$@" | sed '/: ok$/d'; }
fails() { # CODE WORDS COMMAND…: and leaves nothing at $work/y.ckpt
	local wanted=$1 words=$2 out code
	shift 2
	out=$("$@" 2>&1 >/dev/null)
	code=$?
	if [ "$code" = "$wanted" ] && grep -qF -e "$words" <<<"$out" && [ ! -e "$work/y.ckpt" ]; then ok
	else not_ok "$*: exit $code: $out"; fi
}
same_ledger() { # NAME FILE
	[ -n "${UPDATE:-}" ] && mkdir -p "$golden" && cp "$2" "$golden/$1"
	claim "$1" diff "$golden/$1" "$2"
}

# What a kernel wrote, from CRIU's messages alone: the same but for what the reasons of linuxcr_again.py say.
n=0 pairs=()
for stream in "$samples"/linux-cr/*.ckpt; do
	name=$(basename "$stream" .ckpt) version=v20
	case $name in *error*) continue ;; r6*) version=v23-rc2 ;; esac
	n=$((n + 1))
	rm -rf "$work/dir" "$work/again"
	claim "$name: to a directory" "$crimg" convert "$stream" "$work/dir"
	rm "$work/dir/kernel-records.img"
	quiet "$crimg" convert --allow-loss --loss "$work/loss" --linux-cr-version "$version" -t linux-cr "$work/dir" \
		"$work/$name.ckpt" 2>"$work/err" || not_ok "$name: made again: $(cat "$work/err")"
	sed "s/^/$name: /" "$work/loss" >>"$work/ledger"
	claim "$name: [R-0821] grammar" grammar "$work/$name.ckpt"
	claim "$name: back" "$crimg" convert "$work/$name.ckpt" "$work/again"
	rm "$work/again/kernel-records.img"
	claim "$name: [R-0822] the same" "$crimg" diff --no-pages "$work/dir" "$work/again"
	claim "$name: the same pages" "$crimg" diff "$work/dir" "$work/again"
	# Asked for, the stream is made anew although its records are there.
	rm -f "$work/x.ckpt"
	quiet "$crimg" convert --allow-loss --linux-cr-version "$version" "$stream" "$work/x.ckpt" 2>/dev/null
	claim "$name: [R-0823] made where it is asked for" cmp "$work/x.ckpt" "$work/$name.ckpt"
	pairs+=("$stream" "$work/$name.ckpt")
done
[ "$n" -ge 17 ] || not_ok "$n streams found, 17 wanted"
same_ledger kernel.txt "$work/ledger"
claim "[R-0822] record by record" python3 "$here/linuxcr_again.py" "${pairs[@]}"

# Images of CRIU's, in both postings.
stream_of() { # NAME IMAGE: to $work/VERSION.ckpt, each checked
	local name=$1 image=$2 version
	for version in v20 v23-rc2; do
		rm -f "$work/$version.ckpt"
		quiet "$crimg" convert --allow-loss --loss "$work/$version.txt" --linux-cr-version $version -t linux-cr "$image" \
			"$work/$version.ckpt" 2>"$work/err" || not_ok "$name, $version: $(tail -n 1 "$work/err")"
		claim "$name, $version: [R-0821] grammar" grammar "$work/$version.ckpt"
		claim "$name, $version: valid" quiet "$crimg" validate "$work/$version.ckpt"
		rm -f "$work/again.ckpt"
		quiet "$crimg" convert --allow-loss --linux-cr-version $version "$work/$version.ckpt" "$work/again.ckpt" 2>/dev/null
		claim "$name, $version: made again, the same bytes" cmp "$work/$version.ckpt" "$work/again.ckpt"
		# shellcheck disable=SC2086
		claim "$name, $version: all views" quiet "$crimg" inspect "$work/$version.ckpt" $views
		claim "$name, $version: [R-0824] as the ledger says" \
			python3 "$here/linuxcr_ledger.py" "$crimg" "$image" "$work/$version.ckpt" "$work/$version.txt"
	done
}
for image in "$samples"/criu/*/; do
	name=$(basename "$image")
	stream_of "$name" "$image"
	# One golden ledger: v23-rc2's, and what v20 loses besides.
	{ cat "$work/v23-rc2.txt"; diff "$work/v23-rc2.txt" "$work/v20.txt" | sed -n 's/^[<>]/& v20:/p'; } >"$work/ledger"
	same_ledger "$name.txt" "$work/ledger"
done
# Pages of parents are brought along, from every layer; the default is v23-rc2.
layers=$samples/criu-3.17/f-inc
for layer in "$layers"/[0-9]*/; do
	[ -e "$layer/pstree.img" ] || continue # a pre-dump has no processes
	rm -rf "$work/flat" "$work/x.ckpt"
	claim "$layer: flat" "$crimg" convert --merge-parents "$layer" "$work/flat"
	quiet "$crimg" convert --allow-loss --loss "$work/loss" "$layer" "$work/x.ckpt" 2>/dev/null
	claim "$layer: grammar" grammar "$work/x.ckpt"
	claim "$layer: [R-0824] as the ledger says" \
		python3 "$here/linuxcr_ledger.py" "$crimg" "$work/flat" "$work/x.ckpt" "$work/loss"
done
# From a stream on a pipe, and from JSON: the same bytes.
for form in crimg json; do
	rm -f "$work/x.$form" "$work/x.ckpt" "$work/y.ckpt"
	claim "to $form" "$crimg" convert -t $form "$samples/criu/d-files" "$work/x.$form"
	quiet "$crimg" convert --allow-loss -t linux-cr "$samples/criu/d-files" "$work/x.ckpt" 2>/dev/null
	quiet sh -c '"$1" convert --allow-loss -t linux-cr - "$2" <"$3"' sh "$crimg" "$work/y.ckpt" "$work/x.$form" 2>/dev/null
	claim "from $form on a pipe" cmp "$work/x.ckpt" "$work/y.ckpt"
done
rm -f "$work/y.ckpt"
# A core has registers and memory alone.
quiet "$crimg" convert --allow-loss -t linux-cr "$samples/cores/kernel64.core" "$work/x.ckpt" 2>"$work/err" ||
	not_ok "a core: $(tail -n 1 "$work/err")"
claim "a core: grammar" grammar "$work/x.ckpt"
registers() { # IMAGE: names and values
	"$crimg" inspect --json "$1" regs | python3 -c '
import json, sys
for t in json.load(sys.stdin)["regs"][0]["threads"]:
	# Who waits in a system call goes on as the reader of streams says.
	if int(t["registers"]["orig_rax"]["value"], 16) >= 2**63:
		print(t["tid"], {k: v["value"] for k, v in t["registers"].items()})'
}
claim "a core: registers" diff <(registers "$samples/cores/kernel64.core") <(registers "$work/x.ckpt")

# Sockets, terminals and an eventfd, which no real stream at hand has: made by hand, then from their messages.
for base in r5-files r6-files; do
	rm -rf "$work/dir" "$work/x.ckpt" "$work/y.ckpt"
	claim "$base: sockets" python3 "$here/linuxcr_sockets.py" make "$samples/linux-cr/$base.ckpt" "$work/x.ckpt"
	claim "$base: sockets: to a directory" "$crimg" convert "$work/x.ckpt" "$work/dir"
	rm "$work/dir/kernel-records.img"
	version=$([ $base = r5-files ] && echo v20 || echo v23-rc2)
	quiet "$crimg" convert --allow-loss --linux-cr-version "$version" -t linux-cr "$work/dir" "$work/y.ckpt" 2>/dev/null
	claim "$base: sockets: grammar" grammar "$work/y.ckpt"
	claim "$base: sockets: the same" python3 "$here/linuxcr_sockets.py" check "$crimg" "$work/y.ckpt"
done
rm -f "$work/y.ckpt"
# More pages than a chunk holds.
cp -r "$samples/criu/m-diff-1" "$work/many"
chmod -R u+w "$work/many"
python3 - "$crimg" "$work/many" <<'P' || not_ok "no image of many pages could be made"
import json, os, subprocess, sys
crimg, folder = sys.argv[1:]
START, PAGES = 0x7fffd0000000, 8192 + 5
def edit(prefix, change):
    path = next(os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.startswith(prefix))
    document = json.loads(subprocess.run([crimg, "crit", "decode", "-i", path], check=True, stdout=subprocess.PIPE).stdout)
    change(document["entries"])
    subprocess.run([crimg, "crit", "encode", "-o", path], check=True, input=json.dumps(document).encode())
    return path
def area(entries):
    vmas = entries[0]["vmas"]
    private = next(v for v in vmas if v["status"] == 513)
    at = next(i for i, v in enumerate(vmas) if v["start"] > START)
    vmas.insert(at, dict(private, start=START, end=START + PAGES * 4096))
edit("mm-", area)
run = {"vaddr": START, "compat_nr_pages": 0, "nr_pages": PAGES, "flags": 4}
edit("pagemap-", lambda entries: entries.append(run))
path = os.path.join(folder, "pages-1.img")
with open(path, "r+b") as f:
    end = f.seek(0, 2)
    f.truncate(end + PAGES * 4096)
    f.seek(end + 8192 * 4096)
    f.write(b"the first of the second chunk")
P
rm -f "$work/x.ckpt"
quiet "$crimg" convert --allow-loss --loss "$work/loss" -t linux-cr "$work/many" "$work/x.ckpt" 2>"$work/err" ||
	not_ok "many pages: $(tail -n 1 "$work/err")"
claim "many pages: grammar" grammar "$work/x.ckpt"
claim "many pages: as the ledger says" \
	python3 "$here/linuxcr_ledger.py" "$crimg" "$work/many" "$work/x.ckpt" "$work/loss"
chunks=$(python3 "$here/linuxcr_grammar.py" -v "$work/x.ckpt" | grep -A2 'PGARR *pages=8192$' | awk '/PGARR/ { print $3 }' | xargs)
[ "$chunks" = "pages=8192 pages=5" ] && ok || not_ok "many pages: chunks $chunks found"

# What is lost is told, and nothing is left behind.
fails 1 "things would be lost" "$crimg" convert -t linux-cr "$samples/criu/a-regs" "$work/y.ckpt"
fails 2 "v20 or v23-rc2 wanted" "$crimg" convert --linux-cr-version v21 "$samples/criu/a-regs" "$work/y.ckpt"
fails 2 "of a kernel stream; crimg has none" "$crimg" convert --linux-cr-version v20 "$samples/criu/a-regs" "$work/y.crimg"
fails 2 "a regular file only" "$crimg" convert --allow-loss -t linux-cr "$samples/criu/a-regs" -
fails 2 "is not compressed" "$crimg" convert --compress=zstd "$samples/criu/a-regs" "$work/y.ckpt"
fails 2 "0 trees of processes found" "$crimg" convert --allow-incomplete -t linux-cr "$layers/1" "$work/y.ckpt"

# Processes frozen here and now.
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then
	skip "the peer criu could not be fetched"
elif [ "$(id -u)" != 0 ]; then
	skip "criu dump needs root"
else
	mkdir -p "$build/samples"
	cc -O1 -w -pthread -o "$build/samples/zoo" "$here/../samples/programs/zoo.c" || exit 2
	mkdir "$work/run" "$work/live"
	(cd "$work/run" && exec setsid "$build/samples/zoo" </dev/null >out 2>err) &
	pid=$!
	disown "$pid" # criu kills it: no news
	for _ in $(seq 50); do
		sleep 0.1
		grep -q . "$work/run/out" && break
	done
	if "$peer/criu" dump -t "$pid" -D "$work/live" -o dump.log --file-locks --tcp-established >/dev/null 2>&1; then
		stream_of "a process of now" "$work/live"
	else
		skip "criu dump failed here: $(grep Error "$work/live/dump.log" | tail -n 1)"
		kill -KILL -- "-$pid" 2>/dev/null
	fi
fi
finish
