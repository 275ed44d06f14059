#!/bin/bash
# Trees with a control group of their own: frozen while they fork, by either freezer; groups that were frozen stay so,
# and not one instruction of theirs runs; killed at any step, crimg leaves the group as it was.
#   freezer.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cc -O1 -w -o "$work/forker" "$here/forker.c" || exit 2
cc -shared -fPIC -D_GNU_SOURCE -w -o "$work/die_at.so" "$here/die_at.c" -ldl || exit 2

set_state() { # thawed|frozen
	case $kind$1 in
	cgroup2thawed) echo 0 >"$group/cgroup.freeze" ;;
	cgroup2frozen) echo 1 >"$group/cgroup.freeze" ;;
	cgroupthawed) echo THAWED >"$group/freezer.state" ;;
	cgroupfrozen) echo FROZEN >"$group/freezer.state" ;;
	esac
}
is_state() {
	case $kind$1 in
	cgroup2thawed) grep -q "frozen 0" "$group/cgroup.events" ;;
	cgroup2frozen) grep -q "frozen 1" "$group/cgroup.events" ;;
	cgroupthawed) grep -q THAWED "$group/freezer.state" ;;
	cgroupfrozen) grep -q FROZEN "$group/freezer.state" ;;
	esac
}
comes_to() { # STATE, within two seconds
	for _ in $(seq 200); do is_state "$1" && return; sleep 0.01; done
	return 1
}
beats() { stat -c %s beats; }
goes_on() {
	local before
	before=$(beats)
	for _ in $(seq 200); do [ "$(beats)" -gt "$before" ] && return; sleep 0.01; done
	return 1
}
take() { "$crimg" checkpoint -q --leave-running "$@"; }
take_and_die() { # STEP
	{ (DIE_AT=$1 LD_PRELOAD=$work/die_at.so exec "$crimg" checkpoint -q --leave-running "$pid" y.crimg); } 2>/dev/null
	[ $? = 137 ] && ok || not_ok "$kind: step $1: it was to be killed"
}
refused() { # TEXT COMMAND…
	local text=$1 out
	shift
	out=$("$@" 2>&1)
	if [ $? = 2 ] && [[ $out == *"$text"* ]]; then ok; else not_ok "$kind: $text wanted: $out"; fi
}

try_group() { # KIND MOUNT
	kind=$1 group=$2/crimg-test.$$
	local inner=$group/inner steps states before sleeper
	mkdir -p "$inner" 2>/dev/null || { skip "$2 is not ours"; return; }
	mkdir "$work/$kind" && cd "$work/$kind" || exit 2
	sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" >out 2>&1' sh "$inner" "$work/forker" & pid=$!
	for _ in $(seq 500); do grep -q ready out 2>/dev/null && break; sleep 0.01; done
	for _ in 1 2 3 4 5; do
		claim "$kind: taken while it forks" take "$pid" x.crimg
		is_state thawed && goes_on && ok || not_ok "$kind: it does not go on"
	done
	claim "$kind: an image" "$crimg" validate x.crimg

	DIE_COUNT=steps LD_PRELOAD=$work/die_at.so take "$pid" x.crimg || not_ok "$kind: counting steps"
	read -r steps states <steps
	[ "$states" = 2 ] && ok || not_ok "$kind: the group was told $states states, frozen and thawed wanted"
	for at in $(seq 1 16) $(seq 20 $((steps / 12)) $((steps / 3))); do
		take_and_die "$at"
		comes_to thawed && goes_on && ok || not_ok "$kind: killed at step $at, it does not go on"
	done

	set_state frozen
	comes_to frozen && before=$(beats)
	claim "$kind: taken while it is frozen" take "$pid" z.crimg
	sleep 0.02
	is_state frozen && [ "$(beats)" = "$before" ] && ok || not_ok "$kind: it does not stay frozen"
	claim "$kind: an image of the frozen" "$crimg" validate z.crimg
	claim "$kind: the frozen, shown" sh -c '"$1" inspect "pid:$2" tree >shown' sh "$crimg" "$pid"
	for at in 1 3 5 7 9 $((steps / 6)) $((steps / 3)); do
		take_and_die "$at"
		comes_to frozen && ok || not_ok "$kind: killed at step $at, it does not stay frozen"
	done
	take "$pid" z.crimg && is_state frozen && ok || not_ok "$kind: not taken again"

	sleep 100 & sleeper=$!
	echo "$sleeper" >"$group/cgroup.procs"
	echo "$pid" >"$group/cgroup.procs" # with its children to come
	refused "frozen by a control group" take "$pid" q.crimg
	set_state thawed
	claim "$kind: somebody else is in its group" take "$pid" q.crimg
	kill "$sleeper"
	wait "$sleeper" 2>/dev/null
	touch go
	wait "$pid" && ok || not_ok "$kind: $(cat out)"
	for _ in $(seq 500); do rmdir "$inner" "$group" 2>/dev/null; [ -e "$group" ] && sleep 0.01 || break; done
	[ ! -e "$group" ] || not_ok "$kind: somebody is left in $group"
}

while read -r mount type options; do
	case $type,$options, in
	cgroup2,*) try_group cgroup2 "$mount" ;;
	cgroup,*,freezer,*) try_group cgroup "$mount" ;;
	esac
done < <(awk '{ print $2, $3, $4 }' /proc/mounts)
[ $((passed + failed + skipped)) -gt 0 ] || skip "no freezer is mounted here"
finish
