#!/bin/bash
# make check-vm: Debian's own kernel 6.1 with Debian's criu 3.17, in a virtual machine without network or
# KVM. Takes images that criu 3.17 wrote there, moves them with crimg, and lets criu 3.17 restore them:
# soft-dirty increments, merged chains, and images that came back from a stream.
#   vm.sh CRIMG SAMPLES
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
need="qemu-system-x86 linux-image-amd64 busybox-static criu cpio kmod"
for p in $need; do
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed && continue
	echo "installing $need"
	apt-get install -y --no-install-recommends $need >/dev/null 2>&1 ||
		{ apt-get update -q && apt-get install -y --no-install-recommends $need; } >/dev/null || {
		skip "packages of the virtual machine cannot be installed"
		finish
		exit
	}
	break
done
kernel=$(find /boot -name 'vmlinuz-*-amd64' | sort -V | tail -n 1)
version=${kernel#/boot/vmlinuz-}
root=$work/root
mkdir -p "$root"/{bin,sbin,proc,sys,dev,tmp,run,out,etc,lib64,job,mods}
cp /bin/busybox "$root/bin/busybox"
with_libraries() { # copies a program and the libraries it names
	local file
	mkdir -p "$root$(dirname "$1")"
	cp -L "$1" "$root$1"
	for file in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$root$file" ] && continue
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}
with_libraries /usr/sbin/criu
with_libraries "$crimg"
cp "$crimg" "$root/job/crimg" # the machine has a /tmp of its own
cc -O1 -w -static -o "$root/job/counter" "$here/../samples/programs/counter.c" || exit 2
for m in virtio_pci virtio_blk inet_diag unix_diag netlink_diag af_packet_diag udp_diag tcp_diag raw_diag nf_tables; do
	/sbin/modprobe -S "$version" --show-depends "$m" 2>/dev/null
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/modules"
n=0
while read -r file; do
	n=$((n + 1))
	cp "$file" "$root/mods/$(printf %03d $n)-$(basename "$file")"
done <"$work/modules"
cat >"$root/init" <<I
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /sys/fs/cgroup
mount -t devpts devpts /dev/pts; mount -t tmpfs tmp /tmp; mount -t cgroup2 cg /sys/fs/cgroup
for m in /mods/*; do insmod \$m 2>/dev/null; done
ip link set lo up
cd /job
CRIMG=/job/crimg sh ./job.sh >/out/log 2>&1
cd /out; tar cf /dev/vda .; sync; poweroff -f
I
chmod +x "$root/init"
cat >"$root/job/job.sh" <<'J'
# Each case prints "PASS name" or "FAIL name".
say() { if [ "$2" = 0 ]; then echo "PASS $1"; else echo "FAIL $1"; fi; }
start() { setsid ./counter </dev/null >/tmp/count 2>&1 & sleep 1; pid=$(pidof counter); }
runs() { # it counts on
	a=$(tail -n 1 /tmp/count); sleep 1; b=$(tail -n 1 /tmp/count)
	[ -n "$b" ] && [ "$a" != "$b" ]; }
keep() { cp /tmp/count /tmp/kept; } # criu wants files as long as they were
restore() { cat /tmp/kept >/tmp/count; criu restore -d -D "$1" && runs; }
stop() { kill -9 $(pidof counter) 2>/dev/null; sleep 0.3; }
start
mkdir -p /tmp/1 /tmp/2 /tmp/3
criu pre-dump -t $pid -D /tmp/1 --track-mem && sleep 0.5
criu pre-dump -t $pid -D /tmp/2 --track-mem --prev-images-dir ../1 && sleep 0.5
criu dump -t $pid -D /tmp/3 --track-mem --prev-images-dir ../2
say "three layers dumped" $?
keep
$CRIMG convert --merge-parents /tmp/3 /tmp/merged; say "layers merged" $?
restore /tmp/merged; say "criu 3.17 restores the merged chain" $?
stop
for l in 1 2 3; do $CRIMG convert /tmp/$l /tmp/$l.crimg; done
mkdir /tmp/back; for l in 1 2 3; do $CRIMG convert /tmp/$l.crimg /tmp/back/$l; done
restore /tmp/back/3; say "criu 3.17 restores layers that went through streams" $?
stop
start
mkdir /tmp/4; criu dump -t $pid -D /tmp/4
keep
$CRIMG convert --compress=zstd /tmp/4 /tmp/4.tar.zst && $CRIMG convert /tmp/4.tar.zst /tmp/5
restore /tmp/5; say "criu 3.17 restores what was in an archive" $?
stop
# As 4.2 writes page counts, and back for 3.17.
$CRIMG convert --compress=lz4 /tmp/4 /tmp/6 && $CRIMG convert --criu-version 3.17 --allow-loss /tmp/6 /tmp/7
restore /tmp/7; say "criu 3.17 restores wide counts and LZ4 blocks after --criu-version 3.17" $?
stop
echo DONE
J
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
truncate -s 64M "$work/out.img"
timeout 300 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -kernel "$kernel" \
	-initrd "$work/initrd" -drive "file=$work/out.img,if=virtio,format=raw,cache=unsafe" \
	-append "console=ttyS0 panic=-1 loglevel=3" -nographic -no-reboot -net none </dev/null >"$work/console" 2>&1
mkdir "$work/out" && tar xf "$work/out.img" -C "$work/out" 2>/dev/null
while read -r verdict name; do
	case $verdict in
	PASS) ok && echo "$name" ;;
	FAIL) not_ok "$name" ;;
	esac
done < <(grep -E '^(PASS|FAIL) ' "$work/out/log" 2>/dev/null)
[ "$failed" = 0 ] || cat "$work/out/log"
grep -qx DONE "$work/out/log" 2>/dev/null || not_ok "the machine did not finish: $(tail -n 5 "$work/out/log" "$work/console" 2>/dev/null)"
finish
