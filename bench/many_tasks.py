#!/usr/bin/env python3
"""An image of many tasks with many mappings, made from a small one. many_tasks.py CRIMG SAMPLE OUT TASKS MAPPINGS

Every task has the same core, files and address space of MAPPINGS areas without pages, under a number of its own.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

crimg, sample, out, tasks, mappings = sys.argv[1:4] + [int(x) for x in sys.argv[4:6]]
shutil.copytree(sample, out)


def decode(name):
    return json.loads(subprocess.run([crimg, "crit", "decode", "-i", os.path.join(out, name)],
                                     check=True, stdout=subprocess.PIPE).stdout)


def encode(name, document):
    subprocess.run([crimg, "crit", "encode", "-o", os.path.join(out, name)], check=True,
                   input=json.dumps(document).encode())


pstree = decode("pstree.img")
root = pstree["entries"][0]
pid = root["pid"]
pstree["entries"] = [dict(root, pid=pid + i, ppid=0 if i == 0 else pid, threads=[pid + i])
                     for i in range(tasks)]
encode("pstree.img", pstree)
mm = decode(f"mm-{pid}.img")
vmas = mm["entries"][0]["vmas"]
anonymous = next(v for v in vmas if v["flags"] & 0x20 and v["prot"] == 3 and not v["flags"] & 0x100)
base = 0x100000000
vmas[:0] = [dict(anonymous, start=base + i * 0x10000, end=base + i * 0x10000 + 0x1000)
            for i in range(mappings - len(vmas))]
encode(f"mm-{pid}.img", mm)
pagemap = decode(f"pagemap-{pid}.img")
del pagemap["entries"][1:]
encode(f"pagemap-{pid}.img", pagemap)
os.truncate(glob.glob(os.path.join(out, "pages-*.img"))[0], 0)
for path in glob.glob(os.path.join(out, f"*-{pid}.img")):
    for i in range(1, tasks):
        shutil.copy(path, re.sub(rf"-{pid}\.img$", f"-{pid + i}.img", path))
