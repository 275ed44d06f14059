#!/usr/bin/python3
"""Sockets, terminals and an eventfd in a kernel stream, as the headers of that time lay them out: no real image
has any.

  linuxcr_sockets.py make STREAM OUT [no-ttys]   adds them to the process of r5-files or r6-files
  linuxcr_sockets.py check CRIMG OUT             what inspect says of them; prints what differs

Descriptors: 20, 21 a pair of unix sockets, 21 holding two pieces; 22 one that listens at /run/name; 23 a TCP socket
that listens; 24 a UDP socket of IPv6, connected; 25 an eventfd; 26, 27 a pty, master and slave; 28, 29 connections of
TCP, one with bytes that wait in both queues, some of them in fragments, one that was closed and not acknowledged.
"""
import base64
import json
import struct
import os
import shutil
import subprocess
import sys

FILE_TABLE, FILE_DESC, FILE, OBJREF, BUFFER = 301, 302, 304, 6, 4
PIECES = b"hello from 2010", b"and again"
# Of the first of each queue a part is read, or acknowledged.
RECEIVED, TO_SEND = (b"read, waits", (b"lin", b"fragment", 100)), ((b"", b"gone,unacked!", 7), b"unsent")


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

    def socket(self, fd, ref, family, kind, protocol, state, address, backlog=0, buffers=True, shutdown=0):
        head = struct.pack("<Q", buffers) if self.late else b""
        body = head + struct.pack("<QBxxxxxxx", 0, 1 if state != 1 else 3)
        body += struct.pack("<iIHBx", 0, 0, family, state) + bytes(4)
        # sizes as they were asked for, timeouts in nanoseconds
        body += struct.pack("<iIQQQiiIiiHHBBBBB", 1, 0, 1 << 3 if kind == 2 else 0, 1500000000, 0, 0, 0, 0,
                            43690, 2048, kind, backlog, protocol, state, shutdown, 0, 0)
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
        split_up = [p if isinstance(p, tuple) else (p, b"", 0) for p in packets]
        out = record(702, struct.pack("<II", len(packets), sum(len(a) + len(b) for a, b, _ in split_up)))
        for i, (data, apart, offset) in enumerate(split_up): # the second from its head on
            room = 32 * i
            head = struct.pack("<11IHH", 0, 0, 0, room + len(data), len(apart), len(data) + len(apart), room, 0, room, 0, 0, 0,
                               1 if apart else 0)
            out += record(703, head.ljust(96, b"\0")) + record(BUFFER, bytes(room) + data)
            if apart: # the page it is of stands behind the record, without one of its own
                out += record(704, struct.pack("<II", len(apart), offset)) + (bytes(offset) + apart).ljust(4096, b"?")
        return out

    def tcp(self, fd, state, local, remote, numbers, shutdown=0):
        """numbers: rcv_nxt, copied_seq, snd_una, snd_nxt, write_seq."""
        ref, host = self.new(), bytes([127, 0, 0, 1])
        body = bytearray(320)
        struct.pack_into("<4s4s4s", body, 0, host, host, host)
        struct.pack_into(">H", body, 12, remote)
        struct.pack_into("<H", body, 14, local)
        struct.pack_into("<h", body, 18, 33)
        rcv_nxt, copied, una, nxt, written = numbers
        struct.pack_into("<5I", body, 48, rcv_nxt, copied, rcv_nxt - 1, nxt, una)
        struct.pack_into("<4I", body, 80, 4999, 5840, 65535, 1460)
        struct.pack_into("<2I", body, 140, 29200, written)
        struct.pack_into("<3B", body, 225, 1, 1, 3)
        body[228] = 9
        self.socket(fd, ref, 2, 1, 6, state, record(706, bytes(body)), shutdown=shutdown)
        return ref

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
    # what was received, then what is to be sent; earlier postings give those of all that do not listen
    queues = m.queue(()) * 2 + m.queue(PIECES) + m.queue(()) + (b"" if m.late else m.queue(()) * 2)
    m.tcp(28, 1, 4001, 8081, (5000, 4983, 5, 13, 19))
    m.tcp(29, 4, 4002, 8081, (70, 70, 100, 101, 101), 2)
    queues += m.queue(RECEIVED) + m.queue(TO_SEND) + m.queue(()) + m.queue((b"",))
    last = max(i for i, r in enumerate(records) if r[0] == FILE_DESC)
    with open(target, "wb") as out:
        for i, (kind, payload) in enumerate(records):
            if kind == FILE_TABLE:
                payload = struct.pack("<I", struct.unpack_from("<I", payload)[0] + m.count) + payload[4:]
            out.write(record(kind, payload))
            if i == last:
                out.write(m.out + queues)


