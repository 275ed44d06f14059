"""Reports in a real browser. report_page.py CRIMG SAMPLES WORK

A headless Chromium opens reports at the width of a desk and of a phone, clicks, types, searches, zooms and prints. Any
message on the console fails the test. KEEP=DIR keeps the screenshots there.
"""
import base64
import json
import os
import subprocess
import sys

import report_samples
from browser import Browser

crimg, samples, work = sys.argv[1:4]
shots = os.environ.get('KEEP', work)
passed = failed = 0
ENTER, DOWN, END, ESCAPE = '\ue007', '\ue015', '\ue010', '\ue00c'
LARGE = (200, 10000)  # processes, mappings of the first


def claim(good, text):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print('FAILED', text)


def report(image, name):
    path = os.path.join(work, name + '.html')
    subprocess.run([crimg, 'report', '-o', path, *image], check=True)
    return path


def views(image, *names):
    return json.loads(subprocess.run([crimg, 'inspect', '--json', image, *names], stdout=subprocess.PIPE).stdout)


class Page:
    """One report in the browser."""

    def __init__(self, browser, path, width, dark=False):
        self.b, self.width = browser, width
        browser.size(width, 900 if width > 600 else 844)
        browser.dark(dark)
        browser.open(path)
        self.b.settle()

    def run(self, script, *arguments):
        value = self.b.run(script, *arguments)
        self.b.settle()
        return value

    def texts(self, selector):
        return self.b.run('return [...document.querySelectorAll(arguments[0])].map((n) => n.textContent)', selector)

    def text(self, selector):
        return (self.texts(selector) + [None])[0]

    def rows(self, section, column):
        """Texts of a column in the rows that are in sight."""
        return self.texts(f'#{section} .table tbody tr[data-at] td:nth-child({column})')

    def click(self, selector):
        self.run('document.querySelector(arguments[0]).click()', selector)

    def focus(self, selector):
        self.run('document.querySelector(arguments[0]).focus()', selector)

    def keys(self, text):
        self.b.keys(text)
        self.b.settle()

    def search(self, selector, text):
        self.run('const n = document.querySelector(arguments[0]); n.value = arguments[1];'
                 "n.dispatchEvent(new Event('input', {bubbles: true}))", selector, text)

    def pixels(self, selector):
        """What a canvas shows: how many pixels of each colour, as one comparable value."""
        return self.b.run('''
            const c = document.querySelector(arguments[0]), copy = document.createElement('canvas');
            Object.assign(copy, {width: c.width, height: c.height});
            const g = copy.getContext('2d', {willReadFrequently: true});
            g.drawImage(c, 0, 0);
            const d = new Uint32Array(g.getImageData(0, 0, c.width, c.height).data.buffer);
            const n = new Map();
            for (let i = 0; i < d.length; i++)
                n.set(d[i], (n.get(d[i]) || 0) + 1 + i % 7 / 8);
            return [...n].sort((a, b) => a[0] - b[0])''', selector)

    def point(self, selector, x, y):
        """A point of an element, as parts of its size, in the window."""
        return self.run('''const n = document.querySelector(arguments[0]);
            n.scrollIntoView({block: 'center'});
            const r = n.getBoundingClientRect();
            return [r.left + r.width * arguments[1], r.top + r.height * arguments[2]]''', selector, x, y)

    def silent(self, name):
        said = self.b.console()
        claim(said == [], f'{name}: the console says {said[:3]}')

    def shot(self, name):
        self.b.screenshot(os.path.join(shots, name + '.png'))


def check_opens(b, name, path, width):
    """What every report must show."""
    page = Page(b, path, width)
    where = f'{name} at {width}'
    page.silent(where)
    broad = page.run('return [document.documentElement.scrollWidth, innerWidth]')
    claim(broad[0] <= broad[1], f'{where}: the page is {broad[0]} wide')
    claim(page.text('#summary h2') == 'Summary' and page.text('#summary .verdict') != '', f'{where}: no summary')
    claim('crimg report: ' in page.run('return document.title'), f'{where}: title')
    claim(page.run('return document.querySelectorAll("*").length') < 6000, f'{where}: many elements')
    for canvas in ('canvas.strip', 'canvas.heat'):
        colours = page.pixels(canvas) if page.texts(canvas) else None
        claim(colours is None or len(colours) > 3, f'{where}: {canvas} is empty')
    page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.silent(where + ', unfolded')
    page.shot(f'{name}-{width}')
    return page


