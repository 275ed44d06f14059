"""050x to 051x: the registers of threads."""
import glob
import os

from damaged import damaged


def core(image, change):
    """Of the first thread."""
    image.edit("core-*.img", lambda document: change(document["entries"][0]))


def last(image, pattern):
    """The name of the last file that matches: of a thread, of a child."""
    return os.path.basename(sorted(glob.glob(image.path_of(pattern)))[-1])


def gpregs(image, **values):
    core(image, lambda entry: entry["thread_info"]["gpregs"].update(values))


def fpregs(image, change):
    core(image, lambda entry: change(entry["thread_info"]["fpregs"]))


def xsave(image, change):
    fpregs(image, lambda fp: change(fp["xsave"]))


def data_address(image):
    """In memory that may be written and not executed."""
    vmas = image.load("mm-*.img")["entries"][0]["vmas"]
    return next(v["start"] for v in vmas if v["prot"] == 3)


@damaged(501, "a-regs")
def registers_missing(image):
    core(image, lambda entry: entry.pop("thread_info"))


@damaged(502, "a-regs")
def machine_unknown(image):
    core(image, lambda entry: entry.update(mtype="UNKNOWN"))


@damaged(501, "a-regs")
def task_core_missing(image):
    core(image, lambda entry: entry.pop("tc"))


@damaged(501, "a-regs")
def thread_core_missing(image):
    core(image, lambda entry: entry.pop("thread_core"))


@damaged(503, "a-regs")
def ip_in_the_kernel(image):
    gpregs(image, ip=0xffffffff81000000)


@damaged(503, "a-regs")
def ip_not_canonical(image):
    gpregs(image, ip=0x8000000000000000)


@damaged(504, "a-regs")
def ip_in_data(image):
    gpregs(image, ip=data_address(image))


@damaged(504, "a-regs")
def ip_not_mapped(image):
    gpregs(image, ip=0x10000)


@damaged(505, "a-regs")
def sp_not_canonical(image):
    gpregs(image, sp=0x8000000000000000)


@damaged(505, "a-regs")
def sp_not_mapped(image):
    gpregs(image, sp=0x10000)


@damaged(506, "a-regs")
def fs_base_in_the_kernel(image):
    gpregs(image, fs_base=0xffff800000000000)


@damaged(506, "a-regs")
def gs_base_not_canonical(image):
    gpregs(image, gs_base=0x8000000000000000)


@damaged(507, "a-regs")
def code_of_the_kernel(image):
    gpregs(image, cs=0x10)


@damaged(507, "j-compat32")
def stack_segment_of_32_bit_code_null(image):
    if image.load("core-*.img")["entries"][0]["thread_info"]["gpregs"]["mode"] != "COMPAT":
        raise ValueError("64-bit code does without")
    gpregs(image, ss=0)


@damaged(564, "a-regs", exit_code=0)
def stack_segment_null(image):
    gpregs(image, ss=0)


@damaged(564, "a-regs", exit_code=0)
def stack_segment_of_code(image):
    gpregs(image, ss=0x33)


@damaged(564, "a-regs", exit_code=0)
def data_segment_of_nothing(image):
    gpregs(image, ds=0x53)


@damaged(564, "a-regs", exit_code=0)
def segment_of_a_local_table(image):
    gpregs(image, fs=0x7)


@damaged(509, "a-regs", exit_code=0)
def flags_of_no_cpu(image):
    gpregs(image, flags=0x200 | 1 << 40)


@damaged(509, "a-regs", exit_code=0)
def flags_of_virtual_8086(image):
    gpregs(image, flags=0x20202)


@damaged(510, "a-regs")
def mxcsr_beyond_its_mask(image):
    fpregs(image, lambda fp: fp.update(mxcsr=fp["mxcsr"] | 1 << 20))


@damaged(511, "a-regs")
def x87_registers_short(image):
    fpregs(image, lambda fp: fp["st_space"].pop())


@damaged(564, "a-regs", exit_code=0)
def x87_registers_long(image):
    fpregs(image, lambda fp: fp["st_space"].append(0))


@damaged(511, "a-regs")
def sse_registers_missing(image):
    fpregs(image, lambda fp: fp.pop("xmm_space"))


@damaged(511, "a-regs")
def avx_registers_short(image):
    xsave(image, lambda x: x["ymmh_space"].pop())


@damaged(511, "a-regs")
def masks_short(image):
    xsave(image, lambda x: x["opmask_reg"].pop())


@damaged(512, "a-regs")
def xsave_names_absent_avx(image):
    xsave(image, lambda x: (x.pop("ymmh_space"), x.update(xstate_bv=x["xstate_bv"] | 4)))


@damaged(513, "a-regs", exit_code=0)
def xsave_names_an_unknown_component(image):
    xsave(image, lambda x: x.update(xstate_bv=x["xstate_bv"] | 1 << 40))


@damaged(513, "a-regs", exit_code=0)
def xsave_names_tiles(image):
    xsave(image, lambda x: x.update(xstate_bv=x["xstate_bv"] | 3 << 17))


@damaged(564, "a-regs", exit_code=0)
def x87_tag_too_wide(image):
    fpregs(image, lambda fp: fp.update(twd=0x1ff))


@damaged(564, "a-regs", exit_code=0)
def x87_control_word_too_wide(image):
    fpregs(image, lambda fp: fp.update(cwd=fp["cwd"] | 1 << 20))


@damaged(514, "j-compat32")
def tls_slot_unknown(image):
    core(image, lambda entry: entry["thread_info"]["tls"][0].update(entry_number=9))


@damaged(514, "j-compat32")
def tls_slot_twice(image):
    def change(entry):
        tls = entry["thread_info"]["tls"]
        tls[1] = dict(tls[0], base_addr=0)

    core(image, change)


@damaged(508, "a-regs")
def mode_of_32_bits_in_64_bit_code(image):
    gpregs(image, mode="COMPAT")


@damaged(515, "a-regs")
def robust_list_of_no_length(image):
    core(image, lambda entry: entry["thread_core"].update(futex_rla_len=7))


@damaged(516, "a-regs")
def rseq_not_aligned(image):
    core(image, lambda entry: entry["thread_core"]["rseq_entry"].update(
        rseq_abi_pointer=entry["thread_core"]["rseq_entry"]["rseq_abi_pointer"] + 4))


@damaged(516, "a-regs")
def rseq_of_no_length(image):
    core(image, lambda entry: entry["thread_core"]["rseq_entry"].update(rseq_abi_size=12))


@damaged(516, "a-regs")
def rseq_in_the_kernel(image):
    core(image, lambda entry: entry["thread_core"]["rseq_entry"].update(
        rseq_abi_pointer=0xffff800000000000))
