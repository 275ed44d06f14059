#!/usr/bin/python3
"""Holds what `crimg inspect --json` says of the OpenVZ samples against what their generator, not ours, put in: three tasks in
two processes, of which the second was forked from the first.

  cpt_samples.py CRIMG IMAGE    prints what differs
"""
import json
import subprocess
import sys

crimg, image = sys.argv[1:]
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
        print("%s: found %.300r, wanted %.300r" % (what, found, wanted))


def page(n):
    return bytes((n * 31 + i * 7) & 255 for i in range(4096))


def memory(pid, at, pages):
    return run("--raw", "--at", "0x%x+%d" % (at, 4096 * pages), "-p", str(pid), image, "mem")


seen = json.loads(run("--json", image, "summary", "tree", "fds", "maps", "regs", "signals", "creds", "namespaces", "mounts",
                      "ipc", "objects"))
by_pid = {view: {x["pid"]: x for x in seen[view]} for view in ("tree", "fds", "maps", "regs", "signals", "creds")}
same("tree", [(t["pid"], t["ppid"], t["comm"], [x["tid"] for x in t["threads"]]) for t in seen["tree"]],
     [(1, 0, "init", [1]), (2, 1, "worker", [2, 3])])
registers = dict(rbx=3, rcx=0x401234, rdx=2, rsi=1, rdi=5, rbp=0x7ffffffde800, rsp=0x7ffffffde700, r8=8, r9=9, r10=10, r11=0x246,
                 r12=12, r13=13, r14=14, r15=15, eflags=0x246, fs_base=0x700800)
for pid, tid in ((1, 1), (2, 2), (2, 3)):
    t = next(t for t in by_pid["regs"][pid]["threads"] if t["tid"] == tid)
    found = {k: int(v["value"], 16) for k, v in t["registers"].items()}
    same("registers of %d" % tid, {k: found.get(k, int(t.get("rflags", "0x246"), 16)) for k in registers}, registers)
    # the block of the nanosleep() it was in says nothing: restart_syscall() of today would end with EINTR, too
    same("a call that is interrupted in %d" % tid, [found["rax"], found["rip"]], [2**64 - 4, 0x401236])
    same("segments of %d" % tid, [t["segments"][k]["value"] for k in ("cs", "ss")], ["0x33", "0x2b"])
    same("x87 of %d" % tid, t["x87"]["control"], "0x37f")
for pid, at, numbers in ((1, 0x600000, [1]), (1, 0x700000, [2, 3]), (1, 0x7ffffffde000, [9, 10]), (2, 0x600000, [1]),
                         (2, 0x700000, [2, 40]), (2, 0x7ffffffde000, [9, 10])):
    same("pages of %d at %x" % (pid, at), memory(pid, at, len(numbers)), b"".join(map(page, numbers)))
same("areas", [(a["start"], a["end"], a["permissions"]) for a in by_pid["maps"][2]["areas"]],
     [("0x400000", "0x402000", "r-xp"), ("0x600000", "0x602000", "rw-p"), ("0x700000", "0x703000", "rw-p"),
      ("0x7ffffffdd000", "0x7ffffffe0000", "rw-p")])
same("program", by_pid["maps"][1]["executable"], "/bin/sleep")
fds = {f["fd"]: f for f in by_pid["fds"][1]["fds"]}
same("descriptors", {n: (f["path"], f["type"], f["mode"], f["pos"], f["cloexec"]) for n, f in fds.items()},
     {0: ("/dev/null", "file", "rw", 0, False), 1: ("/var/log/x", "file", "w", 77, True), 3: (None, "pipe", "r", None, False),
      4: (None, "pipe", "w", None, False), 5: ("/tmp/gone", "file", "rw", 5000, False)})
same("in the pipe", fds[3]["note"], "holds 10 B")
same("deleted", fds[5]["note"][:17], "deleted, kept in ")
same("of the other", {f["fd"]: (f["path"], f["file_id"] == fds[1]["file_id"]) for f in by_pid["fds"][2]["fds"]},
     {0: ("/dev/null", False), 1: ("/var/log/x", True), 2: ("/var/log/x", True)})
same("directories", [by_pid["fds"][1][k] for k in ("cwd", "root", "umask")], ["/", "/", "022"])
messages = {o["kind"]: [e["message"] for e in o["entries"]] for o in seen["objects"]}
ghost = next(o for o in seen["objects"] if o["kind"] == "GHOST_FILE")["entries"]
same("deleted file", [len(ghost), ghost[0].get("payload_bytes")], [1, 5000])
same("auxiliary vector", messages["MM"][0]["mm_saved_auxv"], [6, 4096, 17, 100, 9, 0x400400, 25, 0x7ffffffde100])
action = by_pid["signals"][1]["actions"][0]
same("handler", [action[k] for k in ("number", "handler", "restorer", "flags")],
     [17, "0x401000", "0x402000", "SA_RESTORER|SA_RESTART"])
same("blocked", by_pid["signals"][2]["threads"][1]["blocked_mask"], "0x200")
same("mounts", [(m["mountpoint"], m["type"], m["source"]) for m in seen["mounts"][0]["mounts"]],
     [("/", "simfs", "/dev/simfs"), ("/proc", "proc", "proc")])
same("host", next(n["holds"] for n in seen["namespaces"] if n["type"] == "uts"), "host ct101.example")
same("limits", [seen["ipc"]["limits"][0][k] for k in ("shmmax", "msgmax", "msgmnb", "msgmni")], [33554432, 8192, 16384, 16])
same("own namespaces", seen["summary"]["own_namespaces"], ["pid", "net", "ipc", "uts", "mnt"])
if claims < 30:
    print("only %d claims were made" % claims)
