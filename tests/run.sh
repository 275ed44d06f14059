#!/bin/bash
# Runs every suite and script, and adds up what they counted.
#   run.sh BUILD ASAN-BUILD
build=$(realpath "$1") asan=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
samples=$here/../samples
cd "$here/.." || exit 2
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 LC_ALL=C.UTF-8
peer=${CRIMG_PEER:-$build/peer}
"$here/peer/peer.sh" "$peer" || peer=none

counts=$(mktemp) || exit 2
trap 'rm -f "$counts"' EXIT
count() { # NAME SECONDS PASSED FAILED SKIPPED
	printf '%-18s %4ss  %6d passed, %d failed, %d skipped\n' "$@"
	echo "$3 $4 $5" >>"$counts"
}
suite() { # a CUnit program: its run summary has a line "asserts total ran passed failed"
	local name out begin=$SECONDS code n f
	name=$(basename "$1")
	out=$("$1" 2>&1)
	code=$?
	read -r n f < <(awk '$1 == "asserts" { print $4, $5 }' <<<"$out")
	if [ "$code" != 0 ] || [ -z "${n:-}" ] || [ "$n" = 0 ]; then
		printf '%s\n' "$out" | tail -n 40
		f=$((${f:-0} > 0 ? f : 1))
	fi
	count "$name" $((SECONDS - begin)) "${n:-0}" "${f:-1}" 0
}
script() { # NAME COMMAND…: its last line is "N passed, N failed, N skipped"
	local name=$1 out begin=$SECONDS line
	shift
	out=$("$@" 2>&1)
	line=$(tail -n 1 <<<"$out")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		head -n -1 <<<"$out" | grep . | tail -n 60
		count "$name" $((SECONDS - begin)) "${BASH_REMATCH[@]:1:3}"
	else
		printf '%s\n' "$out" | tail -n 40
		count "$name" $((SECONDS - begin)) 0 1 0
	fi
}

# Two lanes side by side. Whoever asks the peer is in one of them: it restores processes under their own numbers.
# Who does so for minutes has a pid namespace, where nobody else takes these numbers.
apart="unshare --fork --pid --mount-proc --kill-child"
$apart true 2>/dev/null || apart=
with_peer() {
	script schema_peer "$here/schema_peer.sh" "$peer"
	script filters "$here/filters.sh" "$asan/crimg" "$samples" "$peer"
	script json_peer "$here/json_peer.sh" "$build/crimg" "$peer" "$samples"
	script peer_dump "$here/peer_dump.sh" "$build/crimg" "$peer" "$build"
	script core_read "$here/core_read.sh" "$asan/crimg" "$peer"
	script core_write "$here/core_write.sh" "$build/crimg" "$samples" "$peer"
	script linuxcr "$here/linuxcr.sh" "$build/crimg" "$samples" "$peer"
	script linuxcr_write "$here/linuxcr_write.sh" "$build/crimg" "$samples" "$peer" "$build"
	script cpt "$here/cpt.sh" "$build/crimg" "$asan/crimg" "$samples" "$peer"
	script cpt_restore "$here/cpt_restore.sh" "$build/crimg" "$peer"
	script time_travel "$here/time_travel.sh" "$build/crimg" "$samples" "$peer"
	script stacks "$here/stacks.sh" "$build/crimg" "$peer"
	script code_view "$here/code_view.sh" "$build/crimg" "$samples" "$peer"
	script peer_validate $apart "$here/peer_validate.sh" "$build/crimg" "$peer"
	script host "$here/host.sh" "$build/crimg" "$peer"
	script checkpoint "$here/checkpoint.sh" "$build/crimg" "$peer"
	script fields "$here/fields.sh" "$build/crimg" "$peer"
	script incremental "$here/incremental.sh" "$build/crimg" "$peer"
	script meddle "$here/meddle.sh" "$build/crimg"
	script freezer "$here/freezer.sh" "$build/crimg"
	script restart "$here/restart.sh" "$build/crimg" "$peer" "$build"
	script connections "$here/connections.sh" "$build/crimg" "$peer"
	script restart_vdso "$here/restart_vdso.sh" "$build/crimg" "$build"
	script families "$here/families.sh" "$build/crimg" "$peer"
	script rounds "$here/rounds.sh" "$build/crimg" "$peer"
}
alone() {
	for t in "$asan"/tests/test_*; do [ -x "$t" ] && suite "$t"; done
	script walls "$here/walls.sh"
	script spec_ids "$here/spec_ids.sh"
	script readme "$here/readme.sh" "$build/crimg" "$samples"
	script spec_example "$here/spec_example.sh" "$asan/crimg" "$samples"
	script spec_decode "$here/spec_decode.sh" "$build/crimg" "$samples"
	script roundtrip "$here/roundtrip.sh" "$asan/crimg" "$samples"
	script old_images "$here/old_images.sh" "$asan/crimg" "$samples"
	script errors "$here/errors.sh" "$asan/crimg" "$samples"
	script inspect "$here/inspect_golden.sh" "$asan/crimg" "$samples"
	script core_roundtrip "$here/core_roundtrip.sh" "$asan/crimg"
	script core_sparse "$here/core_sparse.sh" "$asan/crimg"
	script kstate "$here/kstate.sh" "$build/crimg" "$samples"
	script early "$here/early.sh" "$build/crimg" "$samples"
	script memory_views "$here/memory_views.sh" "$build/crimg" "$samples"
	script findings "$here/findings.sh" "$build/crimg" "$samples"
	script finding_lists "$here/finding_lists.sh" "$build/crimg"
	script diff "$here/diff.sh" "$asan/crimg" "$samples" "$build/crimg"
	script report_data "$here/report.sh" "$asan/crimg" "$samples" data
	script report_page "$here/report.sh" "$build/crimg" "$samples" page
	script damage "$here/damage.sh" "$asan" "$samples"
	script refused "$here/refused.sh" "$build/crimg"
	script leaks "$here/leaks.sh" "$build/crimg"
	script unprivileged "$here/unprivileged.sh" "$build/crimg"
	script undisturbed "$here/undisturbed.sh" "$build/crimg"
	script fuzz_replay "$here/../fuzz/replay.sh" "$asan" "$samples"
}
with_peer &
lane=$!
alone
wait "$lane" || exit 1
awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$counts"
