"""A "LinuxC/R" image that crimg made, walked strictly by the description (SPEC.md, chapter 10) and held against
the messages of the image it was made from.   kstate_made.py [--february] CRIMG SOURCE IMAGE"""
import json
import os
import struct
import subprocess
import sys
import tempfile

NONE = 0xFFFFFFFFFFFFFFFF
LENGTHS = {1: 112, 2: 48, 3: 392, 4: 8, 5: 8, 6: 16, 7: 8, 8: 8, 9: 264, 10: 8, 11: 12, 12: 8, 13: 56, 14: 72}
ORDER = [15, 14, 13, 12, 11, 3, 4, 5, 6, 7, 10, 9, 8, 2, 1]
REFS = {1: {8: 14, 16: 14, 40: 8, 48: 15, 56: 15, 64: 15, 72: 11, 80: 12, 88: 2, 96: 9, 104: 10},
        2: {8: 3, 16: 4, 24: 5, 32: 6, 40: 7}, 13: {24: 15, 48: 14}}
MAYBE = {(13, 24), (2, 16), (2, 40)}
SHARED = {"vm_id": 40, "fs_id": 72, "files_id": 80, "sighand_id": 104}


def walk(data):
    """Position → (type, bytes), in order."""
    assert data[:8] == b"LinuxC/R" and struct.unpack("<Q", data[8:16]) == (1,), "header"
    assert struct.unpack("<I", data[80:84]) == (1,), "machine"
    at, out, held = 88, {}, {}
    assert data[84:88] == b"\0" * 4, "gap"
    while at < len(data):
        kind, length = struct.unpack("<II", data[at:at + 8])
        assert length == LENGTHS.get(kind, length) and (kind != 15 or length == 16), (at, kind, length)
        one, end = data[at:at + length], (at + length + 7) // 8 * 8
        assert len(one) == length and data[at + length:end] == b"\0" * (end - at - length), f"gap behind {at}"
        for field, wanted in REFS.get(kind, {}).items():
            to, = struct.unpack("<Q", one[field:field + 8])
            if to == NONE and (kind, field) in MAYBE:
                continue
            assert to in out and out[to][0] == wanted, f"{at}: field {field} refers to {to:#x}"
            held[to] = held.get(to, 0) + 1
        out[at] = (kind, one)
        at = end
    kinds = [kind for kind, _ in out.values()]
    assert kinds == sorted(kinds, key=ORDER.index), "order"
    lone = [hex(p) for p, (kind, _) in out.items() if kind not in (1, 13) and p not in held]
    assert not lone, f"nothing refers to {lone}"
    return out


def u32(one, at):
    return struct.unpack("<I", one[at:at + 4])[0]


def u64(one, at):
    return struct.unpack("<Q", one[at:at + 8])[0]


def text(one, at, width):
    return one[at:at + width].split(b"\0")[0].decode()


class Source:
    def __init__(self, crimg, image):
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "x.json")
            subprocess.run([crimg, "convert", "-t", "json", image, path], check=True)
            with open(path) as f:
                self.by_name = {os.path.basename(o["name"]): o.get("entries", [])
                                for o in json.load(f)["objects"]}

    def one(self, name, default=None):
        return self.by_name.get(name, [default])[0]

    def living(self):
        """(process, thread, core) of every thread that lives."""
        for p in self.by_name["pstree.img"]:
            lead = self.one(f"core-{p['pid']}.img")
            if lead["tc"]["task_state"] != 2:
                for tid in p["threads"]:
                    yield p, tid, self.one(f"core-{tid}.img")


def limit(value):
    return 0xFFFFFFFF if value == (1 << 64) - 1 else value


def creds_of(c):
    sets = [c.get(n, [0, 0]) for n in ("cap_inh", "cap_prm", "cap_eff", "cap_bnd")]
    return ([c[n] for n in ("uid", "gid", "suid", "sgid", "euid", "egid", "fsuid", "fsgid")]
            + [s[0] | s[1] << 32 for s in sets])


