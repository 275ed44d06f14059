#!/usr/bin/env python3
"""Backtraces with ELF files of the right size and wrong contents in the sysroot.
   stack_damage.py CRIMG IMAGE ROOT FILE SECTIONS COUNT RUNS [exact]
In each run COUNT bytes within SECTIONS (separated by commas) of ROOT/FILE get other values; with SECTIONS
"tail" all behind some place is zero. The view must come to its end in time, say what it found, and make no fuss;
with exact no frame may suffer. The file is as it was at the end. Prints what is wrong."""
import json
import random
import struct
import subprocess
import sys


def sections(data):
    """{name: (offset, size)}"""
    table, = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    strings, = struct.unpack_from("<Q", data, table + 64 * names + 24)
    found = {}
    for i in range(count):
        name, _, _, _, offset, size = struct.unpack_from("<IIQQQQ", data, table + 64 * i)
        end = data.index(0, strings + name)
        found[data[strings + name:end].decode()] = (offset, size)
    return found


def damaged(good, places, count, rng):
    data = bytearray(good)
    if not places:
        cut = rng.randrange(64, len(data))
        data[cut:] = bytes(len(data) - cut)
    for _ in range(count if places else 0):
        offset, size = rng.choice(places)
        data[offset + rng.randrange(size)] = rng.randrange(256)
    return data


def main(crimg, image, root, path, wanted, count, runs, exact=None):
    target = root + path
    good = open(target, "rb").read()
    places = [] if wanted == "tail" else [sections(good)[name] for name in wanted.split(",")]
    for seed in range(int(runs)):
        open(target, "wb").write(damaged(good, places, int(count), random.Random(seed)))
        try:
            run = subprocess.run([crimg, "inspect", image, "stack", "--sysroot", root, "--json"],
                                 capture_output=True, timeout=15)
            frames = [f for p in json.loads(run.stdout)["stack"] for t in p["threads"] for f in t["frames"]]
            if run.returncode != 0 or run.stderr:
                print(f"{path} {wanted} {seed}: exit {run.returncode}, {run.stderr[:200]}")
            if any(f["guess"] != (f["how"] == "scan" or f["how"] == "frame-pointer" or f["guess"]) for f in frames):
                print(f"{path} {wanted} {seed}: a guess is not marked")
            if any(f["number"] == 0 and f["guess"] for f in frames) or (exact and any(f["guess"] for f in frames)):
                print(f"{path} {wanted} {seed}: frames that were exact are guesses")
        except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            print(f"{path} {wanted} {seed}: {error}")
    open(target, "wb").write(good)


main(*sys.argv[1:])
