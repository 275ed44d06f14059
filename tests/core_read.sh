#!/bin/bash
# ELF cores that the kernel and gcore make here and now, held against /proc, gdb, eu-readelf and an oracle
# that reads cores without crimg; cores that are cut; hostile ones.
#   core_read.sh CRIMG PEER
crimg=$(realpath "$1") peer=$2
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
oracle() { python3 "$here/core_read_oracle.py" "$@" 2>&1; }
program() { # NAME FLAG…: compiles samples/programs/NAME.c to $work/NAME
	local name=$1
	shift
	cc -w -g -O1 "$@" -o "$work/$name" "$here/../samples/programs/$name.c" 2>"$work/cc"
}
nolibc="-m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector"
program crasher -pthread || not_ok "crasher.c: $(head -n 2 "$work/cc")"
# shellcheck disable=SC2086
program crasher32 $nolibc || skip "32-bit programs cannot be made here: $(head -n 1 "$work/cc")"

# Every claim that holds for any core.
check() { # TEXT CORE PROGRAM
	local text=$1 core=$2 dir=$work/dir
	claim "$text: [R-0602] [R-0603] notes and registers" oracle notes "$crimg" "$core"
	claim "$text: to a stream" "$crimg" convert -f core "$core" "$work/x.crimg"
	claim "$text: to a directory" "$crimg" convert "$work/x.crimg" "$dir"
	claim "$text: [R-0605] [R-0606] memory" oracle memory "$core" "$dir"
	local views="summary tree fds files sockets maps signals timers creds namespaces mounts cgroups ipc container
		stats objects"
	# shellcheck disable=SC2086
	claim "$text: all views" sh -c 'out=$1 && shift && "$@" >"$out"' sh "$work/out" "$crimg" inspect "$core" $views
	# shellcheck disable=SC2086
	claim "$text: all views as JSON" sh -c 'out=$1 && shift && "$@" | python3 -m json.tool >"$out"' sh \
		"$work/out" "$crimg" inspect --json "$core" $views
	"$crimg" inspect "$core" tree maps signals >"$work/a"
	"$crimg" inspect "$work/x.crimg" tree maps signals >"$work/b"
	claim "$text: the stream says the same" cmp "$work/a" "$work/b"
	if command -v gdb >/dev/null; then
		claim "$text: registers as gdb shows them" sh -c 'python3 "$@" 2>/dev/null' sh \
			"$here/core_read_oracle.py" gdb "$crimg" "$core" "$3"
	else
		skip "$text: gdb is not here"
	fi
	if command -v eu-readelf >/dev/null; then
		claim "$text: notes as eu-readelf shows them" oracle eu "$crimg" "$core"
	else
		skip "$text: eu-readelf is not here"
	fi
	if [ "$peer" != none ] && [ -x "$peer/crit" ]; then
		for file in inventory pstree files; do
			[ -e "$dir/$file.img" ] && claim "$text: crit shows $file.img" \
				sh -c '"$1" show "$2" >/dev/null' sh "$peer/crit" "$dir/$file.img"
		done
		for file in "$dir"/core-*.img "$dir"/mm-*.img "$dir"/pagemap-*.img; do
			claim "$text: crit shows ${file##*/}" sh -c '"$1" show "$2" >/dev/null' sh "$peer/crit" "$file"
		done
	else
		skip "$text: the peer crit could not be fetched"
	fi
	rm -rf "$dir" "$work/x.crimg"
}
# Pages that are not zero; from a pipe zeros may come back as memory that nobody touched.
pages() { python3 "$here/chain_oracle.py" "$1" | grep -v 1ceaf73df40e531df3bfb26b4fb7cd95fb7bff1d; }
pipe() { # TEXT CORE
	claim "$1 from a pipe" sh -c 'cat "$2" | "$1" convert - "$3"' sh "$crimg" "$2" "$work/piped"
	claim "$1 from a file" "$crimg" convert "$2" "$work/filed"
	claim "[R-0610] $1 from a pipe is the same" diff -r -x 'pagemap-*' -x 'pages-*' "$work/filed" "$work/piped"
	claim "[R-0610] $1 from a pipe has the same memory" diff <(pages "$work/filed") <(pages "$work/piped")
	for view in tree maps objects; do
		claim "$1 from a pipe: $view" sh -c 'cat "$2" | "$1" inspect - "$3" >"$4"' sh "$crimg" "$2" $view "$work/out"
	done
	rm -rf "$work/piped" "$work/filed"
}

