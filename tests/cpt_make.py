"""Makes OpenVZ images of every layout, from the published facts and nothing of crimg: a container of five processes
that has one of everything. `make(tree, version, arch, garbage)` gives the bytes.

tree names a kernel, by which an object's header is as long as that kernel's; garbage (a seed) is what stands in
padding, which no kernel clears.
"""
import random
import struct

NONE = (1 << 64) - 1
TREES = "18 26 32e 061 076 079 088 090 092 093 108 109 111 113 141".split()
VERSIONS = {"18": 0x302, "26": 0x600, "32e": 0x800, "061": 0x801}  # later ones: 0x803

# Bytes of a header by kernel: the first one, and where it grew.
SIZES = {
    "VEINFO": {"18": 72, "26": 144, "108": 160}, "FILE": {"18": 88, "061": 96}, "FILEDESC": {"18": 32, "141": 40},
    "INODE": {"18": 112, "061": 120}, "VFSMOUNT": {"18": 24, "061": 56}, "FLOCK": {"18": 48, "061": 56, "109": 64},
    "SOCKET": {"18": 912, "061": 920, "093": 928, "113": 1048}, "SKB": {"18": 120, "088": 128, "141": 168},
    "MM": {"18": 128, "061": 136}, "SIGINFO": {"18": 72, "108": 184}, "TASK": {"18": 976, "076": 984, "108": 992},
    "SIGNAL": {"18": 448, "108": 456}, "NET_DEVICE": {"18": 40, "076": 48}, "POSIX_TIMER": {"18": 72, "079": 88},
    "HEADER": {"18": 16}, "BITS": {"18": 24}, "REF": {"18": 24}, "FS": {"18": 24}, "FILES": {"18": 32},
    "TTY": {"18": 720}, "UBC": {"18": 3104}, "SYSV_SHM": {"18": 128}, "SYSV_SEM": {"18": 96}, "SEM_UNDO_REC": {"18": 24},
    "SYSVMSG": {"18": 128}, "SYSVMSG_MSG": {"18": 32}, "PAGES": {"18": 32}, "COPYPAGES": {"18": 40}, "VMA": {"18": 80},
    "AIO": {"18": 40}, "X86_REGS": {"18": 120}, "X86_64_REGS": {"18": 280}, "SIGALTSTACK": {"18": 32},
    "TASK_AUX": {"18": 152}, "SIGHANDLER": {"18": 56}, "EPOLL": {"18": 24}, "EPOLL_FILE": {"18": 48},
    "INOTIFY": {"18": 40}, "INOTIFY_WATCH": {"18": 24}, "TIMERFD": {"18": 48}, "EVENTFD": {"18": 32},
    "CGROUP": {"18": 32}, "HWADDR": {"18": 48}, "STATS": {"18": 232}, "VETH": {"18": 24}, "IFADDR": {"18": 96},
    "TRAILER": {"18": 248}, "SKFILTER": {"18": 24}, "SOCK_PACKET": {"18": 80}, "SOCK_PACKET_MC": {"18": 64}, "TUNTAP": {"18": 72},
}
NUMBERS = {
    "TASK": 0, "MM": 1, "FS": 2, "FILES": 3, "FILE": 4, "SIGHAND": 5, "SIGNAL": 6, "TTY": 7, "SOCKET": 8, "SEM_UNDO": 9,
    "NAMESPACE": 10, "SYSV_SHM": 11, "INODE": 12, "UBC": 13, "CGROUP": 18, "CGROUPS": 19, "TIMER_LIST": 20, "VMA": 1024,
    "FILEDESC": 1025, "SIGHANDLER": 1026, "SIGINFO": 1027, "SYSV_SEM": 1029, "SKB": 1030, "FLOCK": 1031, "VFSMOUNT": 1033,
    "TRAILER": 1034, "SEM_UNDO_REC": 1035, "NET_DEVICE": 1036, "IFADDR": 1037, "ROUTE": 1038, "AIO": 1041, "VEINFO": 1042,
    "EPOLL": 1043, "EPOLL_FILE": 1044, "SIGALTSTACK": 1046, "SYSVMSG": 1049, "SYSVMSG_MSG": 1050, "MM_AUXV": 1051,
    "X86_REGS": 4096, "X86_64_REGS": 4097, "PAGES": 4098, "COPYPAGES": 4099, "REMAPPAGES": 4100, "LAZYPAGES": 4101,
    "NAME": 4102, "BITS": 4103, "REF": 4104, "ITERPAGES": 4105, "VSYSCALL": 4107, "INOTIFY": 4109, "INOTIFY_WATCH": 4110,
    "TASK_AUX": 4112, "TUNTAP": 4113, "SOCK_PACKET": 4124, "SOCK_PACKET_MC": 4125, "SKFILTER": 1045, "HWADDR": 4114, "VETH": 4115, "STATS": 4116, "TIMERFD": 4118, "EVENTFD": 4119, "POSIX_TIMER": 4123,
}
SECTIONS = {
    "VEINFO": 1, "FILES": 2, "TASKS": 3, "MM": 4, "FILES_STRUCT": 5, "FS": 6, "SIGHAND": 7, "TTY": 8, "SOCKET": 9,
    "NAMESPACE": 10, "SEM_UNDO": 11, "INODE": 12, "SYSV_SEM": 14, "ORPHANS": 15, "NET_DEVICE": 16, "NET_IFADDR": 17,
    "NET_ROUTE": 18, "NET_IPTABLES": 19, "UTSNAME": 22, "TRAILER": 23, "UBC": 24, "EPOLL": 27, "VSYSCALL": 28, "INOTIFY": 29,
    "SYSV_MSG": 30, "SNMP": 31, "CGROUPS": 32, "POSIX_TIMERS": 33,
}
# Padding and what is as good as that: object, offset, bytes.
PADS = [("FILE", 84, 4), ("FILES", 28, 4), ("FS", 20, 4), ("INODE", 108, 4), ("TTY", 71, 1), ("TTY", 74, 2), ("SOCKET", 66, 2),
        ("SOCKET", 48, 1), ("SOCKET", 402, 6), ("SOCKET", 500, 4), ("SOCKET", 579, 1), ("SOCKET", 613, 3), ("SOCKET", 671, 1),
        ("SOCKET", 908, 4), ("SOCKET", 914, 6), ("SKB", 107, 1), ("SYSV_SEM", 76, 4), ("SYSVMSG", 76, 4), ("MM", 123, 1),
        ("TASK", 204, 4), ("TASK", 414, 2), ("SIGALTSTACK", 28, 4), ("TASK_AUX", 24, 128), ("SIGNAL", 23, 1),
        ("SIGNAL", 92, 4), ("SIGHANDLER", 20, 4), ("BITS", 20, 4), ("POSIX_TIMER", 36, 4), ("POSIX_TIMER", 76, 4),
        ("NET_DEVICE", 44, 4), ("TUNTAP", 54, 2), ("SOCK_PACKET", 27, 5), ("SKFILTER", 20, 4), ("VEINFO", 84, 4), ("INOTIFY", 36, 4), ("VETH", 20, 4)]
