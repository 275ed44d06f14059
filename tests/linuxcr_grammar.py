#!/usr/bin/env python3
"""An independent reading of kernel streams (x86, postings v20 and v23-rc2): the whole grammar, every length,
every reference and the order in which numbers are given, from the published layouts alone.
    linuxcr_grammar.py FILE...        "FILE: ok" for each, exit 1 at the first thing wrong
    linuxcr_grammar.py -v FILE        every record with its fields, one a line
"""
import struct
import sys

HEAD, TAIL = 0x00FEED0CC0A2D200, 0x002D2A0CC0DEEF00
PAGE = 4096
CHUNK = 16 * 512 * 8  # bytes of addresses in one chunk of pages, at most

# Types as v23-rc2 numbers them; those from 101 to 118 are one less in v20, which has no PIDS.
NAMES = {
    1: "HEADER", 2: "HEADER_ARCH", 3: "CONTAINER", 4: "BUFFER", 5: "STRING", 6: "OBJREF", 7: "LSM_INFO", 8: "SECURITY",
    101: "PIDS", 102: "TREE", 103: "TASK", 104: "TASK_NS", 105: "TASK_OBJS", 106: "RESTART_BLOCK", 107: "THREAD",
    108: "CPU", 109: "NS", 110: "UTS_NS", 111: "IPC_NS", 112: "MNT_NS", 113: "CAPABILITIES", 114: "USER_NS", 115: "CRED",
    116: "USER", 117: "GROUPINFO", 118: "TASK_CREDS", 201: "CPU_FPU", 202: "LDT", 301: "FILE_TABLE", 302: "FILE_DESC",
    303: "FILE_NAME", 304: "FILE", 305: "PIPE_BUF", 306: "TTY", 307: "TTY_LDISC", 308: "EPOLL_ITEMS", 401: "MM",
    402: "VMA", 403: "PGARR", 404: "HPAGE", 405: "MM_CONTEXT", 451: "FS", 501: "IPC", 502: "IPC_SHM", 503: "IPC_MSG",
    504: "IPC_MSG_MSG", 505: "IPC_SEM", 506: "SEM_UNDO_LIST", 507: "SEM_UNDO", 601: "SIGHAND", 602: "SIGNAL",
    603: "SIGNAL_TASK", 604: "SIGPENDING", 701: "SOCKET", 702: "SOCKET_QUEUE", 703: "SOCKET_BUFFER", 704: "SOCKET_FRAG",
    705: "SOCKET_UNIX", 706: "SOCKET_INET", 707: "NET_NS", 708: "NETDEV", 709: "NETDEV_ADDR", 9001: "TAIL", 9999: "ERROR",
}
OBJECTS = ["IGNORE", "PID", "INODE", "FILE_TABLE", "FILE", "MM", "FS", "SIGHAND", "SIGNAL", "NS", "UTS_NS", "IPC_NS",
           "MNT_NS", "USER_NS", "CRED", "USER", "GROUPINFO", "SOCK", "TTY", "SECURITY_PTR", "SECURITY", "NET_NS",
           "NETDEV", "SEM_UNDO"]

