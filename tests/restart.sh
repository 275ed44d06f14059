#!/bin/bash
# What today's criu dumped, crimg restarts: programs that prove their own state, from a directory, a stream and
# an archive, with their numbers and in a pid namespace; and what is refused, or fails, leaves nothing behind.
#   restart.sh CRIMG PEER BUILD
crimg=$(realpath "$1") peer=$2 build=$(realpath "$3")
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
programs="heap vectors blocked8 tree9 timers openfiles identity common"
if [ "${4:-}" != inside ]; then
	no() {
		printf 'SKIPPED restart.sh: %s\n0 passed, 0 failed, 1 skipped\n' "$1"
		exit 0
	}
	[ "$(id -u)" = 0 ] || no "criu dump, and numbers of one's choice, need root"
	[ "$peer" != none ] && [ -x "$peer/criu" ] || no "the peer criu could not be fetched"
	unshare --ipc --pid --fork --mount-proc true 2>/dev/null || no "no pid and ipc namespace can be made here"
	mkdir -p "$build/samples"
	for p in $programs counter terminal sysv; do
		cc -O1 -w -pthread -o "$build/samples/$p" "$here/../samples/programs/$p.c" || exit 2
	done
	# There the shell is process 1: whoever is killed is waited for, and numbers are free again.
	exec unshare --ipc --pid --fork --kill-child --mount-proc bash "$0" "$crimg" "$peer" "$build" inside
fi
. "$here/lib.sh"
for fd in /proc/$$/fd/*; do # what a harness left open would be dumped too
	fd=${fd##*/}
	[ "$fd" -gt 2 ] && [ "$fd" != 255 ] && eval "exec $fd>&-"
done

begin() { # NAME COMMAND…: starts it; its number in pid_NAME
	local name=$1
	shift
	mkdir -p "$work/$name/run"
	cd "$work/$name/run" || exit 2
	setsid "$@" </dev/null >out 2>err &
	printf -v "pid_$name" %d $!
	disown $!
}
await_ready() { # NAME
	for _ in $(seq 200); do
		grep -qs ready "$work/$1/run/out" && return
		sleep 0.05
	done
	not_ok "$1 does not begin: $(cat "$work/$1/run/err")"
}
dump() { # NAME: criu ends it; false, and said, when criu cannot
	local pid=pid_$1
	rm -rf "$work/$1/img"
	mkdir -p "$work/$1/img"
	"$peer/criu" dump -t "${!pid}" -D "$work/$1/img" -o log --file-locks >/dev/null 2>&1 && return
	skip "criu dump of $1 failed here: $(grep Error "$work/$1/img/log" | head -n 1)"
	kill -KILL -- "-${!pid}"
	false
}
restart() { # NAME [OPTION…] [IMAGE]: in its directory, at most 15 s; error texts in $work/said
	cd "$work/$1/run" || exit 2
	shift
	timeout -k 1 15 "$crimg" restart "$@" 2>"$work/said"
}
proves() { # NAME TEXT OPTION… IMAGE: it goes on and finds its state
	local name=$1 text=$2 code
	shift 2
	rm -f "$work/$name/run/go"
	(sleep 0.3 && touch "$work/$name/run/go") &
	restart "$name" --wait "$@"
	code=$?
	[ "$code" = 0 ] && ok || not_ok "$text of $name: exit $code: $(cat "$work/$name/run/err" "$work/said")"
}
fails() { # TEXT PATTERN NAME ARG…: exit 2, says PATTERN, no task of the image is there
	local text=$1 pattern=$2 name=$3 code pid=pid_$3
	shift 2
	restart "$@"
	code=$?
	[ "$code" = 2 ] && ok || not_ok "$text: exit $code, 2 wanted"
	grep -q -e "$pattern" "$work/said" && ok || not_ok "$text: $pattern wanted: $(cat "$work/said")"
	[ ! -e "/proc/${!pid:-none}" ] && ok || not_ok "$text: a task was left behind"
}

# All at once: most of their time they sleep.
dumped=
for p in $programs; do
	begin "$p" "$build/samples/$p"
done
for p in $programs; do
	await_ready "$p"
	dump "$p" && dumped="$dumped $p"
done
[ -n "$dumped" ] || { finish; exit; }
for p in $dumped; do
	proves "$p" "restart from a directory" "$work/$p/img"
