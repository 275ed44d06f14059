// The graph of links: processes on the left, what joins them on the right. Lines end in an arrow where bytes
// are read.

const GRAPH_MOST = 250; // groups that are drawn; the table below has them all
const GRAPH_ROW = 22;

class Graph {
	constructor(image, onpick) {
		Object.assign(this, { image, onpick, hidden: new Set(['open']), only: false, pid: null });
		this.box = h('div', { class: 'graph', tabindex: '0', role: 'group', 'aria-label': 'Who is connected to whom' });
		this.note = h('p', { class: 'more' });
		this.node = h('div', {}, this.controls(), this.box, this.note);
		new ResizeObserver(perFrame(() => this.draw())).observe(this.node);
	}

	controls() {
		const kinds = new Set(linksOf(this.image).map((link) => link.kind));
		const boxes = Object.entries(LINK_KINDS).filter(([kind]) => kinds.has(kind)).map(([kind, word]) =>
			h('label', { class: 'check' }, h('input', {
				type: 'checkbox', checked: !this.hidden.has(kind),
				onchange: (event) => {
					this.hidden[event.target.checked ? 'delete' : 'add'](kind);
					this.draw();
				},
			}), h('i', { class: 'dot link-' + kind }), word));
		this.onlyBox = h('input', {
			type: 'checkbox', onchange: (event) => {
				this.only = event.target.checked;
				this.draw();
			},
		});
		this.onlyText = h('span', {}, 'only of the process chosen');
		return h('div', { class: 'controls' }, boxes,
			this.image.processes.length > 1 ? h('label', { class: 'check' }, this.onlyBox, this.onlyText) : null);
	}

	pick(pid) {
		this.pid = pid;
		replace(this.onlyText, 'only of ' + pid);
		this.draw();
	}

	draw() {
		const width = this.box.clientWidth;
		if (width === 0)
			return;
		const links = linksOf(this.image).filter((link) => !this.hidden.has(link.kind)
			&& (!this.only || link.ends.has(this.pid)));
		const groups = linkGroups(links);
		replace(this.note, groups.length > GRAPH_MOST
			? 'The first ' + GRAPH_MOST + ' of ' + countText(groups.length) + ' groups; the table below has all of them.'
			: groups.length === 0 ? 'None of these kinds.' : '');
		this.box.hidden = groups.length === 0;
		replace(this.box, groups.length === 0 ? null : this.picture(groups.slice(0, GRAPH_MOST), width - 2));
	}

	// Where everything stands: processes in the order of the tree, groups at the middle of their processes. Three or
	// more processes that are joined to the same in the same way stand as one, but for the one that is chosen.
	places(groups) {
		const held = new Map(); // pid → what it is joined to
		groups.forEach((group, i) => {
			for (const end of group.ends)
				got(held, end.pid, () => []).push(i + end.way);
		});
		const alike = new Map();
		for (const process of this.image.processes)
			if (held.has(process.pid))
				got(alike, process.pid === this.pid ? 'chosen' : held.get(process.pid).join(' '), () => []).push(process);
		const nodes = [...alike.values()].flatMap((list) => (list.length > 2 ? [list] : list.map((process) => [process])));
		const order = new Map(this.image.processes.map((process, i) => [process, i]));
		nodes.sort((a, b) => order.get(a[0]) - order.get(b[0]));
		const rows = new Map(nodes.flatMap((list, i) => list.map((process) => [process.pid, i])));
		const middle = (group) => group.ends.reduce((sum, end) => sum + (rows.get(end.pid) || 0), 0) / group.ends.length;
		groups.sort((a, b) => middle(a) - middle(b) || compare(a.kind, b.kind));
		return { nodes, rows };
	}

	picture(groups, width) {
		const { nodes, rows } = this.places(groups);
		const height = Math.max(nodes.length, groups.length) * GRAPH_ROW + 8;
		const step = (n) => (height - 8) / n;
		const left = Math.min(240, width * 0.36), right = width - Math.min(330, width * 0.42);
		const yLeft = (row) => 4 + step(nodes.length) * (row + 0.5);
		const yRight = (i) => 4 + step(groups.length) * (i + 0.5);
		const root = svg('svg', { width, height, viewBox: '0 0 ' + width + ' ' + height, 'aria-label': 'Connections' });
		this.lines = groups.flatMap((group, i) => {
			const ends = new Map(); // by row: those that stand as one have one line
			for (const end of group.ends)
				if (rows.has(end.pid) && !ends.has(rows.get(end.pid)))
					ends.set(rows.get(end.pid), end);
			return [...ends].map(([row, end]) => this.line(group, end, [left, yLeft(row)], [right, yRight(i)], { group: i, row }));
		});
		return fill(root, [this.lines.map((line) => line.node),
			nodes.map((list, row) => this.processLabel(list, row, left, yLeft(row))),
			groups.map((group, i) => this.groupLabel(group, i, right, yRight(i), width))]);
	}

