"""01xx: what reading alone tells; 0201 to 0210: the image as a whole."""
import glob
import json
import os
import shutil
import struct
import subprocess

from damaged import Image, damaged


def patch(image, pattern, offset, data):
    whole = image.bytes(pattern)
    whole[offset:offset + len(data)] = data
    image.write(pattern, whole)


def keep_only(image, name):
    """The image becomes one file: what it was converted to."""
    for entry in os.listdir(image.path):
        if entry != name:
            os.unlink(image.path_of(entry))


def become_stream(image):
    target = image.path_of("x.crimg")
    subprocess.run([image.crimg, "convert", image.path, target], check=True)
    keep_only(image, "x.crimg")
    data = open(target, "rb").read()
    shutil.rmtree(image.path)
    return bytearray(data)


@damaged(101, "a-regs")
def magic_of_another_kind(image):
    patch(image, "fs-*.img", 4, b"\x13")


@damaged(102, "a-regs")
def files_cut(image):
    os.truncate(image.file("files.img"), 300)


@damaged(102, "a-regs")
def stream_cut(image):
    data = become_stream(image)
    with open(image.path, "wb") as f:
        f.write(data[:2000])


@damaged(103, "a-regs")
def entry_of_4_gib(image):
    patch(image, "fs-*.img", 8, b"\xff\xff\xff\xff")
    os.truncate(image.file("fs-*.img"), 5 << 30)


@damaged(104, "a-regs")
def length_within_a_message(image):
    patch(image, "pstree.img", 12, b"\x7f")


@damaged(105, "a-regs")
def fs_without_root(image):
    data = image.bytes("fs-*.img")
    entry = bytes([0x08, data[13]])  # cwd_id alone
    image.write("fs-*.img", data[:8] + struct.pack("<I", len(entry)) + entry)


@damaged(106, "a-regs")
def stream_bit_flipped(image):
    data = become_stream(image)
    data[600] ^= 1
    with open(image.path, "wb") as f:
        f.write(data)


@damaged(107, "a-regs")
def page_run_beyond_the_address_space(image):
    def change(document):
        document["entries"][1].update(vaddr="0xfffffffffffff000", nr_pages=2)

    image.edit("pagemap-*.img", change)


@damaged(108, "a-regs")
def inventory_of_a_later_version(image):
    image.edit("inventory.img", lambda document: document["entries"][0].update(img_version=9))


@damaged(109, "a-regs", exit_code=0)
def stray_bytes_behind_fs(image):
    image.write("fs-*.img", image.bytes("fs-*.img") + b"stray")


@damaged(110, "a-regs")
def mm_without_entry(image):
    os.truncate(image.file("mm-*.img"), 8)


@damaged(111, "a-regs")
def fs_twice_in_json(image):
    target = image.path + ".json"
    subprocess.run([image.crimg, "convert", image.path, target], check=True)
    shutil.rmtree(image.path)
    with open(target) as f:
        document = json.load(f)
    os.unlink(target)
    objects = document["objects"]
    fs = next(o for o in objects if o["name"].startswith("fs-"))
    objects.insert(objects.index(fs), dict(fs, name="copy-of-fs.img", kind="FS",
                                           id=int(fs["name"][3:-4])))
    with open(image.path, "w") as f:
        json.dump(document, f)


@damaged(201, "a-regs")
def inventory_removed(image):
    image.remove("inventory.img")


@damaged(202, "a-regs")
def pstree_empty(image):
    os.truncate(image.file("pstree.img"), 8)


@damaged(203, "b-threads")
def core_of_a_thread_removed(image):
    os.unlink(sorted(glob.glob(image.path_of("core-*.img")))[3])


@damaged(204, "a-regs")
def mm_removed(image):
    image.remove("mm-*.img")


@damaged(205, "a-regs")
def pagemap_removed(image):
    image.remove("pagemap-*.img")


@damaged(206, "a-regs")
def pages_removed(image):
    image.remove("pages-*.img")


@damaged(207, "a-regs")
def pages_cut(image):
    path = image.file("pages-*.img")
    os.truncate(path, os.path.getsize(path) - 4096)


@damaged(208, "a-regs")
def pagemap_entry_dropped(image):
    image.edit("pagemap-*.img", lambda document: document["entries"].pop())


@damaged(209, "a-regs")
def last_run_left_to_no_parent(image):
    def change(document):
        last = document["entries"][-1]
        pages = last["nr_pages"]
        last.update(flags=1)
        path = image.file("pages-*.img")
        os.truncate(path, os.path.getsize(path) - 4096 * pages)

    image.edit("pagemap-*.img", change)


@damaged(210, "../criu-3.17/f-inc")
def parent_of_another_layer(image):
    """Layer 3 says that a page is in its parent which layer 2 never had."""
    layer = Image(image.crimg, os.path.join(image.path, "3"))

    def change(document):
        run = next(e for e in document["entries"][1:] if e.get("in_parent") or e.get("flags", 0) & 1)
        run["vaddr"] = "0x10000"
        document["entries"].remove(run)
        document["entries"].insert(1, run)

    layer.edit("pagemap-[0-9]*.img", change)
    return "3"
