#!/usr/bin/env python3
"""Backtraces by crimg against those that eu-stack and gdb made of the live process just before.
   stack_compare.py STACK.json GDB.txt EU.txt PROGRAM
Prints what differs, nothing when all agrees. With eu-stack every frame must agree in its address, but for the
first (criu moves it back to the system call), and in its name where the code is PROGRAM's (others have
aliases). gdb shows inlined functions and tail calls too: there the frames of PROGRAM are compared."""
import json
import re
import sys


def threads_of(text, heading, frame):
    """{tid: [(address or None, name)]}"""
    threads, frames = {}, None
    for line in text.splitlines():
        if m := re.match(heading, line):
            frames = threads.setdefault(int(m[1]), [])
        elif frames is not None and (m := re.match(frame, line)):
            frames.append((int(m[1], 16) if m[1] else None, m[2]))
    return threads


def differ(who, tid, ours, theirs):
    if len(ours) != len(theirs):
        print(f"{who} {tid}: {len(ours)} frames, wanted {len(theirs)}")
    for mine, (address, name) in zip(ours, theirs):
        place = f"{who} {tid} #{mine['number']}: {mine['address']} {mine['function']}"
        if mine["number"] > 0 and address is not None and int(mine["address"], 16) != address:
            print(f"{place}, wanted {address:#x} {name}")
        elif name is not None and mine["function"] != name:
            print(f"{place}, wanted {name}")


def main(path, gdb_path, eu_path, program):
    ours = {t["tid"]: t for p in json.load(open(path))["stack"] for t in p["threads"]}
    gdb = threads_of(open(gdb_path).read(), r"Thread \d+ \((?:Thread .*LWP|process) (\d+)",
                     r"#\d+ +(?:(0x[0-9a-f]+) in )?(\S+)")
    eu = threads_of(open(eu_path).read(), r"TID (\d+):", r"#\d+ +(0x[0-9a-f]+)(?: - 1)?(?: (\S+))?")
    names = {f["function"] for t in ours.values() for f in t["frames"] if f["module"] == program}
    if not sorted(ours) == sorted(gdb) == sorted(eu):
        print(f"threads {sorted(ours)}, gdb {sorted(gdb)}, eu-stack {sorted(eu)}")
    for tid, t in ours.items():
        own = [f for f in t["frames"] if f["module"] == program and f["function"] != "_start"]
        differ("gdb", tid, own, [f for f in gdb.get(tid, []) if f[1] in names - {"_start"}])
        differ("eu-stack", tid, t["frames"],
               [(a, n if n in names else None) for a, n in eu.get(tid, [])])
        for f in t["frames"]:
            if f["signal"] != (f["function"] == "__restore_rt"):
                print(f"{tid} #{f['number']}: signal {f['signal']} in {f['function']}")
        guesses = [f["number"] for f in t["frames"] if f["guess"]]
        if guesses or not t["complete"] or t["unwinder"]:
            print(f"{tid}: guesses {guesses}, {t['ended']}, {t['unwinder']}")


main(*sys.argv[1:])
