#!/usr/bin/env python3
"""Makes a large kernel stream out of a small one: the same task, another area of private memory.

    big_stream.py STREAM OUT MIB

STREAM is that of one task of x86-64 with an area at 0x200000000000 (samples/linux-cr/r5-regs.ckpt). The area's copy
lies behind it, MIB long, its pages in chunks of 8192 as the kernel gives them; a quarter of each page is random.
"""
import os, struct, sys

MM, BUFFER, VMA, PGARR, CHUNK = 401, 4, 402, 403, 8192
source, target, pages = sys.argv[1], sys.argv[2], int(sys.argv[3]) * 256
data = open(source, "rb").read()

def record(kind, payload):
    return struct.pack("<II", kind, 8 + len(payload)) + payload

at, found = 0, False
with open(target, "wb") as out:
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        payload = data[at + 8:at + length]
        at += length
        if kind == MM:
            payload = struct.pack("<I", struct.unpack_from("<I", payload)[0] + 1) + payload[4:]
        out.write(record(kind, payload))
        if kind == VMA and struct.unpack_from("<Q", payload, 24)[0] == 0x200000000000:
            found, area = True, payload
        if kind == PGARR and found and struct.unpack("<Q", payload)[0] == 0: # the area is complete
            found, start = False, 0x300000000000
            out.write(record(VMA, area[:24] + struct.pack("<QQ", start, start + pages * 4096) + area[40:]))
            for first in range(0, pages, CHUNK):
                n = min(CHUNK, pages - first)
                out.write(record(PGARR, struct.pack("<Q", n)))
                out.write(struct.pack("<II", BUFFER, 8 + n * 4104))
                out.write(b"".join(struct.pack("<Q", start + (first + i) * 4096) for i in range(n)))
                for _ in range(n):
                    out.write(os.urandom(1024) + bytes(3072))
            out.write(record(PGARR, bytes(8)))
