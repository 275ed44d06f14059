"""Rounds of programs that prove their own state: started, checkpointed by crimg, restored by the peer criu or
restarted by crimg in turn, asked whether everything is as it was; every third is left running instead.
  checkpoint_rounds.py CRIMG CRIU FOLDER ROUNDS PROGRAM…    (FOLDER is made and filled; CRIU may be "none")
Prints a line for every claim that does not hold, and last how many were made."""
import ctypes
import os
import shutil
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
ended = {}
claims = {True: 0, False: 0}


def claim(good, text):
    claims[good] += 1
    if not good:
        print("FAILED checkpoint:", text, flush=True)
    return good


def reap(flags=0):
    try:
        pid, status = os.waitpid(-1, flags)
    except ChildProcessError:
        return False
    if pid:
        ended[pid] = status
    return pid != 0


def wait(pid, seconds=20):
    """Exit code of a child; -1 when it had to be killed. Reaps whoever ends meanwhile."""
    until = time.monotonic() + seconds
    while pid not in ended:
        if not reap(os.WNOHANG):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                reap()
                return -1
            time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended.pop(pid))


def spawn(command, cwd, out, session=False):
    pid = os.fork()
    if pid:
        return pid
    os.chdir(cwd)
    if session:
        os.setsid()
    null = os.open("/dev/null", os.O_RDONLY)
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.closerange(3, 256)
    os.execv(command[0], command)


def run(command, cwd, out):
    return wait(spawn(command, cwd, out), 60)


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def start(command, folder):
    os.makedirs(folder)
    pid = spawn(command, folder, folder + "/out", session=True)
    until = time.monotonic() + 20
    while "ready" not in text(folder + "/out"):
        if time.monotonic() > until or pid in ended:
            raise SystemExit(f"{command}: does not get ready: {text(folder + '/out')}")
        reap(os.WNOHANG)
        time.sleep(0.005)
    time.sleep(0.02)  # it is ready to sleep, and soon will
    return pid


def go(pid, folder, what):
    open(folder + "/go", "w").close()
    code = wait(pid)
    claim(code == 0, f"{what}: exit code {code}: {text(folder + '/out')[-300:]}")


def log_end(path):
    lines = [line for line in text(path).splitlines() if "Error" in line]
    return lines[-1] if lines else "no error in its log"


def restore_command(crimg, criu, image):
    if criu is None:
        return [crimg, "restart", "--pidfile", image + "/pid", image]
    return [criu, "restore", "-d", "-D", image, "-o", "restore.log", "-v4", "--file-locks", "--pidfile", "pid"]


def round_trip(crimg, criu, command, folder, image):
    """Checkpoint and kill, validate, restore by criu (None: by crimg; "none": not at all), prove."""
    name = os.path.basename(command[0])
    pid = start(command, folder)
    before = ["--pre-dump", image + ".before"] if os.environ.get("PREDUMP") else []
    code = run([crimg, "checkpoint", "-q", "-t", "criu", *before, str(pid), image], folder, folder + "/log")
    if not claim(code == 0, f"{name}: checkpoint: {text(folder + '/log')}"):
        os.killpg(pid, signal.SIGKILL)
        wait(pid)
        return
    wait(pid)
    code = run([crimg, "validate", image], folder, folder + "/findings")
    claim(code == 0 and text(folder + "/findings").strip() == "",
          f"{name}: validate: {text(folder + '/findings')}")
    if criu == "none":
        return
    code = run(restore_command(crimg, criu, image), folder, folder + "/log")
    told = text(folder + "/log") if criu is None else log_end(image + "/restore.log")
    if claim(code == 0, f"{name}: {'crimg restart' if criu is None else 'criu restore'}: {told}"):
        go(int(text(image + "/pid")), folder, f"{name}, restored by {criu or crimg}")


def undisturbed(crimg, command, folder, image):
    """Checkpoint and leave running: as if nothing had been."""
    name = os.path.basename(command[0])
    pid = start(command, folder)
    code = run([crimg, "checkpoint", "-q", "--leave-running", str(pid), image], folder, folder + "/log")
    claim(code == 0, f"{name}: checkpoint --leave-running: {text(folder + '/log')}")
    go(pid, folder, f"{name}, left running")


def main():
    crimg, criu, root, rounds = sys.argv[1:5]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for program in sys.argv[5:]:
        command = program.split()
        for i in range(int(rounds)):
            folder = f"{root}/{os.path.basename(command[0])}.{i}"
            if i % 3 == 2:
                undisturbed(crimg, command, folder, folder + ".crimg")
            else:
                round_trip(crimg, criu if i % 3 == 0 else None, command, folder, folder + ".image")
            if claims[False] == 0:
                for left in (folder, folder + ".image", folder + ".image.before"):
                    shutil.rmtree(left, ignore_errors=True)
                if os.path.exists(folder + ".crimg"):
                    os.unlink(folder + ".crimg")
    print(claims[True], claims[False])


main()
