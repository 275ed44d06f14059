# A pipeline that gzip works in the middle of, caught while it runs: not a byte is lost or doubled.
set -e
wanted=$(for i in $(seq 60); do seq 1 20000; done | md5sum)
echo ready
found=$(for i in $(seq 60); do seq 1 20000; read -rt 0.02 <> <(:) || :; done | gzip -1 | gunzip | md5sum)
while [ ! -e go ]; do read -rt 0.02 <> <(:) || :; done
[ "$found" = "$wanted" ] || { echo "$found instead of $wanted"; exit 1; }
