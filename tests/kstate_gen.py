"""Builds "LinuxC/R" images from their description, not from this project's tables: SPEC.md, chapter 10,
is what both follow. An image is a list of objects; a reference is the Python object referred to.

    kstate_gen.py NAME FILE      one of SAMPLES, DAMAGED or REFUSED below
    kstate_gen.py --list         the latter two, and words of what is told
"""
import struct
import sys

NONE = 0xFFFFFFFFFFFFFFFF
# What each posting calls its objects.
NUMBERS_M = dict(task=1, nsproxy=2, uts=3, ipc=4, mnt=5, pidns=6, net=7, mm=8, signal=9, sighand=10,
                 fs=11, files=12, file=13, cred=14, pid=15)
NUMBERS_F = dict(uts=1, cred=2)
ORDER_M = ["pid", "cred", "file", "files", "fs", "uts", "ipc", "mnt", "pidns", "net", "sighand", "signal",
           "mm", "nsproxy", "task"]
ORDER_F = ["uts", "cred"]


class Obj:
    def __init__(self, kind, **values):
        self.kind, self.pos, self.v = kind, None, values

    def __getattr__(self, name):
        try:
            return self.__dict__["v"][name]
        except KeyError:
            raise AttributeError(name)


def text(value, width):
    raw = value if isinstance(value, bytes) else value.encode()
    return raw[:width].ljust(width, b"\0")


def ref(value):
    if value is None:
        return NONE
    return value if isinstance(value, int) else value.pos


def body(o):
    """Bytes of an object behind its header."""
    k = o.kind
    if k == "pid":
        return struct.pack("<I", 0) + b"".join(struct.pack("<I", n) for n in o.numbers)
    if k == "cred":
        return (struct.pack("<8I", o.uid, o.gid, o.suid, o.sgid, o.euid, o.egid, o.fsuid, o.fsgid)
                + struct.pack("<4Q", o.inheritable, o.permitted, o.effective, o.bounding))
    if k == "file":
        return struct.pack("<IIQQIIIIQ", o.flags, o.v.get("pad", 0), o.position, ref(o.owner), o.owner_type,
                           o.owner_uid, o.owner_euid, o.owner_signal, ref(o.cred))
    if k == "fs":
        return struct.pack("<I", o.umask)
    if k == "uts":
        return b"".join(text(getattr(o, n), 64)
                        for n in ("sysname", "nodename", "release", "version", "machine", "domainname"))
    if k == "pidns":
        return struct.pack("<II", o.level, o.last)
    if k == "signal":
        return b"".join(struct.pack("<QQ", soft, hard) for soft, hard in o.limits)
    if k == "nsproxy":
        return struct.pack("<5Q", ref(o.uts), ref(o.ipc), ref(o.mnt), ref(o.pidns), ref(o.net))
    if k == "task":
        return (struct.pack("<QQ", ref(o.real), ref(o.effective)) + text(o.comm, 16)
                + struct.pack("<9Q", ref(o.mm), ref(o.pid), ref(o.group), ref(o.session), ref(o.fs),
                              ref(o.files), ref(o.nsproxy), ref(o.signal), ref(o.sighand)))
    return b""  # shells: ipc, mnt, net, mm, sighand, files


def header(release="2.6.29-rc6", version=1, arch=1):
    return b"LinuxC/R" + struct.pack("<Q", version) + text(release, 64) + struct.pack("<I", arch)


def build(objects, posting="M", fill=b"\0", tail=True, order=None, **head):
    """All bytes. fill: what is in gaps; tail: the last gap is there. order: kinds, or None: as it is due."""
    numbers, due = (NUMBERS_F, ORDER_F) if posting == "F" else (NUMBERS_M, ORDER_M)
    out = bytearray(header(**head))
    due = order or due
    objects = sorted(objects, key=lambda o: due.index(o.kind))
    at = 88
    for o in objects:
        o.pos = 0 if o.pos is None else o.pos
    for o in objects:
        o.pos, at = at, at + 8 + len(body(o)) + -len(body(o)) % 8
    for o in objects:
        out += fill * (-len(out) % 8)
        raw = body(o)
        assert o.pos == len(out)
        out += struct.pack("<II", o.v.get("type", numbers[o.kind]), o.v.get("length", 8 + len(raw))) + raw
    if tail:
        out += fill * (-len(out) % 8)
    return bytes(out)


def cred(uid=0, gid=0, **more):
    full = 0xFFFFFFFF | 0xFFFFFFFF << 32 if uid == 0 else 0
    v = dict(uid=uid, gid=gid, suid=uid, sgid=gid, euid=uid, egid=gid, fsuid=uid, fsgid=gid, inheritable=0,
             permitted=full, effective=full, bounding=0x1FFFFFFFFFFFFFFF)
    v.update(more)
    return Obj("cred", **v)


def uts(node="host", domain="(none)", **more):
    v = dict(sysname="Linux", nodename=node, release="2.6.29-rc6", version="#1 SMP", machine="i686",
             domainname=domain)
    v.update(more)
    return Obj("uts", **v)


