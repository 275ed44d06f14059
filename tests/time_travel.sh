#!/bin/bash
# Time travel: processes that a 2.6.33 kernel froze run on under this one. Their streams are converted for the
# living criu, which restores them, and crimg restarts them; what they do then is held against what was known.
#   time_travel.sh CRIMG SAMPLES PEER
crimg=$(realpath "$1") samples=$(realpath "$2") peer=$3
[ "$peer" = none ] || peer=$(realpath "$peer")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
give_up() {
	skip "$1: no kernel stream was brought back to life"
	finish
	exit
}
[ "$peer" != none ] && [ -x "$peer/criu" ] || give_up "the peer criu could not be fetched"
[ "$(id -u)" = 0 ] || give_up "criu restore needs root"
unshare --fork --pid --mount-proc true 2>/dev/null || give_up "this machine makes no pid namespaces"
"$peer/criu" check >"$work/check" 2>&1 || give_up "criu cannot work here ($(grep -m 1 Error "$work/check"))"
bounds=0x$(awk '/^CapBnd/ { print $2 }' /proc/self/status)

# The root that the processes know. The program was as long as this, its symbols included, which were cut off.
root=$work/root
mkdir -p "$root"/{t,data,dev,mnt,run}
for role in regs sleep threads tree shm files container selfck; do
	install -m 755 "$samples/linux-cr/root/program" "$root/t/$role"
	truncate -s 115504 "$root/t/$role"
done
install -m 755 "$samples/linux-cr/root/program-ia32" "$root/t/ia32"
printf 'Hello, checkpoint world\n' >"$root/data/hello.txt"
printf abc >"$root/data/append.log"
mkfifo "$root/data/fifo"
: >"$root/data/selfck.ckpt"
mknod -m 666 "$root/dev/null" c 1 3 2>/dev/null && mknod -m 666 "$root/dev/zero" c 1 5 2>/dev/null ||
	give_up "this machine makes no device nodes"

# A task of then has all capabilities; where the machine lacks some even root cannot give them back.
fit_capabilities() {
	local core
	for core in "$1"/core-*.img; do
		"$crimg" convert -t json "$core" "$work/core.json"
		python3 - "$work/core.json" "$bounds" <<'P'
import json, sys
path, bounds = sys.argv[1], int(sys.argv[2], 16)
image = json.load(open(path))
creds = image["entries"][0].get("thread_core", {}).get("creds", {})
for name in ("cap_inh", "cap_prm", "cap_eff", "cap_bnd"):
    if name in creds:
        creds[name] = [word & bounds >> 32 * i & 0xffffffff for i, word in enumerate(creds[name])]
json.dump(image, open(path, "w"))
P
		"$crimg" convert -f json -t criu "$work/core.json" "$core"
	done
}
anew() { # what processes that went on before have changed
	{ printf 'file-shared page 1\0' | dd of="$root/mnt/mapped.dat" bs=4096 seek=1 conv=sync; } 2>/dev/null
	rm -f "$root/mnt/selfck.txt" "$root/run/"*
}
goes_on() { # NAME STREAM
	local images=$work/images apart="unshare --fork --pid --mount-proc --kill-child"
	case $2 in *container*) apart= ;; esac
	anew
	rm -rf "$images"
	claim "$1: to criu" "$crimg" convert --sysroot "$root" "$2" "$images"
	claim "$1: valid" sh -c '"$1" validate "$2" >"$3" || cat "$3"' sh "$crimg" "$images" "$work/found"
	fit_capabilities "$images"
	# shellcheck disable=SC2086
	claim "$1: [R-0813] goes on" $apart setsid -w python3 "$here/time_travel.py" "$peer/criu" "$images" "$root" "$2"
	case $1 in *sockets*) return ;; esac # crimg restarts pairs of them alone
	anew
	# shellcheck disable=SC2086
	claim "$1: [R-0827] crimg restarts it" $apart setsid -w python3 "$here/time_travel.py" "$crimg" - "$root" "$2"
}
n=0
for stream in "$samples"/linux-cr/*.ckpt; do
	name=${stream##*/}
	case $name in *error*) continue ;; esac
	n=$((n + 1))
	case $name in
	*ia32*) setarch i386 true 2>/dev/null && grep -qs . /proc/sys/abi/vsyscall32 || {
		skip "$name: this kernel runs no 32-bit tasks"
		continue
	} ;;
	*xsave*) grep -qw avx /proc/cpuinfo || {
		skip "$name: this processor has no AVX"
		continue
	} ;;
	esac
	goes_on "$name" "$stream"
done
[ "$n" -ge 17 ] || not_ok "$n streams found, 17 wanted"

# A sleeper that has a third of a second left wakes, and sleeps the next time.
for name in r5-sleep r6-sleep; do
	mkdir -p "$work/soon"
	cp "$samples/linux-cr/$name.txt" "$work/soon/"
	python3 - "$crimg" "$samples/linux-cr/$name.ckpt" "$work/soon/$name.ckpt" <<'P'
import json, struct, subprocess, sys
crimg, source, target = sys.argv[1:4]
ask = lambda *args: subprocess.run([crimg, "inspect", *args], stdout=subprocess.PIPE, check=True).stdout
rest = json.loads(ask("--json", source, "regs"))["regs"][0]["threads"][0]["registers"]["rsi"]["value"]
left = ask("--raw", "--at", rest + "+16", source, "mem")
data = open(source, "rb").read()
assert data.count(left) == 1
open(target, "wb").write(data.replace(left, struct.pack("<qq", 0, 333000000)))
P
	goes_on "$name, with a third of a second left" "$work/soon/$name.ckpt"
done
# Sockets, as the headers of then lay them out.
for name in r5-files r6-files; do
	mkdir -p "$work/made"
	cp "$samples/linux-cr/$name.txt" "$work/made/"
	claim "$name, with sockets: made" python3 "$here/linuxcr_sockets.py" make "$samples/linux-cr/$name.ckpt" \
		"$work/made/$name.ckpt" no-ttys
	goes_on "$name, with sockets" "$work/made/$name.ckpt"
done
finish
