"""The judge: every damaged sample is made of an image that criu made here, and given to criu restore.

What criu refuses, hangs on, crashes on, or restores with lost state, validate must call an error; what criu restores
as it was, validate must not, but for the recipes in HARMLESS, each with the reason why it is an error all the same, and
those in AS_TOLD.
  cross_check.py CRIMG PEER WITNESS WORK [NAME…]
"""
import ctypes
import difflib
import glob
import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import damaged

crimg, peer, witness, work = sys.argv[1:5]
only = sys.argv[5:]
here = os.path.dirname(os.path.abspath(__file__))
HANG_SECONDS = 8 # busy all the time
IDLE_SECONDS = 1.5 # nobody has run, nobody wants to
LOG_BYTES = 16 << 20

# criu 4.2 restores these as they were on this kernel.
HARMLESS = {
    "extra_twice": "criu passes over a file that is crimg's own",
    "mappings_overlap": "what the first mapping held there is lost; the witness held nothing",
    "mapping_twice": "the second is laid over the first, empty; the pages come behind",
    "queued_signal_short": "criu reads on behind the bytes; what it found there nobody looks at",
    "stopped_by_no_stop": "the task is sent that signal and runs; the witness was running",
    "user_of_all_ones": "the number stays criu's own, root's, as the witness's was",
}

# criu restores these as the image says, which is not as the witness was: a task can be like that.
AS_TOLD = {"handler_in_data", "handler_in_the_kernel", "signal_stack_in_the_kernel",
           "signal_stack_not_mapped"}

for path in sorted(glob.glob(os.path.join(here, "*.py"))):
    name = os.path.basename(path)[:-3]
    if name not in ("damaged", "check", "cross_check"):
        importlib.import_module(name)


PR_SET_CHILD_SUBREAPER = 36 # linux/prctl.h
# What criu leaves behind comes to us and not to init, which may take seconds to reap it.
ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def small_logs():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LOG_BYTES, resource.RLIM_INFINITY))
    os.setsid()


def plain(text):
    """Without what may change: the parent is another one, the kernel may join areas."""
    lines, last = [], None
    for line in text.splitlines():
        if line.startswith("PPid:"):
            continue
        if line.startswith("area "):
            _, span, rights, offset = line.split()
            start, end = (int(x, 16) for x in span.split("-"))
            if last and last[1] == start and last[2] == rights:
                last[1] = end
                lines[-1] = f"area {last[0]:x}-{end:x} {rights}"
                continue
            last = [start, end, rights]
            line = f"area {start:x}-{end:x} {rights}"
        lines.append(line)
    return "\n".join(lines)


def statement(pid, base, number):
    """Asks the witness; None when it does not answer."""
    target = f"{base}.{number}"
    try:
        os.kill(pid, signal.SIGUSR2)
    except ProcessLookupError:
        return None
    for _ in range(100):
        if os.path.exists(target):
            with open(target) as f:
                return plain(f.read())
        time.sleep(0.02)
    return None


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def members(session):
    """Processes of a session, zombies included."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as f:
                if int(f.read().rsplit(")", 1)[1].split()[3]) == session:
                    found.append(int(entry))
        except (OSError, IndexError, ValueError):
            pass
    return found


def reap():
    """Whoever has ended and was left to us: until then nobody else can have its number."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def kill_sessions(*sessions):
    """All that the restart brought back, or half: the root's session, and criu's. Then its numbers are free again."""
    for _ in range(250):
        left = [pid for session in sessions for pid in members(session)]
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        time.sleep(0.02)
    reap()


def ran(session, pid):
    """What the processes of a session, and the one that is restored, have run so far; None: one wants to."""
    total = 0
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as file:
                number, rest = file.read().split(" (", 1)
        except OSError:
            continue
        fields = rest.rsplit(") ", 1)[1].split()
        if int(fields[3]) == session or int(number) == pid:
            if fields[0] in "RD":
                return None
            total += int(fields[11]) + int(fields[12])
    return total


def end_of(process, pid):
    """The exit code of a restore, or None: it hangs."""
    begun = still = time.monotonic()
    before = None
    while time.monotonic() - begun < HANG_SECONDS and time.monotonic() - still < IDLE_SECONDS:
        try:
            return process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            now = ran(process.pid, pid)
            if now is None or now != before:
                still = time.monotonic()
            before = now
    return None


