#!/bin/bash
# Connections of TCP, in a network namespace of their own: one end is taken and comes back, by crimg and by the peer in
# all directions, and the other, which talks all the time, notices nothing; nor when crimg is killed meanwhile. And what
# is refused.
#   connections.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
apart="unshare --net --pid --fork --mount-proc --kill-child"
if [ "${3:-}" != inside ]; then
	if [ "$(id -u)" != 0 ] || ! $apart true 2>/dev/null; then
		printf 'SKIPPED connections.sh: no network namespace can be made here\n0 passed, 0 failed, 1 skipped\n'
		exit 0
	fi
	exec $apart bash "$0" "$crimg" "$peer" inside
fi
. "$here/lib.sh"
for fd in /proc/$$/fd/*; do # what a harness left open would be taken too
	fd=${fd##*/}
	[ "$fd" -gt 2 ] && [ "$fd" != 255 ] && eval "exec $fd>&-"
done
cd "$work" || exit 2
cc -O1 -w -o talk "$here/../samples/programs/talk.c" || exit 2
cc -shared -fPIC -D_GNU_SOURCE -w -o die_at.so "$here/die_at.c" -ldl || exit 2

await() { for _ in $(seq 500); do grep -qs "$1" "$2" && { ok; return; }; sleep 0.02; done; not_ok "$2 does not say $1: $(cat "$2")"; }
begin() { # [both]: one that serves, which is to be taken, and one that asks; or both, to be taken together
	rm -rf server asker && mkdir server asker
	if [ "${1:-}" = both ]; then
		(cd server && exec setsid "$work/talk" both 7100 </dev/null >out 2>&1) &
		pid=$! asker=$pid
		await ready server/out
		return
	fi
	(cd server && exec setsid "$work/talk" serve 7100 </dev/null >out 2>&1) &
	pid=$!
	await listens server/out
	(cd asker && exec "$work/talk" ask 7100 </dev/null >out 2>&1) &
	asker=$!
	await ready asker/out
	sleep 0.1
}
proves() { # TEXT: all bytes come
	touch asker/go server/go
	for _ in $(seq 600); do [ -e "/proc/$asker" ] || break; sleep 0.05; done
	if [ -e "/proc/$asker" ]; then
		not_ok "$1: it hangs: $(cat asker/out server/out; cat /proc/net/tcp)"
		kill -KILL "$asker" "$pid" 2>/dev/null
	elif grep -q ' bytes' asker/out server/out && ! grep -q 'not so' asker/out server/out; then ok
	else not_ok "$1: $(cat asker/out server/out)"; fi
	kill -KILL -- "-$pid" 2>/dev/null
	wait 2>/dev/null
}
take() { # HOW OPTION…
	local how=$1
	shift
	rm -rf image
	if [ "$how" = crimg ]; then "$crimg" checkpoint -q -t criu "$@" "$pid" image 2>said
	else
		mkdir image
		"$peer/criu" dump -t "$pid" -D image -o log --tcp-established --network-lock nftables >said 2>&1 || cat image/log >>said
	fi
}
bring() { # HOW OPTION…
	local how=$1
	shift
	if [ "$how" = crimg ]; then "$crimg" restart "$@" image >number 2>said
	else "$peer/criu" restore -d -D image -o log2 --tcp-established >said 2>&1 || { grep Error image/log2 >>said; false; }; fi
}
ways="crimg:crimg"
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then skip "the peer criu could not be fetched"
else ways="crimg:crimg crimg:criu criu:crimg"; fi

begin both
take crimg --leave-running
if grep -q 'cannot be locked' said; then
	skip "this kernel has no nf_tables"
	kill -KILL -- "-$pid"
	finish
	exit
fi
proves "the first"

# One end outside: twice in a row, with a while in between, in which it sends and nobody answers.
for way in $ways; do
	begin
	options=
	[ "${way#*:}" = crimg ] && options=--tcp-established
	for round in 1 2; do
		take "${way%:*}" --tcp-established && ok || not_ok "$way: not taken: $(cat said)"
		sleep 0.3
		claim "$way: the image is valid" "$crimg" validate image
		bring "${way#*:}" $options && ok || not_ok "$way: does not come back: $(cat said)"
		sleep 0.1
	done
	proves "$way"
