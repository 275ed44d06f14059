"""The data in reports, without a browser. report_data.py CRIMG SAMPLES WORK

Every block parses and says what `crimg inspect --json` and `crimg validate --json` say; what only the report
tells agrees with them; nothing in a block can end it; the policy names exactly the script and the style that
stand in the page.
"""
import base64
import glob
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import time

import report_samples

crimg, samples, work = sys.argv[1:4]
passed = failed = 0
VIEWS = ('summary tree fds files sockets maps regs stack signals timers creds namespaces mounts cgroups ipc container '
         'stats').split()


def claim(good, text):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print('FAILED', text)


def run(*arguments, **more):
    return subprocess.run([crimg, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def blocks(page):
    found = re.findall(rb'<script type="application/json" id="([a-z-]+)">\n(.*?)</script>', page, re.S)
    return {name.decode(): data for name, data in found}


def check_block(name, data):
    claim(re.search(rb'[<>&\x80-\xff]', data) is None, f'{name}: a byte that must be escaped')
    return json.loads(data)


def check_spaces(name, inspect, spaces):
    """Runs cover their areas; pages that the image holds are as many as view maps counts."""
    maps = {m['pid']: m['areas'] for m in inspect['maps']}
    for process in spaces['processes']:
        areas = maps[process['pid']]
        claim(len(areas) == len(process['pages']), f"{name}: {process['pid']}: areas")
        for area, text in zip(areas, process['pages']):
            runs = [(k, int(n)) for k, n in re.findall(r'(\D)(\d+)', text)]
            own, shared = (sum(n for k, n in runs if k == letter) * 4096 for letter in 'ps')
            parent = sum(n for k, n in runs if k == 'o') * 4096
            claim(sum(n for _, n in runs) * 4096 == area['bytes'] and all(n for _, n in runs)
                  and all(a[0] != b[0] for a, b in zip(runs, runs[1:])), f"{name}: {area['start']}: {text}")
            # Views do not count the bytes of deleted files, which lie beside the pages.
            claim(area['bytes_in_image'] in (own + shared, own) and area['bytes_in_parent'] == parent,
                  f"{name}: {area['start']}: {text}, {area['bytes_in_image']} and {area['bytes_in_parent']} wanted")


def check_image(name, page, image, *options):
    data = blocks(page)
    claim(sorted(data) == ['findings-a', 'inspect-a', 'spaces-a'], f'{name}: blocks are {sorted(data)}')
    data = {key: check_block(f'{name} {key}', text) for key, text in data.items()}
    wanted = run('inspect', '--json', *options, image, *VIEWS)
    claim(data['inspect-a'] == json.loads(wanted.stdout), f'{name}: not what inspect says')
    claim(data['findings-a'] == json.loads(run('validate', '--json', image).stdout), f'{name}: not what validate says')
    check_spaces(name, data['inspect-a'], data['spaces-a'])
    return data


def check_pair(a, b, wanted):
    """Two images: all that one has, twice, and what diff says; `crimg diff --html` writes the same page."""
    page = run('report', a, b)
    data = blocks(page.stdout)
    claim(page.returncode == 0 and sorted(data) == sorted(['diff'] + [f'{n}-{s}' for n in ('findings', 'inspect', 'spaces') for s in 'ab']),
          f'{a} and {b}: blocks are {sorted(data)}')
    data = {key: check_block(f'{b} {key}', text) for key, text in data.items()}
    claim(data['diff'] == json.loads(run('diff', '--json', a, b).stdout), f'{a} and {b}: not what diff says')
    for side, image in (('a', a), ('b', b)):
        claim(data[f'inspect-{side}'] == json.loads(run('inspect', '--json', image, *VIEWS).stdout), f'{image}: not what inspect says')
        check_spaces(image, data[f'inspect-{side}'], data[f'spaces-{side}'])
    target = os.path.join(work, 'diff.html')
    code = run('diff', '--html', target, a, b).returncode
    with open(target, 'rb') as f:
        claim(code == wanted and f.read() == page.stdout, f'{a} and {b}: diff --html: exit {code}')
    folded = json.loads(blocks(run('diff', '--all', '--html', '-', a, b).stdout)['diff'])
    claim(folded == json.loads(run('diff', '--all', '--json', a, b).stdout), f'{a} and {b}: diff --all --html')


def check_policy(page):
    text = page.decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.split(' ', 1) for rule in policy.split('; '))
    for rule, tag in (('script-src', 'script'), ('style-src', 'style')):
        inside = re.findall(rf'<{tag}>(.*?)</{tag}>', text, re.S)
        hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(x.encode()).digest()).decode() + "'" for x in inside]
        claim(len(inside) == 1 and rules[rule] == hashes[0], f'{rule} is {rules[rule]}, wanted {hashes}')
    claim(rules['default-src'] == "'none'" and rules['base-uri'] == "'none'" and rules['form-action'] == "'none'",
          f'policy {policy}')
    outside = re.sub(r'<script.*?</script>', '', text, flags=re.S)
    claim(re.search(r'\b(src|href|srcset|data|action)\s*=\s*"(?!#)', outside) is None, 'the page loads something')
    script = re.search(r'<script>(.*?)</script>', text, re.S)[1]
    for word in ('innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval(', 'new Function', 'fetch(',
                 'XMLHttpRequest', 'WebSocket', 'import('):
        claim(word not in script, f'the script says {word}')


