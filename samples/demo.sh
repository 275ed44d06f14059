#!/bin/sh
# make demo: what crimg is for, on a real checkpoint. Prints each command before its output.
#   demo.sh CRIMG SAMPLES
set -eu
crimg=$(realpath "$1")
cd "$(dirname "$2")/$(basename "$2")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { printf '\n\033[1m# %s\033[0m\n' "$1"; }
run() {
	printf '\033[36m$ crimg'
	for word in "$@"; do
		case $word in "$work"/*) printf ' %s' "${word#"$work"/}" ;; *) printf ' %s' "$word" ;; esac
	done
	printf '\033[0m\n'
	"$crimg" "$@"
}
[ -t 1 ] || step() { printf '\n# %s\n' "$1"; }
[ -t 1 ] || run() {
	printf '$ crimg %s\n' "$(echo "$*" | sed "s|$work/||g")"
	"$crimg" "$@"
}
step "A checkpoint that CRIU made of a small tree of processes: what is in it?"
run inspect criu/c-tree
step "Who has which file open?"
run inspect criu/c-tree fds -p 9653
step "A container that Podman exported, still in its archive"
run inspect archives/podman-zstd.tar summary container
step "The whole image as one safe file: checksummed, indexed, compressed"
run convert --compress=zstd criu/c-tree "$work/tree.crimg"
ls -l "$work/tree.crimg" | awk '{ print "  " $5 " bytes, mode " $1 }'
step "And back, bit for bit"
run convert "$work/tree.crimg" "$work/tree"
diff -r --no-dereference criu/c-tree "$work/tree"
echo "  diff -r finds nothing: identical"
step "One object as crit would print it, and back"
run convert -t json --pretty criu/c-tree/pstree.img "$work/pstree.json"
head -n 12 "$work/pstree.json" | sed 's/^/  /'
run convert -f json -t criu "$work/pstree.json" "$work/pstree.img"
cmp criu/c-tree/pstree.img "$work/pstree.img"
echo "  cmp finds nothing: identical"
step "Half an image is refused, with the place"
head -c 20000 "$work/tree.crimg" >"$work/half.crimg"
printf '$ crimg convert half.crimg other\n'
(cd "$work" && "$crimg" convert half.crimg other) || echo "  exit code $?"
[ ! -e "$work/other" ] && echo "  and nothing was left behind"
step "A running program: frozen into a file, looked at, brought back, compared with its image"
cc -O1 -w -o "$work/counter" programs/counter.c
setsid "$work/counter" </dev/null >"$work/out" 2>&1 &
pid=$!
sleep 0.5
if run checkpoint "$pid" "$work/counter.crimg"; then
	wait "$pid" 2>/dev/null || echo "  process $pid has ended"
	run inspect "$work/counter.crimg" tree
	run restart --pidfile "$work/pid" "$work/counter.crimg"
	pid=$(cat "$work/pid")
	sleep 0.5
	run diff "$work/counter.crimg" "pid:$pid" || echo "  exit code $?: it has gone on since"
else
	echo "  this machine does not let processes be traced"
fi
kill -9 "$pid"
step "A kernel of 2010 froze this tree from within. It goes on here, among the files that it knew"
run inspect linux-cr/r5-tree.ckpt tree
mkdir -p "$work/root/t" "$work/root/data" "$work/root/dev"
cp linux-cr/root/program "$work/root/t/tree"
truncate -s 115504 "$work/root/t/tree" # its symbols were cut off the sample
echo "Hello, checkpoint world" >"$work/root/data/hello.txt"
if mknod -m 666 "$work/root/dev/null" c 1 3 2>/dev/null &&
	run restart --new-pids --sysroot "$work/root" --pidfile "$work/pid" linux-cr/r5-tree.ckpt; then
	pid=$(cat "$work/pid")
	ps --forest -s "$pid" -o pid,stat,comm 2>/dev/null | sed 's/^/  /'
	# shellcheck disable=SC2046 # all of its session
	kill -9 $(ps -s "$pid" -o pid=) 2>/dev/null || :
else
	echo "  this needs root, and a machine that makes pid namespaces"
fi
