"""Builds early CRIU images (packed structures of September 2011) from their description, SPEC.md chapter 11, not
from this project's tables.   early_gen.py NAME DIRECTORY      NAME: good, or one of DAMAGED
                              early_gen.py --list               those, and words of what is told"""
import os
import struct
import sys

PAGE = 4096
MAGIC = dict(fdinfo=0x01010101, pages=0x20202020, core=0xA75B8D43, pipes=0x05055050, pstree=0x40044004,
             shmem=0x03300330)
REGULAR, STACK, VDSO, FORCE_READ, HEAP = 1, 2, 8, 0x10, 0x20
FILE_PRIVATE, FILE_SHARED, ANON_SHARED, ANON_PRIVATE, FORCE_WRITE, DUMP_ALL = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800


def page(seed):
    return bytes((seed * 7 + i) & 0xFF for i in range(PAGE))


def pages(some):
    return b"".join(struct.pack("<Q", at) + data for at, data in some) + b"\0" * (8 + PAGE)


def fxsave(seed):
    """What an FXSAVE area looks like: control word, MXCSR and its mask, registers."""
    out = bytearray(512)
    struct.pack_into("<HHBxHQQII", out, 0, 0x37F, 0, 0, 0, 0, 0, 0x1F80, 0xFFFF)
    for i in range(32, 416):
        out[i] = (seed + i) & 0xFF
    return bytes(out)


class Process:
    def __init__(self, pid, children=(), seed=1):
        self.pid, self.children, self.seed = pid, list(children), seed
        self.regs = [0x1000 * seed + i for i in range(27)]
        self.regs[17], self.regs[20] = 0x33, 0x2B  # cs, ss
        self.regs[18] = 0x202
        self.regs[16], self.regs[19] = 0x400010, 0x7FFF00000F00
        self.personality = 0x40000 if seed > 1 else 0
        self.tls = (b"\x34\x12\x78\x56\x9a\xf2\x40\xbc", b"\0" * 8, b"\0" * 8) if seed > 1 else (b"\0" * 8,) * 3
        self.areas = [  # start, end, pgoff, prot, flags, status, pid, fd, inode, major, minor
            (0x400000, 0x402000, 0x3000, 5, 0x2, REGULAR | FILE_PRIVATE | FORCE_READ, pid, 3, 77, 8, 1),
            (0x600000, 0x603000, 0, 3, 0x22, REGULAR | ANON_PRIVATE | HEAP | FORCE_WRITE, pid, -1, 0, 0, 0),
            (0x7F0000000000, 0x7F0000004000, 0, 3, 0x21, REGULAR | ANON_SHARED | DUMP_ALL, pid, -1, 5, 0, 4),
            (0x7FFF00000000, 0x7FFF00001000, 0, 3, 0x122, REGULAR | ANON_PRIVATE | STACK, pid, -1, 0, 0, 0),
        ]
        self.pages = [(0x602000, page(seed)), (0x600000, page(seed + 1)), (0x601000, page(seed + 2)),
                      (0x7FFF00000000, page(seed + 3))]
        self.fds = [(1, 0, 0o100002, 17 + seed, b"/dev/null"), (1, 9, 0o2001, 0, b"/tmp/" + b"x" * 240),
                    (2, 0x400000, 0, 0, b"/bin/prog")]
        self.pipes = [(4, 900 + seed, 0, b"in the pipe %d" % seed), (5, 900 + seed, 1, b"")]
        self.shmem = [(0x7F0000000000, 0x7F0000004000, 5)]


class Image:
    """Files by name; damage is done to them."""

    def __init__(self, processes, segments):
        self.processes, self.segments, self.files = processes, segments, {}
        tree = b"".join(struct.pack("<II", p.pid, len(p.children)) + struct.pack(f"<{len(p.children)}I", *p.children)
                        for p in processes)
        self.put("pstree", processes[0].pid, tree)
        for p in processes:
            self.put("core", p.pid, core(p))
            self.put("fdinfo", p.pid, b"".join(
                struct.pack("<BBHIQ", kind, len(name), flags & 0xFFFF, pos, number) + name
                for kind, number, flags, pos, name in p.fds))
            self.put("pipes", p.pid, b"".join(struct.pack("<4I", fd, pipe, flags, len(data)) + data
                                             for fd, pipe, flags, data in p.pipes))
            self.put("shmem", p.pid, b"".join(struct.pack("<3Q", *s) for s in p.shmem))
        for number, some in segments.items():
            self.files[f"pages-shmem-{number}.img"] = struct.pack("<I", MAGIC["pages"]) + pages(some)
        self.files[f"pages-{processes[0].pid}.img"] = struct.pack("<I", MAGIC["pages"]) + pages([])

    def put(self, kind, number, data):
        self.files[f"{kind}-{number}.img"] = struct.pack("<I", MAGIC[kind]) + data

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name, data in self.files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


