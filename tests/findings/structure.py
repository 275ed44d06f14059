"""01xx: what reading alone tells; 02xx up to 0210: the image as a whole."""
import os
import shutil

from damaged import damaged


@damaged(101, "a-regs")
def magic_of_another_kind(image):
    data = image.bytes("fs-*.img")
    data[4] ^= 1
    image.write("fs-*.img", data)


@damaged(102, "a-regs")
def files_cut(image):
    os.truncate(image.file("files.img"), 300)


@damaged(104, "a-regs")
def length_within_a_message(image):
    data = image.bytes("pstree.img")
    data[12] = 0x7f
    image.write("pstree.img", data)
