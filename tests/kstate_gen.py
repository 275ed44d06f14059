"""Builds "LinuxC/R" images from their description, not from this project's tables: SPEC.md, chapter 10,
is what both follow. An image is a list of objects; a reference is the Python object referred to.

    kstate_gen.py NAME FILE      one of SAMPLES below
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
    gap = len(out)
    for o in sorted(objects, key=lambda o: due.index(o.kind)):
        gap = len(out)
        out += fill * (-len(out) % 8)
        o.pos = len(out)
        raw = body(o)
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
    w.task(21, b"sixteen-letters!", leader=two, creds=user)
    w.task(22, "t3", leader=two, creds=cred(7, 8))
    w.task(30, "vfork", group=w.pid(20), session=w.pid(20), mm=two.mm, files=two.files, fs=one.fs,
           creds=user, seed=3)
    w.file(0o100001, 1 << 40, owner=w.pid(20), owner_signal=29, owner_type=1, uid=1000, euid=0, creds=user)
    w.file(0o2000, 17, creds=root, pad=0xDEADBEEF)
    w.file(0, 0, owner=w.pid(99), creds=root)
    return w.objects


def early():
    return [uts("f-host", "f.domain"), uts("other"), cred(), cred(1000, 100)]


SAMPLES = {
    "m-plain": lambda: build(plain()),
    "m-full": lambda: build(full(), release="2.6.29-rc6-cr"),
    "m-garbage": lambda: build(full(), fill=b"\xa5", release="2.6.29-rc6-cr"),  # in gaps, as of an older file
    "m-no-tail": lambda: build(full()[:], tail=False, release="r" * 70),
    "f-plain": lambda: build(early(), posting="F"),
    "f-cred": lambda: build([cred(5, 6)], posting="F"),
}

if __name__ == "__main__":
    name, path = sys.argv[1:]
    with open(path, "wb") as f:
        f.write(SAMPLES[name]())
