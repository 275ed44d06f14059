#!/bin/bash
# Backtraces of images that today's criu makes here and now, against what gdb and eu-stack said of the living
# processes; and what damaged ELF files and a broken libdw do to them.
#   stacks.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if [ "$peer" = none ] || [ ! -x "$peer/criu" ] || [ "$(id -u)" != 0 ]; then
	skip "criu dump needs the peer and root"
	finish
	exit
fi
command -v gdb >/dev/null && command -v eu-stack >/dev/null || {
	skip "gdb and eu-stack (elfutils) are the peers here"
	finish
	exit
}
cd "$work" || exit 2
export DEBUGINFOD_URLS=

cc -O2 -g -w -pthread -fomit-frame-pointer -o t8-O2 "$here/../samples/programs/threads8.c" || exit 2
cc -O0 -g -w -pthread -o t8-O0 "$here/../samples/programs/threads8.c" || exit 2
cc -O1 -g -w -pthread -o traps.x "$here/hostile_cfi.c" || exit 2
cc -O1 -w -shared -fPIC -o broken.so "$here/broken_libdw.c" || exit 2
cc -m32 -O1 -g -nostdlib -static -fno-pie -no-pie -fno-stack-protector -fomit-frame-pointer \
	-fasynchronous-unwind-tables -w -o deep32.x "$here/../samples/programs/deep32.c" 2>/dev/null ||
	skip "no 32-bit code can be made here"
cat >deep.py <<'END'
import http.server, threading, time
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Thread(target=lambda: threading.Event().wait(), daemon=True).start()
def deep(n):
    if n > 0:
        return [deep(n - 1) for _ in range(1)]
    print("ready", flush=True)
    time.sleep(3600)
deep(5)
END

freeze() { # NAME COMMAND…: backtraces of it to NAME.gdb and NAME.eu, its image to NAME
	local name=$1 pid
	shift
	mkdir -p "$name"
	setsid "$@" </dev/null >"$name.out" 2>"$name.err" &
	pid=$!
	disown "$pid" # criu kills it: no news
	for _ in $(seq 80); do
		sleep 0.1
		grep -q ready "$name.out" && break
	done
	gdb -nx -batch -p "$pid" -ex 'thread apply all bt' >"$name.gdb" 2>/dev/null
	eu-stack -p "$pid" >"$name.eu" 2>/dev/null
	"$peer/criu" dump -t "$pid" -D "$name" -o dump.log >/dev/null 2>&1 && return
	# A kernel without what criu needs is no fault of ours, and is said.
	skip "criu dump of $name failed here: $(grep Error "$name/dump.log" | tail -n 1)"
	kill -KILL "$pid" 2>/dev/null
	rm -rf "${work:?}/${name:?}"
}
freeze O2 "$work/t8-O2"
freeze O0 "$work/t8-O0"
freeze traps "$work/traps.x"
[ -x deep32.x ] && freeze deep32 "$work/deep32.x"
freeze python python3 deep.py

stack() { "$crimg" inspect "$@"; } # IMAGE stack OPTION…
agrees() { # NAME PROGRAM: frame by frame
	[ -d "$1" ] || return 0
	stack "$1" stack --sysroot / --json >"$1.json" && python3 "$here/stack_compare.py" "$1.json" \
		"$1.gdb" "$1.eu" "$2"
}
claim "O2 agrees" agrees O2 "$work/t8-O2"
claim "O0 agrees" agrees O0 "$work/t8-O0"
claim "python and a server agree" agrees python none
[ -x deep32.x ] && claim "32-bit code agrees" agrees deep32 "$work/deep32.x"

# gdb and eu-stack say of our cores what they said of the living processes.
core_agrees() { # NAME PROGRAM
	[ -d "$1" ] || return 0
	"$crimg" convert -t core "$1" "$1.core" || return 1
	gdb -nx -batch -ex 'thread apply all bt' "$2" "$1.core" >"$1.core.gdb" 2>/dev/null
	python3 "$here/stack_same.py" gdb "$1.gdb" "$1.core.gdb"
	# eu-stack finds a static program by its first page alone, which CRIU leaves in the file.
	[ "$1" = deep32 ] && return
	eu-stack --core="$1.core" -e "$2" >"$1.core.eu" 2>/dev/null
	python3 "$here/stack_same.py" eu "$1.eu" "$1.core.eu"
}
claim "O2: debuggers of the core" core_agrees O2 "$work/t8-O2"
claim "O0: debuggers of the core" core_agrees O0 "$work/t8-O0"
python=$(python3 -c "import os, sys; print(os.path.realpath(sys.executable))")
claim "python and a server: debuggers of the core" core_agrees python "$python"
[ -x deep32.x ] && claim "32-bit code: debuggers of the core" core_agrees deep32 "$work/deep32.x"