def check_processes(b, path, tree):
    page = Page(b, path, 1280)
    claim(len(page.texts('#side tbody tr[data-at]')) == len(tree), 'all processes are listed')
    page.click('#side tr[data-at="1"]')
    pid, comm = tree[1]['pid'], tree[1]['comm']
    claim(page.text('#process h2') == f'{pid} {comm}', f"a click shows {page.text('#process h2')}")
    claim(page.run('return location.hash') == f'#pid={pid}', 'the address names the process')
    page.keys('j')
    claim(page.text('#process h2').startswith(str(tree[2]['pid'])), 'j: the next process')
    page.keys('kk')
    claim(page.text('#process h2').startswith(str(tree[0]['pid'])), 'k: the one before')
    page.keys('/')
    page.keys('zomb')
    dead = [row['pid'] for row in tree if row['state'].startswith('zombie')]
    claim(page.texts('#side tbody tr[data-at] td:first-child') == [str(pid) for pid in dead], 'search among processes')
    page.keys(DOWN + DOWN)
    claim(page.text('#process h2').startswith(str(dead[0])), 'from the search down into the list')
    claim('A dead process has none' in page.text('#memory'), 'a zombie has no memory')
    page.silent('processes')
    again = Page(b, path + f'#pid={pid}', 1280)
    claim(again.text('#process h2') == f'{pid} {comm}', 'an address with a pid opens it')


def check_mappings(b, path, areas):
    page = Page(b, path, 1280)
    box = '#memory input[type=search]'
    for word in ('libc', 'rw-p', 'nothing at all'):
        page.search(box, word)
        n = sum(word in json.dumps([a['name'] or 'private memory', a['permissions']]) for a in areas)
        claim(page.text('#memory .count') == f'{n} of {len(areas)} mappings', f"search {word}: {page.text('#memory .count')}, {n} wanted")
    page.search(box, '')
    page.click('#memory th:nth-child(4) button')
    page.click('#memory th:nth-child(4) button')
    largest = max(areas, key=lambda a: a['bytes'])
    claim(page.rows('memory', 1)[0] == largest['start'][2:].zfill(12), 'sorted by size, downwards')
    claim(page.run('return document.querySelector("#memory th:nth-child(4)").ariaSort') == 'descending', 'aria-sort')
    page.click('#memory th:nth-child(1) button')
    page.focus('#memory .scroll')
    page.keys(DOWN + DOWN + DOWN)
    picked = page.text('#memory tr.picked td')
    claim(picked == sorted(areas, key=lambda a: int(a['start'], 16))[2]['start'][2:].zfill(12), f'arrow keys: {picked}')
    page.keys(END)
    claim(page.text('#memory tr.picked td') == max(a['start'][2:].zfill(12) for a in areas), 'End')
    page.silent('mappings')


def check_drawings(b, path, areas):
    page = Page(b, path, 1280)
    whole = page.pixels('canvas.strip')
    page.focus('canvas.strip')
    page.keys('++')
    close = page.pixels('canvas.strip')
    claim(close != whole, '+ zooms the map')
    page.keys('\ue014')
    claim(page.pixels('canvas.strip') != close, 'right moves it')
    page.keys('0')
    claim(page.pixels('canvas.strip') == whole, '0 shows all of it again')
    x, y = page.point('canvas.strip', 0.3, 0.5)
    page.b.mouse(x, y)
    page.b.settle()
    told = page.text('#tip')
    claim(any(told.split('–')[0] == f"{a:x}" for area in areas for a in range(int(area['start'], 16), int(area['end'], 16), 4096)),
          f'tooltip of the map: {told}')
    page.b.mouse(x, y, click=True)
    page.b.settle()
    claim(page.text('#memory tr.picked td') is not None, 'a click on the map chooses a mapping')
    page.keys('n')
    before = page.pixels('canvas.heat')
    page.click('#memory .head:nth-of-type(4) button[title^="Zoom in"], #memory canvas.heat')
    x, y = page.point('canvas.heat', 0.5, 0.2)
    page.b.mouse(x, y, click=True)
    page.b.settle()
    status = page.text('.status')
    claim('1\u2009page' in status or '1 page' in status, f'the pages say {status}')
    page.keys('\ue014')
    claim(page.text('.status') != status, 'right moves the cursor in the pages')
    claim(page.pixels('canvas.heat') != before, 'the cursor is drawn')
    page.silent('drawings')


