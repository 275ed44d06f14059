#!/bin/bash
# `crimg report`: the data that it carries, and the page in a browser.
#   report.sh CRIMG SAMPLES data|page      KEEP=DIR keeps the screenshots of page
crimg=$(realpath "$1")
samples=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
. "$here/lib.sh"
out=$(python3 "$here/report_$3.py" "$crimg" "$samples" "$work" 2>&1)
if [[ $(tail -n 1 <<<"$out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	head -n -1 <<<"$out"
else
	not_ok "report_$3.py: $(tail -n 5 <<<"$out")"
fi
finish
