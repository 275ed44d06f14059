#!/usr/bin/python3
"""A second reader of the crimg stream, written from SPEC.md alone: it shares no code and no author's
memory with readers/. It checks every rule of chapter 3 and rebuilds the image's directory.

  crimg_decode.py STREAM FOLDER    FOLDER must not exist; 0: done, 1: the stream breaks a rule

Needs the Debian packages python3-xxhash and python3-zstandard. Kinds are read from format/kinds.def,
which the specification names as a part of itself.
"""
import collections
import os
import re
import struct
import sys

import xxhash
import zstandard

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
OBJECT, ENTRIES, METADATA_END, CONTENT, INDEX, END, DIGESTS = range(1, 8)
NO_PAYLOAD = (1 << 64) - 1
PAGE = 4096
REGION = 256 << 10
KNOWN = {(0, 0): "zstd", (1, 0): "aligned-chunks", (2, 0): "index", (2, 1): "digests"}

Kind = collections.namedtuple("Kind", "file base magic one")


class Broken(Exception):
    pass


def must(good, text):
    if not good:
        raise Broken(text)


def read_kinds():
    kinds = {}
    row = re.compile(r'^K\((\w+),\s*"([^"]*)",\s*(\d+),\s*(\w+),\s*\w+,\s*\w+,\s*(\w+),')
    with open(os.path.join(ROOT, "format", "kinds.def"), encoding="utf-8") as f:
        for line in f:
            m = row.match(line)
            if m:
                kinds[m[1]] = Kind(m[2], int(m[3]), int(m[4], 0), m[5] == "ONE")
    return kinds


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_fields(message):
    """The numeric fields of a message, and the wire form of the rest (number -> list)."""
    at, out = 0, collections.defaultdict(list)
    while at < len(message):
        key, at = read_varint(message, at)
        if key & 7 == 0:
            value, at = read_varint(message, at)
        elif key & 7 == 2:
            n, at = read_varint(message, at)
            value, at = message[at:at + n], at + n
        else:
            n = 8 if key & 7 == 1 else 4
            value, at = message[at:at + n], at + n
        out[key >> 3].append(value)
    return out


class Object:
    def __init__(self, kind, typ, framing, number, name, target, payload):
        self.kind, self.type, self.framing = kind, typ, framing
        self.number, self.name, self.target, self.payload = number, name, target, payload
        self.entries = []  # (message, payload number or NO_PAYLOAD, tail)