def check_heat_zoom(b, path):
    page = Page(b, path, 1280)
    page.focus('canvas.heat')
    scale = page.text('#memory .head .dim')
    page.keys('+')
    closer = page.text('#memory .head .dim')
    claim(scale == 'a cell is 64 KiB' and closer == 'a cell is 32 KiB', f'{scale}, then {closer}')
    page.keys('+++++++')
    claim(page.text('#memory .head .dim') == 'a cell is a page', 'no closer than a page')
    page.keys('0')
    claim(page.text('#memory .head .dim') == scale, '0 shows all of it')
    page.silent('zoom')


def check_look(b, path):
    page = Page(b, path, 1280, dark=True)
    claim(page.run('return document.documentElement.dataset.theme') == 'dark', 'dark when the system is')
    dark = page.pixels('canvas.strip'), page.run('return getComputedStyle(document.body).backgroundColor')
    page.shot('dark')
    page.keys('t')
    light = page.pixels('canvas.strip'), page.run('return getComputedStyle(document.body).backgroundColor')
    claim(dark[0] != light[0] and dark[1] != light[1], 't changes colours')
    page.click('#theme')
    claim(page.run('return document.documentElement.dataset.theme') == 'dark', 'so does the button')
    page.run('localStorage.clear()')
    page.keys('?')
    claim(len(page.texts('dialog[open] dt')) > 5, '? lists keys')
    page.keys(ESCAPE)
    claim(page.texts('dialog') == [], 'Escape closes the list')
    page.click('#nav a[href="#files"]')
    top = page.run('return document.getElementById("files").getBoundingClientRect().top')
    claim(0 <= top < 200 or page.run('return scrollY + innerHeight >= document.documentElement.scrollHeight - 2'), f'a link goes to its part: {top}')
    page.keys('g1')
    claim(page.run('return scrollY') < 200, 'g 1 goes to the first part')
    elements = page.run('return document.querySelectorAll("tr[data-at]").length')
    page.run("dispatchEvent(new Event('beforeprint'))")
    claim(len(page.rows('files', 1)) == 27, 'all rows are printed')
    page.run("dispatchEvent(new Event('afterprint'))")
    pdf = base64.b64decode(page.b.devtools('Page.printToPDF', printBackground=True)['data'])
    page.b.settle()
    claim(pdf.startswith(b'%PDF') and len(pdf) > 20000, 'it prints')
    claim(page.run('return document.querySelectorAll("tr[data-at]").length') == elements, 'tables are short again after printing')
    claim(page.run('return document.documentElement.dataset.theme') == 'dark', 'and dark again')
    page.silent('look')


def check_reachable(b, path):
    """Tab alone reaches every control, and what has the focus is marked."""
    page = Page(b, path, 1280)
    seen = []
    for _ in range(60):
        page.b.keys('\ue004')
        seen.append(page.b.run('''const n = document.activeElement;
            return [n.tagName + '.' + (n.className.baseVal ?? n.className) + '#' + n.id, getComputedStyle(n).outlineStyle]'''))
    names = {name for name, _ in seen}
    for part in ('CANVAS.strip#', 'CANVAS.heat#', 'DIV.scroll#', 'BUTTON.#theme', 'A.skip#'):
        claim(part in names, f'Tab does not reach {part}: {sorted(names)}')
    claim(all(style != 'none' for name, style in seen if not name.startswith('BODY')), f'focus is not shown: {seen}')
    page.silent('keyboard')


