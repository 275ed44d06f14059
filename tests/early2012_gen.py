"""Builds early CRIU images of July 2012 from their description, SPEC.md chapter 11, not from this project's tables.
early2012_gen.py NAME DIRECTORY      NAME: good, tree-of-messages, or one of DAMAGED
early2012_gen.py --list              those, and words of what is told"""
import copy
import struct
import sys

import early_gen
from early_gen import PAGE, fxsave, page

MAGIC = dict(pstree=0x50273030, core=0x55053847, vmas=0x54123737, mm=0x57492820, pages=0x56084025, fdinfo=0x56213732,
             fs=0x51403912, sigacts=0x55344201, reg_files=0x50363636, creds=0x54023547)
REGULAR, STACK, FORCE_READ, HEAP, SYSV = 1, 2, 0x10, 0x20, 0x400
FILE_PRIVATE, ANON_SHARED, ANON_PRIVATE = 0x40, 0x100, 0x200
ALIVE, DEAD = 1, 2
SEGMENT = 7 << 32 | 5  # beyond 32 bits
NAMES = {1: b"/bin/prog", 2: b"/dev/null", 3: b"/", 4: b"/tmp/" + b"x" * 300}
OWNER = (1, 2, 29, 0, 4711)


def core(p, tid):
    seed = p.seed + tid
    task = struct.pack("<B3xII16sIQ", p.state, p.exit_code, p.personality, p.comm, 0x400000 + tid, 0x10000 << p.seed)
    machine = struct.pack("<27Q", *(p.regs[:16] + [0x400000 + tid] + p.regs[17:])) + fxsave(p.seed)
    out = struct.pack("<HHI", 1, 1, 0) + task + machine.ljust(4096, b"\xee")
    out += struct.pack("<4IQ", p.pid + 100, p.table, p.pid + 300, p.pid + 400, 0x7000 + seed)
    return out.ljust(8192, b"\xdd")


class Process:
    def __init__(self, pid, ppid, seed, threads=(), table=None, state=ALIVE):
        old = early_gen.Process(pid, [], seed)
        self.pid, self.ppid, self.pgid, self.sid, self.seed = pid, ppid, 20, 19, seed
        self.threads, self.table = [pid, *threads], table or pid + 200
        self.state, self.exit_code, self.comm = state, 0x300 if state == DEAD else 0, b"prog-%d" % pid
        self.regs, self.personality, self.tls = old.regs, 0x40000, (b"\0" * 8,) * 3
        if state == DEAD:
            self.areas, self.pages, self.fds, self.mm, self.actions = [], [], [], [], []
            return
        self.areas = [  # start, end, offset, shmid, prot, flags, status, fd
            (0x400000, 0x402000, 0x3000, 1, 5, 0x2, REGULAR | FILE_PRIVATE | FORCE_READ, 3),
            (0x600000, 0x603000, 0, 0, 3, 0x22, REGULAR | ANON_PRIVATE | HEAP, -1),
            (0x700000, 0x701000, 0, 9, 3, 0x1, REGULAR | SYSV, -1),
            (0x7F0000000000, 0x7F0000004000, 0, SEGMENT, 3, 0x21, REGULAR | ANON_SHARED, -1),
            (0x7FFF00000000, 0x7FFF00001000, 0, 0, 3, 0x122, REGULAR | ANON_PRIVATE | STACK, -1)]
        self.pages = old.pages
        self.fds = [(0, 1, 0, 2), (1, 1, 1, 4), (9, 2, 0, 77), (10, 8, 0, 78)]  # descriptor, type, flags, file
        self.mm = [0x400000 + i * seed for i in range(11)] + [i * 3 + seed for i in range(44)]
        self.actions = [(0x401000 + i, 0x14000000, 0x402000, 1 << i) for i in range(62)]


class Image(early_gen.Image):
    def __init__(self, processes, segments):
        self.processes, self.segments, self.files = processes, segments, {}
        self.add("pstree.img", "pstree", b"".join(
            struct.pack("<5I", p.pid, p.ppid, p.pgid, p.sid, len(p.threads)) + struct.pack(f"<{len(p.threads)}I", *p.threads)
            for p in processes))
        for p in processes:
            for tid in p.threads:
                self.add(f"core-{tid}.img", "core", core(p, tid))
            if p.state == DEAD:
                continue
            self.add(f"mm-{p.pid}.img", "mm", struct.pack("<55QI", *p.mm, 1))
            self.add(f"vmas-{p.pid}.img", "vmas", b"".join(struct.pack("<4Q3Iq", *a) for a in p.areas))
            self.add(f"pages-{p.pid}.img", "pages", pages(p.pages))
            self.add(f"fdinfo-{p.pid}.img", "fdinfo", b"".join(struct.pack("<IBBI", *fd) for fd in p.fds))
            self.add(f"fs-{p.pid}.img", "fs", struct.pack("<II", 3, 3))
            self.add(f"sigacts-{p.pid}.img", "sigacts", b"".join(struct.pack("<4Q", *a) for a in p.actions))
            self.add(f"creds-{p.pid}.img", "creds", bytes(68))
        for number, some in segments.items():
            self.add(f"pages-shmem-{number}.img", "pages", pages(some))
        self.add("reg-files.img", "reg_files", b"".join(
            struct.pack("<IHHQ5I", number, 0o2001, len(name), 1 << 33, *OWNER) + name for number, name in NAMES.items()))

    def add(self, name, kind, data):
        self.files[name] = struct.pack("<I", MAGIC[kind]) + data


