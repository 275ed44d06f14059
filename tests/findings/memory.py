"""04xx: mappings, the bounds of the address space, page maps."""
import os

from damaged import damaged

PAGE = 4096
PRIVATE_ANONYMOUS = 513  # status of a mapping: regular, private, without a file
FULL_64_BITS = (1 << 64) - PAGE


def mm(image, change):
    image.edit("mm-*.img", lambda document: change(document["entries"][0]))


def mapping(vmas, status=PRIVATE_ANONYMOUS, pages=2):
    return next(v for v in vmas if v["status"] == status and v["end"] - v["start"] >= pages * PAGE)


def vma(change, **wanted):
    return lambda image: mm(image, lambda entry: change(mapping(entry["vmas"], **wanted)))


def pagemap(image, change):
    image.edit("pagemap-[0-9]*.img", lambda document: change(document["entries"]))


def pages_of(run):
    return run.get("nr_pages") or run["compat_nr_pages"]


def pages_file(image):
    return f"pages-{image.load('pagemap-[0-9]*.img')['entries'][0]['pages_id']}.img"


def drop_last_page_bytes(image, pages):
    path = image.path_of(pages_file(image))
    os.truncate(path, os.path.getsize(path) - PAGE * pages)


@damaged(401, "a-regs")
def mapping_ends_before_it_starts(image):
    vma(lambda v: v.update(start=v["end"], end=v["start"]))(image)


@damaged(401, "a-regs")
def mapping_without_extent(image):
    vma(lambda v: v.update(end=v["start"]))(image)


@damaged(401, "a-regs")
def mapping_not_at_a_page(image):
    vma(lambda v: v.update(start=v["start"] + 16))(image)


@damaged(401, "a-regs")
def mapping_ends_within_a_page(image):
    vma(lambda v: v.update(end=v["end"] - 16))(image)


@damaged(401, "a-regs")
def mapping_in_the_kernel(image):
    def change(entry):
        last = mapping(entry["vmas"])
        entry["vmas"].append(dict(last, start=FULL_64_BITS - 2 * PAGE, end=FULL_64_BITS - PAGE))

    mm(image, change)


@damaged(418, "j-compat32", exit_code=0)
def mapping_above_4_gib_of_a_32_bit_task(image):
    if image.load("core-*.img")["entries"][0]["thread_info"]["gpregs"]["mode"] != "COMPAT":
        raise ValueError("64-bit code reaches all of it")

    def change(entry):
        entry["vmas"].append(dict(mapping(entry["vmas"], pages=1), start=1 << 33, end=(1 << 33) + PAGE))

    mm(image, change)


@damaged(402, "a-regs")
def mappings_overlap(image):
    def change(entry):
        vmas = entry["vmas"]
        first = next(i for i, v in enumerate(vmas) if v["end"] == vmas[i + 1]["start"])
        vmas[first]["end"] += PAGE

    mm(image, change)


@damaged(402, "a-regs")
def mapping_twice(image):
    def change(entry):
        v = mapping(entry["vmas"])
        entry["vmas"].insert(entry["vmas"].index(v), dict(v))

    mm(image, change)


@damaged(402, "a-regs")
def mappings_out_of_order(image):
    def change(entry):
        entry["vmas"][0], entry["vmas"][1] = entry["vmas"][1], entry["vmas"][0]

    mm(image, change)


@damaged(416, "a-regs", exit_code=0)
def rights_that_do_not_exist(image):
    vma(lambda v: v.update(prot=v["prot"] | 0x40))(image)


@damaged(403, "a-regs")
def mapping_neither_private_nor_shared(image):
    vma(lambda v: v.update(flags=v["flags"] & ~3))(image)


@damaged(403, "a-regs")
def mapping_private_and_shared(image):
    vma(lambda v: v.update(flags=v["flags"] | 3))(image)


@damaged(416, "a-regs", exit_code=0)
def mapping_flags_unknown(image):
    vma(lambda v: v.update(flags=v["flags"] | 0x400000))(image)