if [ ! -d O2 ] || [ ! -d O0 ] || [ ! -d traps ]; then
	finish
	exit
fi

# ask JSON EXPRESSION: e prints what is wrong; threads and frames are at hand.
ask() {
	python3 -c '
import json, sys
threads = [t for p in json.load(open(sys.argv[1]))["stack"] for t in p["threads"]]
frames = [f for t in threads for f in t["frames"]]
wrong = eval(sys.argv[2].replace("\n", " "))
print(wrong) if wrong else None' "$@"
}
lines() { # lines of O0 agree with gdb
	python3 - "$work/t8-O0" <<'END'
import json, re, sys
gdb = {}
for line in open("O0.gdb"):
    if m := re.match(r"#[1-9]\d* +(0x\w+) in .* at (\S+):(\d+)$", line):
        gdb[int(m[1], 16)] = (m[2].split("/")[-1], int(m[3]))
for p in json.load(open("O0.json"))["stack"]:
    for t in p["threads"]:
        for f in t["frames"][1:]:
            want = gdb.get(int(f["address"], 16))
            if f["module"] == sys.argv[1] and want and (f["file"].split("/")[-1], f["line"]) != want:
                print(f, want)
END
}
claim "lines agree with gdb" lines
claim "names of code of ours have lines" ask O0.json \
	'[f for f in frames if (f["function"] or "").endswith(("_leaf", "_inner", "_outer")) and not f["line"]]'

# Without files the first frame is exact, the others are guesses, and all that is true is among them.
for name in O2 O0; do
	stack "$name" stack --json >"$name.bare.json"
	claim "$name without files: first frames" ask "$name.bare.json" \
		'[t for t in threads if t["frames"][0]["guess"] or t["frames"][0]["how"] != "registers"]'
	claim "$name without files: guesses" ask "$name.bare.json" \
		'[f for f in frames if f["number"] > 0 and (not f["guess"] or f["how"] == "cfi")]'
	claim "$name without files: says what is missing" ask "$name.bare.json" \
		'[t["ended"] for t in threads if not "--sysroot DIR gives exact frames" in t["ended"]]'
	# raise_leaf is hidden: libc, interrupted by a signal, leaves the frame pointer to its callers.
	claim "$name without files: nothing true is missed" ask "$name.bare.json" \
		'[(t["tid"], f["address"], f["function"]) for u in json.load(open("'"$name"'.json"))["stack"]
		for x in u["threads"] for t in threads if t["tid"] == x["tid"] for f in x["frames"]
		if (f["function"] or "").endswith(("_leaf", "_inner", "_outer"))
		and f["function"] != "raise_leaf" and f["address"] not in [g["address"] for g in t["frames"]]]'
done
claim "frame pointers are followed" ask O0.bare.json \
	'0 if sum(f["how"] == "frame-pointer" for f in frames) > 20 else [f["how"] for f in frames]'

# Filters.
tid=$(sed -n 's/^  thread \([0-9]*\) t-futex$/\1/p' <(stack O2 stack --sysroot /))
claim "one thread, three frames" diff <(stack O2 stack --sysroot / -t "$tid" --limit 3 | grep -c '^    #') <(echo 3)
claim "and it says so" diff <(stack O2 stack --sysroot / -t "$tid" --limit 3 | tail -n 1) \
	<(echo "    … 3 frames are shown: --limit N shows more")

# A sysroot with copies of the files, to be damaged.
mkdir -p root
stack traps stack --sysroot / --json >traps.json
while read -r path; do
	mkdir -p "root$(dirname "$path")"
	cp "$path" "root$path"
done < <(sed -n 's/^ *"module": "\(\/.*\)",$/\1/p' O2.json traps.json | sort -u)
bounded() { # SECONDS TEXT IMAGE ENVIRONMENT…: to the end, in time, with exit code 0 and whole JSON; > out.json
	local seconds=$1 text=$2 image=$3
	shift 3
	env "$@" timeout "$seconds" "$crimg" inspect "$image" stack --sysroot root --json >out.json 2>out.err
	local code=$?
	if [ "$code" != 0 ] || [ -s out.err ] || ! tail -n 1 out.json | grep -qx '}'; then
		not_ok "$text: exit $code $(head -n 2 out.err)"
	else
		ok
	fi
}
bounded 10 "as they are" O2
cp out.json whole.json
claim "copies are as good" ask whole.json '[f for f in frames if f["guess"]]'
bounded 10 "traps" traps
claim "traps end in guesses" ask out.json \
	'[t for t in threads[1:] if len(t["frames"]) < 6 or (t["complete"] and t["tid"] != 0)]'
