#!/bin/sh
# The living peer: today's criu, crit and checkpointctl, from Debian's suite sid, unpacked beside the
# system and installed nowhere. Takes the mirror from this machine's apt and checks the packages against
# Debian's archive keyring.
#   peer.sh DIR    leaves launchers DIR/criu, DIR/crit, DIR/checkpointctl, and DIR/python, which finds crit's
#                  modules. Exit 1 with a reason: no peer.
set -eu
mkdir -p "${1:?usage: peer.sh DIR}"
dir=$(cd "$1" && pwd)
if [ -x "$dir/criu" ] && [ -x "$dir/crit" ] && [ -x "$dir/python" ]; then exit 0; fi
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 2>/dev/null |
	awk '$3 == "main" && $2 !~ /-/ { print $1; exit }')
if [ -z "$mirror" ]; then
	echo "peer.sh: apt on this machine knows no Debian mirror" >&2
	exit 1
fi
state=$dir/state
tree=$dir/tree
mkdir -p "$state/lists/partial" "$state/archives/partial" "$tree"
: >"$state/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$state/sources"
apt() {
	apt-get -q -o Dir::Etc::SourceList="$state/sources" -o Dir::Etc::SourceParts=- \
		-o Dir::Etc::Preferences=- -o Dir::Etc::PreferencesParts=- \
		-o Dir::State::Lists="$state/lists" -o Dir::State::Status="$state/status" \
		-o Dir::Cache="$state" -o Dir::Cache::Archives="$state/archives" \
		-o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@" >>"$state/log" 2>&1 || {
		echo "peer.sh: apt-get $* failed: $(tail -n 1 "$state/log")" >&2
		exit 1
	}
}
apt update
apt -y --download-only install criu python3-pycriu checkpointctl
for deb in "$state"/archives/*.deb; do dpkg-deb -x "$deb" "$tree"; done
lib=$tree/usr/lib/x86_64-linux-gnu
run="$lib/ld-linux-x86-64.so.2 --library-path $lib"
py=$(basename "$(ls -d "$tree"/usr/bin/python3.??)")
launcher() {
	printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$dir/$1"
	chmod +x "$dir/$1"
}
launcher criu "$run $tree/usr/sbin/criu"
launcher checkpointctl "$run $tree/usr/bin/checkpointctl"
launcher python "env PYTHONHOME=$tree/usr PYTHONPATH=$tree/usr/lib/python3/dist-packages $run $tree/usr/bin/$py"
launcher crit "env PYTHONHOME=$tree/usr PYTHONPATH=$tree/usr/lib/python3/dist-packages $run $tree/usr/bin/$py $tree/usr/bin/crit"
"$dir/crit" --help >/dev/null
