#!/usr/bin/env python3
"""Random edits of page contents and page maps, and what `crimg diff` must say of each: no more, no less.

    diff_oracle.py CRIMG SAMPLE WORK ROUNDS SEED    prints what is wrong, then "N passed, N failed"

SAMPLE is a CRIU image directory. Each round changes a copy of it in ways of its own: bytes, pages that are
zeroed, dropped, added, moved. chain_oracle.py, cmp(1) and diff(1) say what differs; they know nothing of crimg.
"""
import json, os, random, re, shutil, struct, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chain_oracle import fields, layer, listing

PAGE, LINE = 4096, 16
FILE = 1 << 6 | 1 << 7
KERNEL = 1 << 2 | 1 << 3 | 1 << 11 | 1 << 12 | 1 << 16


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def entries(path):
    raw, at = open(path, "rb").read(), 8
    while at < len(raw):
        n, = struct.unpack_from("<I", raw, at)
        yield raw[at + 4:at + 4 + n]
        at += 4 + n


class Memory:
    """All pages of one page map: address -> bytes; where bytes of the pages file are."""

    def __init__(self, directory, name):
        m = re.fullmatch(r"pagemap-(shmem-)?(\d+)\.img", name)
        self.key = ("shmem" if m[1] else "mm", int(m[2]))
        self.name, self.pages = name, {}
        head = dict((n, v) for n, _, v in fields(next(entries(os.path.join(directory, name)))))
        self.file, self.flags = "pages-%d.img" % head[1], {}
        for start, pages, flags, content in layer(directory, name):
            for i in range(pages if content else 0):
                self.pages[start + i * PAGE] = content[i * PAGE:(i + 1) * PAGE]

    def write(self, directory):
        head = next(entries(os.path.join(directory, self.name)))
        out = open(os.path.join(directory, self.name), "rb").read()[:8]
        out += struct.pack("<I", len(head)) + head
        for address in sorted(self.pages):
            body = b"\x08" + varint(address) + b"\x10\x00\x20\x04\x28\x01"
            out += struct.pack("<I", len(body)) + body
        open(os.path.join(directory, self.name), "wb").write(out)
        with open(os.path.join(directory, self.file), "wb") as f:
            for address in sorted(self.pages):
                f.write(self.pages[address])


def areas_of(directory, pid):
    """[(start, end, mapped from a file, anonymous and private)] of a task."""
    out = []
    path = os.path.join(directory, "mm-%d.img" % pid)
    for n, _, value in fields(next(entries(path))):
        if n == 14:
            v = dict((k, x) for k, _, x in fields(value))
            out.append((v[1], v[2], v[7] & FILE != 0, v[7] & 1 << 9 != 0 and v[7] & KERNEL == 0))
    return out


