#!/bin/bash
# Images that today's criu dumps here and now, from processes that this test starts: they come back bit
# for bit, and their JSON is what crit prints.
#   peer_dump.sh CRIMG PEER BUILD
crimg=$(realpath "$1") peer=$2 build=$(realpath "$3")
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then
	skip "the peer criu could not be fetched"
	finish
	exit
fi
if [ "$(id -u)" != 0 ]; then
	skip "criu dump needs root"
	finish
	exit
fi
mkdir -p "$build/samples"
cc -O1 -w -pthread -o "$build/samples/zoo" "$here/../samples/programs/zoo.c" || exit 2
dump() { # NAME COMMAND…: starts it, waits until it sleeps, dumps it to $work/NAME
	local name=$1 pid
	shift
	mkdir -p "$work/run-$name" "$work/$name"
	(cd "$work/run-$name" && exec setsid "$@" </dev/null >out 2>err) &
	pid=$!
	disown "$pid" # criu kills it: no news
	for _ in $(seq 50); do
		sleep 0.1
		grep -q . "$work/run-$name/out" && break
	done
	if "$peer/criu" dump -t "$pid" -D "$work/$name" -o dump.log --file-locks --tcp-established \
		>/dev/null 2>&1; then ok
	else
		# A kernel without what criu needs is no fault of ours, and is said.
		skip "criu dump of $name failed here: $(grep Error "$work/$name/dump.log" | tail -n 1)"
		kill -KILL -- "-$pid" 2>/dev/null
		rm -rf "${work:?}/$name"
	fi
}
dump zoo "$build/samples/zoo"
dump bash bash -c 'x=1; echo ready; while :; do read -t 0.2 <> <(:); x=$((x + 1)); done'
dump python python3 -c '
import time, threading, socket
print("ready", flush=True)
a, b = socket.socketpair(); a.send(b"hello")
data = {i: str(i) * 50 for i in range(20000)}
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
time.sleep(3600)'
found=$(images "$work")
if [ -n "$found" ]; then
	read -r line < <("$here/roundtrip.sh" "$crimg" "$work" | tee "$work/rt" | tail -n 1)
	[[ $line =~ ^[0-9]+\ passed,\ 0\ failed ]] && ok || not_ok "$(cat "$work/rt")"
	read -r line < <("$here/json_peer.sh" "$crimg" "$peer" "$work" | tee "$work/js" | tail -n 1)
	[[ $line =~ ^[0-9]+\ passed,\ 0\ failed ]] && ok || not_ok "$(cat "$work/js")"
	for image in $found; do
		claim "inspect $image" sh -c '"$1" inspect "$2" summary tree fds files sockets maps signals \
			timers creds namespaces mounts cgroups ipc container stats objects >/dev/null' sh "$crimg" "$image"
	done
	# What went through a stream and back is as good as new: criu restores it.
	if [ -d "$work/zoo" ]; then
		claim "zoo to a stream" "$crimg" convert --compress=zstd "$work/zoo" "$work/zoo.crimg"
		claim "zoo from a stream" "$crimg" convert "$work/zoo.crimg" "$work/zoo.back"
		cd "$work/run-zoo" || exit 2
		if "$peer/criu" restore -d -D "$work/zoo.back" -o restore.log --pidfile pid \
			--file-locks --tcp-established >/dev/null 2>&1; then
			ok
			kill -KILL -- "-$(cat "$work/zoo.back/pid")"
		else
			not_ok "criu restores zoo: $(grep -m 1 Error "$work/zoo.back/restore.log")"
		fi
	fi
fi
finish
