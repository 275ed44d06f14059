#!/bin/sh
# Puts the page together: style and scripts into page.html, which is cut where the data of an image goes. The only
# script and the only style that may run are those whose hashes stand in the page's own policy.
#   make_page.sh PAGE-DIR TOP END
set -eu
dir=$1 top=$2 end=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest() { # FILE: sha256-… as a Content-Security-Policy wants it
	printf 'sha256-'
	env printf "$(sha256sum <"$1" | cut -c 1-64 | sed 's/../\\x&/g')" | base64
}
cat "$dir/page.css" >"$work/css"
# One function around all scripts: none of their names is global.
{
	echo '(function () {'
	echo "'use strict';"
	cat "$dir"/[0-9]*.js
	echo '}());'
} >"$work/js"
if grep -n -i -e '</script' -e '</style' -e '<!--' "$work/css" "$work/js"; then
	echo "make_page.sh: this would end the element that it stands in" >&2
	exit 1
fi
css=$(digest "$work/css") js=$(digest "$work/js")
sed -e "s|@STYLE_HASH@|$css|" -e "s|@SCRIPT_HASH@|$js|" "$dir/page.html" >"$work/html"
fill() { # replaces the line @NAME@ by the file, whole and without a newline more
	awk -v css="$work/css" -v js="$work/js" '
		function put(tag, file,   line, first) {
			printf "<%s>", tag
			while ((getline line < file) > 0)
				print line
			printf "</%s>\n", tag
		}
		$0 == "@STYLE@" { put("style", css); next }
		$0 == "@SCRIPT@" { put("script", js); next }
		{ print }' "$work/html"
}
fill | awk -v top="$top" -v end="$end" '
	$0 == "@DATA@" { behind = 1; next }
	{ print > (behind ? end : top) }'