	line(group, end, [x0, y0], [x1, y1], place) {
		const bend = (x1 - x0) * 0.45;
		const reads = end.way.includes('r'), writes = end.way.includes('w');
		const node = svg('g', { class: 'edge link-' + group.kind + (end.pid === this.pid ? ' chosen' : '') },
			svg('path', { d: 'M' + x0 + ' ' + y0 + ' C' + (x0 + bend) + ' ' + y0 + ' ' + (x1 - bend) + ' ' + y1 + ' ' + x1 + ' ' + y1 }),
			reads ? svg('path', { class: 'head', d: 'M' + x0 + ' ' + y0 + 'l7 -3.5v7z' }) : null,
			writes ? svg('path', { class: 'head', d: 'M' + x1 + ' ' + y1 + 'l-7 -3.5v7z' }) : null);
		return { node, ...place };
	}

	// Makes the lines that match stand out.
	light(match) {
		for (const line of this.lines)
			line.node.classList.toggle('lit', match !== null && match(line));
	}

	label(attributes, text, what, actions) {
		return svg('g', { ...attributes, tabindex: '0', 'aria-label': what,
			onpointerenter: actions.enter, onpointerleave: actions.leave, onfocus: actions.enter, onblur: actions.leave,
			onclick: actions.click, onkeydown: (event) => event.key === 'Enter' && actions.click(event) }, text);
	}

	processLabel(list, row, x, y) {
		const [process] = list;
		const names = new Set(list.map((one) => one.comm));
		const name = list.length === 1 ? process.pid + ' ' + process.comm
			: process.pid + ' and ' + (list.length - 1) + ' like it' + (names.size === 1 ? ': ' + process.comm : '');
		return this.label({ class: 'end' + (process.pid === this.pid ? ' chosen' : ''), role: 'button' },
			svg('text', { x: x - 6, y: y + 4, 'text-anchor': 'end' }, shorten(name, Math.floor((x - 8) / 6.8))), name, {
				enter: (event) => {
					this.light((line) => line.row === row);
					if (list.length > 1 && event.clientX !== undefined)
						tip.show(event, [shorten(list.map((one) => one.pid + ' ' + one.comm).join(', '), 600)]);
				},
				leave: () => {
					this.light(null);
					tip.hide();
				},
				click: () => this.onpick(process.pid),
			});
	}

	groupLabel(group, i, x, y, width) {
		const n = group.links.length;
		const name = (n > 1 ? plural(n, KIND_ONE[group.kind][0], KIND_ONE[group.kind][1]) : group.links[0].name)
			+ (group.outside !== null ? ' → ' + group.outside : '');
		const told = [KIND_ONE[group.kind][0], ...group.links.slice(0, 8).map((link) => shorten(link.name, 90)), n > 8 ? '…' : '',
			...group.ends.slice(0, 8).map((end) => end.pid + ' ' + end.way + '  ' + shorten(end.what.join(', '), 60)),
			group.outside !== null ? 'the other end is outside: ' + group.outside : ''].filter(Boolean);
		return this.label({ class: 'thing' }, [svg('circle', { class: 'link-' + group.kind, cx: x + 8, cy: y, r: 4 }),
			svg('text', { x: x + 18, y: y + 4 }, shorten(name, Math.floor((width - x - 20) / 6.4)))], told.join('; '), {
			enter: (event) => {
				this.light((line) => line.group === i);
				if (event.clientX !== undefined)
					tip.show(event, told);
			},
			leave: () => {
				this.light(null);
				tip.hide();
			},
			click: (event) => event.clientX !== undefined && tip.show(event, told),
		});
	}
}

const KIND_ONE = {
	pipe: ['pipe', 'pipes'], unix: ['unix socket', 'unix sockets'], inet: ['connection', 'connections'],
	memory: ['shared memory', 'shared memories'], listen: ['listening socket', 'listening sockets'],
	open: ['open file', 'open files'],
};

function linkTable(image) {
	const label = (pid) => pid + ' ' + ((image.byPid.get(pid) || {}).comm || '');
	const ends = (link) => [...link.ends.values()]
		.map((end) => label(end.pid) + ' (' + end.way + ' ' + end.what.join(' ') + ')').join(', ');
	return new Table({
		name: 'Connections', rows: linksOf(image), unit: 'connection', visible: 10,
		columns: [
			{ title: 'Kind', get: (link) => KIND_ONE[link.kind][0], width: 16 },
			{ title: 'Name', get: (link) => link.name, grow: true, width: 26 },
			{ title: 'Held by', get: ends, width: 38 },
			{ title: 'Outside', wide: true, get: (link) => link.outside, width: 20 },
		],
	}).node;
}
