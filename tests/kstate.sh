#!/bin/bash
# "LinuxC/R" images, built from their description by a generator that shares nothing with crimg: what was put
# in is told by every view and after every conversion, and comes back byte for byte; what is wrong is told with
# its place; images made from others follow the description to the letter.
#   kstate.sh CRIMG SAMPLES
crimg=$(realpath "$1") samples=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$work" || exit 2
views="summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc stats objects"
gen() { python3 "$here/kstate_gen.py" "$@"; }
quiet() { "$@" >"$work/out"; }
for name in m-plain m-full m-garbage m-no-tail f-plain f-cred; do
	claim "$name is built" gen "$name" x.img
	claim "$name: [R-1001] [R-1002] [R-1003] what was put in" python3 "$here/kstate_oracle.py" "$crimg" "$name" x.img
	claim "$name: valid" quiet "$crimg" validate x.img
	[ -s out ] && not_ok "$name: valid, and yet: $(head -n 2 out)"
	# shellcheck disable=SC2086
	claim "$name: all views" quiet "$crimg" inspect x.img $views
	claim "$name: a report" "$crimg" report x.img -o x.html
	claim "$name: to a stream" "$crimg" convert x.img x.crimg
	claim "$name: to a directory" "$crimg" convert x.img dir
	claim "$name: to JSON" "$crimg" convert -t json x.img x.json
	claim "$name: from a pipe" sh -c 'cat x.img | "$1" convert - y.crimg' sh "$crimg"
	claim "$name: the same" cmp x.crimg y.crimg
	claim "$name: [R-1007] to itself" "$crimg" convert x.img y.kstate
	claim "$name: the same bytes" cmp x.img y.kstate
	for image in x.crimg dir x.json; do
		claim "$name: what was put in, from $image" python3 "$here/kstate_oracle.py" "$crimg" "$name" $image
		claim "$name: $image is valid" quiet "$crimg" validate $image
		claim "$name: from $image back" "$crimg" convert -t kstate $image y.kstate
		claim "$name: the same bytes, from $image" cmp x.img y.kstate
	done
	rm -rf x.* y.* dir
done
for name in m-full:full f-plain:early; do
	gen "${name%:*}" x.img
	claim "samples/kstate/${name#*:}.kstate is ${name%:*}" cmp x.img "$samples/kstate/${name#*:}.kstate"
done
# Bytes in gaps mean nothing.
gen m-full a.img && gen m-garbage b.img
cmp -s a.img b.img && not_ok "m-full and m-garbage are the same file"
claim "[R-1004] images that differ in gaps alone are the same" quiet "$crimg" diff a.img b.img
gen m-plain b.img
"$crimg" diff a.img b.img >out
if [ $? = 1 ] && grep -q -- '- 20 fifteen-letters' out && grep -q 'RLIMIT_NOFILE' out; then ok; else not_ok "diff: $(head -n 3 out)"; fi
# What is closed is proven, what is not is told.
"$crimg" validate --closed b.img >out
if [ $? = 0 ] && [ ! -s out ]; then ok; else not_ok "--closed: a closed image is not: $(head -n 3 out)"; fi
gen f-plain b.img
"$crimg" validate --closed b.img >out
if [ $? = 0 ] && ! grep -q 'CI-0351' out; then ok; else not_ok "--closed: F, which has no references: $(head -n 3 out)"; fi
while IFS=$'\t' read -r kind name words; do
	gen "$name" x.img
	out=$("$crimg" convert x.img y.crimg 2>&1)
	code=$?
	if [ $code = 2 ] && grep -qF -- "$words" <<<"$out" && [ ! -e y.crimg ]; then ok
	else not_ok "$name: exit $code: $out (wanted: $words)"; fi
	"$crimg" validate x.img >out 2>&1
	code=$?
	if [ "$code" = "$([ "$kind" = damaged ] && echo 1 || echo 2)" ] && grep -qF -- "$words" out; then ok
	else not_ok "$name: validate: exit $code: $(head -n 2 out)"; fi
	[ "$kind" = refused ] || "$crimg" inspect x.img objects 2>/dev/null | grep -q 'kernel_records\|KERNEL_RECORDS' && ok ||
		not_ok "$name: what is readable is not shown"
	rm -f y.crimg
