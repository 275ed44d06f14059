#!/bin/bash
# Checkpoints of running processes: the peer criu restores what crimg took, and each program proves itself;
# who is left running is undisturbed, also when crimg is killed at any step; and what is refused is named.
#   checkpoint.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
programs=$here/../samples/programs
if [ "$(id -u)" != 0 ]; then
	skip "taking processes as these tests do needs root"
	finish
	exit
fi
criu=none
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then
	skip "the peer criu could not be fetched: nobody restores"
else
	criu=$(realpath "$peer")/criu
fi
cp "$programs"/*.[ch] "$work"
for p in vectors blocked8 heap identity openfiles timers tree9 guards terminals; do
	cc -O1 -w -pthread -o "$work/$p" "$work/$p.c" || exit 2
done
cc -O1 -w -pthread -static -o "$work/heap_static" "$programs/heap.c" || exit 2
# Without a C library, and with what every one of these has in its text: pop %eax; ret, and syscall.
printf 'pop %%eax\nret\n.byte 0x0f, 5\nret\n.section .note.GNU-stack, "", @progbits\n' >"$work/text32.s"
whole32=$work/whole32
cc -m32 -w -O1 -msse2 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector -o "$whole32" \
	"$work/whole32.c" "$work/text32.s" 2>/dev/null || whole32=
cc -shared -fPIC -D_GNU_SOURCE -w -o "$work/die_at.so" "$here/die_at.c" -ldl || exit 2

rounds() { # CRIU ROUNDS COMMAND…
	local good bad
	read -r good bad < <(python3 "$here/checkpoint_rounds.py" "$crimg" "$1" "$work/rounds" "${@:2}" |
		tee "$work/said" | tail -n 1)
	grep FAILED -A 3 "$work/said"
	passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-1}))
	rm -rf "$work/rounds"
}
rounds "$criu" 3 "$work"/{vectors,blocked8,heap,heap_static,openfiles,timers,guards} \
	"/bin/bash $programs/pipeline.sh" "/usr/bin/env python3 $programs/sums.py"
# criu restores no personality, and not all orphans; crimg no pseudo-terminals with their master.
rounds none 3 "$work"/{identity,tree9}
rounds "$criu" 1 "$work/terminals"
if command -v sqlite3 >/dev/null; then rounds "$criu" 3 "/bin/bash $programs/database.sh"
else skip "there is no sqlite3"; fi

begin() { # NAME COMMAND…: runs it in a folder of its own until it is ready; $pid
	dir=$work/$1
	shift
	mkdir "$dir" && cd "$dir" || exit 2
	setsid sh -c 'echo $$ >pid; exec "$@"' sh "$@" </dev/null >out 2>&1 &
	job=$!
	for _ in $(seq 1000); do grep -q ready out 2>/dev/null && break || sleep 0.01; done
	pid=$(cat pid)
}
proves() { # TEXT: the program goes on, and finds everything as it was
	touch "$dir/go"
	wait "$job" && ok || not_ok "$1: $(cat "$dir/out")"
}
refused() { # TEXT COMMAND…: exit 2, and the text is in what it says
	local text=$1 out
	shift
	out=$("$@" 2>&1)
	if [ $? = 2 ] && [[ $out == *"$text"* ]]; then ok; else not_ok "$text wanted: $out"; fi
}

# Killed at each of the steps that touch a task: it goes on, and can be taken again.
killed() { # PROGRAM
	local code
	begin "killed-$(basename "$1")" "$1"
	DIE_COUNT=$dir/steps LD_PRELOAD=$work/die_at.so "$crimg" checkpoint -q --leave-running "$pid" x.crimg || not_ok "counting steps"
	read -r steps _ <steps
	[ "$steps" -gt 200 ] && ok || not_ok "$steps steps counted"
	for at in $(seq 1 "$steps"); do
		(DIE_AT=$at LD_PRELOAD=$work/die_at.so exec "$crimg" checkpoint -q --leave-running "$pid" y.crimg) 2>said
		code=$?
		if [ "$code" = 137 ]; then ok
		elif [ "$code" = 0 ] && [ "$at" -gt $((steps * 4 / 5)) ]; then # how many there are varies a little
			ok
			rm y.crimg
		# The task has not come back yet from the last time, to its 32-bit code.
		elif grep -q "runs 64-bit code in a 32-bit program" said; then ok
		else not_ok "step $at: it was to be killed: exit $code: $(cat said)"; fi
	done 2>/dev/null
	claim "taken after all that" "$crimg" checkpoint -q --leave-running "$pid" z.crimg
	claim "one name and no more" sh -c '[ -e z.crimg ] && [ ! -e y.crimg ]'
	proves "$1, killed at $steps steps"
}
killed "$work/blocked8"
if [ -n "$whole32" ]; then
	rounds "$criu" 1 "$whole32"
	killed "$whole32"
	begin shown32 "$whole32"
	claim "a 32-bit core" sh -c '"$1" convert -t core -p "$2" "pid:$2" x.core && [ "$(head -c 5 x.core | tail -c 1 | od -An -tu1 | tr -d " ")" = 1 ]' sh "$crimg" "$pid"
	claim "registers of 32 bits" sh -c '"$1" inspect "pid:$2" regs stack | grep -q "eip  *[0-9a-f]\{8\}" || echo none' sh "$crimg" "$pid"
	proves "shown"
else skip "32-bit programs cannot be made here"; fi

# Interrupted, full: no image, and the process goes on.
begin interrupted "$work/heap" 256
for signal in INT TERM HUP; do
	timeout -s "$signal" 0.1 "$crimg" checkpoint -q --compress=zstd:19 "$pid" x.crimg 2>said
	[ ! -e x.crimg ] && grep -q interrupted said && ok || not_ok "SIG$signal: $(cat said)"
done
(failed=0; ulimit -f 1024; refused "cannot be written" "$crimg" checkpoint -q "$pid" x.crimg; [ "$failed" = 0 ]) && ok || not_ok "a full disk"
# With --leave-running and --compress contents wait in a file beside the image, and the process goes on first.
for signal in INT TERM; do
	timeout -s "$signal" 0.2 "$crimg" checkpoint --leave-running --compress=zstd:19 "$pid" x.crimg 2>said
	[ ! -e x.crimg ] && grep -q interrupted said && ok || not_ok "SIG$signal, left running: $(cat said)"
done
(failed=0; ulimit -f 1024; refused "cannot be written" "$crimg" checkpoint -q --leave-running --compress=zstd "$pid" x.crimg
	[ "$failed" = 0 ]) && ok || not_ok "a full disk beside the image"
claim "no image is left" sh -c '[ -z "$(find . -name "*crimg*")" ]'
"$crimg" checkpoint --leave-running --compress=none "$pid" none.crimg 2>said && "$crimg" checkpoint --leave-running \
	--compress=zstd:9 "$pid" zstd.crimg 2>>said && "$crimg" checkpoint -q --leave-running --compress=lz4 -t criu "$pid" lz4 \
	&& "$crimg" validate zstd.crimg && ok || not_ok "compressed after it went on: $(cat said)"
for image in zstd.crimg lz4; do
	"$crimg" diff none.crimg "$image" >differs || # its stack, as it looks whether it may go
		grep -q ": \(pages\|registers\) [1-9] changed" differs && ok || not_ok "$image has other pages: $(cat differs)"
done
# Cites [R-0321]: whatever the format, the time that is said, in which contents were read, is in the statistics.
statistic() { "$crimg" inspect "$1" stats --json | sed -n "s/.*\"$2\": *\"*\([0-9]*\).*/\1/p"; }
timed() { # IMAGE
	claim "what it says of the time is in $1" grep -qF "still for $(awk -v us="$(statistic "$1" frozen_time)" 'BEGIN { printf "%.1f", us / 1000 }') ms" said
	[ "$(statistic "$1" memdump_time)" -gt 0 ] && ok || not_ok "$1: contents took no time"
	[ "$(statistic "$1" pages_written)" -ge 65536 ] && ok || not_ok "$1: $(statistic "$1" pages_written) pages"
}
timed zstd.crimg
timed none.crimg
"$crimg" checkpoint --leave-running -t criu "$pid" timed 2>said && timed timed
"$crimg" checkpoint --leave-stopped "$pid" timed.crimg 2>said && timed timed.crimg
claim "a stream with room for statistics" "$crimg" validate timed.crimg
/usr/bin/python3 -c 'import xxhash, zstandard' 2>/dev/null &&
	claim "it follows the specification" /usr/bin/python3 "$here/crimg_decode.py" timed.crimg decoded
kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
"$crimg" checkpoint -q --leave-running -t crimg "$pid" - | cat >piped.crimg
[ "$(statistic piped.crimg pages_written)" -ge 65536 ] && ok || not_ok "a stream in a pipe has no statistics"
proves "interrupted"

# Without privileges, one's own processes.
chmod 711 "$work"
cp "$crimg" "$work/crimg"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
for p in vectors blocked8 openfiles timers; do
	mkdir -m 777 "$work/own-$p"
	(umask 0; cd "$work" && begin "own-$p/run" "${nobody[@]}" "$work/$p"
	claim "$p, taken by its owner" "${nobody[@]}" "$work/crimg" checkpoint -q --leave-running -t criu "$pid" "$work/own-$p/image"
	claim "$p, a valid image" "$crimg" validate "$work/own-$p/image"
	proves "$p, taken by its owner"
	printf '%d %d\n' "$passed" "$failed" >"$work/counted")
	read -r passed failed <"$work/counted"
done

# The modes, and what the image is.
begin modes "$work/tree9"
claim "cores" sh -c '"$1" checkpoint -q --leave-running --allow-loss -t core "$2" cores 2>said' sh "$crimg" "$pid"
claim "a core a living process" sh -c '[ "$(ls cores | wc -l)" = 8 ]'
claim "what gdb says of a core" sh -c 'gdb -batch -ex "info threads" ./../tree9 cores/core.$1 2>&1 | grep -q "Thread\|LWP"' sh "$pid"
claim "tar" "$crimg" checkpoint -q --leave-running "$pid" x.tar.zst
claim "stream" "$crimg" checkpoint -q --leave-running "$pid" x.crimg
claim "a stream is the default" sh -c '"$1" checkpoint -q --leave-running "$2" y && cmp -n 8 y x.crimg' sh "$crimg" "$pid"
claim "mode 0600" sh -c '[ "$(stat -c %a x.crimg)" = 600 ]'
for image in x.crimg x.tar.zst "pid:$pid"; do
	claim "validate $image" "$crimg" validate "$image"
	claim "diff with $image" sh -c '"$1" diff x.crimg "$2" >said || [ $? = 1 ]' sh "$crimg" "$image"
	claim "inspect $image" sh -c '"$1" inspect "$2" summary tree files fds maps regs stack signals timers creds objects >said' \
		sh "$crimg" "$image"
