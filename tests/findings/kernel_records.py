"""Shared objects among the records of a kernel that counted what refers to them. The images are built here."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kstate_gen  # noqa: E402
from damaged import damaged  # noqa: E402


def build(image, data):
    with open(image.path_of("x.kstate"), "wb") as f:
        f.write(data)
    return "x.kstate"


# [R-1005]
@damaged(351, "a-regs")
def address_space_without_its_task(image):
    return build(image, kstate_gen.stray("mm"))


@damaged(351, "a-regs", options=["--closed"])
def object_held_from_outside_alone(image):
    return build(image, kstate_gen.build(kstate_gen.plain() + [kstate_gen.Obj("net"), kstate_gen.cred(77)]))


@damaged(107, "a-regs")
def reference_into_the_middle_of_an_object(image):
    return build(image, kstate_gen.make("ref-middle"))


@damaged(102, "a-regs")
def last_object_cut(image):
    return build(image, kstate_gen.make("m-full")[:-9])


@damaged(543, "a-regs")
def name_without_its_nul(image):
    return build(image, kstate_gen.make("m-odd"))
