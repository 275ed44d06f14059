"""Holds what crimg tells of a "LinuxC/R" image against what was put into it: all messages, as JSON, and the
views of people.   kstate_oracle.py CRIMG NAME IMAGE      NAME: of kstate_gen.SAMPLES, the objects' source"""
import json
import os
import subprocess
import sys
import tempfile

import kstate_gen as gen

INFINITY = (1 << 64) - 1
SOURCES = {"m-plain": gen.plain, "m-full": gen.full, "m-garbage": gen.full, "m-no-tail": gen.full,
           "f-plain": gen.early, "f-cred": lambda: [gen.cred(5, 6)]}
CREDS = ("uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid")


class Wanted:
    def __init__(self, name):
        posting = name[0].upper()
        order = gen.ORDER_F if posting == "F" else gen.ORDER_M
        self.posting = posting
        self.objects = sorted(SOURCES[name](), key=lambda o: order.index(o.kind))
        self.tasks = [o for o in self.objects if o.kind == "task"]
        self.level = len(self.tasks[0].pid.numbers) - 1 if self.tasks else 0

    def number(self, o):
        return self.objects.index(o) + 1 if o is not None else 0

    def pid(self, o):
        return o.numbers[self.level] if o is not None and len(o.numbers) > self.level else 0

    def processes(self):
        """Tasks by what makes them one process, the leader first."""
        out = {}
        for t in self.tasks:
            out.setdefault(id(t.signal), []).append(t)
        return list(out.values())

    def objects_of(self):
        """File name → entries, as crit would print them."""
        out = {"inventory.img": [dict(img_version=2, fdinfo_per_id=True, ns_per_id=True)]}
        if self.tasks:
            out["pstree.img"] = []
        for threads in self.processes():
            lead, pid = threads[0], self.pid(threads[0].pid)
            out["pstree.img"].append(dict(pid=pid, ppid=0, pgid=self.pid(lead.group), sid=self.pid(lead.session),
                                          threads=[self.pid(t.pid) for t in threads]))
            out[f"ids-{pid}.img"] = [self.ids(lead)]
            out[f"fs-{pid}.img"] = [dict(cwd_id=0, root_id=0, umask=lead.fs.umask)]
            for t in threads:
                out[f"core-{self.pid(t.pid)}.img"] = [self.core(t, t is lead)]
        files = [o for o in self.objects if o.kind == "file"]
        if files:
            out["files.img"] = [self.file(o) for o in files]
        for o in self.objects:
            if o.kind == "uts":
                out[f"utsns-{self.number(o)}.img"] = [dict(nodename=cut(o.nodename, 64),
                                                           domainname=cut(o.domainname, 64))]
        return out

    def ids(self, t):
        out = dict(vm_id=self.number(t.mm), files_id=self.number(t.files), fs_id=self.number(t.fs),
                   sighand_id=self.number(t.sighand))
        for field, member in (("pid", "pidns"), ("net", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mnt", "mnt")):
            if getattr(t.nsproxy, member) is not None:
                out[field + "_ns_id"] = self.number(getattr(t.nsproxy, member))
        return out

    def core(self, t, leads):
        comm = cut(t.comm, 16)
        creds = {f: getattr(t.real, f) for f in CREDS}
        for field, member in (("cap_inh", "inheritable"), ("cap_prm", "permitted"), ("cap_eff", "effective"),
                              ("cap_bnd", "bounding")):
            value = getattr(t.real, member)
            creds[field] = [value & 0xFFFFFFFF, value >> 32]
        creds["secbits"] = 0
        out = dict(mtype="X86_64",
                   thread_core=dict(futex_rla=0, futex_rla_len=0, creds=creds, comm=comm))
        if leads:
            limits = [dict(cur=limit(soft), max=limit(hard)) for soft, hard in t.signal.limits]
            out["tc"] = dict(task_state=1, exit_code=0, personality=0, flags=0, blk_sigset=0, comm=comm,
                             rlimits=dict(rlimits=limits))
        return out

    def file(self, o):
        fown = dict(uid=o.owner_uid, euid=o.owner_euid, signum=o.owner_signal, pid_type=o.owner_type,
                    pid=self.pid(o.owner))
        return dict(type="REG", id=self.number(o),
                    reg=dict(id=self.number(o), flags=o.flags, pos=o.position, fown=fown, name=""))

    def references(self):
        """How many fields name each object."""
        count = {}
        for o in self.objects:
            for member, value in o.v.items():
                if isinstance(value, gen.Obj):
                    count[self.number(value)] = count.get(self.number(value), 0) + 1
        return count


def cut(value, width):
    raw = value if isinstance(value, bytes) else value.encode()
    return raw[:width].decode()


def limit(value):
    return INFINITY if value == 0xFFFFFFFF else value


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}: {done.stderr.decode()[:300]}")
    return done.stdout


wrong = []


def same(what, found, wanted):
    if found != wanted:
        wrong.append(f"{what}: {json.dumps(found)[:400]} found, {json.dumps(wanted)[:400]} wanted")


def check_messages(crimg, image, w):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "x.json")
        run(crimg, "convert", "-t", "json", image, path)
        with open(path) as f:
            document = json.load(f)
    found = {o["name"]: o["entries"] for o in document["objects"]}
    records = found.pop("kernel-records.img")
    wanted = w.objects_of()
    same("objects", sorted(found), sorted(wanted))
    for name in sorted(set(found) & set(wanted)):
        same(name, found[name], wanted[name])
    same("records", len(records), 1 + len(w.objects))
    origin = records[0]["origin"]
    same("origin", (origin["format"], origin.get("skeleton"), bool(origin.get("closed"))),
         ("kstate", True, w.posting == "M"))
    references = w.references()
    numbers = gen.NUMBERS_F if w.posting == "F" else gen.NUMBERS_M
    for i, o in enumerate(w.objects, 1):
        same(f"record {i}", records[i]["type"], numbers[o.kind])
        counted = w.posting == "M" and o.kind not in ("task", "file")
        same(f"references of {i} ({o.kind})", records[i].get("references"),
             references.get(i, 0) if counted else None)


