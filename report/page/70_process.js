// One process: facts, its address space in three ways that follow each other (map, pages, table), descriptors, and
// the rest of what views tell of it.

function section(id, title, ...content) {
	return h('section', { id, class: 'panel' }, h('h2', {}, title), content);
}

function credText(creds) {
	const ids = (x) => (x === undefined ? '' : x.real === x.effective && x.real === x.saved ? String(x.real)
		: x.real + ' (effective ' + x.effective + ', saved ' + x.saved + ')');
	return creds === null ? '' : 'uid ' + ids(creds.uid) + ', gid ' + ids(creds.gid);
}

function processFacts(process) {
	const { row, fds, maps, creds } = process;
	const held = areasOf(process).reduce((sum, area) => sum + area.bytes_in_image, 0);
	const mapped = areasOf(process).reduce((sum, area) => sum + area.bytes, 0);
	return lines([
		['Command', commandText(row)],
		['Executable', maps === null ? '' : maps.executable],
		['Directory', fds === null || fds === undefined ? '' : fds.cwd + (fds.root && fds.root !== '/' ? ' in root ' + fds.root : '')],
		['State', row.state + (row.exit_status !== null ? ', exit status ' + row.exit_status : '')],
		['Parent', row.ppid === 0 ? 'none in the image' : row.ppid],
		['Group, session', row.pgid + ', ' + row.sid],
		['User', credText(creds)],
		['Memory', maps === null ? 'none' : bytesText(mapped) + ' in ' + plural(areasOf(process).length, 'area') + ', '
			+ bytesText(held) + ' in the image'],
	]);
}

function processRest(process) {
	const rest = [['Changes', (value) => changeTable('Changes', value, false), process.changed && process.changed.length > 0 ? process.changed : null],
		['Environment', environmentView, process.space.environment],
		['Signals', (value) => jsonView('Signals', value, 0), without(process.signals)],
		['Timers', (value) => jsonView('Timers', value, 0), without(process.timers)],
		['Users, capabilities, limits', (value) => jsonView('Credentials', value, 0), without(process.creds)]];
	return rest.filter(([, , value]) => value !== null && !Object.values(value).every(isEmpty))
		.map(([title, view, value]) => folded(title + (Array.isArray(value) ? ' (' + value.length + ')' : ''), () => view(value)));
}

// Without what its heading says already.
function without(part) {
	if (part === null)
		return null;
	const { pid, comm, ...rest } = part;
	return rest;
}

function environmentView(list) {
	return new Table({
		name: 'Environment', rows: list.map((word) => [word.split('=', 1)[0], word.slice(word.indexOf('=') + 1)]),
		unit: 'variable', visible: 12,
		columns: [
			{ title: 'Name', get: (pair) => pair[0], mono: true, width: 24 },
			{ title: 'Value', get: (pair) => pair[1], mono: true, grow: true, width: 40 },
		],
	}).node;
}

const PAGE_LEGEND = [['kind-p', 'private, in the image'], ['kind-o', 'in a parent'], ['kind-s', 'shared'], ['kind-f', 'as in the file'],
	['kind-z', 'zero'], ['kind-l', 'lost'], ['kind-k', 'kernel']];
const RIGHTS_LEGEND = [['right-x', 'code'], ['right-w', 'writable'], ['right-r', 'read only'], ['right-none', 'no access'],
	['right-wx', 'writable code']];

function legend(rows, changed) {
	return h('div', { class: 'legend' }, rows.map(([name, word]) => h('span', {}, h('i', { class: 'dot ' + name }), word)),
		changed ? h('span', {}, h('i', { class: 'dot changed' }), 'changed') : null);
}

function zoomButtons(zoom) {
	return h('span', { class: 'zoom' }, button('−', 'Zoom out (-)', () => zoom(-1)), button('fit', 'All of it (0)', () => zoom(0)),
		button('+', 'Zoom in (+)', () => zoom(1)));
}

