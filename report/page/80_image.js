// The image as a whole: what it is, whether it is right, its files, sockets and all the rest.

const SEVERITIES = { error: 'errors', warning: 'warnings', note: 'notes' };

function severity(word) {
	return h('span', { class: 'badge ' + (word in SEVERITIES ? word : '') }, word);
}

function verdict(image) {
	const f = image.findings;
	const counts = ['error', 'warning', 'note'].filter((word) => f[SEVERITIES[word]] > 0)
		.map((word) => h('a', { href: '#findings', class: 'badge ' + word }, plural(f[SEVERITIES[word]], word)));
	const words = f.errors > 0 ? 'It will not restore as it was'
		: f.warnings > 0 ? 'It may not restore as it was' : 'Nothing is wrong with it';
	return h('p', { class: 'verdict ' + (f.errors > 0 ? 'bad' : f.warnings > 0 ? 'doubt' : 'good') }, h('b', {}, words), ' ', counts,
		image.inspect.error ? h('span', { class: 'told' }, ' ', image.inspect.error) : null);
}

function tile(value, word, where) {
	return h(where ? 'a' : 'div', { class: 'tile', href: where || null }, h('b', {}, value), h('span', {}, word));
}

function summaryText(s, image) {
	const least = s.criu_at_least ? 'CRIU ' + s.criu_at_least + ' or later' + (s.criu_before ? ', before ' + s.criu_before : '') : '';
	const date = s.checkpointed || (s.not_before ? 'not before ' + s.not_before : s.files_dated ? 'files of ' + s.files_dated : '');
	const c = s.container || {};
	return [
		['Kind', [s.kind, s.image_version ? 'image version ' + s.image_version : '', s.store].filter(Boolean).join(', ')],
		['Format', image.inspect.format], ['Made by', s.made_by || s.criu_version || least], ['Kernel', s.kernel], ['CPU', s.cpu],
		['Checkpointed', date],
		['On disk', s.bytes === undefined ? '' : bytesText(s.bytes) + ' in ' + plural(s.file_count, 'file')],
		['Parent images', s.layers > 1 ? s.layers - 1 + ', the nearest is ' + s.parent : ''],
		['Own namespaces', (s.own_namespaces || []).join(' ')],
		['Container', [c.name, c.image, c.engine].filter(Boolean).join(', ')],
	];
}

function summarySection(image) {
	const s = image.inspect.summary || {};
	const mappings = image.processes.reduce((sum, process) => sum + areasOf(process).length, 0);
	return section('summary', 'Summary', verdict(image),
		h('div', { class: 'tiles' },
			tile(countText(s.processes || 0), s.processes === 1 ? 'process' : 'processes', '#process'),
			s.zombies ? tile(countText(s.zombies), 'zombies') : null, s.stopped ? tile(countText(s.stopped), 'stopped') : null,
			tile(countText(s.thread_count || 0), s.thread_count === 1 ? 'thread' : 'threads', '#threads'),
			tile(countText(mappings), 'mappings', '#memory'),
			tile(bytesText(s.private_bytes || 0), 'private memory', '#memory'),
			s.shared_bytes ? tile(bytesText(s.shared_bytes), 'shared memory') : null,
			s.parent_bytes ? tile(bytesText(s.parent_bytes), 'in parents') : null,
			tile(countText(s.open_files || 0), 'open files', '#files'),
			tile(countText(linksOf(image).length), 'connections', '#links')),
		lines(summaryText(s, image)));
}

function fileSection(image) {
	const columns = [
		{ title: 'Id', wide: true, get: (file) => file.id, num: true, width: 7 },
		{ title: 'Type', get: (file) => file.type, width: 11 },
		{ title: 'What', get: (file) => file.name + (file.note ? ' (' + file.note + ')' : ''), grow: true, width: 30 },
		{ title: 'Size', wide: true, get: (file) => file.size, text: (file) => bytesText(file.size), num: true, width: 10 },
		{ title: 'Position', wide: true, get: (file) => file.pos, text: (file) => countText(file.pos), num: true, width: 12 },
		{ title: 'Flags', wide: true, get: (file) => file.flags.replace(/O_/g, '').replace(/\|/g, ' ').toLowerCase(), width: 18 },
		{ title: 'Held by', get: (file) => file.users.join(', '), width: 20 },
	];
	const rows = image.inspect.files || [];
	return section('files', 'Files', rows.length === 0 ? h('p', { class: 'dim' }, 'none')
		: new Table({ name: 'Files', rows, unit: 'file', columns }).node);
}

