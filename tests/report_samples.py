"""Images for the tests of `crimg report`, made from small ones with `crimg crit`."""
import glob
import json
import os
import random
import re
import shutil
import struct
import subprocess

# What would run if a page took it for markup, in a shape for each place where it could.
PAYLOADS = [
    '</script><script>window.ran=1</script>',
    '<img src=x onerror="window.ran=2">',
    '"><svg onload=window.ran=3>',
    "'-window.ran=4-'",
    '<!--<script>\u2028window.ran=5\u2029',
    'javascript:window.ran=6',
    '\u202ereversed<b>bold</b>\x1b[31m',
]
ARGUMENT = b'<script>window.ran=7</script>'


class Edited:
    """A copy of an image whose files are changed as JSON."""

    def __init__(self, crimg, sample, path):
        self.crimg, self.path = crimg, path
        shutil.copytree(sample, path, symlinks=True)

    def decode(self, name):
        run = subprocess.run([self.crimg, 'crit', 'decode', '-i', os.path.join(self.path, name)], check=True,
                             stdout=subprocess.PIPE)
        return json.loads(run.stdout)

    def encode(self, name, document):
        subprocess.run([self.crimg, 'crit', 'encode', '-o', os.path.join(self.path, name)], check=True,
                       input=json.dumps(document).encode())

    def edit(self, name, change):
        document = self.decode(name)
        change(document['entries'])
        self.encode(name, document)

    def names(self, pattern):
        return sorted(os.path.basename(p) for p in glob.glob(os.path.join(self.path, pattern)))


def spread(value, payloads):
    """Every text in a message becomes a payload, in turn."""
    for key, item in (value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, (dict, list)):
            spread(item, payloads)
        elif isinstance(item, str) and key in ('name', 'path', 'comm', 'mountpoint', 'source', 'root', 'options',
                                               'cnname', 'nodename', 'domainname', 'ifname'):
            value[key] = next(payloads)


def changed(crimg, sample, path):
    """c-tree a little later: a byte of the heap, one of shared memory, a register, a name, a mapping and a
    process are others."""
    image = Edited(crimg, sample, path)
    pid, child, gone = 9652, 9654, 9658
    pagemap = image.decode(f'pagemap-{pid}.img')['entries']
    heap = next(v for v in image.decode(f'mm-{pid}.img')['entries'][0]['vmas'] if v['status'] & 1 << 5)
    shared = image.decode(image.names('pagemap-shmem-*.img')[0])['entries'][0]['pages_id']
    with open(os.path.join(path, f'pages-{shared}.img'), 'r+b') as f:
        f.write(b'changed')
    at = 0
    for run in pagemap[1:]:
        if run['vaddr'] >= heap['start']:
            break
        at += run['nr_pages'] * 4096
    with open(os.path.join(path, f"pages-{pagemap[0]['pages_id']}.img"), 'r+b') as f:
        f.seek(at + 100)
        byte = f.read(1)[0]
        f.seek(at + 100)
        f.write(bytes([byte ^ 0xff]))
    image.edit(f'core-{pid}.img', lambda e: e[0]['thread_info']['gpregs'].update(bx='0x1234' if isinstance(
        e[0]['thread_info']['gpregs']['bx'], str) else 0x1234))
    image.edit(f'core-{child}.img', lambda e: e[0]['tc'].update(comm='renamed'))
    image.edit('pstree.img', lambda e: e.remove(next(t for t in e if t['pid'] == gone)))
    image.edit(f'mm-{pid}.img', lambda e: e[0]['vmas'].append(dict(heap, start=0x10000000, end=0x10004000, status=1 | 1 << 9)))
    image.edit(f'mm-{pid}.img', lambda e: e[0]['vmas'].sort(key=lambda v: v['start']))
    os.remove(os.path.join(path, f'core-{gone}.img'))
    return path


