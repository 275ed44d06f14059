#!/usr/bin/python3
"""Sockets, terminals and an eventfd in a kernel stream, as the headers of that time lay them out: no real image
has any.

  linuxcr_sockets.py make STREAM OUT [no-ttys]   adds them to the process of r5-files or r6-files
  linuxcr_sockets.py check CRIMG OUT             what inspect says of them; prints what differs

Descriptors: 20, 21 a pair of unix sockets, 21 holding two pieces; 22 one that listens at /run/name; 23 a TCP socket
that listens; 24 a UDP socket of IPv6, connected; 25 an eventfd; 26, 27 a pty, master and slave.
"""
import json
import struct
import subprocess
import sys

FILE_TABLE, FILE_DESC, FILE, OBJREF, BUFFER = 301, 302, 304, 6, 4
PIECES = b"hello from 2010", b"and again"


def record(kind, payload):
    return struct.pack("<II", kind, 8 + len(payload)) + payload


def split(data):
    at, records = 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        records.append((kind, data[at + 8:at + length]))
        at += length
    return records


class Maker:
    def __init__(self, records):
        self.late = any(k == 101 and len(p) == 16 for k, p in records) # PIDS: v23
        self.ref = 1000
        self.cred = struct.unpack_from("<I", next(p for k, p in records if k == FILE), 12)[0]
        self.out = b""
        self.count = 0

    def objref(self, kind, ref):
        return record(OBJREF, struct.pack("<Ii", kind + self.late, ref))

    def new(self):
        self.ref += 1
        return self.ref

    def file(self, fd, kind, flags, extra, before=b""):
        """A file, with the object it opens in front of it, and a descriptor."""
        ref = self.new()
        body = struct.pack("<IIIIQQII", kind, 3, flags, self.cred, 0, 0, 0, 0) + extra
        self.out += (self.objref(3, ref) + before + record(FILE, body)
                     + record(FILE_DESC, struct.pack("<iIII", ref, fd, 0, 0)))
        self.count += 1

    def socket(self, fd, ref, family, kind, protocol, state, address, backlog=0, buffers=True):
        head = struct.pack("<Q", buffers) if self.late else b""
        body = head + struct.pack("<QBxxxxxxx", 0, 1 if state != 1 else 3)
        body += struct.pack("<iIHBx", 0, 0, family, state) + bytes(4)
        body += struct.pack("<iIQQQiiIiiHHBBBBB", 1, 0, 1 << 3 if kind == 2 else 0, 2 ** 63 - 1, 2 ** 63 - 1, 0, 0, 0,
                            87380, 16384, kind, backlog, protocol, 0, 0, 0, 0)
        body += bytes(len(head) + 104 - len(body))
        self.file(fd, 4, 2, struct.pack("<iI", ref, 0), self.objref(16, ref) + record(701, body) + address)

    def unix(self, this, peer, name=b""):
        sun = struct.pack("<H", 1) + name
        if self.late:
            body = struct.pack("<iiIIII", this, peer, 0, 0, len(sun), 2)
        else:
            body = struct.pack("<iiIIIII", this, peer, 0, 0, 0, len(sun), 2)
        return record(705, (body + sun.ljust(110, b"\0") + struct.pack("<H", 1).ljust(110, b"\0")).ljust(248, b"\0"))

    def queue(self, packets):
        out = record(702, struct.pack("<II", len(packets), sum(map(len, packets))))
        for i, data in enumerate(packets): # the second from its head on
            room = 32 * i
            out += record(703, struct.pack("<11I", 0, 0, 0, len(data), 0, len(data), 0, 0, room, 0, 0).ljust(96, b"\0"))
            out += record(BUFFER, bytes(room) + data + bytes(room))
        return out

    def tty(self, subtype, link):
        body = struct.pack("<HHiiIiiQ", 4, subtype, link, 0, 0, 5, 0, 0)
        control = bytes([3, 28, 127, 21, 4, 0, 1, 0])
        if self.late:
            body += struct.pack("<6IB19s4x4H", 0x500, 5, 0xbf, 0x8a3b, 38400, 38400, 0, control, 24, 80, 0, 0)
            return record(306, body.ljust(88, b"\0"))
        body += struct.pack("<4HB8s", 0x500, 5, 0xbf, 0x8a3b, 0, control)
        return record(306, body.ljust(56, b"\0") + struct.pack("<4H", 24, 80, 0, 0))