function socketSection(image) {
	const rows = Object.values(image.inspect.sockets || {}).flat();
	const queue = (bytes) => (bytes ? bytesText(bytes) : '');
	const columns = [
		{ title: 'Family', wide: true, get: (s) => s.family, width: 8 }, { title: 'Type', get: (s) => s.type, width: 10 },
		{ title: 'Protocol', wide: true, get: (s) => s.proto, width: 9 }, { title: 'State', get: (s) => s.state, width: 14 },
		{ title: 'Local', get: (s) => s.local, grow: true, width: 20 }, { title: 'Peer', get: (s) => s.peer, width: 20 },
		{ title: 'To read', wide: true, get: (s) => s.receive_queue_bytes, text: (s) => queue(s.receive_queue_bytes), num: true, width: 10 },
		{ title: 'Unsent', wide: true, get: (s) => s.send_queue_bytes, text: (s) => queue(s.send_queue_bytes), num: true, width: 10 },
		{ title: 'Held by', get: (s) => s.users.join(', '), width: 14 }, { title: 'Options', wide: true, get: (s) => s.options, width: 16 },
	];
	return rows.length === 0 ? null : section('sockets', 'Sockets', new Table({ name: 'Sockets', rows, unit: 'socket', columns }).node);
}

function findingSection(image) {
	const rows = image.findings.findings;
	const rank = { error: 0, warning: 1, note: 2 };
	const detail = h('div', { class: 'detail' });
	const columns = [
		{ title: 'Severity', get: (f) => rank[f.severity], text: (f) => f.severity, node: (f) => severity(f.severity), width: 11 },
		{ title: 'Code', wide: true, get: (f) => f.code, mono: true, width: 10 },
		{ title: 'Finding', get: (f) => f.title + ': ' + f.text, grow: true, width: 36 },
		{ title: 'File', wide: true, get: (f) => f.file, width: 20 },
		{ title: 'Offset', wide: true, get: (f) => f.offset, text: (f) => (f.offset === null ? '' : '0x' + f.offset.toString(16)),
			mono: true, num: true, width: 11 },
		{ title: 'Field', wide: true, get: (f) => f.field, mono: true, width: 20 },
	];
	if (rows.length === 0)
		return section('findings', 'Findings', h('p', { class: 'verdict good' }, 'validate finds nothing.'));
	const table = new Table({
		name: 'Findings', rows: [...rows].sort((a, b) => rank[a.severity] - rank[b.severity]),
		unit: 'finding', columns, visible: 10,
		onpick: (f) => replace(detail,
			h('p', {}, severity(f.severity), ' ', h('code', {}, f.code), ' ', h('b', {}, f.title)), h('p', {}, f.text),
			h('p', { class: 'advice' }, f.advice)),
	});
	table.go(0, true);
	return section('findings', 'Findings', table.node, detail,
		image.findings.left_out > 0 ? h('p', { class: 'more' }, 'and ' + countText(image.findings.left_out) + ' more that validate counted') : null);
}

const REST = [['page_maps', 'Page maps'], ['container', 'Container'], ['namespaces', 'Namespaces'], ['mounts', 'Mounts'], ['cgroups', 'Control groups'],
	['ipc', 'System V IPC'], ['stats', 'Times of the dump'], ['summary', 'All of the summary']];

function restSection(image) {
	const parts = REST.filter(([key]) => !isEmpty(image.inspect[key] === undefined ? null : image.inspect[key])
		&& !(typeof image.inspect[key] === 'object' && Object.values(image.inspect[key]).every(isEmpty)));
	return section('more', 'More', parts.map(([key, title]) => folded(title, () => jsonView(title, image.inspect[key], 0))));
}
