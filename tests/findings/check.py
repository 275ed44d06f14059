"""Makes the damaged samples and compares what validate says. check.py CRIMG SAMPLES GOLDEN WORK"""
import ctypes
import glob
import importlib
import json
import os
import subprocess
import sys

import damaged

crimg, samples, golden, work = sys.argv[1:5]
here = os.path.dirname(os.path.abspath(__file__))
passed = failed = 0


def drop_capabilities():
    """For a child before exec: what is not in the bounding set is not gained, root or not."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def claim(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED", text)


for path in sorted(glob.glob(os.path.join(here, "*.py"))):
    name = os.path.basename(path)[:-3]
    if name not in ("damaged", "check", "cross_check"):
        importlib.import_module(name)

seen = set()
for code, target, name, options, wanted, compare, powerless in damaged.make(crimg, samples, work):
    run = subprocess.run([crimg, "validate", *options, target], cwd=work, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=60,
                         preexec_fn=drop_capabilities if powerless else None)
    found = run.stdout.decode(errors="replace")
    claim(run.returncode == wanted, f"{name}: exit {run.returncode}, wanted {wanted}: {found[:300]}")
    claim(f"CI-{code:04}" in found, f"{name}: CI-{code:04} is not told: {found[:300]}")
    seen.add(code)
    if not compare:
        continue
    expected = os.path.join(golden, name + ".txt")
    if os.environ.get("UPDATE"):
        os.makedirs(golden, exist_ok=True)
        with open(expected, "w") as f:
            f.write(found)
    try:
        with open(expected) as f:
            claim(f.read() == found, f"{name}: not as in {name}.txt:\n{found}")
    except FileNotFoundError:
        claim(False, f"{name}: no expected output")

table = json.loads(subprocess.run([crimg, "validate", "--list", "--json"], check=True,
                                  stdout=subprocess.PIPE).stdout)
for row in table["findings"]:
    claim(int(row["code"][3:]) in seen, f"{row['code']} {row['name']} has no damaged sample")
print(f"{passed} passed, {failed} failed")
