#!/usr/bin/python3
"""Damaged OpenVZ images: each ends in an error that says what was found and where, and nothing is written.

  cpt_hostile.py CRIMG WORK    prints what differs
"""
import os
import struct
import subprocess
import sys

import cpt_make

crimg, work = sys.argv[1:]
NAMES = {v: k for k, v in cpt_make.NUMBERS.items()}
DEEP = {"TASK", "MM", "FS", "FILES", "FILE", "SIGHAND", "SIGNAL", "TTY", "SOCKET", "SEM_UNDO", "NAMESPACE", "INODE", "UBC",
        "CGROUPS", "TIMER_LIST", "VMA", "SKB", "VFSMOUNT", "NET_DEVICE", "EPOLL", "SYSVMSG", "INOTIFY", "INOTIFY_WATCH"}
claims = 0


def say(text, *what):
    global claims
    claims += 1
    if what and not what[0]:
        print(text, *what[1:])


def walk(data):
    """Of each object by name: offsets; of each section by number: its offset."""
    objects, sections, at = {}, {}, 80
    while at < len(data):
        length, number, header = struct.unpack_from("<QIH", data, at)
        sections[number] = at
        inside(data, at + header, at + length, objects)
        at += length
    return objects, sections


def inside(data, at, end, objects):
    while end - at >= 16:
        length, number, header = struct.unpack_from("<QIH", data, at)
        name = NAMES.get(number, number)
        objects.setdefault(name, []).append(at)
        if name in DEEP:
            inside(data, at + header, at + length, objects)
        at += length


GOOD = cpt_make.make()
OBJECTS, SECTIONS = walk(GOOD)
PATH = os.path.join(work, "hostile.cpt")
TARGET = os.path.join(work, "hostile.to")