def make(source, target, ttys="ttys"):
    records = split(open(source, "rb").read())
    m = Maker(records)
    a, b = m.new(), m.new()
    m.socket(20, a, 1, 1, 0, 1, m.unix(a, b))
    m.socket(21, b, 1, 1, 0, 1, m.unix(b, a))
    c = m.new()
    m.socket(22, c, 1, 1, 0, 10, m.unix(c, 0, b"/run/name\0"), backlog=5, buffers=False)
    d = m.new()
    inet = struct.pack("<4s4s4s", bytes(4), bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
    inet += struct.pack("<HHH", 0, 8081, 0x911f)
    m.socket(23, d, 2, 1, 6, 10, record(706, inet.ljust(320, b"\0")), backlog=9, buffers=False)
    e = m.new()
    inet6 = bytes(12) + struct.pack(">H", 53) + struct.pack("<H", 4242)
    inet6 = inet6.ljust(232, b"\0") + bytes(16) + bytes(15) + b"\1" + bytes(15) + b"\1"
    m.socket(24, e, 10, 2, 17, 1, record(706, inet6.ljust(320, b"\0")), buffers=False)
    m.file(25, 7, 2, struct.pack("<QII", 7, 0, 0))
    master, slave = m.new(), m.new()
    for fd, ref, subtype, link in ((26, master, 1, slave), (27, slave, 2, master)) if ttys == "ttys" else ():
        m.file(fd, 5, 2, struct.pack("<iI", ref, 0), m.objref(17, ref) + m.tty(subtype, link))
    queues = m.queue(()) * 2 + m.queue(()) + m.queue(PIECES)
    if not m.late: # the others' too
        queues += m.queue(()) * 6
    last = max(i for i, r in enumerate(records) if r[0] == FILE_DESC)
    with open(target, "wb") as out:
        for i, (kind, payload) in enumerate(records):
            if kind == FILE_TABLE:
                payload = struct.pack("<I", struct.unpack_from("<I", payload)[0] + m.count) + payload[4:]
            out.write(record(kind, payload))
            if i == last:
                out.write(m.out + queues)


def check(crimg, image):
    out = subprocess.run([crimg, "inspect", "--json", image, "fds", "sockets", "objects"], stdout=subprocess.PIPE, check=True)
    seen = json.loads(out.stdout)

    def same(what, found, wanted):
        if found != wanted:
            print("%s: found %r, wanted %r" % (what, found, wanted))

    fds = {f["fd"]: f for f in seen["fds"][0]["fds"]}
    same("types", [fds[i]["type"] for i in range(20, 28)],
         ["unix"] * 3 + ["inet"] * 2 + ["eventfd", "tty", "tty"])
    sockets = {s["file_id"]: s for part in seen["sockets"].values() for s in part}
    of = [sockets[fds[i]["file_id"]] for i in range(20, 25)]
    same("families", [s["family"] for s in of], ["unix"] * 3 + ["inet", "inet6"])
    same("states", [s["state"] for s in of], ["ESTABLISHED"] * 2 + ["LISTEN"] * 2 + ["ESTABLISHED"])
    same("peers", [of[0]["peer_inode"], of[1]["peer_inode"]], [of[1]["inode"], of[0]["inode"]])
    same("queues", [(s["receive_queue_packets"], s["receive_queue_bytes"]) for s in of[:3]],
         [(0, 0), (2, sum(map(len, PIECES))), (0, 0)])
    same("names", [s["local"] for s in of[2:]], ["/run/name", "127.0.0.1:8081", "[::1]:4242"])
    same("the other end", of[4]["peer"], "[::1]:53")
    same("keeps alive", of[4]["options"], "keepalive")
    files = {e["message"]["id"]: e["message"] for o in seen["objects"] if o["kind"] == "FILES" for e in o["entries"]}
    same("eventfd", files[fds[25]["file_id"]]["efd"]["counter"], 7)
    names = [files[files[fds[i]["file_id"]]["tty"]["regf_id"]]["reg"]["name"] for i in (26, 27)]
    same("pty", names, ["/dev/ptmx", "/dev/pts/5"])
    ttys = [e["message"] for o in seen["objects"] if o["kind"] == "TTY_INFO" for e in o["entries"]]
    same("modes", [(t["type"], t["pty"]["index"], int(str(t["termios"]["c_lflag"]), 0), t["winsize"]["ws_col"])
                   for t in ttys], [("PTY", 5, 0x8a3b, 80)] * 2)


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    check(*sys.argv[2:])