def limits(seed=0):
    return [(1000 * seed + i, 2000 * seed + i) if i % 3 else (0xFFFFFFFF, 0xFFFFFFFF) for i in range(16)]


class World:
    """A tree with its objects; tasks are added one at a time."""

    def __init__(self, above=()):
        self.above = tuple(above)  # numbers in the namespaces around, of the first task: others count on
        self.objects, self.pids = [], {}
        self.spaces = self.nsproxy(uts())

    def add(self, kind, **values):
        o = kind if isinstance(kind, Obj) else Obj(kind, **values)
        if o not in self.objects:
            self.objects.append(o)
        return o

    def nsproxy(self, names, ipc=True, net=True):
        self.add(names)
        return self.add("nsproxy", uts=names, ipc=self.add("ipc") if ipc else None, mnt=self.add("mnt"),
                        pidns=self.add("pidns", level=len(self.above), last=300),
                        net=self.add("net") if net else None)

    def pid(self, number, outside=False):
        key = (number, outside)
        if key not in self.pids:
            around = tuple(a + number - 1 for a in self.above)
            self.pids[key] = self.add("pid", numbers=((number,) if outside else around + (number,)))
        return self.pids[key]

    def task(self, number, comm, group=None, session=None, leader=None, creds=None, spaces=None, umask=0o22,
             effective=None, mm=None, files=None, fs=None, seed=0):
        creds = self.add(creds or cred())
        if leader is not None:  # a thread
            shared = dict(mm=leader.mm, fs=leader.fs, files=leader.files, signal=leader.signal,
                          sighand=leader.sighand, nsproxy=leader.nsproxy, group=leader.group,
                          session=leader.session)
        else:
            shared = dict(mm=mm or self.add("mm"), fs=fs or self.add("fs", umask=umask),
                          files=files or self.add("files"), signal=self.add("signal", limits=limits(seed)),
                          sighand=self.add("sighand"), nsproxy=spaces or self.spaces,
                          group=group or self.pid(number), session=session or self.pid(number))
        return self.add("task", real=creds, effective=self.add(effective) if effective else creds, comm=comm,
                        pid=self.pid(number), **shared)

    def file(self, flags=0o100002, position=0, owner=None, owner_signal=0, creds=None, uid=0, euid=0,
             owner_type=0, pad=0):
        return self.add("file", flags=flags, position=position, owner=owner, owner_type=owner_type,
                        owner_uid=uid, owner_euid=euid, owner_signal=owner_signal,
                        cred=self.add(creds or cred()), pad=pad)


def plain():
    w = World()
    w.task(1, "init")
    return w.objects


def full():
    """Every type, every reference, threads, what is shared and what is not, a namespace below two others."""
    w = World(above=(4000, 70))
    user = cred(1000, 100, euid=0, fsuid=0, suid=0, permitted=0x5, effective=0x1, inheritable=0x4,
                bounding=0x123456789ABCDEF0)
    root = cred()
    one = w.task(1, "init", creds=root, seed=1, session=w.pid(77, outside=True), group=w.pid(77, outside=True))
    own = w.nsproxy(uts("n" * 64, "d" * 63), ipc=False, net=False)
    two = w.task(20, "fifteen-letters", creds=user, effective=root, spaces=own, umask=0o77, seed=2)
    w.task(21, "thread of two", leader=two, creds=user)
    w.task(22, "t3", leader=two, creds=cred(7, 8))
    w.task(30, "vfork", group=w.pid(20), session=w.pid(20), mm=two.mm, files=two.files, fs=one.fs,
           creds=user, seed=3)
    w.file(0o100001, 1 << 40, owner=w.pid(20), owner_signal=29, owner_type=1, uid=1000, euid=0, creds=user)
    w.file(0o2000, 17, creds=root, pad=0xDEADBEEF)
    w.file(0, 0, owner=w.pid(99), creds=root)
    return w.objects


def odd():
    """A name without its NUL; a process group and a session led by somebody below."""
    w = World()
    w.task(1, b"sixteen-letters!")
    return w.objects


def damaged(objects, kind, index=0, **values):
    """Fields of an object of this kind are others."""
    [o for o in objects if o.kind == kind][index].v.update(values)
    return build(objects)


def stray(kind, **values):
    return build(plain() + [Obj(kind, **values)])


def early():
    return [uts("f-host", "f.domain"), uts("other"), cred(), cred(1000, 100)]


