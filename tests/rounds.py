"""Programs that prove their own state, side by side, each taken and brought back ten times in a row: a round takes the
process that the round before restarted, so whatever a round spoils is still there at the end, when the program looks
at all it has. Run as process 1 of a pid namespace.
  rounds.py chain|fresh CRIMG CRIU FOLDER ROUNDS PROGRAM…
    chain      as said; checkpoints and restarts by crimg, in some rounds by the peer CRIU ("none": by crimg)
    fresh      each round begins the program anew: who may not choose numbers gets a pid namespace for the tasks, of
               which nobody outside can take a checkpoint
    PROGRAM    a command; in front of it, "still:" (what /proc tells of it is the same before and after), "own:" (the
               peer does not take it, or not bring it back), "tcp:" (which the peer takes when it is asked to), "undumped:" (the peer does not take it as it should), "late:"
               (taken after some seconds, and tried twice: a busy machine may not tell how long a thread has slept), "large:" (not left
               running first, since that takes as long again)
Prints a line for every claim that does not hold, and last how many were made."""
import glob
import os
import re
import shutil
import signal
import sys
import threading
import time

PATIENCE = 120
LATE = 2.5
PEAK_KIB = 64 << 10  # of crimg, whatever the size of its tasks
# How each round takes the tree (by, form, options), and who brings it back.
ROUNDS = [
    ("crimg", "", ["-t", "criu"], "criu"),
    ("crimg", ".crimg", [], "crimg"),
    ("crimg", ".tar.zst", [], "crimg"),
    ("criu", "", [], "crimg"),
    ("crimg", "", ["-t", "criu"], "crimg"),
    ("crimg", ".crimg", ["--compress=zstd"], "crimg"),
    ("crimg", "", ["-t", "criu"], "criu"),
    ("crimg", ".crimg", ["--compress=none"], "crimg"),
    ("criu", "", [], "crimg"),
    ("crimg", ".tar.zst", [], "crimg"),
]
LEFT_RUNNING = (1, 4, 6, 9)  # before it is taken, a checkpoint leaves it running
STATUS = re.compile(r"^(Name|Umask|Tgid|Ngid|Pid|PPid|NS\w+|[UG]id|Groups|Threads|Sig[BIC]\w+|ShdPnd|SigPnd|Cap\w+|"
                    r"NoNew\w+|Seccomp\w*|TracerPid|Speculation\w+|Cpus_allowed_list):")

crimg = criu = root = None
lock = threading.Condition()
ended, peak, claims = {}, {}, {True: 0, False: 0}


def claim(good, text):
    with lock:
        claims[bool(good)] += 1
    if not good:
        print("FAILED rounds:", text, flush=True)
    return good


def reap():
    while True:
        try:
            pid, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            time.sleep(0.005)
            continue
        with lock:
            ended[pid] = os.waitstatus_to_exitcode(status)
            peak[pid] = used.ru_maxrss
            lock.notify_all()


def wait(pid, seconds=PATIENCE):
    """Exit code of a child; None when it had to be killed."""
    with lock:
        if not lock.wait_for(lambda: pid in ended, seconds):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            lock.wait_for(lambda: pid in ended, 5)
            ended.pop(pid, None)
            return None
        return ended.pop(pid)


def spawn(command, cwd, out, session=False):
    mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn("/usr/bin/env", ["env", "--chdir=" + cwd] + command, os.environ, setsid=session,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                                        (os.POSIX_SPAWN_OPEN, 1, out, mode, 0o600),
                                        (os.POSIX_SPAWN_DUP2, 1, 2)])


def run(command, cwd, out):
    pid = spawn(command, cwd, out)
    code = wait(pid)
    used = peak.pop(pid, 0)
    if command[0] == crimg and code == 0 and used > PEAK_KIB:  # a failed restart has waited for its tasks
        claim(False, f"{' '.join(command)}: {used} KiB of memory, at most {PEAK_KIB} wanted")
    return code


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def numbers(path):
    try:
        return sorted(int(n) for n in os.listdir(path))
    except OSError:
        return []


def tree(pid):
    found = [pid]
    for tid in numbers(f"/proc/{pid}/task"):
        for child in sorted(map(int, text(f"/proc/{pid}/task/{tid}/children").split())):
            found += tree(child)
    return found


def areas(maps):
    """Lines of maps; neighbours that differ in nothing are one: the kernel joins them as it likes."""
    joined = []
    for line in maps.splitlines():
        start, end, rest = re.match(r"(\w+)-(\w+) (.*)", line).groups()
        rest = re.sub(r" (\w{8,}) (\w+:\w+ \d+)", lambda m: f" {int(start, 16) - int(m[1], 16)} {m[2]}", rest)
        if "[vvar" in line:  # CRIU leaves these in more pieces, or fewer
            continue
        rest = rest.replace("/memfd:/dev/zero", "/dev/zero")  # as CRIU makes them again
        if " 00:" in rest or "(deleted)" in rest:  # nobody's file: its place and number mean nothing
            rest = re.sub(r" -?\d+ (\w+:\w+) \d+", r" \1", rest)
        if joined and joined[-1][1:] == (start, rest):
            start = joined.pop()[0]
        joined.append((start, end, rest))
    return [f"{start}-{end} {rest}" for start, end, rest in joined]


