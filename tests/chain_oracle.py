#!/usr/bin/env python3
"""Says what the memory of an image is, without crimg: page maps, parents, LZ4 blocks by hand.

    chain_oracle.py IMAGE         prints "KIND ID ADDRESS SHA1" of every page, parents followed
    chain_oracle.py IMAGE --own   only what lies in this layer
"""
import hashlib, os, re, struct, sys


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            n, at = varint(data, at)
            value, at = data[at:at + n], at + n
        else:
            raise ValueError("wire type %d" % (tag & 7))
        yield tag >> 3, tag & 7, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def packed(data):
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        yield value


def lz4(data, size):
    out, at = bytearray(), 0
    while True:
        token = data[at]
        at += 1
        n = token >> 4
        if n == 15:
            while True:
                n += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        out += data[at:at + n]
        at += n
        if at >= len(data):
            assert len(out) == size
            return bytes(out)
        back = data[at] | data[at + 1] << 8
        at += 2
        n = token & 15
        if n == 15:
            while True:
                n += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        for _ in range(n + 4):
            out.append(out[-back])


def layer(directory, name):
    """[(vaddr, pages, flags, bytes or None)] of one page map."""
    raw = open(os.path.join(directory, name), "rb").read()
    at, head, runs, offset = 8, None, [], 0
    while at < len(raw):
        n, = struct.unpack_from("<I", raw, at)
        message = raw[at + 4:at + 4 + n]
        at += 4 + n
        f, lists = {}, {}
        for number, wire, value in fields(message):
            f[number] = value
            lists.setdefault(number, []).append((wire, value))
        if head is None:
            head = f[1]
            data = open(os.path.join(directory, "pages-%d.img" % head), "rb").read()
            continue
        pages = f.get(5, f[2]) if 5 in f else f[2]
        flags = f.get(4, 1 if f.get(3) else 4)
        content = None
        if flags & 4:
            if flags & 8:
                offset = (offset + 4095) // 4096 * 4096
            sizes, per = None, 0
            if 6 in f and lists[6][0][0] == 2:
                block = dict((number, value) for number, _, value in fields(f[6]))
                sizes, per = list(packed(block[1])), block[3]
            elif 6 in f:
                sizes, per = [v for _, v in lists[6]], f.get(8, 1) or 1
            if sizes is None:
                content = data[offset:offset + pages * 4096]
                offset += pages * 4096
            else:
                content = b""
                for i, size in enumerate(sizes):
                    full = min(per, pages - i * per) * 4096
                    piece = data[offset:offset + size]
                    offset += size
                    content += bytes(full) if size == 0 else piece if size == full else lz4(piece, full)
            assert len(content) == pages * 4096, (name, hex(f[1]))
        runs.append((f[1], pages, flags, content))
    return runs


def parent_of(directory):
    path = os.path.join(directory, "parent")
    if os.path.islink(path):
        return os.path.join(directory, os.readlink(path))
    return os.path.join(directory, open(path).read()) if os.path.exists(path) else None


def page_at(directory, name, vaddr):
    while directory:
        for start, pages, flags, content in layer(directory, name):
            if start <= vaddr < start + pages * 4096:
                if flags & 4:
                    return content[vaddr - start:vaddr - start + 4096]
                break
        else:
            raise KeyError(hex(vaddr))
        directory = parent_of(directory)


def listing(image, own=False):
    """Lines "KIND ID ADDRESS SHA1" of every page, or of this layer's own."""
    for name in sorted(os.listdir(image)):
        m = re.fullmatch(r"pagemap-(shmem-)?(\d+)\.img", name)
        if not m:
            continue
        for start, pages, flags, content in layer(image, name):
            for i in range(pages):
                vaddr = start + i * 4096
                if flags & 4:
                    page = content[i * 4096:i * 4096 + 4096]
                elif flags & 1 and not own:
                    page = page_at(image, name, vaddr)
                else:
                    continue
                yield "%s %s %s %s" % ("shmem" if m[1] else "mm", m[2], hex(vaddr),
                                       hashlib.sha1(page).hexdigest())


if __name__ == "__main__":
    for line in listing(sys.argv[1], "--own" in sys.argv):
        print(line)
