#!/bin/bash
# What a tree shares with a process that is not in it: taken as a sub-tree, refused and named as a container.
#   leaks.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
if [ -z "${LEAKS_APART:-}" ]; then # where nobody else holds anything, and nobody is hidden
	LEAKS_APART=1 unshare --pid --fork --mount-proc --kill-child "$0" "$@" && exit
	[ -n "$(unshare --pid --fork --mount-proc true 2>&1)" ] || exit 1
	skip "no pid namespace can be made here"
	finish
	exit
fi
cc -O1 -w -o "$work/leaky" "$here/../samples/programs/leaky.c" || exit 2
cd "$work" || exit 2

# with THING ARGUMENTS…: a program that shares it, and what crimg said of it.
with() {
	local thing=$1
	shift
	setsid ./leaky "$thing" </dev/null >out 2>/dev/null &
	pid=$!
	for _ in $(seq 500); do grep -q ready out && break || sleep 0.01; done
	read -r _ outside <out
	rm -f image.crimg
	timeout 20 "$crimg" checkpoint -q --leave-running "$@" "$pid" image.crimg >said 2>&1
	code=$?
	kill -KILL "$pid" "$outside" 2>/dev/null
	wait "$pid" 2>/dev/null
}
leaks() { # THING KIND TEXT: refused for this kind; not for all others, nor as a sub-tree
	local all=mm,files,fs,sighand,pipes,sockets
	with "$1" --enforce="$2"
	[ "$code" = 2 ] && [ ! -e image.crimg ] && [ "$(grep -c leak: said)" = 1 ] &&
		grep -qF "$(sed "s/PID/$pid/; s/OUT/$outside/" <<<"leak: $3")" said && ok ||
		not_ok "$1: exit $code: $(cat said)"
	with "$1" --enforce="$(sed "s/\<$2\>,*//; s/,$//" <<<$all)"
	[ "$code" = 0 ] && [ -s image.crimg ] && [ ! -s said ] && ok || not_ok "$1, all but $2: exit $code: $(cat said)"
	with "$1" --subtree
	[ "$code" = 0 ] && ok || not_ok "$1 as a sub-tree: exit $code: $(cat said)"
}
sibling='process OUT (si\x1bbling), too' # nothing a name holds reaches the terminal
leaks files files "files: the table of descriptors of process PID is that of $sibling"
leaks fs fs "fs: the working directory, root and umask of process PID is that of $sibling"
leaks pipe pipes "pipes: descriptor 3 of process PID, pipe:["
leaks socket sockets "sockets: descriptor 3 of process PID, socket:["
leaks opening files "files: descriptor 3 of process PID, /dev/null, is held by $sibling"
leaks removed files "files: descriptor 3 of process PID, /tmp/crimg-leaky"
leaks memory mm "mm: shared memory of process PID is held by $sibling"
for kind in mm sighand; do # no image holds these
	with $kind --enforce=$kind
	[ "$code" = 2 ] && grep -q "leak: $kind: .* of process $pid is that of process $outside" said && ok ||
		not_ok "$kind: exit $code: $(cat said)"
done
with nothing --enforce=mm,files,fs,sighand,pipes,sockets
[ "$code" = 0 ] && [ ! -s said ] && ok || not_ok "nothing shared: exit $code: $(cat said)"

# A container: everything is counted, and everything is named.
with pipe --container
for text in "ipc: the ipc namespace of process $pid is that of process" "namespaces: the net namespace of process $pid" \
	"pipes: descriptor 3 of process $pid" "not closed: found [0-9]* objects"; do
	[ "$code" = 2 ] && grep -q "$text" said && ok || not_ok "--container: exit $code, $text wanted: $(cat said)"
done
with pipe --container --enforce=mm,fs,sighand
[ "$code" = 0 ] && ok || not_ok "--container with some kinds: exit $code: $(cat said)"
# The image says what was counted, and validate knows.
"$crimg" validate --closed image.crimg >said
grep -q 'CI-0609.*holders outside: descriptor tables and open files, pipes, sockets: ' said && ok || not_ok "validate: $(cat said)"
"$crimg" inspect image.crimg >said
grep -q '^closed *mm fs sighand' said && ok || not_ok "inspect: $(cat said)"
with nothing --enforce=mm,files,fs,sighand,pipes,sockets
"$crimg" validate --closed image.crimg >said
! grep CI-0609 said && ok || not_ok "validate, all counted: $(cat said)"
with nothing --enforce=mm,everything
[ "$code" = 2 ] && grep -q "everything found, kinds wanted: mm, files" said && ok || not_ok "no kind: $code: $(cat said)"
finish