# Fields of the payload, one after the other, as struct.unpack names them; "x" is padding, which is zero.
COMMON = {
    "HEADER": "magic:Q arch:H major:H minor:H patch:H rev:H :6x comm:H auxv:H nsig:H sysname:H nodename:H release:H "
              "version:H machine:H domain:H rlimits:H ttybuf:H ncc:H time:Q uflags:Q",
    "HEADER_ARCH": "fxsr:H xsave:H xstate:H :2x", "CONTAINER": "", "OBJREF": "type:I ref:i", "TREE": "tasks:I :4x",
    "PIDS": "pids:I vpids:I offset:i :4x", "TASK_NS": "ns:i :4x",
    "RESTART_BLOCK": "function:Q arg0:Q arg1:Q arg2:Q arg3:Q arg4:Q",
    "CPU": "r15:Q r14:Q r13:Q r12:Q bp:Q bx:Q r11:Q r10:Q r9:Q r8:Q ax:Q cx:Q dx:Q si:Q di:Q orig_ax:Q ip:Q sp:Q "
           "flags:Q fs:Q gs:Q fsindex:H gsindex:H cs:H ss:H ds:H es:H math:I",
    "USER_NS": "creator:i :4x", "USER": "uid:I userns:i", "TASK_CREDS": "cred:i ecred:i",
    "CRED": "uid:I suid:I euid:I fsuid:I gid:I sgid:I egid:I fsgid:I user:i groups:i sec:i :4x inh0:I inh1:I prm0:I "
            "prm1:I eff0:I eff1:I bnd0:I bnd1:I securebits:I :4x",
    "FILE_TABLE": "files:I :4x", "FILE_DESC": "file:i fd:i cloexec:I :4x", "EPOLL_ITEMS": "file:i items:I",
    "MM": "areas:I exe:i def_flags:Q flags:Q start_code:Q end_code:Q start_data:Q end_data:Q start_brk:Q brk:Q "
          "start_stack:Q arg_start:Q arg_end:Q env_start:Q env_end:Q",
    "PGARR": "pages:Q", "MM_CONTEXT": "vdso:Q entry:I entries:I", "IPC": "type:I count:I",
    "IPC_NS": "shmmax:Q shmall:Q shmmni:I msgmax:I msgmnb:I msgmni:I semmsl:I semmns:I semopm:I semmni:I",
    "IPC_MSG": "PERMS stime:Q rtime:Q ctime:Q cbytes:Q qnum:Q qbytes:Q lspid:I lrpid:I",
    "IPC_MSG_MSG": "type:Q size:I sec:i", "IPC_SEM": "PERMS otime:Q ctime:Q nsems:I :4x",
    "SIGNAL_TASK": "blocked:Q", "TAIL": "magic:Q", "SOCKET_QUEUE": "count:I bytes:I",
}
PERMS = ":8x id:i key:i uid:I gid:I cuid:I cgid:I mode:I :4x seq:Q sec:i :4x"
SOCKET = ("flags:Q state:B :7x bound:I reuse:I family:H skstate:B :5x rcvlowat:I :4x skflags:Q rcvtimeo:Q sndtimeo:Q err:I soft:I "
          "priority:I rcvbuf:I sndbuf:I type:H backlog:H protocol:B sockstate:B shutdown:B userlocks:B nocheck:B :3x "
          "onoff:I linger:I")
VMA = "type:I file:i inode:i :4x size:Q start:Q end:Q prot:Q flags:Q pgoff:Q"
FILE = "type:I mode:I flags:I cred:i pos:Q version:Q sec:i :4x"
V20 = {
    "TASK": "state:I exit_state:I exit_code:I exit_signal:i pdeath:I compat_len:I compat:I robust_len:I robust:Q "
            "set_tid:Q clear_tid:Q",
    "THREAD": "flags:I entries:H bytes:H", "NS": "uts:i ipc:i", "TASK_OBJS": "files:i mm:i fs:i sighand:i signal:i :4x",
    "FS": "", "VMA": VMA, "SIGINFO": "signo:i errno:i code:i pid:i uid:I int:i ptr:Q utime:Q stime:Q",
    "IPC_SHM": "PERMS size:Q atim:Q dtim:Q ctim:Q cprid:I lprid:I mlock_uid:I flags:I inode:i :4x",
    "SOCKET": SOCKET, "SOCKET_UNIX": "this:i peer:i peer_uid:I peer_gid:I flags:I llen:I rlen:I laddr:110s raddr:110s",
    "TTY": "driver:H subtype:H link:i file:i :4x index:I ldisc:I flags:Q iflag:H oflag:H cflag:H lflag:H line:B cc:8s :7x "
           "row:H col:H xpixel:H ypixel:H",
}
RC2 = {
    "TASK": "flags:I state:I exit_state:I exit_code:I exit_signal:i pdeath:I set_tid:Q clear_tid:Q sas:Q sas_size:I "
            "compat_len:I compat:I robust_len:I robust:Q",
    "THREAD": "sysenter_return:Q flags:I entries:H bytes:H", "NS": "uts:i ipc:i net:i :4x",
    "TASK_OBJS": "files:i mm:i fs:i undo:i sighand:i signal:i", "FS": "umask:I :4x", "VMA": VMA + " shift:H :6x",
    "SIGINFO": "signo:i errno:i code:i pid:i uid:I fd:i tid:i band:i overrun:i trapno:i status:i int:i ptr:Q utime:Q "
               "stime:Q addr:Q sys:i :4x",
    "IPC_SHM": "PERMS size:Q atim:Q dtim:Q ctim:Q cprid:I lprid:I mlock_uid:I flags:I inode:i shift:H :2x",
    "SOCKET": "buffers:B :7x " + SOCKET, "SOCKET_UNIX": "this:i peer:i peercred:i flags:I llen:I rlen:I laddr:110s raddr:110s :4x",
    "TTY": "driver:H subtype:H link:i file:i :4x index:I ldisc:I flags:Q iflag:I oflag:I cflag:I lflag:I ispeed:I ospeed:I "
           "line:B cc:19s :4x row:H col:H xpixel:H ypixel:H",
}
FILE_MORE = {1: "", 2: "pipe:i :4x", 3: "pipe:i :4x", 4: "sock:i :4x", 5: "tty:i :4x", 6: "", 7: "count:Q efd_flags:I :4x"}


