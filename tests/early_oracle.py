"""Holds what crimg tells of an early CRIU image against what was put into it: messages, pages, pipes, areas.
early_oracle.py CRIMG IMAGE      IMAGE: of early_gen.good(), in any format"""
import base64
import json
import os
import subprocess
import sys
import tempfile

import early_gen as gen

REGS = ("r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss fs_base gs_base ds es fs "
        "gs").split()
SAME_BITS = 0x3EF
wrong = []


def same(what, found, wanted):
    if found != wanted:
        wrong.append(f"{what}: {str(found)[:300]} found, {str(wanted)[:300]} wanted")


def check_core(name, core, p):
    info = core["thread_info"]
    same(f"{name} registers", [info["gpregs"][r] for r in REGS], p.regs)
    same(f"{name} personality", core["tc"]["personality"], p.personality)
    fp = info["fpregs"]
    same(f"{name} fpu", (fp["cwd"], fp["mxcsr"], fp["mxcsr_mask"]), (0x37F, 0x1F80, 0xFFFF))
    area = gen.fxsave(p.seed)
    same(f"{name} st and xmm", b"".join(w.to_bytes(4, "little") for w in fp["st_space"] + fp["xmm_space"]), area[32:416])
    if p.tls[0] != b"\0" * 8:
        d = info["tls"][0]
        same(f"{name} tls", (d["entry_number"], d["base_addr"], d["limit"]), (12, 0xBC9A5678, 0x01234))
    same(f"{name} tls count", len(info.get("tls", [])), int(p.tls[0] != b"\0" * 8))


def check_mm(name, mm, p, files):
    found = mm["vmas"]
    same(f"{name} areas", [(v["start"], v["end"], v["pgoff"], v["prot"], v["flags"], v["status"], v["fd"]) for v in found],
         [(a[0], a[1], a[2], a[3], a[4], a[5] & SAME_BITS, -1) for a in p.areas])
    same(f"{name} mapped", files[found[0]["shmid"]]["name"], "/bin/prog")
    same(f"{name} segments", [v["shmid"] for v in found[1:]], [0, 5, 0])


def check_fds(name, fds, p, files):
    found = sorted((e["fd"], e["type"], files[e["id"]]["flags"], files[e["id"]].get("name"), files[e["id"]].get("pos"),
                    files[e["id"]].get("pipe_id")) for e in fds)
    wanted = [(n, "REG", flags & 0xFFFF, text.decode(), pos, None) for kind, n, flags, pos, text in p.fds if kind == 1]
    wanted += [(fd, "PIPE", flags, None, None, pipe) for fd, pipe, flags, _ in p.pipes]
    same(f"{name} descriptors", found, sorted(wanted))


def runs(some):
    """Page maps as runs of (address, pages)."""
    out = []
    for at, _ in sorted(some):
        if out and out[-1][0] + out[-1][1] * gen.PAGE == at:
            out[-1][1] += 1
        else:
            out.append([at, 1])
    return out


def check_map(name, entries, some, folder):
    same(f"{name} runs", [[e["vaddr"], e["nr_pages"]] for e in entries[1:]], runs(some))
    with open(os.path.join(folder, f"pages-{entries[0]['pages_id']}.img"), "rb") as f:
        same(f"{name} bytes", f.read(), b"".join(data for _, data in sorted(some)))


def convert(crimg, image, work):
    """The image as a directory, and its objects' entries by name."""
    folder, text = os.path.join(work, "dir"), os.path.join(work, "x.json")
    subprocess.run([crimg, "convert", "-t", "criu", image, folder], check=True)
    subprocess.run([crimg, "convert", "-t", "json", image, text], check=True)
    with open(text) as f:
        return folder, {o["name"]: o.get("entries") for o in json.load(f)["objects"]}


def finish():
    for text in wrong:
        print(text)
    sys.exit(bool(wrong))


def main():
    crimg, image = sys.argv[1:]
    good = gen.good()
    with tempfile.TemporaryDirectory() as work:
        folder, objects = convert(crimg, image, work)
        parents = {c: p.pid for p in good.processes for c in p.children}
        same("tree", [(e["pid"], e["ppid"], e["threads"]) for e in objects["pstree.img"]],
             [(p.pid, parents.get(p.pid, 0), [p.pid]) for p in good.processes])
        files = {e["id"]: e.get("reg") or e.get("pipe") for e in objects["files.img"]}
        for i, p in enumerate(good.processes, 1):
            check_core(f"core {p.pid}", objects[f"core-{p.pid}.img"][0], p)
            check_mm(f"mm {p.pid}", objects[f"mm-{p.pid}.img"][0], p, files)
            check_fds(f"fdinfo {p.pid}", objects[f"fdinfo-{i}.img"], p, files)
            check_map(f"pagemap {p.pid}", objects[f"pagemap-{p.pid}.img"], p.pages, folder)
        segment = [(at - 0x7F0000000000, data) for at, data in good.segments[5]]
        check_map("segment", objects["pagemap-shmem-5.img"], segment, folder)
        same("pipes", {e["pipe_id"]: base64.b64decode(e["extra"]) for e in objects["pipes-data.img"]},
             {pipe: data for p in good.processes for _, pipe, _, data in p.pipes if data})
        with open(os.path.join(folder, "early", "pages-10.img"), "rb") as f:
            same("what has no place", f.read(), good.files["pages-10.img"])
        carried = sum(len(base64.b64decode(r["payload"])) for r in objects["kernel-records.img"] if r["type"] in (2, 3))
        same("structures", carried, len(good.processes) * (764 + 4 * 64))
    finish()


if __name__ == "__main__":
    main()
