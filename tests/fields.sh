#!/bin/bash
# What crimg takes of a process is what the peer criu takes, field by field, and more: what that is comes back, or a note
# says that it does not. Control groups, in both directions.
#   fields.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
programs=$here/../samples/programs
if [ "$(id -u)" != 0 ]; then
	skip "taking processes as these tests do needs root"
	finish
	exit
fi
criu=none
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then skip "the peer criu could not be fetched: nothing to compare with"
else criu=$peer/criu; fi
cp "$programs"/*.[ch] "$work"
sed '/stream\|datagrams/d' "$programs/openfiles.c" >"$work/plainfiles.c"
for p in extras identity plainfiles timers tree9 guards blocked8 common terminals refused idle; do
	cc -O1 -w -pthread -o "$work/$p" "$work/$p.c" || exit 2
done

begin() { # NAME COMMAND…: runs it in a folder of its own until it is ready; $pid
	dir=$work/$1
	shift
	mkdir "$dir" && cd "$dir" || exit 2
	setsid sh -c 'echo $$ >pid; exec "$@"' sh "$@" </dev/null >out 2>&1 &
	job=$!
	for _ in $(seq 1000); do grep -q ready out 2>/dev/null && break || sleep 0.01; done
	sleep 0.05 # it is ready to wait, and soon will
	pid=$(cat pid)
}
end() { # the tree that begin began
	kill_tree "$pid"
	wait "$job" 2>/dev/null
}
proves() { # TEXT: the program goes on, and finds everything as it was
	touch "$dir/go"
	wait "$job" && ok || not_ok "$1: $(cat "$dir/out")"
}
has() { # TEXT FILE
	grep -qF -- "$1" "$2" && ok || not_ok "$1 is not in: $(cat "$2")"
}

# Field by field.
same() { # PROGRAM…
	begin "same-$(basename "$1")" "$@"
	mkdir theirs
	"$criu" dump -t "$pid" -D theirs -o dump.log --leave-running --file-locks >/dev/null 2>&1 ||
		not_ok "criu dumps $1: $(grep Error theirs/dump.log)"
	"$crimg" checkpoint -q --leave-running -t criu "$pid" ours || not_ok "crimg takes $1"
	claim "criu's fields and ours, $1" python3 "$here/fields.py" "$peer" theirs ours
	end
}
if [ "$criu" != none ]; then
	same "$work/extras" all
	for p in identity plainfiles timers tree9 guards blocked8 common terminals; do same "$work/$p"; done
fi

# [R-0214] Who made it, and when.
begin made "$work/idle"
"$crimg" checkpoint -q --leave-running -t criu "$pid" ours
"$crimg" inspect ours >summary
has "crimg $("$crimg" --version | grep -o '[0-9.]*')" summary
has "Linux $(uname -r)" summary
has " $(date -u +%Y-)" summary
claim "in JSON" sh -c '"$1" inspect --json ours | grep -q "\"maker\": \"crimg\""' sh "$crimg"
claim "kept on the way" sh -c '"$1" convert ours a.crimg && "$1" convert a.crimg again && diff -r ours again' sh "$crimg"

# Without the CPUs that it ran on.
edit() { # IMAGE FILE PYTHON: changes the entries e of one file
	"$crimg" convert -t json "$1/$2" "$work/edit.json" && python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
e = d["entries"]
exec(sys.argv[2])
json.dump(d, open(sys.argv[1], "w"))' "$work/edit.json" "$3" && "$crimg" convert -f json -t criu "$work/edit.json" "$1/$2" || exit 2
}
restarted() { # IMAGE: runs it; what was said is in $dir/said
	kill -9 "$pid" 2>/dev/null
	wait "$job" 2>/dev/null
	"$crimg" restart --wait "$1" >said 2>&1 &
	job=$!
	for _ in $(seq 500); do [ "$(readlink "/proc/$pid/exe")" = "$work/idle" ] && break || sleep 0.01; done
	sleep 0.1
}
cp -r ours elsewhere
edit elsewhere thread-extras.img 'e[0].pop("any_cpu", 0); e[0]["cpus"] = [1, 0, 1 << 40]; e[0]["io_priority"] = 2 << 13 | 1'
"$crimg" validate --host elsewhere >found 2>&1
has "is bound to CPUs 0,168" found
restarted elsewhere
has "ran on CPUs 0,168; it runs on 0" said
claim "on those that are there" sh -c '[ "$(taskset -p "$1" | grep -o ".$")" = 1 ]' sh "$pid"
proves "without all of its CPUs"

# Names of memory, which not every kernel keeps.
begin named "$work/idle"
"$crimg" checkpoint -q -t criu "$pid" ours
stack=$("$crimg" inspect --json ours maps | python3 -c '
import json, sys
a = [a for a in json.load(sys.stdin)["maps"][0]["areas"] if a["permissions"] == "rw-p" and not a["name"]][0]
print(int(a["start"], 16), int(a["end"], 16))')
edit ours process-extras.img "e[0]['names'] = [dict(zip(('start', 'end'), map(int, '$stack'.split())), name='my area')]"
"$crimg" inspect ours maps >maps
has "[anon:my area]" maps
claim "names are valid" "$crimg" validate ours
restarted ours
if grep -q "anon:my area" "/proc/$pid/maps"; then ok; else has "areas of its memory had names (\"my area\"): they are lost" said; fi
proves "with names"

# Scheduled by deadlines; and who gets its calls as signals.
begin deadline "$work/idle" deadline
if grep -q without out; then
	skip "no deadlines can be set here"
	end
else
	"$crimg" checkpoint -q "$pid" x.crimg
	"$crimg" inspect x.crimg creds >creds
	has "SCHED_DEADLINE" creds
	has "20 ms" creds
	restarted x.crimg
	proves "with its deadlines"
fi
begin dispatched "$work/refused" dispatch
if grep -q skip out; then skip "no system calls come as signals here"; else
	"$crimg" checkpoint -q "$pid" x.crimg >said 2>&1
	[ $? = 2 ] && ok || not_ok "calls that come as signals are taken"
	has "gets its system calls as signals" said
fi
end

# Control groups of both versions, where they are mounted.
groups=()
for folder in /sys/fs/cgroup/cpu /sys/fs/cgroup/pids /sys/fs/cgroup/unified /sys/fs/cgroup; do
	[ -e "$folder/cgroup.procs" ] && mkdir "$folder/crimg-test-$$" "$folder/crimg-test-$$/inner" 2>/dev/null &&
		groups+=("$folder/crimg-test-$$")
done
clean() {
	for folder in "${groups[@]}"; do rmdir "$folder/inner" "$folder"; done 2>/dev/null
	rm -rf "$work"
}
trap clean EXIT
if [ ${#groups[@]} = 0 ]; then
	skip "no control group can be made here"
	finish
	exit
fi
begin grouped "$work/idle" threads
for folder in "${groups[@]}"; do echo "$pid" >"$folder/inner/cgroup.procs"; done
for folder in "${groups[@]}"; do [ -e "$folder/tasks" ] && echo "$pid" >"$folder/tasks"; done # the first thread alone
threads=("/proc/$pid/task/"*)
cat "/proc/$pid/cgroup" "${threads[1]}/cgroup" >before
"$crimg" checkpoint -q --leave-running -t criu "$pid" ours
if [ "$criu" != none ]; then
	mkdir theirs
	"$criu" dump -t "$pid" -D theirs -o dump.log --leave-running >/dev/null 2>&1 || not_ok "criu dumps"
	claim "criu's fields and ours, in groups" python3 "$here/fields.py" "$peer" theirs ours
	claim "sets and settings" sh -c '"$1" diff theirs ours | grep "cgroup.img" | grep -v "children" | grep . ; true' sh "$crimg"
fi
restarted ours
cat "/proc/$pid/cgroup" "${threads[1]}/cgroup" >after
claim "every thread in its groups" diff before after
claim "nothing to say" cat said
"$crimg" inspect ours cgroups >view
has "crimg-test-$$/inner" view
if [ "$criu" != none ]; then
	kill -9 "$pid"
	wait "$job" 2>/dev/null
	for _ in $(seq 300); do [ -e "/proc/$pid" ] && sleep 0.01 || break; done
	for folder in "${groups[@]}"; do rmdir "$folder/inner" "$folder"; done
	"$criu" restore -d -D ours -o restore.log >/dev/null 2>&1 || not_ok "criu restores: $(grep Error ours/restore.log | tail -n 1)"
	cat "/proc/$pid/cgroup" "${threads[1]}/cgroup" >after
	claim "criu makes the groups again" diff before after
	kill -9 "$pid"
	for _ in $(seq 300); do [ -e "/proc/$pid" ] && sleep 0.01 || break; done
fi
kill -9 "$pid" 2>/dev/null
sleep 0.1
for folder in "${groups[@]}"; do rmdir "$folder/inner" "$folder"; done 2>/dev/null
restarted ours
has "is not in its control groups:" said
has "No such file or directory" said
proves "without its groups"
finish
