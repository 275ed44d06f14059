#!/usr/bin/env python3
"""Reads ELF cores without crimg, and holds what crimg says against them. Silent when all is right.

    core_read_oracle.py maps CRIMG CORE MAPS [gdb]   areas are those of /proc/PID/maps (gdb: as far as gcore tells)
    core_read_oracle.py notes CRIMG CORE             threads, registers, auxv, notes
    core_read_oracle.py memory CORE DIR              DIR, converted from CORE, holds its bytes at their addresses
    core_read_oracle.py stat CRIMG CORE STAT         the stack and its texts begin and end where /proc/PID/stat says
    core_read_oracle.py same CORE CORE               what the first has of memory, the second has too, and no more
    core_read_oracle.py gdb CRIMG CORE PROGRAM       registers of all threads are those that gdb shows
    core_read_oracle.py eu CRIMG CORE                what eu-readelf -n says
"""
import base64, json, os, re, struct, subprocess, sys

sys.dont_write_bytecode = True
PAGE = 4096
NAMES64 = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss fs_base gs_base ds es fs gs"
NAMES32 = "bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss"
# Notes whose components lie where Intel's do; bit of XCR0, field of user_x86_xsave_entry, place.
XSTATE_STANDARD = (832, 1088, 2688, 2696, 2816, 11008)
XSTATE_PARTS = ((2, "ymmh_space", "I", 576, 256), (5, "opmask_reg", "Q", 1088, 64), (6, "zmm_upper", "Q", 1152, 512),
                (7, "hi16_zmm", "Q", 1664, 1024), (9, "pkru", "I", 2688, 8))
failed = False


def wrong(*what):
    global failed
    failed = True
    print(*what)


class Core:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.size = os.fstat(self.file.fileno()).st_size
        ident = self.at(0, 64)
        self.is32 = ident[4] == 1
        form = "<16xHHIIIIIHHHHHH" if self.is32 else "<16xHHIQQQIHHHHHH"
        h = struct.unpack_from(form, ident)
        table, count = h[4], h[9]
        self.loads, self.notes = [], []
        for i in range(count):
            if self.is32:
                kind, offset, va, _, filesz, memsz, flags, _ = struct.unpack("<8I", self.at(table + 32 * i, 32))
            else:
                kind, flags, offset, va, _, filesz, memsz, _ = struct.unpack("<IIQQQQQQ", self.at(table + 56 * i, 56))
            if kind == 1:
                self.loads.append((va, memsz, offset, filesz, flags))
            if kind == 4:
                self.read_notes(offset, filesz)

    def at(self, offset, length):
        return os.pread(self.file.fileno(), length, offset)

    def read_notes(self, offset, length):
        data, at = self.at(offset, length), 0
        while at + 12 <= len(data):
            n, d, kind = struct.unpack_from("<III", data, at)
            at += 12
            name = data[at:at + n].split(b"\0")[0].decode()
            at += (n + 3) // 4 * 4
            self.notes.append((name, kind, data[at:at + d]))
            at += (d + 3) // 4 * 4

    def note(self, name, kind):
        return next((d for n, k, d in self.notes if (n, k) == (name, kind)), None)

    def threads(self):
        """[(tid, prstatus, {(name, type): desc})]"""
        out = []
        for name, kind, desc in self.notes:
            if (name, kind) == ("CORE", 1):
                out.append((struct.unpack_from("<I", desc, 24 if self.is32 else 32)[0], desc, {}))
            elif out:
                out[-1][2].setdefault((name, kind), desc)
        return out

    def holes(self, offset, length):
        """Ranges of the file within [offset, offset + length) that are holes."""
        at, end = offset, offset + length
        while at < end:
            try:
                data = os.lseek(self.file.fileno(), at, os.SEEK_DATA)
            except OSError:
                data = end
            if data > at:
                yield at, min(data, end)
            if data >= end:
                return
            at = os.lseek(self.file.fileno(), data, os.SEEK_HOLE)


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def number(value):
    return int(value, 0) if isinstance(value, str) else value


def objects(crimg, core):
    return {o["name"]: o.get("entries") for o in json.loads(run(crimg, "convert", "-t", "json", core, "-"))["objects"]}


