#!/bin/bash
# Trees that chance made (samples/programs/family.c): taken by crimg and by the peer, brought back by both, with their
# numbers and in a pid namespace. Numbers, parents, groups, sessions and states are compared, and then each task proves
# where it is, and how its zombies ended.
#   families.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
if [ "${3:-}" != inside ]; then
	if [ "$(id -u)" != 0 ] || ! unshare --pid --fork --mount-proc true 2>/dev/null; then
		printf 'SKIPPED families.sh: no pid namespace can be made here\n0 passed, 0 failed, 1 skipped\n'
		exit 0
	fi
	exec unshare --pid --fork --kill-child --mount-proc bash "$0" "$crimg" "$peer" inside
fi
. "$here/lib.sh"
cc -O1 -w -o "$work/family" "$here/../samples/programs/family.c" || exit 2
cd "$work" || exit 2

shape() { ps -eo pid,ppid,pgid,sid,state,comm | grep famil | sed 's/ R / S /'; } # who polls may run just now
begin() { # SEED STEPS
	rm -rf go out image* && : >out
	setsid ./family "$1" "$2" </dev/null >out 2>&1 &
	pid=$!
	disown $!
	for _ in $(seq 500); do grep -q ready out && break || sleep 0.01; done
	sleep 0.02
	shape >before
}
taken_by() { # crimg|criu
	if [ "$1" = crimg ]; then "$crimg" checkpoint -q -t criu $pid image >said 2>&1
	else mkdir image && "$peer/criu" dump -t $pid -D image -o log >said 2>&1; fi
}
brought_back_by() { # crimg|criu
	if [ "$1" = crimg ]; then timeout -k 1 20 "$crimg" restart image >said 2>&1
	else timeout -k 1 3 "$peer/criu" restore -d -D image -o log >said 2>&1; fi
}
unchanged() { # TEXT
	sleep 0.02
	shape >after
	cmp -s before after && ok || not_ok "$1: $(diff before after | head -n 4)"
}
proves() { # TEXT
	touch go
	for _ in $(seq 500); do kill -0 $pid 2>/dev/null && sleep 0.01 || break; done
	[ "$(cat out)" = ready ] && ! kill -0 $pid 2>/dev/null && ok || not_ok "$1: $(cat out)"
	gone
}
gone() {
	ps -eo pid,comm | awk '/famil/ { print $1 }' | xargs -r kill -KILL 2>/dev/null
	sleep 0.02
}

for seed in $(seq 8); do
	begin "$seed" 60
	taken_by crimg && brought_back_by crimg && ok || not_ok "seed $seed: $(cat said)"
	unchanged "seed $seed"
	rm -rf image
	taken_by crimg && ok || not_ok "seed $seed, again: $(cat said)"
	if [ $((seed % 4)) = 0 ]; then
		(sleep 0.3 && touch go) &
		timeout -k 1 20 "$crimg" restart --wait --new-pids image >said 2>&1 && [ "$(cat out)" = ready ] && ok ||
			not_ok "seed $seed, in a pid namespace: $(cat said out)"
		rm -f go
	fi
	brought_back_by crimg && ok || not_ok "seed $seed, again: $(cat said)"
	unchanged "seed $seed, again"
	proves "seed $seed, again"
done

# The peer makes no tree with a session whose leader is somewhere else: small ones are mostly without.
managed=0
for seed in $(seq 4); do
	[ "$peer" != none ] || break
	begin "$seed" 14
	if taken_by criu; then
		brought_back_by crimg && ok || not_ok "seed $seed, by the peer: $(cat said)"
		unchanged "seed $seed, by the peer"
		proves "seed $seed, by the peer"
	fi
	gone
	begin "$seed" 14
	taken_by crimg && ok || not_ok "seed $seed: $(cat said)"
	if brought_back_by criu; then
		managed=$((managed + 1))
		unchanged "seed $seed, back by the peer"
		proves "seed $seed, back by the peer"
	fi
	gone
done
[ "$peer" = none ] && skip "the peer criu could not be fetched" || { [ $managed -gt 0 ] && ok || not_ok "the peer restored no tree"; }
finish
