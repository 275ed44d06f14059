"""0211 to 0343: numbers that lead nowhere, that two things have, or that nobody asks for."""
import os
import shutil

from damaged import damaged

NOBODY = 4711  # a number that no sample has


def first(entries, **wanted):
    return next(e for e in entries if all(e.get(k) == v for k, v in wanted.items()))


def with_part(entries, part):
    return next(e for e in entries if part in e)


@damaged(211, "b-threads")
def thread_number_twice(image):
    def change(document):
        threads = next(e["threads"] for e in document["entries"] if len(e["threads"]) > 2)
        threads[2] = threads[1]

    image.edit("pstree.img", change)


@damaged(211, "c-tree")
def task_number_twice(image):
    def change(document):
        entries = document["entries"]
        entries.append(dict(entries[1]))

    image.edit("pstree.img", change)


@damaged(212, "c-tree")
def root_dropped(image):
    image.edit("pstree.img", lambda document: document["entries"].pop(0))


@damaged(212, "c-tree")
def parent_number_changed(image):
    image.edit("pstree.img", lambda document: document["entries"][1].update(ppid=NOBODY))


@damaged(212, "c-tree")
def ancestor_of_itself(image):
    def change(document):
        child = next(e for e in document["entries"][2:] if e["ppid"] == document["entries"][1]["pid"])
        document["entries"][1]["ppid"] = child["pid"]

    image.edit("pstree.img", change)


@damaged(213, "c-tree")
def group_leader_in_a_session_of_its_own(image):
    def change(document):
        leader = next(e for e in document["entries"][1:] if e["pgid"] == e["pid"]
                      and any(o["pgid"] == e["pid"] and o is not e for o in document["entries"]))
        leader["sid"] = leader["pid"]

    image.edit("pstree.img", change)


@damaged(213, "c-tree")
def session_of_no_leader(image):
    """The last child is in the session of the first one, which leads none."""
    def change(document):
        document["entries"][-1]["sid"] = document["entries"][1]["pid"]

    image.edit("pstree.img", change)


@damaged(214, "a-regs")
def ids_removed(image):
    image.remove("ids-*.img")


@damaged(215, "a-regs")
def fs_removed(image):
    image.remove("fs-*.img")


@damaged(216, "a-regs")
def fd_table_removed(image):
    image.remove("fdinfo-*.img")


@damaged(217, "c-tree")
def child_dropped(image):
    def change(document):
        entries = document["entries"]
        parents = {e["ppid"] for e in entries}
        entries.remove(next(e for e in entries[1:] if e["pid"] not in parents))

    image.edit("pstree.img", change)


@damaged(217, "b-threads")
def thread_dropped(image):
    def change(document):
        next(e["threads"] for e in document["entries"] if len(e["threads"]) > 2).pop()

    image.edit("pstree.img", change)


@damaged(301, "a-regs")
def fd_of_no_file(image):
    image.edit("fdinfo-*.img", lambda document: document["entries"][-1].update(id=NOBODY))


@damaged(301, "a-regs")
def program_of_no_file(image):
    image.edit("mm-*.img", lambda document: document["entries"][0].update(exe_file_id=NOBODY))


@damaged(301, "a-regs")
def mapping_of_no_file(image):
    def change(document):
        next(v for v in document["entries"][0]["vmas"] if v["shmid"])["shmid"] = NOBODY

    image.edit("mm-*.img", change)


@damaged(301, "a-regs")
def directory_of_no_file(image):
    image.edit("fs-*.img", lambda document: document["entries"][0].update(cwd_id=NOBODY))


@damaged(301, "a-regs")
def file_dropped(image):
    """The working directory."""
    cwd = image.load("fs-*.img")["entries"][0]["cwd_id"]

    def change(document):
        document["entries"].remove(first(document["entries"], id=cwd))

    image.edit("files.img", change)


@damaged(301, "d-files")
def deleted_file_kept_as_no_file(image):
    def change(document):
        next(e for e in document["entries"] if e.get("remap_type") == "LINKED")["remap_id"] = NOBODY

    image.edit("remap-fpath.img", change)