def check_task(s, objects, one, process, tid, core):
    def to(at):
        return objects[u64(one, at)][1]

    assert text(one, 24, 16) == (core["thread_core"].get("comm") or core["tc"]["comm"]), tid
    for at in (8, 16):
        found = list(struct.unpack("<8I4Q", to(at)[8:]))
        assert found == creds_of(core["thread_core"]["creds"]), (tid, found)
    assert [u32(to(at), 12) for at in (48, 56, 64)] == [tid, process["pgid"], process["sid"]], tid
    if tid != process["pid"]:
        return
    assert u32(to(72), 8) == s.one(f"fs-{tid}.img")["umask"], tid
    limits = core["tc"]["rlimits"]["rlimits"]
    assert list(struct.unpack("<32Q", to(96)[8:])) == [limit(v) for e in limits for v in (e["cur"], e["max"])], tid
    ids = s.one(f"ids-{tid}.img")
    names = s.one(f"utsns-{ids['uts_ns_id']}.img", {"nodename": "(none)", "domainname": "(none)"})
    uts = objects[u64(to(88), 8)][1]
    assert (text(uts, 72, 64), text(uts, 328, 64)) == (names["nodename"], names["domainname"]), tid


def check_sharing(s, objects, tasks):
    """Tasks refer to one object exactly when the image gives them one number."""
    for field, at in SHARED.items():
        pairs = {(s.one(f"ids-{p['pid']}.img")[field], u64(one, at)) for one, p in tasks}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}), (field, pairs)
    signals = {(p["pid"], u64(one, 96)) for one, p in tasks}
    assert len(signals) == len({b for _, b in signals}), signals


def check_files(s, objects):
    """Every file that a living process's descriptors hold, once: flags and positions."""
    held = {}
    for p, _, _ in s.living():
        for fd in s.by_name.get(f"fdinfo-{s.one('ids-%d.img' % p['pid'])['files_id']}.img", []):
            held[fd["id"]] = True
    wanted = []
    for f in s.by_name.get("files.img", []):
        message = next(v for k, v in f.items() if isinstance(v, dict))
        if f["id"] in held:
            wanted.append((number(message.get("flags", 0)), message.get("pos", 0)))
    found = [(u32(one, 8), u64(one, 16)) for kind, one in objects.values() if kind == 13]
    assert sorted(found) == sorted(wanted), (sorted(found), sorted(wanted))


def number(value):
    return int(value, 0) if isinstance(value, str) else value


def february(crimg, source, image):
    """Names, then credentials, each once, and nothing else."""
    with open(image, "rb") as f:
        data = f.read()
    assert data[:8] == b"LinuxC/R" and data[84:88] == b"\0" * 4, "header"
    at, names, creds = 88, [], []
    while at < len(data):
        kind, length = struct.unpack("<II", data[at:at + 8])
        assert (kind, length) in ((1, 392), (2, 72)) and (kind == 2 or not creds), (at, kind, length)
        one = data[at:at + length]
        if kind == 1:
            names.append((text(one, 72, 64), text(one, 328, 64)))
        else:
            creds.append(list(struct.unpack("<8I4Q", one[8:])))
        at += length
    s = Source(crimg, source)
    spaces = {s.one(f"ids-{p['pid']}.img", {}).get("uts_ns_id", 0) for p, _, _ in s.living()}
    none = {"nodename": "(none)", "domainname": "(none)"}
    wanted = [s.one(f"utsns-{i}.img", none) for i in spaces]
    assert sorted(names) == sorted((w["nodename"], w["domainname"]) for w in wanted), (names, wanted)
    distinct = {tuple(creds_of(core["thread_core"]["creds"])) for _, _, core in s.living()}
    assert sorted(map(tuple, creds)) == sorted(distinct), (creds, distinct)


def main():
    if sys.argv[1] == "--february":
        february(*sys.argv[2:])
        return
    crimg, source, image = sys.argv[1:]
    s = Source(crimg, source)
    with open(image, "rb") as f:
        objects = walk(f.read())
    living = list(s.living())
    by_tid = {u32(objects[u64(one, 48)][1], 12): one for kind, one in objects.values() if kind == 1}
    assert sorted(by_tid) == sorted(tid for _, tid, _ in living), (sorted(by_tid), living)
    for process, tid, core in living:
        check_task(s, objects, by_tid[tid], process, tid, core)
    check_sharing(s, objects, [(by_tid[tid], p) for p, tid, _ in living])
    check_files(s, objects)
    order = [u32(objects[u64(one, 48)][1], 12) for kind, one in objects.values() if kind == 1]
    for p, tid, _ in living:
        before = p["ppid"] if tid == p["pid"] else p["pid"]
        assert before not in order or order.index(before) < order.index(tid), order


main()