def errors_of_criu():
    """The last lines of its log that tell of errors."""
    try:
        with open(os.path.join(work, "restore.log"), errors="replace") as log:
            return [line.strip() for line in log if "Error" in line][-2:]
    except OSError:
        return ["none"]


def restore(image, pid, base):
    """What criu makes of it: "same", "refused", "hangs", "crashes", "lost"."""
    for old in glob.glob(base + ".*"):
        os.unlink(old)
    log = os.path.join(work, "restore.log")
    process = subprocess.Popen([os.path.join(peer, "criu"), "restore", "-d", "-D", image, "-o", log,
                                "--file-locks"],
                               cwd=run, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, preexec_fn=small_logs)
    code = end_of(process, pid)
    if code is None:
        kill_group(process)
        kill_sessions(pid, process.pid)
        return "hangs"
    if code != 0:
        kill_sessions(pid, process.pid)
        return "crashes" if code < 0 or code >= 128 else "refused"
    found = statement(pid, base, 2) or statement(pid, base, 2)
    kill_sessions(pid, process.pid)
    if found is None:
        return "lost"
    if found != before and os.environ.get("VERBOSE"):
        print("".join(difflib.unified_diff(before.splitlines(True), found.splitlines(True), n=0)))
    return "same" if found == before else "lost"


run, base = os.path.join(work, "run"), os.path.join(work, "run", "statement")
os.makedirs(run)
image = os.path.join(work, "image")
os.makedirs(image)
process = subprocess.Popen([witness, base], cwd=run, stdin=subprocess.DEVNULL,
                           stdout=open(os.path.join(run, "out"), "w"), stderr=subprocess.STDOUT,
                           start_new_session=True)
for _ in range(100):
    if os.path.exists(base + ".0") and os.path.getsize(os.path.join(run, "out")) > 0:
        break
    time.sleep(0.02)
before = statement(process.pid, base, 1)
dump = subprocess.run([os.path.join(peer, "criu"), "dump", "-t", str(process.pid), "-D", image, "-o",
                       "dump.log", "--file-locks"], cwd=run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
if dump.returncode != 0 or before is None:
    process.kill()
    process.wait()
    print("SKIPPED criu cannot dump here")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
process.wait()
kill_sessions(process.pid)
passed = failed = judged = 0
verdict = restore(image, process.pid, base)
if verdict != "same":
    print(f"SKIPPED criu does not restore its own image here: {verdict}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
for code, sample, options, exit_code, golden, powerless, recipe in damaged.RECIPES:
    name = f"CI-{code:04}-{recipe.__name__}"
    if options or (only and recipe.__name__ not in only):
        continue
    target = os.path.join(work, name)
    shutil.copytree(image, target, symlinks=True)
    for log in glob.glob(os.path.join(target, "*.log")):
        os.unlink(log)
    try:
        below = recipe(damaged.Image(crimg, target))
    except (KeyError, IndexError, StopIteration, TypeError, ValueError, OSError,
            subprocess.CalledProcessError):
        below = "does not fit"
    if below or not os.path.isdir(target):
        shutil.rmtree(target, ignore_errors=True)
        continue  # the recipe is for an image of another kind
    ours = subprocess.run([crimg, "validate", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    judged += 1
    wrong = ours.returncode != 0
    for attempt in range(3):  # a busy machine can make the witness late, or a number be still taken
        theirs = restore(target, process.pid, base)
        good = wrong == (theirs != "same") or recipe.__name__ in (HARMLESS if wrong else AS_TOLD)
        if good:
            break
        time.sleep(0.5)
    passed, failed = passed + good, failed + (not good)
    if not good or only:
        print(f"{'' if good else 'FAILED '}{name}: criu: {theirs}; validate: exit {ours.returncode}:",
              ours.stdout.decode(errors="replace")[:400], "criu's log:", *errors_of_criu())
    shutil.rmtree(target, ignore_errors=True)
print(f"{judged} damaged images judged")
print(f"{passed} passed, {failed} failed")
