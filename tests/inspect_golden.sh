#!/bin/bash
# What `crimg inspect` prints for the samples, against files read by eye and checked against the truth
# that stands beside each sample (samples/criu/NAME.txt) and against crit.
#   inspect_golden.sh CRIMG SAMPLES      UPDATE=1 writes the files anew: read the difference before commit.
crimg=$(realpath "$1")
samples=$(realpath "$2")
golden=$(realpath "$(dirname "$0")")/golden/inspect
. "$(dirname "$0")/lib.sh"
export LC_ALL=C.UTF-8
unset NO_COLOR TMPDIR
cp -r --sparse=never "$samples" "$work/samples" # holes, which git makes of zeros, would show as bytes less
cd "$work/samples" || exit 2

# golden FILE WANTED-CODE ARGUMENT…: standard output, then standard error and the exit code.
golden() {
	local file=$golden/$1 wanted=$2 code
	shift 2
	# The summary shows the date of this file: it must be the same everywhere.
	find "$work" -name inventory.img -exec touch -h -d 2026-01-02T03:04:05Z {} +
	"$crimg" inspect "$@" >"$work/out" 2>"$work/err"
	code=$?
	{ cat "$work/out"; [ -s "$work/err" ] && sed 's/^/stderr: /' "$work/err"; } >"$work/found"
	if [ -n "${UPDATE:-}" ]; then
		mkdir -p "$(dirname "$file")"
		cp "$work/found" "$file"
	fi
	if [ "$code" != "$wanted" ]; then
		not_ok "inspect $*: exit $code, wanted $wanted: $(cat "$work/err")"
	elif ! diff "$file" "$work/found" >"$work/diff" 2>&1; then
		not_ok "inspect $*: $(head -n 12 "$work/diff")"
	else
		ok
	fi
}
both() { # NAME IMAGE VIEW…: as text and as JSON
	local name=$1 image=$2 view
	shift 2
	for view in "$@"; do
		golden "$name.$view.txt" 0 --width 100 --color=never "$image" "$view"
		golden "$name.$view.json" 0 --json "$image" "$view"
	done
}
most="summary tree fds files sockets maps signals timers creds"
both a-regs criu/a-regs summary objects
both b-threads criu/b-threads $most
both c-tree criu/c-tree $most stats
both d-files criu/d-files $most
both e-sockets criu/e-sockets summary sockets files
both e-tcp criu/e-tcp summary sockets
both g-ns criu/g-ns summary tree maps namespaces mounts ipc
both k-limits criu/k-limits summary timers creds
both l-mem criu/l-mem summary maps
both f-inc-1 criu-3.17/f-inc/1 summary tree stats
both f-inc-3 criu-3.17/f-inc/3 summary maps
both podman archives/podman-zstd.tar summary tree namespaces mounts cgroups container stats
both core64 cores/kernel64.core summary tree maps files
both core32 cores/kernel32.core summary maps
both gcore32 cores/gcore32.core summary maps
both kstate kstate/full.kstate summary tree fds files namespaces
both early criu-early summary tree fds maps
both early-2012 criu-early-2012 summary tree fds maps
golden kstate.untold.txt 0 --width 100 --color=never kstate/full.kstate maps regs signals mounts
golden kstate-f.txt 0 --width 100 --color=never kstate/early.kstate summary tree
golden f-inc-1.tasks.txt 0 --width 100 --color=never criu-3.17/f-inc/1 regs maps fds signals
golden c-tree.pid.txt 0 --width 100 --color=never criu/c-tree tree fds maps -p 9653
golden b-threads.tid.txt 0 --width 100 --color=never -t 10371 criu/b-threads tree signals creds
golden b-threads.all.txt 0 --width 100 --color=never --all criu/b-threads tree
golden d-files.color.txt 0 --width 72 --color=always criu/d-files summary
golden c-tree.core.txt 0 --color=never criu/c-tree/core-9657.img objects
golden c-tree.single.txt 0 --color=never criu/c-tree/core-9652.img summary
golden help.txt 0 --help

# What engines leave beside a checkpoint, and CRIU's log, as far as the public descriptions tell.
engine() { # NAME CONFIG SPEC
	rm -rf "$work/$1"
	mkdir "$work/$1" && cp -r "$samples/criu/a-regs" "$work/$1/checkpoint"
	printf '%s' "$2" >"$work/$1/config.dump"
	printf '%s' "$3" >"$work/$1/spec.dump"
	printf '%s\n' '(00.000000) Version: 4.1.1 (gitid 0)' \
		'(00.000013) Running on node-7 Linux 6.1.0-9-amd64 #1 SMP x86_64' \
		>"$work/$1/checkpoint/dump.log"
	cd "$work" && golden "$1.summary.txt" 0 --width 100 "$1" summary container
	golden "$1.summary.json" 0 --json "$1" summary
	cd "$samples" || exit 2
}
engine crio '{"id":"abc","name":"web","rootfsImage":"sha256:1","rootfsImageName":"quay.io/x/web:1",
"runtime":"runc","createdTime":"2025-01-02T03:04:05.6+01:00","checkpointedTime":"2025-01-02T04:05:06Z"}' \
	'{"annotations":{"io.container.manager":"cri-o","io.kubernetes.pod.name":"web-0",
"io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"u-1"},"process":{"args":["/web","-p 80"]}}'
engine containerd '{"id":"def","rootfsImageName":"docker.io/library/busybox:1","restored":false}' \
	'{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":
"side","io.kubernetes.cri.sandbox-name":"job-9","io.kubernetes.cri.sandbox-namespace":"batch"}}'
engine odd '{"id":7,"name":["x"],"rootfsImageName":"\u001b[2Jevil"}' '[]'

# Trouble: what is readable, one line, 2.
golden no-view.txt 2 criu/c-tree nothing
golden no-pid.txt 2 -p 1 criu/c-tree
golden no-image.txt 2
cp -r criu/c-tree "$work/img" && chmod -R u+w "$work/img"
cd "$work" || exit 2
truncate -s 4096 img/pages-3.img
golden cut-pages.txt 2 --width 100 img
rm img/core-9654.img
golden no-core.txt 2 --width 100 img summary tree
printf 'x' >>img/ids-9653.img # a tail that CRIU ignores
cp "$samples/criu/c-tree/core-9654.img" "$samples/criu/c-tree/pages-3.img" img/
golden tail.txt 0 --width 100 img objects -p 9653

# The same answers from a stream as from the directory, and from a pipe.
if "$crimg" convert "$samples/criu/c-tree" c-tree.crimg 2>/dev/null; then
	for view in tree fds files maps signals creds; do
		"$crimg" inspect "$samples/criu/c-tree" $view >a.txt
		"$crimg" inspect c-tree.crimg $view >b.txt
		cmp -s a.txt b.txt && ok || not_ok "$view of the stream: $(diff a.txt b.txt | head -n 5)"
	done
	"$crimg" inspect "$samples/criu/c-tree" fds >a.txt
	"$crimg" inspect - fds <c-tree.crimg >b.txt
	cmp -s a.txt b.txt && ok || not_ok "fds of a pipe: $(diff a.txt b.txt | head -n 5)"
	cat "$samples/archives/podman-zstd.tar" | "$crimg" inspect - container >b.txt
	"$crimg" inspect "$samples/archives/podman-zstd.tar" container >a.txt
	cmp -s a.txt b.txt && ok || not_ok "container of a piped archive"
else
	skip "no convert in this build: streams are not compared"
fi
finish