RAW, ARRAY, DATA, NAME, STACK, FPU_OLD, FPU, LDT, SEMS, UNDO, NLM, XSAVE, PRAM = range(13)

TEXT, HEAP, STACKAT, VDSO = 0x400000, 0x700000, 0x7ffffffdd000, 0x7fff10000000
SHARED, SYSV, REMAP = 0x2aaa00000000, 0x2bbb00000000, 0x2ccc00000000


def page(n):
    return bytes((n * 37 + i * 11 + (i >> 8)) & 255 for i in range(4096))


class Image:
    def __init__(self, tree, version, arch, garbage):
        self.tree, self.version, self.arch = TREES.index(tree), version, arch
        self.random = random.Random(garbage) if garbage is not None else None
        self.buf, self.sections, self.at = bytearray(), {}, {}

    def since(self, tree):
        return self.tree >= TREES.index(tree)

    def size(self, name):
        rows = SIZES.get(name, {"18": 16})
        size = [n for t, n in rows.items() if self.since(t)][-1]
        if name == "SIGINFO" and self.arch == 0 and size == 184:
            size = 192
        return 28 if name == "CGROUP" and self.arch == 0 else size

    def noise(self, n):
        return bytes(self.random.randrange(256) for _ in range(n)) if self.random else bytes(n)

    def pad(self):
        self.buf += self.noise(-len(self.buf) % 8)

    def begin(self, name, content=RAW, number=None, size=None, **fields):
        """fields: name given as _OFFSET=(format, value); those that the header does not reach are left out."""
        size = size or self.size(name)
        b = bytearray(size)
        for obj, off, n in PADS:
            if obj == name and off + n <= size:
                b[off:off + n] = self.noise(n)
        if name == "MM":
            if self.version < 0x600:
                b[124:128] = self.noise(4)
            if self.version >= 0x800:
                b[120:121] = self.noise(1)
        for key, (fmt, value) in fields.items():
            off = int(key[1:])
            values = value if isinstance(value, (list, tuple, range)) else [value]
            raw = value if isinstance(value, (bytes, bytearray)) else b"".join(
                struct.pack("<" + fmt, v & ((1 << 8 * struct.calcsize(fmt)) - 1)) for v in values)
            if off + len(raw) <= size:
                b[off:off + len(raw)] = raw
        struct.pack_into("<QIHH", b, 0, 0, NUMBERS[name] if number is None else number, size, content)
        at = len(self.buf)
        self.buf += b
        return at

    def end(self, at, pad=True):
        if pad:
            self.pad()
        struct.pack_into("<Q", self.buf, at, len(self.buf) - at)
        return at

    def one(self, name, content=RAW, body=b"", pad=True, **fields):
        at = self.begin(name, content, **fields)
        self.buf += body
        return self.end(at, pad)

    def name(self, text, content=NAME):
        return self.one("NAME", content, text.encode() + b"\0")

    def bits(self, content, data):
        return self.one("BITS", content, data, _16=("I", len(data)))

    def section(self, name):
        self.sections[SECTIONS[name]] = len(self.buf)
        self.current = len(self.buf)
        self.buf += struct.pack("<QIHH", 0, SECTIONS[name], 16, 0)

    def close(self):
        struct.pack_into("<Q", self.buf, self.current, len(self.buf) - self.current)


def dev(major, minor):
    return major << 20 | minor


def packed(sec, ns):
    return sec << 32 | ns


