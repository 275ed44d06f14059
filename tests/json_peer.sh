#!/bin/bash
# Holds crimg's JSON against CRIU's own crit, byte for byte, and against itself there and back.
#   json_peer.sh CRIMG PEER DIR…
# PEER: the folder that peer.sh made, or "none". DIR: image directories, or folders of them.
# Files that crit cannot decode are listed with its reason and only checked there and back.
set -u

# --- some files and directories, run by xargs below ----------------------------------------------------
# peer OUT ERR ARG…: crit, in the one process of it that this worker keeps.
peer() {
	local IFS=$'\t' code
	printf '%s\n' "$*" >&"${CRIT[1]}"
	read -r code <&"${CRIT[0]}"
	return "${code:-1}"
}

say() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

compare() { # NAME WHAT EXPECTED FOUND
	if cmp -s "$3" "$4"; then say pass "$1" "$2"; else say fail "$1" "$2: $(cmp "$3" "$4" 2>&1 | head -c 200)"; fi
}

back() { # NAME WHAT JSON: the JSON must give the file again
	if ! "$crimg" crit encode -i "$3" -o "$tmp/back" 2>"$tmp/err"; then
		say fail "$1" "$2: $(head -c 300 "$tmp/err")"
	else
		compare "$1" "$2" "$1" "$tmp/back"
	fi
}

check_file() {
	local f=$1
	for form in "" --pretty; do
		local ours=$tmp/ours$form theirs=$tmp/theirs$form
		peer "$theirs" "$tmp/reason" decode ${form:+"$form"} -i "$f"; local peer=$?
		"$crimg" crit decode $form -i "$f" >"$ours" 2>"$tmp/err"; local own=$?
		if [ $peer -ne 0 ]; then
			say skip "$f" "decode $form: crit: $(grep -v '^ \|^Traceback\|^Maybe' "$tmp/reason" | tail -1 | head -c 120)"
		elif [ $own -ne 0 ]; then
			say fail "$f" "decode $form: $(head -c 300 "$tmp/err")"
		else
			compare "$f" "decode $form" "$theirs" "$ours"
			back "$f" "back from crit's $form" "$theirs"
		fi
		[ $own -eq 0 ] && back "$f" "back from ours $form" "$ours"
	done
	if grep -q '"extra"' "$tmp/ours" && peer "$tmp/theirs" "$tmp/reason" show --nopl "$f"; then
		"$crimg" crit show --nopl "$f" >"$tmp/ours" 2>&1
		compare "$f" "show --nopl" "$tmp/theirs" "$tmp/ours"
	fi
}

check_image() {
	local d=$1 f
	# Kinds without payload: the others crit counts wrongly.
	for f in "$d"/{inventory,pstree,files,seccomp}.img "$d"/pagemap-*.img; do
		[ -e "$f" ] || continue
		peer "$tmp/theirs" "$tmp/reason" info "$f" || continue
		"$crimg" crit info "$f" >"$tmp/ours" 2>&1
		compare "$f" info "$tmp/theirs" "$tmp/ours"
	done
	for what in ps fds mems rss; do
		if peer "$tmp/theirs" "$tmp/reason" x "$d" $what; then
			"$crimg" crit x "$d" $what >"$tmp/ours" 2>&1
			compare "$d" "x $what" "$tmp/theirs" "$tmp/ours"
		else
			say skip "$d" "x $what: crit: $(tail -1 "$tmp/reason" | head -c 120)"
			"$crimg" crit x "$d" $what >"$tmp/ours" 2>"$tmp/err" && say pass "$d" "x $what alone" ||
				say fail "$d" "x $what alone: $(head -c 300 "$tmp/err")"
		fi
	done
}

check_whole() {
	local d=$1
	for form in "" --pretty; do
		rm -rf "$tmp/dir"
		if "$crimg" convert --allow-incomplete $form -f criu -t json "$d" "$tmp/whole.json" 2>"$tmp/err" &&
			"$crimg" convert --allow-incomplete -f json -t criu "$tmp/whole.json" "$tmp/dir" 2>>"$tmp/err" &&
			diff -r --no-dereference "$d" "$tmp/dir" >"$tmp/err"; then
			say pass "$d" "whole image $form"
		else
			say fail "$d" "whole image $form: $(head -c 300 "$tmp/err")"
		fi
	done
}

if [ "${1-}" = --some ]; then
	crimg=$2 folder=$3
	shift 3
	tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
	coproc CRIT { exec "$folder/python" "$(dirname "$0")/peer/crit_server.py"; }
	for what in "$@"; do
		case $what in
		file:*) check_file "${what#file:}" ;;
		image:*) check_image "${what#image:}" ;;
		whole:*) check_whole "${what#whole:}" ;;
		esac
	done
	exit 0
fi

# --- the list of all, and the sum ----------------------------------------------------------------------
[ $# -ge 3 ] || { echo "usage: $0 CRIMG PEER DIR…" >&2; exit 2; }
crimg=$(readlink -f "$1") folder=$(readlink -f "$2")
shift 2
if [ ! -x "$folder/python" ]; then
	echo "SKIPPED json_peer: the peer crit could not be fetched"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
results=$(mktemp)
trap 'rm -f "$results"' EXIT
{
	find "$@" -name 'criu-early*' -prune -o -type f \( -name '*.img' -o -name 'stats-dump' -o -name 'stats-restore' -o -name 'irmap-cache' \) \
		! -name 'pages-*' -printf 'file:%p\0'
	find "$@" -name 'criu-early*' -prune -o -name pstree.img -printf 'image:%h\0'
	find "$@" -name 'criu-early*' -prune -o -name inventory.img -printf 'whole:%h\0'
} | xargs -0 -n 60 -P "$(nproc)" bash "$0" --some "$crimg" "$folder" >"$results"

grep -a '^fail' "$results" | sort | sed 's/^fail/FAILED/; s/\t/ /g'
grep -a '^skip' "$results" | sort | sed 's/^skip/SKIPPED/; s/\t/ /g'
passed=$(grep -ac '^pass' "$results") failed=$(grep -ac '^fail' "$results") skipped=$(grep -ac '^skip' "$results")
[ "$passed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