done
begin
for _ in 1 2 3; do take crimg --tcp-established --leave-running && ok || not_ok "left running: $(cat said)"; done
proves "left running"
begin both
for way in $ways; do
	take "${way%:*}" && bring "${way#*:}" && ok || not_ok "both ends, $way: $(cat said)"
	sleep 0.1
done
proves "both ends"

# Without being asked for, a connection with somebody outside is not taken, nor brought back; or it is closed.
begin
take crimg
[ $? = 2 ] && grep -q 'is a connection of TCP with 127.0.0.1:.*--tcp-established' said && ok || not_ok "not asked for: $(cat said)"
take crimg --network-lock quickly
[ $? = 2 ] && grep -q 'nftables or skip wanted' said && ok || not_ok "a lock: $(cat said)"
take crimg --tcp-established && ok || not_ok "asked for: $(cat said)"
bring crimg
[ $? = 2 ] && grep -q 'other end is not in the image: --tcp-established' said && ok || not_ok "restart, not asked for: $(cat said)"
"$crimg" convert -t json image/inventory.img - | grep -q '"network_lock_method": *1' && ok || not_ok "no lock in the inventory"
cp -a image cut
truncate -s -1000 cut/tcp-stream-*.img
mv image whole && mv cut image
bring crimg --tcp-established
[ $? = 2 ] && ok || not_ok "a cut stream: $(cat said)"
rm -rf image && mv whole image
bring crimg --tcp-close && ok || not_ok "closed: $(cat said)"
for _ in $(seq 200); do [ -e "/proc/$pid" ] || break; sleep 0.05; done
grep -q 'not so: n >= 0\|not so: m > 0' server/out || [ ! -e "/proc/$pid" ] && ok || not_ok "closed: it serves on: $(cat server/out)"
kill -KILL "$asker" 2>/dev/null
kill -KILL -- "-$pid" 2>/dev/null
wait 2>/dev/null

# Connections that wait to be accepted; multipath TCP; a cork.
python=$(PATH=/usr/bin:/bin command -v python3)
refused() { # TEXT PATTERN CODE OPTION…
	local text=$1 pattern=$2 code=$3
	shift 3
	rm -f out
	setsid "$python" -c "import socket, time
S = socket.socket
$code
print('ready', flush=True)
time.sleep(100)" </dev/null >out 2>&1 &
	pid=$!
	await ready out
	take crimg --leave-running "$@"
	case $? in
	2) grep -q -e "$pattern" said && ok || not_ok "$text: $pattern wanted: $(cat said)" ;;
	0) [ "$pattern" = taken ] && ok || not_ok "$text: it was taken" ;;
	esac
	kill -KILL -- "-$pid"
	wait "$pid" 2>/dev/null
}
waiting='l = S(); l.bind(("127.0.0.1", 7200)); l.listen(); c = S(); c.connect(("127.0.0.1", 7200))'
refused "not accepted" 'listens, and 1 connections wait to be accepted' "$waiting"
refused "dropped" taken "$waiting" --skip-in-flight --tcp-established
refused "multipath" 'multipath TCP' 'm = S(socket.AF_INET, socket.SOCK_STREAM, 262)'
refused "a cork" 'corked socket of UDP' 'u = S(socket.AF_INET, socket.SOCK_DGRAM); u.setsockopt(17, 1, 1)'
refused "urgent data" 'urgent data' 'l = S(); l.bind(("127.0.0.1", 7201)); l.listen(); c = S()
c.connect(("127.0.0.1", 7201)); a = l.accept(); c.send(b"u", socket.MSG_OOB)'
refused "a vsock" 'is a vsock socket' 'v = S(40, socket.SOCK_STREAM)'
refused "messages of netlink" 'netlink socket with messages that were not read' \
	'n = S(16, socket.SOCK_RAW, 0); n.send(b"\x14\0\0\0\x12\0\x01\x03\1\0\0\0\0\0\0\0\0\0\0\0"); time.sleep(0.1)'

