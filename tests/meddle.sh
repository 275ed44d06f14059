#!/bin/bash
# Others touch the tree while its image is being taken: SIGKILL to a task makes the checkpoint fail, and says so; the
# others go on, and there is no image. Stopping signals and all others come through, once each and in order.
#   meddle.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$work" || exit 2
cc -O1 -w -o meddle "$here/meddle.c" && cc -O1 -w -o heap "$here/../samples/programs/heap.c" || exit 2
cc -shared -fPIC -D_GNU_SOURCE -w -o die_at.so "$here/die_at.c" -ldl || exit 2

begin() { # COMMAND…: runs it until it is ready; $pid
	rm -f go x.crimg
	: >out
	"$@" >>out 2>&1 & pid=$!
	for _ in $(seq 1000); do grep -q ready out && break; sleep 0.005; done
}
state() { sed 's/.*) //; s/ .*//' "/proc/$1/stat"; }
comes_to() { # PID STATE
	for _ in $(seq 200); do [ "$(state "$1")" = "$2" ] && return; sleep 0.005; done
	return 1
}
take() { "$crimg" checkpoint -q --leave-running "$pid" x.crimg; }
meddled() { # STEP PID SIGNAL: taken, and at this step of it the signal is sent
	DIE_AT=$1 DIE_PID=$2 DIE_SIGNAL=$(kill -l "$3") LD_PRELOAD=./die_at.so take 2>said
}

begin ./meddle
DIE_COUNT=steps LD_PRELOAD=./die_at.so take || not_ok "counting steps"
read -r steps _ <steps
kill "$pid"
wait "$pid"

for i in $(seq 10); do
	begin sh -c './meddle & echo $! >victim; ./meddle & echo $! >other; wait; wait'
	until [ -s other ] && [ "$(grep -c ready out)" = 2 ]; do sleep 0.005; done
	at=$((i * steps / 5)) victim=$(cat victim) other=$(cat other) # the victim is the second of three
	meddled "$at" "$victim" KILL
	[ $? = 2 ] && grep -q "task $victim was killed by signal 9" said && ok ||
		not_ok "killed at step $at of about $((steps * 3)): $(cat said)"
	claim "no image" sh -c '! ls | grep crimg'
	comes_to "$other" S && comes_to "$pid" S && ok || not_ok "the others stand"
	touch go
	wait "$pid" && ok || not_ok "killed at step $at: $(cat out)"
	rm victim other
done

begin ./heap 256
(sleep 0.1; kill -9 "$pid") &
"$crimg" checkpoint -q --compress=zstd:19 "$pid" x.crimg 2>said
[ $? = 2 ] && grep -q "task $pid was killed by signal 9" said && ok || not_ok "killed while memory is read: $(cat said)"
claim "no image of the killed" sh -c '! ls | grep crimg'
wait 2>/dev/null

for at in 5 8 $((steps / 3)) $((steps / 2)) $((steps * 2 / 3)); do
	begin ./meddle
	meddled "$at" "$pid" STOP
	code=$?
	comes_to "$pid" T && ok || not_ok "SIGSTOP at step $at of $steps is lost"
	[ $code = 0 ] || { [ $code = 2 ] && grep -q "signal 19 came" said; } && ok || not_ok "SIGSTOP at step $at: $code, $(cat said)"
	meddled "$at" "$pid" CONT
	comes_to "$pid" S && ok || not_ok "SIGCONT at step $at of a stopped one is lost"
	meddled "$at" "$pid" CONT
	touch go
	wait "$pid" && grep -q "continued too" out && ok || not_ok "SIGCONT at step $at: $(cat out)"
done

begin ./meddle
./meddle send "$pid" 0 1000 & sender=$!
for _ in $(seq 100); do
	take || not_ok "taken under fire"
	kill -0 "$sender" 2>/dev/null || break
done
wait "$sender"
touch go
wait "$pid" && grep -q "^1000 signals" out && ok || not_ok "signals are lost: $(cat out)"
finish
