"""052x: masks, actions, queues and stacks of signals."""
import base64
import struct

from damaged import damaged
from registers import core, data_address, last


def tc(image, **values):
    core(image, lambda entry: entry["tc"].update(values))


def thread(image, **values):
    core(image, lambda entry: entry["thread_core"].update(values))


def siginfo(signo, code=-6, length=128):
    data = struct.pack("<iiiiII", signo, 0, code, 0, 1, 0)
    return {"siginfo": base64.b64encode(data.ljust(length, b"\0")[:length]).decode()}


def action(image, index, **values):
    core(image, lambda entry: entry["tc"]["sigactions"][index].update(values))


def handler(image):
    """The index of an action with a handler."""
    actions = image.load("core-*.img")["entries"][0]["tc"]["sigactions"]
    return next(i for i, a in enumerate(actions) if a["sigaction"] > 1)


@damaged(520, "a-regs", exit_code=0)
def kill_blocked(image):
    core(image, lambda entry: entry["tc"].update(blk_sigset=entry["tc"]["blk_sigset"] | 1 << 8))


@damaged(520, "b-threads", exit_code=0)
def stop_blocked_in_a_thread(image):
    def change(document):
        document["entries"][0]["thread_core"]["blk_sigset"] |= 1 << 18

    image.edit(last(image, "core-*.img"), change)


@damaged(521, "a-regs")
def action_missing(image):
    core(image, lambda entry: entry["tc"]["sigactions"].pop())


@damaged(521, "a-regs")
def actions_missing(image):
    core(image, lambda entry: entry["tc"].pop("sigactions"))


@damaged(521, "a-regs")
def action_too_many(image):
    core(image, lambda entry: entry["tc"]["sigactions"].append(entry["tc"]["sigactions"][0]))


@damaged(564, "b-threads", exit_code=0)
def action_flags_unknown(image):
    action(image, handler(image), flags=0x14000000 | 1 << 20)


@damaged(520, "b-threads", exit_code=0)
def action_masks_kill(image):
    def change(entry):
        index = next(i for i, a in enumerate(entry["tc"]["sigactions"]) if a["sigaction"] > 1)
        entry["tc"]["sigactions"][index]["mask"] |= 1 << 8

    core(image, change)


@damaged(522, "b-threads", exit_code=0)
def handler_in_data(image):
    action(image, handler(image), sigaction=data_address(image))


@damaged(522, "b-threads", exit_code=0)
def handler_in_the_kernel(image):
    action(image, handler(image), sigaction=0xffffffff81000000)


@damaged(522, "b-threads", exit_code=0)
def restorer_not_mapped(image):
    action(image, handler(image), restorer=0x10000)


@damaged(523, "a-regs")
def queued_signal_zero(image):
    tc(image, signals_s={"signals": [siginfo(0)]})


@damaged(523, "a-regs")
def queued_signal_65(image):
    tc(image, signals_s={"signals": [siginfo(65)]})


@damaged(523, "a-regs")
def queued_kill(image):
    thread(image, signals_p={"signals": [siginfo(9)]})


@damaged(523, "a-regs")
def queued_stop(image):
    tc(image, signals_s={"signals": [siginfo(19)]})


@damaged(523, "a-regs")
def queued_signal_short(image):
    tc(image, signals_s={"signals": [siginfo(10, length=20)]})


@damaged(524, "a-regs")
def signal_stack_too_small(image):
    thread(image, sas={"ss_sp": data_address(image), "ss_size": 100, "ss_flags": 0})


@damaged(524, "a-regs")
def signal_stack_flags_unknown(image):
    thread(image, sas={"ss_sp": data_address(image), "ss_size": 8192, "ss_flags": 0x40})


@damaged(525, "a-regs", exit_code=0)
def signal_stack_in_the_kernel(image):
    thread(image, sas={"ss_sp": 0xffff800000000000, "ss_size": 65536, "ss_flags": 0})


@damaged(525, "a-regs", exit_code=0)
def signal_stack_not_mapped(image):
    thread(image, sas={"ss_sp": 0x10000, "ss_size": 65536, "ss_flags": 0})


@damaged(526, "a-regs")
def parent_death_signal_65(image):
    thread(image, pdeath_sig=65)


@damaged(527, "a-regs")
def stopped_by_no_stop(image):
    tc(image, task_state=3, stop_signo=12)