def veinfo(im):
    im.section("VEINFO")
    im.one("VEINFO", _16=("I", [33554432, 2097152, 4096, 8192, 16, 16384, 250, 32000, 32, 128]), _72=("I", 7))
    im.close()
    im.section("UBC")
    top = im.one("UBC", _16=("Q", NONE), _24=("I", 101), _32=("Q", range(384)))
    im.one("UBC", _16=("Q", top), _24=("I", 1), _32=("Q", [5] * 384))
    im.ub = top
    im.close()


def namespace(im):
    im.section("NAMESPACE")
    at = im.ns = im.begin("NAMESPACE", ARRAY)
    mounts = []
    for source, point, kind, parent in (("/dev/simfs", "/", "simfs", NONE), ("proc", "/proc", "proc", 0),
                                        ("tmp", "/tmp", "tmpfs", 0), ("pts", "/tmp/pts", "devpts", 2)):
        m = im.begin("VFSMOUNT", ARRAY, _16=("I", 0x20), _20=("I", 0), _24=("Q", NONE),
                     _32=("Q", NONE if parent == NONE else mounts[parent]), _40=("Q", [NONE, NONE]))
        for text in (source, point, kind):
            im.name(text)
        if kind == "tmpfs" and im.since("061"):
            im.one("NAME", DATA, b"a tar stands here", size=24, _16=("I", 17))
        mounts.append(im.end(m))
    im.mounts = mounts
    im.end(at)
    im.close()


def cgroups(im):
    im.section("CGROUPS")
    at = im.begin("CGROUPS", ARRAY)
    im.name("cpu,cpuacct")
    g = im.begin("CGROUP", _16=("I", 0), _20=("I", -1), _24=("I", 0))
    im.buf += struct.pack("<3I", 1, 4, 0)
    im.end(g, False)
    g = im.begin("CGROUP", _16=("I", 1), _20=("I", 0), _24=("I", 1))
    im.name("below")
    im.buf += struct.pack("<2I", 2, 0)
    im.end(g, False)
    im.end(at)
    im.close()


def ttys(im):
    im.section("TTY")
    common = dict(_32=("I", 4), _80=("I", 1), _76=("I", 1), _152=("H", [33, 99, 0, 0]), _192=("I", [0x500, 5, 0xbf, 0x8a3b]),
                  _160=("B", [3, 28, 127, 21, 4] + [0] * 27))
    im.slave = im.begin("TTY", _24=("I", 8), _28=("I", 7), _36=("I", 2), **common)
    im.bits(DATA, b"typed ahead")
    im.end(im.slave)
    im.master = im.one("TTY", _24=("I", 7), _28=("I", 7), _36=("I", 1), **common)
    im.close()


def inode(im, key, mode, dev_, rdev=0, sb=0xef53, nlink=1, size=0, children=()):
    at = im.begin("INODE", ARRAY, _16=("Q", dev_), _24=("Q", 100 + len(im.at)), _32=("I", [mode, nlink, 12, 13]),
                  _48=("Q", [rdev, size, 4096, packed(1000, 2000), packed(1001, 2001000), packed(1002, 2), 0]),
                  _104=("I", sb), _112=("Q", im.mounts[0] if im.mounts else NONE))
    for child in children:
        child()
    im.at[key] = im.end(at)


def pages(im, name, start, end, body=b"", content=DATA, extra=(), pad=True):
    at = im.begin(name, content, size=32 + 8 * len(extra), _16=("Q", [start, end] + list(extra)))
    im.buf += body
    im.end(at, pad)


def inodes(im):
    im.section("INODE")
    tmpfs = 0x01021994
    inode(im, "null", 0o20666, dev(0, 5), dev(1, 3), tmpfs)
    inode(im, "pipe", 0o10600, dev(0, 6), sb=0x50495045, children=[lambda: im.bits(DATA, b"what is in the pipe")])
    inode(im, "fifo", 0o10644, dev(8, 1), children=[lambda: im.bits(DATA, b"fifo bytes")])
    inode(im, "tty", 0o20620, dev(0, 9), dev(136, 7), 0x1cd1, children=[lambda: im.one("REF", _16=("Q", im.slave))])
    last = page(73)[:1808] if not im.since("061") else page(73)[:1808] + bytes(2288)
    inode(im, "gone", 0o100640, dev(8, 300), nlink=0, size=4 * 4096 + 1808, children=[
        lambda: pages(im, "PAGES", 0, 8192, page(70) + page(71)),
        lambda: pages(im, "PAGES", 4 * 4096, 4 * 4096 + len(last), last)])
    inode(im, "renamed", 0o100644, dev(8, 1), nlink=1, size=5, children=[lambda: im.name("/data/other-name")])
    inode(im, "shm", 0o100777, dev(0, 4), sb=tmpfs, nlink=0, size=3 * 4096, children=[
        lambda: pages(im, "PAGES", 4096, 8192, page(80))])
    inode(im, "sysv", 0o100777, dev(0, 4), sb=tmpfs, nlink=0, size=2 * 4096, children=[
        lambda: im.one("SYSV_SHM", _16=("Q", [0x1234, 10, 11, 12, 13, 0o640, 0]), _72=("I", 65536), _80=("Q", 8192)),
        lambda: pages(im, "PAGES", 0, 4096, page(81))])
    inode(im, "socket", 0o140777, dev(0, 3))
    im.close()


