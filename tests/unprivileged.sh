#!/bin/bash
# crimg as root of a user namespace, as in a container, and as nobody: what the kernel lets it do works, with and without
# a pid namespace of its own; the rest is refused by name before anything is touched. (tests/rounds.sh has all programs.)
#   unprivileged.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
in_memory=1
. "$here/lib.sh"
programs=$here/../samples/programs
container="unshare --user --map-root-user"
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
if [ "$(id -u)" != 0 ] || ! $nobody $container true 2>/dev/null; then
	skip "no user namespace can be made here"
	finish
	exit
fi
chmod 711 "$work"
cp "$crimg" "$work/crimg"
cp "$programs"/*.[ch] "$work"
for p in heap hidden sysv guards counter; do cc -O1 -w -pthread -o "$work/$p" "$work/$p.c" || exit 2; done
cc -shared -fPIC -D_GNU_SOURCE -w -o "$work/die_at.so" "$here/die_at.c" -ldl || exit 2
cat >"$work/filtered.c" <<'END'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
// Whoever asks for its number is killed: a checkpoint would have it do so.
static void *filtered(void *mode)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
int main(void)
{
	pthread_t thread; // not the first one: each has its own filters
	pthread_create(&thread, NULL, filtered, NULL);
	for (;;)
		pause();
}
END
cc -O1 -w -pthread -o "$work/filtered" "$work/filtered.c" || exit 2

# begin COMMAND…: in a folder of its own, until it is ready; $pid
cat >"$work/begin.sh" <<'END'
begin() {
	dir=$(mktemp -d "$PWD/run.XXXXXX") && cd "$dir" || exit 2
	setsid "$@" >out 2>&1 </dev/null &
	pid=$!
	for _ in $(seq 500); do grep -qs ready out && return; sleep 0.01; done
	echo "FAILED $*: does not get ready: $(cat out)"
}
wants() { # CODE TEXT COMMAND…; CODE: a pattern
	local code=$1 text=$2
	shift 2
	"$@" >said 2>&1
	local got=$?
	[[ $got =~ ^$code$ ]] && [[ $(cat said) =~ $text ]] || echo "FAILED $*: exit $got: $(cat said)"
	echo claim
}
END
cat >"$work/inside.sh" <<'END'
. ../begin.sh
crimg=../../crimg numbers=$1
all() { # COMMAND…: looked at, compared, taken and brought back
	begin "$@"
	for view in summary fds maps regs ipc; do
		wants 0 . $crimg inspect pid:$pid $view
	done
	wants 0 "" $crimg convert -t core pid:$pid cores/
	wants 0 "" $crimg checkpoint -q --leave-running $pid before.crimg
	wants 0 "" $crimg validate before.crimg
	wants "[01]" "" $crimg diff before.crimg pid:$pid
	wants 0 "" $crimg checkpoint -q $pid x.crimg
	wait $pid 2>/dev/null
	(sleep 0.3 && touch go) &
	wants 0 "$numbers" $crimg restart --wait x.crimg
	cd ..
}
all ../../heap 4
all ../../hidden
all unshare --ipc ../../sysv own
all unshare --uts sh -c 'hostname of-its-own && exec ../../guards'
END
count() { # what ran inside: a line "claim" for each, and those that failed
	grep -A 3 FAILED "$work/result"
	failed=$((failed + $(grep -c FAILED "$work/result"))) passed=$((passed + $(grep -c '^claim' "$work/result")))
}
inside() { # FOLDER TEXT COMMAND…: the above, in a namespace that COMMAND makes; restart is to say TEXT
	local folder=$work/$1 text=$2
	mkdir "$folder" && chmod 777 "$folder" && cd "$folder" || exit 2
	"${@:3}" bash "$work/inside.sh" "$text" >"$work/result" 2>&1
	grep -q claim "$work/result" || not_ok "$1: $(tail -n 3 "$work/result")"
	count
}
inside own "" $container --pid --fork --mount-proc --kill-child
inside shared 'pid namespace is of another user namespace' $container
inside nobody "" $nobody $container --pid --fork --mount-proc --kill-child

# As nobody, without any namespace.
mkdir "$work/plain" && chmod 777 "$work/plain" && cd "$work/plain" || exit 2
cat >"$work/plain.sh" <<'END'
. ../begin.sh
switches() { cat /proc/$pid/task/*/status | awk '/^voluntary/ { n += $2 } END { print n }'; }
begin ../../filtered
before=$(switches)
wants 2 "filters of system calls .seccomp., which the kernel shows and suspends for CAP_SYS_ADMIN" \
	../../crimg checkpoint $pid x.crimg
[ "$(switches)" = "$before" ] && [ ! -e x.crimg ] || echo "FAILED: a filtered task was touched"
kill $pid
cd ..
# Killed while it looks at memory through a mapping more: the task is rid of that.
begin ../../heap 1
DIE_COUNT=$PWD/steps LD_PRELOAD=../../die_at.so ../../crimg checkpoint -q --leave-running $pid x.crimg
read -r steps _ <steps
cat /proc/$pid/maps >before
for at in $(seq $((steps * 6 / 10)) 4 "$steps"); do
	(DIE_AT=$at LD_PRELOAD=../../die_at.so exec ../../crimg checkpoint -q --leave-running $pid y.crimg) 2>/dev/null
	for _ in $(seq 100); do
		cat /proc/$pid/maps >after && cmp -s before after && break
		sleep 0.01
	done
	cmp before after || echo "FAILED: killed at step $at of $steps, crimg leaves a mapping: $(diff before after)"
	echo claim
done 2>/dev/null
touch go
wants 0 "" wait $pid
cd ..
begin ../../counter numbers
wants 2 "belongs to another user" ../../crimg checkpoint 1 x.crimg
wants 0 . ../../crimg inspect pid:$pid fds
wants 0 "" ../../crimg checkpoint -q -t criu $pid image
touch go
wants 0 "user and a pid namespace" ../../crimg restart --wait image
END
$nobody bash "$work/plain.sh" >"$work/result" 2>&1
grep -q claim "$work/result" || not_ok "nobody: $(tail -n 3 "$work/result")"
count
finish
