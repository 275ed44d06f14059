#!/usr/bin/env python3
"""Compares an ELF core with the CRIU image directory it was made of, without crimg: the program headers
and the contents of every page, wherever the image keeps them.

    core_oracle.py IMAGE PID CORE    prints what is wrong, one line each, and exits 1; nothing when all is right
"""
import hashlib, os, struct, subprocess, sys

PAGE = 4096
VSYSCALL, FILE, SHARED, SYSV, SOCKET, VVAR, MEMFD, GUARD = 1 << 2, 3 << 6, 1 << 8, 1 << 10, 1 << 11, 1 << 12, 1 << 14, 1 << 16
wrong = 0


def say(text):
    global wrong
    wrong += 1
    if wrong <= 20:
        print(text)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def message(data):
    """{number: [values]} of one protobuf message."""
    at, out = 0, {}
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            n, at = varint(data, at)
            value, at = data[at:at + n], at + n
        out.setdefault(tag >> 3, []).append(value)
    return out


def entries(name):
    """The messages of one image file, each with the offset behind it."""
    path = os.path.join(image, name)
    raw = open(path, "rb").read() if os.path.exists(path) else b""
    at = 8
    while at + 4 <= len(raw):
        n, = struct.unpack_from("<I", raw, at)
        at += 4 + n
        yield message(raw[at - n:at]), raw, at
        if name.startswith("ghost"):
            return


def pages_of(kind, number):
    """{address: SHA-1} as the other oracle sees it, parents followed."""
    if "lines" not in globals():
        here = os.path.dirname(os.path.abspath(__file__))
        globals()["lines"] = [l.split() for l in subprocess.run(
            [sys.executable, here + "/chain_oracle.py", image], check=True, text=True,
            stdout=subprocess.PIPE).stdout.splitlines()]
    return {int(a, 16): h for k, n, a, h in lines if k == kind and int(n) == number}


def ghost_of(file_id):
    """The bytes of a deleted file, or None."""
    for m, _, _ in entries("remap-fpath.img"):
        if m[1][0] == file_id and m.get(3, [0])[0] == 1:
            for head, raw, at in entries("ghost-file-%x.img" % m[2][0]):
                if head.get(9, [0])[0] == 0:
                    return raw[at:]
                out = bytearray(head[10][0])
                while at < len(raw):
                    n, = struct.unpack_from("<I", raw, at)
                    chunk = message(raw[at + 4:at + 4 + n])
                    at += 4 + n
                    out[chunk[2][0]:chunk[2][0] + chunk[1][0]] = raw[at:at + chunk[1][0]]
                    at += chunk[1][0]
                return bytes(out)
    return None


def segment_of(vma):
    """The number of the shared segment that an area maps, or None."""
    status, shmid = vma[7][0], vma[4][0]
    if status & MEMFD:
        for f, _, _ in entries("files.img"):
            if f[2][0] != shmid:
                continue
            for number, values in f.items():
                if number <= 2:
                    continue
                memfd = message(values[0])
                for inode, _, _ in entries("memfd.img"):
                    if inode[7][0] == memfd[5][0]:
                        return inode[5][0]
        return None
    return shmid if status & (SHARED | SYSV) else None


def wanted_pages(vma):
    """What an area holds: ({address: SHA-1}, stored ranges). Untouched pages in a range are zeros."""
    start, end, pgoff, status = vma[1][0], vma[2][0], vma[3][0], vma[7][0]
    pages = {a: h for a, h in own.items() if start <= a < end}
    ranges = [(a, a + PAGE) for a in pages]
    segment = segment_of(vma)
    if segment is not None:
        for offset, h in pages_of("shmem", segment).items():
            a = start + offset - pgoff
            if start <= a < end:
                pages.setdefault(a, h)
        return pages, [(start, end)]
    if status & (VSYSCALL | VVAR | SOCKET | GUARD) or status & (1 << 3) and not pages:
        return pages, ranges
    if status & FILE:
        ghost = ghost_of(vma[4][0])
        for a in range(start, end, PAGE) if ghost is not None else ():
            piece = ghost[pgoff + a - start:pgoff + a - start + PAGE]
            if a not in pages and piece:
                pages[a] = hashlib.sha1(piece.ljust(PAGE, b"\0")).hexdigest()
                ranges.append((a, a + PAGE))
        return pages, ranges
    return pages, [(start, end)]