done
for p in $dumped; do
	case $p in
	heap) form=h.crimg how=--compress=zstd ;;
	openfiles) form=h.tar.zst how= ;;
	identity) form=h.crimg how=--compress=none ;;
	*) form=h.lz4 how=--compress=lz4 ;;
	esac
	"$crimg" convert $how "$work/$p/img" "$work/$p/$form" 2>/dev/null || not_ok "$form of $p"
	proves "$p" "restart from $form" "$work/$p/$form"
	proves "$p" "restart in a pid namespace" --new-pids "$work/$p/img"
done

# The pages of two tasks, wanted in another order than an archive gives them.
for form in h.tar.zst h.tar.gz; do
	case $dumped in *heap*) ;; *) break ;; esac
	"$crimg" convert "$work/heap/img" "$work/heap/$form" 2>/dev/null || not_ok "$form of heap"
	proves heap "restart from $form" "$work/heap/$form"
done

# System V objects, and the host's name, in namespaces of their own. criu itself restores no segment with a hole.
export HOST=sysv-host MAKERS=1
begin sysv unshare --ipc --uts sh -c "hostname sysv-host && exec '$build/samples/sysv'"
await_ready sysv
if dump sysv; then
	proves sysv "restart from a directory" "$work/sysv/img"
	proves sysv "restart in a pid namespace" --new-pids "$work/sysv/img"
	edited() { # FILE SED-SCRIPT: a copy of the image, in which that file says something else
		local file
		file=$(basename "$work/sysv/img/"$1)
		rm -rf "$work/sysv/other"
		cp -a "$work/sysv/img" "$work/sysv/other"
		"$crimg" convert -t json "$work/sysv/img/$file" "$work/before.json"
		sed -E "$2" "$work/before.json" >"$work/edited.json"
		cmp -s "$work/before.json" "$work/edited.json" && not_ok "$file was not edited"
		rm "$work/sysv/other/$file"
		"$crimg" convert -f json -t criu "$work/edited.json" "$work/sysv/other/$file"
	}
	cp -a "$work/sysv/img" "$work/sysv/old" # before CRIU 3.0 contents stood behind the entry
	file=$(basename "$work/sysv/img/"ipcns-shm-*.img)
	"$crimg" convert -t json "$work/sysv/img/$file" - | python3 -c '
import base64, json, sys
image = json.load(sys.stdin)
for entry in image["entries"]:
    if entry["size"] == 8192:
        entry["in_pagemaps"] = False
        entry["extra"] = base64.b64encode(bytes(4096) + b"nobody finds it".ljust(4096, b"\0")).decode()
json.dump(image, sys.stdout)' >"$work/old.json"
	rm "$work/sysv/old/$file" && "$crimg" convert -f json -t criu "$work/old.json" "$work/sysv/old/$file"
	proves sysv "restart with contents behind the entry" "$work/sysv/old"
	own=$(basename "$work/sysv/img"/ipcns-sem-*.img .img)
	edited inventory.img 's/"ipc_ns_id": ?[0-9]+/"ipc_ns_id":'"${own##*-}/"
	fails "System V memory of everybody" 'System V shared memory of everybody: .*unshare --ipc' sysv "$work/sysv/other"
	edited "ipcns-sem-*.img" 's/32767/65535/'
	fails "a value that no semaphore has" 'the values of System V semaphores: semctl(.*out of range' sysv "$work/sysv/other"
	edited "ipcns-msg-*.img" 's/"mode": ?[0-9]+/"mode":0/; s/"mtype": ?10/"mtype":0/'
	fails "a message without type" 'a message of a System V queue: msgsnd(.*Invalid argument' sysv "$work/sysv/other"
	edited "ipcns-shm-*.img" 's/"size": ?32768/"size":28672/'
	fails "a segment that is too short" 'its System V segment ends before it' sysv "$work/sysv/other"
	edited "utsns-*.img" "s/sysv-host/$(printf 'x%.0s' $(seq 70))/"
	fails "a long name" 'a host or domain name of 70 bytes found' sysv "$work/sysv/other"
fi

