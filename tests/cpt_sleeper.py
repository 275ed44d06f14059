#!/usr/bin/python3
"""A process that sleeps in one system call, and what a kernel of OpenVZ would have told of it.

  cpt_sleeper.py sleep OUT SECONDS    writes to OUT what nanosleep() returned
  cpt_sleeper.py interrupt IMAGE      the sleeper of an image that crimg made is as such a kernel found it: its call wants to go
                                      on where it was, and the block says where the time lies that is left
"""
import ctypes
import os
import struct
import sys


def sleep(out, seconds):
    os.closerange(0, 100)
    os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0)
    os.setsid(), os.chdir("/")
    libc = ctypes.CDLL(None, use_errno=True)
    wanted, left = (ctypes.c_long * 2)(seconds, 0), (ctypes.c_long * 2)(0, 0)
    result = libc.syscall(35, ctypes.byref(wanted), ctypes.byref(left))
    with open(out + ".part", "w") as file:
        file.write("%d\n" % result)
    os.rename(out + ".part", out)


def interrupt(image):
    with open(image, "rb") as file:
        data = bytearray(file.read())
    section, = struct.unpack_from("<Q", data, len(data) - 248 + 24 + 8 * 3)  # of tasks, by the trailer
    task = section + 16
    length, number, header = struct.unpack_from("<QIH", data, task)
    assert number == 0 and header == 992, (number, header)
    at = task + header
    while struct.unpack_from("<I", data, at + 8)[0] != 4097:
        at += struct.unpack_from("<Q", data, at)[0]
        assert at < task + length
    rax, rsi = struct.unpack_from("<q", data, at + 192)[0], struct.unpack_from("<Q", data, at + 216)[0]
    assert rax == -4, rax
    struct.pack_into("<q", data, at + 192, -516)
    struct.pack_into("<q", data, at + 232, 35)
    struct.pack_into("<5Q", data, task + 480, 1, 1, rsi, 0, 0)
    with open(image, "wb") as file:
        file.write(data)


if sys.argv[1] == "sleep":
    sleep(sys.argv[2], int(sys.argv[3]))
else:
    interrupt(sys.argv[2])
