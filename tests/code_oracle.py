#!/usr/bin/env python3
# Compares what `crimg inspect --json IMAGE code` says with objdump, instruction by instruction; prints what
# differs.
#   code_oracle.py function FILE NAME att|intel <JSON   against `objdump -d` of the function in its file
#   code_oracle.py bytes att|intel <JSON                against objdump of the very bytes that JSON has
import json, os, re, subprocess, sys, tempfile


def objdump(*args):
    out = subprocess.run(["objdump", "-w", "-z", "--no-show-raw-insn", *args], capture_output=True, text=True,
                         check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    rows = {}
    for line in out.splitlines():
        m = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
        if m:
            rows[int(m[1], 16)] = " ".join(re.sub(r"\s+# .*", "", m[2]).split())
    return rows


def text_of(i, bias):
    text = i["mnemonic"] + (" " + i["operands"] if i["operands"] else "")
    if i["target"] and i["operands"] == i["target"]:  # absolute there, in the file's numbering here
        text = "%s %x" % (i["mnemonic"], int(i["target"], 16) - bias)
    return " ".join(text.split())


def compare(place, rows, bias):
    bad = 0
    for i in place["instructions"]:
        at = int(i["address"], 16) - bias
        wanted = rows.get(at, "nothing")
        symbol = re.search(r" <(.*)>$", wanted)
        plain = re.sub(r" <.*>$", "", wanted)
        plain = re.sub(r" 0x([0-9a-f]+)$", r" \1", plain) if i["target"] else plain
        found = text_of(i, bias)
        if i["mnemonic"] == ".byte" and i["bytes"][:2] in ("62", "c4", "c5"):
            continue  # this capstone is older than the instruction
        if i["mnemonic"] == ".byte" and wanted == "(bad)":
            continue
        if found != plain:
            print("%x: found %s, wanted %s" % (at, found, plain))
            bad += 1
        elif symbol and i["target"] and i["symbol"] not in (symbol[1], symbol[1].replace("@plt", "")):
            print("%x: found <%s>, wanted <%s>" % (at, i["symbol"], symbol[1]))
            bad += 1
    return bad


def against_function(places, file, name, syntax):
    rows = objdump("-d", "--disassemble=" + name, "-M", syntax, file)
    if not rows:
        sys.exit("objdump has no " + name)
    place = places[0]
    bias = int(place["instructions"][0]["address"], 16) - min(rows)
    shown = {int(i["address"], 16) - bias for i in place["instructions"]}
    missing = [at for at in rows if at not in shown]
    for at in missing:
        print("%x: not shown: %s" % (at, rows[at]))
    place["instructions"] = [i for i in place["instructions"] if int(i["address"], 16) - bias <= max(rows)]
    return len(missing) + compare(place, rows, bias)


def against_bytes(places, syntax):
    bad = 0
    for place in places:
        if not place["instructions"]:
            continue
        with tempfile.NamedTemporaryFile() as f:
            f.write(bytes.fromhex("".join(i["bytes"] for i in place["instructions"])))
            f.flush()
            first = place["instructions"][0]["address"]
            mode = "i386" if place["mode"] == "32-bit" else "i386:x86-64"
            rows = objdump("-D", "-b", "binary", "-m", mode, "-M", syntax, "--adjust-vma=" + first, f.name)
        bad += compare(place, rows, 0)
    return bad


code = json.load(sys.stdin)["code"]
if not any(p["instructions"] for p in code):
    sys.exit("no instructions")
bad = (against_function(code, *sys.argv[2:5]) if sys.argv[1] == "function"
       else against_bytes(code, sys.argv[2]))
sys.exit(1 if bad else 0)
