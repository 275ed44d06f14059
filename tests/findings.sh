#!/bin/bash
# Every finding of `crimg validate` has a damaged sample, and says what stands in tests/golden/validate; valid
# samples have no findings at all.
#   findings.sh CRIMG SAMPLES      UPDATE=1 writes the expected output anew: read the difference before commit.
crimg=$(realpath "$1")
samples=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
golden=$here/golden/validate
. "$here/lib.sh"
while read -r image; do
	claim "validate ${image#"$samples"/}" "$crimg" validate "$image"
done < <(images "$samples"/criu "$samples"/criu-3.17; ls "$samples"/archives/*.tar "$samples"/cores/*.core)
out=$(UPDATE=${UPDATE:-} python3 "$here/findings/check.py" "$crimg" "$samples" "$golden" "$work" 2>&1)
line=$(tail -n 1 <<<"$out")
if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	head -n -1 <<<"$out"
else
	not_ok "check.py: $line"
fi
finish
