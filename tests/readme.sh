#!/bin/bash
# The tour in README.md shows what crimg prints. Every `$ crimg inspect criu/…` (linux-cr/…) and `$ crimg validate half` in it is run; its
# lines must follow each other in what comes out, where … stands for lines left out.
#   readme.sh CRIMG SAMPLES
crimg=$(realpath "$1") samples=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cp -r "$samples" "$work/samples" && cd "$work/samples" || exit 2
cp -r criu/d-files half && rm half/ghost-file-1.img && truncate -s 60000 half/pages-1.img
touch -d 2026-11-23T12:13:53Z criu/c-tree/inventory.img # the date on disk is all that an image has
out=$(python3 - "$crimg" "$here/../README.md" <<'P'
import os, shlex, subprocess, sys
crimg, readme = sys.argv[1:]
env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC")


def shown(lines, out):
    """The first line that is not where it should be, or None."""
    at, free = 0, False
    for line in lines:
        if line == "…":
            free = True
            continue
        try:
            found = out.index(line, at)
        except ValueError:
            return line
        if found != at and not free:
            return line
        at, free = found + 1, False
    return None if at == len(out) or free else "(the end)"


count, blocks = 0, open(readme).read().split("\n```")
for block in blocks[1::2]:
    lines = block.split("\n")[1:]
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")] + [len(lines)]
    for begin, end in zip(starts, starts[1:]):
        command = shlex.split(lines[begin][2:])
        if command[:2] == ["crimg", "validate"]:
            ways = [[]]
        elif command[:2] == ["crimg", "inspect"] and command[2].startswith(("criu/", "linux-cr/")):
            ways = [["--width", width] for width in ("0", "110", "100", "120")]
        else:
            continue
        count += 1
        for way in ways:
            out = subprocess.run([crimg, command[1], *way, *command[2:]], env=env, stdout=subprocess.PIPE, text=True).stdout.rstrip("\n").split("\n")
            wrong = shown("\n".join(lines[begin + 1:end]).rstrip("\n").split("\n"), out)
            if wrong is None:
                break
        if wrong is not None:
            print("not what `%s` prints: %s" % (lines[begin][2:], wrong))
if count < 10:
    print("only %d commands found" % count)
P
)
[ -z "$out" ] && ok || not_ok "$out"
finish