# The same, taken by crimg: whoever is left running has all of it, and so have those that crimg and criu restore.
apart="unshare --ipc --uts sh -c"
taken() { # NAME OPTION…: crimg takes an image of it; its error texts in $work/said
	local pid=pid_$1 name=$1
	shift
	rm -rf "$work/$name/taken"
	"$crimg" checkpoint -q -t criu "$@" "${!pid}" "$work/$name/taken" 2>"$work/said"
}
not_taken() { # TEXT PATTERN NAME: refused so
	taken "$3" --leave-running && not_ok "$1: it was taken"
	grep -q -e "$2" "$work/said" && ok || not_ok "$1: $2 wanted: $(cat "$work/said")"
	local pid=pid_$3
	kill -KILL -- "-${!pid}"
}
if cd "$work" && unshare --ipc --uts true 2>/dev/null; then
	begin stays $apart "hostname sysv-host && exec '$build/samples/sysv'"
	begin moves $apart "hostname sysv-host && exec '$build/samples/sysv'"
	begin plain $apart "hostname sysv-host && exec '$build/samples/sysv' plain"
	begin outside $apart "'$build/samples/sysv' & echo \$! >inner; wait"
	begin mixed sh -c "unshare --ipc '$build/samples/sysv' & echo \$! >inner; wait"
	begin everybody "$build/samples/sysv"
	for p in stays moves plain outside mixed everybody; do await_ready $p; done
	taken stays --leave-running && ok || not_ok "sysv is not taken: $(cat "$work/said")"
	touch "$work/stays/run/go"
	for _ in $(seq 100); do
		[ -e "/proc/$pid_stays" ] || break
		sleep 0.05
	done
	[ ! -e "/proc/$pid_stays" ] && [ ! -s "$work/stays/run/err" ] && ok || not_ok "left running: $(cat "$work/stays/run/err")"
	claim "valid" "$crimg" validate "$work/stays/taken"
	taken moves && proves moves "restart by crimg of what crimg took" "$work/moves/taken" ||
		not_ok "sysv is not taken: $(cat "$work/said")"
	if taken plain; then
		(sleep 0.3 && touch "$work/plain/run/go") &
		cd "$work/plain/run" && MAKERS= timeout -k 1 15 "$peer/criu" restore -D "$work/plain/taken" -o log >/dev/null 2>&1 && ok ||
			not_ok "restore by criu: $(cat err; grep Error "$work/plain/taken/log")"
	else
		not_ok "sysv is not taken: $(cat "$work/said")"
	fi
	pid_inner=$(cat "$work/outside/run/inner") && mkdir -p "$work/inner"
	taken inner --leave-running && not_ok "one of two in a namespace was taken"
	grep -q "process $pid_outside, outside the tree, is in the ipc namespace" "$work/said" && ok || not_ok "one of two: $(cat "$work/said")"
	kill -KILL -- "-$pid_outside"
	not_taken "another namespace than the root's" 'are in another ipc namespace than process' mixed
	not_taken "System V memory of everybody" 'System V shared memory of everybody attached' everybody
fi

# 32-bit code, alone and between a 64-bit mother and a 64-bit child.
flags32="-m32 -O1 -msse2 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector -w"
if cc $flags32 -o "$build/samples/whole32" "$here/../samples/programs/whole32.c" 2>/dev/null && cd "$work" &&
	touch go && "$build/samples/whole32" >/dev/null; then
	begin whole32 "$build/samples/whole32"
	begin between sh -c "'$build/samples/whole32' /bin/sh -c 'until [ -e go ]; do sleep 0.05; done; exit 9'; exit \$?"
	for p in whole32 between; do
		await_ready $p
		dump $p || continue
		dumped="$dumped $p"
		proves $p "restart from a directory" "$work/$p/img"
		proves $p "restart in a pid namespace" --new-pids "$work/$p/img"
	done
else
	skip "this machine makes or runs no 32-bit programs"
fi

# As kernel streams, whose losses these do not miss.
for p in $dumped sysv; do
	case $p in vectors | tree9 | common | sysv | whole32) ;; *) continue ;; esac
	[ -e "$work/$p/img/inventory.img" ] || continue
	"$crimg" convert --allow-loss "$work/$p/img" "$work/$p/x.ckpt" 2>/dev/null || not_ok "$p as a kernel stream"
	proves "$p" "restart from a kernel stream" "$work/$p/x.ckpt"
done

# An image whose pages are in its parent.
if [ -d "$work/vectors/img" ]; then
	cp -a "$work/vectors/img" "$work/vectors/layer" && cd "$work/vectors/layer" || exit 2
	rm pages-1.img pagemap-*.img && ln -s ../img parent
	for map in ../img/pagemap-*.img; do
		"$crimg" convert -t json "$map" - | sed -E 's/"flags": ?"?[0-9A-Z_|]+"?/"flags":1,"in_parent":true/g' >"$work/map.json"
		"$crimg" convert -f json -t criu "$work/map.json" "$(basename "$map")"
	done
	proves vectors "restart from a layer" "$work/vectors/layer"