class Stream:
    def __init__(self, file):
        self.file = file
        self.at = 0
        self.frame = None          # number of the frame being read
        self.objects = []
        self.lengths = []          # of payloads, by number
        self.data = []             # of payloads
        self.chunks = []           # of payloads: (offset, length, zero)
        self.content_frames = []   # (offset, payload, offset, length), as the index must tell them
        self.undigested = []       # chunk rows of the CONTENT frames since the last DIGESTS frame, a list a frame
        self.digests_at = 0        # where that frame is
        self.index_end = 0
        self.open_payload = 0
        self.chain = xxhash.xxh3_64()
        self.index_at = 0
        self.compatible = self.incompatible = self.autoclear = 0
        self.kinds = read_kinds()

    def take(self, n, what):
        data = self.file.read(n)
        must(len(data) == n, f"the stream is cut at {self.at + len(data)}, within {what}")
        self.at += n
        return data

    # 3.1
    def read_header(self):
        head = self.take(56, "the header")
        magic, version, length, *words, page, names, reserved = struct.unpack("<8sIIQQQIIQ", head)
        must(magic == b"\x89CRIMG\r\n", f"magic {magic}")
        must(version == 1, f"version {version}")
        must(64 <= length <= 65536 and length % 8 == 0, f"header length {length}")
        head += self.take(length - 56, "the header")
        must(xxhash.xxh3_64_intdigest(head[:-8]) == int.from_bytes(head[-8:], "little"),
             "checksum of the header")
        must(page == PAGE and reserved == 0, "page size or reserved bytes")
        self.incompatible, self.compatible, self.autoclear = words
        table = self.read_names(head, names, length)
        unknown = [table.get((0, b), str(b)) for b in range(64)
                   if words[0] >> b & 1 and (0, b) not in KNOWN]
        must(not unknown, f"incompatible features {unknown}")

    @staticmethod
    def read_names(head, names, length):
        must(56 + (names + 7) // 8 * 8 + 8 <= length, "the feature names leave the header")
        table, at, end = {}, 56, 56 + names
        while at < end:
            must(end - at >= 4, "a feature name's row is cut")
            word, bit, n = struct.unpack_from("<BBH", head, at)
            must(word < 3 and bit < 64 and at + 4 + n <= end, "a feature name's row")
            table[word, bit] = head[at + 4:at + 4 + n].decode()
            at += 4 + n
        must(not any(head[end:56 + (names + 7) // 8 * 8]), "padding of the feature names")
        for key, name in table.items():
            must(KNOWN.get(key, name) == name, f"feature {key} is called {name}")
        return table

    # 3.2
    def read_frames(self):
        number, last = 0, 0
        order = {OBJECT: 1, ENTRIES: 1, METADATA_END: 2, CONTENT: 3, INDEX: 4, END: 5}
        while last != 5:
            self.frame, start = number, self.at
            head = self.take(40, "the head of a frame")
            magic, typ, flags, num, body, covered, reserved, checksum = \
                struct.unpack("<IHHQQIIQ", head)
            must(magic == 0x52465243, f"frame magic {magic:#x}")
            must(covered <= body, "more is covered than there is")
            data = self.take(covered, "the body of a frame")
            must(xxhash.xxh3_64_intdigest(head[:32] + data) == checksum, "checksum of a frame")
            must(flags & ~1 == 0 and reserved == 0, "reserved bits of a frame")
            must(num == number, f"number {num} found, {number} wanted")
            number += 1
            if typ in order:
                must(order[typ] >= last and (order[typ] > last or order[typ] in (1, 3)),
                     f"a frame of type {typ} out of order")
                must(order[typ] <= 2 or last >= 2, "contents before the end of the metadata")
                last = order[typ]
                must(typ == CONTENT or covered == body, "a part of the body is not covered")
            else:
                must(flags & 1, f"type {typ} is unknown")
                must(covered == body, "a part of the body is not covered")
                if typ == DIGESTS and self.autoclear & 3 == 3:
                    self.read_digests(data, start)
                self.chain.update(head[32:])
                continue
            {OBJECT: self.read_object, ENTRIES: self.read_entries,
             METADATA_END: self.read_metadata_end, CONTENT: self.read_content,
             INDEX: self.read_index, END: self.read_end}[typ](data, body, start)
            self.chain.update(head[32:])
        must(self.file.read(1) == b"", "bytes behind the end")

    def announce(self, number, length):
        must(number == len(self.lengths), f"payload {number} announced, {len(self.lengths)} wanted")
        self.lengths.append(length)
        self.data.append(bytearray())
        self.chunks.append([])

    # 3.3
    def read_object(self, data, _body, _start):
        must(len(data) >= 40, "an OBJECT frame is short")
        typ, framing, nkind, nname, ntarget, reserved, number, payload, length = \
            struct.unpack_from("<BBHIIIQQQ", data)
        must(typ <= 2 and framing <= 2 and reserved == 0, "type, framing or reserved of an object")
        must(nname <= 4096 and ntarget <= 4096, "a name or target is too long")
        must(len(data) == 40 + nkind + nname + ntarget, "length of an OBJECT frame")
        kind = data[40:40 + nkind].decode()
        name = data[40 + nkind:40 + nkind + nname]
        target = data[40 + nkind + nname:]
        must(kind in self.kinds, f"kind {kind}")
        must((typ == 1) == (ntarget > 0), "a target without a link or a link without a target")
        must(b"\0" not in name and b"\0" not in target, "NUL in a name")
        must(name == b"" or not (name.startswith(b"/")
             or any(p in (b"", b".", b"..") for p in name.split(b"/"))), "a name leaves the root")
        if payload != NO_PAYLOAD:
            must(typ == 0 and framing == 2 and self.kinds[kind].magic == 0,
                 "payload of an object that is not raw")
            self.announce(payload, length)
        else:
            must(length == 0, "length of no payload")
            must(typ != 0 or self.kinds[kind].magic != 0, "a raw object without payload")
            must(typ == 0 or kind == "OPAQUE", "a link or directory of some kind")
        self.objects.append(Object(kind, typ, framing, number, name, target, payload))

    # 3.4
    def read_entries(self, data, _body, _start):
        must(self.objects, "entries before the first object")
        obj = self.objects[-1]
        must(obj.type == 0 and self.kinds[obj.kind].magic != 0, "entries of a raw object")
        must(len(data) >= 16, "an ENTRIES frame is short")
        first, count, reserved = struct.unpack_from("<QII", data)
        must(first == len(obj.entries), f"entry {first} found, {len(obj.entries)} wanted")
        must(count >= 1 and reserved == 0, "count or reserved of an ENTRIES frame")
        at = 16
        for _ in range(count):
            must(at + 8 <= len(data), "an entry is cut")
            length, flags = struct.unpack_from("<II", data, at)
            at += 8
            payload = NO_PAYLOAD
            must(flags & ~3 == 0, "reserved bits of an entry")
            if flags & 1:
                must(at + 16 <= len(data), "an entry is cut")
                payload, size = struct.unpack_from("<QQ", data, at)
                self.announce(payload, size)
                at += 16
            must(not flags & 2 or (length == 0 and flags & 1 and obj.entries),
                 "a tail is payload alone, behind an entry")
            must(at + length <= len(data), "a message is cut")
            obj.entries.append((data[at:at + length], payload, bool(flags & 2)))
            at += length
        must(at == len(data), "bytes behind the last entry")

    # 3.5
    def read_metadata_end(self, data, _body, _start):
        must(len(data) == 32, "length of METADATA_END")
        saw = (len(self.objects), sum(len(o.entries) for o in self.objects), len(self.lengths),
               sum(self.lengths))
        must(struct.unpack("<QQQQ", data) == saw, f"METADATA_END contradicts {saw}")

    # 3.6
    def read_content(self, data, body, start):
        must(len(data) >= 48, "a CONTENT frame is short")
        payload, offset, length, count, encoding, stored, stored_sum = \
            struct.unpack_from("<QQQIIQQ", data)
        must(1 <= count <= 4096 and length <= 1 << 20, "limits of a CONTENT frame")
        must(len(data) == 48 + 24 * count and body == len(data) + stored, "length of CONTENT")
        must(encoding == 0 or (encoding == 1 and self.incompatible & 1), "encoding")
        while self.open_payload < len(self.lengths) \
                and len(self.data[self.open_payload]) == self.lengths[self.open_payload]:
            self.open_payload += 1
        must(payload == self.open_payload, f"payload {payload}, {self.open_payload} wanted")
        out = self.data[payload]
        must(offset == len(out), f"offset {offset}, {len(out)} wanted")
        rows = [struct.unpack_from("<II16s", data, 48 + 24 * i) for i in range(count)]
        must(sum(r[0] for r in rows) == length, "lengths of the chunks")
        self.undigested.append(data[48:])
        bytes_ = self.read_stored(stored, stored_sum, encoding, sum(r[0] for r in rows if not r[1]))
        at = 0
        for n, flags, digest in rows:
            must(1 <= n <= REGION and flags & ~1 == 0, "length or flags of a chunk")
            self.chunks[payload].append((len(out), n, bool(flags & 1)))
            if flags & 1:
                must(digest == bytes(16), "digest of a zero chunk")
                out += bytes(n)
                continue
            chunk = bytes_[at:at + n]
            at += n
            must(xxhash.xxh3_128_digest(chunk) == digest, "digest of a chunk")
            out += chunk
        must(len(out) <= self.lengths[payload], "more content than announced")
        self.content_frames.append((start, payload, offset, length))

    def read_stored(self, stored, stored_sum, encoding, wanted):
        data = self.take(stored, "stored bytes")
        if encoding == 0:
            must(stored == wanted and stored_sum == 0, "length or sum of raw bytes")
            return data
        must(xxhash.xxh3_64_intdigest(data) == stored_sum, "stored sum")
        decoder = zstandard.ZstdDecompressor().decompressobj()
        plain = decoder.decompress(data)
        must(len(plain) == wanted and not decoder.unused_data, "length of the zstd frame")
        return plain

    # 3.7
    def read_index(self, data, _body, start):
        must(self.autoclear & 1, "an index without its feature")
        must(len(data) >= 8, "length of INDEX")
        count = int.from_bytes(data[:8], "little")
        must(len(data) == 8 + 32 * count, "length of INDEX")
        rows = [struct.unpack_from("<QQQQ", data, 8 + 32 * i) for i in range(count)]
        must(rows == self.content_frames, "the index contradicts the frames")
        self.index_at = start
        self.index_end = self.at

    def read_digests(self, data, start):
        must(len(data) >= 16, "length of DIGESTS")
        before, contents, chunks = struct.unpack_from("<QII", data)
        must(before == self.digests_at, f"the digests before are at {before}, not {self.digests_at}")
        must(contents == len(self.undigested), f"digests of {contents} contents")
        must(contents > 0 or not self.content_frames, "digests of no contents")
        must(chunks <= 65536 and len(data) == 16 + 24 * chunks, "length of DIGESTS")
        must(data[16:] == b"".join(self.undigested), "digests that are not those of the contents")
        self.digests_at = start
        self.undigested = []

    def read_end(self, data, _body, start):
        must(len(data) == 32, "length of END")
        must(all(len(d) == n for d, n in zip(self.data, self.lengths)), "a payload is not complete")
        must(struct.unpack("<QQQQ", data)
             == (self.index_at, self.frame, start + 72, self.chain.intdigest()), "END")
        must(self.autoclear & 3 != 3 or (self.index_at and self.digests_at == self.index_end),
             "digests are promised behind the index")

    # 3.6, aligned chunks
    def page_regions(self):
        """Payload number of pages objects -> list of (offset, place, length) of the runs with bytes, where
        place counts from a multiple of 256 KiB: the address, or 0 for a run in blocks."""
        pages = {o.number: o.payload for o in self.objects if o.kind == "PAGES"}
        out = {}
        for obj in self.objects:
            if not obj.kind.startswith("PAGEMAP") or not obj.entries:
                continue
            head = read_fields(obj.entries[0][0])
            at, runs = 0, []
            for message, _, _ in obj.entries[1:]:
                f = read_fields(message)
                count = (f[5] or f[2] or [0])[0]
                flags = f[4][0] if f[4] else (1 if f[3] and f[3][0] else 4)
                if flags & 4:
                    if flags & 8:
                        at = (at + PAGE - 1) // PAGE * PAGE
                    length = sum(block_sizes(f[6])) if f[6] else count * PAGE
                    runs.append((at, 0 if f[6] else f[1][0], length))
                    at += length
            if head[1][0] in pages:
                out.setdefault(pages[head[1][0]], runs)
        return out

    def check_aligned(self):
        if not self.compatible & 1:
            return
        regions = self.page_regions()
        for number, data in enumerate(self.data):
            want, end = [], 0
            for at, place, n in regions.get(number, []) + [(len(data), 0, 0)]:
                want += cut_run(data, end, end, at - end)  # what no run holds
                want += cut_run(data, at, place, n)
                end = at + n
            must(self.chunks[number] == want, f"the chunks of payload {number} are not aligned")

    def file_name(self, obj):
        if obj.name:
            return obj.name
        kind = self.kinds[obj.kind]
        must(kind.file, "an object without a name")
        digits = "" if kind.base == 0 else f"{obj.number:{'x' if kind.base == 16 else 'd'}}"
        return kind.file.replace("%", digits).encode()

    def rebuild(self, folder):
        os.mkdir(folder)
        for obj in self.objects:
            path = os.path.join(os.fsencode(folder), self.file_name(obj))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if obj.type == 1:
                os.symlink(obj.target, path)
            elif obj.type == 2:
                os.mkdir(path)
            else:
                with open(path, "xb") as f:
                    self.write_file(f, obj)

    # 2.1, 2.2
    def write_file(self, f, obj):
        magic = self.kinds[obj.kind].magic
        if obj.framing == 2:
            must(not obj.entries, "entries of a raw object")
            if obj.payload != NO_PAYLOAD:
                f.write(self.data[obj.payload])
            return
        service = obj.kind in ("STATS_DUMP", "STATS_RESTORE", "IRMAP_CACHE")
        if obj.framing == 0 and obj.kind != "INVENTORY":
            f.write(struct.pack("<I", 0x55105940 if service else 0x54564319))
        f.write(struct.pack("<I", magic))
        for message, payload, tail in obj.entries:
            if not tail:
                f.write(struct.pack("<I", len(message)) + message)
            if payload != NO_PAYLOAD:
                f.write(self.data[payload])


def block_sizes(values):
    """Sizes of the LZ4 blocks of a run: field 6 in the draft, or field 1 (packed) of a message there."""
    if isinstance(values[0], int):
        return values
    packed = read_fields(values[0])[1]
    sizes = [v for v in packed if isinstance(v, int)]
    for run in (v for v in packed if not isinstance(v, int)):
        at = 0
        while at < len(run):
            size, at = read_varint(run, at)
            sizes.append(size)
    return sizes


def cut_run(data, at, place, length):
    """Chunks of bytes that are cut where place is a multiple of 256 KiB."""
    end = min(at + length, len(data))
    while at < end:
        region_end = min(end, at + REGION - place % REGION)
        place += region_end - at
        start = at
        while start < region_end:
            zero = not any(data[start:min(start + PAGE, region_end)])
            stop = min(start + PAGE, region_end)
            while stop < region_end and (not any(data[stop:min(stop + PAGE, region_end)])) == zero:
                stop = min(stop + PAGE, region_end)
            yield start, stop - start, zero
            start = stop
        at = region_end


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        stream = Stream(f)
        try:
            stream.read_header()
            stream.read_frames()
            stream.check_aligned()
            stream.rebuild(sys.argv[2])
        except Broken as e:
            print(f"{sys.argv[1]}: frame {stream.frame}, near byte {stream.at}: {e}",
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
