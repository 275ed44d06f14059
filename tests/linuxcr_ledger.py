#!/usr/bin/env python3
"""What differs between an image and the kernel stream made from it, held against the ledger of losses: each difference
that `crimg diff` tells is one that the ledger told, or another way of saying the same.
    linuxcr_ledger.py CRIMG IMAGE STREAM LEDGER
"""
import json
import re
import subprocess
import sys
from pathlib import Path

SAME = None  # another way of saying the same
# What says nothing: no one has logged in, no stack is set, no keys are in use; the usual umask.
NOTHING = [0xFFFFFFFF, "0x55555554", "022", {"ss_sp": 0, "ss_size": 0, "ss_flags": 2}]
# Group, subject, field as patterns; what the ledger must have told, {s} being the subject, {p} the process, {t} the thread.
RULES = [
    ("processes", "", "(files|fs|vm|sighand)_id", SAME),
    ("processes", "", "flags", "core-.*: left out: the kernel's own flags"),
    ("processes", "", "child_subreaper", "core-{p}.img: tc.child_subreaper"),
    ("processes", "", "personality", "core-{p}.img: tc.personality"),
    ("credentials", "", "loginuid", "SAME|core-{p}.img: tc.loginuid"),
    ("credentials", "", "cap_amb", "core-{t}.img: thread_core.creds.cap_amb"),
    ("credentials", "", "no_new_privs", "core-{t}.img: thread_core.creds.no_new_privs"),
    ("credentials", "", "lsm_profile", "core-{t}.img: thread_core.creds.lsm_profile"),
    ("credentials", "", "seccomp_(filter|mode)", "core-{t}.img: thread_core.seccomp_mode"),
    ("files", "", "umask", "SAME|fs-{p}.img: umask"),
    ("signals", "", "sas", "SAME|core-{t}.img: thread_core.sas"),
    ("limits", "", "oom_score_adj", "core-{p}.img: tc.oom_score_adj"),
    ("threads", "", "rseq_entry", "core-{t}.img: thread_core.rseq_entry"),
    ("threads", "", "sched_.*", "core-{t}.img: thread_core.sched_policy"),
    ("threads", "", "cg_set", "cgroup.img: left out"),
    ("timers", "", r"posix\[\d+\]", "core-{p}.img: tc.timers.posix"),
    ("signals", "", "blk_sigset", SAME),
    ("registers", r"[yz]mm\d+|k\d|pkru", "", "SAME|core-{t}.img: thread_info.fpregs.xsave"),
    ("registers", "[fg]s_base", "", SAME),
    ("mappings", "", r"mm_saved_auxv\[\d+\]", "mm-{p}.img: mm_saved_auxv"),
    ("mappings", "", "mm_saved_auxv", SAME),
    ("mappings", ".*", "advice", "mm-{p}.img: vmas: {s}: no place for the advice"),
    ("mappings", ".*", "(file|segment|flags|status)", SAME),
    ("mappings", "ffffffffff600000-ffffffffff601000", "", SAME),
    ("mappings", ".*", "", "mm-{p}.img: vmas: {s}: left out"),
    ("pages", ".*", "", "pagemap-{p}.img: .* pages of the vDSO left out"),
    ("shared_memory", "pagemap-shmem.*", "pages", SAME),
    # Behind the 19 characters, byte by byte in the first words, criu 4 leaves what the stack held.
    ("files", r"fd \d+", r"termios(_locked)?\.c_cc\[([4-9]|1\d)\]", SAME),
    ("files", r"fd \d+", r"termios\.(c_cc\[[23]\]|c_[io]speed)", "tty-info.img: termios:"),
    ("files", r"fd \d+", r"termios_locked\..*", "tty-info.img: termios_locked:"),
    ("files", r"fd \d+", r"sid|pgrp", "tty-info.img: sid:"),
    ("files", r"fd \d+", "tty_info_id", SAME),
    ("files", r"fd \d+", r"(tty_)?(dev|uid|gid)", "files.img: left out: sizes, modes"),
    ("files", "mapped file", "flags", SAME), # how it was opened to be mapped stands in the area
    ("files", "filelocks.img", "entries", "filelocks.img: left out"),
    ("files", ".*", r"size|mode|build_id|watches\[\d+\].dev", r"files.img: left out: sizes, modes"),
    ("files", ".*", "mnt_id", "mountpoints-.*: left out"),
    ("files", ".*", r"fown\..*", "files.img: fown: file"),
    ("files", ".*", "kept", "files.img: name: file .* is deleted or moved"),
    ("files", r"fd \d+", "queued", "EMPTY"),
    ("files", r"fd \d+", "", "fdinfo-.*: {s} left out"),
    ("sockets", ".*", "ns_id", "ids-.*: left out: which namespaces"),
    ("sockets", ".*", r"ip_opts(\..*)?|tcp_opts(\.keep(idle|intvl))?|file_perms", "files.img: opts: left out of file"),
    ("sockets", ".*", "opt_mask|(snd|rcv)_wscale|timestamp", "tcp-stream-.*: opt_mask: timestamps, selective"),
    ("sockets", ".*", "v6only", "files.img: isk.v6only"),
    ("sockets", ".*", r"opts\.(so_mark|so_bound_dev|so_filter|so_reuseport)", "files.img: opts: file .*: options without"),
    ("sockets", ".*", "", "fdinfo-.*: {s} left out|sk-queues.img|tcp-stream"),
    ("mounts", ".*", ".*", "mountpoints-.*: left out|tmpfs.*: left out"),
    ("namespaces", "", "(pid|net|mnt|user|cgroup|time)_ns_id", "ids-.*: left out: which namespaces"),
    ("namespaces", "timens-.*", ".*", "timens-.*: left out"),
    ("namespaces", "utsns-.*", "entries", "{g}-.*: not in the image"),
    ("namespaces", "[a-z0-9]+-.*.img", ".*", "{g}-.*: left out"),
    ("ipc", "ipcns-var-.*", "entries", "{g}-.*: not in the image"),
    ("ipc", "ipcns-var-.*", "mq_.*", "{s}: mq_queues_max"),
    ("cgroups", ".*", ".*", "cgroup.img: left out"),
    ("image", ".*", ".*", "(stats-dump|stats-restore|cpuinfo.img|seccomp.img|cgroup.img).*"),
]


