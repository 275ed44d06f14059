#!/usr/bin/env python3
"""Makes small ELF cores by hand: seeds for the fuzzer, and damaged and hostile ones for tests.

    core_make.py seeds DIR      DIR/NAME, valid
    core_make.py hostile DIR    DIR/NAME.core, and in DIR/list lines "NAME CODE TEXT": the exit code and what
                                the one line of error must hold
"""
import os, struct, sys

PAGE = 4096
LOAD, NOTE = 1, 4
R, W, X = 4, 2, 1


def pad(data, to=4):
    return data + bytes(-len(data) % to)


class Core:
    """Fields may be changed before bytes() is called."""

    def __init__(self, bits=64):
        self.bits = bits
        self.machine = 62 if bits == 64 else 3
        self.kind, self.data = 4, 1
        self.word = "Q" if bits == 64 else "I"
        self.notes, self.loads = [], []
        self.rows = None          # e_phnum, when it is to lie
        self.row_bytes = 56 if bits == 64 else 32
        self.sections = None      # (e_shoff, bytes to append): for PN_XNUM
        self.tail = b""
        self.align = PAGE         # of p_offset

    def note(self, name, kind, desc):
        self.notes.append((name, kind, desc))
        return self

    def status(self, tid, ip=0x401000, sp=0x7ffe00000800, size=None):
        if self.bits == 64:
            regs = [0] * 27
            regs[16], regs[17], regs[19], regs[20] = ip, 0x33, sp, 0x2b
            desc = struct.pack("<iiihHQQ4I", 11, 0, 0, 11, 0, 0, 0x200, tid, 1, tid, tid) + bytes(64)
            desc += struct.pack("<27QI4x", *regs, 1)
        else:
            regs = [0] * 17
            regs[12], regs[13], regs[15], regs[16] = ip, 0x23, sp & 0xffffffff, 0x2b
            desc = struct.pack("<iiihHII4I", 11, 0, 0, 11, 0, 0, 0x200, tid, 1, tid, tid) + bytes(32)
            desc += struct.pack("<17II", *regs, 1)
        desc = desc if size is None else desc[:size].ljust(size, b"\0")
        return self.note(b"CORE", 1, desc)

    def info(self, pid, name=b"victim"):
        if self.bits == 64:
            desc = struct.pack("<4B4xQII4I16s80s", 0, 82, 0, 0, 0x400600, 0, 0, pid, 1, pid, pid, name, name)
        else:
            desc = struct.pack("<4BIHH4I16s80s", 0, 82, 0, 0, 0x400600, 0, 0, pid, 1, pid, pid, name, name)
        return self.note(b"CORE", 3, desc)

    def auxv(self, *pairs):
        return self.note(b"CORE", 6, b"".join(struct.pack("<2" + self.word, *p) for p in pairs + ((0, 0),)))

    def files(self, *rows, unit=PAGE, count=None):
        desc = struct.pack("<2" + self.word, len(rows) if count is None else count, unit)
        desc += b"".join(struct.pack("<3" + self.word, *r[:3]) for r in rows)
        return self.note(b"CORE", 0x46494c45, desc + b"".join(r[3] + b"\0" for r in rows))

    def floating(self):
        fx = struct.pack("<HHHHQQII", 0x37f, 0, 0, 0, 0, 0, 0x1f80, 0xffff) + bytes(480)
        if self.bits == 64:
            self.note(b"CORE", 2, fx)
        else:
            self.note(b"CORE", 2, struct.pack("<I", 0x37f) + bytes(104)).note(b"LINUX", 0x46e62b7f, fx)
        x = bytearray(fx) + struct.pack("<Q", 3) + bytes(56) + bytes(256)
        struct.pack_into("<Q", x, 464, 7)
        return self.note(b"LINUX", 0x202, bytes(x))

    def load(self, address, memory, data=b"", flags=R | W, offset=None, bytes_=None):
        self.loads.append([address, memory, data, flags, offset, bytes_])
        return self

    def bytes(self):
        w = self.word
        notes = b"".join(struct.pack("<III", len(n) + 1, len(d), k) + pad(n + b"\0") + pad(d) for n, k, d in self.notes)
        head = 64 if self.bits == 64 else 52
        entry = 56 if self.bits == 64 else 32
        count = 1 + len(self.loads)
        notes_at = head + entry * count
        at = notes_at + len(notes)
        body, rows = b"", [(NOTE, 0, notes_at, 0, len(notes), 0)]
        for address, memory, data, flags, offset, bytes_ in self.loads:
            if data:
                gap = -(at + len(body)) % self.align
                body += bytes(gap)
            rows.append((LOAD, flags, at + len(body) if offset is None else offset, address,
                         len(data) if bytes_ is None else bytes_, memory))
            body += data
        table = b""
        for kind, flags, offset, address, size, memory in rows:
            if self.bits == 64:
                table += struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, size, memory, 1)
            else:
                table += struct.pack("<8I", kind, offset, address, 0, size, memory, flags, 1)
        shoff, extra = self.sections if self.sections else (0, b"")
        ident = b"\177ELF" + bytes([2 if self.bits == 64 else 1, self.data, 1]) + bytes(9)
        header = ident + struct.pack("<HHI3" + w + "IHHHHHH", self.kind, self.machine, 1, 0, head,
                                     shoff, 0, head, self.row_bytes, count if self.rows is None else self.rows,
                                     64 if extra else 0, 1 if extra else 0, 0)
        return header + table + notes + body + extra + self.tail


