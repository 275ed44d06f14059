# An interactive shell on a pseudo-terminal that script(1) is the master of: it keeps its terminal, its job control, and
# its place in front.
[ "${1:-}" = inside ] || exec script -qec "bash --norc -i '$0' inside" /dev/null
set -m
before=$(tty)
echo ready
while [ ! -e go ]; do sleep 0.02; done
front=$(ps -o tpgid= -p $$)
[ "$(tty)" = "$before" ] && [ "$front" -gt 0 ] && [ "$(ps -o sid= -p $$)" = "$(ps -o sid= -p $front)" ]