def check_threads(b, path, regs, stack):
    page = Page(b, path, 1280)
    page.click('#threads tr[data-at="3"]')
    shown = dict(zip(page.texts('.registers dt'), page.texts('.registers dd code')))
    claim(shown == {name: r['value'] for name, r in regs[3]['registers'].items()}, f'registers are {shown}')
    frames = [text.split(' ')[0] for text in page.texts('ol.stack li')]
    claim(frames == [f['address'][2:].zfill(12) for f in stack[3]['frames']], f'frames are {frames}')
    page.silent('threads')


def check_links(b, path, pairs):
    page = Page(b, path, 1280)
    kinds = dict.fromkeys(page.rows('links', 1))
    counts = {kind: page.rows('links', 1).count(kind) for kind in kinds}
    claim(counts.get('unix socket') == pairs, f'connections are {counts}')
    claim(len(page.texts('.graph path')) >= len(page.texts('.graph circle')) > 0, 'the graph is drawn')
    claim(page.run('document.querySelector(".graph .thing").dispatchEvent(new FocusEvent("focus"));'
                   'return document.querySelectorAll(".edge.lit").length') > 0, 'focus lights lines')
    boxes = len(page.texts('.graph circle'))
    page.click('.controls input')
    claim(len(page.texts('.graph circle')) < boxes, 'a kind is hidden')
    page.silent('links')


def check_inert(b, path, name):
    """Nothing of an image is taken for markup, however it is looked at; and if it were, the policy would refuse it."""
    for width in (1280, 390):
        page = Page(b, path, width)
        for at in range(len(page.texts('#side tbody tr[data-at]'))):
            page.click(f'#side tr[data-at="{at}"]')
            for _ in range(3):
                page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.run("document.querySelectorAll('.graph .thing, .graph .end').forEach((n) => {"
                 "n.dispatchEvent(new PointerEvent('pointerenter', {clientX: 5, clientY: 5})); n.focus(); })")
        if page.texts('canvas.strip'):
            page.b.mouse(*page.point('canvas.strip', 0.5, 0.5))
        page.b.settle()
        claim(page.run('return window.ran') is None, f'{name}: script of the image ran: {page.run("return window.ran")}')
        claim(page.texts('img, iframe, object, embed, link, base, b b, svg svg, [onerror], [onload], a:not([href^="#"])') == [],
              f'{name}: an image made an element')
        claim(page.run('return document.scripts.length') in (4, 8) and page.run(
            'return [...document.scripts].filter((s) => s.type === "").length') == 1, f'{name}: scripts')
        seen = page.run('return document.body.innerText + [...document.querySelectorAll("[title]")].map((n) => n.title).join()')
        claim('<script>window.ran=' in seen or '<img src=x' in seen, f'{name}: the names are not shown')
        claim('\u202e' not in seen and '\\u202e' in seen, f'{name}: marks that turn text are not shown as such')
        page.silent(name)
        page.shot(f'{name}-{width}')
    page.run('''const s = document.createElement('script'); s.textContent = 'window.ran = 9'; document.body.append(s);
        const d = document.createElement('div'); d.innerHTML = '<img src=x onerror="window.ran = 10">'; document.body.append(d);''')
    said = page.b.console()
    claim(page.run('return window.ran') is None and any('Content Security Policy' in m for m in said), f'{name}: the policy lets script run: {said}')


