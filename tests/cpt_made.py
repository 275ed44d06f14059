#!/usr/bin/python3
"""Walks an OpenVZ image that crimg made of another one, by the published layout of 042stab141: lengths nest exactly, headers
are as long as that kernel's, padding is zero, references lead to objects of the right kind, the trailer says where
sections are.

  cpt_made.py IMAGE    prints what differs
"""
import struct
import sys

import cpt_make

NAMES = {v: k for k, v in cpt_make.NUMBERS.items()}
DEEP = {"TASK", "MM", "FS", "FILES", "FILE", "SIGHAND", "SIGNAL", "NAMESPACE", "INODE", "TIMER_LIST", "VMA", "VFSMOUNT", "EPOLL"}
REFERENCES = {
    "TASK": {96: "MM", 104: "FILES", 112: "FS", 120: "SIGNAL", 128: "SIGHAND", 160: "NAMESPACE", 976: "TIMER_LIST"},
    "FILE": {48: "INODE", 88: "VFSMOUNT"}, "FILEDESC": {24: "FILE"}, "VMA": {16: "FILE"}, "EPOLL": {16: "FILE"},
    "VFSMOUNT": {32: "VFSMOUNT"},
}
data = open(sys.argv[1], "rb").read()
objects, sections = {}, {}
claims = 0


def same(what, found, wanted):
    global claims
    claims += 1
    if found != wanted:
        print("%s: found %r, wanted %r" % (what, found, wanted))


def inside(at, end):
    while at < end:
        length, number, header = struct.unpack_from("<QIH", data, at)
        name = NAMES.get(number, number)
        longest = list(cpt_make.SIZES.get(name, {"18": 16}).values())[-1]
        same("header of %s at %d" % (name, at), header, longest)
        same("%s at %d is within" % (name, at), at % 8 == 0 and length >= header and at + length <= end, True)
        if not header <= length <= end - at:
            return
        objects[at] = (name, header)
        for kind, offset, n in cpt_make.PADS:
            if kind == name and offset + n <= header:
                same("padding of %s" % name, data[at + offset:at + offset + n], bytes(n))
        if name in DEEP:
            inside(at + header, at + length)
        at += length
    same("objects end", at, end)


same("signatures", (data[:4], data[-4:]), (b"\x79\x1c\x01\x63",) * 2)
same("version, machine", struct.unpack_from("<HHH", data, 4), (80, 0x803, 1))
at = 80
while at < len(data):
    length, number, header, unused = struct.unpack_from("<QIHH", data, at)
    same("section %d" % number, (header, unused, length >= 16 and at + length <= len(data)), (16, 0, True))
    sections[number] = at
    inside(at + 16, at + length)
    at += max(length, 16)
trailer = sections.get(23, 0) + 16
same("index", list(struct.unpack_from("<27Q", data, trailer + 24)), [sections.get(i, cpt_make.NONE) for i in range(27)])
wide = sum(1 for name, _ in objects.values() if name == "X86_64_REGS")
same("64-bit tasks", struct.unpack_from("<I", data, trailer + 20)[0], wide)
for at, (name, header) in objects.items():
    for offset, target in REFERENCES.get(name, {}).items():
        to = struct.unpack_from("<Q", data, at + offset)[0]
        if to != cpt_make.NONE:
            same("%s+%d at %d" % (name, offset, at), objects.get(to, (None,))[0], target)
    if name == "PAGES":
        start, end = struct.unpack_from("<QQ", data, at + 16)
        same("pages at %d" % at, struct.unpack_from("<Q", data, at)[0], 32 + end - start)
if claims < 100:
    print("only %d claims were made" % claims)