def text(n, size=PAGE):
    return bytes((i * 7 + n) & 255 for i in range(size))


def victim(bits=64):
    """Two threads, the leader second, as in a kernel's core; a program, memory, vDSO, stack with arguments."""
    c = Core(bits)
    low = 0x400000 if bits == 64 else 0x8048000
    top = 0x7ffe00000000 if bits == 64 else 0xffa00000
    w = 8 if bits == 64 else 4
    pairs = [(33, top - 0x10000), (3, low + 64), (9, low + 0x1000), (25, top + 0xe00), (31, top + 0xf11)]
    c.status(101, low + 0x1010, top + 0x100).info(100)
    c.note(b"CORE", 0x53494749, struct.pack("<iii", 11, 0, 1) + bytes(116))
    c.auxv(*pairs)
    c.files((low, low + 0x2000, 0, b"/opt/victim"), (low + 0x2000, low + 0x3000, 1, b"/opt/victim"))
    c.floating().status(100, low + 0x1000, top + 0x200).floating()
    if bits == 32:
        c.note(b"LINUX", 0x200, struct.pack("<4I", 12, 0x1234000, 0xfffff, 0x51))
    stack = bytearray(PAGE)
    vector = b"".join(struct.pack("<2" + c.word, *p) for p in pairs + [(0, 0)])
    words = struct.pack("<6" + c.word, 2, top + 0xf00, top + 0xf07, 0, top + 0xf0a, 0)
    stack[0xd00:0xd00 + len(words + vector)] = words + vector
    for at, s in ((0xf00, b"victim\0"), (0xf07, b"-x\0"), (0xf0a, b"HOME=/\0"), (0xf11, b"/opt/victim\0")):
        stack[at:at + len(s)] = s
    c.load(low, PAGE, b"\177ELF" + text(0)[4:], R).load(low + 0x1000, PAGE, b"", R | X)
    c.load(low + 0x2000, PAGE, text(2))
    c.load(low + 0x10000, 4 * PAGE, text(1), R | W)
    c.load(top - 0x14000, 4 * PAGE, b"", R).load(top - 0x10000, PAGE, text(3), R | X)
    c.load(top, PAGE, bytes(stack))
    return c


def seeds():
    yield "kernel64", victim(64).bytes()
    yield "kernel32", victim(32).bytes()
    c = victim(64)
    c.align = 1
    c.loads[1:2] = []
    yield "gcore64", c.bytes()
    c = Core(64).status(1).load(0x1000, 2 * PAGE, text(1)[:100]).load(0x10000, PAGE, text(2))
    yield "small", c.bytes()
    yield "no-memory", Core(32).status(7).bytes()
    c = victim(64)
    c.rows, c.sections = 0xffff, None
    made = victim(64)
    c.sections = (len(made.bytes()), bytes(44) + struct.pack("<I", 1 + len(c.loads)) + bytes(16))
    yield "many-segments", c.bytes()