def check_pair(b, path, diff):
    """What report_samples.changed() changed is what the page shows as changed, and nothing else."""
    for width in (390, 1280):
        page = Page(b, path, width)
        claim(len(page.rows('changes', 1)) == len(diff['changes']) > 3, f"changes: {page.rows('changes', 3)}")
        broad = page.run('return [document.documentElement.scrollWidth, innerWidth]')
        claim(broad[0] <= broad[1], f'pair at {width}: the page is {broad[0]} wide')
        page.shot(f'pair-{width}')
    changed = page.b.run("return getComputedStyle(document.documentElement).getPropertyValue('--changed').trim()")
    rgba = int(changed[5:7] + changed[3:5] + changed[1:3], 16) | 0xff000000
    for canvas in ('canvas.strip', 'canvas.heat'):
        claim(any(colour == rgba for colour, _ in page.pixels(canvas)), f'{canvas}: nothing is drawn as changed')
    page.search('#memory input', '[heap]')
    claim(page.texts('#memory tr[data-at] td:nth-child(6)') == ['1'], 'one page of the heap changed')
    page.search('#memory input', 'shared memory /dev/zero')
    memfd = page.texts('#memory tr[data-at] td:nth-child(6)')
    page.search('#memory input', 'memfd:')
    claim(sorted(memfd + page.texts('#memory tr[data-at] td:nth-child(6)')) == ['', '1'], 'one page of shared memory changed')
    page.search('#memory input', 'added')
    claim(page.rows('memory', 1) == ['000010000000'], 'the mapping that came')
    claim(page.texts('.registers .changed-text dt') == ['rbx'], 'the register')
    child = next(c['process']['b'] for c in diff['changes'] if c.get('b') == 'renamed')
    row = next(i for i, text in enumerate(page.rows('changes', 4)) if text.startswith('comm'))
    page.click(f'#changes tr[data-at="{row}"]')
    claim(page.text('#process h2') == f'{child} renamed', f"a change leads to {page.text('#process h2')}")
    page.click('#switch button')
    claim(page.text('#switch [aria-pressed="true"]') == 'Before', 'the image before')
    page.click(f'#side tr[data-at="{page.texts("#side tbody tr[data-at] td:first-child").index(str(child))}"]')
    claim(page.text('#process h2') == f'{child} child-B', 'it has the old name')
    row = next(i for i, text in enumerate(page.rows('changes', 3)) if text.startswith('−'))
    page.click('#switch button:last-child')
    page.click(f'#changes tr[data-at="{row}"]')
    claim(page.text('#switch [aria-pressed="true"]') == 'Before' and 'zomb-killed' in page.text('#process h2'),
          'a process that is gone is shown in the image before')
    page.silent('pair')


def check_damaged(b, sample):
    """Whatever an image lacks, its page works: alone, and against the whole one."""
    odd = [[sample('criu-3.17/f-inc/1')], [sample('criu/c-tree/core-9652.img')], [sample('criu/c-tree/files.img')]]
    for seed, name in enumerate(['c-tree', 'b-threads', 'd-files', 'e-sockets', 'g-ns', 'l-mem'] * 2):
        whole = sample('criu/' + name)
        image = report_samples.damaged(whole, os.path.join(work, f'damaged-{seed}'), seed)
        odd.append([whole, image] if seed > 5 else [image])
    shown = 0
    for i, images in enumerate(odd):
        path = os.path.join(work, 'odd.html')
        run = subprocess.run([crimg, 'report', '-o', path, *images], stderr=subprocess.PIPE)
        claim(run.returncode in (0, 2), f'{images}: exit {run.returncode}')
        if run.returncode != 0:
            continue
        shown += 1
        page = Page(b, path, 1280 if i % 2 else 390)
        for at in range(len(page.texts('#side tr[data-at]'))):
            page.click(f'#side tr[data-at="{at}"]')
        page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.silent(f'{images}')
    claim(shown > 10, f'{shown} damaged images are shown')