def shape(pid):
    """What /proc tells of a tree that stands still, as lines."""
    lines = []
    for p in sorted(tree(pid)):  # who of siblings stands first means nothing
        at = f"/proc/{p}/"
        lines += [f"{p} {name} {link(at + name)}" for name in ("exe", "cwd", "root")]
        lines += [f"{p} {name} {text(at + name)!r}" for name in ("cmdline", "personality", "oom_score_adj")]
        lines += [f"{p} {line}" for line in text(at + "limits").splitlines() if link(at + "exe")]
        lines += [f"{p} maps {area}" for area in areas(text(at + "maps"))]
        for fd in numbers(at + "fd"):
            info = [line for line in text(f"{at}fdinfo/{fd}").splitlines()
                    if re.match("pos:|eventfd-count|sigmask|clockid", line)]
            # O_DIRECTORY is not kept by CRIU.
            info += [f"{int(n, 8) & ~0o200000:o}" for n in re.findall(r"flags:\s*(\d+)", text(f"{at}fdinfo/{fd}"))]
            target = re.sub(r"\[\d+\]| .deleted.$", "", link(f"{at}fd/{fd}"))
            lines.append(f"{p} fd {fd} {target} {info}")
        for tid in numbers(at + "task"):
            status = text(f"{at}task/{tid}/status")
            kept = re.compile("Name|Pid|PPid|NS|[UG]id") if "\nState:\tZ" in status else STATUS
            lines += [f"{p} {tid} {waiting(line, status)}" for line in status.splitlines() if kept.match(line)]
    return lines


def waiting(line, status):
    """The line; of pending signals, those that are blocked: the others are on their way to a handler."""
    if not line.startswith(("SigPnd:", "ShdPnd:")):
        return line
    blocked = int(re.search(r"^SigBlk:\s*(\w+)", status, re.M).group(1), 16)
    name, mask = line.split()
    return f"{name} {int(mask, 16) & blocked:016x}"


def own_kib(pid):
    """Memory of a tree that no file has; what tasks share is counted once."""
    return sum(int(kib) for p in tree(pid)
               for kib in re.findall(r"Pss_(?:Anon|Shmem):\s*(\d+)", text(f"/proc/{p}/smaps_rollup")))


def differences(before, after):
    return "\n".join([f"  was {line}" for line in before if line not in after][:4]
                     + [f"  now {line}" for line in after if line not in before][:4])


