#!/bin/bash
# What no image holds: a real process has each, and it is named; where that can be seen from outside, before the
# process is touched. And what no image of ours should hold.
#   refused.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if [ "$(id -u)" != 0 ]; then
	skip "some of these things only root can make"
	finish
	exit
fi
cc -O1 -w -o "$work/refused" "$here/../samples/programs/refused.c" || exit 2

switches() { awk '/^voluntary/ { print $2 }' "/proc/$1/status"; }
state() { awk '/^State/ { print $2 }' "/proc/$1/status"; }
refuses() { # THING TEXT [touched: that is found only while it stands still]
	local code before pid
	cd "$work" || exit 2
	setsid "$work/refused" "$1" </dev/null >out 2>&1 &
	pid=$!
	for _ in $(seq 500); do grep -q ready out && [ "$(state $pid)" = S ] && break || sleep 0.01; done
	if grep -q skip out; then
		skip "this kernel gives no $1"
	else
		before=$(switches $pid)
		timeout 10 "$crimg" checkpoint "$pid" image.crimg >said 2>&1
		code=$?
		[ "$code" = 2 ] && grep -q -e "$2" said && ok || not_ok "$1: exit $code, $2 wanted: $(cat said)"
		for _ in $(seq 100); do [ "$(state $pid)" = S ] && break || sleep 0.01; done
		[ ! -e image.crimg ] && [ "$(state $pid)" = S ] && ok || not_ok "$1: an image, or it does not run: $(state $pid)"
		[ "${3:-}" = touched ] || { [ "$(switches $pid)" = "$before" ] && ok || not_ok "$1: it was touched"; }
	fi
	kill -KILL -- "-$pid"
	wait "$pid" 2>/dev/null
	rm -f out said "first name" "other name"
}
refuses io_uring 'descriptor 3 is an io_uring'
refuses perf 'descriptor 3 is a performance counter'
refuses userfaultfd 'descriptor 3 is a userfaultfd'
refuses aio 'asynchronous I/O in progress'
refuses traced 'is traced already, by process'
refuses shm 'System V shared memory'
refuses hugetlb 'huge pages of hugetlbfs'
refuses socket 'descriptor 3 is a vsock socket'
refuses outside 'descriptor 3 is a socket connected to socket .* which process .* (refused) has as descriptor 4, outside'
refuses urgent 'urgent data in it (MSG_OOB)' touched
refuses unseen 'with data in a connection that nobody has accepted yet' touched
refuses gone 'whose other end is closed already' touched
refuses astray 'in a directory that is not its process.s any more' touched
refuses fanotify 'descriptor 3 is fanotify marks'
refuses pidfd 'is a pidfd of process .*, outside the tree' touched
refuses net 'has a namespace of its own: net'
refuses device 'is a device: /dev/kmsg'
refuses semaphore 'counts like a semaphore' touched

# Who waits for a child that has its memory cannot be stopped.
cd "$work" || exit 2
setsid "$work/refused" vfork </dev/null >out 2>&1 &
pid=$!
for _ in $(seq 500); do [ "$(state $pid)" = D ] && break || sleep 0.01; done
timeout 10 "$crimg" checkpoint $pid image.crimg >said 2>&1
[ $? = 2 ] && grep -q 'stands in vfork' said && [ "$(state $pid)" = D ] && ok || not_ok "vfork: $(cat said)"
kill -KILL -- "-$pid"
wait "$pid" 2>/dev/null
rm -f out

# A file that was removed and has other names gets one more by a checkpoint alone, and only by one that comes to be.
cd "$work" || exit 2
setsid "$work/refused" renamed </dev/null >out 2>&1 &
pid=$!
for _ in $(seq 500); do grep -qs ready out && break || sleep 0.01; done
"$crimg" inspect pid:$pid fds >said 2>&1
[ $? = 2 ] && grep -q 'has other names: only crimg checkpoint' said && ok || not_ok "a look at it: $(cat said)"
"$crimg" checkpoint $pid nowhere/image.crimg >said 2>&1
[ $? = 2 ] && ! ls link_remap.* >/dev/null 2>&1 && ok || not_ok "no image, but a name: $(cat said; ls)"
claim "a checkpoint of it" "$crimg" checkpoint -q --leave-running $pid image.crimg
ls link_remap.* >/dev/null 2>&1 && ok || not_ok "no name for the file"
claim "the image" "$crimg" validate image.crimg
rm -f link_remap.*
timeout 10 "$crimg" restart image.crimg >said 2>&1
[ $? = 2 ] && grep -q 'other name that the checkpoint made for it is not there' said && ok || not_ok "without it: $(cat said)"
kill -KILL $pid
wait $pid 2>/dev/null
rm -f out "other name" image.crimg

# Packets of a pipe that are not its bytes [R-0213].
cc -O1 -w -o "$work/rarefiles" "$here/../samples/programs/rarefiles.c" || exit 2
mkdir "$work/rare" && cd "$work/rare" || exit 2
(setsid sh -c 'echo $$ >pid; exec "$1"' sh "$work/rarefiles" </dev/null >out 2>&1 &)
for _ in $(seq 500); do grep -qs ready out && break || sleep 0.01; done
claim "a checkpoint with packets" "$crimg" checkpoint -q -t criu "$(cat pid)" image
altered() { # TEXT FILE SED-SCRIPT
	rm -rf bad && cp -a image bad && rm "bad/$2"
	"$crimg" convert -t json "image/$2" - | sed -E "$3" >json && "$crimg" convert -f json -t criu json "bad/$2"
	timeout 10 "$crimg" restart bad >said 2>&1
	[ $? = 2 ] && grep -q -e "$1" said && ok || not_ok "$1 wanted: $(cat said)"
}
altered '7 bytes found, 8 wanted' pipe-packets.img 's/"length": ?\[3, ?5\]/"length":[3,4]/'
altered '5000 bytes found, at most 4096 wanted' pipe-packets.img 's/"length": ?\[3, ?5\]/"length":[3,5000]/'

# Unix sockets that no kernel makes.
cc -O1 -w -o "$work/unixsockets" "$here/../samples/programs/unixsockets.c" || exit 2
mkdir "$work/unix" && cd "$work/unix" || exit 2
(setsid sh -c 'echo $$ >pid; exec "$1"' sh "$work/unixsockets" </dev/null >out 2>&1 &)
for _ in $(seq 500); do grep -qs ready out && break || sleep 0.01; done
claim "a checkpoint with sockets" "$crimg" checkpoint -q -t criu "$(cat pid)" image
altered 'file 99999 is on its way to file .*, and missing in the image' sk-queues.img 's/"rights": ?\[[0-9]+/"rights":[99999/'
altered 'brings what is unknown: 7' sk-queues.img 's/"type": ?1, ?"rights"/"type":7,"rights"/'
altered 'its other end is not in the image' files.img 's/"peer": ?[1-9][0-9]+/"peer":77/'
altered 'of an unknown type' files.img 's/"type": ?5, ?"state"/"type":3,"state"/g'
"$(command -v python3)" -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
open("bound", "w").close()
time.sleep(60)' "$work/unix/post2" &
other=$!
for _ in $(seq 500); do [ -e bound ] && break || sleep 0.01; done
mv post2 listens
timeout 10 "$crimg" restart image >said 2>&1
[ $? = 2 ] && grep -q "its name is taken: socket [0-9]*, which process $other (python3) has" said && [ -S listens ] && ok || not_ok "a name that somebody has: $(cat said)"
kill "$other"
finish