def file(im, key, path, flags=0, mode=3, pos=0, i_mode=0o100644, lflags=0, node=None, priv=NONE, fown=(0, 0, 0, 0, 0),
         children=()):
    at = im.begin("FILE", ARRAY, _16=("I", [flags, mode]), _24=("Q", pos), _32=("I", [0, 0, i_mode, lflags]),
                  _48=("Q", [im.at[node] if node else NONE, priv]), _64=("I", fown),
                  _88=("Q", im.mounts[0] if path.startswith("/") else NONE))
    im.name(path)
    for child in children:
        child()
    im.at["f:" + key] = im.end(at)


def files(im):
    im.section("FILES")
    file(im, "null", "/dev/null", 0o100002, i_mode=0o20666, node="null")
    file(im, "log", "/var/log/x", 0o102001, 2, 77, fown=(1, 4, 5, 6, 10))
    file(im, "r", "pipe:[12]", 0, 1, i_mode=0o10600, node="pipe")
    file(im, "w", "pipe:[12]", 0o4001, 2, i_mode=0o10600, node="pipe")
    file(im, "fifo", "/run/fifo", 2, i_mode=0o10644, node="fifo")
    file(im, "tty", "/dev/pts/7", 0o100002, i_mode=0o20620, node="tty", priv=im.slave)
    file(im, "gone", "/tmp/gone (deleted)", 0o100002, pos=5000, lflags=1, node="gone")
    file(im, "renamed", "/data/old (deleted)", 0o100000, 1, 3, lflags=1, node="renamed")
    file(im, "shm", "/dev/zero (deleted)", 2, i_mode=0o100777, lflags=1, node="shm")
    file(im, "sysv", "/SYSV00001234 (deleted)", 2, i_mode=0o100777, lflags=1, node="sysv")
    file(im, "exe", "/bin/prog", 0o100000, 0x1d, i_mode=0o100755)
    file(im, "unix1", "socket:[21]", 2, i_mode=0o140777, node="socket", priv=0)
    file(im, "unix2", "socket:[22]", 2, i_mode=0o140777, node="socket", priv=1)
    file(im, "listen", "socket:[23]", 2, i_mode=0o140777, node="socket", priv=2)
    file(im, "udp", "socket:[24]", 0o4002, i_mode=0o140777, node="socket", priv=3)
    for number, key in enumerate(("tcp1", "tcp2", "tcp3", "tcp4", "packet", "netlink")):
        file(im, key, "socket:[%d]" % (25 + number), 2, i_mode=0o140777, node="socket", priv=4 + number)
    file(im, "tun", "/dev/net/tun", 2, i_mode=0o20666, lflags=0x100)
    file(im, "epoll", "anon_inode:[eventpoll]", 2, i_mode=0o600, lflags=0x10, priv=55)
    file(im, "inotify", "anon_inode:inotify", 0, i_mode=0o600, lflags=0x40, priv=56)
    file(im, "signalfd", "anon_inode:[signalfd]", 2, i_mode=0o600, lflags=0x800, priv=1 << 9 | 1 << 14)
    if im.since("061"):
        file(im, "timerfd", "anon_inode:[timerfd]", 2, i_mode=0o600, lflags=0x1000, children=[
            lambda: im.one("TIMERFD", _16=("Q", [3600 * 10**9 + 5, 60 * 10**9, 2]), _40=("I", [0, 1]))])
        file(im, "eventfd", "anon_inode:[eventfd]", 2, i_mode=0o600, lflags=0x2000, children=[
            lambda: im.one("EVENTFD", _16=("Q", 41), _24=("I", 1))])
    file(im, "locked", "/data/locked", 2, children=[
        lambda: im.one("FLOCK", _16=("I", [0, 1]), _24=("Q", [10, 19]), _40=("I", [1, 1]))])
    im.close()
    im.section("EPOLL")
    at = im.begin("EPOLL", ARRAY, _16=("Q", im.at["f:epoll"]))
    im.one("EPOLL_FILE", _16=("Q", im.at["f:r"]), _24=("I", [3, 1]), _32=("Q", 0xfeed), _40=("I", [0, 0]))
    im.end(at)
    im.close()
    im.section("INOTIFY")
    at = im.begin("INOTIFY", ARRAY, _16=("Q", im.at["f:inotify"]), _24=("I", [0, 100, 2]))
    watch = im.begin("INOTIFY_WATCH", ARRAY, _16=("I", [1, 0x100]))
    file(im, "watched", "/data", 0, 0, i_mode=0o40755)
    im.end(watch)
    im.end(at)
    im.close()


def socket(im, key, index, type_, family, state, proto, laddr, raddr=b"", peer=0xffffffff, backlog=0, flags=0, children=(),
           parent=0xffffffff, **fields):
    at = im.begin("SOCKET", ARRAY, _16=("Q", im.at["f:" + key] if key else NONE), _24=("I", [parent, index]),
                  _40=("H", [type_, family]), _45=("B", [1, state, 1]), _55=("B", proto), _64=("H", backlog), _68=("I", [3, 1]), _80=("Q", [1500, 2**63 - 1]),
                  _96=("I", [5000, 6000]), _104=("Q", flags), _112=("Q", 7000), _132=("I", len(laddr)), _136=("", laddr),
                  _264=("I", len(raddr)), _268=("", raddr), _396=("I", peer), **fields)
    for child in children:
        child()
    im.end(at)


def skb(im, data, queue=1):
    at = im.begin("SKB", ARRAY, _16=("I", [0, queue]), _32=("I", [len(data), 16, 4]))
    im.bits(DATA, b"h" * 16 + data + b"tail")
    im.end(at)


