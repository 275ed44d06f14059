"""Two images of one process, taken one after the other: what criu dumped, and what crimg took, both decoded by crit.
  fields.py PEER CRIU-IMAGE CRIMG-IMAGE      PEER: the folder that peer/peer.sh filled
Every field of every message that only one of them fills, or whose values differ, is printed, unless it is in one of the
tables below. Of a list the values are compared as a set: each gives what it meets in its own order."""
import glob
import json
import os
import re
import subprocess
import sys

# What only one of them fills, or each with something else, and why.
ALLOWED = [re.compile(pattern) for pattern, _ in (
    (r"inventory.img dump_criu_run_id", "a run of criu"),
    (r"inventory.img network_lock_method", "how criu holds connections back: crimg takes none"),
    (r"cgroup.img controllers\[\]\.dirs\[\]\.children.*", "groups in which nobody of the tree is"),
    (r"timens-\d+.img .*", "clocks go on"),
    (r"core-\d+.img thread_core\.seccomp_(mode|filter)", "criu tells of one thread what they all have,"),
    (r"seccomp.img seccomp_filters\[\]\.flags", "and marks that filter (TSYNC)"),
    (r"core-\d+.img tc\.personality", "criu reads a hexadecimal number as a decimal one"),
    (r"core-\d+.img tc\.sigactions\[\].*", "criu's dump gives SIGTRAP a handler"),
    (r"core-\d+.img tc\.signals_s\.signals\[\]\.siginfo", "signals of timers come and go"),
    (r"core-\d+.img tc\.flags", "of zombies: criu leaves them out"),
    (r"pstree.img threads\[\]", "of zombies, which have none: memory of criu's"),
    (r"tty-info.img (sid|pgrp)", "of the other end, too"),
    (r"tty-info.img termios\.c_[io]speed", "criu asks for them in a way that does not tell"),
    (r"tty-info.img termios(_locked)?\.c_cc\[\]", "behind the last one: memory of criu's"),
    (r"ghost-file-\d+.img atim\..*", "criu read it first"),
)]
# What each counts as it likes, or what goes on in between: criu ends system calls with EINTR, and programs look why.
VARIES = re.compile(r"thread_info\.(gp|fp)regs\..*|tc\.blk_sigset|(.*[._])?(id|shmid|regf_id|\w*_id)|.*\.v?(sec|usec|nsec|vusec|vnsec)|.*\.tv_\w+|.*_time")
# Files of ours alone, and one that criu writes only when asked to.
ALONE = {"cpuinfo.img", "maker.img", "thread-extras.img", "process-extras.img", "timed-waits.img", "pipe-packets.img",
         "sk-more.img", "sk-senders.img", "level-options.img"}
# Contents, not fields: compared elsewhere (rounds.sh).
SKIPPED = re.compile(r"pages-\d+\.img|pagemap-.*|.*\.log|descriptors\.json|stats-.*")


class Crit:
    """One process that runs crit many times."""

    def __init__(self, peer, scratch):
        server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer", "crit_server.py")
        self.scratch = scratch
        self.process = subprocess.Popen([peer + "/python", server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def decode(self, path):
        out = self.scratch + "/decoded.json"
        self.process.stdin.write("\t".join([out, "/dev/null", "decode", "-i", path]) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "0":
            return None
        with open(out) as file:
            return json.load(file)


def flatten(value, path, out):
    if isinstance(value, dict):
        for name, inner in value.items():
            flatten(inner, f"{path}.{name}" if path else name, out)
    elif isinstance(value, list):
        for inner in value:
            flatten(inner, path + "[]", out)
        if not value:
            out.setdefault(path + "[]", [])
    else:
        out.setdefault(path, []).append(value)
    return out


def load(crit, folder):
    files = {}
    for path in sorted(glob.glob(folder + "/*")):
        name = os.path.basename(path)
        if SKIPPED.fullmatch(name):
            continue
        document = crit.decode(path)
        if document is not None or name not in ALONE:
            files[name] = flatten((document or {}).get("entries", []), "", {})
    return files


def main():
    peer, theirs, ours = sys.argv[1:4]
    crit = Crit(peer, os.path.dirname(os.path.abspath(ours)))
    a, b = load(crit, theirs), load(crit, ours)
    for name in sorted(set(a) | set(b)):
        if name in ALONE and name not in a:
            continue
        if name not in a or name not in b:
            print(f"{name}: only {'criu' if name in a else 'crimg'} has it")
            continue
        for path in sorted(set(a[name]) | set(b[name])):
            compare(name, re.sub(r"^\[\]\.?", "", path), a[name].get(path), b[name].get(path))


def compare(name, path, x, y):
    if any(pattern.fullmatch(f"{name} {path}") for pattern in ALLOWED):
        return
    if x is None or y is None:
        print(f"{name} {path}: only {'criu' if y is None else 'crimg'} fills it: {str(x or y)[:80]}")
    elif not VARIES.fullmatch(path) and set(map(str, x)) != set(map(str, y)):
        print(f"{name} {path}: criu {str(x)[:80]}, crimg {str(y)[:80]}")


main()