fi

# One bit of the vDSO's code is another: so it is another kernel's.
for p in vectors whole32; do
	[ -e "$work/$p/img/inventory.img" ] || continue
	cp -a "$work/$p/img" "$work/$p/other"
	python3 "$here/vdso_other.py" "$crimg" "$work/$p/other" bit >/dev/null || not_ok "no $p with another vDSO"
	if [ $p = vectors ]; then
		proves $p "restart under another kernel" "$work/$p/other"
	elif "$crimg" inspect "$work/$p/img" maps | grep -q '\[vdso\]'; then
		fails "the 32-bit vDSO of another kernel" 'that of another kernel (those of 32-bit tasks are not bridged)' $p "$work/$p/other"
	fi
done
if [ -e "$work/between/img/inventory.img" ]; then # a 64-bit child, too, of a 32-bit mother
	cp -a "$work/between/img" "$work/between/other"
	python3 "$here/vdso_other.py" "$crimg" "$work/between/other" bit64 >/dev/null || not_ok "no other vDSO between"
	proves between "restart under another kernel" "$work/between/other"
	[ "$(grep -c 'its functions go on in this' "$work/said")" -ge 2 ] && ok || not_ok "bridges around it: $(cat "$work/said")"
fi

# Programs that nobody wrote for this.
foreign() { # NAME LAST-LINE COMMAND…
	local name=$1 last=$2
	shift 2
	begin "$name" "$@"
	await_ready "$name"
	dump "$name" || return
	restart "$name" --wait "$work/$name/img"
	code=$?
	[ "$code" = 0 ] && [ "$(tail -n 1 "$work/$name/run/out")" = "$last" ] && ok ||
		not_ok "$name: exit $code, $(tail -n 1 "$work/$name/run/out"): $(cat "$work/said")"
}
foreign shell 1600 bash -c 'echo ready; for i in $(seq 40); do echo $i; sleep 0.03; done |
	while read -r x; do echo $((x * x)); done | sort -n | tail -n 1'
foreign packed "$(head -c 60000000 /dev/zero | tr '\0' x | md5sum)" \
	bash -c 'echo ready; head -c 60000000 /dev/zero | tr "\0" x | gzip -9 | gzip -d | md5sum'
foreign python True python3 -c '
import hashlib, threading, time
print("ready", flush=True)
def chain():
    h = b"x"
    for i in range(600000): h = hashlib.sha256(h).digest()
    return h
t = threading.Thread(target=lambda: time.sleep(0.5)); t.start()
first = chain(); t.join()
print(first == chain())'

