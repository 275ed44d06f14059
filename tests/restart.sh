#!/bin/bash
# What today's criu dumped, crimg restarts: programs that prove their own state, from a directory, a stream and
# an archive, with their numbers and in a pid namespace; and what is refused, or fails, leaves nothing behind.
#   restart.sh CRIMG PEER BUILD
crimg=$(realpath "$1") peer=$2 build=$(realpath "$3")
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
programs="heap vectors blocked8 tree7 timers openfiles identity"
if [ "${4:-}" != inside ]; then
	no() {
		printf 'SKIPPED restart.sh: %s\n0 passed, 0 failed, 1 skipped\n' "$1"
		exit 0
	}
	[ "$(id -u)" = 0 ] || no "criu dump, and numbers of one's choice, need root"
	[ "$peer" != none ] && [ -x "$peer/criu" ] || no "the peer criu could not be fetched"
	unshare --pid --fork --mount-proc true 2>/dev/null || no "no pid namespace can be made here"
	mkdir -p "$build/samples"
	for p in $programs counter; do
		cc -O1 -w -pthread -o "$build/samples/$p" "$here/../samples/programs/$p.c" || exit 2
	done
	# There the shell is process 1: whoever is killed is waited for, and numbers are free again.
	exec unshare --pid --fork --kill-child --mount-proc bash "$0" "$crimg" "$peer" "$build" inside
fi
. "$here/lib.sh"
for fd in /proc/$$/fd/*; do # what a harness left open would be dumped too
	fd=${fd##*/}
	[ "$fd" -gt 2 ] && [ "$fd" != 255 ] && eval "exec $fd>&-"
done

begin() { # NAME COMMAND…: starts it; its number in pid_NAME
	local name=$1
	shift
	mkdir -p "$work/$name/run"
	cd "$work/$name/run" || exit 2
	setsid "$@" </dev/null >out 2>err &
	printf -v "pid_$name" %d $!
	disown $!
}
await_ready() { # NAME
	for _ in $(seq 200); do
		grep -q ready "$work/$1/run/out" && return
		sleep 0.05
	done
	not_ok "$1 does not begin: $(cat "$work/$1/run/err")"
}
dump() { # NAME: criu ends it; false, and said, when criu cannot
	local pid=pid_$1
	rm -rf "$work/$1/img"
	mkdir -p "$work/$1/img"
	"$peer/criu" dump -t "${!pid}" -D "$work/$1/img" -o log --file-locks >/dev/null 2>&1 && return
	skip "criu dump of $1 failed here: $(grep Error "$work/$1/img/log" | head -n 1)"
	kill -KILL -- "-${!pid}"
	false
}
restart() { # NAME [OPTION…] [IMAGE]: in its directory, at most 15 s; error texts in $work/said
	cd "$work/$1/run" || exit 2
	shift
	timeout -k 1 15 "$crimg" restart "$@" 2>"$work/said"
}
proves() { # NAME TEXT OPTION… IMAGE: it goes on and finds its state
	local name=$1 text=$2 code
	shift 2
	rm -f "$work/$name/run/go"
	(sleep 0.3 && touch "$work/$name/run/go") &
	restart "$name" --wait "$@"
	code=$?
	[ "$code" = 0 ] && ok || not_ok "$text of $name: exit $code: $(cat "$work/$name/run/err" "$work/said")"
}
fails() { # TEXT PATTERN NAME ARG…: exit 2, says PATTERN, no task of the image is there
	local text=$1 pattern=$2 name=$3 code pid=pid_$3
	shift 2
	restart "$@"
	code=$?
	[ "$code" = 2 ] && ok || not_ok "$text: exit $code, 2 wanted"
	grep -q -e "$pattern" "$work/said" && ok || not_ok "$text: $pattern wanted: $(cat "$work/said")"
	[ ! -e "/proc/${!pid:-none}" ] && ok || not_ok "$text: a task was left behind"
}

# All at once: most of their time they sleep.
dumped=
for p in $programs; do
	begin "$p" "$build/samples/$p"
done
for p in $programs; do
	await_ready "$p"
	dump "$p" && dumped="$dumped $p"
done
[ -n "$dumped" ] || { finish; exit; }
for p in $dumped; do
	proves "$p" "restart from a directory" "$work/$p/img"
done
for p in $dumped; do
	case $p in
	heap) form=h.crimg how=--compress=zstd ;;
	openfiles) form=h.tar.zst how= ;;
	tree7) form=h.crimg how=--compress=none ;;
	*) form=h.lz4 how=--compress=lz4 ;;
	esac
	"$crimg" convert $how "$work/$p/img" "$work/$p/$form" || not_ok "$form of $p"
	proves "$p" "restart from $form" "$work/$p/$form"
	proves "$p" "restart in a pid namespace" --new-pids "$work/$p/img"
done
finish
