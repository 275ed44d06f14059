#!/bin/bash
# make bench: speed and memory as ratios against cp and crit, all in one run on this machine.
#   run.sh BUILD [MIB]   MIB: size of the page files (2048)
build=$(realpath "$1") mib=${2:-2048}
here=$(cd "$(dirname "$0")" && pwd)
sample=$here/../samples/criu/a-regs
crimg=$build/crimg measure=$build/bench/measure peer=$build/peer
work=$(mktemp -d "${CRIMG_BENCH_DIR:-/var/tmp}/crimg-bench.XXXXXX")
memory=
trap 'rm -rf "$work" "$memory"' EXIT
cd "$work" || exit 2
"$here/../tests/peer/peer.sh" "$peer" || peer=
row() { printf '%-52s %9.3f s %8d KiB   %s\n' "$@"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
run() { # NAME VARIABLE PREPARE RUNS COMMAND…
	local name=$1 var=$2 prepare=$3 runs=$4 out
	shift 4
	out=$("$measure" -p "$prepare" "$runs" "$@" 2>err) || {
		echo "$name failed: $(head -n 1 err)" >&2
		exit 1
	}
	read -r t c m <<<"$out"
	eval "$var=$t ${var}_mem=$m"
}
# Those whose ratio counts take turns, so that what else the machine does meets all of them; the best of each.
racers=()
declare -A prepare command
enter() { # VARIABLE PREPARE COMMAND…
	racers+=("$1")
	prepare[$1]=$2
	command[$1]=$(printf '%q ' "${@:3}")
}
race() { # ROUNDS
	local round name best turn turn_mem
	for round in $(seq "$1"); do
		for name in "${racers[@]}"; do
			eval "set -- ${command[$name]}"
			run "$name" turn "${prepare[$name]}" 1 "$@"
			[ "$round" = 1 ] && eval "$name=$turn ${name}_mem=$turn_mem"
			best=${!name}
			eval "$name=$(awk -v a="$best" -v b="$turn" 'BEGIN { print a < b ? a : b }')"
		done
	done
	racers=()
}
big=$here/big_image.py
"$big" "$sample" big "$mib" --zero 20
"$big" "$sample" scattered "$((mib / 4))" --run 1 --zero 20
"$big" "$sample" sparse4g 4096 --run 1048576 --sparse
"$big" "$sample" sparse4m 4 --run 1048576 --sparse
"$big" "$sample" map 782 --run 1 --sparse
cp -r big warm && rm -rf warm
echo "moving $mib MiB of pages"
"$crimg" convert big made.crimg
enter cp 'rm -rf out' cp -r big out
enter to 'rm -f x.crimg' "$crimg" convert big x.crimg
enter back 'rm -rf out' "$crimg" convert made.crimg out
enter core 'rm -f x.core' "$crimg" convert big x.core
race 7
row "cp -r" "$cp" "$cp_mem" "1.00"
row "criu directory -> stream" "$to" "$to_mem" "$(ratio "$to" "$cp") x cp (target 1.3)"
row "stream -> criu directory" "$back" "$back_mem" "$(ratio "$back" "$cp") x cp (target 1.3)"
rm -rf out && "$crimg" convert x.crimg out
cmp big/pages-1.img out/pages-1.img || exit 1
run sync sync 'rm -rf out' 3 sh -c 'cp -r big out && sync -d out/pages-1.img'
row "cp -r and fsync, as crimg does" "$sync" "$sync_mem" ""
run zstd zstd 'rm -f z.crimg' 1 "$crimg" convert --compress=zstd big z.crimg
row "criu directory -> stream, zstd" "$zstd" "$zstd_mem" "$(ratio "$zstd" "$cp") x cp"
run tar tar 'rm -f x.tar' 2 "$crimg" convert big x.tar
row "criu directory -> tar" "$tar" "$tar_mem" "$(ratio "$tar" "$cp") x cp"
run sc sc 'rm -f s.crimg' 2 "$crimg" convert scattered s.crimg
row "$((mib * 64)) scattered single pages -> stream" "$sc" "$sc_mem" ""
row "criu directory -> ELF core" "$core" "$core_mem" \
	"$(ratio "$core" "$cp") x cp (target 1.3), $(ratio "$core" "$sync") x cp and fsync"
"$here/big_stream.py" "$here/../samples/linux-cr/r5-regs.ckpt" big.ckpt "$mib"
enter kcp 'rm -f y.ckpt' cp big.ckpt y.ckpt
enter kdir 'rm -rf out' "$crimg" convert big.ckpt out
race 5
row "cp of a kernel stream" "$kcp" "$kcp_mem" ""
run ksync ksync 'rm -f y.ckpt' 3 sh -c 'cp big.ckpt y.ckpt && sync -d y.ckpt'
row "kernel stream -> criu directory" "$kdir" "$kdir_mem" \
	"$(ratio "$kdir" "$kcp") x cp (target 1.3), $(ratio "$kdir" "$ksync") x cp and fsync"
# The same where no disk is: cp leaves its bytes to be written later, crimg waits until they are (fsync).
if [ "$(df -m --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt $((mib * 6)) ]; then
	memory=$(mktemp -d /dev/shm/crimg-bench.XXXXXX)
	cp -r big big.ckpt made.crimg "$memory"
	enter mcp "rm -rf $memory/out" cp -r "$memory/big" "$memory/out"
	enter mto "rm -f $memory/x" "$crimg" convert -t crimg "$memory/big" "$memory/x"
	enter mback "rm -rf $memory/out" "$crimg" convert "$memory/made.crimg" "$memory/out"
	enter mcore "rm -f $memory/x" "$crimg" convert -t core "$memory/big" "$memory/x"
	enter mkcp "rm -rf $memory/out" cp "$memory/big.ckpt" "$memory/out"
	enter mkdir "rm -rf $memory/out" "$crimg" convert "$memory/big.ckpt" "$memory/out"
	race 5
	rm -rf "$memory"
	echo "in memory (tmpfs), as ratios to cp: to a stream $(ratio "$mto" "$mcp"), back $(ratio "$mback" "$mcp")," \
		"to a core $(ratio "$mcore" "$mcp"), kernel stream to a criu directory $(ratio "$mkdir" "$mkcp") (target 1.3)"
fi
rm -rf big.ckpt y.ckpt out
peak=$to_mem
for m in $back_mem $zstd_mem $tar_mem $core_mem $kdir_mem; do [ "$m" -gt "$peak" ] && peak=$m; done
echo "peak memory of these conversions: $((peak / 1024)) MiB (target 64)"
echo
echo "looking"
run s4g s4g : 5 "$crimg" inspect sparse4g
run s4m s4m : 5 "$crimg" inspect sparse4m
row "inspect, 4 GiB of pages" "$s4g" "$s4g_mem" "$(ratio "$s4g" "$s4m") x the same with 4 MiB"
if [ -n "$peer" ]; then
	run ps ps : 3 "$peer/crit" x "$sample" ps
	run tree tree : 5 "$crimg" inspect "$sample" tree
	row "crit x DIR ps" "$ps" "$ps_mem" ""
	row "inspect tree" "$tree" "$tree_mem" "$(ratio "$ps" "$tree") x faster (target 50)"
	map=$(ls "$work"/map/pagemap-*.img)
	run crit crit : 1 "$peer/crit" decode -i "$map" -o crit.json
	run json json : 3 "$crimg" convert -t json "$map" ours.json
	cmp crit.json ours.json || exit 1
	row "crit decode, 200,192 page map entries" "$crit" "$crit_mem" ""
	row "convert -t json, the same bytes" "$json" "$json_mem" \
		"$(ratio "$crit" "$json") x faster (target 50), 1/$(ratio "$crit_mem" "$json_mem") of its memory (target 1/10)"
fi
echo
echo "looking inside: a process of 8 threads and 1 GiB, its core made by gcore"
cc -O1 -g -w -pthread -o threads8 "$here/../samples/programs/threads8.c"
setsid ./threads8 1024 </dev/null >ready 2>&1 &
pid=$!
for _ in $(seq 100); do [ -s ready ] && break; sleep 0.1; done
run gcore gcore 'rm -f g.*' 1 gcore -o g "$pid"
row "gcore" "$gcore" "$gcore_mem" ""
g=g.$pid
run back2 back2 'rm -f y.core' 3 "$crimg" convert "$g" y.core
row "core -> core" "$back2" "$back2_mem" "$(ratio "$gcore" "$back2") x faster than gcore"
run gregs gregs : 3 gdb -nx -batch -ex 'thread apply all info registers' ./threads8 "$g"
run regs regs : 5 "$crimg" inspect "$g" regs --sysroot /
row "gdb, registers of all threads" "$gregs" "$gregs_mem" ""
row "inspect regs" "$regs" "$regs_mem" "$(ratio "$gregs" "$regs") x faster (target 10)"
run gbt gbt : 3 gdb -nx -batch -ex 'thread apply all bt' ./threads8 "$g"
run stack stack : 5 "$crimg" inspect "$g" stack --sysroot /
row "gdb, backtraces of all threads" "$gbt" "$gbt_mem" ""
row "inspect stack" "$stack" "$stack_mem" "$(ratio "$gbt" "$stack") x faster (target 10)"
kill "$pid"
echo
frozen() { "$crimg" inspect "$1" stats | sed -n 's/^ *frozen_time *//p'; }
taking() { # WHAT COUNT GAP
	echo "taking $1"
	setsid ./pages "$2" "$3" </dev/null >ready 2>&1 &
	pid=$!
	for _ in $(seq 600); do grep -q ready ready && break; sleep 0.1; done
	run take take 'rm -rf t' 3 "$crimg" checkpoint -q --leave-running -t criu "$pid" t
	run takes takes 'rm -f t.crimg' 3 "$crimg" checkpoint -q --leave-running --compress=none "$pid" t.crimg
	pages=$(find t -name 'pages-1.img')
	run cps cps 'rm -f p' 3 sh -c "cp $pages p && sync -d p"
	row "cp of its pages, and fsync" "$cps" "$cps_mem" "1.00"
	row "checkpoint to a criu directory" "$take" "$take_mem" "$(ratio "$take" "$cps") x cp (target 1.5), frozen $(frozen t)"
	row "checkpoint to a stream" "$takes" "$takes_mem" "$(ratio "$takes" "$cps") x cp"
	run takep takep 'rm -rf before after' 3 "$crimg" checkpoint -q --leave-running --pre-dump before "$pid" after
	row "the same with --pre-dump" "$takep" "$takep_mem" "$(ratio "$takep" "$cps") x cp, frozen $(frozen after)"
	run gcore gcore 'rm -f g.*' 1 gcore -o g "$pid"
	row "gcore" "$gcore" "$gcore_mem" "$(ratio "$gcore" "$take") x the time of checkpoint"
	if [ -n "$peer" ]; then
		run cdump cdump 'rm -rf c; mkdir c' 3 "$peer/criu" dump --leave-running -t "$pid" -D c -o log
		row "criu dump" "$cdump" "$cdump_mem" "$(ratio "$cdump" "$take") x the time of checkpoint, frozen $(frozen c)"
	fi
	kill "$pid"
	rm -rf t t.crimg before after p c g.*
}
cc -O2 -w -o pages "$here/pages.c"
taking "a process of 1 GiB" 262144 0
taking "a process of 500,000 scattered single pages" 500000 1
echo
echo "validating 1,000 tasks with 200,000 mappings"
"$here/many_tasks.py" "$crimg" "$sample" many 1000 200
run valid valid : 9 "$crimg" validate many
row "validate" "$valid" "$valid_mem" "$(awk -v t="$valid" -v n=206000 'BEGIN { printf "%.2f s a million records (target 1)", t * 1e6 / n }')"
echo
echo "comparing images of $((mib / 2)) MiB of pages"
"$big" "$sample" half "$((mib / 2))" --zero 20
cp -r half copy
"$crimg" convert half half.crimg && "$crimg" convert copy copy.crimg
enter cmp : cmp half/pages-1.img copy/pages-1.img
enter diff : "$crimg" diff half copy
race 9
row "cmp, the page files" "$cmp" "$cmp_mem" "1.00"
row "diff" "$diff" "$diff_mem" "$(ratio "$diff" "$cmp") x cmp (target 1.2)"
run digest digest : 15 "$crimg" diff half.crimg copy.crimg
row "diff of two streams, by digests" "$digest" "$digest_mem" "$(ratio "$cmp" "$digest") x faster than cmp (target 50)"
rm copy/pages-1.img && ln half/pages-1.img copy/
run linked linked : 5 "$crimg" diff half copy
row "diff, one page file twice" "$linked" "$linked_mem" "$(ratio "$cmp" "$linked") x faster than cmp"
"$big" "$sample" quarter "$((mib / 8))" --zero 20
cp -r quarter copy4
run small small : 3 "$crimg" diff quarter copy4
row "diff of a quarter of that" "$small" "$small_mem" "$(ratio "$diff_mem" "$small_mem") x its memory for 4 x its pages"