# Sorts of sockets that are rare: rings, fanout, filters of ICMP, pings, raw ones with a peer, news of devices.
cat >rare.py <<'END'
import os, socket, struct, time
S = socket.socket
open("/proc/sys/net/ipv4/ping_group_range", "w").write("0 1000")
ring = S(17, socket.SOCK_RAW, socket.htons(3))
ring.bind(("lo", 3))
ring.setsockopt(263, 10, 1)
ring.setsockopt(263, 5, struct.pack("IIII", 4096, 4, 2048, 8))
fan = S(17, socket.SOCK_RAW, socket.htons(0x88b6))
fan.bind(("lo", 0x88b6))
fan.setsockopt(263, 18, 0x1234)
old = S(17, 10, socket.htons(3))
ping = S(socket.AF_INET, socket.SOCK_DGRAM, 1)
ping.bind(("127.0.0.1", 77))
raw = S(socket.AF_INET, socket.SOCK_RAW, 1)
raw.setsockopt(255, 1, struct.pack("I", 0xfffffeff))
six = S(socket.AF_INET6, socket.SOCK_RAW, 58)
six.setsockopt(58, 1, b"\xff" * 32)
peer = S(socket.AF_INET, socket.SOCK_RAW, 254)
peer.connect(("127.0.0.1", 0))
news = S(16, socket.SOCK_DGRAM, 15)
news.bind((0, 1))
print("ready", flush=True)
while not os.path.exists("rare.go"):
    time.sleep(0.02)
assert ring.getsockopt(263, 10) == 1 and fan.getsockopt(263, 18) & 0xffff == 0x1234
assert ping.getsockname() == ("127.0.0.1", 77) and old.type == 10
assert raw.getsockopt(255, 1, 4) == struct.pack("I", 0xfffffeff) and six.getsockopt(58, 1, 32) == b"\xff" * 32
assert news.getsockname()[1] == 1 and news.getsockopt(1, 3) == socket.SOCK_DGRAM
ping.sendto(b"\x08\0\0\0\0\0\0\1hello", ("127.0.0.1", 0))
assert b"hello" in ping.recv(100)
print("good", flush=True)
END
setsid "$python" rare.py </dev/null >rare 2>&1 &
pid=$!
await ready rare
take crimg && ok || not_ok "rare sockets are not taken: $(cat said)"
claim "rare sockets: the image is valid" "$crimg" validate image
bring crimg && ok || not_ok "rare sockets do not come back: $(cat said)"
touch rare.go
await good rare

# Killed at its steps, crimg leaves connections as they are, and no lock.
begin both
DIE_COUNT=steps LD_PRELOAD=./die_at.so take crimg --leave-running || not_ok "counting steps: $(cat said)"
read -r steps _ <steps
for at in $(seq $((steps / 3)) 7 $((steps))); do
	(DIE_AT=$at LD_PRELOAD=./die_at.so exec "$crimg" checkpoint -q --leave-running "$pid" killed.crimg) 2>/dev/null
	! grep -q 'not so' server/out && ok || { not_ok "killed at step $at of $steps: $(cat server/out)"; break; }
done
proves "killed at its steps"

# Killed where the tree is to be ended: it goes on, or it is dead and the image is there, and comes back.
begin both
last=
for at in $(seq $((steps - 10)) 6 $((steps + 60))); do
	rm -rf last && mkdir last
	(DIE_AT=$at LD_PRELOAD=./die_at.so exec "$crimg" checkpoint -q -t criu "$pid" last/image) 2>/dev/null
	code=$?
	[ $code = 0 ] || sleep 0.1
	if readlink "/proc/$pid/exe" >/dev/null; then
		[ $code != 0 ] && ok || not_ok "killed at step $at: it lives"
		continue
	fi
	"$crimg" restart last/image >number 2>said && ok || not_ok "killed at step $at of ending: $(cat said)"
	[ $code = 0 ] && break
done
proves "killed at the end"

