#!/bin/bash
# Our schema against the descriptors that Debian's criu and the living peer ship.
#   schema_peer.sh PEER    the folder that peer/peer.sh filled, or "none"
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
compare() { # PYCRIU VERSION
	local release out line
	release=$(sed -E 's/^([0-9]+)\.([0-9]+).*/\1 \2/' <<<"$2" | awk '{ print $1 * 100 + $2 }')
	out=$(/usr/bin/python3 "$here/schema_peer.py" "$1" "$release" 2>&1)
	line=$(tail -n 1 <<<"$out")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
		head -n -1 <<<"$out"
	else
		not_ok "$1: $line"
	fi
}
debian=/usr/lib/python3/dist-packages/pycriu
if [ -d "$debian" ]; then
	compare "$debian" "$(dpkg-query -W -f '${Version}' criu)"
else
	skip "the Debian package criu is not installed"
fi
peer=${1:-none}/tree/usr/lib/python3/dist-packages/pycriu
if [ -d "$peer" ]; then
	compare "$peer" "$(sed -n "s/.*['\"]\(.*\)['\"].*/\1/p" "$peer/version.py")"
else
	skip "no living peer"
fi
finish
