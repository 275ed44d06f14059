"""A server and a client who talk over unix sockets without a pause: numbers that are answered by their squares, many on
their way at once; connections that come, ask once and go; pipes that are handed over, through which an answer comes.
Until a file called "go" is there. Exit 0: every answer was right, and each was there once."""
import os
import selectors
import socket
import sys

AHEAD = 64  # questions on their way


def serve(listener):
    chosen = selectors.DefaultSelector()
    chosen.register(listener, selectors.EVENT_READ)
    rest, first = {}, None
    while True:
        for key, _ in chosen.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                chosen.register(connection, selectors.EVENT_READ)
                rest[connection] = b""
                first = first or connection
                continue
            connection = key.fileobj
            data, fds, _, _ = socket.recv_fds(connection, 4096, 4)
            lines = (rest[connection] + data).split(b"\n")
            rest[connection] = lines.pop()
            answers = b"".join(b"%d\n" % (int(line) ** 2) for line in lines)
            for fd in fds:
                os.write(fd, answers)
                os.close(fd)
            if answers and not fds:
                connection.sendall(answers)
            if not data:
                chosen.unregister(connection)
                connection.close()
                if connection is first:
                    return


def ask_once(number):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("squares")
        s.sendall(b"%d\n" % number)
        assert s.makefile().readline() == f"{number ** 2}\n", number


def ask_by_pipe(number):
    ends = os.pipe()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("squares")
        socket.send_fds(s, [b"%d\n" % number], [ends[1]])
        os.close(ends[1])
        with open(ends[0]) as pipe:
            assert pipe.readline() == f"{number ** 2}\n", number


def main():
    if os.path.exists("squares"):
        os.unlink("squares")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("squares")
    listener.listen(8)
    child = os.fork()
    if child == 0:
        serve(listener)
        os._exit(0)
    listener.close()
    talk = socket.socket(socket.AF_UNIX)
    talk.connect("squares")
    answers, asked, answered = talk.makefile(), 0, 0
    print("ready", flush=True)
    while not os.path.exists("go"):
        while asked < answered + AHEAD:
            talk.sendall(b"%d\n" % asked)
            asked += 1
        for _ in range(AHEAD // 2):
            assert answers.readline() == f"{answered ** 2}\n", answered
            answered += 1
        ask_once(asked)
        ask_by_pipe(asked)
    while answered < asked:
        assert answers.readline() == f"{answered ** 2}\n", answered
        answered += 1
    answers.close()
    talk.close()
    assert os.waitpid(child, 0)[1] == 0
    os.unlink("squares")
    sys.exit(0)


main()