# Nothing of crimg is in a task, and the task is what it was.
begin counter "$build/samples/counter"
sleep 0.5
shape() { # of pid_counter: areas (criu itself leaves the vDSO's parts as they are), descriptors, parents, signals
	sed 's/ *\[vvar[^ ]*\]$//' "/proc/$pid_counter/maps"
	ls -l "/proc/$pid_counter/fd" | awk '{ print $1, $9, $11 }'
	grep -E '^(Name|Umask|Tgid|Pid|NS|Uid|Gid|Groups|Threads|Sig|Shd|Cap|NoNew|Seccomp|TracerPid)' \
		"/proc/$pid_counter/status" | grep -v SigQ
	cat "/proc/$pid_counter/cmdline" "/proc/$pid_counter/auxv" "/proc/$pid_counter/limits" | tr '\0' ' '
	readlink "/proc/$pid_counter/exe" "/proc/$pid_counter/cwd" "/proc/$pid_counter/root"
}
shape >"$work/before" 2>/dev/null
if dump counter; then
	root=$(restart counter --stopped --pidfile "$work/counter/pid" "$work/counter/img")
	[ "$root" = "$pid_counter" ] && ok || not_ok "the number of the root: $root, $(cat "$work/said")"
	[ "$(cat "$work/counter/pid")" = "$pid_counter" ] && ok || not_ok "--pidfile: $(cat "$work/counter/pid")"
	grep -q '^State:.*stopped' "/proc/$pid_counter/status" && ok || not_ok "--stopped: it runs"
	shape >"$work/after" 2>/dev/null
	cmp -s "$work/before" "$work/after" && ok ||
		not_ok "a task is not what it was: $(diff "$work/before" "$work/after" | head -n 4)"
	[ -z "$(cat "/proc/$pid_counter/task/$pid_counter/children")" ] && ok || not_ok "a child was left"
	last=$(tail -n 1 "$work/counter/run/out")
	kill -CONT "$pid_counter"
	sleep 0.5
	[ "$(tail -n 1 "$work/counter/run/out")" -gt "$last" ] && ok || not_ok "SIGCONT: it does not go on"
	if command -v gdb >/dev/null; then
		gdb -batch -p "$pid_counter" -ex bt 2>/dev/null | grep -q 'main ()' && ok ||
			not_ok "gdb sees no main in a restarted task"
	fi

	# Its number is taken now: the same, in a namespace.
	restart counter "$work/counter/img" >"$work/number"
	grep -q 'pid namespace' "$work/said" && ok || not_ok "a taken number: $(cat "$work/said")"
	[ "$(awk '/^NSpid/ { print $3 }' "/proc/$(cat "$work/number")/status")" = "$pid_counter" ] && ok ||
		not_ok "the number in the namespace: $(cat "$work/said")"
	kill -KILL "$(cat "$work/number")" "$pid_counter"
	sleep 0.1

	# Descriptors from outside.
	timeout 15 "$crimg" restart --inherit "7:$work/counter/run/out" "$work/counter/img" \
		7>"$work/elsewhere" >/dev/null 2>"$work/said" && sleep 0.4
	grep -q '[0-9]' "$work/elsewhere" && ok || not_ok "--inherit: $(cat "$work/said")"
	kill -KILL "$pid_counter"
	sleep 0.1
	fails "--inherit of what is not there" 'no such file' counter --inherit 7:/nowhere "$work/counter/img"
	fails "--inherit of nothing" 'nothing open as 77' counter --inherit "77:$work/counter/run/out" "$work/counter/img"
	fails "two images" 'one IMAGE at a time' counter "$work/counter/img" "$work/counter/img"
	fails "no image" 'cannot be opened' counter "$work/none"
	fails "an option" 'no such option' counter --quickly "$work/counter/img"
	fails "a pidfile" 'nowhere' counter --pidfile "$work/nowhere/pid" "$work/counter/img"

	# A step that fails when all tasks exist already.
	cp -a "$work/counter/img" "$work/counter/bad"
	"$crimg" convert -t json "$work/counter/img/core-$pid_counter.img" - |
		sed 's/"sched_policy": *0/"sched_policy":77/' >"$work/core.json"
	rm "$work/counter/bad/core-$pid_counter.img"
	"$crimg" convert -f json -t criu "$work/core.json" "$work/counter/bad/core-$pid_counter.img"
	fails "a policy that no kernel has" \
		"task $pid_counter (counter): how it is scheduled: Invalid argument" \
		counter "$work/counter/bad"
	grep -q 'what to do' "$work/said" && ok || not_ok "no advice: $(cat "$work/said")"
	mv "$work/counter/run/out" "$work/counter/run/gone"
	fails "a file that is gone" 'run/out): is not there: bring it along' counter "$work/counter/img"
	mv "$work/counter/run/gone" "$work/counter/run/out"
	rm "$work/counter/bad/pages-1.img"
	fails "no pages" 'pages-1.img' counter "$work/counter/bad"
fi

# crimg killed, or told to end, in the middle: no task stays.
if [ -d "$work/heap/img/" ]; then
	for signal in KILL TERM; do
		for delay in 0.005 0.01 0.02 0.03 0.05 0.08; do
			rm -f "$work/heap/run/go"
			cd "$work/heap/run" || exit 2
			"$crimg" restart --wait "$work/heap/img" >/dev/null 2>&1 &
			sleep "$delay"
			kill "-$signal" $!
			wait $! 2>/dev/null
			sleep 0.05
			# Still there: then crimg had let them go, whole, as they can prove.
			: >err
			touch go
			for _ in $(seq 100); do
				[ -e "/proc/$pid_heap" ] || break
				sleep 0.05
			done
			[ ! -e "/proc/$pid_heap" ] && [ ! -s err ] && ok ||
				not_ok "SIG$signal after $delay s: a task was left behind: $(cat err)"
		done
	done
fi