def check_maps(crimg, path, maps, gdb=False):
    shown = json.loads(run(crimg, "inspect", "--json", path, "maps"))["maps"][0]["areas"]
    ours = [(int(a["start"], 16), int(a["end"], 16), a["permissions"], int(a["offset"], 16), a["name"]) for a in shown]
    theirs = []
    for line in open(maps):
        span, perm, offset, _, _, *name = line.split(None, 5)
        start, end = (int(x, 16) for x in span.split("-"))
        name = name[0].rstrip("\n") if name else ""
        perm = perm[:3] + "p"  # a core does not tell what was shared
        offset = int(offset, 16)
        if name == "[heap]":
            name = ""
        if name.startswith("[vvar"):
            name = "[vvar]"
        if name.startswith("["):
            offset = 0
        if gdb and name == "[vvar]":
            continue
        if gdb and not name and not any(va <= start < va + size for va, size, _, _, _ in Core(path).loads):
            continue  # gcore leaves out what madvise(MADV_DONTDUMP) wants it to
        if gdb and perm[0] == "-":  # gdb makes everything readable
            perm = "r" + perm[1:]
        theirs.append((start, end, perm, offset, name))
    ours = [(s, e, p, o, n or "") for s, e, p, o, n in ours]
    for a in ours:
        if a not in theirs:
            wrong("only crimg has", *map(str, (hex(a[0]), hex(a[1])) + a[2:]))
    for a in theirs:
        if a not in ours:
            wrong("crimg lacks", *map(str, (hex(a[0]), hex(a[1])) + a[2:]))


