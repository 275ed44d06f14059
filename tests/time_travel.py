#!/usr/bin/python3
"""Restores a kernel stream, and looks at what its processes do then.

  time_travel.py CRIU IMAGES ROOT STREAM.ckpt    IMAGES: the stream, converted for criu
  time_travel.py CRIMG - ROOT STREAM.ckpt        STREAM.txt holds what was known; prints what differs

Runs where the numbers of the processes are free: as the first process of a pid namespace (a container brings its
own). ROOT is where the processes find their files.
"""
import ctypes
import glob
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

restorer, images, root, stream = sys.argv[1:5]
text = open(stream[:-5] + ".txt", encoding="latin-1").read()
role = re.search(r"r\d-(?:xsave-)?([a-z0-9-]+)", stream.rsplit("/", 1)[1])[1]
posting = 5 if "/r5-" in stream else 6
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
claims = 0


def same(what, found, wanted):
    global claims
    claims += 1
    if found != wanted:
        print("%s: found %r, wanted %r" % (what, found, wanted))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def memory(pid, at, length):
    with open("/proc/%d/mem" % pid, "rb", 0) as f:
        f.seek(at)
        return f.read(length)


def in_memory(pid, at, wanted):
    same("memory of %d at %#x" % (pid, at), memory(pid, at, len(wanted)), wanted)


def status(pid):
    return dict(line.split(":\t", 1) for line in read("/proc/%d/status" % pid).decode().splitlines() if ":\t" in line)


def stat(pid):
    return read("/proc/%d/stat" % pid).decode().rsplit(")", 1)[1].split()


def waits_in(tid, call, pid=None):
    """Its system call, as soon as it is in one: number and arguments."""
    for _ in range(40):
        words = read("/proc/%d/task/%d/syscall" % (pid or tid, tid)).decode().split()
        if words[0] == str(call):
            break
        time.sleep(0.025)
    same("%d waits in" % tid, words[0], str(call))
    return [int(w, 16) for w in words[1:7]]


def fd(pid, number):
    info = dict(line.split(":\t", 1) for line in
                read("/proc/%d/fdinfo/%d" % (pid, number)).decode().splitlines() if ":\t" in line)
    return os.readlink("/proc/%d/fd/%d" % (pid, number)), int(info["pos"]), int(info["flags"], 8)


def take_from(pid, number, length):
    """Reads what a pipe of the process holds."""
    pipe = os.open("/proc/%d/fd/%d" % (pid, number), os.O_RDONLY | os.O_NONBLOCK)
    data = b""
    while len(data) < length:
        part = os.read(pipe, length - len(data))
        if not part:
            break
        data += part
    os.close(pipe)
    return data


def number(pattern):
    return int(re.search(pattern, text)[1], 16)


# Registers, from the kernel. User registers are 27 words; FXSAVE is 512 bytes.
NAMES = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base".split()
ATTACH, DETACH, GETREGS, GETFPREGS = 16, 17, 12, 14


def registers(tid):
    regs, fp = ctypes.create_string_buffer(27 * 8), ctypes.create_string_buffer(512)
    if libc.ptrace(ATTACH, tid, None, None) != 0:
        print("%d cannot be traced" % tid)
        return {}, b""
    os.waitpid(tid, 0x40000000) # threads too
    libc.ptrace(GETREGS, tid, None, ctypes.cast(regs, ctypes.c_void_p))
    libc.ptrace(GETFPREGS, tid, None, ctypes.cast(fp, ctypes.c_void_p))
    libc.ptrace(DETACH, tid, None, None)
    return dict(zip(NAMES, struct.unpack("<27Q", regs.raw))), fp.raw


def counts(pid):
    """It spins: its time goes on."""
    before = int(stat(pid)[11])
    for _ in range(40):
        time.sleep(0.025)
        if int(stat(pid)[11]) > before:
            return
    print("%d does not run" % pid)