def packet_attributes(im):
    at = im.begin("SOCK_PACKET", ARRAY, _16=("I", [1, 2]), _24=("B", [1, 1, 0]), _32=("I", [9, 1, 4, 3]),
                  _48=("I", [4096, 2, 2048, 4]))
    if im.since("108"):
        im.one("SOCK_PACKET_MC", _16=("I", [2, 2]), _24=("H", [1, 6]), _28=("", b"\1\2\3\4\5\6" + bytes(26)))
    im.end(at)


def connections(im, inet):
    """TCP: A is connected to B; C has closed, D has it acknowledged; one waits for accept(), one is an orphan's."""
    def tcp(key, index, state, local, remote, rcv, snd, queues, shutdown=0, parent=0xffffffff):
        # rcv: rcv_nxt, copied_seq; snd: snd_una, snd_nxt, write_seq
        fields = dict(
            _49=("B", shutdown), _50=("B", 3), _432=("i", 33), _436=("i", 16), _584=("I", [rcv[0], snd[1], snd[0]]),
            _632=("I", [rcv[0] - 1, 5840, 65535]), _654=("H", 1460), _736=("I", [29200, rcv[0] - 10, snd[2], 0, rcv[1]]),
            _756=("B", [1, 1, 1, 1, 7, 6, 1, 5]), _764=("I", [1, 4321]), _841=("B", 1), _884=("i", [33000, 11000]))
        socket(im, key, index, 1, 2, state, 6, inet(*local), inet(*remote), parent=parent, children=[
            (lambda d=d, q=q: skb(im, d, q)) for q, d in queues], **fields)

    a, b, c = ("127.0.0.1", 8080), ("127.0.0.1", 4001), ("127.0.0.1", 4002)
    # the first SKB was read in part; what came ahead of others is left out; of what was sent a part is acknowledged
    tcp("tcp1", 4, 1, b, a, (5000, 4993), (0xfffffffe, 1, 6), [(1, b"read, "), (1, b"waits"), (2, b"gone,"), (2, b"unacked!"),
                                                               (3, b"ahead")])
    tcp("tcp2", 5, 1, a, b, (0xfffffffe, 0xfffffffe), (5000, 5000, 5000), [])
    # CLOSE_WAIT: the FIN was received and not read; FIN_WAIT1: neither it nor the last two bytes were sent
    tcp("tcp3", 6, 8, c, a, (700, 696), (900, 900, 900), [(1, b"bye"), (1, b"")], 1)
    tcp("tcp4", 7, 4, a, c, (900, 900), (690, 694, 697), [(2, b"sentno"), (2, b"")], 2)
    tcp(None, 0xffffffff, 1, a, ("10.0.0.9", 99), (1, 1), (1, 1, 1), [], parent=2)


def sockets(im):
    im.section("SOCKET")
    un = lambda text: struct.pack("<H", 1) + text
    inet = lambda a, port: struct.pack("<H", 2) + struct.pack(">H", port) + bytes(map(int, a.split("."))) + bytes(8)
    socket(im, "unix1", 0, 1, 1, 1, 0, un(b"/run/sock"), peer=1, flags=8, children=[lambda: skb(im, b"waiting bytes")],
           _912=("H", 0o640), _920=("I", [5, 6]))
    socket(im, "unix2", 1, 1, 1, 1, 0, un(b""), peer=0, _920=("I", [-1, -1]))
    socket(im, "listen", 2, 1, 2, 10, 6, inet("127.0.0.1", 8080), backlog=5)
    socket(im, "udp", 3, 2, 2, 7, 17, inet("10.1.2.3", 53), inet("10.9.8.7", 999), flags=0x40,
           children=[lambda: skb(im, b"datagram")])
    connections(im, inet)
    # what protocol and device are of the one, port, groups and the peer's group of the other
    packet = [lambda: im.one("SKFILTER", DATA, struct.pack("<HBBI", 6, 0, 0, 0xffff), _16=("I", 8))]
    if im.since("092"):
        packet.append(lambda: packet_attributes(im))
    socket(im, "packet", 8, 3, 17, 7, 0, struct.pack("<H", 17) + struct.pack(">H", 0x800) + struct.pack("<IHBB", 2, 1, 0, 6),
           children=packet)
    socket(im, "netlink", 9, 3, 16, 0, 15, struct.pack("<HHII", 16, 0, 77, 5), struct.pack("<HHII", 16, 0, 78, 8))
    im.close()


def tables(im):
    im.section("FILES_STRUCT")
    keys = "null log log r w fifo tty gone renamed unix1 unix2 listen udp epoll inotify signalfd".split()
    if im.since("061"):
        keys += ["timerfd", "eventfd"]
    keys += "locked tcp1 tcp2 tcp3 tcp4 packet netlink tun".split()
    for number, names in enumerate((keys, ["null", "log", "r"])):
        at = im.begin("FILES", ARRAY, _16=("I", [number, 64, len(names)]))
        for fd, key in enumerate(names):
            im.one("FILEDESC", _16=("I", [fd, fd == 1]), _24=("Q", im.at["f:" + key]), _32=("Q", 0))
        im.at["t%d" % number] = im.end(at)
    im.close()
    im.section("FS")
    at = im.begin("FS", ARRAY, _16=("I", 0o27))
    file(im, "root", "/", 0, 0, i_mode=0o40755)
    file(im, "cwd", "/data", 0, 0, i_mode=0o40755)
    im.fs = im.end(at)
    im.close()


