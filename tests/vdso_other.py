#!/usr/bin/env python3
"""Gives the tasks of an image another kernel's vDSO.

vdso_other.py CRIMG IMAGE KIND: bit: one bit of the code differs; bit64: of 64-bit tasks only. other: an ELF file of its own, prelinked as old ones
were, with hash tables of the new kind only and functions that are nothing but illegal instructions, where the program
knows them; one, "gone", exists nowhere else (its offset is printed). near: the same, each of 5 bytes. short: other, and a page shorter. The rest is
hostile: tiny, table, strings, name, function, hash, header, empty."""
import json
import os
import re
import struct
import subprocess
import sys

crimg, image, kind = sys.argv[1:]
LOAD = 0xFFFFFFFFFF700000
PREFIX = b"__vdso_"


def functions(elf):
    """Name: offset of what a real one exports."""
    at, count = struct.unpack_from("<Q", elf, 32)[0], struct.unpack_from("<H", elf, 56)[0]
    headers = [struct.unpack_from("<IIQQQQQQ", elf, at + 56 * i) for i in range(count)]
    dynamic = next(h for h in headers if h[0] == 2)
    tags = dict(struct.unpack_from("<QQ", elf, dynamic[2] + 16 * i) for i in range(dynamic[5] // 16))
    at, strings = tags[6], tags[5]
    while at < strings:
        name, info, _, section, value, _ = struct.unpack_from("<IBBHQQ", elf, at)
        if info & 15 == 2 and section:
            yield elf[strings + name:elf.index(b"\0", strings + name)], value
        at += 24


def made(elf):
    own = [(name, at) for name, at in functions(elf) if name.startswith(PREFIX)]
    if kind == "short":
        elf = elf[:-4096]
        own = [(name, at) for name, at in own if at < len(elf) - 32]
    gone = len(elf) - 16
    own.append((PREFIX + b"gone", gone))
    size = {"near": 5, "tiny": 4}.get(kind, 16)
    names, symbols = b"\0", bytes(24)
    for name, at in own:
        bytes_ = 8 if at == gone else size
        value = at + LOAD
        if kind == "function" and at == gone:
            value += 4096
        symbols += struct.pack("<IBBHQQ", len(names) + (kind == "name") * 4096, 0x12, 0, 1, value, bytes_)
        names += name + b"\0"
    hashed = struct.pack("<IIII", 1, 1, 1, 0) + bytes(8) + struct.pack("<I", 1 << 20 if kind == "hash" else 1)
    chain = [0] * len(own)
    chain[-1] = 1
    hashed += struct.pack("<%dI" % len(own), *chain)
    dynamic_at = 64 + 112
    at_symbols = dynamic_at + 16 * 6
    at_names = at_symbols + len(symbols)
    at_hash = (at_names + len(names) + 7) // 8 * 8
    tags = {6: at_symbols + LOAD, 5: at_names + LOAD, 10: len(names), 11: 24, 0x6FFFFEF5: at_hash + LOAD, 0: 0}
    if kind == "table":
        tags[6] = LOAD - 8
    if kind == "strings":
        tags[10] = 1 << 40
    if kind == "empty":
        del tags[0x6FFFFEF5]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags.items()).ljust(16 * 6, b"\0")
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 1 << 63 if kind == "header" else 64, 0, 0, 64, 56, 2, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD, LOAD, len(elf), len(elf), 4096)
    head += struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, dynamic_at + LOAD, 0, len(dynamic), len(dynamic), 8)
    out = (head + dynamic + symbols + names).ljust(at_hash, b"\0") + hashed
    assert len(out) <= min(at for _, at in own), "no room before the functions"
    return out + b"\x0f\x0b" * ((len(elf) - len(out)) // 2) + b"\x0b" * (len(out) % 2), gone


def shorten(pid, start):
    file = f"{image}/mm-{pid}.img"
    mm = json.loads(subprocess.check_output([crimg, "convert", "-t", "json", file, "-"]))
    next(v for v in mm["entries"][0]["vmas"] if int(str(v["start"]), 0) == start)["end"] -= 4096
    with open(f"{image}/mm.json", "w") as out:
        json.dump(mm, out)
    os.remove(file)
    subprocess.check_call([crimg, "convert", "-f", "json", "-t", "criu", f"{image}/mm.json", file])
    os.remove(f"{image}/mm.json")


def places():
    """Where the pages of each task's vDSO are: a file, an offset, how many bytes."""
    for line in subprocess.check_output([crimg, "inspect", image, "maps"], text=True).splitlines():
        if task := re.match(r"(\d+) .*: \d+ areas", line):
            pid = task[1]
        if found := re.search(r"([0-9a-f]+)-([0-9a-f]+).*\[vdso\]", line):
            yield pid, *(int(x, 16) for x in found.groups())


for pid, start, end in places():
    if kind == "bit64" and end <= 1 << 32:
        continue
    text = subprocess.check_output([crimg, "convert", "-t", "json", f"{image}/pagemap-{pid}.img", "-"])
    entries, at = json.loads(text)["entries"], 0
    for run in entries[1:]:
        address, size = int(str(run["vaddr"]), 0), 4096 * run["nr_pages"]
        if address <= start < address + size:
            break
        at += size
    with open(f"{image}/pages-{entries[0]['pages_id']}.img", "r+b") as pages:
        pages.seek(at + start - address)
        elf = pages.read(end - start)
        if kind.startswith("bit"):
            new, gone = elf[:2048] + bytes([elf[2048] ^ 1]) + elf[2049:], 0
        else:
            new, gone = made(elf)
        if kind == "short":
            shorten(pid, start)
        assert len(new) == len(elf) - 4096 * (kind == "short")
        pages.seek(at + start - address)
        pages.write(new)
print("%x" % gone)