# What a running process is, is shown; an image has it, and crit reads that.
begin both
"$crimg" inspect "pid:$pid" sockets >shown 2>&1
[ "$(grep -c 'ESTABLISHED.*7100' shown)" = 2 ] && ok || not_ok "inspect pid:N: $(cat shown)"
take crimg --leave-running
"$crimg" diff image "pid:$pid" >shown 2>&1
[ $? -le 1 ] && ! grep -q 'sockets.*\(added\|removed\)' shown && ok || not_ok "diff with pid:N: $(cat shown)"
if [ "$peer" != none ] && [ -x "$peer/crit" ]; then
	for f in image/tcp-stream-*.img image/files.img image/inventory.img; do claim "crit decodes $f" "$peer/crit" decode -i "$f" -o decoded; done
fi
proves "looked at"

# Nobody may take and make sockets, but for connections of TCP.
chmod 711 "$work" && mkdir -m 777 own
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
mine() { # CODE CODE: begins it as nobody, who does the second when it is to go on; $pid
	rm -rf own/*
	cat >own.py <<END
import os, socket, time
S = socket.socket
$1
print('ready', flush=True)
while not os.path.exists('go'): time.sleep(0.02)
$2
print('good', flush=True)
END
	(cd own && exec setsid $nobody sh -c 'exec "$0" ../own.py </dev/null >out 2>&1' "$python") &
	pid=$!
	await ready own/out
}
if $nobody true 2>/dev/null; then
	cp "$crimg" own.crimg && chmod 755 own.crimg
	mine 'l = S(); l.bind(("127.0.0.1", 7400)); l.listen(5); c = S(); c.connect(("127.0.0.1", 7400)); a = l.accept()' pass
	$nobody ./own.crimg checkpoint -q --leave-running "$pid" own/x.crimg 2>said
	[ $? = 2 ] && grep -q 'CAP_NET_ADMIN' said && ok || not_ok "nobody's connection: $(cat said)"
	kill -KILL -- "-$pid"
	wait "$pid" 2>/dev/null
	mine 'l = S(); l.bind(("127.0.0.1", 7401)); l.listen(5); u = S(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 7402)); n = S(16, socket.SOCK_RAW, 0); n.bind((0, 0))' 'c = S(); c.connect(("127.0.0.1", 7401))
a = l.accept()[0]; c.send(b"1"); assert a.recv(1) == b"1"
c = S(socket.AF_INET, socket.SOCK_DGRAM); c.sendto(b"2", ("127.0.0.1", 7402)); assert u.recv(1) == b"2"
assert n.getsockname()[0] != 0'
	$nobody ./own.crimg checkpoint -q "$pid" own/x.crimg 2>said && ok || not_ok "nobody's sockets: $(cat said)"
	wait "$pid" 2>/dev/null
	(cd own && $nobody ../own.crimg restart x.crimg >number 2>said && touch go) && ok || not_ok "nobody's sockets do not come back: $(cat own/said)"
	await good own/out
else skip "there is no setpriv"; fi

# A real program in the middle of what it does.
mkdir site && cd site || exit 2
head -c 30000000 /dev/urandom >big
setsid "$python" -u -m http.server --bind 127.0.0.1 7300 </dev/null >../http 2>&1 &
pid=$!
cd ..
await Serving http
"$python" -c "
import hashlib, time, urllib.request
r = urllib.request.urlopen('http://127.0.0.1:7300/big')
h = hashlib.md5()
print('begun', flush=True)
while piece := r.read(65536):
    h.update(piece)
    time.sleep(0.004)
print('md5', h.hexdigest())" >got 2>&1 &
client=$!
await begun got
for way in $ways; do
	sleep 0.2
	options=
	[ "${way#*:}" = crimg ] && options=--tcp-established
	(cd site && true) && take "${way%:*}" --tcp-established && bring "${way#*:}" $options && ok || not_ok "http.server, $way: $(cat said)"
done
wait $client
grep -q "md5 $(md5sum <site/big | cut -d' ' -f1)" got && ok || not_ok "http.server: $(cat got)"
kill -KILL -- "-$pid" 2>/dev/null
wait 2>/dev/null
finish
