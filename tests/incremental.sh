#!/bin/bash
# Incremental images of a program that writes all the time: a pre-dump and what was written since, or what is not equal
# in an earlier image. The peer criu restores the chains, crimg restarts them, also when they are merged into one; the
# program proves that no page is stale. Nothing stays in the program, also when crimg is killed at any step.
#   incremental.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
programs=$here/../samples/programs
if [ "$(id -u)" != 0 ]; then
	skip "these images need root"
	finish
	exit
fi
criu=none
[ "$peer" = none ] || [ ! -x "$peer/criu" ] || criu=$(realpath "$peer")/criu
cd "$work" || exit 2
cc -O1 -w -o writes "$programs/writes.c" || exit 2
cc -shared -fPIC -D_GNU_SOURCE -w -o die_at.so "$here/die_at.c" -ldl || exit 2

begin() { # $pid runs in a folder of its own
	rm -rf run && mkdir run
	(cd run && exec setsid ../writes </dev/null >out 2>&1) & pid=$!
	for _ in $(seq 500); do grep -q ready run/out 2>/dev/null && break; sleep 0.01; done
	sleep 0.3
}
proves() { # TEXT: whoever runs as $back ends, and the program found all right
	sleep 0.2
	touch run/go
	wait "$back" 2>/dev/null
	grep -q "^right" run/out && ok || not_ok "$1: $(cat run/out)"
	rm -f run/go
}
restored() { # TEXT IMAGE: by both
	local copy=${2%/}
	sed -i '/^right/d' run/out # what they go on writing to
	if [ "$criu" != none ]; then
		rm -rf copy && cp -a "$copy" copy
		"$criu" restore -D copy -o restore.log -v1 & back=$!
		proves "$1, restored by criu"
		sed -i '/^right/d' run/out
	fi
	"$crimg" restart --wait "$2" 2>said & back=$!
	proves "$1, restarted: $(cat said)"
}
pages() { "$crimg" inspect "$1" stats | sed -n "s/^ *$2 *\([0-9]*\).*/\1/p"; }
refused() { # TEXT COMMAND…
	local text=$1 out
	shift
	out=$("$@" 2>&1)
	if [ $? = 2 ] && [[ $out == *"$text"* ]]; then ok; else not_ok "$text wanted: $out"; fi
}

# At once, and left running: what is watched no more, and by nobody.
begin
"$crimg" checkpoint --leave-running -t criu "$pid" whole 2>said || not_ok "whole: $(cat said)"
echo "whole: $(cat said)"
if ! "$crimg" checkpoint --leave-running --pre-dump before "$pid" since 2>said; then
	if grep -q "does not tell which pages are written" said; then skip "$(cat said)"; else not_ok "$(cat said)"; fi
	watches=
else
	watches=yes
	echo "with a pre-dump: $(tail -n 1 said)"
	claim "descriptors" sh -c '! ls -l "/proc/$1/fd" | grep -q userfaultfd' sh "$pid"
	claim "memory" sh -c '! grep "VmFlags.* uw" "/proc/$1/smaps"' sh "$pid"
	claim "a valid pre-dump" "$crimg" validate before
	claim "a valid image" "$crimg" validate since
	[ "$(($(pages since pages_written) * 4))" -lt "$(pages whole pages_written)" ] && ok || not_ok "it is not smaller"
	[ "$(pages since pages_skipped_parent)" -gt 1000 ] && ok || not_ok "nothing is of the parent"
fi
claim "no longer than its parent" "$crimg" checkpoint -q --leave-running --parent whole "$pid" later
claim "a third layer" "$crimg" checkpoint -q --parent later "$pid" last
wait "$pid" 2>/dev/null
[ "$(pages last pages_skipped_parent)" -gt 1000 ] && ok || not_ok "nothing is of the parents"
restored "three layers, compared" last
claim "merged" "$crimg" convert --merge-parents last merged.crimg
rm -rf whole later last
sed -i '/^right/d' run/out
"$crimg" restart --wait merged.crimg 2>said & back=$!
proves "merged: $(cat said)"

if [ -n "$watches" ]; then
	for i in 1 2 3; do
		rm -rf before since
		begin
		claim "pre-dump $i" "$crimg" checkpoint -q --pre-dump before "$pid" since
		wait "$pid" 2>/dev/null
		restored "pre-dump $i" since
	done

	# By their owner, without privileges.
	chmod 711 "$work" && cp "$crimg" owned && mkdir -m 777 theirs && cd theirs || exit 2
	nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	(umask 0 && exec setsid $nobody ../writes </dev/null >out 2>&1) & back=$!
	for _ in $(seq 500); do grep -q ready out 2>/dev/null && break; sleep 0.01; done
	claim "pre-dump by its owner" $nobody ../owned checkpoint -q --leave-running --pre-dump before "$back" since
	claim "parent by its owner" $nobody ../owned checkpoint -q --leave-running --parent since "$back" later
	touch go
	cd ..
	wait "$back"
	grep -q "^right" theirs/out && ok || not_ok "taken by its owner: $(cat theirs/out)"

	# Threads, a tree, guard regions, programs of others.
	for p in blocked8 heap guards; do cc -O1 -w -pthread -I"$programs" -o "$p" "$programs/$p.c" || exit 2; done
	read -r good bad < <(PREDUMP=1 python3 "$here/checkpoint_rounds.py" "$crimg" "$criu" "$work/rounds" 2 \
		"$work"/{blocked8,heap,guards} "/bin/bash $programs/pipeline.sh" "/usr/bin/env python3 $programs/sums.py" |
		tee told | tail -n 1)
	grep FAILED -A 3 told
	passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-1}))

	begin
	DIE_COUNT=$work/steps LD_PRELOAD=$work/die_at.so "$crimg" checkpoint -q --leave-running --pre-dump a "$pid" b || not_ok "counting"
	read -r steps _ <steps
	rm -rf a b
	for at in $(seq 3 $((steps / 20)) $((steps * 3 / 4))); do
		(DIE_AT=$at LD_PRELOAD=$work/die_at.so exec "$crimg" checkpoint -q --pre-dump a "$pid" b) 2>/dev/null
		[ $? = 137 ] && ok || not_ok "step $at: it was to be killed"
		rm -rf a .a* b .b*
	done 2>/dev/null
	back=$pid
	proves "killed at $steps steps"
fi

begin
refused "make a CRIU directory" "$crimg" checkpoint --pre-dump a "$pid" b.crimg
refused "which names one parent" "$crimg" checkpoint --pre-dump a --parent c "$pid" b
mkdir a && touch a/there
refused "a:" "$crimg" checkpoint --pre-dump a "$pid" b
refused "nowhere" "$crimg" checkpoint --parent nowhere "$pid" b
sleep 60 & sleeper=$!
claim "of somebody else" "$crimg" checkpoint -q --leave-running -t criu "$sleeper" other
refused "is not the parent of its image" "$crimg" checkpoint --parent other "$pid" b
kill "$sleeper"
back=$pid
proves "refused"
finish