claim "traps: the way out is found" ask out.json \
	'[t for t in threads[1:] if t["frames"][5]["function"] not in ("run", "trap_endless")]'
claim "endless frames end" ask out.json \
	'[len(t["frames"]) for t in threads if len(t["frames"]) > 256] + [0] * (not any(len(t["frames"]) == 256 for t in threads))'

damage() { python3 "$here/stack_damage.py" "$crimg" O2 root "$@"; } # FILE SECTIONS COUNT RUNS [exact]
libc=$(sed -n 's/^ *"module": "\(.*libc\.so\.6\)",$/\1/p;T;q' O2.json)
claim "t8-O2 without its end" damage "$work/t8-O2" tail 0 60
claim "t8-O2 with damaged frame information" damage "$work/t8-O2" .eh_frame,.eh_frame_hdr 200 60
claim "t8-O2 with slightly damaged frame information" damage "$work/t8-O2" .eh_frame 3 60
claim "libc with damaged frame information" damage "$libc" .eh_frame,.eh_frame_hdr 9000 20
claim "libc without its end" damage "$libc" tail 0 20
claim "damaged lines" damage "$work/t8-O2" .debug_line,.debug_line_str 30 60 exact
head -c 5000 t8-O2 >"root$work/t8-O2"
bounded 10 "t8-O2 cut short" O2
claim "a file that differs is not used, and why is said" ask out.json \
	'[t["ended"] for t in threads if "t8-O2: differs: 5000 bytes found" not in t["ended"]]'
claim "behind it exact information is used again" ask out.json \
	'[t["tid"] for t in threads if not any(f["guess"] and f["how"] == "cfi" for f in t["frames"])]'
rm "root$work/t8-O2"
bounded 10 "without t8-O2" O2
claim "a file that is not there" ask out.json \
	'[t["ended"] for t in threads if "t8-O2: not in the sysroot" not in t["ended"]]'
cp t8-O2 "root$work/t8-O2"

# libdw itself goes wrong: one thread, or some, have guesses; the others are as they were.
same_but() { # COUNT: threads that differ from whole.json
	ask out.json '(lambda w: [] if len([t for t in threads if t["frames"] != w[t["tid"]]]) == '"$1"'
		else [(t["tid"], t["unwinder"]) for t in threads if t["frames"] != w[t["tid"]]])(
		{t["tid"]: t["frames"] for p in json.load(open("whole.json"))["stack"] for t in p["threads"]})'
}
says() { # TEXT COUNT
	ask out.json '[] if sum((t["unwinder"] or "") == "'"$1"'" for t in threads) == '"$2"'
		else [t["unwinder"] for t in threads]'
}
if ldd "$crimg" | grep -q libasan; then
	skip "a broken libdw under the sanitizer"
else
	for how in crash free eat; do
		bounded 20 "libdw: $how" O2 LD_PRELOAD="$work/broken.so" BROKEN="$how 50"
		claim "$how: one thread is guessed" same_but 1
		claim "$how: the first frame is exact" ask out.json '[t for t in threads if t["frames"][0]["guess"]]'
	done
	bounded 20 "libdw: crash" O2 LD_PRELOAD="$work/broken.so" BROKEN="crash 50"
	claim "crash is told" says "unwinder stopped: killed by SIGSEGV" 1
	bounded 20 "libdw: always" O2 LD_PRELOAD="$work/broken.so" BROKEN="always 1"
	claim "always: given up" says "unwinder not used: it failed too often" 5
	claim "always: all threads are guessed" same_but 9
	bounded 20 "lines: crash" O2 LD_PRELOAD="$work/broken.so" BROKEN="lines 0"
	claim "lines: told once" says "looking for source lines stopped: killed by SIGSEGV" 1
	claim "lines: frames are exact" ask out.json '[f for f in frames if f["guess"] or f["line"]]'
	bounded 20 "libdw: spin" O2 LD_PRELOAD="$work/broken.so" BROKEN="spin 50"
	claim "spin: one thread is guessed" same_but 1
	claim "spin is told" ask out.json '[] if [t["unwinder"] for t in threads if t["unwinder"]] in
		(["unwinder stopped: took too long"], ["unwinder stopped: did not answer for 10 s"]) else threads'
fi
finish
