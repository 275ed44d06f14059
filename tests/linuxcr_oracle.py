#!/usr/bin/python3
"""Holds what `crimg inspect --json` says of a kernel stream against what was known when it was taken.

  linuxcr_oracle.py CRIMG STREAM.ckpt [IMAGE]    STREAM.txt holds the truth; prints what differs

From the text: /proc of every task at that moment, and by role of the program what it had set. IMAGE is what the
stream was converted to, and is looked at instead.
"""
import json
import os
import re
import subprocess
import sys

crimg, path = sys.argv[1:3]
image = sys.argv[3] if len(sys.argv) > 3 else path
text = open(path[:-5] + ".txt", encoding="latin-1").read()
role = re.search(r"r\d-(?:xsave-)?([a-z0-9]+)", path.rsplit("/", 1)[1])[1]
posting = 5 if "/r5-" in path else 6
claims = 0


def run(*args):
    out = subprocess.run([crimg, "inspect", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if out.returncode != 0:
        print(out.stderr.decode(errors="replace").strip())
    return out.stdout


def same(what, found, wanted):
    global claims
    claims += 1
    if found != wanted:
        print("%s: found %r, wanted %r" % (what, found, wanted))


seen = json.loads(run("--json", image, "summary", "tree", "fds", "files", "maps", "regs", "signals", "timers",
                      "creds", "namespaces", "ipc", "objects"))


def of(view, pid):
    return next((x for x in seen[view] if x["pid"] == pid), None)


def memory(pid, at, length):
    return run("--raw", "--at", "0x%x+%d" % (at, length), "-p", str(pid), image, "mem")


def in_memory(pid, at, wanted):
    same("memory of %d at %#x" % (pid, at), memory(pid, at, len(wanted)), wanted)


def message(kind, number):
    return next(o["entries"][0]["message"] for o in seen["objects"] if o["kind"] == kind and o["id"] == number)


def records(kind):
    """Payloads of the stream's records of this type."""
    o = next(o for o in seen["objects"] if o["kind"] == "KERNEL_RECORDS")
    return [bytes.fromhex(e["message"].get("payload", "")) for e in o["entries"] if e["message"]["type"] == kind]


def thread(pid, tid):
    return next(t for t in of("regs", pid)["threads"] if t["tid"] == tid)


def registers(pid, tid=None):
    return {k: int(v["value"], 16) for k, v in thread(pid, tid or pid)["registers"].items()}


def descriptors(pid):
    return {f["fd"]: f for f in of("fds", pid)["fds"]}


# /proc


NAMES = {"cpu time": "cpu", "file size": "fsize", "data size": "data", "stack size": "stack",
         "core file size": "core", "resident set": "rss", "processes": "nproc", "open files": "nofile",
         "locked memory": "memlock", "address space": "as", "file locks": "locks", "pending signals": "sigpending",
         "msgqueue size": "msgqueue", "nice priority": "nice", "realtime priority": "rtprio",
         "realtime timeout": "rttime"}


def proc():
    tasks = {}
    for pid, name, body in re.findall(r"^--- /proc/(\d+)/(\w+)\n(.*?)(?=^--- |\Z)", text, re.M | re.S):
        tasks.setdefault(int(pid), {})[name] = body
    return tasks


def in_namespace(pid):
    """The stream has numbers of the root task's namespace."""
    return {"container": {176: 1, 177: 2}}.get(role, {}).get(pid, pid)


def status_of(tid, files):
    s = dict(re.findall(r"^(\w+):\t(.*)$", files["status"], re.M))
    outside, pid, tid = int(s["Tgid"]), in_namespace(int(s["Tgid"])), in_namespace(tid)
    task, creds, signals = of("tree", pid), of("creds", pid), of("signals", pid)
    stat = files["stat"].rsplit(")", 1)[1].split()
    same("%d name" % tid, next(t["comm"] for t in task["threads"] if t["tid"] == tid), s["Name"])
    same("%d threads" % pid, task["thread_count"], int(s["Threads"]))
    for kind, line in (("uid", s["Uid"]), ("gid", s["Gid"])):
        same("%d %s" % (tid, kind), [creds[kind][k] for k in ("real", "effective", "saved", "filesystem")],
             [int(x) for x in line.split()])
    same("%d groups" % tid, creds["groups"], [int(x) for x in s["Groups"].split()])
    for name, key in (("CapInh", "inheritable"), ("CapPrm", "permitted"), ("CapEff", "effective"), ("CapBnd", "bounding")):
        same("%d %s" % (tid, name), int(creds["cap_" + key], 16), int(s[name], 16))
    blocked = next(t for t in signals["threads"] if t["tid"] == tid)["blocked_mask"]
    same("%d blocked" % tid, int(blocked, 16), int(s["SigBlk"], 16))
    sets = {"ignored": 0, "handler": 0}
    for a in signals["actions"]:
        if a["action"] in sets:
            sets[a["action"]] |= 1 << a["number"] - 1
    same("%d ignored" % pid, sets["ignored"], int(s["SigIgn"], 16))
    same("%d handled" % pid, sets["handler"], int(s["SigCgt"], 16))
    for owner, name in ((None, "ShdPnd"), (tid, "SigPnd")):
        bits = 0
        for p in signals["pending"]:
            if p["tid"] == owner:
                bits |= 1 << p["number"] - 1
        same("%d %s" % (tid, name), bits, int(s[name], 16))
    if posting == 5 or role != "container":
        if task["ppid"]:
            same("%d parent" % pid, task["ppid"], int(s["PPid"]))
        same("%d group, session" % pid, [task["pgid"], task["sid"]], [int(x) for x in stat[2:4]])
    mm = message("MM", pid)
    same("%d code" % pid, [int(mm["mm_start_code"], 16), int(mm["mm_end_code"], 16)], [int(x) for x in stat[23:25]])
    if tid == pid and not task["ppid"] in (t["pid"] for t in seen["tree"]):
        # of one that was cloned, that kernel told the stack pointer of the clone
        same("%d stack" % pid, int(mm["mm_start_stack"], 16), int(stat[25]))
    r = registers(pid, tid)
    # A call that waits is made again: its instruction is the next.
    again = 2 * (thread(pid, tid)["syscall"] is not None and thread(pid, tid)["syscall"]["state"] == "restarts")
    if not path.endswith("selfck-self.ckpt"):
        same("%d instruction" % tid, r.get("rip", r.get("eip")) + again, int(stat[27]))
    if not path.endswith("selfck-self.ckpt") and role != "regs":
        # of one that runs code of its own, that kernel told where its stack was at its last call
        same("%d stack pointer" % tid, r.get("rsp", r.get("esp")), int(stat[26]))
    return outside, pid


def maps_of(pid, lines):
    wanted = []
    for line in lines.splitlines():
        m = re.match(r"(\w+)-(\w+) (\S+) (\w+) \S+ \d+ *(.*)", line)
        if m is None or m[5] == "[vsyscall]":
            continue
        name = re.sub(r" \(deleted\)$", "", m[5])
        name = None if name.startswith(("[thread", "/SYSV", "/dev/zero")) else name or None
        is_file = name is not None and name.startswith("/")
        perm = m[3]
        if name == "[vdso]" and os.path.isdir(image): # for criu another page is in its place
            name, perm = None, "r-xs"
        wanted.append((int(m[1], 16), int(m[2], 16), perm, int(m[4], 16) if is_file else 0, name))
    found = [(int(a["start"], 16), int(a["end"], 16), a["permissions"],
              int(a["offset"] or "0", 16) if (a["name"] or "").startswith("/") else 0,
              a["name"] if (a["name"] or "").startswith(("/", "[")) else None) for a in of("maps", pid)["areas"]]
    same("%d maps" % pid, found, wanted)


def limits_of(pid, lines):
    for name, soft, hard in re.findall(r"^Max ([a-z ]*?) +(\d+|unlimited) +(\d+|unlimited)", lines, re.M):
        wanted = {"soft": soft, "hard": hard}
        same("%d limit of %s" % (pid, name), of("creds", pid)["limits"][NAMES[name]],
             {k: None if v == "unlimited" else int(v) for k, v in wanted.items()})


def arguments_of(pid, files):
    mm = message("MM", pid)
    for name, key in (("cmdline", "arg"), ("environ", "env")):
        start, end = int(mm["mm_%s_start" % key], 16), int(mm["mm_%s_end" % key], 16)
        in_memory(pid, start, files[name].rstrip("\n").replace(" ", "\0").encode())
        same("%d bytes of %s" % (pid, name), end - start, len(files[name].rstrip("\n")))
    same("%d command" % pid, of("tree", pid)["command"], files["cmdline"].split())
    auxv = [tuple(map(lambda x: int(x, 0), line.split())) for line in files["auxv"].splitlines() if line]
    found = [int(x) for x in mm["mm_saved_auxv"]]
    pairs = [(found[i], found[i + 1]) for i in range(0, len(found) - 1, 2)]
    same("%d auxiliary vector" % pid, pairs[:len(auxv)], auxv)


def check_proc():
    tasks = proc()
    for tid, files in tasks.items():
        outside, pid = status_of(tid, files)
        if tid != outside:
            continue
        maps_of(pid, files["maps"])
        limits_of(pid, files["limits"])
        if role != "ia32": # its vector was printed in words of 64 bits
            arguments_of(pid, files)


# What the program had set


def number(pattern):
    return int(re.search(pattern, text)[1], 16)


def null_descriptors(pid):
    fds = descriptors(pid)
    same("0, 1, 2", [fds[i]["path"] for i in range(3)], ["/dev/null"] * 3)
    same("0, 1, 2 are one file", len({fds[i]["file_id"] for i in range(3)}), 1)
    return fds


def check_regs():
    r, t = registers(160), thread(160, 160)
    for name, value in re.findall(r"\b(r[a-z0-9]+)=([0-9a-f]{16})", text):
        same(name, r[name], int(value, 16))
    same("rip", r["rip"], 0x402791)
    same("the syscall", t["syscall"], None)
    v = t["vectors"]["registers"]
    key = "xmm" if "xmm0" in v else "ymm"
    same("xmm0", v[key + "0"][-32:], bytes(range(15, -1, -1)).hex())
    same("xmm15", v[key + "15"][-32:], bytes(range(255, 239, -1)).hex())
    same("st0", t["x87"]["registers"][0]["raw"], "0x4000c90fdaa22168c235")
    data = json.loads(run("--json", "--at", "0x416000+4096", "-p", "160", image, "mem"))["mem"][0]["stretches"]
    same("the data nobody wrote to are the file's", [d["origin"] for d in data], ["file"])
    in_memory(160, 0x42b000, b"bss marker: regs\0")
    in_memory(160, 0x42c000, b"\x5a" * 4096)
    heap = number(r"heap (0x\w+)")
    in_memory(160, heap, b"heap marker: regs\0")
    in_memory(160, heap + 18, b"\xa5" * (100000 - 18))
    for page in (0, 2, 4, 6):
        in_memory(160, 0x200000000000 + 4096 * page, bytes([0x10 + page]) * 4096)
    pages = next(o for o in seen["objects"] if o["kind"] == "PAGEMAP")["entries"]
    held = {int(e["message"]["vaddr"], 16) + 4096 * i for e in pages[1:] for i in range(e["message"]["nr_pages"])}
    same("untouched pages", [0x200000000000 + 4096 * i in held for i in range(8)], [True, False] * 4)
    fds = null_descriptors(160)
    same("4", [fds[4][k] for k in ("path", "mode", "pos", "cloexec")], ["/data/hello.txt", "rw", 7, False])
    same("6 is 4", fds[6]["file_id"], fds[4]["file_id"])
    same("5", [fds[5][k] for k in ("path", "mode", "pos", "cloexec", "flags")],
         ["/data/append.log", "w", 3, True, "O_APPEND"])
    same("cwd", of("fds", 160)["cwd"], "/data")
    if posting == 6:
        same("umask", of("fds", 160)["umask"], "027")


def check_sleep():
    pid, s = 161, of("signals", 161)
    actions = {a["number"]: a for a in s["actions"]}
    same("SIGUSR1", [actions[10][k] for k in ("handler", "blocks")], ["0x401139", "SIGHUP"])
    same("38", actions[38]["handler"], "0x40113a")
    same("flags of 38", set(actions[38]["flags"].split("|")) >= {"SA_SIGINFO", "SA_ONSTACK", "SA_RESTART"}, True)
    same("SIGPIPE", actions[13]["action"], "ignored")
    shared = [p for p in s["pending"] if p["tid"] is None]
    same("shared queue", [(p["number"], p["code"], p["sender_pid"]) for p in shared], [(40, "SI_QUEUE", 161)] * 2)
    same("values", [int(shared[0]["value"], 16), int(shared[1]["value"], 16) & 0xffffffff], [0x1122334455667788, 7])
    same("private queue", [(p["number"], p["code"]) for p in s["pending"] if p["tid"] == pid], [(12, "SI_TKILL")])
    timers = {t["kind"]: t for t in of("timers", pid)["timers"]}
    real, virtual = timers["ITIMER_REAL"], timers["ITIMER_VIRTUAL"]
    same("real timer", (0 < real["left_seconds"] <= 100, real["interval_seconds"]), (True, 50))
    same("virtual timer", (499 <= virtual["left_seconds"] <= 500, virtual["interval_seconds"]), (True, 3))
    same("RLIMIT_NOFILE", of("creds", pid)["limits"]["nofile"], {"soft": 77, "hard": 99})
    if posting == 6:
        same("alternate stack", [int(s["threads"][0]["stack_address"], 16), s["threads"][0]["stack_bytes"]],
             [number(r"altstack (0x\w+)"), 16384])
    block = records(105 if posting == 5 else 106)[0]
    words = [int.from_bytes(block[i:i + 8], "little") for i in range(0, 48, 8)]
    same("restart block", words[:2], [2, 1])
    if posting == 5:
        same("its pointer", words[2], number(r"rem pointer (0x\w+)"))
    # The kernel knows the block no longer: the call is made again, for the time that was left.
    r = registers(pid)
    same("the call", [r["rax"], r["rdi"], r["rsi"]], [35, words[2], words[2]])
    left = memory(pid, words[2], 16)
    same("the time left", 0 <= int.from_bytes(left[:8], "little") * 10 ** 9
         + int.from_bytes(left[8:], "little") - words[5] < 10 ** 9, True)


def check_threads():
    for n, tid, at, value, r12, r13 in re.findall(
            r"thread (\d) tid (\d+) tls var (0x\w+)=(\d+) r12=(0x\w+) r13=(0x\w+)", text):
        in_memory(163, int(at, 16), int(value).to_bytes(4, "little"))
        if n != "3": # that one is in a library function, which uses them
            r = registers(163, int(tid))
            same("thread %s r12, r13" % n, [r["r12"], r["r13"]], [int(r12, 16), int(r13, 16)])
        t = thread(163, int(tid))
        same("thread %s waits in" % n, t["syscall"]["name"], "futex" if n == "3" else "pause")
    same("numbers", [t["tid"] for t in of("tree", 163)["threads"]], [163, 164, 165, 166])
    same("leader waits in", thread(163, 163)["syscall"]["name"], "pause")
    same("the futex in the mutex", registers(163, 166)["rdi"], number(r"mutex at (0x\w+)") + 4)
    r = registers(163)
    same("the leader's base is that of its slot", r["fs_base"],
         int(next(t for t in thread(163, 163)["tls"] if t["entry"] == 12)["base"], 16))


def check_tree():
    tree = {t["pid"]: t for t in seen["tree"]}
    same("order", [t["pid"] for t in seen["tree"]], [167, 168, 172, 169, 170, 171])
    same("parents", [tree[p]["ppid"] for p in (168, 172, 169, 170, 171)], [167, 168, 167, 167, 167])
    same("zombies", [(tree[p]["exit_status"], tree[p]["state"]) for p in (170, 171)],
         [(0x2a00, "zombie, exited 42"), (9, "zombie, killed by SIGKILL")])
    for pid, byte in ((168, b"A"), (172, b"G"), (169, b"B")):
        in_memory(pid, 0x42b000, byte * 4096)
    in_memory(167, 0x42b000, b"\0" * 4096)
    same("pipes", [p for p in records(305) if p], [b"pipe-p holds this", b"Q" * 6000])
    root, a, b = descriptors(167), descriptors(168), descriptors(169)
    same("held", [root[i]["note"] for i in (4, 5, 6, 7)], ["holds 17 B"] * 2 + ["holds 6000 B"] * 2)
    same("ends", [root[i]["mode"] for i in (4, 5, 6, 7)], ["r", "w", "r", "w"])
    same("child-a has no 4", 4 in a, False)
    same("child-a shares 5", a[5]["file_id"], root[5]["file_id"])
    same("child-b opened", [(f["path"], f["pos"]) for f in b.values() if f["path"] == "/data/hello.txt"],
         [("/data/hello.txt", 1)])
    same("groups", [tree[p]["pgid"] == p for p in (167, 168, 169)], [True, True, False])


def check_shm():
    at = int(re.search(r"anon (0x\w+)", text)[1], 16)
    for page, wanted in ((0, b"shared-anon page 0"), (2, b"shared-anon page 2"), (3, b"child wrote page 3")):
        in_memory(173, at + 4096 * page, wanted)
        in_memory(174, at + 4096 * page, wanted)
    same("a page nobody touched", memory(173, at + 4096, 4096).strip(b"\0"), b"")
    segment = int(re.search(r"attached at (0x\w+)", text)[1], 16)
    in_memory(173, segment + 4096, b"sysv shm page 1")
    same("mapped file", descriptors(173)[4]["path"], "/mnt/mapped.dat")
    ipc = {o["kind"]: o for o in seen["ipc"]["objects"]}
    shm, sem, msg = ipc["shared memory"], ipc["semaphores"], ipc["messages"]
    same("segment", [shm[k] for k in ("id", "key", "bytes", "mode")], [0, "0x1234", 12288, "0640"])
    same("semaphores", [sem[k] for k in ("id", "key", "holds")], [0, "0x9999", "3 semaphores: 1 22 333"])
    same("messages", [msg[k] for k in ("id", "key", "holds")],
         [0, "0x4321", "2 messages, type 5 of 14 B, type 9 of 5000 B"])
    bodies = b"".join(p for p in records(4))
    same("first message", b"first message\0" in bodies, True)
    same("second message", bodies.count(b"M" * 5000) > 0, True)
    uts = next(n for n in seen["namespaces"] if n["type"] == "uts")
    same("host", uts["holds"].startswith("host ckpt-host"), True)


def check_files():
    fds = null_descriptors(175)
    same("kinds", [(i, fds[i]["type"]) for i in range(4, 10)],
         [(4, "fifo"), (5, "file"), (6, "file"), (7, "pipe"), (8, "pipe"), (9, "epoll")])
    same("fifo", [fds[4]["path"], fds[4]["note"]], ["/data/fifo", "holds 10 B"])
    same("what it holds", [p for p in records(305) if p], [b"fifo-bytes"])
    same("paths", [fds[5]["flags"], fds[6]["path"]], ["O_DIRECTORY", "/dev/zero"])
    same("pipe", [fds[7]["mode"], fds[7]["flags"], fds[8]["mode"]], ["r", "O_NONBLOCK", "w"])
    watches = {w["target"]: (set(w["events"].split("|")) - {"EPOLLERR", "EPOLLHUP"}, int(w["data"], 16))
               for w in seen["watches"]}
    same("watches", watches, {"fd 7": ({"EPOLLIN"}, 0xfeedface12345678),
                              "fd 8": ({"EPOLLOUT", "EPOLLET"}, 99)})
    ldt = records(202)[0]
    entry = int.from_bytes(ldt[16:24], "little")
    same("LDT", (entry >> 16 & 0xffffff, entry & 0xffff, entry >> 55 & 1, entry >> 54 & 1), (0x10000, 0xfff, 1, 1))


def check_ia32():
    r, t = registers(179), thread(179, 179)
    names = "eax ebx ecx edx esi edi ebp".split()
    same("registers", [r[n] for n in names], [0x11111111 * (i + 1) for i in range(7)])
    same("eip", r["eip"], 0x804904f)
    same("mode", (t["mode"], t["segments"]["cs"]["value"]), ("32-bit", "0x23"))
    same("xmm3", t["vectors"]["registers"]["xmm3"], "0x89abcdef01234567cafebabedeadbeef")
    same("st0", t["x87"]["registers"][0]["value"][:17], "3.141592653589793")
    null_descriptors(179)


def check_selfck():
    own = path.endswith("selfck-self.ckpt")
    if own:
        same("ax", registers(180)["rax"], 0)
    same("the image itself", descriptors(180)[3]["path"], "/data/selfck.ckpt")


def check_container():
    tree = {t["pid"]: t for t in seen["tree"]}
    same("numbers", {p: (t["comm"], t["ppid"]) for p, t in tree.items()}, {1: ("container", 0), 2: ("worker", 1)})
    uts = next(n for n in seen["namespaces"] if n["type"] == "uts")
    same("host", uts["holds"].startswith("host container-host"), True)
    for pid in (1, 2):
        null_descriptors(pid)


def check_summary():
    tasks = {t["pid"]: t for t in seen["tree"]}
    s = seen["summary"]
    same("the kernel", s["kernel"], "Linux 2.6.33-g70a47ca5-dirty x86_64")
    same("not CRIU's", [s[k] for k in ("criu_version", "criu_at_least", "criu_before")], [None] * 3)
    same("the year", s["not_before"][:4], "2026")
    same("complete", (s["complete"], s["processes"] + s["zombies"]), (True, len(tasks)))


check_summary()
check_proc()
globals()["check_" + role]()
if claims < 40:
    print("only %d claims were made" % claims)
