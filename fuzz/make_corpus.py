#!/usr/bin/python3
"""Makes a seed corpus for every fuzz target from real images.

  make_corpus.py CRIMG OUT SAMPLES…    OUT/TARGET/NAME; CRIMG writes the streams and the JSON

Seeds are small: raw files are cut to a page, and files of the same content are taken once.
"""
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests"))
import core_make
import cpt_make
import early2012_gen
import early_gen
import kstate_gen
MAX = 16 << 10


def read_kinds():
    rows, row = [], re.compile(r'^K\((\w+),\s*"([^"]*)",\s*(\d+),\s*(\w+),')
    with open(os.path.join(ROOT, "format", "kinds.def"), encoding="utf-8") as f:
        for line in f:
            m = row.match(line)
            if m:
                number = {"0": "", "10": r"([0-9]+)", "16": r"([0-9a-f]+)"}[m[3]]
                name = re.escape(m[2]).replace("%", number) if m[2] else None
                rows.append((name and re.compile(name + r"\Z"), int(m[4], 0)))
    return rows


KINDS = read_kinds()


def kind_of(name):
    for i, (pattern, magic) in enumerate(KINDS):
        if pattern and pattern.match(name):
            return i, magic
    return None, 0


class Corpus:
    def __init__(self, out):
        self.out = out
        self.last = None  # image, so that the next is compared with it

    def add(self, target, data, limit=4 * MAX):
        if len(data) > limit:
            return
        folder = os.path.join(self.out, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()[:16]), "wb") as f:
            f.write(data)


def entries(data, magic):
    at = 4 if struct.unpack_from("<I", data)[0] == magic else 8
    while at + 4 <= len(data):
        n = struct.unpack_from("<I", data, at)[0]
        if at + 4 + n > len(data):
            return
        yield data[at + 4:at + 4 + n]
        at += 4 + n


def member(name, data, link):
    kind = 254 if link else 255
    raw = name.encode()
    return struct.pack("<BB", kind, len(raw)) + raw + struct.pack("<I", len(data)) + data


def read_image(folder, whole=False):
    files = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.islink(path):
            files[name] = (os.readlink(path).encode(), True)
        elif os.path.isfile(path):
            with open(path, "rb") as f:
                data = f.read()
            _, magic = kind_of(name)
            files[name] = (data if magic or whole else data[:4096], False)
    return files