class Wrong(Exception):
    pass


def compile_layout(text):
    """("<QH6x…", names): padding is read as a field without a name and must be zero."""
    form, names = "<", []
    for part in text.replace("PERMS", PERMS).split():
        name, code = part.split(":")
        form += code[:-1] + "s" if code.endswith("x") else code
        names.append(name)
    return struct.Struct(form), names


class Stream:
    def __init__(self, data):
        self.data, self.at, self.objects, self.given, self.records = data, 0, {}, 0, []
        self.rc2, self.layouts = False, {}

    def layout(self, name):
        if name not in self.layouts:
            table = RC2 if self.rc2 else V20
            self.layouts[name] = compile_layout(table[name] if name in table else COMMON[name])
        return self.layouts[name]

    def fail(self, text):
        raise Wrong("at %d: %s" % (self.at, text))

    # Framing.
    def peek(self):
        if self.at + 8 > len(self.data):
            self.fail("the end, a record wanted")
        type_, length = struct.unpack_from("<II", self.data, self.at)
        if length < 8 or self.at + length > len(self.data):
            self.fail("length %d" % length)
        if not self.rc2 and 101 <= type_ <= 117:
            type_ += 1
        elif not self.rc2 and type_ == 404:
            type_ = 405
        if type_ not in NAMES:
            self.fail("type %d" % type_)
        return NAMES[type_], length

    def take(self, name, fields=None):
        found, length = self.peek()
        if found != name:
            self.fail("%s found, %s wanted" % (found, name))
        payload = self.data[self.at + 8:self.at + length]
        self.records.append((self.at, name, payload, fields))
        self.at += length
        return payload

    def raw(self, name, length=None):
        payload = self.take(name)
        if length is not None and len(payload) != length:
            self.fail("%s of %d bytes, %d wanted" % (name, len(payload), length))
        return payload

    def parse(self, name, payload, what=None):
        form, names = self.layout(what or name)
        if len(payload) != form.size:
            self.fail("%s of %d bytes, %d wanted" % (name, len(payload), form.size))
        out = {}
        for key, value in zip(names, form.unpack(payload)):
            if key:
                out[key] = value
            elif any(value):
                self.fail("%s: padding is not zero" % name)
        return out

    def get(self, name):
        """A record of fixed size; shared objects may stand before it."""
        self.take_objects()
        payload = self.take(name)
        fields = self.parse(name, payload)
        self.records[-1] = self.records[-1][:3] + (fields,)
        return fields

    # References.
    def take_objects(self):
        while self.peek()[0] == "OBJREF":
            self.object()

    def give(self, kind, ref):
        """A number seen for the first time; they rise by one in a subtree's stream."""
        if self.objects.get(ref) == (kind, None):  # the peer of what stood before
            self.objects[ref] = kind, False
            return
        if ref in self.objects:
            self.fail("%d is given twice" % ref)
        if ref <= 0:
            self.fail("reference %d" % ref)
        if self.subtree and ref != self.given + 1:
            self.fail("%s gets %d, %d wanted" % (kind, ref, self.given + 1))
        self.given = max(ref, self.given)
        self.objects[ref] = kind, False

    def need(self, ref, kind, optional=False):
        if ref == 0 and optional:
            return
        if self.objects.get(ref) != (kind, True):
            self.fail("reference %d is not that of a whole %s: %s" % (ref, kind, self.objects.get(ref)))

    def silent(self, ref, kind):
        """Objects without a record of their own: true at the first mention."""
        if ref in self.objects:
            self.need(ref, kind)
            return False
        self.give(kind, ref)
        self.objects[ref] = kind, True
        return True

    def object(self):
        fields = self.parse("OBJREF", self.take("OBJREF"))
        self.records[-1] = self.records[-1][:3] + (fields,)
        kind = OBJECTS[fields["type"] + (0 if self.rc2 else 1)]
        self.give(kind, fields["ref"])
        body = getattr(self, "body_" + kind.lower(), None)
        if body is None:
            self.fail("an object of kind %s" % kind)
        body()
        self.objects[fields["ref"]] = kind, True

    # Bodies.
    def body_cred(self):
        f = self.get("CRED")
        self.need(f["user"], "USER")
        self.need(f["groups"], "GROUPINFO")

    def body_groupinfo(self):
        payload = self.take("GROUPINFO")
        count = struct.unpack_from("<I", payload)[0]
        if len(payload) != 8 + 4 * count or any(payload[4 + 4 * count:]):
            self.fail("%d groups in %d bytes" % (count, len(payload)))

    def body_user(self):
        self.need(self.get("USER")["userns"], "USER_NS")

    def body_user_ns(self):
        self.need(self.get("USER_NS")["creator"], "USER", True)

    def body_ns(self):
        f = self.get("NS")
        self.need(f["uts"], "UTS_NS")
        self.need(f["ipc"], "IPC_NS")
        self.need(f.get("net", 0), "NET_NS", True)

    def body_uts_ns(self):
        self.raw("UTS_NS", 6 * 65 + 2)

    def body_ipc_ns(self):
        self.get("IPC_NS")
        for number, read in ((502, self.segment), (503, self.queue), (505, self.semaphores)):
            f = self.get("IPC")
            if f["type"] != number:
                self.fail("IPC of type %d, %d wanted" % (f["type"], number))
            for _ in range(f["count"]):
                read()

    def segment(self):
        f = self.get("IPC_SHM")
        self.silent(f["inode"], "INODE")
        self.pages(0, (f["size"] + PAGE - 1) // PAGE, 1)

    def queue(self):
        f = self.get("IPC_MSG")
        total = 0
        for _ in range(f["qnum"]):
            left, most = self.get("IPC_MSG_MSG")["size"], PAGE - 48
            total += left
            while left > 0:
                got = len(self.raw("BUFFER"))
                if got != min(left, most):
                    self.fail("%d bytes of a message, %d wanted" % (got, min(left, most)))
                left, most = left - got, PAGE - 8
        if total != f["cbytes"]:
            self.fail("%d bytes in a queue, %d told" % (total, f["cbytes"]))

    def semaphores(self):
        count = self.get("IPC_SEM")["nsems"]
        if count and len(self.raw("BUFFER")) not in (8 * count, 16 * count, 24 * count):
            self.fail("semaphores")

    def body_file_table(self):
        last, deferred = -1, []
        for _ in range(self.get("FILE_TABLE")["files"]):
            f = self.get("FILE_DESC")
            self.need(f["file"], "FILE")
            if f["fd"] <= last:
                self.fail("descriptor %d behind %d" % (f["fd"], last))
            last = f["fd"]
        while self.peek()[0] in ("EPOLL_ITEMS", "SOCKET_QUEUE"):
            if self.peek()[0] == "SOCKET_QUEUE":
                self.socket_queue()
                continue
            f = self.get("EPOLL_ITEMS")
            self.need(f["file"], "FILE")
            if f["items"]:
                for i in range(0, len(items := self.raw("BUFFER", 24 * f["items"])), 24):
                    self.need(struct.unpack_from("<QIiI", items, i)[2], "FILE")

    def socket_queue(self):
        f = self.get("SOCKET_QUEUE")
        total = 0
        for _ in range(f["count"]):
            head = struct.unpack_from("<IIIIIIIIIiiHH", self.raw("SOCKET_BUFFER", 96))
            if head[3] + head[4] != head[5] or head[12] != 0:
                self.fail("a buffer of %d bytes: %d and %d" % (head[5], head[3], head[4]))
            total += head[5]
            self.raw("BUFFER", head[3])
        if total != f["bytes"]:
            self.fail("%d bytes in a queue, %d told" % (total, f["bytes"]))

    def name(self):
        payload = self.raw("FILE_NAME")
        if not payload.startswith(b"/") or payload.find(b"\0") != len(payload) - 1 or len(payload) > 4096:
            self.fail("a name: %r" % payload)

    def body_file(self):
        self.take_objects()
        payload = self.take("FILE")
        kind = struct.unpack_from("<I", payload)[0]
        if kind not in FILE_MORE:
            self.fail("a file of type %d" % kind)
        self.layouts["FILE"] = compile_layout(FILE + " " + FILE_MORE[kind])
        f = self.parse("FILE", payload)
        self.records[-1] = self.records[-1][:3] + (f,)
        self.need(f["cred"], "CRED")
        if kind in (1, 3):
            self.name()
        if kind in (2, 3) and self.silent(f["pipe"], "INODE"):
            self.raw("PIPE_BUF")
        if kind == 4:
            self.need(f["sock"], "SOCK")
        if kind == 5:
            self.need(f["tty"], "TTY")

    def body_sock(self):
        f = self.get("SOCKET")
        if f["family"] != 1:
            self.raw("SOCKET_INET", 320)
            return
        f = self.get("SOCKET_UNIX")
        if self.objects.get(f["this"]) != ("SOCK", False):
            self.fail("a socket that is %d" % f["this"])
        if f["peer"] and f["peer"] not in self.objects:
            self.give("SOCK", f["peer"])
            self.objects[f["peer"]] = "SOCK", None
        if f["llen"] > 110 or f["rlen"] > 110:
            self.fail("an address of %d bytes" % f["llen"])
        if self.peek()[0] == "STRING":
            self.raw("STRING")

    def body_tty(self):
        f = self.get("TTY")
        if f["link"] and f["link"] not in self.objects:
            self.give("TTY", f["link"])
            self.objects[f["link"]] = "TTY", None
        if self.peek()[0] == "TTY_LDISC":
            self.raw("TTY_LDISC", 552)

    def body_fs(self):
        self.get("FS")
        self.name()
        self.name()

    def body_sighand(self):
        self.raw("SIGHAND", 64 * 32)

    def pages(self, start, end, step):
        last, word = start - step, 8 if self.arch == 2 else 4
        while True:
            count = self.get("PGARR")["pages"]
            if count == 0:
                return
            if count * word > CHUNK:
                self.fail("%d pages in a chunk" % count)
            payload = self.raw("BUFFER", count * (word + PAGE))
            for (address,) in struct.iter_unpack("<Q" if word == 8 else "<I", payload[:count * word]):
                if address < last + step or address >= end or address % step:
                    self.fail("a page at 0x%x behind 0x%x, of 0x%x to 0x%x" % (address, last, start, end))
                last = address

    def body_mm(self):
        f = self.get("MM")
        self.need(f["exe"], "FILE", True)
        self.raw("BUFFER", self.head["auxv"] * 8)
        end = 0
        for _ in range(f["areas"]):
            v = self.get("VMA")
            if v["start"] < end or v["end"] <= v["start"] or v["start"] % PAGE or v["end"] % PAGE:
                self.fail("an area from 0x%x to 0x%x" % (v["start"], v["end"]))
            end = v["end"]
            if v["type"] in (3, 6):
                self.need(v["file"], "FILE")
            first = v["type"] in (4, 5, 6, 7, 8) and self.silent(v["inode"], "INODE")
            if v["type"] in (4, 5) and first != (v["type"] == 4):
                self.fail("contents of an inode do not follow where it is first mentioned")
            if v["type"] in (2, 3):
                self.pages(v["start"], v["end"], PAGE)
            elif v["type"] == 4:
                self.pages(0, 1 << 52, 1)
            elif v["type"] not in (1, 5, 6, 8):
                self.fail("an area of type %d" % v["type"])
        f = self.get("MM_CONTEXT")
        self.raw("LDT", f["entry"] * f["entries"])

    # Tasks.
    def pending(self):
        self.take_objects()
        payload = self.take("SIGPENDING")
        count, each = struct.unpack_from("<I", payload)[0], self.layout("SIGINFO")[0].size
        if len(payload) != 16 + count * each:
            self.fail("%d signals in %d bytes" % (count, len(payload)))
        for i in range(count):
            self.parse("SIGPENDING", payload[16 + i * each:16 + (i + 1) * each], "SIGINFO")

    def task(self):
        t = self.get("TASK")
        self.raw("STRING", 16)
        if t["exit_state"]:
            return
        self.take_objects()
        payload = self.take("THREAD")
        size = self.layout("THREAD")[0].size
        f = self.parse("THREAD", payload[:size])
        if f["bytes"] != 8 * f["entries"] or len(payload) != size + f["bytes"]:
            self.fail("descriptors")
        self.records[-1] = self.records[-1][:3] + (dict(f, descriptors=payload[size:]),)
        self.get("RESTART_BLOCK")
        if self.get("CPU")["math"]:
            self.raw("CPU_FPU", self.xstate)
        f = self.get("TASK_CREDS")
        self.need(f["cred"], "CRED")
        self.need(f["ecred"], "CRED")
        self.need(self.get("TASK_NS")["ns"], "NS")
        f = self.get("TASK_OBJS")
        for key, kind in (("files", "FILE_TABLE"), ("mm", "MM"), ("fs", "FS")):
            self.need(f[key], kind, True)
        self.need(f["sighand"], "SIGHAND")
        if self.silent(f["signal"], "SIGNAL"):
            self.take_objects()
            self.raw("SIGNAL", 16 * self.head["rlimits"] + 64)
            self.pending()
        self.pending()
        self.get("SIGNAL_TASK")

    def pids(self):
        f = self.get("PIDS")
        payload, at, total = self.raw("BUFFER", 8 * f["pids"] + 4 * f["vpids"]), 0, 0
        for i in range(f["pids"]):
            depth = struct.unpack_from("<I", payload, at)[0]
            at, total = at + 8 + 4 * depth, total + depth
            self.silent(f["offset"] + i, "PID")
        if at != len(payload) or total != f["vpids"]:
            self.fail("%d bytes of pids, %d wanted" % (len(payload), at))

    def run(self):
        self.head = self.get("HEADER")
        if self.head["magic"] != HEAD or (self.head["rev"], self.head["arch"]) not in [(r, a) for r in (5, 6) for a in (1, 2)]:
            self.fail("header %r" % self.head)
        self.rc2, self.layouts = self.head["rev"] == 6, {}
        self.arch, self.subtree = self.head["arch"], bool(self.head["uflags"] & 1)
        for key in ("release", "version", "machine"):
            self.raw("BUFFER", self.head[key])
        self.xstate = self.get("HEADER_ARCH")["xstate"]
        self.get("CONTAINER")
        self.raw("BUFFER")
        self.raw("LSM_INFO")
        if self.rc2:
            self.pids()
        count = self.get("TREE")["tasks"]
        entries = self.raw("BUFFER", 24 * count)
        for pid, parent, tgid, group, session, depth in struct.iter_unpack("<6i", entries):
            if self.rc2:
                for ref in (pid, tgid):
                    self.need(ref, "PID")
                for ref in (parent, group, session):
                    if ref not in (0, -4096, -4097):
                        self.need(ref, "PID")
            elif pid <= 0 or tgid <= 0:
                self.fail("task %d of %d" % (pid, tgid))
        for _ in range(count):
            self.task()
        if any(whole is None for _, whole in self.objects.values()):
            self.fail("a peer is missing")
        if self.get("TAIL")["magic"] != TAIL:
            self.fail("magic of the tail")
        if self.at != len(self.data):
            self.fail("bytes behind the tail")


def read(path):
    with open(path, "rb") as f:
        s = Stream(f.read())
    s.run()
    return s


def show(record):
    at, name, payload, fields = record
    if fields is None:
        return "%8d %-14s %d: %s" % (at, name, len(payload), payload[:24].hex())
    return "%8d %-14s %s" % (at, name, " ".join(
        "%s=%s" % (k, hex(v) if isinstance(v, int) and abs(v) > 9999 else v.rstrip(b"\0") if isinstance(v, bytes) else v)
        for k, v in fields.items()))


def main(arguments):
    verbose, wrong = "-v" in arguments, 0
    for path in arguments:
        if path == "-v":
            continue
        try:
            stream = read(path)
            if verbose:
                print("\n".join(map(show, stream.records)))
            print("%s: ok" % path)
        except Wrong as e:
            print("%s: %s" % (path, e))
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
