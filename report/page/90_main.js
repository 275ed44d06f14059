// The page as a whole: which image and process are shown, the parts and the way to them, theme, keys, printing.

const PARTS = [['summary', 'Summary'], ['changes', 'Changes'], ['process', 'Process'], ['memory', 'Memory'], ['threads', 'Threads'],
	['descriptors', 'Descriptors'], ['links', 'Connections'], ['files', 'Files'], ['sockets', 'Sockets'], ['findings', 'Findings'],
	['more', 'More']];
const KEYS = [['/', 'search processes'], ['j  k', 'next, previous process'], ['t', 'light or dark'], ['g then 1 … 9', 'go to a part'],
	['+  −  0', 'in a drawing: zoom in, out, all'], ['arrows', 'in a drawing or table: move'], ['n  p', 'in the map: next, previous mapping'],
	['Enter', 'in a drawing: choose'], ['?', 'this list']];

const root = document.documentElement;
const page = { images: {}, diff: null, image: null, pid: null, parts: null, graph: null, processes: null, printing: false };

function stored(key, value) {
	try { // a page from disk may have no storage
		if (value !== undefined)
			localStorage.setItem(key, value);
		return localStorage.getItem(key);
	} catch (error) {
		return null;
	}
}

function setTheme(name) {
	root.dataset.theme = name;
	document.getElementById('theme').textContent = name === 'dark' ? 'Light' : 'Dark';
	Drawing.redrawAll();
}

function startTheme() {
	const system = matchMedia('(prefers-color-scheme: dark)');
	const chosen = stored('crimg-theme');
	setTheme(chosen === 'dark' || chosen === 'light' ? chosen : system.matches ? 'dark' : 'light');
	system.addEventListener('change', (event) => setTheme(event.matches ? 'dark' : 'light'));
	document.getElementById('theme').addEventListener('click', toggleTheme);
}

function toggleTheme() {
	setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark');
	stored('crimg-theme', root.dataset.theme);
}

function memoryBar(process, most) {
	const bar = h('i', { class: 'fill' });
	bar.style.width = Math.round(100 * (process.row.rss_bytes || 0) / most) + '%';
	return h('span', { class: 'meter' }, bar, h('span', {}, process.row.rss_bytes === null ? '' : bytesText(process.row.rss_bytes)));
}

function processList(image) {
	const most = image.processes.reduce((n, process) => Math.max(n, process.row.rss_bytes || 0), 1);
	return new Table({
		name: 'Processes', rows: image.processes, unit: 'process', units: 'processes',
		visible: innerWidth < 900 ? 6 : Math.max(8, Math.floor((innerHeight - 220) / ROW_PIXELS)),
		onpick: (process) => showProcess(process.pid),
		columns: [
			{ title: 'Pid', get: (process) => process.pid, num: true, width: 8 },
			{ title: 'Name', get: (process) => process.comm + ' ' + commandText(process.row), grow: true, width: page.diff === null ? 14 : 8,
				text: (process) => '\u2003'.repeat(Math.min(8, process.depth)) + (process.comm || '?')
					+ (process.row.state === 'alive' ? '' : ' (' + process.row.state + ')') },
			page.diff === null ? null : { title: 'Changes', get: (process) => process.changed.length, num: true, width: 10,
				text: (process) => countText(process.changed.length || null), cls: () => 'changed-text' },
			{ title: 'Memory', get: (process) => process.row.rss_bytes, node: (process) => memoryBar(process, most), width: 10 },
		],
	});
}

function part(id, node) {
	const old = document.getElementById(id);
	if (node === null)
		return;
	if (old !== null)
		old.replaceWith(node);
	else
		document.getElementById('main').append(node);
}

function showProcess(pid) {
	const process = page.image.byPid.get(pid);
	if (process === undefined || page.pid === pid)
		return;
	page.pid = pid;
	part('process', section('process', pid + ' ' + process.comm, processFacts(process), processRest(process)));
	part('memory', memorySection(process));
	part('threads', threadSection(process, process.before));
	part('descriptors', descriptorSection(process));
	page.graph.pick(pid);
	page.processes.pick(process);
	history.replaceState(null, '', '#pid=' + pid);
}

// The process that the address names, when there is one.
function askedPid() {
	const asked = /^#pid=(\d+)$/.exec(location.hash);
	return asked !== null && page.image.byPid.has(Number(asked[1])) ? Number(asked[1]) : null;
}