# --- made by the kernel
pattern=$(cat /proc/sys/kernel/core_pattern)
case $pattern in
*/* | '|'*)
	skip "LOUDLY: the kernel here gives cores to \"$pattern\" and not to a file: none of its own was tested"
	;;
*)
	crash() { # NAME HOW: leaves $work/kernel-NAME/core
		mkdir "$work/kernel-$1"
		(cd "$work/kernel-$1" && ulimit -c unlimited && exec "$work/$1" maps "$2") >/dev/null 2>&1 &
		wait $! 2>/dev/null
		mv "$work/kernel-$1"/core* "$work/kernel-$1/core" 2>/dev/null
		[ -s "$work/kernel-$1/core" ]
	}
	for name in crasher crasher32; do
		[ -x "$work/$name" ] || continue
		how=$([ $name = crasher ] && echo huge || echo abort)
		if ! crash $name "$how"; then
			skip "LOUDLY: the kernel here made no core of $name"
			continue
		fi
		core=$work/kernel-$name/core
		check "kernel's $name" "$core" "$work/$name"
		claim "kernel's $name: [R-0604] maps" oracle maps "$crimg" "$core" "$work/kernel-$name/maps"
		"$crimg" inspect "$core" tree | grep -qF "$work/$name maps $how" && ok ||
			not_ok "kernel's $name: the arguments: $("$crimg" inspect "$core" tree)"
	done
	[ -e "$work/kernel-crasher32/core" ] && pipe "kernel's crasher32" "$work/kernel-crasher32/core"
	# 1 TiB of address space, most of it never touched: read and moved in no time.
	if [ -e "$work/kernel-crasher/core" ]; then
		claim "[R-0607] a sparse core of 1 TiB" timeout 10 "$crimg" convert "$work/kernel-crasher/core" "$work/sparse"
		[ "$(du -sk "$work/sparse" | cut -f 1)" -lt 4096 ] && ok ||
			not_ok "a sparse core became $(du -sh "$work/sparse")"
	fi
	;;
esac

# --- made by gdb
if command -v gcore >/dev/null; then
	for name in crasher crasher32; do
		[ -x "$work/$name" ] || continue
		dir=$work/gcore-$name
		mkdir "$dir"
		"$work/$name" "$dir/maps" wait >"$dir/out" &
		pid=$!
		for _ in $(seq 100); do
			grep -q ready "$dir/out" && break
			sleep 0.1
		done
		cp "/proc/$pid/stat" "$dir/stat"
		gcore -o "$dir/core" $pid >/dev/null 2>&1
		kill -KILL $pid
		wait $pid 2>/dev/null
		core=$dir/core.$pid
		if [ ! -s "$core" ]; then
			skip "gcore made no core of $name here"
			continue
		fi
		check "gcore's $name" "$core" "$work/$name"
		pipe "gcore's $name" "$core"
		claim "gcore's $name: maps" oracle maps "$crimg" "$core" "$dir/maps" gdb
		claim "gcore's $name: [R-0608] the stack's texts" oracle stat "$crimg" "$core" "$dir/stat"
	done
else
	skip "gcore is not here (package gdb)"
fi

# --- cut and hostile
# ends CODE TEXT COMMAND…: with 0 without a word; with 2 and one line that holds TEXT; CODE "-": either.
ends() {
	local wanted=$1 text=$2 code lines
	shift 2
	timeout 20 "$@" >"$work/out" 2>"$work/err"
	code=$?
	lines=$(wc -l <"$work/err")
	if [ "$wanted" != - ] && [ "$code" != "$wanted" ]; then
		not_ok "$*: exit $code, wanted $wanted: $(head -n 2 "$work/err")"
	elif [ "$code" = 0 ] && [ "$lines" = 0 ]; then ok
	elif [ "$code" = 2 ] && [ "$lines" = 1 ] && grep -qF -- "$text" "$work/err"; then ok
	else not_ok "$*: exit $code, $(head -n 2 "$work/err") (wanted: $text)"; fi
}
python3 "$here/core_make.py" hostile "$work/hostile" || not_ok "no hostile cores were made"
while read -r name code text; do
	file=$work/hostile/$name.core
	ends "$code" "$text" "$crimg" inspect "$file" summary tree
	ends "$code" "$text" "$crimg" convert "$file" "$work/target.crimg"
	[ "$code" = 2 ] && [ -e "$work/target.crimg" ] && not_ok "$name left an output"
	rm -f "$work/target.crimg"
	[ "$(stat -c %s "$file")" -lt 1000000 ] && ends "$code" "$text" "$crimg" inspect "$file" maps objects
done <"$work/hostile/list"
ends 2 "a program or shared library found, a core of" "$crimg" inspect "$(type -P true)"
# What is there of a cut core is shown all the same. [R-0609]
"$crimg" inspect "$work/hostile/cut-memory.core" tree maps >"$work/out" 2>/dev/null
grep -q victim "$work/out" && grep -q '/opt/victim +0x1000' "$work/out" && ok ||
	not_ok "a cut core: $(head -n 3 "$work/out")"
RANDOM=20240502
cuts=0
for core in "$work"/kernel-*/core "$work"/gcore-*/core.*; do
	[ -s "$core" ] || continue
	size=$(stat -c %s "$core")
	cp --sparse=always "$core" "$work/cut"
	for at in $(for _ in $(seq 50); do echo $(((RANDOM * 32768 + RANDOM) * (size >> 15) / 32768)); done | sort -rn); do
		# Half of them near the headers and notes.
		[ $((cuts++ % 2)) = 0 ] || at=$((at % 40000))
		cp --sparse=always "$core" "$work/cut" && truncate -s "$at" "$work/cut"
		ends - "$work/cut" "$crimg" inspect "$work/cut" summary tree maps
	done
done
[ "$cuts" -ge 200 ] || skip "only $cuts cut cores were read"
finish