def headers(f):
    """Class and program headers of a core: (type, flags, offset, vaddr, filesz, memsz, align)."""
    f.seek(0)
    e = f.read(64)
    if e[:4] != b"\177ELF" or e[5] != 1:
        sys.exit("not a little-endian ELF file")
    wide = e[4] == 2
    kind, machine = struct.unpack_from("<HH", e, 16)
    if (kind, machine) != (4, 62 if wide else 3):
        say("type %d, machine %d" % (kind, machine))
    phoff, shoff = struct.unpack_from("<QQ" if wide else "<II", e, 32 if wide else 28)
    phnum, = struct.unpack_from("<H", e, 56 if wide else 44)
    if phnum == 0xffff:
        f.seek(shoff)
        phnum, = struct.unpack_from("<I", f.read(64), 44 if wide else 28)
    f.seek(phoff)
    form = "<IIQQQQQQ" if wide else "<IIIIIIII"
    raw, out = f.read(phnum * struct.calcsize(form)), []
    for p in struct.iter_unpack(form, raw):
        t, flags, offset, vaddr, _, filesz, memsz, align = p if wide else (
            p[0], p[6], p[1], p[2], p[3], p[4], p[5], p[7])
        out.append((t, flags, offset, vaddr, filesz, memsz, align))
    return wide, out


def check_frame(loads, size):
    for (_, _, o, a, n, m, _), (_, _, o2, a2, _, _, _) in zip(loads, loads[1:]):
        if a + m > a2 or o + n != o2:
            say("segment at %#x: the next begins at %#x, offset %#x" % (a, a2, o2))
    for _, _, o, a, n, m, align in loads:
        if align != PAGE or (o - a) % PAGE or n not in (0, m):
            say("segment at %#x: offset %#x, %#x of %#x bytes stored, alignment %#x" % (a, o, n, m, align))
    if loads and loads[-1][2] + loads[-1][4] != size:
        say("the file has %#x bytes, its segments end at %#x" % (size, loads[-1][2] + loads[-1][4]))


def check_area(f, vma, parts):
    start, end, prot = vma[1][0], vma[2][0], vma[5][0]
    pages, ranges = wanted_pages(vma)
    stored = {}
    covered = start
    for _, flags, offset, a, filesz, memsz, _ in parts:
        if a != covered:
            say("area %#x: a segment begins at %#x" % (start, a))
        covered = a + memsz
        if flags != (prot & 1) << 2 | prot & 2 | (prot & 4) >> 2:
            say("area %#x: flags %d for protection %d" % (start, flags, prot))
        if filesz:
            stored[a] = (a + memsz, offset)
    if covered != end:
        say("area %#x: its segments end at %#x, not %#x" % (start, covered, end))
    joined = []
    for a, b in sorted(ranges):
        if joined and joined[-1][1] == a:
            joined[-1][1] = b
        else:
            joined.append([a, b])
    found = []
    for a in sorted(stored):
        if found and found[-1][1] == a:
            found[-1][1] = stored[a][0]
        else:
            found.append([a, stored[a][0]])
    if joined != found:
        say("area %#x: stored are %s, wanted %s" % (start, found, joined))
    zero = hashlib.sha1(bytes(PAGE)).hexdigest()
    for a, (b, offset) in stored.items():
        seen, at, top = set(), offset, offset + b - a
        while at < top:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
                hole = min(os.lseek(f.fileno(), at, os.SEEK_HOLE), top)
            except OSError:
                break
            at -= (at - offset) % PAGE
            while at < hole:
                address = a + at - offset
                seen.add(address)
                if hashlib.sha1(os.pread(f.fileno(), PAGE, at)).hexdigest() != pages.get(address, zero):
                    say("page %#x has other contents" % address)
                at += PAGE
        for address, h in pages.items():
            if a <= address < b and address not in seen and h != zero:
                say("page %#x is a hole" % address)


image, pid, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
own = pages_of("mm", pid)
mm = next(entries("mm-%d.img" % pid))[0]
vmas = sorted((message(v) for v in mm[14]), key=lambda v: v[1][0])
with open(path, "rb") as f:
    wide, all_headers = headers(f)
    loads = [h for h in all_headers if h[0] == 1]
    if [h[0] for h in all_headers[:1]] != [4]:
        say("the first program header is no PT_NOTE")
    check_frame(loads, os.path.getsize(path))
    at = 0
    for vma in vmas:
        parts = []
        while at < len(loads) and loads[at][3] < vma[2][0]:
            parts.append(loads[at])
            at += 1
        check_area(f, vma, parts)
    if at != len(loads):
        say("%d segments are of no area" % (len(loads) - at))
sys.exit(wrong > 0)
