#!/usr/bin/python3
"""Prints a dictionary for libFuzzer and AFL++: magics, kinds and file names from format/kinds.def."""
import os
import re
import struct

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def show(data):
    print('"' + "".join(f"\\x{b:02x}" for b in data) + '"')


def main():
    with open(os.path.join(ROOT, "format", "kinds.def"), encoding="utf-8") as f:
        rows = re.findall(r'^K\((\w+),\s*"([^"]*)",\s*\d+,\s*(\w+),', f.read(), re.M)
    for magic in sorted({int(m, 0) for _, _, m in rows} - {0} | {0x54564319, 0x55105940}):
        show(struct.pack("<I", magic))
    with open(os.path.join(ROOT, "format", "layout_cpt.def"), encoding="utf-8") as f:
        for number in re.findall(r"^O\(\w+, (\w+),", f.read(), re.M):
            show(struct.pack("<I", int(number, 0)))
    show(struct.pack("<I", 0x63011C79))
    for name, file, _ in rows:
        print(f'"{name}"')
        if file:
            print(f'"{file.replace("%", "1")}"')


if __name__ == "__main__":
    main()