def archives(corpus, files):
    for mode in ("w", "w:gz", "w:xz"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as tar:
            for name, (data, link) in files.items():
                info = tarfile.TarInfo(name)
                if link:
                    info.type, info.linkname = tarfile.SYMTYPE, data.decode()
                    tar.addfile(info)
                else:
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        corpus.add("tar", out.getvalue())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, (data, link) in files.items():
            if not link:
                z.writestr(name, data)
    corpus.add("tar", out.getvalue())


def convert(crimg, *args):
    with tempfile.TemporaryDirectory() as tmp:
        target = os.path.join(tmp, "out")
        done = subprocess.run([crimg, "convert", "--allow-incomplete", *args, target],
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return None
        with open(target, "rb") as f:
            return f.read()


def one_file(corpus, crimg, path, name, data):
    kind, magic = kind_of(name)
    if kind is None:
        return
    corpus.add("criu_file", bytes([kind, 1]) + data[:MAX])
    if magic:
        for i, message in enumerate(entries(data, magic)):
            corpus.add("message", bytes([kind, 0 if i == 0 else 1]) + message[:MAX])
    if len(data) > MAX:
        return
    for target, args in (("crimg", ["-t", "crimg"]), ("json", ["-t", "json"]),
                         ("json", ["-t", "json", "--pretty"])):
        made = convert(crimg, *args, path)
        if made is not None:
            corpus.add(target, made + (b"\0" if target == "crimg" else b""))


def one_image(corpus, crimg, files):
    small = {n: f for n, f in files.items() if len(f[0]) <= MAX}
    packed = b"".join(member(n, d, link) for n, (d, link) in small.items())
    corpus.add("criu_dir", packed)
    corpus.add("linuxcr_make", packed)
    corpus.add("validate", packed)
    corpus.add("roundtrip", packed)
    corpus.add("diff", struct.pack("<I", len(packed)) + packed + packed[:len(packed) * 7 // 8])
    if corpus.last is not None:
        corpus.add("diff", struct.pack("<I", len(corpus.last)) + corpus.last + packed)
    corpus.last = packed
    archives(corpus, small)
    with tempfile.TemporaryDirectory() as tmp:
        for name, (data, link) in small.items():
            path = os.path.join(tmp, name)
            if link:
                os.symlink(data, path)
            else:
                with open(path, "wb") as f:
                    f.write(data)
        for args in (["-t", "crimg"], ["-t", "crimg", "--compress=zstd"], ["-t", "json"]):
            made = convert(crimg, *args, tmp)
            if made is not None:
                corpus.add(args[1], made)


def one_stream(corpus, crimg, path):
    """A kernel stream as CRIU's messages alone."""
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "dir")
        if subprocess.run([crimg, "convert", path, out], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            return
        os.unlink(os.path.join(out, "kernel-records.img"))
        corpus.add("linuxcr_make", b"".join(member(n, d, link) for n, (d, link) in read_image(out, True).items()))


def with_sockets(corpus, crimg, path):
    """The same with sockets, connections and terminals, which no real stream has."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as tmp:
        made = os.path.join(tmp, "made.ckpt")
        subprocess.run([sys.executable, os.path.join(here, "../tests/linuxcr_sockets.py"), "make", path, made], check=True)
        with open(made, "rb") as f:
            corpus.add("linuxcr", f.read())
        one_stream(corpus, crimg, made)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    crimg, corpus = sys.argv[1], Corpus(sys.argv[2])
    for _, data in core_make.seeds():
        corpus.add("elfcore", data)
    for tree, arch in (("18", 1), ("061", 1), ("141", 1), ("141", 0)):
        corpus.add("cpt", cpt_make.make(tree, arch=arch, garbage=1), 8 * MAX)
    for name in [*kstate_gen.SAMPLES, *kstate_gen.DAMAGED, *kstate_gen.REFUSED]:
        corpus.add("kstate", kstate_gen.make(name))
    for name in ["good", *early_gen.DAMAGED]:
        files = early_gen.make(name).files
        corpus.add("early", b"".join(member(n, d, False) for n, d in files.items()
                                     if n.endswith(("-10.img", "-11.img")) or "shmem" in n))
    for name in ["good", *early2012_gen.DAMAGED]:
        files = early2012_gen.make(name).files
        corpus.add("early", b"".join(member(n, d, False) for n, d in files.items()
                                     if n.endswith(("-22.img", "-23.img")) or n[-5].isalpha() or "shmem" in n))
    seen = set()
    for top in sys.argv[3:]:
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if name.endswith(".ckpt"):
                    with open(path, "rb") as f:
                        corpus.add("linuxcr", f.read())
                    one_stream(corpus, crimg, path)
                    if name.endswith("-files.ckpt"):
                        with_sockets(corpus, crimg, path)
                if name.endswith(".cpt"):
                    with open(path, "rb") as f:
                        corpus.add("cpt", f.read())
                if name.endswith(".crimg"):
                    with open(path, "rb") as f:
                        corpus.add("crimg", f.read() + b"\0")
                if name.endswith(".kstate"):
                    with open(path, "rb") as f:
                        corpus.add("kstate", f.read())
                if os.path.islink(path) or kind_of(name)[0] is None:
                    continue
                with open(path, "rb") as f:
                    data = f.read()
                key = (kind_of(name)[0], hashlib.sha1(data).digest())
                if key not in seen and (kind_of(name)[0], len(data)) not in seen:
                    seen |= {key, (kind_of(name)[0], len(data))}
                    one_file(corpus, crimg, path, name, data)
            if "inventory.img" in names:
                one_image(corpus, crimg, read_image(folder))


if __name__ == "__main__":
    main()
