#!/usr/bin/env python3
"""Makes of a new CRIU image what CRIU 1.2 would have written: version 1.0 (one magic a file), a file a kind
instead of files.img, areas in vmas-PID.img, and credentials, handlers, limits and timers beside the core.

    old_image.py CRIMG NEW OLD
"""
import json, os, shutil, struct, subprocess, sys

crimg, new, old = sys.argv[1:]
KIND_FILES = {
    "reg": ("REG_FILES", "reg-files.img"), "pipe": ("PIPES", "pipes.img"), "fifo": ("FIFO", "fifo.img"),
    "usk": ("UNIXSK", "unixsk.img"), "isk": ("INETSK", "inetsk.img"), "efd": ("EVENTFD_FILE", "eventfd.img"),
    "epfd": ("EVENTPOLL_FILE", "eventpoll.img"), "sgfd": ("SIGNALFD", "signalfd.img"),
    "ify": ("INOTIFY_FILE", "inotify.img"), "tty": ("TTY_FILES", "tty.img"), "tfd": ("TIMERFD", "timerfd.img"),
    "psk": ("PACKETSK", "packetsk.img"), "nlsk": ("NETLINK_SK", "netlinksk.img"),
}


def load(name):
    done = subprocess.run([crimg, "convert", "-t", "json", os.path.join(new, name), "-"], capture_output=True, check=True)
    return json.loads(done.stdout)


def save(name, magic, entries):
    text = os.path.join(old, name + ".json")
    with open(text, "w") as f:
        json.dump({"magic": magic, "entries": entries}, f)
    subprocess.run([crimg, "convert", "-f", "json", "-t", "criu", text, os.path.join(old, name)], check=True)
    os.unlink(text)


def beside_core(pid, core):
    thread, task = core.get("thread_core", {}), core["tc"]
    if "creds" in thread:
        save("creds-%d.img" % pid, "CREDS", [thread.pop("creds")])
    if "sigactions" in task:
        save("sigacts-%d.img" % pid, "SIGACT", task.pop("sigactions"))
    if "timers" in task:
        t = task.pop("timers")
        save("itimers-%d.img" % pid, "ITIMERS", [t["real"], t["virt"], t["prof"]])
        save("posix-timers-%d.img" % pid, "POSIX_TIMERS", t.get("posix", []))
    if "rlimits" in task:
        save("rlimit-%d.img" % pid, "RLIMIT", task.pop("rlimits")["rlimits"])
    for key, name in (("signals_s", "signal-s"), ("signals_p", "signal-p")):
        holder = task if key == "signals_s" else thread
        if key in holder:
            save("%s-%d.img" % (name, pid), "SIGNAL", holder.pop(key).get("signals", []))


os.makedirs(old)
for name in sorted(os.listdir(new)):
    stem, _, number = name.removesuffix(".img").partition("-")
    if name == "files.img":
        kinds = {}
        for entry in load(name)["entries"]:
            for key, value in entry.items():
                if key in KIND_FILES:
                    kinds.setdefault(key, []).append(value)
        for key, values in kinds.items():
            save(KIND_FILES[key][1], KIND_FILES[key][0], values)
    elif stem == "mm":
        mm = load(name)["entries"][0]
        save("vmas-%s.img" % number, "VMAS", mm.pop("vmas"))
        save(name, "MM", [mm])
    elif stem == "core" and "tc" in (core := load(name)["entries"][0]) and "thread_core" in core:
        beside_core(int(number), core)
        save(name, "CORE", [core])
    elif name == "inventory.img":
        entry = load(name)["entries"][0]
        entry["img_version"] = 1
        save(name, "INVENTORY", [{k: entry[k] for k in ("img_version", "fdinfo_per_id", "root_ids", "ns_per_id")}])
    else:
        shutil.copyfile(os.path.join(new, name), os.path.join(old, name))
for name in os.listdir(old):
    path = os.path.join(old, name)
    data = open(path, "rb").read()
    if data[:4] in (b"\x19CVT", b"\x40\x59\x10\x55"):
        open(path, "wb").write(data[4:])
