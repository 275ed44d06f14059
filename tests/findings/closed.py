"""06xx: what keeps an image from being a closed container."""
from damaged import damaged

CLOSED = ["--closed"]


def entry(change):
    return lambda document: change(document["entries"][0])


@damaged(601, "g-ns", options=CLOSED)
def net_namespace_of_the_host(image):
    image.edit("ids-1.img", entry(lambda ids: ids.update(net_ns_id=2)))


@damaged(602, "g-ns", options=CLOSED, exit_code=0)
def user_namespace_of_the_host(image):
    """As the sample is: engines share user, cgroup and time namespaces with the host."""


@damaged(603, "g-ns", options=CLOSED)
def session_of_a_shell_outside(image):
    def change(document):
        for task in document["entries"]:
            task.update(sid=4711)

    image.edit("pstree.img", change)


@damaged(604, "d-files", options=CLOSED)
def terminal_of_the_outside(image):
    def change(document):
        document["entries"][0]["type"] = "EXT_TTY"

    image.edit("tty-info.img", change)


@damaged(605, "e-sockets", options=CLOSED)
def unix_peer_outside(image):
    def change(document):
        next(f for f in document["entries"] if f["type"] == "UNIXSK" and f["usk"]["peer"])["usk"]["uflags"] = 1

    image.edit("files.img", change)


@damaged(606, "d-files", options=CLOSED)
def file_declared_external(image):
    def change(document):
        next(f for f in document["entries"] if f["type"] == "REG")["reg"]["ext"] = True

    image.edit("files.img", change)


@damaged(607, "g-ns", options=CLOSED, exit_code=0)
def mount_from_outside(image):
    def change(document):
        document["entries"][-1].update(ext_mount=True)

    image.edit("mountpoints-*.img", change)


@damaged(608, "c-tree", options=CLOSED)
def reading_end_outside(image):
    """The descriptors that read from the first pipe are those of its writing end."""
    def change(document):
        first = next(f for f in document["entries"] if f["type"] == "PIPE")["pipe"]["pipe_id"]
        for f in document["entries"]:
            if f["type"] == "PIPE" and f["pipe"]["pipe_id"] == first:
                f["pipe"]["flags"] = "0x1"

    image.edit("files.img", change)


@damaged(609, "g-ns", options=CLOSED, exit_code=0)
def holders_not_recorded(image):
    """As the sample is."""
