"""Runs crit many times from one process, which saves starting Python for each file.

Reads lines "OUT<tab>ERR<tab>ARG<tab>ARG…", runs crit with these arguments in a fork (it keeps what it read in
globals), its output and errors in the two files, and answers with the exit code. Run by the launcher that
tests/peer/peer.sh leaves as DIR/python.
"""
import os, sys, traceback
from crit.__main__ import main


def run(out, err, args):
    for path, fd in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), fd)
    sys.argv = ["crit"] + args
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    out, err, *args = line.rstrip("\n").split("\t")
    pid = os.fork()
    if pid == 0:
        run(out, err, args)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