done < <(gen --list)
# Made from other images.
n=0
while read -r image; do
	rm -f y.kstate
	name=${image#"$samples"/}
	out=$("$crimg" convert -t kstate "$image" y.kstate 2>&1)
	code=$?
	if [ $code = 1 ] && grep -q '^pstree.img: kept: .* lost: who is whose parent' <<<"$out" && [ ! -e y.kstate ]; then ok
	else not_ok "$name: losses must be told: exit $code: $(head -n 2 <<<"$out")"; fi
	"$crimg" convert --allow-loss --loss loss -t kstate "$image" y.kstate 2>out || not_ok "$name: $(tail -n 1 out)"
	claim "$name: [R-1008] made by the description" python3 "$here/kstate_made.py" "$crimg" "$image" y.kstate
	claim "$name: valid" quiet "$crimg" validate y.kstate
	"$crimg" convert --allow-loss --loss loss --kstate-version F -t kstate "$image" y.f.kstate 2>out || not_ok "$name: F: $(tail -n 1 out)"
	claim "$name: [R-1009] F, made by the description" python3 "$here/kstate_made.py" --february "$crimg" "$image" y.f.kstate
	grep -q '^pstree.img: lost: there are no processes' loss && ok || not_ok "$name: F: losses must be told: $(head -n 2 loss)"
	claim "$name: F: valid" quiet "$crimg" validate y.f.kstate
	n=$((n + 1))
done < <(ls -d "$samples"/criu/{a-regs,b-threads,c-tree,d-files,e-sockets,g-ns,j-compat32,l-mem} \
	"$samples"/linux-cr/r6-*sleep*.ckpt "$samples"/archives/podman-zstd.tar)
[ "$n" -ge 10 ] || not_ok "$n images were converted, 10 wanted"
fails() { # WORDS COMMAND…
	local words=$1 out code
	shift
	out=$("$@" 2>&1 >/dev/null)
	code=$?
	if [ "$code" = 2 ] && grep -qF "$words" <<<"$out" && [ ! -e z.kstate ]; then ok; else not_ok "$*: exit $code: $out"; fi
}
fails "securebits 0x10: a kernel that writes LinuxC/R images refuses such tasks" \
	"$crimg" convert --allow-loss "$samples/criu/k-limits" z.kstate
fails "one file of an image found, a whole image wanted" "$crimg" convert -t kstate "$samples"/criu/a-regs/core-*.img z.kstate
fails "thread 27736 has no credentials in the image" sh -c '"$1" convert -t core "$2" core >/dev/null 2>&1; "$1" convert \
	--allow-loss core z.kstate' sh "$crimg" "$samples/criu/a-regs"
fails "no living process is in the image" sh -c '"$1" convert --allow-loss -t kstate "$2" z.kstate' sh "$crimg" \
	"$samples/criu-3.17/f-inc/1"
fails "F or M wanted" "$crimg" convert --kstate-version v1 "$samples/criu/a-regs" z.kstate
fails "of a LinuxC/R image; crimg has none" "$crimg" convert --kstate-version M "$samples/criu/a-regs" z.crimg
gen m-full a.img
# One that came from M becomes F when that is asked for; without asking it stays as it was.
claim "M to F" sh -c '"$1" convert --allow-loss --loss loss --kstate-version F a.img y.f.kstate 2>out' sh "$crimg"
[ "$(od -An -tu4 -j88 -N8 y.f.kstate | xargs)" = "1 392" ] && ok ||
	not_ok "M to F: $(od -An -tu4 -j88 -N8 y.f.kstate)"
fails "no process with memory is in the image" "$crimg" convert -t core a.img core2
fails "a directory or archive found, a LinuxC/R image wanted" "$crimg" inspect -f kstate "$samples/criu/a-regs"
finish