SAMPLES = {
    "m-plain": lambda: build(plain()),
    "m-full": lambda: build(full(), release="2.6.29-rc6-cr"),
    "m-garbage": lambda: build(full(), fill=b"\xa5", release="2.6.29-rc6-cr"),  # in gaps, as of an older file
    "m-no-tail": lambda: build(full(), tail=False, release="r" * 70),
    "f-plain": lambda: build(early(), posting="F"),
    "f-cred": lambda: build([cred(5, 6)], posting="F"),
    "m-odd": lambda: build(odd()),
}
# Wrong in what the name says. Behind it, words of what is found and wanted.
NOT_BEFORE = ORDER_M[:13] + ["task", "nsproxy"]
DAMAGED = {
    "unknown-type": (lambda: stray("mm", type=16), "type 16 (8 bytes)"),
    "other-length": (lambda: damaged(plain(), "fs", length=16), "FS_STRUCT: 16 bytes found, 12 wanted"),
    "pid-without-number": (lambda: damaged(full(), "pid", 2, numbers=()), "PID: 12 bytes found, 12 wanted and 4"),
    "pid-of-odd-length": (lambda: damaged(full(), "pid", 2, length=26), "PID: 26 bytes found"),
    "length-0": (lambda: damaged(plain(), "mm", length=0), "length 0 found, at least 8 wanted"),
    "length-7": (lambda: damaged(plain(), "mm", length=7), "length 7 found, at least 8 wanted"),
    "length-beyond": (lambda: damaged(plain(), "mm", length=0x3fffff8), "67108856 bytes wanted, the image ends after"),
    "length-huge": (lambda: damaged(plain(), "mm", length=0xFFFFFFFF), "length 4294967295 found, at most"),
    "length-cut": (lambda: damaged(plain(), "task", length=120), "120 bytes wanted, the image ends after 112"),
    "ref-header": (lambda: damaged(plain(), "task", mm=8), "mm: reference 0x8 found, which is in the header"),
    "ref-zero": (lambda: damaged(plain(), "task", mm=0), "mm: reference 0x0 found, which is in the header"),
    "ref-middle": (lambda: damaged(plain(), "task", mm=88 + 8), "where the middle of PID is; an earlier MM_STRUCT"),
    "ref-beyond": (lambda: damaged(plain(), "task", mm=1 << 63), "mm: reference 0x8000000000000000 found, which is not"),
    "ref-none": (lambda: damaged(plain(), "task", mm=None), "mm: reference 0xffffffffffffffff found, which is not"),
    "ref-pid": (lambda: damaged(plain(), "task", mm=88), "mm: reference 0x58 found, where PID is; an earlier MM_STRUCT"),
    "ref-uts-none": (lambda: damaged(plain(), "nsproxy", uts=None), "NSPROXY: uts namespace: reference 0xffffffffffffffff"),
    "ref-forwards": (lambda: build(plain(), order=NOT_BEFORE), "nsproxy: reference"),
    "ref-self": (lambda: self_reference(), "nsproxy: reference 0x3c0 found, which is not before it"),
    "no-number": (lambda: damaged(plain(), "pid", numbers=(0,)), "TASK_STRUCT: number 0 found"),
    "number-too-large": (lambda: damaged(plain(), "pid", numbers=(1 << 31,)), "TASK_STRUCT: number 2147483648 found"),
    "f-with-task": (lambda: build(early(), posting="F") + struct.pack("<II", 15, 16) + b"\0" * 8,
                    "type 15 (16 bytes) found"),
    "tail-bytes": (lambda: build(plain()) + b"\1\2\3", "3 bytes found, the 8 of an object's header wanted"),
    "tail-zeros": (lambda: build(plain()) + b"\0" * 4096, "object of type 0: length 0 found, at least 8 wanted"),
}
# Nothing can be read.
REFUSED = {
    "version-2": (lambda: build(plain(), version=2), "image version 0x2 found, 1 wanted: what the postings of April and May"),
    "version-and-arch": (lambda: build(plain(), version=1 << 32 | 1), "image version 0x100000001 found"),
    "arch-0": (lambda: build(plain(), arch=0), "machine 0 found, 1 (x86-32) wanted"),
    "header-alone": (lambda: header(), "the image ends behind its header, an object wanted"),
    "header-cut": (lambda: header()[:83], "83 bytes found, 84 of a header wanted"),
    "signature-alone": (lambda: b"LinuxC/R", "8 bytes found, 84 of a header wanted"),
    "first-unknown": (lambda: build([Obj("mm", type=99)]), "a first object of type 99 in 8 bytes found"),
    "first-other-length": (lambda: build([Obj("mm", type=1)]), "a first object of type 1 in 8 bytes found"),
    "first-cred-of-later": (lambda: build([Obj("mm", type=2, length=80)]) + b"\0" * 80, "type 2 in 80 bytes found"),
    "two-of-a-number": (lambda: twice(), "two tasks with number 1 found"),
}


def self_reference():
    objects = plain()
    build(objects)
    task = next(o for o in objects if o.kind == "task")
    task.v["nsproxy"] = task.pos
    return build(objects)


def twice():
    w = World()
    w.task(1, "one")
    w.task(1, "two")
    return build(w.objects)


def make(name):
    for table in (DAMAGED, REFUSED):
        if name in table:
            return table[name][0]()
    return SAMPLES[name]()


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for kind, table in (("damaged", DAMAGED), ("refused", REFUSED)):
            for name, (_, words) in table.items():
                print(f"{kind}\t{name}\t{words}")
        sys.exit()
    name, path = sys.argv[1:]
    with open(path, "wb") as f:
        f.write(make(name))