function areaColumns(process) {
	const changed = process.changedPages, notes = process.notes || new Map();
	const note = (area) => notes.get(area.start.slice(2) + '-' + area.end.slice(2)) || '';
	const what = (area) => areaName(area) + (area.advice ? ' ' + area.advice : '')
		+ (area.offset !== '0x0' && /FILE/.test(area.status) ? ' +' + area.offset : '');
	const address = (title, key) => ({
		title, get: (area) => pageOf(area[key]), text: (area) => area[key].slice(2).padStart(12, '0'), mono: true, width: 15,
	});
	const bytes = (title, key) => ({
		title, get: (area) => area[key], text: (area) => (area[key] > 0 ? bytesText(area[key]) : ''), num: true, width: 10,
	});
	return [
		address('Start', 'start'), { ...address('End', 'end'), wide: true },
		{ title: 'Perm', get: (area) => area.permissions, mono: true, width: 8, cls: (area) => rightsName(area.permissions) + '-text' },
		bytes('Size', 'bytes'), { ...bytes('Here', 'bytes_in_image'), wide: true },
		areasOf(process).some((area) => area.bytes_in_parent > 0) ? bytes('Parent', 'bytes_in_parent') : null,
		changed === undefined ? null : {
			title: 'Changed', get: (area) => changed.get(area) || 0, text: (area) => countText(changed.get(area) || null),
			num: true, width: 10, cls: () => 'changed-text',
		},
		notes.size > 0 ? { title: 'Mapping', wide: true, get: note, width: 12, cls: () => 'changed-text' } : null,
		{ title: 'What', get: what, grow: true, width: 30 },
	];
}

function memorySection(process) {
	changeRuns(process);
	const two = process.changes !== undefined;
	const areas = areasOf(process);
	if (areas.length === 0)
		return section('memory', 'Memory', h('p', { class: 'dim' },
			process.row.state === 'alive' ? 'The image tells of no areas.' : 'A dead process has none.'));
	const place = new Map(areas.map((area, i) => [area, i]));
	const pick = (i) => {
		strip.pick(i);
		heat.pick(i);
		table.pick(areas[i]);
	};
	const strip = new Strip(process, new Axis(process, true), pick);
	const heat = new Heat(process, new Axis(process, false), pick);
	const table = new Table({
		name: 'Mappings', rows: areas, unit: 'mapping', columns: areaColumns(process),
		onpick: (area) => {
			strip.pick(place.get(area));
			heat.pick(place.get(area));
		},
	});
	const scale = h('span', { class: 'dim' });
	heat.status = h('p', { class: 'status', 'aria-live': 'polite' });
	heat.onzoom = () => replace(scale, 'a cell is ' + (heat.perCell === 1 ? 'a page' : bytesText(heat.perCell * 4096)));
	new ResizeObserver(perFrame(() => {
		heat.layout(heat.canvas.clientWidth || 600);
		heat.onzoom();
	})).observe(heat.canvas);
	const kinds = new Set(process.space.pages.join('').replace(/\d/g, ''));
	const rights = new Set(areas.map((area) => rightsName(area.permissions)));
	const shown = [...PAGE_LEGEND.filter(([name]) => kinds.has(name.slice(-1))), ...RIGHTS_LEGEND.filter(([name]) => rights.has(name))];
	const cut = 'The image has too many runs of pages to show all of them: some areas are drawn as one.';
	return section('memory', 'Memory',
		h('div', { class: 'head' }, h('h3', {}, 'Address space'),
			zoomButtons((way) => strip.zoom(way === 0 ? Infinity : way > 0 ? 0.5 : 2))),
		process.space.pages.includes(null) ? h('p', { class: 'more' }, cut) : null,
		strip.canvas,
		legend(shown, two),
		h('div', { class: 'head' }, h('h3', {}, two ? 'Pages and their changes' : 'Pages'), scale,
			zoomButtons((way) => heat.zoom(way === 0 ? -Infinity : way))),
		heat.canvas, heat.status,
		h('h3', {}, 'Mappings'), table.node);
}

function descriptorSection(process) {
	const list = process.fds === null ? [] : process.fds.fds || [];
	const notes = process.notes || new Map();
	const columns = [
		{ title: 'Fd', get: (fd) => fd.fd, num: true, width: 7 },
		{ title: 'Type', wide: true, get: (fd) => fd.type, width: 12 },
		{ title: 'Mode', get: (fd) => fd.mode, mono: true, width: 7 },
		{ title: 'Position', wide: true, get: (fd) => fd.pos, text: (fd) => countText(fd.pos), num: true, width: 13 },
		{ title: 'What', get: (fd) => fd.name + (fd.note ? ' (' + fd.note + ')' : ''), grow: true, width: 34 },
		list.some((fd) => notes.has('fd ' + fd.fd))
			? { title: 'Change', get: (fd) => notes.get('fd ' + fd.fd) || '', width: 16, cls: () => 'changed-text' } : null,
		{ title: 'Flags', wide: true, get: (fd) => [fd.cloexec ? 'cloexec' : '', fd.flags].filter(Boolean).join(' '), width: 20 },
	];
	return section('descriptors', 'Descriptors', list.length === 0 ? h('p', { class: 'dim' }, 'none')
		: new Table({ name: 'Descriptors', rows: list, unit: 'descriptor', columns }).node);
}