def check_outputs(image):
    target = os.path.join(work, 'page.html')
    claim(run('report', '-o', target, image).returncode == 0, '-o FILE')
    with open(target, 'rb') as f:
        page = f.read()
    claim(stat.S_IMODE(os.stat(target).st_mode) == 0o600, 'mode of the file')
    claim(run('report', image).stdout == page and run('report', '-o', '-', image).stdout == page, 'standard output')
    with open('/dev/full', 'wb') as full:
        broken = subprocess.run([crimg, 'report', image], stdout=full, stderr=subprocess.PIPE)
    claim(broken.returncode == 2 and b'No space left' in broken.stderr, f'a full disk: {broken.stderr}')
    before = sorted(os.listdir(work))
    again = run('report', '-o', target, os.path.join(work, 'no such image'))
    claim(again.returncode == 2 and sorted(os.listdir(work)) == before, 'what fails leaves nothing')
    with open(target, 'rb') as f:
        claim(f.read() == page, 'what fails leaves the old file')


def check_signal(image):
    """A signal half-way leaves nothing: no page and no temporary file."""
    folder = os.path.join(work, 'signal')
    os.mkdir(folder)
    process = subprocess.Popen([crimg, 'report', '-o', os.path.join(folder, 'x.html'), image], stderr=subprocess.PIPE)
    while process.poll() is None and not os.listdir(folder):
        time.sleep(0.002)
    process.terminate()
    said = process.communicate()[1]
    claim(process.returncode == 2 and b'interrupted' in said, f'SIGTERM: exit {process.returncode}: {said}')
    claim(os.listdir(folder) == [], f'SIGTERM left {os.listdir(folder)}')


def check_pipe(image):
    """An archive through a pipe gives the page that the file gives, but for its name."""
    with open(image, 'rb') as f:
        data = f.read()
    piped = run('report', '-', input=data)
    claim(piped.returncode == 0, f'a pipe: {piped.stderr}')
    found = json.loads(blocks(piped.stdout)['inspect-a'])
    wanted = json.loads(blocks(run('report', image).stdout)['inspect-a'])
    claim({**found, 'image': 0} == {**wanted, 'image': 0} and found['image'] == '-',
          f"a pipe tells something else: {found['image']}")
    with open(image, 'rb') as f:
        claim(json.loads(blocks(run('report', '-', stdin=f).stdout)['inspect-a'])['tree'] == wanted['tree'], '- of a file')


def check_hostile(image):
    data = check_image('hostile', run('report', image).stdout, image)
    names = {row['comm'] for row in data['inspect-a']['tree']}
    claim(len(names & set(report_samples.PAYLOADS)) > 3, 'hostile names are not in the data')
    words = [word for process in data['spaces-a']['processes'] for word in process['environment'] or []]
    claim('PATH=' + report_samples.ARGUMENT.decode() in words, f'hostile environment is not in the data: {words}')


def main():
    images = sorted(os.path.dirname(p) for p in glob.glob(samples + '/**/inventory.img', recursive=True))
    images += sorted(glob.glob(samples + '/archives/*.tar') + glob.glob(samples + '/cores/*.core'))
    claim(len(images) > 12, 'samples')
    for image in images:
        check_image(os.path.relpath(image, samples), run('report', image).stdout, image)
    core = os.path.join(samples, 'cores/kernel64.core')
    check_image('with a sysroot', run('report', '--sysroot', '/', core).stdout, core, '--sysroot', '/')
    check_policy(run('report', images[0]).stdout)
    check_outputs(images[0])
    check_pipe(os.path.join(samples, 'archives/podman-zstd.tar'))
    tree = os.path.join(samples, 'criu/c-tree')
    check_signal(report_samples.large(crimg, tree, os.path.join(work, 'many'), 200, 60))
    check_pair(tree, report_samples.changed(crimg, tree, os.path.join(work, 'changed')), 1)
    check_pair(tree, tree, 0)
    check_pair(os.path.join(samples, 'criu-3.17/f-inc/1'), os.path.join(samples, 'criu-3.17/f-inc/3'), 1)
    check_pair(os.path.join(samples, 'cores/kernel64.core'), os.path.join(samples, 'archives/podman-zstd.tar'), 1)
    bad = run('diff', '--html', os.path.join(work, 'no such folder', 'x'), tree, tree)
    claim(bad.returncode == 2 and bad.stderr.count(b'\n') == 1, f'diff --html to nowhere: {bad.stderr}')
    check_hostile(report_samples.hostile(crimg, os.path.join(samples, 'criu/c-tree'), os.path.join(work, 'hostile-data')))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden/report/help.txt'), 'rb') as f:
        claim(run('report', '--help').stdout == f.read(), '--help')
    for wrong in ([], ['--no-such'], [images[0], images[1], images[2]], [images[0], '-o']):
        bad = run('report', *wrong)
        claim(bad.returncode == 2 and bad.stdout == b'' and bad.stderr.startswith(b'crimg report: ')
              and bad.stderr.count(b'\n') == 1, f'usage {wrong}: {bad.stderr}')
    print(f'{passed} passed, {failed} failed, 0 skipped')
    sys.exit(failed != 0)


main()