# A terminal, and nobody's privileges.
if command -v script >/dev/null; then
	mkdir -p "$work/terminal/run" && cd "$work/terminal/run" || exit 2
	script -qec "sh -c '$build/samples/terminal; :'" /dev/null </dev/null >/dev/null 2>&1 &
	await_ready terminal
	pid_terminal=$(pgrep -x terminal)
	mkdir "$work/terminal/img"
	if "$peer/criu" dump --shell-job -t "$pid_terminal" -D "$work/terminal/img" -o log >/dev/null 2>&1; then
		fails "no terminal" 'a terminal, and crimg has none' terminal "$work/terminal/img"
		(sleep 0.5 && touch go) &
		timeout -k 1 15 script -qec "'$crimg' restart --wait '$work/terminal/img'; stty -a" typed </dev/null >/dev/null 2>&1
		grep -q 'in front' typed && grep -q ' echo ' typed && ok || not_ok "a terminal: $(cat typed)"
	else
		skip "criu dump of terminal failed here: $(grep Error "$work/terminal/img/log" | head -n 1)"
	fi
else
	skip "no script(1) to make a terminal with"
fi
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
if $nobody unshare --user true 2>/dev/null; then
	chmod 755 "$work"
	export MAKERS=
	begin alone unshare --ipc --uts sh -c "hostname sysv-host && exec '$build/samples/sysv' alone"
	await_ready alone
	dump alone
	for p in vectors tree9 alone; do
		[ -d "$work/$p/img" ] || continue
		# criu here may dump root's tasks only; crimg is nobody: so are the tasks made to be.
		for core in "$work/$p/img"/core-*.img "$work/$p/img"/ipcns-[sm][hes][mg]-*.img; do
			[ -e "$core" ] || continue
			"$crimg" convert -t json "$core" - | sed -E 's/"((e|s|fs|c)?[ug]id)": ?0/"\1":65534/g
				s/"(cap_inh|cap_prm|cap_eff)": ?\[[^]]*\]/"\1":[0,0]/g; s/"groups": ?\[[^]]*\]/"groups":[]/' \
				>"$work/core.json"
			rm "$core" && "$crimg" convert -f json -t criu "$work/core.json" "$core"
		done
		chmod -R a+rX "$work/$p" && chown -R 65534 "$work/$p/run"
		cp "$crimg" "$work/crimg" && chmod 755 "$work/crimg"
		rm -f "$work/$p/run/go" && cd "$work/$p/run" || exit 2
		(sleep 0.3 && touch go) &
		timeout -k 1 15 $nobody "$work/crimg" restart --wait "$work/$p/img" 2>"$work/said" && ok ||
			not_ok "restart of $p by nobody: $(cat err "$work/said")"
	done
else
	skip "no user namespace can be made here"
fi

# A debugger sees the threads of a restarted process, each where its program left it, and takes nothing away.
if command -v gdb >/dev/null && [ -d "$work/blocked8/img" ]; then
	rm -f "$work/blocked8/run/go" && : >"$work/blocked8/run/err"
	restart blocked8 "$work/blocked8/img" >/dev/null
	timeout -k 1 30 gdb -batch -p "$pid_blocked8" -ex 'info threads' -ex 'thread apply all bt' >"$work/gdb" 2>/dev/null
	for thread in blocked8 blocked-{0,1,3,4,5,6,7}; do # blocked-2 sleeps for a while only
		grep -q "^[* ] *[0-9].* \"$thread\"" "$work/gdb" && ok || not_ok "gdb: no thread called $thread"
	done
	[ "$(grep -cE '^#[0-9]+ .* in (run|main) \(' "$work/gdb")" -ge 8 ] && ok ||
		not_ok "gdb: $(grep -cE '^#[0-9]+ .* in (run|main) \(' "$work/gdb") threads stand in functions of the program"
	touch "$work/blocked8/run/go"
	for _ in $(seq 200); do [ -e "/proc/$pid_blocked8" ] && sleep 0.05 || break; done
	[ ! -e "/proc/$pid_blocked8" ] && [ ! -s "$work/blocked8/run/err" ] && ok ||
		not_ok "behind gdb: $(cat "$work/blocked8/run/err")"
fi

# What is not restarted is refused by name.
refused() { # TEXT PATTERN SAMPLE
	timeout 15 "$crimg" restart "$here/../samples/$3" >/dev/null 2>"$work/said"
	[ $? = 2 ] && grep -q -e "$2" "$work/said" && ok || not_ok "$1: $(head -n 3 "$work/said")"
}
refused "namespaces" 'has a net namespace of its own' criu/g-ns
refused "a podman archive" 'has a mnt namespace of its own' archives/podman-zstd.tar
refused "one file of an image" 'whole image' criu/a-regs/pstree.img
finish