def damaged(sample, path, seed):
    """A copy with some files cut and some bits turned, always the same ones."""
    chance = random.Random(seed)
    shutil.copytree(sample, path, symlinks=True)
    small = sorted(p for p in glob.glob(path + '/*.img') if 0 < os.path.getsize(p) < 40000)
    for name in chance.sample(small, 4):
        with open(name, 'r+b') as f:
            data = bytearray(f.read())
            if chance.random() < 0.25:
                f.truncate(chance.randrange(len(data)))
            else:
                f.seek(at := chance.randrange(len(data)))
                f.write(bytes([data[at] ^ 1 << chance.randrange(8)]))
    return path


def turns():
    while True:
        yield from PAYLOADS


def hostile(crimg, sample, path):
    """Names, paths, mounts, environment and arguments are script and markup."""
    image = Edited(crimg, sample, path)
    payloads = turns()
    for pattern in ('core-*.img', 'files.img', 'mountpoints-*.img', 'cgroup.img', 'utsns-*.img', 'reg-files.img'):
        for name in image.names(pattern):
            image.edit(name, lambda entries: spread(entries, payloads))
    for name in image.names('pages-*.img'):
        with open(os.path.join(path, name), 'r+b') as f:
            data = f.read().replace(b'PATH=/usr/sbin:/usr/bin:/sbin:/bin', b'PATH=' + ARGUMENT)
            f.seek(0)
            f.write(data.replace(b'/opt/crsample/', b'<b>bold</b>ab/'))
    return path


def large(crimg, sample, path, tasks, areas):
    """tasks processes; the first has a number of areas of its own, of which every tenth has a page."""
    image = Edited(crimg, sample, path)
    pstree = image.decode('pstree.img')
    root = pstree['entries'][0]
    pid = root['pid']
    pstree['entries'] = [dict(root, pid=pid + i, ppid=0 if i == 0 else pid + (i - 1) // 8, threads=[pid + i])
                         for i in range(tasks)]
    for name in image.names('*-*.img'):
        number = re.search(r'^(core|mm|pagemap|fs|creds)-(\d+)\.img$', name)
        if number and int(number[2]) != pid:
            os.remove(os.path.join(path, name))
    mm = image.decode(f'mm-{pid}.img')
    own = mm['entries'][0]['vmas']
    anonymous = next(v for v in own if v['flags'] & 0x20 and v['prot'] == 3 and not v['flags'] & 0x100)
    base = 0x100000000

    def mappings(count):
        return [dict(anonymous, start=base + i * 0x10000, end=base + i * 0x10000 + 0x4000) for i in range(count)]
    mm['entries'][0]['vmas'] = mappings(50 - len(own)) + own
    image.encode(f'mm-{pid}.img', mm)
    for pattern in ('core', 'mm', 'pagemap', 'fs'):  # those of the sample, each under every number
        for i in range(1, tasks):
            shutil.copy(os.path.join(path, f'{pattern}-{pid}.img'), os.path.join(path, f'{pattern}-{pid + i}.img'))
    image.encode('pstree.img', pstree)
    for i in range(1, tasks):  # one process with memory is enough
        image.edit(f'pagemap-{pid + i}.img', lambda entries: (entries[0].update(pages_id=1000), entries.__delitem__(slice(1, None))))
    with open(os.path.join(path, 'pages-1000.img'), 'wb'):
        pass
    mm['entries'][0]['vmas'] = mappings(areas - len(own)) + own
    image.encode(f'mm-{pid}.img', mm)
    pagemap = image.decode(f'pagemap-{pid}.img')
    pages = os.path.join(path, f"pages-{pagemap['entries'][0]['pages_id']}.img")
    extra = range(0, areas - len(own), 10)
    pagemap['entries'][1:1] = [{'vaddr': base + i * 0x10000 + 0x1000, 'compat_nr_pages': 0, 'nr_pages': 1, 'flags': 4} for i in extra]
    image.encode(f'pagemap-{pid}.img', pagemap)
    with open(pages, 'rb') as f:
        rest = f.read()
    with open(pages, 'wb') as f:
        for i in extra:
            f.write(struct.pack('<Q', i) * 512)
        f.write(rest)
    return path
