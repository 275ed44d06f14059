#!/bin/bash
# Every sample program, ten times in a row taken and brought back by crimg and by the peer in turns, in all forms, side
# by side; then without privileges. tests/rounds.py says how.
#   rounds.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
programs=$here/../samples/programs
criu=none
if [ "$peer" = none ] || [ ! -x "$peer/criu" ]; then skip "the peer criu could not be fetched: crimg restarts its own"
else criu=$(realpath "$peer")/criu; fi
w=$work
python=$(PATH=/usr/bin:/bin command -v python3) # of the system: nobody may not run any other
apart="unshare --pid --fork --mount-proc --kill-child"
if [ "$(id -u)" != 0 ] || ! $apart true 2>/dev/null; then
	skip "no pid namespace can be made here"
	finish
	exit
fi
chmod 711 "$work"
cp "$crimg" "$work/crimg"
cp "$programs"/* "$here/rounds.py" "$work"
chmod -R a+rX "$work"
sed '/stream\|datagrams/d' "$programs/openfiles.c" >"$work/plainfiles.c" # without its sockets, which are refused
for p in calls chain churn common counter family forks guards heap identity naps plainfiles rarefiles removed sharers terminals timers tree9 unread watchers \
	vectors blocked8; do
	cc -O1 -w -pthread -o "$work/$p" "$work/$p.c" || exit 2
done

rounds() { # HOW CRIU ROUNDS [UNSHARE…] -- PROGRAM…
	local how=$1 criu=$2 count=$3 good bad folder
	shift 3
	local within=()
	while [ "$1" != -- ]; do within+=("$1") && shift; done
	shift
	folder=$(mktemp -d "$work/rounds.XXXXXX")
	chmod 777 "$folder"
	"${within[@]}" "$python" "$work/rounds.py" "$how" "$work/crimg" "$criu" "$folder" "$count" "$@" >"$folder.said"
	grep FAILED -A 8 "$folder.said"
	read -r good bad < <(tail -n 1 "$folder.said")
	echo "${good:-0} ${bad:-1}" >>"$work/counted"
	rm -rf "$folder"
}
scripts=("/bin/bash $w/pipeline.sh" "$python $w/sums.py")
if command -v sqlite3 >/dev/null; then scripts+=("/bin/bash $w/database.sh")
else skip "there is no sqlite3"; fi

# [R-0212] [R-0213] [R-0214]
# criu takes no personality, no pipe in packet mode, and ends calls such as poll with EINTR; it does not bring back all
# orphans, a time that is left, nor a terminal whose group in front has ended.
rounds chain "$criu" 10 $apart -- "still:$w/"{common,guards,plainfiles,timers,vectors} "still:$w/heap 16" \
	"still:$w/rarefiles plain" "$w/counter numbers" "still:own:$w/"{identity,rarefiles,tree9} "still:own:$w/family 5" "still:own:$w/sharers" "still:$w/sharers natural" \
	"$w/"{blocked8,chain,churn,forks,removed} "own:$w/watchers" "own:$w/watchers lost" "$w/watchers plain" "undumped:$w/calls" \
	"own:$w/naps 5 30" "${scripts[@]}" &
# Nobody's privileges: the tasks get a user and a pid namespace of their own. And in one where they may choose numbers.
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
if $nobody unshare --user true 2>/dev/null; then
	rounds fresh none 10 $apart $nobody -- "$w/"{blocked8,calls,chain,churn,common,guards,plainfiles,timers,vectors} \
		"$w/counter numbers" "${scripts[@]}"
	rounds fresh none 1 $apart $nobody -- "late:$w/naps 4 2"
	rounds chain none 10 $nobody unshare --user --map-current-user --keep-caps --pid --fork --mount-proc --kill-child -- \
		"still:$w/"{plainfiles,timers,vectors} "$w/"{blocked8,chain,churn} "${scripts[@]}"
else
	skip "no user namespace can be made here"
fi
# Terminals have numbers, which nobody else may take meanwhile.
terminals=($apart sh -c 'mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && exec "$@"' sh)
rounds chain "$criu" 10 "${terminals[@]}" -- "still:$w/terminals"
rounds chain "$criu" 10 "${terminals[@]}" -- "still:own:$w/unread"
rounds chain "$criu" 10 "${terminals[@]}" -- "$w/unread plain"
if command -v script >/dev/null; then rounds chain "$criu" 10 "${terminals[@]}" -- "own:/bin/bash $w/prompt.sh"
else skip "there is no script(1) to make a terminal with"; fi
rounds fresh none 1 $apart -- "$w/heap 1024" "late:$w/naps 4 2"
wait
while read -r good bad; do
	passed=$((passed + good)) failed=$((failed + bad))
done <"$work/counted"
finish
