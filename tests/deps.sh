#!/bin/sh
# Installs the Debian packages that crimg is built and tested with, saying which and why.
#   deps.sh          install what is missing
#   deps.sh --check  only tell; exit 1 when something is missing
set -eu
build="build-essential pkg-config libarchive-dev libjansson-dev libprotobuf-c-dev protobuf-c-compiler
 libzstd-dev libxxhash-dev libelf-dev libdw-dev libcapstone-dev liblz4-dev"
tests="libcunit1-dev criu python3 python3-protobuf python3-xxhash python3-zstandard zstd xz-utils bzip2
 clang libclang-rt-14-dev gdb elfutils xfsprogs chromium chromium-driver fonts-dejavu-core"
missing() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}
# shellcheck disable=SC2086
want=$(missing $build $tests | tr '\n' ' ')
[ -n "$want" ] || exit 0
if [ "${1-}" = --check ]; then
	echo "missing Debian packages: $want(make deps installs them)" >&2
	exit 1
fi
echo "installing with apt-get, to build and to test crimg: $want"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get install -y --no-install-recommends $want >/dev/null 2>&1 || {
	$as_root apt-get update -q
	$as_root apt-get install -y --no-install-recommends $want
}
