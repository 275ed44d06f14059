"""Holds what crimg tells of an early CRIU image of July 2012 against what was put into it.
early2012_oracle.py CRIMG IMAGE      IMAGE: of early2012_gen.good(), in any format"""
import os
import sys
import tempfile

import early2012_gen as gen
from early_oracle import check_core, check_map, convert, finish, same

BOUNDS = ("mm_start_code mm_end_code mm_start_data mm_end_data mm_start_stack mm_start_brk mm_brk mm_arg_start "
          "mm_arg_end mm_env_start mm_env_end").split()


def check_task(name, core, p, tid):
    if p.state == gen.DEAD:
        same(f"{name} registers", core.get("thread_info"), None)
    else:
        expected = gen.copy.copy(p)
        expected.regs = p.regs[:16] + [0x400000 + tid] + p.regs[17:]
        check_core(name, core, expected)
        same(f"{name} clear_tid", core["thread_info"]["clear_tid_addr"], 0x7000 + p.seed + tid)
    task = core["tc"]
    same(f"{name} task", (task["task_state"], task["exit_code"], task["comm"], task["flags"], task["blk_sigset"]),
         (p.state, p.exit_code, p.comm.decode(), 0x400000 + tid, 0x10000 << p.seed))


def check_mm(name, mm, p):
    same(f"{name} bounds", [mm[b] for b in BOUNDS] + mm["mm_saved_auxv"] + [mm["exe_file_id"]], p.mm + [1])
    same(f"{name} areas", [(v["start"], v["end"], v["pgoff"], v["shmid"], v["prot"], v["flags"], v["status"], v["fd"])
                           for v in mm["vmas"]],
         [(*a[:6], a[6] & ~gen.FORCE_READ, -1) for a in p.areas])


def check_process(objects, p, folder):
    for tid in p.threads:
        check_task(f"core {tid}", objects[f"core-{tid}.img"][0], p, tid)
    ids = objects[f"ids-{p.pid}.img"][0]
    same(f"ids {p.pid}", (ids["vm_id"], ids["files_id"], ids["fs_id"], ids["sighand_id"]),
         (p.pid + 100, p.table, p.pid + 300, p.pid + 400))
    if p.state == gen.DEAD:
        same(f"dead {p.pid}", [n for n in objects if n in (f"mm-{p.pid}.img", f"fs-{p.pid}.img")], [])
        return
    check_mm(f"mm {p.pid}", objects[f"mm-{p.pid}.img"][0], p)
    check_map(f"pagemap {p.pid}", objects[f"pagemap-{p.pid}.img"], p.pages, folder)
    fs = objects[f"fs-{p.pid}.img"][0]
    same(f"fs {p.pid}", (fs["cwd_id"], fs["root_id"]), (3, 3))
    same(f"actions {p.pid}", [(a["sigaction"], a["flags"], a["restorer"], a["mask"])
                              for a in objects[f"sigacts-{p.pid}.img"]], p.actions)
    types = {1: "REG", 2: "PIPE", 8: "INOTIFY"}
    same(f"fdinfo {p.pid}", [(e["fd"], e["type"], e["flags"], e["id"]) for e in objects[f"fdinfo-{p.table}.img"]],
         [(fd, types[kind], flags, file) for fd, kind, flags, file in p.fds])


def main():
    crimg, image = sys.argv[1:]
    good = gen.good()
    with tempfile.TemporaryDirectory() as work:
        folder, objects = convert(crimg, image, work)
        same("tree", [(e["pid"], e["ppid"], e["pgid"], e["sid"], e["threads"]) for e in objects["pstree.img"]],
             [(p.pid, p.ppid, p.pgid, p.sid, p.threads) for p in good.processes])
        for p in good.processes:
            check_process(objects, p, folder)
        same("tables", sorted(n for n in objects if n.startswith("fdinfo")), ["fdinfo-220.img", "fdinfo-223.img"])
        check_map("segment", objects[f"pagemap-shmem-{gen.SEGMENT}.img"], good.segments[gen.SEGMENT], folder)
        files = {e["id"]: e["reg"] for e in objects["files.img"]}
        same("files", {n: (f["name"].encode(), f["flags"], f["pos"]) for n, f in files.items()},
             {n: (name, 0o2001, 1 << 33) for n, name in gen.NAMES.items()})
        same("owner", tuple(files[1]["fown"][k] for k in ("uid", "euid", "signum", "pid_type", "pid")), gen.OWNER)
        for name in ("creds-20.img", "creds-21.img", "creds-23.img"):
            with open(os.path.join(folder, "early", name), "rb") as f:
                same(f"{name}, not read", f.read(), good.files[name])
    finish()


main()
