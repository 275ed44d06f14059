#!/usr/bin/env python3
"""Says what the memory of a task is, without crimg's address spaces: areas and files from `crit decode`,
pages by hand (chain_oracle.py).

    memory_oracle.py CRIMG IMAGE PID raw START LENGTH    the bytes; fails at the first that is not there
    memory_oracle.py CRIMG IMAGE PID strings MIN         a JSON list of [address, encoding, text, length]
    memory_oracle.py CRIMG IMAGE PID search HEX          addresses, one a line
    memory_oracle.py CRIMG IMAGE PID offset ADDRESS      where that page lies: FILE OFFSET
"""
import json, os, re, subprocess, sys

from chain_oracle import layer, parent_of

PAGE = 4096
KERNEL, FILE, ANON_SHARED, MEMFD = 1 << 2 | 1 << 3 | 1 << 11 | 1 << 12 | 1 << 16, 0xc0, 1 << 8, 1 << 14


def number(value):
    return int(value, 0) if isinstance(value, str) else value


class Image:
    def __init__(self, crimg, directory, pid):
        self.crimg, self.directory, self.pid, self.maps = crimg, directory, pid, {}
        self.files = {f["id"]: f for f in self.decode("files.img")}
        self.inodes = {m["inode_id"]: m for m in self.decode("memfd.img")}
        self.ghosts = {r["orig_id"]: "ghost-file-%x.img" % r["remap_id"]
                       for r in self.decode("remap-fpath.img") if r.get("remap_type") == "GHOST"}
        self.vmas = [{k: number(v) for k, v in vma.items() if k in ("start", "end", "pgoff", "shmid", "status")}
                     for vma in self.decode("mm-%d.img" % pid)[0]["vmas"]]

    def decode(self, name):
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            return []
        return json.loads(subprocess.check_output([self.crimg, "crit", "decode", "-i", path]))["entries"]

    def table(self, name):
        """page -> bytes, or None when it is lost."""
        if name not in self.maps:
            pages, chain, directory = {}, [], self.directory
            while directory and os.path.exists(os.path.join(directory, name)):
                chain.append(layer(directory, name))
                directory = parent_of(directory)
            for runs in reversed(chain):
                for start, count, flags, content in runs:
                    for i in range(count):
                        at = start + i * PAGE
                        if flags & 4:
                            pages[at] = content[i * PAGE:i * PAGE + PAGE]
                        elif not flags & 1:
                            pages[at] = None
                        else:
                            pages.setdefault(at, None)
            top = {start + i * PAGE for start, count, _, _ in chain[0] for i in range(count)} if chain else set()
            self.maps[name] = {at: page for at, page in pages.items() if at in top}
        return self.maps[name]

    def segment(self, vma):
        if vma["status"] & MEMFD:
            return self.inodes[self.files[vma["shmid"]]["memfd"]["inode_id"]]["shmid"]
        return vma["shmid"] if vma["status"] & ANON_SHARED else None

    def ghost(self, vma):
        """The pages of a deleted file, by address."""
        if not vma["status"] & FILE or vma["shmid"] not in self.ghosts:
            return {}
        raw = open(os.path.join(self.directory, self.ghosts[vma["shmid"]]), "rb").read()
        data = raw[12 + int.from_bytes(raw[8:12], "little"):]
        data += bytes(-len(data) % PAGE)
        return {vma["start"] + i: data[vma["pgoff"] + i:vma["pgoff"] + i + PAGE]
                for i in range(0, len(data) - vma["pgoff"], PAGE) if vma["start"] + i < vma["end"]}

    def stretches(self):
        """(start, end, bytes or "zero" or "absent") in order of addresses; gaps are left out."""
        for vma in self.vmas:
            own = self.table("pagemap-%d.img" % self.pid)
            segment = self.segment(vma)
            shared = self.table("pagemap-shmem-%d.img" % segment) if segment is not None else {}
            blank = "absent" if vma["status"] & KERNEL or (vma["status"] & FILE and segment is None) else "zero"
            shift = vma["pgoff"] - vma["start"]
            known = {at: own[at] for at in own if vma["start"] <= at < vma["end"]}
            for at in shared:
                if vma["start"] <= at - shift < vma["end"]:
                    known.setdefault(at - shift, shared[at])
            for at, page in self.ghost(vma).items():
                known.setdefault(at, page)
            last = vma["start"]
            for at in sorted(known):
                if at > last:
                    yield last, at, blank
                yield at, at + PAGE, known[at] if known[at] is not None else "absent"
                last = at + PAGE
            if last < vma["end"]:
                yield last, vma["end"], blank

    def runs(self, edge, zeros):
        """(address, bytes) of what hangs together; of zeros at most edge bytes at either side (None: as they
        are, when not taken they end a run but for one byte)."""
        start, data = 0, bytearray()
        for first, end, what in self.stretches():
            if data and start + len(data) != first or what == "absent":
                if data:
                    yield start, bytes(data)
                start, data = first, bytearray()
                if what == "absent":
                    continue
            if not data:
                start = first
            if what != "zero":
                data += what
            elif zeros and end - first <= 2 * edge:
                data += bytes(end - first)
            elif zeros:
                yield start, bytes(data) + bytes(edge)
                start, data = end - edge, bytearray(edge)
            else:
                if data:
                    yield start, bytes(data) + b"\0"
                start, data = end, bytearray()
        if data:
            yield start, bytes(data)

    def raw(self, start, length):
        out, at = bytearray(), start
        for first, end, what in self.stretches():
            if first <= at < end and at < start + length:
                upto = min(end, start + length)
                if what == "absent":
                    break
                out += bytes(upto - at) if what == "zero" else what[at - first:upto - first]
                at = upto
        return bytes(out)

    def offset(self, address):
        name, directory = "pagemap-%d.img" % self.pid, self.directory
        while directory:
            head = open(os.path.join(directory, name), "rb").read()[13]
            offset = 0
            for start, count, flags, content in layer(directory, name):
                if start <= address < start + count * PAGE and flags & 4:
                    return "%s/pages-%d.img" % (directory, head), offset + address - start
                offset += len(content or b"")
            directory = parent_of(directory)
        raise KeyError(hex(address))


def strings(image, least):
    found = []
    for start, data in image.runs(0, False):
        for encoding, unit in (("ascii", rb"[\t -~]"), ("utf-16le", rb"(?:[\t -~]\0)")):
            for m in re.finditer(unit + b"{%d,}" % least, data):
                text = m[0] if encoding == "ascii" else m[0][::2]
                found.append([hex(start + m.start()), encoding, text[:4096].decode(), len(text)])
    return sorted(found, key=lambda f: (int(f[0], 16), f[1]))


def search(image, what):
    hits = set()
    for start, data in image.runs(len(what) - 1, True):
        at = data.find(what)
        while at >= 0:
            hits.add(start + at)
            at = data.find(what, at + 1)
    return sorted(hits)


def main():
    image = Image(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    command, arguments = sys.argv[4], sys.argv[5:]
    if command == "raw":
        sys.stdout.buffer.write(image.raw(int(arguments[0], 0), int(arguments[1], 0)))
    elif command == "strings":
        json.dump(strings(image, int(arguments[0])), sys.stdout)
    elif command == "search":
        print("".join("%#x\n" % at for at in search(image, bytes.fromhex(arguments[0]))), end="")
    elif command == "offset":
        print(*image.offset(int(arguments[0], 0)))


main()