@damaged(403, "a-regs")
def mapping_of_anonymous_memory_not_anonymous(image):
    vma(lambda v: v.update(flags=v["flags"] & ~0x20))(image)


@damaged(416, "a-regs", exit_code=0)
def mapping_of_a_file_anonymous(image):
    vma(lambda v: v.update(flags=v["flags"] | 0x20), status=65, pages=1)(image)


@damaged(404, "a-regs")
def status_of_nothing(image):
    vma(lambda v: v.update(status=0))(image)


@damaged(416, "a-regs", exit_code=0)
def status_unknown(image):
    vma(lambda v: v.update(status=v["status"] | 1 << 24))(image)


@damaged(404, "a-regs")
def status_of_criu_itself(image):
    """Bits 28 to 31 never leave criu."""
    vma(lambda v: v.update(status=v["status"] | 1 << 30))(image)


@damaged(416, "a-regs", exit_code=0)
def status_of_a_file_and_anonymous(image):
    vma(lambda v: v.update(status=v["status"] | 1 << 9), status=65, pages=1)(image)


@damaged(404, "a-regs")
def status_shared_of_a_private_mapping(image):
    vma(lambda v: v.update(status=1 | 1 << 8))(image)


@damaged(404, "a-regs")
def status_private_of_a_shared_mapping(image):
    vma(lambda v: v.update(flags=0x21))(image)


@damaged(405, "a-regs")
def file_offset_not_at_a_page(image):
    vma(lambda v: v.update(pgoff=v["pgoff"] + 8), status=65, pages=1)(image)


@damaged(405, "a-regs")
def file_offset_overflows(image):
    vma(lambda v: v.update(pgoff=FULL_64_BITS), status=65, pages=2)(image)


@damaged(406, "a-regs")
def advice_unknown(image):
    vma(lambda v: v.update(madv=1 << 40))(image)


@damaged(406, "a-regs")
def advice_that_is_no_state(image):
    """MADV_REMOVE would be done, not remembered."""
    vma(lambda v: v.update(madv=1 << 9))(image)


@damaged(406, "a-regs")
def advice_to_drop_the_pages(image):
    vma(lambda v: v.update(madv=1 << 4))(image)


@damaged(407, "a-regs")
def heap_ends_before_it_starts(image):
    mm(image, lambda e: e.update(mm_brk=e["mm_start_brk"] - PAGE))


@damaged(407, "a-regs")
def code_ends_before_it_starts(image):
    mm(image, lambda e: e.update(mm_start_code=e["mm_end_code"], mm_end_code=e["mm_start_code"]))


@damaged(407, "a-regs")
def data_ends_before_it_starts(image):
    mm(image, lambda e: e.update(mm_start_data=e["mm_end_data"] + 8))


@damaged(407, "a-regs")
def arguments_end_before_they_start(image):
    mm(image, lambda e: e.update(mm_arg_end=e["mm_arg_start"] - 1))


@damaged(407, "a-regs")
def environment_in_the_kernel(image):
    mm(image, lambda e: e.update(mm_env_end=FULL_64_BITS))


@damaged(407, "a-regs")
def stack_at_zero(image):
    mm(image, lambda e: e.update(mm_start_stack=0))


@damaged(408, "a-regs", exit_code=0)
def stack_not_mapped(image):
    mm(image, lambda e: e.update(mm_start_stack=0x10000))


@damaged(408, "a-regs", exit_code=0)
def arguments_not_mapped(image):
    mm(image, lambda e: e.update(mm_arg_start=0x10000, mm_arg_end=0x10010))


@damaged(408, "a-regs", exit_code=0)
def heap_not_mapped(image):
    mm(image, lambda e: e.update(mm_start_brk=0x10000000, mm_brk=0x10002000))


@damaged(409, "a-regs")
def auxiliary_vector_too_long(image):
    mm(image, lambda e: e["mm_saved_auxv"].extend([3, 1] * 40))


