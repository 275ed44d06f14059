#!/usr/bin/python3
"""A process with both ends of connections: bytes that nobody has read, one end that has closed, some that were sent on.
It waits for OUT.go, then reads all, says more, and writes to OUT what came as it should.

  cpt_connected.py OUT
"""
import os
import socket
import sys
import time

out = sys.argv[1]
os.closerange(0, 100)
os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0)
os.setsid(), os.chdir("/")
listener = socket.create_server(("127.0.0.1", 0))


def pair():
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def reads(s, wanted):
    s.settimeout(20)
    got = b""
    while len(got) < len(wanted):
        more = s.recv(len(wanted) - len(got))
        if not more:
            break
        got += more
    return got == wanted


pings, many = b"ping" * 1000, bytes(i & 255 for i in range(30000))
a, b = pair()
a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
a.sendall(pings), b.sendall(b"pong" * 100)
read_before = reads(b, pings[:7])
c, d = pair()
c.sendall(b"last words"), c.shutdown(socket.SHUT_WR)
e, f = pair()
e.sendall(many)
time.sleep(0.3)
open(out + ".ready", "w").close()
while not os.path.exists(out + ".go"):
    time.sleep(0.1)
try:
    said = {"before": read_before, "to b": reads(b, pings[7:]), "to a": reads(a, b"pong" * 100), "to d": reads(d, b"last words"),
            "and no more": d.recv(1) == b"", "to f": reads(f, many), "nodelay": a.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1}
    d.sendall(b"answer"), a.sendall(b"more"), b.sendall(b"too")
    said.update({"back to c": reads(c, b"answer"), "on to b": reads(b, b"more"), "on to a": reads(a, b"too")})
    g, h = pair()
    g.sendall(b"new")
    said["a new one"] = reads(h, b"new")
    said = "all" if all(said.values()) else [k for k, v in said.items() if not v]
except OSError as error:
    said = repr(error)
with open(out + ".part", "w") as file:
    file.write("%s\n" % said)
os.rename(out + ".part", out)
