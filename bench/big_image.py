#!/usr/bin/env python3
"""Makes a large image out of a small one: same tasks, another address space.

    big_image.py SAMPLE OUT MIB [--run PAGES] [--gap PAGES] [--zero PERCENT] [--sparse]

SAMPLE is a CRIU image directory of one task. OUT gets its files with one more area and a page map of it: runs of PAGES
pages (254 unless told), GAP pages apart, and pages that compress about as memory does (a quarter of each page
is random), ZERO percent of them zeros. --sparse leaves the pages file a hole.
"""
import argparse, os, random, shutil, struct, sys

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def entry(vaddr, pages):
    body = b"\x08" + varint(vaddr) + b"\x10\x00\x20\x04\x28" + varint(pages)
    return struct.pack("<I", len(body)) + body

def area(start, end):
    """A field of mm_entry: anonymous, private, rw-p."""
    body = (b"\x08" + varint(start) + b"\x10" + varint(end) + b"\x18\0\x20\0\x28\3\x30\x22\x38" + varint(1 << 9 | 1)
            + b"\x40" + varint(2**64 - 1))
    return b"\x72" + varint(len(body)) + body

a = argparse.ArgumentParser()
a.add_argument("sample"), a.add_argument("out"), a.add_argument("mib", type=int)
a.add_argument("--run", type=int, default=254), a.add_argument("--gap", type=int, default=1)
a.add_argument("--zero", type=int, default=0), a.add_argument("--sparse", action="store_true")
o = a.parse_args()
os.makedirs(o.out)
for name in os.listdir(o.sample):
    shutil.copyfile(os.path.join(o.sample, name), os.path.join(o.out, name))
pagemap = [n for n in os.listdir(o.out) if n.startswith("pagemap-")][0]
start = 0x10000000
pages, vaddr, left = o.mib * 256, start, o.mib * 256
with open(os.path.join(o.out, pagemap), "wb") as f:
    f.write(bytes.fromhex("1943565425400856") + struct.pack("<I", 2) + b"\x08\x01")
    while left > 0:
        n = min(o.run, left)
        f.write(entry(vaddr, n))
        vaddr += (n + o.gap) * 4096
        left -= n
mm = os.path.join(o.out, pagemap.replace("pagemap", "mm"))
with open(mm, "rb") as f:
    head, length, message = f.read(8), f.read(4), f.read()
message = message[:struct.unpack("<I", length)[0]] + area(start, vaddr)
with open(mm, "wb") as f:
    f.write(head + struct.pack("<I", len(message)) + message)
rng = random.Random(1)
with open(os.path.join(o.out, "pages-1.img"), "wb") as f:
    if o.sparse:
        f.truncate(pages * 4096)
        sys.exit()
    pool = [rng.randbytes(1024) + bytes(3072) for _ in range(509)]
    zeros_left = 0  # zero pages come in runs, as they do in heaps and buffers
    for i in range(0, pages, 256):
        block = bytearray()
        for k in range(min(256, pages - i)):
            if zeros_left == 0 and rng.randrange(6400) < o.zero:
                zeros_left = rng.randrange(1, 128)
            if zeros_left > 0:
                zeros_left -= 1
                block += bytes(4096)
            else:
                page = bytearray(pool[(i * 7 + k * 3) % 509])
                page[8:16] = struct.pack("<Q", i + k)
                block += page
        f.write(block)