@damaged(409, "a-regs")
def auxiliary_vector_without_a_value(image):
    mm(image, lambda e: e["mm_saved_auxv"].pop())


@damaged(409, "a-regs")
def auxiliary_vector_missing(image):
    mm(image, lambda e: e.pop("mm_saved_auxv"))


@damaged(417, "a-regs")
def dumpable_unknown(image):
    mm(image, lambda e: e.update(dumpable=5))


@damaged(410, "a-regs")
def pages_not_at_a_page(image):
    pagemap(image, lambda entries: entries[2].update(vaddr=entries[2]["vaddr"] + 8))


@damaged(415, "a-regs", exit_code=0)
def page_run_without_pages(image):
    def change(entries):
        entries.insert(1, dict(entries[1], nr_pages=0, compat_nr_pages=0))

    pagemap(image, change)


@damaged(411, "a-regs")
def page_runs_out_of_order(image):
    def change(entries):
        entries[1], entries[2] = entries[2], entries[1]

    pagemap(image, change)


@damaged(411, "a-regs")
def page_runs_overlap(image):
    def change(entries):
        i = next(i for i, e in enumerate(entries) if i > 0 and pages_of(e) > 1)
        entries[i + 1].update(vaddr=entries[i]["vaddr"] + PAGE * (pages_of(entries[i]) - 1))

    pagemap(image, change)


@damaged(412, "a-regs")
def page_run_without_flags(image):
    def change(entries):
        drop_last_page_bytes(image, pages_of(entries[-1]))
        entries[-1].update(flags=0)

    pagemap(image, change)


@damaged(416, "a-regs", exit_code=0)
def page_flags_unknown(image):
    pagemap(image, lambda entries: entries[1].update(flags=entries[1]["flags"] | 0x40))


@damaged(412, "../criu-3.17/f-inc")
def pages_here_and_in_the_parent(image):
    """Only the layer with the process is looked at."""
    def change(document):
        here = next(e for e in document["entries"][1:] if e["flags"] & 4)
        here.update(flags=5)

    name = os.path.relpath(image.file("3/pagemap-[0-9]*.img"), image.path)
    document = image.load(name)
    change(document)
    image.store(name, document)
    return "3"


@damaged(413, "a-regs")
def pages_without_a_mapping(image):
    def change(entries):
        entries[1].update(vaddr=0x10000)

    pagemap(image, change)


@damaged(413, "a-regs")
def pages_beyond_their_mapping(image):
    """The last run moves up over the end of the last mapping that has pages."""
    def change(entries):
        vmas = image.load("mm-*.img")["entries"][0]["vmas"]
        last = entries[-1]
        end = next(v["end"] for v in vmas if v["start"] <= last["vaddr"] < v["end"])
        last.update(vaddr=end - PAGE, nr_pages=pages_of(last) + 1)
        with open(image.path_of(pages_file(image)), "ab") as pages:
            pages.write(bytes(PAGE))

    pagemap(image, change)


@damaged(413, "l-mem")
def private_pages_of_shared_memory(image):
    def change(entries):
        vmas = image.load("mm-*.img")["entries"][0]["vmas"]
        shared = next(v for v in vmas if v["flags"] & 1)
        entries.append(dict(entries[-1], vaddr=shared["start"], nr_pages=1))
        entries[1:] = sorted(entries[1:], key=lambda e: e["vaddr"])
        at = 0
        for e in entries[1:]:
            if e["vaddr"] == shared["start"]:
                break
            at += pages_of(e) if e["flags"] & 4 else 0
        data = image.bytes(pages_file(image))
        image.write(pages_file(image), data[:at * PAGE] + bytes(PAGE) + data[at * PAGE:])

    pagemap(image, change)


@damaged(414, "a-regs")
def pages_of_a_page_server(image):
    def change(entries):
        drop_last_page_bytes(image, pages_of(entries[-1]))
        entries[-1].update(flags=2)

    pagemap(image, change)
