#!/usr/bin/python3
"""[R-0902] [R-0909] [R-0910] [R-0915] Holds what `crimg` says of OpenVZ images against what cpt_make.py put into them: every layout, both machines, every rule
of versions, as they are and after conversions.

  cpt_oracle.py CRIMG WORK [PEER-CRIT]    prints what differs, then "N claims"
"""
import base64
import json
import os
import shutil
import subprocess
import sys

import cpt_make
from cpt_make import HEAP, REMAP, SHARED, STACKAT, SYSV, TEXT, page

crimg, work = sys.argv[1:3]
crit = sys.argv[3] if len(sys.argv) > 3 else None
claims = 0
what = ""


def run(*args, code=0):
    out = subprocess.run([crimg, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    same("exit of %s" % " ".join(args), (out.returncode, out.stderr if code == 0 else b""), (code, b""))
    return out.stdout


def same(name, found, wanted):
    global claims
    claims += 1
    if found != wanted:
        print("%s: %s: found %.300r, wanted %.300r" % (what, name, found, wanted))


class Seen:
    VIEWS = "summary tree fds files sockets maps regs signals timers creds namespaces mounts cgroups ipc objects".split()

    def __init__(self, image):
        self.image = image
        self.seen = json.loads(run("inspect", "--json", image, *self.VIEWS))

    def of(self, view, pid):
        return next((x for x in self.seen[view] if x["pid"] == pid), None)

    def fds(self, pid):
        return {f["name"].split(" ")[0] if f["type"] == "file" else f["type"] + str(f["fd"]): f for f in self.of("fds", pid)["fds"]}

    def thread(self, pid, tid):
        return next(t for t in self.of("regs", pid)["threads"] if t["tid"] == tid)

    def register(self, pid, tid, name):
        return int(self.thread(pid, tid)["registers"][name]["value"], 16)

    def memory(self, pid, at, length):
        return run("inspect", "--raw", "--at", "0x%x+%d" % (at, length), "-p", str(pid), self.image, "mem")

    def messages(self, kind, number=None):
        return [e["message"] for o in self.seen["objects"] if o["kind"] == kind and number in (None, o["id"])
                for e in o["entries"]]


def check_tree(s):
    tree = {t["pid"]: t for t in s.seen["tree"]}
    same("parents", {p: t["ppid"] for p, t in tree.items()}, {1: 0, 2: 1, 4: 2, 5: 1})
    same("names", [t["comm"] for t in s.seen["tree"]], ["init", "worker", "narrow", "zombie"])
    same("states", [tree[p]["state"] for p in (1, 2, 4, 5)], ["alive", "alive", "stopped", "zombie, exited 42"])
    same("threads", [t["tid"] for t in tree[2]["threads"]], [2, 3])
    c = s.of("creds", 1)
    same("uid", list(c["uid"].values()), [10, 11, 12, 13])
    same("gid", list(c["gid"].values()), [20, 21, 22, 23])
    same("groups", c["groups"], [100, 200, 300])
    same("capabilities", [c["cap_" + k] for k in ("effective", "inheritable", "permitted")], ["0xa", "0xb", "0xe"])
    same("limit", c["limits"]["nofile"], {"soft": 7007, "hard": 8007})
    same("nice", c["nice"], 5)
    return c


def check_registers(s, arch):
    if arch:
        same("r15..r8", [s.register(1, 1, "r%d" % i) for i in range(15, 7, -1)], [15, 14, 13, 12, 0x246, 10, 9, 8])
        same("segments", [s.thread(1, 1)["segments"][k]["value"] for k in ("cs", "ss")], ["0x33", "0x2b"])
        same("fs_base", s.register(1, 1, "fs_base"), 0x700800)
        # made again: at once, pointed to its time left, and a futex that gave EINTR
        same("ax, ip of 1", [s.register(1, 1, r) for r in ("rax", "rip")], [7, 0x401234])
        same("ax, ip, di of 2", [s.register(2, 2, r) for r in ("rax", "rip", "rdi")], [35, 0x401234, 0x700100])
        same("ax, ip of 3: a signal waits", [s.register(2, 3, r) for r in ("rax", "rip")], [202, 0x401234])
    else:
        same("ax, ip of 1", [s.register(1, 1, r) for r in ("eax", "eip")], [7, 0x8049000])
        same("ax, ip, bx of 2", [s.register(2, 2, r) for r in ("eax", "eip", "ebx")], [162, 0x8049000, 0x700100])
    same("ax, ip of 4", [s.register(4, 4, r) for r in ("eax", "eip")], [29, 0x8049000])
    t = s.thread(4, 4)
    same("32-bit", (t["mode"], [s.register(4, 4, r) for r in "ebx ecx edx esi edi ebp esp".split()]),
         ("32-bit", [1, 2, 3, 4, 5, 6, 0xbf000000]))
    same("its segments", [t["segments"][k]["value"] for k in ("cs", "ss", "gs")], ["0x23", "0x2b", "0x63"])
    same("its slot", (t["tls"][0]["entry"], t["tls"][0]["base"]), (12, "0x80001234"))
    vectors = s.thread(4, 4)["vectors"]["registers"]
    same("xmm0", vectors.get("xmm0", vectors.get("ymm0"))[-32:], bytes(range(15, -1, -1)).hex())


def check_memory(s, pages):
    for pid, at, n in ((1, TEXT, 1), (1, 0x600000, 2), (1, HEAP, 3), (1, HEAP + 4096, 4), (1, STACKAT + 4096, 5), (2, TEXT, 1),
                       (2, 0x600000, 2), (2, HEAP, 3), (2, HEAP + 4096, 40), (2, STACKAT + 8192, 6), (4, TEXT, 1), (4, 0x600000, 50),
                       (4, HEAP, 3), (4, HEAP + 4096, 40), (4, STACKAT + 8192, 6), (1, SHARED + 4096, 80), (1, SYSV, 81)
                       ) if pages else ():
        same("page of %d at %x" % (pid, at), s.memory(pid, at, 4096) == page(n), True)
    same("a page of zeros", s.memory(1, REMAP + 0x10000, 4096), bytes(4096))
    areas = {int(a["start"], 16): a for a in s.of("maps", 1)["areas"]}
    same("remapped", [(a["name"], int(a["offset"], 16)) for at, a in sorted(areas.items()) if REMAP <= at < REMAP + 0x5000],
         [("/var/log/x", 0x1000), ("/var/log/x", 0x9000), ("/var/log/x", 0x4000)])
    same("executable", s.of("maps", 1)["executable"], "/bin/prog")
    same("permissions", [areas[a]["permissions"] for a in (TEXT, 0x600000, SHARED)], ["r-xp", "rw-p", "rw-s"])
    vmas = {int(v["start"], 16): v for v in s.messages("MM", 1)[0]["vmas"]}
    same("only what is not accounted is not reserved", ["MAP_NORESERVE" in vmas[at]["flags"] for at in (HEAP, REMAP + 0x10000)],
         [False, True])


def check_files(s, im):
    f = s.fds(1)
    same("log", [f["/var/log/x"][k] for k in ("mode", "pos", "flags")], ["w", 77, "O_APPEND"])
    same("of the log, 1 closes on exec", [x["cloexec"] for x in s.of("fds", 1)["fds"][1:3]], [True, False])
    same("pipe", [f[k]["note"] for k in ("pipe3", "pipe4", "fifo5")], ["holds 19 B", "holds 19 B", "holds 10 B"])
    same("fifo", f["fifo5"]["path"], "/run/fifo")
    same("tty", [f["tty6"][k] for k in ("path", "note")], ["/dev/pts/7", "pty 7, 99x33"])
    same("deleted", f["/tmp/gone"]["note"][:22], "deleted, kept in ghost")
    same("renamed", f["/data/old"]["note"], "deleted, kept as other-name")
    same("sockets", [f[k]["name"] for k in ("unix9", "inet11", "inet12")],
         ["unix stream /run/sock [1] -> [2] ESTABLISHED", "tcp 127.0.0.1:8080 LISTEN", "udp 10.1.2.3:53 -> 10.9.8.7:999 CLOSE"])
    same("queued", [f[k]["note"] for k in ("unix9", "inet12")], ["holds 13 B", "holds 8 B"])
    same("special", [f[k]["name"] for k in ("epoll13", "inotify14", "signalfd15")],
         ["epoll of fd 3", "inotify, 1 watches", "signalfd SIGUSR1 SIGTERM"])
    if im.since("061"):
        same("timerfd", f["timerfd16"]["name"],
             "timerfd CLOCK_MONOTONIC due in 1 h 0 min 0 s, every 1 min 0 s, 2 expiries unread")
        same("eventfd", f["eventfd17"]["name"], "eventfd, counter 41")
    same("who is told", next(x["owner"] for x in s.seen["files"] if x["path"] == "/var/log/x"), "SIGUSR1 to 4")
    same("directories", [s.of("fds", 4)[k] for k in ("cwd", "root", "umask")], ["/data", "/", "027"])
    same("tables", [s.of("fds", p)["fds"][-1]["type"] for p in (2,)], ["pipe"])
    head = s.messages("GHOST_FILE")[0]
    same("ghost", [head[k] for k in ("uid", "gid", "size", "dev", "mode")] + [head["mtim"]["tv_sec"], head["mtim"]["tv_usec"]],
         [12, 13, 4 * 4096 + 1808, "8:300", "0100640", 1001, 2001])
    u = s.seen["sockets"]["unix"][0]
    same("socket options", [u[k] for k in ("send_buffer", "receive_buffer", "options")], [6000, 5000, ("mode=0640 " if im.since("093") else "") + "reuseaddr passcred keepalive"])
    sk = next(m["isk"] for m in s.messages("FILES") if m.get("isk", {}).get("proto") == "udp")
    same("timeout of 1500 jiffies", [sk["opts"]["so_rcv_tmo_sec"], sk["opts"]["so_rcv_tmo_usec"]], [1, 500000])
    same("without end", [sk["opts"]["so_snd_tmo_sec"], sk["opts"]["so_snd_tmo_usec"]], [0, 0])
    lock = s.messages("FILE_LOCKS")[0]
    same("lock", [lock[k] for k in ("flag", "type", "pid", "start", "len")], [1, 1, 1, 10, 10])
    same("deleted file's bytes", [(m["len"], m["off"]) for m in s.messages("GHOST_FILE")[1:]], [(8192, 0), (1808, 16384)])
    same("ends of the terminal", [(m["rdev"], m["pty"]["index"]) for m in s.messages("TTY_INFO")],
         [(136 << 8 | 7, 7), (5 << 8 | 2, 7)])
    tty = s.messages("TTY_DATA")[0]
    same("typed ahead", bytes.fromhex(tty["data"]), b"typed ahead")


def check_connections(s):
    files = {e["isk"]["id"]: e["isk"] for e in s.messages("FILES") if "isk" in e}
    first = next(n for n, x in enumerate(s.of("fds", 1)["fds"]) if x["name"] == "tcp 127.0.0.1:4001 -> 127.0.0.1:8080 ESTABLISHED")
    sk = [files[x["file_id"]] for x in s.of("fds", 1)["fds"][first:first + 4]]
    same("states", [x["state"] for x in sk], ["ESTABLISHED", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1"])
    same("their options", [sk[0]["tcp_opts"], sk[0]["ip_opts"], sk[0]["opts"]["so_buf_lock"]],
         [{"nodelay": True, "keepcnt": 5, "keepidle": 33, "keepintvl": 11}, {"tos": 16, "ttl": 33}, 3])
    streams = [s.messages("TCP_STREAM", x["ino"])[0] for x in sk]
    same("received", [(x["inq_len"], x["inq_seq"]) for x in streams], [(7, 5000), (0, 0xfffffffe), (3, 700), (0, 900)])
    same("to be sent", [(x["outq_len"], x["outq_seq"], x["unsq_len"]) for x in streams],
         [(8, 6, 5), (0, 5000, 0), (0, 900, 0), (6, 697, 2)])
    one = streams[0]
    same("options", [one[k] for k in ("opt_mask", "snd_wscale", "rcv_wscale", "mss_clamp", "timestamp")],
         ["0xf", 7, 6, 1460, ((1 << 32) - 300000 + cpt_make.UPTIME * 1000) % 2**32])
    same("windows", [one[k] for k in ("snd_wl1", "snd_wnd", "max_window", "rcv_wnd", "rcv_wup")], [4999, 5840, 65535, 29200, 4990])
    same("streams", len([o for o in s.seen["objects"] if o["kind"] == "TCP_STREAM"]), 4)


def check_packets(s, im):
    p = next(m["psk"] for m in s.messages("FILES") if "psk" in m)
    same("packet socket", [p["protocol"], p["ifindex"], p["opts"]["so_filter"]], [8, 2, [0xffff << 32 | 6]])
    told = [1, 4, 3, 9, True, False, True] if im.since("092") else [0, 0, 0, 0, False, False, False]
    same("its ways", [p[k] for k in ("version", "reserve", "timestamp", "copy_thresh", "aux_data", "orig_dev", "loss")], told)
    same("its ring", "rx_ring" in p, im.since("092"))
    same("its groups", [x["type"] for x in p.get("mclist", [])], [1, 1] if im.since("108") else [])
    n = next(m["nlsk"] for m in s.messages("FILES") if "nlsk" in m)
    same("netlink", [n[k] for k in ("portid", "groups", "dst_portid", "dst_group")], [77, ["0x5"], 78, 4])
    t = next(m["tunf"] for m in s.messages("FILES") if "tunf" in m)
    link = next(m["tun"] for m in s.messages("NETDEV") if "tun" in m)
    same("tun", [t["netdev"], link["owner"], link["group"], link["vnethdr"]], ["tap9", 1000, -1, 10])


def check_rest(s, im):
    actions = {a["number"]: a for a in s.of("signals", 1)["actions"]}
    same("handlers", {n: (a["action"], a["handler"]) for n, a in actions.items()},
         {10: ("handler", "0x400100"), 13: ("ignored", "0x1")})
    same("blocks", actions[10]["blocks"], "SIGHUP")
    pending = s.of("signals", 1)["pending"] + s.of("signals", 2)["pending"]
    same("waiting", [(p["number"], p["code"], p["tid"]) for p in pending], [(40, "SI_QUEUE", None), (12, "SI_TKILL", 3)])
    same("its value", int(pending[0]["value"], 16) & 0xffffffff, 0x55)
    same("mask", s.of("signals", 1)["threads"][0]["blocked_mask"], "0x800")
    same("alternate stack", s.of("signals", 1)["threads"][0]["stack_bytes"], 8192)
    timers = [(t["left_seconds"], t["left_nanoseconds"], t["interval_seconds"], t["interval_nanoseconds"])
              for t in s.of("timers", 1)["timers"] if t["kind"].startswith("ITIMER")]
    same("timers", timers, [(100, 0, 50, 0), (0, 500000000, 0, 250000000), (2, 0, 1, 0)])
    posix = [t for t in s.of("timers", 1)["timers"] if t["kind"] == "posix"]
    same("POSIX timer", [(t["id"], t["clock"], t["left_seconds"], t["left_nanoseconds"], t["interval_seconds"], t["overrun"])
                         for t in posix], [(3, "CLOCK_MONOTONIC", 5, 7, 2, 4)] if im.since("076") else [])
    ipc = {o["kind"]: o for o in s.seen["ipc"]["objects"]}
    same("segment", [ipc["shared memory"][k] for k in ("id", "key", "mode", "bytes")], [65536, "0x1234", "0640", 8192])
    same("semaphores", [ipc["semaphores"][k] for k in ("id", "holds")], [3, "3 semaphores: 5 0 9"])
    same("messages", [ipc["messages"][k] for k in ("id", "holds")], [8, "2 messages, type 11 of 11 B, type 22 of 3 B"])
    same("limits", [s.seen["ipc"]["limits"][0][k] for k in ("msgmax", "shmmax")], [8192, 33554432])
    mounts = s.seen["mounts"][0]["mounts"]
    same("mounts", [(m["mountpoint"], m["type"], m["parent_id"]) for m in mounts],
         [("/", "simfs", 0), ("/proc", "proc", 1), ("/tmp", "tmpfs", 1), ("/tmp/pts", "devpts", 3)])
    uts = next(n for n in s.seen["namespaces"] if n["type"] == "uts")
    same("host", uts["holds"], "host ct101.example, domain example")
    same("devices", [(m["name"], m["type"], m["mtu"] if im.since("076") else 0) for m in s.messages("NETDEV")],
         [("lo", "LOOPBACK", 16436 if im.since("076") else 0), ("eth0", "VETH", 1500 if im.since("076") else 0),
                 ("tap9", "TUN", 1400 if im.since("076") else 0)])
    if im.version >= 0x801:
        same("cgroups", [(x["path"], x["processes"], x["controllers"]) for x in s.seen["cgroups"]["sets"]],
             [("/", [1], ["cpu,cpuacct"]), ("/below", [2], ["cpu,cpuacct"]), ("/", [4], ["cpu,cpuacct"])])
    release = "Linux 2.6.32-042stab%s %s" % (cpt_make.TREES[im.tree], "x86_64" if im.arch else "i386")
    same("kernel", s.seen["summary"]["kernel"], release if im.since("061") else None)
    same("when", s.seen["summary"]["not_before"], "2011-03-13 07:06:40 UTC")


def check_version(s, im, creds):
    keepcaps = creds["securebits"]
    same("keepcap", keepcaps, "KEEP_CAPS" if im.version < 0x600 else "NOROOT")
    dumpable = s.messages("MM", 1)[0].get("dumpable")
    same("dumpable", dumpable, 1 if im.since("061") or im.version < 0x800 else None)
    same("bounding set", creds["cap_bounding"], "0x1ffffffff" if im.since("108") else "0xffffffffffffffff")
    auxv = s.messages("MM", 1)[0].get("mm_saved_auxv", [])
    same("auxiliary vector", [int(x) for x in auxv], [6, 4096, 17, 100] if im.since("076") else [])


def check(image, im):
    s = Seen(image)
    creds = check_tree(s)
    check_registers(s, im.arch)
    check_memory(s, im.tree in (0, 3, len(cpt_make.TREES) - 1)) # those whose pages differ
    check_files(s, im)
    check_connections(s)
    check_packets(s, im)
    check_rest(s, im)
    check_version(s, im, creds)


def write(name, data):
    path = os.path.join(work, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def same_bytes(name, a, b):
    with open(a, "rb") as f, open(b, "rb") as g:
        same(name, f.read() == g.read(), True)


def convert(source, target):
    target = os.path.join(work, target)
    shutil.rmtree(target, ignore_errors=True)
    if os.path.exists(target):
        os.remove(target)
    run("convert", *(["-t", "criu"] if target.endswith("dir") else []), source, target)
    return target


VARIANTS = [(t, None, 1) for t in cpt_make.TREES] + [(t, None, 0) for t in ("18", "32e", "141")] + [
    ("18", v, 1) for v in (0x303, 0x304, 0x400, 0x500)] + [("26", 0x703, 1), ("061", 0x802, 1)]


def variants():
    global what
    for tree, version, arch in VARIANTS:
        data = cpt_make.make(tree, version, arch)
        im = cpt_make.Image(tree, version if version is not None else cpt_make.VERSIONS.get(tree, 0x803), arch, None)
        what = "%s, version 0x%x, machine %d" % (tree, im.version, arch)
        path = write("a.cpt", data)
        check(path, im)
        stream = convert(path, "a.crimg")
        same_bytes("back from a stream", path, convert(stream, "b.cpt"))
        what += ", garbage in its padding"
        garbage = write("g.cpt", cpt_make.make(tree, version, arch, garbage=7))
        same("differs", garbage != path and open(garbage, "rb").read() != data, True)
        same("diff", run("diff", path, garbage), b"")
        same_bytes("back from itself", garbage, convert(garbage, "b.cpt"))


def unknown():
    """[R-0913] Headers longer than any that is known, objects and a section that nobody knows."""
    global what
    what = "a kernel to come"
    im = cpt_make.Image("141", 0x803, 1, None)
    sizes, end = cpt_make.SIZES, cpt_make.Image.end
    longer = {"TASK": 1040, "FILE": 120, "MM": 144, "VMA": 96, "SOCKET": 1064, "X86_64_REGS": 288, "VEINFO": 200}

    def end_and_more(self, at, pad=True):
        if self.buf[at + 8:at + 12] in (b"\0\0\0\0", b"\4\0\0\0"): # TASK, FILE: one more object in each
            self.pad()
            self.buf += bytes([24, 0, 0, 0, 0, 0, 0, 0, 0x77, 0x77, 0, 0, 16, 0, 0, 0]) + b"newfield"
        return end(self, at, pad)

    cpt_make.SIZES = {**sizes, **{k: {"18": v} for k, v in longer.items()}}
    cpt_make.Image.end = end_and_more
    path = write("a.cpt", cpt_make.make())
    cpt_make.SIZES, cpt_make.Image.end = sizes, end
    check(path, im)
    same_bytes("back from a stream", path, convert(convert(path, "a.crimg"), "b.cpt"))


EINTR = -4
DX, EDX = 2, 3  # what the generator puts there: of a poll its milliseconds
LATER = cpt_make.UPTIME * 10**9
# Version, machine, system call, restart block, and what comes of it: ax, and a register with its value.
BLOCKS = [
    (0x803, 1, 35, (1, 1, 0, 0, 5), 35, "rdi", 5),  # kept no time left
    (0x803, 1, 230, (1, 1, 0x7100, 0, 5), 230, "rdx", 0x7100),
    (0x304, 1, 230, (1, 5, 0, 0x7100, 1), 230, "rdx", 0x7100),
    (0x803, 1, 230, (5, 2, 0x7100, 0, 5), 230, "rdx", 0x7100),
    (0x803, 0, 162, (2, 1, 0xffff, 0x7100, 5), 162, "ebx", 0x7100),
    (0x803, 0, 267, (2, 1, 0xffff, 0x7100, 5), 267, "edx", 0x7100),
    (0x803, 1, 7, (3, 0x7000, 1 << 32 | 4, LATER + 400000, 0), 7, "rdx", 1),  # rounded up
    (0x803, 0, 168, (3, 0x7000, 1 << 32 | 4, LATER + 1600000, 0), 168, "edx", 2),
    (0x803, 0, 168, (3, 0x7000, 1 << 32 | 4, LATER + 9 * 10**9, 0), 168, "edx", EDX),  # no more than it asked for
    (0x803, 0, 168, (3, 0x7000, 1 << 32 | 4, LATER - 1, 0), 168, "edx", EDX),
    (0x803, 1, 7, (3, 0x7000, 4, 0, 0), 7, "rdx", DX),  # for ever
    (0x803, 1, 202, (4, 0x7000, 3, 10**9, 1), 202, "rdx", DX),
    (0x803, 0, 240, (4, 0x7000, 3, 10**9, 1), 240, "edx", EDX),
    (0x803, 1, 35, (0, 0, 0, 0, 0), EINTR, "rdi", 5),
    (0x803, 1, 219, (1, 1, 0x7100, 0, 5), EINTR, "rdi", 5),  # restart_syscall itself: which call is not known
]


def blocks():
    """[R-0910] What each restart block leads to, and what the ledger says of it."""
    global what
    for version, arch, number, block, ax, name, value in BLOCKS:
        what = "a block: version 0x%x, machine %d, call %d, %r" % (version, arch, number, block)
        path = write("a.cpt", cpt_make.make("18" if version < 0x800 else "141", version, arch, waits=(number, block)))
        s = Seen(path)
        result, place = ("rax", "rip") if arch else ("eax", "eip")
        mask, ip = (2**64 - 1, 0x401236) if arch else (2**32 - 1, 0x8049002)
        same("ax, ip", [s.register(2, 2, result), s.register(2, 2, place)], [ax & mask, ip - 2 * (ax > 0)])
        same(name, s.register(2, 2, name), value)
        shutil.rmtree(os.path.join(work, "dir"), ignore_errors=True)
        run("convert", "--loss", os.path.join(work, "loss"), path, os.path.join(work, "dir"))
        with open(os.path.join(work, "loss"), encoding="ascii") as f:
            told = [x for x in f if x.startswith("core-2.img: thread_info.gpregs: the system call ")]
        same("told", [" is interrupted (EINTR)" in x for x in told], [ax == EINTR])


SHOWN = ("core-2 core-4 mm-1 files pstree ghost-file-5 pagemap-2 tty-info sk-queues ipcns-msg-9 mountpoints-11 cgroup "
         "netdev-8 tcp-stream-5 tcp-stream-7 tcp-stream-8").split()


# What was read and what was acknowledged is not there, nor what came ahead of others.
QUEUES = {"tcp-stream-5": [b", waits", b"unacked!"], "tcp-stream-7": [b"bye", b""], "tcp-stream-8": [b"", b"sentno"]}


def peer():
    """What crit says of the converted image is what `crimg convert -t json` says of it."""
    global what
    what = "peer"
    path = write("a.cpt", cpt_make.make())
    directory = convert(path, "dir")
    check(directory, cpt_make.Image("141", 0x803, 1, None))
    same_bytes("back from a directory", path, convert(directory, "b.cpt"))
    for name in SHOWN if crit is not None else ():
        image = os.path.join(directory, name + ".img")
        theirs = subprocess.run([crit, "decode", "-i", image], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        same("crit reads " + name, (theirs.returncode, theirs.stderr), (0, b""))
        ours = run("convert", "-t", "json", image, "-")
        same("crit says of " + name, json.loads(theirs.stdout or b"null"), json.loads(ours))
        if name.startswith("tcp-stream"):
            extra = json.loads(ours)["entries"][0]["extra"]
            same("bytes of " + name, [base64.b64decode(extra[k]) for k in ("inq", "outq")], QUEUES[name])


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
variants()
unknown()
blocks()
peer()
if claims < 1800:
    print("only %d claims were made" % claims)