def told(change, pattern, ledger):
    subject = change.get("subject") or ""
    area = re.fullmatch("([0-9a-f]+)-([0-9a-f]+)", subject)
    if area:
        subject = "0x%s-0x%s" % area.groups()
    elif subject.startswith("fd "):
        subject = "descriptor " + subject[3:]
    process = change["process"]["a"] if change.get("process") else 0
    thread = change["thread"]["a"] if change.get("thread") else process
    if pattern == "EMPTY":
        return change["a"] is None and change["b"]["bytes"] == 0
    for alternative in pattern.split("|"):
        words = alternative.replace("{s}", re.escape(subject)).replace("{p}", str(process)).replace("{t}", str(thread))
        words = words.replace("{g}", re.escape(re.sub(r"-\d+.*", "", subject)))
        if change.get("a") in NOTHING if alternative == "SAME" else re.search("^" + words, ledger, re.M):
            return True
    return False


def main(crimg, image, stream, ledger_path):
    answer = subprocess.run([crimg, "diff", "--json", image, stream], stdout=subprocess.PIPE, check=False)
    ledger, wrong = Path(ledger_path).read_text(), 0
    changes = json.loads(answer.stdout)["changes"]
    for change in changes:
        if change.get("folded") or change.get("subject") == "kernel-records.img":
            continue
        for group, subject, field, pattern in RULES:
            if (change["group"] == group and re.fullmatch(subject or ".*", change.get("subject") or "")
                    and re.fullmatch(field, change.get("field") or "")):
                if pattern is SAME or told(change, pattern, ledger):
                    break
        else:
            print("not told: " + json.dumps(change)[:300])
            wrong = 1
    if not changes:
        print("nothing differs: this cannot be")
        wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