def pages(some):
    return b"".join(struct.pack("<Q", at) + data for at, data in some)


def good():
    return Image([Process(20, 0, 1, (25, 22)), Process(21, 20, 2, table=220), Process(23, 21, 3),
                  Process(24, 20, 4, state=DEAD)], {SEGMENT: [(0, page(50)), (0x3000, page(51))]})


def edit(name, change):
    def make():
        image = copy.deepcopy(good())
        image.files[name] = bytes(change(image.files[name]))
        return image
    return make


def cut(name, left):
    return edit(name, lambda data: data[:left])


def patch(name, at, with_):
    return edit(name, lambda data: data[:at] + with_ + data[at + len(with_):])


def messages(_):
    one = bytes((8, 20, 16, 0, 24, 20, 32, 20, 40, 20))
    return struct.pack("<II", MAGIC["pstree"], len(one)) + one


DAMAGED = {
    "core-cut": (cut("core-23.img", 700), "the file ends: 696 bytes found, 8192 wanted"),
    "core-long": (edit("core-23.img", lambda d: d + b"\0"), "offset 8196 (0x2004): more found behind all that such a file holds"),
    "core-machine": (patch("core-23.img", 6, b"\2"), "version 1 of machine 2 found"),
    "core-of-messages": (patch("core-23.img", 4, b"\x90\1\0\0\x08\1"), "version 400 of machine 0 found"),
    "mm-cut": (cut("mm-23.img", 447), "the file ends: 443 bytes found, 444 wanted"),
    "mm-magic": (patch("mm-23.img", 0, b"\1\1\1\1"), "magic 0x01010101 found, 0x57492820 wanted"),
    "area-cut": (cut("vmas-23.img", 4 + 60), "the file ends: 8 bytes found, 52 wanted"),
    "areas-out-of-order": (patch("vmas-23.img", 4 + 52, struct.pack("<Q", 0x400000)), "does not begin behind the one before"),
    "page-cut": (cut("pages-23.img", 4 + 4104 + 500), "the file ends within a page"),
    "page-head-cut": (cut("pages-23.img", 4 + 4104 + 5), "the file ends: 5 bytes found, 8 wanted"),
    "page-twice": (patch("pages-23.img", 4, struct.pack("<Q", 0x600000)), "a page found twice"),
    "page-beyond": (patch("pages-23.img", 4, b"\0\xf0" + b"\xff" * 6), "an address that is none of a page found"),
    "fd-cut": (cut("fdinfo-23.img", 4 + 15), "the file ends: 5 bytes found, 10 wanted"),
    "fd-type": (patch("fdinfo-23.img", 8, b"\x09"), "a type that no descriptor has found"),
    "fd-number": (patch("fdinfo-23.img", 4, b"\xff" * 4), "a number that is no descriptor's found"),
    "fs-cut": (cut("fs-23.img", 8), "the file ends: 4 bytes found, 8 wanted"),
    "actions-cut": (cut("sigacts-23.img", 100), "the file ends: 96 bytes found, 1984 wanted"),
    "name-cut": (cut("reg-files.img", 4 + 40), "the file ends: 40 bytes found, 45 wanted"),
    "name-huge": (patch("reg-files.img", 10, b"\xff\xff"), "65571 wanted"),
    "threads-huge": (patch("pstree.img", 20, b"\xff\xff\xff\xff"), "the file ends within a process and its threads"),
    "pid-0": (patch("pstree.img", 4, b"\0\0\0\0"), "a number that is no process's found"),
    "tid-0": (patch("pstree.img", 28, b"\0\0\0\0"), "a number that is no thread's found"),
    "tid-twice": (patch("pstree.img", 28, struct.pack("<I", 23)), "process or thread 23 found twice"),
}
TREE = ("threads-huge", "pid-0", "tid-0", "tid-twice")  # nothing can be read


def make(name):
    if name == "tree-of-messages":  # a set of CRIU's next snapshots, which is not packed
        return edit("pstree.img", messages)()
    return good() if name == "good" else DAMAGED[name][0]()


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for name, (_, words) in DAMAGED.items():
            print(f"{2 if name in TREE else 1}\t{name}\t{words}")
        sys.exit()
    make(sys.argv[1]).write(sys.argv[2])