def check_large(b, path, small):
    """A bound for every step, as a multiple of what the browser needs for the data alone or for a small report."""
    page = Page(b, small, 1280)
    base = page.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    page = Page(b, path, 1280)
    load = page.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    parse = page.run('''const text = [...document.querySelectorAll('script[type]')].map((n) => n.textContent);
        const from = performance.now(); text.forEach((t) => JSON.parse(t)); return performance.now() - from''')
    claim(load < 10 * base + 30 * parse, f'a large report opens in {load:.0f} ms, a small one in {base:.0f} ms, its data in {parse:.0f} ms')
    claim(page.text('#side .count') == '200 processes' and page.text('#memory .count') == '10\u2009000 mappings', 'all of it is there')
    timed = '''const from = performance.now(); const box = document.querySelector('#memory input');
        box.value = arguments[0]; box.dispatchEvent(new Event('input')); return performance.now() - from'''
    for word, n in (('libc', None), ('12 kib', None), ('1000f', 1)):
        took = page.run(timed, word)
        claim(took < load, f'the search for {word} takes {took:.0f} ms, the whole page {load:.0f} ms')
        claim(n is None or page.text('#memory .count').startswith(f'{n} of'), f"{word}: {page.text('#memory .count')}")
    page.run(timed, '')
    took = page.run('''const from = performance.now(); document.querySelector('#side tr[data-at="7"]').click(); return performance.now() - from''')
    claim(took < load, f'another process takes {took:.0f} ms')
    page.click('#side tr[data-at="0"]')
    most = 0
    for part in range(11):  # through all 10,000 rows
        page.run('const n = document.querySelector("#memory .scroll"); n.scrollTop = n.scrollHeight * arguments[0] / 10', part)
        most = max(most, page.run('return document.querySelectorAll("*").length'))
    claim(page.rows('memory', 1)[-1] > '7f' and most < 4000, f'scrolled to {page.rows("memory", 1)[-1]}, {most} elements')
    page.silent('large')
    page.shot('large-1280')


def main():
    sample = lambda name: os.path.join(samples, name)
    tree_image, threads_image, sockets_image = (sample('criu/' + n) for n in ('c-tree', 'b-threads', 'e-sockets'))
    names = ['criu/b-threads', 'criu/c-tree', 'criu/e-sockets', 'criu/l-mem', 'criu-3.17/f-inc/3', 'archives/podman-zstd.tar',
             'cores/kernel64.core']
    pages = {name: report([sample(name)], os.path.basename(name)) for name in names}
    large = report([report_samples.large(crimg, tree_image, os.path.join(work, 'large'), *LARGE)], 'large')
    tree = views(tree_image, 'tree', 'maps')
    threads = views(threads_image, 'regs', 'stack')
    pairs = {tuple(sorted((s['inode'], s['peer_inode']))) for s in views(sockets_image, 'sockets')['sockets']['unix'] if s['peer_inode']}
    with Browser() as b:
        for name, path in pages.items():
            for width in (1280, 390):
                check_opens(b, os.path.basename(name), path, width)
        check_processes(b, pages['criu/c-tree'], tree['tree'])
        check_mappings(b, pages['criu/c-tree'], tree['maps'][0]['areas'])
        check_drawings(b, pages['criu/c-tree'], tree['maps'][0]['areas'])
        check_heat_zoom(b, large)
        check_look(b, pages['criu/c-tree'])
        check_reachable(b, pages['criu/c-tree'])
        check_threads(b, pages['criu/b-threads'], threads['regs'][0]['threads'], threads['stack'][0]['threads'])
        check_links(b, pages['criu/e-sockets'], len(pairs))
        for name in ('c-tree', 'g-ns'):
            image = report_samples.hostile(crimg, sample('criu/' + name), os.path.join(work, 'hostile-' + name))
            check_inert(b, report([image], 'hostile-' + name), 'hostile-' + name)
        after = report_samples.changed(crimg, tree_image, os.path.join(work, 'changed'))
        diff = subprocess.run([crimg, 'diff', '--json', tree_image, after], stdout=subprocess.PIPE)
        check_pair(b, report([tree_image, after], 'pair'), json.loads(diff.stdout))
        check_opens(b, 'm-diff', report([sample('criu/m-diff-1'), sample('criu/m-diff-2')], 'm-diff'), 390)
        check_inert(b, report([os.path.join(work, 'hostile-g-ns'), os.path.join(work, 'hostile-c-tree')], 'hostile-pair'), 'hostile-pair')
        check_damaged(b, sample)
        check_large(b, large, pages['criu/c-tree'])
    print(f'{passed} passed, {failed} failed, 0 skipped')
    sys.exit(failed != 0)


main()