class Program:
    def __init__(self, words, which):
        flags, self.command = re.match(r"((?:still:|own:|undumped:|late:|large:|tcp:)*)(.*)", words).groups()
        self.command = self.command.split()
        self.still, self.own = "still:" in flags, "own:" in flags or criu is None
        self.late, self.large = "late:" in flags, "large:" in flags
        self.tcp = ["--tcp-established"] if "tcp:" in flags else []
        self.undumped = self.own or "undumped:" in flags
        self.name = os.path.basename([word for word in self.command if "/" in word][-1])
        self.base = f"{root}/{which}.{self.name}"
        self.round = 0

    def say(self, what):
        return f"{self.name}, round {self.round + 1}: {what}"

    def start(self):
        self.folder = f"{self.base}.{self.round}.run"
        os.makedirs(self.folder)
        self.out, self.log = self.folder + "/out", self.folder + "/said"
        self.pid = spawn(self.command, self.folder, self.out, session=True)
        until = time.monotonic() + PATIENCE
        while "ready" not in text(self.out):
            if time.monotonic() > until or self.pid in ended:
                return claim(False, self.say(f"does not get ready: {text(self.out)}"))
            time.sleep(0.005)
        time.sleep(0.05)  # it is ready to wait, and soon will
        return True

    def settled(self):
        """The shape, once it stays the same: after a restart it has to come to rest again."""
        last = None
        for _ in range(100):
            now = shape(self.pid)
            if now == last:
                break
            last = now
            time.sleep(0.02)
        return now

    def take(self, by, form, options):
        self.image = f"{self.base}.{self.round}{form or '.image'}"
        pids = tree(self.pid)
        if by == "criu" and not self.undumped:
            os.makedirs(self.image)
            code = run([criu, "dump", "-t", str(self.pid), "-D", self.image, "-o", "dump.log", "--file-locks",
                        "--link-remap"]
                       + self.tcp + (["--network-lock", "nftables"] if self.tcp else []), self.folder, self.log)
            told = [line for line in text(self.image + "/dump.log").splitlines() if "Error" in line]
        else:
            code = run([crimg, "checkpoint", "-q", *options, str(self.pid), self.image], self.folder, self.log)
            told = text(self.log)
        if claim(code == 0, self.say(f"checkpoint by {by}: {told}")):
            wait(self.pid)
            until = time.monotonic() + PATIENCE
            while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < until:
                time.sleep(0.005)  # their numbers are free then
            return True
        code = ended.get(self.pid)
        if code is not None:
            claim(False, self.say(f"it has ended with {code}: {text(self.out)[-300:]}"))
        self.kill()
        return False

    def kill(self):
        for pid in tree(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait(self.pid)

    def leave_running(self):
        image = f"{self.base}.{self.round}.left.crimg"
        code = run([crimg, "checkpoint", "-q", "--leave-running", str(self.pid), image], self.folder, self.log)
        if claim(code == 0, self.say(f"checkpoint --leave-running: {text(self.log)}")):
            code = run([crimg, "validate", image], self.folder, self.log)
            claim(code == 0 and text(self.log) == "", self.say(f"validate: {text(self.log)}"))
            os.unlink(image)
            for name in glob.glob(self.folder + "/link_remap.*"):  # they went with it
                os.unlink(name)

    def bring_back(self, by):
        if by == "criu" and not self.own:
            code = run([criu, "restore", "-d", "-D", self.image, "-o", "restore.log", "--file-locks", "--pidfile",
                        self.folder + "/pid"] + self.tcp, self.folder, self.log)
            told = [line for line in text(self.image + "/restore.log").splitlines() if "Error" in line]
        else:
            code = run([crimg, "restart", "--pidfile", self.folder + "/pid", self.image], self.folder,
                       self.folder + "/number")
            told = text(self.folder + "/number")
        if not claim(code == 0, self.say(f"restart by {by}: {told}")):
            return False
        claim(text(self.folder + "/pid").strip() == str(self.pid), self.say("it has another number"))
        os.unlink(self.folder + "/pid")
        os.unlink(self.folder + "/number") if os.path.exists(self.folder + "/number") else None
        return True

    def drop_image(self):
        shutil.rmtree(self.image) if os.path.isdir(self.image) else os.unlink(self.image)

    def prove(self):
        open(self.folder + "/go", "w").close()
        code = wait(self.pid)
        claim(code == 0, self.say(f"exit code {code}: {text(self.out)[-300:]}"))

    def one_round(self):
        by, form, options, back = ROUNDS[self.round % len(ROUNDS)]
        before, kib = (self.settled(), own_kib(self.pid)) if self.still else ([], 0)
        if self.round % len(ROUNDS) in LEFT_RUNNING and not self.large:
            self.leave_running()
            if self.still:
                after = self.settled()
                claim(before == after, self.say("left running, it changed:\n" + differences(before, after)))
        if not self.take(by, form, options) or not self.bring_back(back):
            return False
        if self.still:
            after = self.settled()
            claim(before == after, self.say(f"restarted by {back}, it is not what it was:\n"
                                            + differences(before, after)))
            now = own_kib(self.pid)
            claim(now < kib * 1.02 + 1024, self.say(f"restarted by {back}, its memory grew from {kib} to {now} KiB"))
        self.drop_image()
        return True

    def chain(self, rounds):
        if not self.start():
            return
        while self.round < rounds:
            if not self.one_round():
                return
            self.round += 1
        self.round -= 1
        self.prove()
        shutil.rmtree(self.folder)

    def once(self):
        """Begin, take, restart, prove: the exit code, or None."""
        _, form, options, _ = ROUNDS[self.round % len(ROUNDS)]
        if not self.start():
            return None
        time.sleep(LATE if self.late else 0)
        if not self.take("crimg", form, options):
            return None
        pid = spawn([crimg, "restart", "--wait", self.image], self.folder, self.log)
        time.sleep(0.1)
        open(self.folder + "/go", "w").close()
        code = wait(pid)
        self.drop_image()
        return code

    def fresh(self, rounds):
        for self.round in range(rounds):
            code = self.once()
            told = text(self.out)[-300:] + text(self.log)
            shutil.rmtree(self.folder)
            if code not in (0, None) and self.late:
                code = self.once()
                shutil.rmtree(self.folder)
            if not claim(code == 0, self.say(f"exit code {code}: {told}")):
                return


def main():
    global crimg, criu, root
    how, crimg, criu, root, rounds = sys.argv[1:6]
    criu = None if criu == "none" else criu
    for fd in numbers("/proc/self/fd"):
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass
    threading.Thread(target=reap, daemon=True).start()
    threads = []
    for i, words in enumerate(sys.argv[6:]):
        program = Program(words, i)
        threads.append(threading.Thread(target=getattr(program, how), args=(int(rounds),)))
        threads[-1].start()
    for t in threads:
        t.join()
    print(claims[True], claims[False])
    sys.stdout.flush()
    os._exit(0)  # the thread that reaps never ends


main()
