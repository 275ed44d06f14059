"""Programs whose system calls the kernel's tracer records (tracefs) from their first to their last, while crimg takes
checkpoints of them and lets them go on. What crimg has them call is told by where it was called from: the instruction
in front of which crimg puts a task is one that no call of a program returns to. Without these calls, nothing may show
that they were caught:
  - what a thread enters it leaves, once, with one answer, and it leaves nothing that it did not enter;
  - an answer that means "again" (ERESTART…) is followed by the same call with the same arguments, or by
    restart_syscall, before anything else, and only that; unless a handler of a signal makes it EINTR, as signal(7) has it;
  - a call that says EINTR after every stop (epoll_wait) is entered again when nothing but crimg came: with the same
    arguments but for the time that is left;
  - of the program sequence, the numbers in arguments and answers have no gap, and none comes twice.
crimg's own calls must all lie between its seizing the thread and letting it go, and in that time there are no others.
  undisturbed.py CRIMG FOLDER PROGRAM…     a program is a command; in FOLDER images and recordings are made
Prints a line for every claim that does not hold, and last how many were made."""
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

TRACING = "/sys/kernel/tracing"
BUFFERS_KB = 320 << 10  # of all CPUs together
FORMS = [["-t", "criu"], ["--compress=none"], ["--pre-dump", "PRE", "-t", "criu"], ["--compress=zstd"]]
AGAIN = {-512, -513, -514, -516}  # ERESTARTSYS, NOINTR, NOHAND, _RESTARTBLOCK
RESTART, SIGRETURN, EXITS = 219, 15, (60, 231)
BIRTHS, EXECS = (56, 57, 58, 435), (59, 322)
PTRACE, SEIZE, DETACH = 101, 0x4206, 17
WAIT4 = 61
EINTR = -4
# Calls that say EINTR after any stop, and the argument that holds their time.
ALWAYS_EINTR = {232: 3, 281: 3, 441: 3, 128: 2, 65: None, 220: 3, 70: None, 69: None, 208: 4}
SA_RESTART = 0x10000000
LINE = re.compile(r"^ *.*-(\d+) +\[\d+\] \S+ +(\d+\.\d+): (\w+:|<user stack trace>)(.*)$")
ENTER = re.compile(r"NR (-?\d+) \((.*)\)")
EXIT = re.compile(r"NR (-?\d+) = (-?\d+)")
DELIVER = re.compile(r"sig=(\d+) .*sa_handler=([0-9a-f]+) sa_flags=([0-9a-f]+)")
RESTORERS = (b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05", b"\xb8\x0f\0\0\0\x0f\x05")

claims = collections.Counter()


def claim(good, text):
    claims[bool(good)] += 1
    if not good:
        print("FAILED undisturbed:", text, flush=True)
    return good


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


class Event:
    """kind: "enter", "exit", "signal", of thread tid. place: where user code stands."""

    def __init__(self, tid, when, kind, number, args=(), answer=None, place=0):
        self.tid, self.when, self.kind, self.number = tid, when, kind, number
        self.args, self.answer, self.place = args, answer, place

    def __str__(self):
        told = {"enter": f"enters {self.number}{self.args}", "exit": f"leaves {self.number} with {self.answer}",
                "signal": f"gets signal {self.number}"}[self.kind]
        return f"thread {self.tid} at {self.when:.6f} {told}"


class Recording:
    """An instance of the kernel's tracer for whoever is told to it, and for their children."""

    def __init__(self):
        self.path = f"{TRACING}/instances/crimg-{os.getpid()}"
        os.mkdir(self.path)
        for name, text in (("buffer_size_kb", str(BUFFERS_KB // os.cpu_count())), ("trace_clock", "mono"), ("options/userstacktrace", "1"),
                           ("options/event-fork", "1"), ("events/raw_syscalls/sys_enter/enable", "1"),
                           ("events/raw_syscalls/sys_exit/enable", "1"), ("events/signal/signal_deliver/enable", "1")):
            write(f"{self.path}/{name}", text)

    def command(self, words):
        """The same command, which is recorded from its execve on."""
        return ["/bin/sh", "-c", f'echo $$ >>{self.path}/set_event_pid; exec "$@"', "sh", *words]

    def begin(self):
        write(f"{self.path}/set_event_pid", "")
        write(f"{self.path}/trace", "")

    def lost(self):
        return sum(int(n) for cpu in os.listdir(f"{self.path}/per_cpu")
                   for n in re.findall(r"(?:overrun|dropped events): (\d+)", read(f"{self.path}/per_cpu/{cpu}/stats")))

    def events(self):
        events, last, placed = [], {}, None
        for line in read(f"{self.path}/trace").splitlines():
            if line.startswith(" => "):
                place = re.search(r"<([0-9a-f]+)>", line)
                if placed is not None and place:
                    placed.place = int(place[1], 16)
                placed = None
                continue
            found = LINE.match(line)
            if not found or line.startswith("#"):
                continue
            tid, when, what, rest = int(found[1]), float(found[2]), found[3].rstrip(":"), found[4].strip()
            if what == "<user stack trace>":  # what another CPU did may stand between an event and where it was
                placed = last.get(tid)
                continue
            if what == "sys_enter":
                n, args = ENTER.match(rest).groups()
                fresh = Event(tid, when, "enter", int(n), tuple(int(a, 16) for a in args.split(", ")))
            elif what == "sys_exit":
                n, answer = EXIT.match(rest).groups()
                fresh = Event(tid, when, "exit", int(n), answer=int(answer))
            elif what == "signal_deliver" and (handler := DELIVER.match(rest)):
                fresh = Event(tid, when, "signal", int(handler[1]), (int(handler[2], 16), int(handler[3], 16)))
            else:
                continue
            events.append(fresh)
            last[tid] = fresh
        return events

    def close(self):
        os.rmdir(self.path)


def families(events, roots):
    """Threads that descend from each root: tid to root."""
    belongs = {root: root for root in roots}
    for e in events:
        if e.kind == "exit" and e.number in BIRTHS and e.answer > 0 and e.tid in belongs:
            belongs.setdefault(e.answer, belongs[e.tid])
    return belongs


class Gates:
    """The instruction that crimg puts a task in front of, by what the programs' files hold there."""

    def __init__(self):
        self.areas, self.known = {}, {}

    def add(self, image, taker):
        """Of every thread of the image that this process took: where which file is mapped."""
        tree = json.loads(subprocess.run([CRIMG, "inspect", image, "tree", "--json"], stdout=-1, check=True).stdout)
        maps = json.loads(subprocess.run([CRIMG, "inspect", image, "maps", "--json"], stdout=-1, check=True).stdout)
        areas = {p["pid"]: [(int(a["start"], 16), int(a["end"], 16), int(a["offset"], 16), a["name"])
                            for a in p["areas"] if a["permissions"] == "r-xp" and a["name"].startswith("/")]
                 for p in maps["maps"]}
        for p in tree["tree"]:
            for t in p.get("threads", []):
                self.areas.setdefault(t["tid"], {})[taker] = areas.get(p["pid"], [])
        return [t["tid"] for p in tree["tree"] for t in p.get("threads", [])]

    def here(self, tid, place, taker=None):
        """Whether it is there; in the memory that the thread had when this process took it, or any did."""
        by_taker = self.areas.get(tid, {})
        lists = by_taker.values() if taker is None else [by_taker.get(taker, [])]
        for start, end, offset, name in [area for areas in lists for area in areas]:
            if start <= place < end:
                key = (name, place - start + offset)
                if key not in self.known:
                    with open(name, "rb") as file:
                        file.seek(key[1])
                        self.known[key] = file.read(9).startswith(RESTORERS)
                if self.known[key]:
                    return True
        return False


class Thread:
    """Judges the events of one thread in turn; faults get what is not as it must be."""

    def __init__(self, tid, faults):
        self.tid, self.faults = tid, faults
        self.fresh = True
        self.open = self.first = None    # the call it is in; as it was entered first
        self.again = None                # what it must enter next: (why, first)
        self.handlers = []               # of signals: what was interrupted by each
        self.held = None                 # by which crimg, between its seizing it and letting go
        self.met = False                 # a call of crimg's, since
        self.remote = None               # the one that is open
        self.remotes = 0
        self.calls = []                  # (number, args, answer), as the program sees them
        self.over = False

    def fault(self, event, text):
        self.faults.append(f"{event}: {text}")

    def take(self, event, is_gate):
        if event.kind != "signal" and is_gate:
            return self.take_remote(event)
        if self.met and self.held and event.kind != "signal":
            self.fault(event, "a call of its own while crimg holds it")
        return {"enter": self.enter, "exit": self.leave, "signal": self.hear}[event.kind](event)

    def take_remote(self, event):
        if not self.held:
            self.fault(event, "a call of crimg's while crimg does not hold it")
        self.met = True
        if event.kind == "enter":
            self.remotes += 1
            if self.remote is not None:
                self.fault(event, "crimg's call before is not over")
            self.remote = event
        else:
            if self.remote is None or self.remote.number != event.number:
                self.fault(event, "crimg's call ends that did not begin")
            self.remote = None

    def hold(self, held):
        if held is None and self.remote is not None:
            self.fault(self.remote, "crimg's call does not end")
        self.held, self.met, self.remote = held, False, None

    def enter(self, event):
        if self.open is not None:
            self.fault(event, f"it has no answer yet to what it entered: {self.open}")
        first = event
        if self.again is not None:
            why, first = self.again
            if not self.is_same(why, first, event):
                self.fault(event, f"answered {why}, it must enter again what it was in: {first}")
        elif event.number == RESTART:
            self.fault(event, "nothing was to be begun again")
        self.open, self.first, self.again, self.fresh = event, first, None, False

    @staticmethod
    def is_same(why, first, event):
        if why == -516:
            return event.number == RESTART and event.args == first.args
        if why != EINTR:
            return event.number == first.number and event.args == first.args
        at = ALWAYS_EINTR[first.number]
        args = list(event.args)
        if at is not None and 0 <= args[at] <= first.args[at]:
            args[at] = first.args[at]
        return event.number == first.number and tuple(args) == first.args

    def leave(self, event):
        if self.open is None:
            if not (self.fresh and event.number in BIRTHS and event.answer == 0):
                self.fault(event, "it did not enter that")
            self.fresh = False
            return
        if event.number != self.open.number and not (self.open.number == SIGRETURN and event.number == -1):
            self.fault(event, f"it is in another call: {self.open}")
        opened, self.open = self.open, None
        if opened.number == SIGRETURN:
            self.again = self.handlers.pop() if self.handlers else None
        elif event.answer in AGAIN:
            self.again = (event.answer, self.first)
        elif event.answer == EINTR and self.held and self.first.number in ALWAYS_EINTR:
            self.again = (EINTR, self.first)
        else:
            self.see(event.answer)
            if opened.number in EXECS and event.answer == 0:
                self.handlers = []

    def see(self, answer):
        self.calls.append((self.first.number, self.first.args, answer))

    def hear(self, event):
        handler, flags = event.args
        if handler == 0:
            self.over = True  # its default; those that do nothing are not delivered
        if handler <= 1:
            return
        if self.again is not None:
            why, first = self.again
            if why == -513 or (why == -512 and flags & SA_RESTART):
                self.handlers.append(self.again)
                self.again = None
                return
            self.first, self.again = first, None
            self.see(EINTR)
        self.handlers.append(None)

    def end(self, all_over):
        if self.open is not None and self.open.number not in EXITS and not (all_over or self.over):
            self.fault(self.open, "no answer ever came")
        if self.again is not None and not (all_over or self.over):
            self.fault(self.again[1], f"answered {self.again[0]}, it was never entered again")


def judge(events, program, takers, gates):
    """Faults of a recording, and its threads: of the program with this root, while these processes of crimg took it."""
    faults, threads = [], {}
    belongs = families(events, [program, *takers])
    over = False
    for e in events:
        root = belongs.get(e.tid)
        if root in takers and e.kind == "enter" and e.number == PTRACE and e.args[0] in (SEIZE, DETACH):
            if belongs.get(e.args[1]) == program:
                threads.setdefault(e.args[1], Thread(e.args[1], faults)).hold(root if e.args[0] == SEIZE else None)
        if root != program:
            continue
        over = over or (e.kind == "enter" and e.number == 231)
        thread = threads.setdefault(e.tid, Thread(e.tid, faults))
        thread.take(e, e.kind != "signal" and gates.here(e.tid, e.place, thread.held))
    for t in threads.values():
        t.end(over)
    return faults, threads


# Of the program sequence: system call, and what (args, answer) of the n-th must be.
SEQUENCES = {
    8: lambda n, a, r: a[1] == n == r,
    1: lambda n, a, r: a[2] == n % 512 + 1 == r,
    0: lambda n, a, r: a[2] == 512 and (r == n % 512 + 1 or r == 0),
    7: lambda n, a, r: a[2] == 8 + n % 8 and r == 0,
    232: lambda n, a, r: a[2] == n % 64 + 1 and r == 0,
    202: lambda n, a, r: a[2] == n & 0xffffffff and r == -110,
}


def judge_sequence(threads, program):
    faults, met = [], set()
    for t in threads.values():
        for number, fits in SEQUENCES.items():
            calls = [(a, r) for n, a, r in t.calls if n == number and (number != 202 or a[1] == 0)]
            if t.tid == program or len(calls) < 20:
                continue
            met.add(number)
            for n, (args, answer) in enumerate(calls):
                if not fits(n, args, answer):
                    faults.append(f"thread {t.tid}: call {number} of number {n}: {args} = {answer}")
                    break
    faults += [f"call {number} was not met" for number in SEQUENCES if number not in met]
    return faults


class Run:
    def __init__(self, recording, command, which):
        self.recording, self.command = recording, command
        self.name = os.path.basename([w for w in command if "/" in w][-1])
        self.folder = f"{FOLDER}/{which}.{self.name}"
        self.takers, self.images = [], []
        os.mkdir(self.folder)

    def begin(self):
        self.recording.begin()
        self.out = open(f"{self.folder}/out", "w")
        self.process = subprocess.Popen(self.recording.command(self.command), cwd=self.folder, stdout=self.out,
                                        stderr=self.out, stdin=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 30
        while "ready" not in read(f"{self.folder}/out"):
            if time.monotonic() > until or self.process.poll() is not None:
                return claim(False, f"{self.name} does not get ready: {read(self.folder + '/out')}")
            time.sleep(0.005)
        return True

    def take(self, form):
        before = f"{self.folder}/before{len(self.images)}"
        image = f"{self.folder}/image{len(self.images)}"
        if "-t" not in form:
            image += ".crimg"
        words = [before if w == "PRE" else w for w in form]
        crimg = subprocess.Popen(self.recording.command([CRIMG, "checkpoint", "-q", "--leave-running", *words,
                                                         str(self.process.pid), image]),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder)
        told = crimg.communicate()[0].decode()
        self.takers.append(crimg.pid)
        self.images.append(image)
        claim(crimg.returncode == 0, f"{self.name}: checkpoint {' '.join(form)}: {told}")

    def finish(self):
        write(f"{self.folder}/go", "")
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        claim(code == 0, f"{self.name}: exit code {code}: {read(self.folder + '/out')[-300:]}")


def record(recording, command, which):
    """The events of a run with its checkpoints; (run, events, gates), or None."""
    run = Run(recording, command, which)
    if not run.begin():
        return None
    # Whoever ends between a pre-dump and its image is in no image that tells where its text is; and scripts call a lot.
    for form in FORMS[:2] if run.name.endswith((".sh", ".py")) else FORMS:
        run.take(form)
        time.sleep(0.05)
    run.finish()
    gates = Gates()
    taken = [gates.add(image, taker) for image, taker in zip(run.images, run.takers)]
    claim(recording.lost() == 0, f"{run.name}: the kernel's buffer was too small")
    return run, recording.events(), gates, taken


def check(recording, command, which):
    found = record(recording, command, which)
    if found is None:
        return None
    run, events, gates, taken = found
    faults, threads = judge(events, run.process.pid, run.takers, gates)
    if run.name == "sequence":
        faults += judge_sequence(threads, run.process.pid)
    claim(not faults, f"{run.name}: {len(faults)} faults: " + "; ".join(faults[:4]))
    for tids in taken:
        claim(all(t in threads and threads[t].remotes > 0 for t in tids),
              f"{run.name}: calls of crimg are missing in the recording")
    seen = sum(len(t.calls) for t in threads.values())
    claim(seen > 0, f"{run.name}: nothing was recorded")
    if VERBOSE:
        print(run.name, len(events), "events", seen, "calls", len(threads), "threads",
              sum(t.remotes for t in threads.values()), "of crimg's", flush=True)
    return found


class Breaker:
    """Recordings made wrong on purpose: each must be found out."""

    def __init__(self, found):
        self.run, self.events, self.gates, _ = found
        self.tids = set(families(self.events, [self.run.process.pid]))
        self.middle = len(self.events) // 2

    def of_program(self, i):
        e = self.events[i]
        return e.tid in self.tids and not (e.kind != "signal" and self.gates.here(e.tid, e.place))

    def find(self, fits, start=None):
        """The first event of the program from the middle on that fits."""
        for i in range(self.middle if start is None else start, len(self.events)):
            if self.of_program(i) and fits(self.events[i]):
                return i
        raise LookupError("nothing to break")

    def next_of(self, i):
        return self.find(lambda e: e.tid == self.events[i].tid, i + 1)

    def call(self, number):
        """Both halves of one call."""
        i = self.find(lambda e: e.kind == "enter" and e.number == number and e.tid != self.run.process.pid)
        return i, self.next_of(i)

    def again(self, *answers):
        """An answer that means "again", and what was entered then."""
        i = self.find(lambda e: e.kind == "exit" and e.answer in (answers or AGAIN), 0)
        return i, self.next_of(i)

    def without(self, *gone):
        return [e for i, e in enumerate(self.events) if i not in gone]

    def with_more(self, at, *more):
        return self.events[:at] + list(more) + self.events[at:]

    def changed(self, i, **what):
        e = self.events[i]
        old = dict(tid=e.tid, when=e.when, kind=e.kind, number=e.number, args=e.args, answer=e.answer, place=e.place)
        return self.events[:i] + [Event(**{**old, **what})] + self.events[i + 1:]

    def taken_for_its_own(self):
        i = next(i for i, e in enumerate(self.events) if e.kind == "enter" and e.tid in self.tids
                 and self.gates.here(e.tid, e.place))
        return self.changed(i, place=0)

    def ways(self):
        enter, leave = self.call(8)
        packet, got = self.call(0)
        _, entered = self.again()
        over, _ = self.again(-516)
        args = self.events[entered].args
        first, second = self.events[enter], self.events[leave]
        return {
            "an entry is lost": self.without(enter),
            "an answer is lost": self.without(leave),
            "a call is lost": self.without(enter, leave),
            "a call is made twice": self.with_more(leave + 1, first, second),
            "an answer comes twice": self.with_more(leave + 1, second),
            "an entry comes twice": self.with_more(enter, first),
            "a packet is lost": self.without(packet, got),
            "a packet is read twice": self.with_more(got + 1, self.events[packet], self.events[got]),
            "an answer is another": self.changed(leave, answer=second.answer + 1),
            "an argument is another": self.changed(enter, args=(first.args[0], first.args[1] + 1, *first.args[2:])),
            "begun again with another argument": self.changed(entered, args=(args[0] + 8, *args[1:])),
            "begun again as another call": self.changed(entered, number=39),
            "not begun again": self.without(entered, self.next_of(entered)),
            "begun again that was over": self.changed(over, answer=0),
            "a call of crimg's taken for the program's": self.taken_for_its_own(),
        }

    def claim_all(self):
        for way, events in self.ways().items():
            faults, threads = judge(events, self.run.process.pid, self.run.takers, self.gates)
            faults += judge_sequence(threads, self.run.process.pid)
            claim(faults, f"a wrong recording passes: {way}")


def look_with_strace(pid, out, meanwhile=None):
    """What strace sees, attached to a running tree for a moment: of each thread the call that it is in at first."""
    tracer = subprocess.Popen(["strace", "-f", "-o", out, "-p", str(pid)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    threads = os.listdir(f"/proc/{pid}/task")
    while time.monotonic() < until and not all(re.search(rf"^{t} +\w+\(", read(out) if os.path.exists(out) else "", re.M)
                                               for t in threads):
        time.sleep(0.01)
    if meanwhile is not None:
        meanwhile(tracer.pid)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    first = {}
    for line in read(out).splitlines():
        tid, call = line.split(None, 1)
        first.setdefault(int(tid), re.sub(r"\s*<?(unfinished|detached).*$|\) *=.*$", "", call))
    return first


def strace_around(recording, command, which):
    """strace right before and right after a checkpoint: every thread is in the call it was in."""
    run = Run(recording, command, which)
    if not run.begin():
        return
    time.sleep(0.2)

    def refused(tracer):
        code = subprocess.run([CRIMG, "checkpoint", "-q", "--leave-running", str(run.process.pid), run.folder + "/no"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        claim(code.returncode == 2 and f"is traced already, by process {tracer}" in code.stdout.decode(),
              f"while strace traces it: {code.returncode}, {code.stdout.decode()}")

    before = look_with_strace(run.process.pid, run.folder + "/before.strace")
    run.take(["--compress=none"])
    after = look_with_strace(run.process.pid, run.folder + "/after.strace", refused)
    claim(len(before) == len(after) and len(before) > 1, f"{run.name}: strace sees threads {sorted(before)}, then "
          f"{sorted(after)}")
    for tid, call in before.items():
        if not re.match(r"restart_syscall|(clock_)?nanosleep|access|newfstatat", call):  # main looks for "go"
            claim(after.get(tid) == call, f"{run.name}: thread {tid} is in {after.get(tid)} and was in {call}")
    run.finish()


def main():
    recording = Recording()
    try:
        for which, words in enumerate(sys.argv[3:]):
            found = check(recording, words.split(), which)
            if found is not None and found[0].name == "sequence":
                Breaker(found).claim_all()
            if found is not None and found[0].name == "blocked8" and HAS_STRACE:
                strace_around(recording, words.split(), f"strace{which}")
    finally:
        recording.close()
    print(claims[True], claims[False])


CRIMG, FOLDER = sys.argv[1:3]
VERBOSE = "CRIMG_VERBOSE" in os.environ
HAS_STRACE = subprocess.run(["sh", "-c", "command -v strace"], stdout=subprocess.DEVNULL).returncode == 0
main()
