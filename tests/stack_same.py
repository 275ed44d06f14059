#!/usr/bin/env python3
"""Backtraces that a debugger made of a core against those that it made of the live process just before.
   stack_same.py gdb|eu LIVE.txt CORE.txt
Prints what differs, nothing when all agrees: threads, functions, source lines, and addresses but for the first (a
thread that runs has gone on, and criu moves one in a system call back to it)."""
import re
import sys

HEADING = {"gdb": r"Thread \d+ \((?:.*LWP|process) (\d+)", "eu": r"TID (\d+):"}
FRAME = {"gdb": r"#(\d+) +(?:(0x[0-9a-f]+) in )?(\S+) .*?(?: at (\S+)| from (\S+))?$",
         "eu": r"#(\d+) +(0x[0-9a-f]+)(?: - 1)?(?: (\S+))?()()$"}


def threads_of(path, who):
    """{tid: [(number, address, function, line)]}"""
    threads, frames = {}, None
    for line in open(path):
        if m := re.match(HEADING[who], line):
            frames = threads.setdefault(int(m[1]), [])
        elif frames is not None and (m := re.match(FRAME[who], line.rstrip())):
            number = int(m[1])
            frames.append((number, m[2] if number > 0 else None, m[3], (m[4] or m[5]) if number > 0 else None))
    return threads


def main(who, live, core):
    wanted, found = threads_of(live, who), threads_of(core, who)
    if sorted(wanted) != sorted(found) or not any(len(frames) > 3 for frames in wanted.values()):
        print(f"threads {sorted(found)}, wanted {sorted(wanted)}")
    for tid in wanted.keys() & found.keys():
        if wanted[tid] != found[tid]:
            pairs = [p for p in zip(found[tid], wanted[tid]) if p[0] != p[1]]
            print(f"{tid}: {len(found[tid])} frames, wanted {len(wanted[tid])}: {pairs[:2]}")


main(*sys.argv[1:])