done
claim "leave-stopped" "$crimg" checkpoint -q --leave-stopped "$pid" z.crimg
[ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat")" = T ] && ok || not_ok "it is not stopped"
"$crimg" inspect "pid:$pid" summary >said && ok || not_ok "a stopped one cannot be read"
kill -CONT -- "-$pid"
for p in $("$crimg" inspect z.crimg tree --json | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*'); do
	kill -CONT "$p" 2>/dev/null
done
proves "modes"

# A checkpoint is a conversion from pid:N, a restart one to pid:, also through a pipe.
begin converted "$work/heap" 8
claim "convert from pid:" "$crimg" convert "pid:$pid" x.crimg
"$crimg" convert "pid:$pid" image || not_ok "to a directory"
[ "$criu" = none ] || claim "criu finds this processor in it" sh -c '"$1" cpuinfo check -v0 -D image' sh "$criu"
claim "and crimg does" sh -c '! "$1" validate --host image | grep CI-0701' sh "$crimg"
claim "convert from pid: to a pipe" sh -c '"$1" convert "pid:$2" - >y.crimg && "$1" validate y.crimg' sh "$crimg" "$pid"
kill -9 -- "-$pid" # it has a child
wait "$job" 2>/dev/null
gone() { for _ in $(seq 500); do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.01; done; }
gone
refused "made without options" "$crimg" convert --pretty x.crimg pid:
claim "convert to pid:" sh -c '[ "$("$1" convert x.crimg pid:)" = "$2" ]' sh "$crimg" "$pid"
touch go
gone
claim "it ends, and complains of nothing" sh -c '! kill -0 -- "-$1" 2>/dev/null && ! grep "not so" out' sh "$pid"
claim "restart from a pipe" sh -c 'cat y.crimg | "$1" restart --wait -' sh "$crimg"

# What is refused is named before anything is touched.
sleep 60 & sleeper=$!
refused "there is no process" "$crimg" checkpoint 4194000 x
refused "thread of the kernel" "$crimg" checkpoint 2 x
refused "holds crimg itself" "$crimg" checkpoint $$ x
refused "the number of a process wanted" "$crimg" checkpoint seven x
refused "PID and DST wanted" "$crimg" checkpoint "$sleeper"
refused "belongs to another user" setpriv --reuid 65534 --clear-groups "$crimg" checkpoint "$sleeper" "$work/modes/q"
refused "no file of format criu" "$crimg" inspect -f criu "pid:$sleeper"
kill "$sleeper"
python3 -c 'import socket, time; s = socket.socket(socket.AF_VSOCK); print("ready", flush=True); time.sleep(60)' >sock &
sleeper=$!
for _ in $(seq 500); do grep -q ready sock && break || sleep 0.01; done
refused "descriptor 3 is a vsock socket" "$crimg" checkpoint "$sleeper" x
grep -q '^State:	S' "/proc/$sleeper/status" && ok || not_ok "the refused was touched"
kill "$sleeper"
finish
