#!/bin/bash
# Every MUST of SPEC.md that has an id is cited by a test, and every id that a test cites exists.
#   spec_ids.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 2
ids() { grep -ohE '\[R-[0-9]{4}\]' "$@" | sort -u; }
ids SPEC.md >"$work/spec"
find tests fuzz -type f \( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.py' \) \
	! -name spec_ids.sh -exec grep -ohE '\[R-[0-9]{4}\]' {} + | sort -u >"$work/tests"
while read -r id; do
	if grep -qxF "$id" "$work/tests"; then ok; else not_ok "no test cites $id"; fi
done <"$work/spec"
while read -r id; do
	if grep -qxF "$id" "$work/spec"; then ok; else not_ok "SPEC.md has no $id, which a test cites"; fi
done <"$work/tests"
# An id stands once: where its sentence is.
while read -r id; do not_ok "SPEC.md states $id twice"; done < <(
	grep -ohE '\[R-[0-9]{4}\]' SPEC.md | sort | uniq -d)
finish
