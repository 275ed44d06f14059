#!/bin/bash
# A process that criu checkpointed becomes an OpenVZ image; of the bytes of that alone an image for criu is read, and criu
# restores it: with the memory map, files and directories it had; with its connections and the bytes in them; asleep for the
# time that was left.
#   cpt_restore.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ "$peer" != none ] && [ -x "$peer/criu" ] || { skip "the peer criu could not be fetched"; finish; exit; }
[ "$(id -u)" = 0 ] || { skip "only root checkpoints and restores"; finish; exit; }
peer=$(realpath "$peer")
cat >"$work/first.py" <<'END'
import os
os.closerange(0, 100)
os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0), os.pipe(), os.write(4, b"in the pipe")
[os.set_inheritable(fd, True) for fd in range(5)]
os.setsid(), os.chdir("/")
os.execv("/bin/sleep", ["sleep", "1000"])
END
seen() { # PID: what /proc tells of it, but for areas of the kernel's own and numbers of mounts
	sed 's/ 0\+:[0-9a-f]* / /; /vsyscall/d' "/proc/$1/maps"
	readlink "/proc/$1/exe" "/proc/$1/cwd" "/proc/$1"/fd/[012]
	grep -E '^(Name|State|Sig[A-P]|Shd|Cap|Uid|Gid|Groups)' "/proc/$1/status"
}
quietly() { "$@" >"$work/out" 2>&1; }
begin() { # COMMAND…: in namespaces of its own, its number is in $pid
	unshare -p -u -i --fork "$@" </dev/null >/dev/null 2>&1 &
	unshared=$!
	for _ in $(seq 50); do
		pid=$(cat "/proc/$unshared/task/$unshared/children" 2>/dev/null)
		pid=${pid// /}
		[ -n "$pid" ] && return
		sleep 0.1
	done
}
mkdir "$work/root"
# Restored into a mount namespace of this test's own, which goes with it.
restore() { # IMAGES: the number is in $restored
	rm -f "$work/pid"
	quietly unshare -m --propagation private sh -c 'mount --rbind / "$1/root" &&
		"$2/criu" restore -D "$3" -o restore.log -d --root "$1/root" --mntns-compat-mode --pidfile "$1/pid" \
		--tcp-established --network-lock skip' sh "$work" "$peer" "$1"
	restored=$(cat "$work/pid" 2>/dev/null)
	[ -n "$restored" ] && [ -d "/proc/$restored" ]
}
begin python3 "$work/first.py"
for _ in $(seq 50); do
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sleep ] && break
	sleep 0.2
done
seen "$pid" >"$work/before"
mkdir "$work/dump"
if ! quietly "$peer/criu" dump -t "$pid" -D "$work/dump" -o dump.log; then
	kill -9 "$pid"
	skip "criu cannot checkpoint here: $(grep -m 1 Error "$work/dump/dump.log")"
	finish
	exit
fi
claim "made" sh -c '"$1" convert --allow-loss --loss "$2/loss" "$2/dump" "$2/x.cpt" 2>/dev/null' sh "$crimg" "$work"
claim "read" "$crimg" convert -t criu "$work/x.cpt" "$work/back"
claim "no other" sh -c '"$1" diff "$2/dump" "$2/back" | grep -E "^  (pages|signals|timers)" || :' sh "$crimg" "$work"
if restore "$work/back" && grep -q sleep "/proc/$restored/comm"; then
	ok
	seen "$restored" >"$work/after"
	claim "as it was" diff "$work/before" "$work/after"
	kill -9 "$restored"
else
	not_ok "criu did not restore it: $(grep -m 2 Error "$work/back/restore.log" | tail -n 1)"
fi
through() { # NAME: from criu's dump to an OpenVZ image and back
	claim "$1: made" sh -c '"$1" convert --allow-loss --loss "$2.loss" "$2" "$2.cpt" 2>/dev/null' sh "$crimg" "$work/$1"
	[ "$1" != asleep ] || claim "$1: as a kernel found it" python3 "$here/cpt_sleeper.py" interrupt "$work/$1.cpt"
	claim "$1: read" "$crimg" convert -t criu --loss "$work/$1.notes" "$work/$1.cpt" "$work/$1.back"
}
dump() { # NAME
	mkdir "$work/$1"
	quietly "$peer/criu" dump -t "$pid" -D "$work/$1" -o dump.log --tcp-established --network-lock skip && return
	kill -9 "$pid"
	skip "criu cannot checkpoint this here: $(grep -m 1 Error "$work/$1/dump.log")"
	return 1
}
until_there() { for _ in $(seq "$2"); do [ -e "$1" ] && return; sleep 0.1; done; false; }

begin python3 "$here/cpt_connected.py" "$work/said"
until_there "$work/said.ready" 100
if dump connected; then
	through connected
	claim "the same connections" sh -c '! "$1" diff "$2" "$2.back" | grep "^  sockets"' sh "$crimg" "$work/connected"
	if restore "$work/connected.back"; then
		touch "$work/said.go"
		until_there "$work/said" 200
		claim "every byte came, and more could be said: $(cat "$work/said")" grep -qx all "$work/said"
		kill -9 "$restored" 2>/dev/null
	else
		not_ok "criu did not restore connections: $(grep -v tables "$work/connected.back/restore.log" | grep -m 2 Error | tail -n 1)"
	fi
fi

begin python3 "$here/cpt_sleeper.py" sleep "$work/woke" 4
sleep 2
if dump asleep; then
	through asleep
	claim "told" grep -q 'nanosleep that the checkpoint interrupted sleeps on for the time that was left' "$work/asleep.notes"
	if restore "$work/asleep.back"; then
		began=$(date +%s%N)
		until_there "$work/woke" 100
		took=$((($(date +%s%N) - began) / 1000000))
		claim "it slept on and was not disturbed" grep -qx 0 "$work/woke"
		# two seconds of four were left, or a little less
		if [ "$took" -gt 800 ] && [ "$took" -lt 3500 ]; then ok; else not_ok "it slept $took ms more"; fi
	else
		not_ok "criu did not restore the sleeper: $(grep -v tables "$work/asleep.back/restore.log" | grep -m 2 Error | tail -n 1)"
	fi
fi
wait 2>/dev/null
finish