def run(*args):
    out = subprocess.run([crimg, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return out.returncode, out.stderr.decode(errors="replace")


def refused(name, data, words, verbs=("inspect", "convert")):
    with open(PATH, "wb") as f:
        f.write(data)
    for verb in verbs:
        code, text = run(verb, *(["-t", "criu"] if verb == "convert" else []), PATH, *([TARGET] if verb == "convert" else []))
        say("%s: %s:" % (name, verb), code == 2 and words in text, "exit %d, %s, wanted %r" % (code, text[:300].strip(), words))
        say("%s: something was left" % name, not os.path.exists(TARGET))
        if os.path.isdir(TARGET):
            subprocess.run(["rm", "-rf", TARGET], check=False)


def patched(*patches):
    data = bytearray(GOOD)
    for at, fmt, value in patches:
        struct.pack_into("<" + fmt, data, at, value)
    return bytes(data)


def major():
    refused("version too old", patched((6, "H", 0x301)), "version 0x301 found, 0x302 to 0x803 wanted")
    refused("version too new", patched((6, "H", 0x804)), "version 0x804 found")
    refused("ia64", patched((8, "H", 2)), "machine 2 (ia64) found")
    refused("pages of 8 KiB", patched((20, "H", 8192)), "pages of 8192")
    refused("no HZ", patched((22, "H", 0)), "HZ 0 found")
    refused("short header", patched((4, "H", 79)), "a header of 79 bytes")
    refused("header beyond the end", patched((4, "H", 65535)), "section")
    refused("only a header", GOOD[:80], "a trailer that ends the file wanted")
    refused("cut header", GOOD[:40], "")


def sections():
    at = SECTIONS[cpt_make.SECTIONS["MM"]]
    for name, length in (("0", 0), ("shorter than its header", 15), ("beyond the end", len(GOOD)), ("2^63", 1 << 63),
                         ("2^64 - 1", (1 << 64) - 1)):
        refused("section length " + name, patched((at, "Q", length)), "section 4 with a header of 16 bytes and")
    refused("section number", patched((at + 8, "I", 35)), "section 35 with")
    refused("section header", patched((at + 12, "H", 8)), "with a header of 8 bytes")
    # a section that leads back is one that is shorter than nothing: lengths have no sign
    refused("section that leads back", patched((at, "Q", (1 << 64) - 4096)), "section 4 with")
    trailer = SECTIONS[23]
    refused("no trailer", GOOD[:trailer], "a trailer that ends the file wanted")
    refused("bytes behind the trailer", GOOD + bytes(8), "8 bytes behind the last section")
    refused("index", patched((trailer + 16 + 24 + 8 * 4, "Q", at + 8)), "section 4 at %d found, at %d wanted" % (at + 8, at))
    refused("signature of the trailer", patched((len(GOOD) - 4, "I", 0)), "no signature found")
    refused("number of sections", patched((len(GOOD) - 8, "I", 28)), "28 sections")
    for number, begin in sorted(SECTIONS.items())[::4]:
        refused("cut behind the header of section %d" % number, GOOD[:begin + 17], "", ("inspect",))
    error = bytearray(GOOD)
    struct.pack_into("<I", error, at + 8, 0)
    error[at + 16:at + 40] = b"cannot dump a huge page\0"
    refused("error section", bytes(error), "the kernel gave up the checkpoint: cannot dump a huge page")


def lengths():
    for name in ("TASK", "VMA", "FILE", "NAME", "BITS", "PAGES", "SIGINFO", "FILEDESC", "INODE", "SOCKET", "NAMESPACE"):
        at = OBJECTS[name][0]
        for length in (0, 15, 1 << 63, (1 << 64) - 1, len(GOOD)):
            refused("%s of %d bytes" % (name, length), patched((at, "Q", length)), "a length of", ("inspect",))
        refused("%s with a short header" % name, patched((at + 12, "H", 15)), "a header of 15 bytes found", ("inspect",))
        refused("%s with a long header" % name, patched((at + 12, "H", 65535)), "", ("inspect",))


def references():
    task, fd, vma = OBJECTS["TASK"][0], OBJECTS["FILEDESC"][0], OBJECTS["VMA"][0]
    mm, file = OBJECTS["MM"][0], OBJECTS["FILE"][0]
    for name, at, value, words in (
            ("into the middle", task + 96, mm + 8, "TASK.MM: no object at %d found, a MM wanted" % (mm + 8)),
            ("to another kind", fd + 24, mm, "FILEDESC.FILE: MM at %d found, a FILE wanted" % mm),
            ("beyond the end", vma + 16, 1 << 63, "VMA.FILE: no object at 9223372036854775808"),
            ("to a section", OBJECTS["EPOLL"][0] + 16, SECTIONS[4], "EPOLL.FILE: no object"),
            ("of a terminal", OBJECTS["REF"][0] + 16, file + 1, "REF.POS: no object"),
            ("of a beancounter", OBJECTS["UBC"][1] + 16, file, "UBC.PARENT: FILE at"),
            ("of a mount", OBJECTS["VFSMOUNT"][1] + 32, 81, "VFSMOUNT.MNT_PARENT: no object"),
            ("of timers", task + 976, file, "TASK.POSIX_TIMERS: FILE at")):
        refused("reference " + name, patched((at, "Q", value)), words)


def pages():
    copies, mms, plain = OBJECTS["COPYPAGES"], OBJECTS["MM"], OBJECTS["PAGES"]
    in_mm = [p for p in plain if p > mms[0]]
    for name, source, words in (("itself", mms[1], "an earlier one wanted"), ("a later one", mms[2], "an earlier one wanted"),
                                ("the middle of one", mms[0] + 16, "COPYPAGES.SOURCE: no object")):
        refused("pages copied from " + name, patched((copies[0] + 32, "Q", source)), words)
    refused("copies in a circle", patched(*[(c + 32, "Q", mms[2]) for c in copies]), "an earlier one wanted")
    refused("copied pages that are not there", patched((copies[-1] + 16, "Q", cpt_make.STACKAT),
                                                       (copies[-1] + 24, "Q", cpt_make.STACKAT + 4096)), "is not among the pages")
    first = in_mm[0]
    start = cpt_make.TEXT
    for name, a, b in (("backwards", start + 4096, start), ("not whole", start, start + 100), ("unaligned", start + 8, start + 4104),
                       ("outside", start + 0x10000, start + 0x11000), ("without end", start, 1 << 63)):
        refused("pages " + name, patched((first + 16, "Q", a), (first + 24, "Q", b)), "PAGES: pages", ("inspect",))
    refused("fewer bytes than pages", patched((first + 24, "Q", start + 8192)), "bytes found, 8192 wanted", ("inspect",))
    for name, number, content, words in (
            ("lazy", 4101, 0, "a page-in daemon"), ("iterative", 4105, 0, "in the iterations of a live migration"),
            ("young", 4106, 0, "in the iterations of a live migration"), ("PRAM", 4098, 12, "(PRAM)")):
        refused("pages that are elsewhere: " + name, patched((copies[0] + 8, "I", number), (copies[0] + 14, "H", content))
                if number != 4098 else patched((first + 14, "H", content)), words)
    refused("areas that overlap", patched((OBJECTS["VMA"][1] + 40, "Q", start)), "VMA: 400000 to 602000 found", ("inspect",))


def counts():
    """Numbers that count what is not there: nothing breaks, whatever is said."""
    task = OBJECTS["TASK"][0]
    for name, at, fmt, value in (
            ("groups", task + 280, "I", 0xffffffff), ("bytes of an address", OBJECTS["SOCKET"][0] + 132, "I", 0xffffffff),
            ("bytes of BITS", OBJECTS["BITS"][0] + 16, "I", 0xffffffff), ("bytes of a packet", OBJECTS["SKB"][0] + 32, "I", 0x7fffffff),
            ("head room", OBJECTS["SKB"][0] + 36, "I", 0xffffffff), ("bytes of a message", OBJECTS["SYSVMSG_MSG"][0] + 24, "Q", 1 << 63),
            ("size of a deleted file", [o for o in OBJECTS["INODE"]][4] + 56, "Q", (1 << 64) - 1),
            ("signal", OBJECTS["SIGHANDLER"][0] + 16, "I", 0xffffffff), ("index of a peer", OBJECTS["SOCKET"][0] + 396, "I", 77),
            ("parent of a group", OBJECTS["CGROUPS"][0] + 0, "B", 0xa8), ("thread's process", OBJECTS["TASK"][2] + 180, "I", 99),
            ("parent", task + 188, "I", 1), ("tty", OBJECTS["TTY"][0] + 28, "I", 0xffffffff),
            ("code of a segment", OBJECTS["X86_64_REGS"][0] + 248, "Q", 0xffffffff)):
        with open(PATH, "wb") as f:
            f.write(patched((at, fmt, value)))
        for verb in ("inspect", "validate"):
            code, text = run(verb, PATH)
            say("%s of %s: exit %d: %s" % (verb, name, code, text[:200]), code in (0, 1, 2) and "Sanitizer" not in text)
    refused("two tasks of one number", patched((OBJECTS["TASK"][1] + 176, "I", 1)), "two tasks with number 1 found")


def depth():
    """Objects within objects without end."""
    at = SECTIONS[cpt_make.SECTIONS["NET_DEVICE"]]
    data, levels = bytearray(GOOD), 40
    end = at + struct.unpack_from("<Q", GOOD, at)[0]
    begin = at + 16
    room = (end - begin) // 16
    for i in range(min(levels, room)):
        struct.pack_into("<QIHH", data, begin + 16 * i, end - begin - 16 * i, 10, 16, 0)
    refused("objects within each other", bytes(data), "objects within each other")


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
major()
sections()
lengths()
references()
pages()
counts()
depth()
if claims < 250:
    print("only %d claims were made" % claims)