@damaged(301, "e-sockets")
def packet_for_no_socket(image):
    image.edit("sk-queues.img", lambda document: document["entries"][0].update(id_for=NOBODY))


@damaged(302, "a-regs")
def file_number_twice(image):
    def change(document):
        one, other = document["entries"][0], document["entries"][1]
        other["id"] = next(v for v in other.values() if isinstance(v, dict))["id"] = one["id"]

    image.edit("files.img", change)


@damaged(302, "c-tree")
def pipe_number_twice(image):
    def change(document):
        one, other = document["entries"][:2]
        other["pipe_id"] = one["pipe_id"]

    image.edit("pipes-data.img", change)


@damaged(302, "e-sockets")
def socket_inode_twice(image):
    def change(document):
        sockets = [f for f in document["entries"] if "usk" in f]
        sockets[1]["usk"]["ino"] = sockets[0]["usk"]["ino"]

    image.edit("files.img", change)


@damaged(303, "a-regs")
def fd_twice(image):
    def change(document):
        document["entries"].append(dict(document["entries"][-1]))

    image.edit("fdinfo-*.img", change)


@damaged(304, "a-regs")
def fd_of_another_type(image):
    def change(document):
        first(document["entries"], type="REG")["type"] = "PIPE"

    image.edit("fdinfo-*.img", change)


@damaged(305, "e-sockets")
def fd_dropped(image):
    """One that nothing else has the file of."""
    tables = sorted(name for name in os.listdir(image.path) if name.startswith("fdinfo-"))
    held = [e["id"] for name in tables for e in image.load(name)["entries"]]
    for name in tables:
        for fd in image.load(name)["entries"]:
            if held.count(fd["id"]) == 1 and fd["type"] != "REG":
                image.edit(name, lambda document: document["entries"].remove(fd))
                return
    raise KeyError("no file with one holder")


@damaged(306, "a-regs", exit_code=0)
def pages_of_nobody(image):
    shutil.copy(image.file("pages-*.img"), image.path_of("pages-99.img"))


@damaged(306, "d-files", exit_code=0)
def ghost_of_nobody(image):
    shutil.copy(image.file("ghost-file-*.img"), image.path_of("ghost-file-99.img"))


@damaged(307, "d-files")
def ghost_removed(image):
    image.remove("ghost-file-*.img")


@damaged(308, "c-tree")
def program_is_a_pipe(image):
    pipe = first(image.load("files.img")["entries"], type="PIPE")["id"]
    image.edit("mm-*.img", lambda document: document["entries"][0].update(exe_file_id=pipe))


@damaged(308, "c-tree")
def mapping_of_a_pipe(image):
    pipe = first(image.load("files.img")["entries"], type="PIPE")["id"]

    def change(document):
        next(v for v in document["entries"][0]["vmas"] if v["shmid"])["shmid"] = pipe

    image.edit("mm-*.img", change)


@damaged(308, "d-files")
def terminal_opened_by_a_pipe(image):
    def change(document):
        other = first(document["entries"], type="EVENTFD")["id"]
        first(document["entries"], type="TTY")["tty"]["regf_id"] = other

    image.edit("files.img", change)


@damaged(309, "d-files")
def terminal_dropped(image):
    image.edit("tty-info.img", lambda document: document["entries"].pop())


@damaged(309, "c-tree")
def memory_file_dropped(image):
    image.edit("memfd.img", lambda document: document["entries"].pop())


@damaged(310, "c-tree")
def pipe_contents_dropped(image):
    def change(document):
        document["entries"].remove(next(e for e in document["entries"] if e["bytes"]))

    image.edit("pipes-data.img", change)


@damaged(311, "d-files")
def epoll_target_changed(image):
    def change(document):
        with_part(document["entries"], "epfd")["epfd"]["tfd"][0]["tfd"] = NOBODY

    image.edit("files.img", change)


