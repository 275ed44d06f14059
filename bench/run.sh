#!/bin/bash
# make bench: speed and memory as ratios against cp and crit, all in one run on this machine.
#   run.sh BUILD [MIB]   MIB: size of the page files (2048)
build=$(realpath "$1") mib=${2:-2048}
here=$(cd "$(dirname "$0")" && pwd)
sample=$here/../samples/criu/a-regs
crimg=$build/crimg measure=$build/bench/measure peer=$build/peer
work=$(mktemp -d "${CRIMG_BENCH_DIR:-/var/tmp}/crimg-bench.XXXXXX")
memory= pid=
trap '[ -n "$pid" ] && kill -9 -- "-$pid" 2>/dev/null; rm -rf "$work" "$memory"' EXIT
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
# How long those in an image stood still, of every turn, for the best of them.
# With a second operand it is put aside: ext4 passes over the inodes of files that were just removed, one by one, and who
# makes thousands of files then is measured by that.
printf '%s\n' "[ -d \"\$1\" ] && \"$crimg\" inspect \"\$1\" stats --json |" \
	"	sed -n 's/.*\"frozen_time\": *\"*\\([0-9]*\\).*/\\1/p' >>\"\$1.frozen\"" \
	"if [ -d \"\$1\" ] && [ -n \"\${2:-}\" ]; then mkdir -p \"\$2\"; mv \"\$1\" \"\$2/\$\$\"; fi; rm -rf \"\$1\"" >note
frozen() { sh ./note "$1"; sort -n "$1.frozen" | head -n 1 | awk '{ printf "frozen %.0f ms", $1 / 1000 }'; rm "$1.frozen"; }
printf '%s\n' 'kill -9 "$1" 2>/dev/null; while [ -e "/proc/$1" ]; do sleep 0.01; done' >end
start() { # COMMAND…: $pid, once it is ready
	setsid "$@" </dev/null >ready 2>&1 &
	pid=$!
	disown
	for _ in $(seq 600); do grep -q ready ready && break; sleep 0.1; done
}
checkpoint=("$crimg" checkpoint -q --leave-running)
taking() { # WHAT COUNT GAP
	echo "taking $1"
	start ./pages "$2" "$3"
	"${checkpoint[@]}" -t criu "$pid" kept
	pages=$(find kept -name 'pages-1.img')
	enter cps 'rm -f p' sh -c "cp $pages p && sync -d p"
	enter take 'sh ./note t' "${checkpoint[@]}" -t criu "$pid" t
	enter takes 'rm -f t.crimg' "${checkpoint[@]}" --compress=none "$pid" t.crimg
	if [ -n "$peer" ]; then
		enter cdump 'sh ./note c; mkdir c' "$peer/criu" dump --leave-running -t "$pid" -D c -o log
		enter csync 'rm -rf c2; mkdir c2' sh -c "$peer/criu dump --leave-running -t $pid -D c2 -o log && sync c2/*"
	fi
	race 5
	row "cp of its pages, and fsync" "$cps" "$cps_mem" "1.00"
	row "checkpoint to a criu directory" "$take" "$take_mem" "$(ratio "$take" "$cps") x cp (target 1.5), $(frozen t)"
	row "checkpoint to a stream" "$takes" "$takes_mem" "$(ratio "$takes" "$cps") x cp"
	run takep takep 'sh ./note after; rm -rf before' 3 "$crimg" checkpoint -q --leave-running --pre-dump before "$pid" after
	row "the same with --pre-dump" "$takep" "$takep_mem" "$(ratio "$takep" "$cps") x cp, $(frozen after)"
	run gcore gcore 'rm -f g.*' 1 gcore -o g "$pid"
	row "gcore" "$gcore" "$gcore_mem" "$(ratio "$gcore" "$take") x the time of checkpoint"
	if [ -n "$peer" ]; then
		row "criu dump, whose bytes are written to disk later" "$cdump" "$cdump_mem" \
			"$(ratio "$cdump" "$take") x the time of checkpoint, $(frozen c)"
		row "criu dump and fsync, as crimg does" "$csync" "$csync_mem" "$(ratio "$csync" "$take") x the time of checkpoint"
	fi
	rm -rf t t.crimg before p c2 g.*
	in_memory
	restarting
}
# The same where no disk is.
in_memory() {
	if [ -z "$peer" ] || [ "$(df -m --output=avail /dev/shm 2>/dev/null | tail -n 1)" -lt 8192 ]; then return; fi
	memory=$(mktemp -d /dev/shm/crimg-bench.XXXXXX)
	enter mcp "rm -rf $memory/p" cp "$pages" "$memory/p"
	enter mtake "rm -rf $memory/t" "${checkpoint[@]}" -t criu "$pid" "$memory/t"
	enter mdump "rm -rf $memory/c; mkdir $memory/c" "$peer/criu" dump --leave-running -t "$pid" -D "$memory/c" -o log
	race 3
	rm -rf "$memory"
	echo "in memory (tmpfs): checkpoint $(ratio "$mtake" "$mcp") x cp, criu dump $(ratio "$mdump" "$mtake") x the time of checkpoint"
}
restarting() {
	rm -rf kept && "$crimg" checkpoint -q -t criu "$pid" kept || exit 1
	enter cat : cat "$pages"
	enter fill : ./fill "$pages"
	enter back "sh ./end $pid" "$crimg" restart kept
	[ -n "$peer" ] && enter cback "sh ./end $pid" "$peer/criu" restore -d -D kept -o log
	race 5
	row "cat of its pages" "$cat" "$cat_mem" ""
	row "cat of its pages into new memory" "$fill" "$fill_mem" "1.00"
	row "restart" "$back" "$back_mem" "$(ratio "$back" "$fill") x that (target 1.5), $(ratio "$back" "$cat") x cat"
	[ -n "$peer" ] && row "criu restore" "$cback" "$cback_mem" "$(ratio "$cback" "$back") x the time of restart"
	sh ./end "$pid"
	pid=
	rm -rf kept
}
cc -O2 -w -o pages "$here/pages.c" && cc -O2 -w -o fill "$here/fill.c" || exit 1
taking "a process of 1 GiB" 262144 0
taking "a process of 500,000 scattered single pages" 500000 1
echo "taking 1,001 processes"
start ./pages 1 0 1000
enter many 'sh ./note t aside' "${checkpoint[@]}" -t criu "$pid" t
[ -n "$peer" ] && enter cmany 'sh ./note c aside; mkdir c' "$peer/criu" dump --leave-running -t "$pid" -D c -o log
race 3
row "checkpoint to a criu directory" "$many" "$many_mem" "$(frozen t)"
[ -n "$peer" ] && row "criu dump" "$cmany" "$cmany_mem" "$(ratio "$cmany" "$many") x the time of checkpoint, $(frozen c)"
kill -9 -- "-$pid"
pid=
rm -rf aside
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