def words(data, form):
    return list(struct.unpack("<%d%s" % (len(data) // struct.calcsize(form), form), data))


def check_fp(tid, fp, notes):
    xstate = notes.get(("LINUX", 0x202))
    fx = xstate or notes.get(("LINUX", 0x46e62b7f)) or notes.get(("CORE", 2))
    if words(fx[32:160], "I") != fp["st_space"] or words(fx[160:416], "I") != fp["xmm_space"]:
        wrong("thread", tid, "st or xmm differ")
    head = struct.unpack_from("<HHHHQQII", fx)
    if head != tuple(fp[n] for n in ("cwd", "swd", "twd", "fop", "rip", "rdp", "mxcsr", "mxcsr_mask")):
        wrong("thread", tid, "x87 control differs", head)
    if xstate is None:
        return
    xsave = fp["xsave"]
    if xsave["xstate_bv"] != struct.unpack_from("<Q", xstate, 512)[0]:
        wrong("thread", tid, "xstate_bv")
    if len(xstate) not in XSTATE_STANDARD:
        return
    # What the note has is told by XCR0, not by its length: gdb fills it up to Intel's.
    mask = struct.unpack_from("<Q", xstate, 464)[0] or struct.unpack_from("<Q", xstate, 512)[0]
    for bit, name, form, offset, length in XSTATE_PARTS:
        there = mask >> bit & 1 and len(xstate) >= offset + length
        if bool(there) != bool(xsave.get(name)):
            wrong("thread", tid, name, "found" if xsave.get(name) else "missing", "XCR0", hex(mask))
        elif there and words(xstate[offset:offset + length], form) != [number(x) for x in xsave[name]]:
            wrong("thread", tid, name, "differs")


def check_notes(crimg, path):
    core, found = Core(path), objects(crimg, path)
    threads = core.threads()
    info = core.note("CORE", 3)
    pid = struct.unpack_from("<I", info, 12 if core.is32 else 24)[0]
    tree = found["pstree.img"][0]
    order = [pid] + [t for t, _, _ in threads if t != pid]
    if tree["pid"] != pid or tree["threads"] != order:
        wrong("pstree", tree, "wanted", order)
    for tid, status, notes in threads:
        entry = found["core-%d.img" % tid][0]
        regs = entry["thread_info"]["gpregs"]
        names = (NAMES32 if core.is32 else NAMES64).split()
        values = struct.unpack_from("<%d%s" % (len(names), "I" if core.is32 else "Q"), status, 72 if core.is32 else 112)
        for name, value in zip(names, values):
            if number(regs[name]) != value:
                wrong("thread", tid, name, regs[name], "wanted", hex(value))
        if regs["mode"] != ("COMPAT" if core.is32 else "NATIVE"):
            wrong("thread", tid, regs["mode"])
        held = struct.unpack_from("<I" if core.is32 else "<Q", status, 20 if core.is32 else 24)[0]
        mask = entry["tc"]["blk_sigset"] if tid == pid else entry["thread_core"]["blk_sigset"]
        if number(mask) != held:
            wrong("thread", tid, "blocked", mask, "wanted", hex(held))
        check_fp(tid, entry["thread_info"]["fpregs"], notes)
        tls = notes.get(("LINUX", 0x200))
        mine = [(d["entry_number"], number(d["base_addr"]), number(d["limit"])) for d in entry["thread_info"].get("tls", [])]
        if tls is not None and mine != [struct.unpack_from("<III", tls, i) for i in range(0, len(tls), 16)]:
            wrong("thread", tid, "tls", mine)
    comm = info[28 if core.is32 else 40:][:16].split(b"\0")[0].decode()
    if found["core-%d.img" % pid][0]["tc"]["comm"] != comm:
        wrong("comm wanted", comm)
    mm = found["mm-%d.img" % pid][0]
    if mm["mm_saved_auxv"] != words(core.note("CORE", 6), "Q"):
        wrong("auxv differs")
    kept = [(n["name"], n["type"], base64.b64decode(n["desc"])) for n in found["elf-notes-%d.img" % pid]]
    if kept != core.notes:
        wrong("notes differ:", len(kept), "found,", len(core.notes), "wanted")


def check_memory(path, directory):
    from chain_oracle import layer
    core = Core(path)
    name = next(n for n in os.listdir(directory) if n.startswith("pagemap-"))
    runs = layer(directory, name)
    pages = {}
    lost = []
    for start, count, flags, content in runs:
        if content is None:
            lost.append((start, start + count * PAGE))
        else:
            for i in range(count):
                pages[start + i * PAGE] = content[i * PAGE:(i + 1) * PAGE]
    for va, memsz, offset, filesz, flags in core.loads:
        for at in range(0, filesz, PAGE) if filesz < 1 << 30 else ():
            if offset + at + PAGE > core.size:
                break
            data = core.at(offset + at, min(PAGE, filesz - at)).ljust(PAGE, b"\0")
            page = pages.pop(va + at, None)
            if page is None and any(data):
                wrong("the page at", hex(va + at), "is missing")
            elif page is not None and page != data:
                wrong("the page at", hex(va + at), "differs")
            if page is None and not any(s <= offset + at and offset + at + PAGE <= e for s, e in core.holes(offset + at, PAGE)):
                wrong("the page at", hex(va + at), "is in the core, and not in the image")
        if filesz >= 1 << 30:  # sparse: what the image has must be right, and all data must be there
            at, end = offset, offset + filesz
            while at < end:
                try:
                    at = os.lseek(core.file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                if at >= end:
                    break
                at = offset + (at - offset) // PAGE * PAGE
                if pages.pop(va + at - offset, None) != core.at(at, PAGE):
                    wrong("the page at", hex(va + at - offset), "differs")
                at += PAGE
    for va in pages:
        wrong("the page at", hex(va), "is in no segment")
    check_lost(core, lost)


def check_lost(core, lost):
    files = mapped(core)
    vdso = dict(zip(*[iter(words(core.note("CORE", 6), "I" if core.is32 else "Q"))] * 2)).get(33, 0)
    wanted = []
    for va, memsz, offset, filesz, flags in core.loads:
        special = va == 0xffffffffff600000 or (flags == 4 and va + memsz <= vdso <= va + 16 * PAGE)
        if filesz < memsz and not special and not any(s <= va < e for s, e in files):
            wanted.append((va + filesz, va + memsz))
    join = lambda spans: [p for s, e in spans for p in range(s, e, PAGE)] if sum(e - s for s, e in spans) < 1 << 32 else spans
    if join(sorted(wanted)) != join(sorted(lost)):
        wrong("lost pages differ:", lost, "found,", wanted, "wanted")


def mapped(core):
    """[(start, end)] of NT_FILE."""
    note, form, width = core.note("CORE", 0x46494c45), "<3I" if core.is32 else "<3Q", 12 if core.is32 else 24
    if note is None:
        return []
    count = struct.unpack_from("<I" if core.is32 else "<Q", note)[0]
    return [struct.unpack_from(form, note, width // 3 * 2 + width * i)[:2] for i in range(count)]


def data_pages(core):
    """{address: page} of all that is not zero."""
    pages = {}
    for va, memsz, offset, filesz, flags in core.loads:
        at = offset
        while at < offset + filesz:
            try:
                at = max(at, os.lseek(core.file.fileno(), at, os.SEEK_DATA))
            except OSError:
                break
            at = offset + (at - offset) // PAGE * PAGE
            if at >= offset + filesz:
                break
            page = core.at(at, PAGE)
            if any(page):
                pages[va + at - offset] = page
            at += PAGE
    return pages


def check_same(path, other):
    a, b = data_pages(Core(path)), data_pages(Core(other))
    if a != b:
        wrong("pages differ:", [hex(p) for p in set(a) ^ set(b)][:5], [hex(p) for p in set(a) & set(b) if a[p] != b[p]][:5])


def check_stat(crimg, path, stat):
    fields = open(stat).read().rsplit(")", 1)[1].split()
    found = objects(crimg, path)
    mm = next(e[0] for n, e in found.items() if n.startswith("mm-"))
    for name, at in (("mm_start_stack", 28), ("mm_arg_start", 48), ("mm_arg_end", 49), ("mm_env_start", 50), ("mm_env_end", 51)):
        if mm[name] != int(fields[at - 3]):
            wrong(name, hex(mm[name]), "found,", hex(int(fields[at - 3])), "wanted")


def check_gdb(crimg, path, program):
    text = run("gdb", "-batch", "-nx", "-ex", "set pagination off", "-ex", "set confirm off",
               "-ex", "thread apply all info registers", program, path)
    found = objects(crimg, path)
    rename = {"rip": "ip", "rsp": "sp", "eflags": "flags", "eip": "ip", "esp": "sp"}
    tid, seen = None, 0
    for line in text.splitlines():
        m = re.match(r"Thread .*LWP (\d+)", line)
        if m:
            tid = int(m[1])
            seen += 1
            continue
        m = re.match(r"(\w+)\s+(0x[0-9a-f]+)\s", line)
        if tid is None or not m:
            continue
        name = rename.get(m[1], m[1])
        regs = found["core-%d.img" % tid][0]["thread_info"]["gpregs"]
        if name not in regs and re.fullmatch("[re](ax|bx|cx|dx|si|di|bp)", name):
            name = name[1:]
        if name not in regs:
            continue
        if number(regs[name]) & (1 << 64) - 1 != int(m[2], 16):
            wrong("thread", tid, m[1], m[2], "crimg:", regs[name])
    if seen != len(found["pstree.img"][0]["threads"]):
        wrong("gdb sees", seen, "threads")


def check_eu(crimg, path):
    text = run("eu-readelf", "-n", path)
    found = objects(crimg, path)
    tree = found["pstree.img"][0]
    tids = [int(m) for m in re.findall(r"^    pid: (\d+), ppid", text, re.M)]
    if sorted(set(tids)) != sorted(tree["threads"]):
        wrong("eu-readelf sees threads", tids)
    m = re.search(r"fname: (.*), psargs", text)
    if found["core-%d.img" % tree["pid"]][0]["tc"]["comm"] != m[1]:
        wrong("eu-readelf sees", m[1])
    files = {line.split(None, 3)[3] for line in re.findall(r"^      [0-9a-f]+-[0-9a-f]+ .*", text, re.M)}
    ours = {e["reg"]["name"] for e in found.get("files.img", [])}
    if {f.strip() for f in files} != ours:
        wrong("eu-readelf sees files", files, "crimg", ours)
    m = re.search(r"ENTRY: (0x[0-9a-f]+)", text)
    if int(m[1], 16) not in found["mm-%d.img" % tree["pid"]][0]["mm_saved_auxv"] and not Core(path).is32:
        wrong("eu-readelf sees ENTRY", m[1])


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    checks = {"maps": check_maps, "notes": check_notes, "memory": check_memory, "gdb": check_gdb, "stat": check_stat, "same": check_same, "eu": check_eu}
    checks[sys.argv[1]](*sys.argv[2:])
    sys.exit(failed)