@damaged(312, "d-files")
def lock_of_another_process(image):
    image.edit("filelocks.img", lambda document: document["entries"][0].update(pid=NOBODY))


@damaged(312, "d-files")
def lock_through_no_descriptor(image):
    image.edit("filelocks.img", lambda document: document["entries"][0].update(fd=NOBODY))


@damaged(321, "e-sockets")
def unix_peer_dropped(image):
    def change(document):
        peers = [f["usk"]["peer"] for f in document["entries"] if "usk" in f]
        peer = next(p for p in peers if p)
        document["entries"].remove(next(f for f in document["entries"]
                                        if "usk" in f and f["usk"]["ino"] == peer))

    image.edit("files.img", change)


@damaged(321, "e-sockets")
def unix_peer_of_another(image):
    def change(document):
        sockets = [f["usk"] for f in document["entries"] if "usk" in f and f["usk"]["peer"]
                   and f["usk"]["type"] == 1]
        sockets[0]["peer"] = next(s["ino"] for s in sockets if s["ino"] not in
                                  (sockets[0]["ino"], sockets[0]["peer"]))

    image.edit("files.img", change)


@damaged(321, "e-sockets")
def unix_peer_number_changed(image):
    def change(document):
        next(f for f in document["entries"] if "usk" in f and f["usk"]["peer"])["usk"]["peer"] = NOBODY

    image.edit("files.img", change)


@damaged(322, "e-tcp")
def connection_removed(image):
    image.remove("tcp-stream-*.img")


@damaged(323, "e-sockets", exit_code=0)
def send_buffer_too_small(image):
    queued = {e["id_for"] for e in image.load("sk-queues.img")["entries"]}

    def change(document):
        full = next(f["usk"] for f in document["entries"] if "usk" in f and f["id"] in queued
                    and f["usk"]["type"] == 1)
        next(f["usk"] for f in document["entries"] if "usk" in f
             and f["usk"]["ino"] == full["peer"])["opts"]["so_sndbuf"] = 2

    image.edit("files.img", change)


@damaged(331, "c-tree")
def segment_removed(image):
    image.remove("pagemap-shmem-*.img")


@damaged(331, "g-ns")
def sysv_segment_changed(image):
    image.edit("ipcns-shm-*.img", lambda document: document["entries"][0]["desc"].update(id=NOBODY))


@damaged(341, "g-ns")
def host_name_removed(image):
    image.remove("utsns-*.img")


@damaged(342, "g-ns")
def mount_parent_changed(image):
    image.edit("mountpoints-*.img", lambda document: document["entries"][0].update(parent_mnt_id=NOBODY))


@damaged(342, "g-ns")
def mount_dropped(image):
    """The root, on which files were opened."""
    root = image.load("files.img")
    mount = first(root["entries"], type="REG")["reg"]["mnt_id"]

    def change(document):
        document["entries"].remove(first(document["entries"], mnt_id=mount))

    image.edit("mountpoints-*.img", change)


@damaged(343, "a-regs")
def cgroups_changed(image):
    def change(document):
        document["entries"][0]["thread_core"]["cg_set"] = NOBODY

    image.edit("core-*.img", change)


# [R-0215]
@damaged(306, "a-regs", exit_code=0)
def extra_of_nobody(image):
    image.store("thread-extras.img", {"magic": "THREAD_EXTRAS", "entries": [{"tid": NOBODY, "any_cpu": True}]})


@damaged(302, "a-regs")
def extra_twice(image):
    tid = image.load("pstree.img")["entries"][0]["pid"]
    image.store("thread-extras.img", {"magic": "THREAD_EXTRAS", "entries": [{"tid": tid}, {"tid": tid}]})


# [R-0216]
@damaged(306, "a-regs", exit_code=0)
def name_of_no_area(image):
    pid = image.load("pstree.img")["entries"][0]["pid"]
    image.store("process-extras.img", {"magic": "PROCESS_EXTRAS", "entries": [
        {"pid": pid, "names": [{"start": 4096, "end": 8192, "name": "nothing"}]}]})
