#!/bin/bash
# The walls of the house: includes run downward only, and each library is used in one room.
#   walls.sh ANY    (run from anywhere; looks at the sources beside it)
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 2
declare -A may=(
	[format]="format" [readers]="format readers" [writers]="format writers"
	[producer]="format producer"
	[inspect]="format inspect" [convert]="format convert producer" [validate]="format validate"
	[diff]="format diff"
	[report]="diff format inspect report validate"
)
for room in "${!may[@]}"; do
	for file in "$room"/*.[ch]; do
		for inc in $(sed -n 's/^#include "\([^/"]*\)\/.*/\1/p' "$file" | sort -u); do
			case " ${may[$room]} " in
			*" $inc "*) ok ;;
			*) not_ok "$file includes from $inc" ;;
			esac
		done
	done
done
only() { # HEADER FILES-REGEX: nobody else includes it
	local header=$1 where=$2 file
	for file in $(grep -lE "#include <$header" -r --include='*.[ch]' "${!may[@]}" crimg.c); do
		[[ $file =~ $where ]] && ok || not_ok "$file includes <$header>"
	done
}
only 'archive' '^format/(archive_load|tar_stream|output_tar)'
only 'jansson' '^readers/'
only 'capstone' '^inspect/'
only '(libelf|gelf|elfutils)' '^inspect/'
for name in $(find "${!may[@]}" -name '*.[ch]' -printf '%f\n' | sort | uniq -d); do
	not_ok "two files are called $name"
done
finish
