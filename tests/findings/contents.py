"""08xx: what reading the pages tells."""
from damaged import damaged


@damaged(801, "a-regs", options=["--pages"], exit_code=0)
def page_of_zeros(image):
    data = image.bytes("pages-*.img")
    data[4096:8192] = bytes(4096)
    image.write("pages-*.img", data)


@damaged(802, "a-regs", options=["--pages"], exit_code=0)
def page_stored_twice(image):
    data = image.bytes("pages-*.img")
    data[4096:8192] = data[0:4096]
    image.write("pages-*.img", data)
