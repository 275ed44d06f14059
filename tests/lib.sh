# Shared by the test scripts: counting, and a working folder that goes away.
# A script sets in_memory=1 when its folder should be on no disk; sources this, calls ok or not_ok once a claim, and ends with finish.
set -u
passed=0 failed=0 skipped=0
if [ -n "${in_memory:-}" ] && cp /bin/true "/dev/shm/crimg-try.$$" 2>/dev/null; then
	"/dev/shm/crimg-try.$$" 2>/dev/null && export TMPDIR=/dev/shm # programs may run there
	rm -f "/dev/shm/crimg-try.$$"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/crimg-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
ok() { passed=$((passed + 1)); }
not_ok() {
	failed=$((failed + 1))
	printf 'FAILED %s: %s\n' "$(basename "$0")" "$*"
}
skip() {
	skipped=$((skipped + 1))
	printf 'SKIPPED %s: %s\n' "$(basename "$0")" "$*"
}
# kill_tree PID: a process and all its descendants, whatever sessions they lead.
kill_tree() {
	local pids=$1 next=$1
	while [ -n "$next" ]; do
		next=$(for p in $next; do cat "/proc/$p/task/"*/children; done 2>/dev/null)
		pids+=" $next"
	done
	kill -KILL $pids 2>/dev/null
}
# claim TEXT COMMAND…: the command must succeed silently.
claim() {
	local text=$1 out
	shift
	if out=$("$@" 2>&1) && [ -z "$out" ]; then ok; else not_ok "$text: $(printf %s "$out" | head -n 3)"; fi
}
finish() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ]
}
# Every image directory below the given folders: those with an inventory.
images() { find "$@" -name inventory.img -printf '%h\n' | sort; }
