#!/bin/bash
# `crimg validate --host` on an image that is made here: yes while all is as it was, and what it is when not.
#   host.sh CRIMG PEER     PEER: the folder that peer/peer.sh filled, or "none"
crimg=$(realpath "$1")
peer=$2
. "$(dirname "$0")/lib.sh"
[ "$peer" = none ] || peer=$(realpath "$peer")
if [ ! -x "$peer/criu" ]; then
	skip "no living peer to dump with"
	finish
	exit
fi
cat >"$work/server.py" <<'PY'
import socket, sys, threading, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(1)
log = open(sys.argv[1], "w")
log.write("held open\n")
log.flush()
open(sys.argv[2], "w").write(str(s.getsockname()[1]))
time.sleep(3600)
PY
cd "$work" || exit 2
setsid /usr/bin/python3 server.py "$work/app.log" "$work/port" </dev/null >"$work/out" 2>&1 &
pid=$!
disown
for _ in $(seq 100); do [ -s port ] && break; sleep 0.05; done
mkdir img
if ! "$peer/criu" dump -t "$pid" -D img -o dump.log >/dev/null 2>&1; then
	kill -9 "$pid" 2>/dev/null
	skip "criu cannot dump here: $(grep Error img/dump.log | head -n 1)"
	finish
	exit
fi
port=$(cat port)
finds() { # TEXT CODE WORDS: validate says so, exit 1
	local out code
	out=$("$crimg" validate --host img 2>&1)
	code=$?
	if [ "$code" = 1 ] && [[ $out == *"$2"* ]] && [[ $out == *"$3"* ]]; then ok; else not_ok "$1: exit $code: $out"; fi
}
claim "nothing stands in the way" "$crimg" validate --host img
mv app.log gone.log
finds "a removed file" CI-0704 "$work/app.log"
echo longer than it was >app.log
finds "a file of another size" CI-0705 "$work/app.log"
mv gone.log app.log
claim "the file is back" "$crimg" validate --host img
/usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(1); print(flush=True); time.sleep(60)' "$port" >listening &
holder=$!
for _ in $(seq 100); do [ -s listening ] && break; sleep 0.05; done
finds "a port that is taken" CI-0707 "port $port"
kill "$holder"
wait "$holder" 2>/dev/null
claim "the port is free again" "$crimg" validate --host img
if "$peer/criu" restore -D img -d -o restore.log >/dev/null 2>&1; then
	ok
	finds "a process that runs again" CI-0706 "process $pid runs here"
	kill -9 "$pid"
else
	not_ok "criu refuses what --host let pass: $(grep Error img/restore.log | head -n 2)"
fi
finish
