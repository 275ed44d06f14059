"""035x: objects of a kernel stream, in copies of real ones ([R-0825], [R-0826]). Types are those of v20."""
import struct

from damaged import damaged

OBJREF, TASK_OBJS, FILE_DESC, FILE, VMA, SIGNAL, SIGPENDING = 6, 104, 302, 304, 402, 602, 604


class Stream:
    """The records of x.ckpt, as [type, payload]."""

    def __init__(self, image):
        self.image, self.records, at, data = image, [], 0, image.bytes("x.ckpt")
        while at < len(data):
            kind, length = struct.unpack_from("<II", data, at)
            self.records.append([kind, bytearray(data[at + 8:at + length])])
            at += length

    def of(self, kind, nth=0):
        """The index of the nth record of a kind."""
        return [i for i, r in enumerate(self.records) if r[0] == kind][nth]

    def put(self, index, at, number):
        struct.pack_into("<i", self.records[index][1], at, number)

    def get(self, index, at):
        return struct.unpack_from("<i", self.records[index][1], at)[0]

    def write(self):
        self.image.write("x.ckpt", b"".join(struct.pack("<II", k, 8 + len(p)) + p for k, p in self.records))


@damaged(351, "r5-files.ckpt")
def file_that_no_descriptor_holds(image):
    """Descriptor 6 takes the file of descriptor 5 for its own: the one that it had nobody holds."""
    s = Stream(image)
    s.put(s.of(FILE_DESC, 5), 0, s.get(s.of(FILE_DESC, 4), 0))
    s.write()


@damaged(351, "r5-shm.ckpt")
def shared_memory_without_contents(image):
    """The first area says that the contents of its inode came before."""
    s = Stream(image)
    index = next(i for i, r in enumerate(s.records) if r[0] == VMA and r[1][0] == 4)
    s.put(index, 0, 5)
    end = next(i for i in range(index + 1, len(s.records)) if s.records[i][0] == VMA)
    del s.records[index + 1:end]
    s.write()


@damaged(352, "r5-files.ckpt")
def file_that_comes_later(image):
    s = Stream(image)
    s.put(s.of(FILE_DESC), 0, s.get(s.of(FILE_DESC, 4), 0))
    s.write()


@damaged(353, "r5-tree.ckpt")
def two_objects_with_one_number(image):
    s = Stream(image)
    s.put(s.of(OBJREF, 5), 4, s.get(s.of(OBJREF, 2), 4))
    s.write()


@damaged(354, "r5-files.ckpt")
def credentials_as_a_file(image):
    s = Stream(image)
    s.put(s.of(FILE_DESC), 0, 1)
    s.write()


@damaged(355, "r5-tree.ckpt")
def two_processes_with_one_signal(image):
    """The second has the limits, timers and shared signals of the first."""
    s = Stream(image)
    s.put(s.of(TASK_OBJS, 1), 16, s.get(s.of(TASK_OBJS), 16))
    del s.records[s.of(SIGNAL, 1):s.of(SIGNAL, 1) + 2]
    s.write()