def check_tcp(crimg, image, same, seen, sk):
    same("states", [x["state"] for x in sk], ["ESTABLISHED", "FIN_WAIT1"])
    same("timeouts", [sk[0]["opts"][k] for k in ("so_rcv_tmo_sec", "so_rcv_tmo_usec", "so_snd_tmo_sec")], [1, 500000, 0])
    same("options", (sk[0]["tcp_opts"], sk[0]["ip_opts"]), ({"nodelay": True, "keepcnt": 9}, {"ttl": 33}))
    streams = [next(o["entries"][0]["message"] for o in seen["objects"] if o["kind"] == "TCP_STREAM" and o["id"] == x["ino"])
               for x in sk]
    names = "inq_len inq_seq outq_len outq_seq unsq_len snd_wnd rcv_wnd mss_clamp opt_mask".split()
    same("streams", [[x[k] for k in names] for x in streams],
         [[17, 5000, 14, 19, 6, 5840, 29200, 1460, "0x8"], [0, 70, 0, 101, 0, 5840, 29200, 1460, "0x8"]])
    directory = image + ".dir"
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([crimg, "convert", "-t", "criu", image, directory], check=True)
    out = subprocess.run([crimg, "convert", "-t", "json", os.path.join(directory, "tcp-stream-%x.img" % sk[0]["ino"]), "-"],
                         stdout=subprocess.PIPE, check=True)
    extra = json.loads(out.stdout)["entries"][0]["extra"]
    same("what waits", [base64.b64decode(extra[k]) for k in ("inq", "outq")], [b" waits" + b"linfragment", b"unacked!unsent"])
    shutil.rmtree(directory)


def check(crimg, image):
    out = subprocess.run([crimg, "inspect", "--json", image, "fds", "sockets", "objects"], stdout=subprocess.PIPE, check=True)
    seen = json.loads(out.stdout)

    def same(what, found, wanted):
        if found != wanted:
            print("%s: found %r, wanted %r" % (what, found, wanted))

    fds = {f["fd"]: f for f in seen["fds"][0]["fds"]}
    same("types", [fds[i]["type"] for i in range(20, 30)],
         ["unix"] * 3 + ["inet"] * 2 + ["eventfd", "tty", "tty", "inet", "inet"])
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
    same("buffers", (of[0]["send_buffer"], of[0]["receive_buffer"]), (2048, 87380))
    files = {e["message"]["id"]: e["message"] for o in seen["objects"] if o["kind"] == "FILES" for e in o["entries"]}
    same("eventfd", files[fds[25]["file_id"]]["efd"]["counter"], 7)
    check_tcp(crimg, image, same, seen, [files[fds[i]["file_id"]]["isk"] for i in (28, 29)])
    names = [files[files[fds[i]["file_id"]]["tty"]["regf_id"]]["reg"]["name"] for i in (26, 27)]
    same("pty", names, ["/dev/ptmx", "/dev/pts/5"])
    ttys = [e["message"] for o in seen["objects"] if o["kind"] == "TTY_INFO" for e in o["entries"]]
    same("modes", [(t["type"], t["pty"]["index"], int(str(t["termios"]["c_lflag"]), 0), t["winsize"]["ws_col"])
                   for t in ttys], [("PTY", 5, 0x8a3b, 80)] * 2)


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    check(*sys.argv[2:])
