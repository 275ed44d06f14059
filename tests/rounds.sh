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
for p in calls chain churn common counter extras family forks guards heap hidden identity inetsockets naps openfiles rarefiles removed \
	sharers talk terminals timers tree9 unixsockets unread vectors watchers blocked8; do
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
# Of connections that nobody has accepted yet criu takes none with data in them, and brings none back.
scripts=("/bin/bash $w/pipeline.sh" "$python $w/sums.py" "own:$python $w/squares.py")
if command -v sqlite3 >/dev/null; then scripts+=("/bin/bash $w/database.sh")
else skip "there is no sqlite3"; fi

# [R-0212] [R-0213] [R-0219] [R-0215] [R-0216] [R-0217] [R-0218]
# criu takes no personality, no pipe in packet mode, and ends calls such as poll with EINTR; it does not bring back all
# orphans, a time that is left, nor a terminal whose group in front has ended; of unix sockets not who sent what, nor names
# of accepted ones; of shared memory not what nobody has mapped.
rounds chain "$criu" 10 $apart -- "still:$w/"{common,guards,openfiles,timers,vectors} "still:$w/heap 16" \
	"still:$w/"{hidden,rarefiles,unixsockets}" plain" "$w/counter numbers" \
	"still:own:$w/"{hidden,identity,rarefiles,sharers,tree9,unixsockets} "still:own:$w/family 5" "still:$w/sharers natural" \
	"$w/"{blocked8,chain,churn,removed} "own:$w/watchers" "own:$w/watchers lost" "$w/watchers plain" "undumped:$w/calls" \
	"own:$w/naps 5 30" "still:own:$w/extras all" "${scripts[@]}" &
# Who forks all the time comes round to every number there is, also to one that is just to be restarted.
rounds chain "$criu" 10 $apart -- "$w/forks" &
# Terminals have numbers, which nobody else may take meanwhile: each such program has them for itself.
own_terminals=(sh -c 'mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && exec "$@"' sh)
terminals=($apart "${own_terminals[@]}")
prompt=()
if command -v script >/dev/null; then prompt=("own:/bin/bash $w/prompt.sh")
else skip "there is no script(1) to make a terminal with"; fi
# Nobody's privileges: the tasks get a user and a pid namespace of their own. And in one where they may choose numbers. All
# programs; of identity and naps what the kernel gives to nobody.
all=("still:$w/"{common,guards,hidden,openfiles,timers,vectors,rarefiles,tree9,unixsockets} "still:$w/identity plain" "$w/heap 16"
	"$w/"{blocked8,calls,chain,churn,extras,removed,sharers} "$w/counter numbers" "${scripts[@]}")
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
within="unshare --user --map-current-user --keep-caps --pid --fork --mount-proc --kill-child"
container="unshare --user --map-root-user --pid --fork --mount-proc --kill-child"
if $nobody unshare --user true 2>/dev/null; then
	rounds fresh none 10 $apart $nobody -- "${all[@]}" "$w/forks"
	rounds fresh none 10 "${terminals[@]}" $nobody -- "still:$w/terminals" &
	rounds fresh none 10 "${terminals[@]}" $nobody -- "${prompt[@]}" &
	rounds fresh none 1 $apart $nobody -- "late:$w/naps 4 2"
	rounds chain none 10 $nobody $within -- "${all[@]}" "own:$w/naps 5 30" "$w/family 5" &
	rounds chain none 10 $nobody $within -- "$w/forks" &
	rounds chain none 10 $nobody $within "${own_terminals[@]}" -- "still:$w/terminals" &
	rounds chain none 10 $nobody $within "${own_terminals[@]}" -- "${prompt[@]}" &
	# As in a container: root, of a user namespace.
	rounds chain none 2 $container -- "${all[@]}"
	rounds chain none 2 $container -- "$w/forks"
else
	skip "no user namespace can be made here"
fi
rounds chain "$criu" 10 "${terminals[@]}" -- "still:$w/terminals" &
rounds chain "$criu" 10 "${terminals[@]}" -- "${prompt[@]}" &
rounds chain "$criu" 10 "${terminals[@]}" -- "still:own:$w/unread" &
rounds chain "$criu" 10 "${terminals[@]}" -- "$w/unread plain"
rounds fresh none 1 $apart -- "late:$w/naps 4 2"
rounds chain "$criu" 10 $apart -- "large:still:$w/heap 1024"
# Sockets, in network namespaces of their own. [R-0220]
if unshare --net true 2>/dev/null; then
	rounds chain "$criu" 10 $apart --net -- "still:tcp:$w/inetsockets plain"
	rounds chain none 10 $apart --net -- "still:$w/inetsockets"
	rounds chain "$criu" 10 $apart --net -- "tcp:$w/talk both 7100"
	if $nobody unshare --user true 2>/dev/null; then # as in a container that nobody runs
		rounds chain none 2 $nobody $container --net -- "still:$w/inetsockets"
		rounds chain none 2 $nobody $container --net -- "$w/talk both 7100"
	fi
else skip "no network namespace can be made here"; fi
wait
while read -r good bad; do
	passed=$((passed + good)) failed=$((failed + bad))
done <"$work/counted"
finish