def check_views(crimg, image, w):
    document = json.loads(run(crimg, "inspect", "--json", image, "summary", "tree", "creds", "fds", "files", "namespaces"))
    processes = sorted(w.processes(), key=lambda t: w.pid(t[0].pid))
    same("kind", document["summary"]["kind"], "skeleton")
    same("complete", document["summary"]["complete"], True)
    same("tree", [(p["pid"], p["comm"], sorted(t["tid"] for t in p["threads"])) for p in
                  sorted(document["tree"], key=lambda p: p["pid"])],
         [(w.pid(t[0].pid), cut(t[0].comm, 16), sorted(w.pid(x.pid) for x in t)) for t in processes])
    same("uids", {p["pid"]: [p["uid"][k] for k in ("real", "effective", "saved", "filesystem")]
                  for p in document["creds"]},
         {w.pid(t[0].pid): [t[0].real.uid, t[0].real.euid, t[0].real.suid, t[0].real.fsuid] for t in processes})
    same("umasks", {p["pid"]: p["umask"] for p in document["fds"]},
         {w.pid(t[0].pid): f"0{t[0].fs.umask:o}" for t in processes})
    same("positions", [f["pos"] for f in document["files"]],
         [o.position for o in w.objects if o.kind == "file"])
    uts = [n for n in document["namespaces"] if n["type"] == "uts"]
    wanted = sorted({w.number(t[0].nsproxy.uts) for t in processes})
    same("names", [(n["id"], n["processes"]) for n in uts] if wanted else [],
         [(i, [w.pid(t[0].pid) for t in processes if w.number(t[0].nsproxy.uts) == i]) for i in wanted])


def main():
    crimg, name, image = sys.argv[1:]
    w = Wanted(name)
    check_messages(crimg, image, w)
    check_views(crimg, image, w)
    for text in wrong:
        print(text)
    sys.exit(bool(wrong))


main()