function showImage(image) {
	page.image = image;
	page.pid = null;
	document.body.classList.toggle('two', page.diff !== null);
	document.title = 'crimg report: ' + basename(clean(image.inspect.image));
	const name = image.inspect.image === '-' ? 'standard input' : image.inspect.image;
	replace(document.getElementById('title'), h('span', { title: name }, shorten(name, isNarrow() ? 24 : 70)),
		h('span', { class: 'dim' }, ' ' + image.inspect.format));
	page.processes = processList(image);
	replace(document.getElementById('side'), h('h2', {}, 'Processes'), image.processes.length > 0 ? page.processes.node
		: h('p', { class: 'dim' }, 'The image names none.'));
	page.graph = new Graph(image, showProcess);
	const main = replace(document.getElementById('main'), summarySection(image), page.diff === null ? null : changeSection(page.diff));
	showSwitch(image);
	for (const id of ['process', 'memory', 'threads', 'descriptors'])
		main.append(h('section', { id, hidden: true }));
	fill(main, [linksOf(image).length === 0 ? null : section('links', 'Connections', page.graph.node, linkTable(image)),
		fileSection(image), socketSection(image), findingSection(image), restSection(image)]);
	const first = image.processes.find((process) => process.maps !== null) || image.processes[0];
	if (first !== undefined)
		showProcess(askedPid() !== null ? askedPid() : first.pid);
	showNav(image);
}

function showNav(image) {
	const there = PARTS.filter(([id]) => {
		const node = document.getElementById(id);
		return node !== null && !node.hidden;
	});
	page.parts = there.map(([id]) => id);
	const count = {
		changes: page.diff === null ? 0 : page.diff.rows.length, findings: image.findings.findings.length,
		files: (image.inspect.files || []).length,
	};
	const number = (id) => h('span', { class: id === 'findings' && image.findings.errors > 0 ? 'n error' : 'n' }, countText(count[id]));
	replace(document.getElementById('nav'), there.map(([id, title]) => h('a', { href: '#' + id }, title,
		count[id] > 0 ? number(id) : null)));
	markNav();
}

// Which of two images is looked at.
function showSwitch(image) {
	if (page.diff === null)
		return;
	replace(document.getElementById('switch'), [['a', 'Before'], ['b', 'After']].map(([side, word]) => button(word,
		page.images[side].inspect.image, () => showImage(page.images[side]), { 'aria-pressed': String(image.side === side) })));
}

// The process and the mapping that a change is about, in the image that has them.
function showChange(change) {
	if (change.process === null)
		return;
	const side = change.process[page.image.side] !== null ? page.image.side : page.image.side === 'a' ? 'b' : 'a';
	if (side !== page.image.side)
		showImage(page.images[side]);
	showProcess(change.process[side]);
}

// Which part is in sight: the last one that begins above the middle of the window.
function markNav() {
	const seen = page.parts.filter((id) => document.getElementById(id).getBoundingClientRect().top < innerHeight / 2).pop();
	for (const link of document.querySelectorAll('#nav a'))
		if (link.getAttribute('href') === '#' + seen)
			link.setAttribute('aria-current', 'location');
		else
			link.removeAttribute('aria-current');
}

// Anchors scroll without changing the hash, which names the process.
function goTo(id) {
	const node = document.getElementById(id);
	if (node !== null)
		node.scrollIntoView({ block: 'start' });
}

function step(way) {
	const list = page.processes.order;
	const at = Math.max(0, Math.min(list.length - 1, page.processes.current + way));
	page.processes.go(at, true);
}

function showKeys() {
	const dialog = h('dialog', { class: 'keys', 'aria-label': 'Keys', onclose: () => dialog.remove() },
		h('h2', {}, 'Keys'), lines(KEYS), h('form', { method: 'dialog' }, h('button', {}, 'Close')));
	document.body.append(dialog);
	dialog.showModal();
}

function listen() {
	let going = false;
	addEventListener('keydown', (event) => {
		if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) {
			if (event.key === 'Escape')
				event.target.blur();
			return;
		}
		if (going && /^[1-9]$/.test(event.key) && page.parts[event.key - 1])
			goTo(page.parts[event.key - 1]);
		going = event.key === 'g';
		const keys = {
			'/': () => (page.processes.search.isConnected ? page.processes.search : page.processes.scroller).focus(),
			j: () => step(1), k: () => step(-1), t: toggleTheme, '?': showKeys,
		};
		if (!(event.key in keys))
			return;
		event.preventDefault();
		keys[event.key]();
	});
	addEventListener('click', (event) => {
		const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
		if (link === null)
			return;
		event.preventDefault();
		goTo(link.getAttribute('href').slice(1));
	});
	addEventListener('hashchange', () => askedPid() !== null && showProcess(askedPid()));
	document.getElementById('keys').addEventListener('click', showKeys);
	addEventListener('scroll', perFrame(markNav), { passive: true });
	let before = null;
	addEventListener('beforeprint', () => { // paper is white
		before = root.dataset.theme;
		page.printing = true;
		setTheme('light');
		Table.printAll(true);
	});
	addEventListener('afterprint', () => {
		page.printing = false;
		setTheme(before);
		Table.printAll(false);
	});
}

matchMedia('(max-width: 699px)').addEventListener('change', () => {
	if (!page.printing) // paper may be narrow too
		showImage(page.image);
});
startTheme();
listen();
page.images = { a: loadImage('a'), b: loadImage('b') };
page.diff = page.images.b === null ? null : loadChanges(page.images.a, page.images.b);
showImage(page.images.b || page.images.a);
