#!/bin/bash
# A process that criu checkpointed becomes an OpenVZ image; of the bytes of that alone an image for criu is read, and criu
# restores it: with the memory map, files and directories it had.
#   cpt_restore.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
. "$(dirname "$0")/lib.sh"
[ "$peer" != none ] && [ -x "$peer/criu" ] || { skip "the peer criu could not be fetched"; finish; exit; }
[ "$(id -u)" = 0 ] || { skip "only root checkpoints and restores"; finish; exit; }
peer=$(realpath "$peer")
cat >"$work/first.py" <<'END'
import os
os.closerange(0, 100)
os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0), os.pipe(), os.write(4, b"in the pipe")
os.setsid(), os.chdir("/")
os.execv("/bin/sleep", ["sleep", "1000"])
END
seen() { # PID: what /proc tells of it, but for areas of the kernel's own and numbers of mounts
	sed 's/ 0\+:[0-9a-f]* / /; /vsyscall/d' "/proc/$1/maps"
	readlink "/proc/$1/exe" "/proc/$1/cwd" "/proc/$1"/fd/[012]
	grep -E '^(Name|State|Sig|Shd|Cap|Uid|Gid|Groups)' "/proc/$1/status"
}
quietly() { "$@" >"$work/out" 2>&1; }
unshare -p -u -i --fork python3 "$work/first.py" </dev/null >/dev/null 2>&1 &
unshared=$!
for _ in $(seq 50); do
	pid=$(cat "/proc/$unshared/task/$unshared/children" 2>/dev/null)
	[ "$(cat "/proc/${pid// /}/comm" 2>/dev/null)" = sleep ] && break
	sleep 0.2
done
pid=${pid// /}
seen "$pid" >"$work/before"
mkdir "$work/dump" "$work/root"
if ! quietly "$peer/criu" dump -t "$pid" -D "$work/dump" -o dump.log; then
	kill -9 "$pid"
	skip "criu cannot checkpoint here: $(grep -m 1 Error "$work/dump/dump.log")"
	finish
	exit
fi
claim "made" sh -c '"$1" convert --allow-loss --loss "$2/loss" "$2/dump" "$2/x.cpt" 2>/dev/null' sh "$crimg" "$work"
claim "read" "$crimg" convert -t criu "$work/x.cpt" "$work/back"
claim "no other" sh -c '"$1" diff "$2/dump" "$2/back" | grep -E "^  (pages|signals|timers)" || :' sh "$crimg" "$work"
# Restored into a mount namespace of this test's own, which goes with it.
quietly unshare -m --propagation private sh -c 'mount --rbind / "$1/root" &&
	"$2/criu" restore -D "$1/back" -o restore.log -d --root "$1/root" --pidfile "$1/pid"' sh "$work" "$peer"
restored=$(cat "$work/back/pid" "$work/pid" 2>/dev/null)
if [ -n "$restored" ] && grep -q sleep "/proc/$restored/comm"; then
	ok
	seen "$restored" >"$work/after"
	claim "as it was" diff "$work/before" "$work/after"
	kill -9 "$restored"
else
	not_ok "criu did not restore it: $(grep -m 2 Error "$work/back/restore.log" | tail -n 1)"
fi
wait 2>/dev/null
finish
