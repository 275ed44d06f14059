#!/bin/bash
# The lists of findings in SPEC.md and in the man page are those of the table.
#   finding_lists.sh CRIMG      UPDATE=1 writes them anew
crimg=$(realpath "$1")
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 2
rows() { # FORMAT: spec or man
	"$crimg" validate --list --json | python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    if sys.argv[1] == "spec":
        print("| {code} | {severity} | {title} | {advice} |".format(**f))
    else:
        text = (f["severity"] + ": " + f["title"] + ". " + f["advice"]).replace("-", "\\-")
        print(".TP\n.B " + f["code"].replace("-", "\\-") + "\n" + text)' "$1"
}
check() { # FILE FORMAT BEGIN END: what stands between the lines that hold BEGIN and END
	local wanted
	wanted=$(rows "$2")
	if [ -n "${UPDATE:-}" ]; then
		ROWS=$wanted awk -v b="$3" -v e="$4" '
			index($0, e) { inside = 0 }
			!inside { print }
			index($0, b) { inside = 1; print ENVIRON["ROWS"] }' "$1" >"$work/new"
		cp "$work/new" "$1"
	fi
	if [ "$(awk -v b="$3" -v e="$4" 'index($0, e) { on = 0 } on { print } index($0, b) { on = 1 }' "$1")" = "$wanted" ]; then
		ok
	else
		not_ok "$1 does not list the findings of validate/findings.def (UPDATE=1 $0 CRIMG writes them)"
	fi
}
check SPEC.md spec '<!-- findings begin -->' '<!-- findings end -->'
check man/crimg-validate.1 man 'findings begin' 'findings end'
finish
