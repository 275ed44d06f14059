#!/bin/bash
# The worked example in SPEC.md is what crimg writes, byte for byte, and reads back.
#   spec_example.sh CRIMG SAMPLES
crimg=$1
. "$(dirname "$0")/lib.sh"
spec=$(dirname "$0")/../SPEC.md
image=$2/criu/a-regs/seccomp.img
sed -n '/^```stream$/,/^```$/{/^```/!p}' "$spec" | python3 -c '
import sys
for line in sys.stdin:
    sys.stdout.buffer.write(bytes.fromhex("".join(line.split("  ")[0].split()[1:])))' >"$work/spec.crimg"
claim "the example is a stream" "$crimg" convert -t criu "$work/spec.crimg" "$work/out"
claim "the example holds the image" cmp "$image" "$work/out/seccomp.img"
claim "the image becomes a stream" "$crimg" convert -t crimg "$image" "$work/ours.crimg"
claim "the stream is the example" cmp "$work/spec.crimg" "$work/ours.crimg"
finish