def net(im):
    im.section("NET_DEVICE")
    at = im.begin("NET_DEVICE", ARRAY, _16=("I", [1, 0x49]), _24=("", b"lo\0"), _40=("I", 16436))
    im.one("STATS", _16=("Q", [1, 2, 3, 4]))
    im.end(at)
    at = im.begin("NET_DEVICE", ARRAY, _16=("I", [2, 0x1043]), _24=("", b"eth0\0"), _40=("I", 1500))
    im.one("VETH", _16=("I", 1))
    im.one("HWADDR", _16=("", bytes([0, 0x18, 0x51, 1, 2, 3]) + bytes(26)))
    im.end(at)
    at = im.begin("NET_DEVICE", ARRAY, _16=("I", [3, 0x1091]), _24=("", b"tap9\0"), _40=("I", 1400))
    im.one("TUNTAP", _16=("I", 1000), _24=("Q", 0x2 | 0x40 | 0x100), _32=("Q", im.at["f:tun"]))
    im.end(at)
    im.close()
    im.section("NET_IFADDR")
    im.one("IFADDR", _16=("I", 2), _20=("B", [2, 24, 0, 0]), _24=("I", 0x0302010a), _72=("", b"eth0\0"))
    im.close()
    im.section("NET_ROUTE")
    im.one("ROUTE", NLM, struct.pack("<IHHII", 28, 24, 0, 0, 0) + bytes([2, 24, 0, 0, 254, 2, 0, 1]) + bytes(4))
    im.close()
    im.section("NET_IPTABLES")
    im.name("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    im.name("*filter\nCOMMIT\n", 0xffff)
    im.close()
    if im.version >= 0x800:
        im.section("SNMP")
        for i in range(9):
            im.one("BITS", size=16, body=struct.pack("<4I", i, 1, 2, 3))
        im.close()


def sighand(im):
    im.section("SIGHAND")
    at = im.begin("SIGHAND", ARRAY)
    im.one("SIGHANDLER", _16=("I", 9), _24=("Q", [TEXT + 0x100, TEXT + 0x200, 0x14000000, 1 << 0]))  # SIGUSR1
    im.one("SIGHANDLER", _16=("I", 12), _24=("Q", [1, 0, 0, 0]))  # SIGPIPE
    im.sighand = im.end(at)
    im.close()
    if im.since("076"):
        im.section("POSIX_TIMERS")
        at = im.begin("TIMER_LIST", ARRAY)
        im.one("POSIX_TIMER", number=None if im.since("079") else 4122, _16=("I", [3, 1, 4, 0, 0]),
               _40=("Q", [2 * 10**9, 5 * 10**9 + 7, 0x77]), _64=("I", [34, 0]))
        im.timers = im.end(at)
        im.close()


def vma(im, start, end, flags, file_=None, type_=0, pgoff=0, body=()):
    at = im.begin("VMA", ARRAY, _16=("Q", im.at["f:" + file_] if file_ else NONE), _24=("I", [type_, 0]),
                  _32=("Q", [0, start, end, flags, 0x25, pgoff]))
    for child in body:
        child()
    im.end(at)


R, W, X, SH, MAY, GROWS, EXE, ACC = 1, 2, 4, 8, 0x70, 0x100, 0x1000, 0x100000


def space(im, key, data, heap, stack, more=False, narrow=False):
    at = im.begin("MM", ARRAY, _16=("Q", [TEXT, TEXT + 0x1fff, 0x600000, 0x600fff, HEAP, HEAP + 0x2000, STACKAT + 0x1000,
                                          STACKAT + 0x2000, STACKAT + 0x2010, STACKAT + 0x2010, STACKAT + 0x2020, 0]),
                  _112=("Q", im.ub))
    if im.version < 0x800:
        struct.pack_into("<B", im.buf, at + 120, 1)
    if im.since("061"):
        struct.pack_into("<Q", im.buf, at + 128, 0xcd)
    vma(im, TEXT, TEXT + 0x2000, R | X | MAY | EXE, "exe", body=[lambda: pages(im, "PAGES", TEXT, TEXT + 0x1000, page(1))]
        if more else [lambda: pages(im, "COPYPAGES", TEXT, TEXT + 0x1000, content=RAW, extra=[im.at["mm1"]])])
    vma(im, 0x600000, 0x602000, R | W | MAY | EXE | ACC, "exe", pgoff=2, body=data)
    vma(im, HEAP, HEAP + 0x3000, R | W | MAY | ACC, body=heap)
    if narrow:
        vma(im, 0x8048000, 0x804a000, R | X | MAY | EXE, "exe")
        vma(im, 0xbf000000, 0xbf001000, R | W | MAY | ACC)
    if more:
        vma(im, SHARED, SHARED + 0x3000, R | W | SH | MAY, "shm", type_=1)
        vma(im, SYSV, SYSV + 0x2000, R | W | SH | MAY, "sysv", type_=1)
        vma(im, REMAP, REMAP + 0x5000, R | SH | MAY | 0x800000, "log", pgoff=1, body=[
            lambda: pages(im, "REMAPPAGES", REMAP + 0x1000, REMAP + 0x3000, content=RAW, extra=[9])])
        vma(im, REMAP + 0x10000, REMAP + 0x11000, R | W | MAY, "log", body=[
            lambda: pages(im, "PAGES", REMAP + 0x10000, REMAP + 0x11000, content=RAW)])
        vma(im, VDSO, VDSO + 0x1000, R | X | MAY, type_=3 if im.version < 0x800 else 2)
    vma(im, STACKAT, STACKAT + 0x3000, R | W | MAY | GROWS | ACC, body=stack)
    if more:
        im.one("AIO", _16=("I", [64, 2, 0, 0]), _32=("Q", HEAP))
    if im.since("076"):
        im.one("MM_AUXV", DATA, struct.pack("<4Q", 6, 4096, 17, 100))
    im.at[key] = im.end(at)


def spaces(im):
    im.section("MM")
    P = lambda a, n: lambda: pages(im, "PAGES", a, a + 4096 * (len(n)), b"".join(map(page, n)))
    C = lambda a, count, key: lambda: pages(im, "COPYPAGES", a, a + 4096 * count, content=RAW, extra=[im.at[key]])
    space(im, "mm1", [P(0x600000, [2])], [P(HEAP, [3, 4])], [P(STACKAT + 0x1000, [5, 6])], True)
    space(im, "mm2", [C(0x600000, 1, "mm1")], [C(HEAP, 1, "mm1"), P(HEAP + 0x1000, [40])], [C(STACKAT + 0x1000, 2, "mm1")])
    # from one that copied itself, across the seam of what it copied and what is its own
    space(im, "mm3", [P(0x600000, [50])], [C(HEAP, 2, "mm2")], [C(STACKAT + 0x2000, 1, "mm2")], narrow=True)
    im.close()


def sysv(im):
    im.section("SYSV_SEM")
    im.one("SYSV_SEM", SEMS, struct.pack("<6I", 5, 1, 0, 0, 9, 2), _16=("Q", [0x2345, 1, 2, 3, 4, 0o600, 0]), _72=("I", 3),
           _80=("Q", [1, 2]))
    im.close()
    im.section("SEM_UNDO")
    at = im.begin("SEM_UNDO", ARRAY)
    im.one("SEM_UNDO_REC", UNDO, struct.pack("<3H", 1, 2, 3), pad=False, _16=("I", [3, 3]))
    im.undo = im.end(at, False)
    im.close()
    im.section("SYSV_MSG")
    at = im.begin("SYSVMSG", ARRAY, _16=("Q", [0x3456, 1, 2, 3, 4, 0o622, 0]), _72=("I", 8), _80=("Q", [1, 2, 3, 4, 5, 16384]))
    im.one("SYSVMSG_MSG", DATA, b"eleven byte", pad=False, _16=("Q", [11, 11]))
    im.one("SYSVMSG_MSG", DATA, b"odd", pad=False, _16=("Q", [22, 3]))
    im.end(at, False)
    im.close()


def siginfo(im, signo, code, pid, uid, value):
    n = 28 if im.arch else 29
    union = struct.pack("<IIQ", pid, uid, value) if im.arch else struct.pack("<III", pid, uid, value)
    im.one("SIGINFO", _16=("I", [0, signo, 0, code]), _32=("Q", value), _40=("I", [pid, uid]), _48=("Q", [0, 0, 0]),
           _72=("", union + bytes(4 * n - len(union))))


def registers(im, bits, rax, orig):
    if bits == 64:
        im.one("X86_64_REGS", _16=("Q", [0] * 8), _80=("Q", [0x700800, 0]), _96=("I", [0, 0, 0, 0]),
               _112=("Q", [15, 14, 13, 12, 0x7ffffffde800, 3, 0x246, 10, 9, 8, rax, 0x401234, 2, 1, 5, orig, 0x401236, 7, 0x246,
                           0x7ffffffde700, 6]))
    else:
        user_gs = 1  # slot 0
        gs, ugs = (user_gs, 0x55) if im.version < 0x800 else (0, user_gs)
        im.one("X86_REGS", _16=("I", [0] * 8), _48=("I", [0, gs, 1, 2, 3, 4, 5, 6, rax, 4, 4, orig, 0x8049002, 5, 0x246, 0xbf000000,
                                                           4, ugs]))


def task(im, pid, tgid, ppid, mm, table, comm, bits=64, rax=35, orig=-1, state=1, last=True, fpu="fx", leader=None, pending=(),
         shared=(), restart=(0, 0, 0, 0, 0)):
    if im.arch == 0:
        bits = 32
    dead = state & 0x30
    limits = [1000 + i for i in range(16)]
    fields = dict(
        _16=("Q", [state, 0, 0]), _40=("I", [120, 125, 0, 0]), _96=("Q", [NONE if dead else im.at[mm], NONE if dead else im.at[table],
                                                                        NONE if dead else im.fs, 0, NONE if dead else im.sighand]),
        _136=("Q", [1 << 11, 0, sum(1 << s[0] - 1 for s in pending), im.ns, im.undo if pid == 1 else NONE]),
        _176=("I", [pid, tgid, ppid, ppid, 1, 1, 0]), _208=("I", tgid), _215=("B", bits == 64), _224=("Q", 0x1234),
        _232=("I", [0x2a00 if dead else 0, 17, 9]), _248=("I", [10, 11, 12, 13, 20, 21, 22, 23, 3, 100, 200, 300]),
        _416=("Q", [0xa, 0xb, 0xe]), _440=("", comm.encode() + b"\0"),
        _456=("Q", [0x8040f30000000fff | 0x1234 << 16, 0, 0] if bits == 32 else [0, 0, 0]), _480=("Q", restart),
        _520=("Q", [100 * 10**9, 50 * 10**9, 2000, 1000, 500, 250]), _568=("H", 1), _570=("B", 1),
        _688=("Q", limits), _816=("Q", limits), _944=("Q", [im.ub, im.ub, im.ub, NONE]),
        _976=("Q", im.timers if pid == tgid and not dead and im.since("076") else NONE), _984=("Q", 0x1ffffffff))
    at = im.begin("TASK", ARRAY, **fields)
    if not dead:
        im.bits(STACK, b"\x5a" * 20)
    registers(im, bits, rax, orig)
    area = bytearray(512)
    struct.pack_into("<HHBxH", area, 0, 0x37f, 0, 0, 0)
    struct.pack_into("<I", area, 24, 0x1f80)
    area[160:176] = bytes(range(16))
    if fpu == "old":
        im.bits(FPU_OLD, struct.pack("<7I", 0xffff037f, 0xffff0000, 0xffffffff, 0, 0, 0, 0) + bytes(84))
    elif fpu == "xsave":
        im.bits(XSAVE, bytes(area) + struct.pack("<Q", 3) + bytes(56))
    elif fpu == "fx":
        im.bits(FPU, bytes(area))
    if not dead:
        im.one("SIGALTSTACK", _16=("Q", HEAP), _24=("I", 8192))
        im.one("TASK_AUX", _16=("Q", 0x5550))
        for signal in pending:
            siginfo(im, *signal)
    if last:
        s = im.begin("SIGNAL", ARRAY, _16=("I", pid == 1), _24=("Q", [1, 1, 1]), _48=("Q", sum(1 << x[0] - 1 for x in shared)),
                     _56=("Q", im.slave), _192=("Q", [7000 + i for i in range(16)]), _320=("Q", [8000 + i for i in range(16)]),
                     _448=("Q", 0))
        for signal in shared:
            siginfo(im, *signal)
        im.end(s)
        for t in im.group + [at]:
            struct.pack_into("<Q", im.buf, t + 120, s)
        im.group = []
    else:
        im.group.append(at)
    im.end(at)


def tasks(im):
    im.section("TASKS")
    im.group = []
    old = "old" if im.arch == 0 else "fx"
    task(im, 1, 1, 0, "mm1", "t0", "init", rax=-512, orig=7, fpu=old, shared=[(40, -1, 1, 0, 0x55)])
    # its parent is a thread that leads nothing
    number, block = im.sleeper
    task(im, 2, 2, 1, "mm2", "t1", "worker", rax=-516, orig=number, last=False, fpu="xsave" if im.since("061") else "fx",
         restart=block)
    task(im, 3, 2, 1, "mm2", "t1", "thread", rax=-4, orig=202 if im.arch else 240, pending=[(12, -6, 1, 10, 0)])
    task(im, 4, 4, 3, "mm3", "t1", "narrow", bits=32, rax=-514, orig=29, state=4)
    task(im, 5, 5, 1, None, None, "zombie", state=16, fpu=None)
    im.close()
    im.section("ORPHANS")
    im.close()


def trailer(im):
    im.section("UTSNAME")
    im.name("ct101.example")
    im.name("example")
    if im.since("061"):
        im.name("2.6.32-042stab%s" % TREES[im.tree])
    im.close()
    if im.version >= 0x800:
        im.section("VSYSCALL")
        pages(im, "VSYSCALL", 0xffffe000, 0xfffff000, page(90))
        im.close()
    im.pad()
    im.section("TRAILER")
    index = [im.sections.get(i, NONE) for i in range(27)]
    im.one("TRAILER", _16=("I", [0, 4]), _24=("Q", index), _240=("I", [27, 0x63011c79]))
    im.close()


def sleeper(version, arch):
    """A nanosleep whose time left lies at 0x700100: its number, and the restart block of that version."""
    return 35 if arch else 162, (1, 1, 0x700100, 0, 5) if version >= 0x800 else (1, 5, 0, 0x700100, 1)


UPTIME = 1000  # seconds that the machine had run


def make(tree="141", version=None, arch=1, garbage=None, waits=None):
    """waits: the number of the system call that task 2 was in, and its restart block."""
    version = version if version is not None else VERSIONS.get(tree, 0x803)
    im = Image(tree, version, arch, garbage)
    im.sleeper = waits or sleeper(version, arch)
    im.buf += struct.pack("<IHHHHIIHHQII4I4IQ", 0x63011c79, 80, version, arch, 0, 1, 0, 4096, 1000,
                          (1 << 32) - 300 * 1000 + UPTIME * 1000, 1300000000, 5,
                          0x5f, 0, 0, 0, 0, 0, 0, 0, 0)
    if im.random:
        im.buf[10:12] = im.noise(2)
    im.mounts = []
    veinfo(im)
    late = version < 0x801
    if not late:
        namespace(im)
        cgroups(im)
    ttys(im)
    if late:
        im.mounts = [NONE] * 4
    inodes(im)
    files(im)
    sockets(im)
    tables(im)
    net(im)
    if late:
        namespace(im)
    sighand(im)
    spaces(im)
    sysv(im)
    tasks(im)
    trailer(im)
    return bytes(im.buf)
