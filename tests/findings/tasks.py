"""054x to 056x: states, names, schedulers, credentials, filters of system calls."""
import base64
import glob
import os
import struct

from damaged import damaged
from registers import core, last
from signals import tc, thread


def zombie(image, **values):
    """The first core of a dead task."""
    for path in sorted(glob.glob(image.path_of("core-*.img"))):
        name = os.path.basename(path)
        document = image.load(name)
        if document["entries"][0].get("tc", {}).get("task_state") == 2:
            document["entries"][0]["tc"].update(values)
            image.store(name, document)
            return
    raise KeyError("no dead task")


def creds(image, change):
    core(image, lambda entry: change(entry["thread_core"]["creds"]))


def program(*code):
    """Instructions (code, jt, jf, k) as the image has them."""
    return base64.b64encode(b"".join(struct.pack("<HBBI", *i) for i in code)).decode()


RETURN_ALLOW = (0x06, 0, 0, 0x7fff0000)
LOAD_NUMBER = (0x20, 0, 0, 0)


def seccomp(image, *code):
    def change(document):
        document["entries"][0]["seccomp_filters"][-1].update(filter=program(*code))

    image.edit("seccomp.img", change)


def filters(image, change):
    image.edit("seccomp.img", lambda document: change(document["entries"][0]["seccomp_filters"]))


@damaged(540, "a-regs")
def task_in_no_state(image):
    tc(image, task_state=9)


@damaged(541, "c-tree")
def exit_code_of_no_exit(image):
    zombie(image, exit_code=0x12345)


@damaged(541, "c-tree")
def killed_by_no_signal(image):
    zombie(image, exit_code=100)


@damaged(542, "a-regs")
def nice_beyond_20(image):
    thread(image, sched_nice=40)


@damaged(542, "a-regs")
def scheduler_unknown(image):
    thread(image, sched_policy=77)


@damaged(542, "a-regs")
def scheduler_of_deadlines(image):
    thread(image, sched_policy=6)


@damaged(542, "a-regs")
def priority_of_real_time_zero(image):
    thread(image, sched_policy=1, sched_prio=0)


@damaged(542, "a-regs")
def priority_without_real_time(image):
    thread(image, sched_policy=3, sched_prio=50)


@damaged(543, "b-threads")
def name_of_a_thread_too_long(image):
    image.edit(last(image, "core-*.img"), lambda document: document["entries"][0]["thread_core"].update(
        comm="a_name_of_more_than_15"))


@damaged(543, "a-regs")
def name_of_the_task_too_long(image):
    tc(image, comm="a_name_of_more_than_15")


@damaged(564, "a-regs", exit_code=0)
def personality_unknown(image):
    tc(image, personality=0x80000000)


@damaged(564, "a-regs", exit_code=0)
def oom_score_beyond_1000(image):
    tc(image, oom_score_adj=2000)


@damaged(545, "a-regs")
def membarrier_unknown(image):
    tc(image, membarrier_registration_mask=0x80000000)


@damaged(550, "a-regs")
def user_of_all_ones(image):
    creds(image, lambda c: c.update(uid=0xffffffff))


@damaged(550, "a-regs")
def group_of_all_ones(image):
    creds(image, lambda c: c.update(groups=[1, 0xffffffff]))


@damaged(551, "a-regs")
def capability_words_missing(image):
    creds(image, lambda c: c["cap_prm"].pop())


@damaged(564, "a-regs", exit_code=0)
def capability_words_too_many(image):
    creds(image, lambda c: c["cap_eff"].append(0))


@damaged(552, "a-regs")
def effective_beyond_permitted(image):
    creds(image, lambda c: c.update(cap_prm=[0, 0]))


@damaged(552, "a-regs")
def ambient_not_inheritable(image):
    creds(image, lambda c: c.update(cap_amb=[32, 0]))


@damaged(553, "a-regs")
def secure_bits_unknown(image):
    creds(image, lambda c: c.update(secbits=1 << 20))


@damaged(554, "a-regs")
def no_new_privileges_twice(image):
    creds(image, lambda c: c.update(no_new_privs=2))


@damaged(535, "a-regs")
def credentials_missing(image):
    core(image, lambda entry: entry["thread_core"].pop("creds"))


@damaged(560, "k-limits")
def filter_without_instructions(image):
    seccomp(image)


@damaged(560, "k-limits")
def filter_not_whole(image):
    filters(image, lambda f: f[-1].update(filter=base64.b64encode(bytes(12)).decode()))


@damaged(560, "k-limits")
def filter_too_long(image):
    seccomp(image, *[LOAD_NUMBER] * 4096, RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_without_return(image):
    seccomp(image, RETURN_ALLOW, LOAD_NUMBER)


@damaged(560, "k-limits")
def filter_jumps_out(image):
    seccomp(image, LOAD_NUMBER, (0x15, 7, 0, 3), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_jumps_far_out(image):
    seccomp(image, (0x05, 0, 0, 0xfffffffe), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_of_unknown_instructions(image):
    seccomp(image, (0xff, 0, 0, 0), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_loads_bytes(image):
    """Of a packet: there is none."""
    seccomp(image, (0x30, 0, 0, 0), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_loads_beyond_the_data(image):
    seccomp(image, (0x20, 0, 0, 64), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_loads_unaligned(image):
    seccomp(image, (0x20, 0, 0, 2), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_divides_by_zero(image):
    seccomp(image, LOAD_NUMBER, (0x34, 0, 0, 0), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_shifts_too_far(image):
    seccomp(image, LOAD_NUMBER, (0x64, 0, 0, 32), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_uses_memory_cell_16(image):
    seccomp(image, LOAD_NUMBER, (0x02, 0, 0, 16), RETURN_ALLOW)


@damaged(560, "k-limits")
def filter_reads_a_cell_before_writing(image):
    seccomp(image, (0x60, 0, 0, 3), RETURN_ALLOW)


@damaged(561, "k-limits")
def filter_before_itself(image):
    filters(image, lambda f: f[-1].update(prev=len(f) - 1))


@damaged(561, "k-limits")
def filter_before_that_is_absent(image):
    filters(image, lambda f: f[-1].update(prev=77))


@damaged(562, "k-limits")
def filter_flags_unknown(image):
    filters(image, lambda f: f[-1].update(flags=0x400))


@damaged(561, "k-limits")
def thread_with_an_absent_filter(image):
    thread(image, seccomp_filter=77)


@damaged(563, "a-regs")
def pid_namespace_without_its_init(image):
    image.edit("ids-*.img", lambda document: document["entries"][0].update(pid_ns_id=4711))


@damaged(563, "c-tree")
def pid_namespace_of_a_child(image):
    image.edit(last(image, "ids-*.img"), lambda document: document["entries"][0].update(pid_ns_id=4711))