def area(start, end, pgoff, prot, flags, status, pid, fd, inode, major, minor):
    return struct.pack("<QQQIIIIqQII", start, end, pgoff, prot, flags, status, pid, fd, inode, major, minor)


def core(p, version=1, machine=1):
    out = struct.pack("<HHI", version, machine, 0) + struct.pack("<27Q", *p.regs) + fxsave(p.seed)
    out += b"".join(p.tls) + struct.pack("<I", p.personality)
    assert len(out) == 764
    return out + b"".join(area(*a) for a in p.areas) + b"\0" * 64 + pages(p.pages)


def good():
    return Image([Process(10, [11, 12]), Process(11, [], 2), Process(12, [13], 3), Process(13, [], 4)],
                 {5: [(0x7F0000001000, page(50)), (0x7F0000003000, page(51))]})


def cut(name, left):
    def make():
        image = good()
        image.files[name] = image.files[name][:left]
        return image
    return make


def patch(name, at, data):
    def make():
        image = good()
        b = bytearray(image.files[name])
        b[at:at + len(data)] = data
        image.files[name] = bytes(b)
        return image
    return make


def without(name):
    def make():
        image = good()
        del image.files[name]
        return image
    return make


AREAS = 4 + 764
PAGES = AREAS + 5 * 64
# What is told, and whether anything can be read.
DAMAGED = {
    "no-core": (without("core-12.img"), "core-12.img: missing: a task in pstree.img needs it"),
    "core-magic": (patch("core-11.img", 0, b"\1\1\1\1"), "core-11.img: offset 0 (0x0): magic 0x01010101 found, 0xa75b8d43 wanted"),
    "core-version": (patch("core-11.img", 4, b"\2"), "version 2 of machine 1 found"),
    "core-machine": (patch("core-11.img", 6, b"\2"), "version 1 of machine 2 found"),
    "core-cut": (cut("core-11.img", 700), "the file ends: 696 bytes found, 764 wanted"),
    "core-without-areas": (cut("core-11.img", AREAS), "the file ends, an area, or zeros, which end them wanted"),
    "area-cut": (cut("core-11.img", AREAS + 70), "the file ends: 6 bytes found, 64 wanted"),
    "areas-out-of-order": (patch("core-11.img", AREAS + 64, struct.pack("<Q", 0x400000)), "does not begin behind the one before"),
    "page-cut": (cut("core-11.img", PAGES + 500), "the file ends within a page"),
    "pages-without-end": (cut("core-11.img", PAGES + 4 * 4104), "the file ends, a page, or one of address 0, which ends them wanted"),
    "page-twice": (patch("core-11.img", PAGES, struct.pack("<Q", 0x600000)), "a page found twice"),
    "page-not-one": (patch("core-11.img", PAGES, struct.pack("<Q", 0x600001)), "an address that is none of a page found"),
    "page-beyond": (patch("core-11.img", PAGES, b"\0\xf0" + b"\xff" * 6), "an address that is none of a page found"),
    "fd-type": (patch("fdinfo-11.img", 4, b"\3"), "neither a descriptor (1) nor a mapping (2) found"),
    "fd-number": (patch("fdinfo-11.img", 12, struct.pack("<Q", 1 << 63)), "a number that is no descriptor's found"),
    "fd-cut": (cut("fdinfo-11.img", 30), "the file ends: 1 bytes found, 16 wanted"),
    "pipe-cut": (cut("pipes-11.img", 25), "the file ends within what is in a pipe"),
    "pipe-huge": (patch("pipes-11.img", 16, b"\xff\xff\xff\xff"), "the file ends within what is in a pipe"),
    "shmem-nowhere": (patch("shmem-11.img", 4, struct.pack("<Q", 0x1000)), "shared memory found where no such area begins"),
    "segment-outside": (patch("pages-shmem-5.img", 4, struct.pack("<Q", 0x1000)), "pages of shared memory outside of every area"),
    "children-huge": (patch("pstree-10.img", 8, b"\xff\xff\xff\xff"), "the file ends within a process and its children"),
    "pid-0": (patch("pstree-10.img", 4, b"\0\0\0\0"), "a number that is no process's found"),
    "pstree-magic": (patch("pstree-10.img", 0, b"xxxx"), "magic 0x78787878 found, 0x40044004 wanted"),
    "between": (patch("pstree-10.img", 0, struct.pack("<I", 0x50273030)), "an image of a snapshot between those of September 2011 and of July 2012"),
}
TREE = ("children-huge", "pid-0", "pstree-magic", "between")  # nothing can be read


def make(name):
    return good() if name == "good" else DAMAGED[name][0]()


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for name, (_, words) in DAMAGED.items():
            print(f"{2 if name in TREE else 1}\t{name}\t{words}")
        sys.exit()
    make(sys.argv[1]).write(sys.argv[2])