class Round:
    def __init__(self, sample, work, rng):
        self.rng, self.a, self.b = rng, sample, os.path.join(work, "b")
        shutil.rmtree(self.b, ignore_errors=True)
        shutil.copytree(sample, self.b, symlinks=True)
        os.chmod(self.b, 0o755)
        for name in os.listdir(self.b):
            if not os.path.islink(os.path.join(self.b, name)):
                os.chmod(os.path.join(self.b, name), 0o644)
        names = sorted(n for n in os.listdir(sample) if n.startswith("pagemap-"))
        self.old = [m for m in (Memory(sample, n) for n in names) if m.pages]
        self.new = [Memory(self.b, m.name) for m in self.old]
        self.areas = {m.key: areas_of(sample, m.key[1]) for m in self.old if m.key[0] == "mm"}

    def flip_bytes(self):
        """Bytes in place: page maps stay as they are, so that cmp(1) is an oracle too."""
        for _ in range(self.rng.randrange(1, 9)):
            m = self.rng.choice(self.new)
            path = os.path.join(self.b, m.file)
            with open(path, "r+b") as f:
                at = self.rng.randrange(os.path.getsize(path))
                n = self.rng.choice([1, 1, 2, 8, 40, 5000])
                f.seek(at)
                old = f.read(n)
                f.seek(at)
                f.write(bytes(x ^ self.rng.randrange(1, 256) for x in old))
        self.new = [Memory(self.b, m.name) for m in self.new]

    def free_places(self, m):
        if m.key[0] != "mm":
            return []
        return [at for start, end, _, plain in self.areas[m.key] if plain
                for at in range(start, min(end, start + 64 * PAGE), PAGE) if at not in m.pages]

    def edit_maps(self):
        for _ in range(self.rng.randrange(1, 6)):
            m = self.rng.choice(self.new)
            places, held = self.free_places(m), sorted(m.pages)
            what = self.rng.choice(["zero", "drop", "drop", "add", "add zero", "move", "move"])
            if what in ("add", "add zero", "move") and not places or not held:
                continue
            at, to = self.rng.choice(held), self.rng.choice(places) if places else None
            if what == "zero":
                m.pages[at] = bytes(PAGE)
            elif what == "drop":
                del m.pages[at]
            elif what == "add":
                m.pages[to] = self.rng.randbytes(PAGE)
            elif what == "add zero":
                m.pages[to] = bytes(PAGE)
            else: # a few pages as a whole
                for i in range(self.rng.randrange(1, 4)):
                    if at + i * PAGE in m.pages and to + i * PAGE in places and at + i * PAGE != to:
                        m.pages[to + i * PAGE] = m.pages.pop(at + i * PAGE)
        for m in self.new:
            m.write(self.b)

    def is_file(self, key, at):
        return any(start <= at < end and file for start, end, file, _ in self.areas.get(key, []))

    def wanted(self):
        """{(kind, id): {address: word}}, {address of a line: (old, new)}, {moved to: old addresses}"""
        words, lines, moved = {}, {}, {}
        for old, new in zip(self.old, self.new):
            a, b, mine = old.pages, new.pages, words.setdefault(old.key, {})
            def absent(at, page):
                return page == bytes(PAGE) and not self.is_file(old.key, at)
            gone = {}
            for at in a.keys() - b.keys():
                if not absent(at, a[at]):
                    mine[at] = "dropped"
                    gone.setdefault(a[at], []).append(at)
            for at in b.keys() - a.keys():
                if not absent(at, b[at]):
                    mine[at] = "new"
            for at in sorted(at for at in mine if mine[at] == "new"):
                if b[at] in gone and b[at] != bytes(PAGE):
                    moved[old.key, at] = gone[b[at]]
            for at in a.keys() & b.keys():
                if a[at] != b[at]:
                    mine[at] = "changed"
                    for i in range(0, PAGE, LINE):
                        if a[at][i:i + LINE] != b[at][i:i + LINE]:
                            lines[old.key, at + i] = (a[at][i:i + LINE], b[at][i:i + LINE])
        return words, lines, moved

    def bytes_by_cmp(self):
        """What cmp -l says of the pages files, as (kind, id, address of the byte)."""
        found = set()
        for m in self.old:
            places = sorted(m.pages)
            out = subprocess.run(["cmp", "-l", os.path.join(self.a, m.file), os.path.join(self.b, m.file)],
                                 capture_output=True, text=True).stdout
            for row in out.splitlines():
                offset = int(row.split()[0]) - 1
                found.add((m.key, places[offset // PAGE] + offset % PAGE))
        return found

    def pages_by_diff(self):
        """What diff(1) says of the oracle's listings: addresses whose lines differ."""
        texts = []
        for name, image in (("a", self.a), ("b", self.b)):
            texts.append(self.b + "." + name)
            with open(texts[-1], "w") as f:
                f.writelines(line + "\n" for line in listing(image))
        out = subprocess.run(["diff", *texts], capture_output=True, text=True).stdout
        rows = [row[2:].split() for row in out.splitlines() if row[:1] in "<>"]
        return {((kind, int(number)), int(at, 16)) for kind, number, at, _ in rows}


def told(answer):
    words, lines, moved, other = {}, {}, {}, []
    for c in answer["changes"]:
        if "start" not in c:
            other.append((c["group"], c["what"], c["subject"], c["field"]))
            continue
        key = ("shmem", c["segment"]["a"]) if c["group"] == "shared_memory" else ("mm", c["process"]["a"])
        start, end = int(c["start"], 16), int(c["end"], 16)
        assert (end - start) // PAGE == c["pages"]
        for i, at in enumerate(range(start, end, PAGE)):
            assert at not in words.setdefault(key, {}), "told twice: " + hex(at)
            words[key][at] = c["what"]
            if c["what"] == "moved":
                moved[key, at] = int(c["from"], 16) + i * PAGE
        for line in c["lines"]:
            lines[key, int(line["address"], 16)] = (bytes.fromhex(line["a"]), bytes.fromhex(line["b"]))
    return words, lines, moved, other


def check(found, r, flipped):
    words, lines, moved, other = found
    want_words, want_lines, want_moved = r.wanted()
    if other:
        return "changes that are none of pages: %s" % other[:3]
    used = set()
    for (key, at), origin in moved.items():
        if (key, at) not in want_moved or origin not in want_moved[key, at] or (key, origin) in used:
            return "moved from %x to %x" % (origin, at)
        used.add((key, origin))
        words[key][at] = "new"
        words[key][origin] = "dropped"
    left = {(k, at) for (k, at), origins in want_moved.items() if (k, at) not in moved
            and any((k, o) not in used for o in origins)}
    if left:
        return "not told as moved: %s" % [hex(at) for _, at in left]
    for key in want_words.keys() | words.keys():
        a, b = words.get(key, {}), want_words.get(key, {})
        if a != b:
            at = sorted(at for at in a.keys() | b.keys() if a.get(at) != b.get(at))[0]
            return "%s %x: %s found, %s wanted" % (key, at, a.get(at), b.get(at))
    if lines != want_lines:
        return "lines: %d found, %d wanted" % (len(lines), len(want_lines))
    if flipped:
        by_lines = {(key, at + i) for (key, at), (x, y) in lines.items() for i in range(LINE) if x[i] != y[i]}
        if by_lines != r.bytes_by_cmp():
            return "bytes are not those of cmp"
        if {(k, at) for k, w in words.items() for at in w} != r.pages_by_diff():
            return "pages are not those of diff"
    return None


def main():
    crimg, sample, work, rounds, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    rng, passed, failed = random.Random(seed), 0, 0
    stream = {}
    for i in range(rounds):
        r = Round(sample, work, rng)
        flipped = rng.random() < 0.5
        r.flip_bytes() if flipped else r.edit_maps()
        paths = [r.a, r.b]
        form = rng.choice(["", "", "", "b.crimg", "both.crimg", "z.crimg", "b.tar", "b.json"])
        for side in [0, 1] if form == "both.crimg" else [1] if form else []:
            target = os.path.join(work, "%d.%s" % (side, form))
            if os.path.exists(target):
                os.unlink(target)
            options = ["--compress=zstd"] if form == "z.crimg" else []
            subprocess.run([crimg, "convert", *options, paths[side], target], check=True)
            paths[side] = target
        p = subprocess.run([crimg, "diff", "--json", "--bytes", *paths], capture_output=True, text=True)
        try:
            answer = json.loads(p.stdout)
            wrong = check(told(answer), r, flipped)
            if wrong is None and (p.returncode != (0 if answer["same"] else 1) or p.stderr):
                wrong = "exit %d: %s" % (p.returncode, p.stderr)
        except (ValueError, KeyError, AssertionError) as e:
            wrong = "%s: %s" % (e, p.stderr or p.stdout[:200])
        if wrong:
            failed += 1
            print("FAILED round %d (seed %d, %s): %s" % (i, seed, form or "directories", wrong))
        else:
            passed += 1
    print("%d passed, %d failed" % (passed, failed))


if __name__ == "__main__":
    main()
