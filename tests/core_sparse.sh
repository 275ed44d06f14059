#!/bin/bash
# A core says the same whether a file system keeps its zeros as holes or as bytes: areas, memory, registers,
# stacks, and what comes out of a conversion. How many bytes it holds may differ, and nothing else.
#   core_sparse.sh CRIMG
crimg=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
mkdir "$work/dense" "$work/sparse"

# A view as JSON without what may differ: the path, and how many bytes are stored.
view() { # CORE ARGUMENT…
	local core=$1
	shift
	"$crimg" inspect --json "$core" "$@" 2>&1 | sed -E "s|$work/[a-z]*/|DIR/|g" |
		grep -vE '"(bytes|page_bytes|private_bytes|bytes_in_image|rss_bytes)":'
}
addresses() { # START+LENGTH of every area
	"$crimg" inspect --json "$1" maps | python3 -c 'import json, sys
for a in json.load(sys.stdin)["maps"][0]["areas"]:
    print("%s+%d" % (a["start"], int(a["end"], 16) - int(a["start"], 16)))'
}
same() { # TEXT ARGUMENT…
	local text=$1
	shift
	view "$work/dense/$name" "$@" >"$work/a"
	view "$work/sparse/$name" "$@" >"$work/b"
	[ "$(wc -l <"$work/a")" -gt 5 ] || not_ok "$name: $text: $(head -n 3 "$work/a")"
	claim "[R-0607] $name: $text" diff "$work/a" "$work/b"
}
# The bytes of an area, or why they are not to be had.
bytes() { "$crimg" inspect --raw --at "$2" "$1" mem 2>&1 | sed -E "s|$work/[a-z]*/|DIR/|g"; }
# Non-zero pages of an image directory: address and checksum.
pages() { python3 "$here/chain_oracle.py" "$1" | grep -v 1ceaf73df40e531df3bfb26b4fb7cd95fb7bff1d; }

for core in "$here"/../samples/cores/*.core; do
	name=${core##*/}
	cp --sparse=never "$core" "$work/dense/$name"
	cp --sparse=always "$core" "$work/sparse/$name"
	# Else the same file would be compared with itself.
	if [ "$(stat -c %b "$work/sparse/$name")" -ge "$(stat -c %b "$work/dense/$name")" ]; then
		skip "$name: the file system of ${TMPDIR:-/tmp} makes no holes"
		continue
	fi
	for v in summary tree files maps regs code stack strings; do same $v $v; done
	same "registers, vectors too" regs --all
	count=0
	for at in $(addresses "$work/dense/$name"); do
		count=$((count + 1))
		claim "[R-0607] $name: memory at $at" cmp <(bytes "$work/dense/$name" "$at") <(bytes "$work/sparse/$name" "$at")
	done
	[ $count -ge 8 ] || not_ok "$name: only $count areas"
	for kind in dense sparse; do
		d=$work/$kind
		"$crimg" convert "$d/$name" "$d/x.crimg" && "$crimg" convert "$d/x.crimg" "$d/img" || not_ok "$name to a stream"
		"$crimg" convert --allow-loss -t core "$d/x.crimg" "$d/x.core" 2>/dev/null || not_ok "$name to a core"
	done
	claim "[R-0607] $name: all but pages in a directory" diff -r -x 'pages-*' -x 'pagemap-*' "$work/dense/img" "$work/sparse/img"
	claim "[R-0607] $name: pages in a directory" diff <(pages "$work/dense/img") <(pages "$work/sparse/img")
	claim "[R-0607] $name: as a core again, every byte" cmp "$work/dense/x.core" "$work/sparse/x.core"
	[ "$(stat -c %b "$work/dense/x.core")" -lt "$(stat -c %b "$work/dense/$name")" ] && ok ||
		not_ok "[R-0702] $name: zeros that were stored are no holes"
	rm -r "$work"/*/img "$work"/*/x.*
done
finish
