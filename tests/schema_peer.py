#!/usr/bin/python3
"""Compares format/criu.proto with the descriptors that a release of CRIU ships (pycriu), field by field:
name, number, type, label, default, packing. What differs must be newer than that release (the column
`since` of format/hints.def) or stand in the list below with its reason.

  schema_peer.py PYCRIU RELEASE    PYCRIU: a folder pycriu; RELEASE: 317 for 3.17

The peer's modules are not run: the descriptors are literals in them. Needs python3-protobuf and protoc-c
(or protoc). Prints one line a difference and at last "N passed, M failed, K skipped".
"""
import ast
import glob
import os
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FIELD = descriptor_pb2.FieldDescriptorProto

# (message, field or None for all, what): reason
ALLOWED = {
    ("pagemap_entry_draft", None, "extra"):
        "the draft of image version 1.2, which no release had: told apart by the wire type of field 6",
    ("pagemap_blocks", None, "extra"):
        "of image version 1.2: reached through pagemap_entry.blocks alone, which is newer than any release",
    ("pagemap_entry", "compat_nr_pages", "extra"):
        "field 2 was called nr_pages until 4.2 gave that name to field 5",
    ("pagemap_entry", "nr_pages", None):
        "field 2 was called nr_pages until 4.2 gave that name to field 5",
    ("dump_stats_entry", "pages_lazy", "label"):
        "required since 3.5; stats of older releases lack it, and we read those too",
}
# Messages of the peer that are in no image file.
NOT_IMAGES = {
    "img_streamer_request_entry": "spoken between CRIU and its image streamer",
    "img_streamer_reply_entry": "spoken between CRIU and its image streamer",
    "CRIU_Opts": "options of fields in the .proto files: ours stand in hints.def",
}


def literals(path):
    """The serialized file descriptors in a *_pb2.py."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and node.func.attr == "AddSerializedFile":
            yield node.args[0].value


def collect(prefix, message, messages, enums):
    messages[prefix + message.name] = message
    for inner in message.nested_type:
        collect(prefix + message.name + ".", inner, messages, enums)
    for enum in message.enum_type:
        enums[enum.name] = enum


def read_files(files):
    messages, enums = {}, {}
    for file in files:
        for message in file.message_type:
            collect("", message, messages, enums)
        for enum in file.enum_type:
            enums[enum.name] = enum
    return messages, enums


def read_peer(folder):
    files = []
    for path in sorted(glob.glob(os.path.join(folder, "images", "*_pb2.py"))):
        for data in literals(path):
            files.append(descriptor_pb2.FileDescriptorProto.FromString(data))
    return read_files(files)


def read_ours():
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "set")
        args = ["--descriptor_set_out=" + out, "-I" + os.path.join(ROOT, "format"),
                os.path.join(ROOT, "format", "criu.proto")]
        for tool in ("protoc", "protoc-c"):
            try:
                subprocess.run([tool] + args, check=True)
                break
            except FileNotFoundError:
                continue
        with open(out, "rb") as f:
            return read_files(descriptor_pb2.FileDescriptorSet.FromString(f.read()).file)


def read_since():
    since = {}
    with open(os.path.join(ROOT, "format", "hints.def"), encoding="utf-8") as f:
        for m in re.finditer(r"^H\((\w+), (\w+), \w+, \w+, (\d+)\)", f.read(), re.M):
            since[m[1], m[2]] = int(m[3])
    return since


def type_of(field):
    name = field.type_name.split(".")[-1]
    return FIELD.Type.Name(field.type)[5:].lower() + (" " + name if name else "")


def traits(field):
    return {
        "number": field.number,
        "type": type_of(field),
        "label": FIELD.Label.Name(field.label)[6:].lower(),
        "default": field.default_value,
        "packed": field.options.packed,
    }


class Comparison:
    def __init__(self, release):
        self.release, self.since = release, read_since()
        self.passed, self.failed = 0, 0

    def allowed(self, message, field, what):
        return any(key in ALLOWED for key in
                   ((message, field, what), (message, None, what), (message, field, None)))

    def tell(self, good, text):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED schema_peer {self.release}: {text}")

    def newer(self, message, field):
        return self.since.get((message, field), 0) > self.release

    def field(self, message, ours, theirs):
        a, b = traits(ours), traits(theirs)
        for what in a:
            self.tell(a[what] == b[what] or self.allowed(message, ours.name, what),
                      f"{message}.{ours.name}: {what} {a[what]!r} here, {b[what]!r} there")
        self.tell(not self.newer(message, ours.name) or self.allowed(message, ours.name, "since"),
                  f"{message}.{ours.name}: since {self.since.get((message, ours.name))} here, "
                  f"yet it is there")

    def message(self, name, ours, theirs):
        mine = {f.name: f for f in ours.field}
        peer = {f.name: f for f in theirs.field} if theirs else {}
        for f in mine.values():
            if f.name in peer:
                self.field(name, f, peer[f.name])
            else:
                self.tell(self.newer(name, f.name) or self.allowed(name, f.name, "extra"),
                          f"{name}.{f.name}: not there, and not known to be newer")
        for f in peer:
            self.tell(f in mine or self.allowed(name, f, "missing"), f"{name}.{f}: missing here")

    def enum(self, name, ours, theirs):
        mine = {v.name: v.number for v in ours.value} if ours else {}
        for v in theirs.value:
            self.tell(mine.get(v.name) == v.number,
                      f"enum {name}: {v.name} = {v.number} there, {mine.get(v.name)} here")

    def run(self, ours, theirs):
        for name, message in ours[0].items():
            self.message(name, message, theirs[0].get(name))
        for name in theirs[0]:
            self.tell(name in ours[0] or name in NOT_IMAGES, f"message {name}: missing here")
        for name, enum in theirs[1].items():
            self.enum(name, ours[1].get(name), enum)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    theirs = read_peer(sys.argv[1])
    comparison = Comparison(int(sys.argv[2]))
    comparison.tell(len(theirs[0]) > 100, f"only {len(theirs[0])} messages in {sys.argv[1]}")
    comparison.run(read_ours(), theirs)
    print(f"{comparison.passed} passed, {comparison.failed} failed, 0 skipped")
    return comparison.failed != 0


if __name__ == "__main__":
    sys.exit(main())
