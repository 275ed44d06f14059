"""07xx: what this machine cannot do. Nothing is compared beyond the code: machines differ."""
import glob
import os

from damaged import damaged


def host(code, sample, exit_code=1, powerless=False):
    return damaged(code, sample, options=["--host"], exit_code=exit_code, golden=False,
                   powerless=powerless)


@host(701, "a-regs")
def cpu_with_every_feature(image):
    image.store("cpuinfo.img", {"magic": "CPUINFO", "entries": [{"x86_entry": [{
        "vendor_id": "INTEL", "cpu_family": 6, "model": 1, "stepping": 1, "capability_ver": 2,
        "capability": [0xffffffff] * 19}]}]})


@host(702, "a-regs")
def bounds_registers(image):
    """MPX: no kernel since 5.6 saves them."""
    def change(document):
        xsave = document["entries"][0]["thread_info"]["fpregs"]["xsave"]
        xsave["bndreg_state"] = [0] * 8
        xsave["xstate_bv"] |= 8

    image.edit("core-*.img", change)


@host(703, "a-regs")
def labels_of_selinux(image):
    image.edit("inventory.img", lambda document: document["entries"][0].update(lsmtype="SELINUX"))


@host(704, "a-regs")
def program_of_another_machine(image):
    """As the sample is: its program is not installed here."""


@host(705, "a-regs")
def file_of_another_size(image):
    def change(document):
        reg = next(f for f in document["entries"] if f["type"] == "REG")["reg"]
        reg.update(name="/etc/passwd", size=1)

    image.edit("files.img", change)


@host(706, "a-regs")
def number_of_init(image):
    def change(document):
        document["entries"][0].update(pid=1, threads=[1], pgid=1, sid=1)

    pid = image.load("pstree.img")["entries"][0]["pid"]
    image.edit("pstree.img", change)
    for path in glob.glob(image.path_of(f"*-{pid}.img")):
        os.rename(path, path.replace(f"-{pid}.img", "-1.img"))


@host(707, "e-tcp")
def address_of_nobody(image):
    """192.0.2.1 is for documentation."""
    def change(document):
        socket = next(f for f in document["entries"] if f["type"] == "INETSK" and f["isk"]["src_port"])
        socket["isk"]["src_addr"] = ["192.0.2.1"] if isinstance(socket["isk"]["src_addr"][0], str) \
            else [0x010200c0]

    image.edit("files.img", change)


@host(708, "a-regs")
def controller_unheard_of(image):
    image.store("cgroup.img", {"magic": "CGROUP", "entries": [{
        "sets": [{"id": 1, "ctls": [{"name": "nonesuch", "path": "/"}]}],
        "controllers": [{"cnames": ["nonesuch"], "dirs": []}]}]})


@host(709, "a-regs", powerless=True)
def restored_without_capabilities(image):
    """As the sample is, checked by a process that may do nothing special."""


@host(710, "a-regs")
def memory_of_a_datacentre(image):
    def change(document):
        document["entries"][-1].update(nr_pages=1 << 34)

    image.edit("pagemap-*.img", change)


@host(711, "g-ns", exit_code=None)
def files_of_a_container(image):
    """As the sample is: it has a mount namespace of its own."""


@host(712, "a-regs", exit_code=None)
def bound_to_a_cpu_of_a_giant(image):
    tid = image.load("pstree.img")["entries"][0]["pid"]
    image.store("thread-extras.img", {"magic": "THREAD_EXTRAS", "entries": [{"tid": tid, "cpus": [1, 0, 1 << 40]}]})
