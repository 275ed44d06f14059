"""Computes in three threads while it is caught; then proves that no step was lost or made twice, and that a large
table is what it was. Exit 0: all is well."""
import os
import sys
import threading

STEP, ADD, MASK = 6364136223846793005, 1442695040888963407, (1 << 64) - 1


def work(results, which):
    number, steps = which, 0
    while not os.path.exists("go"):
        number, steps = number * STEP + ADD & MASK, steps + 1
    again = which
    for _ in range(steps):
        again = again * STEP + ADD & MASK
    results[which] = again == number


table = {i: str(i) * 40 for i in range(20000)}
results = {}
threads = [threading.Thread(target=work, args=(results, which)) for which in range(3)]
for thread in threads:
    thread.start()
print("ready", flush=True)
for thread in threads:
    thread.join()
good = len(results) == 3 and all(results.values()) and all(v == str(k) * 40 for k, v in table.items())
sys.exit(0 if good else 1)