def hostile():
    """(name, bytes, exit code, text in the error)"""
    for kind, what in ((1, "an object file"), (2, "a program"), (3, "a program or shared library"),
                       (0xfe00, "an ELF file that is no core")):
        c = victim()
        c.kind = kind
        yield "type-%d" % kind, c.bytes(), 2, what + " found, a core of"
    for machine, what in ((183, "an AArch64 core"), (40, "an ARM core"), (243, "a RISC-V core"), (9999, "another machine")):
        c = victim()
        c.machine = machine
        yield "machine-%d" % machine, c.bytes(), 2, what
    c = victim(32)
    c.machine = 62
    yield "x32", c.bytes(), 2, "x32"
    c = victim()
    c.data = 2
    yield "big-endian", c.bytes(), 2, "big-endian"
    yield "class", victim().bytes()[:4] + b"\3" + victim().bytes()[5:], 2, "no known class"
    for name in (b"QEMU", b"VMCOREINFO"):
        yield name.decode().lower(), Core().status(1).note(name, 0, bytes(400)).bytes(), 2, "whole machine"
    yield "no-threads", Core().info(5).bytes(), 2, "without NT_PRSTATUS"
    yield "no-notes", Core().load(0x1000, PAGE, text(0)).bytes(), 2, "without NT_PRSTATUS"
    # Notes of wrong sizes.
    yield "prstatus-short", Core().status(1, size=335).bytes(), 2, "NT_PRSTATUS: 335 bytes found, 336 wanted"
    yield "prstatus-empty", Core().status(1, size=0).bytes(), 2, "NT_PRSTATUS: 0 bytes found"
    yield "prstatus-second", Core().status(1).status(2, size=200).floating().bytes(), 2, "NT_PRSTATUS: 200 bytes"
    yield "thread-twice", Core().status(1).status(2).status(1).bytes(), 2, "a second NT_PRSTATUS of thread 1"
    yield "prpsinfo", Core().status(1).note(b"CORE", 3, bytes(100)).bytes(), 2, "NT_PRPSINFO: 100 bytes found, 136"
    yield "fpregset", Core().status(1).note(b"CORE", 2, bytes(511)).bytes(), 2, "NT_FPREGSET: 511 bytes found, 512"
    yield "fpregset-0", Core().status(1).note(b"CORE", 2, b"").bytes(), 2, "NT_FPREGSET: 0 bytes found"
    yield "xstate-short", Core().status(1).note(b"LINUX", 0x202, bytes(512)).bytes(), 2, "NT_X86_XSTATE: 512 bytes"
    yield "xstate-length", Core().status(1).note(b"LINUX", 0x202, bytes(833)).bytes(), 2, "found 833 bytes"
    x = bytearray(832)
    struct.pack_into("<Q", x, 464, 3)
    struct.pack_into("<Q", x, 512, 7)
    yield "xstate-lies", Core().status(1).note(b"LINUX", 0x202, bytes(x)).bytes(), 2, "xstate_bv 0x7 found"
    struct.pack_into("<QQ", x, 512, 3, 1 << 63)
    yield "xstate-compacted", Core().status(1).note(b"LINUX", 0x202, bytes(x)).bytes(), 2, "compacted"
    yield "tls", Core(32).status(1).note(b"LINUX", 0x200, bytes(17)).bytes(), 2, "NT_386_TLS: 17 bytes"
    yield "tls-many", Core(32).status(1).note(b"LINUX", 0x200, bytes(1600)).bytes(), 2, "NT_386_TLS: 1600 bytes"
    yield "auxv", Core().status(1).note(b"CORE", 6, bytes(17)).bytes(), 2, "NT_AUXV: 17 bytes"
    yield "file-count", Core().status(1).files(count=1 << 60).bytes(), 2, "NT_FILE: room for 0 mappings found"
    yield "file-rows", Core().status(1).files((0x2000, 0x1000, 0, b"/x")).bytes(), 2, "NT_FILE: a mapping from 0x2000"
    yield "file-offset", Core().status(1).files((0x1000, 0x2000, 1 << 60, b"/x")).bytes(), 2, "NT_FILE: a mapping"
    c = Core().status(1)
    c.note(b"CORE", 0x46494c45, struct.pack("<5Q", 1, PAGE, 0x1000, 0x2000, 0) + b"/no end")
    yield "file-path", c.bytes(), 2, "NT_FILE: path of a mapping"
    c = Core().status(1)
    c.notes.append((b"CORE", 99, b""))
    made = bytearray(c.bytes())
    at = made.rindex(b"CORE\0") - 12
    struct.pack_into("<I", made, at, 0xfffffff0)
    yield "note-owner", bytes(made), 2, "owner of a note"
    struct.pack_into("<II", made, at, 5, 0xfffffff0)
    yield "note-length", bytes(made), 2, "note"
    # Tables that lie.
    c = victim()
    c.rows = 0xfffe
    yield "phnum", c.bytes(), 2, "the file ends:"
    c.rows = 0xffff
    yield "phnum-xnum", c.bytes(), 2, "PN_XNUM"
    c.sections = (1 << 63, b"")
    yield "phnum-far", c.bytes(), 2, "the file ends"
    c.sections = ((1 << 64) - 1, b"")
    yield "phnum-overflow", c.bytes(), 2, "PN_XNUM"
    c.sections = (len(victim().bytes()), bytes(44) + b"\xff\xff\xff\xff" + bytes(16))
    yield "phnum-many", c.bytes(), 2, "4294967295 program headers"
    c = victim()
    c.row_bytes = 55
    yield "phentsize", c.bytes(), 2, "program headers of 55 bytes"
    top = (1 << 64) - PAGE
    for name, load, want in (
            ("offset-overflow", dict(address=0x1000000, memory=1 << 40, offset=top, bytes_=1 << 40), "the file ends: 0"),
            ("size-overflow", dict(address=0x1000000, memory=(1 << 64) - 1), "leaves the address space"),
            ("size-huge", dict(address=0x1000000, memory=1 << 46, offset=PAGE, bytes_=1 << 46), "share their bytes"),
            ("top", dict(address=top, memory=PAGE), "leaves the address space"),
            ("not-aligned", dict(address=0x1000800, memory=PAGE), "at a page boundary wanted"),
            ("more-than-memory", dict(address=0x1000000, memory=PAGE, offset=PAGE, bytes_=2 * PAGE), "for 0x1000 of memory"),
            ("overlap", dict(address=0x400800 // PAGE * PAGE, memory=3 * PAGE), "overlaps")):
        yield "segment-" + name, victim().load(**load).bytes(), 2, want
    c = Core().status(1)
    for i in range(64):
        c.load(0x100000 * (i + 1), 16 * PAGE, b"", offset=0, bytes_=PAGE)
    c.tail = bytes(PAGE)
    yield "segments-share", c.bytes(), 2, "share their bytes"
    # Cut, and yet readable.
    made = victim().bytes()
    yield "cut-memory", made[:-PAGE], 2, "bytes of the memory at 0x7ffe00000000 found, 4096 wanted"
    yield "cut-page", made[:-1], 2, "4095 bytes of the memory"
    yield "cut-notes", made[:1500], 2, "bytes of notes found"
    yield "cut-table", made[:100], 2, "bytes of program headers found"
    yield "cut-header", made[:63], 2, "the file ends"
    yield "cut-ident", made[:18], 2, "the file ends"
    # Large, and still fast.
    c = Core().status(1)
    c.notes += [(b"LINUX", 7, b"")] * 1000000
    yield "million-notes", c.bytes(), 0, ""
    c = Core().status(1).floating()
    yield "million-overlaps", many_rows(c, [(0x100000 + (i % 7) * PAGE, 2 * PAGE) for i in range(1000000)]), 2, "overlaps"
    yield "million-segments", many_rows(c, [(0x100000 + i * 2 * PAGE, PAGE) for i in range(1000000)]), 0, ""
    c = Core()
    for i in range(20000):
        c.status(i + 1)
    yield "many-threads", c.bytes(), 0, ""
    rows = [(0x100000 + i * PAGE, 0x101000 + i * PAGE, i, b"/x%d" % (i % 5)) for i in range(100000)]
    yield "many-files", Core().status(1).files(*rows).bytes(), 0, ""


def many_rows(core, spans):
    """The core with these empty segments, their number in section 0."""
    made = core.bytes()
    notes_at = 64 + 56
    table = struct.pack("<IIQQQQQQ", NOTE, 0, 64 + 64, 0, 0, len(made) - notes_at, 0, 1)
    notes = made[notes_at:]
    section_at, table_at = 64, 128 + len(notes)
    table += b"".join(struct.pack("<IIQQQQQQ", LOAD, R, 0, va, 0, 0, size, 1) for va, size in spans)
    table = table[:8] + struct.pack("<Q", 128) + table[16:]
    section = bytes(44) + struct.pack("<I", len(spans) + 1) + bytes(16)
    header = bytearray(made[:64])
    struct.pack_into("<Q", header, 32, table_at)
    struct.pack_into("<Q", header, 40, section_at)
    struct.pack_into("<H", header, 56, 0xffff)
    return bytes(header) + section + notes + table


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("seeds", "hostile"):
        sys.exit(__doc__)
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    if sys.argv[1] == "seeds":
        for name, data in seeds():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        return
    with open(os.path.join(folder, "list"), "w") as names:
        for name, data, code, want in hostile():
            with open(os.path.join(folder, name + ".core"), "wb") as f:
                f.write(data)
            names.write("%s %d %s\n" % (name, code, want))


if __name__ == "__main__":
    main()
