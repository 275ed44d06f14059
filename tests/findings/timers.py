"""053x: timers and limits."""
from damaged import damaged
from registers import core

SECOND_NS = 1000000000


def itimer(image, **values):
    core(image, lambda entry: entry["tc"]["timers"]["real"].update(values))


def posix(image, **values):
    core(image, lambda entry: entry["tc"]["timers"]["posix"][0].update(values))


def rlimit(image, number, **values):
    core(image, lambda entry: entry["tc"]["rlimits"]["rlimits"][number].update(values))


@damaged(530, "k-limits")
def itimer_of_a_million_microseconds(image):
    itimer(image, vusec=1000000)


@damaged(530, "k-limits")
def itimer_interval_of_a_million_microseconds(image):
    itimer(image, iusec=1000000)


@damaged(530, "k-limits")
def itimer_before_the_epoch(image):
    itimer(image, vsec=(1 << 64) - 5)


@damaged(531, "k-limits")
def timer_of_no_clock(image):
    posix(image, clock_id=55)


@damaged(531, "k-limits")
def timer_of_the_raw_clock(image):
    posix(image, clock_id=4)


@damaged(531, "k-limits")
def timer_of_a_second_of_nanoseconds(image):
    posix(image, vnsec=SECOND_NS)


@damaged(531, "k-limits")
def timer_interval_of_a_second_of_nanoseconds(image):
    posix(image, insec=SECOND_NS)


@damaged(531, "k-limits")
def timer_of_a_signal_beyond_all(image):
    posix(image, it_sigev_notify=0, si_signo=65)


@damaged(531, "k-limits")
def timer_that_notifies_in_no_way(image):
    posix(image, it_sigev_notify=9)


@damaged(531, "k-limits")
def timer_that_notifies_no_thread(image):
    posix(image, it_sigev_notify=4, notify_thread_id=4194303)


@damaged(532, "k-limits")
def timer_number_twice(image):
    def change(entry):
        timers = entry["tc"]["timers"]["posix"]
        timers[1].update(it_id=timers[0]["it_id"])

    core(image, change)


@damaged(532, "k-limits")
def timer_number_negative(image):
    posix(image, it_id=0xfffffff0)


@damaged(533, "a-regs")
def limit_above_its_maximum(image):
    rlimit(image, 1, cur=9000, max=8000)


@damaged(534, "a-regs", exit_code=0)
def limit_of_nothing(image):
    core(image, lambda entry: entry["tc"]["rlimits"]["rlimits"].append({"cur": 1, "max": 1}))


@damaged(534, "a-regs", exit_code=0)
def limit_missing(image):
    core(image, lambda entry: entry["tc"]["rlimits"]["rlimits"].pop())


@damaged(535, "a-regs")
def limits_missing(image):
    core(image, lambda entry: entry["tc"].pop("rlimits"))


@damaged(535, "a-regs")
def timers_missing(image):
    core(image, lambda entry: entry["tc"].pop("timers"))