def inside(pid, kind, ask):
    """What ask() says in a namespace of pid's."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with open("/proc/%d/ns/%s" % (pid, kind)) as ns:
            libc.setns(ns.fileno(), 0)
        os.write(theirs, repr(ask()).encode())
        os._exit(0)
    os.close(theirs)
    data = b""
    while part := os.read(ours, 65536):
        data += part
    os.waitpid(child, 0)
    return eval(data) # pylint: disable=eval-used


# By role


def regs(pid=160):
    counts(pid)
    r, fp = registers(pid)
    for name, value in re.findall(r"\b(r[a-z0-9]+)=([0-9a-f]{16})", text):
        same(name, r.get(name), int(value, 16))
    same("rip", r.get("rip"), 0x402791)
    same("xmm0", fp[160:176], bytes(range(16)))
    same("xmm15", fp[400:416], bytes(range(240, 256)))
    same("st0", fp[32:42], bytes.fromhex("35c26821a2da0fc90040"))
    in_memory(pid, 0x416000, b"crimg-data-segment-marker\0")
    in_memory(pid, 0x42b000, b"bss marker: regs\0")
    in_memory(pid, 0x42c000, b"\x5a" * 4096)
    heap = number(r"heap (0x\w+)")
    in_memory(pid, heap, b"heap marker: regs\0" + b"\xa5" * (100000 - 18))
    for page in range(8):
        in_memory(pid, 0x200000000000 + 4096 * page, bytes([0x10 + page if page % 2 == 0 else 0]) * 4096)
    same("name", status(pid)["Name"], "regs-spinner")
    same("umask", status(pid)["Umask"], "0027" if posting == 6 else "0022")
    same("4", fd(pid, 4)[:2], (root + "/data/hello.txt", 7))
    same("6 is 4", fd(pid, 6)[:2], fd(pid, 4)[:2])
    same("5", [fd(pid, 5)[:2], fd(pid, 5)[2] & 0o2002003], [(root + "/data/append.log", 3), 0o2002001])
    same("directories", [os.readlink("/proc/%d/%s" % (pid, d)) for d in ("cwd", "root")], [root + "/data", root])


def sleep(pid=161):
    args = waits_in(pid, 35)
    request = args[1] - 16 # of the role's own call, in front of the rest
    same("time to sleep", args[0] in (args[1], request), True)
    left, nanoseconds = struct.unpack("<qq", memory(pid, args[1], 16))
    if left < 900: # the stream was changed for this: little is left
        for _ in range(80):
            if waits_in(pid, 35)[0] == request:
                break
            time.sleep(0.025)
        same("it woke, and sleeps again", waits_in(pid, 35)[0], request)
    else:
        same("it sleeps on", (args[0], 900 < left < 1000, nanoseconds < 10 ** 9), (args[1], True, True))
    now, then = status(pid), dict(re.findall(r"^(\w+):\t(.*)$", text, re.M))
    for name in ("Uid", "Gid", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"):
        same(name, now[name].strip(), then[name])
    same("groups", now["Groups"].split(), then["Groups"].split())
    same("limit", re.search(r"Max open files +(\d+) +(\d+)", read("/proc/%d/limits" % pid).decode()).groups(),
         ("77", "99"))
    if left >= 900: # a handler of 2010 runs, and the call is over
        os.kill(pid, signal.SIGUSR1)
        for _ in range(80):
            if waits_in(pid, 35)[0] == request:
                break
            time.sleep(0.025)
        same("the handler ended the call", waits_in(pid, 35)[0], request)


def threads(pid=163):
    same("threads", sorted(int(t) for t in os.listdir("/proc/%d/task" % pid)), [163, 164, 165, 166])
    waits_in(163, 34)
    for n, tid, at, value, r12, r13 in re.findall(
            r"thread (\d) tid (\d+) tls var (0x\w+)=(\d+) r12=(0x\w+) r13=(0x\w+)", text):
        tid = int(tid)
        in_memory(pid, int(at, 16), int(value).to_bytes(4, "little"))
        if n == "3":
            same("it waits for", waits_in(tid, 202, pid)[0], number(r"mutex at (0x\w+)") + 4)
            continue
        waits_in(tid, 34, pid)
        r = registers(tid)[0]
        same("thread %s" % n, [r.get("r12"), r.get("r13"), r.get("fs_base", 0) - int(at, 16) == 4],
             [int(r12, 16), int(r13, 16), True])
        waits_in(tid, 34, pid)


def tree(pid=167):
    shape = {p: [int(x) for x in stat(p)[1:4]] for p in (167, 168, 169, 170, 171, 172)}
    same("shape", shape, {167: [1, 167, 167], 168: [167, 168, 167], 169: [167, 167, 167], 170: [167, 167, 167],
                          171: [167, 167, 167], 172: [168, 168, 167]})
    same("the dead", [(stat(p)[0], int(stat(p)[49])) for p in (170, 171)], [("Z", 0x2a00), ("Z", 9)])
    same("their names", [status(p)["Name"] for p in (170, 171)], ["tree", "tree"])
    for p, byte in ((167, b"\0"), (168, b"A"), (172, b"G"), (169, b"B")):
        waits_in(p, 34)
        in_memory(p, 0x42b000, byte * 4096)
    same("pipes", [take_from(pid, 4, 17), take_from(168, 6, 6000)], [b"pipe-p holds this", b"Q" * 6000])
    same("ends", ["4" in os.listdir("/proc/%d/fd" % p) for p in (167, 168, 169)], [True, False, True])
    same("child-b's file", [fd(169, int(n))[:2] for n in os.listdir("/proc/169/fd")].count(
        (root + "/data/hello.txt", 1)), 1)
    os.kill(172, signal.SIGKILL) # its parent is told, and stays
    time.sleep(0.05)
    same("the grandchild is dead", (stat(172)[0], stat(168)[0]), ("Z", "S"))


def shm(pid=173):
    at, child = number(r"anon (0x\w+)"), 174
    for p in (pid, child):
        waits_in(p, 34)
        in_memory(p, at, b"shared-anon page 0\0")
        in_memory(p, at + 4096, bytes(4096))
        in_memory(p, at + 8192, b"shared-anon page 2\0")
        in_memory(p, at + 12288, b"child wrote page 3\0")
    segment, mapped = number(r"attached at (0x\w+)"), number(r"mapped.dat (0x\w+)")
    in_memory(pid, segment + 4096, b"sysv shm page 1\0")
    in_memory(pid, mapped + 4096, b"file-shared page 1\0")
    for place in (at, segment, mapped): # one memory
        with open("/proc/%d/mem" % pid, "r+b", 0) as f:
            f.seek(place + 100)
            f.write(b"news")
        in_memory(child, place + 100, b"news")
    same("in the file", read(root + "/mnt/mapped.dat")[100:104], b"news")
    same("host", inside(pid, "uts", lambda: os.uname().nodename), "ckpt-host")

    def queues():
        message, values = ctypes.create_string_buffer(8 + 5000), (ctypes.c_ushort * 3)()
        lengths = [libc.msgrcv(libc.msgget(0x4321, 0), message, 5000, kind, 0o4000) for kind in (5, 9)]
        libc.semctl(libc.semget(0x9999, 3, 0), 0, 13, values)
        return lengths, message.raw[8:], list(values), libc.shmget(0x1234, 12288, 0)

    same("System V", inside(pid, "ipc", queues), ([14, 5000], b"M" * 5000, [1, 22, 333], 0))


def files(pid=175):
    waits_in(pid, 34)
    same("the fifo", [fd(pid, 4)[0], take_from(pid, 4, 10)], [root + "/data/fifo", b"fifo-bytes"])
    same("others", [fd(pid, 5)[0], fd(pid, 6)[0], fd(pid, 7)[2] & 0o4003, fd(pid, 8)[2] & 0o4003],
         [root + "/data", root + "/dev/zero", 0o4000, 1])
    watched = re.findall(r"tfd: +(\d+) events: +(\w+) data: +(\w+)", read("/proc/%d/fdinfo/9" % pid).decode())
    same("epoll", sorted((int(n), int(events, 16) & ~0x18, int(data, 16)) for n, events, data in watched),
         [(7, 1, 0xfeedface12345678), (8, 0x80000004, 99)])
    if "21" in os.listdir("/proc/%d/fd" % pid): # the stream was given sockets
        sockets(pid)


def borrow(pid, number):
    """The socket of another process."""
    pidfd = os.pidfd_open(pid)
    s = socket.socket(fileno=libc.syscall(438, pidfd, number, 0))
    os.close(pidfd)
    return s


def sockets(pid):
    with borrow(pid, 20) as a, borrow(pid, 21) as b:
        same("what waited", b.recv(100), b"hello from 2010and again")
        a.send(b"news")
        same("they are a pair", b.recv(100), b"news")
    with borrow(pid, 22) as s:
        same("it listens", s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(root + "/run/name")
    with borrow(pid, 23) as s:
        same("it listens too", (s.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)),
             (("127.0.0.1", 8081), 1))
    with borrow(pid, 24) as s:
        same("it is connected", (s.getsockname()[:2], s.getpeername()[:2]), (("::1", 4242), ("::1", 53)))
    counter = re.search(r"eventfd-count: +(\w+)", read("/proc/%d/fdinfo/25" % pid).decode())[1]
    same("the eventfd counts", int(counter, 16), 7)



def selfck(pid=180):
    waits_in(pid, 34)
    in_memory(pid, 0x42b000, b"self checkpoint\0")
    same("the image's own file", fd(pid, 3)[0], root + "/data/selfck.ckpt")


def selfck_self(pid=180):
    """The stream was taken within checkpoint(2): the program goes on behind it, and opens files of its root."""
    waits_in(pid, 34)
    same("it said", read(root + "/mnt/selfck.txt").decode(),
         "checkpoint returned 0 errno 0; image fd 3 (/data/selfck.ckpt), later copied\n")
    same("it is ready", os.path.exists(root + "/run/selfck.ready"), True)


def ia32(pid=179):
    counts(pid)
    r, fp = registers(pid)
    same("registers", [r.get(n) for n in "rax rbx rcx rdx rsi rdi rbp rip cs".split()],
         [0x11111111 * (i + 1) for i in range(7)] + [0x804904f, 0x23])
    same("xmm3", fp[208:224].hex(), "efbeaddebebafeca67452301efcdab89")
    same("st0", fp[32:42].hex(), "00c06821a2da0fc90040")
    in_memory(pid, 0x804a000, b"ia32 data marker\0")
    in_memory(pid, 0xffffe000, b"\x7fELF\1\1\1")


def container(outer):
    worker = int(read("/proc/%d/task/%d/children" % (outer, outer)).split()[0])
    same("numbers", [status(p)["NSpid"].split()[-1] for p in (outer, worker)], ["1", "2"])
    same("names", [status(p)["Name"] for p in (outer, worker)], ["container", "worker"])
    for p in (outer, worker):
        waits_in(p, 34)
    in_memory(worker, 0x42b000, b"container worker\0")
    same("host", inside(outer, "uts", lambda: os.uname().nodename), "container-host")


def vdso(pid):
    """The stand-in is there, says ENOSYS, and is what the program's vector speaks of."""
    words = struct.unpack("<%dQ" % (len(read("/proc/%d/auxv" % pid)) // 8), read("/proc/%d/auxv" % pid))
    at = dict(zip(words[::2], words[1::2])).get(33, 0)
    in_memory(pid, at, b"\x7fELF\2\1\1")
    in_memory(pid, at + 64, b"\x90" * (4096 - 64 - 8) + bytes.fromhex("48c7c0daffffffc3"))


def restore():
    """The number of the root."""
    if images == "-":
        command = [restorer, "restart", "--sysroot", root, stream]
    else:
        command = [restorer, "restore", "-D", images, "-o", "restore.log", "-d", "--pidfile", "pid"]
        command += [] if role == "container" else ["--shell-job"]
        command += ["--tcp-close"] if glob.glob(images + "/tcp-stream-*.img") else []  # who was at the other end is gone
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=20)
    if images == "-" and role == "tree": # what is the same of several tasks is said once
        same("notes", b"mm-167.img and 3 more: vmas: the vDSO" in done.stderr, True)
    if done.returncode == 0:
        return int(done.stdout if images == "-" else read(images + "/pid"))
    told = done.stderr.decode() if images == "-" else read(images + "/restore.log").decode(errors="replace")
    print("; ".join((re.findall(r"Error.*", told) or [told])[-3:]))
    sys.exit(1)


first = restore()
try:
    if role == "container":
        container(first)
    else:
        globals()[role.replace("-", "_")]()
    if role != "ia32":
        vdso(first)
finally:
    os.kill(first, signal.SIGKILL)
if claims < 4:
    print("only %d claims were made" % claims)
