#!/usr/bin/env python3
"""A stream that a kernel wrote, and one that was made again from CRIU's messages alone: record by record the same,
but for what is accounted for here, each with its reason.
    linuxcr_again.py KERNEL MADE [KERNEL MADE]...
Exit 1 when something differs that has no reason, or when a reason was met in none of the pairs.
"""
import difflib
import sys

import linuxcr_grammar as grammar

# Record and field, and why they cannot be the same.
REASONS = {
    "HEADER.time": "no image of CRIU's tells when it was made",
    "HEADER.uflags": "a whole container is made as the subtree below its first process",
    "BUFFER behind HEADER": "the release is that of the published kernel, not of one built for a test",
    "PIDS.offset": "of a container what was collected has the numbers before",
    "BUFFER behind TREE": "the same: references to pids",
    "TASK.state": "a task that checkpointed itself was running; no image tells",
    "THREAD.sysenter_return": "where SYSENTER returns to follows from the vDSO's place",
    "CPU.ax": "registers are those with which an interrupted system call begins anew",
    "CPU.ip": "the same",
    "CPU.di": "the same: a sleep that goes on has its rest where its time was asked for",
    "RESTART_BLOCK.function": "what a system call that is begun anew still has to wait is told nowhere",
    "RESTART_BLOCK.arg0": "the same",
    "RESTART_BLOCK.arg1": "the same",
    "RESTART_BLOCK.arg4": "the same",
    "UTS_NS": "release and version: those of the published kernel",
    "- OBJREF CRED": "who opened a file is told nowhere: it gets the credentials of its holder",
    "- CRED": "the same",
    "- OBJREF USER": "the same",
    "- USER": "the same",
    "- OBJREF GROUPINFO": "the same",
    "- GROUPINFO": "the same",
    "IPC_SHM.atim": "times of use are told nowhere",
    "IPC_SHM.ctim": "the same",
    "IPC_SHM.cprid": "processes that used it last are told nowhere",
    "IPC_SHM.lprid": "the same",
    "IPC_MSG.stime": "times of use are told nowhere",
    "IPC_MSG.ctime": "the same",
    "IPC_MSG.lspid": "processes that used it last are told nowhere",
    "IPC_SEM.ctime": "times of use are told nowhere",
    "BUFFER behind IPC_SEM": "behind each value the kernel wrote pointers of its own",
    "VMA.pgoff": "where an area without file was first put is told nowhere",
    "MM_CONTEXT.entries": "CRIU keeps no local descriptors",
    "LDT": "the same",
}
REFERENCES = {
    "OBJREF": ["ref"], "CRED": ["user", "groups"], "USER": ["userns"], "TASK_CREDS": ["cred", "ecred"], "NS": ["uts", "ipc"],
    "TASK_NS": ["ns"], "TASK_OBJS": ["files", "mm", "fs", "sighand", "signal"], "FILE_DESC": ["file"],
    "FILE": ["cred", "pipe", "sock", "tty"], "EPOLL_ITEMS": ["file"], "MM": ["exe"], "VMA": ["file", "inode"],
    "IPC_SHM": ["inode"],
}
ITEM = 24  # of an epoll file, and of the tree


def label(stream, record):
    name, fields = record[1], record[3]
    if name == "OBJREF":
        return "OBJREF " + grammar.OBJECTS[fields["type"] + (0 if stream.rc2 else 1)]
    return name


def same_references(kernel, made):
    """Numbers differ where objects are fewer, but the same ones mean the same: told as pairs."""
    pairs = []
    for (at, name, payload, a), (_, _, _, b) in zip(kernel, made):
        for key in REFERENCES.get(name, []):
            if a and key in a:
                pairs.append((name, key, a[key], b[key]))
    return pairs


def differences(kernel, made):
    labels = [label(kernel, r) for r in kernel.records], [label(made, r) for r in made.records]
    behind_a = behind_b = ""
    numbers = {}
    matcher = difflib.SequenceMatcher(None, labels[0], labels[1], autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag != "equal":
            for i in range(a0, a1):
                yield "- " + labels[0][i], grammar.show(kernel.records[i])
            for i in range(b0, b1):
                yield "+ " + labels[1][i], grammar.show(made.records[i])
            continue
        for i, j in zip(range(a0, a1), range(b0, b1)):
            (_, name, pa, fa), (_, _, pb, fb) = kernel.records[i], made.records[j]
            behind = labels[0][i - 1]
            if behind == "BUFFER":
                behind = behind_a
            behind_a = behind
            if fa is None:
                what = "BUFFER behind " + behind if name == "BUFFER" else name
                # Of epoll items and the tree the references are compared by what they mean, by crimg diff.
                if behind == "EPOLL_ITEMS":
                    pa, pb = [b"".join(p[k:k + 12] + p[k + 16:k + ITEM] for k in range(0, len(p), ITEM)) for p in (pa, pb)]
                if pa != pb:
                    yield what, "%s\n    %s" % (grammar.show(kernel.records[i]), grammar.show(made.records[j]))
                continue
            for key in fa:
                if key in REFERENCES.get(name, []):
                    known = numbers.setdefault(fa[key], fb[key])
                    if known != fb[key] and (name, key) != ("FILE", "cred"):
                        yield "%s.%s" % (name, key), "%d was %d, now %d" % (fa[key], known, fb[key])
                elif fa[key] != fb[key]:
                    yield "%s.%s" % (name, key), "%s: %s, made: %s" % (name, fa[key], fb[key])


def main(paths):
    met, wrong = set(), 0
    for kernel, made in zip(paths[::2], paths[1::2]):
        for what, text in differences(grammar.read(kernel), grammar.read(made)):
            met.add(what)
            if what not in REASONS:
                print("%s: %s differs for no reason\n    %s" % (kernel, what, text))
                wrong = 1
    for what in sorted(set(REASONS) - met):
        print("nothing differs in %s: the reason is not needed" % what)
        wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
